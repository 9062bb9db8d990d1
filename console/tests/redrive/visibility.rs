//! Messages that are received and hidden, released, redriven: on real queues without a ledger.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline::environment::Environment;
use pipeline::model::{DeadLetter, QueueRole};
use pipeline::{LeaseSet, Pipeline};
use redrive::operations::freeze;
use redrive::{
    Control, Counts, Journal, MessageOutcome, MessageReport, PlanOptions, RedriveError, Report,
    RunOptions, run,
};
use tokio::sync::watch;

use crate::support::harness::numbered;
use crate::support::machine;
use crate::support::proxy::{self, Fault};
use crate::support::queues::{
    self, Queues, binary, receive_dead_letters, release_dead_letters, text,
};
use crate::support::redrive_fixture::{VISIBILITY, quick};

async fn queues(name: &str) -> (machine::Shared, Queues) {
    let machine = machine::shared();
    let names = [format!("{name}-source"), format!("{name}-dead")];
    let names = [&*names[0], &names[1]];
    let emulator = queues::emulator().await;
    (machine, Queues::create(emulator, names, false, None).await)
}

/// Redrives messages that were received; none is searched or proved.
async fn redrive(
    pipeline: &Pipeline,
    messages: &[DeadLetter],
    journals: &Path,
) -> Result<(Report, Counts), RedriveError> {
    let unedited: Vec<_> = messages.iter().map(|message| (message, None)).collect();
    let plan = freeze(pipeline, &unedited, PlanOptions::default()).await?;
    let journal = Journal::create(journals, plan.clone())?;
    let options = RunOptions {
        batches_at_once: RunOptions::default().batches_at_once,
        searches: false,
        ..quick()
    };
    let (sender, counts) = watch::channel(Counts::default());
    let report = run(
        pipeline,
        journal,
        messages,
        &Control::new(None),
        &options,
        sender,
    )
    .await?;
    let counts = *counts.borrow();
    Ok((report, counts))
}

#[tokio::test]
async fn attributes_keep_name_type_and_value_but_the_failure_goes() {
    let journals = tempfile::tempdir().unwrap();
    let (_machine, queues) = queues("attributes").await;
    queues
        .add_dead_letter(
            "{\"a\":\"\u{9b}2J\"}",
            &[
                ("text", text("String", "x")),
                ("custom", text("String.json", "{}")),
                ("number", text("Number", "1.50")),
                ("bytes", binary("Binary.gif", &[0, 255, 7])),
                ("ErrorCode", text("String", "missing-attribute")),
                ("ErrorMessage", text("String", "\"id\" is required")),
                ("RequestID", text("String", "r-1")),
            ],
        )
        .await;
    let received = receive_dead_letters(&queues.pipeline, 10, VISIBILITY).await;
    assert_eq!(
        received.messages[0].reason.as_ref().unwrap().code,
        "missing-attribute"
    );
    let (report, _) = redrive(&queues.pipeline, &received.messages, journals.path())
        .await
        .unwrap();
    assert_eq!(
        report.messages[0].outcome,
        MessageOutcome::Moved,
        "{report:?}"
    );
    let messages = queues.receive(QueueRole::Source).await;
    assert_eq!(messages[0].body(), Some("{\"a\":\"\u{9b}2J\"}"));
    let attributes: BTreeMap<_, _> = messages[0].message_attributes().unwrap().iter().collect();
    let names: Vec<&str> = attributes.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["bytes", "custom", "number", "text"]);
    let of = |name: &str| attributes[&name.to_owned()];
    assert_eq!(of("number").data_type(), "Number");
    assert_eq!(of("number").string_value(), Some("1.50"));
    assert_eq!(of("custom").data_type(), "String.json");
    assert_eq!(of("bytes").data_type(), "Binary.gif");
    assert_eq!(of("bytes").binary_value().unwrap().as_ref(), [0, 255, 7]);
}

#[tokio::test]
async fn every_message_has_one_outcome_and_the_queues_agree() {
    let journals = tempfile::tempdir().unwrap();
    let (_machine, queues) = queues("outcomes").await;
    let total = 37;
    queues.add_dead_letters(&numbered(total), &[]).await;
    let mut received = receive_dead_letters(&queues.pipeline, 100, VISIBILITY).await;
    assert_eq!(received.messages.len(), total);
    assert!(!received.is_truncated);
    // One grew beyond what a queue takes, one cannot be sent, one cannot be deleted.
    received.messages[3].body = "x".repeat(1024 * 1024 + 1).into();
    received.messages[11].body = "\u{1b}".into();
    received.messages[20].receipt_handle = "no handle".to_owned();
    let ids: Vec<String> = received
        .messages
        .iter()
        .map(|message| message.message_id.clone())
        .collect();
    let (report, counts) = redrive(&queues.pipeline, &received.messages, journals.path())
        .await
        .unwrap();
    let message = |index: usize| {
        let id = &ids[index];
        let message = report
            .messages
            .iter()
            .find(|message| message.message_id == *id);
        message.unwrap()
    };
    assert_eq!(message(3).outcome, MessageOutcome::NotSent);
    assert!(message(3).cause.as_ref().unwrap().contains("bytes"));
    assert_eq!(message(11).outcome, MessageOutcome::NotSent);
    assert_eq!(message(20).outcome, MessageOutcome::SentNotDeleted);
    let outcome = |wanted| {
        let messages = report.messages.iter();
        messages.filter(|message| message.outcome == wanted).count()
    };
    let moved = outcome(MessageOutcome::Moved);
    assert_eq!(moved, total - 3, "{report:?}");
    assert_eq!(report.messages.len(), total);
    assert_eq!(counts.done(), total);
    assert_eq!(queues.count(QueueRole::Source).await, moved + 1);
    assert_eq!(queues.count(QueueRole::DeadLetter).await, 2 + 1);
}

