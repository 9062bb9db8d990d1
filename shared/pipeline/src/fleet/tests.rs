//! States and order of rows, from answers that are made here.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::row::sort_worst_first;
use super::seen::Seen;
use super::{FleetRow, FleetState};
use crate::environment::{Environment, EnvironmentError};
use crate::model::{
    ApiHealth, History, Point, QueueDepth, QueueSettings, QueueSnapshot, ReadPath, RecordTotals,
};
use crate::rules::Severity;
use crate::{Attempt, IngestHistory, PipelineError, PipelineErrorKind};

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap()
}

fn queue(name: &str, visible: u64, retention_secs: u64) -> QueueSnapshot {
    QueueSnapshot {
        depth: QueueDepth {
            visible,
            in_flight: 0,
            delayed: 0,
        },
        oldest: None,
        settings: QueueSettings {
            name: name.to_owned(),
            visibility_timeout_secs: 360,
            retention_secs,
            max_receive_count: Some(5),
        },
    }
}

fn points(values: &[(i64, f64)]) -> Vec<Point> {
    let points = values.iter().map(|(secs, value)| Point {
        at: at(*secs),
        value: *value,
    });
    points.collect()
}

fn healthy() -> Seen {
    Seen {
        queue: Ok(queue("events-queue", 3, 345_600)),
        dead_letters: Ok(queue("events-dead-letters", 0, 1_209_600)),
        history: Ok(History {
            period_secs: 60,
            oldest_age_secs: points(&[(-60, 2.0)]),
            dead_letter_age_secs: points(&[(-60, 71.0)]),
            ingest: Some(Box::new(IngestHistory {
                stored: points(&[
                    (-300, 60.0),
                    (-240, 60.0),
                    (-180, 60.0),
                    (-120, 60.0),
                    (-60, 0.0),
                ]),
                ..IngestHistory::default()
            })),
            ..History::default()
        }),
        api: Ok(ApiHealth {
            status: 200,
            latency: Duration::from_millis(3),
        }),
        totals: Some(Ok(RecordTotals {
            total: 9,
            total_is_estimate: false,
            last_ingested_at: Some(at(-65)),
            database_now: at(-5),
            schema_version: Some(20_261_127_000_300),
            read_path: ReadPath::Api,
            tunnel_fault: None,
        })),
        at: at(0),
    }
}

fn row(name: &str, seen: Seen) -> FleetRow {
    let environment = Environment {
        name: name.to_owned(),
        function_timeout_secs: Some(60),
        ..Environment::example()
    };
    FleetRow::of(&environment, &seen)
}

fn lost() -> PipelineError {
    let attempt = Attempt::start("read", "http://127.0.0.1:9");
    attempt.failed(PipelineErrorKind::Unreachable, "no answer in time")
}

fn nothing(error: &PipelineError) -> Seen {
    Seen {
        queue: Err(error.clone()),
        dead_letters: Err(error.clone()),
        history: Err(error.clone()),
        api: Err(error.clone()),
        totals: Some(Err(error.clone())),
        at: at(0),
    }
}

fn with_dead_letters(number: u64) -> Seen {
    let mut seen = healthy();
    seen.dead_letters = Ok(queue("events-dead-letters", number, 1_209_600));
    seen
}

fn with_oldest(secs: f64) -> Seen {
    let mut seen = healthy();
    seen.history.as_mut().unwrap().oldest_age_secs = points(&[(-60, secs)]);
    seen
}

#[tokio::test]
async fn healthy_environment_has_all_its_numbers() {
    let row = row("a", healthy());
    assert_eq!((row.state, &row.reason), (FleetState::Ok, &None));
    assert_eq!(row.account.as_deref(), Some("000000000000"));
    assert_eq!(row.queue.unwrap().oldest_age_secs, Some(2));
    assert_eq!(
        row.dead_letters.unwrap().oldest_age_secs,
        None,
        "it is empty"
    );
    // The newest period may not be complete.
    assert_eq!(row.stored_per_minute, Some(60.0));
    assert_eq!(row.stored_per_minute_until, Some(at(-60)));
    assert_eq!(row.metrics_age_secs, Some(60));
    // By the database's clock, which is behind.
    assert_eq!(row.last_stored_age_secs, Some(60));
    assert!(!row.last_stored_is_bound);
    assert_eq!(row.schema_version, Some(20_261_127_000_300));
    assert!(!row.is_unreachable_in_part());
}

