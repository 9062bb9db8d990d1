//! `replay --replace` on the real pipeline: what is shown before is what is replaced, and nothing else is.

use std::collections::BTreeMap;
use std::path::Path;

use devstack::functions::{self, BuildProfile};
use devstack::{ProgressSender, Stack, StackOptions};
use event::stored_sha256;
use pipeline::model::QueueRole;
use serde_json::{Value, json};

use crate::pipeline::{Turn, deployed};
use crate::replay::{Stored, TIMES, TOTAL, numbers};
use crate::support::harness::LIMIT;
use crate::support::program::{Answer, Program};
use crate::support::pty::Session as Terminal;
use crate::support::queues::text;
use crate::support::{configuration, machine};

/// Corrects the text of every record.
const CORRECT: &str = r#".data.text = "corrected""#;

impl Stored<'_> {
    /// The record id of each event, by its id.
    fn record_ids(&self, turn: &Turn) -> BTreeMap<String, i64> {
        let reading = sqlx::query_as("select id, record_id from records where source = $1")
            .bind(&self.source)
            .fetch_all(&self.pool);
        let rows: Vec<(String, i64)> = turn.runtime.block_on(reading).unwrap();
        rows.into_iter().collect()
    }

    /// Whether the ledger has the records, the counts are those of a scan, and no record has a text.
    fn assert_replaced(&self, turn: &Turn, text: &str) {
        let reading = sqlx::query_as(
            "select (select count(*) from records where source = $1),
                 (select count(*) from records as r join event_identities as k
                     on k.identity = event_identity(r.source, r.id)
                     and k.record_id = r.record_id and k.occurred_at = r.occurred_at
                     where r.source = $1),
                 (select coalesce(sum(events), 0)::bigint from event_counts where source = $1),
                 (select count(*) from records
                     where source = $1 and position($2 in payload::text) > 0)",
        )
        .bind(&self.source)
        .bind(text)
        .fetch_one(&self.pool);
        let counts: (i64, i64, i64, i64) = turn.runtime.block_on(reading).unwrap();
        let total = i64::try_from(TOTAL).unwrap();
        assert_eq!(counts, (total, total, total, 0));
    }
}

fn replacement(replaces: usize, same_text: usize, not_stored: usize) -> Value {
    json!({"replaces": replaces, "same_text": same_text, "not_stored": not_stored})
}

fn confirmed(count: usize) -> [String; 3] {
    ["--yes", "--confirm-count", &count.to_string()].map(str::to_owned)
}

fn correcting<'b>(stored: &'b Stored<'_>, more: &'b [String]) -> Vec<&'b str> {
    let mut arguments = stored.replay(&["--patch", CORRECT, "--replace"]);
    arguments.extend(more.iter().map(String::as_str));
    arguments
}

/// Sends an event to the queue as any sender can, with this attribute.
fn send_naming(turn: &Turn, body: &str, record_id: i64) {
    let sending = async {
        let queue_url = turn.pipeline().queue_url(QueueRole::Source);
        let send = turn.queues.sqs.send_message().queue_url(queue_url);
        let named = text("String", &record_id.to_string());
        let send = send.message_body(body);
        let send = send.message_attributes("OpsConsole.Replaces", named);
        send.send().await.unwrap();
    };
    turn.runtime.block_on(sending);
}

/// Waits for the dead letter of an event, and deletes it. Returns it.
fn dead_letter(turn: &Turn, source: &str) -> Value {
    let is_it = |letter: &&Value| letter["event"]["source"] == source;
    let find = |list: &Value| list.as_array().unwrap().iter().find(is_it).cloned();
    let list = ["dlq", "list"];
    let list = turn
        .program
        .json_until(&list, LIMIT, |list| find(list).is_some());
    let letter = find(&list).unwrap();
    let id = letter["message_id"].as_str().unwrap();
    let queue = turn
        .endpoints
        .dead_letter_queue_url
        .rsplit('/')
        .next()
        .unwrap();
    turn.json(&[
        "dlq",
        "delete",
        id,
        "--confirm-queue",
        queue,
        "--no-export",
        "--yes",
    ]);
    letter
}

