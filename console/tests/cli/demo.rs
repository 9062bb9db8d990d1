//! The demo without the console: it accounts for every message and misses one that vanishes, can be
//! attached to, and leaves nothing behind.

use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::configuration::{NOBODY, environment_at};
use crate::support::harness::LIMIT;
use crate::support::machine;
use crate::support::program::{Answer, Program};
use crate::support::signals::signal;

/// Limit of building the functions and starting everything.
const START_LIMIT: Duration = Duration::from_secs(600);

fn start(program: &Program, seconds: &str) -> Child {
    program.spawn(&[
        "demo",
        "--headless",
        "--seconds",
        seconds,
        "--rate",
        "40",
        "--output",
        "json",
    ])
}

/// Waits until others can use the demo; returns its status.
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

#[test]
fn headless_demo_accounts_for_every_message() {
    let _machine = machine::alone();
    let program = Program::new();
    // With an environment in the configuration, the demo can still be named.
    program.configure(&environment_at("other", NOBODY, ""));
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
    let answer = Answer::of_child(demo);
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
        if cfg!(target_os = "linux") {
            "only your user and root can reach the queues and the API at http://127.0.0.1:"
        } else {
            "every user of this machine can reach the queues and the API at http://127.0.0.1:"
        },
        "stopping the pipeline",
    ] {
        assert!(answer.stderr.contains(line), "{line}: {answer:?}");
    }
    let gone = program.run(&["--env", "demo", "status"]);
    assert_eq!(gone.code, 2, "{gone:?}");
}

/// Deletes one message of the dead-letter queue of the running demo.
fn delete_a_dead_letter(program: &Program) {
    let file = "state/opsconsole/environments/demo.json";
    let text = std::fs::read(program.home().join(file)).unwrap();
    let description: Value = serde_json::from_slice(&text).unwrap();
    let part = |name: &str| {
        let value = description.pointer(&format!("/environment/{name}"));
        value.and_then(Value::as_str).unwrap().to_owned()
    };
    let deleting = async {
        let client = aws_sdk_sqs::Client::new(&devstack::sdk_config(&part("endpoint_url")));
        let queue_url = part("dead_letter_queue_url");
        let deadline = Instant::now() + LIMIT;
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
    tokio::runtime::Runtime::new().unwrap().block_on(deleting);
}

#[test]
fn message_that_vanishes_is_lost_and_fails_the_run() {
    let _machine = machine::alone();
    let program = Program::new();
    let mut demo = start(&program, "6");
    attach(&program, &mut demo);
    delete_a_dead_letter(&program);
    let answer = Answer::of_child(demo);
    assert_eq!(answer.code, 1, "{answer:?}");
    let account: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(account["lost"], 1, "{account}");
    assert_eq!(account["pending"], 0, "{account}");
}

#[test]
fn signal_ends_the_demo_and_its_environment() {
    let _machine = machine::alone();
    let program = Program::new();
    let mut demo = start(&program, "3600");
    attach(&program, &mut demo);
    signal(demo.id(), "TERM");
    let answer = Answer::of_child(demo);
    assert_eq!(answer.code, 130, "{answer:?}");
    assert_eq!(answer.stdout, "");
    let gone = program.run(&["--env", "demo", "status"]);
    assert!(gone.stderr.contains("no environment \"demo\""), "{gone:?}");
}
