//! What the screen does with keys, answers and time.

use std::collections::HashSet;

use super::fixtures::*;
use super::*;
use crate::redrive::{Counts, LetterOutcome};
use crate::tui::message::Tone;
use crossterm::event::KeyCode;

fn handles(letters: &[DeadLetter]) -> HashSet<String> {
    letters
        .iter()
        .map(|letter| letter.receipt_handle.clone())
        .collect()
}

fn notice(desk: &Desk) -> &str {
    desk.model.notice.as_ref().map_or("", |notice| &notice.text)
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
    desk.reply(&question, Ok(Answer::Extended(vec![Some(true); 37])));
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
    // SQS refuses three; of two there is no word, and they are asked for again.
    let mut extended = vec![Some(true); 32];
    extended.extend([Some(false); 3]);
    extended.extend([None; 2]);
    desk.reply(&question, Ok(Answer::Extended(extended)));
    assert!(desk.text().contains("3 letters no longer held"));
    let handles = |letters: &[DeadLetter]| {
        let handle = |letter: &DeadLetter| letter.receipt_handle.clone();
        letters.iter().map(handle).collect::<Vec<_>>()
    };
    desk.pass(10);
    let question = desk.take(is_extend);
    let last = handles(&desk.screen().letters)[35..].to_vec();
    assert_eq!(question.1, Request::ExtendHold(last));
    desk.reply(&question, Ok(Answer::Extended(vec![Some(true); 2])));
    assert!(desk.text().contains("3 letters no longer held"));
}

#[test]
fn extension_that_reaches_no_letter_is_no_extension() {
    let mut desk = Desk::holding(letters());
    desk.pass(151);
    let question = desk.take(is_extend);
    desk.reply(&question, Ok(Answer::Extended(vec![Some(false); 37])));
    let text = desk.text();
    assert!(text.contains("the hold has ended"), "{text}");
    assert!(text.contains("37 letters no longer held"), "{text}");
    desk.pass(1);
    assert_eq!(desk.count(is_extend), 0);
}

#[test]
fn holds_are_extended_a_part_at_a_time_and_one_part_does_not_keep_up_the_others() {
    let many: Vec<_> = (0..2_500)
        .map(|n| letter(n, Duration::hours(1), "{}"))
        .collect();
    let mut desk = Desk::holding(many);
    desk.pass(151);
    for (part, is_extended) in [(1_000, false), (1_000, true), (500, true)] {
        let question = desk.take(is_extend);
        let Request::ExtendHold(handles) = &question.1 else {
            panic!("not an extension")
        };
        assert_eq!(handles.len(), part);
        desk.reply(
            &question,
            Ok(Answer::Extended(vec![Some(is_extended); part])),
        );
    }
    assert_eq!(desk.count(is_extend), 0);
    assert_eq!(desk.screen().lost_holds, 1_000);
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
    desk.key('R');
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
    assert!(notice(&desk).contains("100,000 letters held"));
}

