//! `redrive plan` and `redrive show`: what would be done, before it is.
//!
//! Invariant: nothing is changed but the file of the plan, which is new.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use event::Verdict;
use serde::Serialize;
use similar::TextDiff;
use uuid::Uuid;

use crate::cli::redrive::arguments::RedrivePlanArguments;
use crate::cli::redrive::draft::Draft;
use crate::cli::selection::by_verdict;
use crate::cli::{CommandError, Exit, Interrupt, Output, Session, remember};
use crate::text::{about_usd, rate, replacement_in_words};
use export::Target;
use pipeline::cost::redrive_usd;
use pipeline::{printable, printable_lines};
use redrive::operations::EditCounts;
use redrive::triage;
use redrive::{
    Edit, Journal, Kind, Plan, PlanEntry, Replacement, Replaces, Replay, Skipped, plan_file,
};

/// Edits that are shown as examples.
const EXAMPLES_MAX: usize = 3;
/// The alternative to a plan.
const OTHER_WAY: &str =
    "opsconsole redrive native start: SQS moves the whole queue itself, without this plan";
/// Lines around a change.
const CONTEXT_LINES: usize = 3;

#[derive(Serialize)]
struct PlanJson<'a> {
    id: Uuid,
    file: Option<&'a Path>,
    environment: &'a str,
    destination: &'a str,
    selected: usize,
    planned: usize,
    verdicts: BTreeMap<&'static str, usize>,
    skipped: &'a [Skipped],
    /// Of these, messages whose events would be lost if they were sent.
    would_be_lost: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_duplicates: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replacement: Option<Replacement>,
    missing: &'a [String],
    edits: EditCounts,
    rate_per_sec: Option<f64>,
    canary_steps: &'a [usize],
    truncated: bool,
}

pub(crate) async fn plan(
    session: &Session,
    arguments: RedrivePlanArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let request = &arguments.draft;
    let draft = Draft::select(session, request, arguments.rate, interrupt).await?;
    draft.release(session, interrupt).await;
    let is_printed = arguments.out.as_deref() == Some(Path::new("-"));
    let is_written = !draft.plan.entries.is_empty() && !is_printed;
    // Offered only where the service is known to do it.
    let other_way = if is_written && !session.output.is_json() {
        tokio::select! {
            has_tasks = session.pipeline.has_move_tasks() => has_tasks.then_some(OTHER_WAY),
            () = interrupt.received() => return Err(CommandError::Interrupted),
        }
    } else {
        None
    };
    write(
        session,
        &draft,
        (arguments.out.as_deref(), other_way),
        request.selection.all,
    )
}

/// Writes the plan of a draft and shows it, with what does the same without it. `is_all`: nothing to do is no
/// failure then.
pub(crate) fn write(
    session: &Session,
    draft: &Draft,
    (out, other_way): (Option<&Path>, Option<&str>),
    is_all: bool,
) -> Result<Exit, CommandError> {
    let plan = &draft.plan;
    let is_printed = out == Some(Path::new("-"));
    let file = match out {
        _ if plan.entries.is_empty() || is_printed => None,
        Some(path) => {
            plan_file::write(path, plan)?;
            remember(&Target::Folder(path.to_owned()))?;
            Some(path.to_owned())
        }
        None => Some(plan_file::write_in(&Journal::folder_of_user()?, plan)?),
    };
    if is_printed {
        session.output.json(&**plan)?;
    } else if session.output.is_json() {
        session.output.json(&json(draft, file.as_deref()))?;
    } else {
        session.output.text(&form(plan))?;
        match &file {
            None => session.output.note(match plan.kind() {
                Kind::Redrive => "no plan was written: there is no message to move",
                Kind::Replay => "no plan was written: there is no record to publish",
            }),
            Some(file) => session.output.text(&printable_lines(&format!(
                "{:<14}{}\n{:<14}opsconsole redrive run {}\n{}",
                "file",
                file.display(),
                "run it with",
                out.map_or_else(|| plan.id.to_string(), |out| out.display().to_string()),
                other_way.map_or_else(String::new, |text| format!("{:<14}{text}\n", "other way")),
            )))?,
        }
    }
    let is_right_already = plan
        .replacement()
        .is_some_and(|planned| planned.same_text > 0);
    let is_nothing_right = is_right_already || (is_all && draft.selected == 0);
    let is_empty = plan.entries.is_empty() && !is_nothing_right;
    Ok(if is_empty { Exit::Failed } else { draft.exit })
}

