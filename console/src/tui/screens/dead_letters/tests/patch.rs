//! Messages that are searched, patched and edited.

use crossterm::event::{KeyCode, KeyModifiers};
use event::Verdict;

use super::fixtures::*;
use super::*;
use crate::tui::keymap::Context;
use crate::tui::message::Tone;
use crate::tui::screens::ScreenId;

fn notice(harness: &Harness) -> &str {
    harness
        .model
        .notice
        .as_ref()
        .map_or("", |notice| &notice.text)
}

fn keep(harness: &mut Harness) {
    harness.press(KeyCode::Char('s'), KeyModifiers::CONTROL);
}

#[test]
fn search_lists_what_is_found_and_x_lists_all_again() {
    let mut harness = Harness::holding(messages());
    harness.search("LA601", Ok(5));
    assert_eq!(harness.screen().listed.len(), 5);
    assert!(
        harness.text().contains("search LA601: 5 found"),
        "{}",
        harness.text()
    );
    harness.key('x');
    assert_eq!(harness.screen().listed.len(), 37);
}

#[test]
fn failed_search_hides_nothing_and_says_why() {
    let mut harness = Harness::holding(messages());
    let why = "the program takes too long".to_owned();
    harness.search(".type", Err(why.clone()));
    assert_eq!(harness.screen().listed.len(), 37);
    assert!(harness.text().contains(&why), "{}", harness.text());
}

#[test]
fn line_of_a_wrong_program_stays_open_for_what_is_typed_next() {
    let mut harness = Harness::holding(messages());
    harness.keys("/.type ==");
    harness.code(KeyCode::Enter);
    assert!(
        harness.text().contains("not a jq program"),
        "{}",
        harness.text()
    );
    assert_eq!(harness.count(is_search), 0);
    harness.keys(" \"bag.scanned\"");
    assert_eq!(
        harness.screen().marks.len(),
        0,
        "keys were typed, not pressed"
    );
    harness.code(KeyCode::Enter);
    assert_eq!(harness.count(is_search), 1);
}

#[test]
fn search_is_run_anew_when_messages_come() {
    let mut harness = Harness::holding(messages());
    harness.search("LA601", Ok(5));
    harness.refresh();
    harness.answer_messages(vec![message(99, Duration::hours(1), &valid_body(99))]);
    let question = harness.take(is_search);
    let Request::Search { messages, .. } = &question.1 else {
        panic!("not a search")
    };
    assert_eq!(messages.len(), 38);
}

#[test]
fn marking_all_and_patching_mean_what_is_found() {
    let mut harness = Harness::holding(messages());
    harness.search("LA601", Ok(5));
    harness.key('a');
    assert_eq!(harness.screen().marks.len(), 5);
    harness.keys("Ap.");
    harness.code(KeyCode::Enter);
    let (_, request) = harness.take(is_patch);
    let Request::Patch { messages, program } = request else {
        panic!("not a patch")
    };
    assert_eq!((messages.len(), program.as_str()), (5, "."));
}

