//! Reads of records by the HTTP API.
//!
//! Invariant: what they return is what `store` returns for the same question.

use chrono::{DateTime, SecondsFormat, Utc};
use event::{
    EventKey, Page, Record, RecordFeed, RecordId, RecordPage, RecordQuery, RecordSummary,
    StatsBucket, StatsQuery, StoredEvent, TypeCount,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::{Arrivals, KnownKeys, StoredEvents, StoredKey};

use super::api::{ApiLimits, Response};
use super::connection::QUESTION_LIMIT;
use super::records::BEYOND_LAST_HINT;
use super::{Attempt, Pipeline, PipelineError, PipelineErrorKind};

/// Limits of one read: a function's response has at most 6 MB.
const LIMITS: ApiLimits = ApiLimits {
    time: QUESTION_LIMIT,
    body_bytes: 8 * 1024 * 1024,
};

/// What a query needs no escape for (RFC 3986, 2.3). A space is `%20`, because signatures read `+` differently.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A database that pauses is resumed by the first question (Aurora user guide, "Aurora Serverless v2 auto-pause").
const RESUMES: &str = "the database pauses while nobody is connected, and this question resumes it: ask again in half a \
                       minute; it stays away: see its cluster in the console of AWS";

const DATABASE_AWAY: &str = "the API itself answers: check its database, then the log of the API";

const NOT_THERE: &str = "nothing is at this path: check api_url of the environment's entry; where it is right, deploy the \
                         release of this console";

const OTHER_RELEASE: &str =
    "deploy the release of this console, or use the console of the release that is deployed";

/// Asks the API one question.
pub(super) struct ApiReads<'a> {
    pipeline: &'a Pipeline,
    attempt: Attempt,
}

#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
}

/// The answer of a look-up.
#[derive(Deserialize)]
struct Found {
    items: Vec<StoredEvent>,
    retention_horizon: Option<DateTime<Utc>>,
}

/// What is shown of a problem document.
#[derive(Deserialize)]
struct Problem {
    detail: String,
    parameter: Option<String>,
}

impl Problem {
    /// Whether the position in the feed is refused: the only thing that can be wrong with one of the feed's own.
    fn is_about_position(&self) -> bool {
        self.parameter.as_deref() == Some("after")
    }
}

impl<'a> ApiReads<'a> {
    pub(super) fn new(pipeline: &'a Pipeline, operation: &str) -> Self {
        Self {
            pipeline,
            attempt: Attempt::start(operation, pipeline.api_address()),
        }
    }

    pub(super) async fn summary(self) -> Result<RecordSummary, PipelineError> {
        self.get("/v1/summary").await
    }

    pub(super) async fn database_created_at(self) -> Result<DateTime<Utc>, PipelineError> {
        let summary: RecordSummary = self.get("/v1/summary").await?;
        summary.database_created_at.ok_or_else(|| {
            self.attempt.refused(
                "this API does not say which database it reads; deploy the version of this console",
            )
        })
    }

    pub(super) async fn list_records(
        self,
        query: &RecordQuery,
    ) -> Result<Page<Record>, PipelineError> {
        let path = format!("/v1/records?{}", list_parameters(query));
        let page: RecordPage = self.get(&path).await?;
        page.read(query)
            .map_err(|error| self.attempt.refused(format!("next_cursor: {error}")))
    }

    pub(super) async fn records_after(
        self,
        after: RecordId,
        limit: u16,
    ) -> Result<Arrivals, PipelineError> {
        let path = format!("/v1/feed?after={after}&limit={limit}");
        let feed: RecordFeed = self.get(&path).await?;
        Ok(Arrivals {
            items: feed.items,
            next_after: feed.next_after,
            has_more: feed.has_more,
        })
    }

    pub(super) async fn get_record(
        self,
        record_id: RecordId,
    ) -> Result<Option<Record>, PipelineError> {
        let path = format!("/v1/records/{record_id}");
        self.ask(Method::GET, &path, None).await
    }

    pub(super) async fn types(self) -> Result<Vec<TypeCount>, PipelineError> {
        let types: Items<TypeCount> = self.get("/v1/types").await?;
        Ok(types.items)
    }

    pub(super) async fn stats(self, query: &StatsQuery) -> Result<Vec<StatsBucket>, PipelineError> {
        let parameters = written([
            ("from", Some(time(query.from))),
            ("to", Some(time(query.to))),
            ("bucket", Some(query.bucket.to_string())),
            ("group_by", Some(query.group_by.to_string())),
        ]);
        let stats: Items<StatsBucket> = self.get(&format!("/v1/stats?{parameters}")).await?;
        Ok(stats.items)
    }

