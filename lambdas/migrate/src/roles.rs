//! Makes the users of the database, as its master, through the RDS Data API.
//!
//! Invariant: idempotent, and it needs no way into the network of the database. The master's password
//! is read by the service itself and never seen here.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_rdsdata::Client;
use aws_sdk_rdsdata::error::{DisplayErrorContext, SdkError};
use aws_sdk_rdsdata::operation::execute_statement::ExecuteStatementError;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use serde::{Deserialize, Serialize};
use store::{RoleError, SettingsError, Variables, role_statements};
use tokio::time::{Instant, sleep};

/// A database that paused needs up to 30 s to resume, a new one somewhat longer; the function has
/// 300 s in all.
const RESUME_LIMIT: Duration = Duration::from_secs(240);
const RESUME_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Settings of the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSettings {
    /// The cluster (`DATABASE_CLUSTER_ARN`).
    pub cluster_arn: String,
    /// The secret with the master's password (`DATABASE_SECRET_ARN`).
    pub secret_arn: String,
    /// The database (`DATABASE_NAME`).
    pub database: String,
}

impl RoleSettings {
    pub(crate) fn read<F: Fn(&str) -> Option<String>>(
        variables: &Variables<F>,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            cluster_arn: variables.required("DATABASE_CLUSTER_ARN")?,
            secret_arn: variables.required("DATABASE_SECRET_ARN")?,
            database: variables.required("DATABASE_NAME")?,
        })
    }
}

/// What the task works with.
#[derive(Clone, Debug)]
pub struct RoleDeps {
    /// The Data API.
    pub client: Client,
    /// Which database, and as whom.
    pub settings: RoleSettings,
}

impl RoleDeps {
    /// Makes the client; it does no IO yet.
    pub async fn connect(settings: RoleSettings) -> Self {
        let http_client = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client)
            .load()
            .await;
        Self {
            client: Client::new(&config),
            settings,
        }
    }
}

/// Which users there shall be; also the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    /// Their names.
    pub users: Vec<String>,
}

/// Why the users were not made; those before may have been.
#[derive(Debug, thiserror::Error)]
pub enum CreateRolesError {
    /// A name cannot be one.
    #[error("create roles: {0}")]
    Name(#[from] RoleError),
    /// The Data API refused a statement.
    #[error("create roles: {statement:?}: {cause}")]
    Refused {
        /// The statement.
        statement: String,
        /// Why.
        cause: String,
    },
}

/// Makes the users that are missing, each with the right to log in by IAM.
///
/// # Errors
/// See [`CreateRolesError`]; another run goes on from there.
pub async fn create_roles(request: Users, deps: &RoleDeps) -> Result<Users, CreateRolesError> {
    let deadline = Instant::now() + RESUME_LIMIT;
    for statement in role_statements(&request.users, &deps.settings.database)? {
        execute(&statement, deps, deadline).await?;
    }
    tracing::info!(users = request.users.join(" "), "roles made");
    Ok(request)
}

/// Sends a statement; waits while the database resumes.
async fn execute(
    statement: &str,
    deps: &RoleDeps,
    deadline: Instant,
) -> Result<(), CreateRolesError> {
    loop {
        let outcome = deps
            .client
            .execute_statement()
            .resource_arn(&deps.settings.cluster_arn)
            .secret_arn(&deps.settings.secret_arn)
            .database(&deps.settings.database)
            .sql(statement)
            .send()
            .await;
        let error = match outcome {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if !is_resuming(&error) || Instant::now() >= deadline {
            return Err(CreateRolesError::Refused {
                statement: statement.to_owned(),
                cause: DisplayErrorContext(error).to_string(),
            });
        }
        tracing::info!("the database is not available yet, waiting");
        sleep(RESUME_POLL_INTERVAL).await;
    }
}

fn is_resuming<R>(error: &SdkError<ExecuteStatementError, R>) -> bool {
    error.as_service_error().is_some_and(|error| {
        error.is_database_resuming_exception() || error.is_database_unavailable_exception()
    })
}
