//! One message: what it is, why it failed, its verdict now, and its body.
//!
//! Invariant: the body is laid out once per selection; a frame costs only the rows it shows.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use event::{FAILURE_ATTRIBUTES, Failure, NamedRecord, PartialIdentity, Verdict, unwrap_envelope};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::note::Note;
use crate::text::{NO_REASON, replaces_in_words};
use crate::tui::document::{Document, size};
use crate::tui::failure_text::{failure_text, is_of_ingest, reason_text, request_text};
use crate::tui::format::{UNKNOWN, age_secs, clock, fit, span_secs, visible};
use crate::tui::lines::wrapped;
use crate::tui::patch::{EditedMessage, warnings};
use crate::tui::theme::{Theme, Tone, sign};
use crate::tui::verdict::{verdict_sign, verdict_tone};
use pipeline::model::{AttributeValue, DeadLetter};
use redrive::triage::pointer;

/// Attributes that are listed; SQS allows ten, three of them are the ingest's.
const ATTRIBUTES_MAX: usize = 10;
/// Columns of an attribute's value; the body of a message is what `y` copies.
const ATTRIBUTE_COLUMNS_MAX: usize = 200;
/// A message that is dropped within a day needs attention first.
pub(super) const EXPIRY_URGENT_SECS: u64 = 86_400;

/// The bodies of a message, as far as they are read.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Its own body, before any edit.
    pub(super) own: Option<String>,
    /// What is sent instead, if it is edited.
    pub(super) edited: Option<String>,
}

/// A message's body, laid out.
#[derive(Debug)]
pub(super) struct Detail {
    message_id: String,
    texts: Texts,
    document: Document,
    is_enveloped: bool,
    edit: Option<EditFacts>,
}

/// What an edit makes of a message.
#[derive(Debug)]
struct EditFacts {
    verdict: Verdict,
    failure: Option<Failure>,
    replaces: Option<NamedRecord>,
    identity: PartialIdentity,
    warnings: Vec<&'static str>,
    /// Size of what is sent, in bytes.
    bytes: usize,
}

impl Detail {
    /// Of a message with its body, or of one whose body is not read yet.
    pub(super) fn of(message: &DeadLetter, texts: Texts, edit: Option<&EditedMessage>) -> Self {
        let shown = edit.map_or(&texts.own, |_| &texts.edited);
        let shown = shown.as_deref().unwrap_or_default();
        let event = unwrap_envelope(shown);
        let of_message = message.failure.as_deref();
        let failure = edit.map_or(of_message, |edit| edit.failure.as_ref());
        let place = failure
            .and_then(|failure| failure.pointer.clone())
            .or_else(|| pointer(message).filter(|_| edit.is_none()));
        Self {
            message_id: message.message_id.clone(),
            document: Document::new(&event, place.as_deref()),
            is_enveloped: edit.is_none()
                && (matches!(event, Cow::Owned(_)) || event.len() != shown.len()),
            texts,
            edit: edit.map(|edit| EditFacts {
                verdict: edit.verdict,
                failure: edit.failure.clone(),
                replaces: edit.replaces,
                identity: edit.identity.clone(),
                warnings: warnings(edit),
                bytes: edit.new_body.bytes(),
            }),
        }
    }

    /// The bodies, as far as they are read.
    pub(super) const fn texts(&self) -> &Texts {
        &self.texts
    }

    pub(super) fn is_of(&self, message: &DeadLetter) -> bool {
        self.message_id == message.message_id
    }

    /// Rows that can be scrolled through.
    pub(super) fn length(&self, message: &DeadLetter, note: Option<&Note>, width: usize) -> usize {
        let theme = Theme { has_colour: false };
        self.facts(message, note, theme, message.sent_at, width)
            .len()
            + self.document.len()
    }

