//! Records in the order in which they arrived.
//!
//! Invariant: every record at or before the arrival watermark is committed, or will never be. So a reader
//! that never goes beyond the watermark, and continues after the last record that it read, misses none.
//!
//! Record ids are taken from a sequence before their transactions commit, in any order, so a reader that
//! simply continues after the largest id it saw would miss what commits later. Therefore each write first
//! reads the position of the sequence and holds a shared advisory lock on it until it ends; all its ids are
//! larger. The watermark is the smallest position that is held, or that of the sequence.

use chrono::{DateTime, Utc};
use event::{Record, RecordId};
use sqlx::PgConnection;

use crate::error::{Context as _, StoreError};
use crate::layout::Span;
use crate::lease::{PooledConnection, Source};
use crate::position::Position;
use crate::record_row::{Columns, PAGE_BYTES_MAX, RecordRow, records};
use crate::span_condition::{at_positions, read_at};

const WATERMARK: &str = "read the arrival watermark";
const LIST: &str = "list records by arrival";

/// First number of the advisory locks of writes; the second are the low 32 bits of the position. The number
/// is arbitrary, but nothing else may use it.
pub(crate) const ARRIVAL_LOCK: i32 = 0x6f70_7301;

/// The sequence is read in a query of its own, before the locks: a write that took an id before this query
/// either still holds its lock or has ended. A replica has no locks of writes.
const READ_SEQUENCE: &str = "
select case when is_called then last_value else last_value - 1 end, pg_is_in_recovery()
from event_keys_record_id_seq";

/// Positions that are held, and whether an ingest of an earlier version, which holds none, is writing.
const READ_LOCKS: &str = "
select
    array(
        select objid::bigint from pg_locks
        where locktype = 'advisory' and classid = $1::bigint::oid and objsubid = 2 and granted
            and database = (select oid from pg_database where datname = current_database())
    ),
    exists (
        select from pg_locks
        where relation = to_regclass('event_keys') and mode = 'RowExclusiveLock'
            and database = (select oid from pg_database where datname = current_database())
    )";

/// The ledger's rows are limited and not the records: where many ids have no record, a page is short.
const CHOOSE: &str = "
select record_id, occurred_at from event_identities
where record_id > $1 and record_id <= $2 order by record_id limit $3";

/// Most records of a page of [`records_after`].
pub const ARRIVALS_MAX: u16 = event::LIMIT_MAX;

/// A page of records in order of arrival.
#[derive(Clone, Debug)]
pub struct Arrivals<T = Record> {
    /// The records, in order of their ids.
    pub items: Vec<T>,
    /// Where the next page starts: pass it to [`records_after`]. It can be larger than the last record's id,
    /// never than the watermark or `after`.
    pub next_after: RecordId,
    /// Whether more records can be read at once; otherwise the reader is up to date.
    pub has_more: bool,
}

/// The id up to which every record is committed, or will never be. It is 0 while an ingest of an earlier
/// version is writing, because nothing is known then.
///
/// # Errors
/// [`StoreError::Other`] on a replica, otherwise see [`StoreError`].
pub async fn arrival_watermark(source: impl Into<Source<'_>>) -> Result<RecordId, StoreError> {
    let mut connection = PooledConnection::read(source.into(), WATERMARK).await?;
    let answer = sequence(connection.get()).await;
    Ok(connection.end(answer)?.watermark)
}

/// The ids that were given out.
struct Sequence {
    /// The last one.
    last: RecordId,
    /// See [`arrival_watermark`].
    watermark: RecordId,
}

async fn sequence(connection: &mut PgConnection) -> Result<Sequence, StoreError> {
    let (last, is_replica): (i64, bool) = sqlx::query_as(READ_SEQUENCE)
        .fetch_one(&mut *connection)
        .await
        .read_context(WATERMARK)?;
    if is_replica {
        return Err(StoreError::Other {
            operation: WATERMARK,
            detail: "this is a replica, which does not know the transactions that are open; connect to the \
                     writer"
                .to_owned(),
        });
    }
    let (held, is_earlier_version_writing): (Vec<i64>, bool) = sqlx::query_as(READ_LOCKS)
        .bind(i64::from(ARRIVAL_LOCK))
        .fetch_one(connection)
        .await
        .read_context(WATERMARK)?;
    let smallest = held.into_iter().map(|low| position_near(last, low)).min();
    let watermark = if is_earlier_version_writing {
        0
    } else {
        smallest.map_or(last, |held| held.min(last))
    };
    Ok(Sequence {
        last: RecordId(last),
        watermark: RecordId(watermark),
    })
}

/// The position whose low 32 bits are `low`, the nearest to `last`: a write ends long before 2,147,483,648
/// ids are taken.
fn position_near(last: i64, low: i64) -> i64 {
    // The difference of the low 32 bits, with its sign.
    let difference = (low.wrapping_sub(last) << 32) >> 32;
    last.wrapping_add(difference)
}

