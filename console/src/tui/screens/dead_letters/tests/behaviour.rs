//! What the screen does with keys, clicks and the ends of redrives.

use super::fixtures::*;
use super::*;
use crate::tui::layout::frame;
use crate::tui::message::Msg;
use crate::tui::screens::dead_letters::groups::Grouping;
use crate::tui::theme::Tone;
use event::{NamedRecord, RecordId, StoredInstead, Verdict};
use redrive::{Counts, MessageOutcome};

#[test]
fn group_filters_the_messages_and_escape_lists_all() {
    let mut harness = received(messages());
    harness.code(KeyCode::Tab);
    harness.press('j');
    assert_eq!(harness.screen().listed.len(), 25);
    harness.keys("jj");
    assert_eq!(harness.screen().listed.len(), 4);
    assert!(
        harness
            .screen_text()
            .contains("refused-by-database /data/passengers/*/name")
    );
    harness.code(KeyCode::Esc);
    assert_eq!(harness.screen().listed.len(), 37);
}

#[test]
fn copy_copies_the_body_unchanged() {
    let body = "MQTT\u{0}\u{1b}[2J";
    let mut harness = received(vec![message(1, Duration::hours(1), body)]);
    harness.press('y');
    assert_eq!(harness.copied, [body]);
}

#[test]
fn clicks_select_and_a_second_click_opens() {
    let mut harness = received(messages());
    let parts = harness.screen().parts(frame(harness.model.area).body);
    harness.click(3, parts.messages.y + 2);
    assert_eq!(harness.screen().message_list.selected, 2);
    assert!(!harness.screen().is_detail_open);
    harness.click(3, parts.messages.y + 2);
    assert!(harness.screen().is_detail_open);
    harness.code(KeyCode::Esc);
    harness.click(3, parts.groups.y + 1);
    assert_eq!(harness.screen().listed.len(), 25);
}

/// Heights and widths at which the layout changes, with their neighbours: nothing to draw, lists
/// above each other, two columns.
const BREAKPOINTS: [&[u16]; 2] = [
    &[0, 1, 2, 3, 29, 30, 48, 49, 79, 80, 119, 120, 121, 300],
    &[0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 16, 24, 36, 100],
];

/// All widths at one height, all heights at one width, and every pair of breakpoints: a row or a
/// column is only ever lost at one of them, so that other sizes draw nothing new.
fn sizes() -> impl Iterator<Item = (u16, u16)> {
    let [widths, heights] = BREAKPOINTS;
    let grid = widths
        .iter()
        .flat_map(|width| heights.iter().map(|height| (*width, *height)));
    let wide = (0..=125).map(|width| (width, 24));
    let high = (0..=60).map(|height| (80, height));
    grid.chain(wide).chain(high)
}

#[test]
fn every_size_is_drawn_and_survives_keys() {
    let mut harness = received(messages());
    for (width, height) in sizes() {
        harness.resize(width, height);
        harness.screen_picture();
        harness.code(KeyCode::Tab);
        harness.code(KeyCode::PageDown);
        harness.screen_picture();
        harness.code(KeyCode::Tab);
        harness.code(KeyCode::Enter);
        harness.keys("JJJ");
        harness.screen_picture();
        harness.code(KeyCode::Esc);
        harness.press('r');
        harness.screen_picture();
        harness.code(KeyCode::Esc);
    }
}

#[test]
fn selection_stays_visible_on_a_very_small_terminal() {
    let mut harness = received(messages());
    harness.resize(40, 10);
    for _ in 0..37 {
        assert!(
            harness.screen_text().contains("▸ "),
            "{}",
            harness.screen_text()
        );
        harness.press('j');
    }
}

#[test]
fn two_thousand_messages_scroll_to_the_last() {
    let many = (0..2_000)
        .map(|n| message(n, Duration::hours(1), &body_without_time(n)))
        .collect();
    let mut harness = received(many);
    for _ in 0..200 {
        harness.code(KeyCode::PageDown);
        harness.screen_picture();
    }
    assert_eq!(harness.screen().message_list.selected, 1_999);
    assert!(
        harness.screen_text().contains("2,000 / 2,000"),
        "{}",
        harness.screen_text()
    );
}

fn ids(draft: &Draft) -> Vec<String> {
    let messages = draft.messages.iter();
    messages
        .map(|draft| draft.message.message_id.clone())
        .collect()
}