#[tokio::test]
async fn worst_stands_first_and_equals_by_their_names() {
    let denied =
        Attempt::start("read", "here").denied("AccessDenied", Some("sqs:GetQueueAttributes"));
    let invalid = EnvironmentError::Invalid {
        path: "config.toml".into(),
        detail: "environments.invalid.region: must not be empty".to_owned(),
    };
    let mut denied_in_part = healthy();
    denied_in_part.queue = Err(denied);
    let mut rows = vec![
        row("z-ok", healthy()),
        row("few", with_dead_letters(1)),
        row("late", with_oldest(301.0)),
        row("b-ok", healthy()),
        FleetRow::unusable("invalid".to_owned(), &invalid),
        row("many", with_dead_letters(40)),
        row("denied", denied_in_part),
        row("slow", with_oldest(61.0)),
        row("dead", nothing(&lost())),
    ];
    sort_worst_first(&mut rows);
    let names: Vec<&str> = rows.iter().map(|row| row.environment.as_str()).collect();
    let expected = [
        "late", "dead", "denied", "invalid", "many", "few", "slow", "b-ok", "z-ok",
    ];
    assert_eq!(names, expected);
    let late = &rows[0];
    assert_eq!(late.findings[0].severity, Severity::Bad);
    assert!(
        rows[4]
            .reason
            .as_deref()
            .unwrap()
            .starts_with("40 dead letters in")
    );
    assert!(
        rows[4]
            .next_step
            .as_deref()
            .unwrap()
            .contains("--env many dlq group")
    );
    assert!(
        rows[3]
            .reason
            .as_deref()
            .unwrap()
            .contains("must not be empty")
    );
}

#[tokio::test]
async fn part_without_an_answer_is_attention_and_counts_as_unreachable() {
    let mut seen = healthy();
    seen.api = Err(lost());
    let row = row("a", seen);
    assert_eq!(row.state, FleetState::Attention);
    assert_eq!(row.reason.as_deref(), Some("api: no answer in time"));
    assert!(
        row.next_step
            .as_deref()
            .unwrap()
            .contains("http://127.0.0.1:9")
    );
    assert!(row.is_unreachable_in_part());
    assert_eq!(row.errors.len(), 1);
    let dead = super::tests::row("b", nothing(&lost()));
    assert_eq!(dead.state, FleetState::Unreachable);
    assert_eq!(
        (dead.queue, dead.dead_letters, dead.schema_version),
        (None, None, None)
    );
}

#[tokio::test]
async fn environment_without_credentials_is_not_permitted_and_not_unreachable() {
    let error = lost().without_credentials();
    let row = row("a", nothing(&error));
    assert_eq!(row.state, FleetState::NotPermitted);
    assert!(!row.is_unreachable_in_part());
}

#[tokio::test]
async fn what_an_environment_does_not_have_is_no_failure() {
    let absent = PipelineError::not_configured("read", "no API".to_owned(), "add api_url");
    let mut seen = healthy();
    seen.api = Err(absent.clone());
    seen.totals = Some(Err(absent));
    let row = row("a", seen);
    assert_eq!((row.state, row.errors.len()), (FleetState::Ok, 0));
    // By the metrics.
    assert_eq!(row.last_stored_at, Some(at(-120)));
}

#[tokio::test]
async fn database_that_may_sleep_is_ok_and_shows_what_the_metrics_show() {
    let mut seen = healthy();
    seen.totals = None;
    let row = row("a", seen);
    assert_eq!(row.state, FleetState::Ok);
    assert!(row.database_may_sleep);
    assert_eq!(
        (row.schema_version, row.last_stored_age_secs),
        (None, Some(120))
    );
    assert!(row.last_stored_is_bound, "its period began then");
}

#[tokio::test]
async fn api_that_answers_with_an_error_needs_attention() {
    let mut seen = healthy();
    seen.api.as_mut().unwrap().status = 503;
    let row = row("a", seen);
    assert_eq!(row.state, FleetState::Attention);
    assert_eq!(
        row.reason.as_deref(),
        Some("the API answers GET /health with 503")
    );
}

#[tokio::test]
async fn loss_of_data_is_told_before_a_missing_permission() {
    let denied = Attempt::start("read", "here").denied("AccessDenied", Some("execute-api:Invoke"));
    let mut seen = with_oldest(301.0);
    seen.api = Err(denied);
    let row = row("a", seen);
    assert_eq!(row.state, FleetState::Attention);
    let reason = row.reason.as_deref().unwrap();
    assert!(
        reason.starts_with("the oldest message had waited"),
        "{reason}"
    );
    assert_eq!(row.errors.len(), 1, "the permission is named beside it");
}
