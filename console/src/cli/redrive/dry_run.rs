//! `redrive run --dry-run`: what would be sent.
//!
//! Invariant: nothing is written, and every message is checked on the body that was received.

use serde::Serialize;
use uuid::Uuid;

use crate::cli::redrive::draft::Draft;
use crate::cli::selection::by_verdict;
use crate::cli::{CommandError, Exit, Session};
use crate::text::messages_in_words;
use pipeline::model::DeadLetter;
use pipeline::printable;
use redrive::{Plan, PlannedSend, Skipped, dry_run};

pub(crate) struct DryRun(Vec<PlannedSend>);

#[derive(Serialize)]
struct DryRunJson<'a> {
    id: Uuid,
    planned: usize,
    sendable: usize,
    skipped: &'a [Skipped],
    missing: &'a [String],
    #[serde(rename = "letters")]
    messages: &'a [PlannedSend],
}

impl DryRun {
    pub(crate) fn of(plan: &Plan, messages: &[DeadLetter]) -> Self {
        Self(dry_run(plan, messages))
    }

    pub(crate) fn report(&self, session: &Session, draft: &Draft) -> Result<Exit, CommandError> {
        let (plan, sends) = (&draft.plan, &self.0);
        let mut sendable = sends.len();
        for send in sends {
            if let Some(problem) = &send.problem {
                sendable -= 1;
                let note = format!("{}: would not be sent: {problem}", send.message_id);
                session.output.note(&printable(&note));
            }
        }
        if session.output.is_json() {
            session.output.json(&DryRunJson {
                id: plan.id,
                planned: sends.len(),
                sendable,
                skipped: &plan.skipped,
                missing: &draft.missing,
                messages: sends,
            })?;
        } else {
            session.output.text(&format!(
                "would send {sendable} of {} ({}) to {:?}, {} of them edited, {} bytes; nothing was \
                 written\n",
                messages_in_words(sends.len() as u64),
                by_verdict(sends.iter().map(|send| send.verdict)),
                plan.destination.name,
                sends.iter().filter(|send| send.is_edited).count(),
                sends.iter().map(|send| send.bytes).sum::<usize>(),
            ))?;
        }
        let is_whole = sendable == sends.len();
        Ok(if is_whole { draft.exit } else { Exit::Failed })
    }
}
