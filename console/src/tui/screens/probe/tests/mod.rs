//! Every state of the screen as pictures, and how it behaves.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crossterm::event::{KeyCode, MouseEventKind};
use event::{EventKey, RecordId};
use pipeline::probe::{
    DatabaseClock, FailureReason, Probe, ProbeFailure, ProbeHop, PublishedHop, ReadableHop,
    StoredHop,
};
use strum::VariantArray;

use crate::tui::fault::Fault;
use crate::tui::screen_id::ScreenId;
use crate::tui::testing::{
    Harness, PROBE, PUBLISH, TIME_LINE, assert_pictures, draw_at_every_size, now, production,
    read_only,
};

/// Every state that the screen can be seen in.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
enum State {
    Empty,
    First,
    Running,
    Stopped,
    Failed,
    Refused,
    RefusedWithPrevious,
    Question,
    Stored,
    HostileTexts,
    NoColour,
}

/// A probe that was seen in the ledger after so long, or never.
pub(super) fn probe(started_at: DateTime<Utc>, stored_ms: Option<u64>) -> Probe {
    let millis = Duration::from_millis;
    let failed = ProbeFailure {
        hop: ProbeHop::Stored,
        reason: FailureReason::TimeOver,
        detail: "not in the ledger within 30 s; the last look-up failed: look up stored events at \
                 postgres://127.0.0.1: connection refused (after 3.0 s)"
            .to_owned(),
    };
    let clock = DatabaseClock {
        ahead: TimeDelta::microseconds(-1_400),
        uncertainty: millis(4),
    };
    Probe {
        environment: "demo".to_owned(),
        key: EventKey {
            source: "opsconsole/probe/demo".to_owned(),
            id: format!("0193-{}", started_at.timestamp()),
        },
        started_at,
        published: Some(PublishedHop {
            took: millis(10),
            sns_message_id: "m-1".to_owned(),
            acknowledged_at: started_at + TimeDelta::milliseconds(10),
        }),
        stored: stored_ms.map(|took| StoredHop {
            took: millis(took),
            record_id: RecordId(7),
            ingested_at: Some(started_at),
            ingested_after: Some(TimeDelta::milliseconds(took.cast_signed()) / 2),
        }),
        readable: stored_ms.map(|_| ReadableHop {
            took: millis(8),
            answer: millis(7),
        }),
        has_api: true,
        failure: stored_ms.is_none().then_some(failed),
        database_clock: stored_ms.map(|_| clock),
    }
}

/// Answers the probe under way as one that began now.
fn answered(harness: &mut Harness, stored_ms: Option<u64>) {
    let probe = probe(harness.now, stored_ms);
    harness.answer(&PROBE, Ok(Box::new(probe)));
}

/// Somebody is there.
fn used(harness: &mut Harness) {
    harness.mouse(MouseEventKind::Moved, 0, 0);
}

/// Forty probes of a series, some of which are slow, and one of which fails where that is wanted.
fn series(harness: &mut Harness, fails: bool) {
    harness.press('s');
    for number in 0..40_u64 {
        let slow = if number % 9 == 8 { 1_700 } else { 0 };
        let took = 150 + number * 37 % 110 + slow;
        answered(harness, (!fails || number % 15 != 14).then_some(took));
        used(harness);
        harness.pass(30);
    }
}

fn forbidden() -> Fault {
    Fault {
        message: "publish \"events\": environment \"production\" is production and the change was not confirmed"
            .to_owned(),
        hint: Some("confirm it by name: --confirm production".to_owned()),
        is_not_permitted: true,
        ..Fault::default()
    }
}