#[tokio::test]
async fn message_whose_visibility_timeout_ended_is_not_sent() {
    let journals = tempfile::tempdir().unwrap();
    let (_machine, queues) = queues("expired").await;
    queues.add_dead_letter("one", &[]).await;
    let mut received = receive_dead_letters(&queues.pipeline, 1, VISIBILITY).await;
    let message = &mut received.messages[0];
    let handles = [message.receipt_handle.clone()];
    assert_eq!(release_dead_letters(&queues.pipeline, &handles).await, 1);
    message.hidden_until = chrono::Utc::now();
    message.receipt_handle = "expired".to_owned();
    let (report, _) = redrive(&queues.pipeline, &received.messages, journals.path())
        .await
        .unwrap();
    let message = &report.messages[0];
    assert_eq!(message.outcome, MessageOutcome::NotSent);
    assert!(
        message
            .cause
            .as_ref()
            .unwrap()
            .contains("visibility timeout"),
        "{message:?}"
    );
    assert_eq!(queues.count(QueueRole::Source).await, 0);
    assert_eq!(queues.count(QueueRole::DeadLetter).await, 1);
}

#[tokio::test]
async fn send_without_an_answer_is_not_repeated_and_the_message_stays() {
    let journals = tempfile::tempdir().unwrap();
    let (_machine, queues) = queues("unanswered").await;
    queues.add_dead_letter("one", &[]).await;
    queues.add_dead_letter("two", &[]).await;
    let received = receive_dead_letters(&queues.pipeline, 10, VISIBILITY).await;
    let every = 0..usize::MAX;
    let send = "SendMessageBatch";
    let proxy = proxy::start(queues.endpoint_url(), send, Fault::DropAnswer, every).await;
    let pipeline = queues.over(&proxy.url).pipeline;
    let (report, _) = redrive(&pipeline, &received.messages, journals.path())
        .await
        .unwrap();
    let unknown = |message: &MessageReport| message.outcome == MessageOutcome::Unknown;
    assert!(report.messages.iter().all(unknown), "{report:?}");
    assert_eq!(report.messages.len(), 2);
    assert_eq!(queues.count(QueueRole::Source).await, 2);
    assert_eq!(queues.count(QueueRole::DeadLetter).await, 2);
}

#[tokio::test]
async fn received_messages_are_hidden_until_released_and_listed_once() {
    let (_machine, queues) = queues("hidden").await;
    for number in 0..12 {
        queues
            .add_dead_letter(&format!("{{\"id\":\"{number}\"}}"), &[])
            .await;
    }
    let some = receive_dead_letters(&queues.pipeline, 5, VISIBILITY).await;
    assert_eq!(some.messages.len(), 5);
    assert!(some.is_truncated);
    let rest = receive_dead_letters(&queues.pipeline, 100, VISIBILITY).await;
    assert_eq!(rest.messages.len(), 7);
    let handles: Vec<String> = some
        .messages
        .iter()
        .chain(&rest.messages)
        .map(|message| message.receipt_handle.clone())
        .collect();
    let leases = LeaseSet::new(&queues.pipeline, VISIBILITY);
    for handle in &handles {
        leases.adopt(handle, handle, chrono::Utc::now() + VISIBILITY);
    }
    leases.extend_all(2 * VISIBILITY).await.unwrap();
    assert!(leases.take_lost(chrono::Utc::now()).is_empty());
    assert_eq!(release_dead_letters(&queues.pipeline, &handles).await, 12);
    let again = receive_dead_letters(&queues.pipeline, 100, VISIBILITY).await;
    assert_eq!(again.messages.len(), 12);
    assert!(
        again
            .messages
            .iter()
            .all(|message| message.receive_count == 2)
    );
    assert!(again.messages.is_sorted_by_key(|message| message.sent_at));
}

#[tokio::test]
async fn read_only_environment_moves_nothing() {
    let journals = tempfile::tempdir().unwrap();
    let (_machine, queues) = queues("read-only").await;
    queues.add_dead_letter("one", &[]).await;
    let received = receive_dead_letters(&queues.pipeline, 1, VISIBILITY).await;
    let environment = Environment {
        read_only: true,
        ..queues.pipeline.environment().clone()
    };
    let pipeline = Pipeline::connect(&environment).unwrap();
    let error = redrive(&pipeline, &received.messages, journals.path())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
    assert_eq!(queues.count(QueueRole::Source).await, 0);
    assert_eq!(queues.count(QueueRole::DeadLetter).await, 1);
}

#[tokio::test]
async fn queue_that_was_deleted_is_named() {
    let (_machine, queues) = queues("deleted").await;
    let url = queues.pipeline.queue_url(QueueRole::DeadLetter);
    let delete = queues.sqs.delete_queue().queue_url(url);
    delete.send().await.unwrap();
    let error = queues
        .pipeline
        .queue_snapshot(QueueRole::DeadLetter)
        .await
        .unwrap_err();
    assert!(!error.is_unreachable());
    assert!(
        error.to_string().contains("\"deleted-dead\"")
            && error.to_string().contains("the queue does not exist"),
        "{error}"
    );
}
