//! Runs that are stopped at a place that no caller reaches.

use std::time::Duration;

use backon::ExponentialBuilder;
use devstack::{Durability, Emulator, Postgres, PostgresOptions, TestDatabase};
use event::parse_event;
use futures::TryStreamExt as _;
use object_store::ObjectStore as _;
use object_store::aws::AmazonS3Builder;
use pipeline::environment::Environment;
use serde_json::json;
use store::{ConnectSettings, PgPool, connect, migrate, write_batch};

use super::*;
use crate::format::Format;
use crate::request::Scope;

/// More than one page.
const EVENTS: u64 = 700;

async fn fill(pool: &PgPool) {
    migrate(pool).await.unwrap();
    let events: Vec<_> = (0..EVENTS)
        .map(|number| {
            let body = json!({
                "specversion": "1.0", "id": number.to_string(), "source": "/tests", "type": "made",
                "time": "2026-03-01T00:00:00Z",
            });
            parse_event(&body.to_string()).unwrap().into_owned()
        })
        .collect();
    write_batch(pool, &events).await.unwrap();
}

fn request(target: &str) -> ExportRequest {
    ExportRequest {
        scope: Scope::SinceLast,
        types: Vec::new(),
        source: None,
        format: Format::Jsonl,
        target: target.parse().unwrap(),
    }
}

#[tokio::test]
async fn export_that_another_one_overtakes_while_it_moves_its_files_removes_them() {
    let database = TestDatabase::create().await.unwrap();
    fill(database.pool()).await;
    let emulator = Emulator::start_for_tests().await.unwrap();
    let pipeline = Pipeline::connect(&Environment {
        endpoint_url: Some(emulator.endpoint_url().to_owned()),
        database_url: Some(database.url().to_owned()),
        ..Environment::example()
    })
    .unwrap();
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
    let (request, never) = (request("s3://warehouse/x"), CancellationToken::new());
    let mut slow = Run::start(&pipeline, &request, &never, Box::new(|_| {}))
        .await
        .unwrap();
    let filled = slow.fill().await.unwrap();
    let announced = slow.announce(filled.chunk).await.unwrap();
    let name = announced.files.first().unwrap().name.clone();

    let other = export(&pipeline, &request, &never, Box::new(|_| {})).await;
    assert_eq!(other.unwrap().rows, EVENTS);
    let placed = slow.place(announced, filled.position, true).await;
    assert!(matches!(placed, Err(ExportError::InUse(_))), "{placed:?}");
    let mut files = Vec::new();
    for object in objects.list(None).try_collect::<Vec<_>>().await.unwrap() {
        files.push(object.location.to_string());
    }
    assert_eq!(files.len(), 2, "the checkpoint and a file: {files:?}");
    assert!(!files.contains(&format!("x/{name}")), "{files:?}");
    // What the other one wrote is whole: nothing is left to export.
    let again = export(&pipeline, &request, &never, Box::new(|_| {})).await;
    assert_eq!(again.unwrap().rows_total, EVENTS);
}

#[tokio::test]
async fn export_that_gives_up_keeps_what_it_has_read() {
    let postgres = Postgres::start(PostgresOptions {
        durability: Durability::None,
        ..PostgresOptions::default()
    });
    let postgres = postgres.await.unwrap();
    postgres.create_database("events").await.unwrap();
    let url = postgres.url("events");
    let pool = connect(&ConnectSettings::new(&*url, "tests")).await;
    fill(&pool.unwrap()).await;
    let pipeline = Pipeline::connect(&Environment {
        database_url: Some(url),
        api_url: None,
        ..Environment::example()
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let request = request(folder.path().to_str().unwrap());
    let never = CancellationToken::new();
    let mut run = Run::start(&pipeline, &request, &never, Box::new(|_| {}))
        .await
        .unwrap();
    run.source.patience = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(1))
        .with_max_times(1);
    let mut chunk = Chunk::new(
        request.format,
        run.destination.staging(),
        0,
        &run.checkpoint.run,
    );
    let page = run.source.page(&run.checkpoint.position).await.unwrap();
    let read = page.records.len() as u64;
    assert!(read > 0 && read < EVENTS, "{read}");
    chunk.add(page.records).unwrap();
    postgres.stop_server().await.unwrap();
    let filled = run.fill_on(chunk, page.next).await.unwrap();
    let error = run.complete(filled).await.unwrap_err().to_string();
    assert!(error.contains("gave up after 2 attempts"), "{error}");
    assert!(error.contains("the same command continues"), "{error}");
    drop(run);

    postgres.start_again().await.unwrap();
    let rest = export(&pipeline, &request, &never, Box::new(|_| {})).await;
    let rest = rest.unwrap();
    assert_eq!((rest.rows, rest.rows_total), (EVENTS - read, EVENTS));
}
