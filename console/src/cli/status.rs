//! `status`: shows every hop once.
//!
//! Invariant: a value that could not be read is null, never zero, and `errors` names it; `not_configured` has those
//! that the environment does not have, which is no failure. If `ingest` is null and not in `errors`, the ingest sent no metrics in the last minutes; its rates are null until they were
//! observed for long enough.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::causes::by_cause;
use super::table::{moment, time_delta};
use super::{CommandError, Exit, Session};
use crate::text::{clock, count, latency, short, span_secs};
use pipeline::model::{ApiHealth, QueueRole, QueueSnapshot, ReadPath, RecordTotals};
use pipeline::slo::ErrorBudget;
use pipeline::{
    INGEST_WINDOW, IngestRates, PipelineError, PipelineErrorKind, RaisedAlarm, printable,
};

#[derive(Debug, Serialize)]
struct Status {
    environment: String,
    queue: Option<Queue>,
    dead_letters: Option<DeadLetters>,
    records: Option<Records>,
    /// The way on which the records were read.
    reads: Option<ReadPath>,
    api: Option<Api>,
    ingest: Option<IngestRates>,
    /// What is left of the error budget of each objective.
    slo: Option<Vec<ErrorBudget>>,
    /// The alarms that are raised and have actions; an empty list where none is.
    alarms: Option<Vec<RaisedAlarm>>,
    /// Parts that the environment does not have; `errors` says what would add them.
    not_configured: Vec<&'static str>,
    errors: Vec<PartError>,
    #[serde(skip)]
    read_at: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
struct Queue {
    visible: u64,
    in_flight: u64,
    delayed: u64,
    #[serde(flatten)]
    oldest: Oldest,
}

#[derive(Debug, Serialize)]
struct DeadLetters {
    visible: u64,
    in_flight: u64,
    #[serde(flatten)]
    oldest: Oldest,
}

/// The greatest age of the oldest message in the newest period of its metric, and that period; null where the queue is
/// empty.
#[derive(Debug, Serialize)]
struct Oldest {
    oldest_age_secs: Option<u64>,
    oldest_age_since: Option<DateTime<Utc>>,
    oldest_age_until: Option<DateTime<Utc>>,
    #[serde(skip)]
    text: String,
}

#[derive(Debug, Serialize)]
struct Records {
    total: u64,
    total_is_estimate: bool,
    last_ingested_at: Option<DateTime<Utc>>,
    #[serde(skip)]
    database_now: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
struct Api {
    status: u16,
    latency_ms: f64,
}

#[derive(Debug, Serialize)]
struct PartError {
    part: &'static str,
    error: String,
    hint: String,
    #[serde(skip)]
    cause: String,
    #[serde(skip)]
    is_not_configured: bool,
    #[serde(skip)]
    is_unreachable: bool,
}

pub(super) async fn run(session: &Session) -> Result<Exit, CommandError> {
    let pipeline = &session.pipeline;
    let (queue, dead_letters, records, api, ingest, slo, alarms) = tokio::join!(
        pipeline.queue_snapshot(QueueRole::Source),
        pipeline.queue_snapshot(QueueRole::DeadLetter),
        pipeline.record_totals(),
        pipeline.api_health(),
        pipeline.ingest_rates(),
        pipeline.error_budgets(Utc::now()),
        pipeline.raised_alarms(),
    );
    let mut errors = Errors::default();
    let queue = errors.collect("queue", queue).map(Queue::from);
    let dead_letters = errors.collect("dead_letters", dead_letters);
    let dead_letters = dead_letters.map(DeadLetters::from);
    let reads = records.as_ref().ok().map(|totals| totals.read_path);
    let records = errors.collect("records", records).map(Records::from);
    if pipeline.environment().database_url.is_none() {
        errors.advise_on_api(api.as_ref().ok());
    }
    let status = Status {
        environment: pipeline.environment().name.clone(),
        queue,
        dead_letters,
        reads,
        records,
        api: errors.collect("api", api).map(Api::from),
        ingest: errors.collect("ingest", ingest).flatten(),
        slo: errors.collect("slo", slo),
        alarms: errors.collect("alarms", alarms),
        not_configured: errors.not_configured(),
        errors: errors.found,
        read_at: Utc::now(),
    };
    if session.output.is_json() {
        session.output.json(&status)?;
    } else {
        session.output.text(&status.lines())?;
        for fault in status.faults() {
            session.output.note(&fault);
        }
    }
    Ok(errors.exit)
}

/// The errors of all parts; the worst determines the exit code.
struct Errors {
    found: Vec<PartError>,
    exit: Exit,
}

impl Default for Errors {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            exit: Exit::Done,
        }
    }
}

