//! Redrives of the past, and one that is resumed.

use super::*;
use crate::tui::testing::{PUBLISH, TEMPLATE, TRACE};
use crate::tui::theme::Tone;
use pipeline::model::Published;
use redrive::Kind;

#[test]
fn interrupted_redrive_is_resumed_and_a_finished_one_is_not() {
    let mut harness = console();
    harness.press('3');
    answer_history(&mut harness, history());
    harness.press('r');
    assert!(
        harness.notice().contains("nothing to resume"),
        "{}",
        harness.notice()
    );
    harness.keys("jr");
    let (journal, to) = harness.take_last(&RESUME);
    assert_eq!(journal.to_str(), Some("/state/redrives/0198-0001.journal"));
    let counts = Counts {
        moved: 100,
        waiting: 300,
        ..Counts::default()
    };

    report(
        &mut harness,
        to.id(),
        Progress {
            journal,
            ..fixtures::progress(400, &[1, 10], counts)
        },
    );
    assert!(harness.text().contains("100 of 400 sent"));
    harness.press('r');
    assert_eq!(harness.count(&RESUME), 0);
}

#[test]
fn selection_stays_on_its_journal_when_others_come() {
    let mut harness = console();
    harness.press('3');
    answer_history(&mut harness, history());
    harness.press('j');
    harness.refresh();
    let mut more = history();
    more.redrives.insert(0, past(9, 3, Counts::default(), None));
    answer_history(&mut harness, more);
    harness.code(KeyCode::Enter);
    let (journal, _) = harness.take_last(&REPORT);
    assert_eq!(journal.to_str(), Some("/state/redrives/0198-0001.journal"));
}

#[test]
fn report_of_another_journal_is_ignored() {
    let mut harness = console();
    harness.press('3');
    answer_history(&mut harness, history());
    harness.code(KeyCode::Enter);
    let (_, first) = harness.take_last(&REPORT);
    harness.code(KeyCode::Esc);
    harness.press('j');
    harness.code(KeyCode::Enter);
    harness.reply(first, Ok(every_outcome()));
    assert!(!harness.text().contains("0004-aaaa"));
    answer_report(&mut harness, every_outcome());
    assert!(harness.text().contains("0004-aaaa"));
}

