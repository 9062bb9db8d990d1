//! The vocabulary of the pipeline: events, why they fail, what is stored, how it is asked for.
//!
//! Invariant: this crate is pure. It never reads a clock, the environment, a file or the network,
//! so the function that ingests and the console that explains always agree.

mod cursor;
mod envelope;
mod event;
mod failure;
pub mod ingest_metrics;
mod jsonb;
mod plain;
mod printable;
mod query;
mod record;
mod verdict;

pub use cursor::{Cursor, CursorError};
pub use envelope::unwrap_envelope;
pub use event::{
    ATTRIBUTE_BYTES_MAX, EVENT_BYTES_MAX, Event, EventKey, PartialIdentity, parse_body,
    parse_event, peek_identity,
};
pub use failure::{
    ERROR_CODE_ATTRIBUTE, ERROR_MESSAGE_ATTRIBUTE, ERROR_MESSAGE_BYTES_MAX, FAILURE_ATTRIBUTES,
    Failure, FailureCode, FailureKind, REQUEST_ID_ATTRIBUTE, UnknownFailureCode,
};
pub use jsonb::{NESTING_MAX, first_refusal};
pub use printable::is_deceptive;
pub use query::{
    Bucket, GroupBy, LIMIT_DEFAULT, LIMIT_MAX, Order, QueryError, RecordQuery, StatsQuery,
};
pub use record::{Page, Record, RecordId, StatsBucket, TypeCount};
pub use verdict::{Assessment, Verdict, assess};
