//! The way on which records are read: from the database, or by the API.
//!
//! Invariant: every read of records chooses its way in [`Pipeline::read`] and nowhere else. The database is the
//! faster way and never a condition: on AWS it stands in private subnets. Every question has a time limit here, in
//! addition to those of the database and of the API.

use std::future::Future;
use std::time::Duration;

use store::{PgPool, StoreError};
use tokio::time::Instant;

use super::api_reads::ApiReads;
use super::connection::{Away, QUESTION_LIMIT, WhyAway};
use super::model::ReadPath;
use super::records::BEYOND_LAST_HINT;
use super::{Attempt, Pipeline, PipelineError, PipelineErrorKind};

/// How long the API is asked first after the database could not be reached.
const DATABASE_RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// A table, a column or a function is missing.
const TUNNEL_BY_HAND: &str = "run the command `tunnel` of the environment's entry by hand, with a free port as \
                              {local_port}: it shows why";
const OTHER_SCHEMA: &str = "the schema of this database is not that of this release: `terraform apply` of this release \
                            migrates it, or use the console of the release that is deployed";

/// Why the database gave no records.
struct NoAnswer {
    error: PipelineError,
    /// Why the API may answer instead; `None` where it has the same answer.
    away: Option<WhyAway>,
}

impl NoAnswer {
    /// There is no way to it.
    fn unreachable(error: PipelineError) -> Self {
        Self {
            away: Some(WhyAway::Unreachable(error.cause.clone())),
            error,
        }
    }
}

impl Pipeline {
    /// The way that the next read takes first; `None` when the environment has neither.
    #[must_use]
    pub fn read_path(&self) -> Option<ReadPath> {
        let is_away = || self.why_away().is_some();
        let environment = self.environment();
        match (&environment.database_url, &environment.api_url) {
            (Some(_), Some(_)) if self.is_tunnel_closed() || is_away() => Some(ReadPath::Api),
            (Some(_), _) => Some(ReadPath::Database),
            (None, Some(_)) => Some(ReadPath::Api),
            (None, None) => None,
        }
    }

    /// Why the API is asked first; `None` where the database is.
    fn why_away(&self) -> Option<WhyAway> {
        let away = self.database_away().lock().ok()?;
        let away = away.as_ref().filter(|away| Instant::now() < away.until)?;
        Some(away.why.clone())
    }

    /// What is wrong with the tunnel of the environment, so that records are read by the API: it is not open, or nothing
    /// comes through it. A refusal of the database comes through it.
    pub(super) fn unused_tunnel(&self) -> Option<String> {
        self.environment().tunnel.as_ref()?;
        self.tunnel_fault().or_else(|| match self.why_away()? {
            WhyAway::Unreachable(cause) => Some(format!(
                "the database does not answer by the tunnel: {cause}"
            )),
            WhyAway::Refused => None,
        })
    }

    /// Whether there is a ledger to ask.
    #[must_use]
    pub fn has_ledger(&self) -> bool {
        self.read_path().is_some()
    }

