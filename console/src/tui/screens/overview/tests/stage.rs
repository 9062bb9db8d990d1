//! A pipeline for the overview, and the console in each state that it can be seen in.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test is about the variants that it names"
)]

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::KeyCode;
use event::FailureCode;
use strum::VariantArray;

use crate::tui::fault::Fault;
use crate::tui::message::Msg;
use crate::tui::plot::Mark;
use crate::tui::request::{Reply, Request};
use crate::tui::testing::{Harness, environment, now};
use crate::tui::theme::Theme;
use pipeline::IngestHistory;
use pipeline::RaisedAlarm;
use pipeline::alarm_states::{AlarmCondition, AlarmState};
use pipeline::long_history::{ApiHistory, DatabaseHistory, FunctionHistory, LongHistory};
use pipeline::model::{
    ApiHealth, History, Point, QueueDepth, QueueRole, QueueSettings, QueueSnapshot, ReadPath,
    RecordTotals,
};
use pipeline::oldest_age::OldestAge;
use pipeline::slo::{ErrorBudget, Objective};
use pipeline::storage::Storage;

/// Every state that the overview can be seen in.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
pub(crate) enum State {
    Start,
    Connecting,
    Healthy,
    DeadLetters,
    Aging,
    ApiDown,
    Growing,
    HistoryUnseen,
    NoMetrics,
    IngestFailing,
    IngestSilent,
    IngestStuck,
    IngestUnnamed,
    BudgetSpent,
    Unreachable,
    Ended,
    HistoryFails,
    PartlyUnreachable,
    Stale,
    Production,
    ReadOnly,
    NoColour,
    Help,
    Palette,
    PaletteNothing,
    Notice,
}

pub(crate) fn queue(
    name: &str,
    visible: u64,
    in_flight: u64,
    oldest_age_secs: Option<u64>,
) -> QueueSnapshot {
    QueueSnapshot {
        depth: QueueDepth {
            visible,
            in_flight,
            delayed: 0,
        },
        oldest: oldest_age_secs.map(|secs| read_at(secs, now())),
        settings: QueueSettings {
            name: name.to_owned(),
            visibility_timeout_secs: 60,
            retention_secs: if name.ends_with("queue") {
                345_600
            } else {
                1_209_600
            },
            max_receive_count: name.ends_with("queue").then_some(3),
        },
    }
}

/// An age of one value, which CloudWatch had two seconds before it was read.
fn read_at(secs: u64, at: DateTime<Utc>) -> OldestAge {
    let since = at - Duration::seconds(2);
    OldestAge {
        secs,
        grown_secs: 0,
        is_bound: false,
        since,
        until: since + Duration::seconds(1),
    }
}

/// A queue as it is read then.
fn read_queue(
    queue: &Result<QueueSnapshot, Fault>,
    at: DateTime<Utc>,
) -> Result<QueueSnapshot, Fault> {
    let mut queue = queue.clone()?;
    queue.oldest = queue.oldest.map(|age| read_at(age.secs, at));
    Ok(queue)
}

pub(crate) fn points(values: impl Fn(i64) -> f64) -> Vec<Point> {
    (0..60)
        .map(|minute| Point {
            at: now() - Duration::minutes(60 - minute),
            value: values(minute),
        })
        .collect()
}

pub(crate) fn history(dead_letters: f64) -> History {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    History {
        period_secs: 60,
        depth: points(|minute| {
            if (20..30).contains(&minute) {
                60.0
            } else {
                12.0
            }
        }),
        oldest_age_secs: points(|_| 1.0),
        published: points(|minute| 2_760.0 + (minute % 7) as f64 * 60.0),
        sent: points(|minute| 2_880.0 + (minute % 7) as f64 * 60.0),
        deleted: points(|minute| 2_900.0 + (minute % 5) as f64 * 60.0),
        dead_letters: points(|minute| dead_letters * minute as f64 / 59.0),
        dead_letter_age_secs: Vec::new(),
        ingest: Some(Box::new(IngestHistory {
            stored: points(|_| 2_890.0),
            duplicates: points(|_| 3.0),
            expired: points(|_| 0.0),
            retried: points(|_| 0.0),
            lag_p50_ms: points(|minute| 180.0 + (minute % 5) as f64 * 8.0),
            lag_max_ms: points(|minute| 900.0 + (minute % 7) as f64 * 50.0),
            failed: BTreeMap::new(),
        })),
    }
}

