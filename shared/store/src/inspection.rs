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

/// Of the hours that upkeep, which runs daily, must have folded: two days have passed since the last of them. What a
/// younger database has of them came late, and no run was due. It looks up each hour, so that the work does not depend
/// on the number of counts.
const CLOCK_AND_HOURS: &str = "
select clock_timestamp(),
    count(*) filter (where exists (select from event_counts as c where c.hour = hours.hour)),
    count(*) filter (where exists (
        select from event_counts as c where c.hour = hours.hour and c.slot <> 0
    ))
from generate_series(
    greatest(
        date_trunc('hour', now(), 'UTC') - interval '4 days',
        (select date_trunc('hour', min(installed_on), 'UTC') from _sqlx_migrations)
    ),
    date_trunc('hour', now(), 'UTC') - interval '49 hours',
    interval '1 hour'
) as hours (hour)";

/// State of the schema and of its upkeep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Versions of the migrations that were applied, in order.
    pub applied: Vec<i64>,
    /// Until when partitions follow each other from now on without a gap; `None` where even now has none.
    pub covered_until: Option<DateTime<Utc>>,
    /// About how many records the default partition has.
    pub default_rows: u64,
    /// How many of the hours between four days and two days ago have records.
    pub counted_hours: u64,
    /// Of how many of these upkeep has not folded all counts.
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
    let (database_now, counted_hours, unfolded_hours): (DateTime<Utc>, i64, i64) =
        one_row(source, READ, sqlx::query_as(CLOCK_AND_HOURS)).await?;
    let in_default: Vec<(i64,)> = rows(source, READ, sqlx::query_as(DEFAULT_ROWS)).await?;
    let mut connection = PooledConnection::read(source, READ).await?;
    let partitions = read_partitions(connection.get()).await;
    let partitions = connection.end(partitions)?;
    Ok(Inspection {
        applied: applied.into_iter().map(|(version,)| version).collect(),
        covered_until: covered_until(
            partitions
                .into_iter()
                .map(|Partition { range, .. }| (range.from, range.to)),
            database_now,
        ),
        default_rows: in_default
            .first()
            .map_or(0, |(count,)| u64::try_from(*count).unwrap_or_default()),
        counted_hours: u64::try_from(counted_hours).unwrap_or_default(),
        unfolded_hours: u64::try_from(unfolded_hours).unwrap_or_default(),
        database_now,
    })
}

/// Until when ranges of time, each with its beginning and its end and in order of time, follow each other from now on
/// without a gap; `None` where none has the present time.
#[must_use]
pub fn covered_until(
    ranges: impl IntoIterator<Item = (DateTime<Utc>, DateTime<Utc>)>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let mut following = ranges.into_iter().skip_while(|(_, to)| *to <= now);
    let (_, current) = following.next().filter(|(from, _)| *from <= now)?;
    let until = following.fold(
        current,
        |until, (from, to)| {
            if from == until { to } else { until }
        },
    );
    Some(until)
}
