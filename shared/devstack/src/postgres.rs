//! A private PostgreSQL server in its own folder.
//!
//! Invariant: it listens on no port, only on a Unix socket that no other account can open, inside
//! a folder that no other account can enter. Its superuser logs in only from a process of this
//! user, of root or of the server's own account.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;

use crate::DevstackError;
use crate::guardian::{Account, Ending, GroupId, Guardian, Program, last_lines};
use crate::install::is_open_to_all;
use crate::postgres_binaries::{account, locate, uid_name};
use crate::progress::{ProgressSender, Step};

/// Superuser of the private server.
const SUPERUSER: &str = "opsconsole";
const LOG: &str = "postgres.log";
/// Name of the map from operating-system users to the superuser (PostgreSQL manual, "User Name
/// Maps").
const USER_MAP: &str = "owner";
const INITDB_LIMIT: Duration = Duration::from_secs(60);
const START_LIMIT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Longest folder whose socket path fits into a socket address (`sun_path` has 104 bytes on macOS, the
/// name of the socket 14).
const FOLDER_BYTES_MAX: usize = 85;
/// Fast shutdown, then immediate shutdown, then kill.
const STOP_FORCE: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(10)),
    (Signal::QUIT, Duration::from_secs(5)),
    (Signal::KILL, Duration::from_secs(5)),
];

/// What is lost in a crash of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: every commit is on disk.
    #[default]
    Full,
    /// Everything: for tests, whose data is never used after a crash.
    None,
}

/// How to start a [`Postgres`].
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// Whether commits are written to disk.
    pub durability: Durability,
    /// Further settings of the server, as `name=value`; of several for one name the last counts.
    pub settings: Vec<String>,
    /// Receives the steps of the start.
    pub progress: ProgressSender,
}

/// A running private server. Dropping it stops it at once and removes its data.
pub struct Postgres {
    // Dropped first: ends the server and removes the folder.
    guardian: Guardian,
    server: Mutex<Option<GroupId>>,
    binaries: PathBuf,
    account: Option<Account>,
    durability: Durability,
    settings: Vec<String>,
}

impl Postgres {
    /// Creates a cluster and starts a server on it.
    ///
    /// # Errors
    /// When there is no PostgreSQL and none can be installed, or when it does not start; the error quotes
    /// its log.
    pub async fn start(options: PostgresOptions) -> Result<Self, DevstackError> {
        let binaries = locate(&options.progress).await?;
        let timer = options.progress.begin(Step::StartPostgres);
        let account = account()?;
        if account.is_some() && !is_open_to_all(&binaries) {
            return Err(DevstackError::Failed {
                operation: "start PostgreSQL".to_owned(),
                detail: format!(
                    "it refuses to run as root, and no other account can reach {}; run this as \
                     another user",
                    binaries.display()
                ),
            });
        }
        let guardian = Guardian::start(&parent_folder(account), "postgres")?;
        if let Some(account) = account {
            chown(guardian.folder(), Some(account.uid), Some(account.gid)).map_err(
                DevstackError::io("change the owner of the database's folder"),
            )?;
        }
        let postgres = Self {
            guardian,
            server: Mutex::new(None),
            binaries,
            account,
            durability: options.durability,
            settings: options.settings,
        };
        postgres.initialize().await?;
        postgres.start_again().await?;
        timer.finish();
        Ok(postgres)
    }

