//! The text of a cursor: opaque to clients, it contains a position and an order.
//!
//! Invariant: the text belongs to the filters of its list. A text that was cut or altered, or that
//! belongs to other filters, is refused.
//!
//! The checks detect mistakes, not forgery: they have no key. A forged cursor reads nothing that its sender
//! could not read with `from` and `to`, and a key would have to be the same in each instance of the API and in
//! the console.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike as _, Utc};
use sha2::{Digest as _, Sha256};

use crate::cursor::{Cursor, CursorError};
use crate::order::Order;
use crate::query::RecordQuery;
use crate::record_id::RecordId;

const VERSION: u8 = 2;
/// The years that RFC 3339 can write, one more at each end because of offsets. PostgreSQL cannot compare with
/// every later one.
const YEARS: std::ops::RangeInclusive<i32> = -1..=10_000;
/// Bytes of the digest of the filters.
const FILTERS_BYTES: usize = 8;
/// Bytes of the check over everything before it.
const CHECK_BYTES: usize = 4;

impl Cursor {
    /// The cursor as text that is safe in a URL, for the filters of `query`.
    #[must_use]
    pub fn encode(&self, query: &RecordQuery) -> String {
        let mut bytes = Vec::with_capacity(30);
        bytes.push(VERSION);
        bytes.push(match self.order {
            Order::Asc => 0,
            Order::Desc => 1,
        });
        bytes.extend_from_slice(&self.occurred_at.timestamp_micros().to_be_bytes());
        bytes.extend_from_slice(&self.record_id.0.to_be_bytes());
        bytes.extend_from_slice(&filters(query));
        let check = check(&bytes);
        bytes.extend_from_slice(&check);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a text that [`Cursor::encode`] made for a query with the same filters.
    ///
    /// # Errors
    /// When the text is no such cursor.
    pub fn decode(text: &str, query: &RecordQuery) -> Result<Self, CursorError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| CursorError::Altered)?;
        let (cursor, found) = split(&bytes).ok_or(CursorError::Altered)?;
        if found == filters(query) {
            Ok(cursor)
        } else {
            Err(CursorError::OtherFilters)
        }
    }
}

/// The cursor and the digest of its filters; `None` when the check fails.
fn split(bytes: &[u8]) -> Option<(Cursor, [u8; FILTERS_BYTES])> {
    let (checked, found) = bytes.split_last_chunk::<CHECK_BYTES>()?;
    if *found != check(checked) {
        return None;
    }
    let (head, rest) = checked.split_first_chunk::<2>()?;
    let (micros, rest) = rest.split_first_chunk::<8>()?;
    let (record_id, rest) = rest.split_first_chunk::<8>()?;
    let filters = <[u8; FILTERS_BYTES]>::try_from(rest).ok()?;
    let order = match head {
        [VERSION, 0] => Order::Asc,
        [VERSION, 1] => Order::Desc,
        _ => return None,
    };
    let occurred_at = DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?;
    let cursor = Cursor {
        order,
        occurred_at,
        record_id: RecordId(i64::from_be_bytes(*record_id)),
    };
    YEARS
        .contains(&occurred_at.year())
        .then_some((cursor, filters))
}

/// Digest of what selects records. Each filter is preceded by its length, so that no two combinations share
/// their bytes.
fn filters(query: &RecordQuery) -> [u8; FILTERS_BYTES] {
    // The page size and the order do not select records.
    let RecordQuery {
        source,
        id,
        event_type,
        subject,
        from,
        to,
        order: _,
        limit: _,
        cursor: _,
    } = query;
    let time = |time: &Option<DateTime<Utc>>| time.map(|time| time.timestamp_micros().to_string());
    let (from, to) = (time(from), time(to));
    let mut digest = Sha256::new();
    for filter in [source, id, event_type, subject, &from, &to] {
        match filter {
            Some(text) => {
                digest.update([1]);
                digest.update((text.len() as u64).to_be_bytes());
                digest.update(text);
            }
            None => digest.update([0]),
        }
    }
    first(&digest.finalize())
}

fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    first(&Sha256::digest(bytes))
}

fn first<const LENGTH: usize>(bytes: &[u8]) -> [u8; LENGTH] {
    bytes.first_chunk().copied().unwrap_or([0; LENGTH])
}
