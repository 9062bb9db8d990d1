//! Pages of records as JSON.
//!
//! Invariant: the texts of a row, its payload above all, are copied once: from the database's answer to the
//! response.

use event::{Field, Fields};
use store::{Columns, RecordRow};

use crate::answer::not_serialized;
use crate::problem::Problem;

/// Bytes of a record's JSON beside its payload, as a rule.
const ENVELOPE_BYTES: usize = 320;

/// The columns that the fields need.
pub(crate) const fn columns(fields: Fields) -> Columns {
    if fields.has(Field::Payload) {
        Columns::All
    } else {
        Columns::WithoutPayload
    }
}

/// An object with the records as `items`, without its end.
pub(crate) fn items(rows: &[RecordRow], fields: Fields) -> Result<Vec<u8>, Problem> {
    let bytes: usize = rows
        .iter()
        .map(|row| row.payload_bytes().unwrap_or_default() + ENVELOPE_BYTES)
        .sum();
    let mut out = Vec::with_capacity(bytes + ENVELOPE_BYTES);
    out.extend_from_slice(b"{\"items\":[");
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write(row, fields, &mut out)?;
    }
    out.push(b']');
    Ok(out)
}

/// Appends one record.
pub(crate) fn write(row: &RecordRow, fields: Fields, out: &mut Vec<u8>) -> Result<(), Problem> {
    row.view()?
        .write_json(fields, out)
        .map_err(|error| not_serialized(&error))
}