#[test]
fn the_rest_is_taken_page_by_page_while_somebody_looks() {
    let page = |letters: Vec<DeadLetter>, is_truncated| HeldLetters {
        letters,
        ledger_error: None,
        is_truncated,
    };
    let mut desk = Desk::open(160, 45, environment());
    desk.answer_held(page(letters(), true));
    assert_eq!(desk.count(is_hold), 1);
    // A letter that comes again is listed once.
    let again = vec![
        letter(3, Duration::hours(1), "{}"),
        letter(900, Duration::hours(1), "{}"),
    ];
    desk.answer_held(page(again, true));
    assert_eq!(desk.screen().letters.len(), 38);
    assert_eq!(desk.count(is_hold), 1);
    desk.key('1');
    desk.answer_held(page(vec![letter(901, Duration::hours(1), "{}")], true));
    assert_eq!(desk.count(is_hold), 0);
    assert_eq!(desk.released().len(), 39);
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
    desk.key('R');
    assert_eq!(desk.released().len(), 37);
    assert!(desk.text().contains("37 letters released"));
    desk.key('1');
    assert_eq!(desk.released().len(), 37);
    desk.key('2');
    assert_eq!(desk.count(is_hold), 1);
    desk.answer_letters(letters());
    desk.key('R');
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

fn ids(draft: &Draft) -> Vec<String> {
    let letters = draft.letters.iter();
    letters
        .map(|draft| draft.letter.message_id.clone())
        .collect()
}

#[test]
fn moved_letters_leave_and_the_others_stay_with_their_note() {
    let mut desk = Desk::holding(letters());
    desk.keys("ar");
    let (question, draft) = desk.agree();
    desk.key('2');
    desk.answer_letters(letters());
    let ids = ids(&draft);
    desk.end_redrive(
        &question,
        &[
            (&ids[0], LetterOutcome::Moved, None),
            (
                &ids[1],
                LetterOutcome::SentNotDeleted,
                Some("receipt expired"),
            ),
            (&ids[2], LetterOutcome::NotSent, Some("throttled")),
        ],
    );
    assert_eq!(
        notice(&desk),
        "redriven: 1 of 3 moved · 1 stored · 1 not proved yet · 1 in both queues · 1 not sent"
    );
    assert_eq!(desk.screen().letters.len(), 36);
    assert_eq!(desk.screen().notes.len(), 2);
    let is_there = |letter: &DeadLetter| letter.message_id == ids[0];
    assert!(!desk.screen().letters.iter().any(is_there));
}

#[test]
fn failed_redrive_keeps_its_letters_and_says_that_their_fate_is_unknown() {
    let mut desk = Desk::holding(letters());
    desk.keys("ar");
    let (question, _) = desk.agree();
    desk.send(Msg::Progress {
        id: question.0,
        progress: Box::new(progress(3, &[], Counts::default())),
    });
    desk.key('2');
    desk.reply(&question, Err(fault()));
    assert_eq!(desk.screen().letters.len(), 3);
    assert_eq!(desk.screen().notes.len(), 3);
    assert_eq!(desk.model.notice.as_ref().unwrap().tone, Tone::Bad);
}

#[test]
fn redrive_that_never_began_leaves_no_note() {
    let mut desk = Desk::holding(letters());
    desk.keys("ar");
    let (question, _) = desk.agree();
    desk.key('2');
    desk.reply(&question, Err(fault()));
    assert_eq!(desk.screen().notes.len(), 0);
    assert!(
        notice(&desk).contains("nothing was sent"),
        "{}",
        notice(&desk)
    );
}

#[test]
fn letters_of_a_redrive_are_kept_until_it_ends_and_the_others_given_back() {
    let mut desk = Desk::holding(letters());
    desk.keys("ar");
    assert_eq!(desk.released().len(), 0);
    let (question, draft) = desk.agree();
    assert_eq!(desk.released().len(), 34);
    assert_eq!(desk.model.held_handles().len(), 3);
    // The redrive itself extends them.
    desk.pass(151);
    assert_eq!(desk.count(is_extend), 0);
    let ids = ids(&draft);
    desk.end_redrive(
        &question,
        &[
            (&ids[0], LetterOutcome::Moved, None),
            (&ids[1], LetterOutcome::Moved, None),
            (&ids[2], LetterOutcome::NotSent, Some("throttled")),
        ],
    );
    assert_eq!(desk.released().len(), 35);
    assert_eq!(desk.model.held_handles(), Vec::<String>::new());
}

#[test]
fn letters_of_a_redrive_that_waits_stay_in_the_list_and_are_kept_when_it_ends() {
    let mut desk = Desk::holding(letters());
    desk.keys("ar");
    let (question, draft) = desk.agree();
    // It stands paused for longer than a hold; the screen is looked at meanwhile.
    desk.pass(400);
    desk.key('2');
    desk.answer_letters(Vec::new());
    assert_eq!(desk.screen().letters.len(), 3);
    let ids = ids(&draft);
    let not_sent = |id| (id, LetterOutcome::NotSent, Some("cancelled"));
    let outcomes = [not_sent(&*ids[0]), not_sent(&*ids[1]), not_sent(&*ids[2])];
    desk.end_redrive(&question, &outcomes);
    assert_eq!(desk.screen().letters.len(), 3);
    desk.pass(1);
    assert_eq!(desk.count(is_extend), 1);
}

#[test]
fn letters_are_held_while_their_plan_is_looked_at_and_stay_when_it_is_dropped() {
    let mut desk = Desk::holding(letters());
    desk.keys("ar");
    desk.pass(151);
    assert_eq!(desk.count(is_extend), 1);
    desk.code(KeyCode::Esc);
    assert_eq!(desk.released().len(), 0);
    assert_eq!(desk.screen().letters.len(), 37);
    assert_eq!(desk.screen().marks.len(), 37);
    assert_eq!(desk.count(is_hold), 0);
}

#[test]
fn redrive_means_the_marked_then_the_group_then_the_selected_letter() {
    let scope = |keys: &str, tab: bool| {
        let mut desk = Desk::holding(letters());
        if tab {
            desk.code(KeyCode::Tab);
        }
        desk.keys(keys);
        let text = desk.whole_text();
        let scope = text.lines().find(|line| line.contains(" From ")).unwrap();
        scope.trim().to_owned()
    };
    assert_eq!(scope("  r", false), "From the marked letters.");
    assert_eq!(scope("jr", true), "From the group missing-attribute /time.");
    assert_eq!(scope("r", true), "From all letters that are held.");
    assert_eq!(scope("r", false), "From the selected letter.");
}

#[test]
fn read_only_environment_says_so_and_asks_nothing() {
    let mut desk = Desk::open(80, 24, read_only());
    desk.answer_letters(letters());
    desk.keys("ar");
    assert!(notice(&desk).contains("read-only"));
    assert!(!desk.model.redrives.is_reviewing());
}
