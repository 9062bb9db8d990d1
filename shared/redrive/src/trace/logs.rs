//! What the ingest logged about one event.
//!
//! Invariant: a line is of the event only where a dead letter names its request; a batch that was being handled when the
//! event was stored is said to be that and no more, because the ingest logs no ids of events or messages.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use pipeline::environment::Environment;
use pipeline::logs::{LineKind, LogFunction, LogLevel, LogLine, LogRead, LogTail};
use pipeline::{Pipeline, PipelineError, PipelineErrorKind};

use super::fact::{Findings, Gap, Hop, Place, Standing, TraceFact};
use super::words::moment;

/// Limit of one search of the log.
const LOG_LIMIT: Duration = Duration::from_secs(12);
/// Requests whose lines are read at most.
const REQUESTS_MAX: usize = 5;
/// Lines of one request that are shown at most.
const LINES_MAX: usize = 40;
/// How long before the dead letter was sent its request may have begun, and how long after that it may have ended: the
/// longest invocation that Lambda allows.
const AROUND: TimeDelta = TimeDelta::minutes(15);
/// How long after it was written a line may come to CloudWatch, and on this machine.
const LATE: TimeDelta = TimeDelta::seconds(60);
const LATE_LOCAL: TimeDelta = TimeDelta::seconds(3);
/// Reads of one search at most, where the log has more than one read reads.
const READS_MAX: usize = 3;
/// How far the clocks of the database and of the function may be apart.
const CLOCKS_APART: TimeDelta = TimeDelta::seconds(1);
/// The ingest's line about a batch (`lambdas/ingest/src/report.rs`).
const BATCH: &str = "batch handled";

/// A request of the ingest that refused the event, and when it was under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) request_id: String,
    pub(super) at: DateTime<Utc>,
}

/// The lines of the requests that refused the event.
pub(super) async fn of_requests(pipeline: &Pipeline, refusals: &[Refusal]) -> Findings {
    let mut findings = Findings::default();
    let mut known: Vec<&Refusal> = Vec::new();
    for refusal in refusals {
        if !known
            .iter()
            .any(|other| other.request_id == refusal.request_id)
        {
            known.push(refusal);
        }
    }
    if known.len() > REQUESTS_MAX {
        let left_out = known.len() - REQUESTS_MAX;
        let reason = format!("the log lines of {left_out} further requests that refused it");
        findings.gaps.push(Gap::unrecorded(Place::Logs, reason));
        known.truncate(REQUESTS_MAX);
    }
    let requests = known.iter().map(|refusal| of_request(pipeline, refusal));
    for found in join_all(requests).await {
        findings.append(found);
    }
    findings
}

async fn of_request(pipeline: &Pipeline, refusal: &Refusal) -> Findings {
    let (from, until) = (refusal.at - AROUND, refusal.at + AROUND);
    let tail = LogTail::since(&[LogFunction::Ingest], from);
    let tail = tail.of_request(&refusal.request_id).until(until);
    let id = &refusal.request_id;
    match within_limit(pipeline, &tail).await {
        Ok(read) => lines_of_request(read, id, (from, until)),
        Err(gap) => {
            let mut findings = Findings::default();
            findings.gaps.push(gap);
            findings
        }
    }
}

/// The batch that was being handled when the event was stored.
pub(super) async fn of_record(pipeline: &Pipeline, stored_at: DateTime<Utc>) -> Findings {
    let sought = Sought::of(stored_at, pipeline.environment());
    let tail = LogTail::since(&[LogFunction::Ingest], sought.from).until(sought.until);
    // Before the first line is asked for: what comes meanwhile may be missed.
    let now = Utc::now();
    match within_limit(pipeline, &tail.containing(BATCH)).await {
        Ok(read) => batches(read, stored_at, sought.open_at(now)),
        Err(gap) => {
            let mut findings = Findings::default();
            findings.gaps.push(gap);
            findings
        }
    }
}

/// When the line of the batch that stored an event was written, and may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sought {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    /// From when on no further line comes.
    complete_at: DateTime<Utc>,
}

