//! The way of a sent event, one line for each hop. Pure; invariant: a hop that was not seen is
//! shown as awaited, and a time that two clocks disagree about is not shown at all.

use chrono::{DateTime, Utc};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::sent::Sent;
use crate::text::NO_REASON;
use crate::tui::fault::Fault;
use crate::tui::format::{age_secs, clock, count, counted, latency, span_secs, visible};
use crate::tui::lines::{key_line, whole_words, wrapped};
use crate::tui::remote::Remote;
use crate::tui::theme::{Theme, Tone, sign};
use pipeline::model::{ApiHealth, Published, Reason, TraceState};

/// Columns of the sign, the hop and the place.
const HOP: usize = 10;
const PLACE: usize = 18;
/// Indent of a second line.
const INDENT: usize = 4;
/// Columns that a line with times needs; below, the place is left out.
const FULL: usize = 52;

/// Of an environment without `api_url`.
const NO_API: &str = "not configured";

struct Hop<'a> {
    tone: Tone,
    name: &'a str,
    place: String,
    at: Option<DateTime<Utc>>,
    text: String,
}

impl Hop<'_> {
    fn line(self, theme: Theme, width: usize) -> Line<'static> {
        let style = if self.tone == Tone::Muted {
            theme.muted()
        } else {
            Style::new()
        };
        let mut text = format!("{:<HOP$}", self.name);
        if width >= FULL || self.at.is_none() {
            let blanks = PLACE.saturating_sub(self.place.width());
            text.push_str(&self.place);
            text.push_str(&" ".repeat(blanks.max(1)));
        }
        if let Some(at) = self.at {
            text.push_str(&at.format("%H:%M:%S%.3f ").to_string());
        }
        text.push_str(&self.text);
        Line::from(vec![
            Span::styled(format!(" {} ", sign(self.tone)), theme.tone(self.tone)),
            Span::styled(whole_words(&text, width.saturating_sub(3)), style),
        ])
    }
}

/// The lines of an event at `now`.
pub(super) fn timeline(
    sent: &Sent,
    now: DateTime<Utc>,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    match &sent.published {
        Remote::Ready(fetched) => {
            followed(sent, &fetched.value, now, theme, width, &mut lines);
        }
        Remote::Loading { since, .. } => {
            let text = format!("sending, {}", span_secs(age_secs(*since, now)));
            lines.push(awaited("published", "SNS", text).line(theme, width));
        }
        Remote::Failed { error, .. } => {
            let (tone, text) = match error.may_have_happened {
                true => (Tone::Warning, "may be published: not confirmed"),
                false => (Tone::Bad, "not published"),
            };
            let hop = Hop {
                tone,
                name: "published",
                place: "SNS".to_owned(),
                at: None,
                text: text.to_owned(),
            };
            lines.push(hop.line(theme, width));
            fault_lines(error, theme, width, &mut lines);
            if error.may_have_happened && sent.key.is_some() {
                lines.push(key_line(theme, "T", "looks for what became of it"));
            }
            lines.push(key_line(theme, "s", "sends it again"));
        }
        Remote::Idle => {}
    }
    lines
}

fn awaited<'a>(name: &'a str, place: &str, text: String) -> Hop<'a> {
    Hop {
        tone: Tone::Muted,
        name,
        place: place.to_owned(),
        at: None,
        text,
    }
}

