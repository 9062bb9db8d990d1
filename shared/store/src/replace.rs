//! Replaces stored records by events with the same identities.
//!
//! Invariant: a record is replaced only while the very record that the caller names is the one of the identity.
//! The old record leaves `records`, the rollup and the ledger in the transaction that stores the new one. An
//! identity without a record, because that was erased, gets none.
//!
//! The work is in the function `replace_records` of the database, which the user of the ingest may execute where
//! the deployment permits it. That user has no right to change or delete records itself.

use chrono::{DateTime, Utc};
use event::{Event, RecordId};
use sqlx::PgPool;

use crate::arrivals::ARRIVAL_LOCK;
use crate::error::{Context as _, StoreError};
use crate::lease::PooledConnection;
use crate::partition_step::begin_step;

const OPERATION: &str = "replace records";
const PERMIT: &str = "permit the ingest to replace records";

const STATEMENT: &str = "
select place, outcome, record_id from replace_records($1, $2, $3, $4, $5, $6, $7, $8)";

const SIGNATURE: &str = "replace_records(
    bigint[], timestamptz[], text[], text[], text[], text[], text[], int
)";

/// An event that replaces a record.
#[derive(Clone, Copy, Debug)]
pub struct Replacement<'a> {
    /// The event.
    pub event: &'a Event<'a>,
    /// The record that its sender saw.
    pub replaces: RecordId,
}

/// The outcome of one replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// The record is gone, and the event is stored as this one.
    Stored(RecordId),
    /// The record of its identity has its text: nothing was to be done. So ends a message that is delivered
    /// again.
    Duplicate,
    /// The event occurred before the retention horizon: nothing was changed.
    Expired,
    /// The named record is not the one of the identity: nothing was changed.
    Stale(Stale),
}

/// What is stored instead of the record that a replacement names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// Another record, with another text.
    Other(RecordId),
    /// No event with this identity.
    Unknown,
    /// The identity alone: its record was erased, or has expired.
    Gone,
}

/// Replaces records: all that can be replaced or, on an error, none. The result is parallel to the input, in
/// which each identity occurs once.
///
/// # Errors
/// [`StoreError::EventRefused`] when one of the events is at fault (PostgreSQL does not report which),
/// [`StoreError::NotPermitted`] when the user may not replace records, otherwise see [`StoreError`].
pub async fn replace_records(
    pool: &PgPool,
    replacements: &[Replacement<'_>],
) -> Result<Vec<Replaced>, StoreError> {
    if replacements.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = column(replacements, |one| one.replaces.0);
    let times: Vec<DateTime<Utc>> = column(replacements, |one| one.event.time);
    let subjects: Vec<Option<&str>> = column(replacements, |one| one.event.subject.as_deref());
    let question = sqlx::query_as(STATEMENT)
        .bind(ids)
        .bind(times)
        .bind(column(replacements, |one| one.event.source.as_ref()))
        .bind(column(replacements, |one| one.event.id.as_ref()))
        .bind(column(replacements, |one| one.event.event_type.as_ref()))
        .bind(subjects)
        .bind(column(replacements, |one| one.event.json.as_ref()))
        .bind(ARRIVAL_LOCK);
    let mut connection = PooledConnection::acquire(pool).await.context(OPERATION)?;
    let answer = question.fetch_all(connection.get()).await;
    let rows: Vec<(i64, String, Option<i64>)> = connection.end(answer.context(OPERATION))?;
    let outcomes = rows.into_iter().zip(1..);
    let outcomes: Option<Vec<Replaced>> = outcomes
        .map(|((place, outcome, record_id), expected)| {
            read(&outcome, record_id.map(RecordId)).filter(|_| place == expected)
        })
        .collect();
    outcomes
        .filter(|outcomes| outcomes.len() == replacements.len())
        .ok_or_else(|| StoreError::Other {
            operation: OPERATION,
            detail: "the database answered in another form; is its schema that of this version?"
                .to_owned(),
        })
}

fn column<'a, T>(
    replacements: &'a [Replacement<'a>],
    value: impl Fn(&'a Replacement<'a>) -> T,
) -> Vec<T> {
    replacements.iter().map(value).collect()
}

/// An outcome as the function names it, and the record that it is about.
fn read(outcome: &str, record_id: Option<RecordId>) -> Option<Replaced> {
    Some(match outcome {
        "replaced" => Replaced::Stored(record_id?),
        "same" => Replaced::Duplicate,
        "expired" => Replaced::Expired,
        "other" => Replaced::Stale(Stale::Other(record_id?)),
        "unknown" => Replaced::Stale(Stale::Unknown),
        "gone" => Replaced::Stale(Stale::Gone),
        _ => return None,
    })
}

/// Gives the user of the ingest the right to replace records, or takes it away. A database without that user
/// (the local stack) is not changed. Calls at once wait for each other.
///
/// # Errors
/// See [`StoreError`].
pub async fn permit_replacements(pool: &PgPool, is_permitted: bool) -> Result<(), StoreError> {
    let (differs, change) = if is_permitted {
        (
            "not",
            format!("grant execute on function {SIGNATURE} to ingest"),
        )
    } else {
        (
            "",
            format!("revoke execute on function {SIGNATURE} from ingest"),
        )
    };
    // PostgreSQL fails where two transactions change the rights of one function, also to what they are.
    let statement = format!(
        "do $$ begin
             if {differs} (
                 select has_function_privilege(oid, '{SIGNATURE}', 'execute')
                 from pg_roles where rolname = 'ingest'
             ) then {change}; end if;
         end $$"
    );
    let mut step = begin_step(pool).await?;
    sqlx::query(&statement)
        .execute(&mut *step)
        .await
        .context(PERMIT)?;
    step.commit().await.context(PERMIT)
}
