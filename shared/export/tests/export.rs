//! Exports of a real database, read back from their files.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use devstack::TestDatabase;
use event::{Record, RecordId, parse_event};
use export::{
    ExportError, ExportRequest, Exported, Format, OnProgress, ReadRecord, ReadRequest,
    RecordReader, Scope, Target, export,
};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use pipeline::Pipeline;
use pipeline::environment::Environment;
use serde_json::json;
use store::write_batch;
use tokio_util::sync::CancellationToken;

const START: &str = "2026-03-01T00:00:00Z";
/// More days than one chunk has, and more rows than one page.
const DAYS: i64 = 70;
const ROWS_A_DAY: i64 = 60;

struct Fixture {
    database: TestDatabase,
    pipeline: Pipeline,
    folder: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let database = TestDatabase::create().await.unwrap();
        store::migrate(database.pool()).await.unwrap();
        let environment = Environment {
            database_url: Some(database.url().to_owned()),
            ..Environment::example()
        };
        let fixture = Self {
            pipeline: Pipeline::connect(&environment).unwrap(),
            folder: tempfile::tempdir().unwrap(),
            database,
        };
        for day in 0..DAYS {
            fixture.store(day, "made.first").await;
        }
        fixture
    }

    /// Stores the events of one day: all kinds of texts, times with microseconds, some without a subject.
    async fn store(&self, day: i64, event_type: &str) {
        let events: Vec<_> = (0..ROWS_A_DAY)
            .map(|number| {
                let time = start() + TimeDelta::days(day) + TimeDelta::microseconds(number * 7);
                let mut body = json!({
                    "specversion": "1.0", "id": format!("{event_type}-{day}-{number}"),
                    "source": "/tests/a,b", "type": event_type,
                    "time": time.to_rfc3339(), "data": {"text": "line\nbreak, \"quote\", ž, 😀", "n": number},
                });
                if number % 3 == 0 {
                    body["subject"] = json!(format!("s,{number}"));
                }
                parse_event(&body.to_string()).unwrap().into_owned()
            })
            .collect();
        write_batch(self.database.pool(), &events).await.unwrap();
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn request(&self, format: Format) -> ExportRequest {
        ExportRequest {
            scope: Scope::Range {
                from: start(),
                to: start() + TimeDelta::days(DAYS),
            },
            types: Vec::new(),
            source: None,
            format,
            target: Target::Folder(self.target()),
        }
    }

    async fn export(&self, request: &ExportRequest) -> Result<Exported, ExportError> {
        let never = CancellationToken::new();
        export(&self.pipeline, request, &never, Box::new(|_| {})).await
    }

    /// Every record of the database by its id.
    async fn records(&self) -> BTreeMap<RecordId, Record> {
        let mut query = event::RecordQuery {
            limit: event::LIMIT_MAX,
            ..event::RecordQuery::default()
        };
        let mut records = BTreeMap::new();
        loop {
            let page = self.pipeline.list_records(&query).await.unwrap();
            records.extend(
                page.items
                    .into_iter()
                    .map(|record| (record.record_id, record)),
            );
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                return records;
            }
        }
    }
}

fn start() -> DateTime<Utc> {
    START.parse().unwrap()
}

/// The data files below a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for day in fs::read_dir(folder).unwrap() {
        let day = day.unwrap().path();
        let name = day.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('_') {
            continue;
        }
        assert!(name.starts_with("occurred_on="), "{name}");
        for file in fs::read_dir(&day).unwrap() {
            files.push(file.unwrap().path());
        }
    }
    files.sort();
    files
}

fn read_file(path: &Path, format: Format) -> Vec<Record> {
    match format {
        Format::Parquet => read_parquet(path),
        Format::Csv => read_csv(&decompressed(path)),
        Format::Jsonl => decompressed(path)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    }
}

