//! Every state of the screen as pictures, and how it behaves.

use crossterm::event::KeyCode;
use pipeline::environment::Environment;
use pipeline::fleet::{FleetDeadLetters, FleetQueue, FleetRow, FleetState};
use pipeline::rules::{Finding, Severity};
use strum::VariantArray;

use crate::tui::fault::Fault;
use crate::tui::screen_id::ScreenId;
use crate::tui::testing::{
    ENVIRONMENT, FLEET, Harness, QUEUE, assert_pictures, draw_at_every_size, environment, now,
    production,
};

/// Every state that the screen can be seen in.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
enum State {
    Loading,
    Ready,
    One,
    Bad,
    Many,
    Stale,
    Failed,
    FailedWithPrevious,
    Production,
    HostileTexts,
    NoColour,
}

fn row(name: &str, state: FleetState) -> FleetRow {
    FleetRow {
        environment: name.to_owned(),
        account: Some("123456789012".to_owned()),
        region: Some("us-east-1".to_owned()),
        endpoint: None,
        state,
        reason: None,
        next_step: None,
        findings: Vec::new(),
        queue: Some(FleetQueue {
            visible: 12,
            in_flight: 3,
            delayed: 0,
            oldest_age_secs: Some(4),
        }),
        dead_letters: Some(FleetDeadLetters {
            visible: 0,
            in_flight: 0,
            oldest_age_secs: None,
        }),
        stored_per_minute: Some(1_200.0),
        stored_per_minute_until: Some(now()),
        last_stored_at: Some(now()),
        last_stored_age_secs: Some(2),
        last_stored_is_bound: false,
        schema_version: None,
        read_at: Some(now()),
        metrics_age_secs: Some(45),
        database_may_sleep: false,
        errors: Vec::new(),
    }
}

fn finding(severity: Severity, text: &str, advice: &str) -> Finding {
    Finding {
        severity,
        text: text.to_owned(),
        advice: advice.to_owned(),
    }
}

fn attention(name: &str) -> FleetRow {
    let late = "the oldest message of events-queue had waited for 12 min at 11:05";
    FleetRow {
        reason: Some(late.to_owned()),
        next_step: Some("look at the ingest: its errors and its concurrency".to_owned()),
        findings: vec![
            finding(
                Severity::Bad,
                late,
                "look at the ingest: its errors and its concurrency",
            ),
            finding(
                Severity::Warning,
                "1,214 dead letters in events-dead-letters · oldest 3 h",
                "2 shows them with their causes",
            ),
        ],
        queue: Some(FleetQueue {
            visible: 48_210,
            in_flight: 120,
            delayed: 0,
            oldest_age_secs: Some(720),
        }),
        dead_letters: Some(FleetDeadLetters {
            visible: 1_214,
            in_flight: 0,
            oldest_age_secs: Some(10_800),
        }),
        ..row(name, FleetState::Attention)
    }
}

fn unreachable(name: &str) -> FleetRow {
    FleetRow {
        reason: Some("read the queue at http://127.0.0.1:4566: connection refused".to_owned()),
        next_step: Some(
            "check that http://127.0.0.1:4566 is running and can be reached".to_owned(),
        ),
        queue: None,
        dead_letters: None,
        stored_per_minute: None,
        stored_per_minute_until: None,
        last_stored_age_secs: None,
        metrics_age_secs: None,
        ..row(name, FleetState::Unreachable)
    }
}

fn three() -> Vec<FleetRow> {
    vec![
        attention("orders-production"),
        row("demo", FleetState::Ok),
        row("payments", FleetState::Ok),
    ]
}

fn late() -> Fault {
    Fault {
        message: "no answer within 75 s".to_owned(),
        hint: Some("^r tries again".to_owned()),
        ..Fault::default()
    }
}

fn answered(harness: &mut Harness, rows: Vec<FleetRow>) {
    harness.answer(&FLEET, Ok(rows));
}

fn open(width: u16, height: u16) -> Harness {
    Harness::on('9', width, height)
}

