//! HTTP services that are measured: ours and the peers'.
//!
//! Invariant: a service ends with the value that stands for it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest time until a service answers.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Service {
    child: Child,
    pub(crate) address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Service {
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Starts a program that listens on the port that `command` is made for, and waits for its answer.
    pub(crate) async fn start(command: impl FnOnce(u16) -> Command) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let address = format!("127.0.0.1:{port}");
        let child = command(port).stdout(Stdio::null()).spawn().unwrap();
        let service = Self { child, address };
        let begun = Instant::now();
        while !service.answers().await {
            assert!(begun.elapsed() < LIMIT, "no answer in time");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        service
    }

    async fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(&self.address).await else {
            return false;
        };
        let request = "GET /v1/records HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).await.is_ok()
            && stream.read_to_string(&mut answer).await.is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }
}

/// The binary in the profile `release`, built so that it is never older than its source.
pub(crate) fn release_binary() -> PathBuf {
    let folder = env!("CARGO_MANIFEST_DIR");
    let built = Command::new(env!("CARGO"))
        // With the features of the workspace, which the bench was compiled with as well.
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--release",
            "--bin",
            "api",
        ])
        .current_dir(folder)
        .env_remove("CARGO_TARGET_DIR")
        .status();
    assert!(built.unwrap().success(), "api was not built");
    PathBuf::from(folder).join("../../target/release/api")
}

pub(crate) fn ours(binary: &PathBuf, url: &str, port: u16) -> Command {
    let mut command = Command::new(binary);
    command
        .env("DATABASE_URL", url)
        .env("API_LISTEN", format!("127.0.0.1:{port}"))
        .env_remove("AWS_LAMBDA_RUNTIME_API");
    command
}
