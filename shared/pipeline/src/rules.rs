//! Rules that judge a pipeline by what was read of it once. The overview, `fleet status` and `lint` use the same ones;
//! what needs several looks, such as a queue that grows, is the overview's own.
//!
//! Invariant: what was not read is not judged. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::model::{
    ApiHealth, History, QueueSettings, QueueSnapshot, RecordTotals, observed_whole,
};
pub use super::oldest_age::METRIC_RECENT;
use super::oldest_age::OldestAge;
use crate::text::{clock, count, span_secs, whole};

/// Seconds: a message older than this ages.
pub const AGE_WARNING_SECS: u64 = 60;
/// Seconds: a message older than this is late.
pub const AGE_BAD_SECS: u64 = 300;
/// AWS Lambda developer guide, "Using Lambda with Amazon SQS": the queue's visibility timeout is to be at least six
/// times the function's timeout, and the batching window.
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
    let trend = history.and_then(|history| trend(number, counted_at, history));
    let trend = trend.map_or_else(String::new, |trend| format!(" · {trend}"));
    let age = oldest.map_or_else(String::new, |age| {
        format!(" · oldest {}", age.in_words_to_the_minute())
    });
    Some(format!(
        "{} dead {} in {}{age}{trend}",
        count(number),
        if number == 1 { "letter" } else { "letters" },
        queue.settings.name,
    ))
}

/// How many more dead letters there are than the average of the first period of the history that was observed whole:
/// the metric may have begun at any time of the one before.
fn trend(number: u64, counted_at: DateTime<Utc>, history: &History) -> Option<String> {
    // Not the newest value of the history: it is of another time than the number.
    let first = observed_whole(&history.dead_letters, history.period_secs, counted_at).next()?;
    let more = number.checked_sub(whole(first.value))?;
    (more > 0).then(|| {
        // Some may have been deleted meanwhile: it is a difference, and no number of those that came.
        let period = if history.period_secs.is_multiple_of(60) {
            format!("at {}", first.at.format("%H:%M"))
        } else {
            let end = first.at + TimeDelta::seconds(history.period_secs.into());
            format!("in {}–{}", clock(first.at), clock(end))
        };
        format!("about {} more than {period}", count(more))
    })
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
    let text = format!(
        "the oldest message had waited for {}",
        age.in_words_to_the_minute()
    );
    Some((severity, text))
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
        advice: match health.status {
            500.. => "usual cause: its database",
            404 => "no such API is there: check api_url in the environment's entry",
            401 | 403 => "these credentials may not call it, or api_url leads elsewhere",
            _ => "check that api_url leads to the API of this pipeline",
        }
        .to_owned(),
    })
}

/// A visibility timeout that is too short: how bad that is, and the shortest that is not.
#[must_use]
pub fn short_visibility(
    visibility_timeout_secs: u64,
    function_timeout_secs: u64,
    batching_window_secs: u64,
) -> Option<(Severity, u64)> {
    let per_timeout = VISIBILITY_PER_FUNCTION_TIMEOUT.saturating_mul(function_timeout_secs);
    let wanted = per_timeout.saturating_add(batching_window_secs);
    // Below the timeout itself, every slow batch is delivered again while it is being stored.
    let severity = if visibility_timeout_secs < function_timeout_secs {
        Severity::Bad
    } else {
        Severity::Warning
    };
    (visibility_timeout_secs < wanted).then_some((severity, wanted))
}

/// Whether a message may expire as soon as it becomes a dead letter, which loses it.
#[must_use]
pub const fn may_expire_on_arrival(
    dead_letter_retention_secs: u64,
    queue_retention_secs: u64,
) -> bool {
    dead_letter_retention_secs <= queue_retention_secs
}

/// How long the oldest dead letter is kept still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLeft {
    /// If it had waited in the queue for as long as that keeps messages; `None` where the queue was not read.
    pub least_secs: Option<u64>,
    /// If it had not waited.
    pub most_secs: u64,
}

impl TimeLeft {
    /// Of a dead letter of this age: the metric counts from its move, and SQS deletes it by its first send (Amazon SQS
    /// Developer Guide, "Using dead-letter queues in Amazon SQS", "Understanding message retention periods for
    /// dead-letter queues").
    #[must_use]
    pub fn of_dead_letter(
        age_secs: u64,
        dead_letter_retention_secs: u64,
        queue_retention_secs: Option<u64>,
    ) -> Self {
        let most_secs = dead_letter_retention_secs.saturating_sub(age_secs);
        Self {
            least_secs: queue_retention_secs.map(|waited| most_secs.saturating_sub(waited)),
            most_secs,
        }
    }

