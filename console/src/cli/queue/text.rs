//! How peeked messages are written down.
//!
//! Invariant: the caller escapes what these texts hold before a terminal gets it; the table does it itself.

use chrono::{DateTime, Utc};
use event::{Failure, PartialIdentity};
use pipeline::BodyError;
use pipeline::queue_peek::{Peek, PeekedMessage, limit_sentence};
use redrive::triage;
use serde::Serialize;

use crate::cli::table::{Align, Keep, Table, moment, time_delta};
use crate::text::{clock, in_words};

/// The output for programs.
#[derive(Serialize)]
pub(super) struct PeekJson<'a> {
    queue: &'a str,
    max_receive_count: Option<u64>,
    messages: Vec<MessageJson<'a>>,
    end: &'static str,
    released_at: Option<DateTime<Utc>>,
    not_released: HiddenJson,
}

#[derive(Serialize)]
struct MessageJson<'a> {
    message_id: &'a str,
    sent_at: DateTime<Utc>,
    first_received_at: Option<DateTime<Utc>>,
    receive_count: u32,
    is_at_limit: bool,
    event: &'a PartialIdentity,
    verdict: &'static str,
    failure: Option<&'a Failure>,
    hidden_until: Option<DateTime<Utc>>,
    body_bytes: usize,
    body: String,
}

#[derive(Serialize)]
struct HiddenJson {
    messages_max: usize,
    until: Option<DateTime<Utc>>,
}

impl<'a> PeekJson<'a> {
    pub(super) fn of(peek: &'a Peek) -> Result<Self, BodyError> {
        let message = |one: &'a PeekedMessage| {
            Ok(MessageJson {
                message_id: &one.message_id,
                sent_at: one.sent_at,
                first_received_at: one.first_received_at,
                receive_count: one.receive_count,
                is_at_limit: peek.is_at_limit(one),
                event: &one.identity,
                verdict: one.verdict(),
                failure: one.failure.as_deref(),
                hidden_until: one.hidden_until,
                body_bytes: one.body.bytes(),
                body: one.body.text()?.into_owned(),
            })
        };
        let messages: Result<Vec<_>, BodyError> = peek.messages.iter().map(message).collect();
        Ok(Self {
            queue: &peek.queue,
            max_receive_count: peek.max_receive_count,
            messages: messages?,
            end: peek.end.as_str(),
            released_at: peek.released_at,
            not_released: HiddenJson {
                messages_max: peek.hidden.messages_max,
                until: peek.hidden.until,
            },
        })
    }
}

/// The list for people.
pub(super) fn table(peek: &Peek) -> Table {
    let mut table = Table::new(&[
        ("MESSAGE ID", Align::Left, Keep::Always),
        ("RECEIVES", Align::Left, Keep::Always),
        ("VERDICT", Align::Left, Keep::Always),
        ("AGE", Align::Right, Keep::Drop(2)),
        ("TYPE", Align::Left, Keep::Drop(1)),
        ("SOURCE", Align::Left, Keep::Drop(4)),
        ("ID", Align::Left, Keep::Drop(5)),
        ("FIRST RECEIVED", Align::Left, Keep::Drop(6)),
        ("BYTES", Align::Right, Keep::Drop(3)),
    ]);
    for message in &peek.messages {
        let identity = &message.identity;
        table.row([
            &message.message_id,
            &receives(peek, message),
            message.verdict(),
            &time_delta(peek.ended_at - message.sent_at),
            identity.event_type.as_deref().unwrap_or("-"),
            identity.source.as_deref().unwrap_or("-"),
            identity.id.as_deref().unwrap_or("-"),
            &message
                .first_received_at
                .map_or_else(|| "-".to_owned(), moment),
            &message.body.bytes().to_string(),
        ]);
    }
    table
}

/// `1 of 3`
fn receives(peek: &Peek, message: &PeekedMessage) -> String {
    match peek.max_receive_count {
        Some(max) => format!("{} of {max}", message.receive_count),
        None => message.receive_count.to_string(),
    }
}

/// Every body with the id of its message.
pub(super) fn bodies(peek: &Peek) -> Result<String, BodyError> {
    let mut text = String::new();
    for message in &peek.messages {
        let body = message.body.text()?;
        let pretty = triage::pretty(&body);
        let body = pretty.as_deref().unwrap_or(&body);
        text.push_str(&format!("\n{}\n{body}\n", message.message_id));
    }
    Ok(text)
}

/// The messages at their limit, a sentence each.
pub(super) fn limits(peek: &Peek) -> Vec<String> {
    let sentence = |message: &PeekedMessage| {
        let limit = limit_sentence(message.receive_count, peek.max_receive_count)?;
        Some(format!("{}: {limit}", message.message_id))
    };
    peek.messages.iter().filter_map(sentence).collect()
}

/// `3 messages released at 14:05:03 UTC`
pub(super) fn released(peek: &Peek) -> Option<String> {
    let at = peek.released_at.filter(|_| !peek.messages.is_empty())?;
    let messages = in_words(peek.messages.len() as u64, "message");
    Some(format!("{messages} released at {} UTC", clock(at)))
}
