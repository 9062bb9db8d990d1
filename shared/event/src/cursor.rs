//! Keyset cursor of the list of records: opaque to clients, it contains a position and an order.
//!
//! Invariant: a cursor is valid only for the order in which it was made.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::order::Order;
use crate::record_id::RecordId;

const VERSION: u8 = 1;
const LENGTH: usize = 18;

/// The last row of a page; the next page starts after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Order of the list for which the cursor was made.
    pub order: Order,
    /// First key of the position.
    pub occurred_at: DateTime<Utc>,
    /// Second key of the position.
    pub record_id: RecordId,
}

/// A text that this API did not return as a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this API; pass `next_cursor` of the previous page unchanged")]
pub struct CursorError;

impl Cursor {
    /// The cursor as text that is safe in a URL.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(VERSION);
        bytes.push(match self.order {
            Order::Asc => 0,
            Order::Desc => 1,
        });
        bytes.extend_from_slice(&self.occurred_at.timestamp_micros().to_be_bytes());
        bytes.extend_from_slice(&self.record_id.0.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a text that [`Cursor::encode`] made.
    ///
    /// # Errors
    /// When the text is no such cursor.
    pub fn decode(text: &str) -> Result<Self, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let (head, rest) = bytes.split_first_chunk::<2>().ok_or(CursorError)?;
        let (micros, rest) = rest.split_first_chunk::<8>().ok_or(CursorError)?;
        let (record_id, rest) = rest.split_first_chunk::<8>().ok_or(CursorError)?;
        let order = match head {
            [VERSION, 0] => Order::Asc,
            [VERSION, 1] => Order::Desc,
            _ => return Err(CursorError),
        };
        if !rest.is_empty() {
            return Err(CursorError);
        }
        let occurred_at =
            DateTime::from_timestamp_micros(i64::from_be_bytes(*micros)).ok_or(CursorError)?;
        Ok(Self {
            order,
            occurred_at,
            record_id: RecordId(i64::from_be_bytes(*record_id)),
        })
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode())
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::decode(&text).map_err(serde::de::Error::custom)
    }
}
