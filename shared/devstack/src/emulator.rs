//! The AWS emulator (MiniStack).
//!
//! Invariant: it listens on loopback only, enforces policies (so that a missing queue policy is an error),
//! and writes nothing outside of its own folder.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::DevstackError;
use crate::endpoints::{ACCESS_KEY, REGION};
use crate::guardian::{GroupId, Guardian, Program, last_lines};
use crate::install;
use crate::progress::{ProgressSender, Step};

const START_LIMIT: Duration = Duration::from_secs(30);
/// Another program may bind the free port before the emulator does.
const PORT_ATTEMPTS_MAX: u32 = 3;
const PROBE_LIMIT: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(25);
/// Runs MiniStack with additions, see there.
const LAUNCHER: &str = include_str!("emulator.py");
const LOG_NAME: &str = "emulator.log";
const STOP_FORCE: [(Signal, Duration); 2] = [
    (Signal::TERM, Duration::from_secs(3)),
    (Signal::KILL, Duration::from_secs(5)),
];
/// Variables of this process's environment that would change how the emulator behaves.
const HIDDEN_VARIABLES: [&str; 16] = [
    "AWS_*",
    "DOCKER_*",
    "EDGE_PORT",
    "INIT_*",
    "IOT_*",
    "LAMBDA_*",
    "LOCALSTACK_*",
    "LOG_LEVEL",
    "MINISTACK_*",
    "PERSIST_STATE",
    "PYTHON*",
    "S3_*",
    "SERVICES",
    "SFTP_*",
    "STATE_DIR",
    "USE_SSL",
];

/// How to start an [`Emulator`].
#[derive(Clone, Debug, Default)]
pub struct EmulatorOptions {
    /// Receives the steps of the start.
    pub progress: ProgressSender,
}

/// A running emulator. Dropping it stops it and every function that it runs.
pub struct Emulator {
    guardian: Guardian,
    process: GroupId,
    endpoint_url: String,
}

impl Emulator {
    /// Installs the emulator if necessary, and starts it.
    ///
    /// # Errors
    /// When it cannot be installed or does not answer; the error quotes its log.
    pub async fn start(options: EmulatorOptions) -> Result<Self, DevstackError> {
        let python = install::emulator(&options.progress).await?;
        let timer = options.progress.begin(Step::StartEmulator);
        let mut attempt = 1;
        let emulator = loop {
            match Self::start_once(&python).await {
                Err(DevstackError::Failed { .. }) if attempt < PORT_ATTEMPTS_MAX => attempt += 1,
                outcome => break outcome?,
            }
        };
        timer.finish();
        Ok(emulator)
    }

    /// Starts an emulator for a test, without progress.
    ///
    /// # Errors
    /// See [`Self::start`].
    pub async fn start_for_tests() -> Result<Self, DevstackError> {
        Self::start(EmulatorOptions::default()).await
    }

    async fn start_once(python: &Path) -> Result<Self, DevstackError> {
        let guardian = Guardian::start(&std::env::temp_dir(), "emulator")?;
        let port = free_port().map_err(DevstackError::io("find a free port on loopback"))?;
        let endpoint_url = format!("http://{}:{port}", Ipv4Addr::LOCALHOST);
        let folder = guardian.folder();
        let temporary = folder.join("tmp");
        fs::create_dir(&temporary)
            .map_err(DevstackError::io("create a folder for the emulator"))?;
        let launcher = folder.join("emulator.py");
        fs::write(&launcher, LAUNCHER)
            .map_err(DevstackError::io("write the launcher of the emulator"))?;
        let mut program = Program::new(python, &guardian, LOG_NAME)
            .arguments([&launcher])
            .variable("AUTH", "true")
            .variable("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .variable("AWS_SECRET_ACCESS_KEY", ACCESS_KEY)
            .variable("AWS_DEFAULT_REGION", REGION)
            .variable("AWS_ENDPOINT_URL", &endpoint_url)
            .variable("BIND_HOST", Ipv4Addr::LOCALHOST.to_string())
            .variable("GATEWAY_PORT", port.to_string())
            .variable("LAMBDA_EXECUTOR", "local")
            .variable("LOG_LEVEL", "WARNING")
            .variable("MINISTACK_HOST", Ipv4Addr::LOCALHOST.to_string())
            .variable("MINISTACK_REGION", REGION)
            .variable("PERSIST_STATE", "0")
            .variable("PYTHONDONTWRITEBYTECODE", "1")
            .variable("PYTHONUNBUFFERED", "1")
            .variable("S3_DATA_DIR", temporary.join("s3"))
            .variable("STATE_DIR", temporary.join("state"))
            .variable("TMPDIR", &temporary);
        program.hidden_variables = &HIDDEN_VARIABLES;
        let (process, _) = guardian.spawn(&program)?;
        let emulator = Self {
            guardian,
            process,
            endpoint_url,
        };
        emulator
            .wait_until_ready(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .await?;
        Ok(emulator)
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// The folder with its log and all its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.guardian.folder()
    }

    /// The exit status, if the emulator ended unexpectedly.
    #[must_use]
    pub fn failure(&self) -> Option<ExitStatus> {
        self.guardian.exit_status(self.process)
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        last_lines(&self.guardian.folder().join(LOG_NAME))
    }

    /// Stops the emulator and every function that it runs, and removes its folder.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn stop(self) -> Result<(), DevstackError> {
        self.guardian.end(self.process, &STOP_FORCE).await
    }

    pub(crate) fn remove_at_end(&self, path: &Path) -> Result<(), DevstackError> {
        self.guardian.remove_at_end(path)
    }

    async fn wait_until_ready(&self, address: SocketAddr) -> Result<(), DevstackError> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.failure() {
                return Err(DevstackError::Failed {
                    operation: "start the AWS emulator".to_owned(),
                    detail: format!("{status}: {}", self.log_tail()),
                });
            }
            if matches!(
                tokio::time::timeout(PROBE_LIMIT, is_healthy(address)).await,
                Ok(true)
            ) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(DevstackError::Timeout {
                    operation: "start the AWS emulator".to_owned(),
                    limit: START_LIMIT,
                    detail: self.log_tail(),
                });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

fn free_port() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// One hand-written request: an HTTP client would need TLS and a pool for a single request.
async fn is_healthy(address: SocketAddr) -> bool {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "GET /_ministack/health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(64).read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    exchange
        .await
        .is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
}