fn drive(state: State, width: u16, height: u16) -> Harness {
    let mut harness = match state {
        State::Question => Harness::new(production(), now(), width, height),
        State::Empty
        | State::First
        | State::Running
        | State::Stopped
        | State::Failed
        | State::Refused
        | State::RefusedWithPrevious
        | State::Stored
        | State::HostileTexts
        | State::NoColour => Harness::on('8', width, height),
    };
    match state {
        State::Empty => {}
        State::First => {
            harness.press('s');
            harness.pass(3);
        }
        State::Running => {
            series(&mut harness, false);
            answered(&mut harness, Some(190));
            harness.pass(12);
        }
        State::Stopped => {
            series(&mut harness, false);
            harness.press('s');
            answered(&mut harness, Some(190));
        }
        State::Failed => {
            series(&mut harness, true);
            harness.press('j');
        }
        State::Refused => {
            harness.press('p');
            harness.answer(&PROBE, Err(forbidden()));
        }
        State::RefusedWithPrevious => {
            series(&mut harness, false);
            harness.answer(&PROBE, Err(forbidden()));
        }
        State::Question => harness.keys("8s"),
        State::Stored => {
            series(&mut harness, true);
            // From the whole way to the first hop, and on.
            for _ in 0..3 {
                harness.code(KeyCode::Tab);
            }
        }
        State::HostileTexts => {
            harness.press('p');
            let mut hostile = probe(harness.now, None);
            hostile.failure.as_mut().unwrap().detail =
                "\u{1b}[2J\u{202e}日本語 without an end ".repeat(20);
            harness.answer(&PROBE, Ok(Box::new(hostile)));
        }
        State::NoColour => {
            harness.model.theme.has_colour = false;
            series(&mut harness, true);
        }
    }
    harness
}

#[test]
fn every_state_looks_as_reviewed() {
    assert_pictures("probe", State::VARIANTS, drive);
}

#[test]
fn every_state_is_drawn_at_every_size() {
    let fullest = [State::Failed, State::HostileTexts, State::Question];
    draw_at_every_size(State::VARIANTS, &fullest, drive);
}

#[test]
fn nothing_is_published_without_a_key_and_one_key_publishes_one() {
    let mut harness = Harness::on('8', 160, 45);
    harness.refresh();
    harness.pass(3_600);
    harness.keys("18");
    assert_eq!((harness.count(&PROBE), harness.count(&PUBLISH)), (0, 0));
    harness.press('p');
    harness.press('p');
    assert_eq!(harness.count(&PROBE), 1, "one at a time");
    assert_eq!(harness.notice(), "a probe is under way");
    answered(&mut harness, Some(200));
    harness.pass(3_600);
    assert_eq!(harness.count(&PROBE), 0, "once is once");
}

#[test]
fn series_goes_on_by_its_interval_on_every_screen_until_it_is_stopped() {
    let mut harness = Harness::on('8', 160, 45);
    harness.press('s');
    assert_eq!(harness.count(&PROBE), 1, "the first begins at once");
    harness.pass(31);
    assert_eq!(harness.count(&PROBE), 1, "the next one waits for its end");
    answered(&mut harness, Some(200));
    harness.tick();
    assert_eq!(harness.count(&PROBE), 1, "which was late");
    answered(&mut harness, Some(200));
    harness.press('1');
    harness.pass(29);
    assert_eq!(harness.count(&PROBE), 0);
    harness.pass(1);
    assert_eq!(harness.count(&PROBE), 1, "also where it is not shown");
    answered(&mut harness, Some(200));
    // From half a minute to ten seconds.
    harness.keys("8+");
    harness.pass(10);
    assert_eq!(harness.count(&PROBE), 1);
    harness.press('s');
    answered(&mut harness, Some(200));
    harness.pass(3_600);
    assert_eq!(harness.count(&PROBE), 0);
    assert!(harness.text().contains("stopped"));
}

#[test]
fn production_is_probed_only_after_a_question_and_read_only_never() {
    let mut harness = drive(State::Question, 160, 45);
    assert_eq!(harness.count(&PROBE), 0);
    harness.code(KeyCode::Esc);
    harness.pass(60);
    assert_eq!(harness.count(&PROBE), 0);
    assert!(!harness.screen_text().contains("PRODUCTION?"));
    harness.keys("py");
    assert_eq!(harness.count(&PROBE), 1);
    let mut harness = Harness::new(read_only(), now(), 160, 45);
    harness.keys("8s");
    assert_eq!(harness.notice(), "demo is read-only: no probes");
    harness.pass(60);
    assert_eq!(harness.count(&PROBE), 0);
}

#[test]
fn series_in_production_gets_no_shorter_interval_than_was_confirmed() {
    let mut harness = drive(State::Question, 160, 45);
    harness.press('y');
    assert_eq!(harness.count(&PROBE), 1);
    harness.keys("+++");
    assert!(harness.notice().starts_with("stop the series first"));
    assert!(harness.screen_text().contains("30 s"));
}

