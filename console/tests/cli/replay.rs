//! `replay` on the real pipeline: what is counted before is what happens, and PostgreSQL has the counts.

use std::collections::BTreeMap;
use std::process::Child;

use devstack::TestDatabase;
use pipeline::environment::Environment;
use pipeline::model::QueueRole;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::pipeline::{Turn, deployed};
use crate::support::configuration::{self, NOBODY};
use crate::support::harness::LIMIT;
use crate::support::program::{Answer, Program};
use crate::support::queues::Queues;
use crate::support::topic::subscribe;

/// Events of one test.
pub(crate) const TOTAL: usize = 25;
pub(crate) const TIMES: [&str; 4] = ["--from", "2026-03-01", "--to", "2026-03-08"];
const AGAIN: &str = r#".id += "-again""#;

/// Stored events of one source, spread over some days.
pub(crate) struct Stored<'a> {
    turn: &'a Turn,
    pub(crate) pool: PgPool,
    pub(crate) source: String,
}

impl<'a> Stored<'a> {
    pub(crate) fn new(turn: &'a Turn, name: &str, total: usize) -> Self {
        let pool = turn
            .runtime
            .block_on(async { PgPool::connect(&turn.endpoints.database_url).await.unwrap() });
        let stored = Self {
            turn,
            pool,
            source: format!("/replay/{name}"),
        };
        let bodies: Vec<String> = (0..total).map(|number| stored.body(number)).collect();
        let events: Vec<_> = bodies
            .iter()
            .map(|body| event::parse_event(body).unwrap())
            .collect();
        for events in events.chunks(500) {
            let writing = store::write_batch(&stored.pool, events);
            turn.runtime.block_on(writing).unwrap();
        }
        assert_eq!(stored.count(), total);
        stored
    }

    pub(crate) fn body(&self, number: usize) -> String {
        json!({
            "specversion": "1.0", "id": number.to_string(), "source": self.source,
            "type": format!("replayed.{}", number % 2), "subject": format!("s,{number}"),
            "time": format!("2026-03-0{}T12:00:00.00000{}Z", 1 + number % 7, number % 10),
            "data": {"text": "line\nbreak, \"quote\" ž", "amount": 12.50},
        })
        .to_string()
    }

    /// Records of the source, by PostgreSQL itself.
    pub(crate) fn count(&self) -> usize {
        let counting = sqlx::query_scalar("select count(*) from records where source = $1")
            .bind(&self.source)
            .fetch_one(&self.pool);
        let count: i64 = self.turn.runtime.block_on(counting).unwrap();
        usize::try_from(count).unwrap()
    }

    /// The events of the source by their ids, by PostgreSQL itself.
    pub(crate) fn payloads(&self) -> BTreeMap<String, Value> {
        let reading = sqlx::query_as("select id, payload::text from records where source = $1")
            .bind(&self.source)
            .fetch_all(&self.pool);
        let rows: Vec<(String, String)> = self.turn.runtime.block_on(reading).unwrap();
        let count = rows.len();
        let payloads: BTreeMap<_, _> = rows
            .into_iter()
            .map(|(id, payload)| (id, serde_json::from_str(&payload).unwrap()))
            .collect();
        assert_eq!(payloads.len(), count, "no id is stored twice");
        payloads
    }

    /// Loses the records, as a restore to an earlier point in time would.
    pub(crate) fn lose(&self) {
        for statement in [
            "delete from event_identities as k using records as r
             where r.source = $1 and k.record_id = r.record_id",
            "delete from records where source = $1",
        ] {
            let deleting = sqlx::query(statement)
                .bind(&self.source)
                .execute(&self.pool);
            self.turn.runtime.block_on(deleting).unwrap();
        }
        assert_eq!(self.count(), 0);
    }

    /// `replay` of the records of the source.
    pub(crate) fn replay<'b>(&'b self, more: &[&'b str]) -> Vec<&'b str> {
        let mut arguments = vec!["replay", "--source", &self.source];
        arguments.extend(TIMES);
        arguments.extend(more);
        arguments
    }
}

pub(crate) fn numbers<const N: usize>(value: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| {
        let number = value[name].as_u64();
        number.unwrap_or_else(|| panic!("{name}: {value}"))
    })
}

/// What every replay that ends well reports.
fn assert_published(outcome: &Value, total: usize, duplicates: usize) {
    let total = total as u64;
    let names = ["moved", "stored", "duplicates", "expected_duplicates"];
    let duplicates = duplicates as u64;
    assert_eq!(
        numbers(outcome, names),
        [total, total, duplicates, duplicates],
        "{outcome}"
    );
    let names = [
        "unknown",
        "not_sent",
        "sent_not_deleted",
        "dead_again",
        "unproved",
    ];
    assert_eq!(numbers(outcome, names), [0; 5], "{outcome}");
    assert_eq!(outcome["state"], "finished");
}

