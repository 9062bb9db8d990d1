//! The two queues and the real program that knows them, without functions and a database.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use pipeline::model::QueueRole;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::cli_program::Program;
use crate::support::queues::Queues;

/// Limit of waiting for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The queues, and the program that knows them.
pub(crate) struct Harness {
    pub(crate) runtime: Runtime,
    pub(crate) queues: Queues,
    pub(crate) program: Program,
}

impl Harness {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let queues = runtime.block_on(Queues::start());
        let harness = Self {
            program: Program::new(),
            runtime,
            queues,
        };
        harness.configure(harness.endpoint_url(), "");
        harness
    }

    pub(crate) fn endpoint_url(&self) -> &str {
        let environment = self.queues.pipeline.environment();
        environment.endpoint_url.as_deref().unwrap()
    }

    pub(crate) fn configure(&self, endpoint_url: &str, more: &str) {
        self.program.configure(&format!(
            r#"
[environments.test]
region = "us-east-1"
endpoint_url = "{endpoint_url}"
topic_arn = "arn:aws:sns:us-east-1:000000000000:events"
queue_url = "{}"
dead_letter_queue_url = "{}"
api_url = "http://127.0.0.1:1"
{more}
"#,
            self.queues.pipeline.queue_url(QueueRole::Source),
            self.queues.pipeline.queue_url(QueueRole::DeadLetter),
        ));
    }

    pub(crate) fn kill(&self, bodies: &[String]) {
        self.runtime.block_on(self.queues.kill_all(bodies));
    }

    /// Dead letters that can be received, and those that somebody holds.
    pub(crate) fn depth(&self) -> (usize, usize) {
        self.runtime
            .block_on(self.queues.depth(QueueRole::DeadLetter))
    }

    /// Messages of the source queue.
    pub(crate) fn source(&self) -> usize {
        self.runtime.block_on(self.queues.count(QueueRole::Source))
    }

    /// Looks at the redrives until one is as wanted.
    pub(crate) fn redrive_until(&self, is_right: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + LIMIT;
        loop {
            let (code, listed) = self.program.json(&["redrive", "list"]);
            assert_eq!(code, 0, "{listed}");
            if let Some(found) = listed.as_array().unwrap().iter().find(|one| is_right(one)) {
                return found.clone();
            }
            assert!(Instant::now() < deadline, "{listed}");
        }
    }

    /// Message ids by body, as `dlq list` shows them.
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

/// Interrupts a program as Ctrl-C does.
pub(crate) fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(kill.success());
}