    pub(super) async fn look_up_keys(self, keys: &[EventKey]) -> Result<KnownKeys, PipelineError> {
        let found = self.look_up(&json!({ "identities": keys })).await?;
        let stored = found.items.into_iter().map(|event| {
            let key = EventKey {
                source: event.source,
                id: event.id,
            };
            let stored = StoredKey {
                record_id: event.record_id,
                occurred_at: event.occurred_at,
            };
            (key, stored)
        });
        Ok(KnownKeys {
            stored: stored.collect(),
            retention_horizon: found.retention_horizon,
        })
    }

    pub(super) async fn stored_texts(
        self,
        keys: &[EventKey],
    ) -> Result<StoredEvents, PipelineError> {
        let body = json!({ "identities": keys, "payload_sha256": true });
        let found = self.look_up(&body).await.map_err(|error| {
            // An earlier version takes no other member than `identities`.
            if error.cause.contains("payload_sha256") {
                error.with_hint("deploy the version of this console")
            } else {
                error
            }
        })?;
        Ok(StoredEvents {
            items: found.items,
            retention_horizon: found.retention_horizon,
        })
    }

    async fn look_up(&self, body: &Value) -> Result<Found, PipelineError> {
        let path = "/v1/records/lookup";
        let body = body.to_string().into_bytes();
        let found: Option<Found> = self.ask(Method::POST, path, Some(body)).await?;
        found.ok_or_else(|| self.missing(path))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, PipelineError> {
        let answer = self.ask(Method::GET, path, None).await?;
        answer.ok_or_else(|| self.missing(path))
    }

    /// The answer; `None` when the API says that there is no such thing.
    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Option<T>, PipelineError> {
        let sent = self
            .pipeline
            .api_send(&self.attempt, method, path, body, LIMITS);
        let Response {
            status,
            retry_after,
            body,
            ..
        } = sent.await?;
        if body.len() > LIMITS.body_bytes {
            let limit = LIMITS.body_bytes / 1024 / 1024;
            return Err(self
                .attempt
                .refused(format!("the answer exceeds {limit} MiB")));
        }
        if status == 200 {
            return serde_json::from_slice(&body).map(Some).map_err(|error| {
                let cause = format!("the answer has another form: {error}");
                self.attempt.refused(cause).with_hint(OTHER_RELEASE)
            });
        }
        let problem = serde_json::from_slice::<Problem>(&body).ok();
        match (status, problem) {
            // The API's own document: a gateway that does not know the path answers without one.
            (404, Some(_)) => Ok(None),
            // The gateway's own answer; the API has no such one.
            (401 | 403, None) => {
                let has_token = self.pipeline.environment().api_token_command.is_some();
                Err(self.attempt.gateway_denied(status, &body, has_token))
            }
            (status, problem) => {
                let kind = match status {
                    // Too many requests: as with a service that is down, another attempt can succeed.
                    429 | 500.. => PipelineErrorKind::Unreachable,
                    _ => PipelineErrorKind::Refused,
                };
                let is_of_api = problem.is_some();
                let is_beyond_last = problem.as_ref().is_some_and(Problem::is_about_position);
                let cause = match problem {
                    Some(problem) => format!("status {status}: {}", problem.detail),
                    None => format!("status {status}"),
                };
                let error = self.attempt.failed(kind, cause);
                let error = error.with_retry_after(retry_after);
                let pauses = self.pipeline.environment().database_pauses;
                let hint = match status {
                    _ if is_beyond_last => Some(BEYOND_LAST_HINT),
                    503 if pauses => Some(RESUMES),
                    503 if is_of_api => Some(DATABASE_AWAY),
                    404 => Some(NOT_THERE),
                    _ => None,
                };
                Err(match hint {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                })
            }
        }
    }

    fn missing(&self, path: &str) -> PipelineError {
        self.attempt.refused(format!(
            "this API has no {path}; deploy the version of this console"
        ))
    }
}

fn list_parameters(query: &RecordQuery) -> String {
    written([
        ("source", query.source.clone()),
        ("id", query.id.clone()),
        ("type", query.event_type.clone()),
        ("subject", query.subject.clone()),
        ("from", query.from.map(time)),
        ("to", query.to.map(time)),
        ("order", Some(query.order.to_string())),
        ("limit", Some(query.limit.to_string())),
        ("cursor", query.cursor.map(|cursor| cursor.encode(query))),
    ])
}

fn written<const COUNT: usize>(parameters: [(&str, Option<String>); COUNT]) -> String {
    let pairs = parameters.into_iter().filter_map(|(name, value)| {
        let value = value?;
        Some(format!("{name}={}", utf8_percent_encode(&value, ESCAPED)))
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
