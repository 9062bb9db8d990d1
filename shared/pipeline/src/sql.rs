//! A question in SQL that an operator wrote.
//!
//! Invariant: the database alone can be asked, with the rights of its connection and nothing more; what is cancelled
//! ends on the server.

use std::time::Duration;

use store::{Backend, QuestionError, QuestionLimits, SqlAnswer};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connection::QUESTION_LIMIT;
use super::{Attempt, Pipeline, PipelineError, PipelineErrorKind};

const ASK: &str = "ask the database";
/// How much longer than the server's limit its answer is waited for.
const GRACE: Duration = Duration::from_secs(10);
/// Limit of the end of a question that was cancelled.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);
/// What to do where there is no way to the database.
const NO_DATABASE_HINT: &str = "SQL goes to the database itself: add database_url to the environment's entry, on AWS with \
                                a tunnel (`opsconsole env import --help`); `records list` reads by the API";
/// What to do about a question that the server refuses without a hint of its own.
const CORRECT_HINT: &str = "correct the question: one statement that reads; the columns are in \
                            `select * from information_schema.columns where table_name = 'records'`";

impl Pipeline {
    /// Asks the database. `None` where it was cancelled.
    ///
    /// # Errors
    /// When the environment has no database, when it does not answer, and when it refuses the question.
    pub async fn ask_sql(
        &self,
        sql: &str,
        limits: QuestionLimits,
        cancel: &CancellationToken,
    ) -> Result<Option<SqlAnswer>, PipelineError> {
        let environment = self.environment();
        if environment.database_url.is_none() {
            let cause = format!("no database in environment {:?}", environment.name);
            return Err(PipelineError::not_configured(ASK, cause, NO_DATABASE_HINT));
        }
        let beginning = self.of_database(ASK, QUESTION_LIMIT, |pool| {
            store::begin_question(pool, limits.time)
        });
        let question = tokio::select! {
            question = beginning => question?,
            () = cancel.cancelled() => return Ok(None),
        };
        let attempt = Attempt::start(ASK, self.database_address());
        let backend = question.backend();
        let asking = question.ask(sql, limits);
        tokio::pin!(asking);
        let answer = tokio::select! {
            answer = &mut asking => answer,
            () = cancel.cancelled() => {
                self.cancel(backend).await?;
                // The server has ended it, or does so at its limit.
                let _ = timeout(CANCEL_LIMIT, asking).await;
                return Ok(None);
            }
            () = sleep(limits.time + GRACE) => return Err(attempt.timed_out(limits.time + GRACE)),
        };
        answer.map(Some).map_err(|error| refusal(&attempt, error))
    }

    async fn cancel(&self, backend: Backend) -> Result<bool, PipelineError> {
        self.of_database("cancel the question", QUESTION_LIMIT, |pool| {
            store::cancel_question(pool, backend)
        })
        .await
    }
}

fn refusal(attempt: &Attempt, error: QuestionError) -> PipelineError {
    match error {
        QuestionError::Refused {
            message,
            hint,
            position,
        } => {
            let place = position.map_or_else(String::new, |position| {
                format!(" (at character {position})")
            });
            let refused = attempt.refused(format!("{message}{place}"));
            match hint {
                Some(hint) => refused.with_hint(&hint),
                None => refused.with_hint(CORRECT_HINT),
            }
        }
        error @ QuestionError::TooSlow(_) => attempt
            .refused(error.to_string())
            .with_hint("narrow it to a range of occurred_at, or give it longer (--timeout)"),
        error @ QuestionError::Cancelled => attempt
            .refused(error.to_string())
            .with_hint("ask it again, or narrow it"),
        error @ QuestionError::LargeRow { .. } => attempt
            .refused(error.to_string())
            .with_hint("choose fewer columns, or a part of the payload"),
        QuestionError::Store(error) if error.is_transient() => {
            attempt.failed(PipelineErrorKind::Unreachable, error.to_string())
        }
        QuestionError::Store(error) => attempt.refused(error.to_string()),
    }
}
