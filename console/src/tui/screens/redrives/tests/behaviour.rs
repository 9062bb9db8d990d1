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

fn holding() -> Desk {
    Desk::holding(fixtures::letters())
}

/// All 37 letters on their way.
fn begun() -> (Desk, (RequestId, Request)) {
    let mut desk = holding();
    desk.keys("arf");
    let (question, _) = desk.agree();
    answer_history(&mut desk, Past::default());
    (desk, question)
}

#[test]
fn only_ready_letters_are_sent_and_the_rest_needs_another_key() {
    let mut desk = holding();
    desk.keys("ar");
    assert_eq!(desk.model.context(), Context::Plan);
    let (_, draft) = desk.agree();
    assert_eq!((draft.letters.len(), draft.skipped.len()), (3, 34));
    let is_ready =
        |draft: &crate::tui::redrives::DraftLetter| draft.letter.verdict == Verdict::Ready;
    assert!(draft.letters.iter().all(is_ready));

    let mut desk = holding();
    desk.keys("arf");
    let (_, draft) = desk.agree();
    assert_eq!((draft.letters.len(), draft.skipped.len()), (37, 0));
}

#[test]
fn nothing_is_sent_when_the_plan_is_backed_out_of() {
    for key in [KeyCode::Esc, KeyCode::Char('n')] {
        let mut desk = holding();
        desk.keys("ar");
        desk.answer_dry_run();
        desk.code(key);
        assert_eq!(desk.count(is_redrive), 0);
        assert_eq!(desk.model.screen, ScreenId::DeadLetters);
        assert_eq!(notice(&desk), "nothing was sent");
    }
}

#[test]
fn nothing_is_sent_before_its_dry_run_has_ended() {
    let mut desk = holding();
    desk.keys("ary");
    assert_eq!(desk.count(is_redrive), 0);
    desk.answer_dry_run();
    // Another selection is another dry run; the answer to the first one does not count for it.
    desk.keys("fy");
    assert_eq!(desk.count(is_redrive), 0);
    desk.agree();
}

#[test]
fn failed_dry_run_is_said_and_tried_again() {
    let mut desk = holding();
    desk.keys("ar");
    let question = desk.take(|request| matches!(request, Request::DryRun(_)));
    desk.reply(&question, Err(fixtures::fault()));
    assert!(desk.whole_text().contains("dry run failed"));
    desk.refresh();
    desk.agree();
}

#[test]
fn letters_that_come_while_the_plan_is_open_are_not_sent() {
    let mut desk = holding();
    desk.refresh();
    desk.keys("arf");
    let body = fixtures::valid_body(99);
    desk.answer_letters(vec![fixtures::letter(
        99,
        chrono::Duration::hours(1),
        &body,
    )]);
    let (_, draft) = desk.agree();
    assert_eq!(draft.letters.len(), 37);
}

#[test]
fn plan_without_a_ready_letter_sends_nothing_until_all_are_meant() {
    let body = fixtures::body_without_time(1);
    let mut desk = Desk::holding(vec![fixtures::letter(1, chrono::Duration::hours(1), &body)]);
    desk.key('r');
    desk.answer_dry_run();
    desk.key('y');
    assert_eq!(desk.count(is_redrive), 0);
    assert!(notice(&desk).contains("none of them is ready"));
    desk.key('f');
    assert_eq!(desk.agree().1.letters.len(), 1);
}

#[test]
fn rate_canary_and_reason_go_into_the_plan() {
    let mut desk = holding();
    desk.keys("arf");
    desk.keys("--+tw");
    assert_eq!(desk.model.context(), Context::Input);
    desk.keys("crew-app 2.3 forgets time");
    desk.code(KeyCode::Enter);
    let (_, draft) = desk.agree();
    assert_eq!(draft.rate_per_sec, Some(500.0));
    assert_eq!(draft.canary_steps, [1, 5, 20]);
    assert_eq!(draft.reason.as_deref(), Some("crew-app 2.3 forgets time"));
}

