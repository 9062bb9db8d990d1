//! What the screen does with keys, answers and time.

use crossterm::event::KeyCode;
use event::Verdict;

use super::*;
use crate::tui::keymap::Context;
use crate::tui::message::{RequestId, Steering, Tone};
use crate::tui::screens::ScreenId;

fn is_redrive(request: &Request) -> bool {
    matches!(request, Request::Redrive(_))
}

fn holding() -> Harness {
    Harness::holding(fixtures::messages())
}

/// All 37 messages on their way.
fn begun() -> (Harness, (RequestId, Request)) {
    let mut harness = holding();
    harness.keys("arf");
    let (question, _) = harness.agree();
    answer_history(&mut harness, Past::default());
    (harness, question)
}

#[test]
fn only_ready_messages_are_sent_and_the_rest_needs_another_key() {
    let mut harness = holding();
    harness.keys("ar");
    assert_eq!(harness.model.context(), Context::Plan);
    let (_, draft) = harness.agree();
    assert_eq!((draft.messages.len(), draft.skipped.len()), (3, 34));
    let is_ready =
        |draft: &crate::tui::redrives::DraftMessage| draft.message.verdict == Verdict::Ready;
    assert!(draft.messages.iter().all(is_ready));

    let mut harness = holding();
    harness.keys("arf");
    let (_, draft) = harness.agree();
    assert_eq!((draft.messages.len(), draft.skipped.len()), (37, 0));
}

#[test]
fn nothing_is_sent_when_the_plan_is_backed_out_of() {
    for key in [KeyCode::Esc, KeyCode::Char('n')] {
        let mut harness = holding();
        harness.keys("ar");
        harness.answer_dry_run();
        harness.code(key);
        assert_eq!(harness.count(is_redrive), 0);
        assert_eq!(harness.model.screen, ScreenId::DeadLetters);
        assert_eq!(notice(&harness), "nothing was sent");
    }
}

#[test]
fn nothing_is_sent_before_its_dry_run_has_ended() {
    let mut harness = holding();
    harness.keys("ary");
    assert_eq!(harness.count(is_redrive), 0);
    harness.answer_dry_run();
    // Another selection is another dry run; the answer to the first one does not count for it.
    harness.keys("fy");
    assert_eq!(harness.count(is_redrive), 0);
    harness.agree();
}

#[test]
fn failed_dry_run_is_said_and_tried_again() {
    let mut harness = holding();
    harness.keys("ar");
    let question = harness.take(|request| matches!(request, Request::DryRun(_)));
    harness.reply(&question, Err(fixtures::fault()));
    assert!(harness.whole_text().contains("dry run failed"));
    harness.refresh();
    harness.agree();
}

#[test]
fn messages_that_come_while_the_plan_is_open_are_not_sent() {
    let mut harness = holding();
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
    let mut harness = Harness::holding(vec![fixtures::message(
        1,
        chrono::Duration::hours(1),
        &body,
    )]);
    harness.key('r');
    harness.answer_dry_run();
    harness.key('y');
    assert_eq!(harness.count(is_redrive), 0);
    assert!(notice(&harness).contains("none of them is ready"));
    harness.key('f');
    assert_eq!(harness.agree().1.messages.len(), 1);
}

#[test]
fn rate_canary_and_reason_go_into_the_plan() {
    let mut harness = holding();
    harness.keys("arf");
    harness.keys("--+tw");
    assert_eq!(harness.model.context(), Context::Input);
    harness.keys("crew-app 2.3 forgets time");
    harness.code(KeyCode::Enter);
    let (_, draft) = harness.agree();
    assert_eq!(draft.rate_per_sec, Some(500.0));
    assert_eq!(draft.canary_steps, [1, 5, 20]);
    assert_eq!(draft.reason.as_deref(), Some("crew-app 2.3 forgets time"));
}

