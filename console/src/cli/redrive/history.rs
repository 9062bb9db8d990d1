//! `redrive list` and `redrive report`: what the journals tell.
//!
//! Invariant: it reads local files and asks nobody; a journal that cannot be read hides no other.

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::cli::redrive::control::journal;
use crate::cli::redrive::execute::state_of;
use crate::cli::table::{Align, Keep, Table, moment};
use crate::cli::{CommandError, Exit, Output};
use pipeline::environment::Environment;
use pipeline::printable;
use redrive::fact::Proof;
use redrive::{
    ControlFile, Counts, Journal, MessageOutcome, MessageReport, RedriveError, Report, State,
};

/// A journal as it stands.
pub(crate) struct Look {
    read: Result<State, RedriveError>,
    is_running: bool,
    pause: Option<String>,
}

/// Looks at a journal, whoever may be writing it.
pub(crate) fn look(path: &Path) -> Look {
    // Asked first: what ended since is told as running, never the other way round.
    let is_running = Journal::is_running(path).unwrap_or(false);
    Look {
        pause: ControlFile::beside(path).pause().filter(|_| is_running),
        read: Journal::read(path),
        is_running,
    }
}

impl Look {
    pub(crate) fn state(&self) -> &'static str {
        match &self.read {
            Ok(_) if self.pause.is_some() => "paused",
            Ok(_) if self.is_running => "running",
            Ok(state) => state_of(state.ending()),
            Err(_) => "unreadable",
        }
    }
}

/// The queues of the environments as they are now, by name.
struct Pipelines<'a> {
    config: Option<&'a Path>,
    queue_urls: HashMap<String, Option<String>>,
}

impl Pipelines<'_> {
    /// Whether a redrive is of the pipeline that its environment's name stands for now; `None`
    /// where there is no such environment.
    fn word(&mut self, look: &Look) -> Option<&'static str> {
        let plan = look.read.as_ref().ok()?.plan();
        let config = self.config;
        let queue_url = self
            .queue_urls
            .entry(plan.environment.clone())
            .or_insert_with_key(|name| {
                let environment = Environment::load(Some(name), config).ok()?;
                Some(environment.dead_letter_queue_url)
            });
        let is_same = plan.is_of(&plan.environment, queue_url.as_deref()?);
        Some(if is_same { "same" } else { "other" })
    }
}

/// A redrive of the list.
struct Row {
    id: Uuid,
    look: Look,
    pipeline: Option<&'static str>,
}

#[derive(Serialize)]
struct ListedJson<'a> {
    id: Uuid,
    environment: Option<&'a str>,
    pipeline: Option<&'static str>,
    created_at: Option<DateTime<Utc>>,
    state: &'static str,
    pause: Option<&'a str>,
    planned: Option<usize>,
    counts: Option<Counts>,
    error: Option<String>,
}

pub(crate) fn list(
    (environment, config): (Option<&str>, Option<&Path>),
    limit: usize,
    output: Output,
) -> Result<Exit, CommandError> {
    let folder = Journal::folder_of_user()?;
    let is_wanted = |(_, look): &(Uuid, Look)| match (&look.read, environment) {
        (Ok(state), Some(name)) => state.plan().environment == name,
        (Ok(_) | Err(_), _) => true,
    };
    let mut pipelines = Pipelines {
        config,
        queue_urls: HashMap::new(),
    };
    let rows: Vec<Row> = Journal::list(&folder)?
        .into_iter()
        .map(|(id, path)| (id, look(&path)))
        .filter(is_wanted)
        .take(limit)
        .map(|(id, look)| Row {
            id,
            pipeline: pipelines.word(&look),
            look,
        })
        .collect();
    if output.is_json() {
        let listed: Vec<_> = rows.iter().map(listed).collect();
        output.json(&listed)?;
    } else if rows.is_empty() {
        output.note("no redrive was begun on this machine");
    } else {
        output.table(&table(&rows))?;
    }
    Ok(Exit::Done)
}