#[test]
fn records_are_replaced_as_was_shown_and_the_audit_log_has_both_texts_by_their_digests() {
    let turn = deployed();
    let stored = Stored::new(&turn, "replaced", TOTAL);
    let (before, ids) = (stored.payloads(), stored.record_ids(&turn));
    let dry = turn.json(&correcting(&stored, &["--dry-run".to_owned()]));
    assert_eq!(dry["replacement"], replacement(TOTAL, 0, 0), "{dry}");
    let names = ["planned", "sendable", "expected_duplicates"];
    assert_eq!(numbers(&dry, names), [TOTAL as u64, TOTAL as u64, 0]);
    for letter in dry["letters"].as_array().unwrap() {
        assert!(ids.values().any(|id| letter["replaces"] == *id), "{letter}");
        assert_eq!(letter["attributes"], json!(["OpsConsole.Replaces"]));
    }
    // Without the number, with another one, and where nobody can type it, nothing happens.
    let refused = |more: &[&str], code: i32, expected: &str| {
        let more: Vec<String> = more.iter().map(|&text| text.to_owned()).collect();
        let answer = Answer::of_child(turn.program.spawn(&correcting(&stored, &more)));
        assert_eq!(answer.code, code, "{answer:?}");
        assert!(answer.stderr.contains(expected), "{expected}: {answer:?}");
    };
    refused(&["--yes"], 2, "--confirm-count");
    refused(
        &["--yes", "--confirm-count", "24"],
        1,
        "nothing was replaced: 25 records",
    );
    refused(&[], 2, "no terminal to ask on");
    refused(&["--confirm-count", "25"], 2, "--yes");
    assert_eq!(stored.payloads(), before);

    let ran = turn.json(&correcting(&stored, &confirmed(TOTAL)));
    let names = [
        "moved",
        "stored",
        "replaced",
        "duplicates",
        "dead_again",
        "unproved",
    ];
    let total = TOTAL as u64;
    assert_eq!(
        numbers(&ran, names),
        [total, total, total, 0, 0, 0],
        "{ran}"
    );
    assert_eq!(ran["replacement"], replacement(TOTAL, 0, 0));
    let after = stored.payloads();
    for (id, old) in &before {
        let mut expected = old.clone();
        expected["data"]["text"] = json!("corrected");
        assert_eq!(after[id], expected);
    }
    // The old texts have a line break, the new ones none.
    stored.assert_replaced(&turn, "break, ");
    let new_ids = stored.record_ids(&turn);
    let id = ran["id"].as_str().unwrap();
    let report = turn.json(&["redrive", "report", id]);
    assert_eq!(numbers(&report, ["replaces", "replaced"]), [total, total]);
    for (arguments, expected) in [
        (
            ["redrive", "report", id].as_slice(),
            "replaced      25 of 25 records",
        ),
        (&["redrive", "show", id], "25 (25 replace a record each)"),
        (&["redrive", "list"], "replacement"),
    ] {
        let shown = turn.run(arguments);
        assert!(shown.stdout.contains(expected), "{expected}: {shown:?}");
    }
    for message in report["letters"].as_array().unwrap() {
        let (old, new) = (&message["replaces"], &message["proof"]["record_id"]);
        assert_eq!(message["proof"]["outcome"], "stored");
        assert!(
            old != new && new_ids.values().any(|id| new == *id),
            "{message}"
        );
        let gone = turn.run(&["records", "get", &old.to_string()]);
        assert_eq!(gone.code, 1, "{gone:?}");
    }
    assert_on_record(&turn, &ran, (&stored, &ids), &before);
    // The same again: nothing is left to be done, and that is right.
    let again = turn.run(&correcting(&stored, &confirmed(0)));
    assert_eq!(again.code, 0, "{again:?}");
    let said = "replaces 0 records; 25 have the same text already, 0 are not stored yet";
    assert!(again.stderr.contains(said), "{again:?}");
    assert_eq!(stored.record_ids(&turn), new_ids);
}

