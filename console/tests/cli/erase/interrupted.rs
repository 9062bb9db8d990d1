//! An erasure that is killed is given again: the second one finds what is left, and its report is true.

use std::process::Stdio;
use std::time::Instant;

use devstack::TestDatabase;
use event::parse_event;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::{MARKER, erase, event, items, sum, without_a_database};
use crate::support::harness::{Harness, LIMIT};
use crate::support::program::Answer;

/// Two queues and a database, with what is erased in each.
struct Interrupted {
    harness: Harness,
    database: TestDatabase,
}

impl Interrupted {
    fn new() -> Self {
        let harness = without_a_database();
        let database = harness.runtime.block_on(async {
            let database = TestDatabase::create().await.unwrap();
            store::migrate(database.pool()).await.unwrap();
            let events: Vec<_> = ["1", "2", "3"]
                .map(|id| event(id, MARKER, "2026-01-31T12:00:00Z", 0))
                .iter()
                .map(|body| parse_event(body).unwrap().into_owned())
                .collect();
            store::write_batch(database.pool(), &events).await.unwrap();
            database
        });
        let more = format!("database_url = {:?}\n", database.url());
        harness.configure(harness.queues.endpoint_url(), &more);
        harness.add_dead_letters(&[event("dead", MARKER, "no time", 0)]);
        Self { harness, database }
    }

    fn erase(&self, arguments: &[&str]) -> (i32, Value) {
        let all = [&["--subject", MARKER], arguments, &["--output", "json"]].concat();
        let answer = erase(&self.harness, &all);
        (answer.code, answer.json())
    }

