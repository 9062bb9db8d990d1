//! One probe: its event is published and followed to the API.
//!
//! Invariant: nothing is published where the way of the event could not be seen, or a change is not permitted. Once it
//! is published, every failure is one of a hop, and never an error. A cancelled probe ends within the limit of a
//! publication.

use std::time::Duration;

use ::event::RecordId;
use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::clock::DatabaseClock;
use super::event::ProbeEvent;
use super::seen::{
    FailureReason, Probe, ProbeFailure, ProbeHop, PublishedHop, ReadableHop, StoredHop,
};
use crate::model::{Published, TraceState};
use crate::{Pipeline, PipelineError, PipelineErrorKind};

/// First pause between two look-ups.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

const NO_ANSWER: &str = "no answer";

/// How one probe is made.
#[derive(Clone, Copy, Debug)]
pub struct ProbeSettings {
    /// How long the hops after the topic are waited for, each.
    pub hop_limit: Duration,
    /// Whether the dead letters are searched for an event that is not stored: that receives them.
    pub search_dead_letters: bool,
}

impl Pipeline {
    /// Publishes one event and follows it through every hop; `None` where `cancel` was cancelled before its end. An
    /// event that was published then is stored as any other.
    ///
    /// # Errors
    /// When the environment forbids it, when it cannot be recorded, or when the environment has neither a database nor
    /// an API by which the event could be seen. Nothing is published then.
    pub async fn publish_probe(
        &self,
        settings: ProbeSettings,
        cancel: &CancellationToken,
    ) -> Result<Option<Probe>, PipelineError> {
        let environment = self.environment();
        if !self.has_ledger() {
            return Err(PipelineError::not_configured(
                "probe the pipeline",
                format!(
                    "no API and no database in environment {:?}, so nobody could see the event",
                    environment.name
                ),
                "add api_url or database_url to the environment's entry",
            ));
        }
        let started_at = Utc::now();
        let event = ProbeEvent::new(&environment.name, Uuid::now_v7(), started_at);
        let mut probe = Probe {
            environment: environment.name.clone(),
            key: event.key.clone(),
            started_at,
            published: None,
            stored: None,
            readable: None,
            has_api: environment.api_url.is_some(),
            failure: None,
            database_clock: None,
        };
        let details = json!({ "event": ::event::peek_identity(&event.body), "probe": true });
        let (published, published_at) = match self.publish_timed(&event.body, details, cancel).await
        {
            Ok(published) => published,
            Err(_) if cancel.is_cancelled() => return Ok(None),
            Err(error) => {
                probe.failure = Some(not_published(error)?);
                return Ok(Some(probe));
            }
        };
        probe.published = Some(PublishedHop {
            took: published.latency,
            sns_message_id: published.sns_message_id.clone(),
            acknowledged_at: published.acknowledged_at,
        });
        // The futures of the AWS clients are large.
        let following =
            Box::pin(self.follow(&event, &published, published_at, settings, &mut probe));
        if cancel.run_until_cancelled(following).await.is_none() {
            return Ok(None);
        }
        Ok(Some(probe))
    }

    async fn follow(
        &self,
        event: &ProbeEvent,
        published: &Published,
        published_at: Instant,
        settings: ProbeSettings,
        probe: &mut Probe,
    ) {
        let stored = self
            .until_stored(event, published, published_at, settings)
            .await;
        let (record_id, seen_at) = match stored {
            Ok(stored) => stored,
            Err(failure) => {
                probe.failure = Some(failure);
                return;
            }
        };
        let mut ingested_at = None;
        let readable = self
            .until_readable(
                record_id,
                seen_at,
                settings.hop_limit,
                probe.has_api,
                &mut ingested_at,
            )
            .await;
        match readable {
            Ok(readable) => probe.readable = readable,
            Err(failure) => probe.failure = Some(failure),
        }
        probe.database_clock = self.compare_clocks().await;
        let ingested_after = probe.database_clock.and_then(|clock| {
            ingested_at.map(|at: DateTime<Utc>| clock.here(at) - published.acknowledged_at)
        });
        probe.stored = Some(StoredHop {
            took: seen_at - published_at,
            record_id,
            ingested_at,
            ingested_after,
        });
    }