#[test]
fn production_takes_no_redrive_without_a_reason() {
    let mut desk = Desk::open(80, 24, fixtures::production());
    desk.answer_letters(fixtures::letters());
    desk.keys("ar");
    desk.answer_dry_run();
    desk.key('y');
    assert_eq!(desk.count(is_redrive), 0);
    assert_eq!(desk.model.context(), Context::Input);
    desk.keys("why");
    desk.code(KeyCode::Enter);
    let (_, draft) = desk.agree();
    assert_eq!(draft.reason.as_deref(), Some("why"));
}

#[test]
fn what_the_environment_forbids_is_said_before_it_is_tried() {
    let mut desk = holding();
    desk.keys("ar");
    let question = desk.take(|request| matches!(request, Request::DryRun(_)));
    let dry = crate::tui::redrives::DryRun {
        refusal: Some(fixtures::fault()),
        ..crate::tui::redrives::DryRun::default()
    };
    desk.reply(&question, Ok(Answer::DryRun(dry)));
    desk.key('y');
    assert_eq!(desk.count(is_redrive), 0);
    assert!(notice(&desk).contains("refused"), "{}", notice(&desk));
}

#[test]
fn second_redrive_cannot_begin_while_one_runs() {
    let (mut desk, _) = begun();
    desk.key('2');
    desk.answer_letters(fixtures::letters());
    desk.keys("ar");
    assert!(!desk.model.redrives.is_reviewing());
    assert!(
        notice(&desk).contains("a redrive runs"),
        "{}",
        notice(&desk)
    );
}

#[test]
fn keys_steer_the_redrive_and_what_it_tells_is_shown() {
    let (mut desk, question) = begun();
    let counts = Counts {
        moved: 12,
        stored: 10,
        waiting: 25,
        ..Counts::default()
    };
    tell(&mut desk, question.0, running(counts));
    assert!(desk.whole_text().contains("12 of 37 done"));
    desk.keys("+- c");
    let id = question.0;
    let expected = [
        (id, Steering::Rate(Some(50.0))),
        (id, Steering::Rate(Some(10.0))),
        (id, Steering::Pause),
        (id, Steering::Cancel),
    ];
    assert_eq!(desk.steered, expected);
    let wish = Wish::Pause("paused by you".to_owned());
    tell(
        &mut desk,
        id,
        Progress {
            wish,
            ..running(counts)
        },
    );
    assert!(desk.whole_text().contains("paused by you"));
    desk.key(' ');
    assert_eq!(desk.steered.last(), Some(&(id, Steering::GoOn)));
}

#[test]
fn progress_of_another_request_is_ignored() {
    let (mut desk, _) = begun();
    let counts = Counts {
        moved: 30,
        waiting: 7,
        ..Counts::default()
    };
    tell(&mut desk, RequestId(9_999), running(counts));
    assert!(desk.whole_text().contains("0 of 37 done"));
}

#[test]
fn failed_canary_shows_its_reason_and_the_choices() {
    let (mut desk, question) = begun();
    let counts = Counts {
        moved: 1,
        dead_again: 1,
        waiting: 36,
        ..Counts::default()
    };
    let wish = Wish::Pause("1 of 1 redriven events failed again: not-json".to_owned());
    tell(
        &mut desk,
        question.0,
        Progress {
            wish,
            ..running(counts)
        },
    );
    let text = desk.whole_text();
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
    let (mut desk, question) = begun();
    for moved in [2, 7, 12, 17] {
        let counts = Counts {
            moved,
            waiting: 37 - moved,
            ..Counts::default()
        };
        tell(&mut desk, question.0, running(counts));
        desk.now += chrono::Duration::seconds(1);
    }
    desk.send(Msg::Tick);
    let text = desk.whole_text();
    assert!(text.contains("3.8/s now, at most 20"), "{text}");
    assert!(text.contains("about 6 s left"), "{text}");
}

