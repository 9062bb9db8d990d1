//! What nobody sends on purpose, through the real pipeline: every message is accounted for, and no
//! command writes anything that could control a terminal or forge a line.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::MessageAttributeValue;
use event::EventKey;
use futures::StreamExt as _;
use pipeline::LeaseSet;
use pipeline::model::{DeadLetter, QueueRole};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::strategies::{event_text, text};
use super::pipeline::{Turn, deployed};
use crate::support::harness::LIMIT;
use crate::support::pty::Session;
use crate::support::queues;

#[path = "../../../shared/event/tests/hostile/mod.rs"]
mod strategies;

/// Messages of each way into the pipeline, unless [`MESSAGES_VARIABLE`] has another number.
const MESSAGES: usize = 150;
/// With `OPSCONSOLE_HOSTILE_MESSAGES=2200 cargo test -p opsconsole --test cli hostile -- --nocapture`, the
/// test sends 4,400 messages and prints what became of them.
const MESSAGES_VARIABLE: &str = "OPSCONSOLE_HOSTILE_MESSAGES";
/// Most dead letters of other tests.
const OTHERS: usize = 1_000;
/// Longer than all of them are looked at.
const HIDDEN_FOR: Duration = Duration::from_secs(600);
/// Messages that are sent at once.
const AT_ONCE: usize = 8;
/// Messages and records that are shown one by one.
const SHOWN: usize = 40;
/// What would begin a line if a line break were printed.
const FORGED: &str = "FORGED";

/// One message that is sent.
#[derive(Clone, Debug)]
struct Sent {
    body: String,
    attributes: Vec<(&'static str, MessageAttributeValue)>,
}

/// An event that says other things on a terminal than it is.
fn deceptive() -> impl Strategy<Value = String> {
    let evil = prop::sample::select(vec![
        "\u{1b}[2J",
        "\u{1b}]0;owned\u{7}",
        "\u{9b}31m",
        "\n\rFORGED 2026-01-01 ERROR",
        "\u{202e}",
        "\u{2028}FORGED",
        "\u{e0041}",
        "\u{7f}\u{8}\u{8}",
        "\u{feff}",
        "a",
    ]);
    let name = prop::sample::select(vec!["id", "source", "type", "subject", "data", "time"]);
    let members = prop::collection::vec((name, evil, any::<bool>()), 1..4);
    (members, any::<u32>()).prop_map(|(members, number)| {
        let mut event = json!({
            "specversion": "1.0", "id": number.to_string(), "source": "/hostile",
            "type": "hostile", "time": "2026-01-31T12:00:00Z",
        });
        let mut is_raw = false;
        for (name, evil, raw) in members {
            event[name] = json!(format!("{number}{evil}"));
            is_raw |= raw;
        }
        let text = event.to_string();
        // Control characters as they are, which no JSON has.
        let raw = [
            ("\\u001b", "\u{1b}"),
            ("\\n", "\n"),
            ("\\u0007", "\u{7}"),
            ("\\b", "\u{8}"),
        ];
        match is_raw {
            true => raw
                .iter()
                .fold(text, |text, (escape, c)| text.replace(escape, c)),
            false => text,
        }
    })
}

fn message() -> impl Strategy<Value = Sent> {
    let body = prop_oneof![3 => event_text(), 3 => text(), 3 => deceptive()];
    let evil = "[ -~\u{80}-\u{9f}\u{202a}-\u{202e}\u{2028}漢😀\n\t]{1,40}";
    let attribute = prop_oneof![
        3 => evil.prop_map(|value| queues::text("String", &value)),
        1 => "-?[0-9]{1,30}".prop_map(|value| queues::text("Number", &value)),
        1 => prop::collection::vec(any::<u8>(), 1..40)
            .prop_map(|value| queues::binary("Binary", &value)),
    ];
    // The ingest needs three of ten for its reason.
    let names = prop::sample::subsequence(vec!["a", "B-1", "c.d", "_e", "ErrorCode"], 0..=5);
    (body, names, prop::collection::vec(attribute, 5)).prop_map(|(body, names, values)| Sent {
        body,
        attributes: names.into_iter().zip(values).collect(),
    })
}

fn messages_each_way() -> usize {
    std::env::var(MESSAGES_VARIABLE).map_or(MESSAGES, |number| number.parse().unwrap())
}

fn messages(seed: usize) -> Vec<Sent> {
    let each = messages_each_way();
    let mut runner = TestRunner::deterministic();
    let drawn = (0..each * 2).map(|_| message().new_tree(&mut runner).unwrap().current());
    let mut messages: Vec<Sent> = drawn.skip(seed * each).take(each).collect();
    messages.retain(|message| !message.body.is_empty());
    messages
}

/// All messages of the dead-letter queue; one receive ends at a limit of time.
async fn receive_all(leases: &LeaseSet) -> Vec<DeadLetter> {
    let most = 2 * messages_each_way() + OTHERS;
    let mut messages = Vec::new();
    loop {
        let received = leases.receive(most, &CancellationToken::new()).await;
        let received = received.unwrap().unwrap();
        messages.extend(received.messages);
        if !received.is_truncated {
            return messages;
        }
    }
}

impl Turn {
    /// Sends messages by the topic and by the queue; returns the bodies that were accepted.
    fn send_hostile(&self) -> Vec<String> {
        let never = CancellationToken::new();
        let by_topic = messages(0).into_iter().map(|sent| {
            let never = never.clone();
            async move {
                let sending = self.pipeline().publish_one(&sent.body, Value::Null, &never);
                sending.await.is_ok().then_some(sent.body)
            }
        });
        let by_queue = messages(1).into_iter().map(|sent| async move {
            let send = self.queues.sqs.send_message().message_body(&sent.body);
            let send = send.queue_url(self.pipeline().queue_url(QueueRole::Source));
            let send = sent
                .attributes
                .into_iter()
                .fold(send, |send, (name, value)| {
                    send.message_attributes(name, value)
                });
            send.send().await.is_ok().then_some(sent.body)
        });
        self.runtime.block_on(async {
            let by_topic = futures::stream::iter(by_topic).buffer_unordered(AT_ONCE);
            let by_queue = futures::stream::iter(by_queue).buffer_unordered(AT_ONCE);
            let (by_topic, by_queue): (Vec<_>, Vec<_>) =
                futures::join!(by_topic.collect(), by_queue.collect());
            by_topic.into_iter().chain(by_queue).flatten().collect()
        })
    }

