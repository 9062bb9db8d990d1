//! Bodies on disk: requested, never waited for.

use super::fixtures::*;
use super::*;
use crate::tui::testing::READ_BODY;
use pipeline::Body;

/// A harness with messages whose bodies are on a disk.
fn harness() -> Harness {
    let mut messages = messages();
    for message in &mut messages {
        message.body = Body::spooled(message.body.at_hand().unwrap()).unwrap();
    }
    let mut harness = open(160, 45, environment());
    harness.answer_messages(messages);
    harness
}

#[test]
fn body_of_the_selected_message_is_requested_once_and_shown_when_it_comes() {
    let mut harness = harness();
    let text = harness.screen_text();
    assert!(text.contains("· loading"), "{text}");
    harness.pass(1);
    assert_eq!(harness.count(&READ_BODY), 1);
    harness.keys("eEy");
    assert!(
        harness.screen_text().contains("· loading"),
        "nothing was opened"
    );
    let (_, to) = harness.take_last(&READ_BODY);
    harness.reply(to, Ok("{\"it\":\"is here\"}".to_owned()));
    assert!(harness.screen_text().contains("\"it\": \"is here\""));
    assert_eq!(harness.count(&READ_BODY), 0);
    harness.code(KeyCode::Down);
    assert_eq!(harness.count(&READ_BODY), 1);
}

#[test]
fn body_of_a_message_that_is_not_selected_any_more_is_not_shown() {
    let mut harness = harness();
    let (_, first) = harness.take_last(&READ_BODY);
    harness.code(KeyCode::Down);
    let (_, second) = harness.take_last(&READ_BODY);
    harness.reply(first, Ok("{\"it\":\"is late\"}".to_owned()));
    assert!(!harness.screen_text().contains("is late"));
    harness.reply(second, Err(fault()));
    harness.pass(1);
    assert_eq!(
        harness.count(&READ_BODY),
        0,
        "a body that cannot be read is not asked for again"
    );
    assert!(harness.screen_text().contains("· loading"));
}

#[test]
fn what_needs_the_body_is_done_when_it_comes_unless_another_key_was_pressed() {
    for (keys, is_outside) in [("E", true), ("Ej", false), ("Ee", false)] {
        let mut harness = harness();
        let (_, to) = harness.take_last(&READ_BODY);
        harness.keys(keys);
        harness.reply(to, Ok("{\"it\":1}".to_owned()));
        assert_eq!(!harness.editors.is_empty(), is_outside, "{keys}");
    }
}
