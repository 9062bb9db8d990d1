//! Applies the migrations and keeps the partitions; as a task of its own, makes the database's users.
//!
//! Invariant: idempotent, and safe to run any number of times at once: deployments call it after a
//! change of the migrations, a schedule calls it daily.

mod roles;
mod serve;
mod settings;

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::{
    ConnectSettings, IamLogIn, MigrationReport, PartitionPlan, PartitionReport, PgPool, StoreError,
    connect_lazy, create_partitions, delete_expired_records, drop_partitions, migrate,
};

pub use roles::{CreateRolesError, RoleDeps, RoleSettings, Users, create_roles};
pub use serve::serve;
pub use settings::{Settings, Task};

/// One statement at a time; the migrations use a connection of their own.
const CONNECTIONS_MAX: u32 = 1;
/// A database that paused needs up to 30 s to resume.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(60);

/// What the handler works with.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The database, as the owner of its tables.
    pub pool: PgPool,
    /// Renewed before each step, where it is needed.
    pub log_in: Option<IamLogIn>,
    /// Which partitions there should be.
    pub plan: PartitionPlan,
}

impl Deps {
    /// Makes the pool; it does no IO yet.
    ///
    /// # Errors
    /// When the database URL is none.
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
        })
    }

    fn renew_log_in(&self) -> Result<(), StoreError> {
        match &self.log_in {
            Some(log_in) => log_in.renew(&self.pool, SystemTime::now()),
            None => Ok(()),
        }
    }
}

/// A request. Whatever else it carries (a schedule's event, the hash by which a deployment tells
/// that the migrations changed) is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Request {
    /// Takes this as the present instead of the clock. A time to come only creates partitions ahead;
    /// what has expired is never told by a time after the clock's, so that a wrong one loses nothing.
    #[serde(default)]
    pub now: Option<DateTime<Utc>>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The schema.
    pub migrations: MigrationReport,
    /// The partitions.
    pub partitions: PartitionReport,
}

/// Applies what is missing, creates partitions ahead, drops expired ones, deletes expired records from
/// the default partition.
///
/// # Errors
/// See [`StoreError`]; what was done before stays done, and the next run goes on from there.
pub async fn handle(request: Request, deps: &Deps) -> Result<Report, StoreError> {
    deps.renew_log_in()?;
    let migrations = migrate(&deps.pool).await?;
    // The migrations may have taken longer than a token lives.
    deps.renew_log_in()?;
    let clock = Utc::now();
    let now = request.now.unwrap_or(clock);
    let past = now.min(clock);
    let partitions = PartitionReport {
        created: create_partitions(&deps.pool, &deps.plan, now).await?,
        dropped: drop_partitions(&deps.pool, &deps.plan, past).await?,
        deleted_records: delete_expired_records(&deps.pool, &deps.plan, past).await?,
    };
    tracing::info!(
        applied = migrations.applied.len(),
        created = partitions.created.join(" "),
        dropped = partitions.dropped.join(" "),
        deleted_records = partitions.deleted_records,
        "schema kept"
    );
    Ok(Report {
        migrations,
        partitions,
    })
}
