//! A whole redrive, replayed from the facts of its journal.
//!
//! Invariant: a message counts as deleted only after its copy was confirmed or found in the ledger;
//! a fact that contradicts this is refused, by the writer before it is written and by the reader.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use event::EventKey;

use super::counts::Counts;
use super::fact::{Ending, Fact, Intended, LookedUp, MessageCause, Proof, Received};
use super::phase::{MessageState, Phase};
use crate::error::RedriveError;
use crate::identity::SentEvent;
use crate::message::body_sha256;
use crate::plan::{Kind, Plan};

const NOT_PLANNED: &str = "there is no such message in the plan";

/// A whole redrive.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    plan: Arc<Plan>,
    messages: Vec<MessageState>,
    counts: Counts,
    ending: Option<Ending>,
    /// Whether every receive is on record, so that no other message is hidden by an earlier process.
    has_receives: bool,
}

impl State {
    /// Before the first fact.
    #[must_use]
    pub fn new(plan: impl Into<Arc<Plan>>) -> Self {
        let plan = plan.into();
        Self {
            messages: vec![MessageState::default(); plan.entries.len()],
            counts: Counts {
                waiting: plan.entries.len(),
                ..Counts::default()
            },
            plan,
            ending: None,
            has_receives: true,
        }
    }

    /// The same for a journal of schema version 1, which has no receives.
    pub(crate) fn without_receives(mut self) -> Self {
        self.has_receives = false;
        self
    }