    /// Starts an erasure of all four, kills it once the condition holds, and ends its session of the database.
    fn kill_when(&self, is_right: impl Fn() -> bool) {
        let mut command = self.harness.program.command(&[
            "erase",
            "--subject",
            MARKER,
            "--yes",
            "--confirm-count",
            "4",
        ]);
        command.env("TMPDIR", self.harness.program.home().join("temporary"));
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + LIMIT;
        while !is_right() {
            assert!(Instant::now() < deadline);
            assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        self.count(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and application_name = 'opsconsole'",
        );
    }

    fn count(&self, statement: &str) -> i64 {
        let counting = sqlx::query_scalar(statement).fetch_one(self.database.pool());
        self.harness.runtime.block_on(counting).unwrap()
    }

    fn records(&self) -> i64 {
        self.count("select count(*) from records")
    }

    /// Whether the file of the partition has it.
    fn is_in_the_file(&self) -> bool {
        let statement = format!(
            "select position('{MARKER}'::bytea in pg_read_binary_file(pg_relation_filepath('records_default')))::bigint"
        );
        let checkpoint = sqlx::raw_sql("checkpoint").execute(self.database.pool());
        self.harness.runtime.block_on(checkpoint).unwrap();
        self.count(&statement) > 0
    }

    /// A transaction of another session that has run this statement.
    fn blocker(&self, statement: &str) -> PgConnection {
        self.harness.runtime.block_on(async {
            let mut connection = PgConnection::connect(self.database.url()).await.unwrap();
            for statement in ["begin", statement] {
                sqlx::raw_sql(statement)
                    .execute(&mut connection)
                    .await
                    .unwrap();
            }
            connection
        })
    }

    fn end(&self, blocker: PgConnection) {
        self.harness.runtime.block_on(blocker.close()).unwrap();
    }
}

#[test]
fn erasure_killed_before_the_rewrite_is_brought_to_its_end_by_the_next() {
    let interrupted = Interrupted::new();
    // Records can be deleted, and a vacuum waits.
    let blocker = interrupted.blocker("lock table records_default in share update exclusive mode");
    interrupted.kill_when(|| interrupted.records() == 0);
    interrupted.end(blocker);
    assert!(interrupted.is_in_the_file());

    let (code, plan) = interrupted.erase(&["--dry-run"]);
    assert_eq!(code, 0, "{plan}");
    assert_eq!((&plan["found"], &plan["to_erase"]), (&json!(0), &json!(0)));
    assert!(
        plan["resumes"]
            .as_str()
            .unwrap()
            .contains("records_default"),
        "{plan}"
    );
    assert_eq!(plan["partitions"][0]["outcome"], "to-rewrite", "{plan}");
    let (code, report) = interrupted.erase(&["--yes", "--confirm-count", "0"]);
    assert_eq!(
        (code, &report["is_complete"]),
        (0, &json!(true)),
        "{report}"
    );
    assert_eq!(report["partitions"][0]["outcome"], "rewritten", "{report}");
    assert!(report["resumes"].is_string(), "{report}");
    assert!(!interrupted.is_in_the_file());

    let (code, nothing) = interrupted.erase(&["--dry-run"]);
    assert_eq!((code, &nothing["resumes"]), (1, &Value::Null), "{nothing}");
    assert_eq!(nothing["partitions"], json!([]), "{nothing}");
    let trail = interrupted.harness.program.json_ok(&["audit"]);
    let entries = trail["entries"].as_array().unwrap();
    assert_eq!(entries[0]["ending"], Value::Null, "{trail}");
    let last = &entries.last().unwrap()["ending"];
    assert_eq!(last["counts"]["partitions_left"], 0, "{trail}");
}

#[test]
fn erasure_without_a_rewrite_leaves_the_rewrite_of_a_killed_one_to_the_next() {
    let interrupted = Interrupted::new();
    let blocker = interrupted.blocker("lock table records_default in share update exclusive mode");
    interrupted.kill_when(|| interrupted.records() == 0);
    interrupted.end(blocker);
    for _ in 0..2 {
        let (code, report) = interrupted.erase(&["--no-rewrite", "--yes", "--confirm-count", "0"]);
        assert_eq!(
            (code, &report["is_complete"]),
            (0, &json!(true)),
            "{report}"
        );
        assert_eq!(report["partitions"][0]["outcome"], "vacuumed", "{report}");
    }
    let (code, report) = interrupted.erase(&["--yes", "--confirm-count", "0"]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["partitions"][0]["outcome"], "rewritten", "{report}");
    assert!(report["resumes"].is_string(), "{report}");
    assert!(!interrupted.is_in_the_file());
    let (code, nothing) = interrupted.erase(&["--dry-run"]);
    assert_eq!((code, &nothing["resumes"]), (1, &Value::Null), "{nothing}");
}

/// Somebody else deletes one of them between the look and the delete.
#[test]
fn erasure_counts_the_records_that_it_has_deleted_itself() {
    let interrupted = Interrupted::new();
    let mut other = interrupted.blocker("delete from records where id = '3'");
    let mut command = interrupted.harness.program.command(&[
        "erase",
        "--subject",
        MARKER,
        "--yes",
        "--confirm-count",
        "4",
        "--output",
        "json",
    ]);
    command.env(
        "TMPDIR",
        interrupted.harness.program.home().join("temporary"),
    );
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let deadline = Instant::now() + LIMIT;
    let waits = "select count(*) from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'";
    while interrupted.count(waits) == 0 {
        assert!(Instant::now() < deadline);
    }
    let runtime = &interrupted.harness.runtime;
    let commit = sqlx::raw_sql("commit").execute(&mut other);
    runtime.block_on(commit).unwrap();
    let answer = Answer::of_child(child);
    let report = answer.json();
    assert_eq!(
        (answer.code, &report["is_complete"]),
        (0, &json!(true)),
        "{report}"
    );
    assert_eq!(sum(&report, "records", "found"), 3, "{report}");
    assert_eq!(sum(&report, "records", "erased"), 2, "{report}");
    assert_eq!(interrupted.records(), 0);
    let trail = interrupted.harness.program.json_ok(&["audit"]);
    let entries = trail["entries"].as_array().unwrap();
    let erasure = entries.iter().find(|entry| entry["operation"] == "erase");
    let counts = &erasure.unwrap()["ending"]["counts"];
    assert_eq!(counts["records"], 2, "{trail}");
}

#[test]
fn erasure_killed_between_dead_letters_and_records_finds_the_records_again() {
    let interrupted = Interrupted::new();
    let blocker = interrupted.blocker("select from records where id = '3' for update");
    interrupted.kill_when(|| interrupted.harness.depth() == (0, 0));
    assert_eq!(
        interrupted.records(),
        3,
        "a step is done whole or not at all"
    );
    interrupted.end(blocker);

    let (code, plan) = interrupted.erase(&["--dry-run"]);
    assert_eq!((code, &plan["to_erase"]), (0, &json!(3)), "{plan}");
    assert_eq!(items(&plan, "dead-letters").len(), 0, "{plan}");
    let (code, report) = interrupted.erase(&["--yes", "--confirm-count", "3"]);
    assert_eq!(
        (code, &report["is_complete"]),
        (0, &json!(true)),
        "{report}"
    );
    assert_eq!(sum(&report, "records", "erased"), 3, "{report}");
    assert!(report["resumes"].is_string(), "{report}");
    assert_eq!(interrupted.records(), 0);
    assert!(!interrupted.is_in_the_file());
}