#[test]
fn moved_messages_leave_and_the_others_stay_with_their_note() {
    let mut harness = received(messages());
    harness.keys("ar");
    let (to, draft) = harness.agree();
    harness.press('2');
    harness.answer_messages(messages());
    let ids = ids(&draft);
    harness.end_redrive(
        to,
        &[
            (&ids[0], MessageOutcome::Moved, None),
            (
                &ids[1],
                MessageOutcome::SentNotDeleted,
                Some("receipt expired"),
            ),
            (&ids[2], MessageOutcome::NotSent, Some("throttled")),
        ],
    );
    assert_eq!(
        harness.notice(),
        "redriven: 2 of 3 sent · 1 stored · 1 not proved · 1 of these not seen deleted · 1 not sent"
    );
    assert_eq!(harness.screen().messages.len(), 36);
    assert_eq!(harness.screen().notes.len(), 2);
    let is_there = |message: &DeadLetter| message.message_id == ids[0];
    assert!(!harness.screen().messages.iter().any(is_there));
}

#[test]
fn failed_redrive_keeps_its_messages_and_shows_that_their_outcome_is_unknown() {
    let mut harness = received(messages());
    harness.keys("ar");
    let (to, _) = harness.agree();
    harness.send(Msg::Progress(
        to.id(),
        Box::new(progress(3, &[], Counts::default())),
    ));
    harness.press('2');
    harness.reply(to, Err(fault()));
    assert_eq!(harness.screen().messages.len(), 3);
    assert_eq!(harness.screen().notes.len(), 3);
    assert_eq!(harness.model.notice.as_ref().unwrap().tone, Tone::Bad);
}

#[test]
fn redrive_that_never_began_leaves_no_note() {
    let mut harness = received(messages());
    harness.keys("ar");
    let (to, _) = harness.agree();
    harness.press('2');
    harness.reply(to, Err(fault()));
    assert_eq!(harness.screen().notes.len(), 0);
    assert!(
        harness.notice().contains("nothing was sent"),
        "{}",
        harness.notice()
    );
}

#[test]
fn messages_of_a_redrive_stay_until_it_ends_and_the_others_are_released() {
    let mut harness = received(messages());
    harness.keys("ar");
    assert_eq!(harness.count(&RELEASE), 0);
    let (to, draft) = harness.agree();
    assert_eq!(harness.count(&RELEASE), 1);
    assert_eq!(harness.ids().len(), 3);
    // The redrive itself extends them.
    harness.pass(151);
    assert_eq!(harness.count(&EXTEND), 0);
    let ids = ids(&draft);
    harness.end_redrive(
        to,
        &[
            (&ids[0], MessageOutcome::Moved, None),
            (&ids[1], MessageOutcome::Moved, None),
            (&ids[2], MessageOutcome::NotSent, Some("throttled")),
        ],
    );
    assert_eq!(harness.count(&RELEASE), 2);
    assert_eq!(harness.ids(), Vec::<String>::new());
}

#[test]
fn messages_of_a_redrive_that_waits_stay_in_the_list_and_are_kept_when_it_ends() {
    let mut harness = received(messages());
    harness.keys("ar");
    let (to, draft) = harness.agree();
    // It is paused for longer than a visibility timeout; the screen is shown meanwhile.
    harness.pass(400);
    harness.press('2');
    harness.answer_messages(Vec::new());
    assert_eq!(harness.screen().messages.len(), 3);
    let ids = ids(&draft);
    let not_sent = |id| (id, MessageOutcome::NotSent, Some("cancelled"));
    let outcomes = [not_sent(&*ids[0]), not_sent(&*ids[1]), not_sent(&*ids[2])];
    harness.end_redrive(to, &outcomes);
    assert_eq!(harness.screen().messages.len(), 3);
    harness.pass(1);
    assert_eq!(harness.count(&EXTEND), 1);
}

#[test]
fn messages_stay_received_while_their_plan_is_looked_at_and_stay_when_it_is_dropped() {
    let mut harness = received(messages());
    harness.keys("ar");
    harness.pass(151);
    assert_eq!(harness.count(&EXTEND), 1);
    harness.code(KeyCode::Esc);
    assert_eq!(harness.count(&RELEASE), 0);
    assert_eq!(harness.screen().messages.len(), 37);
    assert_eq!(harness.screen().marks.len(), 37);
    assert_eq!(harness.count(&RECEIVE), 0);
}

#[test]
fn redrive_means_the_marked_then_the_group_then_the_selected_message() {
    let scope = |keys: &str, tab: bool| {
        let mut harness = received(messages());
        if tab {
            harness.code(KeyCode::Tab);
        }
        harness.keys(keys);
        let text = harness.text();
        let scope = text.lines().find(|line| line.contains(" From ")).unwrap();
        scope.trim().to_owned()
    };
    assert_eq!(scope("  r", false), "From the marked messages.");
    assert_eq!(scope("jr", true), "From the group missing-attribute /time.");
    assert_eq!(scope("r", true), "From all listed messages.");
    assert_eq!(scope("r", false), "From the selected message.");
}

