//! The publication of the records for logical replication, from which a warehouse copies them.
//!
//! Invariant: it has every record once, as a row of `records`, whatever partition the row is in, and nothing else.
//! Moves between partitions and the removal of old ones are not in it.

use sqlx::PgPool;

use crate::error::{Context as _, StoreError};
use crate::lease::{PooledConnection, one_row, rows};
use crate::roles::{RoleError, check_name};

const PUBLISH: &str = "publish the records";

/// What a publication publishes: through the partitioned table, inserts, other changes, and its tables.
type Published = (bool, bool, bool, Vec<String>);

const READ: &str = "
select p.pubviaroot, p.pubinsert, p.pubupdate or p.pubdelete or p.pubtruncate,
    array(
        select format('%s.%s', t.schemaname, t.tablename)
        from pg_publication_tables t where t.pubname = p.pubname
    )
from pg_publication p where p.pubname = $1";

/// Name of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationName(String);

impl PublicationName {
    /// Checks a name.
    ///
    /// # Errors
    /// When it would need quoting.
    pub fn new(name: &str) -> Result<Self, RoleError> {
        check_name(name)?;
        Ok(Self(name.to_owned()))
    }
}

/// Creates the publication, if it is missing; returns whether it did.
///
/// # Errors
/// [`StoreError::Other`] when the server does not write what logical replication needs, or when there is another
/// publication of this name.
pub async fn publish_records(pool: &PgPool, name: &PublicationName) -> Result<bool, StoreError> {
    let PublicationName(name) = name;
    let refused = |detail| StoreError::Other {
        operation: PUBLISH,
        detail,
    };
    let level = sqlx::query_as("select current_setting('wal_level')");
    let (level,): (String,) = one_row(pool.into(), PUBLISH, level).await?;
    if level != "logical" {
        return Err(refused(format!(
            "the publication {name} needs wal_level logical, and it is {level}: set it (on Aurora \
             rds.logical_replication = 1) and restart the database, or take the publication out of the settings"
        )));
    }
    let found: Vec<Published> = rows(pool.into(), PUBLISH, sqlx::query_as(READ).bind(name)).await?;
    if let Some(found) = found.into_iter().next() {
        let expected = (true, true, false, vec!["public.records".to_owned()]);
        return if found == expected {
            Ok(false)
        } else {
            Err(refused(format!(
                "there is another publication {name}: choose another name, or drop it"
            )))
        };
    }
    let mut connection = PooledConnection::read(pool.into(), PUBLISH).await?;
    let statement = format!(
        "create publication {name} for table public.records
         with (publish = 'insert', publish_via_partition_root = true)"
    );
    let created = sqlx::query(&statement)
        .execute(connection.get())
        .await
        .context(PUBLISH);
    connection.end(created)?;
    Ok(true)
}
