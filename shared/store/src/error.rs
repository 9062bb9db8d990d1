//! Errors of the database.
//!
//! Invariant: no error contains data of an event or a password, so each can be logged and shown.

use event::RecordId;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// How the driver begins its text where the first byte of an answer is that of something else (`sqlx-postgres`,
/// `connection/tls.rs`).
const NO_ANSWER_OF_POSTGRESQL: &str = "unexpected response from SSLRequest";

/// A statement that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// One event is at fault (SQLSTATE class 22, 23 or 54, except a used or exhausted record id and a
    /// violation that comes from a newer schema): the same bytes fail again.
    #[error("{operation}: refused by the database ({sqlstate}): {detail}")]
    EventRefused {
        /// What was attempted.
        operation: &'static str,
        /// Five characters, PostgreSQL manual, appendix A.
        sqlstate: String,
        /// The message of PostgreSQL, without the data that it quotes.
        detail: String,
    },
    /// The database cannot be used at the moment (connection, timeout, resources, failover): another
    /// attempt can succeed.
    #[error("{operation}: database unavailable: {detail}")]
    Unavailable {
        /// What was attempted.
        operation: &'static str,
        /// The message of the driver or of PostgreSQL.
        detail: String,
    },
    /// A conflict with another transaction (deadlock, serialization failure, lock timeout, partitions
    /// that changed): nothing was written, and the same statement can succeed at once.
    #[error("{operation}: conflict with another transaction: {detail}")]
    Conflict {
        /// What was attempted.
        operation: &'static str,
        /// The message of PostgreSQL.
        detail: String,
    },
    /// The server ended a read at its time limit (SQLSTATE 57014): it would take as long again, so only a
    /// smaller question helps. The connection stays usable.
    #[error(
        "{operation}: took longer than the database's time limit; narrow the filter or the range"
    )]
    TooSlow {
        /// What was attempted.
        operation: &'static str,
    },
    /// The answer would depend on more rows than a read may visit.
    #[error("{operation}: {parameter}: {advice}")]
    TooBroad {
        /// What was attempted.
        operation: &'static str,
        /// The filter that has to be added or changed.
        parameter: &'static str,
        /// What the caller can do.
        advice: &'static str,
    },
    /// A reader of the arrivals asks to continue after a record that this database never had.
    #[error("{operation}: {}", beyond_last(*after, *last))]
    BeyondLast {
        /// What was attempted.
        operation: &'static str,
        /// The position of the reader.
        after: RecordId,
        /// The last record id that was given out.
        last: RecordId,
    },
    /// The database user may not do it (SQLSTATE 42501).
    #[error("{operation}: {detail}")]
    NotPermitted {
        /// What was attempted.
        operation: &'static str,
        /// The message of PostgreSQL.
        detail: String,
    },
    /// The database URL is invalid. The text never contains the URL.
    #[error("read database url: {detail}")]
    Url {
        /// What is wrong with it.
        detail: String,
    },
    /// The result has more rows than the limit.
    #[error("{operation}: more than {rows_max} rows")]
    TooManyRows {
        /// What was attempted.
        operation: &'static str,
        /// The limit.
        rows_max: usize,
    },
    /// Neither the event nor a temporary state of the database is at fault: a missing table, a refused
    /// log-in, a bug.
    #[error("{operation}: {detail}")]
    Other {
        /// What was attempted.
        operation: &'static str,
        /// Why.
        detail: String,
    },
}

/// What is wrong with the position of a reader of the arrivals, and the way out.
#[must_use]
pub fn beyond_last(after: RecordId, last: RecordId) -> String {
    format!(
        "{after} is behind the last record, {last}: the position is of another database, or from before a \
         restore of this one; what it has not seen would be skipped, so begin again at 0"
    )
}

impl StoreError {
    /// Whether one event is at fault, so that the others of its batch can be stored without it.
    #[must_use]
    pub const fn is_event_fault(&self) -> bool {
        matches!(self, Self::EventRefused { .. })
    }