    /// The record of the event, and when a look-up found it.
    async fn until_stored(
        &self,
        event: &ProbeEvent,
        published: &Published,
        published_at: Instant,
        settings: ProbeSettings,
    ) -> Result<(RecordId, Instant), ProbeFailure> {
        let mut last = Some(NO_ANSWER.to_owned());
        let looking = async {
            for number in 0.. {
                match self.record_of(&event.key).await {
                    Ok(Some(record_id)) => return Ok((record_id, Instant::now())),
                    Ok(None) => last = None,
                    Err(error) => last = Some(error.to_string()),
                }
                if settings.search_dead_letters
                    && let Some(failure) = self.dead(event, published, &mut last).await
                {
                    return Err(failure);
                }
                sleep(pause(number)).await;
            }
            // There is no last number.
            std::future::pending().await
        };
        let left = settings.hop_limit.saturating_sub(published_at.elapsed());
        let found = timeout(left, looking).await;
        found.unwrap_or_else(|_| {
            let what = "not in the ledger";
            Err(time_over(
                ProbeHop::Stored,
                what,
                settings.hop_limit,
                last.map(|cause| format!("the last look-up failed: {cause}")),
            ))
        })
    }

    /// The failure, where the event is found among the dead letters.
    async fn dead(
        &self,
        event: &ProbeEvent,
        published: &Published,
        last: &mut Option<String>,
    ) -> Option<ProbeFailure> {
        match self.trace_unstored(&event.body, published).await {
            Ok(TraceState::Dead {
                message_id, reason, ..
            }) => Some(ProbeFailure {
                hop: ProbeHop::Stored,
                reason: FailureReason::DeadLetter,
                detail: match reason {
                    Some(reason) => format!(
                        "it is the dead letter {message_id}: {}: {}",
                        reason.code, reason.message
                    ),
                    None => format!("it is the dead letter {message_id}, without a reason"),
                },
            }),
            Ok(
                TraceState::Pending
                | TraceState::Searched { .. }
                | TraceState::SearchTruncated { .. }
                | TraceState::Stored { .. },
            ) => None,
            Err(error) => {
                *last = Some(error.to_string());
                None
            }
        }
    }

    /// Waits until the API answers with the record; `None` where the environment has no API.
    async fn until_readable(
        &self,
        record_id: RecordId,
        seen_at: Instant,
        limit: Duration,
        has_api: bool,
        ingested_at: &mut Option<DateTime<Utc>>,
    ) -> Result<Option<ReadableHop>, ProbeFailure> {
        let mut last = NO_ANSWER.to_owned();
        let asking = async {
            for number in 0.. {
                let asked_at = Instant::now();
                match self.trace_record(record_id).await {
                    Ok(TraceState::Stored {
                        ingested_at: at,
                        readable,
                        ..
                    }) => {
                        *ingested_at = Some(at);
                        match readable {
                            Some(health) if health.status == 200 => {
                                return Some(ReadableHop {
                                    took: asked_at + health.latency - seen_at,
                                    answer: health.latency,
                                });
                            }
                            Some(health) => last = format!("status {}", health.status),
                            None if !has_api => return None,
                            None => last = NO_ANSWER.to_owned(),
                        }
                    }
                    Ok(
                        TraceState::Pending
                        | TraceState::Searched { .. }
                        | TraceState::SearchTruncated { .. }
                        | TraceState::Dead { .. },
                    ) => last = "the record was not found".to_owned(),
                    Err(error) => last = error.to_string(),
                }
                sleep(pause(number)).await;
            }
            std::future::pending().await
        };
        let answered = timeout(limit, asking).await;
        answered.map_err(|_| {
            let last = Some(format!("the last question: {last}"));
            let what = format!("no status 200 for record {record_id}");
            time_over(ProbeHop::Readable, &what, limit, last)
        })
    }

