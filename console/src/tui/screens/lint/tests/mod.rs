//! Every state of the screen as pictures, and how it behaves.

use crossterm::event::KeyCode;
use pipeline::lint::{Finding, Fix, LintReport, Severity, Unchecked};
use strum::VariantArray;

use crate::tui::fault::Fault;
use crate::tui::screen_id::ScreenId;
use crate::tui::testing::{
    Harness, LINT, assert_pictures, draw_at_every_size, environment, now, production,
};

/// Every state that the screen can be seen in.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
enum State {
    NotYet,
    Loading,
    Clean,
    Incomplete,
    Ready,
    Unchecked,
    Detail,
    Stale,
    Failed,
    FailedWithPrevious,
    Production,
    HostileTexts,
    NoColour,
}

fn finding(id: &'static str, severity: Severity, seen: &str) -> Finding {
    Finding {
        id,
        severity,
        seen: seen.to_owned(),
        why: "Lambda wants 6 × the function's timeout and the batching window: with less, messages are \
              delivered again while they are still being processed",
        fix: Fix {
            command: Some(format!(
                "aws --region us-east-1 sqs set-queue-attributes --queue-url \
                 https://sqs.us-east-1.amazonaws.com/123456789012/events-queue --attributes '{id}'"
            )),
            terraform: Some("queue = { visibility_timeout_secs = 361 }".to_owned()),
        },
    }
}

fn unchecked(id: &'static str, reason: &str, is_failure: bool) -> Unchecked {
    Unchecked {
        id,
        reason: reason.to_owned(),
        is_failure,
    }
}

fn clean() -> LintReport {
    let absent = "the environment's entry names no cluster: add database_cluster";
    LintReport {
        environment: "demo".to_owned(),
        checked_at: now(),
        findings: Vec::new(),
        passed: vec!["topic-open"; 38],
        not_checked: vec![unchecked("cluster-not-encrypted", absent, false)],
    }
}

fn ready() -> LintReport {
    let mut report = clean();
    report.findings = vec![
        finding(
            "mapping-disabled",
            Severity::Error,
            "the mapping 5b0cf6c2-61a5-4b93-a0a1-0d4a9e1f7c11 is Disabled",
        ),
        finding(
            "visibility-timeout-short",
            Severity::Warning,
            "visibility timeout 30 s, function timeout 60 s, batching window 1 s: 361 s are wanted",
        ),
        finding(
            "topic-not-encrypted",
            Severity::Note,
            "the topic has no KmsMasterKeyId",
        ),
    ];
    let denied = "ask logs for DescribeLogGroups at https://logs.us-east-1.amazonaws.com: \
                  AccessDeniedException (after 0.2 s); the permission logs:DescribeLogGroups is missing";
    report
        .not_checked
        .push(unchecked("log-group-without-retention", denied, true));
    report
}

fn late() -> Fault {
    Fault {
        message: "no answer within 30 s".to_owned(),
        hint: Some("^r tries again".to_owned()),
        ..Fault::default()
    }
}

fn answered(harness: &mut Harness, report: LintReport) {
    harness.answer(&LINT, Ok(report));
}

fn open(width: u16, height: u16) -> Harness {
    Harness::on('6', width, height)
}

fn drive(state: State, width: u16, height: u16) -> Harness {
    let mut harness = match state {
        State::NotYet => {
            let mut sleeping = environment();
            sleeping.database_pauses = true;
            let mut harness = Harness::new(sleeping, now(), width, height);
            harness.press('6');
            return harness;
        }
        State::Production => {
            let mut harness = Harness::new(production(), now(), width, height);
            harness.press('6');
            harness
        }
        State::Loading
        | State::Clean
        | State::Incomplete
        | State::Ready
        | State::Unchecked
        | State::Detail
        | State::Stale
        | State::Failed
        | State::FailedWithPrevious
        | State::HostileTexts
        | State::NoColour => open(width, height),
    };
    match state {
        State::NotYet => {}
        State::Loading => harness.pass(3),
        State::Clean => answered(&mut harness, clean()),
        State::Incomplete => {
            let mut report = clean();
            let unread = unchecked("schema-behind", "connection refused", true);
            report.not_checked.push(unread);
            answered(&mut harness, report);
        }
        State::Ready | State::Production => answered(&mut harness, ready()),
        State::Unchecked => {
            answered(&mut harness, ready());
            harness.keys("jjj");
        }
        State::Detail => {
            answered(&mut harness, ready());
            harness.press('j');
            harness.code(KeyCode::Enter);
        }
        State::Stale => {
            answered(&mut harness, ready());
            harness.pass(3_600);
            harness.refresh();
            harness.pass(2);
        }
        State::Failed => harness.answer(&LINT, Err(late())),
        State::FailedWithPrevious => {
            answered(&mut harness, ready());
            harness.refresh();
            harness.answer(&LINT, Err(late()));
        }
        State::HostileTexts => {
            let mut report = clean();
            let seen = "\u{1b}[2J\u{202e}日本語 without an end ".repeat(20);
            let found = finding("queue-open", Severity::Error, &seen);
            report.findings = vec![found];
            answered(&mut harness, report);
        }
        State::NoColour => {
            harness.model.theme.has_colour = false;
            answered(&mut harness, ready());
        }
    }
    harness
}

