//! The columns of a record, and how a row becomes one.

use event::{Record, RecordId};
use serde_json::value::RawValue;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

/// A page ends early, with a cursor, when its payloads exceed this many bytes. The response of a Lambda
/// function is limited to 6 MB, in which quotes are escaped once more.
pub const PAGE_BYTES_MAX: usize = 2_500_000;
/// The columns that [`read`] reads. The payload is text, because `numeric` stores numbers that no Rust type
/// can.
pub(crate) const COLUMNS: &str = "select r.record_id, r.source, r.id, r.type, r.subject, \
     r.occurred_at, r.ingested_at, r.payload::text as payload";

/// Reads the first eight columns, [`COLUMNS`].
pub(crate) fn read(row: &PgRow) -> Result<Record, sqlx::Error> {
    let payload: String = row.try_get(7)?;
    Ok(Record {
        record_id: RecordId(row.try_get(0)?),
        source: row.try_get(1)?,
        id: row.try_get(2)?,
        event_type: row.try_get(3)?,
        subject: row.try_get(4)?,
        occurred_at: row.try_get(5)?,
        ingested_at: row.try_get(6)?,
        payload: RawValue::from_string(payload)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
    })
}