fn decompressed(path: &Path) -> String {
    let mut text = String::new();
    let file = File::open(path).unwrap();
    zstd::Decoder::new(file)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn read_parquet(path: &Path) -> Vec<Record> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let at = |micros| DateTime::from_timestamp_micros(micros).unwrap();
    reader
        .get_row_iter(None)
        .unwrap()
        .map(|row| {
            let row = row.unwrap();
            Record {
                record_id: RecordId(row.get_long(0).unwrap()),
                source: row.get_string(1).unwrap().clone(),
                id: row.get_string(2).unwrap().clone(),
                event_type: row.get_string(3).unwrap().clone(),
                subject: row.get_string(4).ok().cloned(),
                occurred_at: at(row.get_timestamp_micros(5).unwrap()),
                ingested_at: at(row.get_timestamp_micros(6).unwrap()),
                payload: serde_json::from_str(row.get_string(7).unwrap()).unwrap(),
            }
        })
        .collect()
}

fn read_csv(text: &str) -> Vec<Record> {
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(
        rows.headers().unwrap(),
        vec![
            "record_id",
            "source",
            "id",
            "type",
            "subject",
            "occurred_at",
            "ingested_at",
            "payload",
        ]
    );
    rows.records()
        .map(|row| {
            let row = row.unwrap();
            Record {
                record_id: RecordId(row[0].parse().unwrap()),
                source: row[1].to_owned(),
                id: row[2].to_owned(),
                event_type: row[3].to_owned(),
                subject: Some(row[4].to_owned()).filter(|subject| !subject.is_empty()),
                occurred_at: row[5].parse().unwrap(),
                ingested_at: row[6].parse().unwrap(),
                payload: serde_json::from_str(&row[7]).unwrap(),
            }
        })
        .collect()
}

/// Every record of the files exactly once, in the folder of its day.
fn read_all(folder: &Path, format: Format) -> BTreeMap<RecordId, Record> {
    let mut records = BTreeMap::new();
    for path in files(folder) {
        let day = path.parent().unwrap().file_name().unwrap();
        let day = day.to_str().unwrap().strip_prefix("occurred_on=").unwrap();
        for record in read_file(&path, format) {
            assert_eq!(record.occurred_at.date_naive().to_string(), day);
            let id = record.record_id;
            assert!(
                records.insert(id, record).is_none(),
                "{id:?} is in two files"
            );
        }
    }
    records
}

#[tokio::test]
async fn every_format_holds_every_record_unchanged() {
    let fixture = Fixture::new().await;
    let stored = fixture.records().await;
    assert_eq!(stored.len() as i64, DAYS * ROWS_A_DAY);
    for format in [Format::Parquet, Format::Csv, Format::Jsonl] {
        let target = fixture.folder.path().join(format.to_string());
        let request = ExportRequest {
            target: Target::Folder(target.clone()),
            ..fixture.request(format)
        };
        let exported = fixture.export(&request).await.unwrap();
        assert_eq!(exported.rows, stored.len() as u64);
        assert_eq!(exported.files, files(&target).len() as u64);
        let on_disk: u64 = files(&target)
            .iter()
            .map(|file| fs::metadata(file).unwrap().len())
            .sum();
        assert_eq!(exported.bytes, on_disk);
        assert_eq!(read_all(&target, format), stored, "{format}");
        // A finished export stays as it is.
        let again = fixture.export(&request).await.unwrap();
        assert_eq!((again.rows, again.rows_total), (0, exported.rows));
    }
}

/// Everything that a request reads, page by page.
async fn read_back(pipeline: &Pipeline, request: &ReadRequest) -> Vec<ReadRecord> {
    let mut reader = RecordReader::open(pipeline, request).await.unwrap();
    let mut records = Vec::new();
    while let Some(page) = reader.next().await.unwrap() {
        assert!(page.len() <= usize::from(event::LIMIT_MAX));
        records.extend(page);
    }
    records
}

