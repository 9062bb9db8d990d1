//! Where every message of a redrive stands, folded from the facts of its journal.
//!
//! Invariant: a message counts as deleted only after its copy was confirmed or found in the ledger;
//! a fact that contradicts this is refused, by the writer before it is written and by the reader.

use std::sync::Arc;

use event::{EventKey, RecordId};

use super::error::RedriveError;
use super::fact::{Ending, Fact, Intended, Proof};
use super::message::{body_sha256, key_of};
use super::plan::Plan;

/// How far a message has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was done with it.
    Waiting,
    /// It was about to be sent and nothing is known since: it may have been.
    Intended,
    /// SQS did not take it.
    Refused(String),
    /// It was not tried.
    NotTried(String),
    /// SQS gave no answer: it may have been sent.
    Unanswered(String),
    /// Its copy is in the source queue.
    Confirmed,
    /// The ledger knows its event.
    FoundStored(RecordId),
    /// Sent, and the delete failed.
    NotDeleted(String),
    /// Sent and deleted.
    Deleted,
}

impl Phase {
    /// Whether nobody knows if it was sent.
    pub(super) fn is_doubtful(&self) -> bool {
        matches!(self, Self::Intended | Self::Unanswered(_))
    }

    /// Whether it surely was not sent.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self, Self::Waiting | Self::Refused(_) | Self::NotTried(_))
    }

    /// Whether it may be deleted and was not.
    pub(super) fn is_deletable(&self) -> bool {
        matches!(
            self,
            Self::Confirmed | Self::FoundStored(_) | Self::NotDeleted(_)
        )
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageState {
    /// How far it has come.
    pub phase: Phase,
    /// SQS message id of its newest confirmed copy.
    pub sent_message_id: Option<String>,
    /// What became of its event.
    pub proof: Option<Proof>,
    /// Identity of what is sent; `None` before the first intent and for what is no valid event.
    pub key: Option<EventKey>,
    /// SHA-256 of what is sent; empty before the first intent.
    pub sent_sha256: String,
    /// The newest intent, until the message is settled: refused or deleted.
    pub unsettled: Option<Arc<Intended>>,
}

/// Messages by how they stand. Their sum is the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Nothing was done with these.
    pub waiting: usize,
    /// Being sent, or unknown since a process ended.
    pub intended: usize,
    /// Not sent: they stay where they were.
    pub not_sent: usize,
    /// SQS gave no answer: each may have been sent, and stays where it was too.
    pub unknown: usize,
    /// Sent, and still in the dead-letter queue too.
    pub sent_not_deleted: usize,
    /// Sent and deleted, or found stored and deleted.
    pub moved: usize,
    /// Of those sent, events that the ledger knows.
    pub stored: usize,
    /// Of those sent, events that died again.
    pub dead_again: usize,
}

impl Counts {
    /// Messages that have an outcome.
    #[must_use]
    pub fn done(&self) -> usize {
        self.not_sent + self.unknown + self.sent_not_deleted + self.moved
    }

    fn of(&mut self, phase: &Phase) -> &mut usize {
        match phase {
            Phase::Waiting => &mut self.waiting,
            Phase::Intended => &mut self.intended,
            Phase::Refused(_) | Phase::NotTried(_) => &mut self.not_sent,
            Phase::Unanswered(_) => &mut self.unknown,
            Phase::Confirmed | Phase::FoundStored(_) | Phase::NotDeleted(_) => {
                &mut self.sent_not_deleted
            }
            Phase::Deleted => &mut self.moved,
        }
    }

    fn of_proof(&mut self, proof: &Proof) -> &mut usize {
        match proof {
            Proof::Stored { .. } | Proof::AlreadyStored { .. } => &mut self.stored,
            Proof::DeadAgain { .. } => &mut self.dead_again,
        }
    }
}

/// A whole redrive.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    plan: Plan,
    messages: Vec<MessageState>,
    counts: Counts,
    ending: Option<Ending>,
}