impl Sought {
    /// A batch logs at its end, which is as long after the store as the function may run.
    fn of(stored_at: DateTime<Utc>, environment: &Environment) -> Self {
        let secs = environment.function_timeout_secs;
        let secs = secs.and_then(|secs| i64::try_from(secs).ok());
        let longest = secs.and_then(TimeDelta::try_seconds).unwrap_or(AROUND);
        let until = stored_at + longest.min(AROUND) + CLOCKS_APART;
        let late = if environment.is_loopback() {
            LATE_LOCAL
        } else {
            LATE
        };
        Self {
            from: stored_at - CLOCKS_APART,
            until,
            complete_at: until + late,
        }
    }

    /// Until when a line may still come; `None` where all have.
    fn open_at(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        (now < self.complete_at).then_some(self.complete_at)
    }
}

/// All that is asked for, as far as some reads bring it within the limit.
async fn within_limit(pipeline: &Pipeline, tail: &LogTail) -> Result<LogRead, Gap> {
    let reading = async {
        let mut all = pipeline.read_logs(tail).await?;
        for _ in 1..READS_MAX {
            if all.behind.is_empty() || all.is_held_up() {
                break;
            }
            let more = pipeline.read_logs(&all.next).await?;
            all.lines.extend(more.lines);
            all = LogRead {
                lines: all.lines,
                ..more
            };
        }
        Ok::<_, PipelineError>(all)
    };
    match tokio::time::timeout(LOG_LIMIT, reading).await {
        Ok(Ok(read)) => match read.unread.first() {
            Some(fault) if read.lines.is_empty() => Err(gap(&fault.error)),
            Some(_) | None => Ok(read),
        },
        Ok(Err(error)) => Err(gap(&error)),
        Err(_) => {
            let reason = format!("not read within {} s", LOG_LIMIT.as_secs());
            Err(Gap::failed(Place::Logs, reason))
        }
    }
}

fn gap(error: &PipelineError) -> Gap {
    match error.kind {
        PipelineErrorKind::NotConfigured => {
            let reason = format!("the log lines of its invocations: {}", error.cause);
            Gap::unrecorded(Place::Logs, reason)
        }
        PipelineErrorKind::Unreachable
        | PipelineErrorKind::Refused
        | PipelineErrorKind::NotPermitted => Gap::failed(Place::Logs, error.to_string()),
    }
}

/// The lines of a request; what Lambda says about its beginning and its end is of no interest.
fn lines_of_request(
    read: LogRead,
    request_id: &str,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
) -> Findings {
    let mut findings = Findings::default();
    let extent = format!(
        "the log of the ingest for request {request_id}, from {} until {}",
        moment(from),
        moment(until)
    );
    findings.searched(Place::Logs, extent);
    let is_told = |line: &&LogLine| {
        let is_frame = line.message.starts_with("START ") || line.message.starts_with("END ");
        !(line.kind == LineKind::Platform && is_frame)
    };
    let told: Vec<&LogLine> = read.lines.iter().filter(is_told).collect();
    if told.is_empty() && read.behind.is_empty() {
        let reason = format!(
            "the log lines of request {request_id}: none are there; they may have expired, or come within a minute"
        );
        findings.gaps.push(Gap::unrecorded(Place::Logs, reason));
    }
    let left_out = told.len().saturating_sub(LINES_MAX);
    if left_out > 0 || !read.behind.is_empty() {
        let reason = format!("further log lines of request {request_id}");
        findings.gaps.push(Gap::unrecorded(Place::Logs, reason));
    }
    let facts = told.into_iter().take(LINES_MAX);
    findings.facts.extend(facts.map(|line| TraceFact {
        at: Some(line.at),
        hop: Hop::Attempted,
        standing: match line.level {
            Some(LogLevel::Error) => Standing::Bad,
            Some(LogLevel::Warn) => Standing::Doubtful,
            Some(LogLevel::Info | LogLevel::Debug | LogLevel::Trace) | None => Standing::Neutral,
        },
        text: match line.message == BATCH {
            true => format!("logged about its batch: {}", line.summary),
            false => format!("logged: {}", line.summary),
        },
        read_from: Place::Logs,
        reference: Some(request_id.to_owned()),
    }));
    findings
}