    /// The rows from `offset` on.
    pub(super) fn lines(
        &self,
        message: &DeadLetter,
        note: Option<&Note>,
        theme: Theme,
        now: DateTime<Utc>,
        (offset, width, height): (usize, usize, usize),
    ) -> Vec<Line<'static>> {
        let facts = self.facts(message, note, theme, now, width);
        let below = offset.saturating_sub(facts.len());
        let mut lines: Vec<_> = facts.into_iter().skip(offset).take(height).collect();
        let room = height - lines.len();
        lines.extend(self.document.lines(theme, below, room, width));
        lines
    }

    fn facts(
        &self,
        message: &DeadLetter,
        note: Option<&Note>,
        theme: Theme,
        now: DateTime<Utc>,
        width: usize,
    ) -> Vec<Line<'static>> {
        let mut rows = Rows {
            lines: Vec::new(),
            width,
        };
        let verdict = self
            .edit
            .as_ref()
            .map_or(message.verdict, |edit| edit.verdict);
        let identity = self
            .edit
            .as_ref()
            .map_or(&message.identity, |edit| &edit.identity);
        let tone = verdict_tone(verdict);
        rows.push(&headline(identity), theme.strong());
        rows.push(&self.verdict_text(message, verdict), theme.tone(tone));
        if let Some(edit) = &self.edit {
            rows.push(
                "~ edited: this body is sent; u undoes the edit",
                theme.key(),
            );
            for warning in &edit.warnings {
                let text = format!("{} {warning}", sign(Tone::Warning));
                rows.push(&text, theme.tone(Tone::Warning));
            }
        }
        if let Some(note) = note {
            let text = format!("{} {}", sign(Tone::Warning), visible(&note.text()));
            rows.push(&text, theme.tone(Tone::Warning));
        }
        rows.push(&self.reason_text(message), Style::new());
        rows.push(&history_text(message, now), Style::new());
        let (tone, text) = expiry(message, now);
        rows.push(&text, tone.map_or(Style::new(), |tone| theme.tone(tone)));
        rows.push(&self.message_text(message), theme.muted());
        for text in attribute_texts(message) {
            rows.push(&text, theme.muted());
        }
        rows.lines.push(Line::default());
        rows.lines
    }

    fn verdict_text(&self, message: &DeadLetter, verdict: Verdict) -> String {
        let mut text = format!("{} {verdict}", verdict_sign(verdict));
        let (failure, stored_as, replaces) = match &self.edit {
            Some(edit) => (edit.failure.as_ref(), None, edit.replaces),
            None => (
                message.failure.as_deref(),
                message.stored_as,
                message.replaces,
            ),
        };
        match (failure, replaces, stored_as) {
            (Some(failure), ..) => text.push_str(&format!("  {}", failure_text(failure))),
            (None, Some(named), _) => {
                let record = replaces_in_words(named, verdict, stored_as);
                text.push_str(&format!("  replaces {record}"));
            }
            (None, None, Some(record)) => text.push_str(&format!("  as record {record}")),
            (None, None, None) if verdict == Verdict::AlreadyStored => {}
            (None, None, None) => {
                let at = match &self.edit {
                    Some(_) => "when it was edited".to_owned(),
                    None => format!("at {} UTC", clock(message.judged_at)),
                };
                text.push_str(&format!(" {at}  the ingest would store it"));
            }
        }
        if let Some(line) = self.document.marked_line() {
            text.push_str(&format!("  ▸ line {}", line + 1));
        }
        text
    }

    /// Why the message failed. An edited one failed with its old body, so that the reason is past.
    fn reason_text(&self, message: &DeadLetter) -> String {
        let Some(reason) = &message.reason else {
            return NO_REASON.to_owned();
        };
        let request = request_text(reason).map_or_else(String::new, |text| format!(" · {text}"));
        let (refused, failure) = match &self.edit {
            _ if !is_of_ingest(reason) => ("dead-lettered", None),
            Some(edit) => ("before the edit, rejected", edit.failure.as_ref()),
            None => ("rejected by the ingest", message.failure.as_deref()),
        };
        let is_same = failure.is_some_and(|failure| {
            failure.code.as_str() == reason.code && failure.attribute_message() == reason.message
        });
        if is_same {
            format!("{refused} for the same reason{request}")
        } else {
            format!("{refused} with {}{request}", reason_text(reason))
        }
    }

    fn message_text(&self, message: &DeadLetter) -> String {
        let envelope = if self.is_enveloped {
            " · in an SNS envelope"
        } else {
            ""
        };
        let shown = self
            .edit
            .as_ref()
            .map_or(&self.texts.own, |_| &self.texts.edited);
        let kind = if shown.is_none() {
            " · loading"
        } else if self.document.is_json() {
            ""
        } else {
            " · not JSON"
        };
        format!(
            "message {} · {}{envelope}{kind}",
            visible(&message.message_id),
            match &self.edit {
                Some(edit) => format!(
                    "{}, {} after the edit",
                    size(message.body.bytes()),
                    size(edit.bytes)
                ),
                None => size(message.body.bytes()),
            }
        )
    }
}

