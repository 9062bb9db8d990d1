//! A pipeline for the overview, and the model in each state that it can be seen in.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use event::FailureCode;
use opsconsole::tui::message::{Answer, Effect, Fault, Msg, Reply, Request};
use opsconsole::tui::model::Model;
use opsconsole::tui::theme::Theme;
use opsconsole::tui::update::update;
use pipeline::IngestHistory;
use pipeline::model::{
    ApiHealth, History, Point, QueueDepth, QueueRole, QueueSettings, QueueSnapshot, RecordTotals,
};

use crate::support::screen::{start, text};

/// Every state that the overview can be seen in.
#[derive(Clone, Copy, Debug)]
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

pub(crate) const STATES: [State; 25] = [
    State::Start,
    State::Connecting,
    State::Healthy,
    State::DeadLetters,
    State::Aging,
    State::ApiDown,
    State::Growing,
    State::HistoryUnseen,
    State::NoMetrics,
    State::IngestFailing,
    State::IngestSilent,
    State::IngestStuck,
    State::IngestUnnamed,
    State::Unreachable,
    State::Ended,
    State::HistoryFails,
    State::PartlyUnreachable,
    State::Stale,
    State::Production,
    State::ReadOnly,
    State::NoColour,
    State::Help,
    State::Palette,
    State::PaletteNothing,
    State::Notice,
];

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
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
        oldest_age_secs,
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
        sent: points(|minute| 2_880.0 + (minute % 7) as f64 * 60.0),
        deleted: points(|minute| 2_900.0 + (minute % 5) as f64 * 60.0),
        dead_letters: points(|minute| dead_letters * minute as f64 / 59.0),
        ingest: Some(Box::new(IngestHistory {
            stored: points(|_| 2_890.0),
            duplicates: points(|_| 3.0),
            retried: points(|_| 0.0),
            lag_p50_ms: points(|minute| 180.0 + (minute % 5) as f64 * 8.0),
            lag_max_ms: points(|minute| 900.0 + (minute % 7) as f64 * 50.0),
            failed: BTreeMap::new(),
        })),
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
            &mut ingest.retried,
            &mut ingest.lag_p50_ms,
            &mut ingest.lag_max_ms,
        ] {
            line.truncate(30);
        }
    }
    history
}

/// Answers the questions of the first tick.
pub(crate) struct Pipeline {
    pub(crate) source: Result<QueueSnapshot, Fault>,
    pub(crate) dead: Result<QueueSnapshot, Fault>,
    pub(crate) history: Result<History, Fault>,
    pub(crate) totals: Result<u64, Fault>,
    pub(crate) api: Result<u16, Fault>,
}

impl Pipeline {
    pub(crate) fn healthy() -> Self {
        Self {
            source: Ok(queue("events-queue", 12, 5, Some(1))),
            dead: Ok(queue("events-dead-letters", 0, 0, Some(0))),
            history: Ok(history(0.0)),
            totals: Ok(1_204_553),
            api: Ok(200),
        }
    }

    pub(crate) fn unreachable() -> Self {
        let refused = |what: &str| Fault {
            message: format!("{what} at http://127.0.0.1:4566: connection refused (after 0.2 s)"),
            hint: Some("is the demo still running?".to_owned()),
        };
        Self {
            source: Err(refused("read queue depth of \"events-queue\"")),
            dead: Err(refused("read queue depth of \"events-dead-letters\"")),
            history: Err(refused("read metrics")),
            totals: Err(refused("count records")),
            api: Err(refused("GET /health")),
        }
    }

    pub(crate) fn answer(
        &self,
        request: &Request,
        at: DateTime<Utc>,
        more: u64,
    ) -> Result<Answer, Fault> {
        match request {
            Request::Queue(QueueRole::Source) => self.source.clone().map(Answer::Queue),
            Request::Queue(QueueRole::DeadLetter) => self.dead.clone().map(Answer::Queue),
            Request::History => self.history.clone().map(Answer::History),
            Request::Totals => self.totals.clone().map(|total| {
                Answer::Totals(RecordTotals {
                    total: total + more,
                    total_is_estimate: false,
                    last_ingested_at: Some(at - Duration::seconds(1)),
                    database_now: at,
                })
            }),
            Request::ApiHealth => self.api.clone().map(|status| {
                Answer::ApiHealth(ApiHealth {
                    status,
                    latency: std::time::Duration::from_millis(9),
                })
            }),
            other => panic!("the overview does not ask {other:?}"),
        }
    }