impl Errors {
    fn collect<T>(&mut self, part: &'static str, result: Result<T, PipelineError>) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let is_not_configured = error.kind == PipelineErrorKind::NotConfigured;
        if !is_not_configured {
            self.exit = self.exit.max(Exit::of(error.kind));
        }
        self.found.push(PartError {
            part,
            is_not_configured,
            is_unreachable: error.is_unreachable(),
            hint: error.hint(),
            error: error.to_string(),
            cause: error.cause,
        });
        None
    }

    /// Where the API answers its health check, it runs and can be reached: what it asks for the records does not answer
    /// in time.
    fn advise_on_api(&mut self, health: Option<&ApiHealth>) {
        if health.is_none_or(|health| health.status != 200) {
            return;
        }
        let is_it = |error: &&mut PartError| error.part == "records" && error.is_unreachable;
        for error in self.found.iter_mut().filter(is_it) {
            error.hint =
                "the API answered GET /health: check its database and its time limit".to_owned();
        }
    }

    fn not_configured(&self) -> Vec<&'static str> {
        let absent = self.found.iter().filter(|error| error.is_not_configured);
        absent.map(|error| error.part).collect()
    }
}

impl From<QueueSnapshot> for Queue {
    fn from(snapshot: QueueSnapshot) -> Self {
        Self {
            visible: snapshot.depth.visible,
            in_flight: snapshot.depth.in_flight,
            delayed: snapshot.depth.delayed,
            oldest: Oldest::of(&snapshot),
        }
    }
}

impl From<QueueSnapshot> for DeadLetters {
    fn from(snapshot: QueueSnapshot) -> Self {
        Self {
            visible: snapshot.depth.visible,
            in_flight: snapshot.depth.in_flight,
            oldest: Oldest::of(&snapshot),
        }
    }
}

impl From<RecordTotals> for Records {
    fn from(totals: RecordTotals) -> Self {
        Self {
            total: totals.total,
            total_is_estimate: totals.total_is_estimate,
            last_ingested_at: totals.last_ingested_at,
            database_now: totals.database_now,
        }
    }
}

impl From<ApiHealth> for Api {
    fn from(health: ApiHealth) -> Self {
        Self {
            status: health.status,
            latency_ms: milliseconds(health.latency),
        }
    }
}

impl Oldest {
    fn of(snapshot: &QueueSnapshot) -> Self {
        let has_messages = snapshot.depth.total() > 0;
        let age = snapshot.oldest.filter(|_| has_messages);
        Self {
            oldest_age_secs: age.map(|age| age.secs),
            oldest_age_since: age.map(|age| age.since),
            oldest_age_until: age.map(|age| age.until),
            text: match age {
                Some(age) => format!(", oldest {} UTC", age.in_words()),
                None if has_messages => ", age unknown".to_owned(),
                None => String::new(),
            },
        }
    }
}

/// Milliseconds with one decimal.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

impl Status {
    fn lines(&self) -> String {
        let queue = self.queue.as_ref().map(|queue| {
            format!(
                "{} visible, {} in flight, {} delayed{}",
                count(queue.visible),
                count(queue.in_flight),
                count(queue.delayed),
                queue.oldest.text
            )
        });
        let dead_letters = self.dead_letters.as_ref().map(|messages| {
            format!(
                "{} visible, {} in flight{}",
                count(messages.visible),
                count(messages.in_flight),
                messages.oldest.text
            )
        });
        let records = self
            .records
            .as_ref()
            .map(|records| format!("{}{}", records.line(), by(self.reads)));
        let api = self
            .api
            .as_ref()
            .map(|api| format!("{} in {} ms", api.status, api.latency_ms));
        let ingest = match &self.ingest {
            Some(rates) => Some(ingest_line(rates, self.read_at)),
            None => (!self.errors.iter().any(|error| error.part == "ingest")).then(|| {
                let window = span_secs(INGEST_WINDOW.as_secs());
                format!("no metrics in the last {window}")
            }),
        };
        let parts = [
            ("queue", "queue", queue),
            ("dead letters", "dead_letters", dead_letters),
            ("records", "records", records),
            ("api", "api", api),
            ("ingest", "ingest", ingest),
        ];
        let mut text = format!("{:<14}{}\n", "environment", printable(&self.environment));
        for (name, part, value) in parts {
            let value = value.unwrap_or_else(|| self.unknown(part));
            text.push_str(&format!("{name:<14}{value}\n"));
        }
        text.push_str(&match &self.slo {
            Some(budgets) => budget_lines(budgets),
            None => format!("{:<14}{}\n", "error budget", self.unknown("slo")),
        });
        text.push_str(&match &self.alarms {
            Some(alarms) => alarm_lines(alarms),
            None => format!("{:<14}{}\n", "alarms", self.unknown("alarms")),
        });
        text
    }