    /// The frozen plan.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Whether every receive is on record.
    pub(crate) fn has_receives(&self) -> bool {
        self.has_receives
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

    /// Whether it finished and a resume could not move more.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.ending == Some(Ending::Finished) && self.counts.left() == 0
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

    /// Messages that were sent, or may have been, and whose event has the identity of another one of
    /// them and differs. The ledger has at most one of their events, and nobody knows which. A plan of
    /// an earlier version may have such messages; this version does not send them. Messages that
    /// were stored already when they were planned are duplicates, and meant to be.
    pub(crate) fn contested(&self) -> HashSet<usize> {
        let mut first: HashMap<&EventKey, &SentEvent> = HashMap::new();
        let mut keys = HashSet::new();
        for (_, event) in self.carriers() {
            let its = *first.entry(&event.key).or_insert(event);
            if !event.is_copy_of(its) {
                keys.insert(&event.key);
            }
        }
        self.carriers()
            .filter(|(_, event)| keys.contains(&event.key))
            .map(|(index, _)| index)
            .collect()
    }

    /// Messages that were sent, or may have been, with events that were to be stored.
    pub(crate) fn carriers(&self) -> impl Iterator<Item = (usize, &SentEvent)> {
        let messages = self.messages.iter().zip(&self.plan.entries).enumerate();
        messages.filter_map(|(index, (message, entry))| {
            let is_carrier = !message.phase.is_unsent() && entry.is_to_be_stored();
            Some((index, message.event.as_ref().filter(|_| is_carrier)?))
        })
    }

    /// Which message a record proves, by the identity of its event: the one that is proved by it
    /// already, else the first one. The others are duplicates of that message.
    pub(crate) fn holders(&self) -> HashMap<&EventKey, usize> {
        let mut holders = HashMap::new();
        for (index, event) in self.carriers() {
            let message = self.messages.get(index);
            let is_proved =
                message.is_some_and(|message| matches!(message.proof, Some(Proof::Stored { .. })));
            if is_proved {
                holders.insert(&event.key, index);
            } else if message.is_some_and(|message| message.phase.is_sent()) {
                holders.entry(&event.key).or_insert(index);
            }
        }
        holders
    }

    /// The newest intents of messages that are not settled, for the process that resumes.
    pub(crate) fn unsettled(&self) -> Vec<Arc<Intended>> {
        let unsettled = self
            .messages
            .iter()
            .map(|message| message.unsettled.clone());
        unsettled.flatten().collect()
    }

    /// Handles by which an earlier process may still hide messages that it did not begin to send,
    /// by the places of the messages.
    pub(crate) fn hidden(&self) -> Vec<(usize, String)> {
        let messages = self.messages.iter().enumerate();
        messages
            .filter(|(_, message)| message.unsettled.is_none())
            .filter_map(|(index, message)| Some((index, message.receipt_handle.clone()?)))
            .collect()
    }

    /// Applies one fact.
    ///
    /// # Errors
    /// When it contradicts what is known; it was applied to the messages before the contradiction.
    pub fn apply(&mut self, fact: &Fact) -> Result<(), RedriveError> {
        match fact {
            Fact::Planned { .. } => return Err(contradiction(0, "a second plan")),
            Fact::Received { messages } => {
                self.ending = None;
                for message in messages {
                    self.receive(message)?;
                }
            }
            Fact::Intended { messages } => {
                self.ending = None;
                for message in messages {
                    self.intend(message)?;
                }
            }
            Fact::Confirmed { messages } => {
                for message in messages {
                    let phase = self.after_send(Phase::Confirmed);
                    self.step(message.index, phase, Phase::is_intended)?
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
                for message in messages {
                    let cause = message.cause.clone();
                    let phase = if message.is_final {
                        Phase::Unsendable(cause)
                    } else {
                        Phase::NotTried(cause)
                    };
                    self.step(message.index, phase, Phase::is_unsent)?;
                }
            }
            Fact::FoundStored { messages } => {
                for message in messages {
                    let phase = self.after_send(Phase::FoundStored(message.record_id));
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
            Fact::Ended {
                how,
                looked_up,
                unreleased,
            } => self.end(*how, *looked_up, unreleased),
        }
        Ok(())
    }

    /// The phase of a message that was sent: a redrive has yet to delete it.
    fn after_send(&self, phase: Phase) -> Phase {
        match self.plan.kind() {
            Kind::Redrive => phase,
            Kind::Replay => Phase::Published,
        }
    }

    fn receive(&mut self, received: &Received) -> Result<(), RedriveError> {
        let index = received.index;
        let message = self
            .messages
            .get_mut(index)
            .ok_or_else(|| contradiction(index, NOT_PLANNED))?;
        let handle = Some(received.receipt_handle.clone());
        message.receipt_handle.clone_from(&handle);
        if let Some(intended) = &mut message.unsettled {
            Arc::make_mut(intended).receipt_handle = handle;
        }
        Ok(())
    }

    fn end(&mut self, how: Ending, looked_up: Option<LookedUp>, unreleased: &[usize]) {
        self.ending = Some(how);
        let before = self.counts.looked_up;
        self.counts.looked_up = before.and(match looked_up {
            Some(looked_up) => looked_up,
            // Version 1 has no such field; where it asked the ledger, it looked at both.
            None if before.has_ledger() => LookedUp::DeadLetters,
            None => LookedUp::Nothing,
        });
        let unreleased: HashSet<&usize> = unreleased.iter().collect();
        for (index, message) in self.messages.iter_mut().enumerate() {
            if !unreleased.contains(&index) {
                message.receipt_handle = None;
            }
        }
    }

    fn intend(&mut self, intended: &Intended) -> Result<(), RedriveError> {
        let index = intended.index;
        let original = &intended.original;
        let entry = self.plan.entries.get(index);
        let body = entry.map_or(original.body.as_str(), |entry| {
            entry.sent_body(&original.body)
        });
        let event = SentEvent::of(&original.body, body, original.named_record());
        let sha256 = body_sha256(body);
        let message = self.step(index, Phase::Intended, |phase| {
            phase.is_unsent() || phase.is_doubtful()
        })?;
        message.receipt_handle.clone_from(&intended.receipt_handle);
        message.event = event;
        message.sent_sha256 = sha256;
        message.unsettled = Some(Arc::new(intended.clone()));
        // What was looked up before says nothing about this one.
        self.counts.looked_up = LookedUp::Nothing;
        Ok(())
    }

    fn prove(&mut self, index: usize, proof: &Proof) -> Result<(), RedriveError> {
        let message = self
            .messages
            .get_mut(index)
            .ok_or_else(|| contradiction(index, NOT_PLANNED))?;
        if message.phase.is_unsent() {
            return Err(contradiction(index, "proved without having been sent"));
        }
        if let Some(before) = message.proof.replace(proof.clone()) {
            *self.counts.of_proof(&before) -= 1;
            self.counts.duplicates -= usize::from(before.is_duplicate());
        }
        *self.counts.of_proof(proof) += 1;
        self.counts.duplicates += usize::from(proof.is_duplicate());
        let looked_up = match proof {
            Proof::Stored { .. } | Proof::AlreadyStored { .. } => LookedUp::LedgerOnly,
            Proof::DeadAgain { .. } => LookedUp::DeadLetters,
        };
        self.counts.looked_up = self.counts.looked_up.and(looked_up);
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
            .ok_or_else(|| contradiction(index, NOT_PLANNED))?;
        if !is_legal(&message.phase) {
            let detail = format!("{to:?} cannot follow {:?}", message.phase);
            return Err(contradiction(index, &detail));
        }
        *self.counts.of(&message.phase) -= 1;
        *self.counts.of(&to) += 1;
        self.counts.unsendable -= usize::from(matches!(message.phase, Phase::Unsendable(_)));
        self.counts.unsendable += usize::from(matches!(to, Phase::Unsendable(_)));
        if matches!(to, Phase::Refused(_) | Phase::Deleted | Phase::Published) {
            message.unsettled = None;
        }
        if to == Phase::Deleted {
            message.receipt_handle = None;
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
    use crate::state::fact::{Confirmed, Proved, Stored};

    fn intended(index: usize) -> Fact {
        Fact::Intended {
            messages: vec![Intended {
                index,
                receipt_handle: Some("h".to_owned()),
                original: Original {
                    body: format!("body {index}"),
                    attributes: std::collections::BTreeMap::new(),
                    group_id: None,
                    trace_header: None,
                },
            }],
        }
    }

    #[test]
    fn message_of_a_replay_is_done_when_it_is_sent_and_has_nothing_to_delete() {
        let mut state = State::new(plan::example_replay(3));
        for index in 0..3 {
            state.apply(&intended(index)).unwrap();
        }
        let confirmed = Confirmed {
            index: 0,
            sent_message_id: "s".to_owned(),
        };
        let messages = vec![confirmed];
        state.apply(&Fact::Confirmed { messages }).unwrap();
        let found = Stored {
            index: 1,
            record_id: event::RecordId(7),
        };
        let messages = vec![found];
        state.apply(&Fact::FoundStored { messages }).unwrap();
        let counts = state.counts();
        assert_eq!((counts.moved, counts.sent_not_deleted), (2, 0));
        assert_eq!((counts.intended, counts.left()), (1, 1));
        assert_eq!(
            state.unsettled().len(),
            1,
            "bodies that were sent are let go"
        );
        for index in 0..2 {
            let error = state.apply(&deleted(index)).unwrap_err().to_string();
            assert!(error.contains("cannot follow Published"), "{error}");
        }
    }

    fn deleted(index: usize) -> Fact {
        Fact::Deleted {
            indexes: vec![index],
        }
    }

    fn causes(index: usize) -> Vec<MessageCause> {
        vec![MessageCause::passing(index, "because")]
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
            looked_up: None,
            unreleased: Vec::new(),
        };
        state.apply(&ended).unwrap();
        assert!(!state.is_complete(), "one message is left");
        let gone = Fact::NotTried {
            messages: vec![MessageCause::lasting(0, "gone")],
        };
        state.apply(&gone).unwrap();
        let counts = state.counts();
        assert_eq!(
            (counts.not_sent, counts.unsendable, counts.left()),
            (1, 1, 0)
        );
        assert!(state.is_complete(), "nothing is left to resume");
        assert!(state.apply(&deleted(7)).is_err());
    }

    #[test]
    fn what_failed_again_is_unknown_until_the_dead_letters_were_looked_at() {
        let dead_again = |looked_up| {
            let mut state = State::new(plan::example(2));
            let record_id = event::RecordId(1);
            let confirmed = [0, 1].map(|index| Confirmed {
                index,
                sent_message_id: "s".to_owned(),
            });
            let proved = vec![Proved {
                index: 0,
                proof: Proof::Stored { record_id },
            }];
            let facts = [
                intended(0),
                intended(1),
                Fact::Confirmed {
                    messages: confirmed.to_vec(),
                },
                Fact::Proved { messages: proved },
                Fact::Ended {
                    how: Ending::Finished,
                    looked_up,
                    unreleased: Vec::new(),
                },
            ];
            facts.iter().for_each(|fact| state.apply(fact).unwrap());
            (state.counts().stored(), state.counts().dead_again())
        };
        assert_eq!(dead_again(Some(LookedUp::LedgerOnly)), (Some(1), None));
        assert_eq!(dead_again(Some(LookedUp::DeadLetters)), (Some(1), Some(0)));
        assert_eq!(dead_again(None), (Some(1), Some(0)), "version 1 had both");
    }

    #[test]
    fn what_is_sent_after_a_look_is_unknown_until_the_next_one() {
        let mut state = State::new(plan::example(2));
        let ended = |looked_up| Fact::Ended {
            how: Ending::Finished,
            looked_up: Some(looked_up),
            unreleased: Vec::new(),
        };
        state.apply(&ended(LookedUp::Ledger)).unwrap();
        assert_eq!(state.counts().stored(), Some(0), "nothing was sent");
        state.apply(&intended(0)).unwrap();
        assert_eq!(state.counts().stored(), None);
        state.apply(&ended(LookedUp::LedgerOnly)).unwrap();
        let counts = state.counts();
        assert_eq!((counts.stored(), counts.dead_again()), (Some(0), None));
    }

    #[test]
    fn handles_are_known_until_their_messages_are_deleted_or_the_redrive_ends() {
        let mut state = State::new(plan::example(3));
        let received = |index, handle: &str| Received {
            index,
            receipt_handle: handle.to_owned(),
        };
        let messages = vec![received(0, "a"), received(1, "b"), received(2, "c")];
        state.apply(&Fact::Received { messages }).unwrap();
        state.apply(&intended(1)).unwrap();
        let hidden = |state: &State| -> Vec<String> {
            state
                .hidden()
                .into_iter()
                .map(|(_, handle)| handle)
                .collect()
        };
        assert_eq!(hidden(&state), ["a", "c"]);
        let messages = vec![received(1, "newer")];
        state.apply(&Fact::Received { messages }).unwrap();
        assert_eq!(
            state.unsettled()[0].receipt_handle.as_deref(),
            Some("newer")
        );
        let ended = Fact::Ended {
            how: Ending::Cancelled,
            looked_up: None,
            unreleased: vec![2],
        };
        state.apply(&ended).unwrap();
        assert_eq!(hidden(&state), ["c"], "its release was not confirmed");
        let old = serde_json::from_str(r#"{"kind":"ended","how":"cancelled"}"#).unwrap();
        state.apply(&old).unwrap();
        assert_eq!(hidden(&state), Vec::<String>::new());
    }
}
