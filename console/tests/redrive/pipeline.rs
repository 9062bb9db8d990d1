//! A redrive on the whole pipeline: patched events are stored, others fail again.

use pipeline::model::{DeadLetter, QueueRole};
use pipeline::{Pipeline, Publication};
use redrive::fact::{Ending, Proof};
use redrive::operations::freeze;
use redrive::{Control, Counts, Journal, Pause, PlanOptions, Report, RunCommand, RunOptions, run};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::harness::LIMIT;
use crate::support::queues::receive_dead_letters;
use crate::support::redrive_fixture::VISIBILITY;
use crate::support::{machine, stack};

const TOTAL: usize = 24;

/// An event whose time is missing.
fn invalid(number: usize) -> String {
    format!(r#"{{"specversion":"1.0","id":"{number}","source":"/patched","type":"t"}}"#)
}

fn patched(message: &DeadLetter) -> String {
    message
        .body
        .text()
        .unwrap()
        .replace(r#""type""#, r#""time":"2026-01-01T00:00:00Z","type""#)
}

/// Publishes invalid events and receives them as dead letters.
async fn dead_letters(pipeline: &Pipeline) -> Vec<DeadLetter> {
    let publication = Publication {
        messages: TOTAL,
        rate_per_sec: None,
        details: serde_json::Value::Null,
    };
    let end = pipeline
        .publish(
            publication,
            invalid,
            |_, _, _| (),
            &CancellationToken::new(),
        )
        .await
        .unwrap();
    assert_eq!(end.published, TOTAL);
    let mut messages = Vec::new();
    let all_dead = async {
        while messages.len() < TOTAL {
            let received = receive_dead_letters(pipeline, TOTAL, VISIBILITY).await;
            messages.extend(received.messages);
        }
    };
    tokio::time::timeout(LIMIT, all_dead).await.unwrap();
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn patched_events_are_stored_and_the_rest_fails_again() {
    let _machine = machine::alone();
    let stack = stack::start().await;
    let pipeline = stack::connect(stack.endpoints());
    let messages = dead_letters(&pipeline).await;
    // The first is the canary, and stays as it is.
    let edits: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(index, message)| (message, (index > 0).then(|| patched(message).into())))
        .collect();
    let options = PlanOptions {
        canary_steps: vec![1],
        ..PlanOptions::default()
    };
    let plan = freeze(&pipeline, &edits, options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), plan.clone()).unwrap();
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
        matches!(&command, RunCommand::Pause(Pause::Redrive(why)) if why.contains("missing-attribute")),
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