    /// What could not be read, with the next step. One cause is told once, with what else it keeps from being read.
    fn faults(&self) -> Vec<String> {
        let errors = self.errors.iter().filter(|error| !error.is_not_configured);
        by_cause(errors, |error| (error.cause.as_str(), error.hint.as_str()))
            .iter()
            .filter_map(|errors| {
                let (first, others) = errors.split_first()?;
                let others: Vec<&str> = others.iter().map(|error| in_words(error.part)).collect();
                let also = match &*others {
                    [] => String::new(),
                    others => format!("; the same for {}", others.join(", ")),
                };
                Some(format!("{}{also}\n  {}", first.error, first.hint))
            })
            .collect()
    }

    /// `unknown`, or `not configured` with what would add it.
    fn unknown(&self, part: &str) -> String {
        let mut errors = self.errors.iter();
        match errors.find(|error| error.part == part && error.is_not_configured) {
            Some(error) => format!("not configured: {}", printable(&error.hint)),
            None => "unknown".to_owned(),
        }
    }
}

/// A part as the text names it.
fn in_words(part: &str) -> &str {
    match part {
        "dead_letters" => "dead letters",
        "slo" => "error budget",
        other => other,
    }
}

/// A line for each objective.
fn budget_lines(budgets: &[ErrorBudget]) -> String {
    let heads = std::iter::once("error budget").chain(std::iter::repeat(""));
    let lines = heads.zip(budgets).map(|(head, budget)| {
        format!(
            "{head:<14}{:<18}{} of {} days at {} % {}\n",
            budget.objective.name(),
            budget.left_in_words(),
            budget.window_days,
            budget.objective_percent,
            budget.objective.promise(),
        )
    });
    lines.collect()
}

/// Two lines for each raised alarm.
fn alarm_lines(alarms: &[RaisedAlarm]) -> String {
    let silenced = alarms.iter().filter(|alarm| alarm.silenced).count();
    let count = match (alarms.len(), silenced) {
        (0, _) => "none raised".to_owned(),
        (raised, 0) => format!("{raised} raised"),
        (raised, silenced) => format!("{raised} raised, {silenced} silenced"),
    };
    let mut text = format!("{:<14}{count}\n", "alarms");
    for alarm in alarms {
        let since = alarm
            .since
            .map_or_else(String::new, |since| format!(" since {}", moment(since)));
        let place = alarm.what_to_do.as_deref();
        let place = place.unwrap_or("its description does not say");
        let silenced = match alarm.silenced {
            true => ", silenced: its actions are disabled",
            false => "",
        };
        text.push_str(&format!(
            "  {}{since}{silenced}: {}\n    what to do: {place}\n",
            alarm.name, alarm.reason
        ));
    }
    text
}

impl Records {
    fn line(&self) -> String {
        let about = if self.total_is_estimate { "about " } else { "" };
        let newest = match self.last_ingested_at {
            Some(at) => format!(
                ", newest {} ({} ago)",
                moment(at),
                time_delta(self.database_now - at)
            ),
            None => ", none yet".to_owned(),
        };
        format!("{about}{}{newest}", count(self.total))
    }
}

/// ` by the API`, where they are not read from the database itself.
fn by(reads: Option<ReadPath>) -> &'static str {
    match reads {
        Some(ReadPath::Api) => ", read by the API",
        Some(ReadPath::Database) | None => "",
    }
}

fn ingest_line(rates: &IngestRates, now: DateTime<Utc>) -> String {
    let lag = match (rates.lag_p50_ms, rates.lag_max_ms) {
        (Some(p50), Some(max)) => {
            let [p50, max] = [p50, max].map(|ms| latency(Duration::from_millis(ms)));
            let window = span_secs(INGEST_WINDOW.as_secs());
            format!("lag p50 {p50}, max {max} in the last {window}")
        }
        _ => "no lag, because nothing was stored".to_owned(),
    };
    let mut line = format!("{lag}; {}", per_minute(rates, now));
    if rates.is_stuck {
        line.push_str("; the newest batches stored nothing");
    }
    line
}

