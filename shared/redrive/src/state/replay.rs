//! A whole redrive, replayed from the facts of its journal.
//!
//! Invariant: a message counts as deleted only after its copy was confirmed or found in the ledger;
//! a fact that contradicts this is refused, by the writer before it is written and by the reader.

use std::ops::Range;
use std::sync::Arc;

use super::counts::Counts;
use super::fact::{Ending, Fact, Intended, MessageCause, Proof};
use super::phase::{MessageState, Phase};
use crate::error::RedriveError;
use crate::message::{body_sha256, key_of};
use crate::plan::Plan;

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
        Self {
            messages: vec![MessageState::default(); plan.entries.len()],
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

    /// Whether it finished with every message moved: nothing is left to send.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.ending == Some(Ending::Finished) && self.counts.moved == self.messages.len()
    }

    /// The places of the messages in a phase.
    pub(crate) fn in_phase(&self, is_wanted: impl Fn(&Phase) -> bool) -> Vec<usize> {
        self.indexes(0..self.messages.len(), |_, message| {
            is_wanted(&message.phase)
        })
    }

    /// The places of the messages of a range that are wanted.
    pub(crate) fn indexes(
        &self,
        range: Range<usize>,
        is_wanted: impl Fn(usize, &MessageState) -> bool,
    ) -> Vec<usize> {
        let messages = self.messages.get(range.clone()).unwrap_or_default();
        range
            .zip(messages)
            .filter(|(index, message)| is_wanted(*index, message))
            .map(|(index, _)| index)
            .collect()
    }

    /// The newest intents of messages that are not settled, for the process that resumes.
    pub(crate) fn unsettled(&self) -> Vec<Arc<Intended>> {
        let unsettled = self
            .messages
            .iter()
            .map(|message| message.unsettled.clone());
        unsettled.flatten().collect()
    }

    /// Applies one fact.
    ///
    /// # Errors
    /// When it contradicts what is known; it was applied to the messages before the contradiction.
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
                    self.step(message.index, Phase::Confirmed, Phase::is_intended)?
                        .sent_message_id = Some(message.sent_message_id.clone());
                }
            }
            Fact::Refused { messages } => {
                self.step_all(messages, Phase::Refused, Phase::is_intended)?;
            }
            Fact::Unanswered { messages } => {
                self.step_all(messages, Phase::Unanswered, Phase::is_intended)?;
            }
            Fact::NotTried { messages } => {
                self.step_all(messages, Phase::NotTried, Phase::is_unsent)?;
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
                self.step_all(messages, Phase::NotDeleted, Phase::is_deletable)?;
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

    fn step_all(
        &mut self,
        messages: &[MessageCause],
        to: fn(String) -> Phase,
        is_legal: fn(&Phase) -> bool,
    ) -> Result<(), RedriveError> {
        for message in messages {
            self.step(message.index, to(message.cause.clone()), is_legal)?;
        }
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
    use crate::message::Original;
    use crate::plan;
    use crate::state::fact::Confirmed;

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

    fn causes(index: usize) -> Vec<MessageCause> {
        vec![MessageCause {
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
                    messages: causes(0),
                },
            ],
            &[
                intended(0),
                Fact::Unanswered {
                    messages: causes(0),
                },
            ],
            &[Fact::NotTried {
                messages: causes(0),
            }],
        ];
        for facts in unconfirmed {
            let mut state = State::new(plan::example(1));
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
        let mut state = State::new(plan::example(2));
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
