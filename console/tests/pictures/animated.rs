//! A recording as an animation.

use std::time::Duration;

use crate::picture::animation::{BYTES_MAX, FOOT, draw, draw_film};
use crate::picture::cast::{Cast, Event, Kind};
use crate::picture::frames::play;
use crate::picture::palette::Theme;
use crate::picture::window::Window;
use crate::{Element, WINDOW, assert_stands_alone, elements};

fn cast(rows: u16, events: &[(u64, Kind, &str)]) -> Cast {
    let events = events.iter().map(|(at, kind, text)| Event {
        at: Duration::from_millis(*at),
        kind: *kind,
        text: (*text).to_owned(),
    });
    Cast {
        columns: 20,
        rows,
        title: "opsconsole".to_owned(),
        events: events.collect(),
    }
}

fn drawn(cast: &Cast) -> String {
    draw(cast, "what it shows", Theme::Dark).unwrap()
}

fn rules(svg: &str) -> String {
    let mut elements = elements(svg).into_iter();
    elements.find(|one| one.name == "style").unwrap().text
}

/// The strips that move.
fn strips(svg: &str) -> Vec<Element> {
    let is_strip = |one: &Element| {
        one.attribute("class")
            .is_some_and(|class| class.starts_with("s "))
    };
    elements(svg).into_iter().filter(is_strip).collect()
}

#[test]
fn row_moves_only_when_it_changes_and_shows_its_end_without_animation() {
    let svg = drawn(&cast(
        3,
        &[
            (0, Kind::Output, "\u{1b}[?25lstill\r\n\r\none"),
            (1_000, Kind::Output, "\rtwo"),
            (2_000, Kind::Output, "\rone"),
        ],
    ));
    let strips = strips(&svg);
    let [strip] = &strips[..] else {
        unreachable!("{svg}");
    };
    assert_eq!(strip.attribute("class"), Some("s s0"));
    assert_eq!(strip.attribute("transform"), Some("translate(-0 0)"));
    let rules = rules(&svg);
    let keyframes = "@keyframes s0{0%{transform:translateX(-0px)}16.667%{transform:translateX(-168px)}\
        33.333%{transform:translateX(-0px)}}";
    assert!(rules.contains(keyframes), "{rules}");
    assert!(
        rules.contains(".s{animation:6s step-end infinite}"),
        "{rules}"
    );
    assert!(rules.contains("prefers-reduced-motion"), "{rules}");
    let once = elements(&svg)
        .iter()
        .filter(|one| one.text == "one")
        .count();
    assert_eq!(once, 1, "what comes again is there once");
}

#[test]
fn captions_and_keys_are_in_the_foot_and_hostile_ones_stay_text() {
    let svg = drawn(&cast(
        1,
        &[
            (0, Kind::Marker, "1 Fault|<script>&\u{1b}</text>"),
            (500, Kind::Input, "<"),
            (1_000, Kind::Marker, "2 Group|by cause"),
        ],
    ));
    assert_stands_alone(&svg);
    let texts: Vec<String> = elements(&svg).into_iter().map(|one| one.text).collect();
    for text in [
        "1 Fault",
        "  <script>&\u{fffd}</text>",
        "<",
        "2 Group",
        "  by cause",
    ] {
        assert!(
            texts.iter().any(|found| found == text),
            "{text} in {texts:?}"
        );
    }
}

/// So many screens on which every row changes, at this pace.
fn busy(screens: u64, pace_ms: u64) -> Cast {
    let screen = |number: u64| {
        let rows = (1..=50).map(|row| format!("\u{1b}[{row};1H{number} {row} abcdefgh"));
        rows.collect::<String>()
    };
    let events = (0..screens).map(|number| Event {
        at: Duration::from_millis(number * pace_ms),
        kind: Kind::Output,
        text: format!("\u{1b}[?25l{}", screen(number)),
    });
    Cast {
        events: events.collect(),
        ..cast(50, &[])
    }
}

#[test]
fn recording_that_would_be_too_large_has_fewer_frames() {
    let cast = busy(100, 50);
    let frames = play(&cast, Duration::from_millis(40));
    assert_eq!(frames.frames.len(), 100);
    let window = Window {
        foot: FOOT,
        ..WINDOW
    };
    assert!(draw_film(&frames, &window, Theme::Dark).len() > BYTES_MAX);
    assert!(drawn(&cast).len() <= BYTES_MAX);
    // These are too slow to be joined.
    let error = draw(&busy(120, 700), "", Theme::Dark).unwrap_err();
    assert!(error.contains("make it shorter"), "{error}");
}
