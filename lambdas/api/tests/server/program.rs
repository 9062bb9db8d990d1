//! The program and raw connections to it.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use devstack::TestDatabase;
use event::parse_event;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

/// Long enough for everything, so that a test that waits for it fails clearly.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Between two bytes of a client that keeps its connection busy: far below the limits of the tests.
const DRIP: Duration = Duration::from_millis(20);

/// A database with events.
pub(crate) async fn stored(count: u32) -> TestDatabase {
    let database = TestDatabase::create().await.unwrap();
    store::migrate(database.pool()).await.unwrap();
    let events: Vec<_> = (0..count)
        .map(|number| {
            let body = format!(
                r#"{{"specversion":"1.0","id":"{number}","source":"/tests","type":"made","time":"2026-11-24T12:00:00Z"}}"#
            );
            parse_event(&body).unwrap().into_owned()
        })
        .collect();
    store::write_batch(database.pool(), &events).await.unwrap();
    database
}

/// The program on a free port.
pub(crate) fn command(url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_api"));
    command
        .env_clear()
        .env("DATABASE_URL", url)
        .env("API_LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A running server.
pub(crate) struct Program {
    child: Child,
    _log: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Program {
    pub(crate) async fn start(url: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = command(url);
        command.envs(settings.iter().copied());
        Self::of(command).await
    }

    /// Starts a command that logs where it listens.
    pub(crate) async fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = timeout(LIMIT, log.next_line()).await.unwrap().unwrap();
            let Some(line) = line else {
                let output = child.wait_with_output().await.unwrap();
                panic!("{}", String::from_utf8_lossy(&output.stderr));
            };
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().parse().unwrap();
            }
        };
        Self {
            child,
            _log: log,
            address,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        let stream = timeout(LIMIT, TcpStream::connect(self.address)).await;
        let stream = stream.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        Client(BufReader::new(stream))
    }

    /// Asks on new connections until the status is this one. Some of them may be closed.
    pub(crate) async fn wait_until(&self, path: &str, status: u16) {
        let asking = async {
            loop {
                let mut client = self.client().await;
                client.send(&request(path)).await;
                if client
                    .try_answer()
                    .await
                    .is_some_and(|answer| answer.status == status)
                {
                    return;
                }
            }
        };
        timeout(LIMIT, asking).await.unwrap();
    }

    pub(crate) async fn wait_until_refused(&self) {
        let connecting = async { while TcpStream::connect(self.address).await.is_ok() {} };
        timeout(LIMIT, connecting).await.unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &self.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// The exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let ended = timeout(LIMIT, self.child.wait()).await;
        ended.unwrap().unwrap().code()
    }

    /// Ends it as Ctrl-C does: without the delay.
    pub(crate) async fn stop(mut self) {
        self.signal("INT");
        assert_eq!(self.ended().await, Some(0));
    }
}

/// An answer with its head and body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// A connection.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(&request(path)).await;
        self.answer().await
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        let answer = timeout(LIMIT, self.try_answer()).await;
        answer.unwrap().unwrap()
    }

    /// The next answer; `None` when the connection ends before.
    async fn try_answer(&mut self) -> Option<Answer> {
        let mut text = String::new();
        while !text.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut text).await.ok()? == 0 {
                return None;
            }
        }
        let status = text.get(9..12).unwrap().parse().unwrap();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).await.ok()?;
        text.push_str(&String::from_utf8_lossy(&body));
        Some(Answer { status, text })
    }

    /// Waits until the server closes the connection.
    pub(crate) async fn read_to_end(&mut self) {
        let mut rest = Vec::new();
        // A connection that is cut may end with an error.
        let _ = timeout(LIMIT, self.0.read_to_end(&mut rest)).await.unwrap();
    }

    /// Sends a byte now and then until the server closes the connection.
    pub(crate) async fn drip_until_closed(mut self) {
        let dripping = async {
            let mut byte = [0];
            loop {
                tokio::select! {
                    read = self.0.read(&mut byte) => match read {
                        Ok(0) | Err(_) => return,
                        Ok(_) => {}
                    },
                    () = sleep(DRIP) => {
                        let _ = self.0.get_mut().write_all(b"a").await;
                    }
                }
            }
        };
        timeout(LIMIT, dripping).await.unwrap();
    }
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")
}
