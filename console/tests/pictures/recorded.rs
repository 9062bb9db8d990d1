//! Asciicasts, and the screens that they show.

use std::time::Duration;

use crate::picture::cast::{Cast, Event, Kind};
use crate::picture::frames::{END, IDLE_MAX, KEY, play};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn event(at: u64, kind: Kind, text: &str) -> Event {
    Event {
        at: millis(at),
        kind,
        text: text.to_owned(),
    }
}

fn cast(events: Vec<Event>) -> Cast {
    Cast {
        columns: 20,
        rows: 2,
        title: "a \"title\"".to_owned(),
        events,
    }
}

/// What is shown from which time on.
fn shown(events: Vec<Event>, interval: u64) -> Vec<(u64, String)> {
    let film = play(&cast(events), millis(interval));
    let frames = film.frames.iter().map(|frame| {
        let runs = frame.what.lines.iter().flat_map(|line| &line.runs);
        let text: String = runs.map(|run| run.text.as_str()).collect();
        let at = u64::try_from(frame.at.as_millis()).unwrap();
        (at, text.split_whitespace().collect::<Vec<_>>().join(" "))
    });
    frames.collect()
}

fn is(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    let expected = expected.iter();
    expected
        .map(|(at, text)| (*at, (*text).to_owned()))
        .collect()
}

/// Hides the cursor, which would be a part of the screen.
const START: &str = "\u{1b}[?25l";

#[test]
fn asciicast_is_read_back_as_it_was_written() {
    let written = cast(vec![
        event(0, Kind::Output, "\u{1b}[1m\"ü\"\r\n"),
        event(1_234, Kind::Input, "\u{1b}"),
        event(1_235, Kind::Marker, "1 Fault|it fails"),
    ]);
    let text = written.write();
    let mut lines = text.lines();
    let head: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(
        (&head["version"], &head["width"], &head["height"]),
        (&2.into(), &20.into(), &2.into())
    );
    assert_eq!(lines.next(), Some(r#"[0.0,"o","\u001b[1m\"ü\"\r\n"]"#));
    assert_eq!(Cast::read(&text), Ok(written));
}

#[test]
fn file_that_is_no_asciicast_is_refused_with_its_line() {
    let head = r#"{"version":2,"width":20,"height":2}"#;
    for (text, expected) in [
        (String::new(), "line 1: "),
        (head.replace("2,", "3,"), "line 1: not an asciicast"),
        (head.replace("20", "0"), "line 1: width"),
        (format!("{head}\n[0,\"o\"]"), "line 2: "),
        (format!("{head}\n[-1,\"o\",\"\"]"), "line 2: "),
    ] {
        let error = Cast::read(&text).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    // The format has more kinds, and may get others.
    let more = Cast::read(&format!("{head}\n[1,\"r\",\"80x24\"]")).unwrap();
    assert_eq!(more.events, []);
}

#[test]
fn recording_begins_where_the_story_does_and_divides_no_character() {
    let written = [
        (millis(100), b"before ".to_vec()),
        (millis(1_100), vec![b'a', 0xc3]),
        (millis(1_200), vec![0xbc, b'b']),
        (millis(1_300), vec![0xff]),
    ];
    let noted = [
        event(500, Kind::Marker, "left out"),
        event(1_050, Kind::Input, "j"),
    ];
    let cast = Cast::of((20, 2), "t", &written, &noted, millis(1_000));
    let expected = [
        event(0, Kind::Output, "before "),
        event(50, Kind::Input, "j"),
        event(100, Kind::Output, "a"),
        event(200, Kind::Output, "üb"),
        event(300, Kind::Output, "\u{fffd}"),
    ];
    assert_eq!(cast.events, expected);
}

#[test]
fn screen_that_does_not_change_is_no_frame() {
    let events = vec![
        event(0, Kind::Output, START),
        event(500, Kind::Output, "a"),
        event(1_000, Kind::Output, "\ra"),
        event(1_500, Kind::Output, "b"),
    ];
    assert_eq!(shown(events, 40), is(&[(0, ""), (500, "a"), (1_500, "ab")]));
}

#[test]
fn screens_that_follow_each_other_fast_are_one_frame() {
    let events = vec![
        event(0, Kind::Output, START),
        event(500, Kind::Output, "a"),
        event(520, Kind::Output, "b"),
        event(545, Kind::Output, "c"),
        // Back to what was shown before it: nothing happened.
        event(800, Kind::Output, "d"),
        event(820, Kind::Output, "\u{8} "),
    ];
    let expected = is(&[(0, ""), (500, "ab"), (545, "abc")]);
    assert_eq!(shown(events, 40), expected);
}

#[test]
fn half_drawn_screen_is_not_shown() {
    let events = vec![
        event(0, Kind::Output, START),
        event(500, Kind::Output, "\u{1b}[?2026ha"),
        event(1_000, Kind::Output, "b\u{1b}[?20"),
        event(1_500, Kind::Output, "26l"),
        event(2_000, Kind::Output, "c\u{1b}[?2026h"),
    ];
    assert_eq!(shown(events, 40), is(&[(0, ""), (1_500, "ab")]));
}

#[test]
fn long_wait_is_shortened_and_the_end_is_held() {
    let events = vec![
        event(0, Kind::Output, START),
        event(60_000, Kind::Output, "a"),
        event(60_500, Kind::Output, "b"),
    ];
    let film = play(&cast(events.clone()), millis(40));
    assert_eq!(film.length, IDLE_MAX + millis(500) + END);
    assert_eq!(
        shown(events, 40),
        is(&[(0, ""), (2_500, "a"), (3_000, "ab")])
    );
}

#[test]
fn pressed_key_is_shown_until_it_is_old_or_another_comes() {
    let events = vec![
        event(0, Kind::Input, "\t"),
        event(500, Kind::Input, "\r"),
        event(2_900, Kind::Input, "y"),
    ];
    let film = play(&cast(events), millis(40));
    let keys: Vec<(Duration, &str)> = film.keys.iter().map(|key| (key.at, &*key.what)).collect();
    let expected = [
        (millis(0), "tab"),
        (millis(500), "⏎"),
        (millis(500) + KEY, ""),
        (millis(2_900), "y"),
        (millis(2_900) + KEY, ""),
    ];
    assert_eq!(keys, expected);
}
