//! The columns of a record, and how a row becomes one.

use chrono::{DateTime, Utc};
use event::{Record, RecordId, RecordView};
use serde_json::value::RawValue;
use sqlx::postgres::{PgRow, PgValueRef};
use sqlx::{Row as _, ValueRef as _};

use crate::error::{Context as _, StoreError};
use crate::position::Position;

const READ: &str = "read a record";

/// A page ends early, with a cursor, when its payloads exceed this many bytes. The response of a Lambda
/// function is limited to 6 MB, in which quotes are escaped once more.
pub const PAGE_BYTES_MAX: usize = 2_500_000;

/// Which columns of a record are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// All.
    All,
    /// All but the payload, which may be stored outside of its row.
    WithoutPayload,
}

impl Columns {
    /// The columns that [`RecordRow`] reads. The payload is text, because `numeric` stores numbers that no Rust
    /// type can.
    pub(crate) const fn select(self) -> &'static str {
        match self {
            Self::All => {
                "select r.record_id, r.source, r.id, r.type, r.subject, r.occurred_at, r.ingested_at, \
                 r.payload::text as payload"
            }
            Self::WithoutPayload => {
                "select r.record_id, r.source, r.id, r.type, r.subject, r.occurred_at, r.ingested_at, \
                 null::text as payload"
            }
        }
    }
}

/// A record as the database sent it: its texts are read where they are.
pub struct RecordRow {
    row: PgRow,
    pub(crate) position: Position,
    payload_bytes: Option<usize>,
}

impl RecordRow {
    /// Takes a row whose first eight columns are [`Columns::select`].
    pub(crate) fn new(row: PgRow) -> Result<Self, sqlx::Error> {
        let payload = row.try_get_raw(7)?;
        let payload_bytes = if payload.is_null() {
            None
        } else {
            Some(bytes(payload)?.len())
        };
        Ok(Self {
            payload_bytes,
            position: Position {
                occurred_at: time(&row, 5)?,
                record_id: row.try_get(0)?,
            },
            row,
        })
    }

    /// Bytes of the payload; `None` where it was not read.
    #[must_use]
    pub const fn payload_bytes(&self) -> Option<usize> {
        self.payload_bytes
    }

    /// The record, borrowed.
    ///
    /// # Errors
    /// When a column has another type.
    pub fn view(&self) -> Result<RecordView<'_>, StoreError> {
        self.columns().context(READ)
    }

    fn columns(&self) -> Result<RecordView<'_>, sqlx::Error> {
        Ok(RecordView {
            record_id: RecordId(self.position.record_id),
            source: self.row.try_get_unchecked(1)?,
            id: self.row.try_get_unchecked(2)?,
            event_type: self.row.try_get_unchecked(3)?,
            subject: self.row.try_get_unchecked(4)?,
            occurred_at: self.position.occurred_at,
            ingested_at: time(&self.row, 6)?,
            payload: self.row.try_get_unchecked(7)?,
        })
    }

    /// The record, which must have been read with its payload.
    pub(crate) fn record(&self) -> Result<Record, StoreError> {
        let view = self.view()?;
        let payload = view.payload.unwrap_or_default().to_owned();
        let payload = RawValue::from_string(payload)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))
            .context(READ)?;
        Ok(Record {
            record_id: view.record_id,
            source: view.source.to_owned(),
            id: view.id.to_owned(),
            event_type: view.event_type.to_owned(),
            subject: view.subject.map(str::to_owned),
            occurred_at: view.occurred_at,
            ingested_at: view.ingested_at,
            payload,
        })
    }
}

/// Microseconds from 1970 to 2000, from which the server counts.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A `timestamptz` of an answer in binary form. The driver's way by calendar days takes a twentieth of the time of a
/// page.
fn time(row: &PgRow, column: usize) -> Result<DateTime<Utc>, sqlx::Error> {
    let micros = <[u8; 8]>::try_from(bytes(row.try_get_raw(column)?)?).map(i64::from_be_bytes);
    micros
        .ok()
        .and_then(|micros| micros.checked_add(EPOCH_MICROS))
        .and_then(DateTime::from_timestamp_micros)
        .ok_or_else(|| sqlx::Error::Decode("not a time".into()))
}

fn bytes(value: PgValueRef<'_>) -> Result<&[u8], sqlx::Error> {
    value.as_bytes().map_err(sqlx::Error::Decode)
}

/// The records of rows that were read with their payloads.
pub(crate) fn records(rows: &[RecordRow]) -> Result<Vec<Record>, StoreError> {
    rows.iter().map(RecordRow::record).collect()
}