#[test]
fn range_of_stored_records_is_replayed_as_the_duplicates_that_were_shown_before() {
    let turn = deployed();
    let stored = Stored::new(&turn, "stored", TOTAL);
    let before = stored.payloads();
    let earlier = turn.json(&["redrive", "list"]);
    let (code, dry) = turn.program.json(&stored.replay(&["--dry-run"]));
    assert_eq!(code, 0, "{dry}");
    let names = ["planned", "sendable", "expected_duplicates"];
    assert_eq!(numbers(&dry, names), [TOTAL as u64; 3], "{dry}");
    let listed = turn.json(&["redrive", "list"]);
    assert_eq!(listed, earlier, "nothing is written");
    let none = Answer::of_child(turn.program.spawn(&stored.replay(&[])));
    assert_eq!(none.code, 2, "nobody can confirm it: {none:?}");
    assert!(none.stderr.contains("add --yes"), "{none:?}");
    let run = turn.run(&stored.replay(&["--yes"]));
    assert_eq!(run.code, 0, "{run:?}");
    let expected =
        "expected: of 25 messages 25 duplicates, which the ingest drops, and 0 new records";
    assert!(run.stderr.contains(expected), "{run:?}");
    let said = "selected 25, published 25, may have been sent 0, not sent 0, skipped 0; stored 25 \
                (25 of them as duplicates), failed again 0, not proved 0";
    assert!(run.stdout.contains(said), "{run:?}");
    assert_eq!(stored.payloads(), before);
    let one_type = stored.replay(&["--type", "replayed.1", "--yes"]);
    assert_published(&turn.json(&one_type), TOTAL / 2, TOTAL / 2);

    // It is a redrive among the others.
    let listed = turn.json(&["redrive", "list"]);
    let replay = &listed[1];
    assert_eq!(
        (&replay["kind"], &replay["state"]),
        (&json!("replay"), &json!("finished"))
    );
    let id = replay["id"].as_str().unwrap();
    let report = turn.json(&["redrive", "report", id]);
    for message in report["letters"].as_array().unwrap() {
        assert_eq!(message["outcome"], "published");
        assert_eq!(message["proof"]["outcome"], "already-stored", "{message}");
    }
    let shown = turn.run(&["redrive", "show", id]).stdout;
    for expected in [id, "records from 2026-03-01", "duplicates    25 expected"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let audit = turn.json(&["audit"]);
    let mut entries = audit["entries"].as_array().unwrap().iter();
    let entry = entries.find(|entry| entry["details"]["replay"] == id);
    let entry = entry.unwrap();
    assert_eq!(entry["operation"], "replay");
    assert_eq!(entry["ending"]["counts"]["moved"], TOTAL);
}

#[test]
fn patch_that_makes_new_ids_stores_each_event_once_more() {
    let turn = deployed();
    let stored = Stored::new(&turn, "patched", TOTAL);
    let patched = stored.replay(&["--patch", AGAIN, "--canary", "1,10", "--yes"]);
    assert_published(&turn.json(&patched), TOTAL, 0);
    let payloads = stored.payloads();
    assert_eq!(payloads.len(), 2 * TOTAL);
    for number in 0..TOTAL {
        let (first, again) = (
            &payloads[&number.to_string()],
            &payloads[&format!("{number}-again")],
        );
        assert_eq!(first["data"], again["data"]);
        assert_eq!(first["time"], again["time"]);
    }
    // An edit that keeps the identity would be dropped: it is not sent, whatever is asked.
    let kept = stored.replay(&["--patch", ".data.amount = 0", "--yes"]);
    let (code, outcome) = turn.program.json(&kept);
    assert_eq!(code, 1, "{outcome}");
    let names = ["moved", "skipped", "would_be_lost"];
    let twice = 2 * TOTAL as u64;
    assert_eq!(numbers(&outcome, names), [0, twice, twice], "{outcome}");
    assert_eq!(stored.payloads(), payloads);
}

#[test]
fn files_of_every_format_bring_back_records_that_the_database_lost() {
    let turn = deployed();
    for format in ["parquet", "csv", "jsonl"] {
        let stored = Stored::new(&turn, format, TOTAL);
        let before = stored.payloads();
        let mut export = vec!["export", "--source", &stored.source, "--format", format];
        export.extend(TIMES);
        export.extend(["--into", format]);
        let exported = turn.json(&export);
        assert_eq!(numbers(&exported, ["rows"]), [TOTAL as u64]);
        stored.lose();
        let replayed = turn.json(&["replay", "--files", format, "--yes"]);
        assert_published(&replayed, TOTAL, 0);
        assert_eq!(stored.payloads(), before, "{format}");
        // The same once more: now the ledger has them all.
        let half = ["--from", "2026-03-04", "--type", "replayed.1", "--yes"];
        let again = turn.json(&[&["replay", "--files", format], &half[..]].concat());
        let later = (0..TOTAL).filter(|number| number % 7 >= 3 && number % 2 == 1);
        let later = later.count();
        assert_published(&again, later, later);
    }
}

#[test]
fn plan_is_written_shown_and_run_later_from_another_folder() {
    let turn = deployed();
    let stored = Stored::new(&turn, "planned", TOTAL);
    let mut export = vec!["export", "--source", &stored.source, "--into", "planned"];
    export.extend(TIMES);
    turn.json(&export);
    let out = ["replay", "--files", "planned", "--out", "replay.json"];
    let planned = turn.json(&out);
    let names = ["selected", "planned", "expected_duplicates"];
    assert_eq!(numbers(&planned, names), [TOTAL as u64; 3], "{planned}");
    assert_eq!(planned["verdicts"], json!({"already-stored": TOTAL}));
    let dry = turn.json(&["redrive", "run", "replay.json", "--dry-run"]);
    assert_eq!(numbers(&dry, ["sendable"]), [TOTAL as u64]);
    let folder = turn.program.home().join("elsewhere");
    std::fs::create_dir_all(&folder).unwrap();
    let mut command = turn
        .program
        .command(&["redrive", "run", "../replay.json", "--yes"]);
    let command = command.args(["--output", "json"]).current_dir(&folder);
    let answer = Answer::of(command.output().unwrap());
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_published(&answer.json(), TOTAL, TOTAL);
}

/// Starts a replay so slow that it is under way until it is stopped.
fn slow(stored: &Stored<'_>) -> (Child, String) {
    let turn = stored.turn;
    let child = turn
        .program
        .spawn(&stored.replay(&["--patch", AGAIN, "--rate", "5", "--yes"]));
    let under_way = |one: &Value| {
        one["state"] == "running"
            && one["counts"]["moved"]
                .as_u64()
                .is_some_and(|moved| moved > 0)
    };
    let find = |listed: &Value| {
        listed
            .as_array()
            .unwrap()
            .iter()
            .find(|one| under_way(one))
            .cloned()
    };
    let list = ["redrive", "list"];
    let listed = turn
        .program
        .json_until(&list, LIMIT, |listed| find(listed).is_some());
    (
        child,
        find(&listed).unwrap()["id"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn killed_replay_is_resumed_and_stores_every_event_once() {
    let turn = deployed();
    let stored = Stored::new(&turn, "killed", TOTAL);
    let (mut child, id) = slow(&stored);
    child.kill().unwrap();
    child.wait().unwrap();
    let report = turn.json(&["redrive", "report", &id]);
    assert_eq!(report["state"], "interrupted", "{report}");
    let moved = report["counts"]["moved"].as_u64().unwrap();
    assert!(moved > 0 && moved < TOTAL as u64, "in the middle: {report}");
    let resumed = turn.json(&["redrive", "resume", &id, "--yes", "--rate", "1000"]);
    let names = ["moved", "stored", "unknown", "unproved", "dead_again"];
    assert_eq!(
        numbers(&resumed, names),
        [TOTAL as u64, TOTAL as u64, 0, 0, 0],
        "{resumed}"
    );
    assert_eq!(stored.payloads().len(), 2 * TOTAL, "each exactly once");
}

#[test]
fn running_replay_is_paused_resumed_and_cancelled_from_another_process() {
    let turn = deployed();
    let stored = Stored::new(&turn, "controlled", TOTAL);
    let (child, id) = slow(&stored);
    let control = |what: &str, state: &str| {
        let answer = turn.json(&["redrive", what, &id]);
        assert_eq!(answer["state"], state, "{answer}");
    };
    control("pause", "paused");
    control("resume", "running");
    control("cancel", "cancelled");
    let ended = Answer::of_child(child);
    assert_eq!(ended.code, 1, "messages are left: {ended:?}");
    let report = turn.json(&["redrive", "report", &id]);
    assert_eq!(
        (&report["state"], &report["kind"]),
        (&json!("cancelled"), &json!("replay"))
    );
    let resumed = turn.json(&["redrive", "resume", &id, "--yes", "--rate", "1000"]);
    assert_eq!(
        numbers(&resumed, ["moved", "stored"]),
        [TOTAL as u64; 2],
        "{resumed}"
    );
    assert_eq!(stored.payloads().len(), 2 * TOTAL);
}

/// Without a database everything is read by the API.
#[test]
fn replay_needs_no_database() {
    let turn = deployed();
    let stored = Stored::new(&turn, "by-api", TOTAL);
    let by_api = Program::new();
    by_api.configure(&configuration::by_api(&turn.endpoints, ""));
    assert_published(&by_api.json_ok(&stored.replay(&["--yes"])), TOTAL, TOTAL);
}

/// A program with a database of its own, and nothing else that answers.
pub(crate) fn with_database() -> (tokio::runtime::Runtime, TestDatabase, Program) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(async {
        let database = TestDatabase::create().await.unwrap();
        store::migrate(database.pool()).await.unwrap();
        database
    });
    let program = Program::new();
    let more = format!("database_url = {:?}\n", database.url());
    program.configure(&configuration::environment_at("test", NOBODY, &more));
    (runtime, database, program)
}

#[test]
fn what_cannot_be_replayed_is_refused_with_the_input_and_the_way_out() {
    let (_runtime, _database, program) = with_database();
    let refused = |code: i32, arguments: &[&str], expected: &str| {
        let answer = program.run(&[&["replay"], arguments].concat());
        assert_eq!(answer.code, code, "{arguments:?}: {answer:?}");
        assert!(answer.stderr.contains(expected), "{expected}: {answer:?}");
    };
    let inverted = ["--from", "2026-03-02", "--to", "2026-03-01", "--dry-run"];
    refused(2, &inverted, "the range is empty");
    refused(2, &["--since", "1h", "--patch", ".id |"], "--patch");
    refused(2, &["--dry-run"], "--from");
    let twice = ["--since", "1h", "--type", "a", "--type", "a", "--dry-run"];
    refused(2, &twice, "given twice");
    refused(
        2,
        &["--files", "s3://warehouse/events", "--dry-run"],
        "copy it to a folder",
    );
    refused(
        1,
        &["--files", "nowhere", "--dry-run"],
        "nowhere: No such file",
    );
    std::fs::create_dir(program.home().join("empty")).unwrap();
    refused(
        1,
        &["--files", "empty", "--dry-run"],
        "has no files of an export",
    );
    program.write("foreign/notes.txt", "mine");
    refused(
        1,
        &["--files", "foreign", "--dry-run"],
        "notes.txt is no file of an export",
    );
    program.write(
        "broken/occurred_on=2026-03-01/part-00000000.parquet",
        "no parquet",
    );
    refused(
        1,
        &["--files", "broken", "--dry-run"],
        "part-00000000.parquet is no file of an export",
    );
    refused(1, &["--since", "1h", "--dry-run"], "no records match");
    refused(1, &["--since", "1h", "--yes", "--read-only"], "read-only");
    let canary = ["--since", "1h", "--canary", "1", "--no-proof", "--yes"];
    refused(2, &canary, "leave out --no-proof");
}

#[test]
fn more_records_than_a_plan_can_have_are_refused_with_advice() {
    let (runtime, database, program) = with_database();
    let filling = sqlx::query(
        "insert into records (record_id, source, id, type, occurred_at, payload)
         select number, '/many', number::text, 't', '2026-03-01', jsonb_build_object(
             'specversion', '1.0', 'id', number::text, 'source', '/many', 'type', 't',
             'time', '2026-03-01T00:00:00Z')
         from generate_series(1, 100001) as number",
    );
    runtime.block_on(filling.execute(database.pool())).unwrap();
    let answer = program.run(&["replay", "--from", "2026-03-01", "--dry-run"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    for expected in ["more than 100000 records", "in parts, by --from and --to"] {
        assert!(answer.stderr.contains(expected), "{answer:?}");
    }
}

/// Every subscriber of the topic gets the events, not only the pipeline.
#[test]
fn other_subscribers_of_the_topic_get_the_events_as_they_were_stored() {
    let turn = deployed();
    let stored = Stored::new(&turn, "subscribed", 3);
    let pipeline = turn.pipeline();
    let (other, subscription) = turn.runtime.block_on(async {
        let sqs = &pipeline.aws().await.sqs;
        let queue = sqs.create_queue().queue_name("other-subscriber").send();
        let queue_url = queue.await.unwrap().queue_url.unwrap();
        let subscription = subscribe(pipeline, &turn.endpoints.topic_arn, &queue_url).await;
        let other = Queues::of(&Environment {
            queue_url,
            ..pipeline.environment().clone()
        });
        (other, subscription)
    });
    assert_published(&turn.json(&stored.replay(&["--yes"])), 3, 3);
    let receiving = async {
        let mut received = BTreeMap::new();
        while received.len() < 3 {
            for message in other.receive(QueueRole::Source).await {
                let event: Value = serde_json::from_str(message.body().unwrap()).unwrap();
                received.insert(event["id"].as_str().unwrap().to_owned(), event);
            }
        }
        let sns = &pipeline.aws().await.sns;
        let unsubscribe = sns.unsubscribe().subscription_arn(subscription);
        unsubscribe.send().await.unwrap();
        received
    };
    let receiving = async { tokio::time::timeout(LIMIT, receiving).await.unwrap() };
    let received = turn.runtime.block_on(receiving);
    assert_eq!(received, stored.payloads());
}
