//! A console that nobody uses hides no messages.

use crossterm::event::MouseEventKind;

use super::fixtures::*;
use super::*;
use crate::tui::keymap::KeyContext;
use crate::tui::message::Msg;
use crate::tui::screen_id::ScreenId;

/// Lets time pass as an untouched console does: ticks, and extensions that succeed.
fn wait(harness: &mut Harness, secs: i64) {
    for _ in 0..secs / 10 {
        harness.pass(10);
        while harness.count(&EXTEND) > 0 {
            let times = LeaseTimes {
                first_hidden_until: Some(harness.now + Duration::seconds(300)),
                ..LeaseTimes::default()
            };
            harness.answer(&EXTEND, Ok(times));
        }
    }
}

#[test]
fn untouched_console_counts_down_and_releases_everything() {
    let mut harness = open(160, 45, environment());
    harness.answer_messages(messages());
    for left in (1..=10).rev() {
        let text = format!("{left} min left; each key starts them again");
        assert!(harness.screen_text().contains(&text), "{text}");
        assert_eq!(harness.count(&RELEASE), 0);
        wait(&mut harness, 60);
    }
    assert_eq!(harness.count(&RELEASE), 1);
    assert_eq!(harness.ids(), Vec::<String>::new());
    harness.answer(&RELEASE, Ok(Hidden::default()));
    let text = harness.screen_text();
    let why = "37 messages released at 12:13:07 UTC: no key was pressed for 10 min";
    assert!(text.contains(why), "{text}");
    wait(&mut harness, 3_000);
    assert_eq!(harness.count(&RELEASE), 0);
    assert_eq!(harness.count(&RECEIVE), 0);
}

#[test]
fn key_or_mouse_starts_the_time_again() {
    let mut harness = received(messages());
    for _ in 0..5 {
        wait(&mut harness, 400);
        harness.press('j');
        wait(&mut harness, 400);
        harness.mouse(MouseEventKind::ScrollDown, 3, 10);
    }
    harness.resize(160, 45);
    assert_eq!(harness.count(&RELEASE), 0);
    assert!(harness.screen_text().contains("10 min left"));
}

#[test]
fn next_key_receives_again_and_shows_why() {
    let mut harness = received(messages());
    wait(&mut harness, 600);
    harness.press('j');
    assert_eq!(harness.count(&RECEIVE), 1);
    assert!(
        harness.notice().contains("no key was pressed for 10 min"),
        "{}",
        harness.notice()
    );
    let mut again = messages();
    for message in &mut again {
        message.hidden_until += Duration::seconds(600);
    }
    harness.answer_messages(again);
    assert_eq!(harness.ids().len(), 37);
    let text = harness.screen_text();
    assert!(text.contains("10 min left"), "{text}");
}

#[test]
fn receive_that_is_under_way_ends_too() {
    let mut harness = open(80, 24, environment());
    wait(&mut harness, 600);
    assert_eq!(harness.count(&RELEASE), 1);
    harness.answer_messages(messages());
    assert_eq!(harness.ids(), Vec::<String>::new());
}

#[test]
fn open_editor_keeps_its_text_and_not_the_messages() {
    let mut harness = received(vec![message(1, Duration::hours(1), &body_without_time(1))]);
    harness.keys("ex");
    wait(&mut harness, 600);
    assert_eq!(harness.count(&RELEASE), 1);
    assert_eq!(harness.model.key_context(), KeyContext::Editor);
    harness.press('y');
    assert_eq!(harness.count(&RECEIVE), 1);
    assert!(
        harness.screen_text().contains("xy{"),
        "{}",
        harness.screen_text()
    );
}

#[test]
fn other_programs_editor_does_not_keep_the_messages_either() {
    let messages = vec![message(1, Duration::hours(1), &body_without_time(1))];
    let mut harness = received(messages.clone());
    harness.press('E');
    wait(&mut harness, 600);
    assert_eq!(harness.count(&RELEASE), 1);
    harness.send(Msg::EditorEnded(Ok(valid_body(1))));
    assert_eq!(harness.count(&RECEIVE), 1);
    let ((message, _), to) = harness.take_last(&JUDGE);
    let patched = crate::tui::patch::Patched {
        edited: vec![edited(&message, &valid_body(1))],
        ..Default::default()
    };
    harness.reply(to, Ok(patched));
    harness.answer_messages(messages);
    assert_eq!(harness.screen().edited(), 1, "the edit is kept");
}

#[test]
fn review_of_released_messages_is_dropped() {
    for typed in ["ar", "arwbecause"] {
        let mut harness = received(messages());
        harness.keys(typed);
        wait(&mut harness, 600);
        assert_eq!(harness.count(&RELEASE), 1);
        let context = KeyContext::Screen(ScreenId::DeadLetters);
        assert_eq!(harness.model.key_context(), context, "{typed}");
        assert_eq!(harness.model.screen, ScreenId::DeadLetters);
        harness.press('y');
        assert_eq!(harness.count(&REDRIVE), 0);
        assert_eq!(harness.count(&RECEIVE), 1);
    }
}

#[test]
fn deletion_that_waits_for_its_confirmation_is_dropped() {
    let mut harness = received(messages());
    harness.keys("aDevents-dead-letter");
    wait(&mut harness, 600);
    harness.press('s');
    harness.code(KeyCode::Enter);
    assert_eq!(harness.count(&crate::tui::testing::DELETE), 0);
}

#[test]
fn redrive_keeps_its_messages_on_an_untouched_console() {
    let mut harness = received(messages());
    harness.keys("ar");
    let (to, draft) = harness.agree();
    harness.press('2');
    harness.answer_messages(Vec::new());
    assert_eq!(harness.count(&RELEASE), 1);
    wait(&mut harness, 1_200);
    assert_eq!(harness.ids().len(), draft.messages.len());
    let ids: Vec<_> = draft.message_ids().collect();
    harness.end_redrive(to, &[(ids[0], MessageOutcome::NotSent, Some("cancelled"))]);
    wait(&mut harness, 10);
    assert_eq!(
        harness.ids(),
        Vec::<String>::new(),
        "released once it has ended"
    );
}
