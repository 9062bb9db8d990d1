//! The two queues and the real program that knows them, without functions and a database.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, ChildStderr};
use std::time::{Duration, Instant};

use pipeline::model::QueueRole;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::program::Program;
use super::proxy::{self, Fault, Proxy};
use super::queues::{Queues, receive_dead_letters};
use super::signals::signal;
use super::{configuration, machine};

/// Limit of waiting for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The queues, and the program that knows them.
pub(crate) struct Harness {
    pub(crate) runtime: Runtime,
    pub(crate) queues: Queues,
    pub(crate) program: Program,
    _machine: machine::Shared,
}

impl Harness {
    pub(crate) fn start() -> Self {
        let machine = machine::shared();
        let runtime = Runtime::new().unwrap();
        let queues = runtime.block_on(Queues::start());
        let harness = Self {
            program: Program::new(),
            runtime,
            queues,
            _machine: machine,
        };
        harness.configure(harness.queues.endpoint_url(), "");
        harness
    }

    pub(crate) fn configure(&self, endpoint_url: &str, more: &str) {
        let queues = self.queues.urls();
        let text = configuration::without_api("test", endpoint_url, queues, more);
        self.program.configure(&text);
    }

    /// Has the program go through a proxy where these calls of an operation fail.
    pub(crate) fn proxy(
        &self,
        operation: &'static str,
        fault: Fault,
        calls: Range<usize>,
    ) -> Proxy {
        let starting = proxy::start(self.queues.endpoint_url(), operation, fault, calls);
        let proxy = self.runtime.block_on(starting);
        self.configure(&proxy.url, "");
        proxy
    }

    pub(crate) fn add_dead_letters(&self, bodies: &[String]) {
        self.runtime
            .block_on(self.queues.add_dead_letters(bodies, &[]));
    }

    /// Starts a command that receives, and interrupts it when these receives have no answer yet.
    /// Returns it when it has noticed, with the rest of what it writes.
    pub(crate) fn interrupted(
        &self,
        arguments: &[&str],
        receives: Range<usize>,
    ) -> ((Child, BufReader<ChildStderr>), Proxy) {
        let mut proxy = self.proxy("ReceiveMessage", Fault::KeepAnswer, receives);
        let mut child = self.program.spawn(arguments);
        self.runtime.block_on(proxy.wait_until_kept());
        signal(child.id(), "INT");
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.contains("interrupted: releasing"), "{line}");
        ((child, stderr), proxy)
    }

    /// What an interrupted command writes until it ends by itself.
    pub(crate) fn rest_of_interrupted(
        &self,
        (mut child, mut stderr): (Child, BufReader<ChildStderr>),
    ) -> String {
        let reading = self.runtime.spawn_blocking(move || {
            let mut rest = String::new();
            stderr.read_to_string(&mut rest).unwrap();
            (child.wait().unwrap(), rest)
        });
        let ended = async { tokio::time::timeout(LIMIT, reading).await.unwrap() };
        let (status, rest) = self.runtime.block_on(ended).unwrap();
        assert_eq!(status.code(), Some(130), "{rest}");
        rest
    }

    /// Receives dead letters in this process, so that they are hidden from the program.
    pub(crate) fn receive(&self, count: usize) -> Vec<String> {
        let receiving = receive_dead_letters(&self.queues.pipeline, count, LIMIT);
        let received = self.runtime.block_on(receiving).messages;
        assert_eq!(received.len(), count);
        let handles = received.into_iter().map(|message| message.receipt_handle);
        handles.collect()
    }

    /// Dead letters that can be received, and those that are hidden.
    pub(crate) fn depth(&self) -> (usize, usize) {
        self.runtime
            .block_on(self.queues.depth(QueueRole::DeadLetter))
    }

    pub(crate) fn depth_until(&self, is_right: impl Fn((usize, usize)) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !is_right(self.depth()) {
            assert!(Instant::now() < deadline, "{:?}", self.depth());
        }
    }

    /// Messages of the source queue.
    pub(crate) fn source(&self) -> usize {
        self.runtime.block_on(self.queues.count(QueueRole::Source))
    }

    /// Lists the redrives until one is as wanted.
    pub(crate) fn redrive_until(&self, is_right: impl Fn(&Value) -> bool) -> Value {
        let find = |listed: &Value| {
            let mut redrives = listed.as_array().unwrap().iter();
            redrives.find(|one| is_right(one)).cloned()
        };
        let listed = self
            .program
            .json_until(&["redrive", "list"], LIMIT, |listed| find(listed).is_some());
        find(&listed).unwrap()
    }

    /// The message id of an event, as `dlq list` shows it.
    pub(crate) fn message_id(&self, id: &str) -> String {
        let (_, messages) = self.program.json(&["dlq", "list"]);
        let messages = messages.as_array().unwrap();
        let message = messages.iter().find(|message| message["event"]["id"] == id);
        message.unwrap()["message_id"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn valid(id: &str) -> String {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": "/cli/test",
        "type": "cli.tested",
        "time": "2026-01-31T12:00:00Z",
    })
    .to_string()
}

pub(crate) fn invalid(id: &str) -> String {
    valid(id).replace("\"time\":", "\"times\":")
}

pub(crate) fn numbered(total: usize) -> Vec<String> {
    (0..total)
        .map(|number| format!("message {number}"))
        .collect()
}

/// The messages of an exported file.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let lines = BufReader::new(File::open(path).unwrap()).lines();
    lines
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect()
}