#[test]
fn patch_edits_nothing_before_it_is_accepted() {
    let mut harness = Harness::holding(messages());
    harness.patch_group();
    assert_eq!(harness.model.context(), Context::Patch);
    let text = harness.text();
    for wanted in [
        "24 change",
        "24 become ready",
        "1 the program fails on",
        "+   \"time\":",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    harness.code(KeyCode::Esc);
    assert_eq!(harness.screen().edits.len(), 0);
    assert_eq!(
        harness.model.context(),
        Context::Screen(ScreenId::DeadLetters)
    );
}

#[test]
fn differences_are_shown_one_by_one_around_the_end() {
    let mut harness = Harness::holding(messages());
    harness.patch_group();
    assert!(harness.text().contains(" 1 / 24 "));
    harness.key('n');
    assert!(harness.text().contains(" 2 / 24 "));
    harness.keys("NN");
    assert!(harness.text().contains(" 24 / 24 "));
}

#[test]
fn accepted_patch_is_sent_and_can_be_taken_back_until_then() {
    let mut harness = Harness::holding(messages());
    harness.patch_group();
    harness.key('y');
    assert_eq!(harness.screen().edits.len(), 24);
    assert!(harness.text().contains("24 edited"), "{}", harness.text());
    harness.key('r');
    let (question, draft) = harness.agree();
    assert_eq!(draft.messages.len(), 24);
    let is_edited = |draft: &crate::tui::redrives::DraftMessage| draft.new_body.is_some();
    assert!(draft.messages.iter().all(is_edited));
    let ids: Vec<_> = draft
        .messages
        .iter()
        .map(|d| d.message.message_id.clone())
        .collect();
    let outcomes: Vec<_> = ids
        .iter()
        .map(|id| (id.as_str(), MessageOutcome::Moved, None))
        .collect();
    harness.end_redrive(&question, &outcomes);
    assert_eq!(harness.screen().edits.len(), 0);
}

#[test]
fn edits_are_taken_back_one_by_one_or_all() {
    let mut harness = Harness::holding(messages());
    harness.patch_group();
    harness.key('y');
    harness.code(KeyCode::Tab);
    harness.key('u');
    assert_eq!(harness.screen().edits.len(), 23);
    harness.key('U');
    assert_eq!(harness.screen().edits.len(), 0);
    assert_eq!(notice(&harness), "23 edits are taken back");
    assert!(harness.text().contains("✖ still-invalid"));
}

#[test]
fn edits_outlast_a_visit_elsewhere() {
    let mut harness = Harness::holding(messages());
    harness.patch_group();
    harness.keys("y12");
    harness.answer_messages(messages());
    assert_eq!(harness.screen().edited(), 24);
}

#[test]
fn program_that_is_changed_meanwhile_makes_its_answer_void() {
    let mut harness = Harness::holding(messages());
    harness.key('p');
    harness.code(KeyCode::Enter);
    let question = harness.take(is_patch);
    let Request::Patch { messages, .. } = &question.1 else {
        panic!("not a patch")
    };
    let patched = patched(messages);
    harness.key('x');
    harness.reply(&question, Ok(Answer::Patched(patched)));
    assert_eq!(harness.model.context(), Context::Input);
}

#[test]
fn program_that_changes_nothing_says_so() {
    let mut harness = Harness::holding(messages());
    harness.key('p');
    harness.code(KeyCode::Enter);
    let question = harness.take(is_patch);
    let patched = crate::tui::patch::Patched {
        unchanged: 37,
        ..Default::default()
    };
    harness.reply(&question, Ok(Answer::Patched(patched)));
    assert!(
        harness.text().contains("changes no message: 37 stay"),
        "{}",
        harness.text()
    );
    assert_eq!(harness.model.context(), Context::Input);
}

#[test]
fn edited_message_is_judged_kept_and_marked() {
    let mut harness = Harness::holding(vec![message(1, Duration::hours(1), &body_without_time(1))]);
    harness.key('e');
    assert_eq!(harness.model.context(), Context::Editor);
    assert!(
        harness.text().contains("✖ refused: missing-attribute"),
        "{}",
        harness.text()
    );
    harness.press(KeyCode::End, KeyModifiers::NONE);
    harness.keys("\"time\": \"2026-11-24T11:42:00Z\", ");
    assert!(
        harness.text().contains("● valid: crew-app"),
        "{}",
        harness.text()
    );
    keep(&mut harness);
    let question = harness.take(is_judge);
    let Request::Judge { message, new_body } = &question.1 else {
        panic!("not a question about a body")
    };
    let mut mended = mended(message, new_body);
    mended.verdict = Verdict::AlreadyStored;
    let patched = crate::tui::patch::Patched {
        mended: vec![mended],
        ..Default::default()
    };
    harness.reply(&question, Ok(Answer::Patched(patched)));
    assert!(
        notice(&harness).contains("would be swallowed"),
        "{}",
        notice(&harness)
    );
    assert_eq!(harness.model.notice.as_ref().unwrap().tone, Tone::Warning);
    assert_eq!(harness.screen().edited(), 1);
    assert!(
        harness.text().contains("already-stored"),
        "{}",
        harness.text()
    );
}

#[test]
fn edited_message_is_told_by_its_new_body_and_its_death_is_past() {
    let mut harness = Harness::open(160, 45, environment());
    harness.answer_messages(vec![message(1, Duration::hours(1), "{ no json")]);
    let text = harness.text();
    for wanted in [
        "no event: neither type",
        "refused by the ingest for the same",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    harness.key('e');
    harness.press(KeyCode::Char('u'), KeyModifiers::CONTROL);
    harness.keys("x");
    keep(&mut harness);
    let question = harness.take(is_judge);
    let Request::Judge { message, .. } = &question.1 else {
        panic!("not a question about a body")
    };
    let patched = crate::tui::patch::Patched {
        mended: vec![mended(message, &valid_body(1))],
        ..Default::default()
    };
    harness.reply(&question, Ok(Answer::Patched(patched)));
    let text = harness.text();
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
    let mut harness = Harness::holding(messages());
    harness.keys("ex");
    harness.code(KeyCode::Esc);
    assert_eq!(harness.screen().edits.len(), 0);
    assert!(
        notice(&harness).contains("not kept"),
        "{}",
        notice(&harness)
    );
    harness.key('e');
    keep(&mut harness);
    assert_eq!(harness.count(is_judge), 0);
    assert_eq!(notice(&harness), "nothing was changed");
}

#[test]
fn read_only_environment_mends_nothing() {
    let mut harness = Harness::open(80, 24, read_only());
    harness.answer_messages(messages());
    for key in ['e', 'p'] {
        harness.key(key);
        assert!(
            notice(&harness).contains("read-only"),
            "{}",
            notice(&harness)
        );
        assert_eq!(
            harness.model.context(),
            Context::Screen(ScreenId::DeadLetters)
        );
    }
}

#[test]
fn everything_that_is_open_is_drawn_at_every_size() {
    let mut search = Harness::holding(messages());
    search.key('/');
    let mut patch = Harness::holding(messages());
    patch.patch_group();
    let mut edit = Harness::holding(messages());
    edit.key('e');
    for harness in [&mut search, &mut patch, &mut edit] {
        let sizes = (0..20).flat_map(|width| (0..12).map(move |height| (width * 7, height)));
        for (width, height) in sizes {
            harness.send(Msg::Resize { width, height });
            harness.draw_whole();
        }
    }
}

#[test]
fn text_from_outside_is_judged_and_a_bad_one_stays_in_the_editor() {
    let mut harness = Harness::holding(vec![message(1, Duration::hours(1), &body_without_time(1))]);
    harness.key('E');
    let sent = harness.outside.pop().unwrap();
    assert!(sent.contains("\n  \"source\": \"crew-app\""), "{sent}");
    harness.send(Msg::EditedOutside(Ok("{ no json".to_owned())));
    assert_eq!(harness.model.context(), Context::Editor);
    assert!(
        harness.text().contains("✖ refused: not-json"),
        "{}",
        harness.text()
    );
    assert_eq!(harness.count(is_judge), 0);
    harness.send(Msg::EditedOutside(Ok(valid_body(1))));
    let (_, request) = harness.take(is_judge);
    let Request::Judge { new_body, .. } = request else {
        panic!("not a question about a body")
    };
    assert_eq!(new_body, valid_body(1));
}

#[test]
fn missing_editor_leaves_the_built_in_one() {
    let mut harness = Harness::holding(messages());
    harness.key('E');
    harness.send(Msg::EditedOutside(Err(
        "neither VISUAL nor EDITOR is set".to_owned()
    )));
    assert_eq!(harness.model.context(), Context::Editor);
    assert!(notice(&harness).contains("neither"), "{}", notice(&harness));
}