#[test]
fn read_only_environment_reports_it_and_asks_nothing() {
    let mut harness = open(80, 24, read_only());
    harness.answer_messages(messages());
    harness.keys("ar");
    assert_eq!(harness.notice(), "demo is read-only: no redrives");
    assert!(!harness.is_reviewing());
}

#[test]
fn hints_are_only_of_keys_that_do_something_without_messages() {
    let hints = |harness: &Harness| -> Vec<String> {
        let hints = harness.model.footer().hints.into_iter();
        hints.map(|(_, label)| label.into_owned()).collect()
    };
    let mut harness = open(80, 24, environment());
    assert_eq!(hints(&harness), ["refresh"]);
    harness.answer_messages(Vec::new());
    assert_eq!(hints(&harness), ["receive", "refresh"]);
    harness.refresh();
    harness.answer_messages(messages());
    for expected in ["mark", "redrive this one", "open", "edit"] {
        assert!(hints(&harness).contains(&expected.to_owned()), "{expected}");
    }
}

#[test]
fn release_while_receiving_ends_that_and_counts_no_messages() {
    let mut harness = open(80, 24, environment());
    harness.press('R');
    assert_eq!(harness.count(&RELEASE), 1);
    let text = harness.screen_text();
    assert!(text.contains("receiving ended at 12:03:07 UTC"), "{text}");
    assert!(!text.contains("0 messages"), "{text}");
}

#[test]
fn release_of_messages_that_are_all_being_redriven_says_so() {
    let mut harness = received(messages());
    harness.keys("arf");
    harness.agree();
    harness.press('2');
    harness.answer_messages(Vec::new());
    let releases = harness.count(&RELEASE);
    harness.press('R');
    assert_eq!(harness.count(&RELEASE), releases);
    assert_eq!(
        harness.notice(),
        "all messages are being redriven or deleted"
    );
}

#[test]
fn search_without_messages_says_that_there_are_none() {
    let mut harness = open(80, 24, environment());
    harness.answer_messages(Vec::new());
    harness.press('/');
    assert_eq!(harness.notice(), "no messages to search");
    let context = KeyContext::Screen(crate::tui::screen_id::ScreenId::DeadLetters);
    assert_eq!(harness.model.key_context(), context);
}

#[test]
fn numbers_of_the_titles_are_never_cut() {
    let mut harness = open(300, 24, environment());
    let many = (0..1_234)
        .map(|n| message(n, Duration::hours(1), "{}"))
        .collect();
    harness.answer_messages(many);
    harness.press('G');
    let titles = |harness: &Harness| {
        let text = harness.screen_text();
        let is_title = |line: &&str| line.contains(['─', '━']);
        let rows = text.lines().filter(is_title);
        // How many rows a detail has depends on the width.
        let rows = rows.map(|line| line.split("J K scroll").next().unwrap_or_default());
        rows.collect::<Vec<_>>().join("\n")
    };
    let whole = crate::tui::testing::numbers(&titles(&harness));
    assert!(whole.contains("1,234"), "{whole:?}");
    for width in 20..160 {
        harness.resize(width, 24);
        let text = harness.screen_text();
        let first = text.lines().find(|line| line.contains(" received"));
        let first = first.unwrap();
        let is_whole = |number: &String| ["1,234", "10"].contains(&number.as_str());
        let numbers = crate::tui::testing::numbers(first);
        assert!(numbers.iter().all(is_whole), "{width}: {first}");
        for key in [KeyCode::Enter, KeyCode::Esc] {
            harness.code(key);
            let shown = titles(&harness);
            let numbers = crate::tui::testing::numbers(&shown);
            assert!(numbers.is_subset(&whole), "{width}: {shown}");
        }
    }
}

#[test]
fn keys_that_redrive_and_patch_show_which_messages_they_mean() {
    let mut harness = open(160, 45, environment());
    harness.answer_messages(messages());
    let hints = |harness: &Harness| {
        let text = harness.text();
        text.lines().last().unwrap_or_default().to_owned()
    };
    let first = hints(&harness);
    for expected in ["r redrive this one", "p patch all 37"] {
        assert!(first.contains(expected), "{expected}: {first}");
    }
    harness.code(KeyCode::Tab);
    harness.press('j');
    let group = harness.screen().listed.len();
    let expected = format!("r redrive this group ({group})");
    assert!(hints(&harness).contains(&expected), "{}", hints(&harness));
    harness.press('a');
    let marked = format!("r redrive {group} marked");
    assert!(hints(&harness).contains(&marked), "{}", hints(&harness));
}

