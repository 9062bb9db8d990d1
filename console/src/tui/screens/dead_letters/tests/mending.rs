//! Letters that are searched, patched and edited.

use crossterm::event::{KeyCode, KeyModifiers};
use event::Verdict;

use super::fixtures::*;
use super::*;
use crate::tui::keymap::Context;
use crate::tui::message::Tone;
use crate::tui::screens::ScreenId;

fn notice(desk: &Desk) -> &str {
    desk.model.notice.as_ref().map_or("", |notice| &notice.text)
}

fn keep(desk: &mut Desk) {
    desk.press(KeyCode::Char('s'), KeyModifiers::CONTROL);
}

#[test]
fn search_lists_what_is_found_and_x_lists_all_again() {
    let mut desk = Desk::holding(letters());
    desk.search("LA601", Ok(5));
    assert_eq!(desk.screen().listed.len(), 5);
    assert!(
        desk.text().contains("search LA601: 5 found"),
        "{}",
        desk.text()
    );
    desk.key('x');
    assert_eq!(desk.screen().listed.len(), 37);
}

#[test]
fn failed_search_hides_nothing_and_says_why() {
    let mut desk = Desk::holding(letters());
    let why = "the program takes too long".to_owned();
    desk.search(".type", Err(why.clone()));
    assert_eq!(desk.screen().listed.len(), 37);
    assert!(desk.text().contains(&why), "{}", desk.text());
}

#[test]
fn line_of_a_wrong_program_stays_open_for_what_is_typed_next() {
    let mut desk = Desk::holding(letters());
    desk.keys("/.type ==");
    desk.code(KeyCode::Enter);
    assert!(desk.text().contains("not a jq program"), "{}", desk.text());
    assert_eq!(desk.count(is_search), 0);
    desk.keys(" \"bag.scanned\"");
    assert_eq!(desk.screen().marks.len(), 0, "keys were typed, not pressed");
    desk.code(KeyCode::Enter);
    assert_eq!(desk.count(is_search), 1);
}

#[test]
fn search_is_run_anew_when_letters_come() {
    let mut desk = Desk::holding(letters());
    desk.search("LA601", Ok(5));
    desk.refresh();
    desk.answer_letters(vec![letter(99, Duration::hours(1), &valid_body(99))]);
    let question = desk.take(is_search);
    let Request::Search { letters, .. } = &question.1 else {
        panic!("not a search")
    };
    assert_eq!(letters.len(), 38);
}

#[test]
fn marking_all_and_patching_mean_what_is_found() {
    let mut desk = Desk::holding(letters());
    desk.search("LA601", Ok(5));
    desk.key('a');
    assert_eq!(desk.screen().marks.len(), 5);
    desk.keys("Ap.");
    desk.code(KeyCode::Enter);
    let (_, request) = desk.take(is_patch);
    let Request::Patch { letters, program } = request else {
        panic!("not a patch")
    };
    assert_eq!((letters.len(), program.as_str()), (5, "."));
}

