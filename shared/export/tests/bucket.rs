//! Exports into a bucket of a real emulator, read back from its objects.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::sync::mpsc;

use chrono::{DateTime, TimeDelta, Utc};
use devstack::{Emulator, TestDatabase};
use event::{Record, parse_event};
use export::{
    ExportError, ExportFiles, ExportRequest, Exported, Format, OnProgress, Scope, export,
};
use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use pipeline::Pipeline;
use pipeline::environment::Environment;
use serde_json::{Value, json};
use store::write_batch;
use tokio_util::sync::CancellationToken;

/// More than one page.
const EVENTS: i64 = 700;
const TARGET: &str = "s3://warehouse/a/events";

struct Fixture {
    database: TestDatabase,
    emulator: Emulator,
    pipeline: Pipeline,
    objects: AmazonS3,
}

impl Fixture {
    /// A database with events, and an empty bucket.
    async fn new() -> Self {
        let database = TestDatabase::create().await.unwrap();
        store::migrate(database.pool()).await.unwrap();
        let emulator = Emulator::start_for_tests().await.unwrap();
        let environment = Environment {
            endpoint_url: Some(emulator.endpoint_url().to_owned()),
            database_url: Some(database.url().to_owned()),
            ..Environment::example()
        };
        let pipeline = Pipeline::connect(&environment).unwrap();
        let bucket = format!("{}/warehouse", emulator.endpoint_url());
        let created = reqwest::Client::new().put(&bucket).send().await.unwrap();
        assert!(created.status().is_success(), "{created:?}");
        let objects = AmazonS3Builder::new()
            .with_bucket_name("warehouse")
            .with_region("us-east-1")
            .with_endpoint(emulator.endpoint_url())
            .with_allow_http(true)
            .with_access_key_id("test")
            .with_secret_access_key("test")
            .build()
            .unwrap();
        let fixture = Self {
            database,
            emulator,
            pipeline,
            objects,
        };
        fixture.store(0..EVENTS).await;
        fixture
    }

    async fn store(&self, numbers: std::ops::Range<i64>) {
        let events: Vec<_> = numbers
            .map(|number| {
                let time = start() + TimeDelta::hours(number / 10);
                let body = json!({
                    "specversion": "1.0", "id": number.to_string(), "source": "/tests",
                    "type": "made", "time": time, "data": {"text": "x".repeat(2_000)},
                });
                parse_event(&body.to_string()).unwrap().into_owned()
            })
            .collect();
        write_batch(self.database.pool(), &events).await.unwrap();
    }

    async fn checkpoint(&self) -> Value {
        let key = Key::parse("a/events/_opsconsole_export.json").unwrap();
        let object = self.objects.get(&key).await.unwrap();
        serde_json::from_slice(&object.bytes().await.unwrap()).unwrap()
    }

    /// The numbers of the events in all files, sorted, each as often as it is there.
    async fn numbers(&self) -> Vec<i64> {
        let objects: Vec<_> = self.objects.list(None).try_collect().await.unwrap();
        let mut numbers = Vec::new();
        for object in objects {
            let name = object.location.to_string();
            if name.ends_with("_opsconsole_export.json") {
                continue;
            }
            assert!(name.starts_with("a/events/occurred_on=2026-03-0"), "{name}");
            let bytes = self.objects.get(&object.location).await.unwrap();
            let lines = zstd::decode_all(bytes.bytes().await.unwrap().as_ref()).unwrap();
            for line in String::from_utf8(lines).unwrap().lines() {
                let record: Record = serde_json::from_str(line).unwrap();
                numbers.push(record.id.parse().unwrap());
            }
        }
        numbers.sort_unstable();
        numbers
    }
}

