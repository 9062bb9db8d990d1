//! The same call for `curl`. Pure; invariant: no secret is in the command. What authorises the call is named by
//! variables of the shell, and every other word is one word for a shell.

use super::call::{ApiCall, ApiMethod};
use crate::api::address;
use crate::environment::{Authorization, Environment};
use crate::text::shell_word;

/// What authorises a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiAccess {
    /// A signature with the operator's AWS credentials (SigV4).
    Iam,
    /// A bearer token of `api_token_command`.
    Token,
    /// Nothing.
    Open,
}

impl ApiAccess {
    /// As the environment has it.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        match environment.api_auth {
            Authorization::Iam => Self::Iam,
            Authorization::None if environment.api_token_command.is_some() => Self::Token,
            Authorization::None => Self::Open,
        }
    }

    /// In words for the screen.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Iam => "signed (IAM)",
            Self::Token => "with a token",
            Self::Open => "not signed",
        }
    }
}

/// A command, and what must be there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurlCommand {
    /// The command on one line, but for line breaks of a body.
    pub text: String,
    /// How the variables are set that it uses.
    pub before: Option<String>,
}

impl CurlCommand {
    /// The command for a call; `None` where the environment has no API, or the path leads out of it.
    #[must_use]
    pub fn of(environment: &Environment, call: &ApiCall) -> Option<Self> {
        let mut url = address(environment.api_url.as_deref()?, &call.target).ok()?;
        // A user in the URL would be a secret.
        let _ = (url.set_username(""), url.set_password(None));
        // Brackets and braces of the URL are no patterns.
        let mut words = ["curl", "--globoff", "--include"]
            .map(str::to_owned)
            .to_vec();
        let mut option = |name: &str, quoted: String| words.extend([name.to_owned(), quoted]);
        let before = match ApiAccess::of(environment) {
            ApiAccess::Iam => {
                let provider = format!("aws:amz:{}:execute-api", environment.region);
                option("--aws-sigv4", shell_word(&provider).into_owned());
                let user = r#""$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY""#;
                option("--user", user.to_owned());
                // Without a value, curl leaves the header out.
                let session = r#""x-amz-security-token: $AWS_SESSION_TOKEN""#;
                option("--header", session.to_owned());
                let profile = environment.profile.as_deref();
                let profile = profile
                    .map(|name| format!("--profile {} ", shell_word(name)))
                    .unwrap_or_default();
                Some(format!(
                    r#"eval "$(aws configure export-credentials {profile}--format env)""#
                ))
            }
            ApiAccess::Token => {
                // curl hides the value of this option from the list of processes.
                option("--oauth2-bearer", r#""$TOKEN""#.to_owned());
                let command = environment.api_token_command.as_deref();
                Some(format!("TOKEN=$({})", command.unwrap_or_default()))
            }
            ApiAccess::Open => None,
        };
        for (name, value) in &call.headers {
            option(
                "--header",
                shell_word(&format!("{name}: {value}")).into_owned(),
            );
        }
        if let Some(body) = &call.body {
            option(
                "--header",
                shell_word("content-type: application/json").into_owned(),
            );
            option("--data-raw", shell_word(body).into_owned());
        } else if call.method == ApiMethod::Post {
            option("--request", call.method.to_string());
        }
        words.push(shell_word(url.as_str()).into_owned());
        Some(Self {
            text: words.join(" "),
            before,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// The words that a shell makes of a command line, with the variables that the command uses.
    fn words(command: &str) -> Vec<String> {
        let script = format!("set -- {command}\nfor word do printf '%s\\0' \"$word\"; done");
        let output = Command::new("/bin/sh")
            .args(["-c", &script])
            .env_clear()
            .env("AWS_ACCESS_KEY_ID", "the key")
            .env("AWS_SECRET_ACCESS_KEY", "it's $HOME")
            .env("TOKEN", "a\"b `c`")
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let words = text.split_terminator('\0');
        words.map(str::to_owned).collect()
    }

    fn environment(api_auth: Authorization, token: Option<&str>) -> Environment {
        Environment {
            api_url: Some("https://abc.execute-api.eu-west-1.amazonaws.com".to_owned()),
            region: "eu-west-1".to_owned(),
            api_auth,
            api_token_command: token.map(str::to_owned),
            ..Environment::example()
        }
    }

    #[test]
    fn signed_call_names_the_credentials_by_their_variables() {
        let call = ApiCall::get("/v1/records?limit=1&type=a%20b");
        let command = CurlCommand::of(&environment(Authorization::Iam, None), &call).unwrap();
        assert_eq!(
            words(&command.text),
            [
                "curl",
                "--globoff",
                "--include",
                "--aws-sigv4",
                "aws:amz:eu-west-1:execute-api",
                "--user",
                "the key:it's $HOME",
                "--header",
                "x-amz-security-token: ",
                "https://abc.execute-api.eu-west-1.amazonaws.com/v1/records?limit=1&type=a%20b",
            ]
        );
        let before = command.before.unwrap();
        assert!(before.contains("aws configure export-credentials --format env"));
    }

    #[test]
    fn token_is_a_variable_and_an_open_api_wants_none() {
        let call = ApiCall::get("/health");
        let signed = environment(Authorization::None, Some("vault read token"));
        let command = CurlCommand::of(&signed, &call).unwrap();
        assert_eq!(words(&command.text)[3..5], ["--oauth2-bearer", "a\"b `c`"]);
        assert_eq!(command.before.as_deref(), Some("TOKEN=$(vault read token)"));
        let open = CurlCommand::of(&environment(Authorization::None, None), &call).unwrap();
        let url = "https://abc.execute-api.eu-west-1.amazonaws.com/health";
        assert_eq!(words(&open.text), ["curl", "--globoff", "--include", url]);
        assert_eq!(open.before, None);
    }

    #[test]
    fn user_of_the_address_is_left_out_and_a_path_that_leads_out_has_no_command() {
        let mut environment = environment(Authorization::None, None);
        environment.api_url = Some("https://me:secret@api.example/base".to_owned());
        let command = CurlCommand::of(&environment, &ApiCall::get("/health")).unwrap();
        assert_eq!(
            command.text,
            "curl --globoff --include https://api.example/base/health"
        );
        let out = ApiCall::get("/../other");
        assert_eq!(CurlCommand::of(&environment, &out), None);
        environment.api_url = None;
        assert_eq!(
            CurlCommand::of(&environment, &ApiCall::get("/health")),
            None
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn shell_reads_every_word_back(
            value in "[ -~]{0,20}",
            body in "[\\n -~äß日]{1,40}",
        ) {
            let call = ApiCall {
                method: ApiMethod::Post,
                target: "/v1/records/lookup?a=%27%24x".to_owned(),
                headers: vec![("x-text".to_owned(), value.clone())],
                body: Some(body.clone()),
            };
            let environment = environment(Authorization::None, None);
            let command = CurlCommand::of(&environment, &call).unwrap();
            prop_assert_eq!(words(&command.text), [
                "curl".to_owned(),
                "--globoff".to_owned(),
                "--include".to_owned(),
                "--header".to_owned(),
                format!("x-text: {value}"),
                "--header".to_owned(),
                "content-type: application/json".to_owned(),
                "--data-raw".to_owned(),
                body,
                "https://abc.execute-api.eu-west-1.amazonaws.com/v1/records/lookup?a=%27%24x".to_owned(),
            ]);
        }
    }
}