#[test]
fn patch_edits_nothing_before_it_is_accepted() {
    let mut desk = Desk::holding(letters());
    desk.patch_group();
    assert_eq!(desk.model.context(), Context::Patch);
    let text = desk.text();
    for wanted in [
        "24 change",
        "24 become ready",
        "1 the program fails on",
        "+   \"time\":",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    desk.code(KeyCode::Esc);
    assert_eq!(desk.screen().edits.len(), 0);
    assert_eq!(desk.model.context(), Context::Screen(ScreenId::DeadLetters));
}

#[test]
fn differences_are_shown_one_by_one_around_the_end() {
    let mut desk = Desk::holding(letters());
    desk.patch_group();
    assert!(desk.text().contains(" 1 / 24 "));
    desk.key('n');
    assert!(desk.text().contains(" 2 / 24 "));
    desk.keys("NN");
    assert!(desk.text().contains(" 24 / 24 "));
}

#[test]
fn accepted_patch_is_sent_and_can_be_taken_back_until_then() {
    let mut desk = Desk::holding(letters());
    desk.patch_group();
    desk.key('y');
    assert_eq!(desk.screen().edits.len(), 24);
    assert!(desk.text().contains("24 edited"), "{}", desk.text());
    desk.key('r');
    let (question, draft) = desk.agree();
    assert_eq!(draft.letters.len(), 24);
    let is_edited = |draft: &crate::tui::redrives::DraftLetter| draft.new_body.is_some();
    assert!(draft.letters.iter().all(is_edited));
    let ids: Vec<_> = draft
        .letters
        .iter()
        .map(|d| d.letter.message_id.clone())
        .collect();
    let outcomes: Vec<_> = ids
        .iter()
        .map(|id| (id.as_str(), LetterOutcome::Moved, None))
        .collect();
    desk.end_redrive(&question, &outcomes);
    assert_eq!(desk.screen().edits.len(), 0);
}

#[test]
fn edits_are_taken_back_one_by_one_or_all() {
    let mut desk = Desk::holding(letters());
    desk.patch_group();
    desk.key('y');
    desk.code(KeyCode::Tab);
    desk.key('u');
    assert_eq!(desk.screen().edits.len(), 23);
    desk.key('U');
    assert_eq!(desk.screen().edits.len(), 0);
    assert_eq!(notice(&desk), "23 edits are taken back");
    assert!(desk.text().contains("✖ still-invalid"));
}

#[test]
fn edits_outlast_a_visit_elsewhere() {
    let mut desk = Desk::holding(letters());
    desk.patch_group();
    desk.keys("y12");
    desk.answer_letters(letters());
    assert_eq!(desk.screen().edited(), 24);
}

#[test]
fn program_that_is_changed_meanwhile_makes_its_answer_void() {
    let mut desk = Desk::holding(letters());
    desk.key('p');
    desk.code(KeyCode::Enter);
    let question = desk.take(is_patch);
    let Request::Patch { letters, .. } = &question.1 else {
        panic!("not a patch")
    };
    let patched = patched(letters);
    desk.key('x');
    desk.reply(&question, Ok(Answer::Patched(patched)));
    assert_eq!(desk.model.context(), Context::Input);
}

#[test]
fn program_that_changes_nothing_says_so() {
    let mut desk = Desk::holding(letters());
    desk.key('p');
    desk.code(KeyCode::Enter);
    let question = desk.take(is_patch);
    let patched = crate::tui::mending::Patched {
        unchanged: 37,
        ..Default::default()
    };
    desk.reply(&question, Ok(Answer::Patched(patched)));
    assert!(
        desk.text().contains("changes no letter: 37 stay"),
        "{}",
        desk.text()
    );
    assert_eq!(desk.model.context(), Context::Input);
}

#[test]
fn edited_letter_is_judged_kept_and_marked() {
    let mut desk = Desk::holding(vec![letter(1, Duration::hours(1), &body_without_time(1))]);
    desk.key('e');
    assert_eq!(desk.model.context(), Context::Editor);
    assert!(
        desk.text().contains("✖ refused: missing-attribute"),
        "{}",
        desk.text()
    );
    desk.press(KeyCode::End, KeyModifiers::NONE);
    desk.keys("\"time\": \"2026-11-24T11:42:00Z\", ");
    assert!(desk.text().contains("● valid: crew-app"), "{}", desk.text());
    keep(&mut desk);
    let question = desk.take(is_judge);
    let Request::Judge { letter, new_body } = &question.1 else {
        panic!("not a question about a body")
    };
    let mut mended = mended(letter, new_body);
    mended.verdict = Verdict::AlreadyStored;
    let patched = crate::tui::mending::Patched {
        mended: vec![mended],
        ..Default::default()
    };
    desk.reply(&question, Ok(Answer::Patched(patched)));
    assert!(
        notice(&desk).contains("would be swallowed"),
        "{}",
        notice(&desk)
    );
    assert_eq!(desk.model.notice.as_ref().unwrap().tone, Tone::Warning);
    assert_eq!(desk.screen().edited(), 1);
    assert!(desk.text().contains("already-stored"), "{}", desk.text());
}

#[test]
fn edited_letter_is_told_by_its_new_body_and_its_death_is_past() {
    let mut desk = Desk::open(160, 45, environment());
    desk.answer_letters(vec![letter(1, Duration::hours(1), "{ no json")]);
    let text = desk.text();
    for wanted in [
        "no event: neither type",
        "refused by the ingest for the same",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    desk.key('e');
    desk.press(KeyCode::Char('u'), KeyModifiers::CONTROL);
    desk.keys("x");
    keep(&mut desk);
    let question = desk.take(is_judge);
    let Request::Judge { letter, .. } = &question.1 else {
        panic!("not a question about a body")
    };
    let patched = crate::tui::mending::Patched {
        mended: vec![mended(letter, &valid_body(1))],
        ..Default::default()
    };
    desk.reply(&question, Ok(Answer::Patched(patched)));
    let text = desk.text();
    for wanted in [
        "● ready  the ingest would store it now",
        "before the edit it was refused with not-json: ",
        "● ready          flight",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    for gone in ["no event", "for the same reason", "–  "] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
}

#[test]
fn closed_editor_keeps_nothing() {
    let mut desk = Desk::holding(letters());
    desk.keys("ex");
    desk.code(KeyCode::Esc);
    assert_eq!(desk.screen().edits.len(), 0);
    assert!(notice(&desk).contains("not kept"), "{}", notice(&desk));
    desk.key('e');
    keep(&mut desk);
    assert_eq!(desk.count(is_judge), 0);
    assert_eq!(notice(&desk), "nothing was changed");
}

#[test]
fn read_only_environment_mends_nothing() {
    let mut desk = Desk::open(80, 24, read_only());
    desk.answer_letters(letters());
    for key in ['e', 'p'] {
        desk.key(key);
        assert!(notice(&desk).contains("read-only"), "{}", notice(&desk));
        assert_eq!(desk.model.context(), Context::Screen(ScreenId::DeadLetters));
    }
}

#[test]
fn everything_that_is_open_is_drawn_at_every_size() {
    let mut search = Desk::holding(letters());
    search.key('/');
    let mut patch = Desk::holding(letters());
    patch.patch_group();
    let mut edit = Desk::holding(letters());
    edit.key('e');
    for desk in [&mut search, &mut patch, &mut edit] {
        let sizes = (0..20).flat_map(|width| (0..12).map(move |height| (width * 7, height)));
        for (width, height) in sizes {
            desk.send(Msg::Resize { width, height });
            desk.draw_whole();
        }
    }
}

#[test]
fn text_from_outside_is_judged_and_a_bad_one_stays_in_the_editor() {
    let mut desk = Desk::holding(vec![letter(1, Duration::hours(1), &body_without_time(1))]);
    desk.key('E');
    let sent = desk.outside.pop().unwrap();
    assert!(sent.contains("\n  \"source\": \"crew-app\""), "{sent}");
    desk.send(Msg::EditedOutside(Ok("{ no json".to_owned())));
    assert_eq!(desk.model.context(), Context::Editor);
    assert!(
        desk.text().contains("✖ refused: not-json"),
        "{}",
        desk.text()
    );
    assert_eq!(desk.count(is_judge), 0);
    desk.send(Msg::EditedOutside(Ok(valid_body(1))));
    let (_, request) = desk.take(is_judge);
    let Request::Judge { new_body, .. } = request else {
        panic!("not a question about a body")
    };
    assert_eq!(new_body, valid_body(1));
}

#[test]
fn missing_editor_leaves_the_built_in_one() {
    let mut desk = Desk::holding(letters());
    desk.key('E');
    desk.send(Msg::EditedOutside(Err(
        "neither VISUAL nor EDITOR is set".to_owned()
    )));
    assert_eq!(desk.model.context(), Context::Editor);
    assert!(notice(&desk).contains("neither"), "{}", notice(&desk));
}
