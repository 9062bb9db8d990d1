//! A redrive from its first message, or from wherever its journal ends, to its last.
//!
//! Invariant: a run does only what its journal does not have as done, so a run after a crash is the
//! same as a first run.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::batch::Sender;
use super::canary::prove_canary;
use super::change::change;
use super::context::Context;
use super::options::RunOptions;
use super::proof::{prove, prove_at_end, prove_meanwhile};
use super::resume::{finish_deletes, settle_doubts};
use super::source::Source;
use super::step::move_step;
use crate::control::Control;
use crate::error::RedriveError;
use crate::journal::{Journal, Recorder};
use crate::lease::Leases;
use crate::limits::SEARCH_PATIENCE_MAX;
use crate::reading::Reading;
use crate::state::fact::{Ending, Fact, Proof};
use crate::state::{Counts, MessageState, Phase, Report, State};
use pipeline::Pipeline;
use pipeline::model::DeadLetter;

/// Runs the redrive of a journal from its beginning, or from where it ended. `messages` are those
/// that the caller received; their leases are extended here and released by the caller. The rate is
/// that of `control`. `counts` is updated after every write.
///
/// # Errors
/// When the environment forbids writes, when the plan is for another environment, when the
/// journal cannot be written, or when the queue cannot be searched. What was done until then is in
/// the journal.
pub async fn run(
    pipeline: &Pipeline,
    journal: (Journal, State),
    messages: &[DeadLetter],
    control: &Control,
    options: &RunOptions,
    counts: watch::Sender<Counts>,
) -> Result<Report, RedriveError> {
    let ended = run_to_state(pipeline, journal, messages, control, options, counts).await;
    let (state, error) = ended?;
    error.map_or_else(|| Ok(Report::of(&state)), Err)
}

/// [`run`] with all that is known at the end: the state, and why the run stopped before its end, if
/// it did. It is an error where the state is not known to be that of the journal.
pub(crate) async fn run_to_state(
    pipeline: &Pipeline,
    journal: (Journal, State),
    messages: &[DeadLetter],
    control: &Control,
    options: &RunOptions,
    counts: watch::Sender<Counts>,
) -> Result<(State, Option<RedriveError>), RedriveError> {
    let (journal, state) = journal;
    let plan = Arc::clone(state.plan());
    pipeline.check_write(&format!("{} to {:?}", plan.kind(), plan.destination.name))?;
    plan.check_pipeline(pipeline)?;
    counts.send_replace(state.counts());
    let before = Before::of(&state);
    let (unsettled, hidden) = (state.unsettled(), state.hidden());
    let search_patience = search_patience(&state, options);
    let change = change(&plan, before.counts.left());
    let recorder = Recorder::start(journal, state, counts)?;
    let source = match &plan.replay {
        None => Source::DeadLetters(Box::new(Leases::new(
            pipeline, &plan, &recorder, messages, &unsettled,
        ))),
        Some(replay) => Source::Records(Box::new(Reading::new(
            (pipeline, &recorder),
            &plan,
            replay,
            &unsettled,
        ))),
    };
    let permit = match pipeline.begin_change(change).await {
        Ok(permit) => permit,
        Err(error) => {
            recorder.close().await;
            return Err(error.into());
        }
    };
    let context = Context {
        pipeline,
        permit: &permit,
        plan: &plan,
        recorder: &recorder,
        source: &source,
        control,
        options,
        search_patience,
    };
    let run = async {
        source.begin(hidden).await?;
        drive(&context).await
    };
    let driven = tokio::select! {
        driven = run => Some(driven),
        () = source.heartbeat() => Some(Ok(())),
        () = control.stopped() => None,
    };
    let driven = match driven {
        Some(driven) => {
            source.release().await;
            driven
        }
        // Whoever stops it at once hardly waits for SQS; a resume releases by the handles on record.
        None => Err(RedriveError::Interrupted {
            others: source.release_passed_at_once().await,
        }),
    };
    let state = recorder.close().await;
    let error = driven.as_ref().err().map(ToString::to_string);
    let counted = counted(state.counts(), before.counts, before.proved_since(&state));
    if let Err(error) = permit.end(counted, error).await {
        tracing::warn!(%error, "the end of a redrive is not on record");
    }
    match driven {
        Ok(()) => Ok((state, None)),
        Err(error @ (RedriveError::Interrupted { .. } | RedriveError::Pipeline(_))) => {
            Ok((state, Some(error)))
        }
        Err(error) => Err(error),
    }
}

/// An earlier version may hide messages whose receives are not on record, until their timeouts end.
fn search_patience(state: &State, options: &RunOptions) -> Duration {
    if state.has_receives() {
        options.search_patience.min(SEARCH_PATIENCE_MAX)
    } else {
        options.search_patience
    }
}

