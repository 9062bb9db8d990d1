//! Look-ups in the ledger.
//!
//! Invariant: an event stays in the ledger after its record was dropped with its partition.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use event::{EventKey, RecordId};
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use sqlx::types::Uuid;
use sqlx::{PgConnection, Postgres};

use crate::error::{Context as _, StoreError};
use crate::expiry::retention_horizon;
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

/// What the ledger knows of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownKeys {
    /// Those that were ever stored; the others have no entry.
    pub stored: HashMap<EventKey, StoredKey>,
    /// The retention horizon: an event that occurred before it is not stored when it arrives. `None` while
    /// everything is kept.
    pub retention_horizon: Option<DateTime<Utc>>,
}

const LOOK_UP: &str = "look up events in the ledger";

type Found = (
    i64,
    Option<i64>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
);

/// A row has no record where the event was never stored, and each row has the horizon.
const LOOK_UP_STATEMENT: &str = "
select wanted.position, k.record_id, k.occurred_at,
    (select nullif(horizon, '-infinity') from retention)
from unnest($1::uuid[]) with ordinality as wanted (identity, position)
left join event_identities k using (identity)";

/// Finds which of the events were ever stored, see [`look_up_keys`].
///
/// # Errors
/// See [`StoreError`].
pub async fn stored_keys(
    source: impl Into<Source<'_>>,
    keys: &[EventKey],
) -> Result<HashMap<EventKey, StoredKey>, StoreError> {
    Ok(look_up_keys(source, keys).await?.stored)
}

/// Finds which of the events were ever stored, and the retention horizon, in one query.
///
/// # Errors
/// See [`StoreError`].
pub async fn look_up_keys(
    source: impl Into<Source<'_>>,
    keys: &[EventKey],
) -> Result<KnownKeys, StoreError> {
    let source = source.into();
    if keys.is_empty() {
        return Ok(KnownKeys {
            retention_horizon: retention_horizon(source).await?,
            ..KnownKeys::default()
        });
    }
    let found = rows(source, LOOK_UP, question(keys)).await?;
    Ok(known(keys, found))
}

/// The same for some keys on a connection, such as in a snapshot.
pub(crate) async fn look_up_on(
    connection: &mut PgConnection,
    keys: &[EventKey],
) -> Result<KnownKeys, StoreError> {
    let found = question(keys).fetch_all(connection).await;
    Ok(known(keys, found.read_context(LOOK_UP)?))
}

fn question(keys: &[EventKey]) -> QueryAs<'static, Postgres, Found, PgArguments> {
    let identities: Vec<Uuid> = keys
        .iter()
        .map(|key| identity(&key.source, &key.id))
        .collect();
    sqlx::query_as(LOOK_UP_STATEMENT).bind(identities)
}

fn known(keys: &[EventKey], found: Vec<Found>) -> KnownKeys {
    let retention_horizon = found.first().and_then(|(.., horizon)| *horizon);
    let stored = found
        .into_iter()
        .filter_map(|(position, record_id, occurred_at, _)| {
            let key = keys.get(usize::try_from(position - 1).ok()?)?;
            let stored = StoredKey {
                record_id: RecordId(record_id?),
                occurred_at: occurred_at?,
            };
            Some((key.clone(), stored))
        });
    KnownKeys {
        stored: stored.collect(),
        retention_horizon,
    }
}
