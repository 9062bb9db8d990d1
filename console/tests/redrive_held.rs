//! Redrive against a real queue service: nothing is lost, nothing is deleted unconfirmed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;
use pipeline::Pipeline;
use pipeline::environment::Environment;
use pipeline::model::{DeadLetter, QueueRole};
use redrive::{
    Control, Counts, Journal, MessageOutcome, MessageReport, Plan, PlanOptions, RedriveError,
    Report, RunOptions, run,
};
use support::queues::Queues;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const HOLD: Duration = Duration::from_secs(120);

fn text(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value)
        .build()
        .unwrap()
}

fn binary(data_type: &str, value: &[u8]) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type(data_type)
        .binary_value(Blob::new(value))
        .build()
        .unwrap()
}

/// Redrives messages that are held; none is searched, waited for or proved.
async fn redrive(
    pipeline: &Pipeline,
    messages: &[DeadLetter],
    journals: &Path,
) -> Result<(Report, Counts), RedriveError> {
    let unedited: Vec<_> = messages.iter().map(|message| (message, None)).collect();
    let plan = Plan::of(pipeline, &unedited, PlanOptions::default()).await?;
    let journal = Journal::create(journals, &plan)?;
    let options = RunOptions {
        searches: false,
        search_patience: Duration::ZERO,
        pauses_by_itself: false,
        prove_limit: Duration::ZERO,
        ..RunOptions::default()
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
    let told = *counts.borrow();
    Ok((report, told))
}

#[tokio::test]
async fn attributes_keep_name_type_and_value_but_the_failure_goes() {
    let journals = tempfile::tempdir().unwrap();
    let queues = Queues::start().await;
    queues
        .kill(
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
    let held = queues.pipeline.hold_dead_letters(10, HOLD).await.unwrap();
    assert_eq!(
        held.messages[0].reason.as_ref().unwrap().code,
        "missing-attribute"
    );
    let (report, _) = redrive(&queues.pipeline, &held.messages, journals.path())
        .await
        .unwrap();
    assert_eq!(
        report.messages[0].outcome,
        MessageOutcome::Moved,
        "{report:?}"
    );
    let messages = queues.received().await;
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
    let queues = Queues::start().await;
    let total = 37;
    for number in 0..total {
        queues.kill(&format!("message {number}"), &[]).await;
    }
    let mut held = queues.pipeline.hold_dead_letters(100, HOLD).await.unwrap();
    assert_eq!(held.messages.len(), total);
    assert!(!held.is_truncated);
    // One grew beyond what a queue takes, one cannot be sent, one cannot be deleted.
    held.messages[3].body = "x".repeat(1024 * 1024 + 1).into();
    held.messages[11].body = "\u{1b}".into();
    held.messages[20].receipt_handle = "no handle".to_owned();
    let ids: Vec<String> = held
        .messages
        .iter()
        .map(|message| message.message_id.clone())
        .collect();
    let (report, told) = redrive(&queues.pipeline, &held.messages, journals.path())
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
    assert_eq!(told.done(), total);
    assert_eq!(queues.count(QueueRole::Source).await, moved + 1);
    assert_eq!(queues.count(QueueRole::DeadLetter).await, 2 + 1);
}

#[tokio::test]
async fn message_whose_hold_was_lost_is_not_sent() {
    let journals = tempfile::tempdir().unwrap();
    let queues = Queues::start().await;
    queues.kill("one", &[]).await;
    let mut held = queues.pipeline.hold_dead_letters(1, HOLD).await.unwrap();
    let message = &mut held.messages[0];
    let handles = [message.receipt_handle.clone()];
    assert_eq!(
        queues
            .pipeline
            .release_dead_letters(&handles)
            .await
            .unwrap(),
        1
    );
    message.hidden_until = chrono::Utc::now();
    message.receipt_handle = "expired".to_owned();
    let (report, _) = redrive(&queues.pipeline, &held.messages, journals.path())
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

/// Stands before the emulator and hangs up when a send was done, before its answer. Gives its URL.
async fn proxy_that_swallows_answers_to_sends(emulator: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let behind = emulator.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let upstream = TcpStream::connect(&behind).await.unwrap();
            tokio::spawn(pass_on(client, upstream));
        }
    });
    url
}

