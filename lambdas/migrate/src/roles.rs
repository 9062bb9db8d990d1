//! Creates the database's users as the master user, through the RDS Data API.
//!
//! Invariant: idempotent, and it needs no network access to the database. The RDS service reads the master
//! password; this process never has it.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_rdsdata::Client;
use aws_sdk_rdsdata::error::{DisplayErrorContext, SdkError};
use aws_sdk_rdsdata::operation::execute_statement::ExecuteStatementError;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use serde::{Deserialize, Serialize};
use store::{RoleError, SettingsError, Variables, role_statements};
use tokio::time::{Instant, sleep};

/// A paused database needs up to 30 s to resume, a new one somewhat longer; the function's timeout is
/// 300 s.
const RESUME_LIMIT: Duration = Duration::from_secs(240);
const RESUME_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Settings of the task `create-roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSettings {
    /// ARN of the cluster (`DATABASE_CLUSTER_ARN`).
    pub cluster_arn: String,
    /// ARN of the secret with the master password (`DATABASE_SECRET_ARN`).
    pub secret_arn: String,
    /// Name of the database (`DATABASE_NAME`).
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

/// Dependencies of the task.
#[derive(Clone, Debug)]
pub struct RoleDeps {
    /// Client of the RDS Data API.
    pub client: Client,
    /// The database and the secret.
    pub settings: RoleSettings,
}

impl RoleDeps {
    /// Creates the client; it does no IO yet.
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

/// The users to create; also the response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    /// Names of the users.
    pub users: Vec<String>,
}

/// Why not all users were created. Those before the failed statement may exist.
#[derive(Debug, thiserror::Error)]
pub enum CreateRolesError {
    /// A name is not allowed.
    #[error("create roles: {0}")]
    Name(#[from] RoleError),
    /// The Data API refused a statement.
    #[error("create roles: {statement:?}: {cause}")]
    Refused {
        /// The SQL statement.
        statement: String,
        /// The error with its causes.
        cause: String,
    },
}

/// Creates missing users, each with the right to log in by IAM.
///
/// # Errors
/// See [`CreateRolesError`]; another run completes the rest.
pub async fn create_roles(request: Users, deps: &RoleDeps) -> Result<Users, CreateRolesError> {
    let deadline = Instant::now() + RESUME_LIMIT;
    for statement in role_statements(&request.users, &deps.settings.database)? {
        execute(&statement, deps, deadline).await?;
    }
    tracing::info!(users = request.users.join(" "), "roles created");
    Ok(request)
}

/// Sends a statement; retries while the database resumes.
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