/// The audit log has every identity, record and both texts by their digests, and no text.
fn assert_on_record(
    turn: &Turn,
    ran: &Value,
    (stored, ids): (&Stored<'_>, &BTreeMap<String, i64>),
    before: &BTreeMap<String, Value>,
) {
    let audit = turn.json(&["audit"]);
    let mut entries = audit["entries"].as_array().unwrap().iter();
    let entry = entries
        .find(|entry| entry["details"]["replay"] == ran["id"])
        .unwrap();
    assert_eq!(entry["operation"], "replace");
    assert_eq!(entry["ending"]["counts"]["stored"], TOTAL);
    let replacements = entry["details"]["replacements"].as_array().unwrap();
    assert_eq!(replacements.len(), TOTAL);
    let reading = sqlx::query_as(
        "select event_identity(source, id)::text, id,
             encode(sha256(convert_to(payload::text, 'UTF8')), 'hex')
         from records where source = $1",
    )
    .bind(&stored.source)
    .fetch_all(&stored.pool);
    let rows: Vec<(String, String, String)> = turn.runtime.block_on(reading).unwrap();
    for (identity, id, new_sha256) in rows {
        let mut found = replacements.iter();
        let found = found
            .find(|one| one["identity"] == identity.as_str())
            .unwrap();
        assert_eq!(found["record_id"], ids[&id]);
        assert_eq!(found["new_sha256"], new_sha256.as_str());
        let old = stored.body(id.parse().unwrap());
        assert_eq!(found["old_sha256"], stored_sha256(&old).as_str());
        assert_eq!(before[&id], serde_json::from_str::<Value>(&old).unwrap());
    }
    let entry = entry.to_string();
    assert!(
        !entry.contains("break") && !entry.contains("corrected"),
        "{entry}"
    );
}

#[test]
fn files_bring_an_earlier_text_back_and_leave_what_has_it_alone() {
    let turn = deployed();
    let stored = Stored::new(&turn, "rolled-back", TOTAL);
    let before = stored.payloads();
    let mut export = vec!["export", "--source", &stored.source, "--format", "jsonl"];
    export.extend(TIMES);
    export.extend(["--into", "rolled-back"]);
    turn.json(&export);
    let some = ["--type", "replayed.1", "--canary", "1,3"].map(str::to_owned);
    let more = [&some[..], &confirmed(12)].concat();
    let ran = turn.json(&correcting(&stored, &more));
    assert_eq!(numbers(&ran, ["replaced"]), [12], "{ran}");
    assert_ne!(stored.payloads(), before);
    // Of one the database lost record and identity, of another the record was erased.
    let losing = async {
        for statement in [
            "delete from event_identities where identity = event_identity($1, '2')",
            "delete from records where source = $1 and id in ('2', '4')",
        ] {
            let lose = sqlx::query(statement).bind(&stored.source);
            lose.execute(&stored.pool).await.unwrap();
        }
    };
    turn.runtime.block_on(losing);
    let files = ["replay", "--files", "rolled-back", "--replace"];
    let (code, dry) = turn.program.json(&[&files[..], &["--dry-run"]].concat());
    assert_eq!(code, 1, "one cannot be corrected: {dry}");
    assert_eq!(dry["replacement"], replacement(12, 11, 1), "{dry}");
    let skipped = dry["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), 1, "{dry}");
    let reason = skipped[0]["reason"].as_str().unwrap();
    assert!(reason.contains("it was erased or has expired"), "{reason}");
    let (code, ran) = turn
        .program
        .json(&[&files[..], &["--yes", "--confirm-count", "12"]].concat());
    assert_eq!(code, 1, "one could not be corrected: {ran}");
    let names = ["moved", "replaced", "stored", "would_be_lost"];
    assert_eq!(numbers(&ran, names), [13, 12, 13, 1], "{ran}");
    let mut expected = before;
    expected.remove("4");
    assert_eq!(
        stored.payloads(),
        expected,
        "the erased one is not brought back"
    );
}

#[test]
fn patch_that_gives_an_event_the_identity_of_another_record_destroys_no_record() {
    let turn = deployed();
    let stored = Stored::new(&turn, "other-identity", 3);
    let (before, ids) = (stored.payloads(), stored.record_ids(&turn));
    // Of this type are 0 and 2: one target is among the records that are read, the other is not.
    let correct = |target: &str, more: &[&str]| {
        let patch = format!("if .id == \"0\" then .id = \"{target}\" else . end");
        let some = ["--replace", "--type", "replayed.0", "--patch", &patch];
        let arguments = [&some[..], more].concat();
        turn.run(&stored.replay(&arguments))
    };
    for target in ["2", "1"] {
        let dry = correct(target, &["--dry-run", "--output", "json"]);
        assert_eq!(dry.code, 1, "one cannot be corrected: {dry:?}");
        let dry = dry.json();
        assert_eq!(dry["replacement"], replacement(0, 1, 0), "{dry}");
        let skipped = dry["skipped"].as_array().unwrap();
        assert_eq!(skipped.len(), 1, "{dry}");
        let reason = skipped[0]["reason"].as_str().unwrap();
        let expected = format!("another event, {} / {target}, is stored", stored.source);
        assert!(reason.contains(&expected), "{reason}");
        // Whatever number somebody has counted, nothing is replaced.
        for count in ["0", "1"] {
            correct(target, &["--yes", "--confirm-count", count]);
            assert_eq!(stored.payloads(), before, "{target}");
            assert_eq!(stored.record_ids(&turn), ids, "{target}");
        }
    }
}

#[test]
fn message_that_names_another_record_is_a_dead_letter_and_changes_nothing() {
    let turn = deployed();
    let stored = Stored::new(&turn, "stale", 2);
    let ids = stored.record_ids(&turn);
    let corrected = stored.body(0).replace("quote", "corrected");
    // As by another operator, a moment before.
    send_naming(&turn, &corrected, ids["0"]);
    let is_replaced = |page: &Value| {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["id"] == "0" && item["record_id"] != ids["0"])
    };
    let list = ["records", "list", "--source", &stored.source];
    turn.program.json_until(&list, LIMIT, is_replaced);
    let before = stored.payloads();
    for (body, named) in [
        (stored.body(0), ids["0"]),
        (stored.body(0), i64::MAX),
        (stored.body(7), ids["1"]),
        (stored.body(1).replace("quote", "x"), ids["0"]),
    ] {
        send_naming(&turn, &body, named);
        let letter = dead_letter(&turn, &stored.source);
        assert_eq!(letter["reason"]["code"], "replacement-stale", "{letter}");
        assert_eq!(stored.payloads(), before);
    }
    // The one that was applied, delivered again.
    send_naming(&turn, &corrected, ids["0"]);
    send_naming(&turn, &stored.body(1).replace("quote", "last"), ids["1"]);
    turn.program
        .json_until(&list, LIMIT, |page| page.to_string().contains("last"));
    let after = stored.payloads();
    assert_eq!((after.len(), &after["0"]), (2, &before["0"]));
    // Others have dead letters too.
    let dead = turn.json(&["dlq", "list"]);
    let is_ours = |letter: &&Value| letter["event"]["source"] == stored.source;
    assert_eq!(dead.as_array().unwrap().iter().find(is_ours), None);
}

/// As where the setting was off and somebody has turned it on since.
#[test]
fn correction_that_was_refused_is_shown_as_one_and_its_redrive_replaces_the_record() {
    let turn = deployed();
    let stored = Stored::new(&turn, "refused", 2);
    let ids = stored.record_ids(&turn);
    let letter = |body: &str, named: i64| {
        let attributes = [
            ("ErrorCode", text("String", "replacement-not-permitted")),
            ("OpsConsole.Replaces", text("String", &named.to_string())),
        ];
        let adding = turn.queues.add_dead_letter(body, &attributes);
        turn.runtime.block_on(adding)
    };
    let ready = letter(&stored.body(0).replace("quote", "corrected"), ids["0"]);
    let same = letter(&stored.body(1), ids["1"]);
    let stale = letter(&stored.body(1).replace("quote", "x"), i64::MAX);
    let list = turn.json(&["dlq", "list"]);
    let listed = |id: &str| {
        let mut letters = list.as_array().unwrap().iter();
        let letter = letters.find(|letter| letter["message_id"] == id).unwrap();
        (letter["verdict"].clone(), letter["replaces"].clone())
    };
    assert_eq!(listed(&ready), (json!("ready"), json!(ids["0"])));
    assert_eq!(listed(&same), (json!("already-stored"), json!(ids["1"])));
    assert_eq!(listed(&stale), (json!("still-invalid"), json!(i64::MAX)));
    let expected = [
        (
            &ready,
            format!(
                "replaces      record {}, if the ingest permits it",
                ids["0"]
            ),
        ),
        (
            &same,
            format!(
                "replaces      record {}: record {} has its text already",
                ids["1"], ids["1"]
            ),
        ),
        (
            &stale,
            "refused now   replacement-stale: it replaces record 92".to_owned(),
        ),
    ];
    for (id, expected) in expected {
        let shown = turn.run(&["dlq", "show", id]).stdout;
        assert!(shown.contains(&expected), "{expected}: {shown}");
    }
    let plan = turn.run(&["redrive", "run", &ready, "--dry-run"]);
    let expected = "1 of them to replace a record";
    assert!(plan.stdout.contains(expected), "{expected}: {plan:?}");
    let ran = turn.json(&["redrive", "run", &ready, "--yes"]);
    let names = ["moved", "stored", "replaced", "duplicates", "dead_again"];
    assert_eq!(numbers(&ran, names), [1, 1, 1, 0, 0], "{ran}");
    let new_ids = stored.record_ids(&turn);
    assert_ne!(new_ids["0"], ids["0"]);
    assert_eq!(new_ids["1"], ids["1"]);
    let texts = stored.payloads();
    assert_eq!(texts["0"]["data"]["text"], "line\nbreak, \"corrected\" ž");
    let queue = turn.endpoints.dead_letter_queue_url.rsplit('/').next();
    let rest = ["dlq", "delete", &same, &stale, "--confirm-queue"];
    turn.json(&[&rest[..], &[queue.unwrap(), "--no-export", "--yes"]].concat());
}

#[test]
fn plan_that_is_run_after_another_correction_sends_nothing_that_is_stale() {
    let turn = deployed();
    let stored = Stored::new(&turn, "overtaken", 3);
    let out = ["--out", "overtaken.json"].map(str::to_owned);
    let planned = turn.json(&correcting(&stored, &out));
    assert_eq!(planned["replacement"], replacement(3, 0, 0), "{planned}");
    let shown = turn
        .run(&["redrive", "show", "overtaken.json", "--messages"])
        .stdout;
    let expected = "replaces 3 records; 0 have the same text already, 0 are not stored yet";
    for expected in [expected, "replaces      record "] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let other = [
        "--patch",
        ".data.text = \"other\"",
        "--replace",
        "--type",
        "replayed.1",
        "--yes",
        "--confirm-count",
        "1",
    ];
    turn.json(&stored.replay(&other));
    let before = stored.payloads();
    let run = ["redrive", "run", "overtaken.json", "--yes"];
    let answer = turn.run(&run);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.stderr.contains("--confirm-count"), "{answer:?}");
    let (code, ran) = turn
        .program
        .json(&[&run[..], &["--confirm-count", "3"]].concat());
    assert_eq!(code, 1, "{ran}");
    let names = ["moved", "not_sent", "replaced", "dead_again"];
    assert_eq!(numbers(&ran, names), [2, 1, 2, 0], "{ran}");
    let error = ran["errors"][0]["error"].as_str().unwrap();
    // The record that it would have replaced is the one that it would have been made of.
    assert!(
        error.contains("not where it was read from any more"),
        "{error}"
    );
    let after = stored.payloads();
    assert_eq!(after["1"], before["1"], "the other correction stays");
    assert_eq!(after["0"]["data"]["text"], "corrected");
}

