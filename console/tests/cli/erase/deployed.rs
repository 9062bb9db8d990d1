//! A whole pipeline, and the program that erases from it.

use std::fs;
use std::path::PathBuf;

use devstack::Stack;
use event::Record;
use export::{ExportError, ExportFiles, Target};
use pipeline::Pipeline;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Runtime;

use super::{FORMATS, MARKER, files_in, has_marker};
use crate::support::harness::LIMIT;
use crate::support::program::{Answer, Program};
use crate::support::queues::Queues;
use crate::support::{configuration, machine, stack};

/// The pipeline runs, and no other test of this binary does.
pub(super) struct Deployed {
    pub(super) runtime: Runtime,
    pub(super) stack: Stack,
    pub(super) program: Program,
    pub(super) pipeline: Pipeline,
    pub(super) queues: Queues,
    _machine: machine::Alone,
}

impl Deployed {
    pub(super) fn start() -> Self {
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

    pub(super) fn sql(&self, statements: &[&str]) {
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

    pub(super) fn publish(&self, lines: &[String]) {
        let file = self.program.write("events.jsonl", lines.join("\n"));
        let report = self.program.json_ok(&["publish", file.to_str().unwrap()]);
        assert_eq!(report["published"], lines.len(), "{report}");
        fs::remove_file(file).unwrap();
    }

    pub(super) fn stored(&self, subject: &str, count: usize) {
        let list = ["records", "list", "--subject", subject];
        let is_there = |page: &Value| page["items"].as_array().unwrap().len() == count;
        self.program.json_until(&list, LIMIT, is_there);
    }

    /// Message ids of the dead letters with this event id, when there are so many dead letters.
    pub(super) fn dead_letters(&self, count: usize) -> Vec<(String, Value)> {
        let is_there = |list: &Value| list.as_array().unwrap().len() == count;
        let list = self.program.json_until(&["dlq", "list"], LIMIT, is_there);
        let list = list.as_array().unwrap().iter();
        list.map(|letter| {
            let id = letter["message_id"].as_str().unwrap().to_owned();
            (id, letter["event"]["id"].clone())
        })
        .collect()
    }

    pub(super) fn message_id(&self, event_id: &str, count: usize) -> String {
        let letters = self.dead_letters(count);
        let found = letters.into_iter().find(|(_, id)| id == event_id);
        found.unwrap().0
    }

    pub(super) fn add_dead_letter(&self, body: &str) {
        self.runtime
            .block_on(self.queues.add_dead_letter(body, &[]));
    }

    /// With JSON output, and a temporary folder of its own.
    pub(super) fn erase(&self, arguments: &[&str]) -> Answer {
        let all = [&["erase"], arguments, &["--output", "json"]].concat();
        let mut command = self.program.command(&all);
        command.env("TMPDIR", self.program.home().join("temporary"));
        Answer::of(command.output().unwrap())
    }

    /// Files in which the marker is. What an export compresses is searched record by record.
    pub(super) fn files_with_marker(&self) -> Vec<String> {
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
    pub(super) fn relations(&self) -> Vec<(String, String)> {
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
    pub(super) fn database_files_with_marker(&self) -> Vec<String> {
        let folder = self.stack.postgres().folder();
        let files = files_in(folder);
        assert!(files.len() > 500, "the check sees {} files", files.len());
        let has_it = |path: &PathBuf| has_marker(&fs::read(path).unwrap_or_default());
        let found = files.into_iter().filter(has_it);
        found.map(|path| path.display().to_string()).collect()
    }

    pub(super) fn restart_database(&self) {
        self.runtime
            .block_on(self.stack.postgres().start_again())
            .unwrap();
    }

    pub(super) fn stop_database(&self) {
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
