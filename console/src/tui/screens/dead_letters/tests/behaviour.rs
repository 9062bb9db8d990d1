//! What the screen does with keys, answers and time.

use std::collections::HashSet;

use crossterm::event::KeyCode;
use event::Verdict;

use super::fixtures::*;
use super::*;
use crate::tui::keymap::Context;
use crate::tui::message::Tone;
use crate::world::observed::{RedriveOutcome, RedriveReport};

fn handles(letters: &[DeadLetter]) -> HashSet<String> {
    letters
        .iter()
        .map(|letter| letter.receipt_handle.clone())
        .collect()
}

fn notice(desk: &Desk) -> &str {
    desk.model.notice.as_ref().map_or("", |notice| &notice.text)
}

fn redriven(letters: &[DeadLetter]) -> Vec<String> {
    letters
        .iter()
        .map(|letter| letter.message_id.clone())
        .collect()
}

/// Confirms the question and gives the letters that were sent.
fn confirm(desk: &mut Desk) -> ((RequestId, Request), Vec<DeadLetter>) {
    desk.key('y');
    let question = desk.take(is_redrive);
    let Request::Redrive(letters) = question.1.clone() else {
        panic!("not a redrive")
    };
    (question, letters)
}

#[test]
fn entering_holds_and_leaving_releases_everything() {
    let mut desk = Desk::holding(letters());
    assert_eq!(desk.model.held_handles().len(), 37);
    desk.key('1');
    assert_eq!(
        desk.released().into_iter().collect::<HashSet<_>>(),
        handles(&letters())
    );
    assert_eq!(desk.model.held_handles(), Vec::<String>::new());
}

#[test]
fn answer_that_comes_after_leaving_is_released() {
    let mut desk = Desk::open(80, 24, environment());
    desk.key('1');
    desk.answer_letters(letters());
    assert_eq!(desk.released().len(), 37);
    assert_eq!(desk.model.held_handles(), Vec::<String>::new());
}

#[test]
fn answer_to_an_older_question_is_released_and_the_newer_one_counts() {
    let mut desk = Desk::open(80, 24, environment());
    let first = desk.take(is_hold);
    desk.keys("12");
    desk.answer_letters(letters().split_off(30));
    let held = HeldLetters {
        letters: letters(),
        ledger_error: None,
        is_truncated: false,
    };
    desk.reply(&first, Ok(Answer::Letters(held)));
    // The seven that are held by the newer answer stay.
    assert_eq!(desk.released().len(), 30);
    assert_eq!(desk.model.held_handles().len(), 7);
}

#[test]
fn looking_again_merges_by_message_id_and_the_newest_handle_wins() {
    let mut desk = Desk::holding(letters());
    desk.keys("jj ");
    let selected = desk.screen().selected.clone();
    let mut again = letters().split_off(20);
    for letter in &mut again {
        letter.receipt_handle.push_str("-new");
    }
    again.push(letter(99, Duration::hours(400), &body_without_time(99)));
    desk.refresh();
    desk.answer_letters(again);
    let held = desk.model.held_handles();
    assert_eq!(held.len(), 38);
    assert_eq!(
        held.iter()
            .filter(|handle| handle.ends_with("-new"))
            .count(),
        17
    );
    assert_eq!(desk.screen().marks.len(), 1);
    // The new letter is the oldest of all; the selection stays on its letter.
    assert_eq!(desk.screen().selected, selected);
    assert_eq!(desk.screen().letter_list.selected, 4);
}

#[test]
fn letters_whose_hold_ended_belong_to_somebody_else() {
    let mut desk = Desk::holding(letters());
    desk.now += Duration::seconds(301);
    desk.refresh();
    let mut again = letters().split_off(35);
    for letter in &mut again {
        letter.held_until = desk.now + Duration::seconds(300);
    }
    desk.answer_letters(again);
    assert_eq!(desk.model.held_handles().len(), 2);
}

#[test]
fn refreshing_twice_asks_once() {
    let mut desk = Desk::open(80, 24, environment());
    desk.refresh();
    desk.refresh();
    assert_eq!(desk.count(is_hold), 1);
}