/// Without a database everything is planned and proved by the API.
#[test]
fn replacement_needs_no_database() {
    let turn = deployed();
    let stored = Stored::new(&turn, "replaced-by-api", TOTAL);
    let by_api = Program::new();
    by_api.configure(&configuration::by_api(&turn.endpoints, ""));
    let ran = by_api.json_ok(&correcting(&stored, &confirmed(TOTAL)));
    let total = TOTAL as u64;
    assert_eq!(numbers(&ran, ["replaced", "unproved"]), [total, 0], "{ran}");
    stored.assert_replaced(&turn, "break, ");
}

#[test]
fn killed_replacement_is_resumed_and_replaces_every_record_once() {
    let turn = deployed();
    let stored = Stored::new(&turn, "replaced-killed", TOTAL);
    let slowly = [&["--rate", "5"].map(str::to_owned)[..], &confirmed(TOTAL)].concat();
    let mut child = turn.program.spawn(&correcting(&stored, &slowly));
    let find = |listed: &Value| {
        let is_under_way = |one: &&Value| {
            one["state"] == "running" && one["counts"]["moved"].as_u64().is_some_and(|n| n > 0)
        };
        listed
            .as_array()
            .unwrap()
            .iter()
            .find(is_under_way)
            .cloned()
    };
    let list = ["redrive", "list"];
    let listed = turn
        .program
        .json_until(&list, LIMIT, |listed| find(listed).is_some());
    child.kill().unwrap();
    child.wait().unwrap();
    let id = find(&listed).unwrap()["id"].as_str().unwrap().to_owned();
    let resumed = turn.json(&["redrive", "resume", &id, "--yes", "--rate", "1000"]);
    let total = TOTAL as u64;
    let names = [
        "moved",
        "stored",
        "replaced",
        "unknown",
        "unproved",
        "dead_again",
    ];
    assert_eq!(
        numbers(&resumed, names),
        [total, total, total, 0, 0, 0],
        "{resumed}"
    );
    stored.assert_replaced(&turn, "break, ");
}

