//! The daily upkeep: counts are folded, expired records and partitions removed.
//!
//! Invariant: each kind of work has a share of the run and is tried whatever became of the others, so that none
//! keeps another one from its turn. Partitions ahead are not among them: they are made first, by
//! [`crate::create_partitions`].

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;

use crate::error::StoreError;
use crate::expiry::{delete_records_within, drop_partitions_within};
use crate::folding::fold_within;
use crate::partition_plan::PartitionPlan;
use crate::partitions::create_partitions;
use crate::share::{Shares, Work};

/// What a run changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PartitionReport {
    /// Names of the partitions that were created, in order of time.
    pub created: Vec<String>,
    /// Names of the partitions that were dropped, in order of time.
    pub dropped: Vec<String>,
    /// Expired records that were deleted from the default partition.
    pub deleted_records: u64,
    /// Hours whose counts were folded (see [`crate::fold_counts`]).
    pub folded_hours: u64,
    /// Work whose share was used up before it was done: the next run continues it.
    pub unfinished: Vec<Work>,
}

/// Creates the partitions that are missing at `now`, and does the upkeep.
///
/// # Errors
/// The first failure; what was done stays.
pub async fn keep_partitions(
    pool: &PgPool,
    plan: &PartitionPlan,
    now: DateTime<Utc>,
) -> Result<PartitionReport, StoreError> {
    let created = create_partitions(pool, plan, now).await?;
    let report = upkeep(pool, plan, now, Shares::DAILY).await.whole()?;
    Ok(PartitionReport { created, ..report })
}

/// What a run changed, and what of it failed.
#[derive(Debug)]
pub struct Upkept {
    /// What was changed.
    pub report: PartitionReport,
    /// Kinds of work that failed, in the order in which they were tried.
    pub failed: Vec<(Work, StoreError)>,
}

impl Upkept {
    /// The report.
    ///
    /// # Errors
    /// The first failure.
    pub fn whole(self) -> Result<PartitionReport, StoreError> {
        match self.failed.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(self.report),
        }
    }
}

/// Folds counts, deletes expired records from the default partition, and drops expired partitions, each within its
/// share and whatever became of the others.
pub async fn upkeep(
    pool: &PgPool,
    plan: &PartitionPlan,
    now: DateTime<Utc>,
    mut shares: Shares,
) -> Upkept {
    let mut failed = Vec::new();
    let folded = fold_within(pool, now, &mut shares.folding).await;
    let folded_hours = kept(Work::Folding, folded, &mut failed);
    let deleted = delete_records_within(pool, plan, now, &mut shares.default_partition).await;
    let deleted_records = kept(Work::DefaultPartition, deleted, &mut failed);
    let dropped = drop_partitions_within(pool, plan, now, &mut shares.expired_partitions).await;
    let dropped = kept(Work::ExpiredPartitions, dropped, &mut failed);
    let unfinished = [
        (Work::Folding, shares.folding),
        (Work::DefaultPartition, shares.default_partition),
        (Work::ExpiredPartitions, shares.expired_partitions),
    ];
    let report = PartitionReport {
        created: Vec::new(),
        folded_hours,
        deleted_records,
        dropped,
        unfinished: unfinished
            .into_iter()
            .filter_map(|(work, share)| share.is_spent().then_some(work))
            .collect(),
    };
    Upkept { report, failed }
}

fn kept<T: Default>(
    work: Work,
    result: Result<T, StoreError>,
    failed: &mut Vec<(Work, StoreError)>,
) -> T {
    result
        .map_err(|error| failed.push((work, error)))
        .unwrap_or_default()
}
