//! The demo without the console: it accounts for every message and misses one that vanishes, can be
//! attached to, and leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod cli_program;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cli_program::{Answer, Program};
use serde_json::Value;

/// Limit of building the functions and starting everything.
const START_LIMIT: Duration = Duration::from_secs(600);

/// The traffic has a fault about every second.
const STEAL_LIMIT: Duration = Duration::from_secs(10);

/// Two demos at once would only make both slow.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Nobody answers there.
const OTHER_ENVIRONMENT: &str = r#"
[environments.other]
region = "us-east-1"
endpoint_url = "http://127.0.0.1:1"
topic_arn = "arn:aws:sns:us-east-1:000000000000:events"
queue_url = "http://127.0.0.1:1/000000000000/events-queue"
dead_letter_queue_url = "http://127.0.0.1:1/000000000000/events-dead-letters"
api_url = "http://127.0.0.1:1"
"#;

fn start(program: &Program, seconds: &str) -> Child {
    program
        .command(&[
            "demo",
            "--headless",
            "--seconds",
            seconds,
            "--rate",
            "40",
            "--output",
            "json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until others can use the demo; gives its status.
fn attach(program: &Program, demo: &mut Child) -> Value {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let answer = program.run(&["--env", "demo", "status"]);
        if answer.code == 0 {
            let (code, status) = program.json(&["--env", "demo", "status"]);
            assert_eq!(code, 0, "{status}");
            return status;
        }
        assert!(
            demo.try_wait().unwrap().is_none(),
            "it has ended: {answer:?}"
        );
        assert!(Instant::now() < deadline, "{answer:?}");
    }
}

fn end(demo: Child) -> Answer {
    Answer::of(demo.wait_with_output().unwrap())
}

#[test]
fn headless_demo_accounts_for_every_message() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let program = Program::new();
    // Whoever has an environment of their own can still name the demo.
    program.configure(OTHER_ENVIRONMENT);
    let mut demo = start(&program, "6");
    let status = attach(&program, &mut demo);
    assert_eq!(status["environment"], "demo");
    let unnamed = program.run(&["status"]);
    assert_eq!(unnamed.code, 2, "{unnamed:?}");
    let choice = format!("--env NAME: demo (running, pid {}), other", demo.id());
    assert!(unnamed.stderr.contains(&choice), "{unnamed:?}");
    let second = program.run(&["demo", "--headless", "--seconds", "1"]);
    assert_eq!(second.code, 1, "{second:?}");
    let pid = format!("already running (pid {})", demo.id());
    assert!(second.stderr.contains(&pid), "{second:?}");
    let answer = end(demo);
    assert_eq!(answer.code, 0, "{answer:?}");
    let account: Value = serde_json::from_str(&answer.stdout).unwrap();
    let count = |name: &str| account.get(name).and_then(Value::as_i64).unwrap();
    assert_eq!(count("lost"), 0, "{account}");
    assert!(count("stored") > 100, "{account}");
    assert!(count("dead_lettered") > 0, "{account}");
    assert_eq!(
        count("published"),
        count("stored") + count("duplicates") + count("dead_lettered") + count("pending"),
        "{account}"
    );
    for line in [
        "create topic and queues: ",
        "ready after ",
        "stopping the pipeline",
    ] {
        assert!(answer.stderr.contains(line), "{line}: {answer:?}");
    }
    let gone = program.run(&["--env", "demo", "status"]);
    assert_eq!(gone.code, 2, "{gone:?}");
}

/// Takes one message out of the dead-letter queue of the running demo and deletes it.
fn steal_a_dead_letter(program: &Program) {
    let state = program
        .command(&[])
        .get_envs()
        .find_map(|(name, value)| {
            value
                .filter(|_| name == "XDG_STATE_HOME")
                .map(PathBuf::from)
        })
        .unwrap();
    let text = std::fs::read(state.join("opsconsole/environments/demo.json")).unwrap();
    let description: Value = serde_json::from_slice(&text).unwrap();
    let part = |name: &str| {
        let value = description.pointer(&format!("/environment/{name}"));
        value.and_then(Value::as_str).unwrap().to_owned()
    };
    let stealing = async {
        let client = aws_sdk_sqs::Client::new(&devstack::sdk_config(&part("endpoint_url")));
        let queue_url = part("dead_letter_queue_url");
        let deadline = Instant::now() + STEAL_LIMIT;
        let message = loop {
            assert!(Instant::now() < deadline, "no message came");
            let receive = client.receive_message().queue_url(&queue_url);
            let answer = receive.wait_time_seconds(1).send().await.unwrap();
            if let Some(message) = answer.messages.unwrap_or_default().pop() {
                break message;
            }
        };
        let delete = client.delete_message().queue_url(&queue_url);
        let handle = message.receipt_handle.unwrap();
        delete.receipt_handle(handle).send().await.unwrap();
    };
    tokio::runtime::Runtime::new().unwrap().block_on(stealing);
}

#[test]
fn message_that_vanishes_is_lost_and_fails_the_run() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let program = Program::new();
    let mut demo = start(&program, "6");
    attach(&program, &mut demo);
    steal_a_dead_letter(&program);
    let answer = end(demo);
    assert_eq!(answer.code, 1, "{answer:?}");
    let account: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(account["lost"], 1, "{account}");
    assert_eq!(account["pending"], 0, "{account}");
}

#[test]
fn signal_ends_the_demo_and_its_environment() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let program = Program::new();
    let mut demo = start(&program, "3600");
    attach(&program, &mut demo);
    let pid = demo.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let answer = end(demo);
    assert_eq!(answer.code, 130, "{answer:?}");
    assert_eq!(answer.stdout, "");
    let gone = program.run(&["--env", "demo", "status"]);
    assert!(gone.stderr.contains("no environment \"demo\""), "{gone:?}");
}
