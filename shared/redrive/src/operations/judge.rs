//! What would happen to a new body if it were sent now.
//!
//! Invariant: the verdict is the ingest's own validator's, and the ledger is asked once for all
//! bodies. Where it does not answer, `ready` may be `already-stored`, and the answer says so.

use event::{Assessment, EventKey, Failure, PartialIdentity, Verdict, peek_identity};

use crate::ledger;
use pipeline::{Body, BodyError, Pipeline, PipelineError};

/// A message with another body, before it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBody {
    /// SQS message id.
    pub message_id: String,
    /// The body in the queue.
    pub old_body: Body,
    /// The body that is sent instead.
    pub new_body: Body,
}

/// A message with another body, and what would happen to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// SQS message id.
    pub message_id: String,
    /// The body in the queue.
    pub old_body: Body,
    /// The body that is sent instead.
    pub new_body: Body,
    /// Verdict of the new body.
    pub verdict: Verdict,
    /// Why the validator refuses the new body.
    pub failure: Option<Failure>,
    /// The identity in the new body.
    pub identity: PartialIdentity,
    /// Whether source or id were there before and are others now: a new event for the ledger.
    pub has_other_identity: bool,
    /// Whether the ledger was asked; if not, `ready` may be `already-stored`.
    pub is_ledger_checked: bool,
}

/// Why bodies are not judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// A body is in the spool and cannot be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A defect of this program.
    #[error("the task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Judged bodies.
#[derive(Debug)]
pub struct Judged {
    /// In the order of the bodies.
    pub edited: Vec<Edited>,
    /// Why the ledger could not be asked about all of them, if so.
    pub ledger_error: Option<PipelineError>,
}

/// A body after its assessment.
struct Assessed {
    body: NewBody,
    assessment: Assessment,
    identity: PartialIdentity,
    has_other_identity: bool,
}

impl Assessed {
    fn of(body: NewBody) -> Result<Self, BodyError> {
        let text = body.new_body.text()?;
        let identity = peek_identity(&text);
        Ok(Self {
            assessment: event::assess(&text),
            has_other_identity: is_other(&peek_identity(&body.old_body.text()?), &identity),
            identity,
            body,
        })
    }
}

/// Judges bodies that would be sent instead of those in the queue. One is read at a time.
///
/// # Errors
/// When a body is in the spool and cannot be read.
pub async fn judge(pipeline: &Pipeline, bodies: Vec<NewBody>) -> Result<Judged, JudgeError> {
    let assessing = move || bodies.into_iter().map(Assessed::of).collect();
    let assessed: Result<Vec<Assessed>, BodyError> = tokio::task::spawn_blocking(assessing).await?;
    let assessed = assessed?;
    let keys: Vec<EventKey> = assessed
        .iter()
        .filter_map(|assessed| match &assessed.assessment {
            Assessment::Valid(key) => Some(key.clone()),
            Assessment::Invalid(_) => None,
        })
        .collect();
    let answer = ledger::look_up(pipeline, &keys).await;
    let is_ledger_checked = pipeline.has_ledger() && answer.error.is_none();
    let edited = assessed.into_iter().map(|assessed| {
        let assessment = assessed.assessment;
        let is_stored = |key: &EventKey| answer.stored.contains_key(key);
        let verdict =
            assessment.verdict(matches!(&assessment, Assessment::Valid(key) if is_stored(key)));
        Edited {
            has_other_identity: assessed.has_other_identity,
            verdict,
            failure: match assessment {
                Assessment::Valid(_) => None,
                Assessment::Invalid(failure) => Some(failure),
            },
            identity: assessed.identity,
            is_ledger_checked,
            message_id: assessed.body.message_id,
            old_body: assessed.body.old_body,
            new_body: assessed.body.new_body,
        }
    });
    Ok(Judged {
        edited: edited.collect(),
        ledger_error: answer.error,
    })
}

fn is_other(before: &PartialIdentity, after: &PartialIdentity) -> bool {
    let is_changed = |before: &Option<String>, after| before.is_some() && before != after;
    is_changed(&before.source, &after.source) || is_changed(&before.id, &after.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::BodySpool;
    use pipeline::environment::Environment;

    #[tokio::test]
    async fn new_body_is_judged_like_the_ingest_does_and_says_when_the_ledger_was_not_asked() {
        let environment = Environment {
            api_url: None,
            ..Environment::example()
        };
        let pipeline = Pipeline::connect(&environment).unwrap();
        let event = r#"{"specversion":"1.0","id":"a","source":"/s","type":"t"}"#;
        let with_time = event.replace('}', r#","time":"2026-01-01T00:00:00Z"}"#);
        let bodies = [
            with_time.replace("\"a\"", "\"b\""),
            with_time,
            event.to_owned(),
        ];
        let bodies = bodies.map(|new_body| NewBody {
            message_id: "m".to_owned(),
            old_body: event.into(),
            new_body: BodySpool::create().unwrap().write(&new_body).unwrap(),
        });
        let judged = judge(&pipeline, bodies.into()).await.unwrap().edited;
        let verdicts: Vec<_> = judged
            .iter()
            .map(|edited| {
                (
                    edited.verdict,
                    edited.has_other_identity,
                    edited.is_ledger_checked,
                )
            })
            .collect();
        assert_eq!(
            verdicts,
            [
                (Verdict::Ready, true, false),
                (Verdict::Ready, false, false),
                (Verdict::StillInvalid, false, false),
            ]
        );
        assert!(judged[2].failure.is_some());
    }
}
