//! A redrive on the whole pipeline: mended events are stored, others are found dead again.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use std::time::Duration;

use pipeline::environment::Environment;
use pipeline::model::{DeadLetter, QueueRole};
use pipeline::{Pipeline, Publication};
use redrive::fact::{Ending, Proof};
use redrive::{Control, Counts, Journal, Plan, PlanOptions, Report, RunCommand, RunOptions, run};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const TOTAL: usize = 24;
const HOLD: Duration = Duration::from_secs(300);
/// Limit of one step. Generous: the machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);

/// An event whose time is missing.
fn broken(number: usize) -> String {
    format!(r#"{{"specversion":"1.0","id":"{number}","source":"/mended","type":"t"}}"#)
}

fn mended(message: &DeadLetter) -> String {
    message
        .body
        .text()
        .unwrap()
        .replace(r#""type""#, r#""time":"2026-01-01T00:00:00Z","type""#)
}

/// Publishes broken events and takes them as dead letters.
async fn dead_letters(pipeline: &Pipeline) -> Vec<DeadLetter> {
    let publication = Publication {
        messages: TOTAL,
        rate_per_sec: None,
        details: serde_json::Value::Null,
    };
    let end = pipeline
        .publish(publication, broken, |_, _, _| (), &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(end.published, TOTAL);
    let mut messages = Vec::new();
    let all_dead = async {
        while messages.len() < TOTAL {
            let held = pipeline.hold_dead_letters(TOTAL, HOLD).await.unwrap();
            messages.extend(held.messages);
        }
    };
    tokio::time::timeout(LIMIT, all_dead).await.unwrap();
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn mended_events_are_stored_and_the_rest_is_found_dead_again() {
    let stack = support::stack::start().await;
    let endpoints = stack.endpoints().clone();
    let pipeline = Pipeline::connect(&Environment {
        region: endpoints.region,
        endpoint_url: Some(endpoints.endpoint_url),
        topic_arn: endpoints.topic_arn,
        queue_url: endpoints.queue_url,
        dead_letter_queue_url: endpoints.dead_letter_queue_url,
        database_url: Some(endpoints.database_url),
        ..Environment::example()
    })
    .unwrap();
    let messages = dead_letters(&pipeline).await;
    // The first is the canary, and stays as it is.
    let edits: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(index, message)| (message, (index > 0).then(|| mended(message))))
        .collect();
    let options = PlanOptions {
        canary_steps: vec![1],
        ..PlanOptions::default()
    };
    let plan = Plan::of(&pipeline, &edits, options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), &plan).unwrap();
    let path = journal.0.path().to_owned();
    let control = Control::new(plan.rate_per_sec);
    let options = RunOptions {
        prove_limit: LIMIT,
        ..RunOptions::default()
    };
    let (counts, _) = watch::channel(Counts::default());
    let operator = async {
        let pause = control.wait_for(|command| *command != RunCommand::Run);
        let command = tokio::time::timeout(2 * LIMIT, pause).await.unwrap();
        control.resume();
        command
    };
    let running = run(&pipeline, journal, &messages, &control, &options, counts);
    let (report, command) = tokio::join!(running, operator);
    let report = report.unwrap();
    assert!(
        matches!(&command, RunCommand::Pause(why) if why.contains("missing-attribute")),
        "{command:?}"
    );
    let counts = report.counts;
    assert_eq!(
        (counts.moved, counts.stored, counts.dead_again),
        (TOTAL, TOTAL - 1, 1),
        "{report:?}"
    );
    assert_eq!(report.ending, Some(Ending::Finished));
    assert!(matches!(
        report
            .messages
            .first()
            .and_then(|message| message.proof.as_ref()),
        Some(Proof::DeadAgain { .. })
    ));
    assert_eq!(Report::of(&Journal::read(&path).unwrap()), report);
    let totals = pipeline.record_totals().await.unwrap();
    assert_eq!(totals.total, (TOTAL - 1) as u64);
    let left = pipeline
        .queue_snapshot(QueueRole::DeadLetter)
        .await
        .unwrap();
    assert_eq!((left.depth.visible, left.depth.in_flight), (1, 0));
    stack.stop().await.unwrap();
}
