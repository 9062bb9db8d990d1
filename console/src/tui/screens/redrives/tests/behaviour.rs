//! What the screen does with keys, answers and time.

use event::Verdict;

use super::*;
use crate::tui::effect::RunControl;
use crate::tui::keymap::KeyContext;
use crate::tui::screen_id::ScreenId;
use crate::tui::theme::Tone;

fn console() -> Harness {
    received(fixtures::messages())
}

/// All 37 messages on their way.
fn begun() -> (Harness, ReplyTo<RunEnd>) {
    let mut harness = console();
    harness.keys("arf");
    let (to, _) = harness.agree();
    answer_history(&mut harness, Past::default());
    (harness, to)
}

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

#[test]
fn second_redrive_cannot_begin_while_one_runs() {
    let (mut harness, _) = begun();
    harness.press('2');
    harness.answer_messages(fixtures::messages());
    harness.keys("ar");
    assert!(!harness.is_reviewing());
    assert!(
        harness.notice().contains("one at a time"),
        "{}",
        harness.notice()
    );
}

#[test]
fn keys_control_the_redrive_and_its_progress_is_shown() {
    let (mut harness, to) = begun();
    let counts = Counts {
        moved: 12,
        stored: 10,
        waiting: 25,
        ..Counts::default()
    };
    report(&mut harness, to.id(), running(counts));
    assert!(harness.text().contains("12 of 37 sent"));
    harness.keys("+- c");
    let id = to.id();
    let expected = [
        (id, RunControl::Rate(Some(50.0))),
        (id, RunControl::Rate(Some(10.0))),
        (id, RunControl::Pause),
        (id, RunControl::Cancel),
    ];
    assert_eq!(harness.controls, expected);
    let command = RunCommand::Pause(Pause::Operator);
    report(
        &mut harness,
        id,
        Progress {
            command,
            ..running(counts)
        },
    );
    assert!(harness.text().contains("paused by you"));
    harness.press(' ');
    assert_eq!(harness.controls.last(), Some(&(id, RunControl::Continue)));
}

#[test]
fn progress_of_another_request_is_ignored() {
    let (mut harness, _) = begun();
    let counts = Counts {
        moved: 30,
        waiting: 7,
        ..Counts::default()
    };
    report(&mut harness, RequestId(9_999), running(counts));
    assert!(harness.text().contains("0 of 37 sent"));
}

