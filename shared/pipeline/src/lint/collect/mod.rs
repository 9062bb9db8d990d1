//! Reads the facts: all at once, each within a limit.
//!
//! Invariant: nothing is changed, and no message is received. Of the function's variables only one setting is kept.

mod alarms;
mod cluster;
mod database;
mod function;
mod queues;
mod topic;

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::timeout;

use super::fact::Fact;
use super::facts::{Facts, Subject};
use super::report::LintReport;
use crate::environment::Environment;
use crate::model::QueueRole;
use crate::{Attempt, Pipeline, PipelineError};

/// Time limit of one fact, its pages and retries included.
const FACT_LIMIT: Duration = Duration::from_secs(12);

impl Pipeline {
    /// Reads how the pipeline is set up, and checks it. What could not be read is in the report.
    pub async fn lint(&self, now: DateTime<Utc>) -> LintReport {
        LintReport::of(&self.lint_facts(now).await)
    }

    async fn lint_facts(&self, now: DateTime<Utc>) -> Facts {
        let messaging = async {
            let (queue, dead) = tokio::join!(
                self.fact("the queue", self.queue_facts(QueueRole::Source)),
                self.fact(
                    "the dead-letter queue",
                    self.queue_facts(QueueRole::DeadLetter)
                ),
            );
            let arn = queue.clone().map(|queue| queue.arn);
            let (subscriptions, mappings) = tokio::join!(
                self.fact_of(&arn, "the subscriptions", |arn| self
                    .subscription_facts(arn)),
                self.fact_of(&arn, "the event source mappings", |arn| {
                    self.mapping_facts(arn)
                }),
            );
            (queue, dead, subscriptions, mappings)
        };
        let of_function = async {
            tokio::join!(
                self.fact("the function", self.function_facts()),
                self.fact("the reserved concurrency", self.concurrency_fact()),
                self.fact("the log group", self.log_group_facts()),
            )
        };
        let of_database = async {
            tokio::join!(
                self.fact("the schema", self.schema_facts()),
                self.fact("the retention", self.horizon_fact()),
                self.fact("the clock of the database", self.database_clock_fact()),
                self.fact("the cluster", self.cluster_facts()),
            )
        };
        let of_others = async {
            tokio::join!(
                self.fact("the topic", self.topic_facts()),
                self.fact("the alarms", self.alarm_facts()),
                self.dead_letter_age(),
                self.fact("the clock of AWS", self.aws_clock_fact()),
            )
        };
        let ((queue, dead_letter_queue, subscriptions, mappings), function, database, others) =
            tokio::join!(messaging, of_function, of_database, of_others);
        let (topic, alarms, age, clock) = others;
        let (function, reserved_concurrency, log_group) = function;
        let (schema, horizon, database_clock_ahead_secs, cluster) = database;
        Facts {
            subject: subject(self.environment()),
            now,
            queue,
            dead_letter_queue,
            dead_letter_age_secs: age,
            topic,
            subscriptions,
            function,
            reserved_concurrency,
            mappings,
            log_group,
            alarms: on_emulator_without(alarms, self.environment()),
            schema,
            horizon,
            cluster,
            aws_clock_ahead_secs: clock,
            database_clock_ahead_secs,
        }
    }

    /// Reads a fact within its limit.
    async fn fact<T>(
        &self,
        what: &str,
        reading: impl Future<Output = Result<T, PipelineError>>,
    ) -> Fact<T> {
        let attempt = Attempt::start(format!("read {what}"), "");
        // The futures of the AWS clients are large.
        match timeout(FACT_LIMIT, Box::pin(reading)).await {
            Ok(read) => Fact::from(read),
            Err(_) => Fact::from(Err(attempt.timed_out(FACT_LIMIT))),
        }
    }

    /// Reads a fact that needs another one.
    async fn fact_of<'a, A, T, F>(
        &self,
        needed: &'a Fact<A>,
        what: &str,
        read: impl FnOnce(&'a A) -> F,
    ) -> Fact<T>
    where
        F: Future<Output = Result<T, PipelineError>>,
    {
        match needed {
            Fact::Known(value) => self.fact(what, read(value)).await,
            Fact::Unknown(reason) => Fact::Unknown(reason.clone()),
            Fact::NotApplicable(reason) => Fact::NotApplicable(reason.clone()),
        }
    }

    async fn dead_letter_age(&self) -> Fact<u64> {
        match self.oldest_age_secs(QueueRole::DeadLetter).await {
            Some(age) => Fact::Known(age),
            None => Fact::Unknown(
                "CloudWatch has no recent value of ApproximateAgeOfOldestMessage of the dead-letter queue"
                    .to_owned(),
            ),
        }
    }
}

fn subject(environment: &Environment) -> Subject {
    let mut aws = format!("aws --region {}", environment.region);
    if let Some(endpoint_url) = &environment.endpoint_url {
        aws = format!("{aws} --endpoint-url {endpoint_url}");
    }
    Subject {
        environment: environment.name.clone(),
        is_production: environment.is_production,
        aws,
        topic_arn: environment.topic_arn.clone(),
        function: environment.ingest_function.clone().unwrap_or_default(),
        entry_timeout_secs: environment.function_timeout_secs,
        cluster: environment.database_cluster.clone().unwrap_or_default(),
    }
}

/// The local stack creates no alarm; where somebody did, they are judged.
fn on_emulator_without<T>(alarms: Fact<Vec<T>>, environment: &Environment) -> Fact<Vec<T>> {
    match alarms {
        Fact::Known(alarms) if alarms.is_empty() && environment.is_loopback() => {
            Fact::NotApplicable("an emulator without alarms".to_owned())
        }
        alarms @ (Fact::Known(_) | Fact::Unknown(_) | Fact::NotApplicable(_)) => alarms,
    }
}

/// The environment's entry names no ingest.
fn function_name(environment: &Environment) -> Result<&str, PipelineError> {
    environment.ingest_function.as_deref().ok_or_else(|| {
        PipelineError::not_configured(
            "read the ingest",
            "the environment's entry names no function".to_owned(),
            "add ingest_function",
        )
    })
}
