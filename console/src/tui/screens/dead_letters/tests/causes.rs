//! What is said of why a message is there, and of what the queue has: only what was recorded or read.

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

#[test]
fn message_that_sns_did_not_deliver_was_not_rejected_by_the_ingest() {
    let with_code = |code: &str| {
        let mut message = message(1, Duration::hours(1), &valid_body(1));
        message.reason = Some(Reason {
            code: code.to_owned(),
            message: "its policy denies it".to_owned(),
            request_id: Some("r-1".to_owned()),
        });
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
