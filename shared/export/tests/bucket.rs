//! An export into a bucket of a real emulator, read back from its objects.

use chrono::TimeDelta;
use devstack::{Emulator, TestDatabase};
use event::{Record, parse_event};
use export::{ExportError, ExportFiles, ExportRequest, Format, Scope, export};
use object_store::ObjectStoreExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as Key;
use pipeline::Pipeline;
use pipeline::environment::Environment;
use serde_json::{Value, json};
use store::write_batch;
use tokio_util::sync::CancellationToken;

const EVENTS: i64 = 700;

#[tokio::test]
async fn bucket_holds_every_record_and_a_missing_one_is_named() {
    let database = TestDatabase::create().await.unwrap();
    store::migrate(database.pool()).await.unwrap();
    let start = "2026-03-01T00:00:00Z".parse().unwrap();
    let events: Vec<_> = (0..EVENTS)
        .map(|number| {
            let time = start + TimeDelta::hours(number / 10);
            let body = json!({
                "specversion": "1.0", "id": number.to_string(), "source": "/tests", "type": "made",
                "time": time, "data": {"text": "x".repeat(2_000)},
            });
            parse_event(&body.to_string()).unwrap().into_owned()
        })
        .collect();
    write_batch(database.pool(), &events).await.unwrap();
    let emulator = Emulator::start_for_tests().await.unwrap();
    let environment = Environment {
        endpoint_url: Some(emulator.endpoint_url().to_owned()),
        database_url: Some(database.url().to_owned()),
        ..Environment::example()
    };
    let pipeline = Pipeline::connect(&environment).unwrap();
    let request = |target: &str| ExportRequest {
        scope: Scope::Range {
            from: start,
            to: start + TimeDelta::days(30),
        },
        types: Vec::new(),
        source: None,
        format: Format::Jsonl,
        target: target.parse().unwrap(),
    };
    let never = CancellationToken::new();
    let run =
        async |target: &str| export(&pipeline, &request(target), &never, Box::new(|_| {})).await;

    let error = run("s3://missing/events").await.unwrap_err().to_string();
    assert!(error.contains("s3://missing/"), "{error}");

    let http = reqwest::Client::new();
    let bucket = format!("{}/warehouse", emulator.endpoint_url());
    let created = http.put(&bucket).send().await.unwrap();
    assert!(created.status().is_success(), "{created:?}");
    let exported = run("s3://warehouse/a/events").await.unwrap();
    assert_eq!((exported.rows, exported.files), (EVENTS as u64, 3));
    let store = AmazonS3Builder::new()
        .with_bucket_name("warehouse")
        .with_region("us-east-1")
        .with_endpoint(emulator.endpoint_url())
        .with_allow_http(true)
        .with_access_key_id("test")
        .with_secret_access_key("test")
        .build()
        .unwrap();
    let object = async |name: &str| {
        let key = Key::parse(format!("a/events/{name}")).unwrap();
        store.get(&key).await.unwrap().bytes().await.unwrap()
    };
    let checkpoint: Value =
        serde_json::from_slice(&object("_opsconsole_export.json").await).unwrap();
    assert_eq!(checkpoint["rows"], EVENTS);
    let mut ids = Vec::new();
    for day in 1..=3 {
        let name = format!("occurred_on=2026-03-0{day}/part-00000000.jsonl.zst");
        let lines = zstd::decode_all(object(&name).await.as_ref()).unwrap();
        for line in String::from_utf8(lines).unwrap().lines() {
            let record: Record = serde_json::from_str(line).unwrap();
            ids.push(record.id.parse::<i64>().unwrap());
        }
    }
    ids.sort_unstable();
    assert_eq!(ids, (0..EVENTS).collect::<Vec<_>>());
    // The checkpoint is found again.
    assert_eq!(run("s3://warehouse/a/events").await.unwrap().rows, 0);

    let target = "s3://warehouse/a/events".parse().unwrap();
    let mut files = ExportFiles::open(&pipeline, &target)
        .await
        .unwrap()
        .unwrap();
    let names = files.names().to_vec();
    assert_eq!(names.len(), 3);
    // A third of the records, and all of the last day.
    let is_it = |record: &Record| {
        let number: i64 = record.id.parse().unwrap();
        number % 3 == 0 || number >= 480
    };
    let select =
        async |records: &[Record]| Ok::<_, ExportError>(records.iter().map(is_it).collect());
    let (mut found, mut erased) = (0, 0);
    for name in &names {
        found += files.count(name, select).await.unwrap();
        erased += files.erase(name, select).await.unwrap();
    }
    assert_eq!((found, erased), (160 + 220, 160 + 220));
    let gone = Key::parse(format!("a/events/{}", names[2])).unwrap();
    let error = store.get(&gone).await.unwrap_err();
    assert!(
        matches!(error, object_store::Error::NotFound { .. }),
        "{error}"
    );
    let lines = zstd::decode_all(object(&names[0]).await.as_ref()).unwrap();
    for line in String::from_utf8(lines).unwrap().lines() {
        assert!(!is_it(&serde_json::from_str(line).unwrap()), "{line}");
    }
    let checkpoint: Value =
        serde_json::from_slice(&object("_opsconsole_export.json").await).unwrap();
    assert_eq!(
        (&checkpoint["rows"], &checkpoint["files"]),
        (&json!(EVENTS - 380), &json!(2))
    );
    let nothing = ExportFiles::open(&pipeline, &"s3://warehouse/b".parse().unwrap()).await;
    assert!(nothing.unwrap().is_none());
}
