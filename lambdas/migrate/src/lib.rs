//! Applies migrations and maintains partitions. As another task, creates the database's users.
//!
//! Invariant: idempotent, and safe to run any number of times at once. Deployments call it after a change
//! of the migrations, a schedule calls it daily.

mod failures;
mod roles;
mod serve;
mod settings;

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::{
    ConnectSettings, IamLogIn, MigrationReport, PartitionPlan, PartitionReport, PgPool,
    PublicationName, Shares, StoreError, connect_lazy, create_partitions, disconnect, has_records,
    migrate, permit_replacements, publish_records, upkeep,
};

use failures::Failures;
pub use failures::HandleError;
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
    /// What each kind of upkeep may take of a run.
    pub shares: Shares,
    /// Publication of the records.
    pub publication: Option<PublicationName>,
    /// Whether the user of the ingest may replace records.
    pub replacements_allowed: bool,
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
            shares: Shares::DAILY,
            publication: settings.publication.clone(),
            replacements_allowed: settings.replacements_allowed,
        })
    }

    /// Closes the connections at the end of an invocation: a frozen function would keep the database from pausing.
    pub async fn disconnect(self) {
        disconnect(self.pool).await;
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

/// Creates partitions ahead, applies missing migrations, permits replacements or not, does the upkeep, and creates
/// the publication, if one is asked for.
///
/// Partitions ahead come first, also before migrations that fail or take all of the time: without them, new events
/// would be stored in the default partition, and moved out of it while writers wait. What comes after the migrations
/// is tried whatever became of the rest.
///
/// # Errors
/// [`HandleError::Migration`] before anything else was tried, [`HandleError::Steps`] with every step that failed. What
/// was done stays, and the next run continues.
pub async fn handle(request: Request, deps: &Deps) -> Result<Report, HandleError> {
    deps.renew_log_in()?;
    let clock = Utc::now();
    let now = request.now.unwrap_or(clock);
    let expiry_now = now.min(clock);
    let mut created = create_ahead(deps, now).await;
    let migrations = migrate(&deps.pool).await?;
    // The migrations may have taken longer than a token is valid.
    deps.renew_log_in()?;
    let mut failed = Failures::default();
    let permitted = permit_replacements(&deps.pool, deps.replacements_allowed).await;
    failed.of("permission of replacements", permitted);
    let more = create_partitions(&deps.pool, &deps.plan, now).await;
    created.extend(failed.of("partitions ahead", more).unwrap_or_default());
    let upkept = upkeep(&deps.pool, &deps.plan, expiry_now, deps.shares).await;
    for (work, error) in upkept.failed {
        failed.of::<()>(work.name(), Err(error));
    }
    let mut publication_created = None;
    if let Some(name) = &deps.publication {
        let published = publish_records(&deps.pool, name).await;
        publication_created = failed.of("publication", published);
    }
    let report = Report {
        migrations,
        partitions: PartitionReport {
            created,
            ..upkept.report
        },
        publication_created,
    };
    log(&report);
    failed.end()?;
    Ok(report)
}

fn log(report: &Report) {
    let Report {
        migrations,
        partitions,
        ..
    } = report;
    tracing::info!(
        applied = migrations.applied.len(),
        created = partitions.created.join(" "),
        dropped = partitions.dropped.join(" "),
        deleted_records = partitions.deleted_records,
        folded_hours = partitions.folded_hours,
        "changes of schema and partitions"
    );
    if !partitions.unfinished.is_empty() {
        tracing::warn!(
            unfinished = ?partitions.unfinished,
            "upkeep has used up its share of the run; the next run continues"
        );
    }
}

/// Creates partitions with the schema as it is. Where that fails, it is tried again after the migrations.
async fn create_ahead(deps: &Deps, now: DateTime<Utc>) -> Vec<String> {
    let created = async {
        if has_records(&deps.pool).await? {
            create_partitions(&deps.pool, &deps.plan, now).await
        } else {
            Ok(Vec::new())
        }
    };
    created.await.unwrap_or_else(|error: StoreError| {
        tracing::warn!(%error, "partitions ahead not created before the migrations");
        Vec::new()
    })
}
