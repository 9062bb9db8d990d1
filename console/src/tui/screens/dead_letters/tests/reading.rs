//! Bodies that were put aside: asked for, never waited for.

use super::fixtures::*;
use super::*;
use crate::world::Body;
use crossterm::event::KeyCode;

fn is_read(request: &Request) -> bool {
    matches!(request, Request::ReadBody(_))
}

/// A desk that holds letters whose bodies are on a disk.
fn desk() -> Desk {
    let mut letters = letters();
    for letter in &mut letters {
        letter.body = Body::put_aside(letter.body.at_hand().unwrap());
    }
    let mut desk = Desk::open(160, 45, environment());
    desk.answer_letters(letters);
    desk
}

#[test]
fn body_of_the_selected_letter_is_asked_for_once_and_shown_when_it_comes() {
    let mut desk = desk();
    let text = desk.text();
    assert!(text.contains("being read"), "{text}");
    desk.pass(1);
    assert_eq!(desk.count(is_read), 1);
    desk.keys("eEy");
    assert!(desk.text().contains("being read"), "nothing was opened");
    let question = desk.take(is_read);
    desk.reply(
        &question,
        Ok(Answer::Body("{\"it\":\"is here\"}".to_owned())),
    );
    assert!(desk.text().contains("\"it\": \"is here\""));
    assert_eq!(desk.count(is_read), 0);
    desk.code(KeyCode::Down);
    assert_eq!(desk.count(is_read), 1);
}

#[test]
fn body_of_a_letter_that_is_not_selected_any_more_is_not_shown() {
    let mut desk = desk();
    let first = desk.take(is_read);
    desk.code(KeyCode::Down);
    let second = desk.take(is_read);
    desk.reply(&first, Ok(Answer::Body("{\"it\":\"is late\"}".to_owned())));
    assert!(!desk.text().contains("is late"));
    desk.reply(&second, Err(fault()));
    desk.pass(1);
    assert_eq!(
        desk.count(is_read),
        0,
        "a body that cannot be read is not asked for again"
    );
    assert!(desk.text().contains("being read"));
}

#[test]
fn what_needs_the_body_is_done_when_it_comes_unless_another_key_was_pressed() {
    for (keys, is_outside) in [("E", true), ("Ej", false), ("Ee", false)] {
        let mut desk = desk();
        let question = desk.take(is_read);
        desk.keys(keys);
        desk.reply(&question, Ok(Answer::Body("{\"it\":1}".to_owned())));
        assert_eq!(!desk.outside.is_empty(), is_outside, "{keys}");
    }
}
