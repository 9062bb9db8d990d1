//! Deleting: by the queue's name, and only what SQS confirmed.

use super::fixtures::*;
use super::*;
use crate::tui::message::Deleted;
use crossterm::event::KeyCode;

fn notice(harness: &Harness) -> &str {
    harness
        .model
        .notice
        .as_ref()
        .map_or("", |notice| &notice.text)
}

fn is_deletion(request: &Request) -> bool {
    matches!(request, Request::DeleteMessages(_))
}

/// The messages that are asked to be deleted.
fn deletion(harness: &mut Harness) -> ((RequestId, Request), Vec<String>) {
    let question = harness.take(is_deletion);
    let Request::DeleteMessages(messages) = &question.1 else {
        panic!("not a deletion")
    };
    let ids = messages.iter().map(|message| message.message_id.clone());
    let ids = ids.collect();
    (question, ids)
}

#[test]
fn another_name_than_the_queues_deletes_nothing() {
    let mut harness = Harness::holding(messages());
    harness.keys("aD");
    harness.keys("events-queue");
    harness.code(KeyCode::Enter);
    assert_eq!(harness.count(is_deletion), 0);
    assert!(notice(&harness).contains("name of the queue is events-dead-letters"));
    harness.code(KeyCode::Esc);
    assert_eq!(harness.screen().messages.len(), 37);
    assert_eq!(harness.count(is_deletion), 0);
}

#[test]
fn marked_messages_are_deleted_and_only_confirmed_ones_leave() {
    let mut harness = Harness::holding(messages());
    harness.keys(" jj D");
    assert!(
        harness
            .text()
            .contains("to delete 2 messages of the marked messages")
    );
    harness.keys("events-dead-letters");
    harness.code(KeyCode::Enter);
    let (question, ids) = deletion(&mut harness);
    assert_eq!(ids.len(), 2);
    // Nothing else goes out meanwhile.
    harness.key('D');
    assert!(notice(&harness).contains("on their way out already"));
    harness.reply(
        &question,
        Ok(Answer::Deleted(Deleted {
            file: "/state/exports/events-dead-letters.jsonl".into(),
            message_ids: vec![ids[0].clone()],
            failed: 1,
            cause: Some("throttled".to_owned()),
        })),
    );
    let left = &harness.screen().messages;
    assert_eq!(left.len(), 36);
    assert!(left.iter().all(|message| message.message_id != ids[0]));
    assert!(left.iter().any(|message| message.message_id == ids[1]));
    let text = harness.text();
    assert!(
        text.contains("1 message deleted, with a copy in /state/exports"),
        "{text}"
    );
    assert!(text.contains("1 not deleted: throttled"), "{text}");
}

#[test]
fn failed_deletion_keeps_everything_and_says_why() {
    let mut harness = Harness::holding(messages());
    harness.key('D');
    harness.keys("events-dead-letters");
    harness.code(KeyCode::Enter);
    let (question, ids) = deletion(&mut harness);
    assert_eq!(ids.len(), 1);
    harness.reply(&question, Err(fault()));
    assert_eq!(harness.screen().messages.len(), 37);
    assert!(notice(&harness).contains(&fault().message));
}