#[test]
fn hold_is_extended_when_less_than_half_is_left() {
    let mut desk = Desk::holding(letters());
    desk.pass(149);
    assert_eq!(desk.count(is_extend), 0);
    desk.pass(2);
    desk.pass(1);
    assert_eq!(desk.count(is_extend), 1);
    let asked_at = desk.now - Duration::seconds(1);
    let question = desk.take(is_extend);
    assert_eq!(question.1, Request::ExtendHold(desk.model.held_handles()));
    desk.reply(&question, Ok(Answer::Count(37)));
    assert_eq!(
        desk.screen().held_until,
        Some(asked_at + Duration::seconds(300))
    );
    desk.pass(60);
    assert_eq!(desk.count(is_extend), 0);
}

#[test]
fn failed_extension_is_said_and_tried_again() {
    let mut desk = Desk::holding(letters());
    desk.pass(151);
    let question = desk.take(is_extend);
    desk.reply(&question, Err(fault()));
    desk.pass(5);
    assert_eq!(desk.count(is_extend), 0);
    assert!(desk.text().contains("hold could not be extended"));
    desk.pass(5);
    let question = desk.take(is_extend);
    desk.reply(&question, Ok(Answer::Count(34)));
    assert!(desk.text().contains("3 letters no longer held"));
}

#[test]
fn extension_that_reaches_no_letter_is_no_extension() {
    let mut desk = Desk::holding(letters());
    desk.pass(400);
    let question = desk.take(is_extend);
    desk.reply(&question, Ok(Answer::Count(0)));
    let text = desk.text();
    assert!(text.contains("the hold has ended"), "{text}");
    assert!(text.contains("37 letters no longer held"), "{text}");
    desk.pass(1);
    assert_eq!(desk.count(is_extend), 0);
}

#[test]
fn letters_judged_without_the_ledger_keep_the_warning() {
    let mut desk = Desk::open(160, 45, environment());
    let error = Some("connection refused".to_owned());
    desk.answer_held(HeldLetters {
        letters: letters(),
        ledger_error: error,
        is_truncated: false,
    });
    desk.refresh();
    desk.answer_letters(vec![letter(99, Duration::hours(1), &valid_body(99))]);
    assert!(desk.text().contains("ledger not reachable"));
    desk.key('u');
    desk.refresh();
    desk.answer_letters(letters());
    assert!(!desk.text().contains("ledger not reachable"));
}

#[test]
fn no_more_letters_are_taken_than_may_be_held() {
    let many = (0..crate::tui::sources::LETTERS_HELD_MAX)
        .map(|n| letter(n, Duration::hours(1), "{}"))
        .collect();
    let mut desk = Desk::holding(many);
    desk.refresh();
    assert_eq!(desk.count(is_hold), 0);
    assert!(notice(&desk).contains("2,000 letters held"));
}

#[test]
fn nothing_is_extended_for_a_screen_that_is_not_shown() {
    let mut desk = Desk::holding(letters());
    desk.key('1');
    desk.pass(200);
    assert_eq!(desk.count(is_extend), 0);
}

#[test]
fn release_gives_back_and_stays_and_enter_holds_again() {
    let mut desk = Desk::holding(letters());
    desk.key('u');
    assert_eq!(desk.released().len(), 37);
    assert!(desk.text().contains("37 letters released"));
    desk.key('1');
    assert_eq!(desk.released().len(), 37);
    desk.key('2');
    assert_eq!(desk.count(is_hold), 1);
    desk.answer_letters(letters());
    desk.key('u');
    desk.code(KeyCode::Enter);
    assert_eq!(desk.count(is_hold), 1);
}

#[test]
fn failed_release_is_said_even_on_another_screen() {
    let mut desk = Desk::holding(letters());
    desk.key('1');
    let question = desk.take(|request| matches!(request, Request::ReleaseLetters(_)));
    desk.reply(&question, Err(fault()));
    assert!(notice(&desk).contains("not released"), "{}", notice(&desk));
}

#[test]
fn group_filters_the_letters_and_escape_lists_all() {
    let mut desk = Desk::holding(letters());
    desk.code(KeyCode::Tab);
    desk.key('j');
    assert_eq!(desk.screen().listed.len(), 25);
    desk.keys("jj");
    assert_eq!(desk.screen().listed.len(), 4);
    assert!(
        desk.text()
            .contains("refused-by-database /data/passengers/*/name")
    );
    desk.code(KeyCode::Esc);
    assert_eq!(desk.screen().listed.len(), 37);
}

#[test]
fn only_ready_letters_are_sent_and_the_rest_needs_another_key() {
    let mut desk = Desk::holding(letters());
    desk.keys("ar");
    assert_eq!(desk.model.context(), Context::ConfirmRedrive);
    let (_, sent) = confirm(&mut desk);
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|letter| letter.verdict == Verdict::Ready));

    let mut desk = Desk::holding(letters());
    desk.keys("arf");
    assert_eq!(confirm(&mut desk).1.len(), 37);
}

