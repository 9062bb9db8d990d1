//! The commands on dead letters, on real queues: what they receive they release, also when they are
//! interrupted, and they move only what they were asked to.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod cli_harness;
mod cli_program;
mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use cli_harness::{Harness, LIMIT, invalid, numbered, valid};
use pipeline::model::{Published, TraceState};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[test]
fn only_ready_messages_are_moved_unless_all_are_asked_for() {
    let harness = Harness::start();
    harness.kill(&[valid("1"), valid("2"), invalid("3"), "not json".to_owned()]);
    let (code, report) = harness.program.json(&["dlq", "redrive", "--all", "--yes"]);
    assert_eq!(code, 0, "{report}");
    assert!(report["id"].is_string() && report["journal"].is_string());
    let expected = json!({"id": report["id"], "journal": report["journal"], "state": "finished",
        "selected": 4, "moved": 2, "sent_not_deleted": 0, "unknown": 0, "not_sent": 0, "skipped": 2,
        "waiting": 0, "stored": 0, "dead_again": 0, "unproved": null, "truncated": false,
        "errors": []});
    assert_eq!(report, expected);
    let again = harness.program.run(&["dlq", "redrive", "--all", "--yes"]);
    assert_eq!(again.code, 1, "nothing was moved: {again:?}");
    assert!(
        again
            .stdout
            .contains("skipped 2 (1 still-invalid, 1 unreadable)"),
        "{again:?}"
    );
    assert!(again.stderr.contains("--include-not-ready"), "{again:?}");
    let named = harness.message_id("3");
    let refused = harness.program.run(&["dlq", "redrive", &named, "--yes"]);
    assert_eq!(refused.code, 1);
    let told = format!("{named}: skipped, it is still-invalid");
    assert!(refused.stderr.contains(&told), "{refused:?}");
    assert_eq!(harness.depth(), (2, 0));
    let everything = ["dlq", "redrive", "--all", "--yes", "--include-not-ready"];
    let (code, report) = harness.program.json(&everything);
    assert_eq!((code, &report["moved"]), (0, &json!(2)), "{report}");
    let empty = harness.program.run(&everything);
    assert_eq!(
        empty.code, 0,
        "an empty queue is what was wanted: {empty:?}"
    );
    assert_eq!(harness.depth(), (0, 0));
}

