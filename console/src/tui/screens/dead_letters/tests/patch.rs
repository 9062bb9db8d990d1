//! Messages that are searched, patched and edited.

use crossterm::event::KeyModifiers;
use event::Verdict;

use super::fixtures::*;
use super::*;
use crate::tui::keymap::KeyContext;
use crate::tui::message::Msg;
use crate::tui::screen_id::ScreenId;
use crate::tui::theme::Tone;

fn keep(harness: &mut Harness) {
    harness.chord(KeyCode::Char('s'), KeyModifiers::CONTROL);
}

#[test]
fn search_lists_what_is_found_and_x_lists_all_again() {
    let mut harness = received(messages());
    harness.search("LA601", Ok(5));
    assert_eq!(harness.screen().listed.len(), 5);
    assert!(
        harness.screen_text().contains("search LA601: 5 found"),
        "{}",
        harness.screen_text()
    );
    let counted = |harness: &Harness| {
        let grouping = &harness.screen().grouping;
        let groups: usize = grouping.groups.iter().map(|group| group.messages).sum();
        (grouping.messages, groups, grouping.group_of.len())
    };
    assert_eq!(counted(&harness), (5, 5, 37), "groups count what is listed");
    harness.press('x');
    assert_eq!(harness.screen().listed.len(), 37);
    assert_eq!(counted(&harness), (37, 37, 37));
}

#[test]
fn search_finds_a_failure_by_the_name_that_its_group_has() {
    let mut harness = received(messages());
    for (text, number) in [
        ("Missing-Attribute", 25),
        ("missing-attribute /time", 25),
        ("not-json", 2),
        ("8f3e0b6a-1111-4222-8333-000000000031", 1),
        ("no such thing", 0),
    ] {
        harness.search(text, Ok(0));
        assert_eq!(harness.screen().listed.len(), number, "{text}");
        harness.press('x');
    }
}

#[test]
fn search_finds_a_failure_by_the_text_that_its_detail_shows() {
    let mut harness = received(messages());
    let without_time = message(0, Duration::hours(1), &body_without_time(0));
    let detail = without_time.failure.unwrap().detail.clone();
    let at_time = format!("Missing-Attribute: {detail} at /time");
    let as_rejected = format!("missing-attribute: {detail} (at /time)");
    for (text, number) in [
        ("not-json: expected value at line 1 column 1", 2),
        (at_time.as_str(), 25),
        (as_rejected.as_str(), 25),
        ("request 5f0c2d9e-0000-4000-8000-000000000007", 1),
    ] {
        harness.search(text, Ok(0));
        assert_eq!(harness.screen().listed.len(), number, "{text}");
        harness.press('x');
    }
}

#[test]
fn search_finds_an_edited_message_by_the_failure_of_its_edit() {
    let mut harness = received(messages());
    harness.code(KeyCode::Tab);
    harness.keys("jp");
    harness.keys("time = 1");
    harness.code(KeyCode::Enter);
    let ((_, messages), to) = harness.take_last(&PATCH);
    let edit = edited(&messages[0], "[]");
    let failure = edit.failure.clone().unwrap();
    let patched = crate::tui::patch::Patched {
        edited: vec![edit],
        unchanged: 24,
        failed: 0,
        failure: None,
    };
    harness.reply(to, Ok(patched));
    harness.press('y');
    assert_eq!(harness.screen().edited(), 1);
    let text = format!("{}: {}", failure.code, failure.detail);
    harness.search(&text, Ok(0));
    assert_eq!(harness.screen().listed.len(), 1, "{text}");
    harness.keys("/x");
    harness.code(KeyCode::Enter);
    let ((_, inputs), _) = harness.take_last(&SEARCH);
    let bodies = inputs.iter().map(|input| input.body.text().unwrap());
    let edited: Vec<_> = bodies.filter(|body| body == "[]").collect();
    assert_eq!(edited.len(), 1, "it looks at what would be sent");
}

