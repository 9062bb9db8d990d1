//! Permits for changes of the pipeline.
//!
//! Invariant: a [`WritePermit`] exists only if the environment allows the change and the audit log has it on
//! disk. Every function that changes the pipeline needs one.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use serde_json::Value;
use uuid::Uuid;

use super::authority::Authority;
use super::connection::Pipeline;
use super::error::PipelineError;
use crate::audit::{AuditError, AuditLog, Change, Ending, Operation};

/// Time limit of asking STS for the caller.
const IDENTITY_LIMIT: Duration = Duration::from_secs(2);

/// A change that is about to begin.
#[derive(Clone, Debug)]
pub struct PlannedChange {
    /// Kind of the change.
    pub operation: Operation,
    /// Name of the queue or topic.
    pub target: String,
    /// Number of messages that will be changed.
    pub planned: usize,
    /// More details; never a secret.
    pub details: Value,
}

/// Proof that the environment allows a change and that the audit log has it. Only
/// [`Pipeline::begin_change`] creates one.
#[derive(Debug)]
#[must_use = "a change without an end looks interrupted in the audit log"]
pub struct WritePermit {
    record: Option<(AuditLog, Uuid)>,
}

impl Pipeline {
    /// The same pipeline with an authority for changes.
    #[must_use]
    pub fn with_authority(&self, authority: Authority) -> Self {
        let mut pipeline = self.clone();
        pipeline.authority = authority.into();
        pipeline
    }

    /// The operator's reason for changes, which the audit log gets.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.authority.reason.as_deref()
    }

    /// Checks that this environment may be changed. Call it before the work that a refusal would make
    /// useless. `operation` is for the error.
    ///
    /// # Errors
    /// When the environment is read-only, or when it is production and the name or the reason is missing.
    pub fn check_write(&self, operation: &str) -> Result<(), PipelineError> {
        match self.authority.refusal(self.environment()) {
            None => Ok(()),
            Some(refusal) => Err(PipelineError::not_permitted(
                operation,
                refusal.cause,
                refusal.hint,
            )),
        }
    }

    /// Checks that this environment may be changed, and records the change in the audit log.
    ///
    /// # Errors
    /// As [`Self::check_write`], and when the audit log cannot be written. Then nothing was changed.
    pub async fn begin_change(&self, change: PlannedChange) -> Result<WritePermit, PipelineError> {
        let operation = format!("{} {:?}", change.operation.as_str(), change.target);
        self.check_write(&operation)?;
        let Some(log) = self.authority.log.clone() else {
            return Ok(WritePermit { record: None });
        };
        let environment = self.environment();
        let change = Change {
            operation: change.operation,
            environment: environment.name.clone(),
            is_production: environment.is_production,
            target: change.target,
            caller: self.caller().await,
            user: std::env::var("USER").ok().filter(|name| !name.is_empty()),
            reason: self.authority.reason.clone(),
            planned: change.planned as u64,
            details: change.details,
        };
        let writer = log.clone();
        let begun = tokio::task::spawn_blocking(move || writer.begin(change, Utc::now())).await;
        let not_recorded = |cause: String| {
            PipelineError::not_permitted(
                &operation,
                cause,
                "nothing was changed; make the audit log writable and try again".to_owned(),
            )
        };
        match begun {
            Ok(Ok(id)) => Ok(WritePermit {
                record: Some((log, id)),
            }),
            Ok(Err(error)) => Err(not_recorded(error.to_string())),
            Err(error) => Err(not_recorded(error.to_string())),
        }
    }

    /// ARN of the caller. An emulator has none, and an STS that does not respond must not prevent a change.
    async fn caller(&self) -> Option<String> {
        if self.environment().is_loopback() {
            return None;
        }
        let request = async { self.aws().await.sts.get_caller_identity().send().await };
        match tokio::time::timeout(IDENTITY_LIMIT, request).await {
            Ok(Ok(identity)) => identity.arn,
            Ok(Err(error)) => {
                tracing::debug!(%error, "the caller is unknown");
                None
            }
            Err(_) => None,
        }
    }
}

impl WritePermit {
    /// Records how the change ended: number of messages by outcome, and the error if it failed.
    ///
    /// # Errors
    /// When the audit log cannot be written. The change itself was made.
    pub async fn end(
        self,
        counts: impl IntoIterator<Item = (&'static str, usize)>,
        error: Option<String>,
    ) -> Result<(), AuditError> {
        let Some((log, id)) = self.record else {
            return Ok(());
        };
        let counts: BTreeMap<String, u64> = counts
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count as u64))
            .collect();
        let ending = Ending { counts, error };
        match tokio::task::spawn_blocking(move || log.end(id, ending, Utc::now())).await {
            Ok(ended) => ended,
            Err(error) => {
                tracing::warn!(%error, "the end of a change is not in the audit log");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    fn pipeline(is_production: bool, read_only: bool) -> Pipeline {
        let environment = Environment {
            is_production,
            read_only,
            ..Environment::example()
        };
        Pipeline::connect(&environment).unwrap()
    }

    fn authority(confirmation: &str, reason: &str) -> Authority {
        Authority {
            confirmation: Some(confirmation.to_owned()),
            reason: Some(reason.to_owned()),
            log: None,
        }
    }

    fn change() -> PlannedChange {
        PlannedChange {
            operation: Operation::Publish,
            target: "events".to_owned(),
            planned: 2,
            details: Value::Null,
        }
    }

    #[test]
    fn read_only_environment_refuses_even_when_confirmed() {
        let error = pipeline(false, true)
            .with_authority(authority("example", "why"))
            .check_write("publish")
            .unwrap_err();
        assert!(error.to_string().contains("read-only"), "{error}");
    }

    #[test]
    fn production_wants_its_own_name_and_a_reason() {
        let production = pipeline(true, false);
        let check = |authority| production.with_authority(authority).check_write("publish");
        let refused = check(Authority::default()).unwrap_err();
        assert_eq!(
            refused.hint(),
            "confirm it by name, with the reason: --confirm example --reason TEXT"
        );
        assert!(check(authority("other", "why")).is_err());
        assert!(check(authority("example", "")).is_err());
        assert!(check(authority("example", "why")).is_ok());
        assert!(pipeline(false, false).check_write("publish").is_ok());
    }

    #[tokio::test]
    async fn change_is_on_record_before_it_is_permitted() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        let pipeline = pipeline(false, false).with_authority(Authority {
            log: Some(log.clone()),
            ..authority("", "a test")
        });
        let permit = pipeline.begin_change(change()).await.unwrap();
        let begun = log.read().unwrap().entries.remove(0);
        assert_eq!(begun.change.reason.as_deref(), Some("a test"));
        assert_eq!((begun.change.planned, begun.ended_at), (2, None));
        permit
            .end([("published", 1), ("failed", 1)], Some("half".to_owned()))
            .await
            .unwrap();
        let ending = log.read().unwrap().entries.remove(0).ending.unwrap();
        assert_eq!(ending.counts["published"], 1);
        assert_eq!(ending.error.as_deref(), Some("half"));
    }

    #[tokio::test]
    async fn what_cannot_be_recorded_is_not_done() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let pipeline = pipeline(false, false).with_authority(Authority {
            log: Some(AuditLog::in_folder(&file)),
            ..Authority::default()
        });
        let error = pipeline.begin_change(change()).await.unwrap_err();
        assert!(error.to_string().contains("audit log"), "{error}");
    }
}
