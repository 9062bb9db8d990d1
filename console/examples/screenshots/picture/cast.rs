//! A recording of a terminal in the format asciicast v2: a line of JSON for the head, and one for each event.
//!
//! Invariant: what is written is read back as it was, with times in milliseconds.

use std::time::Duration;

use serde_json::{Value, json};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The program wrote.
    Output,
    /// A key was pressed.
    Input,
    /// A new part of the story begins.
    Marker,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Time since the beginning.
    pub(crate) at: Duration,
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cast {
    pub(crate) columns: u16,
    pub(crate) rows: u16,
    pub(crate) title: String,
    /// In the order of their times.
    pub(crate) events: Vec<Event>,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Output, Self::Input, Self::Marker];

    const fn code(self) -> &'static str {
        match self {
            Self::Output => "o",
            Self::Input => "i",
            Self::Marker => "m",
        }
    }
}

impl Cast {
    /// Joins what a program wrote with the keys and markers. What was written before `begin` is at time 0; markers and
    /// keys before it are left out.
    pub(crate) fn of(
        (columns, rows): (u16, u16),
        title: &str,
        written: &[(Duration, Vec<u8>)],
        noted: &[Event],
        begin: Duration,
    ) -> Self {
        let mut events = outputs(written);
        events.extend(noted.iter().filter(|event| event.at >= begin).cloned());
        for event in &mut events {
            let at = event.at.saturating_sub(begin).as_millis();
            event.at = Duration::from_millis(u64::try_from(at).unwrap_or(u64::MAX));
        }
        // Stable: at one time, what was written comes first.
        events.sort_by_key(|event| event.at);
        Self {
            columns,
            rows,
            title: title.to_owned(),
            events,
        }
    }

    /// The file.
    pub(crate) fn write(&self) -> String {
        let head = json!({
            "version": 2,
            "width": self.columns,
            "height": self.rows,
            "title": self.title,
        });
        let mut text = format!("{head}\n");
        for event in &self.events {
            let line = json!([event.at.as_secs_f64(), event.kind.code(), event.text]);
            text.push_str(&format!("{line}\n"));
        }
        text
    }

    /// Reads a file; events of kinds that this program does not know are left out, as the format asks for.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let head: Value = parsed(lines.next().unwrap_or_default(), 1)?;
        if head.get("version").and_then(Value::as_u64) != Some(2) {
            return Err("line 1: not an asciicast of version 2".to_owned());
        }
        let size = |name: &str| {
            let size = head.get(name).and_then(Value::as_u64);
            let size = size.and_then(|size| u16::try_from(size).ok());
            size.filter(|size| *size > 0)
                .ok_or_else(|| format!("line 1: {name} is not a size"))
        };
        let mut events = Vec::new();
        for (number, line) in lines.enumerate() {
            let number = number + 2;
            let event: (f64, String, String) =
                serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))?;
            let (at, code, text) = event;
            let at = Duration::try_from_secs_f64(at)
                .map_err(|error| format!("line {number}: {error}"))?;
            let kind = Kind::ALL.into_iter().find(|kind| kind.code() == code);
            events.extend(kind.map(|kind| Event { at, kind, text }));
        }
        Ok(Self {
            columns: size("width")?,
            rows: size("height")?,
            title: head
                .get("title")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            events,
        })
    }
}

fn parsed(line: &str, number: usize) -> Result<Value, String> {
    serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))
}

/// As text: a character whose bytes came in two parts belongs to the second.
fn outputs(written: &[(Duration, Vec<u8>)]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut bytes = Vec::new();
    for (at, more) in written {
        bytes.extend_from_slice(more);
        let whole = match std::str::from_utf8(&bytes) {
            // What is wrong in its middle stays wrong, and is replaced below.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Ok(_) | Err(_) => bytes.len(),
        };
        let rest = bytes.split_off(whole);
        if !bytes.is_empty() {
            events.push(Event {
                at: *at,
                kind: Kind::Output,
                text: String::from_utf8_lossy(&bytes).into_owned(),
            });
        }
        bytes = rest;
    }
    events
}
