//! Publishing to the topic: one operation, in steps and batches.
//!
//! Invariant: a body counts as published only when SNS confirmed exactly that entry; one that got
//! no answer is marked, for it may have been published. The end of a publication is in the audit
//! log, also when it was cancelled.

use std::ops::Range;
use std::pin::pin;
use std::time::Duration;

use aws_sdk_sns::types::PublishBatchRequestEntry;
use chrono::Utc;
use futures::stream::{self, Stream, StreamExt as _};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::audit::{AuditError, Operation};
use super::error::is_surely_not_done;
use super::model::Published;
use super::queues::BATCH_ENTRIES_MAX;
use super::{Attempt, Pipeline, PipelineError, PlannedChange, WritePermit};

/// Bytes of all bodies of one batch call at most (Amazon SNS quotas).
pub const PUBLISH_BATCH_BYTES_MAX: usize = 256 * 1024;
/// Batch calls that run at once.
const CALLS_MAX: usize = 4;
/// Messages of one step without a rate: several batches that run at once.
const STEP_MAX: usize = 200;
/// Steps a second with a rate, so that a rate is even and not in bursts.
const STEPS_PER_SECOND: f64 = 10.0;
/// Once cancelled, a publication waits this long for the step under way.
const LAST_STEP_LIMIT: Duration = Duration::from_secs(3);

/// What is published.
#[derive(Clone, Debug)]
pub struct Publication {
    /// How many messages.
    pub messages: usize,
    /// Messages per second at most; absent for as fast as the topic takes them.
    pub rate_per_sec: Option<f64>,
    /// What explains it in the audit log.
    pub details: Value,
}

/// How a publication ended.
#[derive(Debug, Default)]
pub struct PublicationEnd {
    /// Messages that the topic confirmed.
    pub published: usize,
    /// Messages that it did not, those without an answer included.
    pub failed: usize,
    /// How many of those that failed had no answer; they may have been published.
    pub unconfirmed: usize,
    /// Messages of a step that was cut off; they may have been published.
    pub unknown: usize,
    /// Whether it was cancelled before its end.
    pub is_cancelled: bool,
    /// Why its end is not in the audit log.
    pub audit_error: Option<AuditError>,
}