fn followed(
    sent: &Sent,
    published: &Published,
    now: DateTime<Utc>,
    theme: Theme,
    width: usize,
    lines: &mut Vec<Line<'static>>,
) {
    let acknowledged_at = published.acknowledged_at;
    let hop = Hop {
        tone: Tone::Good,
        name: "published",
        place: "SNS".to_owned(),
        at: Some(acknowledged_at),
        text: format!("in {}", latency(published.latency)),
    };
    lines.push(hop.line(theme, width));
    match sent.state.value() {
        Some(TraceState::Stored {
            record_id,
            ingested_at,
            readable,
        }) => {
            let text = since(acknowledged_at, *ingested_at, sent.is_again);
            let hop = Hop {
                tone: Tone::Good,
                name: "stored",
                place: format!("record {record_id}"),
                at: Some(*ingested_at),
                text,
            };
            lines.push(hop.line(theme, width));
            let path = format!("GET /v1/records/{record_id}");
            lines.push(readable_hop(sent, &path, readable.as_ref()).line(theme, width));
        }
        Some(TraceState::Dead {
            message_id,
            dead_at,
            reason,
        }) => {
            let hop = Hop {
                tone: Tone::Bad,
                name: "dead",
                place: "dead-letter queue".to_owned(),
                at: Some(*dead_at),
                text: since(acknowledged_at, *dead_at, false),
            };
            lines.push(hop.line(theme, width));
            dead_lines(message_id, reason.as_ref(), theme, width, lines);
        }
        Some(
            TraceState::Pending | TraceState::Searched { .. } | TraceState::SearchTruncated { .. },
        )
        | None => {
            pending_lines(sent, now, theme, width, lines);
            return;
        }
    }
    if let Some(fault) = sent.state.error() {
        fault_lines(fault, theme, width, lines);
    }
}

fn readable_hop<'a>(sent: &Sent, path: &str, readable: Option<&ApiHealth>) -> Hop<'a> {
    match readable {
        Some(answer) => Hop {
            tone: if answer.status == 200 {
                Tone::Good
            } else {
                Tone::Bad
            },
            name: "readable",
            place: "API".to_owned(),
            at: None,
            text: format!("{} in {}  {path}", answer.status, latency(answer.latency)),
        },
        None if !sent.has_api => awaited("readable", "API", NO_API.to_owned()),
        None => match sent.given_up_at() {
            Some(at) => awaited("readable", "API", format!("no answer by {} UTC", clock(at))),
            None => awaited("readable", "API", format!("{path}: no answer yet")),
        },
    }
}

fn pending_lines(
    sent: &Sent,
    now: DateTime<Utc>,
    theme: Theme,
    width: usize,
    lines: &mut Vec<Line<'static>>,
) {
    let waited = |until| sent.acknowledged_at().map_or(0, |at| age_secs(at, until));
    let is_refused = sent.key.is_none();
    let search = truncated(sent);
    let (name, place) = if is_refused {
        ("dead", "dead-letter queue")
    } else {
        ("stored", "record")
    };
    let keys = if sent.is_searching() {
        let waited = span_secs(waited(now));
        let text = match sent.state.error() {
            Some(_) => format!("not known for {waited}: looking it up fails"),
            None => format!("waiting for {waited}"),
        };
        lines.push(awaited(name, place, text).line(theme, width));
        Vec::new()
    } else {
        // Nobody has looked since: it may be there now.
        let text = match &search {
            Some(search) if is_refused => {
                format!("not found by {} UTC", clock(search.received_at))
            }
            Some(_) | None => match (sent.state.error(), sent.state.fetched()) {
                (Some(_), None) => "not known: it could not be looked up".to_owned(),
                (Some(_), Some(seen)) => {
                    let at = clock(seen.fetched_at);
                    format!("not there by {at} UTC; not seen since")
                }
                (None, None) => "not known: no look-up was answered".to_owned(),
                (None, Some(seen)) => {
                    let after = match waited(seen.fetched_at) {
                        0 => String::new(),
                        secs => format!(", in {}", span_secs(secs)),
                    };
                    format!("not there by {} UTC{after}", clock(seen.fetched_at))
                }
            },
        };
        let hop = Hop {
            tone: Tone::Warning,
            name,
            place: place.to_owned(),
            at: None,
            text,
        };
        lines.push(hop.line(theme, width));
        let was_seen = sent.state.error().is_none() && sent.state.value().is_some();
        if !is_refused && was_seen {
            let text = "it may still wait in the queue; a duplicate of an event whose record was erased or has \
                        expired is dropped, and has no record";
            indented(text, theme.muted(), width, lines);
        }
        let place = match search {
            Some(_) => ("2", "shows the dead letters, and / there searches them"),
            None => (
                "1",
                "shows the depth of the queue: does the ingest keep up?",
            ),
        };
        vec![
            key_line(theme, place.0, place.1),
            key_line(theme, "^r", "looks again"),
        ]
    };
    if !is_refused {
        let text = if sent.has_api { "after that" } else { NO_API };
        lines.push(awaited("readable", "API", text.to_owned()).line(theme, width));
    }
    let passed = search.as_ref().map(|search| search.text(now));
    if let Some(text) = passed.or_else(|| hidden_text(sent, now)) {
        indented(&text, theme.tone(Tone::Warning), width, lines);
    }
    // Why it is not known comes before what to do.
    if let Some(fault) = sent.state.error() {
        fault_lines(fault, theme, width, lines);
    }
    lines.extend(keys);
}

