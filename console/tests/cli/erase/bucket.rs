//! Exports in a bucket of S3.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use devstack::TestDatabase;
use event::{Record, parse_event};
use export::{ExportError, ExportFiles, Target};
use serde_json::json;

use super::{FORMATS, MARKER, erase, event, items, sum, without_a_database};
use crate::support::harness::Harness;
use crate::support::program::Program;
use crate::support::proxy::{self, Fault};

/// Events of the subject, of five.
const MARKED: u64 = 2;

/// A bucket with an export of five events in each format.
struct Bucket {
    harness: Harness,
    database: TestDatabase,
}

impl Bucket {
    fn new() -> Self {
        let harness = without_a_database();
        let address = harness.queues.endpoint_url().trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).unwrap();
        let create = format!(
            "PUT /warehouse HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        connection.write_all(create.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let database = harness.runtime.block_on(async {
            let database = TestDatabase::create().await.unwrap();
            store::migrate(database.pool()).await.unwrap();
            let events: Vec<_> = (0..5)
                .map(|number| {
                    let subject = if number < MARKED {
                        MARKER
                    } else {
                        "passenger/other"
                    };
                    let body = event(&number.to_string(), subject, "2026-01-31T12:00:00Z", 0);
                    parse_event(&body).unwrap().into_owned()
                })
                .collect();
            store::write_batch(database.pool(), &events).await.unwrap();
            database
        });
        let bucket = Self { harness, database };
        bucket.configure(bucket.harness.queues.endpoint_url());
        for format in FORMATS {
            let into = target(format);
            let export = [
                "export",
                "--from",
                "2026-01-01",
                "--into",
                &into,
                "--format",
                format,
            ];
            let report = bucket.harness.program.json_ok(&export);
            assert_eq!(report["rows"], 5, "{report}");
        }
        bucket
    }

    fn configure(&self, endpoint_url: &str) {
        let more = format!("database_url = {:?}\n", self.database.url());
        self.harness.configure(endpoint_url, &more);
    }

    /// Records in the objects of a format, and how many of them are of the subject.
    fn records(&self, format: &str) -> (u64, u64) {
        let target: Target = target(format).parse().unwrap();
        self.harness.runtime.block_on(async {
            let opened = ExportFiles::open(&self.harness.queues.pipeline, &target).await;
            let files = opened.unwrap().unwrap();
            let mut counts = (0, 0);
            for name in files.names() {
                let all =
                    async |records: &[Record]| Ok::<_, ExportError>(vec![true; records.len()]);
                counts.0 += files.count(name, all).await.unwrap();
                let marked = async |records: &[Record]| {
                    let records = records.iter();
                    let is_it = records.map(|record| record.payload.get().contains(MARKER));
                    Ok::<_, ExportError>(is_it.collect())
                };
                counts.1 += files.count(name, marked).await.unwrap();
            }
            counts
        })
    }

    /// Folders for files on their way to a bucket or from one.
    fn staging(&self) -> usize {
        let folder = fs::read_dir(self.harness.program.home().join("temporary")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with("opsconsole-export-"))
            .count()
    }
}

fn target(format: &str) -> String {
    format!("s3://warehouse/{format}")
}

#[test]
fn exports_in_a_bucket_are_found_and_rewritten_in_every_format() {
    let bucket = Bucket::new();
    let subject = ["--subject", MARKER, "--output", "json"];
    let dry_run = erase(&bucket.harness, &[&subject[..], &["--dry-run"]].concat());
    let plan = dry_run.json();
    assert_eq!(dry_run.code, 0, "{dry_run:?}");
    assert_eq!(
        sum(&plan, "export", "found"),
        MARKED * FORMATS.len() as u64,
        "{plan}"
    );
    for format in FORMATS {
        let prefix = format!("{}/occurred_on=2026-01-31/", target(format));
        let found = items(&plan, "export");
        let is_it =
            |item: &&&serde_json::Value| item["name"].as_str().unwrap().starts_with(&prefix);
        assert_eq!(found.iter().filter(is_it).count(), 1, "{plan}");
        assert_eq!(bucket.records(format), (5, MARKED));
    }
    let stays = plan["stays"].to_string();
    assert!(stays.contains("versioning"), "{stays}");

    let count = plan["to_erase"].to_string();
    let confirmed = ["--yes", "--confirm-count", &count];
    let erased = erase(&bucket.harness, &[&subject[..], &confirmed].concat());
    let report = erased.json();
    assert_eq!(
        (erased.code, &report["is_complete"]),
        (0, &json!(true)),
        "{report}"
    );
    assert_eq!(
        sum(&report, "export", "erased"),
        MARKED * FORMATS.len() as u64,
        "{report}"
    );
    for format in FORMATS {
        assert_eq!(bucket.records(format), (5 - MARKED, 0), "{format}");
    }
    assert_eq!(bucket.staging(), 0);

    // Another machine knows the bucket only by its name.
    let other = Program::new();
    let configuration = bucket
        .harness
        .program
        .home()
        .join("config/opsconsole/config.toml");
    other.configure(&fs::read_to_string(configuration).unwrap());
    let also = target("csv");
    let (code, rest) = other.json(&[
        "erase",
        "--subject",
        "passenger/other",
        "--local",
        "--also",
        &also,
        "--yes",
        "--confirm-count",
        "3",
    ]);
    assert_eq!(code, 0, "{rest}");
    assert_eq!(sum(&rest, "export", "erased"), 3, "{rest}");
    assert_eq!(bucket.records("csv"), (0, 0));
    assert_eq!(bucket.records("jsonl"), (3, 0));
}

#[test]
fn erasure_killed_while_it_replaces_an_object_is_repeated_and_leaves_no_copy_here() {
    let bucket = Bucket::new();
    let starting = proxy::start(
        bucket.harness.queues.endpoint_url(),
        "PUT /warehouse/csv/occurred_on",
        Fault::KeepRequest,
        0..1_000,
    );
    let mut proxy = bucket.harness.runtime.block_on(starting);
    bucket.configure(&proxy.url);
    let local = [
        "erase",
        "--subject",
        MARKER,
        "--local",
        "--yes",
        "--confirm-count",
        "6",
    ];
    let mut command = bucket.harness.program.command(&local);
    command.env("TMPDIR", bucket.harness.program.home().join("temporary"));
    let mut child = command.spawn().unwrap();
    bucket.harness.runtime.block_on(proxy.wait_until_kept());
    child.kill().unwrap();
    child.wait().unwrap();
    drop(proxy);
    bucket.configure(bucket.harness.queues.endpoint_url());
    assert!(bucket.staging() > 0, "a copy of the object is here");
    // They are rewritten in the order in which they were exported.
    let left: Vec<_> = FORMATS.map(|format| bucket.records(format)).to_vec();
    assert_eq!(left, [(5 - MARKED, 0), (5, MARKED), (5, MARKED)]);

    let rest = [
        "--subject",
        MARKER,
        "--local",
        "--yes",
        "--confirm-count",
        "4",
        "--output",
        "json",
    ];
    let erased = erase(&bucket.harness, &rest);
    let report = erased.json();
    assert_eq!(
        (erased.code, &report["is_complete"]),
        (0, &json!(true)),
        "{report}"
    );
    assert_eq!(sum(&report, "export", "erased"), 2 * MARKED, "{report}");
    for format in FORMATS {
        assert_eq!(bucket.records(format), (5 - MARKED, 0), "{format}");
    }
    assert_eq!(bucket.staging(), 0);
}
