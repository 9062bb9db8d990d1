//! Every state of the screen at two sizes, text and styles.

use super::*;
use crate::tui::testing::assert_pictures;

macro_rules! states {
    ($($state:ident),+ $(,)?) => {
        #[derive(Clone, Copy, Debug)]
        enum State { $($state),+ }
        const STATES: &[State] = &[$(State::$state),+];
    };
}

states!(
    Empty,
    Reading,
    History,
    Interrupted,
    HistoryFailed,
    DryRunning,
    Plan,
    PlanForAll,
    PlanRefused,
    PlanSameIdentity,
    ProductionReason,
    Beginning,
    Running,
    CanaryFailed,
    Paused,
    Ended,
    NoColour,
);

fn drive(state: State, width: u16, height: u16) -> Harness {
    let environment = match state {
        State::ProductionReason => fixtures::production(),
        State::Empty
        | State::Reading
        | State::History
        | State::Interrupted
        | State::HistoryFailed
        | State::DryRunning
        | State::Plan
        | State::PlanForAll
        | State::PlanRefused
        | State::PlanSameIdentity
        | State::Beginning
        | State::Running
        | State::CanaryFailed
        | State::Paused
        | State::Ended
        | State::NoColour => fixtures::environment(),
    };
    let mut harness = open(width, height, environment);
    harness.answer_messages(fixtures::messages());
    match state {
        State::Empty => look(&mut harness, Past::default()),
        State::Reading => {
            harness.press('3');
            harness.pass(2);
        }
        State::History | State::NoColour => {
            harness.model.theme.has_colour = matches!(state, State::History);
            look(&mut harness, history());
            harness.pass(1);
        }
        State::Interrupted => {
            look(&mut harness, history());
            harness.press('j');
            harness.code(KeyCode::Enter);
            answer_report(&mut harness, every_outcome());
        }
        State::HistoryFailed => {
            harness.press('3');
            let (_, to) = harness.take_last(&REDRIVES);
            harness.reply(to, Err(fixtures::fault()));
        }
        State::DryRunning => {
            harness.keys("ar");
            harness.pass(1);
        }
        State::Plan => {
            harness.keys("ar");
            harness.answer_dry_run();
            harness.keys("---t");
        }
        State::PlanForAll => {
            harness.keys("arf");
            answer_dry_run(&mut harness, false);
        }
        State::PlanRefused => {
            harness.keys("ar");
            answer_dry_run(&mut harness, true);
        }
        State::ProductionReason => {
            harness.keys("ar");
            harness.answer_dry_run();
            harness.keys("yincident 4711");
            harness.pass(10);
        }
        State::Beginning => drop(begin(&mut harness)),
        State::Running => {
            let id = begin(&mut harness);
            for moved in [5, 11, 21] {
                harness.now += chrono::Duration::seconds(1);
                let counts = Counts {
                    moved,
                    stored: moved - 2,
                    waiting: 37 - moved,
                    ..Counts::default()
                };
                report(&mut harness, id, running(counts));
            }
            harness.pass(1);
            answer_report(&mut harness, every_outcome());
        }
        State::CanaryFailed => {
            let id = begin(&mut harness);
            let counts = Counts {
                moved: 1,
                dead_again: 1,
                waiting: 36,
                ..Counts::default()
            };
            let why = "1 of 1 sent event failed again: missing-attribute: \"time\" is required";
            let command = RunCommand::Pause(Pause::Redrive(why.to_owned()));
            report(
                &mut harness,
                id,
                Progress {
                    command,
                    ..running(counts)
                },
            );
        }
        State::Paused => {
            let id = begin(&mut harness);
            let counts = Counts {
                moved: 12,
                stored: 12,
                waiting: 25,
                ..Counts::default()
            };
            let command = RunCommand::Pause(Pause::Operator);
            report(
                &mut harness,
                id,
                Progress {
                    command,
                    ..running(counts)
                },
            );
        }
        State::PlanSameIdentity => {
            harness.keys("ar");
            answer_kept_back(&mut harness);
        }
        State::Ended => {
            harness.keys("ar");
            let (to, draft) = harness.agree();
            answer_history(&mut harness, Past::default());
            let ids = draft.messages.iter();
            let outcomes: Vec<_> = ids
                .map(|draft| {
                    (
                        draft.message.message_id.as_str(),
                        MessageOutcome::Moved,
                        None,
                    )
                })
                .collect();
            harness.end_redrive(to, &outcomes);
            harness.pass(10);
        }
    }
    harness
}

fn look(harness: &mut Harness, past: Past) {
    harness.press('3');
    answer_history(harness, past);
}

fn begin(harness: &mut Harness) -> RequestId {
    harness.keys("arf");
    let (to, _) = harness.agree();
    answer_history(harness, history());
    to.id()
}

fn answer_dry_run(harness: &mut Harness, is_refused: bool) {
    let (_, to) = harness.take_last(&DRY_RUN);
    let dry = crate::tui::redrives::DryRun {
        sent: 36,
        ready: 6,
        copies: 0,
        bytes: 21_000,
        unsendable: 1,
        problem: Some("1100000 bytes are more than a queue takes (1048576)".to_owned()),
        kept_back: Vec::new(),
        refusal: is_refused.then(fixtures::fault),
        reason: Some("given at the start".to_owned()),
        judged: Vec::new(),
        is_ledger_checked: None,
    };
    harness.reply(to, Ok(dry));
}

#[test]
fn every_state_looks_as_reviewed() {
    assert_pictures("redrives", STATES, drive);
}

#[test]
fn every_state_is_drawn_at_every_size() {
    for state in STATES {
        let mut harness = drive(*state, 80, 24);
        for (width, height) in [
            (0, 0),
            (1, 1),
            (2, 40),
            (12, 3),
            (40, 10),
            (119, 5),
            (120, 4),
            (300, 2),
        ] {
            harness.resize(width, height);
            harness.picture();
        }
    }
}