#[test]
fn failed_canary_shows_its_reason_and_the_choices() {
    let (mut harness, to) = begun();
    let counts = Counts {
        moved: 1,
        dead_again: 1,
        waiting: 36,
        ..Counts::default()
    };
    let command = RunCommand::Pause(Pause::Redrive(
        "1 of 1 redriven events failed again: not-json".to_owned(),
    ));
    report(
        &mut harness,
        to.id(),
        Progress {
            command,
            ..running(counts)
        },
    );
    let text = harness.text();
    for expected in [
        "1 ✖",
        "failed again: not-json",
        "continues anyway",
        "36 stay",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn rate_is_measured_and_the_time_left_shown() {
    let (mut harness, to) = begun();
    for moved in [2, 7, 12, 17] {
        let counts = Counts {
            moved,
            waiting: 37 - moved,
            ..Counts::default()
        };
        report(&mut harness, to.id(), running(counts));
        harness.now += chrono::Duration::seconds(1);
    }
    harness.tick();
    let text = harness.text();
    assert!(text.contains("3.8/s now, at most 20"), "{text}");
    assert!(text.contains("about 6 s left"), "{text}");
}

#[test]
fn failed_again_is_no_good_news() {
    let mut harness = console();
    harness.keys("ar");
    let (to, _) = harness.agree();
    let mut end = fixtures::run_end(&[]);
    end.report.planned = 3;
    end.report.counts = Counts {
        moved: 3,
        stored: 1,
        dead_again: 2,
        ..Counts::default()
    };
    harness.reply(to, Ok(end));
    assert_eq!(
        harness.notice(),
        "redriven: 3 of 3 sent · 1 stored · 2 failed again"
    );
    assert_eq!(harness.model.notice.as_ref().unwrap().tone, Tone::Bad);
}

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
fn end_is_shown_on_other_screens_too() {
    let (mut harness, to) = begun();
    harness.press('1');
    assert!(
        harness.notice().contains("the redrive continues: 0 of 37"),
        "{}",
        harness.notice()
    );
    harness.reply(to, Ok(fixtures::run_end(&[])));
    assert!(
        harness.notice().contains("redriven"),
        "{}",
        harness.notice()
    );
}

#[test]
fn hints_offer_only_keys_that_do_something() {
    let hints = |harness: &Harness| -> Vec<&'static str> {
        let hints = harness.model.footer().hints.into_iter();
        hints.map(|(_, label)| label).collect()
    };
    let mut harness = console();
    harness.press('3');
    answer_history(&mut harness, history());
    assert!(!hints(&harness).contains(&"pause"));
    assert!(!hints(&harness).contains(&"resume"));
    harness.press('j');
    assert!(hints(&harness).contains(&"resume"));
    let (harness, _) = begun();
    assert!(hints(&harness).contains(&"pause"));
}

fn stopped() -> Progress {
    let counts = Counts {
        moved: 1,
        dead_again: 1,
        waiting: 36,
        ..Counts::default()
    };
    let why = "1 of 1 redriven events failed again: not-json".to_owned();
    Progress {
        command: RunCommand::Pause(Pause::Redrive(why)),
        ..running(counts)
    }
}

#[test]
fn quit_asks_while_a_redrive_is_stopped() {
    let (mut harness, to) = begun();
    report(&mut harness, to.id(), stopped());
    harness.press('q');
    assert!(!harness.model.is_leaving, "nothing is ended unasked");
    let text = harness.text();
    for expected in ["Quit?", "The redrive is stopped: 1 of 37 sent", "y quits"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    harness.code(KeyCode::Esc);
    assert_eq!(
        harness.model.key_context(),
        KeyContext::Screen(ScreenId::Redrives)
    );
    assert!(!harness.model.is_leaving);
    harness.keys("qy");
    assert!(harness.model.is_leaving);
}

#[test]
fn quit_asks_nothing_when_nothing_would_be_lost() {
    let mut harness = console();
    harness.press('3');
    harness.press('q');
    assert!(harness.model.is_leaving);
}

#[test]
fn stopped_redrive_needs_attention_and_is_not_said_to_continue() {
    let (mut harness, to) = begun();
    report(&mut harness, to.id(), stopped());
    harness.press('1');
    let notice = harness.model.notice.as_ref().unwrap();
    assert_eq!(notice.tone, Tone::Bad);
    assert!(
        notice
            .text
            .starts_with("the redrive is stopped: 1 of 37 sent"),
        "{notice:?}"
    );
    let stopped = harness.model.pipeline.stopped_redrive.clone();
    assert_eq!(
        stopped.as_deref(),
        Some("the redrive is stopped: 1 of 37 sent: 1 of 1 redriven events failed again: not-json")
    );
    let findings = crate::tui::health::findings(
        &harness.model.pipeline,
        &harness.model.environment,
        harness.now,
    );
    let finding = findings
        .iter()
        .find(|finding| finding.screen == Some(ScreenId::Redrives));
    assert_eq!(finding.unwrap().tone, Tone::Warning);
    harness.reply(to, Ok(fixtures::run_end(&[])));
    assert_eq!(harness.model.pipeline.stopped_redrive, None);
}

#[test]
fn wait_has_a_countdown_and_no_time_until_the_last_message() {
    let (mut harness, to) = begun();
    for moved in [2, 7, 12, 17] {
        let counts = Counts {
            moved,
            waiting: 37 - moved,
            ..Counts::default()
        };
        report(&mut harness, to.id(), running(counts));
        harness.now += chrono::Duration::seconds(1);
    }
    let counts = Counts {
        moved: 17,
        stored: 3,
        waiting: 20,
        ..Counts::default()
    };
    let until = harness.now + chrono::Duration::seconds(90);
    let waits = [
        (
            Wait::Proof { until },
            "waiting for proof, 1 min 30 s at most",
        ),
        (
            Wait::Messages { missing: 3, until },
            "waiting for 3 messages that other consumers have received, 1 min 30 s",
        ),
    ];
    for (wait, expected) in waits {
        let progress = Progress {
            wait: Some(wait),
            ..running(counts)
        };
        report(&mut harness, to.id(), progress);
        let text = harness.text();
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains(" left"), "{text}");
    }
    harness.now += chrono::Duration::seconds(60);
    harness.tick();
    assert!(
        harness.text().contains("30 s at most"),
        "{}",
        harness.text()
    );
}

#[test]
fn one_set_of_words_counts_what_was_sent_and_what_was_proved() {
    let (mut harness, to) = begun();
    let counts = Counts {
        moved: 30,
        stored: 1,
        not_sent: 2,
        waiting: 5,
        ..Counts::default()
    };
    report(&mut harness, to.id(), running(counts));
    let text = harness.text();
    let words = [
        "30 of 37 sent",
        "1 stored",
        "29 waiting for proof",
        "2 not sent",
        "5 not sent yet",
    ];
    for expected in words {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    for wrong in ["done", "all sent", "pending", "moved"] {
        assert!(!text.contains(wrong), "{wrong}: {text}");
    }
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

#[test]
fn question_whether_to_quit_is_drawn_at_every_size() {
    let (mut harness, to) = begun();
    report(&mut harness, to.id(), stopped());
    harness.press('q');
    for (width, height) in [(0, 0), (1, 1), (2, 40), (12, 3), (40, 10), (300, 2)] {
        harness.resize(width, height);
        harness.picture();
    }
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