#[test]
fn refusal_ends_the_series_and_says_why() {
    let mut harness = drive(State::RefusedWithPrevious, 160, 45);
    harness.pass(3_600);
    assert_eq!(harness.count(&PROBE), 0);
    let text = harness.screen_text();
    for expected in [
        "the change was not confirmed",
        "--confirm production",
        "p50",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn series_goes_on_after_a_probe_that_could_not_be_made() {
    let mut harness = Harness::on('8', 160, 45);
    harness.press('s');
    let busy = Fault::new("not sent: earlier requests were not answered within 20 s");
    harness.answer(&PROBE, Err(busy));
    let text = harness.screen_text();
    assert!(
        text.contains("earlier requests were not answered"),
        "{text}"
    );
    assert!(!text.contains("starts again"), "it goes on: {text}");
    harness.pass(30);
    answered(&mut harness, Some(200));
    assert!(!harness.screen_text().contains("earlier requests"));
}

#[test]
fn series_is_in_the_header_of_every_screen_and_in_production_as_a_danger() {
    let style_of_sign = |harness: &Harness| {
        let picture = harness.picture();
        let header: String = picture
            .content
            .iter()
            .take(160)
            .map(|cell| cell.symbol())
            .collect();
        let place = header.find("probing every 30 s")?;
        let column = header.get(..place)?.chars().count();
        Some(picture.content.get(column)?.fg)
    };
    let mut harness = Harness::on('8', 160, 45);
    assert_eq!(style_of_sign(&harness), None);
    harness.press('s');
    let usual = style_of_sign(&harness);
    assert!(usual.is_some());
    harness.press('1');
    assert_eq!(style_of_sign(&harness), usual);
    harness.keys("8s1");
    assert_eq!(style_of_sign(&harness), None, "it was stopped");
    let mut harness = drive(State::Question, 160, 45);
    assert_eq!(style_of_sign(&harness), None, "nothing was confirmed");
    harness.keys("y1");
    let danger = style_of_sign(&harness);
    assert!(danger.is_some() && danger != usual);
}

#[test]
fn series_ends_with_a_notice_where_nobody_uses_the_console() {
    let mut harness = Harness::on('8', 160, 45);
    harness.press('s');
    answered(&mut harness, Some(200));
    harness.press('1');
    harness.pass(599);
    answered(&mut harness, Some(200));
    harness.pass(1);
    assert_eq!(
        harness.notice(),
        "the probes of demo were stopped: no key for 10 min"
    );
    harness.pass(3_600);
    assert_eq!(harness.count(&PROBE), 0);
    harness.press('8');
    assert!(harness.screen_text().contains("as nobody used the console"));
    harness.press('s');
    assert_eq!(harness.count(&PROBE), 1, "a key starts it again");
    assert!(!harness.screen_text().contains("as nobody used the console"));
}

#[test]
fn failed_probe_is_traced_and_stays_selected_when_another_one_fails() {
    let mut harness = drive(State::Failed, 160, 45);
    let traced = |harness: &mut Harness| {
        harness.code(KeyCode::Enter);
        let (request, _) = harness.take(&TIME_LINE);
        harness.code(KeyCode::Esc);
        request.key
    };
    let selected = traced(&mut harness);
    assert_eq!(selected.source, "opsconsole/probe/demo");
    let third = probe(now() + TimeDelta::seconds(14 * 30), None);
    assert_eq!(selected, third.key, "the older of the two");
    answered(&mut harness, None);
    assert_eq!(traced(&mut harness), selected);
    harness.press('g');
    assert_ne!(traced(&mut harness), selected);
}

#[test]
fn palette_shows_the_screen_and_publishes_nothing() {
    let mut harness = Harness::new(crate::tui::testing::environment(), now(), 160, 45);
    for words in ["probe once", "start or stop"] {
        harness.press(':');
        harness.keys(words);
        harness.code(KeyCode::Enter);
        assert_eq!(harness.model.screen, ScreenId::Probe);
        assert_eq!(harness.count(&PROBE), 0, "{words}");
        harness.press('1');
    }
}
