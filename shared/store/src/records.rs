//! Reads of the records. Invariant: a list is a walk along `(occurred_at, record_id)`: its pages
//! neither skip nor repeat a record that was there when the walk began, however deep it goes.

use chrono::{DateTime, Utc};
use event::{Cursor, Order, Page, Record, RecordId, RecordQuery};
use futures::TryStreamExt as _;
use serde_json::value::RawValue;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::{PgPool, QueryBuilder, Row as _};

use crate::error::{Context as _, StoreError};

const LIST: &str = "list records";
const GET: &str = "read a record";

/// A page ends early, with a cursor, when its payloads reach this many bytes. An answer of a Lambda
/// function holds 6 MB, in which quotes are escaped once more.
pub const PAGE_BYTES_MAX: usize = 2_500_000;

// The payload is read as text: `numeric` holds numbers that no Rust number does.
const COLUMNS: &str = "select r.record_id, r.source, r.id, r.type, r.subject, r.occurred_at,
    r.ingested_at, r.payload::text as payload";

/// Reads one page of records. The caller has validated the query.
///
/// # Errors
/// See [`StoreError`].
pub async fn list_records(pool: &PgPool, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
    let mut statement = list_statement(query);
    let mut rows = statement.build().fetch(pool);
    let mut items: Vec<Record> = Vec::new();
    let mut bytes = 0;
    let mut has_more = false;
    while let Some(row) = rows.try_next().await.context(LIST)? {
        let record = read(&row).context(LIST)?;
        bytes += record.payload.get().len();
        let is_full = items.len() >= usize::from(query.limit)
            || (bytes > PAGE_BYTES_MAX && !items.is_empty());
        if is_full {
            has_more = true;
            break;
        }
        items.push(record);
    }
    let next_cursor = items.last().filter(|_| has_more).map(|last| Cursor {
        order: query.order,
        occurred_at: last.occurred_at,
        record_id: last.record_id,
    });
    Ok(Page { items, next_cursor })
}

/// Reads one record. The ledger says in which partition it lies.
///
/// # Errors
/// See [`StoreError`].
pub async fn get_record(pool: &PgPool, record_id: RecordId) -> Result<Option<Record>, StoreError> {
    let mut statement: QueryBuilder<Postgres> = QueryBuilder::new(COLUMNS);
    statement
        .push(
            " from event_keys k
              join records r on r.occurred_at = k.occurred_at and r.record_id = k.record_id
              where k.record_id = ",
        )
        .push_bind(record_id.0);
    let row = statement.build().fetch_optional(pool).await.context(GET)?;
    row.map(|row| read(&row)).transpose().context(GET)
}

fn list_statement(query: &RecordQuery) -> QueryBuilder<Postgres> {
    let mut statement = QueryBuilder::new(COLUMNS);
    match &query.id {
        // Few events share an id: the ledger finds them, whatever their age.
        Some(id) => {
            statement
                .push(
                    " from event_keys k
                      join records r on r.occurred_at = k.occurred_at and r.record_id = k.record_id
                      where k.id = ",
                )
                .push_bind(id.clone());
            if let Some(source) = &query.source {
                statement.push(" and k.source = ").push_bind(source.clone());
            }
        }
        None => {
            statement.push(" from records r where true");
            if let Some(source) = &query.source {
                statement.push(" and r.source = ").push_bind(source.clone());
            }
        }
    }
    if let Some(event_type) = &query.event_type {
        statement
            .push(" and r.type = ")
            .push_bind(event_type.clone());
    }
    if let Some(subject) = &query.subject {
        statement
            .push(" and r.subject = ")
            .push_bind(subject.clone());
    }
    if let Some(from) = query.from {
        statement.push(" and r.occurred_at >= ").push_bind(from);
    }
    if let Some(to) = query.to {
        statement.push(" and r.occurred_at < ").push_bind(to);
    }
    let (behind, direction) = match query.order {
        Order::Asc => (">", "asc"),
        Order::Desc => ("<", "desc"),
    };
    if let Some(cursor) = query.cursor {
        // The first condition follows from the second; only it lets the planner leave out
        // partitions.
        statement
            .push(format_args!(" and r.occurred_at {behind}= "))
            .push_bind(cursor.occurred_at)
            .push(format_args!(" and (r.occurred_at, r.record_id) {behind} ("))
            .push_bind(cursor.occurred_at)
            .push(", ")
            .push_bind(cursor.record_id.0)
            .push(")");
    }
    statement
        .push(format_args!(
            " order by r.occurred_at {direction}, r.record_id {direction} limit "
        ))
        // One row more than asked tells whether there is another page.
        .push_bind(i64::from(query.limit) + 1);
    statement
}

fn read(row: &PgRow) -> Result<Record, sqlx::Error> {
    let payload: String = row.try_get("payload")?;
    let occurred_at: DateTime<Utc> = row.try_get("occurred_at")?;
    Ok(Record {
        record_id: RecordId(row.try_get("record_id")?),
        source: row.try_get("source")?,
        id: row.try_get("id")?,
        event_type: row.try_get("type")?,
        subject: row.try_get("subject")?,
        occurred_at,
        ingested_at: row.try_get("ingested_at")?,
        payload: RawValue::from_string(payload)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
    })
}
