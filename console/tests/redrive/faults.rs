//! A redrive over a proxy that fails: the outcome of each message is known, and `resume` settles the
//! rest.

use std::path::PathBuf;
use std::time::Duration;

use pipeline::Pipeline;
use pipeline::environment::Environment;
use pipeline::model::DeadLetter;
use redrive::{
    Control, Counts, Journal, Pause, PlanOptions, Report, RunCommand, RunOptions, State, run,
};
use tokio::sync::watch;

use crate::support::harness::LIMIT;
use crate::support::proxy::{self, Fault};
use crate::support::redrive_fixture::{Fixture, Services, quick, resumed};

const SEND: &str = "SendMessageBatch";
/// A database that nobody serves.
const NO_DATABASE: &str = "postgres://nobody@127.0.0.1:1/none";

/// Redrives `total` messages while the first `times` calls of an operation fail, then makes the
/// rest visible.
async fn redrive_with(
    fixture: &Fixture<'_>,
    (operation, fault, times): (&'static str, Fault, usize),
    total: usize,
) -> (Report, PathBuf) {
    let proxy = proxy::start(fixture.queues.endpoint_url(), operation, fault, 0..times).await;
    fixture.add_dead_letters(0..total).await;
    let messages = fixture.receive().await;
    assert_eq!(messages.len(), total);
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    let journal = fixture.journal(&plan);
    let path = journal.0.path().to_owned();
    let pipeline = fixture.queues.over(&proxy.url).pipeline;
    let (counts, _) = watch::channel(Counts::default());
    let control = Control::new(None);
    let report = run(&pipeline, journal, &messages, &control, &quick(), counts)
        .await
        .unwrap();
    fixture.release(&messages).await;
    assert_eq!(report, Report::of(&Journal::read(&path).unwrap()));
    (report, path)
}

#[tokio::test]
async fn entries_that_fail_alone_are_sent_again_alone() {
    let services = Services::open().await;
    let fixture = services.fixture("partial", false).await;
    let (report, _) = redrive_with(&fixture, (SEND, Fault::FailLastEntry, 2), 15).await;
    assert_eq!(report.counts.moved, 15, "{report:?}");
    let places = fixture.places(15).await;
    assert!(places.source.len() == 15 && places.source.values().all(|count| *count == 1));
    fixture.assert_all_stored(15).await;
}

#[tokio::test]
async fn throttled_batch_is_sent_later() {
    let services = Services::open().await;
    let fixture = services.fixture("throttled", false).await;
    let (report, _) = redrive_with(&fixture, (SEND, Fault::Throttle, 5), 12).await;
    assert_eq!(report.counts.moved, 12, "{report:?}");
    assert!(
        fixture
            .places(12)
            .await
            .source
            .values()
            .all(|count| *count == 1)
    );
}

#[tokio::test]
async fn send_without_an_answer_is_settled_by_the_ledger() {
    let services = Services::open().await;
    let fixture = services.fixture("unanswered", false).await;
    let (report, path) = redrive_with(&fixture, (SEND, Fault::DropAnswer, 1), 12).await;
    assert_eq!((report.counts.unknown, report.counts.moved), (10, 2));
    // All arrived, and none of the ten was sent twice or deleted.
    let places = fixture.places(12).await;
    assert_eq!((places.source.len(), places.dead.len()), (12, 10));
    fixture.ingest().await;
    let report = resumed(fixture.pipeline(), &path).await;
    assert_eq!(report.counts.moved, 12, "{report:?}");
    assert!(fixture.places(12).await.source.is_empty());
    fixture.assert_all_stored(12).await;
}

/// Nothing is confirmed, so whatever is sent next may be sent into the same outage.
#[tokio::test]
async fn redrive_pauses_when_batch_after_batch_has_no_answer() {
    let services = Services::open().await;
    let fixture = services.fixture("outage", false).await;
    let total = 70;
    fixture.add_dead_letters(0..total).await;
    let messages = fixture.receive().await;
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    let endpoint = fixture.queues.endpoint_url();
    let every = 0..usize::MAX;
    let proxy = proxy::start(endpoint, SEND, Fault::DropAnswer, every).await;
    let pipeline = fixture.queues.over(&proxy.url).pipeline;
    let options = RunOptions {
        pauses_by_itself: true,
        ..quick()
    };
    let control = Control::new(None);
    let (sender, counts) = watch::channel(Counts::default());
    let journal = fixture.journal(&plan);
    let running = run(&pipeline, journal, &messages, &control, &options, sender);
    let operator = async {
        let pause = control.wait_for(|command| *command != RunCommand::Run);
        let command = tokio::time::timeout(LIMIT, pause).await.unwrap();
        let why = "5 batches in a row were not confirmed, and their messages may have been sent: ";
        assert!(
            matches!(&command, RunCommand::Pause(Pause::Redrive(told)) if told.starts_with(why)),
            "{command:?}"
        );
        let Counts {
            unknown, waiting, ..
        } = *counts.borrow();
        assert_eq!((unknown, waiting), (50, 20), "one batch after the other");
        control.cancel();
    };
    let (report, ()) = tokio::join!(running, operator);
    let counts = report.unwrap().counts;
    assert_eq!((counts.unknown, counts.moved), (50, 0), "{counts:?}");
}

#[tokio::test]
async fn send_with_an_internal_failure_may_have_arrived() {
    let services = Services::open().await;
    let fixture = services.fixture("broken", false).await;
    let (report, path) = redrive_with(&fixture, (SEND, Fault::BreakAfterwards, 1), 3).await;
    assert_eq!(report.counts.unknown, 3, "{report:?}");
    let places = fixture.places(3).await;
    assert_eq!((places.source.len(), places.dead.len()), (3, 3));
    assert!(places.source.values().all(|count| *count == 1));
    fixture.ingest().await;
    assert_eq!(resumed(fixture.pipeline(), &path).await.counts.moved, 3);
    fixture.assert_all_stored(3).await;
}

#[tokio::test]
async fn delete_that_fails_is_repeated_by_resume() {
    let services = Services::open().await;
    let fixture = services.fixture("undeleted", false).await;
    // Two attempts, each with the client's own two retries.
    let throttled = ("DeleteMessageBatch", Fault::Throttle, 6);
    let (report, path) = redrive_with(&fixture, throttled, 4).await;
    assert_eq!(report.counts.moved + report.counts.sent_not_deleted, 4);
    let report = resumed(fixture.pipeline(), &path).await;
    assert_eq!(report.counts.moved, 4, "{report:?}");
    let places = fixture.places(4).await;
    assert!(places.dead.is_empty() && places.source.values().all(|count| *count == 1));
}

#[tokio::test]
async fn what_nobody_could_look_up_is_unknown_and_not_0() {
    let services = Services::open().await;
    let fixture = services.fixture("unproved", false).await;
    fixture.add_dead_letters(0..2).await;
    let messages = fixture.receive().await;
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    let without_answer = with_database(&fixture, Some(NO_DATABASE));
    let without_ledger = with_database(&fixture, None);
    let journal = fixture.journal(&plan);
    let path = journal.0.path().to_owned();
    let report = proved_over(&without_answer, journal, &messages).await;
    assert_eq!((report.counts.moved, report.counts.not_sent), (0, 2));
    let cause = report.messages[0].cause.as_deref().unwrap();
    assert!(cause.contains("is unknown"), "{cause}");

    let report = proved_over(&without_ledger, Journal::open(&path).unwrap(), &messages).await;
    let counts = report.counts;
    assert_eq!((counts.moved, counts.stored()), (2, None), "{report:?}");
    assert_eq!(counts.dead_again(), Some(0), "the queue answered");
}

/// Who does not want to know whether events are stored does not wait for the ledger.
#[tokio::test]
async fn without_proof_a_ledger_that_does_not_answer_is_not_asked() {
    let services = Services::open().await;
    let fixture = services.fixture("unasked", false).await;
    fixture.add_dead_letters(0..2).await;
    let messages = fixture.receive().await;
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    let pipeline = with_database(&fixture, Some(NO_DATABASE));
    let (counts, _) = watch::channel(Counts::default());
    let (journal, control) = (fixture.journal(&plan), Control::new(None));
    let report = run(&pipeline, journal, &messages, &control, &quick(), counts).await;
    assert_eq!(report.unwrap().counts.moved, 2);
    fixture.assert_all_stored(2).await;
}

/// The pipeline of a fixture with another database, or without a ledger.
fn with_database(fixture: &Fixture<'_>, database_url: Option<&str>) -> Pipeline {
    let environment = Environment {
        database_url: database_url.map(str::to_owned),
        api_url: None,
        ..fixture.pipeline().environment().clone()
    };
    Pipeline::connect(&environment).unwrap()
}

async fn proved_over(
    pipeline: &Pipeline,
    journal: (Journal, State),
    messages: &[DeadLetter],
) -> Report {
    let options = RunOptions {
        prove_limit: Duration::from_millis(1),
        ..quick()
    };
    let (counts, _) = watch::channel(Counts::default());
    let control = Control::new(None);
    run(pipeline, journal, messages, &control, &options, counts)
        .await
        .unwrap()
}

#[tokio::test]
async fn messages_in_doubt_stay_while_the_ledger_is_unreachable() {
    let services = Services::open().await;
    let fixture = services.fixture("unreachable", false).await;
    let (report, path) = redrive_with(&fixture, (SEND, Fault::DropAnswer, 1), 3).await;
    assert_eq!(report.counts.unknown, 3);
    for (pipeline, expected) in [
        (with_database(&fixture, Some(NO_DATABASE)), (3, 0)),
        (fixture.pipeline().clone(), (0, 3)),
    ] {
        let report = resumed(&pipeline, &path).await;
        assert_eq!((report.counts.unknown, report.counts.moved), expected);
    }
    fixture.assert_all_stored(3).await;
}
