//! Erasing from an export in a folder: the rest stays as it was, and the export is continued.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeSet;
use std::path::Path;

use chrono::TimeDelta;
use devstack::TestDatabase;
use event::{Record, parse_event};
use export::{ExportError, ExportFiles, ExportRequest, Format, Scope, Target, export};
use pipeline::Pipeline;
use pipeline::environment::Environment;
use serde_json::{Value, json};
use store::write_batch;
use tokio_util::sync::CancellationToken;

const START: &str = "2026-03-01T00:00:00Z";

async fn store(database: &TestDatabase, numbers: std::ops::Range<i64>) {
    let start: chrono::DateTime<chrono::Utc> = START.parse().unwrap();
    let events: Vec<_> = numbers
        .map(|number| {
            let body = json!({
                "specversion": "1.0", "id": number.to_string(), "source": "/tests", "type": "made",
                "subject": (number % 2 == 0).then(|| format!("s\"{},", number % 5)),
                "time": start + TimeDelta::minutes(number * 10), "data": {"text": "\u{e9}".repeat(900)},
            });
            parse_event(&body.to_string()).unwrap().into_owned()
        })
        .collect();
    write_batch(database.pool(), &events).await.unwrap();
}

/// The records of an export, in any order.
async fn records(pipeline: &Pipeline, target: &Target) -> Vec<Record> {
    let files = ExportFiles::open(pipeline, target).await.unwrap().unwrap();
    let mut found: Vec<Record> = Vec::new();
    for name in files.names() {
        let collect = async |records: &[Record]| {
            found.extend_from_slice(records);
            Ok::<_, ExportError>(vec![false; records.len()])
        };
        assert_eq!(files.count(name, collect).await.unwrap(), 0);
    }
    found.sort_by_key(|record| record.record_id.0);
    found
}

fn checkpoint(folder: &Path) -> Value {
    let text = std::fs::read(folder.join("_opsconsole_export.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[tokio::test]
async fn selected_records_go_and_the_others_stay_as_they_were_in_every_format() {
    let database = TestDatabase::create().await.unwrap();
    store::migrate(database.pool()).await.unwrap();
    // Five days.
    store(&database, 0..720).await;
    let environment = Environment {
        database_url: Some(database.url().to_owned()),
        ..Environment::example()
    };
    let pipeline = Pipeline::connect(&environment).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let never = CancellationToken::new();
    let formats = [Format::Parquet, Format::Csv, Format::Jsonl];
    for (format, total) in formats.into_iter().zip([720, 730, 740]) {
        let path = folder.path().join(format.to_string());
        let request = ExportRequest {
            scope: Scope::SinceLast,
            types: Vec::new(),
            source: None,
            format,
            target: Target::Folder(path.clone()),
        };
        export(&pipeline, &request, &never, Box::new(|_| {}))
            .await
            .unwrap();
        let before = records(&pipeline, &request.target).await;
        assert_eq!(before.len() as i64, total, "{format}");

        let mut files = ExportFiles::open(&pipeline, &request.target)
            .await
            .unwrap()
            .unwrap();
        let busy = export(&pipeline, &request, &never, Box::new(|_| {})).await;
        assert!(matches!(busy, Err(ExportError::InUse(_))), "{busy:?}");
        // Of each subject one, and the whole third day.
        let third_day = chrono::NaiveDate::from_ymd_opt(2026, 3, 3).unwrap();
        let is_it = |record: &Record| {
            record.subject.as_deref() == Some("s\"2,")
                || record.occurred_at.date_naive() == third_day
        };
        let select =
            async |records: &[Record]| Ok::<_, ExportError>(records.iter().map(is_it).collect());
        let fails = async |_: &[Record]| Err(ExportError::Request("no".to_owned()));
        let names = files.names().to_vec();
        let mut erased = 0;
        for name in &names {
            files.erase(name, fails).await.unwrap_err();
            let found = files.count(name, select).await.unwrap();
            assert_eq!(files.erase(name, select).await.unwrap(), found);
            assert_eq!(files.erase(name, select).await.unwrap_or_default(), 0);
            erased += found;
        }
        drop(files);
        let expected: Vec<Record> = before.into_iter().filter(|record| !is_it(record)).collect();
        assert_eq!(total as u64 - erased, expected.len() as u64);
        assert_eq!(
            records(&pipeline, &request.target).await,
            expected,
            "{format}"
        );
        let third = std::fs::read_dir(path.join("occurred_on=2026-03-03"));
        assert_eq!(third.map_or(0, Iterator::count), 0);
        let counted = checkpoint(&path);
        assert_eq!(counted["rows"], expected.len(), "{format}");
        assert_eq!(counted["files"], names.len() - 1, "{format}");

        // What arrives later is added, and nothing is written again.
        store(&database, total..total + 10).await;
        let more = export(&pipeline, &request, &never, Box::new(|_| {}))
            .await
            .unwrap();
        let ids: BTreeSet<i64> = records(&pipeline, &request.target)
            .await
            .iter()
            .map(|record| record.record_id.0)
            .collect();
        assert_eq!(
            ids.len() as u64,
            expected.len() as u64 + more.rows,
            "{format}"
        );
    }
    let no_export = Target::Folder(folder.path().join("other"));
    assert!(
        ExportFiles::open(&pipeline, &no_export)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        !folder.path().join("other").exists(),
        "a search creates nothing"
    );
}

#[tokio::test]
async fn export_of_an_earlier_version_is_erased_from_and_of_a_later_one_is_refused() {
    let database = TestDatabase::create().await.unwrap();
    store::migrate(database.pool()).await.unwrap();
    store(&database, 0..10).await;
    let environment = Environment {
        database_url: Some(database.url().to_owned()),
        ..Environment::example()
    };
    let pipeline = Pipeline::connect(&environment).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let target = Target::Folder(folder.path().to_owned());
    let request = ExportRequest {
        scope: Scope::SinceLast,
        types: Vec::new(),
        source: None,
        format: Format::Csv,
        target: target.clone(),
    };
    export(
        &pipeline,
        &request,
        &CancellationToken::new(),
        Box::new(|_| {}),
    )
    .await
    .unwrap();
    let set_version = |version: u32| {
        let mut checkpoint = checkpoint(folder.path());
        checkpoint["version"] = json!(version);
        let path = folder.path().join("_opsconsole_export.json");
        std::fs::write(path, checkpoint.to_string()).unwrap();
    };
    set_version(1);
    let mut files = ExportFiles::open(&pipeline, &target)
        .await
        .unwrap()
        .unwrap();
    let name = files.names()[0].clone();
    let select = async |records: &[Record]| {
        let ids = records.iter().map(|record| record.id != "7");
        Ok::<_, ExportError>(ids.collect())
    };
    assert_eq!(files.erase(&name, select).await.unwrap(), 9);
    drop(files);
    assert_eq!(checkpoint(folder.path())["rows"], 10, "it is as it was");
    let left = records(&pipeline, &target).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, "7");
    set_version(3);
    let later = ExportFiles::open(&pipeline, &target).await;
    assert!(matches!(later, Err(ExportError::OtherVersion { .. })));
}

#[tokio::test]
async fn half_written_files_go_when_the_export_is_opened() {
    let pipeline = Pipeline::connect(&Environment::example()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let staging = folder.path().join("_opsconsole_staging");
    std::fs::create_dir(&staging).unwrap();
    std::fs::write(staging.join("0"), "a record").unwrap();
    let target = Target::Folder(folder.path().to_owned());
    let files = ExportFiles::open(&pipeline, &target).await.unwrap();
    assert!(files.is_none());
    assert!(!staging.exists());
}