fn json<'a>(draft: &'a Draft, file: Option<&'a Path>) -> PlanJson<'a> {
    let plan = &draft.plan;
    PlanJson {
        id: plan.id,
        file,
        environment: &plan.environment,
        destination: &plan.destination.name,
        selected: draft.selected,
        planned: plan.entries.len(),
        verdicts: verdicts(plan),
        skipped: &plan.skipped,
        would_be_lost: draft.would_be_lost,
        expected_duplicates: plan.expected_duplicates(),
        replacement: plan.replacement(),
        missing: &draft.missing,
        edits: draft.edits,
        rate_per_sec: plan.rate_per_sec,
        canary_steps: &plan.canary_steps,
        truncated: draft.is_truncated,
    }
}

#[derive(Serialize)]
struct ShownJson<'a> {
    id: Uuid,
    created_at: DateTime<Utc>,
    environment: &'a str,
    dead_letter_queue: &'a str,
    destination: &'a str,
    planned: usize,
    verdicts: BTreeMap<&'static str, usize>,
    edited: usize,
    /// Messages that replace a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<usize>,
    skipped: &'a [Skipped],
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<&'a Replay>,
    rate_per_sec: Option<f64>,
    canary_steps: &'a [usize],
    #[serde(rename = "letters", skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<ShownMessageJson<'a>>>,
}

#[derive(Serialize)]
struct ShownMessageJson<'a> {
    message_id: &'a str,
    verdict: Verdict,
    receive_count: u32,
    diff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a Replaces>,
}

pub(crate) fn show(name: &str, with_messages: bool, output: Output) -> Result<Exit, CommandError> {
    let path = plan_file::find(name, &Journal::folder_of_user()?).ok_or_else(|| {
        CommandError::Failed(format!(
            "there is no file {name:?}, and no plan or redrive with that id"
        ))
    })?;
    let plan = plan_file::read(&path)?;
    if output.is_json() {
        output.json(&shown_json(&plan, with_messages))?;
        return Ok(Exit::Done);
    }
    output.text(&form(&plan))?;
    for message in &plan.skipped {
        output.text(&printable(&format!(
            "skipped       {}: {}",
            message.message_id, message.reason
        )))?;
        output.text("\n")?;
    }
    let edits = edited(&plan).count();
    let shown: Vec<&PlanEntry> = if with_messages {
        plan.entries.iter().collect()
    } else {
        edited(&plan).take(EXAMPLES_MAX).collect()
    };
    for entry in shown {
        output.text(&message(entry))?;
    }
    if !with_messages && edits > EXAMPLES_MAX {
        output.note(&format!(
            "{EXAMPLES_MAX} of {edits} edits are shown; --messages shows all"
        ));
    }
    Ok(Exit::Done)
}

fn edited(plan: &Plan) -> impl Iterator<Item = &PlanEntry> {
    plan.entries.iter().filter(|entry| entry.edit.is_some())
}

fn shown_json(plan: &Plan, with_messages: bool) -> ShownJson<'_> {
    ShownJson {
        id: plan.id,
        created_at: plan.created_at,
        environment: &plan.environment,
        dead_letter_queue: &plan.dead_letter_queue.name,
        destination: &plan.destination.name,
        planned: plan.entries.len(),
        verdicts: verdicts(plan),
        edited: edited(plan).count(),
        replaces: plan.replacement().map(|planned| planned.replaces),
        skipped: &plan.skipped,
        replay: plan.replay.as_ref(),
        rate_per_sec: plan.rate_per_sec,
        canary_steps: &plan.canary_steps,
        messages: with_messages.then(|| {
            plan.entries
                .iter()
                .map(|entry| ShownMessageJson {
                    message_id: &entry.message_id,
                    verdict: entry.verdict,
                    receive_count: entry.receive_count,
                    diff: entry.edit.as_ref().map(diff),
                    replaces: entry.replaces.as_ref(),
                })
                .collect()
        }),
    }
}