#[test]
fn ended_redrive_without_proof_is_not_looked_up_and_one_with_messages_left_is_resumable() {
    let mut harness = console();
    harness.press('3');
    let counts = Counts {
        moved: 3,
        not_sent: 2,
        ..Counts::default()
    };
    let history = |counts| Past {
        redrives: vec![past(0, 5, counts, Some(Ending::Finished))],
        ..Past::default()
    };
    answer_history(&mut harness, history(counts));
    harness.code(KeyCode::Enter);
    let text = harness.text();
    for expected in [
        "incomplete: 2 messages left",
        "3 of 5 sent",
        "3 not looked up",
        "2 not sent",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    harness.code(KeyCode::Esc);
    harness.refresh();
    let gone = Counts {
        unsendable: 2,
        ..counts
    };
    answer_history(&mut harness, history(gone));
    harness.press('r');
    assert!(
        harness.notice().contains("nothing to resume"),
        "{}",
        harness.notice()
    );
}

/// A redrive that is being resumed from screen 3.
fn resuming() -> (Harness, ReplyTo<RunEnd>) {
    let mut harness = console();
    harness.press('3');
    answer_history(&mut harness, history());
    harness.keys("jr");
    let (_, to) = harness.take_last(&RESUME);
    (harness, to)
}

#[test]
fn published_event_is_not_searched_among_the_dead_letters_while_a_redrive_is_resumed() {
    let (mut harness, to) = resuming();
    let sought = |harness: &mut Harness| {
        harness.press('s');
        if harness.model.key_context() == crate::tui::keymap::KeyContext::Confirm {
            // It was sent before.
            harness.press('y');
        }
        let published = Published {
            sns_message_id: "2f4c0d8e".to_owned(),
            acknowledged_at: fixtures::now(),
            latency: std::time::Duration::from_millis(41),
        };
        harness.answer(&PUBLISH, Ok(published));
        let (sought, _) = harness.take_last(&TRACE);
        sought.searches_dead_letters
    };
    harness.press('4');
    harness.answer(&TEMPLATE, Ok(fixtures::valid_body(1)));
    assert!(!sought(&mut harness));
    let why = "the dead letters are not searched";
    assert!(harness.screen_text().contains(why), "{}", harness.text());
    harness.reply(to, Ok(fixtures::run_end(&[])));
    assert!(sought(&mut harness));
    assert!(!harness.screen_text().contains(why), "{}", harness.text());
}

#[test]
fn dead_letters_receive_nothing_while_a_redrive_is_resumed_and_do_when_it_ends() {
    let (mut harness, to) = resuming();
    harness.press('2');
    assert_eq!(harness.count(&RECEIVE), 0);
    let why = "a redrive is being resumed: messages are received again when it ends";
    assert!(harness.screen_text().contains(why), "{}", harness.text());
    harness.refresh();
    assert_eq!(harness.notice(), why);
    harness.code(KeyCode::Enter);
    harness.press('D');
    assert_eq!(
        harness.notice(),
        "a redrive or a deletion is in progress already"
    );
    harness.pass(700);
    harness.press('j');
    assert_eq!(harness.count(&RECEIVE), 0);
    harness.reply(to, Ok(fixtures::run_end(&[])));
    assert_eq!(harness.count(&RECEIVE), 1);
    harness.answer_messages(fixtures::messages());
    assert!(!harness.screen_text().contains(why), "{}", harness.text());
}

#[test]
fn end_of_a_resumed_redrive_receives_nothing_for_a_screen_that_is_not_shown() {
    let (mut harness, to) = resuming();
    harness.reply(to, Err(fixtures::fault()));
    assert_eq!(harness.count(&RECEIVE), 0);
    harness.press('2');
    assert_eq!(harness.count(&RECEIVE), 1);
}

#[test]
fn redrive_is_not_resumed_while_a_deletion_has_messages() {
    let mut harness = console();
    harness.keys("Devents-dead-letters");
    harness.code(KeyCode::Enter);
    harness.press('3');
    answer_history(&mut harness, history());
    harness.keys("jr");
    assert_eq!(harness.count(&RESUME), 0);
    assert_eq!(harness.notice(), "a deletion is in progress");
}

#[test]
fn redrive_whose_events_are_not_proved_needs_no_attention() {
    let moved = |moved| Counts {
        moved,
        ..Counts::default()
    };
    let (mut harness, to) = begun();
    let mut end = fixtures::run_end(&[("m", MessageOutcome::Moved, None)]);
    end.report.counts = moved(1);
    end.past.counts = moved(1);
    harness.reply(to, Ok(end));
    let notice = harness.model.notice.as_ref().unwrap();
    assert_eq!(notice.text, "redriven: 1 of 1 sent · 1 not looked up");
    assert_eq!(notice.tone, Tone::Muted);
    assert!(harness.text().contains("○ finished"), "{}", harness.text());

    harness.press('3');
    let unsendable = Counts {
        not_sent: 1,
        unsendable: 1,
        ..moved(4)
    };
    harness.refresh();
    let unsent = Past {
        redrives: vec![past(0, 5, unsendable, Some(Ending::Finished))],
        ..Past::default()
    };
    answer_history(&mut harness, unsent);
    assert!(harness.text().contains("▲ finished"), "{}", harness.text());
}

#[test]
fn numbers_of_the_list_and_the_detail_are_never_cut() {
    let mut harness = console();
    harness.press('3');
    let counts = Counts {
        moved: 12_345,
        stored: 12_300,
        waiting: 55_545,
        ..Counts::default()
    };
    let long = Past {
        redrives: vec![PastRedrive {
            skipped: 1_234,
            ..past(0, 67_890, counts, None)
        }],
        ..Past::default()
    };
    answer_history(&mut harness, long);
    let numbers = |harness: &Harness| {
        let text = harness.screen_text();
        let rows = text.lines().flat_map(|line| line.split('│'));
        let rows: Vec<_> = rows.filter(|row| !row.contains(" journal ")).collect();
        crate::tui::testing::numbers(&rows.join("\n"))
    };
    harness.resize(300, 24);
    let whole = numbers(&harness);
    assert!(
        whole.contains("67,890") && whole.contains("10"),
        "{whole:?}"
    );
    for width in 30..160 {
        harness.resize(width, 24);
        for key in [KeyCode::Enter, KeyCode::Esc] {
            harness.code(key);
            let shown = numbers(&harness);
            assert!(
                shown.is_subset(&whole),
                "{width}: {}",
                harness.screen_text()
            );
        }
    }
}

#[test]
fn redrive_that_another_process_paused_is_shown_as_paused() {
    let counts = Counts {
        moved: 13,
        stored: 10,
        waiting: 30,
        ..Counts::default()
    };
    for (pause, shown) in [
        (None, "● running"),
        (Some(Pause::Operator), "▲ paused"),
        (
            Some(Pause::Redrive("3 failed again".to_owned())),
            "✖ stopped",
        ),
    ] {
        let mut harness = console();
        harness.press('3');
        let other = PastRedrive {
            is_running: true,
            pause,
            ..past(0, 43, counts, None)
        };
        let history = Past {
            redrives: vec![other],
            ..Past::default()
        };
        answer_history(&mut harness, history);
        harness.resize(110, 24);
        let text = harness.screen_text();
        assert!(text.contains(shown), "{text}");
        assert!(text.contains("3 waiting for proof"), "{text}");
        harness.resize(80, 24);
        harness.code(KeyCode::Enter);
        let text = harness.screen_text();
        assert!(text.contains("13 of 43 sent"), "{text}");
        assert!(text.contains("30 not sent yet"), "{text}");
    }
}

#[test]
fn replay_is_told_apart_and_says_what_became_of_its_rest() {
    let counts = Counts {
        moved: 13,
        stored: 13,
        duplicates: 13,
        waiting: 30,
        ..Counts::default()
    };
    let replay = PastRedrive {
        kind: Kind::Replay,
        ..past(0, 43, counts, Some(Ending::Cancelled))
    };
    let mut harness = console();
    harness.press('3');
    let history = Past {
        redrives: vec![replay],
        ..Past::default()
    };
    answer_history(&mut harness, history);
    let text = harness.screen_text();
    assert!(text.contains("replay: 13 of 43 sent"), "{text}");
    harness.code(KeyCode::Enter);
    let text = harness.screen_text();
    for expected in [
        "cancelled: the rest was not published",
        "13 already stored",
        "records through the topic",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    harness.press('r');
    assert_eq!(harness.count(&RESUME), 1, "it is resumed like a redrive");
}

#[test]
fn replay_that_replaces_records_is_told_apart_in_list_and_detail() {
    let counts = Counts {
        moved: 43,
        stored: 43,
        ..Counts::default()
    };
    let replacement = PastRedrive {
        kind: Kind::Replay,
        replaces: 40,
        ..past(0, 43, counts, Some(Ending::Finished))
    };
    let mut harness = console();
    harness.press('3');
    let history = Past {
        redrives: vec![replacement],
        ..Past::default()
    };
    answer_history(&mut harness, history);
    let text = harness.screen_text();
    assert!(text.contains("replacement: 43 of 43 sent"), "{text}");
    harness.code(KeyCode::Enter);
    let text = harness.screen_text();
    for expected in ["─ Replacement of", "replaces 40 records"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn cancelled_redrive_that_another_process_resumes_runs() {
    let counts = Counts {
        moved: 12,
        waiting: 17,
        ..Counts::default()
    };
    let mut harness = console();
    harness.press('3');
    let mut resumed = past(0, 29, counts, Some(Ending::Cancelled));
    resumed.is_running = true;
    let history = Past {
        redrives: vec![resumed],
        ..Past::default()
    };
    answer_history(&mut harness, history);
    harness.resize(160, 45);
    let text = harness.screen_text();
    assert!(text.contains("running: another process runs it"), "{text}");
    assert!(!text.contains("cancelled"), "{text}");
    assert!(!text.contains("resumes at the end"), "{text}");
}

#[test]
fn numbers_of_a_row_add_up_or_say_that_some_are_left_out() {
    let counts = Counts {
        moved: 1,
        dead_again: 1,
        waiting: 28,
        ..Counts::default()
    };
    let known = Counts {
        moved: 16,
        stored: 16,
        duplicates: 16,
        ..Counts::default()
    };
    let mut harness = console();
    harness.press('3');
    let mut replay = past(0, 29, counts, Some(Ending::Cancelled));
    replay.kind = Kind::Replay;
    let history = Past {
        redrives: vec![replay, past(1, 16, known, Some(Ending::Finished))],
        ..Past::default()
    };
    answer_history(&mut harness, history);
    let mut forms = std::collections::BTreeSet::new();
    for width in 50..=200 {
        harness.resize(width, 24);
        let text = harness.screen_text();
        let rows = text.lines().filter_map(|line| line.split('│').next());
        for row in rows.filter(|row| row.contains(" sent")) {
            let parts = row.split(" · ").skip(1);
            let has = |words: &str| parts.clone().any(|part| part.contains(words));
            let is_whole = match row.contains("replay") {
                true => has("failed") && (has("not sent") || has("unsent")),
                false => has("already stored") || has("known"),
            };
            forms.insert(is_whole);
            assert!(is_whole || row.contains('…'), "{width}: {row}");
        }
    }
    assert_eq!(forms.len(), 2, "both forms are seen");
}

#[test]
fn finished_redrive_whose_events_were_not_all_found_can_look_again() {
    let counts = Counts {
        moved: 29,
        stored: 26,
        ..Counts::default()
    };
    let mut harness = console();
    harness.press('3');
    let history = Past {
        redrives: vec![past(0, 29, counts, Some(Ending::Finished))],
        ..Past::default()
    };
    answer_history(&mut harness, history);
    harness.code(KeyCode::Enter);
    let text = harness.screen_text();
    assert!(
        text.contains("3 messages not proved, which a resume"),
        "{text}"
    );
    harness.press('r');
    assert_eq!(harness.count(&RESUME), 1);
}

/// A purge took them meanwhile: nobody knows that they are left.
#[test]
fn messages_that_were_sent_and_not_seen_deleted_are_not_said_to_be_left() {
    let text = |counts: Counts| {
        let mut harness = console();
        harness.press('3');
        let history = Past {
            redrives: vec![past(0, 29, counts, Some(Ending::Finished))],
            ..Past::default()
        };
        answer_history(&mut harness, history);
        harness.code(KeyCode::Enter);
        harness.screen_text()
    };
    let undeleted = Counts {
        moved: 9,
        sent_not_deleted: 20,
        stored: 29,
        ..Counts::default()
    };
    let shown = text(undeleted);
    assert!(
        shown.contains("20 messages not seen deleted, which a resume looks for"),
        "{shown}"
    );
    assert!(!shown.contains("messages left"), "{shown}");
    let shown = text(Counts {
        moved: 8,
        unknown: 1,
        ..undeleted
    });
    assert!(
        shown.contains("1 message left that a resume tries again, 20 not seen deleted"),
        "{shown}"
    );
}

/// By the time of its plan, as after its end.
#[test]
fn redrive_has_one_time_while_it_runs_and_afterwards() {
    let (mut harness, to) = begun();
    let progress = Progress {
        created_at: fixtures::now() + chrono::Duration::seconds(2),
        ..running(Counts::default())
    };
    report(&mut harness, to.id(), progress);
    harness.code(KeyCode::Esc);
    let text = harness.text();
    let row = text.lines().find(|line| line.contains("running"));
    assert!(row.unwrap().contains("12:03:09"), "{text}");
}

#[test]
fn cancelled_redrive_says_what_is_left_of_it() {
    let text_of = |kind, counts| {
        let mut harness = console();
        harness.press('3');
        let redrives = vec![PastRedrive {
            kind,
            ..past(0, 3, counts, Some(Ending::Cancelled))
        }];
        let history = Past {
            redrives,
            ..Past::default()
        };
        answer_history(&mut harness, history);
        harness.code(KeyCode::Enter);
        let text = harness.text();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let text = |counts| text_of(Kind::Redrive, counts);
    let all = text(Counts {
        moved: 3,
        ..Counts::default()
    });
    assert!(
        all.contains("cancelled: everything was sent before"),
        "{all}"
    );
    let some = text(Counts {
        moved: 2,
        waiting: 1,
        ..Counts::default()
    });
    assert!(some.contains("cancelled: the rest was not sent"), "{some}");
    // No answer is no proof that something was sent, nor is a send one that it is deleted.
    let doubtful = text(Counts {
        moved: 1,
        unknown: 2,
        ..Counts::default()
    });
    let expected =
        "cancelled: 2 messages without an answer may have been sent, which a resume looks up";
    assert!(doubtful.contains(expected), "{doubtful}");
    assert!(!doubtful.contains("everything was"), "{doubtful}");
    let undeleted = text(Counts {
        moved: 2,
        sent_not_deleted: 1,
        ..Counts::default()
    });
    let expected = "cancelled: 1 message sent and not seen deleted, which a resume deletes";
    assert!(undeleted.contains(expected), "{undeleted}");
    let replayed = text_of(
        Kind::Replay,
        Counts {
            moved: 3,
            ..Counts::default()
        },
    );
    let expected = "cancelled: everything was published before";
    assert!(replayed.contains(expected), "{replayed}");
}