    fn records(&self) -> usize {
        let count: i64 = self.runtime.block_on(async {
            let url = &self.endpoints.database_url;
            let pool = sqlx::PgPool::connect(url).await.unwrap();
            let count = sqlx::query_scalar("select count(*) from records");
            count.fetch_one(&pool).await.unwrap()
        });
        usize::try_from(count).unwrap()
    }

    /// All dead letters, which are visible again afterwards.
    fn dead_letters(&self) -> Vec<DeadLetter> {
        self.runtime.block_on(async {
            let leases = LeaseSet::new(self.pipeline(), HIDDEN_FOR);
            let messages = receive_all(&leases).await;
            assert_eq!(leases.release_all().await.messages_max, 0);
            messages
        })
    }

    /// The other tests look at the first hundred messages.
    fn delete(&self, ids: &[String]) {
        self.runtime.block_on(async {
            let leases = LeaseSet::new(self.pipeline(), HIDDEN_FOR);
            for message in receive_all(&leases).await {
                if ids.contains(&message.message_id) {
                    let handle = &message.receipt_handle;
                    self.queues.delete(QueueRole::DeadLetter, handle).await;
                    leases.forget([message.message_id.as_str()]);
                }
            }
            assert_eq!(leases.release_all().await.messages_max, 0);
        });
    }