#[test]
fn records_do_not_replace_themselves() {
    let turn = deployed();
    let stored = Stored::new(&turn, "by-themselves", 1);
    let answer = turn.run(&stored.replay(&["--replace", "--dry-run"]));
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(
        answer.stderr.contains("--replace needs --patch or --files"),
        "{answer:?}"
    );
}

#[test]
fn number_of_records_is_typed_on_a_terminal() {
    let turn = deployed();
    let stored = Stored::new(&turn, "typed", 3);
    let before = stored.payloads();
    let home = turn.program.home().to_owned();
    let (config, state) = (home.join("config"), home.join("state"));
    let ask = |typed: &str| {
        let mut terminal = Terminal::start(
            Path::new(env!("CARGO_BIN_EXE_opsconsole")),
            &correcting(&stored, &[]),
            &[
                ("XDG_CONFIG_HOME", config.to_str().unwrap()),
                ("XDG_STATE_HOME", state.to_str().unwrap()),
            ],
            (160, 40),
        );
        let asked = terminal.wait_for("Type 3 to replace 3 records", LIMIT);
        assert!(asked.contains("this cannot be undone"), "{asked}");
        terminal.press(typed);
        let exit = terminal.wait_for_exit(LIMIT);
        (terminal.output(), exit.exit_code())
    };
    for typed in ["y\r", "2\r", "\r"] {
        let (said, code) = ask(typed);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("nothing was replaced"), "{said}");
        assert_eq!(stored.payloads(), before);
    }
    let (said, code) = ask("3\r");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("replaced 3"), "{said}");
    for (id, event) in stored.payloads() {
        assert_eq!(event["data"]["text"], "corrected", "{id}");
    }
}