/// The rates with the time that they are of: without newer batches it does not move.
fn per_minute(rates: &IngestRates, now: DateTime<Utc>) -> String {
    let (Some(stored), Some(duplicates), Some(retried)) = (
        rates.stored_per_minute,
        rates.duplicates_per_minute,
        rates.retried_per_minute,
    ) else {
        return "rates unknown, because it was observed for too short a time".to_owned();
    };
    let mut text = format!(
        "per minute {} stored, {} as duplicates, {} for retry",
        short(stored),
        short(duplicates),
        short(retried)
    );
    for (code, per_minute) in rates.failures_per_minute.iter().flatten() {
        text.push_str(&format!(", {} {code}", short(*per_minute)));
    }
    if let (Some(secs), Some(until)) = (rates.window_secs, rates.window_until) {
        text.push_str(&format!(
            ", in {} up to {} UTC, {} ago",
            span_secs(secs),
            clock(until),
            time_delta(now - until)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(window: Option<u64>) -> IngestRates {
        let rate = window.map(|_| 1_104.0);
        IngestRates {
            window_secs: window,
            window_until: window.and_then(|_| DateTime::from_timestamp(1_795_000_000, 0)),
            is_stuck: false,
            lag_p50_ms: Some(40),
            lag_max_ms: Some(900),
            stored_per_minute: rate,
            duplicates_per_minute: rate.map(|_| 0.0),
            expired_per_minute: rate.map(|_| 0.0),
            retried_per_minute: rate.map(|_| 0.0),
            failures_per_minute: rate.map(|_| Default::default()),
        }
    }

    #[test]
    fn rates_are_shown_with_the_time_that_they_are_of() {
        let now = DateTime::from_timestamp(1_795_000_095, 0).unwrap();
        let line = ingest_line(&rates(Some(180)), now);
        let window = "1,104 stored, 0 as duplicates, 0 for retry, in 3 min up to 11:06:40 UTC, 1 min 35 s ago";
        assert!(line.ends_with(window), "{line}");
        let lag = "lag p50 40 ms, max 900 ms in the last 3 min; per minute";
        assert!(line.starts_with(lag), "{line}");
        assert!(ingest_line(&rates(None), now).contains("rates unknown"));
    }

    #[test]
    fn age_of_the_oldest_message_has_its_time_and_an_empty_queue_has_none() {
        let until = DateTime::from_timestamp(1_795_000_020, 0).unwrap();
        let age = pipeline::oldest_age::OldestAge {
            secs: 71,
            grown_secs: 0,
            is_bound: true,
            since: until - chrono::Duration::seconds(60),
            until,
        };
        let queue = |visible, oldest| {
            Queue::from(QueueSnapshot {
                depth: pipeline::model::QueueDepth {
                    visible,
                    in_flight: 0,
                    delayed: 0,
                },
                oldest,
                settings: pipeline::model::QueueSettings {
                    name: "events-queue".to_owned(),
                    visibility_timeout_secs: 60,
                    retention_secs: 345_600,
                    max_receive_count: Some(3),
                },
            })
        };
        let known = queue(3, Some(age));
        assert_eq!(known.oldest.text, ", oldest up to 1 min 11 s at 11:06 UTC");
        let json = serde_json::to_value(&known).unwrap();
        assert_eq!(json["oldest_age_secs"], 71);
        assert_eq!(json["oldest_age_since"], "2026-11-18T11:06:00Z");
        assert_eq!(json["oldest_age_until"], "2026-11-18T11:07:00Z");
        assert_eq!(queue(3, None).oldest.text, ", age unknown");
        let empty = queue(0, Some(age));
        assert_eq!(empty.oldest.text, "");
        assert_eq!(empty.oldest.oldest_age_secs, None);
    }

    #[test]
    fn api_that_answers_its_health_check_is_not_to_be_started() {
        let advice = |part, is_unreachable, status| {
            let mut errors = Errors::default();
            errors.found.push(PartError {
                part,
                error: "count the records: no answer in time".to_owned(),
                hint: "check that it is running".to_owned(),
                cause: String::new(),
                is_not_configured: false,
                is_unreachable,
            });
            let health = ApiHealth {
                status,
                latency: Duration::from_millis(9),
            };
            errors.advise_on_api(Some(&health));
            errors.advise_on_api(None);
            errors.found.remove(0).hint
        };
        let running = "the API answered GET /health: check its database and its time limit";
        assert_eq!(advice("records", true, 200), running);
        for (part, is_unreachable, status) in [
            ("records", true, 503),
            ("records", false, 200),
            ("queue", true, 200),
        ] {
            let hint = advice(part, is_unreachable, status);
            assert_eq!(hint, "check that it is running", "{part} {status}");
        }
    }

    #[test]
    fn part_that_is_not_configured_is_no_failure_and_says_what_would_add_it() {
        let absent = PipelineError::not_configured("read", "no API".to_owned(), "add api_url");
        let mut errors = Errors::default();
        assert_eq!(errors.collect::<()>("api", Err(absent)), None);
        assert_eq!(errors.exit, Exit::Done);
        let status = Status {
            environment: "demo".to_owned(),
            queue: None,
            dead_letters: None,
            records: None,
            reads: None,
            api: None,
            ingest: None,
            slo: None,
            alarms: None,
            not_configured: errors.not_configured(),
            errors: errors.found,
            read_at: DateTime::UNIX_EPOCH,
        };
        let lines = status.lines();
        assert!(
            lines.contains("api           not configured: add api_url\n"),
            "{lines}"
        );
        assert!(lines.contains("queue         unknown\n"), "{lines}");
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(json["not_configured"], serde_json::json!(["api"]));
        assert_eq!(json["errors"][0]["part"], "api");
    }
}
