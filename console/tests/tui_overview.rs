//! Every state of the overview, of the frame around it and of what lies over it, as pictures.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops where it fails"
)]

mod support;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use opsconsole::tui::message::{Answer, Effect, Fault, Msg, Reply, Request, RequestId};
use opsconsole::tui::model::Model;
use opsconsole::tui::theme::Theme;
use opsconsole::tui::update::update;
use opsconsole::world::observed::{
    ApiHealth, History, Point, QueueDepth, QueueRole, QueueSettings, QueueSnapshot, RecordTotals,
};
use support::screen::{SIZES, picture, start};

/// Every state that the overview can be seen in.
#[derive(Clone, Copy, Debug)]
enum State {
    Start,
    Connecting,
    Healthy,
    DeadLetters,
    Aging,
    ApiDown,
    Unreachable,
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

const STATES: [State; 16] = [
    State::Start,
    State::Connecting,
    State::Healthy,
    State::DeadLetters,
    State::Aging,
    State::ApiDown,
    State::Unreachable,
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

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

fn queue(name: &str, visible: u64, in_flight: u64, oldest_age_secs: Option<u64>) -> QueueSnapshot {
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

fn points(values: impl Fn(i64) -> f64) -> Vec<Point> {
    (0..60)
        .map(|minute| Point {
            at: now() - Duration::minutes(60 - minute),
            value: values(minute),
        })
        .collect()
}

fn history(dead_letters: f64) -> History {
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
    }
}

/// Answers the questions of the first tick.
struct World {
    source: Result<QueueSnapshot, Fault>,
    dead: Result<QueueSnapshot, Fault>,
    history: Result<History, Fault>,
    totals: Result<u64, Fault>,
    api: Result<u16, Fault>,
}

impl World {
    fn healthy() -> Self {
        Self {
            source: Ok(queue("events-queue", 12, 5, Some(1))),
            dead: Ok(queue("events-dead-letters", 0, 0, Some(0))),
            history: Ok(history(0.0)),
            totals: Ok(1_204_553),
            api: Ok(200),
        }
    }

    fn unreachable() -> Self {
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

    fn answer(&self, request: &Request, at: DateTime<Utc>, more: u64) -> Result<Answer, Fault> {
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
    fn serve(&self, model: &mut Model, at: DateTime<Utc>, more: u64) {
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

fn key(model: &mut Model, code: KeyCode) {
    update(
        model,
        model.now,
        Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)),
    );
}

fn served(world: &World, width: u16, height: u16) -> Model {
    let mut model = start(width, height, now());
    world.serve(&mut model, now() - Duration::seconds(5), 0);
    world.serve(&mut model, now(), 241);
    model
}

fn model_in(state: State, width: u16, height: u16) -> Model {
    let healthy = World::healthy();
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
                &World {
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
            served(&World { source, ..healthy }, width, height)
        }
        State::ApiDown => served(
            &World {
                api: Ok(503),
                ..healthy
            },
            width,
            height,
        ),
        State::Unreachable => served(&World::unreachable(), width, height),
        State::PartlyUnreachable => {
            let mut model = served(&healthy, width, height);
            let totals = World::unreachable().totals;
            World { totals, ..healthy }.serve(&mut model, now() + Duration::seconds(5), 0);
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
                &World {
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
                &World {
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

#[test]
fn every_state_looks_as_reviewed() {
    for state in STATES {
        for (width, height) in SIZES {
            let model = model_in(state, width, height);
            insta::assert_debug_snapshot!(
                format!("overview_{state:?}_{width}x{height}"),
                picture(&model)
            );
        }
    }
}

#[test]
fn every_size_is_drawn() {
    for state in STATES {
        let mut model = model_in(state, 80, 24);
        for (width, height) in support::screen::every_size() {
            update(&mut model, now(), Msg::Resize { width, height });
            picture(&model);
        }
    }
}

#[test]
fn a_question_under_way_is_not_asked_again() {
    let mut model = start(80, 24, now());
    assert_eq!(update(&mut model, now(), Msg::Tick).len(), 5);
    assert_eq!(
        update(&mut model, now() + Duration::seconds(60), Msg::Tick).len(),
        0
    );
}

#[test]
fn a_reply_to_nobody_changes_nothing() {
    let mut model = served(&World::healthy(), 80, 24);
    let before = picture(&model);
    let late = Reply {
        id: RequestId(9_999),
        topic: Request::Totals.topic(),
        result: Err(Fault {
            message: "late".into(),
            hint: None,
        }),
    };
    update(&mut model, now(), Msg::Reply(late));
    assert_eq!(picture(&model), before);
}

#[test]
fn enter_on_dead_letters_goes_there() {
    let mut model = model_in(State::DeadLetters, 80, 24);
    key(&mut model, KeyCode::Enter);
    assert_eq!(
        model.screen,
        opsconsole::tui::screens::ScreenId::DeadLetters
    );
}

#[test]
fn quit_answers_while_everything_hangs() {
    let mut model = model_in(State::Connecting, 80, 24);
    let effects = update(
        &mut model,
        now(),
        Msg::Key(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE)),
    );
    assert_eq!(effects, [Effect::Quit]);
}
