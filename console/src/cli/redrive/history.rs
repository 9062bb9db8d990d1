//! `redrive list` and `redrive report`: what the journals say.
//!
//! Invariant: local files are read and nobody is asked.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::cli::redrive::control::journal;
use crate::cli::redrive::outcome::as_duplicates;
use crate::cli::table::{Align, Keep, Table, moment};
use crate::cli::{CommandError, Exit, Output};
use crate::text::in_words;
use pipeline::environment::Environment;
use pipeline::printable;
use redrive::fact::Proof;
use redrive::operations::history::{HistoryLimits, HistoryReader, PastRedrive};
use redrive::{Counts, Journal, Kind, MessageOutcome, MessageReport, Report, Summary};

/// Journals that are read for the list: those of years.
const JOURNALS_MAX: usize = 10_000;
/// How long reading them may take: a person waits for it.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// The queues of the environments as they are now, by name.
struct Pipelines<'a> {
    config: Option<&'a Path>,
    queue_urls: HashMap<String, Option<String>>,
}

impl Pipelines<'_> {
    /// `same` where the environment still has the dead-letter queue of a redrive, else `other`;
    /// `None` where there is no such environment.
    fn pipeline_of(&mut self, past: &PastRedrive) -> Option<&'static str> {
        let summary = past.summary.as_ref().ok()?;
        let config = self.config;
        let queue_url = self
            .queue_urls
            .entry(summary.environment.clone())
            .or_insert_with_key(|name| {
                let environment = Environment::load(Some(name), config).ok()?;
                Some(environment.dead_letter_queue_url)
            });
        let is_same = summary.is_of(&summary.environment, queue_url.as_deref()?);
        Some(if is_same { "same" } else { "other" })
    }
}

#[derive(Serialize)]
struct ListedJson<'a> {
    id: Uuid,
    kind: Option<Kind>,
    environment: Option<&'a str>,
    pipeline: Option<&'static str>,
    created_at: Option<DateTime<Utc>>,
    state: &'static str,
    pause: Option<String>,
    planned: Option<usize>,
    replaces: Option<usize>,
    counts: Option<Counts>,
    error: Option<String>,
}

pub(crate) fn list(
    (environment, config): (Option<&str>, Option<&Path>),
    limit: usize,
    output: Output,
) -> Result<Exit, CommandError> {
    let limits = HistoryLimits {
        redrives_max: limit,
        journals_max: JOURNALS_MAX,
        within: READ_LIMIT,
    };
    let is_wanted = |past: &PastRedrive| match (&past.summary, environment) {
        (Ok(summary), Some(name)) => summary.environment == name,
        (Ok(_) | Err(_), _) => true,
    };
    let folder = Journal::folder_of_user()?;
    let history = HistoryReader::default().history(&folder, limits, is_wanted)?;
    let mut pipelines = Pipelines {
        config,
        queue_urls: HashMap::new(),
    };
    let redrives = history.redrives.iter();
    let rows: Vec<_> = redrives
        .map(|past| (past, pipelines.pipeline_of(past)))
        .collect();
    if output.is_json() {
        let listed: Vec<_> = rows
            .iter()
            .map(|(past, same)| listed(past, *same))
            .collect();
        output.json(&listed)?;
    } else if rows.is_empty() {
        output.note("no redrive was started on this machine");
    } else {
        output.table(&table(&rows))?;
    }
    if history.is_truncated {
        output.note("older journals were not read");
    }
    Ok(Exit::Done)
}

fn listed<'a>(past: &'a PastRedrive, pipeline: Option<&'static str>) -> ListedJson<'a> {
    let summary = past.summary.as_ref();
    let known: Option<&Summary> = summary.ok();
    ListedJson {
        id: past.id,
        kind: known.map(|summary| summary.kind),
        environment: known.map(|summary| summary.environment.as_str()),
        pipeline,
        created_at: known.map(|summary| summary.created_at),
        state: past.status().as_str(),
        pause: past.pause.as_ref().map(ToString::to_string),
        planned: known.map(|summary| summary.planned),
        replaces: known.and_then(|summary| summary.replaces),
        counts: known.map(|summary| summary.counts),
        error: summary.err().map(ToString::to_string),
    }
}

