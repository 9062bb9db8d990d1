//! `redrive run --dry-run`: what would be sent.
//!
//! Invariant: nothing is written, and every message is checked on the body that was received or read.

use serde::Serialize;
use uuid::Uuid;

use crate::cli::redrive::draft::Draft;
use crate::cli::selection::by_verdict;
use crate::cli::{CommandError, Exit, Session};
use crate::text::{in_words, messages_in_words};
use pipeline::printable;
use redrive::operations::replay;
use redrive::{Kind, Plan, PlannedSend, Replacement, Skipped, dry_run};

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
            session.output.text(&in_text(plan, sends, sendable))?;
            if let Some(planned) = plan.replacement().filter(|planned| planned.replaces > 0) {
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

/// What would be sent. Where nothing would, the plan has why.
fn in_text(plan: &Plan, sends: &[PlannedSend], sendable: usize) -> String {
    let skipped = &plan.skipped;
    match (sends.len(), skipped.len()) {
        (0, 0) => "nothing would be sent: nothing matches; nothing was written\n".to_owned(),
        (0, count) => format!(
            "nothing would be sent: {} skipped ({}); nothing was written\n",
            messages_in_words(count as u64),
            by_verdict(skipped.iter().map(|message| message.verdict)),
        ),
        (count, _) => format!(
            "would send {sendable} of {} ({}) to {:?}, {} of them edited, {}{}{}; nothing was written\n",
            messages_in_words(count as u64),
            by_verdict(sends.iter().map(|send| send.verdict)),
            plan.destination.name,
            sends.iter().filter(|send| send.is_edited).count(),
            in_words(sends.iter().map(|send| send.bytes as u64).sum(), "byte"),
            plan.expected_duplicates()
                .map_or_else(String::new, |count| format!(
                    ", {} expected",
                    in_words(count as u64, "duplicate")
                )),
            copies(plan, sends) + &replacing(sends),
        ),
    }
}

/// `, 2 of them duplicates of others`; a replay counts them among the duplicates that it expects.
fn copies(plan: &Plan, sends: &[PlannedSend]) -> String {
    let copies = sends.iter().filter(|send| send.is_copy).count();
    match plan.expected_duplicates() {
        None if copies > 0 => format!(", {copies} of them duplicates of others"),
        Some(_) | None => String::new(),
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