#[tokio::test]
async fn records_and_files_are_read_back_once_each_in_the_same_order_every_time() {
    let fixture = Fixture::new().await;
    let stored = fixture.records().await;
    let events = |records: &[ReadRecord]| -> BTreeMap<String, serde_json::Value> {
        let event = |record: &ReadRecord| serde_json::from_str(&record.body).unwrap();
        let events = records.iter().map(event);
        events
            .map(|event: serde_json::Value| (event["id"].as_str().unwrap().to_owned(), event))
            .collect()
    };
    let expected: BTreeMap<String, serde_json::Value> = stored
        .values()
        .map(|record| {
            (
                record.id.clone(),
                serde_json::from_str(record.payload.get()).unwrap(),
            )
        })
        .collect();
    let mut requests = vec![ReadRequest::default()];
    for format in Format::ALL {
        let target = fixture.folder.path().join(format.to_string());
        let request = ExportRequest {
            target: Target::Folder(target.clone()),
            ..fixture.request(format)
        };
        fixture.export(&request).await.unwrap();
        requests.push(ReadRequest {
            folder: Some(target),
            ..ReadRequest::default()
        });
    }
    for request in requests {
        let records = read_back(&fixture.pipeline, &request).await;
        assert_eq!(records.len(), stored.len(), "{request}");
        assert_eq!(events(&records), expected, "{request}");
        assert_eq!(
            read_back(&fixture.pipeline, &request).await,
            records,
            "{request}"
        );
        let part = ReadRequest {
            from: Some(start() + TimeDelta::days(3)),
            to: Some(start() + TimeDelta::days(9)),
            ..request
        };
        let some = read_back(&fixture.pipeline, &part).await;
        let is_of_part = |record: &&ReadRecord| some.contains(record);
        let in_order: Vec<_> = records.iter().filter(is_of_part).cloned().collect();
        assert_eq!(
            (some.len() as i64, &some),
            (6 * ROWS_A_DAY, &in_order),
            "{part}"
        );
    }
}

#[tokio::test]
async fn types_and_range_select() {
    let fixture = Fixture::new().await;
    for event_type in ["made.second", "made.third"] {
        fixture.store(3, event_type).await;
        fixture.store(9, event_type).await;
    }
    let request = ExportRequest {
        scope: Scope::Range {
            from: start() + TimeDelta::days(3),
            to: start() + TimeDelta::days(9) + TimeDelta::microseconds(7),
        },
        types: vec!["made.third".to_owned(), "made.first".to_owned()],
        ..fixture.request(Format::Jsonl)
    };
    fixture.export(&request).await.unwrap();
    let mut expected = fixture.records().await;
    let Scope::Range { from, to } = request.scope else {
        unreachable!()
    };
    expected.retain(|_, record| {
        request.types.contains(&record.event_type) && (from..to).contains(&record.occurred_at)
    });
    assert_eq!(read_all(&fixture.target(), Format::Jsonl), expected);
}

#[tokio::test]
async fn interrupted_export_continues_without_gap_or_repetition() {
    let fixture = Fixture::new().await;
    let stored = fixture.records().await;
    let request = fixture.request(Format::Parquet);
    let mut rows = 0;
    // The pages that a run reads before it is interrupted: within the first chunk, at its end, later.
    for pages in [1, 3, 4, 2] {
        let cancellation = CancellationToken::new();
        let exported = export(
            &fixture.pipeline,
            &request,
            &cancellation,
            after_pages(pages, cancellation.clone()),
        )
        .await;
        assert!(
            matches!(exported, Err(ExportError::Cancelled) | Ok(_)),
            "{exported:?}"
        );
        let read = read_all(&fixture.target(), Format::Parquet);
        assert!(read.len() >= rows, "{} after {rows}", read.len());
        rows = read.len();
    }
    assert!(
        rows > 0 && rows < stored.len(),
        "{rows} of {}",
        stored.len()
    );
    let exported = fixture.export(&request).await.unwrap();
    assert!(exported.is_continued);
    assert_eq!(exported.rows_total, stored.len() as u64);
    assert_eq!(read_all(&fixture.target(), Format::Parquet), stored);
}