impl Pipeline {
    /// Publishes messages in steps, each with the body that `body` makes for its number; `answered`
    /// hears what became of it. Once cancelled it begins no further step.
    ///
    /// # Errors
    /// When the environment forbids it, or when it cannot be recorded; nothing is published then.
    pub async fn publish(
        &self,
        publication: Publication,
        body: impl Fn(usize) -> String,
        mut answered: impl FnMut(usize, &str, Result<Published, PipelineError>),
        cancel: &CancellationToken,
    ) -> Result<PublicationEnd, PipelineError> {
        let total = publication.messages;
        let change = PlannedChange {
            operation: Operation::Publish,
            target: self.topic_name().to_owned(),
            planned: total,
            details: publication.details,
        };
        let permit = self.begin_change(change).await?;
        let step = step_size(publication.rate_per_sec);
        let started = Instant::now();
        let mut end = PublicationEnd::default();
        let mut error = None;
        let mut begun = 0;
        'steps: while begun < total {
            let due = due_after(begun, publication.rate_per_sec);
            let wait = tokio::time::sleep(due.saturating_sub(started.elapsed()));
            end.is_cancelled = cancel.run_until_cancelled(wait).await.is_none();
            if end.is_cancelled {
                break;
            }
            let bodies: Vec<String> = (begun..total).take(step).map(&body).collect();
            let is_over = async {
                cancel.cancelled().await;
                tokio::time::sleep(LAST_STEP_LIMIT).await;
            };
            let mut is_over = pin!(is_over);
            let mut answers = pin!(self.publish_bodies(&permit, &bodies));
            let mut unanswered = bodies.iter();
            loop {
                let answer = tokio::select! {
                    biased;
                    answer = answers.next() => answer,
                    () = &mut is_over => {
                        end.unknown = unanswered.len();
                        end.is_cancelled = true;
                        break 'steps;
                    }
                };
                let (Some(answer), Some(body)) = (answer, unanswered.next()) else {
                    break;
                };
                match &answer {
                    Ok(_) => end.published += 1,
                    Err(cause) => {
                        end.failed += 1;
                        end.unconfirmed += usize::from(cause.may_have_happened());
                        error.get_or_insert_with(|| cause.to_string());
                    }
                }
                answered(begun, body, answer);
                begun += 1;
            }
        }
        let interrupted = end.is_cancelled.then(|| "interrupted".to_owned());
        let refused = end.failed - end.unconfirmed;
        let unknown = end.unknown + end.unconfirmed;
        let mut counts = vec![("published", end.published), ("failed", refused)];
        if unknown > 0 {
            counts.push(("unknown", unknown));
        }
        end.audit_error = permit.end(counts, interrupted.or(error)).await.err();
        Ok(end)
    }

    /// Publishes bodies as they are. The answers are parallel to the input.
    fn publish_bodies<'a>(
        &'a self,
        permit: &'a WritePermit,
        bodies: &'a [String],
    ) -> impl Stream<Item = Result<Published, PipelineError>> + 'a {
        let sizes: Vec<usize> = bodies.iter().map(String::len).collect();
        stream::iter(batches(&sizes, BATCH_ENTRIES_MAX, PUBLISH_BATCH_BYTES_MAX))
            .map(move |range| self.publish_batch(permit, bodies.get(range).unwrap_or_default()))
            .buffered(CALLS_MAX)
            .flat_map(stream::iter)
    }

    /// Publishes one body as it is.
    ///
    /// # Errors
    /// As [`Self::publish`], and when the topic does not confirm it.
    pub async fn publish_one(
        &self,
        body: &str,
        details: Value,
        cancel: &CancellationToken,
    ) -> Result<Published, PipelineError> {
        let timed = self.publish_timed(body, details, cancel).await;
        timed.map(|(published, _)| published)
    }

    /// The same, with the moment of the answer on the clock that never jumps.
    pub(super) async fn publish_timed(
        &self,
        body: &str,
        details: Value,
        cancel: &CancellationToken,
    ) -> Result<(Published, Instant), PipelineError> {
        let publication = Publication {
            messages: 1,
            rate_per_sec: None,
            details,
        };
        let mut answer = None;
        let answered = |_, _: &str, published: Result<Published, PipelineError>| {
            answer = Some(published.map(|published| (published, Instant::now())));
        };
        let end = self
            .publish(publication, |_| body.to_owned(), answered, cancel)
            .await?;
        if let Some(error) = end.audit_error {
            tracing::warn!(%error, "the end of a publication is not in the audit log");
        }
        answer.unwrap_or_else(|| {
            let error = self.publish_attempt().refused("it was cancelled");
            Err(match end.unknown {
                0 => error,
                _ => error.outcome_unknown("it may have been published"),
            })
        })
    }

    /// A publication, named with the topic in its errors.
    pub fn publish_attempt(&self) -> Attempt {
        Attempt::start(
            format!("publish to {:?}", self.topic_name()),
            self.aws_address("sns"),
        )
    }

    /// Name of the topic, the last part of its ARN.
    #[must_use]
    pub fn topic_name(&self) -> &str {
        let arn = &self.environment().topic_arn;
        arn.rsplit(':').next().unwrap_or(arn)
    }

    async fn publish_batch(
        &self,
        _permit: &WritePermit,
        bodies: &[String],
    ) -> Vec<Result<Published, PipelineError>> {
        let attempt = self.publish_attempt();
        let entries: Result<Vec<_>, _> = bodies
            .iter()
            .enumerate()
            .map(|(index, body)| {
                PublishBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message(body)
                    .build()
            })
            .collect();
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return vec![Err(attempt.refused(error.to_string())); bodies.len()],
        };
        let answer = self
            .aws()
            .await
            .sns
            .publish_batch()
            .topic_arn(&self.environment().topic_arn)
            .set_publish_batch_request_entries(Some(entries))
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let failure = attempt.sdk(&error);
                let failure = if is_surely_not_done(&error) {
                    failure
                } else {
                    failure.outcome_unknown("it may have been published")
                };
                return vec![Err(failure); bodies.len()];
            }
        };
        let acknowledged_at = Utc::now();
        let latency = attempt.elapsed();
        (0..bodies.len())
            .map(|index| {
                let id = index.to_string();
                let confirmed = answer
                    .successful()
                    .iter()
                    .find(|entry| entry.id() == Some(id.as_str()))
                    .and_then(|entry| entry.message_id());
                if let Some(message_id) = confirmed {
                    return Ok(Published {
                        sns_message_id: message_id.to_owned(),
                        acknowledged_at,
                        latency,
                    });
                }
                let failed = answer.failed().iter().find(|entry| entry.id() == id);
                Err(match failed {
                    Some(entry) => attempt.refused(format!(
                        "{}: {}",
                        entry.code(),
                        entry.message().unwrap_or("no reason given")
                    )),
                    None => attempt
                        .refused("the topic did not confirm the message")
                        .outcome_unknown("it may have been published"),
                })
            })
            .collect()
    }
}

fn step_size(rate_per_sec: Option<f64>) -> usize {
    // A cast from float to integer saturates.
    let of_rate = |rate: f64| (rate / STEPS_PER_SECOND).ceil().max(1.0) as usize;
    rate_per_sec.map_or(STEP_MAX, of_rate)
}

/// When the message of a number is due.
fn due_after(number: usize, rate_per_sec: Option<f64>) -> Duration {
    let secs = rate_per_sec.map_or(0.0, |rate| number as f64 / rate);
    Duration::try_from_secs_f64(secs).unwrap_or(Duration::MAX)
}

