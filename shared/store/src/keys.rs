//! Look-ups in the ledger.
//!
//! Invariant: an event stays in the ledger after its record was dropped with its partition.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use event::{EventKey, RecordId};
use sqlx::PgPool;

use crate::connect::PooledConnection;
use crate::error::{Context as _, StoreError};

const LOOK_UP: &str = "look up events in the ledger";

/// The ledger's entry of a stored event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Identity of its record.
    pub record_id: RecordId,
    /// CloudEvents `time`.
    pub occurred_at: DateTime<Utc>,
}

/// Finds which of the events were ever stored, in one query. The result has no entry for the others.
///
/// # Errors
/// See [`StoreError`].
pub async fn stored_keys(
    pool: &PgPool,
    keys: &[EventKey],
) -> Result<HashMap<EventKey, StoredKey>, StoreError> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let sources: Vec<&str> = keys.iter().map(|key| key.source.as_str()).collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
    let mut connection = PooledConnection::read(pool, LOOK_UP).await?;
    let answer = sqlx::query_as(
        "select source, id, record_id, occurred_at
         from unnest($1::text[], $2::text[]) as wanted (source, id)
         join event_keys using (source, id)",
    )
    .bind(&sources)
    .bind(&ids)
    .fetch_all(connection.get())
    .await
    .read_context(LOOK_UP);
    let rows: Vec<(String, String, i64, DateTime<Utc>)> = connection.end(answer)?;
    Ok(rows
        .into_iter()
        .map(|(source, id, record_id, occurred_at)| {
            (
                EventKey { source, id },
                StoredKey {
                    record_id: RecordId(record_id),
                    occurred_at,
                },
            )
        })
        .collect())
}