fn table(rows: &[(&PastRedrive, Option<&'static str>)]) -> Table {
    let mut table = Table::new(&[
        ("ID", Align::Left, Keep::Always),
        ("KIND", Align::Left, Keep::Drop(9)),
        ("STATE", Align::Left, Keep::Always),
        ("ENVIRONMENT", Align::Left, Keep::Drop(6)),
        ("PIPELINE", Align::Left, Keep::Drop(1)),
        ("PLANNED AT", Align::Left, Keep::Drop(7)),
        ("MESSAGES", Align::Right, Keep::Always),
        ("MOVED", Align::Right, Keep::Always),
        ("UNCONFIRMED", Align::Right, Keep::Drop(3)),
        ("NOT MOVED", Align::Right, Keep::Drop(2)),
        ("STORED", Align::Right, Keep::Drop(4)),
        ("FAILED AGAIN", Align::Right, Keep::Drop(5)),
        ("NOT SENT", Align::Right, Keep::Drop(8)),
    ]);
    for (past, pipeline) in rows {
        let summary = past.summary.as_ref().ok();
        let number = |of: fn(&Summary) -> usize| {
            summary.map_or("-".to_owned(), |summary| of(summary).to_string())
        };
        table.row([
            &past.id.to_string(),
            summary.map_or("-", kind_in_words),
            past.status().as_str(),
            summary.map_or("-", |summary| &summary.environment),
            pipeline.unwrap_or("-"),
            &summary.map_or("-".to_owned(), |summary| moment(summary.created_at)),
            &number(|summary| summary.planned),
            &number(|summary| summary.counts.moved),
            &number(|summary| unconfirmed(&summary.counts)),
            &number(|summary| not_moved(summary.planned, &summary.counts)),
            &known(summary.and_then(|summary| summary.counts.stored())),
            &known(summary.and_then(|summary| summary.counts.dead_again())),
            &summary.map_or("-".to_owned(), |summary| {
                not_sent(summary.counts, past.is_running).0.to_string()
            }),
        ]);
    }
    table
}

/// Messages of which it is not known whether they left the queue: the journal has no confirmation.
const fn unconfirmed(counts: &Counts) -> usize {
    counts.sent_not_deleted + counts.unknown + counts.intended
}

/// Messages that are surely where they were.
const fn not_moved(planned: usize, counts: &Counts) -> usize {
    planned.saturating_sub(counts.moved + unconfirmed(counts))
}

/// A replay that replaces records destroys them: it is told apart.
fn kind_in_words(summary: &Summary) -> &'static str {
    match summary.replaces {
        Some(1..) if summary.kind == Kind::Replay => "replacement",
        Some(_) | None => summary.kind.as_str(),
    }
}

#[derive(Serialize)]
struct ReportJson {
    #[serde(flatten)]
    report: Report,
    /// Messages that replace a record.
    replaces: usize,
    /// Of these, messages of which that was proved; null where it was not looked up.
    replaced: Option<usize>,
    state: &'static str,
    pause: Option<String>,
}

pub(crate) fn report(id: Uuid, output: Output) -> Result<Exit, CommandError> {
    let path = journal(id)?;
    let past = PastRedrive::read(id, &Journal::folder_of_user()?);
    let state = past.status().as_str();
    let report = Report::of(&Journal::read(&path)?);
    if output.is_json() {
        output.json(&ReportJson {
            replaces: report.replacing(),
            replaced: report.counts.stored().map(|_| report.replaced()),
            report,
            state,
            pause: past.pause.as_ref().map(ToString::to_string),
        })?;
        return Ok(Exit::Done);
    }
    let text = head(&report, &past);
    output.text(&text)?;
    output.table(&messages(&report.messages, past.is_running))?;
    Ok(Exit::Done)
}

/// What a report says before its messages.
fn head(report: &Report, past: &PastRedrive) -> String {
    let counts = report.counts;
    let (not_sent, waiting) = not_sent(counts, past.is_running);
    let mut text = String::new();
    for (name, value) in [
        (report.kind.as_str(), report.id.to_string()),
        ("environment", report.environment.clone()),
        ("planned at", moment(report.created_at)),
        ("state", past.status().as_str().to_owned()),
        (
            "paused",
            past.pause
                .as_ref()
                .map_or_else(|| "no".to_owned(), |pause| pause.to_string()),
        ),
        ("messages", report.planned.to_string()),
        (
            match report.kind {
                Kind::Redrive => "moved",
                Kind::Replay => "published",
            },
            counts.moved.to_string(),
        ),
        ("unconfirmed", counts.sent_not_deleted.to_string()),
        ("unknown", (counts.unknown + counts.intended).to_string()),
        ("not sent", not_sent.to_string()),
        ("waiting", waiting.to_string()),
        (
            "stored",
            looked_up(counts.stored()) + &as_duplicates(counts.stored().map(|_| counts.duplicates)),
        ),
        ("failed again", looked_up(counts.dead_again())),
    ] {
        text.push_str(&format!("{name:<14}{}\n", printable(&value)));
    }
    let replacing = report.replacing();
    if replacing > 0 {
        let records = in_words(replacing as u64, "record");
        let replaced = match counts.stored() {
            Some(_) => format!("{} of {records}", report.replaced()),
            None => format!("{records} to be replaced; not looked up"),
        };
        text.push_str(&format!("{:<14}{replaced}\n", "replaced"));
    }
    text
}

/// Messages that are not sent, and those that wait for it: nothing waits where nothing runs.
const fn not_sent(counts: Counts, is_running: bool) -> (usize, usize) {
    if is_running {
        (counts.not_sent, counts.waiting)
    } else {
        (counts.not_sent + counts.waiting, 0)
    }
}

/// A number that is not known everywhere.
fn known(number: Option<usize>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

fn looked_up(number: Option<usize>) -> String {
    number.map_or_else(|| "not looked up".to_owned(), |number| number.to_string())
}

fn messages(messages: &[MessageReport], is_running: bool) -> Table {
    let mut table = Table::new(&[
        ("MESSAGE ID", Align::Left, Keep::Always),
        ("OUTCOME", Align::Left, Keep::Always),
        ("EVENT", Align::Left, Keep::Cut),
        ("CAUSE", Align::Left, Keep::Cut),
    ]);
    for message in messages {
        let outcome = match message.outcome {
            MessageOutcome::Waiting if is_running => "waiting",
            MessageOutcome::Waiting | MessageOutcome::NotSent => "not-sent",
            MessageOutcome::Unknown => "unknown",
            MessageOutcome::SentNotDeleted => "sent-not-deleted",
            MessageOutcome::Moved => "moved",
            MessageOutcome::Published => "published",
        };
        let proof = match &message.proof {
            None => "-".to_owned(),
            Some(Proof::Stored { record_id }) => format!("stored as record {record_id}"),
            Some(Proof::AlreadyStored {
                record_id,
                duplicate_of: None,
            }) => format!("was stored as record {record_id}"),
            Some(Proof::AlreadyStored {
                record_id,
                duplicate_of: Some(other),
            }) => format!("duplicate of {other}, stored as record {record_id}"),
            Some(Proof::DeadAgain { message_id, reason }) => format!(
                "failed again as {message_id}: {}",
                reason.as_deref().unwrap_or("without a reason")
            ),
        };
        let cause = match (message.outcome, message.cause.as_deref()) {
            (_, Some(cause)) => cause,
            (MessageOutcome::Waiting, None) if !is_running => "not tried",
            (_, None) => "-",
        };
        table.row([&message.message_id, outcome, &proof, cause]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use redrive::fact::Ending;

    /// A killed process had sent 88 and had the confirmation of 80 deletions.
    #[test]
    fn message_without_a_confirmation_counts_neither_as_moved_nor_as_not_moved() {
        let counts = Counts {
            moved: 80,
            sent_not_deleted: 6,
            unknown: 1,
            intended: 1,
            waiting: 89,
            ..Counts::default()
        };
        assert_eq!(unconfirmed(&counts), 8);
        assert_eq!(not_moved(177, &counts), 89);
    }

    fn ended(counts: Counts) -> (Report, PastRedrive) {
        let report = Report {
            id: Uuid::nil(),
            created_at: DateTime::UNIX_EPOCH,
            environment: "demo".to_owned(),
            kind: Kind::Redrive,
            planned: 12,
            counts,
            ending: Some(Ending::Cancelled),
            messages: vec![MessageReport {
                replaces: None,
                message_id: "m".to_owned(),
                outcome: MessageOutcome::Waiting,
                cause: None,
                sent_message_id: None,
                is_being_sent: false,
                event: None,
                proof: None,
            }],
        };
        let past = PastRedrive {
            id: Uuid::nil(),
            journal: "m.journal".into(),
            summary: Ok(Summary {
                environment: "demo".to_owned(),
                dead_letter_queue_url: String::new(),
                created_at: DateTime::UNIX_EPOCH,
                kind: Kind::Redrive,
                planned: 12,
                skipped: 0,
                edited: 0,
                canary_steps: Vec::new(),
                counts,
                replaces: Some(0),
                ending: Some(Ending::Cancelled),
            }),
            is_running: false,
            pause: None,
        };
        (report, past)
    }

    fn shown(text: &str, name: &str) -> String {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().to_owned()
    }

    #[test]
    fn what_an_ended_redrive_did_not_try_is_not_sent() {
        let counts = Counts {
            moved: 1,
            not_sent: 1,
            waiting: 10,
            ..Counts::default()
        };
        let (report, mut past) = ended(counts);
        let of = |text: &str| (shown(text, "not sent"), shown(text, "waiting"));
        let two = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(of(&head(&report, &past)), two("11", "0"));
        let not_sent = format!("{:?}", messages(&report.messages, false));
        assert!(not_sent.contains("not-sent"), "{not_sent}");
        let list = format!("{:?}", table(&[(&past, None)]));
        assert!(list.contains("\"11\""), "{list}");
        past.is_running = true;
        assert_eq!(of(&head(&report, &past)), two("1", "10"));
    }

    #[test]
    fn where_every_event_was_proved_the_report_has_a_number_for_each_outcome() {
        let text = |stored, dead_again| {
            let counts = Counts {
                moved: 12,
                stored,
                dead_again,
                ..Counts::default()
            };
            let (report, past) = ended(counts);
            let text = head(&report, &past);
            (shown(&text, "stored"), shown(&text, "failed again"))
        };
        assert_eq!(text(12, 0), ("12".to_owned(), "0".to_owned()));
        assert_eq!(text(0, 12), ("0".to_owned(), "12".to_owned()));
        assert_eq!(text(11, 0), ("11".to_owned(), "not looked up".to_owned()));
    }

    #[test]
    fn replay_that_replaces_records_is_told_apart() {
        let (mut report, mut past) = ended(Counts {
            moved: 1,
            stored: 1,
            ..Counts::default()
        });
        let kind = |past: &PastRedrive| kind_in_words(past.summary.as_ref().unwrap());
        assert_eq!(kind(&past), "redrive");
        assert!(!head(&report, &past).contains("replaced"));
        let summary = past.summary.as_mut().unwrap();
        (summary.kind, summary.replaces) = (Kind::Replay, Some(12));
        assert_eq!(kind(&past), "replacement");
        assert_eq!(listed(&past, None).replaces, Some(12));
        report.messages[0].replaces = Some(event::RecordId(7));
        assert_eq!(shown(&head(&report, &past), "replaced"), "0 of 1 record");
        report.messages[0].proof = Some(Proof::Stored {
            record_id: event::RecordId(8),
        });
        assert_eq!(shown(&head(&report, &past), "replaced"), "1 of 1 record");
        report.counts = Counts::default();
        let unknown = "1 record to be replaced; not looked up";
        assert_eq!(shown(&head(&report, &past), "replaced"), unknown);
    }

    #[test]
    fn duplicates_are_not_reported_as_newly_stored() {
        let (report, past) = ended(Counts {
            moved: 12,
            stored: 12,
            duplicates: 10,
            ..Counts::default()
        });
        let text = head(&report, &past);
        assert_eq!(shown(&text, "stored"), "12 (10 of them as duplicates)");
    }
}