    /// Lets time pass and answers everything that is asked.
    pub(crate) fn serve(&self, model: &mut Model, at: DateTime<Utc>, more: u64) {
        for effect in update(model, at, Msg::Tick) {
            let Effect::Ask { id, request } = effect else {
                continue;
            };
            let topic = request.topic();
            let result = self.answer(&request, at, more);
            update(model, at, Msg::Reply(Reply { id, topic, result }));
        }
    }
}

pub(crate) fn key(model: &mut Model, code: KeyCode) {
    update(
        model,
        model.now,
        Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)),
    );
}

pub(crate) fn served(pipeline: &Pipeline, width: u16, height: u16) -> Model {
    let mut model = start(width, height, now());
    pipeline.serve(&mut model, now() - Duration::seconds(5), 0);
    pipeline.serve(&mut model, now(), 241);
    model
}

/// A queue that fills while the ingest hangs; nothing is old yet.
pub(crate) fn grown(width: u16, height: u16) -> Model {
    let mut model = start(width, height, now());
    for look in 0..8 {
        let source = Ok(queue("events-queue", 30 * look, 5, Some(5 * look)));
        let pipeline = Pipeline {
            source,
            ..Pipeline::healthy()
        };
        let secs = 5 * i64::try_from(look).unwrap() - 35;
        pipeline.serve(&mut model, now() + Duration::seconds(secs), 0);
    }
    model
}

pub(crate) fn model_in(state: State, width: u16, height: u16) -> Model {
    let healthy = Pipeline::healthy();
    match state {
        State::Start => start(width, height, now()),
        State::Connecting => {
            let mut model = start(width, height, now());
            let asked = update(&mut model, now(), Msg::Tick);
            assert_eq!(asked.len(), 5, "each part is asked for on its own");
            model
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
            let mut model = model_in(State::PartlyUnreachable, width, height);
            let failure = "keep PostgreSQL running: signal: 9 (SIGKILL)".to_owned();
            update(&mut model, now(), Msg::PipelineFailed(failure));
            model
        }
        State::Growing => grown(width, height),
        State::HistoryUnseen => {
            let mut model = start(width, height, now());
            for effect in update(&mut model, now(), Msg::Tick) {
                let Effect::Ask { id, request } = effect else {
                    continue;
                };
                let topic = request.topic();
                if request != Request::History {
                    let result = healthy.answer(&request, now(), 0);
                    update(&mut model, now(), Msg::Reply(Reply { id, topic, result }));
                }
            }
            model
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
        State::HistoryFails => {
            let mut model = served(&healthy, width, height);
            let history = Pipeline::unreachable().history;
            Pipeline { history, ..healthy }.serve(&mut model, now() + Duration::seconds(15), 700);
            model
        }
        State::PartlyUnreachable => {
            let mut model = served(&healthy, width, height);
            let totals = Pipeline::unreachable().totals;
            Pipeline { totals, ..healthy }.serve(&mut model, now() + Duration::seconds(5), 0);
            model
        }
        State::Stale => {
            let mut model = served(&healthy, width, height);
            // Nothing answers any more: the questions hang.
            update(&mut model, now() + Duration::seconds(90), Msg::Tick);
            model
        }
        State::Production => {
            let mut model = served(&healthy, width, height);
            model.environment.is_production = true;
            model
        }
        State::ReadOnly => {
            let mut model = served(&healthy, width, height);
            model.environment.read_only = true;
            model
        }
        State::NoColour => {
            let mut model = served(
                &Pipeline {
                    api: Ok(503),
                    ..healthy
                },
                width,
                height,
            );
            model.theme = Theme { has_colour: false };
            model
        }
        State::Help => {
            let mut model = served(&healthy, width, height);
            key(&mut model, KeyCode::Char('?'));
            model
        }
        State::Palette => {
            let mut model = served(&healthy, width, height);
            key(&mut model, KeyCode::Char(':'));
            key(&mut model, KeyCode::Char('d'));
            model
        }
        State::PaletteNothing => {
            let mut model = served(&healthy, width, height);
            for character in ":zzz".chars() {
                key(&mut model, KeyCode::Char(character));
            }
            model
        }
        State::Notice => {
            let mut model = served(
                &Pipeline {
                    api: Ok(503),
                    ..healthy
                },
                width,
                height,
            );
            key(&mut model, KeyCode::Enter);
            model
        }
    }
}

/// The row of a hop.
pub(crate) fn row(model: &Model, hop: &str) -> String {
    let text = text(model);
    let found = text.lines().find(|line| line.contains(hop));
    found
        .unwrap_or_else(|| panic!("no {hop}\n{text}"))
        .to_owned()
}