/// Metrics of 200 periods; nothing was measured in some of them.
pub(crate) fn long(period_secs: i64) -> LongHistory {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let points = |value: fn(f64) -> f64| -> Vec<Point> {
        (0..200)
            .filter(|period| !(160..166).contains(period))
            .map(|period| Point {
                at: now() - Duration::seconds(period_secs * (200 - period)),
                value: value(period as f64),
            })
            .collect()
    };
    let secs = f64::from(u32::try_from(period_secs).unwrap());
    let per_sec = |value: fn(f64) -> f64| -> Vec<Point> {
        let mut points = points(value);
        for point in &mut points {
            point.value *= secs;
        }
        points
    };
    LongHistory {
        hops: History {
            period_secs: u32::try_from(period_secs).unwrap(),
            depth: points(|n| (n * 37.0) % 400.0),
            oldest_age_secs: points(|n| (n * 13.0) % 200.0),
            published: per_sec(|_| 48.0),
            sent: per_sec(|n| 40.0 + 20.0 * (n / 9.0).sin()),
            deleted: per_sec(|n| 40.0 + 20.0 * (n / 9.0 - 0.7).sin()),
            dead_letters: points(|n| (n / 5.0).floor()),
            dead_letter_age_secs: Vec::new(),
            ingest: Some(Box::new(IngestHistory {
                stored: per_sec(|_| 45.0),
                lag_p50_ms: points(|n| 180.0 + n),
                lag_max_ms: points(|n| 900.0 + 3.0 * n),
                ..IngestHistory::default()
            })),
        },
        function: FunctionHistory {
            invocations: per_sec(|n| 4.0 + (n / 20.0).sin()),
            errors: points(|n| if n == 150.0 { 3.0 } else { 0.0 }),
            throttles: points(|_| 0.0),
            duration_p50_ms: points(|n| 40.0 + n % 7.0),
            duration_p99_ms: points(|n| 84.0 + n % 31.0),
            concurrency: points(|n| 3.0 + (n % 3.0)),
            database_ms: points(|n| 21.0 + n % 5.0),
        },
        api: ApiHistory {
            requests: per_sec(|n| 12.0 + n % 4.0),
            client_errors: points(|n| n % 2.0),
            server_errors: points(|_| 0.0),
            latency_p50_ms: points(|_| 9.0),
            latency_p99_ms: points(|n| 41.0 + n % 11.0),
        },
        database: DatabaseHistory {
            capacity_acu: points(|n| 2.0 + (n / 30.0).sin()),
            connections: points(|n| 31.0 + n % 3.0),
            volume_bytes: points(|_| 7.3e9),
        },
    }
}

/// A publisher that writes wrong events, and a database that is away at times.
pub(crate) fn failing() -> History {
    let mut history = history(37.0);
    if let Some(ingest) = &mut history.ingest {
        ingest.retried = points(|_| 12.0);
        ingest.failed = [
            (FailureCode::NotJson, 0.4),
            (FailureCode::MissingAttribute, 31.0),
            (FailureCode::RefusedByDatabase, 2.0),
            (FailureCode::UnsupportedSpecversion, 1.0),
        ]
        .into_iter()
        .map(|(code, number)| (code, points(|_| number)))
        .collect();
    }
    history
}

/// A function that has lost its database a minute ago.
pub(crate) fn stuck() -> History {
    let mut history = history(0.0);
    if let Some(ingest) = &mut history.ingest {
        ingest.stored = points(|minute| if minute == 59 { 0.0 } else { 2_890.0 });
        ingest.duplicates = points(|_| 0.0);
        ingest.expired = points(|_| 0.0);
        ingest.retried = points(|minute| if minute == 59 { 310.0 } else { 0.0 });
    }
    history
}

/// A function that has sent nothing for a while.
pub(crate) fn silent() -> History {
    let mut history = history(0.0);
    if let Some(ingest) = &mut history.ingest {
        for line in [
            &mut ingest.stored,
            &mut ingest.duplicates,
            &mut ingest.expired,
            &mut ingest.retried,
            &mut ingest.lag_p50_ms,
            &mut ingest.lag_max_ms,
        ] {
            line.truncate(30);
        }
    }
    history
}

