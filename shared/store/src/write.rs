//! Writes a batch of events.
//!
//! Invariant: one statement, one round trip. An event whose identity is in the ledger is never stored
//! again.

use chrono::{DateTime, Utc};
use event::{Event, RecordId};
use sqlx::postgres::PgArguments;
use sqlx::types::Uuid;
use sqlx::{Arguments as _, PgPool};

use crate::arrivals::ARRIVAL_LOCK;
use crate::error::{Context as _, StoreError};
use crate::identity::identity;
use crate::lease::PooledConnection;

const OPERATION: &str = "write a batch of events";
/// Approximate size of a row without its payload: the other columns and the lengths.
const ROW_BYTES: usize = 256;

/// The insert into the ledger shows which events are new; those become records. All writers sort the
/// identities in the same way, so that two batches with common events wait for each other and do not
/// deadlock.
///
/// The lock of `position` is that of [`crate::arrivals`]. `nextval` reads the sequence's name from it, so
/// that no record id is taken before the lock.
///
/// The record id is taken before the insert, so that rows are joined by numbers. The columns that only
/// `records` needs are unnested separately, so that they are copied once, and in the select list, so that
/// they are not collected first (6 % of the server's processor time at batches of 1,000). The result is one
/// row of arrays and not a thousand rows: a tenth of the client's processor time.
const STATEMENT: &str = "
with position as materialized (
    select 'event_keys_record_id_seq'::regclass as sequence,
        pg_advisory_xact_lock_shared($8, (((last_value - 1) << 32) >> 32)::int)
    from event_keys_record_id_seq
), input as materialized (
    select nextval(sequence) as record_id, identity, occurred_at, position
    from position cross join unnest($1::uuid[], $2::timestamptz[])
        with ordinality as columns (identity, occurred_at, position)
    where occurred_at >= (select horizon from retention)
), keys as (
    insert into event_identities (identity, record_id, occurred_at)
    select identity, record_id, occurred_at from input order by position
    on conflict (identity) do nothing
    returning record_id
), fresh as (
    select record_id, occurred_at, position from keys join input using (record_id)
), stored as (
    insert into records (record_id, source, id, type, subject, occurred_at, payload)
    select record_id, source, id, type, subject, occurred_at, payload::jsonb
    from (
        select unnest($3::text[]) as source, unnest($4::text[]) as id, unnest($5::text[]) as type,
            unnest($6::text[]) as subject, unnest($7::text[]) as payload,
            generate_series(1::bigint, cardinality($1)) as position
    ) as columns
    join fresh using (position)
)
select array_agg(position), array_agg(record_id),
    (select nullif(horizon, '-infinity') from retention)
from fresh";

/// Positions and record ids of the events that were new, `None` when there were none; and the retention
/// horizon by which the statement went, if there is one.
type Fresh = (Option<Vec<i64>>, Option<Vec<i64>>, Option<DateTime<Utc>>);

/// The outcome of one event of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was stored as this record.
    Stored(RecordId),
    /// It was stored before, or an earlier event of the same batch has its identity.
    Duplicate,
    /// It occurred before the retention horizon: it is not stored, whether or not it was before.
    Expired,
}

/// Writes a batch of events: all of them or, on an error, none. The result is parallel to the input; of
/// several events with one identity the first is stored.
///
/// # Errors
/// [`StoreError::EventRefused`] when one of the events is at fault (PostgreSQL does not report which),
/// otherwise see [`StoreError`].
pub async fn write_batch(pool: &PgPool, events: &[Event<'_>]) -> Result<Vec<Written>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let batch = Batch::new(events);
    let arguments = batch.arguments().context(OPERATION)?;
    let mut connection = PooledConnection::acquire(pool).await.context(OPERATION)?;
    let answer = sqlx::query_as_with(STATEMENT, arguments)
        .fetch_one(connection.get())
        .await;
    let answer: Result<Fresh, StoreError> = answer.context(OPERATION);
    // After "unavailable" the connection may never work again: a server that became a reader keeps its
    // sessions. After other errors the state of the protocol is unknown.
    if matches!(
        answer,
        Ok(_) | Err(StoreError::EventRefused { .. } | StoreError::Conflict { .. })
    ) {
        connection.return_to_pool();
    }
    let (positions, record_ids, horizon) = answer?;
    let is_expired = |event: &Event<'_>| horizon.is_some_and(|horizon| event.time < horizon);
    let mut written: Vec<Written> = events
        .iter()
        .map(|event| match is_expired(event) {
            true => Written::Expired,
            false => Written::Duplicate,
        })
        .collect();
    let (positions, record_ids) = (
        positions.unwrap_or_default(),
        record_ids.unwrap_or_default(),
    );
    if positions.len() != record_ids.len() {
        return Err(StoreError::Other {
            operation: OPERATION,
            detail: format!(
                "the result has {} positions and {} record ids",
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
                detail: format!("the result has the position {position}, which was not sent"),
            })?;
        *slot = Written::Stored(RecordId(record_id));
    }
    Ok(written)
}

/// The columns of a batch, sorted by identity, each identity once.
struct Batch<'a> {
    /// Index of each row in the caller's slice.
    origins: Vec<usize>,
    identities: Vec<Uuid>,
    events: Vec<&'a Event<'a>>,
}

impl<'a> Batch<'a> {
    fn new(events: &'a [Event<'_>]) -> Self {
        let mut rows: Vec<(Uuid, usize, &Event<'_>)> = events
            .iter()
            .enumerate()
            .map(|(origin, event)| (identity(&event.source, &event.id), origin, event))
            .collect();
        rows.sort_unstable_by_key(|(identity, origin, _)| (*identity, *origin));
        rows.dedup_by_key(|(identity, ..)| *identity);
        Self {
            origins: rows.iter().map(|(_, origin, _)| *origin).collect(),
            identities: rows.iter().map(|(identity, ..)| *identity).collect(),
            events: rows.into_iter().map(|(.., event)| event).collect(),
        }
    }

    fn column<T>(&self, value: impl Fn(&'a Event<'a>) -> T) -> Vec<T> {
        self.events.iter().map(|event| value(event)).collect()
    }

    /// The encoded columns, in a buffer that is allocated once.
    fn arguments(&self) -> Result<PgArguments, sqlx::Error> {
        let payload_bytes: usize = self.events.iter().map(|event| event.json.len()).sum();
        let mut arguments = PgArguments::default();
        arguments.reserve(8, payload_bytes + self.events.len() * ROW_BYTES);
        arguments
            .add(&self.identities)
            .and_then(|()| arguments.add(self.column(|event| event.time)))
            .and_then(|()| arguments.add(self.column(|event| event.source.as_ref())))
            .and_then(|()| arguments.add(self.column(|event| event.id.as_ref())))
            .and_then(|()| arguments.add(self.column(|event| event.event_type.as_ref())))
            .and_then(|()| arguments.add(self.column(|event| event.subject.as_deref())))
            .and_then(|()| arguments.add(self.column(|event| event.json.as_ref())))
            .and_then(|()| arguments.add(ARRIVAL_LOCK))
            .map_err(sqlx::Error::Encode)?;
        Ok(arguments)
    }
}