    /// Whether the same call can succeed later, unchanged.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Conflict { .. })
    }

    /// Whether the database lacks a table, a column or a function, so that its schema is that of another release
    /// (SQLSTATE 42P01, 42703, 42883).
    #[must_use]
    pub fn is_other_schema(&self) -> bool {
        let Self::Other { detail, .. } = self else {
            return false;
        };
        ["(42P01)", "(42703)", "(42883)"]
            .iter()
            .any(|code| detail.ends_with(code))
    }

    /// Why the database refuses the event, for its failure; `None` for all other errors.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::EventRefused {
                sqlstate, detail, ..
            } => Some(format!(
                "PostgreSQL refused it: {detail} (SQLSTATE {sqlstate})"
            )),
            Self::Unavailable { .. }
            | Self::Conflict { .. }
            | Self::TooSlow { .. }
            | Self::TooBroad { .. }
            | Self::BeyondLast { .. }
            | Self::NotPermitted { .. }
            | Self::Url { .. }
            | Self::TooManyRows { .. }
            | Self::Other { .. } => None,
        }
    }

    /// Converts an error of the driver in a read. A write that reaches the time limit waited for others and is
    /// tried again ([`Self::Unavailable`]); a read did its own work until then.
    pub(crate) fn from_read(operation: &'static str, error: &sqlx::Error) -> Self {
        if let sqlx::Error::Database(cause) = error
            && is_time_limit(cause.as_ref())
        {
            return Self::TooSlow { operation };
        }
        Self::from_sqlx(operation, error)
    }

    /// Converts an error of the driver.
    pub(crate) fn from_sqlx(operation: &'static str, error: &sqlx::Error) -> Self {
        let detail = error.to_string();
        if let sqlx::Error::Database(database_error) = error {
            return Self::from_database(operation, database_error.as_ref());
        }
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Unavailable {
                operation,
                detail: "no connection in time; the server cannot be reached or all connections are in use"
                    .to_owned(),
            };
        }
        // No server of PostgreSQL answers so: a forwarder whose far end refuses does, or another service. Other errors
        // of the protocol, such as too many parameters or an unknown way to log in, stay as they are.
        if let sqlx::Error::Protocol(cause) = error
            && cause.starts_with(NO_ANSWER_OF_POSTGRESQL)
        {
            return Self::Unavailable {
                operation,
                detail: "what answers is no server of PostgreSQL".to_owned(),
            };
        }
        let is_unavailable = matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::BeginFailed
        );
        if is_unavailable {
            Self::Unavailable { operation, detail }
        } else {
            Self::Other { operation, detail }
        }
    }

    fn from_database(operation: &'static str, error: &dyn DatabaseError) -> Self {
        let sqlstate = error.code().unwrap_or_default().into_owned();
        // A check violation without a constraint name comes from a partition: the partitions changed
        // during the write.
        let is_partition_check = sqlstate == "23514" && constraint(error).is_none();
        let class = if is_partition_check {
            ErrorClass::Conflict
        } else {
            ErrorClass::of(&sqlstate)
        };
        match class {
            ErrorClass::Event => Self::EventRefused {
                operation,
                sqlstate,
                detail: without_data(error),
            },
            ErrorClass::Unavailable => Self::Unavailable {
                operation,
                detail: format!("{} ({sqlstate})", without_data(error)),
            },
            ErrorClass::Conflict => Self::Conflict {
                operation,
                detail: format!("{} ({sqlstate})", without_data(error)),
            },
            ErrorClass::Other if sqlstate == "42501" => Self::NotPermitted {
                operation,
                detail: format!("{} ({sqlstate})", error.message()),
            },
            // A `raise` in a database function may quote anything.
            ErrorClass::Other if sqlstate.starts_with("P0") => Self::Other {
                operation,
                detail: format!("an error raised within the database ({sqlstate})"),
            },
            ErrorClass::Other => Self::Other {
                operation,
                detail: format!("{} ({sqlstate})", error.message()),
            },
        }
    }
}

/// The variant of [`StoreError`] to which a SQLSTATE belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ErrorClass {
    Event,
    Unavailable,
    Conflict,
    Other,
}