fn start() -> DateTime<Utc> {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn request(scope: Scope, target: &str) -> ExportRequest {
    ExportRequest {
        scope,
        types: Vec::new(),
        source: None,
        format: Format::Jsonl,
        target: target.parse().unwrap(),
    }
}

async fn run(
    pipeline: &Pipeline,
    request: &ExportRequest,
    on_progress: OnProgress,
) -> Result<Exported, ExportError> {
    let never = CancellationToken::new();
    export(pipeline, request, &never, on_progress).await
}

#[tokio::test]
async fn bucket_holds_every_record_and_a_missing_one_is_named() {
    let fixture = Fixture::new().await;
    let scope = Scope::Range {
        from: start(),
        to: start() + TimeDelta::days(30),
    };
    let export_into = async |target: &str| {
        let request = request(scope, target);
        run(&fixture.pipeline, &request, Box::new(|_| {})).await
    };
    let error = export_into("s3://missing/events").await.unwrap_err();
    assert!(error.to_string().contains("s3://missing/"), "{error}");

    let exported = export_into(TARGET).await.unwrap();
    assert_eq!((exported.rows, exported.files), (EVENTS as u64, 3));
    assert_eq!(fixture.checkpoint().await["rows"], EVENTS);
    assert_eq!(fixture.numbers().await, (0..EVENTS).collect::<Vec<_>>());
    // The checkpoint is found again.
    assert_eq!(export_into(TARGET).await.unwrap().rows, 0);
    drop(fixture.emulator);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_exports_at_once_one_is_refused_and_no_record_is_lost_or_twice() {
    let fixture = Fixture::new().await;
    let request = request(Scope::SinceLast, TARGET);
    // The first one has read everything and written nothing.
    let (has_read, was_read) = tokio::sync::oneshot::channel();
    let (goes_on, may_go_on) = mpsc::channel();
    let mut has_read = Some(has_read);
    let slow = {
        let (pipeline, request) = (fixture.pipeline.clone(), request.clone());
        let on_progress: OnProgress = Box::new(move |progress| {
            if progress.rows == EVENTS as u64
                && let Some(has_read) = has_read.take()
            {
                has_read.send(()).unwrap();
                tokio::task::block_in_place(|| may_go_on.recv().unwrap());
            }
        });
        tokio::spawn(async move { run(&pipeline, &request, on_progress).await })
    };
    was_read.await.unwrap();
    // Meanwhile two others, one after the other.
    for (numbers, rows) in [(0..0, EVENTS), (EVENTS..EVENTS + 100, 100)] {
        fixture.store(numbers).await;
        let exported = run(&fixture.pipeline, &request, Box::new(|_| {})).await;
        assert_eq!(exported.unwrap().rows, rows as u64);
    }
    goes_on.send(()).unwrap();
    let refused = slow.await.unwrap();
    let all: Vec<i64> = (0..EVENTS + 100).collect();
    assert_eq!(fixture.numbers().await, all);
    assert_eq!(fixture.checkpoint().await["rows"], EVENTS + 100);
    assert!(
        matches!(&refused, Err(ExportError::InUse(target)) if target == TARGET),
        "{refused:?}"
    );
}

#[tokio::test]
async fn erasure_replaces_objects_and_removes_those_that_are_empty() {
    let fixture = Fixture::new().await;
    let scope = Scope::Range {
        from: start(),
        to: start() + TimeDelta::days(30),
    };
    let request = request(scope, TARGET);
    run(&fixture.pipeline, &request, Box::new(|_| {}))
        .await
        .unwrap();
    let mut files = ExportFiles::open(&fixture.pipeline, &request.target)
        .await
        .unwrap()
        .unwrap();
    let names = files.names().to_vec();
    assert_eq!(names.len(), 3);
    // A third of the records, and all of the last day.
    let is_it = |number: i64| number % 3 == 0 || number >= 480;
    let select = async |records: &[Record]| {
        let of = |record: &Record| is_it(record.id.parse().unwrap());
        Ok::<_, ExportError>(records.iter().map(of).collect())
    };
    let (mut found, mut erased) = (0, 0);
    for name in &names {
        found += files.count(name, select).await.unwrap();
        erased += files.erase(name, select).await.unwrap();
    }
    assert_eq!((found, erased), (160 + 220, 160 + 220));
    let left: Vec<i64> = (0..EVENTS).filter(|number| !is_it(*number)).collect();
    assert_eq!(fixture.numbers().await, left);
    let gone = Key::parse(format!("a/events/{}", names[2])).unwrap();
    let error = fixture.objects.get(&gone).await.unwrap_err();
    assert!(
        matches!(error, object_store::Error::NotFound { .. }),
        "{error}"
    );
    let checkpoint = fixture.checkpoint().await;
    assert_eq!(
        (&checkpoint["rows"], &checkpoint["files"]),
        (&json!(EVENTS - 380), &json!(2))
    );
    let other = "s3://warehouse/b".parse().unwrap();
    let nothing = ExportFiles::open(&fixture.pipeline, &other).await;
    assert!(nothing.unwrap().is_none());
}
