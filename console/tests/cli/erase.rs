//! `erase` on the whole pipeline: after it no file of the stopped database, no message and no file of this
//! machine has the marker.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use devstack::Stack;
use event::Record;
use export::{ExportError, ExportFiles, Target};
use pipeline::Pipeline;
use pipeline::model::QueueRole;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Runtime;

use crate::support::harness::{Harness, LIMIT, invalid, valid};
use crate::support::program::{Answer, Program};
use crate::support::pty::Session as Terminal;
use crate::support::queues::Queues;
use crate::support::{configuration, machine, stack};

/// Subject of the events, and a text in their payload.
const MARKER: &str = "passenger/q7Zx-4711";
/// An event of it that is no JSON object.
const BROKEN: &str = "{\"subject\":\"passenger/q7Zx-4711\",";
/// The range of all events of these tests.
const RANGE: [&str; 4] = ["--from", "2026-01-01", "--to", "2100-01-01"];
const FORMATS: [&str; 3] = ["parquet", "csv", "jsonl"];

/// An event of a subject; `kib` is the size of its payload, which does not compress well.
fn event(id: &str, subject: &str, time: &str, kib: u64) -> String {
    let filler: String = (1..=kib * 64)
        .map(|number| format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    json!({
        "specversion": "1.0", "id": id, "source": "/cli/erase", "type": "booking.made",
        "subject": subject, "time": time, "data": {"name": format!("{subject} {filler} {subject}")},
    })
    .to_string()
}

struct Deployed {
    runtime: Runtime,
    stack: Stack,
    program: Program,
    pipeline: Pipeline,
    queues: Queues,
    _machine: machine::Alone,
}

impl Deployed {
    fn start() -> Self {
        let machine = machine::alone();
        let runtime = Runtime::new().unwrap();
        let stack = runtime.block_on(stack::start());
        let endpoints = stack.endpoints();
        let program = Program::new();
        let folder = program.configure("").parent().map(PathBuf::from).unwrap();
        configuration::of(endpoints, &folder);
        fs::create_dir(program.home().join("temporary")).unwrap();
        let pipeline = stack::connect(endpoints);
        Self {
            queues: Queues::of(pipeline.environment()),
            pipeline,
            runtime,
            program,
            stack,
            _machine: machine,
        }
    }

    fn sql(&self, statements: &[&str]) {
        self.runtime.block_on(async {
            let url = &self.stack.endpoints().database_url;
            let mut connection = PgConnection::connect(url).await.unwrap();
            for statement in statements {
                sqlx::raw_sql(statement)
                    .execute(&mut connection)
                    .await
                    .unwrap();
            }
            connection.close().await.unwrap();
        });
    }

    fn publish(&self, lines: &[String]) {
        let file = self.program.write("events.jsonl", lines.join("\n"));
        let report = self.program.json_ok(&["publish", file.to_str().unwrap()]);
        assert_eq!(report["published"], lines.len(), "{report}");
        fs::remove_file(file).unwrap();
    }

    fn stored(&self, subject: &str, count: usize) {
        let list = ["records", "list", "--subject", subject];
        let is_there = |page: &Value| page["items"].as_array().unwrap().len() == count;
        self.program.json_until(&list, LIMIT, is_there);
    }

    /// Message ids of the dead letters with this event id, when there are so many dead letters.
    fn dead_letters(&self, count: usize) -> Vec<(String, Value)> {
        let is_there = |list: &Value| list.as_array().unwrap().len() == count;
        let list = self.program.json_until(&["dlq", "list"], LIMIT, is_there);
        let list = list.as_array().unwrap().iter();
        list.map(|letter| {
            let id = letter["message_id"].as_str().unwrap().to_owned();
            (id, letter["event"]["id"].clone())
        })
        .collect()
    }

    fn message_id(&self, event_id: &str, count: usize) -> String {
        let letters = self.dead_letters(count);
        let found = letters.into_iter().find(|(_, id)| id == event_id);
        found.unwrap().0
    }

    fn add_dead_letter(&self, body: &str) {
        self.runtime
            .block_on(self.queues.add_dead_letter(body, &[]));
    }

    fn erase(&self, arguments: &[&str]) -> Answer {
        let all = [&["erase"], arguments, &["--output", "json"]].concat();
        let mut command = self.program.command(&all);
        command.env("TMPDIR", self.program.home().join("temporary"));
        Answer::of(command.output().unwrap())
    }

    /// Files in which the marker is. What an export compresses is searched record by record.
    fn files_with_marker(&self) -> Vec<String> {
        let mut found = Vec::new();
        let is_export = |path: &PathBuf| path.to_string_lossy().contains("/occurred_on=");
        for path in files_in(self.program.home()) {
            if !is_export(&path) && has_marker(&fs::read(&path).unwrap()) {
                found.push(path.display().to_string());
            }
        }
        for format in FORMATS {
            let target = Target::Folder(self.program.home().join(format));
            let count = self.runtime.block_on(async {
                let files = ExportFiles::open(&self.pipeline, &target)
                    .await
                    .unwrap()
                    .unwrap();
                let select = async |records: &[Record]| {
                    let records = records.iter();
                    let found = records.map(|record| record.payload.get().contains(MARKER));
                    Ok::<_, ExportError>(found.collect())
                };
                let mut count = 0;
                for name in files.names() {
                    count += files.count(name, select).await.unwrap();
                }
                count
            });
            if count > 0 {
                found.push(format!("{count} in {format}"));
            }
        }
        found
    }

    /// Names of the files of tables and indexes.
    fn relations(&self) -> Vec<(String, String)> {
        self.runtime.block_on(async {
            let url = &self.stack.endpoints().database_url;
            let mut connection = PgConnection::connect(url).await.unwrap();
            let relations = "select pg_relation_filepath(oid), oid::regclass::text from pg_class
                where pg_relation_filepath(oid) is not null";
            let relations = sqlx::query_as(relations).fetch_all(&mut connection).await;
            connection.close().await.unwrap();
            relations.unwrap()
        })
    }

    /// Files of the database, which must be stopped, in which the marker is.
    fn database_files_with_marker(&self) -> Vec<String> {
        let folder = self.stack.postgres().folder();
        let files = files_in(folder);
        assert!(files.len() > 500, "the check sees {} files", files.len());
        let has_it = |path: &PathBuf| has_marker(&fs::read(path).unwrap_or_default());
        let found = files.into_iter().filter(has_it);
        found.map(|path| path.display().to_string()).collect()
    }

    fn restart_database(&self) {
        self.runtime
            .block_on(self.stack.postgres().start_again())
            .unwrap();
    }

    fn stop_database(&self) {
        // Segments of the log that are no longer needed are removed by a checkpoint, and not used again.
        self.sql(&[
            "select pg_switch_wal()",
            "checkpoint",
            "select pg_switch_wal()",
            "checkpoint",
        ]);
        self.runtime
            .block_on(self.stack.postgres().stop_server())
            .unwrap();
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files.extend(files_in(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files
}

fn has_marker(bytes: &[u8]) -> bool {
    let marker = MARKER.as_bytes();
    bytes.windows(marker.len()).any(|window| window == marker)
}

fn items<'a>(report: &'a Value, place: &str) -> Vec<&'a Value> {
    let items = report["items"].as_array().unwrap().iter();
    items.filter(|item| item["place"] == place).collect()
}

fn sum(report: &Value, place: &str, what: &str) -> u64 {
    let items = items(report, place);
    items.iter().map(|item| item[what].as_u64().unwrap()).sum()
}

#[test]
fn erased_subject_is_in_no_file_of_the_database_no_message_and_no_file_of_this_machine() {
    let deployed = Deployed::start();
    // A marker within compressed bytes could not be seen: payloads are stored as they are. Without reuse a
    // checkpoint removes old segments of the log; otherwise they are renamed with their content.
    deployed.sql(&[
        "do $$ declare name regclass; begin
             for name in select inhrelid from pg_inherits where inhparent = 'records'::regclass loop
                 execute format('alter table %s alter column payload set storage external', name);
             end loop;
         end $$",
        "alter system set wal_recycle = off",
        "select pg_reload_conf()",
    ]);
    let today = chrono::Utc::now().to_rfc3339();
    let past = "2026-01-31T12:00:00Z";
    let mut events = Vec::new();
    for (number, kib) in [0, 20, 200].into_iter().enumerate() {
        events.push(event(&format!("{MARKER}-{number}"), MARKER, &today, kib));
        events.push(event(&format!("{MARKER}-past-{number}"), MARKER, past, kib));
        events.push(event(
            &format!("other-{number}"),
            "passenger/other",
            &today,
            kib,
        ));
    }
    deployed.publish(&events);
    deployed.stored(MARKER, 6);
    deployed.stored("passenger/other", 3);

    let no_time =
        |id: &str, subject: &str| event(id, subject, past, 0).replace("\"time\":", "\"times\":");
    // Copies of deleted messages.
    deployed.add_dead_letter(&no_time("deleted", MARKER));
    deployed.add_dead_letter(&no_time("deleted-other", "passenger/other"));
    deployed.dead_letters(2);
    let deleted = ["dlq", "delete", "--all", "--confirm-queue"];
    let queue = deployed
        .pipeline
        .queue_name(QueueRole::DeadLetter)
        .to_owned();
    deployed
        .program
        .json_ok(&[&deleted[..], &[&queue, "--yes"]].concat());
    // A redrive that ended, with an edit.
    deployed.add_dead_letter(&no_time("mended", MARKER));
    let id = deployed.message_id("mended", 1);
    let patch = format!(".time = \"{past}\" | del(.times)");
    let run = ["redrive", "run", &id, "--patch", &patch, "--yes"];
    deployed.program.json_ok(&run);
    deployed.stored(MARKER, 7);
    // A plan that is not run, and what stays in the queue.
    for (id, subject) in [
        ("planned", MARKER),
        ("dead", MARKER),
        ("dead-other", "passenger/other"),
    ] {
        deployed.add_dead_letter(&no_time(id, subject));
    }
    deployed.add_dead_letter(BROKEN);
    let id = deployed.message_id("planned", 4);
    let plan = deployed
        .program
        .json_ok(&["redrive", "plan", &id, "--patch", &patch]);
    assert_eq!(plan["planned"], 1, "{plan}");
    // Copies outside of the state folder are remembered.
    deployed
        .program
        .json_ok(&["dlq", "export", "elsewhere/all.jsonl"]);
    for format in FORMATS {
        let export = [
            "export",
            "--from",
            "2026-01-01",
            "--into",
            format,
            "--format",
            format,
        ];
        deployed.program.json_ok(&export);
    }
    deployed.program.write(
        "temporary/opsconsole-a1b2c3.json",
        event("edited", MARKER, past, 0),
    );
    deployed.program.write(
        "temporary/opsconsole-d4e5f6.json",
        event("edited", "x", past, 0),
    );

    deployed.sql(&["analyze records", "checkpoint"]);
    deployed
        .runtime
        .block_on(deployed.stack.postgres().stop_server())
        .unwrap();
    let before = deployed.database_files_with_marker();
    assert!(
        before.iter().any(|path| path.contains("/base/")),
        "{before:?}"
    );
    assert!(
        before.iter().any(|path| path.contains("/pg_wal/")),
        "{before:?}"
    );
    deployed.restart_database();
    let before = deployed.files_with_marker();
    // A journal, a plan, copies twice, a file of the editor, the audit log, and an export in each format.
    assert_eq!(before.len(), 6 + FORMATS.len(), "{before:?}");

    let dry_run = deployed.erase(&["--subject", MARKER, "--dry-run"]);
    assert_eq!(dry_run.code, 1, "a message is no event: {dry_run:?}");
    let plan = dry_run.json();
    assert!(!dry_run.stdout.contains(MARKER) && !dry_run.stderr.contains(MARKER));
    assert_eq!(
        (
            sum(&plan, "records", "found"),
            items(&plan, "records").len()
        ),
        (7, 2),
        "{plan}"
    );
    assert_eq!(sum(&plan, "dead-letters", "found"), 2, "{plan}");
    assert_eq!(
        (&plan["erased"], &plan["unreadable"]),
        (&json!(0), &json!(2)),
        "{plan}"
    );
    assert_eq!(plan["partitions"].as_array().unwrap().len(), 2, "{plan}");
    assert_eq!(deployed.files_with_marker(), before, "nothing is changed");

    let wrong = deployed.erase(&["--subject", MARKER, "--yes", "--confirm-count", "1"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.stderr.contains("nothing was erased"), "{wrong:?}");
    deployed.stored(MARKER, 7);

    let count = plan["to_erase"].to_string();
    let confirmed = ["--yes", "--confirm-count", &count, "--reason", "request 1"];
    let erased = deployed.erase(&[&["--subject", MARKER], &confirmed[..]].concat());
    let report = erased.json();
    assert_eq!(
        erased.code, 1,
        "the message that is no event is left: {erased:?}"
    );
    assert_eq!(report["erased"], plan["found"], "{report}");
    assert_eq!(
        (&report["is_complete"], &report["unreadable"]),
        (&json!(false), &json!(2))
    );
    for partition in report["partitions"].as_array().unwrap() {
        assert_eq!(partition["outcome"], "rewritten", "{report}");
    }
    for place in [
        "records",
        "dead-letters",
        "redrive",
        "plan",
        "messages",
        "export",
        "editor",
        "audit-log",
    ] {
        let found = sum(&report, place, "found");
        assert!(found > 0, "{place}: {report}");
        assert_eq!(sum(&report, place, "erased"), found, "{place}: {report}");
    }

    let all = [
        &["--containing", MARKER][..],
        &RANGE,
        &["--yes", "--confirm-count", "2"],
    ]
    .concat();
    let rest = deployed.erase(&all);
    assert_eq!(rest.code, 0, "{rest:?}");
    assert_eq!(rest.json()["is_complete"], true, "{rest:?}");
    let nothing = deployed.erase(&[&["--containing", MARKER][..], &RANGE, &["--dry-run"]].concat());
    assert_eq!(
        (nothing.code, &nothing.json()["found"]),
        (1, &json!(0)),
        "{nothing:?}"
    );

    // A program, narrowed by the type.
    deployed.publish(&[event("by-program", "passenger/program", &today, 0)]);
    deployed.stored("passenger/program", 1);
    let program = [
        &["--where", ".subject == \"passenger/program\""][..],
        &RANGE,
    ]
    .concat();
    let confirmed = ["--yes", "--confirm-count", "1"];
    let other_type = deployed.erase(&[&program[..], &["--type", "other", "--dry-run"]].concat());
    assert_eq!(
        (other_type.code, &other_type.json()["found"]),
        (1, &json!(0))
    );
    let by_program =
        deployed.erase(&[&program[..], &["--type", "booking.made"], &confirmed].concat());
    assert_eq!(by_program.code, 0, "{by_program:?}");
    assert_eq!(
        sum(&by_program.json(), "records", "erased"),
        1,
        "{by_program:?}"
    );
    deployed.stored("passenger/program", 0);

    assert_eq!(deployed.files_with_marker(), Vec::<String>::new());
    let waiting = deployed.queues.count(QueueRole::Source);
    assert_eq!(deployed.runtime.block_on(waiting), 0);
    assert_eq!(deployed.dead_letters(1)[0].1, "dead-other");
    deployed.stored("passenger/other", 3);
    let trail = deployed.program.json_ok(&["audit"]);
    let erasures = trail["entries"].as_array().unwrap().iter();
    let erasures: Vec<&Value> = erasures
        .filter(|entry| entry["operation"] == "erase")
        .collect();
    assert_eq!(erasures.len(), 3, "{trail}");
    assert_eq!(erasures[0]["ending"]["counts"]["records"], 7, "{trail}");
    assert_eq!(erasures[0]["details"]["by"], "subject", "{trail}");
    assert!(erasures[1]["ending"]["error"].is_null(), "{trail}");

    let relations = deployed.relations();
    deployed.stop_database();
    let left = deployed.database_files_with_marker();
    let names = relations
        .iter()
        .filter(|(path, _)| left.iter().any(|left| left.ends_with(path)));
    assert!(left.is_empty(), "{left:?}: {:?}", names.collect::<Vec<_>>());
    deployed.restart_database();

    // The identity is known: a redelivery is a duplicate.
    let duplicates = deployed.stack.ingest_counts().unwrap().duplicates;
    deployed.publish(&events);
    let deadline = Instant::now() + LIMIT;
    while deployed.stack.ingest_counts().unwrap().duplicates < duplicates + events.len() as u64 {
        assert!(Instant::now() < deadline);
    }
    deployed.stored(MARKER, 0);
    deployed.stored("passenger/other", 3);
}

/// Two queues and no database.
fn without_a_database() -> Harness {
    let harness = Harness::start();
    fs::create_dir(harness.program.home().join("temporary")).unwrap();
    harness
}

fn erase(harness: &Harness, arguments: &[&str]) -> Answer {
    let mut command = harness.program.command(&[&["erase"], arguments].concat());
    command.env("TMPDIR", harness.program.home().join("temporary"));
    Answer::of(command.output().unwrap())
}

#[test]
fn request_without_bounds_or_a_database_is_refused_with_the_way_out() {
    let harness = without_a_database();
    harness.add_dead_letters(&[valid("1")]);
    let local = ["--subject", MARKER, "--local", "--dry-run"];
    let secret_reason = [&local[..], &["--reason", "ask passenger/q7Zx-4711"]].concat();
    for (arguments, code, expected) in [
        (vec!["--dry-run"], 2, "--subject"),
        (
            vec!["--subject", MARKER, "--containing", "text", "--dry-run"],
            2,
            "cannot be used with",
        ),
        (
            vec!["--where", ".data.x", "--dry-run"],
            2,
            "--from and --to",
        ),
        (
            vec![
                "--containing",
                "long enough",
                "--from",
                "2026-01-01",
                "--dry-run",
            ],
            2,
            "--from and --to",
        ),
        (
            vec!["--containing", "abc", "--local", "--dry-run"],
            2,
            "give a longer one",
        ),
        (vec!["--subject", MARKER], 2, "--yes --confirm-count"),
        (vec!["--subject", MARKER, "--yes"], 2, "--confirm-count"),
        (
            vec!["--subject", MARKER, "--dry-run"],
            1,
            "the API is read-only",
        ),
        (
            vec![
                "--subject",
                MARKER,
                "--local",
                "--dry-run",
                "--also",
                "nowhere",
            ],
            2,
            "there is no export",
        ),
        (secret_reason, 2, "the audit log would keep it"),
        (
            vec!["--subject", MARKER, "--read-only", "--local", "--dry-run"],
            1,
            "read-only",
        ),
        (local.to_vec(), 1, "nothing was found"),
    ] {
        let answer = erase(&harness, &arguments);
        assert_eq!(answer.code, code, "{arguments:?}: {answer:?}");
        assert!(
            answer.stderr.contains(expected),
            "{arguments:?}: {answer:?}"
        );
    }
    let (_, messages) = harness.program.json(&["dlq", "list"]);
    assert_eq!(
        messages[0]["receive_count"], 1,
        "a refusal costs no receive"
    );
    let (_, trail) = harness.program.json(&["audit"]);
    assert_eq!(trail["entries"], json!([]), "nothing was begun");
}

#[test]
fn unfinished_redrive_is_a_refusal_and_is_never_touched() {
    let harness = without_a_database();
    harness.add_dead_letters(&[invalid("marked"), invalid("other")]);
    let (first, second) = (harness.message_id("marked"), harness.message_id("other"));
    let patch = r#".time = "2026-01-31T12:00:00Z""#;
    let program = &harness.program;
    let run = [
        "redrive", "run", &first, &second, "--patch", patch, "--rate", "0.01",
    ];
    let more = ["--yes", "--no-proof", "--output", "json"];
    let running = program.spawn(&[&run[..], &more].concat());
    let begun = harness.redrive_until(|one| one["state"] == "running");
    let id = begun["id"].as_str().unwrap().to_owned();
    crate::support::signals::signal(running.id(), "INT");
    let stopped = Answer::of_child(running);
    assert_eq!(stopped.code, 130, "{stopped:?}");
    let journal = program
        .home()
        .join(format!("state/opsconsole/redrives/{id}.journal"));
    let before = fs::read(&journal).unwrap();

    let by_text = ["--containing", "\"marked\"", "--local"];
    let refused = erase(&harness, &[&by_text[..], &["--dry-run"]].concat());
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("redrive resume"), "{refused:?}");
    assert!(refused.stderr.contains(&id), "{refused:?}");
    let out = program.home().join("copies.jsonl");
    let line = json!({"message_id": "m", "body": valid("marked")}).to_string();
    fs::write(
        &out,
        format!(
            "{line}\n{}\n",
            json!({"message_id": "n", "body": valid("other")})
        ),
    )
    .unwrap();
    let rest = [
        "--leave-unfinished",
        "--also",
        "copies.jsonl",
        "--yes",
        "--confirm-count",
        "2",
    ];
    let left = erase(
        &harness,
        &[&by_text[..], &rest, &["--output", "json"]].concat(),
    );
    let report = left.json();
    assert_eq!(left.code, 1, "something stays: {left:?}");
    assert_eq!(items(&report, "redrive")[0]["action"], "leave", "{report}");
    assert_eq!(sum(&report, "messages", "erased"), 1, "{report}");
    assert_eq!(sum(&report, "audit-log", "erased"), 1, "{report}");
    assert_eq!(fs::read(&journal).unwrap(), before);
    let copies = fs::read_to_string(&out).unwrap();
    assert!(
        !copies.contains("marked") && copies.contains("other"),
        "{copies}"
    );
}

#[test]
fn number_is_typed_on_a_terminal_and_the_audit_log_loses_details_alone() {
    let harness = without_a_database();
    let program = &harness.program;
    let file = program.write(
        "copies.jsonl",
        format!("{}\n", json!({"body": valid("a-secret")})),
    );
    // An earlier entry with the text.
    harness.add_dead_letters(&[valid("a-secret")]);
    let delete = [
        "dlq",
        "delete",
        "--where",
        ".id == \"a-secret\"",
        "--no-export",
        "--yes",
    ];
    program.json_ok(&[&delete[..], &["--confirm-queue", "dead-letters"]].concat());
    let home = program.home().to_owned();
    let ask = |typed: &str| {
        let line = "erase --containing a-secret --local --also copies.jsonl";
        let arguments: Vec<&str> = line.split(' ').collect();
        let (config, state) = (home.join("config"), home.join("state"));
        let also = file.to_str().unwrap().to_owned();
        let arguments: Vec<&str> = arguments
            .into_iter()
            .map(|argument| {
                if argument == "copies.jsonl" {
                    also.as_str()
                } else {
                    argument
                }
            })
            .collect();
        let temporary = home.join("temporary");
        let mut terminal = Terminal::start(
            Path::new(env!("CARGO_BIN_EXE_opsconsole")),
            &arguments,
            &[
                ("XDG_CONFIG_HOME", config.to_str().unwrap()),
                ("XDG_STATE_HOME", state.to_str().unwrap()),
                ("TMPDIR", temporary.to_str().unwrap()),
            ],
            (160, 40),
        );
        let asked = terminal.wait_for("Type 2 to erase", LIMIT);
        terminal.press(typed);
        let exit = terminal.wait_for_exit(LIMIT);
        (asked, exit.exit_code())
    };
    let (asked, code) = ask("y\r");
    assert!(asked.contains("audit-log"), "{asked}");
    assert_eq!((code, file.exists()), (1, true));
    let (_, code) = ask("2\r");
    assert_eq!(code, 0);
    assert!(!file.exists(), "it had no other line");
    let log = fs::read_to_string(program.home().join("state/opsconsole/audit.jsonl")).unwrap();
    assert!(!log.contains("a-secret"), "{log}");
    let (_, trail) = program.json(&["audit"]);
    let entries = trail["entries"].as_array().unwrap();
    let operations: Vec<&Value> = entries.iter().map(|entry| &entry["operation"]).collect();
    assert_eq!(operations, ["delete", "erase"]);
    assert_eq!(entries[0]["details"], json!({"erased": true}), "{trail}");
    assert_eq!(entries[0]["ending"]["counts"]["deleted"], 1, "{trail}");
}