#[test]
fn unknown_code_is_a_slip_and_a_known_one_without_messages_is_told() {
    let harness = Harness::start();
    harness.kill(&[invalid("1")]);
    let slip = harness
        .program
        .run(&["dlq", "redrive", "--code", "mising-attribute", "--yes"]);
    assert_eq!(slip.code, 2, "{slip:?}");
    for known in ["missing-attribute", "retries-exhausted", "not-json"] {
        assert!(slip.stderr.contains(known), "{slip:?}");
    }
    let none = harness
        .program
        .run(&["dlq", "redrive", "--code", "invalid-time", "--yes"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(
        none.stderr
            .contains("no dead letter matches --code invalid-time"),
        "{none:?}"
    );
    assert_eq!(harness.depth(), (1, 0));
}

#[test]
fn messages_that_somebody_else_holds_are_counted() {
    let harness = Harness::start();
    harness.kill(&numbered(5));
    let holding = harness.queues.pipeline.hold_dead_letters(2, LIMIT);
    let elsewhere = harness.runtime.block_on(holding).unwrap();
    assert_eq!(elsewhere.messages.len(), 2);
    for arguments in [
        vec!["dlq", "list"],
        vec!["dlq", "redrive", "--code", "not-json", "--yes"],
    ] {
        let answer = harness.program.run(&arguments);
        assert!(
            answer
                .stderr
                .contains("2 messages received by others, not looked at"),
            "{answer:?}"
        );
    }
    assert_eq!(harness.depth(), (3, 2));
}

#[test]
fn silent_ledger_is_told_and_ends_with_3() {
    let harness = Harness::start();
    harness.kill(&[valid("1"), valid("2")]);
    let fine = harness.program.run(&["dlq", "list", "--limit", "1"]);
    assert_eq!(fine.code, 0, "{fine:?}");
    assert!(fine.stderr.contains("more messages wait"), "{fine:?}");
    harness.configure(
        harness.endpoint_url(),
        "database_url = \"postgres://nobody@127.0.0.1:1/events\"",
    );
    let (code, messages) = harness.program.json(&["dlq", "list"]);
    assert_eq!(code, 3, "{messages}");
    assert_eq!(messages.as_array().unwrap().len(), 2);
    let shown = harness.program.run(&["dlq", "list"]);
    assert!(
        shown.stderr.contains("may be \"already-stored\""),
        "{shown:?}"
    );
    assert_eq!(harness.depth(), (2, 0));
    let (code, report) = harness.program.json(&["dlq", "redrive", "--all", "--yes"]);
    assert_eq!((code, &report["moved"]), (3, &json!(2)), "{report}");
}

#[test]
fn json_of_a_message_is_the_same_message_and_cannot_mislead_a_terminal() {
    let harness = Harness::start();
    let body = "{\"a\":\"\u{202e}b\u{9b}2J\u{7f}é\"}";
    harness.kill(&[body.to_owned()]);
    let (_, messages) = harness.program.json(&["dlq", "list"]);
    let message_id = messages[0]["message_id"].as_str().unwrap();
    let answer = harness
        .program
        .run(&["dlq", "show", message_id, "--output", "json"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let message: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(message["body"], body);
    assert!(
        !answer.stdout.contains(['\u{202e}', '\u{9b}', '\u{7f}']),
        "{answer:?}"
    );
    assert!(answer.stdout.contains('é'));
}

#[test]
fn search_that_nobody_continues_gives_its_messages_back() {
    let harness = Harness::start();
    harness.kill(&numbered(25));
    let published = Published {
        sns_message_id: "m".to_owned(),
        acknowledged_at: Utc::now(),
        latency: Duration::ZERO,
    };
    let look = || {
        let looking = harness.queues.pipeline.trace(None, "elsewhere", &published);
        harness.runtime.block_on(looking).unwrap()
    };
    assert_eq!(look(), TraceState::Pending);
    assert_eq!(look(), TraceState::Pending);
    assert_eq!(harness.depth(), (0, 25), "they are held between two looks");
    let deadline = Instant::now() + Duration::from_secs(20);
    while harness.depth() != (25, 0) {
        assert!(Instant::now() < deadline, "{:?}", harness.depth());
    }
    let holding = harness.queues.pipeline.hold_dead_letters(100, LIMIT);
    let held = harness.runtime.block_on(holding).unwrap();
    assert!(
        held.messages
            .iter()
            .all(|message| message.receive_count == 2)
    );
}

#[test]
fn search_behind_more_messages_than_it_holds_says_so() {
    let harness = Harness::start();
    harness.kill(&numbered(1_010));
    let published = Published {
        sns_message_id: "m".to_owned(),
        acknowledged_at: Utc::now(),
        latency: Duration::ZERO,
    };
    let deadline = Instant::now() + LIMIT;
    let state = loop {
        let looking = harness.queues.pipeline.trace(None, "elsewhere", &published);
        let state = harness.runtime.block_on(looking).unwrap();
        if state != TraceState::Pending {
            break state;
        }
        assert!(Instant::now() < deadline, "{:?}", harness.depth());
    };
    assert_eq!(state, TraceState::SearchTruncated { messages: 1_000 });
}

/// Stands before the emulator and keeps back the answers to all receives but the first ones.
struct Gate {
    url: String,
    opens: watch::Sender<bool>,
    /// Answers that wait behind the gate.
    waiting: watch::Receiver<usize>,
}

/// Receives of one round.
const ROUND: usize = 4;

impl Gate {
    async fn before(emulator: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behind = emulator.trim_start_matches("http://").to_owned();
        let (opens, is_open) = watch::channel(false);
        let (waits, waiting) = watch::channel(0);
        let (receives, waits) = (Arc::new(AtomicUsize::new(0)), Arc::new(waits));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = TcpStream::connect(&behind).await.unwrap();
                tokio::spawn(pass_on(
                    client,
                    upstream,
                    Arc::clone(&receives),
                    Arc::clone(&waits),
                    is_open.clone(),
                ));
            }
        });
        Self {
            url,
            opens,
            waiting,
        }
    }
}

async fn pass_on(
    mut client: TcpStream,
    mut upstream: TcpStream,
    receives: Arc<AtomicUsize>,
    waits: Arc<watch::Sender<usize>>,
    mut is_open: watch::Receiver<bool>,
) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    let mut is_kept_back = false;
    loop {
        tokio::select! {
            count = client.read(&mut asked) => match count {
                Ok(count @ 1..) => {
                    let is_receive =
                        String::from_utf8_lossy(&asked[..count]).contains("SQS.ReceiveMessage");
                    is_kept_back |=
                        is_receive && receives.fetch_add(1, Ordering::SeqCst) >= ROUND;
                    upstream.write_all(&asked[..count]).await.unwrap();
                }
                _ => return,
            },
            count = upstream.read(&mut answered) => match count {
                Ok(count @ 1..) => {
                    if is_kept_back {
                        waits.send_modify(|waiting| *waiting += 1);
                        is_open.wait_for(|is_open| *is_open).await.unwrap();
                        is_kept_back = false;
                    }
                    if client.write_all(&answered[..count]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}

/// Starts `dlq list` behind a gate, and interrupts it when it waits for a receive. Gives it with
/// what it said at once.
fn interrupted(
    harness: &Harness,
    gate: &mut Gate,
) -> (Child, BufReader<std::process::ChildStderr>) {
    harness.configure(&gate.url, "");
    let mut child = harness
        .program
        .command(&["dlq", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    harness.runtime.block_on(async {
        let waits = gate.waiting.wait_for(|waiting| *waiting > 0);
        tokio::time::timeout(LIMIT, waits).await.unwrap().unwrap();
    });
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(kill.success());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("interrupted: releasing"), "{line}");
    (child, stderr)
}

#[test]
fn interrupted_look_gives_back_what_it_took_and_what_comes_late() {
    let harness = Harness::start();
    harness.kill(&numbered(60));
    let mut gate = harness
        .runtime
        .block_on(Gate::before(harness.endpoint_url()));
    let (mut child, mut stderr) = interrupted(&harness, &mut gate);
    gate.opens.send(true).unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(!rest.contains("hidden"), "{rest}");
    assert_eq!(harness.depth(), (60, 0));
}

#[test]
fn interrupted_look_says_what_stays_hidden_when_a_receive_has_no_answer() {
    let harness = Harness::start();
    harness.kill(&numbered(60));
    let mut gate = harness
        .runtime
        .block_on(Gate::before(harness.endpoint_url()));
    let since = Instant::now();
    let (mut child, mut stderr) = interrupted(&harness, &mut gate);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(since.elapsed() < LIMIT, "it ends by itself");
    assert!(
        rest.contains("up to 40 messages stay hidden from others until "),
        "{rest}"
    );
    let (visible, hidden) = harness.depth();
    assert!(
        visible >= 10 && visible + hidden == 60,
        "{visible} {hidden}"
    );
}