    /// `in 2 d or later`: where the oldest one may be gone, the next may have come at any time since.
    #[must_use]
    pub fn text_at_least(self) -> Option<String> {
        let least = self.least_secs?;
        Some(format!("in {} or later", span_secs(least)))
    }

    /// `in 2 d to 6 d`
    #[must_use]
    pub fn text(self) -> String {
        let most = span_secs(self.most_secs);
        match self.least_secs {
            Some(least) if least == self.most_secs => format!("in {most}"),
            Some(least) => format!("in {} to {most}", span_secs(least)),
            None => format!("within {most}"),
        }
    }
}

/// What is wrong with the settings of the queues. The batching window is not read, so it counts as none. The function's timeout is that of the environment's entry.
#[must_use]
pub fn settings(
    source: &QueueSettings,
    dead: Option<&QueueSettings>,
    function_timeout_secs: Option<u64>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(timeout) = function_timeout_secs
        && let Some((severity, _)) = short_visibility(source.visibility_timeout_secs, timeout, 0)
    {
        findings.push(Finding {
            severity,
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
        && may_expire_on_arrival(dead.retention_secs, source.retention_secs)
    {
        findings.push(Finding {
            severity: Severity::Bad,
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

#[cfg(test)]
mod tests {

    use super::*;
    use crate::model::Point;

    fn settings_of(visibility_timeout_secs: u64, retention_secs: u64) -> QueueSettings {
        QueueSettings {
            name: "q".to_owned(),
            visibility_timeout_secs,
            retention_secs,
            max_receive_count: Some(5),
        }
    }

    #[test]
    fn settings_are_as_bad_on_the_overview_as_in_a_lint() {
        for (visibility, dead_retention, expected) in [
            (60, 101, &[][..]),
            (59, 101, &[Severity::Warning]),
            (9, 101, &[Severity::Bad]),
            (60, 100, &[Severity::Bad]),
        ] {
            let source = settings_of(visibility, 100);
            let dead = settings_of(30, dead_retention);
            let found = settings(&source, Some(&dead), Some(10));
            let severities: Vec<Severity> = found.iter().map(|one| one.severity).collect();
            assert_eq!(severities, expected, "{visibility} {dead_retention}");
        }
        assert_eq!(short_visibility(61, 10, 1), None);
        let short = short_visibility(60, 10, 1);
        assert_eq!(short, Some((Severity::Warning, 61)));
    }

    #[test]
    fn dead_letter_expires_by_its_first_send_which_its_age_does_not_say() {
        let day = 86_400;
        let left = |queue| TimeLeft::of_dead_letter(5 * day, 14 * day, queue);
        assert_eq!(left(Some(4 * day)).text(), "in 5 d to 9 d");
        assert_eq!(left(None).text(), "within 9 d");
        assert_eq!(left(Some(14 * day)).least_secs, Some(0));
        let late = TimeLeft::of_dead_letter(15 * day, 14 * day, Some(4 * day));
        assert_eq!(late.text(), "in 0 s");
    }

    #[test]
    fn database_is_suspected_only_where_the_api_itself_failed() {
        let advice = |status| {
            let health = ApiHealth {
                status,
                latency: std::time::Duration::ZERO,
            };
            api(&health).map(|finding| finding.advice)
        };
        assert_eq!(advice(200), None);
        assert!(advice(503).unwrap().contains("its database"));
        assert!(advice(404).unwrap().contains("check api_url"));
        assert!(advice(403).unwrap().contains("credentials"));
    }

    /// Six periods, each with one dead letter more, of which the second is the first that was observed whole.
    #[test]
    fn trend_is_the_difference_to_a_time_that_is_known_to_the_period() {
        let start = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let trend = |period_secs: u32| {
            let begin = |number: u32| start + TimeDelta::seconds((number * period_secs).into());
            let point = |number| Point {
                at: begin(number),
                value: number.into(),
            };
            let history = History {
                period_secs,
                dead_letters: (0..6).map(point).collect(),
                ..History::default()
            };
            trend(9, begin(6), &history).unwrap()
        };
        assert_eq!(trend(10), "about 8 more than in 11:06:50–11:07:00");
        assert_eq!(trend(60), "about 8 more than at 11:07");
    }
}
