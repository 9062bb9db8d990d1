//! One question in SQL that an operator wrote.
//!
//! Invariant: it is one statement, in a transaction that the server keeps read-only and under a time limit of the
//! server's, on a connection that serves nothing else afterwards; its answer is bounded on the server.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::{RawValue, to_raw_value};
use sqlx::postgres::{PgDatabaseError, PgErrorPosition, PgRow};
use sqlx::{
    Column as _, Connection as _, Executor as _, PgConnection, PgPool, Row as _, Statement as _,
};
use tokio::time::timeout;

use crate::error::{Context as _, StoreError};

const ASK: &str = "ask the database";
/// Bytes of one row, as JSON.
pub const QUESTION_ROW_BYTES_MAX: usize = 1024 * 1024;
/// Limit of the end of the connection.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// Most characters of a refusal that are kept.
const REFUSAL_CHARS_MAX: usize = 1_000;
/// Around the question. The name is one that no column of it has: it stands for the whole row.
const HEAD: &str = "select case when octet_length(t) <= 1048576 then t end, octet_length(t)::bigint \
                    from (select row_to_json(operator_question)::text as t from (\n";

/// What a question may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuestionLimits {
    /// Rows of the answer.
    pub rows: usize,
    /// Bytes of the answer, as JSON.
    pub bytes: usize,
    /// Time on the server.
    pub time: Duration,
}

/// Why an answer is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It has more rows.
    Rows,
    /// Its next row would exceed the bytes.
    Bytes,
}

/// The rows of an answer; values are JSON as PostgreSQL writes it.
#[derive(Clone, Debug)]
pub struct SqlAnswer {
    /// Names, as the question gave them.
    pub columns: Vec<String>,
    /// Values in the order of the columns.
    pub rows: Vec<Vec<Box<RawValue>>>,
    /// `None` where it is whole.
    pub cut: Option<Cut>,
}

/// The process of the server that answers a question, to cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    pid: i32,
    started_at: DateTime<Utc>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// PostgreSQL refused it.
    #[error("{message}")]
    Refused {
        /// What PostgreSQL says.
        message: String,
        /// What PostgreSQL advises.
        hint: Option<String>,
        /// The character of the question at fault, from 1 on.
        position: Option<usize>,
    },
    /// The server ended it at the limit of its time.
    #[error("the database ended it at the limit of {} s", .0.as_secs())]
    TooSlow(Duration),
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A row is larger than can be shown.
    #[error(
        "row {row} has {bytes} bytes, and {QUESTION_ROW_BYTES_MAX} are shown at most; choose columns"
    )]
    LargeRow {
        /// From 1 on.
        row: usize,
        /// As JSON.
        bytes: i64,
    },
    /// The connection failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A connection on which one question can be asked.
#[derive(Debug)]
pub struct Question {
    connection: PgConnection,
    backend: Backend,
    time: Duration,
}

/// Takes a connection for one question, and begins its read-only transaction.
///
/// # Errors
/// See [`StoreError`].
pub async fn begin_question(pool: &PgPool, time: Duration) -> Result<Question, StoreError> {
    let mut connection = pool.acquire().await.context(ASK)?.detach();
    // The server then ends the statement of a client that is gone. Some platforms do not have it.
    let _ = connection
        .execute("set client_connection_check_interval = '2s'")
        .await;
    connection.execute("begin read only").await.context(ASK)?;
    sqlx::query(
        "select set_config('statement_timeout', $1, true), set_config('lock_timeout', '2s', true)",
    )
    .bind(format!("{}ms", time.as_millis()))
    .execute(&mut connection)
    .await
    .context(ASK)?;
    let (pid, started_at) = sqlx::query_as(
        "select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()",
    )
    .fetch_one(&mut connection)
    .await
    .context(ASK)?;
    Ok(Question {
        connection,
        backend: Backend { pid, started_at },
        time,
    })
}

/// Cancels what a process of the server does for a question. Whether there was such a process.
///
/// # Errors
/// See [`StoreError`].
pub async fn cancel_question(pool: &PgPool, backend: Backend) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "select coalesce(bool_or(pg_cancel_backend(pid)), false) from pg_stat_activity
         where pid = $1 and backend_start = $2",
    )
    .bind(backend.pid)
    .bind(backend.started_at)
    .fetch_one(pool)
    .await
    .context("cancel a question")
}

impl Question {
    /// The process that answers it.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// Asks, and ends the connection.
    ///
    /// # Errors
    /// See [`QuestionError`].
    pub async fn ask(
        mut self,
        sql: &str,
        limits: QuestionLimits,
    ) -> Result<SqlAnswer, QuestionError> {
        let answer = self.answer(sql, limits).await;
        // It may be in the middle of an answer: it is never used again.
        let _ = timeout(CLOSE_LIMIT, self.connection.close_hard()).await;
        answer
    }

