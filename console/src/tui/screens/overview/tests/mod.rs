//! Every state of the overview, of the frame around it and of what lies over it, as pictures.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test is about the variants that it names"
)]

mod alarms;
mod attention;
mod budgets;
mod charts;
mod freshness;
mod sleeping;
mod stage;

use chrono::Duration;
use crossterm::event::KeyCode;

use strum::VariantArray as _;

use self::stage::{Pipeline, State, busy, harness_in, history, queue, row, served, start};
use crate::tui::effect::Effect;
use crate::tui::fault::Fault;
use crate::tui::keymap::KeyContext;
use crate::tui::message::Msg;
use crate::tui::outbox::Notice;
use crate::tui::request::{Reply, ReplyTo, Request, RequestId};
use crate::tui::screen_id::ScreenId;
use crate::tui::testing::{Harness, assert_pictures, draw_at_every_size, now, numbers};
use crate::tui::theme::Tone;
use crate::tui::update::update;
use pipeline::model::ReadPath;

/// Seconds after which an answer is late.
const LATE_SECS: i64 = 7;

#[test]
fn every_state_looks_as_reviewed() {
    assert_pictures("overview", State::VARIANTS, harness_in);
}

#[test]
fn every_size_is_drawn() {
    let fullest = [State::IngestFailing];
    draw_at_every_size(State::VARIANTS, &fullest, harness_in);
}

#[test]
fn a_request_under_way_is_not_sent_again() {
    let mut harness = start(80, 24);
    harness.tick();
    assert_eq!(harness.requests.len(), 9);
    harness.pass(60);
    assert_eq!(harness.requests.len(), 9);
}

#[test]
fn a_reply_to_nobody_changes_nothing() {
    let mut harness = served(&Pipeline::healthy(), 80, 24);
    let before = harness.picture();
    let late = ReplyTo::new(RequestId(9_999), Reply::Totals);
    harness.reply(late, Err(Fault::new("late")));
    assert_eq!(harness.picture(), before);
}

#[test]
fn quit_answers_while_everything_hangs() {
    let mut harness = harness_in(State::Connecting, 80, 24);
    let key = Msg::Key(KeyCode::Char('q').into());
    let effects = update(&mut harness.model, now(), key);
    assert!(matches!(effects[..], [Effect::Quit]));
}

#[test]
fn every_number_is_drawn_whole_or_not_at_all() {
    let mut harness = busy(300, 100);
    let mut whole = numbers(&harness.text());
    harness.resize(119, 100);
    whole.extend(numbers(&harness.text()));
    for width in (1..=130).chain([160, 200]) {
        for height in [10, 24] {
            harness.resize(width, height);
            let text = harness.text();
            // Neither the keys of the bottom line nor how many parts a line leaves out.
            let (body, _) = text.rsplit_once('\n').unwrap();
            let parts = body.split('…');
            let parts = parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
            let shown = numbers(&parts.collect::<Vec<_>>().join("…")).into_iter();
            let cut: Vec<_> = shown.filter(|number| !whole.contains(number)).collect();
            assert!(cut.is_empty(), "{cut:?} at {width}x{height}\n{text}");
        }
    }
}

#[test]
fn a_number_has_one_value_on_the_screen() {
    for height in [20, 45] {
        for width in [80, 160] {
            let text = busy(width, height).text();
            for (name, value) in [("depth ", "48,211"), ("DLQ ", "853"), ("max ", "950 ms")] {
                for place in text.split(name).skip(1) {
                    let shown = place.trim_start_matches(['●', '▲', '✖', '○', ' ']);
                    let is_number = shown.starts_with(|c: char| c.is_ascii_digit());
                    assert!(!is_number || shown.starts_with(value), "{name}{shown}");
                }
            }
        }
    }
}

