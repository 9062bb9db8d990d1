//! Sizes of the partitions of `records`.
//!
//! Invariant: the planner's statistics and the file system are read, and no record.

use event::PartitionSize;

use crate::error::StoreError;
use crate::lease::{Source, rows};

const READ: &str = "read the sizes of the partitions";

/// Most partitions of one result.
pub const PARTITIONS_MAX: i64 = 1_000;

/// Reads the sizes of the partitions, the newest first, and how many there are: at most [`PARTITIONS_MAX`] are
/// returned. Partitions are named by their first day; the default partition comes first.
///
/// # Errors
/// See [`StoreError`].
pub async fn partition_sizes(
    source: impl Into<Source<'_>>,
) -> Result<(Vec<PartitionSize>, i64), StoreError> {
    let question = sqlx::query_as(
        "select leaf.relname::text, pg_get_expr(leaf.relpartbound, leaf.oid),
             greatest(leaf.reltuples, pg_stat_get_live_tuples(leaf.oid), 0)::bigint, pg_total_relation_size(leaf.oid),
             count(*) over ()
         from pg_partition_tree('records') as tree
         join pg_class as leaf on leaf.oid = tree.relid
         where tree.isleaf
         order by leaf.relname desc limit $1",
    )
    .bind(PARTITIONS_MAX);
    let rows: Vec<(String, String, i64, i64, i64)> = rows(source.into(), READ, question).await?;
    let total = rows.first().map_or(0, |(_, _, _, _, total)| *total);
    let sizes = rows
        .into_iter()
        .map(|(name, bounds, records_estimate, bytes, _)| PartitionSize {
            name,
            bounds,
            records_estimate,
            bytes,
        })
        .collect();
    Ok((sizes, total))
}
