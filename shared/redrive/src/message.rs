//! One message as the journal has it, and what of it is sent.
//!
//! Invariant: an [`Original`] has everything that SQS returned of the message, so that the message
//! can be made again from the journal alone; what is sent differs from it only by the edit of the
//! plan and by the three failure attributes that the ingest had added.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use event::{FAILURE_ATTRIBUTES, NamedRecord, REPLACES_ATTRIBUTE};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use pipeline::BodyError;
use pipeline::model::{AttributeValue, DeadLetter};

/// A message attribute with its type as SQS has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Attribute {
    /// `String`, `Number` or a custom type of them.
    Text {
        /// `DataType`.
        data_type: String,
        /// `StringValue`.
        text: String,
    },
    /// `Binary` or a custom type of it.
    Binary {
        /// `DataType`.
        data_type: String,
        /// `BinaryValue`, in base 64.
        base64: String,
    },
}

impl From<&AttributeValue> for Attribute {
    fn from(value: &AttributeValue) -> Self {
        match value {
            AttributeValue::Text { data_type, value } => Self::Text {
                data_type: data_type.clone(),
                text: value.clone(),
            },
            AttributeValue::Binary { data_type, value } => Self::Binary {
                data_type: data_type.clone(),
                base64: STANDARD.encode(value),
            },
        }
    }
}

impl Attribute {
    fn bytes(&self) -> usize {
        match self {
            Self::Text { data_type, text } => data_type.len() + text.len(),
            Self::Binary { data_type, base64 } => data_type.len() + base64.len() / 4 * 3,
        }
    }

    fn to_sdk(&self) -> Result<MessageAttributeValue, String> {
        let builder = MessageAttributeValue::builder();
        match self {
            Self::Text { data_type, text } => builder.data_type(data_type).string_value(text),
            Self::Binary { data_type, base64 } => {
                let value = STANDARD.decode(base64).map_err(|error| error.to_string())?;
                builder.data_type(data_type).binary_value(Blob::new(value))
            }
        }
        .build()
        .map_err(|error| error.to_string())
    }
}

/// A dead letter as it was received, or a record as it was read: its event and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// The body, before any edit.
    pub body: String,
    /// All message attributes, the three of the failure included.
    pub attributes: BTreeMap<String, Attribute>,
    /// `MessageGroupId` of a FIFO queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// `AWSTraceHeader`, the X-Ray trace that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<String>,
}

impl Original {
    /// An event that was read.
    pub(crate) fn of_event(body: String) -> Self {
        Self {
            body,
            attributes: BTreeMap::new(),
            group_id: None,
            trace_header: None,
        }
    }

    /// Reads the body of a message.
    ///
    /// # Errors
    /// When it is in the spool and cannot be read.
    pub(crate) fn of(message: &DeadLetter) -> Result<Self, BodyError> {
        Ok(Self {
            body: message.body.text()?.into_owned(),
            attributes: message
                .attributes
                .iter()
                .map(|(name, value)| (name.clone(), value.into()))
                .collect(),
            group_id: message.group_id.clone(),
            trace_header: message.trace_header.clone(),
        })
    }

    /// What its attributes name, if it replaces a record.
    pub(crate) fn named_record(&self) -> Option<NamedRecord> {
        Some(match self.attributes.get(REPLACES_ATTRIBUTE)? {
            Attribute::Text { text, .. } => NamedRecord::of_value(Some(text)),
            Attribute::Binary { .. } => NamedRecord::of_value(None),
        })
    }

    /// Everything but what the ingest added when it dead-lettered the event.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (&String, &Attribute)> {
        self.attributes
            .iter()
            .filter(|(name, _)| !FAILURE_ATTRIBUTES.contains(&name.as_str()))
    }

    /// The kept attributes as SQS accepts them.
    pub(crate) fn sdk_attributes(
        &self,
    ) -> Result<Option<HashMap<String, MessageAttributeValue>>, String> {
        let attributes = self
            .kept()
            .map(|(name, value)| Ok((name.clone(), value.to_sdk()?)))
            .collect::<Result<HashMap<_, _>, String>>()?;
        Ok((!attributes.is_empty()).then_some(attributes))
    }

    /// Size by which SQS counts when it is sent with `body`: the body and each attribute's name,
    /// type and value (Amazon SQS developer guide, "Message attributes").
    pub(crate) fn bytes_with(&self, body: &str) -> usize {
        body.len() + self.kept_bytes()
    }

    /// Of that, the attributes.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept()
            .map(|(name, value)| name.len() + value.bytes())
            .sum()
    }
}

/// [`Original::kept_bytes`] of a message that was not read yet.
pub(crate) fn kept_bytes(attributes: &BTreeMap<String, AttributeValue>) -> usize {
    attributes
        .iter()
        .filter(|(name, _)| !FAILURE_ATTRIBUTES.contains(&name.as_str()))
        .map(|(name, value)| {
            name.len()
                + match value {
                    AttributeValue::Text { data_type, value } => data_type.len() + value.len(),
                    AttributeValue::Binary { data_type, value } => data_type.len() + value.len(),
                }
        })
        .sum()
}

/// SHA-256 of a body, in lower-case hex.
#[must_use]
pub fn body_sha256(body: &str) -> String {
    format!("{:x}", Sha256::digest(body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_back_from_the_journal_with_type_and_value() {
        for value in [
            AttributeValue::Text {
                data_type: "Number.int".to_owned(),
                value: "1.50".to_owned(),
            },
            AttributeValue::Binary {
                data_type: "Binary.gif".to_owned(),
                value: vec![0, 255, 7],
            },
        ] {
            let attribute = Attribute::from(&value);
            let text = serde_json::to_string(&attribute).unwrap();
            let read: Attribute = serde_json::from_str(&text).unwrap();
            assert_eq!(read, attribute);
            let sdk = read.to_sdk().unwrap();
            match value {
                AttributeValue::Text { data_type, value } => {
                    assert_eq!(sdk.data_type(), data_type);
                    assert_eq!(sdk.string_value(), Some(value.as_str()));
                }
                AttributeValue::Binary { data_type, value } => {
                    assert_eq!(sdk.data_type(), data_type);
                    assert_eq!(sdk.binary_value().unwrap().as_ref(), value);
                }
            }
        }
    }
}