#[test]
fn topic_has_what_was_published_and_the_queue_also_what_a_redrive_sends() {
    for height in [24, 45] {
        let width = if height == 24 { 80 } else { 160 };
        let seen = harness_in(State::Healthy, width, height);
        assert!(row(&seen, "/s in").contains("● 48.0/s in"));
        assert!(row(&seen, "─ In and out ").contains("in 50.0/s"));
        let unknown = harness_in(State::NoMetrics, width, height);
        assert!(row(&unknown, "○ – in").contains("○ – in"));
        assert!(row(&unknown, "─ In and out ").contains("in – "));
    }
}

#[test]
fn every_screen_can_be_found_from_the_bottom_line() {
    for &screen in ScreenId::ALL {
        let mut harness = harness_in(State::Healthy, 80, 24);
        harness.press(screen.number());
        let line = harness.text().lines().last().unwrap().to_owned();
        let here = format!("{} {}", screen.number(), screen.title());
        for part in [here.as_str(), "0-9 Q screens", "? help"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        harness.resize(160, 45);
        let line = harness.text().lines().last().unwrap().to_owned();
        for &other in ScreenId::ALL {
            assert!(line.contains(other.title()), "{line}");
        }
    }
}

#[test]
fn palette_finds_what_belongs_to_another_screen() {
    let chosen = |typed: &str| {
        let mut harness = harness_in(State::Healthy, 80, 24);
        for character in typed.chars() {
            harness.press(character);
        }
        harness.code(KeyCode::Enter);
        let notice = harness
            .model
            .notice
            .as_ref()
            .map(|notice| notice.text.clone());
        (
            harness.model.screen,
            harness.model.key_context(),
            notice.unwrap_or_default(),
        )
    };
    let (screen, context, _) = chosen(":filter");
    assert_eq!((screen, context), (ScreenId::Records, KeyContext::Query));
    // What acts on what is seen is only shown.
    let (screen, context, notice) = chosen(":redrive");
    assert_eq!(screen, ScreenId::DeadLetters);
    assert_eq!(context, KeyContext::Screen(ScreenId::DeadLetters));
    assert_eq!(notice, "redrive is key r here");
    let (screen, _, notice) = chosen(":send");
    assert_eq!(screen, ScreenId::Publish);
    assert_eq!(notice, "send is key s here");
}

#[test]
fn absent_metrics_of_the_ingest_are_shown_as_absent_and_why() {
    let line = |state| row(&harness_in(state, 80, 24), "per minute");
    let healthy = line(State::Healthy);
    assert!(healthy.contains("stored 2,890"), "{healthy}");
    assert!(healthy.contains("duplicates 3  failed 0"), "{healthy}");
    assert!(healthy.contains("  to 11:0"), "its time: {healthy}");
    let wide = row(&harness_in(State::Healthy, 160, 45), "per minute");
    assert!(wide.contains("3 min to 11:0"), "{wide}");
    for (state, shown) in [
        (State::NoMetrics, "no metrics"),
        (State::IngestUnnamed, "ingest_function is not set"),
        (State::IngestSilent, "no batch"),
        (State::HistoryUnseen, "not seen yet"),
    ] {
        let line = line(state);
        assert!(line.contains(shown) && !line.contains(" 0"), "{line}");
        let ingest = row(&harness_in(state, 80, 24), "ingest ƒ");
        assert!(!ingest.contains("lag"), "{ingest}");
    }
}

#[test]
fn failures_are_shown_by_code_most_frequent_first_and_what_is_cut_is_marked() {
    let wide = row(&harness_in(State::IngestFailing, 160, 45), "per minute");
    let order = [
        "retry 12",
        "missing-attribute 31",
        "refused-by-database 2",
        "unsupported-specversion 1",
        "not-json 0.4",
    ];
    let places: Vec<Option<usize>> = order.iter().map(|part| wide.find(part)).collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{wide}"
    );
    let narrow = row(&harness_in(State::IngestFailing, 80, 24), "per minute");
    assert!(
        narrow.contains("▲ failed 34"),
        "not a warning of what is stored: {narrow}"
    );
    assert!(narrow.contains("missing-attribute 31 …"), "{narrow}");
}