impl State {
    /// Before the first fact.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let message = MessageState {
            phase: Phase::Waiting,
            sent_message_id: None,
            proof: None,
            key: None,
            sent_sha256: String::new(),
            unsettled: None,
        };
        Self {
            messages: vec![message; plan.entries.len()],
            counts: Counts {
                waiting: plan.entries.len(),
                ..Counts::default()
            },
            plan,
            ending: None,
        }
    }

    /// The frozen plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Every message, parallel to the plan.
    #[must_use]
    pub fn messages(&self) -> &[MessageState] {
        &self.messages
    }

    /// How many messages stand where.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How the redrive ended; `None` while it runs and after a crash.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Whether it came to its end with every message moved: nothing is left to send.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.ending == Some(Ending::Finished) && self.counts.moved == self.messages.len()
    }

    /// The places of the messages in a phase.
    pub(super) fn indexes(&self, wanted: impl Fn(&Phase) -> bool) -> Vec<usize> {
        self.messages
            .iter()
            .enumerate()
            .filter(|(_, message)| wanted(&message.phase))
            .map(|(index, _)| index)
            .collect()
    }

    /// Takes one fact.
    ///
    /// # Errors
    /// When it contradicts what is known; messages before the contradiction have taken it then.
    pub fn apply(&mut self, fact: &Fact) -> Result<(), RedriveError> {
        match fact {
            Fact::Planned { .. } => return Err(contradiction(0, "a second plan")),
            Fact::Intended { messages } => {
                self.ending = None;
                for message in messages {
                    self.intend(message)?;
                }
            }
            Fact::Confirmed { messages } => {
                for message in messages {
                    self.step(message.index, Phase::Confirmed, |phase| {
                        matches!(phase, Phase::Intended)
                    })?
                    .sent_message_id = Some(message.sent_message_id.clone());
                }
            }
            Fact::Refused { messages } => {
                for message in messages {
                    let phase = Phase::Refused(message.cause.clone());
                    self.step(message.index, phase, |phase| {
                        matches!(phase, Phase::Intended)
                    })?;
                }
            }
            Fact::Unanswered { messages } => {
                for message in messages {
                    let phase = Phase::Unanswered(message.cause.clone());
                    self.step(message.index, phase, |phase| {
                        matches!(phase, Phase::Intended)
                    })?;
                }
            }
            Fact::NotTried { messages } => {
                for message in messages {
                    let phase = Phase::NotTried(message.cause.clone());
                    self.step(message.index, phase, Phase::is_unsent)?;
                }
            }
            Fact::FoundStored { messages } => {
                for message in messages {
                    let phase = Phase::FoundStored(message.record_id);
                    self.step(message.index, phase, Phase::is_doubtful)?;
                }
            }
            Fact::Deleted { indexes } => {
                for index in indexes {
                    self.step(*index, Phase::Deleted, Phase::is_deletable)?;
                }
            }
            Fact::NotDeleted { messages } => {
                for message in messages {
                    let phase = Phase::NotDeleted(message.cause.clone());
                    self.step(message.index, phase, Phase::is_deletable)?;
                }
            }
            Fact::Proved { messages } => {
                for message in messages {
                    self.prove(message.index, &message.proof)?;
                }
            }
            Fact::Paused { .. } => {}
            Fact::Ended { how } => self.ending = Some(*how),
        }
        Ok(())
    }

    fn intend(&mut self, intended: &Intended) -> Result<(), RedriveError> {
        let index = intended.index;
        let original_body = &intended.original.body;
        let body = self
            .plan
            .entries
            .get(index)
            .map_or(original_body.as_str(), |entry| {
                entry.sent_body(original_body)
            });
        let (key, sha256) = (key_of(body), body_sha256(body));
        let message = self.step(index, Phase::Intended, |phase| {
            phase.is_unsent() || phase.is_doubtful()
        })?;
        message.key = key;
        message.sent_sha256 = sha256;
        message.unsettled = Some(Arc::new(intended.clone()));
        Ok(())
    }

    fn prove(&mut self, index: usize, proof: &Proof) -> Result<(), RedriveError> {
        let message = self
            .messages
            .get_mut(index)
            .ok_or_else(|| contradiction(index, "there is no such message in the plan"))?;
        if message.phase.is_unsent() {
            return Err(contradiction(index, "proved without having been sent"));
        }
        if let Some(before) = message.proof.replace(proof.clone()) {
            *self.counts.of_proof(&before) -= 1;
        }
        *self.counts.of_proof(proof) += 1;
        Ok(())
    }

    fn step(
        &mut self,
        index: usize,
        to: Phase,
        is_legal: impl Fn(&Phase) -> bool,
    ) -> Result<&mut MessageState, RedriveError> {
        let message = self
            .messages
            .get_mut(index)
            .ok_or_else(|| contradiction(index, "there is no such message in the plan"))?;
        if !is_legal(&message.phase) {
            let detail = format!("{to:?} cannot follow {:?}", message.phase);
            return Err(contradiction(index, &detail));
        }
        *self.counts.of(&message.phase) -= 1;
        *self.counts.of(&to) += 1;
        if matches!(to, Phase::Refused(_) | Phase::Deleted) {
            message.unsettled = None;
        }
        message.phase = to;
        Ok(message)
    }
}