pub(crate) fn alarm_states() -> Vec<AlarmState> {
    let alarm = |name: &str, condition, minutes, notifies| AlarmState {
        name: format!("events-{name}"),
        condition,
        since: Some(now() - Duration::minutes(minutes)),
        reason: format!(
            "Threshold Crossed: 1 datapoint [{minutes}.0 (18/11/26 11:00:00)] was greater than the \
             threshold (0.0)."
        ),
        what_to_do: Some(format!("terraform/OPERATIONS.md#{name}")),
        notifies,
        silenced: false,
    };
    let calm = [
        "api-5xx",
        "api-latency",
        "ingest-errors",
        "ingest-lag",
        "ingest-throttles",
        "lost",
        "undelivered",
    ];
    let mut alarms = vec![
        alarm("dead-letters", AlarmCondition::Alarm, 42, true),
        AlarmState {
            what_to_do: None,
            ..alarm("slo-freshness-fast", AlarmCondition::Alarm, 3, false)
        },
        alarm(
            "oldest-message",
            AlarmCondition::InsufficientData,
            60 * 50,
            true,
        ),
    ];
    alarms.extend(calm.map(|name| alarm(name, AlarmCondition::Ok, 60 * 24 * 9, true)));
    alarms
}

pub(crate) fn storage() -> Storage {
    Storage {
        bytes: 7_310_000_000,
        partitions: 94,
        is_partial: false,
        oldest: Some(now() - Duration::days(80)),
        covered_until: Some(now() + Duration::days(13)),
        default_rows: 0,
    }
}

/// Answers the questions of the first tick.
pub(crate) struct Pipeline {
    pub(crate) source: Result<QueueSnapshot, Fault>,
    pub(crate) dead: Result<QueueSnapshot, Fault>,
    pub(crate) history: Result<History, Fault>,
    pub(crate) totals: Result<u64, Fault>,
    pub(crate) api: Result<u16, Fault>,
    pub(crate) read_path: ReadPath,
    pub(crate) tunnel_fault: Option<String>,
    /// Age of the newest record.
    pub(crate) newest: Duration,
    pub(crate) budgets: Result<Vec<ErrorBudget>, Fault>,
    pub(crate) alarms: Result<Vec<RaisedAlarm>, Fault>,
    /// What a longer range has, with periods of the length that is asked for.
    pub(crate) long: fn(i64) -> Result<LongHistory, Fault>,
    pub(crate) changes: Vec<Mark>,
    pub(crate) alarm_states: Result<Vec<AlarmState>, Fault>,
    pub(crate) storage: Result<Storage, Fault>,
}

/// A budget of which so much is left; `None` where nothing is known.
pub(crate) fn budget(objective: Objective, left_percent: Option<f64>) -> ErrorBudget {
    let minutes = 43_200.0 * (100.0 - objective.percent()) / 100.0;
    ErrorBudget {
        objective,
        objective_percent: objective.percent(),
        window_days: 30,
        events: left_percent.map(|_| 1_204_553),
        bad_events: left_percent.map(|_| 3),
        budget_left_percent: left_percent,
        budget_left_minutes: left_percent.map(|left| minutes * left / 100.0),
    }
}

/// The budgets of an environment without metrics.
fn unknown_budgets() -> Vec<ErrorBudget> {
    Objective::ALL
        .map(|objective| budget(objective, None))
        .to_vec()
}

/// One is spent, one nearly, and of one nothing is known.
pub(crate) fn spent_budgets() -> Vec<ErrorBudget> {
    let left = [Some(99.9), None, Some(-27.5), Some(8.4)];
    let budgets = Objective::ALL.into_iter().zip(left);
    budgets
        .map(|(objective, left)| budget(objective, left))
        .collect()
}

impl Pipeline {
    pub(crate) fn healthy() -> Self {
        Self {
            source: Ok(queue("events-queue", 12, 5, Some(1))),
            dead: Ok(queue("events-dead-letters", 0, 0, Some(0))),
            history: Ok(history(0.0)),
            totals: Ok(1_204_553),
            api: Ok(200),
            read_path: ReadPath::Database,
            tunnel_fault: None,
            newest: Duration::seconds(1),
            budgets: Ok(unknown_budgets()),
            alarms: Ok(Vec::new()),
            long: |period_secs| Ok(long(period_secs)),
            changes: Vec::new(),
            alarm_states: Ok(alarm_states()),
            storage: Ok(storage()),
        }
    }

    pub(crate) fn unreachable() -> Self {
        let refused = |what: &str| Fault {
            message: format!("{what} at http://127.0.0.1:4566: connection refused (after 0.2 s)"),
            hint: Some("is the demo still running?".to_owned()),
            ..Fault::default()
        };
        Self {
            source: Err(refused("read queue depth of \"events-queue\"")),
            dead: Err(refused("read queue depth of \"events-dead-letters\"")),
            history: Err(refused("read metrics")),
            totals: Err(refused("count records")),
            api: Err(refused("GET /health")),
            read_path: ReadPath::Database,
            tunnel_fault: None,
            newest: Duration::seconds(1),
            budgets: Err(refused("read metrics")),
            alarms: Err(refused("list the raised alarms")),
            long: |_| Err(Fault::new("read metrics: connection refused")),
            changes: Vec::new(),
            alarm_states: Err(refused("list the alarms")),
            storage: Err(refused("read the partitions")),
        }
    }