/// `type  source / id`
fn headline(identity: &PartialIdentity) -> String {
    let part = |text: &Option<String>| {
        text.as_deref()
            .filter(|text| !text.is_empty())
            .map_or(UNKNOWN.to_owned(), visible)
    };
    if identity.event_type.is_none() && identity.source.is_none() && identity.id.is_none() {
        return "not an event: no type, no source, no id".to_owned();
    }
    format!(
        "{}  {} / {}",
        part(&identity.event_type),
        part(&identity.source),
        part(&identity.id)
    )
}

fn history_text(message: &DeadLetter, now: DateTime<Utc>) -> String {
    let sent = when(message.sent_at, now);
    let first = message
        .first_received_at
        .map(|at| format!(" → first received {}", when(at, now)))
        .unwrap_or_default();
    let received = format!("{first} → received {}×", message.receive_count);
    // The ingest sends a message of its own. SQS moves the message and keeps when it was first sent, be that to this queue.
    if message.reason.is_some() {
        format!("dead-lettered {sent} UTC{received}")
    } else {
        format!("first sent {sent} UTC{received} → dead-lettered")
    }
}

/// When SQS drops the message.
fn expiry(message: &DeadLetter, now: DateTime<Utc>) -> (Option<Tone>, String) {
    match age_secs(now, message.expires_at) {
        0 => (
            Some(Tone::Bad),
            format!("{} expired: SQS deletes it", sign(Tone::Bad)),
        ),
        left if left < EXPIRY_URGENT_SECS => (
            Some(Tone::Warning),
            format!("{} expires in {}", sign(Tone::Warning), span_secs(left)),
        ),
        left => (None, format!("expires in {}", span_secs(left))),
    }
}

/// Time of day, with the date where it is not today's.
fn when(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if at.date_naive() == now.date_naive() {
        clock(at)
    } else {
        at.format("%Y-%m-%d %H:%M:%S").to_string()
    }
}

fn attribute_texts(message: &DeadLetter) -> Vec<String> {
    message
        .attributes
        .iter()
        .filter(|(name, _)| !FAILURE_ATTRIBUTES.contains(&name.as_str()))
        .take(ATTRIBUTES_MAX)
        .map(|(name, value)| {
            let (data_type, text) = match value {
                AttributeValue::Text { data_type, value } => (data_type, visible(value)),
                AttributeValue::Binary { data_type, value } => (data_type, size(value.len())),
            };
            let text = fit(&text, ATTRIBUTE_COLUMNS_MAX);
            format!(
                "attribute {} ({}) {text}",
                visible(name),
                visible(data_type)
            )
        })
        .collect()
}

/// Collects rows of at most `width` columns.
struct Rows {
    lines: Vec<Line<'static>>,
    width: usize,
}

impl Rows {
    fn push(&mut self, text: &str, style: Style) {
        for row in wrapped(text, self.width.saturating_sub(1)) {
            self.lines
                .push(Line::from(vec![Span::raw(" "), Span::styled(row, style)]));
        }
    }
}
