//! Reads of records.
//!
//! Invariant: keyset pages by `(occurred_at, record_id)` neither skip nor repeat a record that existed
//! when the first page was read, however many pages follow.

use chrono::{DateTime, Utc};
use event::{Cursor, Order, Page, Record, RecordId, RecordQuery};
use futures::TryStreamExt as _;
use serde_json::value::RawValue;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::{PgPool, QueryBuilder, Row as _};

use crate::error::{Context as _, StoreError};
use crate::identity::{identities_of_id, identity};

const LIST: &str = "list records";
const GET: &str = "read a record";

/// A page ends early, with a cursor, when its payloads exceed this many bytes. The response of a Lambda
/// function is limited to 6 MB, in which quotes are escaped once more.
pub const PAGE_BYTES_MAX: usize = 2_500_000;

// The payload is read as text, because `numeric` stores numbers that no Rust type can.
pub(crate) const COLUMNS: &str =
    "select r.record_id, r.source, r.id, r.type, r.subject, r.occurred_at,
    r.ingested_at, r.payload::text as payload";

/// Reads one page of records. The query must have passed `validate`.
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

/// Reads one record. The ledger has its partition key, so only one partition is read.
///
/// # Errors
/// See [`StoreError`].
pub async fn get_record(pool: &PgPool, record_id: RecordId) -> Result<Option<Record>, StoreError> {
    let mut statement: QueryBuilder<'_, Postgres> = QueryBuilder::new(COLUMNS);
    statement
        .push(
            " from event_identities k
              join records r on r.occurred_at = k.occurred_at and r.record_id = k.record_id
              where k.record_id = ",
        )
        .push_bind(record_id.0);
    let row = statement.build().fetch_optional(pool).await.context(GET)?;
    row.map(|row| read(&row)).transpose().context(GET)
}

