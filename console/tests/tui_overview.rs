//! Every state of the overview, of the frame around it and of what lies over it, as pictures.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops where it fails"
)]

mod support;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use event::FailureCode;
use opsconsole::tui::keymap::Context;
use opsconsole::tui::message::{
    Answer, Effect, Fault, Msg, Notice, Reply, Request, RequestId, Tone,
};
use opsconsole::tui::model::Model;
use opsconsole::tui::screens::ScreenId;
use opsconsole::tui::theme::Theme;
use opsconsole::tui::update::update;
use opsconsole::world::IngestHistory;
use opsconsole::world::observed::{
    ApiHealth, History, Point, QueueDepth, QueueRole, QueueSettings, QueueSnapshot, RecordTotals,
};
use support::screen::{SIZES, picture, start, text};

/// Every state that the overview can be seen in.
#[derive(Clone, Copy, Debug)]
enum State {
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
    IngestUnnamed,
    Unreachable,
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

const STATES: [State; 23] = [
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
    State::IngestUnnamed,
    State::Unreachable,
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
fn failing() -> History {
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

/// A function that has sent nothing for a while.
fn silent() -> History {
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

/// A queue that fills while the ingest hangs; nothing is old yet.
fn grown(width: u16, height: u16) -> Model {
    let mut model = start(width, height, now());
    for look in 0..8 {
        let source = Ok(queue("events-queue", 30 * look, 5, Some(5 * look)));
        let world = World {
            source,
            ..World::healthy()
        };
        let secs = 5 * i64::try_from(look).unwrap() - 35;
        world.serve(&mut model, now() + Duration::seconds(secs), 0);
    }
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
            &World {
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
            &World {
                history: Ok(failing()),
                ..healthy
            },
            width,
            height,
        ),
        State::IngestSilent => served(
            &World {
                history: Ok(silent()),
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
            let world = World {
                history: Ok(history),
                ..healthy
            };
            served(&world, width, height)
        }
        State::HistoryFails => {
            let mut model = served(&healthy, width, height);
            let history = World::unreachable().history;
            World { history, ..healthy }.serve(&mut model, now() + Duration::seconds(15), 700);
            model
        }
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
    assert_eq!(model.screen, ScreenId::DeadLetters);
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

/// The row of a hop.
fn row(model: &Model, hop: &str) -> String {
    let text = text(model);
    let found = text.lines().find(|line| line.contains(hop));
    found
        .unwrap_or_else(|| panic!("no {hop}\n{text}"))
        .to_owned()
}

#[test]
fn every_hop_says_how_old_its_numbers_are_and_why() {
    let hops = [
        "SNS topic",
        "SQS queue",
        "DLQ  ",
        "ingest",
        "database",
        "api",
    ];
    let stale = model_in(State::Stale, 80, 24);
    for hop in hops {
        let row = row(&stale, hop);
        assert!(row.contains("as of 1 min ago  no answer since"), "{row}");
    }
    let failing = model_in(State::HistoryFails, 80, 24);
    for hop in ["SNS topic", "ingest"] {
        let row = row(&failing, hop);
        assert!(row.contains("as of 20 s ago  connection refused"), "{row}");
    }
    assert!(!row(&failing, "SQS queue").contains("as of"));
}

#[test]
fn staleness_moves_on_the_screen_by_itself() {
    let mut model = model_in(State::Healthy, 80, 24);
    assert_eq!(
        model.visible_wait_secs(),
        0,
        "nothing is drawn while all is fresh"
    );
    update(&mut model, now() + Duration::seconds(90), Msg::Tick);
    let before = model.visible_wait_secs();
    update(&mut model, now() + Duration::seconds(91), Msg::Tick);
    assert_ne!(model.visible_wait_secs(), before);
}

#[test]
fn newest_record_has_no_age_beside_a_stale_number() {
    let fresh = row(&model_in(State::Healthy, 160, 45), "newest");
    assert!(fresh.contains("newest 1 s ago"), "{fresh}");
    let stale = text(&model_in(State::PartlyUnreachable, 160, 45));
    assert!(!stale.contains("newest 1 s ago"), "{stale}");
}

#[test]
fn growing_queue_is_told_before_its_oldest_message_is_old() {
    let text = text(&model_in(State::Growing, 80, 24));
    assert!(
        text.contains("events-queue grows: 5 → 215 messages in 35 s, +6.0/s"),
        "{text}"
    );
    assert!(text.contains("attention"), "{text}");
    assert!(row(&model_in(State::Growing, 80, 24), "SQS queue").contains("grows +6.0/s"));
}

#[test]
fn burst_that_passes_is_no_growth() {
    let mut model = start(80, 24, now());
    for (look, visible) in [0, 0, 90, 12, 0, 40, 0, 3].into_iter().enumerate() {
        let world = World {
            source: Ok(queue("events-queue", visible, 5, Some(1))),
            ..World::healthy()
        };
        let at = now() + Duration::seconds(5 * i64::try_from(look).unwrap());
        world.serve(&mut model, at, 0);
    }
    assert!(text(&model).contains("healthy"), "{}", text(&model));
}

/// A queue with five messages in flight at every look of a minute, while this was deleted in the
/// last complete period.
fn in_flight(deleted: f64) -> String {
    let mut model = start(80, 24, now());
    for look in 0..28 {
        let at = now() + Duration::seconds(5 * look);
        let mut history = history(0.0);
        for (point, minute) in history.deleted.iter_mut().rev().zip(0..) {
            point.at = at - Duration::seconds(60 + 60 * minute);
            point.value = deleted;
        }
        let world = World {
            source: Ok(queue("events-queue", 0, 5, Some(30))),
            history: Ok(history),
            ..World::healthy()
        };
        world.serve(&mut model, at, 0);
    }
    text(&model)
}

#[test]
fn messages_in_flight_that_nobody_finishes_are_told() {
    let stuck = in_flight(0.0);
    let told = "5 in flight in events-queue and none deleted for 2 min 15 s";
    assert!(stuck.contains(told), "{stuck}");
    let busy = in_flight(60.0);
    assert!(busy.contains("healthy"), "{busy}");
}

#[test]
fn nothing_is_healthy_before_everything_was_seen() {
    let pending = text(&model_in(State::HistoryUnseen, 80, 24));
    assert!(pending.contains("connecting"), "{pending}");
    assert!(pending.contains("not seen yet: the history"), "{pending}");
    let empty = text(&model_in(State::NoMetrics, 80, 24));
    assert!(!empty.contains("healthy"), "{empty}");
    assert!(!empty.contains("every hop was seen"), "{empty}");
    for unknown in [
        "the rate in",
        "the rate out",
        "the age of the oldest message",
    ] {
        let words = empty.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(unknown), "{unknown}\n{empty}");
    }
}

#[test]
fn rates_agree_wherever_they_are_shown() {
    let seen = text(&model_in(State::Healthy, 80, 24));
    assert!(
        seen.contains("in 50.0/s") && seen.contains("50.0/s in"),
        "{seen}"
    );
    let unknown = text(&model_in(State::NoMetrics, 80, 24));
    assert!(
        unknown.contains("– in ") && unknown.contains("in – "),
        "{unknown}"
    );
}

#[test]
fn error_of_the_history_ends_with_the_outage() {
    let mut model = model_in(State::HistoryFails, 80, 24);
    assert!(text(&model).contains("history: read metrics"));
    World::healthy().serve(&mut model, now() + Duration::seconds(20), 900);
    let text = text(&model);
    assert!(!text.contains("read metrics"), "{text}");
    assert!(text.contains("healthy"), "{text}");
}

#[test]
fn attention_is_read_in_full_on_a_very_small_terminal() {
    for state in [State::ApiDown, State::DeadLetters, State::PartlyUnreachable] {
        let text = text(&model_in(state, 40, 10));
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let end = match state {
            State::ApiDown => "its database is the usual cause",
            State::DeadLetters => "2 tells why they died",
            _ => "is the demo still running?",
        };
        assert!(words.contains(end), "{state:?}\n{text}");
    }
}

#[test]
fn selected_finding_stays_in_sight_on_a_very_small_terminal() {
    let mut model = model_in(State::Unreachable, 40, 10);
    for part in [
        "source queue",
        "dead-letter queue",
        "database",
        "API",
        "history",
    ] {
        let text = text(&model);
        let line = text.lines().find(|line| line.starts_with('▸')).unwrap();
        assert!(line.contains(part), "{part}\n{text}");
        key(&mut model, KeyCode::Down);
    }
}

#[test]
fn every_screen_can_be_found_from_the_bottom_line() {
    for screen in ScreenId::ALL {
        let mut model = model_in(State::Healthy, 80, 24);
        key(&mut model, KeyCode::Char(screen.number()));
        let line = text(&model).lines().last().unwrap().to_owned();
        let here = format!("{} {}", screen.number(), screen.title());
        for part in [here.as_str(), "1-5 screens", "? help"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        update(
            &mut model,
            now(),
            Msg::Resize {
                width: 160,
                height: 45,
            },
        );
        let line = text(&model).lines().last().unwrap().to_owned();
        for other in ScreenId::ALL {
            assert!(line.contains(other.title()), "{line}");
        }
    }
}

#[test]
fn notice_hides_no_key_and_stays_on_its_screen() {
    let mut model = model_in(State::Notice, 80, 24);
    let line = text(&model).lines().last().unwrap().to_owned();
    assert!(
        line.contains("? help") && line.contains("1-5 screens"),
        "{line}"
    );
    assert!(text(&model).contains("✖ its database is the usual cause"));
    key(&mut model, KeyCode::Char('5'));
    assert_eq!(model.notice, None);
}

#[test]
fn long_notice_is_wrapped() {
    let mut model = model_in(State::Healthy, 40, 10);
    model.notice = Some(Notice {
        text: "not released: release letters at http://127.0.0.1:4566: refused".to_owned(),
        tone: Tone::Bad,
        until: now() + Duration::seconds(8),
    });
    let text = text(&model);
    assert!(text.contains("refused"), "{text}");
}

#[test]
fn palette_finds_what_belongs_to_another_screen() {
    let chosen = |typed: &str| {
        let mut model = model_in(State::Healthy, 80, 24);
        for character in typed.chars() {
            key(&mut model, KeyCode::Char(character));
        }
        key(&mut model, KeyCode::Enter);
        let told = model.notice.as_ref().map(|notice| notice.text.clone());
        (model.screen, model.context(), told.unwrap_or_default())
    };
    let (screen, context, _) = chosen(":filter");
    assert_eq!((screen, context), (ScreenId::Records, Context::Input));
    // What acts on what is seen is only shown.
    let (screen, context, told) = chosen(":redrive");
    assert_eq!(screen, ScreenId::DeadLetters);
    assert_eq!(context, Context::Screen(ScreenId::DeadLetters));
    assert_eq!(told, "redrive is key r here");
    let (screen, _, told) = chosen(":send");
    assert_eq!(screen, ScreenId::Publish);
    assert_eq!(told, "send is key s here");
}

#[test]
fn absent_metrics_of_the_ingest_are_told_as_absent_and_why() {
    let line = |state| row(&model_in(state, 80, 24), "a minute");
    // The history was read 5 s ago: its five minutes were 295 s then.
    let healthy = line(State::Healthy);
    assert!(healthy.contains("stored 2,939"), "{healthy}");
    assert!(healthy.contains("dup 3.1  failed 0"), "{healthy}");
    for (state, said) in [
        (State::NoMetrics, "no metrics"),
        (State::IngestUnnamed, "names no ingest_function"),
        (State::IngestSilent, "no batch"),
        (State::HistoryUnseen, "not seen yet"),
    ] {
        let line = line(state);
        assert!(line.contains(said) && !line.contains('0'), "{line}");
        let ingest = row(&model_in(state, 80, 24), "ingest ƒ");
        assert!(!ingest.contains("lag"), "{ingest}");
    }
}

#[test]
fn failures_are_told_by_code_most_frequent_first_and_what_is_cut_is_marked() {
    let wide = row(&model_in(State::IngestFailing, 160, 45), "a minute");
    let order = [
        "retry 12",
        "missing-attribute 32",
        "refused-by-database 2.0",
        "unsupported-specversion 1.0",
        "not-json 0.4",
    ];
    let places: Vec<Option<usize>> = order.iter().map(|part| wide.find(part)).collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{wide}"
    );
    let narrow = row(&model_in(State::IngestFailing, 80, 24), "a minute");
    assert!(
        narrow.contains("missing-attribute 32") && narrow.contains('…'),
        "{narrow}"
    );
}
