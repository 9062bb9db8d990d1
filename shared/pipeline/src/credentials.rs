//! AWS credentials that do not come: which ones, why, and what to do.
//!
//! Invariant: one plain sentence each. The types of the AWS clients are private, so their texts decide, and an unknown
//! text has the general sentence.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};

/// Why there are none, and the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoCredentials {
    pub(crate) cause: String,
    pub(crate) hint: String,
}

/// The credentials of the profile that the environment's entry names. Unlike the usual chain, variables of another
/// account do not come before it.
#[derive(Debug)]
pub(crate) struct OfProfile<P> {
    pub(crate) profile: String,
    pub(crate) provider: P,
}

/// Names the profile in a chain of errors.
#[derive(Debug)]
struct ProfileError {
    profile: String,
    source: CredentialsError,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the profile {:?}", self.profile)
    }
}

impl Error for ProfileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

impl<P: ProvideCredentials> ProvideCredentials for OfProfile<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let provided = self.provider.provide_credentials().await;
            provided.map_err(|source| {
                CredentialsError::provider_error(ProfileError {
                    profile: self.profile.clone(),
                    source,
                })
            })
        })
    }
}

const LOG_IN: &str = "log in with the AWS CLI, set AWS_PROFILE, or name a profile in the \
                      environment's entry (profile)";

/// What a failed search for credentials says. `chain` are the error and its causes; `variable` is the value of
/// `AWS_PROFILE`.
pub(crate) fn explained<'a>(
    chain: impl Iterator<Item = &'a (dyn Error + 'static)>,
    variable: Option<String>,
) -> NoCredentials {
    let mut named = variable.filter(|name| !name.is_empty());
    let mut text = String::new();
    for cause in chain {
        if let Some(error) = cause.downcast_ref::<ProfileError>() {
            named = Some(error.profile.clone());
        }
        text.push_str(&cause.to_string());
        text.push('\n');
    }
    let has = |part: &str| text.contains(part);
    let of = named
        .as_ref()
        .map_or_else(String::new, |name| format!(" of the AWS profile {name:?}"));
    let option = named
        .as_ref()
        .map_or_else(String::new, |name| format!(" --profile {name}"));
    let log_in = format!("log in again: `aws sso login{option}`");
    let (cause, hint) = if let Some(missing) = quoted_before(&text, " was not defined") {
        (
            format!("there is no AWS profile {missing:?} on this machine"),
            format!(
                "make it with `aws configure sso --profile {missing}`, or correct its name: profile in the \
                 environment's entry, or AWS_PROFILE where that names none"
            ),
        )
    } else if has("SSO token has expired") || has("Session token not found or invalid") {
        (format!("the SSO session{of} has expired"), log_in)
    } else if has("sso/cache") || has("cached SSO token") {
        (format!("there is no SSO session{of}"), log_in)
    } else if has("credential_process") || has("external process") {
        (
            format!("the credential_process{of} failed"),
            format!("run it by hand: `aws sts get-caller-identity{option}` shows its error"),
        )
    } else if named.is_some() {
        (
            format!("no credentials came{of}"),
            format!("`aws sts get-caller-identity{option}` shows why"),
        )
    } else {
        (
            "no AWS credentials were found".to_owned(),
            LOG_IN.to_owned(),
        )
    };
    NoCredentials { cause, hint }
}

/// The name in backquotes before a text: of "profile `x` was not defined" it is x.
fn quoted_before<'a>(text: &'a str, after: &str) -> Option<&'a str> {
    let (before, _) = text.split_once(after)?;
    before.strip_suffix('`')?.rsplit('`').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &'static str, profile: Option<&str>) -> NoCredentials {
        let source = CredentialsError::provider_error(text);
        let error: Box<dyn Error> = match profile {
            Some(profile) => Box::new(ProfileError {
                profile: profile.to_owned(),
                source,
            }),
            None => Box::new(source),
        };
        let chain = std::iter::successors(Some(&*error as &(dyn Error + 'static)), |error| {
            (**error).source()
        });
        explained(chain, None)
    }

    #[test]
    fn each_way_to_have_none_has_its_sentence_and_its_next_step() {
        for (text, profile, cause, hint) in [
            (
                "profile `pilot` was not defined: could not find source profile pilot",
                None,
                "there is no AWS profile \"pilot\" on this machine",
                "aws configure sso --profile pilot",
            ),
            (
                "the SSO token has expired and cannot be refreshed",
                Some("pilot"),
                "the SSO session of the AWS profile \"pilot\" has expired",
                "aws sso login --profile pilot",
            ),
            (
                "failed to read `/home/me/.aws/sso/cache/12.json`",
                None,
                "there is no SSO session",
                "`aws sso login`",
            ),
            (
                "an error",
                Some("pilot"),
                "no credentials came of the AWS profile \"pilot\"",
                "get-caller-identity --profile pilot",
            ),
            (
                "an error",
                None,
                "no AWS credentials were found",
                "AWS_PROFILE",
            ),
        ] {
            let told = of(text, profile);
            assert_eq!(told.cause, cause);
            assert!(told.hint.contains(hint), "{told:?}");
        }
    }
}
