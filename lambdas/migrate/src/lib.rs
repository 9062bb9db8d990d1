//! Applies migrations and maintains partitions. As another task, creates the database's users.
//!
//! Invariant: idempotent, and safe to run any number of times at once. Deployments call it after a change
//! of the migrations, a schedule calls it daily.

mod roles;
mod serve;
mod settings;

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::{
    ConnectSettings, IamLogIn, MigrationReport, PartitionPlan, PartitionReport, PgPool,
    PublicationName, StoreError, connect_lazy, create_partitions, delete_expired_records,
    disconnect_idle, drop_partitions, fold_counts, migrate, publish_records,
};

pub use roles::{CreateRolesError, RoleDeps, RoleSettings, Users, create_roles};
pub use serve::serve;
pub use settings::{Settings, Task};

/// There is one statement at a time; the migrations use a separate connection.
const CONNECTIONS_MAX: u32 = 1;
/// A paused database needs up to 30 s to resume.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(60);

/// Dependencies of the handler.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Connections as the owner of the tables.
    pub pool: PgPool,
    /// Log-in by IAM token, renewed before each step.
    pub log_in: Option<IamLogIn>,
    /// Width and number of the partitions.
    pub plan: PartitionPlan,
    /// Publication of the records.
    pub publication: Option<PublicationName>,
}

impl Deps {
    /// Creates the pool; it does no IO yet.
    ///
    /// # Errors
    /// When the database URL is invalid.
    pub fn connect(settings: &Settings) -> Result<Self, StoreError> {
        let pool = connect_lazy(&ConnectSettings {
            max_connections: CONNECTIONS_MAX,
            acquire_timeout: ACQUIRE_TIMEOUT,
            ..ConnectSettings::new(settings.database_url.as_str(), "migrate")
        })?;
        Ok(Self {
            pool,
            log_in: settings.log_in.clone(),
            plan: settings.plan,
            publication: settings.publication.clone(),
        })
    }

    /// Closes the connections between two invocations: a frozen function would keep the database from pausing.
    pub async fn disconnect(&self) {
        disconnect_idle(&self.pool).await;
    }

    fn renew_log_in(&self) -> Result<(), StoreError> {
        match &self.log_in {
            Some(log_in) => log_in.renew(&self.pool, SystemTime::now()),
            None => Ok(()),
        }
    }
}

/// A request. Other fields are ignored: a schedule sends an event, a deployment the hash of the migrations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Request {
    /// The time to use instead of the clock. A future time only creates partitions ahead: expiry is
    /// computed from the earlier of both, so that a wrong time deletes nothing.
    #[serde(default)]
    pub now: Option<DateTime<Utc>>,
}

/// The response: what was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Applied migrations.
    pub migrations: MigrationReport,
    /// Created and dropped partitions.
    pub partitions: PartitionReport,
    /// Whether the publication was created; absent where none is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publication_created: Option<bool>,
}

/// Applies missing migrations, creates partitions ahead, drops expired ones, and deletes expired records
/// from the default partition. Last, it creates the publication, if one is asked for.
///
/// # Errors
/// See [`StoreError`]; steps before the failed one stay committed, and the next run continues.
pub async fn handle(request: Request, deps: &Deps) -> Result<Report, StoreError> {
    deps.renew_log_in()?;
    let migrations = migrate(&deps.pool).await?;
    // The migrations may have taken longer than a token is valid.
    deps.renew_log_in()?;
    let clock = Utc::now();
    let now = request.now.unwrap_or(clock);
    let expiry_now = now.min(clock);
    let partitions = PartitionReport {
        created: create_partitions(&deps.pool, &deps.plan, now).await?,
        dropped: drop_partitions(&deps.pool, &deps.plan, expiry_now).await?,
        deleted_records: delete_expired_records(&deps.pool, &deps.plan, expiry_now).await?,
        folded_hours: fold_counts(&deps.pool, expiry_now).await?,
    };
    let publication_created = match &deps.publication {
        None => None,
        Some(name) => Some(publish_records(&deps.pool, name).await?),
    };
    tracing::info!(
        applied = migrations.applied.len(),
        created = partitions.created.join(" "),
        dropped = partitions.dropped.join(" "),
        deleted_records = partitions.deleted_records,
        folded_hours = partitions.folded_hours,
        "schema and partitions are up to date"
    );
    Ok(Report {
        migrations,
        partitions,
        publication_created,
    })
}