    pub(crate) fn answer(&self, request: Request, at: DateTime<Utc>, more: u64) -> Reply {
        match request {
            Request::Queue(QueueRole::Source, to) => to.answer(read_queue(&self.source, at)),
            Request::Queue(QueueRole::DeadLetter, to) => to.answer(read_queue(&self.dead, at)),
            Request::History(to) => to.answer(self.history.clone()),
            Request::LongHistory(asked, to) => {
                to.answer((self.long)(asked.period_secs.into()).map(Box::new))
            }
            Request::AlarmStates(to) => to.answer(self.alarm_states.clone()),
            Request::Storage(to) => to.answer(self.storage.clone()),
            Request::Changes(to) => to.answer(Ok(self.changes.clone())),
            Request::Deployment(to) => to.answer(Ok(Some(now() - Duration::minutes(17)))),
            Request::Totals(to) => to.answer(self.totals.clone().map(|total| RecordTotals {
                total: total + more,
                total_is_estimate: false,
                last_ingested_at: Some(at - self.newest),
                database_now: at,
                schema_version: None,
                read_path: self.read_path,
                tunnel_fault: self.tunnel_fault.clone(),
            })),
            Request::ApiHealth(to) => to.answer(self.api.clone().map(|status| ApiHealth {
                status,
                latency: std::time::Duration::from_millis(9),
            })),
            Request::RaisedAlarms(to) => to.answer(self.alarms.clone()),
            Request::ErrorBudgets(to) => to.answer(self.budgets.clone()),
            other => panic!("the overview does not request {other:?}"),
        }
    }

    /// Lets time pass and answers everything that is requested.
    pub(crate) fn serve(&self, harness: &mut Harness, at: DateTime<Utc>, more: u64) {
        harness.now = at;
        harness.tick();
        self.answer_all(harness, more);
    }

    fn answer_all(&self, harness: &mut Harness, more: u64) {
        for request in std::mem::take(&mut harness.requests) {
            let reply = self.answer(request, harness.now, more);
            harness.send(Msg::Reply(Box::new(reply)));
        }
    }
}

pub(crate) fn start(width: u16, height: u16) -> Harness {
    Harness::new(environment(), now(), width, height)
}

pub(crate) fn served(pipeline: &Pipeline, width: u16, height: u16) -> Harness {
    let mut harness = start(width, height);
    pipeline.serve(&mut harness, now() - Duration::seconds(5), 0);
    let is_storing = pipeline.newest < Duration::seconds(5);
    pipeline.serve(&mut harness, now(), if is_storing { 241 } else { 0 });
    harness
}

/// A pipeline whose numbers have many digits, none of which begins like another or like a time.
pub(crate) fn busy(width: u16, height: u16) -> Harness {
    let mut history = failing();
    for point in &mut history.dead_letters {
        point.value = 777.0;
    }
    let pipeline = Pipeline {
        source: Ok(queue("events-queue", 48_211, 619, Some(912))),
        dead: Ok(queue("events-dead-letters", 851, 2, Some(7_800))),
        history: Ok(history),
        totals: Ok(9_204_553),
        api: Ok(503),
        ..Pipeline::healthy()
    };
    served(&pipeline, width, height)
}

/// A queue that fills while the ingest hangs; nothing is old yet.
pub(crate) fn grown(width: u16, height: u16) -> Harness {
    let mut harness = start(width, height);
    for look in 0..8 {
        let source = Ok(queue("events-queue", 30 * look, 5, Some(5 * look)));
        let pipeline = Pipeline {
            source,
            ..Pipeline::healthy()
        };
        let secs = 5 * i64::try_from(look).unwrap() - 35;
        pipeline.serve(&mut harness, now() + Duration::seconds(secs), 0);
    }
    harness
}