fn listed(row: &Row) -> ListedJson<'_> {
    let look = &row.look;
    let read = look.read.as_ref();
    let plan = read.ok().map(State::plan);
    ListedJson {
        id: row.id,
        environment: plan.map(|plan| plan.environment.as_str()),
        pipeline: row.pipeline,
        created_at: plan.map(|plan| plan.created_at),
        state: look.state(),
        pause: look.pause.as_deref(),
        planned: plan.map(|plan| plan.entries.len()),
        counts: read.ok().map(State::counts),
        error: read.err().map(ToString::to_string),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        ("ID", Align::Left, Keep::Always),
        ("STATE", Align::Left, Keep::Always),
        ("ENVIRONMENT", Align::Left, Keep::Drop(5)),
        ("PIPELINE", Align::Left, Keep::Drop(1)),
        ("PLANNED AT", Align::Left, Keep::Drop(6)),
        ("MESSAGES", Align::Right, Keep::Always),
        ("MOVED", Align::Right, Keep::Always),
        ("LEFT", Align::Right, Keep::Drop(2)),
        ("STORED", Align::Right, Keep::Drop(3)),
        ("DEAD AGAIN", Align::Right, Keep::Drop(4)),
        ("NOT SENT", Align::Right, Keep::Drop(7)),
    ]);
    for Row { id, look, pipeline } in rows {
        let (plan, counts) = match &look.read {
            Ok(state) => (Some(state.plan()), Some(state.counts())),
            Err(_) => (None, None),
        };
        let number = |number: Option<usize>| number.map_or("-".to_owned(), |n| n.to_string());
        table.row([
            &id.to_string(),
            look.state(),
            plan.map_or("-", |plan| &plan.environment),
            pipeline.unwrap_or("-"),
            &plan.map_or("-".to_owned(), |plan| moment(plan.created_at)),
            &number(plan.map(|plan| plan.entries.len())),
            &number(counts.map(|counts| counts.moved)),
            &number(
                plan.zip(counts)
                    .map(|(plan, counts)| plan.entries.len() - counts.moved),
            ),
            &number(counts.map(|counts| counts.stored)),
            &number(counts.map(|counts| counts.dead_again)),
            &number(counts.map(|counts| counts.not_sent)),
        ]);
    }
    table
}

#[derive(Serialize)]
struct ReportJson {
    #[serde(flatten)]
    report: Report,
    state: &'static str,
    pause: Option<String>,
}

pub(crate) fn report(id: Uuid, output: Output) -> Result<Exit, CommandError> {
    let look = look(&journal(id)?);
    let state = look.state();
    let report = Report::of(&look.read?);
    if output.is_json() {
        output.json(&ReportJson {
            report,
            state,
            pause: look.pause,
        })?;
        return Ok(Exit::Done);
    }
    let counts = report.counts;
    let mut text = String::new();
    for (name, value) in [
        ("redrive", report.id.to_string()),
        ("environment", report.environment.clone()),
        ("planned at", moment(report.created_at)),
        ("state", state.to_owned()),
        ("paused", look.pause.unwrap_or_else(|| "no".to_owned())),
        ("messages", report.planned.to_string()),
        ("moved", counts.moved.to_string()),
        ("not deleted", counts.sent_not_deleted.to_string()),
        ("unknown", (counts.unknown + counts.intended).to_string()),
        ("not sent", counts.not_sent.to_string()),
        ("waiting", counts.waiting.to_string()),
        ("stored", counts.stored.to_string()),
        ("dead again", counts.dead_again.to_string()),
    ] {
        text.push_str(&format!("{name:<14}{}\n", printable(&value)));
    }
    output.text(&text)?;
    output.table(&messages(&report.messages))?;
    Ok(Exit::Done)
}

fn messages(messages: &[MessageReport]) -> Table {
    let mut table = Table::new(&[
        ("MESSAGE ID", Align::Left, Keep::Always),
        ("OUTCOME", Align::Left, Keep::Always),
        ("EVENT", Align::Left, Keep::Cut),
        ("CAUSE", Align::Left, Keep::Cut),
    ]);
    for message in messages {
        let outcome = match message.outcome {
            MessageOutcome::Waiting => "waiting",
            MessageOutcome::NotSent => "not-sent",
            MessageOutcome::Unknown => "unknown",
            MessageOutcome::SentNotDeleted => "sent-not-deleted",
            MessageOutcome::Moved => "moved",
        };
        let proof = match &message.proof {
            None => "-".to_owned(),
            Some(Proof::Stored { record_id }) => format!("stored as record {record_id}"),
            Some(Proof::AlreadyStored { record_id }) => {
                format!("was stored as record {record_id}")
            }
            Some(Proof::DeadAgain { message_id, reason }) => format!(
                "dead again as {message_id}: {}",
                reason.as_deref().unwrap_or("without a reason")
            ),
        };
        let cause = message.cause.as_deref().unwrap_or("-");
        table.row([&message.message_id, outcome, &proof, cause]);
    }
    table
}
