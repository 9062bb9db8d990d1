//! What is decided before a redrive begins: the plan, its dry run, its limits.

use event::Verdict;

use super::*;
use crate::tui::keymap::KeyContext;
use crate::tui::screen_id::ScreenId;

#[test]
fn only_ready_messages_are_sent_and_the_rest_needs_another_key() {
    let mut harness = console();
    harness.keys("ar");
    assert_eq!(harness.model.key_context(), KeyContext::Plan);
    let (_, draft) = harness.agree();
    assert_eq!((draft.messages.len(), draft.skipped.len()), (3, 34));
    let is_ready =
        |draft: &crate::tui::redrives::DraftMessage| draft.message.verdict == Verdict::Ready;
    assert!(draft.messages.iter().all(is_ready));

    let mut harness = console();
    harness.keys("arf");
    let (_, draft) = harness.agree();
    assert_eq!((draft.messages.len(), draft.skipped.len()), (37, 0));
}

#[test]
fn nothing_is_sent_when_the_plan_is_backed_out_of() {
    for key in [KeyCode::Esc, KeyCode::Char('n')] {
        let mut harness = console();
        harness.keys("ar");
        harness.answer_dry_run();
        harness.code(key);
        assert_eq!(harness.count(&REDRIVE), 0);
        assert_eq!(harness.model.screen, ScreenId::DeadLetters);
        assert_eq!(harness.notice(), "nothing was sent");
    }
}

#[test]
fn nothing_is_sent_before_its_dry_run_has_ended() {
    let mut harness = console();
    harness.keys("ary");
    assert_eq!(harness.count(&REDRIVE), 0);
    harness.answer_dry_run();
    // Another selection is another dry run; the answer to the first one does not count for it.
    harness.keys("fy");
    assert_eq!(harness.count(&REDRIVE), 0);
    harness.agree();
}

#[test]
fn failed_dry_run_is_shown_and_tried_again() {
    let mut harness = console();
    harness.keys("ar");
    let (_, to) = harness.take_last(&DRY_RUN);
    harness.reply(to, Err(fixtures::fault()));
    assert!(harness.text().contains("dry run failed"));
    harness.refresh();
    harness.agree();
}

#[test]
fn messages_that_come_while_the_plan_is_open_are_not_sent() {
    let mut harness = console();
    harness.refresh();
    harness.keys("arf");
    let body = fixtures::valid_body(99);
    harness.answer_messages(vec![fixtures::message(
        99,
        chrono::Duration::hours(1),
        &body,
    )]);
    let (_, draft) = harness.agree();
    assert_eq!(draft.messages.len(), 37);
}

#[test]
fn plan_without_a_ready_message_sends_nothing_until_all_are_meant() {
    let body = fixtures::body_without_time(1);
    let mut harness = received(vec![fixtures::message(
        1,
        chrono::Duration::hours(1),
        &body,
    )]);
    harness.press('r');
    harness.answer_dry_run();
    harness.press('y');
    assert_eq!(harness.count(&REDRIVE), 0);
    assert!(harness.notice().contains("none of them is ready"));
    harness.press('f');
    assert_eq!(harness.agree().1.messages.len(), 1);
}

