//! The partition in which a record is.
//!
//! Invariant: no record is read.

use chrono::{DateTime, Utc};
use event::PartitionSize;

use crate::partition_bounds::{DEFAULT, range};
use crate::{Pipeline, PipelineError};

impl Pipeline {
    /// Name of the partition for records of events that occurred then; `None` where the newest 1,000 partitions do
    /// not tell it.
    ///
    /// # Errors
    /// When neither the database nor the API answers.
    pub async fn partition_of(
        &self,
        occurred_at: DateTime<Utc>,
    ) -> Result<Option<String>, PipelineError> {
        let (partitions, total) = self
            .read(
                "read the partitions",
                |pool| async move { store::partition_sizes(pool).await },
                |api| async move {
                    let summary = api.summary().await?;
                    Ok((summary.partitions, summary.partitions_total))
                },
            )
            .await?;
        Ok(named(&partitions, total, occurred_at))
    }
}

/// The partition with the time in its range; the default one has what no other has, if all others are known.
fn named(partitions: &[PartitionSize], total: i64, occurred_at: DateTime<Utc>) -> Option<String> {
    let has_it = |partition: &&PartitionSize| {
        let range = range(&partition.bounds);
        range.is_some_and(|(from, to)| from <= occurred_at && occurred_at < to)
    };
    let is_default = |partition: &&PartitionSize| partition.bounds == DEFAULT;
    let are_all_known = usize::try_from(total).is_ok_and(|total| total == partitions.len())
        && partitions
            .iter()
            .all(|partition| partition.bounds == DEFAULT || range(&partition.bounds).is_some());
    let found = partitions.iter().find(has_it);
    let default = || partitions.iter().find(is_default).filter(|_| are_all_known);
    Some(found.or_else(default)?.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_in_the_partition_of_its_time_else_in_the_default_one_if_all_are_known() {
        let partition = |name: &str, bounds: &str| PartitionSize {
            name: name.to_owned(),
            bounds: bounds.to_owned(),
            records_estimate: 0,
            bytes: 0,
        };
        let mut partitions = vec![
            partition("records_default", "DEFAULT"),
            partition(
                "records_2026_11",
                "FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00')",
            ),
        ];
        let of = |partitions: &[PartitionSize], total, at: &str| {
            named(partitions, total, at.parse().unwrap())
        };
        let november = of(&partitions, 2, "2026-11-01T00:00:00Z");
        assert_eq!(november.as_deref(), Some("records_2026_11"));
        let december = of(&partitions, 2, "2026-12-01T00:00:00Z");
        assert_eq!(december.as_deref(), Some("records_default"));
        // Another partition, which was not listed, may have it.
        assert_eq!(of(&partitions, 3, "2026-12-01T00:00:00Z"), None);
        partitions.push(partition("records_odd", "FOR VALUES IN ('a')"));
        assert_eq!(of(&partitions, 3, "2026-12-01T00:00:00Z"), None);
    }
}
