//! Deleting: by the queue's name, and only what SQS confirmed.

use super::fixtures::*;
use super::*;
use crate::tui::message::Msg;
use crate::tui::remote::{Fetched, Remote};
use crate::tui::request::Deleted;
use crate::tui::testing::DELETE;
use pipeline::model::{QueueDepth, QueueSettings, QueueSnapshot};

/// The messages whose deletion is requested.
fn deletion(harness: &mut Harness) -> (ReplyTo<Deleted>, Vec<String>) {
    let (messages, to) = harness.take_last(&DELETE);
    let ids = messages.into_iter().map(|message| message.message_id);
    (to, ids.collect())
}

#[test]
fn another_name_than_the_queues_deletes_nothing() {
    let mut harness = received(messages());
    harness.keys("aD");
    harness.keys("events-queue");
    harness.code(KeyCode::Enter);
    assert_eq!(harness.count(&DELETE), 0);
    assert!(
        harness
            .notice()
            .contains("name of the queue is events-dead-letters")
    );
    harness.code(KeyCode::Esc);
    assert_eq!(harness.screen().messages.len(), 37);
    assert_eq!(harness.count(&DELETE), 0);
}

#[test]
fn marked_messages_are_deleted_and_only_confirmed_ones_leave() {
    let mut harness = received(messages());
    harness.keys(" jj D");
    assert!(
        harness
            .screen_text()
            .contains("to delete 2 messages (the marked messages)")
    );
    harness.keys("events-dead-letters");
    harness.code(KeyCode::Enter);
    let (to, ids) = deletion(&mut harness);
    assert_eq!(ids.len(), 2);
    // Nothing else goes out meanwhile.
    harness.press('D');
    assert!(harness.notice().contains("in progress already"));
    harness.reply(
        to,
        Ok(Deleted {
            file: "/state/exports/events-dead-letters.jsonl".into(),
            message_ids: vec![ids[0].clone()],
            failed: 1,
            unconfirmed: 0,
            left: 0,
            cause: Some("throttled".to_owned()),
        }),
    );
    let left = &harness.screen().messages;
    assert_eq!(left.len(), 36);
    assert!(left.iter().all(|message| message.message_id != ids[0]));
    assert!(left.iter().any(|message| message.message_id == ids[1]));
    let text = harness.screen_text();
    assert!(
        text.contains("1 message deleted · 1 not deleted, with a copy in"),
        "{text}"
    );
    assert!(text.contains("throttled"), "{text}");
    let notice = "1 message deleted · 1 not deleted";
    assert_eq!(harness.notice(), notice);
}

/// What was not tried is in the queue, and what had no answer may be.
#[test]
fn messages_without_an_answer_and_those_not_tried_are_counted_apart() {
    let (mut harness, to, ids) = deleting();
    let deleted = Deleted {
        failed: 0,
        unconfirmed: 1,
        left: 3,
        ..one_of_two(&ids)
    };
    harness.reply(to, Ok(deleted));
    assert_eq!(
        harness.notice(),
        "1 message deleted · 1 without an answer, may be deleted · 3 not tried"
    );
}

#[test]
fn failed_deletion_keeps_everything_and_shows_why() {
    let mut harness = received(messages());
    harness.press('D');
    harness.keys("events-dead-letters");
    harness.code(KeyCode::Enter);
    let (to, ids) = deletion(&mut harness);
    assert_eq!(ids.len(), 1);
    harness.reply(to, Err(fault()));
    assert_eq!(harness.screen().messages.len(), 37);
    assert!(harness.notice().contains(&fault().message));
}

/// Two marked messages are being deleted.
fn deleting() -> (Harness, ReplyTo<Deleted>, Vec<String>) {
    deleting_on(80, 24)
}

fn deleting_on(width: u16, height: u16) -> (Harness, ReplyTo<Deleted>, Vec<String>) {
    let mut harness = open(width, height, environment());
    harness.answer_messages(messages());
    harness.keys(" jj Devents-dead-letters");
    harness.code(KeyCode::Enter);
    let (to, ids) = deletion(&mut harness);
    (harness, to, ids)
}

fn one_of_two(ids: &[String]) -> Deleted {
    Deleted {
        file: "/state/exports/events-dead-letters.jsonl".into(),
        message_ids: vec![ids[0].clone()],
        failed: 1,
        unconfirmed: 0,
        left: 0,
        cause: Some("throttled".to_owned()),
    }
}

#[test]
fn messages_that_are_being_deleted_are_not_released_and_what_is_left_stays_while_shown() {
    let (mut harness, to, ids) = deleting();
    harness.press('R');
    assert_eq!(harness.count(&RELEASE), 1);
    assert_eq!(harness.ids(), ids);
    harness.reply(to, Ok(one_of_two(&ids)));
    assert_eq!(harness.ids(), ids[1..]);
    assert_eq!(harness.count(&RELEASE), 1);
    harness.pass(1);
    assert_eq!(harness.count(&EXTEND), 1);
}

#[test]
fn messages_left_by_a_deletion_are_released_where_the_screen_was_left() {
    let (mut harness, to, ids) = deleting();
    harness.press('1');
    assert_eq!(harness.count(&RELEASE), 1);
    assert_eq!(harness.ids(), ids);
    harness.reply(to, Ok(one_of_two(&ids)));
    assert_eq!(harness.count(&RELEASE), 2);
    assert_eq!(harness.ids(), Vec::<String>::new());
}

#[test]
fn deletion_under_way_shows_its_progress_and_keeps_redrives_out() {
    let (mut harness, to, _) = deleting();
    assert!(harness.screen_text().contains("deleting: 0 of 2 tried"));
    let progress = redrive::operations::Progress { done: 1, total: 2 };
    harness.send(Msg::WorkProgress(to.id(), progress));
    assert!(harness.screen_text().contains("deleting: 1 of 2 tried"));
    assert_eq!(harness.model.work(), Some(("deletion", 1, 2)));
    harness.press('r');
    assert!(!harness.is_reviewing());
}

#[test]
fn quit_asks_while_a_deletion_is_running() {
    let (mut harness, ..) = deleting();
    harness.press('q');
    assert!(!harness.model.is_leaving);
    let text = harness.text();
    assert!(
        text.contains("A deletion is running: 0 of 2 done."),
        "{text}"
    );
    harness.press('y');
    assert!(harness.model.is_leaving);
}

#[test]
fn number_of_the_queue_from_before_a_deletion_is_not_shown_beside_what_is_left() {
    let (mut harness, to, ids) = deleting_on(160, 45);
    let read = |harness: &mut Harness| {
        let value = QueueSnapshot {
            depth: QueueDepth {
                visible: 38,
                in_flight: 2,
                delayed: 0,
            },
            oldest: None,
            settings: QueueSettings {
                name: "events-dead-letters".to_owned(),
                visibility_timeout_secs: 60,
                retention_secs: 1_209_600,
                max_receive_count: None,
            },
        };
        let fetched_at = harness.now;
        harness.model.pipeline.dead_letter_queue = Remote::Ready(Fetched { value, fetched_at });
    };
    read(&mut harness);
    let text = harness.screen_text();
    assert!(text.contains("received of about 40"), "{text}");
    harness.reply(to, Ok(one_of_two(&ids)));
    let text = harness.screen_text();
    assert!(
        text.contains(" 36 received, hidden from other consumers"),
        "{text}"
    );
    harness.now += Duration::seconds(5);
    read(&mut harness);
    let text = harness.screen_text();
    assert!(text.contains("received of about 40"), "{text}");
}
