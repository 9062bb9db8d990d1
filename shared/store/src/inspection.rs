//! What a check of the set-up asks of the database.
//!
//! Invariant: catalogs and the counts that upkeep has not folded are read, and no record; a user that reads what the
//! api reads has every right that this needs.

use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::lease::{PooledConnection, Source, one_row, rows};
use crate::partition_plan::Partition;
use crate::partition_step::read_partitions;

const READ: &str = "inspect the schema";

/// Of the default partition: what the statistics count, which is no lock and no scan.
const DEFAULT_ROWS: &str = "
select greatest(leaf.reltuples, pg_stat_get_live_tuples(leaf.oid), 0)::bigint
from pg_partitioned_table as parent join pg_class as leaf on leaf.oid = parent.partdefid
where parent.partrelid = 'records'::regclass";

const CLOCK_AND_UNFOLDED: &str = "
select clock_timestamp(), (
    select count(distinct hour) from event_counts
    where slot <> 0 and hour >= now() - interval '7 days' and hour < date_trunc('hour', now())
)";

/// State of the schema and of its upkeep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Versions of the migrations that were applied, in order.
    pub applied: Vec<i64>,
    /// Until when partitions follow each other from now on without a gap; `None` where even now has none.
    pub covered_until: Option<DateTime<Utc>>,
    /// About how many records the default partition has.
    pub default_rows: u64,
    /// Of how many of the last 168 hours upkeep has not folded all counts.
    pub unfolded_hours: u64,
    /// The clock of the database.
    pub database_now: DateTime<Utc>,
}

/// Reads the state of the schema.
///
/// # Errors
/// See [`StoreError`].
pub async fn inspect(source: impl Into<Source<'_>>) -> Result<Inspection, StoreError> {
    let source = source.into();
    let versions = sqlx::query_as("select version from _sqlx_migrations order by version");
    let applied: Vec<(i64,)> = rows(source, READ, versions).await?;
    let (database_now, unfolded_hours): (DateTime<Utc>, i64) =
        one_row(source, READ, sqlx::query_as(CLOCK_AND_UNFOLDED)).await?;
    let in_default: Vec<(i64,)> = rows(source, READ, sqlx::query_as(DEFAULT_ROWS)).await?;
    let mut connection = PooledConnection::read(source, READ).await?;
    let partitions = read_partitions(connection.get()).await;
    let partitions = connection.end(partitions)?;
    Ok(Inspection {
        applied: applied.into_iter().map(|(version,)| version).collect(),
        covered_until: covered_until(&partitions, database_now),
        default_rows: in_default
            .first()
            .map_or(0, |(count,)| u64::try_from(*count).unwrap_or_default()),
        unfolded_hours: u64::try_from(unfolded_hours).unwrap_or_default(),
        database_now,
    })
}

/// The partitions are in order of time.
fn covered_until(partitions: &[Partition], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut following = partitions
        .iter()
        .skip_while(|partition| partition.range.to <= now);
    let current = following.next().filter(|first| first.range.from <= now)?;
    let until = following.fold(current.range.to, |until, next| {
        if next.range.from == until {
            next.range.to
        } else {
            until
        }
    });
    Some(until)
}
