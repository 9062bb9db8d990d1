//! The schema of the database, its retention, and the clocks.

use chrono::{DateTime, Utc};
use event::RecordSummary;
use store::{Inspection, MIGRATOR};

use crate::lint::fact::Fact;
use crate::lint::facts::{Applied, SchemaFacts, UpkeepFacts};
use crate::partition_bounds::{DEFAULT, TimeRange, range};
use crate::{Attempt, Pipeline, PipelineError};

impl Pipeline {
    pub(super) async fn schema_facts(&self) -> Result<SchemaFacts, PipelineError> {
        self.read(
            "inspect the schema",
            |pool| async move { store::inspect(pool).await.map(by_database) },
            |api| async move { api.summary().await.map(|summary| by_api(&summary)) },
        )
        .await
    }

    pub(super) async fn horizon_fact(&self) -> Result<Option<DateTime<Utc>>, PipelineError> {
        let known = self
            .read(
                "read the retention",
                |pool| async move { store::look_up_keys(pool, &[]).await },
                |api| async move { api.look_up_keys(&[]).await },
            )
            .await?;
        Ok(known.retention_horizon)
    }

    /// How far the clock of the database is ahead.
    pub(super) async fn database_clock_fact(&self) -> Result<i64, PipelineError> {
        let asked_at = Utc::now();
        let totals = self.record_totals().await?;
        Ok(ahead_secs(totals.database_now, asked_at, Utc::now()))
    }

    /// How far the clock of AWS is ahead.
    pub(super) async fn aws_clock_fact(&self) -> Result<i64, PipelineError> {
        let asked_at = Utc::now();
        let date = self.aws_date().await?;
        let answered_at = Utc::now();
        let attempt = Attempt::start("read the clock of AWS", self.aws_address("sqs"));
        let date = DateTime::parse_from_rfc2822(&date)
            .map_err(|error| attempt.refused(format!("the header Date: {error}")))?;
        Ok(ahead_secs(date.to_utc(), asked_at, answered_at))
    }
}

fn known_versions() -> Vec<i64> {
    MIGRATOR.iter().map(|migration| migration.version).collect()
}

fn by_database(inspection: Inspection) -> SchemaFacts {
    SchemaFacts {
        known: known_versions(),
        applied: Fact::Known(Applied::All(inspection.applied)),
        database_now: inspection.database_now,
        covered_until: Fact::Known(inspection.covered_until),
        default_rows: inspection.default_rows,
        upkeep: Fact::Known(UpkeepFacts {
            counted_hours: inspection.counted_hours,
            unfolded_hours: inspection.unfolded_hours,
        }),
    }
}

/// The API says less.
fn by_api(summary: &RecordSummary) -> SchemaFacts {
    let unsaid = |what: &str| {
        format!("the API does not say {what}, and the database is not read: see database_url")
    };
    let mut partitions = summary.partitions.iter();
    let default = partitions.find(|partition| partition.bounds == DEFAULT);
    let rows = default.map_or(0, |partition| partition.records_estimate);
    SchemaFacts {
        known: known_versions(),
        applied: match summary.schema_version {
            Some(version) => Fact::Known(Applied::Newest(version)),
            None => Fact::Unknown(unsaid("the version of the schema")),
        },
        database_now: summary.database_now,
        covered_until: match ranges(summary) {
            Ok(ranges) => Fact::Known(store::covered_until(ranges, summary.database_now)),
            Err(bounds) => Fact::Unknown(format!("the bounds of a partition are {bounds:?}")),
        },
        default_rows: u64::try_from(rows).unwrap_or_default(),
        upkeep: Fact::Unknown(unsaid("which counts upkeep has folded")),
    }
}

/// The ranges of the partitions but the default one, in order of time; bounds that cannot be read.
fn ranges(summary: &RecordSummary) -> Result<Vec<TimeRange>, &str> {
    let partitions = summary.partitions.iter();
    let bounds = partitions
        .map(|partition| partition.bounds.as_str())
        .filter(|bounds| *bounds != DEFAULT);
    let ranges = bounds.map(|bounds| range(bounds).ok_or(bounds));
    let mut ranges: Vec<_> = ranges.collect::<Result<_, _>>()?;
    ranges.sort_unstable();
    Ok(ranges)
}

/// The time came between the request and its answer: what lies between them is no difference.
fn ahead_secs(theirs: DateTime<Utc>, asked_at: DateTime<Utc>, answered_at: DateTime<Utc>) -> i64 {
    if theirs > answered_at {
        (theirs - answered_at).num_seconds()
    } else if theirs < asked_at {
        (theirs - asked_at).num_seconds()
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use event::PartitionSize;

    use super::*;

    fn summary(bounds: &[&str], schema_version: Option<i64>) -> RecordSummary {
        let partition = |bounds: &&str| PartitionSize {
            name: "a".to_owned(),
            bounds: (*bounds).to_owned(),
            records_estimate: 12,
            bytes: 0,
        };
        RecordSummary {
            total: 0,
            total_is_estimate: false,
            last_ingested_at: None,
            database_now: "2026-11-24T12:00:00Z".parse().unwrap(),
            database_created_at: None,
            schema_version,
            partitions_total: 0,
            partitions: bounds.iter().map(partition).collect(),
        }
    }

    #[test]
    fn schema_is_known_by_the_api_as_far_as_it_says_it() {
        let bounds = [
            "DEFAULT",
            "FOR VALUES FROM ('2026-11-25 05:30:00+05:30') TO (MAXVALUE)",
            "FOR VALUES FROM ('2026-11-24 00:00:00+00') TO ('2026-11-25 00:00:00+00')",
        ];
        let facts = by_api(&summary(&bounds, Some(7)));
        assert_eq!(facts.applied, Fact::Known(Applied::Newest(7)));
        let open = Some(DateTime::<Utc>::MAX_UTC);
        assert_eq!(facts.covered_until, Fact::Known(open));
        assert_eq!(facts.default_rows, 12);
        assert!(facts.upkeep.get().unwrap_err().is_failure);

        let facts = by_api(&summary(&bounds[..1], None));
        assert!(facts.applied.get().unwrap_err().is_failure);
        assert_eq!(facts.covered_until, Fact::Known(None));
        // What is not understood is no gap.
        let facts = by_api(&summary(&["FOR VALUES IN ('a')"], None));
        assert!(facts.covered_until.get().unwrap_err().is_failure);
    }

    #[test]
    fn time_of_the_request_is_no_difference() {
        let at = |secs| DateTime::from_timestamp(secs, 0).unwrap();
        assert_eq!(ahead_secs(at(105), at(100), at(110)), 0);
        assert_eq!(ahead_secs(at(140), at(100), at(110)), 30);
        assert_eq!(ahead_secs(at(40), at(100), at(110)), -60);
    }
}