/// The task that draws looks at no message: there may be 100,000.
#[test]
fn what_is_listed_is_what_the_sources_found() {
    let mut harness = received(messages());
    harness.keys("/missing-attribute");
    harness.code(KeyCode::Enter);
    let (_, to) = harness.take_last(&SEARCH);
    harness.reply(to, Ok(Found::default()));
    assert_eq!(harness.screen().listed.len(), 0);
}

#[test]
fn nothing_of_an_earlier_search_is_listed_as_found_by_this_one() {
    let mut harness = received(messages());
    harness.search("LA601", Ok(5));
    assert_eq!(harness.screen().listed.len(), 5);
    harness.keys("/slow");
    harness.code(KeyCode::Enter);
    let text = harness.screen_text();
    assert!(
        text.contains("search LA601slow: not done yet, so nothing is listed"),
        "{text}"
    );
    assert!(text.contains(" 0 / 0 "), "{text}");
    harness.press('a');
    assert_eq!(harness.screen().marks.len(), 0);
    let (_, to) = harness.take_last(&SEARCH);
    harness.reply(to, Err(Fault::new("the program takes too long")));
    assert_eq!(harness.screen().listed.len(), 37);
}

#[test]
fn program_without_its_colon_is_not_searched_for_as_a_text() {
    let mut harness = received(messages());
    harness.keys("/jq .type == 1");
    harness.code(KeyCode::Tab);
    harness.code(KeyCode::Enter);
    let text = harness.screen_text();
    assert!(text.contains("write \"jq: .type == 1\""), "{text}");
    assert_eq!(harness.count(&SEARCH), 0);
}

#[test]
fn failed_search_hides_nothing_and_shows_why() {
    let mut harness = received(messages());
    let why = "the program takes too long";
    harness.search(".type", Err(why));
    assert_eq!(harness.screen().listed.len(), 37);
    assert!(
        harness.screen_text().contains(why),
        "{}",
        harness.screen_text()
    );
}

#[test]
fn line_of_a_wrong_program_stays_open_for_what_is_typed_next() {
    let mut harness = received(messages());
    harness.keys("/.type ==");
    harness.code(KeyCode::Enter);
    assert!(
        harness.screen_text().contains("not a jq program"),
        "{}",
        harness.screen_text()
    );
    assert_eq!(harness.count(&SEARCH), 0);
    harness.keys(" \"bag.scanned\"");
    assert_eq!(
        harness.screen().marks.len(),
        0,
        "keys were typed, not pressed"
    );
    harness.code(KeyCode::Enter);
    assert_eq!(harness.count(&SEARCH), 1);
}

#[test]
fn search_is_run_anew_when_messages_come() {
    let mut harness = received(messages());
    harness.search("LA601", Ok(5));
    harness.refresh();
    harness.answer_messages(vec![message(99, Duration::hours(1), &valid_body(99))]);
    let ((_, messages), _) = harness.take_last(&SEARCH);
    assert_eq!(messages.len(), 38);
}

#[test]
fn marking_all_and_patching_mean_what_is_found() {
    let mut harness = received(messages());
    harness.search("LA601", Ok(5));
    harness.press('a');
    assert_eq!(harness.screen().marks.len(), 5);
    harness.keys("Ap.");
    harness.code(KeyCode::Enter);
    let ((program, messages), _) = harness.take_last(&PATCH);
    assert_eq!((messages.len(), program.as_str()), (5, "."));
}