fn drive(state: State, width: u16, height: u16) -> Harness {
    let mut harness = match state {
        State::Production => {
            let mut harness = Harness::new(production(), now(), width, height);
            harness.press('9');
            harness
        }
        State::Loading
        | State::Ready
        | State::One
        | State::Bad
        | State::Many
        | State::Stale
        | State::Failed
        | State::FailedWithPrevious
        | State::HostileTexts
        | State::NoColour => open(width, height),
    };
    match state {
        State::Loading => harness.pass(3),
        State::Ready | State::Production => answered(&mut harness, three()),
        State::One => answered(&mut harness, vec![row("demo", FleetState::Ok)]),
        State::Bad => {
            let mut invalid = unreachable("typo");
            invalid.state = FleetState::Invalid;
            invalid.reason = Some("config.toml: environment typo: region is missing".to_owned());
            let mut sleeping = row("pilot", FleetState::Ok);
            sleeping.database_may_sleep = true;
            let rows = vec![unreachable("demo"), invalid, sleeping];
            answered(&mut harness, rows);
        }
        State::Many => {
            let rows = (0..50).map(|number| row(&format!("system-{number:02}"), FleetState::Ok));
            answered(&mut harness, rows.collect());
            harness.press('G');
        }
        State::Stale => {
            answered(&mut harness, three());
            harness.pass(3_600);
            harness.refresh();
            harness.pass(2);
        }
        State::Failed => harness.answer(&FLEET, Err(late())),
        State::FailedWithPrevious => {
            answered(&mut harness, three());
            harness.refresh();
            harness.answer(&FLEET, Err(late()));
        }
        State::HostileTexts => {
            let text = "\u{1b}[2J\u{202e}日本語 without an end ".repeat(20);
            let mut hostile = attention(&text);
            hostile.reason = Some(text.clone());
            hostile.findings = vec![finding(Severity::Bad, &text, &text)];
            answered(&mut harness, vec![hostile]);
        }
        State::NoColour => {
            harness.model.theme.has_colour = false;
            answered(&mut harness, three());
        }
    }
    harness
}

fn other() -> Environment {
    Environment {
        name: "orders-production".to_owned(),
        ..production()
    }
}

#[test]
fn every_state_looks_as_reviewed() {
    assert_pictures("fleet", State::VARIANTS, drive);
}

#[test]
fn every_state_is_drawn_at_every_size() {
    let fullest = [State::Ready, State::Many, State::HostileTexts];
    draw_at_every_size(State::VARIANTS, &fullest, drive);
}

#[test]
fn environments_are_read_each_minute_while_somebody_looks() {
    let mut harness = open(160, 45);
    assert_eq!(harness.count(&FLEET), 1);
    harness.refresh();
    assert_eq!(harness.count(&FLEET), 1, "one read at a time");
    answered(&mut harness, three());
    harness.pass(59);
    assert_eq!(harness.count(&FLEET), 0);
    harness.pass(1);
    assert_eq!(harness.count(&FLEET), 1);
    answered(&mut harness, three());
    harness.press('1');
    harness.pass(120);
    assert_eq!(harness.count(&FLEET), 0, "another screen is shown");
    harness.press('9');
    assert_eq!(harness.count(&FLEET), 1);
    answered(&mut harness, three());
    harness.pass(3_600);
    assert_eq!(harness.count(&FLEET), 0, "nobody uses the console");
}

#[test]
fn selection_stays_on_its_environment_when_the_order_changes() {
    let mut harness = drive(State::Ready, 160, 45);
    harness.keys("jj");
    let mut next = three();
    next.reverse();
    harness.refresh();
    answered(&mut harness, next);
    harness.press('y');
    let copied = harness.copied.last().unwrap();
    assert_eq!(copied, "opsconsole --env payments status");
}

#[test]
fn enter_leaves_for_the_selected_environment() {
    let mut harness = drive(State::Ready, 160, 45);
    harness.code(KeyCode::Enter);
    let (name, to) = harness.take(&ENVIRONMENT);
    assert_eq!(name, "orders-production");
    assert!(!harness.model.is_leaving, "it is not known yet");
    harness.reply(to, Ok(Box::new(other())));
    assert!(harness.model.is_leaving);
    let next = harness.model.switching_to.as_deref().unwrap();
    assert_eq!(*next, other());
}