/// Events by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Proved {
    stored: usize,
    dead_again: usize,
}

impl Proved {
    fn of<'a>(messages: impl Iterator<Item = &'a MessageState>) -> Self {
        messages.fold(Self::default(), |mut proved, message| {
            match &message.proof {
                Some(Proof::Stored { .. } | Proof::AlreadyStored { .. }) => proved.stored += 1,
                Some(Proof::DeadAgain { .. }) => proved.dead_again += 1,
                None => {}
            }
            proved
        })
    }
}

/// A redrive as a run found it.
struct Before {
    counts: Counts,
    /// Messages that were moved already: they are not of the plan of this run.
    moved: Vec<usize>,
    /// What was proved of these.
    proved: Proved,
}

impl Before {
    fn of(state: &State) -> Self {
        let messages = state.messages().iter().enumerate();
        let is_moved =
            |message: &MessageState| matches!(message.phase, Phase::Deleted | Phase::Published);
        let moved = messages.filter(|(_, message)| is_moved(message));
        let moved: Vec<usize> = moved.map(|(index, _)| index).collect();
        Self {
            counts: state.counts(),
            proved: proved_of(state, &moved),
            moved,
        }
    }

    /// What this run proved of the messages that an earlier one had moved.
    fn proved_since(&self, state: &State) -> Proved {
        let now = proved_of(state, &self.moved);
        Proved {
            stored: now.stored.saturating_sub(self.proved.stored),
            dead_again: now.dead_again.saturating_sub(self.proved.dead_again),
        }
    }
}

fn proved_of(state: &State, places: &[usize]) -> Proved {
    let messages = state.messages();
    Proved::of(places.iter().filter_map(|place| messages.get(*place)))
}

/// What this run did: a resumed run does not count again what the one before did, nor what that found unsendable.
/// Messages that stay in doubt count as unknown, and those that were not tried as not sent. `earlier` is what was
/// proved of messages that are not of the plan of this run.
fn counted(counts: Counts, before: Counts, earlier: Proved) -> Vec<(&'static str, usize)> {
    let stored = counts.stored.saturating_sub(before.stored);
    let dead_again = counts.dead_again.saturating_sub(before.dead_again);
    let mut counted = vec![
        ("moved", counts.moved - before.moved.min(counts.moved)),
        ("sent_not_deleted", counts.sent_not_deleted),
        ("unknown", counts.unknown + counts.intended),
        (
            "not_sent",
            (counts.not_sent + counts.waiting).saturating_sub(before.unsendable),
        ),
        ("stored", stored.saturating_sub(earlier.stored)),
        ("dead_again", dead_again.saturating_sub(earlier.dead_again)),
    ];
    let of_earlier = [
        ("stored_of_those_moved_before", earlier.stored),
        ("dead_again_of_those_moved_before", earlier.dead_again),
    ];
    counted.extend(of_earlier.into_iter().filter(|(_, count)| *count > 0));
    counted
}