#[test]
fn production_takes_no_redrive_without_a_reason() {
    let mut harness = Harness::open(80, 24, fixtures::production());
    harness.answer_messages(fixtures::messages());
    harness.keys("ar");
    harness.answer_dry_run();
    harness.key('y');
    assert_eq!(harness.count(is_redrive), 0);
    assert_eq!(harness.model.context(), Context::Input);
    harness.keys("why");
    harness.code(KeyCode::Enter);
    let (_, draft) = harness.agree();
    assert_eq!(draft.reason.as_deref(), Some("why"));
}

#[test]
fn what_the_environment_forbids_is_said_before_it_is_tried() {
    let mut harness = holding();
    harness.keys("ar");
    let question = harness.take(|request| matches!(request, Request::DryRun(_)));
    let dry = crate::tui::redrives::DryRun {
        refusal: Some(fixtures::fault()),
        ..crate::tui::redrives::DryRun::default()
    };
    harness.reply(&question, Ok(Answer::DryRun(dry)));
    harness.key('y');
    assert_eq!(harness.count(is_redrive), 0);
    assert!(notice(&harness).contains("refused"), "{}", notice(&harness));
}

#[test]
fn second_redrive_cannot_begin_while_one_runs() {
    let (mut harness, _) = begun();
    harness.key('2');
    harness.answer_messages(fixtures::messages());
    harness.keys("ar");
    assert!(!harness.model.redrives.is_reviewing());
    assert!(
        notice(&harness).contains("a redrive runs"),
        "{}",
        notice(&harness)
    );
}

#[test]
fn keys_steer_the_redrive_and_what_it_tells_is_shown() {
    let (mut harness, question) = begun();
    let counts = Counts {
        moved: 12,
        stored: 10,
        waiting: 25,
        ..Counts::default()
    };
    tell(&mut harness, question.0, running(counts));
    assert!(harness.whole_text().contains("12 of 37 done"));
    harness.keys("+- c");
    let id = question.0;
    let expected = [
        (id, Steering::Rate(Some(50.0))),
        (id, Steering::Rate(Some(10.0))),
        (id, Steering::Pause),
        (id, Steering::Cancel),
    ];
    assert_eq!(harness.steered, expected);
    let command = RunCommand::Pause("paused by you".to_owned());
    tell(
        &mut harness,
        id,
        Progress {
            command,
            ..running(counts)
        },
    );
    assert!(harness.whole_text().contains("paused by you"));
    harness.key(' ');
    assert_eq!(harness.steered.last(), Some(&(id, Steering::GoOn)));
}

#[test]
fn progress_of_another_request_is_ignored() {
    let (mut harness, _) = begun();
    let counts = Counts {
        moved: 30,
        waiting: 7,
        ..Counts::default()
    };
    tell(&mut harness, RequestId(9_999), running(counts));
    assert!(harness.whole_text().contains("0 of 37 done"));
}