#[test]
fn nothing_is_sent_when_the_question_is_backed_out_of() {
    for key in [KeyCode::Esc, KeyCode::Char('n')] {
        let mut desk = Desk::holding(letters());
        desk.keys("ar");
        desk.code(key);
        desk.key('y');
        assert_eq!(desk.count(is_redrive), 0);
        assert_eq!(
            desk.model.context(),
            Context::Screen(crate::tui::screens::ScreenId::DeadLetters)
        );
    }
}

#[test]
fn letters_that_come_while_the_question_is_open_are_not_sent() {
    let mut desk = Desk::holding(letters());
    desk.refresh();
    desk.keys("arf");
    desk.answer_letters(vec![letter(99, Duration::hours(1), &valid_body(99))]);
    let (_, sent) = confirm(&mut desk);
    assert_eq!(desk.model.held_handles().len(), 38);
    assert_eq!(
        redriven(&sent).into_iter().collect::<HashSet<_>>(),
        redriven(&letters()).into_iter().collect()
    );
}

#[test]
fn question_without_a_ready_letter_sends_nothing_until_all_are_meant() {
    let mut desk = Desk::holding(vec![letter(1, Duration::hours(1), &body_without_time(1))]);
    desk.keys("ry");
    assert_eq!(desk.count(is_redrive), 0);
    assert!(notice(&desk).contains("none of them is ready"));
    desk.key('f');
    assert_eq!(confirm(&mut desk).1.len(), 1);
}

#[test]
fn second_redrive_cannot_start_while_one_runs() {
    let mut desk = Desk::holding(letters());
    desk.keys("aryr");
    assert_eq!(desk.count(is_redrive), 1);
    assert_ne!(desk.model.context(), Context::ConfirmRedrive);
    assert!(notice(&desk).contains("a redrive runs"));
}

#[test]
fn moved_letters_leave_and_the_others_stay_with_their_note() {
    let mut desk = Desk::holding(letters());
    desk.keys("ar");
    let (question, sent) = confirm(&mut desk);
    let ids = redriven(&sent);
    let outcomes = vec![
        (ids[0].clone(), RedriveOutcome::Moved),
        (
            ids[1].clone(),
            RedriveOutcome::SentNotDeleted("receipt expired".to_owned()),
        ),
        (
            ids[2].clone(),
            RedriveOutcome::NotSent("throttled".to_owned()),
        ),
    ];
    desk.reply(&question, Ok(Answer::Redriven(RedriveReport { outcomes })));
    let text = notice(&desk).to_owned();
    assert_eq!(
        text,
        "redriven: 1 of 3 moved · 1 in both queues · 1 not sent"
    );
    assert_eq!(desk.screen().letters.len(), 36);
    assert_eq!(desk.screen().notes.len(), 2);
    // The skipped ones stay marked, those that were sent do not.
    assert_eq!(desk.screen().marks.len(), 34);
    assert!(
        !desk
            .screen()
            .letters
            .iter()
            .any(|letter| letter.message_id == ids[0])
    );
}

#[test]
fn group_that_is_gone_does_not_turn_into_all_letters() {
    let mut desk = Desk::holding(letters());
    desk.code(KeyCode::Tab);
    desk.keys("jrf");
    let (question, sent) = confirm(&mut desk);
    assert_eq!(sent.len(), 25);
    let outcomes = redriven(&sent)
        .into_iter()
        .map(|id| (id, RedriveOutcome::Moved))
        .collect();
    desk.reply(&question, Ok(Answer::Redriven(RedriveReport { outcomes })));
    desk.key('r');
    assert_eq!(desk.screen().plan.as_ref().unwrap().letters.len(), 1);
}

#[test]
fn failed_redrive_keeps_its_letters_and_says_that_their_fate_is_unknown() {
    let mut desk = Desk::holding(letters());
    desk.keys("ar");
    let (question, _) = confirm(&mut desk);
    desk.reply(&question, Err(fault()));
    assert_eq!(desk.screen().letters.len(), 37);
    assert_eq!(desk.screen().notes.len(), 3);
    assert_eq!(desk.model.notice.as_ref().unwrap().tone, Tone::Bad);
    assert!(desk.screen().run.is_none());
}

