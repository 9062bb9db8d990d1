//! The schema of the database, its retention, and the clocks.

use chrono::{DateTime, Utc};
use store::MIGRATOR;

use crate::connection::QUESTION_LIMIT;
use crate::lint::facts::SchemaFacts;
use crate::{Attempt, Pipeline, PipelineError};

impl Pipeline {
    /// From the database itself: the API does not know it.
    pub(super) async fn schema_facts(&self) -> Result<SchemaFacts, PipelineError> {
        let inspection = self
            .of_database("inspect the schema", QUESTION_LIMIT, |pool| async move {
                store::inspect(pool).await
            })
            .await?;
        Ok(SchemaFacts {
            inspection,
            known: MIGRATOR.iter().map(|migration| migration.version).collect(),
        })
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
    use super::*;

    #[test]
    fn time_of_the_request_is_no_difference() {
        let at = |secs| DateTime::from_timestamp(secs, 0).unwrap();
        assert_eq!(ahead_secs(at(105), at(100), at(110)), 0);
        assert_eq!(ahead_secs(at(140), at(100), at(110)), 30);
        assert_eq!(ahead_secs(at(40), at(100), at(110)), -60);
    }
}
