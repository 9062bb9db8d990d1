//! Which events are stored, as which record and since when.
//!
//! Invariant: each record is found by its partition key, so that a look-up reads one partition a record, however
//! many there are. A record is missing from an answer only if the ledger had its identity and nothing else at one and
//! the same moment.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use event::{EventKey, RecordId, StoredEvent};
use sqlx::{Connection as _, PgConnection, PgPool, Row as _};

use crate::error::{Context as _, StoreError};
use crate::keys::{StoredKey, look_up_keys, look_up_on};
use crate::lease::{PooledConnection, Source};
use crate::position::Position;
use crate::span_condition::{at_positions, read_at};

const LOOK_UP: &str = "look up records";
const TIMES: &str = "select r.record_id, r.ingested_at, null::text as payload_sha256";
const TIMES_AND_DIGESTS: &str = "select r.record_id, r.ingested_at,
    encode(sha256(convert_to(r.payload::text, 'UTF8')), 'hex') as payload_sha256";

/// The answer of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvents {
    /// The events that are known, in the order in which they were asked.
    pub items: Vec<StoredEvent>,
    /// See [`crate::KnownKeys::retention_horizon`].
    pub retention_horizon: Option<DateTime<Utc>>,
}

/// Finds which of the events are known.
///
/// # Errors
/// See [`StoreError`].
pub async fn stored_events(
    source: impl Into<Source<'_>>,
    keys: &[EventKey],
) -> Result<StoredEvents, StoreError> {
    look_up(source.into(), keys, TIMES).await
}

/// The same, with the digests of the records' texts, for which the payloads are read.
///
/// # Errors
/// See [`StoreError`].
pub async fn stored_texts(
    source: impl Into<Source<'_>>,
    keys: &[EventKey],
) -> Result<StoredEvents, StoreError> {
    look_up(source.into(), keys, TIMES_AND_DIGESTS).await
}

async fn look_up(
    source: Source<'_>,
    keys: &[EventKey],
    columns: &str,
) -> Result<StoredEvents, StoreError> {
    let known = look_up_keys(source, keys).await?;
    let pool = source.pool();
    let mut records = Records::new();
    if !known.stored.is_empty() {
        let mut connection = PooledConnection::read(source, LOOK_UP).await?;
        let answer = records_of(pool, connection.get(), known.stored.values(), columns).await;
        records = connection.end(answer)?;
    }
    let mut rest = known.stored;
    let is_missing = |found: &StoredKey| !records.contains_key(&found.record_id);
    let missing = rest.iter().filter(|(_, found)| is_missing(found));
    let missing: Vec<EventKey> = missing.map(|(key, _)| key.clone()).collect();
    if !missing.is_empty() {
        // Between the two reads another record may have taken the place of one.
        let mut connection = PooledConnection::read(source, LOOK_UP).await?;
        let answer = at_one_moment(pool, connection.get(), &missing, columns).await;
        let (stored, found) = connection.end(answer)?;
        rest.retain(|key, _| !missing.contains(key));
        rest.extend(stored);
        records.extend(found);
    }
    let items = keys
        .iter()
        .filter_map(|key| rest.remove_entry(key))
        .map(|(key, found)| {
            let (ingested_at, payload_sha256) = records.remove(&found.record_id).unzip();
            StoredEvent {
                source: key.source,
                id: key.id,
                record_id: found.record_id,
                occurred_at: found.occurred_at,
                ingested_at,
                payload_sha256: payload_sha256.flatten(),
            }
        });
    Ok(StoredEvents {
        items: items.collect(),
        retention_horizon: known.retention_horizon,
    })
}

type Records = HashMap<RecordId, (DateTime<Utc>, Option<String>)>;

/// What ledger and records have of the events in one snapshot.
async fn at_one_moment(
    pool: &PgPool,
    connection: &mut PgConnection,
    keys: &[EventKey],
    columns: &str,
) -> Result<(HashMap<EventKey, StoredKey>, Records), StoreError> {
    let mut snapshot = connection
        .begin_with("begin isolation level repeatable read read only")
        .await
        .read_context(LOOK_UP)?;
    let known = look_up_on(&mut snapshot, keys).await?;
    let records = records_of(pool, &mut snapshot, known.stored.values(), columns).await?;
    snapshot.commit().await.read_context(LOOK_UP)?;
    Ok((known.stored, records))
}

async fn records_of(
    pool: &PgPool,
    connection: &mut PgConnection,
    known: impl Iterator<Item = &StoredKey>,
    columns: &str,
) -> Result<Records, StoreError> {
    let positions: Vec<Position> = known
        .map(|found| Position {
            occurred_at: found.occurred_at,
            record_id: found.record_id.0,
        })
        .collect();
    if positions.is_empty() {
        return Ok(HashMap::new());
    }
    let found = read_at(pool, connection, LOOK_UP, &positions, |spans| {
        at_positions(columns, spans)
    });
    found
        .await?
        .iter()
        .map(|row| {
            let found = (row.try_get(1)?, row.try_get(2)?);
            Ok((RecordId(row.try_get(0)?), found))
        })
        .collect::<Result<_, sqlx::Error>>()
        .context(LOOK_UP)
}
