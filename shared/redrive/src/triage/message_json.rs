//! A dead letter in JSON: an answer of the command line, and a line of an export.
//!
//! Invariant: the JSON fields are published; they keep their names and their meaning.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use event::{Failure, NamedRecord, RecordId, Verdict};
use serde::Serialize;

use pipeline::BodyError;
use pipeline::model::{AttributeValue, DeadLetter, Reason};

/// A message of `dlq list`.
#[derive(Serialize)]
pub struct MessageJson<'a> {
    message_id: &'a str,
    cause: String,
    verdict: Verdict,
    failure: Option<&'a Failure>,
    reason: Option<ReasonJson<'a>>,
    event: Option<EventJson<'a>>,
    stored_as: Option<RecordId>,
    /// Absent in an ordinary message.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<RecordId>,
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

/// A message of `dlq show`, and a line of `dlq export`.
#[derive(Serialize)]
pub struct WholeMessageJson<'a> {
    #[serde(flatten)]
    message: MessageJson<'a>,
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

impl<'a> From<&'a DeadLetter> for MessageJson<'a> {
    fn from(message: &'a DeadLetter) -> Self {
        let identity = &message.identity;
        let is_known =
            identity.source.is_some() || identity.id.is_some() || identity.event_type.is_some();
        Self {
            message_id: &message.message_id,
            cause: message.cause(),
            verdict: message.verdict,
            failure: message.failure.as_deref(),
            reason: message.reason.as_deref().map(ReasonJson::from),
            event: is_known.then_some(EventJson {
                source: identity.source.as_deref(),
                id: identity.id.as_deref(),
                event_type: identity.event_type.as_deref(),
            }),
            stored_as: message.stored_as,
            replaces: message.replaces.and_then(NamedRecord::record_id),
            receive_count: message.receive_count,
            sent_at: message.sent_at,
            expires_at: message.expires_at,
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

impl<'a> WholeMessageJson<'a> {
    /// Reads the body, which may be in the spool.
    ///
    /// # Errors
    /// When the body cannot be read back from the spool.
    pub fn of(message: &'a DeadLetter) -> Result<Self, BodyError> {
        let attributes = message.attributes.iter().map(|(name, value)| {
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
            message: MessageJson::from(message),
            first_received_at: message.first_received_at,
            group_id: message.group_id.as_deref(),
            attributes: attributes.collect(),
            body: message.body.text()?,
        })
    }
}
