//! Reads the facts: all at once, each within a limit.
//!
//! Invariant: nothing is changed, and no message is received. Of the function's variables only one setting is kept.

mod alarms;
mod cluster;
mod database;
mod function;
mod queues;
mod reading;
mod topic;

pub(crate) use reading::Reading;

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep, timeout};

use super::fact::Fact;
use super::facts::{Facts, Subject};
use super::fix::words;
use super::report::LintReport;
use crate::environment::Environment;
use crate::model::QueueRole;
use crate::{Attempt, Pipeline, PipelineError};

/// Time limit of one fact, its pages and retries included.
const FACT_LIMIT: Duration = Duration::from_secs(12);
/// Time limit of a fact of a database that pauses. The first question resumes it, in about 15 s, and in 30 s or more
/// where it was paused for a day (Amazon Aurora User Guide, "Scaling to Zero ACUs with automatic pause and resume").
const RESUME_LIMIT: Duration = Duration::from_secs(60);
/// Wait before it is asked again.
const RESUME_WAIT: Duration = Duration::from_secs(2);

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
                self.database_fact("the schema", || self.schema_facts()),
                self.database_fact("the retention", || self.horizon_fact()),
                self.database_fact("the clock of the database", || self.database_clock_fact()),
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
    fn fact<T>(
        &self,
        what: &str,
        reading: impl Future<Output = Result<T, PipelineError>>,
    ) -> impl Future<Output = Fact<T>> {
        let reading = within(FACT_LIMIT, what, reading);
        async move { reading.await.into() }
    }

    /// Reads a fact that the database or the API has; a database that pauses is given the time to resume.
    async fn database_fact<T, F>(&self, what: &str, read: impl Fn() -> F) -> Fact<T>
    where
        F: Future<Output = Result<T, PipelineError>>,
    {
        if !self.environment().database_pauses {
            return self.fact(what, read()).await;
        }
        let read = |limit| within(limit, what, read());
        until_resumed(RESUME_LIMIT, RESUME_WAIT, read).await.into()
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
        match self.oldest_age(QueueRole::DeadLetter).await {
            Some(age) => Fact::Known(age.secs),
            None => Fact::Unknown(
                "CloudWatch has no recent value of ApproximateAgeOfOldestMessage of the dead-letter queue"
                    .to_owned(),
            ),
        }
    }
}

fn within<T>(
    limit: Duration,
    what: &str,
    reading: impl Future<Output = Result<T, PipelineError>>,
) -> impl Future<Output = Result<T, PipelineError>> {
    // Before any other future holds it: those of the AWS clients are so large that several of them side by side
    // overflow the stack.
    let reading = Box::pin(reading);
    async move {
        let attempt = Attempt::start(format!("read {what}"), "");
        match timeout(limit, reading).await {
            Ok(read) => read,
            Err(_) => Err(attempt.timed_out(limit)),
        }
    }
}

/// Reads again what cannot be reached, each time within the limit that the reading is given.
async fn until_resumed<T, F>(
    limit: Duration,
    wait: Duration,
    read: impl Fn(Duration) -> F,
) -> Result<T, PipelineError>
where
    F: Future<Output = Result<T, PipelineError>>,
{
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let answer = read(left.min(FACT_LIMIT)).await;
        let is_last = Instant::now() + wait >= end;
        match answer {
            Err(error) if error.is_unreachable() && !is_last => sleep(wait).await,
            answer => return answer,
        }
    }
}

/// The names of an environment. Those of its parts can be the same in every account, so a command that is copied
/// names the profile.
pub(super) fn subject(environment: &Environment) -> Subject {
    let mut aws = format!("aws --region {}", environment.region);
    if let Some(profile) = &environment.profile {
        aws = format!("{aws} --profile {}", words(&[profile]));
    }
    if let Some(endpoint_url) = &environment.endpoint_url {
        aws = format!("{aws} --endpoint-url {}", words(&[endpoint_url]));
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::PipelineErrorKind;

    /// How often it was read, and the last answer; it answers at the second time.
    async fn read(limit: Duration, kind: PipelineErrorKind) -> (u32, bool) {
        let times = Cell::new(0);
        let answer = until_resumed(limit, Duration::ZERO, |_| {
            times.set(times.get() + 1);
            let is_awake = times.get() == 2;
            async move {
                let asleep = Attempt::start("read", "").failed(kind, "no answer");
                if is_awake { Ok(()) } else { Err(asleep) }
            }
        });
        let answer = answer.await;
        (times.get(), answer.is_ok())
    }

    #[tokio::test]
    async fn database_that_resumes_is_asked_again_within_the_limit() {
        let away = PipelineErrorKind::Unreachable;
        assert_eq!(read(RESUME_LIMIT, away).await, (2, true));
        assert_eq!(read(Duration::ZERO, away).await, (1, false));
        let refused = PipelineErrorKind::Refused;
        assert_eq!(read(RESUME_LIMIT, refused).await, (1, false));
    }
}
