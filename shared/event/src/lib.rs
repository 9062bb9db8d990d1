//! Events, failures, verdicts, records and queries: the types that all parts of the pipeline share.
//!
//! Invariant: this crate is pure. It never reads a clock, the environment, a file or the network,
//! so the function that stores events and the console that explains failures always agree.
//!
//! ```
//! use event::{FailureCode, Verdict, assess, parse_body};
//!
//! let body = r#"{"specversion":"1.0","id":"1","source":"/crew","type":"crew.checked-in",
//!     "time":"2026-01-31T12:00:00Z","data":{"crew":7}}"#;
//! let event = parse_body(body)?;
//! assert_eq!((&*event.source, &*event.id), ("/crew", "1"));
//!
//! let failure = parse_body(&body.replace("\"time\"", "\"tme\"")).unwrap_err();
//! assert_eq!(failure.code, FailureCode::MissingAttribute);
//! assert_eq!(failure.pointer.as_deref(), Some("/time"));
//! assert_eq!(assess(body).verdict(false), Verdict::Ready);
//! # Ok::<(), event::Failure>(())
//! ```

mod counts;
mod cursor;
mod cursor_text;
mod envelope;
mod event;
mod failure;
pub mod ingest_metrics;
mod jsonb;
mod order;
mod parse;
mod plain;
mod printable;
mod query;
mod record;
mod record_id;
mod record_json;
mod replacement;
mod stored_text;
mod verdict;

pub use counts::{StatsBucket, TypeCount};
pub use cursor::{Cursor, CursorError};
pub use envelope::unwrap_envelope;
pub use event::{ATTRIBUTE_BYTES_MAX, Event, EventKey, PartialIdentity, peek_identity};
pub use failure::{
    ERROR_CODE_ATTRIBUTE, ERROR_MESSAGE_ATTRIBUTE, ERROR_MESSAGE_BYTES_MAX, FAILURE_ATTRIBUTES,
    Failure, FailureCode, FailureKind, REQUEST_ID_ATTRIBUTE, UnknownFailureCode,
};
pub use jsonb::{EVENT_BYTES_MAX, NESTING_MAX, first_refusal};
pub use order::Order;
pub use parse::{parse_body, parse_event};
pub use printable::is_deceptive;
pub use query::{Bucket, GroupBy, LIMIT_DEFAULT, LIMIT_MAX, QueryError, RecordQuery, StatsQuery};
pub use record::{Page, PartitionSize, Record, RecordFeed, RecordPage, RecordSummary, StoredEvent};
pub use record_id::RecordId;
pub use record_json::{Field, Fields, RecordView};
pub use replacement::{
    NamedRecord, REPLACES_ATTRIBUTE, StoredInstead, invalid_replacement, replaced_record,
    replaces_in_envelope, stale_replacement,
};
pub use stored_text::{stored_sha256, stored_text};
pub use verdict::{Assessment, Verdict, assess, expired};
