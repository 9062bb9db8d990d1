//! Reads of records.
//!
//! Invariant: keyset pages by `(occurred_at, record_id)` neither skip nor repeat a record that existed
//! when the first page was read, however many pages follow.

use chrono::{DateTime, Utc};
use event::{Order, Page, Record, RecordId, RecordQuery, RecordView};
use sqlx::PgConnection;

use crate::error::{Context as _, StoreError};
use crate::filling::Filling;
use crate::identity::{identities_of_id, identity};
use crate::layout::Layout;
use crate::lease::{PooledConnection, Source};
use crate::position::{Bounds, Position};
use crate::record_row::{Columns, RecordRow, records};
use crate::span_condition::in_span;
use crate::walk::{LIST, Limits, Walk};

const GET: &str = "read a record";

/// Most events with one `id` and different sources that a list sorts.
pub const SAME_ID_MAX: usize = 1_000;
/// Most of them that a page reads, one by one.
const SAME_ID_VISITED_MAX: usize = 600;

/// Reads one page of records. The query must have passed `validate`. A page may be short, or empty, and
/// still have a cursor: it visits a limited number of records.
///
/// # Errors
/// [`StoreError::TooBroad`] when more than [`SAME_ID_MAX`] events have the `id`, otherwise see
/// [`StoreError`].
pub async fn list_records(
    source: impl Into<Source<'_>>,
    query: &RecordQuery,
) -> Result<Page<Record>, StoreError> {
    let page = list_within(source.into(), query, Columns::All, Limits::PAGE).await?;
    Ok(Page {
        items: records(&page.items)?,
        next_cursor: page.next_cursor,
    })
}

/// The same page as rows.
///
/// # Errors
/// See [`list_records`].
pub async fn list_rows(
    source: impl Into<Source<'_>>,
    query: &RecordQuery,
    columns: Columns,
) -> Result<Page<RecordRow>, StoreError> {
    list_within(source.into(), query, columns, Limits::PAGE).await
}

pub(crate) async fn list_within(
    source: Source<'_>,
    query: &RecordQuery,
    columns: Columns,
    limits: Limits,
) -> Result<Page<RecordRow>, StoreError> {
    let mut connection = PooledConnection::read(source, LIST).await?;
    let answer = page(source, connection.get(), query, columns, limits).await;
    connection.end(answer)
}

async fn page(
    source: Source<'_>,
    connection: &mut PgConnection,
    query: &RecordQuery,
    columns: Columns,
    limits: Limits,
) -> Result<Page<RecordRow>, StoreError> {
    let layout = Layout::of(source.pool(), connection).await?;
    match &query.id {
        Some(id) => page_of_id(connection, &layout, query, columns, id).await,
        None => {
            Walk::new(query, columns, layout, limits)
                .page(connection)
                .await
        }
    }
}

/// Reads one record. The ledger has its partition key, so only one partition is read.
///
/// # Errors
/// See [`StoreError`].
pub async fn get_record(
    source: impl Into<Source<'_>>,
    record_id: RecordId,
) -> Result<Option<Record>, StoreError> {
    let row = get_row(source, record_id, Columns::All).await?;
    row.map(|row| row.record()).transpose()
}

/// The same record as a row.
///
/// # Errors
/// See [`get_record`].
pub async fn get_row(
    source: impl Into<Source<'_>>,
    record_id: RecordId,
    columns: Columns,
) -> Result<Option<RecordRow>, StoreError> {
    let source = source.into();
    let mut connection = PooledConnection::read(source, GET).await?;
    let answer = get(source, connection.get(), record_id, columns).await;
    connection.end(answer)
}

async fn get(
    source: Source<'_>,
    connection: &mut PgConnection,
    record_id: RecordId,
    columns: Columns,
) -> Result<Option<RecordRow>, StoreError> {
    let occurred_at =
        sqlx::query_scalar("select occurred_at from event_identities where record_id = $1")
            .bind(record_id.0)
            .fetch_optional(&mut *connection)
            .await
            .read_context(GET)?;
    let Some(occurred_at) = occurred_at else {
        return Ok(None);
    };
    let layout = Layout::of(source.pool(), connection).await?;
    let position = Position {
        occurred_at,
        record_id: record_id.0,
    };
    record_at(connection, &layout, columns, position)
        .await
        .read_context(GET)
}

/// The record at a position, read from the one partition that can have it.
async fn record_at(
    connection: &mut PgConnection,
    layout: &Layout,
    columns: Columns,
    position: Position,
) -> Result<Option<RecordRow>, sqlx::Error> {
    let sql = format!(
        "{} from records r where {}r.occurred_at = $1 and r.record_id = $2",
        columns.select(),
        in_span(layout.segment_of(position.occurred_at))
    );
    sqlx::query(&sql)
        .bind(position.occurred_at)
        .bind(position.record_id)
        .fetch_optional(connection)
        .await?
        .map(RecordRow::new)
        .transpose()
}

/// Few events share an id: the ledger's primary key finds them, whatever their age.
async fn page_of_id(
    connection: &mut PgConnection,
    layout: &Layout,
    query: &RecordQuery,
    columns: Columns,
    id: &str,
) -> Result<Page<RecordRow>, StoreError> {
    let bounds = Bounds::of(query);
    let mut positions = positions_of_id(connection, id, query.source.as_deref()).await?;
    positions.retain(|position| bounds.contain(*position));
    positions.sort_unstable();
    if query.order == Order::Desc {
        positions.reverse();
    }
    let mut filling = Filling::new(query);
    for (number, position) in positions.iter().enumerate() {
        if number >= SAME_ID_VISITED_MAX {
            let last = positions.get(number - 1).copied();
            return Ok(filling.ending(last));
        }
        let record = record_at(connection, layout, columns, *position)
            .await
            .read_context(LIST)?;
        // An entry of the ledger outlives its record.
        let Some(record) = record else {
            continue;
        };
        if matches(&record.view()?, query) && !filling.add(record) {
            return Ok(filling.and_more());
        }
    }
    Ok(filling.ending(None))
}

async fn positions_of_id(
    connection: &mut PgConnection,
    id: &str,
    source: Option<&str>,
) -> Result<Vec<Position>, StoreError> {
    let identities = match source {
        Some(source) => {
            let identity = identity(source, id);
            identity..=identity
        }
        None => identities_of_id(id),
    };
    let found: Vec<(DateTime<Utc>, i64)> = sqlx::query_as(
        "select occurred_at, record_id from event_identities where identity between $1 and $2 limit $3",
    )
    .bind(*identities.start())
    .bind(*identities.end())
    .bind(i64::try_from(SAME_ID_MAX + 1).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
    .read_context(LIST)?;
    if found.len() > SAME_ID_MAX {
        return Err(StoreError::TooBroad {
            operation: LIST,
            parameter: "source",
            advice: "more than 1,000 sources have an event with this id; add the source",
        });
    }
    Ok(found
        .into_iter()
        .map(|(occurred_at, record_id)| Position {
            occurred_at,
            record_id,
        })
        .collect())
}

fn matches(record: &RecordView<'_>, query: &RecordQuery) -> bool {
    let is = |wanted: &Option<String>, value: Option<&str>| {
        wanted.is_none() || wanted.as_deref() == value
    };
    is(&query.id, Some(record.id))
        && is(&query.source, Some(record.source))
        && is(&query.event_type, Some(record.event_type))
        && is(&query.subject, record.subject)
}
