//! A recording as the screens that it shows.
//!
//! Invariant: two frames in a row differ; no frame is a half-drawn one; nothing waits longer than [`IDLE_MAX`].

use std::time::Duration;

use super::cast::{Cast, Kind};
use super::cells::Cells;

/// Longer waits of the recording are shortened to this.
pub(crate) const IDLE_MAX: Duration = Duration::from_millis(2_500);
/// The last screen stays this long.
pub(crate) const END: Duration = Duration::from_secs(4);
/// A pressed key is shown this long.
pub(crate) const KEY: Duration = Duration::from_millis(1_400);
/// Synchronised output (mode 2026): the screen is not shown between the two.
const BEGIN_FRAME: &str = "\u{1b}[?2026h";
const END_FRAME: &str = "\u{1b}[?2026l";

/// What is shown from a time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown<T> {
    pub(crate) at: Duration,
    pub(crate) what: T,
}

/// A recording, ready to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Film {
    /// At least one, the first at time 0.
    pub(crate) frames: Vec<Shown<Cells>>,
    pub(crate) captions: Vec<Shown<String>>,
    /// The key that was pressed last; empty where that is long ago.
    pub(crate) keys: Vec<Shown<String>>,
    pub(crate) length: Duration,
}

/// Plays a recording. Screens that follow each other within `interval` are one frame: the last of them.
pub(crate) fn play(cast: &Cast, interval: Duration) -> Film {
    let mut parser = vt100::Parser::new(cast.rows, cast.columns, 0);
    let mut frames = vec![Shown {
        at: Duration::ZERO,
        what: Cells::of(parser.screen()),
    }];
    let mut captions = Vec::new();
    let mut keys: Vec<Shown<String>> = Vec::new();
    let mut gate = Gate::default();
    let (mut clock, mut before) = (Duration::ZERO, Duration::ZERO);
    for event in &cast.events {
        clock += event.at.saturating_sub(before).min(IDLE_MAX);
        before = before.max(event.at);
        match event.kind {
            Kind::Output => {
                parser.process(event.text.as_bytes());
                if gate.is_open_after(&event.text) {
                    show(&mut frames, clock, Cells::of(parser.screen()), interval);
                }
            }
            Kind::Marker => captions.push(Shown {
                at: clock,
                what: event.text.clone(),
            }),
            Kind::Input => {
                fade(&mut keys, clock);
                keys.push(Shown {
                    at: clock,
                    what: name_of(&event.text),
                });
            }
        }
    }
    let length = clock + END;
    fade(&mut keys, length);
    Film {
        frames,
        captions,
        keys,
        length,
    }
}

/// Whether the program is between two frames.
#[derive(Default)]
struct Gate {
    /// The end of what was written, in which a sequence may have begun.
    tail: String,
    is_closed: bool,
}

impl Gate {
    fn is_open_after(&mut self, written: &str) -> bool {
        let text = format!("{}{written}", self.tail);
        match (text.rfind(BEGIN_FRAME), text.rfind(END_FRAME)) {
            (Some(begin), Some(end)) => self.is_closed = begin > end,
            (Some(_), None) => self.is_closed = true,
            (None, Some(_)) => self.is_closed = false,
            (None, None) => {}
        }
        let kept: Vec<char> = text.chars().rev().take(BEGIN_FRAME.len() - 1).collect();
        self.tail = kept.into_iter().rev().collect();
        !self.is_closed
    }
}

fn show(frames: &mut Vec<Shown<Cells>>, at: Duration, what: Cells, interval: Duration) {
    let last = frames.last_mut();
    match last {
        Some(last) if last.what == what => return,
        Some(last) if at < last.at + interval => last.what = what,
        Some(_) | None => {
            frames.push(Shown { at, what });
            return;
        }
    }
    // The last one was replaced, perhaps by what was shown before it.
    let mut backwards = frames.iter().rev();
    let (last, one_before) = (backwards.next(), backwards.next());
    if let (Some(last), Some(one_before)) = (last, one_before)
        && last.what == one_before.what
    {
        frames.pop();
    }
}

/// Ends the display of the last key, if it is over before `now`.
fn fade(keys: &mut Vec<Shown<String>>, now: Duration) {
    if let Some(last) = keys.last() {
        let at = last.at + KEY;
        if at < now && !last.what.is_empty() {
            keys.push(Shown {
                at,
                what: String::new(),
            });
        }
    }
}

/// As a key is labelled.
fn name_of(key: &str) -> String {
    match key {
        "\r" | "\n" => "⏎".to_owned(),
        "\t" => "tab".to_owned(),
        "\u{1b}" => "esc".to_owned(),
        " " => "space".to_owned(),
        other => other.to_owned(),
    }
}