async fn pass_on(mut client: TcpStream, mut upstream: TcpStream) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    let mut swallows = false;
    loop {
        tokio::select! {
            count = client.read(&mut asked) => match count {
                Ok(count @ 1..) => {
                    swallows |= String::from_utf8_lossy(&asked[..count]).contains("SendMessageBatch");
                    upstream.write_all(&asked[..count]).await.unwrap();
                }
                _ => return,
            },
            count = upstream.read(&mut answered) => match count {
                Ok(count @ 1..) if !swallows => {
                    if client.write_all(&answered[..count]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}

#[tokio::test]
async fn send_without_an_answer_is_not_repeated_and_the_message_stays() {
    let journals = tempfile::tempdir().unwrap();
    let queues = Queues::start().await;
    queues.kill("one", &[]).await;
    queues.kill("two", &[]).await;
    let held = queues.pipeline.hold_dead_letters(10, HOLD).await.unwrap();
    let environment = queues.pipeline.environment().clone();
    let proxy =
        proxy_that_swallows_answers_to_sends(environment.endpoint_url.as_deref().unwrap()).await;
    let pipeline = Pipeline::connect(&Environment {
        endpoint_url: Some(proxy),
        ..environment
    })
    .unwrap();
    let (report, _) = redrive(&pipeline, &held.messages, journals.path())
        .await
        .unwrap();
    let unknown = |message: &MessageReport| message.outcome == MessageOutcome::Unknown;
    assert!(report.messages.iter().all(unknown), "{report:?}");
    assert_eq!(report.messages.len(), 2);
    assert_eq!(queues.count(QueueRole::Source).await, 2);
    assert_eq!(queues.count(QueueRole::DeadLetter).await, 2);
}

#[tokio::test]
async fn held_messages_are_hidden_until_released_and_listed_once() {
    let queues = Queues::start().await;
    for number in 0..12 {
        queues.kill(&format!("{{\"id\":\"{number}\"}}"), &[]).await;
    }
    let some = queues.pipeline.hold_dead_letters(5, HOLD).await.unwrap();
    assert_eq!(some.messages.len(), 5);
    assert!(some.is_truncated);
    let rest = queues.pipeline.hold_dead_letters(100, HOLD).await.unwrap();
    assert_eq!(rest.messages.len(), 7);
    let handles: Vec<String> = some
        .messages
        .iter()
        .chain(&rest.messages)
        .map(|message| message.receipt_handle.clone())
        .collect();
    assert_eq!(
        queues.pipeline.extend_hold(&handles, HOLD).await.unwrap(),
        [Some(true); 12]
    );
    assert_eq!(
        queues
            .pipeline
            .release_dead_letters(&handles)
            .await
            .unwrap(),
        12
    );
    let again = queues.pipeline.hold_dead_letters(100, HOLD).await.unwrap();
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
async fn read_only_world_moves_nothing() {
    let journals = tempfile::tempdir().unwrap();
    let queues = Queues::start().await;
    queues.kill("one", &[]).await;
    let held = queues.pipeline.hold_dead_letters(1, HOLD).await.unwrap();
    let environment = Environment {
        read_only: true,
        ..queues.pipeline.environment().clone()
    };
    let pipeline = Pipeline::connect(&environment).unwrap();
    let error = redrive(&pipeline, &held.messages, journals.path())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
    assert_eq!(queues.count(QueueRole::Source).await, 0);
    assert_eq!(queues.count(QueueRole::DeadLetter).await, 1);
}

#[tokio::test]
async fn queue_that_was_deleted_is_named() {
    let queues = Queues::start().await;
    let url = queues.pipeline.queue_url(QueueRole::DeadLetter);
    queues
        .sqs
        .delete_queue()
        .queue_url(url)
        .send()
        .await
        .unwrap();
    let error = queues
        .pipeline
        .queue_snapshot(QueueRole::DeadLetter)
        .await
        .unwrap_err();
    assert!(!error.is_unreachable());
    assert!(
        error.to_string().contains("\"dead-letters\"")
            && error.to_string().contains("the queue does not exist"),
        "{error}"
    );
}