#[test]
fn every_state_looks_as_reviewed() {
    assert_pictures("lint", State::VARIANTS, drive);
}

#[test]
fn every_state_is_drawn_at_every_size() {
    let fullest = [State::Ready, State::Detail, State::HostileTexts];
    draw_at_every_size(State::VARIANTS, &fullest, drive);
}

#[test]
fn screen_checks_when_it_is_first_shown_and_when_it_is_asked_to() {
    let mut harness = open(160, 45);
    assert_eq!(harness.count(&LINT), 1);
    harness.refresh();
    assert_eq!(harness.count(&LINT), 1, "one check at a time");
    answered(&mut harness, clean());
    harness.keys("16");
    harness.pass(3_600);
    assert_eq!(harness.count(&LINT), 0, "nothing is checked by itself");
    harness.refresh();
    assert_eq!(harness.count(&LINT), 1);
}

#[test]
fn paused_database_is_woken_by_a_key_alone() {
    let mut harness = drive(State::NotYet, 160, 45);
    assert_eq!(harness.count(&LINT), 0);
    assert!(harness.text().contains("wakes a paused database"));
    harness.refresh();
    assert_eq!(harness.count(&LINT), 1);
}

#[test]
fn y_copies_the_fix_of_the_selected_finding() {
    let mut harness = drive(State::Ready, 160, 45);
    harness.keys("jy");
    let copied = harness.copied.last().unwrap();
    assert!(
        copied.ends_with("--attributes 'visibility-timeout-short'"),
        "{copied}"
    );
    assert_eq!(harness.notice(), "copied the fix");
    harness.keys("jjy");
    assert_eq!(harness.copied.len(), 1, "what was not checked has no fix");
    assert_eq!(harness.notice(), "nothing was found there");
}

#[test]
fn selection_stays_on_its_check_when_another_report_comes() {
    let mut harness = drive(State::Ready, 160, 45);
    harness.press('j');
    let mut next = ready();
    next.findings.remove(0);
    harness.refresh();
    answered(&mut harness, next);
    harness.press('y');
    let copied = harness.copied.last().unwrap();
    assert!(copied.contains("visibility-timeout-short"), "{copied}");
}

#[test]
fn late_report_is_ignored() {
    let mut harness = open(160, 45);
    let (_, first) = harness.take(&LINT);
    harness.reply(first, Ok(ready()));
    harness.refresh();
    let (_, second) = harness.take(&LINT);
    harness.reply(second, Ok(clean()));
    assert!(harness.text().contains("nothing was found"));
}

#[test]
fn detail_replaces_the_list_on_a_narrow_screen_until_esc() {
    let mut harness = drive(State::Detail, 80, 24);
    let text = harness.screen_text();
    assert!(
        text.contains("why it matters") && !text.contains("mapping-disabled"),
        "{text}"
    );
    harness.code(KeyCode::Esc);
    let text = harness.screen_text();
    assert!(text.contains("mapping-disabled"), "{text}");
}

#[test]
fn palette_finds_the_screen() {
    let mut harness = Harness::new(environment(), now(), 160, 45);
    harness.press(':');
    harness.keys("lint");
    harness.code(KeyCode::Enter);
    assert_eq!(harness.model.screen, ScreenId::Lint);
}

#[test]
fn click_selects_and_a_second_one_opens() {
    let mut harness = drive(State::Ready, 80, 24);
    harness.click(5, 3);
    assert!(harness.screen_text().contains("▸ ▲ warning"));
    harness.click(5, 3);
    assert!(harness.screen_text().contains("why it matters"));
}

#[test]
fn findings_have_their_time_at_every_width_that_has_room_for_it() {
    for (width, height) in [(60, 20), (80, 24), (160, 45)] {
        let text = drive(State::Ready, width, height).text();
        assert!(text.contains("as of 11:06:40 UTC"), "{width}: {text}");
    }
}
