//! One probe: its event is published and followed to the API.
//!
//! Invariant: nothing is published where the way of the event could not be seen, or a change is not permitted. Once it
//! may be published, every failure is one of a hop, and never an error; one of which nothing was seen says so. A
//! cancelled probe ends within the limit of a publication.

use std::time::Duration;

use ::event::RecordId;
use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::clock::DatabaseClock;
use super::event::ProbeEvent;
use super::look_ups::LookUps;
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

/// An event that was published, or may have been.
struct Sent {
    event: ProbeEvent,
    /// The answer of SNS, or why there is none.
    published: Result<Published, String>,
    /// From when on `stored` is measured: the answer, else the request.
    measured_from: Instant,
    /// When there was an answer, or none was waited for any more.
    ended_at: Instant,
}

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
        let requested_at = Instant::now();
        let answer = self.publish_timed(&event.body, details, cancel).await;
        let sent = match answer {
            Ok((published, answered_at)) => {
                probe.published = Some(PublishedHop {
                    took: published.latency,
                    sns_message_id: published.sns_message_id.clone(),
                    acknowledged_at: published.acknowledged_at,
                });
                Sent {
                    event,
                    published: Ok(published),
                    measured_from: answered_at,
                    ended_at: answered_at,
                }
            }
            Err(_) if cancel.is_cancelled() => return Ok(None),
            // SNS may have taken it: its way shows that.
            Err(error) if error.may_have_happened() => Sent {
                event,
                published: Err(error.to_string()),
                measured_from: requested_at,
                ended_at: Instant::now(),
            },
            Err(error) => {
                probe.failure = Some(not_published(error)?);
                return Ok(Some(probe));
            }
        };
        // The futures of the AWS clients are large.
        let following = Box::pin(self.follow(&sent, settings, &mut probe));
        if cancel.run_until_cancelled(following).await.is_none() {
            return Ok(None);
        }
        Ok(Some(probe))
    }

    async fn follow(&self, sent: &Sent, settings: ProbeSettings, probe: &mut Probe) {
        let stored = self.until_stored(sent, settings, probe.started_at).await;
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
        let answered_at = sent.published.as_ref().ok();
        let answered_at = answered_at.map(|published| published.acknowledged_at);
        let ingested_after = probe.database_clock.and_then(|clock| {
            let at: DateTime<Utc> = ingested_at?;
            Some(clock.here(at) - answered_at?)
        });
        probe.stored = Some(StoredHop {
            took: seen_at - sent.measured_from,
            record_id,
            ingested_at,
            ingested_after,
        });
    }

    /// The record of the event, and when a look-up found it.
    async fn until_stored(
        &self,
        sent: &Sent,
        settings: ProbeSettings,
        started_at: DateTime<Utc>,
    ) -> Result<(RecordId, Instant), ProbeFailure> {
        let mut look_ups = LookUps::begin(sent.ended_at);
        let looking = async {
            for number in 0.. {
                look_ups.asks(Instant::now());
                match self.record_of(&sent.event.key).await {
                    Ok(Some(record_id)) => return Ok((record_id, Instant::now())),
                    Ok(None) => look_ups.answered(Instant::now()),
                    Err(error) => look_ups.failed(error.to_string()),
                }
                if settings.search_dead_letters
                    && let Some(failure) = self.dead(sent, started_at, &mut look_ups).await
                {
                    return Err(failure);
                }
                sleep(pause(number)).await;
            }
            // There is no last number.
            std::future::pending().await
        };
        let left = settings.hop_limit.saturating_sub(sent.ended_at.elapsed());
        let found = timeout(left, looking).await;
        found.unwrap_or_else(|_| {
            let (reason, detail) = look_ups.ended(Instant::now(), settings.hop_limit);
            Err(match &sent.published {
                Ok(_) => ProbeFailure {
                    hop: ProbeHop::Stored,
                    reason,
                    detail,
                },
                Err(no_answer) => ProbeFailure {
                    hop: ProbeHop::Published,
                    reason: FailureReason::Unknown,
                    detail: format!("{no_answer}; {detail}"),
                },
            })
        })
    }

    /// The failure, where the event is found among the dead letters.
    async fn dead(
        &self,
        sent: &Sent,
        started_at: DateTime<Utc>,
        look_ups: &mut LookUps,
    ) -> Option<ProbeFailure> {
        // By its body; without an answer of SNS there is no id, and the search begins with the request.
        let published = sent.published.clone().unwrap_or_else(|_| Published {
            sns_message_id: sent.event.key.id.clone(),
            acknowledged_at: started_at,
            latency: Duration::ZERO,
        });
        match self.trace_unstored(&sent.event.body, &published).await {
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
                look_ups.not_searched(error.to_string());
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

/// The failure of the first hop, which surely did not happen; an error where nothing was tried.
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
mod tests;
