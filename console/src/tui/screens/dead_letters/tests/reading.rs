//! Bodies that were put aside: asked for, never waited for.

use super::fixtures::*;
use super::*;
use crossterm::event::KeyCode;
use pipeline::Body;

fn is_read(request: &Request) -> bool {
    matches!(request, Request::ReadBody(_))
}

/// A harness that holds messages whose bodies are on a disk.
fn harness() -> Harness {
    let mut messages = messages();
    for message in &mut messages {
        message.body = Body::spooled(message.body.at_hand().unwrap()).unwrap();
    }
    let mut harness = Harness::open(160, 45, environment());
    harness.answer_messages(messages);
    harness
}

#[test]
fn body_of_the_selected_message_is_asked_for_once_and_shown_when_it_comes() {
    let mut harness = harness();
    let text = harness.text();
    assert!(text.contains("being read"), "{text}");
    harness.pass(1);
    assert_eq!(harness.count(is_read), 1);
    harness.keys("eEy");
    assert!(harness.text().contains("being read"), "nothing was opened");
    let question = harness.take(is_read);
    harness.reply(
        &question,
        Ok(Answer::Body("{\"it\":\"is here\"}".to_owned())),
    );
    assert!(harness.text().contains("\"it\": \"is here\""));
    assert_eq!(harness.count(is_read), 0);
    harness.code(KeyCode::Down);
    assert_eq!(harness.count(is_read), 1);
}

#[test]
fn body_of_a_message_that_is_not_selected_any_more_is_not_shown() {
    let mut harness = harness();
    let first = harness.take(is_read);
    harness.code(KeyCode::Down);
    let second = harness.take(is_read);
    harness.reply(&first, Ok(Answer::Body("{\"it\":\"is late\"}".to_owned())));
    assert!(!harness.text().contains("is late"));
    harness.reply(&second, Err(fault()));
    harness.pass(1);
    assert_eq!(
        harness.count(is_read),
        0,
        "a body that cannot be read is not asked for again"
    );
    assert!(harness.text().contains("being read"));
}

#[test]
fn what_needs_the_body_is_done_when_it_comes_unless_another_key_was_pressed() {
    for (keys, is_outside) in [("E", true), ("Ej", false), ("Ee", false)] {
        let mut harness = harness();
        let question = harness.take(is_read);
        harness.keys(keys);
        harness.reply(&question, Ok(Answer::Body("{\"it\":1}".to_owned())));
        assert_eq!(!harness.outside.is_empty(), is_outside, "{keys}");
    }
}
