//! A redrive over a wire that fails: each message is told as it is, and resume settles the rest.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "these tests run over wires of their own")]
mod redrive_stage;

use std::path::{Path, PathBuf};

use pipeline::Pipeline;
use pipeline::environment::Environment;
use redrive::{Control, Counts, Journal, PlanOptions, Report, run};
use redrive_stage::proxy::{self, Fault};
use redrive_stage::{Stage, Theatre, quick};
use tokio::sync::watch;

/// Runs over a wire that fails, then ends every hold.
async fn run_over(stage: &Stage<'_>, url: String, total: usize) -> (Report, PathBuf) {
    stage.kill(0..total).await;
    let messages = stage.hold().await;
    assert_eq!(messages.len(), total);
    let plan = stage.plan(&messages, PlanOptions::default()).await;
    let journal = stage.journal(&plan);
    let path = journal.0.path().to_owned();
    let pipeline = stage.world_at(url);
    let (counts, _) = watch::channel(Counts::default());
    let control = Control::new(None);
    let report = run(&pipeline, journal, &messages, &control, &quick(), counts)
        .await
        .unwrap();
    stage.end_holds(&messages).await;
    assert_eq!(report, Report::of(&Journal::read(&path).unwrap()));
    (report, path)
}

async fn resumed(pipeline: &Pipeline, path: &Path) -> Report {
    let (counts, _) = watch::channel(Counts::default());
    let journal = Journal::open(path).unwrap();
    let control = Control::new(None);
    run(pipeline, journal, &[], &control, &quick(), counts)
        .await
        .unwrap()
}

#[tokio::test]
async fn entries_that_fail_alone_are_sent_again_alone() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("partial", false).await;
    let send = "SendMessageBatch";
    let url = proxy::start(stage.endpoint_url(), send, Fault::FailLastEntry, 2).await;
    let (report, _) = run_over(&stage, url, 15).await;
    assert_eq!(report.counts.moved, 15, "{report:?}");
    let places = stage.places(15).await;
    assert!(places.source.len() == 15 && places.source.values().all(|count| *count == 1));
    stage.assert_all_stored(15).await;
}

#[tokio::test]
async fn throttled_batch_is_sent_later() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("throttled", false).await;
    let send = "SendMessageBatch";
    let url = proxy::start(stage.endpoint_url(), send, Fault::Throttle, 5).await;
    let (report, _) = run_over(&stage, url, 12).await;
    assert_eq!(report.counts.moved, 12, "{report:?}");
    assert!(
        stage
            .places(12)
            .await
            .source
            .values()
            .all(|count| *count == 1)
    );
}

#[tokio::test]
async fn send_without_an_answer_is_settled_by_the_ledger() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("unanswered", false).await;
    let send = "SendMessageBatch";
    let url = proxy::start(stage.endpoint_url(), send, Fault::SwallowAnswer, 1).await;
    let (report, path) = run_over(&stage, url, 12).await;
    assert_eq!((report.counts.unknown, report.counts.moved), (10, 2));
    // All arrived, and none of the ten was sent twice or deleted.
    let places = stage.places(12).await;
    assert_eq!((places.source.len(), places.dead.len()), (12, 10));
    stage.ingest().await;
    let report = resumed(&stage.pipeline, &path).await;
    assert_eq!(report.counts.moved, 12, "{report:?}");
    assert!(stage.places(12).await.source.is_empty());
    stage.assert_all_stored(12).await;
}

#[tokio::test]
async fn send_that_broke_inside_the_service_may_have_arrived() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("broken", false).await;
    let send = "SendMessageBatch";
    let url = proxy::start(stage.endpoint_url(), send, Fault::BreakAfterwards, 1).await;
    let (report, path) = run_over(&stage, url, 3).await;
    assert_eq!(report.counts.unknown, 3, "{report:?}");
    let places = stage.places(3).await;
    assert_eq!((places.source.len(), places.dead.len()), (3, 3));
    assert!(places.source.values().all(|count| *count == 1));
    stage.ingest().await;
    assert_eq!(resumed(&stage.pipeline, &path).await.counts.moved, 3);
    stage.assert_all_stored(3).await;
}

#[tokio::test]
async fn delete_that_fails_is_made_up_for() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("undeleted", false).await;
    let delete = "DeleteMessageBatch";
    // Two attempts, each with the client's own two retries.
    let url = proxy::start(stage.endpoint_url(), delete, Fault::Throttle, 6).await;
    let (report, path) = run_over(&stage, url, 4).await;
    assert_eq!(report.counts.moved + report.counts.sent_not_deleted, 4);
    let report = resumed(&stage.pipeline, &path).await;
    assert_eq!(report.counts.moved, 4, "{report:?}");
    let places = stage.places(4).await;
    assert!(places.dead.is_empty() && places.source.values().all(|count| *count == 1));
}

#[tokio::test]
async fn messages_in_doubt_stay_while_the_ledger_is_silent() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("silent", false).await;
    let send = "SendMessageBatch";
    let url = proxy::start(stage.endpoint_url(), send, Fault::SwallowAnswer, 1).await;
    let (report, path) = run_over(&stage, url, 3).await;
    assert_eq!(report.counts.unknown, 3);
    let environment = Environment {
        database_url: Some("postgres://nobody@127.0.0.1:1/none".to_owned()),
        ..stage.pipeline.environment().clone()
    };
    for (pipeline, expected) in [
        (Pipeline::connect(&environment).unwrap(), (3, 0)),
        (stage.pipeline.clone(), (0, 3)),
    ] {
        let report = resumed(&pipeline, &path).await;
        assert_eq!((report.counts.unknown, report.counts.moved), expected);
    }
    stage.assert_all_stored(3).await;
}