    fn wait_until_all_is_handled(&self) {
        let deadline = Instant::now() + LIMIT;
        while self.runtime.block_on(self.queues.count(QueueRole::Source)) > 0 {
            assert!(Instant::now() < deadline, "messages are left in the queue");
        }
    }
}

/// What SQS takes of a text: what it refuses stands there as an escape.
fn as_dead_letter(body: &str) -> String {
    let is_refused = |c: char| {
        (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    let escaped = |c: char| match is_refused(c) {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    };
    body.chars().map(escaped).collect()
}

#[test]
fn every_hostile_message_is_stored_once_or_a_dead_letter_with_its_reason_and_shown_safely() {
    let deployed = deployed();
    deployed.wait_until_all_is_handled();
    let known: HashSet<String> = deployed
        .dead_letters()
        .into_iter()
        .map(|m| m.message_id)
        .collect();
    let records = deployed.records();
    let sent = deployed.send_hostile();
    let accepted = sent.len();
    assert!(accepted > messages_each_way(), "{accepted} were accepted");
    deployed.wait_until_all_is_handled();

    let mut dead: HashMap<String, usize> = HashMap::new();
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    let mut ids = Vec::new();
    for message in deployed.dead_letters() {
        if !known.contains(&message.message_id) {
            let reason = message.reason.as_ref();
            let reason = reason.unwrap_or_else(|| panic!("it has no reason: {message:?}"));
            *codes.entry(reason.code.clone()).or_default() += 1;
            let body = message.body.text().unwrap();
            let is_deceptive = body.chars().any(event::is_deceptive);
            ids.insert(if is_deceptive { 0 } else { ids.len() }, message.message_id);
            *dead.entry(body.into_owned()).or_default() += 1;
        }
    }
    let mut stored: HashSet<EventKey> = HashSet::new();
    let mut valid = 0;
    let mut unaccounted = Vec::new();
    for body in &sent {
        match dead.get_mut(&as_dead_letter(body)) {
            Some(left @ 1..) => *left -= 1,
            Some(0) | None => match event::parse_body(body) {
                Ok(event) => {
                    valid += 1;
                    stored.insert(event.key());
                }
                Err(failure) => unaccounted.push((body, failure)),
            },
        }
    }
    let stored_now = deployed.records() - records;
    let lost = unaccounted.len() + stored.len().saturating_sub(stored_now);
    println!(
        "{accepted} accepted: {valid} valid of {} identities, {stored_now} stored; {} dead letters \
         {codes:?}; {lost} lost",
        stored.len(),
        ids.len()
    );
    assert!(unaccounted.is_empty(), "no dead letter: {unaccounted:?}");
    let twice: Vec<_> = dead.iter().filter(|(_, left)| **left > 0).collect();
    assert!(twice.is_empty(), "dead letters that nobody sent: {twice:?}");
    assert_eq!(valid + ids.len(), sent.len());
    assert_eq!((stored_now, lost), (stored.len(), 0));
    assert!(
        valid > 20 && ids.len() > 20,
        "{valid} valid, {} dead",
        ids.len()
    );

    outputs_are_safe(&deployed, &ids);
    screens_are_safe(&deployed);
    assert_eq!(deployed.depth().1, 0, "all are visible again");
    deployed.delete(&ids);
    assert_eq!(deployed.depth().0, known.len());
}

/// Runs each command that shows messages or records, and looks at every byte.
fn outputs_are_safe(deployed: &Turn, ids: &[String]) {
    let page = deployed.json(&["records", "list", "--limit", "200"]);
    let records = page["items"].as_array().unwrap().iter();
    let records: Vec<String> = records
        .map(|record| record["record_id"].to_string())
        .collect();
    let mut commands: Vec<Vec<&str>> = vec![
        vec!["dlq", "list", "--limit", "1000"],
        vec!["dlq", "group"],
        vec!["dlq", "export", "hostile.jsonl"],
        vec!["records", "list", "--limit", "200"],
        vec!["api", "get", "/v1/records?limit=200"],
        vec![
            "redrive",
            "plan",
            "--all",
            "--include-not-ready",
            "--out",
            "hostile.plan.json",
        ],
        vec!["redrive", "show", "--messages", "hostile.plan.json"],
        vec!["status"],
        vec!["audit"],
    ];
    commands.extend(
        ids.iter()
            .take(3)
            .map(|id| vec!["dlq", "show", id.as_str()]),
    );
    commands.extend(
        records
            .iter()
            .take(12)
            .map(|id| vec!["records", "get", id.as_str()]),
    );
    for command in commands {
        let mut runs = vec![command.clone()];
        if !command.contains(&"export") && !command.contains(&"plan") {
            runs.push([&command[..], &["--output", "json"]].concat());
        }
        for arguments in runs {
            let mut run = deployed.program.command(&arguments);
            let output = run.env("OPSCONSOLE_LOG", "debug").output().unwrap();
            for bytes in [output.stdout, output.stderr] {
                is_safe(&String::from_utf8(bytes).unwrap(), &arguments);
            }
        }
    }
    for file in ["hostile.jsonl", "hostile.plan.json"] {
        let text = std::fs::read_to_string(deployed.program.home().join(file)).unwrap();
        assert!(!text.is_empty());
        is_safe(&text, &[file]);
    }
}

/// Shows messages and records on the screens, and looks at every byte that the terminal got.
fn screens_are_safe(deployed: &Turn) {
    let configuration = deployed
        .program
        .home()
        .join("config/opsconsole/config.toml");
    let arguments = ["--config", configuration.to_str().unwrap()];
    let program = Path::new(env!("CARGO_BIN_EXE_opsconsole"));
    let mut session = Session::start(program, &arguments, &[], (160, 45));
    session.press("2");
    session.wait_for("Message 1 / ", LIMIT);
    for last in 2..=SHOWN {
        session.press("j");
        session.wait_for(&format!("Message {last} / "), LIMIT);
    }
    session.press("5");
    session.wait_for("Records  1 / ", LIMIT);
    for last in 2..=SHOWN {
        session.press("j");
        session.wait_for(&format!("Records  {last} / "), LIMIT);
    }
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
    // What is left without the control sequences of the program (ECMA-48, 5.4) is text.
    let output = session.output();
    let mut parts = output.split('\u{1b}');
    let mut shown = parts.next().unwrap().to_owned();
    for part in parts {
        let text = match part.strip_prefix('[') {
            Some(sequence) => {
                let (parameters, text) = sequence
                    .split_once(|c: char| matches!(c, '@'..='~'))
                    .unwrap();
                assert!(
                    parameters.bytes().all(|byte| matches!(byte, b' '..=b'?')),
                    "{part:?}"
                );
                text
            }
            None => part.get(1..).unwrap(),
        };
        assert!(!part.starts_with([']', 'P', '_', '^', 'X']), "{part:?}");
        shown.push_str(text);
    }
    let controls = shown
        .chars()
        .find(|c| !matches!(c, '\r' | '\n') && event::is_deceptive(*c));
    assert_eq!(controls, None);
}

fn is_safe(text: &str, of: &[&str]) {
    let controls = text.chars().find(|c| *c != '\n' && event::is_deceptive(*c));
    assert_eq!(controls, None, "{of:?} wrote {controls:?}: {text:?}");
    let forged = text
        .lines()
        .find(|line| line.trim_start().starts_with(FORGED));
    assert_eq!(forged, None, "{of:?}");
}
