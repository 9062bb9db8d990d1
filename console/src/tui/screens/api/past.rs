//! The calls of this run. Invariant: bounded, in memory alone.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use pipeline::api_call::ApiCall;
use ratatui::text::{Line, Span};

use super::answer::status_tone;
use crate::tui::format::{clock, latency, visible};
use crate::tui::lines::{left, right, whole_words};
use crate::tui::theme::{Theme, Tone, sign};

/// Calls that are kept, and most bytes of the body of each.
const PAST_MAX: usize = 50;
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Columns of the status and of the latency.
const STATUS: usize = 5;
const LATENCY: usize = 8;

/// What was sent, and how it was typed.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// The operation.
    pub(super) key: String,
    pub(super) values: BTreeMap<String, String>,
    pub(super) call: ApiCall,
}

impl Sent {
    /// `GET /v1/records?limit=2`
    pub(super) fn title(&self) -> String {
        visible(&format!("{} {}", self.call.method, self.call.target))
    }
}

/// A call, or a series of the same.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) at: DateTime<Utc>,
    pub(super) sent: Sent,
    /// Status and latency of the last answer, or why there was none.
    pub(super) result: Result<(u16, Duration), String>,
    /// How often it was sent.
    pub(super) calls: usize,
    /// Whether its body was too long to keep.
    pub(super) has_lost_body: bool,
}

/// Keeps a call, the newest first.
pub(super) fn keep(history: &mut VecDeque<Past>, mut past: Past) {
    let body = past.sent.call.body.take();
    past.has_lost_body = body
        .as_ref()
        .is_some_and(|body| body.len() > BODY_BYTES_MAX);
    past.sent.call.body = body.filter(|_| !past.has_lost_body);
    history.truncate(PAST_MAX - 1);
    history.push_front(past);
}

/// `▸ 11:06:40  ● 200   12.3 ms  GET /v1/records?limit=2  × 5`
pub(super) fn row(past: &Past, is_selected: bool, theme: Theme, width: usize) -> Line<'static> {
    let marker = if is_selected { "▸ " } else { "  " };
    let (tone, status, took) = match &past.result {
        Ok((status, took)) => (status_tone(*status), status.to_string(), latency(*took)),
        Err(_) => (Tone::Bad, "none".to_owned(), String::new()),
    };
    let times = match past.calls {
        1 => String::new(),
        calls => format!("  × {calls}"),
    };
    let why = past.result.as_ref().err();
    let why = why.map(|why| format!("  {}", visible(why)));
    let text = format!("{}{times}{}", past.sent.title(), why.unwrap_or_default());
    let head = format!("{}  ", clock(past.at));
    let used = 4 + head.len() + STATUS + LATENCY + 2;
    let line = Line::from(vec![
        Span::raw(marker),
        Span::raw(head),
        Span::styled(
            format!("{} {}", sign(tone), left(&status, STATUS)),
            theme.tone(tone),
        ),
        Span::raw(format!("{}  ", right(&took, LATENCY))),
        Span::raw(whole_words(&text, width.saturating_sub(used))),
    ]);
    match is_selected {
        true => theme.selected_row(line, true),
        false => line,
    }
}
