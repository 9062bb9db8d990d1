//! What can go wrong at the database. Invariant: no error carries the data of an event or a
//! password, so every one can be logged and shown.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// A statement that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// One event is at fault (SQLSTATE class 22, 23 or 54, but for numbers that are taken or used up): the
    /// same bytes fail again.
    #[error("{operation}: refused by the database ({sqlstate}): {detail}")]
    EventRefused {
        /// What was attempted.
        operation: &'static str,
        /// Five characters, PostgreSQL manual, appendix A.
        sqlstate: String,
        /// What PostgreSQL objects to, without the data that it objects to.
        detail: String,
    },
    /// The world is at fault (connection, timeout, resources, failover): another attempt can
    /// succeed.
    #[error("{operation}: database unavailable: {detail}")]
    Unavailable {
        /// What was attempted.
        operation: &'static str,
        /// Why, in the words of the driver or of PostgreSQL.
        detail: String,
    },
    /// Another transaction was in the way (deadlock, serialization failure, a lock that was not
    /// free in time, partitions that changed): nothing was written, and the same statement can
    /// succeed at once.
    #[error("{operation}: another transaction was in the way: {detail}")]
    Conflict {
        /// What was attempted.
        operation: &'static str,
        /// Why, in the words of PostgreSQL.
        detail: String,
    },
    /// The database URL cannot be used. The text never contains the URL.
    #[error("read database url: {detail}")]
    Url {
        /// What is wrong with it.
        detail: String,
    },
    /// The answer would be larger than the limit.
    #[error("{operation}: more than {rows_max} rows")]
    TooManyRows {
        /// What was attempted.
        operation: &'static str,
        /// The limit.
        rows_max: usize,
    },
    /// Neither the event nor the moment is at fault: a missing table, a refused log-in, a bug.
    #[error("{operation}: {detail}")]
    Other {
        /// What was attempted.
        operation: &'static str,
        /// Why.
        detail: String,
    },
}

impl StoreError {
    /// Whether one event is to blame, so that the others of its batch can be stored without it.
    #[must_use]
    pub const fn is_event_fault(&self) -> bool {
        matches!(self, Self::EventRefused { .. })
    }

    /// Whether the same call can succeed later without any change.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Conflict { .. })
    }

    /// Why the database refuses the event, in plain words, if it does.
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
            | Self::Url { .. }
            | Self::TooManyRows { .. }
            | Self::Other { .. } => None,
        }
    }

    /// Turns a driver's error into ours.
    pub(crate) fn from_sqlx(operation: &'static str, error: &sqlx::Error) -> Self {
        let detail = error.to_string();
        if let sqlx::Error::Database(database_error) = error {
            return Self::from_database(operation, database_error.as_ref());
        }
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Unavailable {
                operation,
                detail: "no connection in time; the server is not reached or all are in use"
                    .to_owned(),
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
        // A check without a name is a partition's: the partitions changed during the write.
        let is_partition_check = sqlstate == "23514" && constraint(error).is_none();
        let blame = if is_partition_check {
            Blame::Neighbour
        } else {
            Blame::of(&sqlstate)
        };
        match blame {
            Blame::Event => Self::EventRefused {
                operation,
                sqlstate,
                detail: without_data(error),
            },
            Blame::Moment => Self::Unavailable {
                operation,
                detail: format!("{} ({sqlstate})", without_data(error)),
            },
            Blame::Neighbour => Self::Conflict {
                operation,
                detail: format!("{} ({sqlstate})", without_data(error)),
            },
            // What a function of the database raises by itself may quote anything.
            Blame::Nobody if sqlstate.starts_with("P0") => Self::Other {
                operation,
                detail: format!("an error raised within the database ({sqlstate})"),
            },
            Blame::Nobody => Self::Other {
                operation,
                detail: format!("{} ({sqlstate})", error.message()),
            },
        }
    }
}

/// Whom a SQLSTATE blames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blame {
    Event,
    Moment,
    /// A transaction at the same time.
    Neighbour,
    Nobody,
}

impl Blame {
    /// PostgreSQL manual, appendix A: data exception, integrity constraint violation and program
    /// limit exceeded blame the data; transaction rollback (deadlock, serialization failure) and a
    /// lock that was not available in time blame a neighbour; connection exception, insufficient
    /// resources and operator intervention blame the moment, as does a server that a failover made
    /// read-only.
    fn of(sqlstate: &str) -> Self {
        match sqlstate.get(..2) {
            // The ledger lets no identity in twice without an error, so what is not unique is a number of
            // ours: a sequence that lags behind the data (a copy by replication leaves it so) or is at its
            // end. Every column that must not be null is given, and no key is foreign: such a refusal comes
            // from a schema that the function does not know yet. No event is to blame for either, and none
            // is to be buried for it.
            _ if matches!(sqlstate, "23505" | "2200H" | "23502" | "23503") => Self::Nobody,
            Some("22" | "23" | "54") => Self::Event,
            Some("40") => Self::Neighbour,
            Some("55") if sqlstate == "55P03" => Self::Neighbour,
            Some("08" | "53" | "57") => Self::Moment,
            Some("25") if sqlstate == "25006" => Self::Moment,
            _ => Self::Nobody,
        }
    }
}

/// What PostgreSQL objects to. It quotes data behind a double quote or a colon; what stands before
/// is a fixed text.
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
}

impl<T> Context<T> for Result<T, sqlx::Error> {
    fn context(self, operation: &'static str) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::from_sqlx(operation, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstate_blames_the_event_a_neighbour_the_moment_or_nobody() {
        for (sqlstate, blame) in [
            ("22P05", Blame::Event),
            ("22003", Blame::Event),
            ("23514", Blame::Event),
            ("23502", Blame::Nobody),
            ("23503", Blame::Nobody),
            ("23505", Blame::Nobody),
            ("2200H", Blame::Nobody),
            ("23514", Blame::Event),
            ("54000", Blame::Event),
            ("08006", Blame::Moment),
            ("40P01", Blame::Neighbour),
            ("40001", Blame::Neighbour),
            ("53300", Blame::Moment),
            ("57014", Blame::Moment),
            ("57P03", Blame::Moment),
            ("55P03", Blame::Neighbour),
            ("25006", Blame::Moment),
            ("42P01", Blame::Nobody),
            ("28P01", Blame::Nobody),
            ("", Blame::Nobody),
        ] {
            assert_eq!(Blame::of(sqlstate), blame, "{sqlstate}");
        }
    }
}
