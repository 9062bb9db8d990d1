//! The whole pipeline on one machine.
//!
//! Invariant: a [`Stack`] is ready when [`Stack::start`] returns: its API has answered and its queue is
//! connected to the ingest function.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::deployment::{self, Function};
use crate::endpoints::{API, INGEST, MIGRATE};
use crate::evidence::Counting;
use crate::functions::Functions;
use crate::log_file::LogFile;
use crate::messaging::{Queues, create_queues};
use crate::progress::{ProgressSender, Step};
use crate::{
    DevstackError, Durability, Emulator, EmulatorOptions, Endpoints, IngestCounts, Postgres,
    PostgresOptions, function_logs, function_metrics, log_space, queue_metrics, sdk_config,
};

const DATABASE: &str = "events";
/// Interval of checking the processes of the stack.
const FAILURE_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How to start a [`Stack`].
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// The binaries to deploy.
    pub functions: Functions,
    /// Whether commits are written to disk.
    pub durability: Durability,
    /// Receives the steps of the start.
    pub progress: ProgressSender,
    /// Files to remove when the stack ends, also when this process is killed.
    pub remove_at_end: Vec<PathBuf>,
    /// Whether the ingest permits messages to replace records. Whoever reaches a stack is alone with it, and may
    /// erase records as well.
    pub replacements_allowed: bool,
}

impl StackOptions {
    /// A durable stack with these functions, without progress.
    #[must_use]
    pub fn new(functions: Functions) -> Self {
        Self {
            functions,
            durability: Durability::Full,
            progress: ProgressSender::default(),
            remove_at_end: Vec::new(),
            replacements_allowed: true,
        }
    }
}

/// A running pipeline. Dropping it ends all its processes at once.
pub struct Stack {
    // In the order in which they are dropped: users before what they use.
    senders: JoinSet<()>,
    emulator: Emulator,
    postgres: Postgres,
    endpoints: Endpoints,
    ingest_log: Arc<LogFile>,
    counting: Arc<Counting>,
}

impl Stack {
    /// Starts everything and deploys the functions.
    ///
    /// # Errors
    /// The error of the first step that failed; what was started before is ended.
    pub async fn start(options: StackOptions) -> Result<Self, DevstackError> {
        let ((postgres, database_url), (emulator, config, queues)) =
            tokio::try_join!(start_database(&options), start_queues(&options))?;
        let endpoint_url = emulator.endpoint_url();

        let timer = options.progress.begin(Step::DeployFunctions);
        let create = async |name, binary| {
            let function = Function {
                name,
                binary,
                database_url: &database_url,
                log: &log_of(&emulator, name),
                replacements_allowed: options.replacements_allowed,
            };
            deployment::create_function(endpoint_url, &queues, function).await
        };
        tokio::try_join!(
            create(MIGRATE, &options.functions.migrate),
            create(INGEST, &options.functions.ingest),
            create(API, &options.functions.api),
        )?;
        timer.finish();

        let migrate = async {
            let timer = options.progress.begin(Step::MigrateDatabase);
            let report = deployment::migrate(endpoint_url).await?;
            tracing::info!(%report, "the database is migrated");
            timer.finish();
            let timer = options.progress.begin(Step::ConnectIngest);
            deployment::connect_ingest(endpoint_url, &queues).await?;
            timer.finish();
            Ok(())
        };
        let timer = options.progress.begin(Step::CreateApi);
        let ((), api_url) = tokio::try_join!(migrate, deployment::create_api(endpoint_url))?;
        deployment::wait_for_api(&api_url).await?;
        timer.finish();

        let endpoints = queues.endpoints(&config, endpoint_url, api_url, database_url);
        let (senders, ingest_log, counting) = spawn_senders(&emulator, &endpoints);
        Ok(Self {
            senders,
            emulator,
            postgres,
            endpoints,
            ingest_log,
            counting,
        })
    }