#[test]
fn message_whose_event_would_be_lost_stays_also_where_all_are_meant() {
    for (keys, sent) in [("ar", 2), ("arf", 36)] {
        let mut harness = console();
        harness.keys(keys);
        let lost = answer_kept_back(&mut harness);
        let text = harness.text();
        for expected in ["1 would be lost", "message 0001-aaaa, crew-app / x1"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        harness.press('y');
        let (draft, _) = harness.take_last(&REDRIVE);
        assert_eq!(draft.messages.len(), sent);
        assert!(draft.message_ids().all(|id| id != lost));
        let skipped = draft
            .skipped
            .iter()
            .find(|skipped| skipped.message_id == lost);
        let reason = &skipped.unwrap().reason;
        assert!(reason.contains("crew-app / x1"), "{reason}");
    }
}

/// A dry run answers that the first message is stored by now.
fn answer_stored_since(harness: &mut Harness) -> usize {
    let (draft, to) = harness.take_last(&DRY_RUN);
    let mut judged: Vec<_> = draft.received().cloned().collect();
    judged[0].verdict = Verdict::AlreadyStored;
    judged[0].stored_as = Some(event::RecordId(21_933));
    let left = draft.judged(judged.clone());
    let sent = left.messages.len();
    let dry = crate::tui::redrives::DryRun {
        sent,
        ready: sent,
        bytes: sent * 400,
        judged,
        is_ledger_checked: Some(true),
        ..crate::tui::redrives::DryRun::default()
    };
    harness.reply(to, Ok(dry));
    sent
}

#[test]
fn message_whose_event_was_stored_since_the_receive_stays_by_the_dry_run() {
    let mut harness = console();
    harness.keys("ar");
    assert_eq!(answer_stored_since(&mut harness), 2);
    let text = harness.text();
    for expected in ["2 of 37 messages will be sent", "4 already-stored"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    harness.press('y');
    let (draft, _) = harness.take_last(&REDRIVE);
    assert_eq!((draft.messages.len(), draft.skipped.len()), (2, 35));

    let mut harness = console();
    harness.keys("arf");
    assert_eq!(answer_stored_since(&mut harness), 37, "all are meant");
}

#[test]
fn dry_run_without_an_answer_of_the_ledger_says_so() {
    let mut harness = console();
    harness.keys("ar");
    let text = "the ledger did not answer when these were judged";
    assert!(!harness.text().contains(text));
    let (draft, to) = harness.take_last(&DRY_RUN);
    let dry = crate::tui::redrives::DryRun {
        sent: draft.messages.len(),
        judged: draft.received().cloned().collect(),
        is_ledger_checked: Some(false),
        ..crate::tui::redrives::DryRun::default()
    };
    harness.reply(to, Ok(dry));
    assert!(harness.text().contains(text), "{}", harness.text());
}

#[test]
fn list_shows_what_a_dry_run_found() {
    let mut harness = console();
    harness.keys("ar");
    assert_eq!(harness.ready_listed(), 3);
    answer_stored_since(&mut harness);
    assert_eq!(harness.ready_listed(), 2);
}

/// The ledger would drop it as a duplicate of another event.
#[test]
fn edit_with_an_identity_that_is_stored_is_never_sent() {
    use crate::tui::redrives::{Chosen, DraftMessage, Selection};
    let review = |new_body: Option<&str>| {
        let mut message = fixtures::messages().remove(0);
        message.verdict = Verdict::AlreadyStored;
        let mut review = crate::tui::screens::redrives::review::Review::new(Selection {
            scope: String::new(),
            messages: vec![Chosen {
                draft: DraftMessage {
                    message,
                    new_body: new_body.map(Into::into),
                },
                verdict: Verdict::AlreadyStored,
            }],
            has_ledger: true,
        });
        review.includes_all = true;
        (review.sent(), review.lost(), review.draft().messages.len())
    };
    assert_eq!(review(Some("{}")), (0, 1, 0));
    assert_eq!(review(None), (1, 0, 1));
}

#[test]
fn rate_canary_and_reason_go_into_the_plan() {
    let mut harness = console();
    harness.keys("arf");
    harness.keys("--+tw");
    assert_eq!(harness.model.key_context(), KeyContext::Input);
    harness.keys("crew-app 2.3 forgets time");
    harness.code(KeyCode::Enter);
    let (_, draft) = harness.agree();
    assert_eq!(draft.rate_per_sec, Some(500.0));
    assert_eq!(draft.canary_steps, [1, 5, 20]);
    assert_eq!(draft.reason.as_deref(), Some("crew-app 2.3 forgets time"));
}

#[test]
fn production_takes_no_redrive_without_a_reason() {
    let mut harness = open(80, 24, fixtures::production());
    harness.answer_messages(fixtures::messages());
    harness.keys("ar");
    harness.answer_dry_run();
    harness.press('y');
    assert_eq!(harness.count(&REDRIVE), 0);
    assert_eq!(harness.model.key_context(), KeyContext::Input);
    harness.keys("reason");
    harness.code(KeyCode::Enter);
    let (_, draft) = harness.agree();
    assert_eq!(draft.reason.as_deref(), Some("reason"));
}

#[test]
fn what_the_environment_forbids_is_shown_before_it_is_tried() {
    let mut harness = console();
    harness.keys("ar");
    let (_, to) = harness.take_last(&DRY_RUN);
    let dry = crate::tui::redrives::DryRun {
        refusal: Some(fixtures::fault()),
        ..crate::tui::redrives::DryRun::default()
    };
    harness.reply(to, Ok(dry));
    harness.press('y');
    assert_eq!(harness.count(&REDRIVE), 0);
    assert!(harness.notice().contains("refused"), "{}", harness.notice());
}