/// The batches that were being handled when the event was stored, and stored something. Until `open_until` another one may
/// come.
fn batches(read: LogRead, stored_at: DateTime<Utc>, open_until: Option<DateTime<Utc>>) -> Findings {
    let mut findings = Findings::default();
    let extent = format!(
        "the log of the ingest from {} on, for batches that were being handled when it was stored",
        moment(stored_at)
    );
    findings.searched(Place::Logs, extent);
    let lines = read.lines.iter();
    let handled: Vec<&LogLine> = lines
        .filter(|line| line.message == BATCH && may_have_stored(line, stored_at))
        .collect();
    let is_whole = read.behind.is_empty() && read.unread.is_empty();
    match (handled.as_slice(), open_until) {
        _ if !is_whole => {
            let reason =
                "which invocation stored it: the log of the ingest was not read to its end";
            findings.gaps.push(Gap::unrecorded(Place::Logs, reason));
        }
        ([] | [_], Some(until)) => {
            let reason = format!(
                "which invocation stored it: the line of a batch that was being handled then may come until {}",
                moment(until)
            );
            findings.gaps.push(Gap::unrecorded(Place::Logs, reason));
        }
        ([], None) => {
            let reason = "which invocation stored it: the log has no batch that was being handled then; it may not \
                          reach back so far";
            findings.gaps.push(Gap::unrecorded(Place::Logs, reason));
        }
        ([line], None) => findings.facts.push(TraceFact {
            at: Some(line.at),
            hop: Hop::Stored,
            standing: Standing::Neutral,
            text: format!(
                "the only batch found that was being handled when it was stored: {}",
                line.summary
            ),
            read_from: Place::Logs,
            reference: line.request_id.clone(),
        }),
        (several, _) => {
            let reason = format!(
                "which invocation stored it: the ingest logs no ids of events, and {} batches were being handled within \
                 {} s of then",
                several.len(),
                CLOCKS_APART.num_seconds()
            );
            findings.gaps.push(Gap::unrecorded(Place::Logs, reason));
        }
    }
    findings
}