/// What the search hides from others.
fn hidden_text(sent: &Sent, now: DateTime<Utc>) -> Option<String> {
    let (messages, until) = sent.hidden(now)?;
    let messages = counted(messages as u64, "dead letter");
    let until = clock(until);
    Some(format!(
        "not among the {messages} received to look for it; others do not see these until {until} UTC at most"
    ))
}

/// A search among more dead letters than one receives.
struct Truncated {
    messages: usize,
    received_at: DateTime<Utc>,
    hidden_until: DateTime<Utc>,
}

fn truncated(sent: &Sent) -> Option<Truncated> {
    match sent.state.value()? {
        TraceState::SearchTruncated {
            messages,
            received_at,
            hidden_until,
        } => Some(Truncated {
            messages: *messages,
            received_at: *received_at,
            hidden_until: *hidden_until,
        }),
        TraceState::Pending
        | TraceState::Searched { .. }
        | TraceState::Stored { .. }
        | TraceState::Dead { .. } => None,
    }
}

impl Truncated {
    fn text(&self, now: DateTime<Utc>) -> String {
        let hidden = if now < self.hidden_until {
            let until = clock(self.hidden_until);
            format!(" (hidden from others until {until} UTC at most)")
        } else {
            String::new()
        };
        format!(
            "not among the {} received by {} UTC{hidden}; there are more",
            counted(self.messages as u64, "dead letter"),
            clock(self.received_at)
        )
    }
}

fn dead_lines(
    message_id: &str,
    reason: Option<&Reason>,
    theme: Theme,
    width: usize,
    lines: &mut Vec<Line<'static>>,
) {
    let text = match reason {
        Some(reason) => format!("{}: {}", visible(&reason.code), visible(&reason.message)),
        None => NO_REASON.to_owned(),
    };
    indented(&text, theme.tone(Tone::Bad), width, lines);
    let mut ids = format!("message {}", visible(message_id));
    if let Some(request_id) = reason.and_then(|reason| reason.request_id.as_deref()) {
        ids.push_str(&format!(" · rejected by request {}", visible(request_id)));
    }
    indented(&ids, theme.muted(), width, lines);
    lines.push(key_line(theme, "2", "shows the dead letters"));
}

fn fault_lines(fault: &Fault, theme: Theme, width: usize, lines: &mut Vec<Line<'static>>) {
    indented(
        &visible(&fault.message),
        theme.tone(Tone::Bad),
        width,
        lines,
    );
    if let Some(hint) = &fault.hint {
        indented(&visible(hint), Style::new(), width, lines);
    }
}

fn indented(text: &str, style: Style, width: usize, lines: &mut Vec<Line<'static>>) {
    let room = width.saturating_sub(INDENT + 1).max(1);
    lines.extend(wrapped(text, room).into_iter().map(|part| {
        Line::from(vec![
            Span::raw(" ".repeat(INDENT)),
            Span::styled(part, style),
        ])
    }));
}

/// How much later something happened, as far as that can be text.
fn since(from: DateTime<Utc>, to: DateTime<Utc>, is_again: bool) -> String {
    match (to - from).to_std() {
        Ok(span) => match u64::try_from(span.as_millis()) {
            Ok(millis) if millis < 10_000 => format!("+{} ms", count(millis)),
            Ok(_) | Err(_) => format!("+{}", span_secs(span.as_secs())),
        },
        Err(_) if is_again => "earlier: this one is a duplicate".to_owned(),
        Err(_) => "a duplicate, or clocks differ".to_owned(),
    }
}