#[test]
fn environment_that_cannot_be_opened_is_not_left_for() {
    let mut harness = drive(State::Ready, 160, 45);
    harness.code(KeyCode::Enter);
    let gone = Fault::new("no environment orders-production");
    harness.answer(&ENVIRONMENT, Err(gone));
    assert!(!harness.model.is_leaving);
    assert_eq!(harness.notice(), "no environment orders-production");

    let mut harness = drive(State::Bad, 160, 45);
    harness.press('j');
    harness.code(KeyCode::Enter);
    assert_eq!(harness.count(&ENVIRONMENT), 0);
    assert!(harness.notice().contains("region is missing"));
}

#[test]
fn environment_that_is_shown_is_not_opened_again() {
    let mut harness = drive(State::Ready, 160, 45);
    harness.press('j');
    let shown = environment().name;
    harness.code(KeyCode::Enter);
    assert_eq!(harness.count(&ENVIRONMENT), 0);
    assert_eq!(
        harness.notice(),
        format!("this console shows {shown} already")
    );
}

#[test]
fn answer_that_comes_late_confirms_nothing_and_leaves_no_other_screen() {
    let mut harness = drive(State::Ready, 160, 45);
    harness.press('4');
    harness.paste("{\"type\": \"typed\"}");
    harness.code(KeyCode::Esc);
    harness.press('9');
    harness.code(KeyCode::Enter);
    harness.press('q');
    assert!(harness.text().contains("Quit?"));
    harness.answer(&ENVIRONMENT, Ok(Box::new(other())));
    assert!(!harness.model.is_leaving, "nobody pressed y");

    let mut harness = drive(State::Ready, 160, 45);
    harness.code(KeyCode::Enter);
    harness.press('1');
    harness.answer(&ENVIRONMENT, Ok(Box::new(other())));
    assert!(!harness.model.is_leaving, "the operator went elsewhere");
}

/// An event that is typed on screen 4 and not sent.
fn with_unsent_text() -> Harness {
    let mut harness = drive(State::Ready, 160, 45);
    harness.press('4');
    harness.paste("{\"type\": \"typed\"}");
    harness.code(KeyCode::Esc);
    harness.press('9');
    harness.code(KeyCode::Enter);
    harness.answer(&ENVIRONMENT, Ok(Box::new(other())));
    harness
}

#[test]
fn what_would_be_lost_is_asked_for_as_when_quitting() {
    let mut harness = with_unsent_text();
    assert!(!harness.model.is_leaving);
    let text = harness.text();
    assert!(text.contains("Switch to orders-production?"), "{text}");
    assert!(text.contains("y switches"), "{text}");
    harness.press('y');
    assert!(harness.model.is_leaving);
    assert!(harness.model.switching_to.is_some());
}

#[test]
fn question_that_is_declined_leaves_nothing_for_a_later_quit() {
    let mut harness = with_unsent_text();
    harness.code(KeyCode::Esc);
    assert!(harness.model.switching_to.is_none());
    harness.press('q');
    harness.press('y');
    assert!(harness.model.is_leaving);
    assert!(harness.model.switching_to.is_none());
}

#[test]
fn palette_finds_the_screen() {
    let mut harness = Harness::new(environment(), now(), 160, 45);
    harness.press(':');
    harness.keys("fleet");
    harness.code(KeyCode::Enter);
    assert_eq!(harness.model.screen, ScreenId::Fleet);
    assert_eq!(harness.count(&QUEUE), 0);
}

#[test]
fn click_selects_and_a_second_one_switches() {
    let mut harness = drive(State::Ready, 80, 24);
    harness.click(5, 5);
    assert!(harness.screen_text().contains("▸ payments"));
    harness.click(5, 5);
    assert_eq!(harness.take(&ENVIRONMENT).0, "payments");
}

#[test]
fn numbers_are_whole_or_absent_at_every_width() {
    for width in 30..=200 {
        let harness = drive(State::Ready, width, 24);
        let text = harness.screen_text();
        let row = text.lines().find(|line| line.contains("▸")).unwrap();
        for number in crate::tui::testing::numbers(row) {
            let whole = [
                "48,330",
                "12",
                "1,214",
                "2",
                "1,200",
                "0",
                "45",
                "123456789012",
                "1",
            ];
            assert!(
                whole.contains(&number.as_str()) || row.contains("had waited"),
                "{width}: {number} in {row}"
            );
        }
    }
}
