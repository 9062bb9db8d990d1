//! From the time line to the log lines of a request.

use pipeline::logs::{LogFunction, LogTail};

use super::*;
use crate::tui::testing::LOGS;

#[test]
fn log_lines_of_the_request_are_one_key_away() {
    let mut traced = stored();
    let mut logged = fact(
        -30,
        Hop::Attempted,
        Standing::Doubtful,
        "logged",
        Place::Logs,
    );
    logged.reference = Some("r-1".to_owned());
    let at = logged.at.unwrap();
    traced.facts.insert(0, logged);
    let mut harness = answered(traced, 80, 24);
    harness.press('L');
    assert_eq!(harness.model.screen, ScreenId::Logs);
    assert!(harness.model.time_line.is_none());
    let (tail, _) = harness.take(&LOGS);
    let around = chrono::Duration::minutes(15);
    let expected = LogTail::since(&LogFunction::ALL, at - around)
        .of_request("r-1")
        .until(at + around);
    assert_eq!(*tail, expected);
}

#[test]
fn trace_without_a_log_line_says_so() {
    let mut harness = answered(stored(), 80, 24);
    let screen = harness.model.screen;
    harness.press('L');
    assert!(harness.notice().contains("no log line"));
    assert_eq!(harness.model.screen, screen);
}