fn may_have_stored(line: &LogLine, stored_at: DateTime<Utc>) -> bool {
    let fields = line.fields();
    let number = |name: &str| fields.get(name).and_then(serde_json::Value::as_i64);
    let duration = TimeDelta::milliseconds(number("duration_ms").unwrap_or_default());
    let has_stored = number("stored").is_some_and(|stored| stored > 0);
    has_stored
        && line.at - duration - CLOCKS_APART <= stored_at
        && stored_at <= line.at + CLOCKS_APART
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_795_000_000_000 + millis).unwrap()
    }

    fn line(millis: i64, written: &str) -> LogLine {
        LogLine::parse(LogFunction::Ingest, at(millis), written)
    }

    fn batch(millis: i64, stored: u32, duration_ms: u32) -> LogLine {
        let written = format!(
            r#"{{"level":"INFO","message":"batch handled","request_id":"r-{millis}","stored":{stored},"duration_ms":{duration_ms}}}"#
        );
        line(millis, &written)
    }

    fn read(lines: Vec<LogLine>) -> LogRead {
        LogRead {
            lines,
            next: LogTail::since(&[LogFunction::Ingest], at(0)),
            behind: Vec::new(),
            unread: Vec::new(),
        }
    }

    #[test]
    fn lines_of_the_request_are_facts_with_its_id() {
        let lines = vec![
            line(0, "START RequestId: r-1 Version: $LATEST"),
            line(
                1,
                r#"{"level":"ERROR","message":"dead letters not sent","request_id":"r-1"}"#,
            ),
            line(
                2,
                r#"{"level":"WARN","message":"batch handled","dead_lettered":1}"#,
            ),
            line(3, "END RequestId: r-1"),
            line(3, "REPORT RequestId: r-1\tDuration: 3 ms"),
        ];
        let findings = lines_of_request(read(lines), "r-1", (at(0), at(9)));
        let facts = findings.facts.iter();
        let found: Vec<_> = facts
            .map(|fact| (fact.standing, fact.text.as_str()))
            .collect();
        let expected = [
            (Standing::Bad, "logged: dead letters not sent"),
            (
                Standing::Doubtful,
                "logged about its batch: batch handled dead_lettered=1",
            ),
            (
                Standing::Neutral,
                "logged: REPORT RequestId: r-1  Duration: 3 ms",
            ),
        ];
        assert_eq!(found, expected);
        let of_it = |fact: &TraceFact| fact.reference.as_deref() == Some("r-1");
        assert!(findings.facts.iter().all(of_it) && findings.gaps.is_empty());
        assert_eq!(findings.searches.len(), 1);
    }

    #[test]
    fn lines_that_are_not_there_and_those_that_are_left_out_are_gaps() {
        let none = lines_of_request(read(Vec::new()), "r-1", (at(0), at(9)));
        assert_eq!((none.facts.len(), none.gaps.len()), (0, 1));
        let many = (0..50).map(|number| line(number, "a line"));
        let many = lines_of_request(read(many.collect()), "r-1", (at(0), at(9)));
        assert_eq!((many.facts.len(), many.gaps.len()), (LINES_MAX, 1));
    }

    #[test]
    fn batch_is_named_only_where_it_is_the_only_one_of_that_time() {
        // Stored at 5,000; one batch ended before, one stored nothing, one began later.
        let others = [
            batch(3_000, 4, 500),
            batch(5_100, 0, 900),
            batch(9_000, 4, 500),
        ];
        let with = |lines: &[LogLine]| {
            let found = batches(read([&others, lines].concat()), at(5_000), None);
            let reference = found.facts.first().and_then(|fact| fact.reference.clone());
            (reference, found.gaps.len())
        };
        let it = batch(5_200, 7, 400);
        assert_eq!(
            with(std::slice::from_ref(&it)),
            (Some("r-5200".to_owned()), 0)
        );
        assert_eq!(with(&[it, batch(5_300, 2, 900)]), (None, 1));
        assert_eq!(with(&[]), (None, 1));
        let found = batches(read(others.to_vec()), at(5_000), None);
        let reason = &found.gaps[0].reason;
        assert!(reason.contains("may not reach back so far"), "{reason}");
    }

    #[test]
    fn batch_is_not_the_only_one_while_the_line_of_another_may_still_come() {
        let it = batch(5_200, 7, 400);
        let found = batches(read(vec![it.clone()]), at(5_000), Some(at(900_000)));
        assert_eq!(found.facts, []);
        let reason = &found.gaps[0].reason;
        assert!(reason.contains("may come until "), "{reason}");
        let found = batches(read(vec![it]), at(5_000), None);
        let text = &found.facts[0].text;
        assert!(text.starts_with("the only batch found"), "{text}");
    }

    #[test]
    fn line_of_a_batch_is_sought_as_long_as_its_function_may_run_and_cloudwatch_is_late() {
        let mut environment = Environment::example();
        environment.endpoint_url = None;
        let sought = Sought::of(at(0), &environment);
        assert_eq!(sought.until, at(901_000), "the longest of all functions");
        environment.function_timeout_secs = Some(60);
        let sought = Sought::of(at(0), &environment);
        let expected = Sought {
            from: at(-1_000),
            until: at(61_000),
            complete_at: at(121_000),
        };
        assert_eq!(sought, expected);
        assert_eq!(sought.open_at(at(120_999)), Some(at(121_000)));
        assert_eq!(sought.open_at(at(121_000)), None);
    }

    #[test]
    fn batch_is_not_the_only_one_of_a_log_that_was_not_read_to_its_end() {
        let mut behind = read(vec![batch(5_200, 7, 400)]);
        behind.behind = vec![LogFunction::Ingest];
        let found = batches(behind, at(5_000), None);
        assert_eq!((found.facts.len(), found.gaps.len()), (0, 1));
        let mut behind = read(Vec::new());
        behind.behind = vec![LogFunction::Ingest];
        let found = lines_of_request(behind, "r-1", (at(0), at(9)));
        let reasons: Vec<_> = found.gaps.iter().map(|gap| gap.reason.as_str()).collect();
        assert_eq!(reasons, ["further log lines of request r-1"]);
    }
}