#[test]
fn failed_canary_shows_its_reason_and_the_choices() {
    let (mut harness, question) = begun();
    let counts = Counts {
        moved: 1,
        dead_again: 1,
        waiting: 36,
        ..Counts::default()
    };
    let command = RunCommand::Pause("1 of 1 redriven events failed again: not-json".to_owned());
    tell(
        &mut harness,
        question.0,
        Progress {
            command,
            ..running(counts)
        },
    );
    let text = harness.whole_text();
    for wanted in [
        "1 ✖",
        "failed again: not-json",
        "goes on all the same",
        "36 stay",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

#[test]
fn rate_is_measured_and_the_time_left_told() {
    let (mut harness, question) = begun();
    for moved in [2, 7, 12, 17] {
        let counts = Counts {
            moved,
            waiting: 37 - moved,
            ..Counts::default()
        };
        tell(&mut harness, question.0, running(counts));
        harness.now += chrono::Duration::seconds(1);
    }
    harness.send(Msg::Tick);
    let text = harness.whole_text();
    assert!(text.contains("3.8/s now, at most 20"), "{text}");
    assert!(text.contains("about 6 s left"), "{text}");
}

#[test]
fn dead_again_is_no_good_news() {
    let mut harness = holding();
    harness.keys("ar");
    let (question, _) = harness.agree();
    let mut end = fixtures::run_end(&[]);
    end.report.planned = 3;
    end.report.counts = Counts {
        moved: 3,
        stored: 1,
        dead_again: 2,
        ..Counts::default()
    };
    harness.reply(&question, Ok(Answer::Redriven(Box::new(end))));
    assert_eq!(
        notice(&harness),
        "redriven: 3 of 3 moved · 1 stored · 2 dead again"
    );
    assert_eq!(harness.model.notice.as_ref().unwrap().tone, Tone::Bad);
}

#[test]
fn interrupted_redrive_is_resumed_and_a_finished_one_is_not() {
    let mut harness = holding();
    harness.key('3');
    answer_history(&mut harness, history());
    harness.key('r');
    assert!(
        notice(&harness).contains("nothing is left"),
        "{}",
        notice(&harness)
    );
    harness.keys("jr");
    let (id, request) = harness.take(|request| matches!(request, Request::ResumeRedrive(_)));
    let expected = Request::ResumeRedrive("/state/redrives/0198-0001.journal".into());
    assert_eq!(request, expected);
    let counts = Counts {
        moved: 100,
        waiting: 300,
        ..Counts::default()
    };
    let journal = "/state/redrives/0198-0001.journal".into();
    tell(
        &mut harness,
        id,
        Progress {
            journal,
            ..fixtures::progress(400, &[1, 10], counts)
        },
    );
    assert!(harness.whole_text().contains("100 of 400 done"));
    harness.key('r');
    assert_eq!(
        harness.count(|request| matches!(request, Request::ResumeRedrive(_))),
        0
    );
}

#[test]
fn selection_stays_on_its_journal_when_others_come() {
    let mut harness = holding();
    harness.key('3');
    answer_history(&mut harness, history());
    harness.key('j');
    harness.refresh();
    let mut more = history();
    more.redrives.insert(0, past(9, 3, Counts::default(), None));
    answer_history(&mut harness, more);
    harness.code(KeyCode::Enter);
    let (_, request) = harness.take(|request| matches!(request, Request::RedriveReport(_)));
    let expected = Request::RedriveReport("/state/redrives/0198-0001.journal".into());
    assert_eq!(request, expected);
}

#[test]
fn report_of_another_journal_is_ignored() {
    let mut harness = holding();
    harness.key('3');
    answer_history(&mut harness, history());
    harness.code(KeyCode::Enter);
    let first = harness.take(|request| matches!(request, Request::RedriveReport(_)));
    harness.code(KeyCode::Esc);
    harness.key('j');
    harness.code(KeyCode::Enter);
    harness.reply(&first, Ok(Answer::RedriveReport(Box::new(every_outcome()))));
    assert!(!harness.whole_text().contains("0004-aaaa"));
    answer_report(&mut harness, every_outcome());
    assert!(harness.whole_text().contains("0004-aaaa"));
}

#[test]
fn end_is_told_on_other_screens_too() {
    let (mut harness, question) = begun();
    harness.key('1');
    assert!(
        notice(&harness).contains("the redrive goes on: 0 of 37"),
        "{}",
        notice(&harness)
    );
    harness.reply(
        &question,
        Ok(Answer::Redriven(Box::new(fixtures::run_end(&[])))),
    );
    assert!(
        notice(&harness).contains("redriven"),
        "{}",
        notice(&harness)
    );
}

#[test]
fn hints_offer_only_keys_that_do_something() {
    let hints = |harness: &Harness| -> Vec<&'static str> {
        crate::tui::keymap::hints(harness.model.context())
            .into_iter()
            .filter_map(|hint| harness.model.hint_label(hint))
            .collect()
    };
    let mut harness = holding();
    harness.key('3');
    answer_history(&mut harness, history());
    assert!(!hints(&harness).contains(&"pause"));
    assert!(!hints(&harness).contains(&"resume"));
    harness.key('j');
    assert!(hints(&harness).contains(&"resume"));
    let (harness, _) = begun();
    assert!(hints(&harness).contains(&"pause"));
}