pub(crate) fn harness_in(state: State, width: u16, height: u16) -> Harness {
    let healthy = Pipeline::healthy();
    match state {
        State::Start => start(width, height),
        State::Connecting => {
            let mut harness = start(width, height);
            harness.tick();
            let requests = harness.requests.len();
            assert_eq!(requests, 9, "each part is requested on its own");
            harness
        }
        State::Healthy => served(&healthy, width, height),
        State::DeadLetters => {
            let dead = Ok(queue("events-dead-letters", 37, 0, Some(7_800)));
            served(
                &Pipeline {
                    dead,
                    history: Ok(history(37.0)),
                    ..healthy
                },
                width,
                height,
            )
        }
        State::Aging => {
            let source = Ok(queue("events-queue", 48_211, 100, Some(912)));
            served(&Pipeline { source, ..healthy }, width, height)
        }
        State::ApiDown => served(
            &Pipeline {
                api: Ok(503),
                ..healthy
            },
            width,
            height,
        ),
        State::Unreachable => served(&Pipeline::unreachable(), width, height),
        State::Ended => {
            let mut harness = harness_in(State::PartlyUnreachable, width, height);
            let failure = "keep PostgreSQL running: signal: 9 (SIGKILL)".to_owned();
            harness.send(Msg::PipelineFailed(failure));
            harness
        }
        State::Growing => grown(width, height),
        State::HistoryUnseen => {
            let mut harness = start(width, height);
            harness.tick();
            let is_history = |request: &Request| matches!(request, Request::History(_));
            harness.requests.retain(|request| !is_history(request));
            healthy.answer_all(&mut harness, 0);
            harness
        }
        State::NoMetrics => served(
            &Pipeline {
                source: Ok(queue("events-queue", 12, 5, None)),
                history: Ok(History {
                    period_secs: 60,
                    ingest: Some(Box::default()),
                    ..History::default()
                }),
                ..healthy
            },
            width,
            height,
        ),
        State::IngestFailing => served(
            &Pipeline {
                history: Ok(failing()),
                ..healthy
            },
            width,
            height,
        ),
        State::IngestSilent => served(
            &Pipeline {
                history: Ok(silent()),
                ..healthy
            },
            width,
            height,
        ),
        State::IngestStuck => served(
            &Pipeline {
                history: Ok(stuck()),
                newest: Duration::seconds(75),
                ..healthy
            },
            width,
            height,
        ),
        State::IngestUnnamed => {
            let history = History {
                ingest: None,
                ..history(0.0)
            };
            let pipeline = Pipeline {
                history: Ok(history),
                ..healthy
            };
            served(&pipeline, width, height)
        }
        State::BudgetSpent => served(
            &Pipeline {
                budgets: Ok(spent_budgets()),
                ..healthy
            },
            width,
            height,
        ),
        State::HistoryFails => {
            let mut harness = served(&healthy, width, height);
            let history = Pipeline::unreachable().history;
            Pipeline { history, ..healthy }.serve(&mut harness, now() + Duration::seconds(15), 700);
            harness
        }
        State::PartlyUnreachable => {
            let mut harness = served(&healthy, width, height);
            let totals = Pipeline::unreachable().totals;
            Pipeline { totals, ..healthy }.serve(&mut harness, now() + Duration::seconds(5), 0);
            harness
        }
        State::Stale => {
            let mut harness = served(&healthy, width, height);
            // Nothing answers any more: the questions hang.
            harness.pass(90);
            harness
        }
        State::Production => {
            let mut harness = served(&healthy, width, height);
            harness.model.environment.is_production = true;
            harness
        }
        State::ReadOnly => {
            let mut harness = served(&healthy, width, height);
            harness.model.environment.read_only = true;
            harness
        }
        State::NoColour => {
            let mut harness = served(
                &Pipeline {
                    api: Ok(503),
                    ..healthy
                },
                width,
                height,
            );
            harness.model.theme = Theme { has_colour: false };
            harness
        }
        State::Help => {
            let mut harness = served(&healthy, width, height);
            harness.press('?');
            harness
        }
        State::Palette => {
            let mut harness = served(&healthy, width, height);
            harness.press(':');
            harness.press('d');
            harness
        }
        State::PaletteNothing => {
            let mut harness = served(&healthy, width, height);
            for character in ":zzz".chars() {
                harness.press(character);
            }
            harness
        }
        State::Notice => {
            let mut harness = served(
                &Pipeline {
                    api: Ok(503),
                    ..healthy
                },
                width,
                height,
            );
            harness.code(KeyCode::Enter);
            harness
        }
    }
}

/// The row of a hop.
pub(crate) fn row(harness: &Harness, hop: &str) -> String {
    let text = harness.text();
    let found = text.lines().find(|line| line.contains(hop));
    found
        .unwrap_or_else(|| panic!("no {hop}\n{text}"))
        .to_owned()
}
