//! Bodies on disk: requested, never waited for.

use super::fixtures::*;
use super::*;
use crate::tui::patch::EditedMessage;
use crate::tui::testing::READ_BODIES;
use pipeline::{Body, BodySpool};

fn spooled(text: &str) -> Body {
    BodySpool::create().unwrap().write(text).unwrap()
}

/// What the task reads.
fn texts(bodies: &[Body]) -> Vec<String> {
    let texts = bodies.iter().map(|body| body.text().unwrap().into_owned());
    texts.collect()
}

/// A harness with messages whose bodies are on a disk.
fn harness() -> Harness {
    let mut messages = messages();
    for message in &mut messages {
        message.body = spooled(message.body.at_hand().unwrap());
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
    assert_eq!(harness.count(&READ_BODIES), 1);
    harness.keys("eEy");
    assert!(
        harness.screen_text().contains("· loading"),
        "nothing was opened"
    );
    let (_, to) = harness.take_last(&READ_BODIES);
    harness.reply(to, Ok(vec!["{\"it\":\"is here\"}".to_owned()]));
    assert!(harness.screen_text().contains("\"it\": \"is here\""));
    assert_eq!(harness.count(&READ_BODIES), 0);
    harness.code(KeyCode::Down);
    assert_eq!(harness.count(&READ_BODIES), 1);
}

#[test]
fn body_of_a_message_that_is_not_selected_any_more_is_not_shown() {
    let mut harness = harness();
    let (_, first) = harness.take_last(&READ_BODIES);
    harness.code(KeyCode::Down);
    let (_, second) = harness.take_last(&READ_BODIES);
    harness.reply(first, Ok(vec!["{\"it\":\"is late\"}".to_owned()]));
    assert!(!harness.screen_text().contains("is late"));
    harness.reply(second, Err(fault()));
    harness.pass(1);
    assert_eq!(
        harness.count(&READ_BODIES),
        0,
        "a body that cannot be read is not asked for again"
    );
    assert!(harness.screen_text().contains("· loading"));
}

#[test]
fn what_needs_the_body_is_done_when_it_comes_unless_another_key_was_pressed() {
    for (keys, is_outside) in [("E", true), ("Ej", false), ("Ee", false)] {
        let mut harness = harness();
        let (_, to) = harness.take_last(&READ_BODIES);
        harness.keys(keys);
        harness.reply(to, Ok(vec!["{\"it\":1}".to_owned()]));
        assert_eq!(!harness.editors.is_empty(), is_outside, "{keys}");
    }
}

#[test]
fn edited_bodies_are_on_disk_and_read_for_what_is_shown() {
    let mut harness = harness();
    harness.code(KeyCode::Tab);
    harness.keys("jptrue");
    harness.code(KeyCode::Enter);
    let ((_, messages), to) = harness.take_last(&PATCH);
    let mut patched = patched(&messages);
    for edited in &mut patched.edited {
        edited.new_body = spooled(edited.new_body.at_hand().unwrap());
    }
    let first = patched.edited[0].new_body.clone();
    harness.reply(to, Ok(patched));
    let text = harness.screen_text();
    assert!(text.contains("loading the bodies"), "{text}");
    let (bodies, to) = harness.take_last(&READ_BODIES);
    assert_eq!(bodies[1], first);
    harness.reply(to, Ok(texts(&bodies)));
    let text = harness.screen_text();
    assert!(text.contains("+   \"time\":"), "{text}");

    harness.press('y');
    let in_memory = |edited: &EditedMessage| edited.new_body.bytes_in_memory();
    assert_eq!(
        harness
            .screen()
            .edits
            .values()
            .map(in_memory)
            .sum::<usize>(),
        0
    );
    harness.keys("g");
    harness.code(KeyCode::Tab);
    // The selected message is shown, and edited, by its new body once that was read.
    harness.press('e');
    assert_ne!(harness.model.key_context(), KeyContext::Editor);
    let (bodies, to) = harness.take_last(&READ_BODIES);
    assert_eq!(bodies.len(), 2);
    harness.reply(to, Ok(texts(&bodies)));
    assert_eq!(harness.model.key_context(), KeyContext::Editor);
    let text = harness.screen_text();
    assert!(
        text.contains("\"time\": \"2026-11-24T11:42:00Z\""),
        "{text}"
    );
}
