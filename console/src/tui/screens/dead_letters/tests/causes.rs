//! What is said of why a message is there, and of what the queue has: only what was recorded or read.

use std::sync::Arc;

use super::fixtures::*;
use super::*;
use pipeline::model::Reason;

/// The whole screen, without the breaks of its lines.
fn words(harness: &Harness) -> String {
    let text = harness.screen_text();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The detail of a message.
fn detail(message: DeadLetter) -> String {
    let mut harness = received(vec![message]);
    harness.code(KeyCode::Enter);
    words(&harness)
}

/// Somebody may have sent it to the dead-letter queue itself.
#[test]
fn message_without_a_reason_is_not_said_to_have_been_published() {
    let text = detail(message(1, Duration::hours(1), &valid_body(1)));
    assert!(text.contains("first sent 11:03:07 UTC"), "{text}");
    assert!(!text.contains("published"), "{text}");
}

#[test]
fn message_that_sns_did_not_deliver_was_not_rejected_by_the_ingest() {
    let with_code = |code: &str| {
        let mut message = message(1, Duration::hours(1), &valid_body(1));
        let reason = Reason {
            code: code.to_owned(),
            message: "its policy denies it".to_owned(),
            request_id: Some("r-1".to_owned()),
        };
        message.reason = Some(reason.into());
        detail(message)
    };
    let text = with_code("403");
    assert!(
        text.contains("dead-lettered with 403: its policy denies it"),
        "{text}"
    );
    assert!(!text.contains("by the ingest with"), "{text}");
    let text = with_code("not-json");
    assert!(
        text.contains("rejected by the ingest with not-json"),
        "{text}"
    );
}

#[test]
fn message_without_a_reason_has_no_cause_that_was_not_recorded() {
    let text = detail(message(1, Duration::hours(1), &valid_body(1)));
    assert!(text.contains(crate::text::NO_REASON), "{text}");
}

#[test]
fn queue_that_was_not_read_is_not_empty_and_its_number_has_a_time() {
    let mut harness = received(Vec::new());
    let text = words(&harness);
    assert!(
        text.contains("How many the queue has is not known yet"),
        "{text}"
    );
    assert!(!text.contains("queue is empty"), "{text}");
    let mut read = |visible| {
        let value = QueueSnapshot {
            depth: QueueDepth {
                visible,
                in_flight: 0,
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
        let fetched_at = harness.now - Duration::seconds(40);
        harness.model.pipeline.dead_letter_queue = Remote::Ready(Fetched { value, fetched_at });
        words(&harness)
    };
    let text = read(0);
    assert!(
        text.contains("The queue reported no dead letters at 12:02:27 UTC"),
        "{text}"
    );
    assert!(!text.contains("queue is empty"), "{text}");
    let text = read(7);
    assert!(
        text.contains("The queue reported about 7 at 12:02:27 UTC"),
        "{text}"
    );
}

/// It is made between two frames, of very many messages.
#[test]
fn search_copies_no_reason_of_a_message() {
    let mut harness = received(messages());
    harness.keys("/x");
    harness.code(KeyCode::Enter);
    let ((_, inputs), _) = harness.take_last(&SEARCH);
    let messages = &harness.screen().messages;
    assert_eq!(inputs.len(), messages.len());
    let mut shared = 0;
    for (input, message) in inputs.iter().zip(messages) {
        let reasons = (input.reason.as_ref(), message.reason.as_ref());
        let failures = (input.failure.as_ref(), message.failure.as_ref());
        let is_shared = |(ours, theirs)| match (ours, theirs) {
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        };
        assert_eq!(reasons.0.is_some(), message.reason.is_some());
        shared += usize::from(is_shared(reasons));
        let is_same = match failures {
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            (ours, theirs) => ours == theirs,
        };
        assert!(is_same);
    }
    let with_a_reason = messages.iter().filter(|one| one.reason.is_some());
    assert_eq!(shared, with_a_reason.count());
    assert!(shared > 0);
}