/// Cancels once this many pages were read.
fn after_pages(pages: u64, cancellation: CancellationToken) -> OnProgress {
    let read = Arc::new(AtomicU64::new(0));
    Box::new(move |_| {
        if read.fetch_add(1, Ordering::Relaxed) + 1 == pages {
            cancellation.cancel();
        }
    })
}

#[tokio::test]
async fn files_of_a_chunk_that_failed_half_way_are_replaced() {
    let fixture = Fixture::new().await;
    let request = fixture.request(Format::Jsonl);
    // Something is in the way of one of the days, so the files before it are in their place already.
    fs::create_dir_all(fixture.target()).unwrap();
    let day = fixture.target().join("occurred_on=2026-03-08");
    fs::write(&day, "").unwrap();
    let error = fixture.export(&request).await.unwrap_err().to_string();
    assert!(
        error.contains("occurred_on=2026-03-08/part-00000000-"),
        "{error}"
    );
    assert!(error.contains("the same command continues"), "{error}");
    fs::remove_file(&day).unwrap();
    assert!(!files(&fixture.target()).is_empty());
    // The records of the first day expire before the next run.
    let statement = "delete from records where occurred_at < '2026-03-02T00:00:00Z'";
    sqlx::query(statement)
        .execute(fixture.database.pool())
        .await
        .unwrap();
    fixture.export(&request).await.unwrap();
    assert_eq!(
        read_all(&fixture.target(), Format::Jsonl),
        fixture.records().await
    );
}

#[tokio::test]
async fn target_belongs_to_one_request_and_one_process() {
    let fixture = Fixture::new().await;
    let request = fixture.request(Format::Csv);
    fixture.export(&request).await.unwrap();
    let before = files(&fixture.target());
    let other = ExportRequest {
        types: vec!["made.first".to_owned()],
        ..request.clone()
    };
    let error = fixture.export(&other).await.unwrap_err().to_string();
    assert!(error.contains("use another target"), "{error}");
    assert_eq!(files(&fixture.target()), before);

    let lock = File::open(fixture.target().join("_opsconsole_export.lock")).unwrap();
    lock.lock().unwrap();
    let error = fixture.export(&request).await.unwrap_err();
    assert!(matches!(error, ExportError::InUse(_)), "{error}");
    drop(lock);

    fs::write(fixture.target().join("_opsconsole_export.json"), "{}").unwrap();
    let error = fixture.export(&request).await.unwrap_err().to_string();
    assert!(error.contains("is no checkpoint"), "{error}");
}

#[tokio::test]
async fn checkpoint_of_another_version_is_refused_with_the_way_out() {
    let fixture = Fixture::new().await;
    let mut request = fixture.request(Format::Jsonl);
    let folder = fixture.folder.path().join("versions");
    request.target = Target::Folder(folder.clone());
    let name = folder.join("_opsconsole_export.json");
    fixture.export(&request).await.unwrap();
    let written = fs::read_to_string(&name).unwrap();
    for (version, expected) in [
        (
            "1",
            "export into another target, everything or a range of time",
        ),
        ("99", "use that version, or another target"),
    ] {
        let other = written.replace("\"version\": 2", &format!("\"version\": {version}"));
        assert_ne!(other, written);
        fs::write(&name, &other).unwrap();
        let error = fixture.export(&request).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&folder.display().to_string()), "{text}");
        assert!(text.contains(expected), "{text}");
        assert_eq!(fs::read_to_string(&name).unwrap(), other, "it stays");
    }
    fs::write(&name, "no json").unwrap();
    let text = fixture.export(&request).await.unwrap_err().to_string();
    assert!(text.contains("no checkpoint of an export"), "{text}");
    assert!(text.contains("use another target"), "{text}");
}