    /// `None` where the question has no answer.
    async fn compare_clocks(&self) -> Option<DatabaseClock> {
        let asked_at = Utc::now();
        let totals = self.record_totals().await.ok()?;
        Some(DatabaseClock::seen(
            asked_at,
            totals.database_now,
            Utc::now(),
        ))
    }
}

/// The failure of the first hop; an error where nothing was tried.
fn not_published(error: PipelineError) -> Result<ProbeFailure, PipelineError> {
    let reason = match error.kind {
        PipelineErrorKind::NotConfigured | PipelineErrorKind::NotPermitted => return Err(error),
        PipelineErrorKind::Unreachable => FailureReason::NotAsked,
        PipelineErrorKind::Refused => FailureReason::Refused,
    };
    Ok(ProbeFailure {
        hop: ProbeHop::Published,
        reason,
        detail: format!("{error}; {}", error.hint()),
    })
}

fn time_over(hop: ProbeHop, what: &str, limit: Duration, more: Option<String>) -> ProbeFailure {
    let more = more.map_or_else(String::new, |more| format!("; {more}"));
    ProbeFailure {
        hop,
        reason: FailureReason::TimeOver,
        detail: format!("{what} within {} s{more}", limit.as_secs_f64()),
    }
}

/// The pause after a look-up, from 0: short at first, so that a quick pipeline is measured well, and then longer, for
/// each look-up costs a question.
fn pause(number: u32) -> Duration {
    PAUSE_FIRST
        .saturating_mul(1 << (number / 5).min(5))
        .min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Authority;
    use crate::audit::AuditLog;
    use crate::environment::Environment;

    const SETTINGS: ProbeSettings = ProbeSettings {
        hop_limit: Duration::from_secs(1),
        search_dead_letters: false,
    };

    #[test]
    fn pause_grows_to_its_limit() {
        let millis = |number| pause(number).as_millis();
        assert_eq!([0, 4, 5, 10, 15].map(millis), [100, 100, 200, 400, 800]);
        assert_eq!([20, 1_000, u32::MAX].map(millis), [1_000; 3]);
    }

    #[tokio::test]
    async fn nothing_is_published_where_nobody_could_see_it_or_it_is_forbidden() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        let refusal = async |environment: Environment| {
            let pipeline = Pipeline::connect(&environment).unwrap();
            let pipeline = pipeline.with_authority(Authority {
                log: Some(log.clone()),
                ..Authority::default()
            });
            let never = CancellationToken::new();
            pipeline
                .publish_probe(SETTINGS, &never)
                .await
                .unwrap_err()
                .kind
        };
        let blind = Environment {
            api_url: None,
            database_url: None,
            ..Environment::example()
        };
        assert_eq!(refusal(blind).await, PipelineErrorKind::NotConfigured);
        let seen = Environment {
            api_url: Some("http://127.0.0.1:1".to_owned()),
            ..Environment::example()
        };
        let read_only = Environment {
            read_only: true,
            ..seen.clone()
        };
        let production = Environment {
            is_production: true,
            ..seen
        };
        for environment in [read_only, production] {
            assert_eq!(refusal(environment).await, PipelineErrorKind::NotPermitted);
        }
        assert!(log.read().unwrap().entries.is_empty());
    }

    #[tokio::test]
    async fn topic_that_cannot_be_reached_is_not_asked_and_a_cancelled_probe_is_none() {
        let environment = Environment {
            endpoint_url: Some("http://127.0.0.1:1".to_owned()),
            api_url: Some("http://127.0.0.1:1".to_owned()),
            ..Environment::example()
        };
        let pipeline = Pipeline::connect(&environment).unwrap();
        let cancel = CancellationToken::new();
        let probe = pipeline
            .publish_probe(SETTINGS, &cancel)
            .await
            .unwrap()
            .unwrap();
        assert!(probe.is_unasked());
        let failure = probe.failure.unwrap();
        assert_eq!(failure.hop, ProbeHop::Published);
        cancel.cancel();
        assert_eq!(pipeline.publish_probe(SETTINGS, &cancel).await, Ok(None));
    }
}