#[test]
fn leaving_while_a_redrive_runs_keeps_its_letters_until_it_ends() {
    let mut desk = Desk::holding(letters());
    desk.keys("ar");
    let (question, sent) = confirm(&mut desk);
    desk.key('1');
    assert_eq!(desk.released().len(), 34);
    assert_eq!(desk.model.held_handles().len(), 3);
    // They are extended although the screen is not shown.
    desk.pass(151);
    assert_eq!(desk.count(is_extend), 1);
    let mut ids = redriven(&sent);
    let stays = ids.pop().unwrap();
    let mut outcomes: Vec<_> = ids
        .into_iter()
        .map(|id| (id, RedriveOutcome::Moved))
        .collect();
    outcomes.push((stays, RedriveOutcome::NotSent("throttled".to_owned())));
    desk.reply(&question, Ok(Answer::Redriven(RedriveReport { outcomes })));
    assert_eq!(desk.released().len(), 35);
    assert_eq!(desk.model.held_handles(), Vec::<String>::new());
}

#[test]
fn progress_of_another_request_is_ignored() {
    let mut desk = Desk::holding(letters());
    desk.keys("arf");
    let (question, _) = confirm(&mut desk);
    desk.send(Msg::Progress {
        id: RequestId(9_999),
        done: 30,
    });
    assert!(desk.text().contains("sent 0 of 37"));
    desk.send(Msg::Progress {
        id: question.0,
        done: 21,
    });
    assert!(desk.text().contains("sent 21 of 37"));
}

#[test]
fn read_only_environment_says_so_and_asks_nothing() {
    let mut desk = Desk::open(80, 24, read_only());
    desk.answer_letters(letters());
    desk.keys("ar");
    assert!(notice(&desk).contains("read-only"));
    desk.key('y');
    assert_eq!(desk.count(is_redrive), 0);
}

#[test]
fn redrive_means_the_marked_then_the_group_then_the_selected_letter() {
    let scope = |keys: &str, tab: bool| {
        let mut desk = Desk::holding(letters());
        if tab {
            desk.code(KeyCode::Tab);
        }
        desk.keys(keys);
        let plan = desk.screen().plan.as_ref().unwrap();
        (plan.scope.clone(), plan.letters.len())
    };
    assert_eq!(scope("  r", false), ("the marked letters".to_owned(), 2));
    assert_eq!(
        scope("jr", true),
        ("the group missing-attribute /time".to_owned(), 25)
    );
    assert_eq!(
        scope("r", true),
        ("all letters that are held".to_owned(), 37)
    );
    assert_eq!(scope("r", false), ("the selected letter".to_owned(), 1));
}

#[test]
fn copy_gives_the_body_unchanged() {
    let body = "MQTT\u{0}\u{1b}[2J";
    let mut desk = Desk::holding(vec![letter(1, Duration::hours(1), body)]);
    desk.key('y');
    assert_eq!(desk.copied, [body]);
}

#[test]
fn clicks_select_and_a_second_click_opens() {
    let mut desk = Desk::holding(letters());
    let places = desk.screen().places(frame(desk.model.area).body);
    desk.click(3, places.letters.y + 2);
    assert_eq!(desk.screen().letter_list.selected, 2);
    assert!(!desk.screen().is_detail_open);
    desk.click(3, places.letters.y + 2);
    assert!(desk.screen().is_detail_open);
    desk.code(KeyCode::Esc);
    desk.click(3, places.groups.y + 1);
    assert_eq!(desk.screen().listed.len(), 25);
}

#[test]
fn every_size_is_drawn_and_survives_keys() {
    let mut desk = Desk::holding(letters());
    let sizes = (0..60).flat_map(|width| (0..30).map(move |height| (width, height)));
    let flat = (1..=12).flat_map(|height| [(80, height), (200, height)]);
    let others = [(300, 100), (120, 4), (119, 60), (2, 40)];
    for (width, height) in sizes.chain(flat).chain(others) {
        desk.send(Msg::Resize { width, height });
        desk.draw();
        desk.code(KeyCode::Tab);
        desk.code(KeyCode::PageDown);
        desk.draw();
        desk.code(KeyCode::Tab);
        desk.code(KeyCode::Enter);
        desk.keys("JJJ");
        desk.draw();
        desk.code(KeyCode::Esc);
        desk.key('r');
        desk.draw();
        desk.code(KeyCode::Esc);
    }
}