/// A stack whose ingest does not permit it.
#[test]
fn ingest_that_does_not_permit_it_makes_dead_letters_that_name_the_setting() {
    let _machine = machine::alone();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stack = runtime.block_on(async {
        let progress = ProgressSender::default();
        let functions = functions::build(BuildProfile::Debug, &progress);
        let options = StackOptions {
            replacements_allowed: false,
            ..StackOptions::new(functions.await.unwrap())
        };
        Stack::start(options).await.unwrap()
    });
    let program = Program::new();
    let folder = program.configure("").parent().unwrap().to_owned();
    configuration::of(stack.endpoints(), &folder);
    let event = |id: usize| {
        json!({
            "specversion": "1.0", "id": id.to_string(), "source": "/off", "type": "t",
            "time": "2026-03-01T12:00:00Z", "data": {"text": "old"},
        })
        .to_string()
    };
    let events: Vec<String> = (0..7).map(event).collect();
    let file = program.write("events.jsonl", events.join("\n"));
    program.json_ok(&["publish", file.to_str().unwrap()]);
    let list = ["records", "list", "--source", "/off"];
    let is_there = |page: &Value| page["items"].as_array().unwrap().len() == 7;
    let before = program.json_until(&list, LIMIT, is_there);
    let replace = [
        "replay",
        "--source",
        "/off",
        "--patch",
        CORRECT,
        "--replace",
    ];
    let confirmed = confirmed(7);
    let arguments = replace.into_iter().chain(TIMES);
    let arguments: Vec<&str> = arguments
        .chain(confirmed.iter().map(String::as_str))
        .collect();
    let (code, ran) = program.json(&arguments);
    assert_eq!(code, 1, "{ran}");
    // The first message shows it, and the others are not sent.
    let names = ["moved", "replaced", "dead_again", "waiting"];
    assert_eq!(numbers(&ran, names), [1, 0, 1, 6], "{ran}");
    let error = ran["errors"][0]["error"].as_str().unwrap();
    for expected in ["replacement-not-permitted", "REPLACEMENTS_ALLOWED"] {
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(program.json_ok(&list), before);
    runtime.block_on(stack.stop()).unwrap();
}