    /// Reads on the way that there is: from the database, if the environment has one and it can be reached,
    /// and otherwise by the API.
    pub(super) async fn read<'a, T, D, A>(
        &'a self,
        operation: &'a str,
        by_database: impl FnOnce(&'a PgPool) -> D,
        by_api: impl FnOnce(ApiReads<'a>) -> A,
    ) -> Result<T, PipelineError>
    where
        D: Future<Output = Result<T, StoreError>>,
        A: Future<Output = Result<T, PipelineError>>,
    {
        let api = ApiReads::new(self, operation);
        let environment = self.environment();
        let (has_database, has_api) = (
            environment.database_url.is_some(),
            environment.api_url.is_some(),
        );
        let path = self.read_path();
        if path == Some(ReadPath::Api) {
            // What is read now shows that records are needed: the next reads have the faster way again.
            self.reopen_tunnel();
        }
        match path {
            None => Err(PipelineError::not_configured(
                operation,
                format!(
                    "no API and no database in environment {:?}",
                    environment.name
                ),
                "add api_url or database_url to the environment's entry",
            )),
            Some(ReadPath::Database) => {
                match self.ask(operation, QUESTION_LIMIT, by_database).await {
                    Ok(answer) => Ok(answer),
                    Err(NoAnswer {
                        error,
                        away: Some(why),
                    }) if has_api => {
                        self.set_database_away(Some(Away {
                            until: Instant::now() + DATABASE_RETRY_INTERVAL,
                            why,
                        }));
                        let instead = by_api(api).await;
                        instead.map_err(|instead| both(error, &instead))
                    }
                    Err(NoAnswer { error, .. }) => Err(error),
                }
            }
            Some(ReadPath::Api) => match by_api(api).await {
                Err(instead) if instead.is_unreachable() && has_database => {
                    let answer = self.ask(operation, QUESTION_LIMIT, by_database).await;
                    if answer.is_ok() {
                        self.set_database_away(None);
                    }
                    answer.map_err(|NoAnswer { error, .. }| both(error, &instead))
                }
                answer => answer,
            },
        }
    }

    fn set_database_away(&self, away: Option<Away>) {
        if let Ok(mut before) = self.database_away().lock() {
            *before = away;
        }
    }

    /// Asks the database alone.
    pub(super) async fn of_database<'a, T, F>(
        &'a self,
        operation: &str,
        limit: Duration,
        question: impl FnOnce(&'a PgPool) -> F,
    ) -> Result<T, PipelineError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let answer = self.ask(operation, limit, question).await;
        answer.map_err(|NoAnswer { error, .. }| error)
    }

    async fn ask<'a, T, F>(
        &'a self,
        operation: &str,
        limit: Duration,
        question: impl FnOnce(&'a PgPool) -> F,
    ) -> Result<T, NoAnswer>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let here = |error| NoAnswer { error, away: None };
        let pool = self.pool(operation).map_err(here)?;
        let attempt = Attempt::start(operation, self.database_address());
        self.tunnel_opened().await.map_err(|why| {
            let error = attempt.failed(PipelineErrorKind::Unreachable, why);
            NoAnswer::unreachable(error.with_hint(TUNNEL_BY_HAND))
        })?;
        let attempt = Attempt::start(operation, self.database_address());
        self.renew_log_in(pool, &attempt).await.map_err(here)?;
        let error = match tokio::time::timeout(limit, question(pool)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            // The database ends a slow statement earlier than this, so a tunnel has stopped to forward.
            Err(_) => {
                let silent = attempt.timed_out(limit);
                return Err(match self.environment().tunnel {
                    Some(_) => NoAnswer::unreachable(silent),
                    None => here(silent),
                });
            }
        };
        // A user of analysts reads only their views; the API reads the records.
        if let StoreError::NotPermitted { .. } = error {
            return Err(NoAnswer {
                error: attempt.refused(error.to_string()),
                away: Some(WhyAway::Refused),
            });
        }
        if !error.is_transient() {
            let refused = attempt.refused(error.to_string());
            return Err(here(if matches!(error, StoreError::BeyondLast { .. }) {
                refused.with_hint(BEYOND_LAST_HINT)
            } else if error.is_other_schema() {
                refused.with_hint(OTHER_SCHEMA)
            } else {
                refused
            }));
        }
        let cause = self.probe_database().await;
        let has_tunnel = self.environment().tunnel.is_some();
        let is_away = cause.is_some() || has_tunnel;
        let error = attempt.failed(
            PipelineErrorKind::Unreachable,
            cause.unwrap_or_else(|| match has_tunnel {
                true => format!("{error} (through the tunnel, which is open)"),
                false => error.to_string(),
            }),
        );
        Err(match is_away {
            true => NoAnswer::unreachable(error),
            false => here(error),
        })
    }
}

/// The database's error, and why the API did not answer instead.
fn both(error: PipelineError, instead: &PipelineError) -> PipelineError {
    error
        .with_remark(&format!("the API, asked instead: {}", instead.cause))
        .with_retry_after(instead.retry_after())
}