#[test]
fn dead_again_is_no_good_news() {
    let mut desk = holding();
    desk.keys("ar");
    let (question, _) = desk.agree();
    let mut end = fixtures::run_end(&[]);
    end.report.planned = 3;
    end.report.counts = Counts {
        moved: 3,
        stored: 1,
        dead_again: 2,
        ..Counts::default()
    };
    desk.reply(&question, Ok(Answer::Redriven(Box::new(end))));
    assert_eq!(
        notice(&desk),
        "redriven: 3 of 3 moved · 1 stored · 2 dead again"
    );
    assert_eq!(desk.model.notice.as_ref().unwrap().tone, Tone::Bad);
}

#[test]
fn interrupted_redrive_is_resumed_and_a_finished_one_is_not() {
    let mut desk = holding();
    desk.key('3');
    answer_history(&mut desk, history());
    desk.key('r');
    assert!(
        notice(&desk).contains("nothing is left"),
        "{}",
        notice(&desk)
    );
    desk.keys("jr");
    let (id, request) = desk.take(|request| matches!(request, Request::ResumeRedrive(_)));
    let expected = Request::ResumeRedrive("/state/redrives/0198-0001.journal".into());
    assert_eq!(request, expected);
    let counts = Counts {
        moved: 100,
        waiting: 300,
        ..Counts::default()
    };
    let journal = "/state/redrives/0198-0001.journal".into();
    tell(
        &mut desk,
        id,
        Progress {
            journal,
            ..fixtures::progress(400, &[1, 10], counts)
        },
    );
    assert!(desk.whole_text().contains("100 of 400 done"));
    desk.key('r');
    assert_eq!(
        desk.count(|request| matches!(request, Request::ResumeRedrive(_))),
        0
    );
}

#[test]
fn selection_stays_on_its_journal_when_others_come() {
    let mut desk = holding();
    desk.key('3');
    answer_history(&mut desk, history());
    desk.key('j');
    desk.refresh();
    let mut more = history();
    more.redrives.insert(0, past(9, 3, Counts::default(), None));
    answer_history(&mut desk, more);
    desk.code(KeyCode::Enter);
    let (_, request) = desk.take(|request| matches!(request, Request::RedriveReport(_)));
    let expected = Request::RedriveReport("/state/redrives/0198-0001.journal".into());
    assert_eq!(request, expected);
}

#[test]
fn report_of_another_journal_is_ignored() {
    let mut desk = holding();
    desk.key('3');
    answer_history(&mut desk, history());
    desk.code(KeyCode::Enter);
    let first = desk.take(|request| matches!(request, Request::RedriveReport(_)));
    desk.code(KeyCode::Esc);
    desk.key('j');
    desk.code(KeyCode::Enter);
    desk.reply(&first, Ok(Answer::RedriveReport(Box::new(every_outcome()))));
    assert!(!desk.whole_text().contains("0004-aaaa"));
    answer_report(&mut desk, every_outcome());
    assert!(desk.whole_text().contains("0004-aaaa"));
}

#[test]
fn end_is_told_on_other_screens_too() {
    let (mut desk, question) = begun();
    desk.key('1');
    assert!(
        notice(&desk).contains("the redrive goes on: 0 of 37"),
        "{}",
        notice(&desk)
    );
    desk.reply(
        &question,
        Ok(Answer::Redriven(Box::new(fixtures::run_end(&[])))),
    );
    assert!(notice(&desk).contains("redriven"), "{}", notice(&desk));
}

#[test]
fn hints_offer_only_keys_that_do_something() {
    let hints = |desk: &Desk| -> Vec<&'static str> {
        crate::tui::keymap::hints(desk.model.context())
            .into_iter()
            .filter_map(|hint| desk.model.hint_label(hint))
            .collect()
    };
    let mut desk = holding();
    desk.key('3');
    answer_history(&mut desk, history());
    assert!(!hints(&desk).contains(&"pause"));
    assert!(!hints(&desk).contains(&"resume"));
    desk.key('j');
    assert!(hints(&desk).contains(&"resume"));
    let (desk, _) = begun();
    assert!(hints(&desk).contains(&"pause"));
}