    /// Addresses and names of the parts.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The database server, to stop and start it in tests of outages.
    #[must_use]
    pub fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    /// The emulator.
    #[must_use]
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// What the ingest function has counted so far.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn ingest_counts(&self) -> Result<IngestCounts, DevstackError> {
        self.counting.read_on()
    }

    /// What the ingest function has logged; empty before its first batch. Of a long log the beginning is not kept.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn ingest_log(&self) -> Result<String, DevstackError> {
        self.ingest_log.kept()
    }

    /// Whether no process ended unexpectedly (a database that was stopped on purpose is not unexpected).
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.failure().is_none()
    }

    /// Waits until a process ends unexpectedly; returns its error.
    pub async fn wait_for_failure(&self) -> DevstackError {
        loop {
            if let Some(failure) = self.failure() {
                return failure;
            }
            tokio::time::sleep(FAILURE_POLL_INTERVAL).await;
        }
    }

    /// Stops everything, functions first.
    ///
    /// # Errors
    /// When a process does not end in time; it is killed then.
    pub async fn stop(self) -> Result<(), DevstackError> {
        let Self {
            senders,
            emulator,
            postgres,
            endpoints: _,
            ingest_log: _,
            counting: _,
        } = self;
        drop(senders);
        let emulator = emulator.stop().await;
        postgres.stop().await.and(emulator)
    }

    /// The error of a process that ended unexpectedly, with the last lines of its log.
    #[must_use]
    pub fn failure(&self) -> Option<DevstackError> {
        let failed = |operation: &str, detail: String| DevstackError::Failed {
            operation: operation.to_owned(),
            detail,
        };
        if let Some(status) = self.emulator.failure() {
            let detail = match self.emulator.log_tail() {
                log if log.is_empty() => status.to_string(),
                log => format!("{status}: {log}"),
            };
            return Some(failed("keep the AWS emulator running", detail));
        }
        self.postgres
            .failure()
            .map(|status| failed("keep PostgreSQL running", status.to_string()))
    }
}

/// What AWS does by itself: metrics and log lines. And the log of the ingest, with what it has counted.
fn spawn_senders(
    emulator: &Emulator,
    endpoints: &Endpoints,
) -> (JoinSet<()>, Arc<LogFile>, Arc<Counting>) {
    let [mut ingest, mut api, mut migrate] =
        [INGEST, API, MIGRATE].map(|name| LogFile::new(log_of(emulator, name)));
    let mut senders = JoinSet::new();
    senders.spawn(queue_metrics::publish_for_ever(endpoints.clone()));
    senders.spawn(function_metrics::publish_for_ever(
        endpoints.clone(),
        ingest.sender(),
    ));
    let sent = [
        (INGEST, ingest.sender()),
        (API, api.sender()),
        (MIGRATE, migrate.sender()),
    ];
    let endpoint_url = emulator.endpoint_url().to_owned();
    senders.spawn(function_logs::send_for_ever(endpoint_url, sent));
    let counting = Arc::new(Counting::of(ingest.reader()));
    let ingest = Arc::new(ingest);
    let logs = vec![Arc::clone(&ingest), Arc::new(api), Arc::new(migrate)];
    senders.spawn(log_space::free_for_ever(logs, Arc::clone(&counting)));
    (senders, ingest, counting)
}

/// The log file of a function; it is removed with the emulator.
fn log_of(emulator: &Emulator, function: &str) -> PathBuf {
    emulator.folder().join(format!("{function}.log"))
}

async fn start_database(options: &StackOptions) -> Result<(Postgres, String), DevstackError> {
    let postgres = Postgres::start(PostgresOptions {
        durability: options.durability,
        settings: Vec::new(),
        progress: options.progress.clone(),
    })
    .await?;
    postgres.create_database(DATABASE).await?;
    let url = postgres.url(DATABASE);
    Ok((postgres, url))
}

async fn start_queues(
    options: &StackOptions,
) -> Result<(Emulator, aws_config::SdkConfig, Queues), DevstackError> {
    let emulator = Emulator::start(EmulatorOptions {
        progress: options.progress.clone(),
    })
    .await?;
    for path in &options.remove_at_end {
        emulator.remove_at_end(path)?;
    }
    let timer = options.progress.begin(Step::CreateQueues);
    let config = sdk_config(emulator.endpoint_url());
    let queues = create_queues(&config, emulator.endpoint_url()).await?;
    timer.finish();
    Ok((emulator, config, queues))
}
