//! Look-ups in the ledger.
//!
//! Invariant: an event stays in the ledger after its record was dropped with its partition.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use event::{EventKey, RecordId};
use sqlx::types::Uuid;

use crate::error::StoreError;
use crate::identity::identity;
use crate::lease::{Source, rows};

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
    source: impl Into<Source<'_>>,
    keys: &[EventKey],
) -> Result<HashMap<EventKey, StoredKey>, StoreError> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let identities: Vec<Uuid> = keys
        .iter()
        .map(|key| identity(&key.source, &key.id))
        .collect();
    let question = sqlx::query_as(
        "select wanted.position, k.record_id, k.occurred_at
         from unnest($1::uuid[]) with ordinality as wanted (identity, position)
         join event_identities k using (identity)",
    )
    .bind(&identities);
    let found: Vec<(i64, i64, DateTime<Utc>)> =
        rows(source.into(), "look up events in the ledger", question).await?;
    Ok(found
        .into_iter()
        .filter_map(|(position, record_id, occurred_at)| {
            let key = keys.get(usize::try_from(position - 1).ok()?)?;
            let stored = StoredKey {
                record_id: RecordId(record_id),
                occurred_at,
            };
            Some((key.clone(), stored))
        })
        .collect())
}
