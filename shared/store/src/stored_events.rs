//! Which events are stored, as which record and since when.
//!
//! Invariant: each record is found by its partition key, so that a look-up reads one partition a record, however
//! many there are.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use event::{EventKey, RecordId, StoredEvent};
use sqlx::PgPool;

use crate::connect::rows;
use crate::error::StoreError;
use crate::keys::{StoredKey, stored_keys};

const LOOK_UP: &str = "look up records";

/// The `lateral` keeps the planner from a join that reads all partitions.
const INGESTED_STATEMENT: &str = "
select wanted.record_id, found.ingested_at
from unnest($1::timestamptz[], $2::bigint[]) as wanted (occurred_at, record_id)
cross join lateral (
    select r.ingested_at from records r
    where r.occurred_at = wanted.occurred_at and r.record_id = wanted.record_id
    limit 1
) as found";

/// Finds which of the events are known, in the order in which they were asked. The result has no entry for the
/// others.
///
/// # Errors
/// See [`StoreError`].
pub async fn stored_events(
    pool: &PgPool,
    keys: &[EventKey],
) -> Result<Vec<StoredEvent>, StoreError> {
    let known = stored_keys(pool, keys).await?;
    let ingested_at = ingested_at(pool, known.values()).await?;
    let mut rest = known;
    Ok(keys
        .iter()
        .filter_map(|key| rest.remove_entry(key))
        .map(|(key, found)| StoredEvent {
            source: key.source,
            id: key.id,
            record_id: found.record_id,
            occurred_at: found.occurred_at,
            ingested_at: ingested_at.get(&found.record_id).copied(),
        })
        .collect())
}

async fn ingested_at(
    pool: &PgPool,
    known: impl Iterator<Item = &StoredKey>,
) -> Result<HashMap<RecordId, DateTime<Utc>>, StoreError> {
    let (times, ids): (Vec<DateTime<Utc>>, Vec<i64>) = known
        .map(|found| (found.occurred_at, found.record_id.0))
        .unzip();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let question = sqlx::query_as(INGESTED_STATEMENT).bind(&times).bind(&ids);
    let found: Vec<(i64, DateTime<Utc>)> = rows(pool, LOOK_UP, question).await?;
    Ok(found
        .into_iter()
        .map(|(record_id, ingested_at)| (RecordId(record_id), ingested_at))
        .collect())
}
