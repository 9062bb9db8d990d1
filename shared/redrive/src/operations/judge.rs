//! What would happen to a new body if it were sent now.
//!
//! Invariant: the verdict is the ingest's own validator's, and the ledger is asked once for all
//! bodies. Where it does not answer, `ready` may be `already-stored`, and the answer says so.

use event::{Assessment, EventKey, Failure, NamedRecord, PartialIdentity, Verdict, peek_identity};

use crate::identity::{Claim, Claims, SentEvent};
use crate::ledger;
use pipeline::{Body, BodyError, Pipeline, PipelineError, Replacing};

/// A message with another body, before it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBody {
    /// SQS message id.
    pub message_id: String,
    /// The body in the queue.
    pub old_body: Body,
    /// The body that is sent instead.
    pub new_body: Body,
    /// What the attributes of the message name, if it replaces a record.
    pub named: Option<NamedRecord>,
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
    /// Why the ingest would refuse the new body.
    pub failure: Option<Failure>,
    /// What it names, if it replaces a record.
    pub replaces: Option<NamedRecord>,
    /// The identity in the new body.
    pub identity: PartialIdentity,
    /// Whether source or id were there before and are others now: a new event for the ledger.
    pub has_other_identity: bool,
    /// Whether the ledger was asked; if not, `ready` may be `already-stored`.
    pub is_ledger_checked: bool,
    /// SQS message id of the first of these messages that gets the same identity and another event:
    /// only that one would be stored.
    pub same_identity_as: Option<String>,
}

impl Edited {
    /// Whether the ingest would store it, if it were sent with the others.
    #[must_use]
    pub fn would_be_stored(&self) -> bool {
        self.verdict == Verdict::Ready && self.same_identity_as.is_none()
    }
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
    event: Option<SentEvent>,
}

impl Assessed {
    fn of(body: NewBody) -> Result<Self, BodyError> {
        let text = body.new_body.text()?;
        let old_text = body.old_body.text()?;
        let identity = peek_identity(&text);
        Ok(Self {
            assessment: event::assess(&text),
            event: SentEvent::of(&old_text, &text, body.named),
            has_other_identity: is_other(&peek_identity(&old_text), &identity),
            identity,
            body,
        })
    }

    fn replacing(&self) -> Option<&Replacing> {
        self.event.as_ref()?.replacing.as_ref()
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
    let is_ordinary = |one: &&Assessed| one.replacing().is_none();
    let ordinary = assessed.iter().filter(is_ordinary);
    let keys: Vec<EventKey> = ordinary
        .filter_map(|assessed| assessed.assessment.key().cloned())
        .collect();
    let answer = ledger::look_up(pipeline, &keys).await;
    let replacing: Vec<EventKey> = assessed
        .iter()
        .filter_map(|one| Some(one.replacing()?.key.clone()))
        .collect();
    let texts = ledger::look_up_texts(pipeline, &replacing).await;
    let holders = holders(&assessed);
    let text_error = texts.as_ref().is_some_and(|texts| texts.error.is_some());
    let is_ledger_checked = pipeline.has_ledger() && answer.error.is_none() && !text_error;
    let edited = assessed.into_iter().zip(holders).map(|(assessed, holder)| {
        let replacing = assessed.replacing();
        let replaces = replacing.map(|one| one.named);
        let (verdict, failure) = match replacing {
            Some(replacing) => replacing.judge(texts.as_ref()),
            None => answer.judge(assessed.assessment),
        };
        Edited {
            replaces,
            has_other_identity: assessed.has_other_identity,
            verdict,
            failure,
            identity: assessed.identity,
            is_ledger_checked,
            same_identity_as: holder,
            message_id: assessed.body.message_id,
            old_body: assessed.body.old_body,
            new_body: assessed.body.new_body,
        }
    });
    Ok(Judged {
        edited: edited.collect(),
        ledger_error: answer.error.or(texts.and_then(|texts| texts.error)),
    })
}

/// For each body the message that has its identity before, with another event.
fn holders(assessed: &[Assessed]) -> Vec<Option<String>> {
    let mut claims = Claims::default();
    let mut holder =
        |(index, one): (usize, &Assessed)| match claims.claim(index, one.event.as_ref()?) {
            Claim::Taken(holder) => Some(assessed.get(holder)?.body.message_id.clone()),
            Claim::Own | Claim::Copy(_) => None,
        };
    assessed.iter().enumerate().map(&mut holder).collect()
}

fn is_other(before: &PartialIdentity, after: &PartialIdentity) -> bool {
    let is_changed = |before: &Option<String>, after| before.is_some() && before != after;
    is_changed(&before.source, &after.source) || is_changed(&before.id, &after.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::body;
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
            named: None,
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

    #[tokio::test]
    async fn only_the_first_of_several_events_with_one_identity_would_be_stored() {
        let pipeline = Pipeline::connect(&Environment {
            database_url: None,
            api_url: None,
            ..Environment::example()
        });
        let bodies = [("a", 0), ("b", 1), ("a", 0), ("a", 2)].into_iter();
        let bodies = bodies.enumerate().map(|(number, (id, tag))| NewBody {
            message_id: format!("m{number}"),
            old_body: "{}".into(),
            new_body: body(id, tag).into(),
            named: None,
        });
        let judged = judge(&pipeline.unwrap(), bodies.collect()).await.unwrap();
        let stored = judged.edited.iter().map(Edited::would_be_stored);
        assert_eq!(stored.collect::<Vec<_>>(), [true, true, true, false]);
        assert_eq!(judged.edited[3].same_identity_as.as_deref(), Some("m0"));
    }
}