impl ErrorClass {
    /// By PostgreSQL manual, appendix A. Data exception, integrity constraint violation and program
    /// limit exceeded: the event is at fault. Transaction rollback (deadlock, serialization failure) and
    /// lock timeout: a conflict. Connection exception, insufficient resources, operator intervention, and
    /// a server that a failover made read-only: unavailable.
    fn of(sqlstate: &str) -> Self {
        match sqlstate.get(..2) {
            // No event is at fault, so none is dead-lettered for these. The write handles a duplicate
            // identity without an error, so a unique violation comes from a record id: the sequence is
            // behind the data (replication does not copy it) or exhausted. The write sets every `not null`
            // column and there are no foreign keys, so those violations come from a newer schema.
            _ if matches!(sqlstate, "23505" | "2200H" | "23502" | "23503") => Self::Other,
            Some("22" | "23" | "54") => Self::Event,
            Some("40") => Self::Conflict,
            Some("55") if sqlstate == "55P03" => Self::Conflict,
            Some("08" | "53" | "57") => Self::Unavailable,
            Some("25") if sqlstate == "25006" => Self::Unavailable,
            _ => Self::Other,
        }
    }
}

/// The same SQLSTATE is sent when an administrator cancels a statement; only the message differs.
fn is_time_limit(error: &dyn DatabaseError) -> bool {
    error.code().as_deref() == Some("57014") && !error.message().contains("user request")
}

/// The message without data. PostgreSQL quotes data only after a double quote or a colon; the text before
/// is fixed.
fn without_data(error: &dyn DatabaseError) -> String {
    match constraint(error) {
        Some(constraint) => format!("violates the constraint {constraint}"),
        None => error
            .message()
            .split(['"', ':'])
            .next()
            .unwrap_or_default()
            .trim_end()
            .to_owned(),
    }
}

fn constraint(error: &dyn DatabaseError) -> Option<&str> {
    error
        .try_downcast_ref::<PgDatabaseError>()
        .and_then(PgDatabaseError::constraint)
}

/// Names the operation in the error.
pub(crate) trait Context<T> {
    fn context(self, operation: &'static str) -> Result<T, StoreError>;

    /// The same for a read: see [`StoreError::from_read`].
    fn read_context(self, operation: &'static str) -> Result<T, StoreError>;
}

impl<T> Context<T> for Result<T, sqlx::Error> {
    fn context(self, operation: &'static str) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::from_sqlx(operation, &error))
    }

    fn read_context(self, operation: &'static str) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::from_read(operation, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_of_something_else_than_postgresql_is_no_refusal_of_the_database() {
        let answer = "unexpected response from SSLRequest: 0x00".to_owned();
        let error = StoreError::from_sqlx("ping", &sqlx::Error::Protocol(answer));
        assert!(error.is_transient(), "{error}");
        let text = error.to_string();
        assert!(text.contains("no server of PostgreSQL"), "{text}");
    }

    #[test]
    fn other_errors_of_the_protocol_are_lasting_and_keep_their_text() {
        for cause in [
            "PgConnection::execute(): 70000 arguments were given",
            "unsupported SASL authentication mechanisms: X",
        ] {
            let protocol = sqlx::Error::Protocol(cause.to_owned());
            let error = StoreError::from_sqlx("write events", &protocol);
            assert!(!error.is_transient(), "{error}");
            assert!(error.to_string().contains(cause), "{error}");
        }
    }

    #[test]
    fn each_sqlstate_has_its_class() {
        for (sqlstate, class) in [
            ("22P05", ErrorClass::Event),
            ("22003", ErrorClass::Event),
            ("23514", ErrorClass::Event),
            ("23502", ErrorClass::Other),
            ("23503", ErrorClass::Other),
            ("23505", ErrorClass::Other),
            ("2200H", ErrorClass::Other),
            ("23514", ErrorClass::Event),
            ("54000", ErrorClass::Event),
            ("08006", ErrorClass::Unavailable),
            ("40P01", ErrorClass::Conflict),
            ("40001", ErrorClass::Conflict),
            ("53300", ErrorClass::Unavailable),
            ("57014", ErrorClass::Unavailable),
            ("57P03", ErrorClass::Unavailable),
            ("55P03", ErrorClass::Conflict),
            ("25006", ErrorClass::Unavailable),
            ("42P01", ErrorClass::Other),
            ("28P01", ErrorClass::Other),
            ("", ErrorClass::Other),
        ] {
            assert_eq!(ErrorClass::of(sqlstate), class, "{sqlstate}");
        }
    }
}