/// The plan for people.
fn form(plan: &Plan) -> String {
    let count = |total: usize, verdicts: String| match total {
        0 => "0".to_owned(),
        total => format!("{total} ({verdicts})"),
    };
    let canary = plan.canary_steps.iter().map(ToString::to_string);
    let canary: Vec<String> = canary.collect();
    let lines = [
        (plan.kind().as_str(), plan.id.to_string()),
        ("environment", plan.environment.clone()),
        (
            "from",
            match &plan.replay {
                None => plan.dead_letter_queue.name.clone(),
                Some(replay) => replay.read.to_string(),
            },
        ),
        ("to", plan.destination.name.clone()),
        (
            "messages",
            count(plan.entries.len(), planned_in_words(plan)),
        ),
        (
            "skipped",
            count(
                plan.skipped.len(),
                by_verdict(plan.skipped.iter().map(|message| message.verdict)),
            ),
        ),
        ("edited", edited(plan).count().to_string()),
        (
            "rate",
            plan.rate_per_sec
                .map_or_else(|| as_fast(plan.kind()).to_owned(), rate),
        ),
        (
            "canary",
            if canary.is_empty() {
                "none".to_owned()
            } else {
                canary.join(", then ")
            },
        ),
    ];
    let price = ("price", about_usd(redrive_usd(plan.entries.len())));
    let duplicates = plan.expected_duplicates();
    let duplicates = duplicates.map(|count| ("duplicates", format!("{count} expected")));
    let replacement = plan
        .replacement()
        .map(|planned| ("correction", replacement_in_words(planned)));
    let mut text = String::new();
    let lines = lines.into_iter().chain([price]);
    for (name, value) in lines.chain(duplicates).chain(replacement) {
        text.push_str(&format!("{name:<14}{}\n", printable(&value)));
    }
    text
}

/// `3 ready`. The event of a message that replaces a record is stored already, and that is meant.
fn planned_in_words(plan: &Plan) -> String {
    let others = plan.entries.iter().filter(|entry| entry.replaces.is_none());
    let replacing = plan.entries.len() - others.clone().count();
    let replacing = (replacing > 0).then(|| match replacing {
        1 => "1 replaces a record".to_owned(),
        several => format!("{several} replace a record each"),
    });
    let others = by_verdict(others.map(|entry| entry.verdict));
    let parts = replacing.into_iter().chain([others]);
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

const fn as_fast(kind: Kind) -> &'static str {
    match kind {
        Kind::Redrive => "as fast as SQS accepts them",
        Kind::Replay => "as fast as SNS accepts them",
    }
}

fn message(entry: &PlanEntry) -> String {
    let mut text = printable(&format!(
        "message       {} ({}, received {}×)",
        entry.message_id, entry.verdict, entry.receive_count
    ));
    text.push('\n');
    if let Some(replaces) = &entry.replaces {
        text.push_str(&format!("replaces      record {}\n", replaces.record_id));
    }
    if let Some(edit) = &entry.edit {
        text.push_str(&printable_lines(&diff(edit)));
    }
    text
}

/// An edit as a unified diff of the events, laid out one member a line.
fn diff(edit: &Edit) -> String {
    let pretty = |body: &str| {
        let event = event::unwrap_envelope(body);
        let mut text = triage::pretty(&event).unwrap_or_else(|| event.to_string());
        text.push('\n');
        text
    };
    let (before, after) = (pretty(&edit.old_body), pretty(&edit.new_body));
    TextDiff::from_lines(&before, &after)
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header("in the queue", "sent")
        .to_string()
}

/// Counts of verdicts; those that do not occur are left out.
fn verdicts(plan: &Plan) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for entry in &plan.entries {
        *counts.entry(entry.verdict.as_str()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_is_a_diff_of_what_changed_and_not_of_its_layout() {
        let edit = Edit {
            old_body: "{\"id\":\"a\",   \"tiem\": \"\u{9b}2J\"}".to_owned(),
            new_body: r#"{"id":"a","time":"now"}"#.to_owned(),
        };
        let text = diff(&edit);
        assert_eq!(
            text,
            "--- in the queue\n+++ sent\n@@ -1,4 +1,4 @@\n {\n   \"id\": \"a\",\n\
             -  \"tiem\": \"\u{9b}2J\"\n+  \"time\": \"now\"\n }\n"
        );
        assert!(printable_lines(&text).contains(r"\u009b2J"));
    }
}
