//! What a question says of the dead letters that the console holds.

use crossterm::event::KeyCode;
use pipeline::model::DeadLetter;
use redrive::MessageOutcome;
use redrive::trace::Leaving;

use super::{empty, key};
use crate::tui::received::LeaseTimes;
use crate::tui::screens::dead_letters::tests::{fixtures, received};
use crate::tui::testing::{DELETE, EXTEND, Harness, RELEASE, TIME_LINE};

#[test]
fn dead_letter_is_traced_with_what_is_held_and_stays_received() {
    let mut letters = vec![
        fixtures::message(1, chrono::Duration::hours(1), &fixtures::valid_body(1)),
        fixtures::message(2, chrono::Duration::hours(1), &fixtures::valid_body(2)),
        fixtures::message(3, chrono::Duration::hours(1), &fixtures::valid_body(1)),
    ];
    letters[2].message_id = "copy".to_owned();
    let mut harness = received(letters);
    harness.press('g');
    harness.press('T');
    let (request, _) = harness.take(&TIME_LINE);
    let held = request
        .held
        .iter()
        .map(|message| message.message_id.as_str());
    assert_eq!(request.key, key("/ops/flights", "dep-0001"));
    assert_eq!(held.filter(|id| *id == "copy").count(), 1);
    assert_eq!(request.held.len(), 2);
    harness.code(KeyCode::Esc);
    assert_eq!(harness.count(&RELEASE), 0);
}

/// Three dead letters, of the events `dep-0001` to `dep-0003`.
fn three_letters() -> Vec<DeadLetter> {
    let hour = chrono::Duration::hours(1);
    (1..=3)
        .map(|number| fixtures::message(number, hour, &fixtures::valid_body(number)))
        .collect()
}

/// What the console says that it holds in the next question: of the event, of all, and of these what is leaving.
fn held(harness: &mut Harness) -> (Vec<String>, usize, usize) {
    let (request, to) = harness.take(&TIME_LINE);
    harness.reply(to, Ok(empty()));
    let ids = request.held.into_iter().map(|message| message.message_id);
    (
        ids.collect(),
        request.holding.hidden.len() + request.holding.leaving.len(),
        request.holding.leaving.len(),
    )
}

#[test]
fn event_that_is_typed_is_traced_with_what_is_held_of_it() {
    let letters = three_letters();
    let second = letters[1].message_id.clone();
    let mut harness = received(letters);
    harness.keys("gT");
    harness.answer(&TIME_LINE, Ok(empty()));
    harness.press('/');
    harness.keys("/ops/flights dep-0002");
    harness.code(KeyCode::Enter);
    assert_eq!(held(&mut harness), (vec![second.clone()], 3, 0));
    harness.press('d');
    assert_eq!(held(&mut harness), (vec![second], 3, 0));
    harness.press('/');
    harness.keys("/ops/flights another");
    harness.code(KeyCode::Enter);
    assert_eq!(held(&mut harness), (Vec::new(), 3, 0));
}

#[test]
fn dead_letter_that_was_lost_meanwhile_is_not_held_at_the_next_question() {
    let letters = three_letters();
    let first = letters[0].message_id.clone();
    let mut harness = received(letters);
    harness.keys("gT");
    assert_eq!(held(&mut harness), (vec![first.clone()], 3, 0));
    harness.pass(151);
    let times = LeaseTimes {
        first_hidden_until: Some(harness.now + chrono::Duration::seconds(299)),
        lost: vec![first],
        ..LeaseTimes::default()
    };
    harness.answer(&EXTEND, Ok(times));
    harness.refresh();
    assert_eq!(held(&mut harness), (Vec::new(), 2, 0));
}

#[test]
fn dead_letter_whose_visibility_timeout_ended_unnoticed_is_not_held() {
    let mut harness = received(three_letters());
    harness.press('g');
    // Nothing was extended, as on a laptop that slept.
    harness.now += chrono::Duration::hours(1);
    harness.press('T');
    assert_eq!(held(&mut harness), (Vec::new(), 0, 0));
}

#[test]
fn dead_letter_that_was_redriven_meanwhile_is_not_held_at_the_next_question() {
    let letters = three_letters();
    let first = letters[0].message_id.clone();
    let mut harness = received(letters);
    harness.keys("gr");
    let (redrive, _) = harness.agree();
    harness.keys("1T");
    harness.keys("/ops/flights dep-0001");
    harness.code(KeyCode::Enter);
    let (request, to) = harness.take(&TIME_LINE);
    harness.reply(to, Ok(empty()));
    let leaving = std::collections::HashMap::from([(first.clone(), Leaving::Redriven)]);
    assert_eq!(request.holding.leaving, leaving);
    assert_eq!(request.held[0].message_id, first, "the conclusion needs it");
    harness.end_redrive(redrive, &[(&first, MessageOutcome::Moved, None)]);
    harness.refresh();
    assert_eq!(held(&mut harness), (Vec::new(), 0, 0));
}

#[test]
fn dead_letter_that_is_being_deleted_is_held_and_may_have_left_the_queue() {
    let letters = three_letters();
    let first = letters[0].message_id.clone();
    let mut harness = received(letters);
    harness.keys("gDevents-dead-letters");
    harness.code(KeyCode::Enter);
    assert_eq!(harness.count(&DELETE), 1);
    harness.press('T');
    let (request, _) = harness.take(&TIME_LINE);
    assert_eq!(request.held.len(), 1);
    assert_eq!(request.holding.hidden.len(), 2);
    assert_eq!(request.holding.leaving.get(&first), Some(&Leaving::Deleted));
}
