//! What the records take: size, and the times that the partitions cover.
//!
//! Invariant: no record is read; what the bounds do not say is unknown.

use chrono::{DateTime, Utc};
use event::PartitionSize;

use crate::partition_bounds::{DEFAULT, TimeRange, range};
use crate::{Pipeline, PipelineError};

/// The partitions of the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// Bytes on disk of the partitions that were listed, indexes included.
    pub bytes: u64,
    /// Number of partitions.
    pub partitions: u64,
    /// Whether more partitions exist than were listed: size and oldest time are then those of the newest ones.
    pub is_partial: bool,
    /// Beginning of the oldest partition.
    pub oldest: Option<DateTime<Utc>>,
    /// Until when partitions follow each other from now on without a gap; `None` where even now has none.
    pub covered_until: Option<DateTime<Utc>>,
    /// About how many records the default partition has, whose time has no other.
    pub default_rows: u64,
}

impl Pipeline {
    /// Reads the partitions. It wakes a paused database.
    ///
    /// # Errors
    /// When neither the database nor the API answers.
    pub async fn storage(&self, now: DateTime<Utc>) -> Result<Storage, PipelineError> {
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
        Ok(storage(&partitions, total, now))
    }
}

fn storage(partitions: &[PartitionSize], total: i64, now: DateTime<Utc>) -> Storage {
    let number = |number: i64| u64::try_from(number).unwrap_or_default();
    let mut ranges: Vec<TimeRange> = partitions
        .iter()
        .filter_map(|partition| range(&partition.bounds))
        .collect();
    ranges.sort_unstable();
    let default = partitions
        .iter()
        .find(|partition| partition.bounds == DEFAULT);
    let oldest = ranges.first().map(|(from, _)| *from);
    Storage {
        bytes: partitions
            .iter()
            .map(|partition| number(partition.bytes))
            .sum(),
        partitions: number(total),
        is_partial: number(total) > partitions.len() as u64,
        oldest: oldest.filter(|from| *from > DateTime::<Utc>::MIN_UTC),
        covered_until: store::covered_until(ranges, now),
        default_rows: default.map_or(0, |partition| number(partition.records_estimate)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(bounds: &str, records_estimate: i64) -> PartitionSize {
        PartitionSize {
            name: "records_x".to_owned(),
            bounds: bounds.to_owned(),
            records_estimate,
            bytes: 1_000,
        }
    }

    fn days(from: u32, to: u32) -> String {
        format!(
            "FOR VALUES FROM ('2026-11-{from:02} 00:00:00+00') TO ('2026-11-{to:02} 00:00:00+00')"
        )
    }

    #[test]
    fn size_and_times_are_those_of_the_partitions() {
        let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().ok();
        let partitions = [
            partition(DEFAULT, 7),
            partition(&days(24, 25), 100),
            partition(&days(25, 26), 0),
            // A gap before it.
            partition(&days(27, 28), 0),
            partition(&days(20, 24), 900),
        ];
        let read = storage(&partitions, 5, now);
        let expected = Storage {
            bytes: 5_000,
            partitions: 5,
            is_partial: false,
            oldest: at("2026-11-20T00:00:00Z"),
            covered_until: at("2026-11-26T00:00:00Z"),
            default_rows: 7,
        };
        assert_eq!(read, expected);
        assert!(storage(&partitions, 6, now).is_partial);
        assert_eq!(storage(&[], 0, now), Storage::default());
    }
}