async fn drive(context: &Context<'_>) -> Result<(), RedriveError> {
    let doubtful = settle_doubts(context).await?;
    if let Some(leases) = context.source.leases() {
        finish_deletes(context, leases, Duration::ZERO).await?;
    }
    let sender = Sender::new(context);
    let total = context.plan.entries.len();
    let mut begin = 0;
    for end in context.plan.step_ends() {
        let step = begin..end;
        tokio::select! {
            moved = move_step(context, &sender, step.clone(), &doubtful) => moved?,
            failed = prove_meanwhile(context) => return Err(failed),
        }
        if context.is_cancelled() {
            break;
        }
        if end < total {
            prove_canary(context, step).await?;
        }
        begin = end;
    }
    // What an earlier look found of a canary step says nothing about what was sent after it.
    let looked_up = if context.is_cancelled() {
        prove_at_end(context).await?
    } else {
        if let Some(leases) = context.source.leases() {
            finish_deletes(context, leases, context.search_patience).await?;
        }
        prove(context, 0..total).await?
    };
    let how = if context.is_cancelled() {
        Ending::Cancelled
    } else {
        Ending::Finished
    };
    // Before the end is on record: a resume knows no handle of what was released.
    let ended = Fact::Ended {
        how,
        looked_up: Some(looked_up),
        unreleased: context.source.release().await,
    };
    context.record(ended).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use event::RecordId;

    use super::*;
    use crate::message::Original;
    use crate::plan::example;
    use crate::state::Intended;
    use crate::state::fact::{Confirmed, Proved as Seen};

    #[test]
    fn audit_log_has_as_planned_what_a_resume_works_on() {
        let before = Counts {
            waiting: 1,
            intended: 2,
            unknown: 20,
            not_sent: 5,
            unsendable: 3,
            moved: 7,
            ..Counts::default()
        };
        assert_eq!(change(&example(1), before.left()).planned, 25);
        // What an earlier run could not send is not of this one.
        let ended = Counts {
            not_sent: 3,
            unsendable: 3,
            moved: 32,
            ..Counts::default()
        };
        let of_end = |ended| -> usize {
            counted(ended, before, Proved::default())
                .iter()
                .take(4)
                .map(|(_, count)| count)
                .sum()
        };
        assert_eq!(of_end(ended), 25);
        let cancelled = Counts {
            waiting: 20,
            not_sent: 5,
            unsendable: 4,
            moved: 10,
            ..Counts::default()
        };
        assert_eq!(of_end(cancelled), 25);
    }

    /// The process before was killed after 80 of 177, before any was proved.
    #[test]
    fn audit_log_has_proofs_beside_the_plan_only_of_what_a_resume_works_on() {
        let before = Counts {
            moved: 80,
            sent_not_deleted: 8,
            waiting: 89,
            ..Counts::default()
        };
        let ended = Counts {
            moved: 177,
            dead_again: 177,
            ..Counts::default()
        };
        let earlier = Proved {
            stored: 0,
            dead_again: 80,
        };
        let counted = counted(ended, before, earlier);
        let planned = change(&example(1), before.left()).planned;
        assert_eq!(planned, 97);
        assert!(counted.contains(&("moved", 97)), "{counted:?}");
        assert!(counted.contains(&("dead_again", 97)), "{counted:?}");
        let of_earlier = ("dead_again_of_those_moved_before", 80);
        assert!(counted.contains(&of_earlier), "{counted:?}");
    }

    /// These messages are sent, and the first so many of them deleted.
    fn sent(state: &mut State, indexes: &[usize], deleted: usize) {
        let intended = indexes.iter().map(|index| Intended {
            index: *index,
            receipt_handle: None,
            original: Original {
                body: format!("body {index}"),
                attributes: BTreeMap::new(),
                group_id: None,
                trace_header: None,
            },
        });
        let confirmed = indexes.iter().map(|index| Confirmed {
            index: *index,
            sent_message_id: format!("s{index}"),
        });
        let facts = [
            Fact::Intended {
                messages: intended.collect(),
            },
            Fact::Confirmed {
                messages: confirmed.collect(),
            },
            Fact::Deleted {
                indexes: indexes.iter().copied().take(deleted).collect(),
            },
        ];
        facts.iter().for_each(|fact| state.apply(fact).unwrap());
    }

    fn prove(state: &mut State, proofs: &[(usize, bool)]) {
        let proof = |is_stored| match is_stored {
            true => Proof::Stored {
                record_id: RecordId(7),
            },
            false => Proof::DeadAgain {
                message_id: "d".to_owned(),
                reason: None,
            },
        };
        let messages = proofs.iter().map(|(index, is_stored)| Seen {
            index: *index,
            proof: proof(*is_stored),
        });
        let messages = messages.collect();
        state.apply(&Fact::Proved { messages }).unwrap();
    }

    #[test]
    fn proofs_of_what_an_earlier_run_moved_are_told_apart_from_those_of_a_resume() {
        let mut state = State::new(example(6));
        // The run before moved three, proved one of these, and was killed before it deleted the fourth.
        sent(&mut state, &[0, 1, 2, 3], 3);
        prove(&mut state, &[(0, true)]);
        let before = Before::of(&state);
        assert_eq!(before.counts.left(), 3);
        assert_eq!(before.proved_since(&state), Proved::default());
        let deleted = Fact::Deleted { indexes: vec![3] };
        state.apply(&deleted).unwrap();
        sent(&mut state, &[4, 5], 2);
        let proofs = [(1, true), (2, false), (3, false), (4, true), (5, true)];
        prove(&mut state, &proofs);
        let earlier = before.proved_since(&state);
        let expected = Proved {
            stored: 1,
            dead_again: 1,
        };
        assert_eq!(earlier, expected);
        let counted = counted(state.counts(), before.counts, earlier);
        for expected in [
            ("moved", 3),
            ("stored", 2),
            ("dead_again", 1),
            ("stored_of_those_moved_before", 1),
            ("dead_again_of_those_moved_before", 1),
        ] {
            assert!(counted.contains(&expected), "{expected:?}: {counted:?}");
        }
    }

    #[test]
    fn audit_log_has_what_a_cancelled_redrive_did_not_try_as_not_sent() {
        let ended = Counts {
            moved: 4,
            not_sent: 1,
            waiting: 10,
            ..Counts::default()
        };
        let counted = counted(ended, Counts::default(), Proved::default());
        assert!(counted.contains(&("not_sent", 11)), "{counted:?}");
    }
}