#[test]
fn selection_stays_visible_on_a_very_small_terminal() {
    let mut desk = Desk::holding(letters());
    desk.send(Msg::Resize {
        width: 40,
        height: 10,
    });
    for _ in 0..37 {
        assert!(desk.text().contains("▸ "), "{}", desk.text());
        desk.key('j');
    }
}

#[test]
fn two_thousand_letters_scroll_to_the_last() {
    let many = (0..2_000)
        .map(|n| letter(n, Duration::hours(1), &body_without_time(n)))
        .collect();
    let mut desk = Desk::holding(many);
    for _ in 0..200 {
        desk.code(KeyCode::PageDown);
        desk.draw();
    }
    assert_eq!(desk.screen().letter_list.selected, 1_999);
    assert!(desk.text().contains("2,000 / 2,000"), "{}", desk.text());
}

/// What the bottom line offers.
fn hints(desk: &Desk) -> Vec<&'static str> {
    crate::tui::keymap::hints(desk.model.context())
        .into_iter()
        .filter_map(|hint| desk.model.hint_label(hint))
        .collect()
}

#[test]
fn question_offers_only_keys_that_do_something_and_says_what() {
    let mut desk = Desk::holding(letters());
    desk.keys("ar");
    assert_eq!(hints(&desk), ["send", "also the skipped", "no"]);
    desk.key('f');
    assert_eq!(hints(&desk), ["send", "only the ready", "no"]);

    let mut desk = Desk::holding(vec![letter(1, Duration::hours(1), &body_without_time(1))]);
    desk.key('r');
    assert_eq!(hints(&desk), ["also the skipped", "no"]);
    desk.key('f');
    assert_eq!(hints(&desk), ["send", "only the ready", "no"]);

    let mut desk = Desk::holding(vec![letter(1, Duration::hours(1), &valid_body(1))]);
    desk.key('r');
    assert_eq!(hints(&desk), ["send", "no"]);
}

#[test]
fn key_that_answers_no_question_tells_which_do() {
    let mut desk = Desk::holding(letters());
    desk.keys("arx");
    assert_eq!(
        notice(&desk),
        "a question is open: y send · f also the skipped · esc or n no"
    );
    assert_eq!(desk.model.context(), Context::ConfirmRedrive);
}

/// Redrives everything that is held and says that each letter had this outcome.
fn redrive_all(desk: &mut Desk, keys: &str, outcome: &RedriveOutcome) {
    desk.keys(keys);
    let (question, sent) = confirm(desk);
    let outcomes = redriven(&sent)
        .into_iter()
        .map(|id| (id, outcome.clone()))
        .collect();
    desk.reply(&question, Ok(Answer::Redriven(RedriveReport { outcomes })));
}

#[test]
fn redrive_of_letters_that_will_be_refused_again_is_no_good_news() {
    let mut desk = Desk::holding(letters());
    redrive_all(&mut desk, "arf", &RedriveOutcome::Moved);
    assert_eq!(
        notice(&desk),
        "redriven: 37 of 37 moved · 31 will be refused again"
    );
    assert_eq!(desk.model.notice.as_ref().unwrap().tone, Tone::Warning);
    let mut desk = Desk::holding(letters());
    redrive_all(&mut desk, "ar", &RedriveOutcome::Moved);
    assert_eq!(desk.model.notice.as_ref().unwrap().tone, Tone::Good);
}

#[test]
fn letter_without_an_answer_is_told_once_and_counted() {
    let mut desk = Desk::holding(vec![letter(1, Duration::hours(1), &valid_body(1))]);
    let outcome = RedriveOutcome::Unknown("no answer within 10 s".to_owned());
    redrive_all(&mut desk, "r", &outcome);
    assert_eq!(notice(&desk), "redriven: 0 of 1 moved · 1 unknown");
    desk.code(KeyCode::Enter);
    let words = desk.text().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("▲ may have been sent, no answer came; it stays here too"),
        "{words}"
    );
    assert!(!words.contains("nobody knows"), "{words}");
}

#[test]
fn running_redrive_is_told_on_leaving_and_its_end_elsewhere() {
    let mut desk = Desk::holding(letters());
    desk.keys("ar");
    let (question, _) = confirm(&mut desk);
    desk.key('1');
    assert!(
        notice(&desk).contains("the redrive goes on: 0 of 3"),
        "{}",
        notice(&desk)
    );
    let outcomes = Vec::new();
    desk.reply(&question, Ok(Answer::Redriven(RedriveReport { outcomes })));
    assert!(notice(&desk).contains("redriven"), "{}", notice(&desk));
}