fn list_statement(query: &RecordQuery) -> QueryBuilder<'_, Postgres> {
    let (comparison, direction) = match query.order {
        Order::Asc => (">", "asc"),
        Order::Desc => ("<", "desc"),
    };
    // A connection takes every row of an answer, also those that nobody reads: what follows the page
    // must not leave the server.
    let mut statement = QueryBuilder::new(format!(
        "select record_id, source, id, type, subject, occurred_at, ingested_at, payload
         from (select page.*, sum(octet_length(payload)) over (
             order by occurred_at {direction}, record_id {direction}
             rows between unbounded preceding and 1 preceding
         ) as bytes_before from ({COLUMNS}"
    ));
    match &query.id {
        // Few events share an id: the ledger's primary key finds them, whatever their age.
        Some(id) => {
            let identities = match &query.source {
                Some(source) => {
                    let identity = identity(source, id);
                    identity..=identity
                }
                None => identities_of_id(id),
            };
            statement
                .push(
                    " from event_identities k
                      join records r on r.occurred_at = k.occurred_at and r.record_id = k.record_id
                      where k.identity between ",
                )
                .push_bind(*identities.start())
                .push(" and ")
                .push_bind(*identities.end())
                .push(" and r.id = ")
                .push_bind(id.clone());
            if let Some(source) = &query.source {
                statement.push(" and r.source = ").push_bind(source.clone());
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
    if let Some(cursor) = query.cursor {
        // The first condition follows from the second, but only with it does the planner prune
        // partitions.
        statement
            .push(format_args!(" and r.occurred_at {comparison}= "))
            .push_bind(cursor.occurred_at)
            .push(format_args!(
                " and (r.occurred_at, r.record_id) {comparison} ("
            ))
            .push_bind(cursor.occurred_at)
            .push(", ")
            .push_bind(cursor.record_id.0)
            .push(")");
    }
    statement
        .push(format_args!(
            " order by r.occurred_at {direction}, r.record_id {direction} limit "
        ))
        // One row more than requested shows whether there is another page.
        .push_bind(i64::from(query.limit) + 1)
        .push(format_args!(
            ") page) page where bytes_before is null or bytes_before <= {PAGE_BYTES_MAX}
             order by occurred_at {direction}, record_id {direction}"
        ));
    statement
}

pub(crate) fn read(row: &PgRow) -> Result<Record, sqlx::Error> {
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

#[cfg(test)]
mod tests {
    use devstack::TestDatabase;
    use sqlx::Execute as _;

    use super::*;
    use crate::{PartitionPlan, PartitionWidth, keep_partitions, migrate};

    /// A thousand records an hour over twenty days, half of them in the default partition.
    async fn filled() -> TestDatabase {
        let database = TestDatabase::create().await.unwrap();
        let pool = database.pool();
        migrate(pool).await.unwrap();
        let plan = PartitionPlan {
            width: PartitionWidth::Day,
            ahead: 9,
            keep: None,
        };
        keep_partitions(pool, &plan, at("2026-11-11T00:00:00Z"))
            .await
            .unwrap();
        for statement in [
            "insert into records (record_id, source, id, type, occurred_at, payload)
             select n, '/source/' || n % 3, n::text, 'type.' || n % 5,
                 timestamptz '2026-11-01 00:00+00' + n * interval '20 days' / 40000, '{}'
             from generate_series(1, 40000) as n",
            "insert into event_identities (identity, record_id, occurred_at)
             select event_identity(source, id), record_id, occurred_at from records",
            "analyze records",
            "analyze event_identities",
        ] {
            sqlx::query(statement).execute(pool).await.unwrap();
        }
        database
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    async fn plan_of(pool: &PgPool, query: &RecordQuery) -> String {
        let mut statement = list_statement(query);
        let sql = statement.sql().to_owned();
        let arguments = statement.build().take_arguments().unwrap().unwrap();
        let lines: Vec<String> = sqlx::query_scalar_with(&format!("explain {sql}"), arguments)
            .fetch_all(pool)
            .await
            .unwrap();
        lines.join("\n")
    }

    #[tokio::test]
    async fn every_list_scans_an_index_and_sorts_nothing() {
        let database = filled().await;
        let pool = database.pool();
        for order in [Order::Asc, Order::Desc] {
            let all = RecordQuery {
                order,
                ..RecordQuery::default()
            };
            let deep = RecordQuery {
                cursor: Some(Cursor {
                    order,
                    occurred_at: at("2026-11-10T12:00:00Z"),
                    record_id: RecordId(20_000),
                }),
                ..all.clone()
            };
            let by_type = RecordQuery {
                event_type: Some("type.1".to_owned()),
                ..deep.clone()
            };
            let by_source = RecordQuery {
                source: Some("/source/1".to_owned()),
                from: Some(at("2026-11-02T00:00:00Z")),
                ..deep.clone()
            };
            for query in [all, deep, by_type, by_source] {
                let plan = plan_of(pool, &query).await;
                assert!(plan.contains("Index Scan"), "{query:?}\n{plan}");
                assert!(!plan.contains("Sort  "), "{query:?}\n{plan}");
                assert!(!plan.contains("Seq Scan"), "{query:?}\n{plan}");
            }
        }
        let by_id = RecordQuery {
            id: Some("777".to_owned()),
            ..RecordQuery::default()
        };
        let plan = plan_of(pool, &by_id).await;
        assert!(plan.contains("event_identities_pkey"), "{plan}");
        assert!(!plan.contains("Seq Scan"), "{plan}");
    }

    #[tokio::test]
    async fn cursor_prunes_the_partitions_before_it() {
        let database = filled().await;
        let query = RecordQuery {
            cursor: Some(Cursor {
                order: Order::Desc,
                occurred_at: at("2026-11-12T12:00:00Z"),
                record_id: RecordId(1),
            }),
            ..RecordQuery::default()
        };
        let plan = plan_of(database.pool(), &query).await;
        assert!(plan.contains("records_2026_11_12"), "{plan}");
        assert!(!plan.contains("records_2026_11_13"), "{plan}");
    }
}
