//! The result of trying one access.
//!
//! Invariant: only an answer of the service counts as allowed or denied. Pure.

use std::time::Duration;

use serde::Serialize;

use crate::denial;
use crate::{PipelineError, PipelineErrorKind};

/// An access by its published name, and the permissions of IAM that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessName {
    /// The name, in kebab-case.
    pub name: &'static str,
    /// Names of IAM; the first is the one whose lack a denial shows, where AWS names none.
    pub permissions: &'static [&'static str],
}

/// How trying it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessOutcome {
    /// It works.
    Allowed,
    /// A permission is missing.
    Denied,
    /// The service refused for another reason.
    Failed,
    /// No answer came.
    Unreachable,
    /// It was not tried, because only a change would show it.
    NotTried,
    /// The environment does not have it.
    Absent,
}

impl AccessOutcome {
    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
            Self::NotTried => "not-tried",
            Self::Absent => "absent",
        }
    }
}

/// One access and how trying it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessCheck {
    /// Published name of the access.
    pub access: &'static str,
    /// The queue, topic, host or bucket.
    pub target: String,
    /// How it ended.
    pub outcome: AccessOutcome,
    /// Time to the answer, or to giving up; `None` where it was not tried.
    pub duration_ms: Option<u64>,
    /// The permissions of IAM that it needs.
    pub permissions: &'static [&'static str],
    /// The permission that is missing, by its name in IAM.
    pub missing_permission: Option<String>,
    /// What the service said, or why it was not tried.
    pub detail: Option<String>,
    /// What to do; `None` where nothing is to be done.
    pub next_step: Option<String>,
}

impl AccessCheck {
    /// An access that only a change would show.
    #[must_use]
    pub fn not_tried(access: AccessName, target: String, reason: &str, next_step: &str) -> Self {
        Self {
            access: access.name,
            target,
            outcome: AccessOutcome::NotTried,
            duration_ms: None,
            permissions: access.permissions,
            missing_permission: None,
            detail: Some(reason.to_owned()),
            next_step: Some(next_step.to_owned()),
        }
    }

    /// An access that was tried: what it showed, or why it failed.
    #[must_use]
    pub fn tried(
        access: AccessName,
        target: String,
        elapsed: Duration,
        tried: Result<Option<String>, PipelineError>,
    ) -> Self {
        let mut check = Self {
            access: access.name,
            target,
            outcome: AccessOutcome::Allowed,
            duration_ms: Some(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)),
            permissions: access.permissions,
            missing_permission: None,
            detail: None,
            next_step: None,
        };
        let error = match tried {
            Ok(detail) => {
                check.detail = detail;
                return check;
            }
            Err(error) => error,
        };
        check.outcome = outcome(&error);
        check.detail = Some(error.cause.clone());
        if error.is_denied() {
            let named = denial::permission_of(&error.cause);
            let needed = access.permissions.first().map(|name| (*name).to_owned());
            check.missing_permission = named.or(needed);
            let permission = check.missing_permission.as_deref();
            check.next_step = Some(denial::hint(permission, &error.cause));
        } else {
            check.next_step = Some(error.hint());
        }
        check
    }
}

/// Where one access is absent, so are those of the same part that were not tried: what would show them cannot.
pub(super) fn share_absence(checks: &mut [AccessCheck], of: &str, others: &[&str]) {
    let mut all = checks.iter();
    let Some(absent) = all
        .find(|check| check.access == of && check.outcome == AccessOutcome::Absent)
        .cloned()
    else {
        return;
    };
    for check in checks
        .iter_mut()
        .filter(|check| others.contains(&check.access))
    {
        check.outcome = AccessOutcome::Absent;
        check.detail.clone_from(&absent.detail);
        check.next_step.clone_from(&absent.next_step);
    }
}

fn outcome(error: &PipelineError) -> AccessOutcome {
    match error.kind {
        PipelineErrorKind::Unreachable => AccessOutcome::Unreachable,
        PipelineErrorKind::NotConfigured => AccessOutcome::Absent,
        PipelineErrorKind::Refused if error.is_denied() => AccessOutcome::Denied,
        PipelineErrorKind::Refused | PipelineErrorKind::NotPermitted => AccessOutcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Attempt;

    const PURGE: AccessName = AccessName {
        name: "purge-dead-letters",
        permissions: &["sqs:PurgeQueue"],
    };

    fn tried(error: PipelineError) -> AccessCheck {
        AccessCheck::tried(PURGE, "q".to_owned(), Duration::from_millis(7), Err(error))
    }

    #[tokio::test]
    async fn missing_permission_is_the_one_that_aws_names_else_the_one_of_the_access() {
        let attempt = Attempt::start("try", "here");
        for (message, expected) in [
            ("AccessDenied", "sqs:PurgeQueue"),
            (
                "AccessDenied: User: me is not authorized to perform: kms:decrypt on resource: k",
                "kms:Decrypt",
            ),
        ] {
            let check = tried(attempt.denied(message, None));
            assert_eq!(check.outcome, AccessOutcome::Denied);
            assert_eq!(check.missing_permission.as_deref(), Some(expected));
            let next_step = check.next_step.unwrap();
            assert!(next_step.contains(expected), "{next_step}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_tried_of_an_absent_part_is_absent() {
        let name = |name| AccessName {
            name,
            permissions: &[],
        };
        let listed = |outcome: Result<Option<String>, PipelineError>| {
            let elapsed = Duration::from_millis(7);
            let start = "start one when you mean it";
            let mut checks = vec![
                AccessCheck::not_tried(name("start"), "q".to_owned(), "only a start", start),
                AccessCheck::tried(name("list"), "q".to_owned(), elapsed, outcome),
                AccessCheck::not_tried(name("purge"), "q".to_owned(), "only a purge", "purge"),
            ];
            share_absence(&mut checks, "list", &["start", "cancel"]);
            checks
                .into_iter()
                .map(|check| (check.outcome, check.next_step))
        };
        let none = PipelineError::not_configured("list", "no tasks".to_owned(), "use redrive");
        let absent: Vec<_> = listed(Err(none)).collect();
        assert_eq!(
            absent[0],
            (AccessOutcome::Absent, Some("use redrive".to_owned()))
        );
        assert_eq!(absent[2].0, AccessOutcome::NotTried, "another part");
        let present: Vec<_> = listed(Ok(None)).collect();
        assert_eq!(present[0].0, AccessOutcome::NotTried);
    }

    #[tokio::test]
    async fn silence_and_other_refusals_are_no_denials() {
        let attempt = Attempt::start("try", "here");
        let limit = Duration::from_secs(1);
        let absent = PipelineError::not_configured("try", "no API".to_owned(), "add api_url");
        for (error, expected) in [
            (attempt.timed_out(limit), AccessOutcome::Unreachable),
            (attempt.refused("no such queue"), AccessOutcome::Failed),
            (absent, AccessOutcome::Absent),
        ] {
            let check = tried(error);
            assert_eq!(check.outcome, expected);
            assert_eq!(check.missing_permission, None);
            assert!(check.next_step.is_some() && check.detail.is_some());
        }
    }
}