/// Cuts a list into consecutive batches within both limits. What is too large by itself gets a
/// batch of its own.
pub fn batches(sizes: &[usize], entries_max: usize, bytes_max: usize) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let mut begin = 0;
    let mut bytes = 0;
    for (index, size) in sizes.iter().enumerate() {
        let is_full = index - begin >= entries_max || bytes + size > bytes_max;
        if is_full && index > begin {
            batches.push(begin..index);
            begin = index;
            bytes = 0;
        }
        bytes += size;
    }
    if begin < sizes.len() {
        batches.push(begin..sizes.len());
    }
    batches
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::Authority;
    use crate::audit::AuditLog;
    use crate::environment::Environment;

    #[test]
    fn batches_keep_both_limits_and_lose_nothing() {
        assert!(batches(&[], 10, 100).is_empty());
        assert_eq!(batches(&[1; 12], 10, 100), [0..10, 10..12]);
        assert_eq!(
            batches(&[60, 50, 40, 200, 1], 10, 100),
            [0..1, 1..3, 3..4, 4..5]
        );
    }

    #[tokio::test]
    async fn end_is_in_the_audit_log_also_of_what_was_cancelled_or_failed() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        // Nobody listens there.
        let pipeline = Pipeline::connect(&Environment::example()).unwrap();
        let pipeline = pipeline.with_authority(Authority {
            log: Some(log.clone()),
            ..Authority::default()
        });
        let cancel = CancellationToken::new();
        let mut answers = Vec::new();
        let publication = || Publication {
            messages: 3,
            rate_per_sec: None,
            details: Value::Null,
        };
        let answered = |number, _: &str, answer: Result<_, _>| {
            answers.push((number, answer.is_ok()));
        };
        let body = |number: usize| number.to_string();
        let end = pipeline.publish(publication(), body, answered, &cancel);
        let end = end.await.unwrap();
        assert_eq!((end.published, end.failed), (0, 3));
        assert_eq!(answers, [(0, false), (1, false), (2, false)]);
        cancel.cancel();
        let end = pipeline.publish(publication(), body, |_, _, _| (), &cancel);
        assert!(end.await.unwrap().is_cancelled);
        let entries = log.read().unwrap().entries.into_iter();
        let endings: Vec<_> = entries.map(|entry| entry.ending.unwrap()).collect();
        let (failed, cancelled) = (&endings[0], &endings[1]);
        assert_eq!(failed.counts["failed"], 3);
        assert!(failed.error.is_some());
        assert_eq!(cancelled.error.as_deref(), Some("interrupted"));
    }

    /// A server that takes the request and closes the connection: nobody knows what it did.
    #[tokio::test]
    async fn message_without_an_answer_is_unknown_and_not_failed_in_the_audit_log() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = [0; 64];
                let _ = connection.read(&mut request).await;
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        let environment = Environment {
            endpoint_url: Some(format!("http://{address}")),
            ..Environment::example()
        };
        let pipeline = Pipeline::connect(&environment)
            .unwrap()
            .with_authority(Authority {
                log: Some(log.clone()),
                ..Authority::default()
            });
        let cancel = CancellationToken::new();
        let error = pipeline.publish_one("{}", Value::Null, &cancel).await;
        assert!(error.unwrap_err().may_have_happened());
        let entry = log.read().unwrap().entries.remove(0);
        let counts = entry.ending.unwrap().counts;
        assert_eq!(
            counts,
            [("failed", 0), ("published", 0), ("unknown", 1)]
                .map(|(name, count)| (name.to_owned(), count))
                .into()
        );
        server.abort();
    }

    #[test]
    fn steps_are_small_with_a_rate() {
        assert_eq!(step_size(None), STEP_MAX);
        assert_eq!(step_size(Some(0.5)), 1);
        assert_eq!(step_size(Some(25.0)), 3);
        assert_eq!(step_size(Some(10_000.0)), 1_000);
        assert_eq!(due_after(50, Some(25.0)), Duration::from_secs(2));
        assert_eq!(due_after(50, None), Duration::ZERO);
    }

    proptest::proptest! {
        #[test]
        fn every_index_is_in_exactly_one_batch(
            sizes in proptest::collection::vec(0_usize..300, 0..60),
        ) {
            let batches = batches(&sizes, 10, 256);
            let indexes: Vec<usize> = batches.iter().cloned().flatten().collect();
            proptest::prop_assert_eq!(indexes, (0..sizes.len()).collect::<Vec<_>>());
            for range in batches {
                let bytes: usize = sizes[range.clone()].iter().sum();
                proptest::prop_assert!(range.len() <= 10);
                proptest::prop_assert!(bytes <= 256 || range.len() == 1);
            }
        }
    }
}