fn contradiction(index: usize, detail: &str) -> RedriveError {
    RedriveError::Contradiction {
        index,
        detail: detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Because, Confirmed};
    use crate::message::Original;
    use crate::plan;

    fn intended(index: usize) -> Fact {
        Fact::Intended {
            messages: vec![Intended {
                index,
                receipt_handle: "h".to_owned(),
                original: Original {
                    body: format!("body {index}"),
                    attributes: std::collections::BTreeMap::new(),
                    group_id: None,
                    trace_header: None,
                },
            }],
        }
    }

    fn deleted(index: usize) -> Fact {
        Fact::Deleted {
            indexes: vec![index],
        }
    }

    fn because(index: usize) -> Vec<Because> {
        vec![Because {
            index,
            cause: "because".to_owned(),
        }]
    }

    #[test]
    fn nothing_is_deleted_that_was_not_confirmed() {
        let unconfirmed: [&[Fact]; 5] = [
            &[],
            &[intended(0)],
            &[
                intended(0),
                Fact::Refused {
                    messages: because(0),
                },
            ],
            &[
                intended(0),
                Fact::Unanswered {
                    messages: because(0),
                },
            ],
            &[Fact::NotTried {
                messages: because(0),
            }],
        ];
        for facts in unconfirmed {
            let mut state = State::new(plan::tests::plan(1));
            for fact in facts {
                state.apply(fact).unwrap();
            }
            let error = state.apply(&deleted(0)).unwrap_err();
            assert!(matches!(
                error,
                RedriveError::Contradiction { index: 0, .. }
            ));
        }
    }

    #[test]
    fn counts_follow_the_messages() {
        let mut state = State::new(plan::tests::plan(2));
        let confirmed = Fact::Confirmed {
            messages: vec![Confirmed {
                index: 1,
                sent_message_id: "s".to_owned(),
            }],
        };
        assert!(state.apply(&confirmed).is_err());
        state.apply(&intended(1)).unwrap();
        state.apply(&confirmed).unwrap();
        assert_eq!(state.counts().sent_not_deleted, 1);
        state.apply(&deleted(1)).unwrap();
        let counts = state.counts();
        assert_eq!((counts.waiting, counts.moved, counts.done()), (1, 1, 1));
        let ended = Fact::Ended {
            how: Ending::Finished,
        };
        state.apply(&ended).unwrap();
        assert!(!state.is_complete(), "one message is left");
        assert!(state.apply(&deleted(7)).is_err());
    }
}