#[test]
fn patch_edits_nothing_before_it_is_accepted() {
    let mut harness = received(messages());
    harness.patch_group();
    assert_eq!(harness.model.key_context(), KeyContext::Patch);
    let text = harness.screen_text();
    for expected in ["24 changed", "24 become ready", "1 failed", "+   \"time\":"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    harness.code(KeyCode::Esc);
    assert_eq!(harness.screen().edits.len(), 0);
    assert_eq!(
        harness.model.key_context(),
        KeyContext::Screen(ScreenId::DeadLetters)
    );
}

#[test]
fn differences_are_shown_one_by_one_around_the_end() {
    let mut harness = received(messages());
    harness.patch_group();
    assert!(harness.screen_text().contains(" 1 / 24 "));
    harness.press('n');
    assert!(harness.screen_text().contains(" 2 / 24 "));
    harness.keys("NN");
    assert!(harness.screen_text().contains(" 24 / 24 "));
}

#[test]
fn accepted_patch_is_sent_and_can_be_taken_back_until_then() {
    let mut harness = received(messages());
    harness.patch_group();
    harness.press('y');
    assert_eq!(harness.screen().edits.len(), 24);
    assert!(
        harness.screen_text().contains("24 edited"),
        "{}",
        harness.screen_text()
    );
    harness.press('r');
    let (to, draft) = harness.agree();
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
    harness.end_redrive(to, &outcomes);
    assert_eq!(harness.screen().edits.len(), 0);
}

#[test]
fn edits_are_taken_back_one_by_one_or_all() {
    let mut harness = received(messages());
    harness.patch_group();
    harness.press('y');
    harness.code(KeyCode::Tab);
    harness.press('u');
    assert_eq!(harness.screen().edits.len(), 23);
    harness.press('U');
    assert_eq!(harness.screen().edits.len(), 0);
    assert_eq!(harness.notice(), "23 edits undone");
    assert!(harness.screen_text().contains("✖ still-invalid"));
}

#[test]
fn plan_shows_that_the_ledger_was_not_asked_about_an_edit() {
    for is_checked in [true, false] {
        let mut harness = received(messages());
        harness.code(KeyCode::Tab);
        harness.keys("jp");
        harness.keys("time = \"2026-11-24T11:42:00Z\"");
        harness.code(KeyCode::Enter);
        let ((_, inputs), to) = harness.take_last(&PATCH);
        let mut patched = patched(&inputs);
        for edited in &mut patched.edited {
            edited.is_ledger_checked = is_checked;
        }
        harness.reply(to, Ok(patched));
        harness.keys("yr");
        let text = harness.text();
        assert_eq!(
            !text.contains("the ledger did not answer"),
            is_checked,
            "{text}"
        );
    }
}

#[test]
fn edits_outlast_a_visit_elsewhere() {
    let mut harness = received(messages());
    harness.patch_group();
    harness.keys("y12");
    harness.answer_messages(messages());
    assert_eq!(harness.screen().edited(), 24);
}

#[test]
fn program_that_is_changed_meanwhile_makes_its_answer_void() {
    let mut harness = received(messages());
    harness.press('p');
    harness.code(KeyCode::Enter);
    let ((_, messages), to) = harness.take_last(&PATCH);
    let patched = patched(&messages);
    harness.press('x');
    harness.reply(to, Ok(patched));
    assert_eq!(harness.model.key_context(), KeyContext::Input);
}

#[test]
fn progress_of_a_patch_is_shown_while_its_answer_is_awaited() {
    let mut harness = received(messages());
    harness.keys("p.");
    harness.code(KeyCode::Enter);
    let (_, to) = harness.take_last(&PATCH);
    let progress = redrive::operations::Progress {
        done: 12,
        total: 37,
    };
    harness.send(Msg::WorkProgress(to.id(), progress));
    let text = harness.screen_text();
    assert!(text.contains("12 of 37 messages done"), "{text}");
}

#[test]
fn program_that_changes_nothing_is_reported() {
    let mut harness = received(messages());
    harness.press('p');
    harness.code(KeyCode::Enter);
    let (_, to) = harness.take_last(&PATCH);
    let patched = crate::tui::patch::Patched {
        unchanged: 37,
        ..Default::default()
    };
    harness.reply(to, Ok(patched));
    assert!(
        harness
            .screen_text()
            .contains("changes no message: 37 unchanged"),
        "{}",
        harness.screen_text()
    );
    assert_eq!(harness.model.key_context(), KeyContext::Input);
}

#[test]
fn edited_message_is_judged_kept_and_marked() {
    let mut harness = received(vec![message(1, Duration::hours(1), &body_without_time(1))]);
    harness.press('e');
    assert_eq!(harness.model.key_context(), KeyContext::Editor);
    assert!(
        harness
            .screen_text()
            .contains("✖ rejected: missing-attribute"),
        "{}",
        harness.screen_text()
    );
    harness.chord(KeyCode::End, KeyModifiers::NONE);
    harness.keys("\"time\": \"2026-11-24T11:42:00Z\", ");
    assert!(
        harness.screen_text().contains("● valid: crew-app"),
        "{}",
        harness.screen_text()
    );
    keep(&mut harness);
    let ((message, new_body), to) = harness.take_last(&JUDGE);
    let mut edited = edited(&message, &new_body);
    edited.verdict = Verdict::AlreadyStored;
    let patched = crate::tui::patch::Patched {
        edited: vec![edited],
        ..Default::default()
    };
    harness.reply(to, Ok(patched));
    assert!(
        harness.notice().contains("this one would be lost"),
        "{}",
        harness.notice()
    );
    assert_eq!(harness.model.notice.as_ref().unwrap().tone, Tone::Warning);
    assert_eq!(harness.screen().edited(), 1);
    assert!(
        harness.screen_text().contains("already-stored"),
        "{}",
        harness.screen_text()
    );
}

#[test]
fn line_of_a_patch_has_an_example_and_its_key_opens_the_preview() {
    let mut harness = received(messages());
    harness.press('p');
    let text = harness.text();
    for expected in ["e.g. .time = ", "⏎ preview"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    harness.code(KeyCode::Esc);
    harness.patch_group();
    harness.press('?');
    assert!(harness.text().contains("Keys of the preview"));
}

#[test]
fn preview_shows_that_a_patch_gives_several_events_one_identity() {
    let mut harness = received(messages());
    harness.code(KeyCode::Tab);
    harness.keys("jp");
    harness.keys("id = \"x2\"");
    harness.code(KeyCode::Enter);
    let ((_, messages), to) = harness.take_last(&PATCH);
    let mut patched = crate::tui::patch::Patched::default();
    for message in messages.iter().take(4) {
        let mut edited = edited(message, &valid_body(1));
        edited.same_identity_as = patched
            .edited
            .first()
            .map(|first: &crate::tui::patch::EditedMessage| first.message_id.clone());
        patched.edited.push(edited);
    }
    harness.reply(to, Ok(patched));
    let text = harness.screen_text();
    for expected in [
        "1 become ready",
        "3 still not ready",
        "4 messages get the same identity /ops/flights / dep-0001",
        "Give each its own id",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn edited_message_is_shown_by_its_new_body_and_its_death_is_past() {
    let mut harness = open(160, 45, environment());
    harness.answer_messages(vec![message(1, Duration::hours(1), "{ no json")]);
    let text = harness.screen_text();
    for expected in [
        "not an event: no type",
        "rejected by the ingest for the same",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    harness.press('e');
    harness.chord(KeyCode::Char('u'), KeyModifiers::CONTROL);
    harness.keys("x");
    keep(&mut harness);
    let ((message, _), to) = harness.take_last(&JUDGE);
    let patched = crate::tui::patch::Patched {
        edited: vec![edited(&message, &valid_body(1))],
        ..Default::default()
    };
    harness.reply(to, Ok(patched));
    let text = harness.screen_text();
    for expected in [
        "● ready when it was edited  the ingest would store it",
        "before the edit, rejected with not-json: ",
        "● ready          flight",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    for gone in ["not an event", "for the same reason", "–  "] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
}

#[test]
fn closed_editor_keeps_nothing() {
    let mut harness = received(messages());
    harness.keys("ex");
    harness.code(KeyCode::Esc);
    assert_eq!(harness.screen().edits.len(), 0);
    assert!(
        harness.notice().contains("without saving"),
        "{}",
        harness.notice()
    );
    harness.press('e');
    keep(&mut harness);
    assert_eq!(harness.count(&JUDGE), 0);
    assert_eq!(harness.notice(), "no changes");
}

#[test]
fn read_only_environment_edits_nothing() {
    let mut harness = open(80, 24, read_only());
    harness.answer_messages(messages());
    for key in ['e', 'p'] {
        harness.press(key);
        assert!(
            harness.notice().contains("read-only"),
            "{}",
            harness.notice()
        );
        assert_eq!(
            harness.model.key_context(),
            KeyContext::Screen(ScreenId::DeadLetters)
        );
    }
}

#[test]
fn everything_that_is_open_is_drawn_at_every_size() {
    let mut search = received(messages());
    search.press('/');
    let mut patch = received(messages());
    patch.patch_group();
    let mut edit = received(messages());
    edit.press('e');
    for harness in [&mut search, &mut patch, &mut edit] {
        let sizes = (0..20).flat_map(|width| (0..12).map(move |height| (width * 7, height)));
        for (width, height) in sizes {
            harness.resize(width, height);
            harness.picture();
        }
    }
}

#[test]
fn text_from_outside_is_judged_and_a_bad_one_stays_in_the_editor() {
    let mut harness = received(vec![message(1, Duration::hours(1), &body_without_time(1))]);
    harness.press('E');
    let sent = harness.editors.pop().unwrap();
    assert!(sent.contains("\n  \"source\": \"crew-app\""), "{sent}");
    harness.send(Msg::EditorEnded(Ok("{ no json".to_owned())));
    assert_eq!(harness.model.key_context(), KeyContext::Editor);
    assert!(
        harness.screen_text().contains("✖ rejected: not-json"),
        "{}",
        harness.screen_text()
    );
    assert_eq!(harness.count(&JUDGE), 0);
    harness.send(Msg::EditorEnded(Ok(valid_body(1))));
    let ((_, new_body), _) = harness.take_last(&JUDGE);
    assert_eq!(new_body, valid_body(1));
}

#[test]
fn missing_editor_leaves_the_built_in_one() {
    let mut harness = received(messages());
    harness.press('E');
    harness.send(Msg::EditorEnded(Err(
        "neither VISUAL nor EDITOR is set".to_owned()
    )));
    assert_eq!(harness.model.key_context(), KeyContext::Editor);
    assert!(harness.notice().contains("neither"), "{}", harness.notice());
}

#[test]
fn quit_asks_while_a_text_is_not_saved_and_the_text_stays() {
    let mut harness = received(vec![message(1, Duration::hours(1), &body_without_time(1))]);
    harness.press('e');
    harness.ctrl('c');
    assert!(harness.model.is_leaving, "nothing was written");

    let mut harness = received(vec![message(1, Duration::hours(1), &body_without_time(1))]);
    harness.keys("ex");
    harness.ctrl('c');
    assert!(!harness.model.is_leaving);
    let text = harness.text();
    let why = "The text in the editor of screen 2 is not saved, and is lost.";
    assert!(text.contains(why), "{text}");
    harness.code(KeyCode::Esc);
    assert_eq!(harness.model.key_context(), KeyContext::Editor);
    assert!(harness.screen_text().contains("x{"));
    harness.ctrl('c');
    harness.ctrl('c');
    assert!(harness.model.is_leaving);
}

#[test]
fn quit_asks_while_a_patch_is_not_accepted() {
    let mut harness = received(messages());
    harness.patch_group();
    harness.ctrl('c');
    assert!(!harness.model.is_leaving);
    let text = harness.text();
    let why = "The patch of 24 messages is not accepted, and is lost.";
    assert!(text.contains(why), "{text}");
    harness.code(KeyCode::Esc);
    assert_eq!(harness.model.key_context(), KeyContext::Patch);
}

/// The journal of a redrive has the edits of what it did not send; a resume, here or elsewhere, sends them.
#[test]
fn edits_that_a_journal_has_are_not_called_lost() {
    let mut harness = received(messages());
    harness.patch_group();
    harness.press('y');
    assert_eq!(harness.screen().unplanned_edits(), 24);
    harness.press('r');
    let (to, draft) = harness.agree();
    let ids: Vec<String> = draft.message_ids().map(str::to_owned).collect();
    assert_eq!(ids.len(), 24);
    let outcomes = ids
        .iter()
        .map(|id| (id.as_str(), MessageOutcome::NotSent, None));
    harness.end_redrive(to, &outcomes.collect::<Vec<_>>());
    assert_eq!(harness.screen().unplanned_edits(), 0);
    harness.press('2');
    harness.press('q');
    assert!(harness.model.is_leaving, "{}", harness.text());
}
