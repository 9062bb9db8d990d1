//! The write of a batch of events. Invariant: one statement, one round trip, and an event whose
//! identity the ledger knows is never stored again.

use chrono::{DateTime, Utc};
use event::{Event, RecordId};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, PgPool};

use crate::connect::Lease;
use crate::error::{Context as _, StoreError};

const OPERATION: &str = "write a batch of events";
/// What a row takes beside its payload, about: the other columns and the lengths.
const ROW_BYTES: usize = 256;

/// The ledger decides which events are new; those become records. The keys arrive sorted, and
/// every writer sorts alike, so that two batches with common events wait for each other instead of
/// dead-locking.
///
/// The id of a record is drawn before the ledger is asked, so that the rows are joined by numbers and
/// not by texts, and what only the record needs is read apart from the keys, so that it is copied
/// once: 8 % less time than one wide list, measured on batches of 1,000. The answer is one row, so that
/// a thousand need not be unpacked one by one: a tenth of the client's processor time.
const STATEMENT: &str = "
with input as materialized (
    select nextval('event_keys_record_id_seq') as record_id, source, id, occurred_at, position
    from unnest($1::text[], $2::text[], $5::timestamptz[])
        with ordinality as columns (source, id, occurred_at, position)
), keys as (
    insert into event_keys (record_id, source, id, occurred_at)
    overriding system value
    select record_id, source, id, occurred_at from input order by position
    on conflict (id, source) do nothing
    returning record_id
), fresh as (
    select record_id, source, id, occurred_at, position from keys join input using (record_id)
), stored as (
    insert into records (record_id, source, id, type, subject, occurred_at, payload)
    select record_id, source, id, type, subject, occurred_at, payload::jsonb
    from unnest($3::text[], $4::text[], $6::text[])
        with ordinality as columns (type, subject, payload, position)
    join fresh using (position)
)
select array_agg(position), array_agg(record_id) from fresh";

/// Positions and records of the events that were new; nothing where none was.
type Fresh = (Option<Vec<i64>>, Option<Vec<i64>>);

/// What became of one event of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is a record now.
    Stored(RecordId),
    /// The ledger knew it, or it stood earlier in the same batch.
    Duplicate,
}

/// Writes a batch of events: all of them or, on an error, none. The answer is parallel to the
/// input; of several events with one identity the first is stored.
///
/// # Errors
/// [`StoreError::EventRefused`] when one of the events is at fault (it does not say which),
/// otherwise see [`StoreError`].
pub async fn write_batch(pool: &PgPool, events: &[Event<'_>]) -> Result<Vec<Written>, StoreError> {
    let mut written = vec![Written::Duplicate; events.len()];
    if events.is_empty() {
        return Ok(written);
    }
    let batch = Batch::new(events);
    let arguments = batch.arguments().context(OPERATION)?;
    let mut lease = Lease::take(pool).await.context(OPERATION)?;
    let answer = sqlx::query_as_with(STATEMENT, arguments)
        .fetch_one(lease.connection())
        .await;
    let answer: Result<Fresh, StoreError> = answer.context(OPERATION);
    // One that is unavailable may be so for good: a server that became a reader keeps its sessions. After
    // an error of another kind nobody knows what the connection says next.
    if matches!(
        answer,
        Ok(_) | Err(StoreError::EventRefused { .. } | StoreError::Conflict { .. })
    ) {
        lease.give_back();
    }
    let (positions, record_ids) = answer?;
    let (positions, record_ids) = (
        positions.unwrap_or_default(),
        record_ids.unwrap_or_default(),
    );
    if positions.len() != record_ids.len() {
        return Err(StoreError::Other {
            operation: OPERATION,
            detail: format!(
                "the answer names {} rows and {} records",
                positions.len(),
                record_ids.len()
            ),
        });
    }
    for (position, record_id) in positions.into_iter().zip(record_ids) {
        let slot = usize::try_from(position - 1)
            .ok()
            .and_then(|row| batch.origins.get(row))
            .and_then(|origin| written.get_mut(*origin))
            .ok_or_else(|| StoreError::Other {
                operation: OPERATION,
                detail: format!("the answer names row {position}, which was not sent"),
            })?;
        *slot = Written::Stored(RecordId(record_id));
    }
    Ok(written)
}

/// The columns of a batch, sorted by key, each key once.
struct Batch<'a> {
    /// Place of each row in the caller's list.
    origins: Vec<usize>,
    sources: Vec<&'a str>,
    ids: Vec<&'a str>,
    types: Vec<&'a str>,
    subjects: Vec<Option<&'a str>>,
    times: Vec<DateTime<Utc>>,
    payloads: Vec<&'a str>,
}

impl<'a> Batch<'a> {
    fn new(events: &'a [Event<'_>]) -> Self {
        let mut rows: Vec<(usize, &Event<'_>)> = events.iter().enumerate().collect();
        rows.sort_unstable_by_key(|(origin, event)| (key(event), *origin));
        rows.dedup_by_key(|(_, event)| key(event));
        Self {
            origins: rows.iter().map(|(origin, _)| *origin).collect(),
            sources: rows
                .iter()
                .map(|(_, event)| event.source.as_ref())
                .collect(),
            ids: rows.iter().map(|(_, event)| event.id.as_ref()).collect(),
            types: rows
                .iter()
                .map(|(_, event)| event.event_type.as_ref())
                .collect(),
            subjects: rows
                .iter()
                .map(|(_, event)| event.subject.as_deref())
                .collect(),
            times: rows.iter().map(|(_, event)| event.time).collect(),
            payloads: rows.iter().map(|(_, event)| event.json.as_ref()).collect(),
        }
    }

    /// The columns as they are sent, in a buffer that has their size from the start.
    fn arguments(&self) -> Result<PgArguments, sqlx::Error> {
        let payload_bytes: usize = self.payloads.iter().map(|payload| payload.len()).sum();
        let mut arguments = PgArguments::default();
        arguments.reserve(6, payload_bytes + self.payloads.len() * ROW_BYTES);
        arguments
            .add(&self.sources)
            .and_then(|()| arguments.add(&self.ids))
            .and_then(|()| arguments.add(&self.types))
            .and_then(|()| arguments.add(&self.subjects))
            .and_then(|()| arguments.add(&self.times))
            .and_then(|()| arguments.add(&self.payloads))
            .map_err(sqlx::Error::Encode)?;
        Ok(arguments)
    }
}

/// The ledger's key, in the order of its index.
fn key<'a>(event: &'a Event<'_>) -> (&'a str, &'a str) {
    (event.id.as_ref(), event.source.as_ref())
}