/// The newest record ids go, as after a restore to an earlier time.
async fn restore_to_before(fixture: &Fixture, record_id: i64) {
    for statement in [
        "delete from records where record_id >= $1",
        "delete from event_identities where record_id >= $1",
        "select setval('event_keys_record_id_seq', $1 - 1)",
    ] {
        let statement = sqlx::query(statement).bind(record_id);
        statement.execute(fixture.database.pool()).await.unwrap();
    }
}

#[tokio::test]
async fn position_of_another_database_or_from_before_a_restore_is_refused() {
    let fixture = Fixture::new().await;
    let request = ExportRequest {
        scope: Scope::SinceLast,
        ..fixture.request(Format::Jsonl)
    };
    let exported = fixture.export(&request).await.unwrap();
    let before = files(&fixture.target());
    let refused = async |fixture: &Fixture, words: &str| {
        let error = fixture.export(&request).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };

    // Another one under the same name, as a new demo is.
    let other = Fixture::new().await;
    refused(&other, "of a database that was created at").await;

    let last = i64::try_from(exported.rows).unwrap();
    restore_to_before(&fixture, last - 9).await;
    refused(&fixture, "is behind the last record").await;
    // The ids are given out again, and the position is no longer behind the last one.
    fixture.store(5, "made.again").await;
    refused(&fixture, "the database was restored").await;
    assert_eq!(files(&fixture.target()), before);
}

#[tokio::test]
async fn empty_range_is_refused_and_an_export_of_nothing_leaves_no_file() {
    let fixture = Fixture::new().await;
    let scope = Scope::Range {
        from: start(),
        to: start(),
    };
    let empty = ExportRequest {
        scope,
        ..fixture.request(Format::Csv)
    };
    let error = fixture.export(&empty).await.unwrap_err().to_string();
    assert!(error.contains("the range is empty"), "{error}");
    let nothing = ExportRequest {
        types: vec!["never.seen".to_owned()],
        ..fixture.request(Format::Csv)
    };
    assert_eq!(fixture.export(&nothing).await.unwrap().rows, 0);
    assert_eq!(files(&fixture.target()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn every_record_that_arrives_is_in_one_of_the_runs() {
    let fixture = Fixture::new().await;
    let request = ExportRequest {
        scope: Scope::SinceLast,
        ..fixture.request(Format::Parquet)
    };
    let first = fixture.export(&request).await.unwrap();
    assert_eq!(first.rows as i64, DAYS * ROWS_A_DAY);
    assert_eq!(fixture.export(&request).await.unwrap().rows, 0);
    // One write is open and has taken its ids: what commits behind it waits for it.
    let mut open = fixture.database.pool().begin().await.unwrap();
    sqlx::query("lock table records_default in exclusive mode")
        .execute(&mut *open)
        .await
        .unwrap();
    let early = fixture.store(4, "made.early");
    let runs = async {
        let mut late = 0;
        while late == 0 {
            late = sqlx::query_scalar::<_, i64>(
                "select count(*) from pg_locks where locktype = 'advisory' and objsubid = 2",
            )
            .fetch_one(fixture.database.pool())
            .await
            .unwrap();
        }
        let waiting = fixture.export(&request).await.unwrap();
        open.commit().await.unwrap();
        waiting.rows
    };
    let ((), waiting) = tokio::join!(early, runs);
    assert_eq!(waiting, 0);
    fixture.store(5, "made.late").await;
    let last = fixture.export(&request).await.unwrap();
    assert_eq!(last.rows as i64, 2 * ROWS_A_DAY);
    assert!(last.is_continued);
    let stored = fixture.records().await;
    assert_eq!(last.rows_total, stored.len() as u64);
    assert_eq!(read_all(&fixture.target(), Format::Parquet), stored);
}
