//! Rules that judge a pipeline by what was read of it once. The overview and `fleet status` use the same ones; what
//! needs several looks, such as a queue that grows, is the overview's own.
//!
//! Invariant: what was not read is not judged. Pure.

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;

use super::model::{ApiHealth, History, Point, QueueSettings, QueueSnapshot, RecordTotals};
use crate::text::{age_secs, clock, count, span_secs, whole};

/// A message older than this ages.
const AGE_WARNING_SECS: u64 = 60;
/// A message older than this is late.
const AGE_BAD_SECS: u64 = 300;
/// A metric older than this is not current: CloudWatch has the metrics of SQS within some minutes.
pub const METRIC_RECENT: Duration = Duration::seconds(300);
/// AWS Lambda developer guide, "Using Lambda with Amazon SQS": the queue's visibility timeout is to be at least six
/// times the function's timeout.
const VISIBILITY_PER_FUNCTION_TIMEOUT: u64 = 6;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something ages, or will fail.
    Warning,
    /// Time or data is being lost.
    Bad,
}

/// What an operator should attend to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, with its numbers.
    pub text: String,
    /// What to do about it.
    pub advice: String,
}

/// Age of the oldest message of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldestAge {
    /// The age.
    pub secs: u64,
    /// When it had that age; `None` where it was read with the queue.
    pub at: Option<DateTime<Utc>>,
}

impl OldestAge {
    /// The age, with its time where it is not that of the number beside it.
    #[must_use]
    pub fn text(self) -> String {
        let age = span_secs(self.secs);
        match self.at {
            Some(at) => format!("{age} at {}", clock(at)),
            None => age,
        }
    }
}

/// Dead letters, their age, and how many came in the time of the history, as text; `None` where there are none.
#[must_use]
pub fn dead_letters(
    queue: &QueueSnapshot,
    oldest: Option<OldestAge>,
    counted_at: DateTime<Utc>,
    history: Option<&History>,
) -> Option<String> {
    let number = queue.depth.total();
    if number == 0 {
        return None;
    }
    // Not the newest value of the history: it is of another time than the number.
    let grown = history.and_then(|history| {
        let first = history.dead_letters.first()?;
        let more = number.checked_sub(whole(first.value));
        // It is the mean of its period, so about that of its middle where they become more.
        let since = first.at + Duration::milliseconds(i64::from(history.period_secs) * 500);
        Some((more.filter(|more| *more > 0)?, since))
    });
    let trend = grown.map_or_else(String::new, |(more, since)| {
        let span = span_secs(age_secs(since, counted_at));
        format!(" · {} more in {span}", count(more))
    });
    let age = oldest.map_or_else(String::new, |age| format!(" · oldest {}", age.text()));
    Some(format!(
        "{} dead {} in {}{age}{trend}",
        count(number),
        if number == 1 { "letter" } else { "letters" },
        queue.settings.name,
    ))
}

/// How bad it is that the oldest message of the source queue has waited so long, and the text; `None` where it has
/// not, or where that is not known.
#[must_use]
pub fn oldest_message(
    queue: &QueueSnapshot,
    oldest: Option<OldestAge>,
) -> Option<(Severity, String)> {
    // The age is that of some minutes ago: a queue that is empty has no oldest message.
    let is_empty = queue.depth.visible + queue.depth.in_flight == 0;
    let age = oldest.filter(|age| age.secs > AGE_WARNING_SECS && !is_empty)?;
    let severity = if age.secs > AGE_BAD_SECS {
        Severity::Bad
    } else {
        Severity::Warning
    };
    let verb = if age.at.is_some() { "had" } else { "has" };
    let text = format!("the oldest message {verb} waited for {}", age.text());
    Some((severity, text))
}

/// Age of the oldest message by the newest value of a metric that was read at this time; `None` where that is old.
#[must_use]
pub fn newest_age(ages: &[Point], period_secs: u32, read_at: DateTime<Utc>) -> Option<OldestAge> {
    let newest = ages.last()?;
    let period = Duration::seconds(period_secs.into());
    let is_recent = read_at - newest.at <= METRIC_RECENT;
    (is_recent && newest.value >= 0.0).then(|| OldestAge {
        secs: whole(newest.value),
        at: Some((newest.at + period).min(read_at)),
    })
}

/// When the newest record came, by the clock of this machine, which read the totals at this time.
#[must_use]
pub fn newest_record(totals: &RecordTotals, read_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let age = totals.database_now - totals.last_ingested_at?;
    Some(read_at - age)
}

/// Whether by a history that was read at this time the newest batches of the ingest stored nothing and were reported
/// for retry, and no record came after their metrics began: then they are older.
#[must_use]
pub fn ingest_is_stuck(
    history: &History,
    read_at: DateTime<Utc>,
    newest_record: Option<DateTime<Utc>>,
) -> bool {
    let Some(ingest) = history.ingest.as_deref() else {
        return false;
    };
    let rates = ingest.recent(read_at, history.period_secs);
    let newest_batches = ingest.stored.last().map(|point| point.at);
    rates.is_some_and(|rates| rates.is_stuck)
        && (newest_record <= newest_batches || newest_batches.is_none())
}

/// The ingest that completes nothing.
#[must_use]
pub fn stuck_ingest() -> Finding {
    Finding {
        severity: Severity::Bad,
        text: "the ingest stores nothing: all messages of its newest batches were returned to the queue".to_owned(),
        advice: "check the database first, then the log of the ingest".to_owned(),
    }
}

/// What the answer of the API to `GET /health` says.
#[must_use]
pub fn api(health: &ApiHealth) -> Option<Finding> {
    (health.status != 200).then(|| Finding {
        severity: Severity::Bad,
        text: format!("the API answers GET /health with {}", health.status),
        advice: "usual cause: its database".to_owned(),
    })
}

/// What is wrong with the settings of the queues. The function's timeout is that of the environment's entry.
#[must_use]
pub fn settings(
    source: &QueueSettings,
    dead: Option<&QueueSettings>,
    function_timeout_secs: Option<u64>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(timeout) = function_timeout_secs
        && source.visibility_timeout_secs < VISIBILITY_PER_FUNCTION_TIMEOUT * timeout
    {
        findings.push(Finding {
            severity: Severity::Warning,
            text: format!(
                "visibility timeout {} s is below 6 × function timeout {timeout} s: duplicates \
                 under load",
                source.visibility_timeout_secs
            ),
            advice: "raise the queue's visibility timeout".to_owned(),
        });
    }
    if source.max_receive_count.is_none() {
        findings.push(Finding {
            severity: Severity::Bad,
            text: format!(
                "{} has no redrive policy: failing messages are retried until they expire",
                source.name
            ),
            advice: "add a dead-letter queue to the queue".to_owned(),
        });
    }
    if let Some(dead) = dead
        && dead.retention_secs <= source.retention_secs
    {
        findings.push(Finding {
            severity: Severity::Warning,
            text: format!(
                "{} keeps messages for {}, {} for {}: messages may expire on arrival",
                dead.name,
                span_secs(dead.retention_secs),
                source.name,
                span_secs(source.retention_secs)
            ),
            advice: "set a longer retention on the dead-letter queue".to_owned(),
        });
    }
    findings
}
