//! An export of a real database that goes away and comes back.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::path::Path;
use std::sync::mpsc;

use devstack::{Durability, Postgres, PostgresOptions};
use event::parse_event;
use export::{ExportRequest, Format, OnProgress, Progress, Scope, Target, export};
use pipeline::Pipeline;
use pipeline::environment::Environment;
use serde_json::json;
use store::{ConnectSettings, connect, migrate, write_batch};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

/// More than two pages.
const EVENTS: u64 = 1_200;
const DATABASE: &str = "events";

#[tokio::test(flavor = "multi_thread")]
async fn restart_of_the_database_is_waited_for_and_shown() {
    let postgres = Postgres::start(PostgresOptions {
        durability: Durability::None,
        ..PostgresOptions::default()
    });
    let postgres = postgres.await.unwrap();
    postgres.create_database(DATABASE).await.unwrap();
    let url = postgres.url(DATABASE);
    fill(&url).await;
    let pipeline = Pipeline::connect(&Environment {
        database_url: Some(url),
        ..Environment::example()
    });
    let (pipeline, folder) = (pipeline.unwrap(), tempfile::tempdir().unwrap());
    let request = request(folder.path());
    let (reports, mut reported) = unbounded_channel();
    let (goes_on, may_go_on) = mpsc::channel();
    let exporting = tokio::spawn(async move {
        let never = CancellationToken::new();
        let on_progress = stopping_after_first_page(reports, may_go_on);
        export(&pipeline, &request, &never, on_progress).await
    });

    let first = reported.recv().await.unwrap();
    assert!(first.wait.is_none() && first.rows > 0 && first.rows < EVENTS);
    postgres.stop_server().await.unwrap();
    goes_on.send(()).unwrap();
    let second = reported.recv().await.unwrap();
    let wait = second.wait.unwrap();
    assert_eq!((second.rows, wait.attempts), (first.rows, 1));
    assert!(wait.cause.contains("list records"), "{}", wait.cause);
    postgres.start_again().await.unwrap();

    let exported = exporting.await.unwrap().unwrap();
    assert_eq!((exported.rows, exported.rows_total), (EVENTS, EVENTS));
}

async fn fill(url: &str) {
    let pool = connect(&ConnectSettings::new(url, "tests")).await.unwrap();
    migrate(&pool).await.unwrap();
    let events: Vec<_> = (0..EVENTS)
        .map(|number| {
            let body = json!({
                "specversion": "1.0", "id": number.to_string(), "source": "/tests", "type": "made",
                "time": "2026-03-01T00:00:00Z",
            });
            parse_event(&body.to_string()).unwrap().into_owned()
        })
        .collect();
    write_batch(&pool, &events).await.unwrap();
    pool.close().await;
}

fn request(folder: &Path) -> ExportRequest {
    ExportRequest {
        scope: Scope::SinceLast,
        types: Vec::new(),
        source: None,
        format: Format::Jsonl,
        target: Target::Folder(folder.to_owned()),
    }
}

/// Passes all progress on, and keeps the export waiting after its first page.
fn stopping_after_first_page(
    reports: UnboundedSender<Progress>,
    may_go_on: mpsc::Receiver<()>,
) -> OnProgress {
    let mut is_first = true;
    Box::new(move |progress| {
        reports.send(progress).unwrap();
        if std::mem::take(&mut is_first) {
            tokio::task::block_in_place(|| may_go_on.recv().unwrap());
        }
    })
}
