//! The columns of a Parquet file that a reader needs.
//!
//! Invariant: a file without one of them, or with another type, is refused.

use std::sync::Arc;

use chrono::DateTime;
use parquet::record::{Row, RowAccessor as _};
use parquet::schema::types::Type;

use super::record::Columns;

/// In the order in which [`of_row`] reads them.
const NAMES: [&str; 4] = ["source", "type", "occurred_at", "payload"];

/// The schema of these columns alone: the others are not decompressed.
pub(super) fn projection(schema: &Type) -> Result<Type, String> {
    let mut fields = Vec::new();
    for name in NAMES {
        let field = schema
            .get_fields()
            .iter()
            .find(|field| field.name() == name);
        fields.push(Arc::clone(
            field.ok_or_else(|| format!("it has no column {name:?}"))?,
        ));
    }
    // The columns of a projection come in the order of the file.
    let place = |field: &Arc<Type>| {
        let mut all = schema.get_fields().iter();
        all.position(|other| other.name() == field.name())
    };
    fields.sort_by_key(place);
    Type::group_type_builder(schema.name())
        .with_fields(fields)
        .build()
        .map_err(|error| error.to_string())
}

pub(super) fn of_row(row: &Row) -> Result<Columns, String> {
    let place = |name: &str| {
        let mut columns = row.get_column_iter();
        let found = columns.position(|(column, _)| column == name);
        found.ok_or_else(|| format!("it has no column {name:?}"))
    };
    let text = |name: &str| {
        let text = row.get_string(place(name)?);
        text.cloned().map_err(|error| format!("{name}: {error}"))
    };
    let micros = row
        .get_timestamp_micros(place("occurred_at")?)
        .map_err(|error| format!("occurred_at: {error}"))?;
    let occurred_at = DateTime::from_timestamp_micros(micros);
    Ok(Columns {
        source: text("source")?,
        event_type: text("type")?,
        occurred_at: occurred_at.ok_or_else(|| format!("occurred_at is {micros}"))?,
        payload: text("payload")?,
    })
}
