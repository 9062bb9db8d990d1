//! How a dead letter is written down.
//!
//! Invariant: the JSON fields are published; they keep their names and their meaning.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use event::{Failure, RecordId, Verdict};
use serde::Serialize;

use super::json_text;
use super::table::{Align, Keep, Table, moment, time_delta};
use crate::world::observed::{AttributeValue, DeadLetter, Reason};
use crate::world::{BodyError, printable, printable_lines};

/// A letter of `dlq list`.
#[derive(Serialize)]
pub(super) struct LetterJson<'a> {
    message_id: &'a str,
    cause: String,
    verdict: Verdict,
    failure: Option<&'a Failure>,
    reason: Option<ReasonJson<'a>>,
    event: Option<EventJson<'a>>,
    stored_as: Option<RecordId>,
    receive_count: u32,
    sent_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct ReasonJson<'a> {
    code: &'a str,
    message: &'a str,
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct EventJson<'a> {
    source: Option<&'a str>,
    id: Option<&'a str>,
    #[serde(rename = "type")]
    event_type: Option<&'a str>,
}

/// A letter of `dlq show`, and a line of `dlq export`.
#[derive(Serialize)]
pub(super) struct WholeLetterJson<'a> {
    #[serde(flatten)]
    letter: LetterJson<'a>,
    first_received_at: Option<DateTime<Utc>>,
    group_id: Option<&'a str>,
    attributes: BTreeMap<&'a str, AttributeJson<'a>>,
    body: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AttributeJson<'a> {
    Text {
        #[serde(rename = "type")]
        data_type: &'a str,
        value: &'a str,
    },
    Binary {
        #[serde(rename = "type")]
        data_type: &'a str,
        value_base64: String,
    },
}

impl<'a> From<&'a DeadLetter> for LetterJson<'a> {
    fn from(letter: &'a DeadLetter) -> Self {
        let identity = &letter.identity;
        let is_known =
            identity.source.is_some() || identity.id.is_some() || identity.event_type.is_some();
        Self {
            message_id: &letter.message_id,
            cause: letter.cause(),
            verdict: letter.verdict,
            failure: letter.failure.as_ref(),
            reason: letter.reason.as_ref().map(ReasonJson::from),
            event: is_known.then_some(EventJson {
                source: identity.source.as_deref(),
                id: identity.id.as_deref(),
                event_type: identity.event_type.as_deref(),
            }),
            stored_as: letter.stored_as,
            receive_count: letter.receive_count,
            sent_at: letter.sent_at,
            expires_at: letter.expires_at,
        }
    }
}

impl<'a> From<&'a Reason> for ReasonJson<'a> {
    fn from(reason: &'a Reason) -> Self {
        Self {
            code: &reason.code,
            message: &reason.message,
            request_id: reason.request_id.as_deref(),
        }
    }
}

impl<'a> WholeLetterJson<'a> {
    pub(super) fn of(letter: &'a DeadLetter) -> Result<Self, BodyError> {
        let attributes = letter.attributes.iter().map(|(name, value)| {
            let value = match value {
                AttributeValue::Text { data_type, value } => {
                    AttributeJson::Text { data_type, value }
                }
                AttributeValue::Binary { data_type, value } => AttributeJson::Binary {
                    data_type,
                    value_base64: STANDARD.encode(value),
                },
            };
            (name.as_str(), value)
        });
        Ok(Self {
            letter: LetterJson::from(letter),
            first_received_at: letter.first_received_at,
            group_id: letter.group_id.as_deref(),
            attributes: attributes.collect(),
            body: letter.body.text()?,
        })
    }
}

/// The list for people.
pub(super) fn table(letters: &[DeadLetter], now: DateTime<Utc>) -> Table {
    let mut table = Table::new(&[
        ("MESSAGE ID", Align::Left, Keep::Always),
        ("VERDICT", Align::Left, Keep::Always),
        ("CAUSE", Align::Left, Keep::Cut),
        ("TYPE", Align::Left, Keep::Drop(1)),
        ("SOURCE", Align::Left, Keep::Drop(4)),
        ("ID", Align::Left, Keep::Drop(6)),
        ("RECEIVED", Align::Right, Keep::Drop(5)),
        ("AGE", Align::Right, Keep::Drop(3)),
        ("EXPIRES IN", Align::Right, Keep::Drop(2)),
    ]);
    for letter in letters {
        let identity = &letter.identity;
        table.row([
            &letter.message_id,
            letter.verdict.as_str(),
            &letter.cause(),
            identity.event_type.as_deref().unwrap_or("-"),
            identity.source.as_deref().unwrap_or("-"),
            identity.id.as_deref().unwrap_or("-"),
            &format!("{}×", letter.receive_count),
            &time_delta(now - letter.sent_at),
            &time_delta(letter.expires_at - now),
        ]);
    }
    table
}

/// One letter for people, body included.
pub(super) fn form(letter: &DeadLetter, now: DateTime<Utc>) -> Result<String, BodyError> {
    let mut lines = vec![
        ("message", letter.message_id.clone()),
        ("verdict", letter.verdict.to_string()),
        ("cause", letter.cause()),
    ];
    if let Some(reason) = &letter.reason {
        lines.push(("reason", format!("{}: {}", reason.code, reason.message)));
        if let Some(request_id) = &reason.request_id {
            lines.push(("request", request_id.clone()));
        }
    }
    if let Some(failure) = &letter.failure {
        lines.push(("refused now", failure_sentence(failure)));
    }
    if let Some(record_id) = letter.stored_as {
        lines.push(("stored as", format!("record {record_id}")));
    }
    lines.extend([
        ("received", format!("{}×", letter.receive_count)),
        ("sent at", moment(letter.sent_at)),
        (
            "expires at",
            format!(
                "{} (in {})",
                moment(letter.expires_at),
                time_delta(letter.expires_at - now)
            ),
        ),
    ]);
    let mut text = String::new();
    for (name, value) in lines {
        text.push_str(&format!("{name:<14}{}\n", printable(&value)));
    }
    for (name, value) in &letter.attributes {
        text.push_str(&format!(
            "attribute     {}\n",
            printable(&attribute(name, value))
        ));
    }
    let body = letter.body.text()?;
    let pretty = json_text::pretty(&body);
    text.push_str(&printable_lines(pretty.as_deref().unwrap_or(&body)));
    text.push('\n');
    Ok(text)
}

fn failure_sentence(failure: &Failure) -> String {
    match &failure.pointer {
        Some(pointer) => format!("{}: {} (at {pointer})", failure.code, failure.detail),
        None => format!("{}: {}", failure.code, failure.detail),
    }
}

fn attribute(name: &str, value: &AttributeValue) -> String {
    match value {
        AttributeValue::Text { data_type, value } => format!("{name} ({data_type}) = {value}"),
        AttributeValue::Binary { data_type, value } => {
            format!("{name} ({data_type}) = {} bytes", value.len())
        }
    }
}