    async fn answer(
        &mut self,
        sql: &str,
        limits: QuestionLimits,
    ) -> Result<SqlAnswer, QuestionError> {
        let sql = sql.trim_end_matches(|end: char| end == ';' || end.is_whitespace());
        let time = self.time;
        let prepared = self.connection.prepare(sql).await;
        let prepared = prepared.map_err(|error| refusal(&error, 0, time))?;
        let columns = prepared.columns().iter();
        let columns: Vec<String> = columns.map(|column| column.name().to_owned()).collect();
        if columns.is_empty() {
            return Err(QuestionError::Refused {
                message: "this statement has no rows to show".to_owned(),
                hint: Some("ask with select, with, values, table, show or explain".to_owned()),
                position: None,
            });
        }
        let is_report = is_report(sql);
        let (text, before) = match is_report {
            true => (sql.to_owned(), 0),
            false => {
                let most = limits.rows.saturating_add(1);
                let text = format!("{HEAD}{sql}\n) as operator_question limit {most}) as row_text");
                (text, HEAD.chars().count())
            }
        };
        let mut answer = SqlAnswer {
            columns,
            rows: Vec::new(),
            cut: None,
        };
        let mut bytes = 0;
        // Arguments, even none, make it one statement: the server refuses several.
        let mut rows = sqlx::query(&text)
            .persistent(false)
            .fetch(&mut self.connection);
        while let Some(row) = rows
            .try_next()
            .await
            .map_err(|error| refusal(&error, before, time))?
        {
            if answer.rows.len() >= limits.rows {
                answer.cut = Some(Cut::Rows);
                break;
            }
            let (values, size) = values(&row, is_report, answer.rows.len() + 1)?;
            bytes += size;
            if bytes > limits.bytes {
                answer.cut = Some(Cut::Bytes);
                break;
            }
            answer.rows.push(values);
        }
        Ok(answer)
    }
}

/// Whether a statement cannot stand in a `from`; its columns are texts.
fn is_report(sql: &str) -> bool {
    let mut words = sql.split(|c: char| !c.is_ascii_alphabetic());
    let first = words.next().unwrap_or_default();
    ["explain", "show"]
        .iter()
        .any(|word| first.eq_ignore_ascii_case(word))
}

/// The values of a row, and its bytes.
fn values(
    row: &PgRow,
    is_report: bool,
    number: usize,
) -> Result<(Vec<Box<RawValue>>, usize), QuestionError> {
    let unreadable = |error: sqlx::Error| StoreError::from_read(ASK, &error);
    if is_report {
        let texts = (0..row.len()).map(|column| row.try_get_unchecked::<Option<String>, _>(column));
        let texts: Vec<_> = texts.collect::<Result<_, _>>().map_err(unreadable)?;
        let size = texts.iter().flatten().map(String::len).sum();
        let values = texts.iter().map(to_raw_value).collect::<Result<_, _>>();
        return Ok((values.map_err(|error| not_json(&error))?, size));
    }
    let text: Option<&str> = row.try_get(0).map_err(unreadable)?;
    let bytes: i64 = row.try_get(1).map_err(unreadable)?;
    let Some(text) = text else {
        return Err(QuestionError::LargeRow { row: number, bytes });
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    let values = parser
        .deserialize_map(Values)
        .map_err(|error| not_json(&error))?;
    Ok((values, text.len()))
}

fn not_json(error: &serde_json::Error) -> StoreError {
    StoreError::Other {
        operation: ASK,
        detail: format!("a row is no JSON: {error}"),
    }
}

/// Values of an object in their order; two may have the same name.
struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Vec<Box<RawValue>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while map.next_key::<IgnoredAny>()?.is_some() {
            values.push(map.next_value()?);
        }
        Ok(values)
    }
}

/// Why the server gave no answer; `before` is the number of characters that stand before the question.
fn refusal(error: &sqlx::Error, before: usize, time: Duration) -> QuestionError {
    let sqlx::Error::Database(cause) = error else {
        return StoreError::from_read(ASK, error).into();
    };
    let Some(cause) = cause.try_downcast_ref::<PgDatabaseError>() else {
        return StoreError::from_read(ASK, error).into();
    };
    if cause.code() == "57014" {
        return match cause.message().contains("statement timeout") {
            true => QuestionError::TooSlow(time),
            false => QuestionError::Cancelled,
        };
    }
    let position = match cause.position() {
        Some(PgErrorPosition::Original(position)) => position.checked_sub(before),
        Some(PgErrorPosition::Internal { .. }) | None => None,
    };
    QuestionError::Refused {
        message: shortened(cause.message()),
        hint: cause.hint().map(shortened),
        position: position.filter(|position| *position > 0),
    }
}

/// The server repeats the value that it refuses, however long that is.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(REFUSAL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_repeats_no_long_value() {
        let long = "日".repeat(REFUSAL_CHARS_MAX + 1);
        assert_eq!(shortened(&long).chars().count(), REFUSAL_CHARS_MAX + 1);
        assert!(shortened(&long).ends_with('…'));
        let whole = "日".repeat(REFUSAL_CHARS_MAX);
        assert_eq!(shortened(&whole), whole);
    }

    #[test]
    fn limit_of_a_row_is_the_one_of_the_statement() {
        assert!(HEAD.contains(&format!("<= {QUESTION_ROW_BYTES_MAX} ")));
    }
}