#[test]
fn notice_of_an_earlier_action_ends_with_the_next_one_and_not_with_a_look() {
    let mut harness = received(messages());
    harness.keys("ar");
    harness.answer_dry_run();
    harness.code(KeyCode::Esc);
    assert_eq!(harness.notice(), "nothing was sent");
    harness.press('j');
    assert_eq!(harness.notice(), "nothing was sent");
    harness.press('r');
    assert_eq!(harness.notice(), "");
}

/// `dlq group` and the screen are about the same groups.
#[test]
fn groups_are_those_of_the_command() {
    let mut messages = messages();
    for (number, body) in ["{ no json", "plain text", "{\"specversion\""]
        .iter()
        .enumerate()
    {
        messages.push(message(100 + number, Duration::hours(1), body));
    }
    let mut groups = redrive::triage::Groups::new(now());
    messages.iter().for_each(|message| groups.add(message));
    let of_command = groups.into_sorted().into_iter();
    let of_command: Vec<_> = of_command
        .map(|group| (group.key, group.messages))
        .collect();
    let harness = received(messages);
    let of_screen = harness.screen().grouping.groups.iter();
    let of_screen: Vec<_> = of_screen
        .map(|group| (group.key.clone(), group.messages))
        .collect();
    assert_eq!(of_screen, of_command);
    let not_json = |(key, _): &&(redrive::triage::GroupKey, usize)| key.cause == "not-json";
    assert!(
        of_screen.iter().filter(not_json).count() > 1,
        "{of_screen:?}"
    );
}

#[test]
fn group_has_the_ages_of_what_the_search_found() {
    let messages = [(1, 130), (2, 70), (3, 6)];
    let messages: Vec<_> = messages
        .iter()
        .map(|(number, minutes)| message(*number, Duration::minutes(*minutes), "{ no json"))
        .collect();
    let of = |found: &[usize]| {
        let is_found = |message: &DeadLetter| {
            let all = messages
                .iter()
                .position(|one| one.message_id == message.message_id);
            found.contains(&all.unwrap())
        };
        Grouping::of(&messages, now(), is_found, |_| true)
            .groups
            .remove(0)
    };
    let ages = |found: &[usize]| {
        let (first, last) = of(found).sent_at;
        ((now() - first).num_minutes(), (now() - last).num_minutes())
    };
    assert_eq!(ages(&[0, 1, 2]), (130, 6));
    assert_eq!(ages(&[1]), (70, 70));
    assert_eq!((of(&[1]).trend.sign(), of(&[2]).trend.sign()), ("↓", "↑"));
}

/// Its identity is stored, as that of a duplicate is.
#[test]
fn verdict_of_a_message_that_replaces_names_the_record() {
    let shown = |change: fn(&mut DeadLetter)| {
        let mut message = stored(message(1, Duration::minutes(1), &valid_body(1)));
        message.replaces = Some(NamedRecord::Record(RecordId(17)));
        change(&mut message);
        let mut harness = open(220, 45, environment());
        harness.answer_messages(vec![message]);
        harness.screen_text()
    };
    let ready = shown(|message| message.verdict = Verdict::Ready);
    let expected = "ready  replaces record 17, if the ingest permits it";
    assert!(ready.contains(expected), "{ready}");
    let same = shown(|_| {});
    let expected = "already-stored  replaces record 17: record 1204554 has its text already";
    assert!(same.contains(expected), "{same}");
    let stale = shown(|message| {
        message.verdict = Verdict::StillInvalid;
        let instead = StoredInstead::Other(RecordId(18));
        message.failure = Some(event::stale_replacement(RecordId(17), instead).into());
    });
    let expected = "still-invalid  replacement-stale: it replaces record 17, and record 18";
    assert!(stale.contains(expected), "{stale}");
}

/// The ledger was asked then; it may know the event by now.
#[test]
fn ready_has_the_time_of_its_verdict() {
    let body = valid_body(1);
    let mut harness = open(160, 45, environment());
    harness.answer_messages(vec![message(1, Duration::hours(1), &body)]);
    let at = (now() - Duration::seconds(20)).format("%H:%M:%S");
    let text = harness.screen_text();
    let expected = format!("● ready at {at} UTC  the ingest would store it");
    assert!(text.contains(&expected), "{expected}: {text}");
}