/// Reads the records that arrived after `after` (0 from the start), at most `limit` of them and about
/// [`PAGE_BYTES_MAX`] of their payloads, and never beyond the arrival watermark. Records that have expired or
/// were erased are skipped. A write that stays open stops the feed until it ends.
///
/// # Errors
/// [`StoreError::BeyondLast`] when no record with the id `after` was ever stored here: after a restore, ids are
/// given out a second time, and a reader that continued would skip them. Otherwise see [`arrival_watermark`].
pub async fn records_after(
    source: impl Into<Source<'_>>,
    after: RecordId,
    limit: u16,
) -> Result<Arrivals, StoreError> {
    let page = rows_after(source, after, limit, Columns::All).await?;
    Ok(Arrivals {
        items: records(&page.items)?,
        next_after: page.next_after,
        has_more: page.has_more,
    })
}

/// The same page as rows.
///
/// # Errors
/// See [`records_after`].
pub async fn rows_after(
    source: impl Into<Source<'_>>,
    after: RecordId,
    limit: u16,
    columns: Columns,
) -> Result<Arrivals<RecordRow>, StoreError> {
    let source = source.into();
    let mut connection = PooledConnection::read(source, LIST).await?;
    let limit = limit.clamp(1, ARRIVALS_MAX);
    let answer = page(source, connection.get(), after, limit, columns).await;
    connection.end(answer)
}

async fn page(
    source: Source<'_>,
    connection: &mut PgConnection,
    after: RecordId,
    limit: u16,
    columns: Columns,
) -> Result<Arrivals<RecordRow>, StoreError> {
    let Sequence { last, watermark } = sequence(connection).await?;
    if after > last {
        return Err(StoreError::BeyondLast {
            operation: LIST,
            after,
            last,
        });
    }
    let chosen = if after < watermark {
        choose(connection, after, watermark, limit).await?
    } else {
        Vec::new()
    };
    let Some(last_chosen) = chosen.last().map(|last| last.record_id) else {
        return Ok(Arrivals {
            items: Vec::new(),
            next_after: after.max(watermark),
            has_more: false,
        });
    };
    let is_full = chosen.len() == usize::from(limit);
    let items = read_at(source.pool(), connection, LIST, &chosen, |spans| {
        chosen_statement(columns, spans)
    })
    .await?
    .into_iter()
    .map(RecordRow::new)
    .collect::<Result<Vec<_>, sqlx::Error>>()
    .context(LIST)?;
    // The page ended early, or the last ids have no record: the next page begins behind this one's last.
    Ok(match items.last().map(|last| last.position.record_id) {
        Some(last) if last < last_chosen => Arrivals {
            next_after: RecordId(last),
            has_more: true,
            items,
        },
        Some(_) | None => Arrivals {
            next_after: if is_full {
                RecordId(last_chosen)
            } else {
                watermark
            },
            has_more: is_full,
            items,
        },
    })
}

async fn choose(
    connection: &mut PgConnection,
    after: RecordId,
    watermark: RecordId,
    limit: u16,
) -> Result<Vec<Position>, StoreError> {
    let chosen: Vec<(i64, DateTime<Utc>)> = sqlx::query_as(CHOOSE)
        .bind(after.0)
        .bind(watermark.0)
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await
        .read_context(LIST)?;
    Ok(chosen
        .into_iter()
        .map(|(record_id, occurred_at)| Position {
            occurred_at,
            record_id,
        })
        .collect())
}

/// The records of these entries of the ledger, up to the first that exceeds the bytes of a page.
pub(crate) fn chosen_statement(columns: Columns, spans: &[Span]) -> String {
    let found = at_positions(columns.select(), spans);
    if columns == Columns::WithoutPayload {
        return format!("{found} order by record_id");
    }
    format!(
        "select * from (
             select page.*, sum(octet_length(payload)) over (
                 order by record_id rows between unbounded preceding and 1 preceding
             ) as bytes_before
             from ({found}) as page
         ) as page
         where bytes_before is null or bytes_before <= {PAGE_BYTES_MAX}
         order by record_id"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_is_found_from_its_low_half_also_where_that_wraps() {
        const WRAP: i64 = 1 << 32;
        for last in [
            0,
            1,
            5_000,
            WRAP - 1,
            WRAP,
            WRAP + 3,
            7 * WRAP + 9,
            9 * WRAP + (WRAP >> 1),
        ] {
            for distance in [0, 1, 2, 4_000, WRAP / 2 - 1] {
                for position in [last - distance, last + distance.min(4_000)] {
                    let low = position & (WRAP - 1);
                    assert_eq!(position_near(last, low), position, "{last} {distance}");
                }
            }
        }
    }
}
