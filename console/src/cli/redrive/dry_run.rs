//! `redrive run --dry-run`: what would be sent.
//!
//! Invariant: nothing is written, and every message is checked on the body that was received or read.

use serde::Serialize;
use uuid::Uuid;

use crate::cli::redrive::draft::Draft;
use crate::cli::selection::by_verdict;
use crate::cli::{CommandError, Exit, Session};
use crate::text::messages_in_words;
use pipeline::printable;
use redrive::operations::replay;
use redrive::{Kind, PlannedSend, Replacement, Skipped, dry_run};

pub(crate) struct DryRun(Vec<PlannedSend>);

#[derive(Serialize)]
struct DryRunJson<'a> {
    id: Uuid,
    planned: usize,
    sendable: usize,
    skipped: &'a [Skipped],
    missing: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_duplicates: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replacement: Option<Replacement>,
    #[serde(rename = "letters")]
    messages: &'a [PlannedSend],
}

impl DryRun {
    pub(crate) async fn of(session: &Session, draft: &Draft) -> Result<Self, CommandError> {
        let plan = &draft.plan;
        Ok(Self(match plan.kind() {
            Kind::Redrive => dry_run(plan, &draft.messages),
            Kind::Replay => replay::dry_run(&session.pipeline, plan).await?,
        }))
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
                expected_duplicates: plan.expected_duplicates(),
                replacement: plan.replacement(),
                messages: sends,
            })?;
        } else {
            session.output.text(&format!(
                "would send {sendable} of {} ({}) to {:?}, {} of them edited, {} bytes{}{}; nothing was \
                 written\n",
                messages_in_words(sends.len() as u64),
                by_verdict(sends.iter().map(|send| send.verdict)),
                plan.destination.name,
                sends.iter().filter(|send| send.is_edited).count(),
                sends.iter().map(|send| send.bytes).sum::<usize>(),
                plan.expected_duplicates()
                    .map_or_else(String::new, |count| format!(", {count} duplicates expected")),
                replacing(sends),
            ))?;
            if let Some(planned) = plan.replacement() {
                session.output.note(&format!(
                    "this was a dry run: --yes --confirm-count {} replaces",
                    planned.replaces
                ));
            }
        }
        let is_whole = sendable == sends.len();
        Ok(if is_whole { draft.exit } else { Exit::Failed })
    }
}

/// `, 3 of them to replace a record`
fn replacing(sends: &[PlannedSend]) -> String {
    let replacing = sends.iter().filter(|send| send.replaces.is_some());
    match replacing.count() {
        0 => String::new(),
        count => format!(", {count} of them to replace a record"),
    }
}