    /// Connection URL of a database, for sqlx and psql.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{SUPERUSER}@localhost/{database}?host={}",
            self.guardian.folder().display()
        )
    }

    /// Creates an empty database.
    ///
    /// # Errors
    /// When the server does not run or the name exists.
    pub async fn create_database(&self, name: &str) -> Result<(), DevstackError> {
        create_database(&self.url("postgres"), name).await
    }

    /// Stops the server and keeps its data, to simulate an outage; [`Self::start_again`] ends the outage.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn stop_server(&self) -> Result<(), DevstackError> {
        let server = self.server();
        if let Some(group) = server {
            self.guardian.end(group, &STOP_FORCE).await?;
        }
        self.set_server(None);
        Ok(())
    }

    /// Starts the server on the existing data.
    ///
    /// # Errors
    /// When it does not answer in time; the error quotes its log.
    pub async fn start_again(&self) -> Result<(), DevstackError> {
        let mut program = self.program("postgres").arguments(["-D", "data"]);
        program.ending = Ending::Quit;
        let folder = self.guardian.folder().display().to_string();
        let mut settings = vec![
            format!("unix_socket_directories={folder}"),
            "unix_socket_permissions=0700".to_owned(),
            "listen_addresses=".to_owned(),
            "max_connections=200".to_owned(),
            "shared_buffers=64MB".to_owned(),
            "logging_collector=off".to_owned(),
        ];
        match self.durability {
            Durability::Full => {}
            Durability::None => settings.extend(
                ["fsync", "synchronous_commit", "full_page_writes"]
                    .map(|name| format!("{name}=off")),
            ),
        }
        settings.extend_from_slice(&self.settings);
        for setting in settings {
            program = program.arguments(["-c".to_owned(), setting]);
        }
        let (group, _) = self.guardian.spawn(&program)?;
        self.set_server(Some(group));
        self.wait_until_ready(group).await
    }

    /// Stops the server with a fast shutdown and removes its data.
    ///
    /// # Errors
    /// When it does not end in time; it is killed then.
    pub async fn stop(self) -> Result<(), DevstackError> {
        self.stop_server().await
    }

    /// What the server has logged.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<String, DevstackError> {
        let log = self.guardian.folder().join(LOG);
        fs::read_to_string(log).map_err(DevstackError::io("read the log of PostgreSQL"))
    }

    /// The exit status, if the server ended unexpectedly.
    #[must_use]
    pub fn failure(&self) -> Option<ExitStatus> {
        self.guardian.exit_status(self.server()?)
    }

    /// Folder with the socket, the data and the log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.guardian.folder()
    }

    fn server(&self) -> Option<GroupId> {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_server(&self, server: Option<GroupId>) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = server;
    }

    fn program(&self, name: &str) -> Program {
        let mut program = Program::new(self.binaries.join(name), &self.guardian, LOG);
        program.account = self.account;
        program.hidden_variables = &["PG*", "LC_*", "LANG", "LANGUAGE"];
        program
    }

    async fn initialize(&self) -> Result<(), DevstackError> {
        let program = self.program("initdb").arguments([
            "--pgdata=data",
            "--encoding=UTF8",
            "--locale=C",
            "--auth-local=peer",
            "--auth-host=reject",
            "--no-sync",
            "--username",
            SUPERUSER,
        ]);
        self.guardian
            .run("create a database cluster", &program, INITDB_LIMIT)
            .await?;
        self.write_access_rules()
    }

    /// The superuser is known by the account of the process that connects (`peer`); every other role
    /// needs a password, which only a test gives it.
    fn write_access_rules(&self) -> Result<(), DevstackError> {
        let data = self.guardian.folder().join("data");
        let own = uid_name(rustix::process::geteuid().as_raw())?;
        let server = match self.account {
            Some(account) => uid_name(account.uid)?,
            None => own.clone(),
        };
        let map: String = [own.as_str(), server.as_str(), "root"]
            .map(|user| format!("{USER_MAP} \"{user}\" {SUPERUSER}\n"))
            .concat();
        let rules =
            format!("local all {SUPERUSER} peer map={USER_MAP}\nlocal all all scram-sha-256\n");
        for (name, text) in [("pg_ident.conf", map), ("pg_hba.conf", rules)] {
            fs::write(data.join(name), text)
                .map_err(DevstackError::io(format!("write {name} of PostgreSQL")))?;
        }
        Ok(())
    }

    async fn wait_until_ready(&self, group: GroupId) -> Result<(), DevstackError> {
        let log = self.guardian.folder().join(LOG);
        let deadline = Instant::now() + START_LIMIT;
        let url = self.url("postgres");
        loop {
            if let Some(status) = self.guardian.exit_status(group) {
                return Err(DevstackError::Failed {
                    operation: "start PostgreSQL".to_owned(),
                    detail: format!("{status}: {}", last_lines(&log)),
                });
            }
            if let Ok(connection) = PgConnection::connect(&url).await {
                connection.close().await.ok();
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(DevstackError::Timeout {
                    operation: "start PostgreSQL".to_owned(),
                    limit: START_LIMIT,
                    detail: last_lines(&log),
                });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// Creates an empty database on the server of `url`. The name is quoted.
pub(crate) async fn create_database(url: &str, name: &str) -> Result<(), DevstackError> {
    let operation = || DevstackError::database(format!("create the database {name:?}"));
    let mut connection = PgConnection::connect(url).await.map_err(operation())?;
    let statement = format!(
        "create database \"{}\" template template0",
        name.replace('"', "\"\"")
    );
    sqlx::raw_sql(&statement)
        .execute(&mut connection)
        .await
        .map_err(operation())?;
    connection.close().await.map_err(operation())
}

/// The temporary folder; `/tmp` where its path is too long for a socket or the account cannot enter it.
fn parent_folder(account: Option<Account>) -> PathBuf {
    let folder = std::env::temp_dir();
    let name_bytes = "/opsconsole-postgres-XXXXXX".len();
    let is_short = folder.as_os_str().len() + name_bytes <= FOLDER_BYTES_MAX;
    if is_short && (account.is_none() || is_open_to_all(&folder)) {
        folder
    } else {
        PathBuf::from("/tmp")
    }
}
