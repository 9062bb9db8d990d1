//! From a dead letter to the log lines of the request that refused it.

use pipeline::logs::{LogFunction, LogTail};

use super::fixtures::*;
use super::*;
use crate::tui::screen_id::ScreenId;
use crate::tui::testing::LOGS;

#[test]
fn log_lines_of_the_request_that_refused_a_message_are_one_key_away() {
    let refused = message(7, Duration::minutes(3), &body_without_time(7));
    let sent_at = refused.sent_at;
    let mut harness = received(vec![refused]);
    harness.press('L');
    assert_eq!(harness.model.screen, ScreenId::Logs);
    let (tail, _) = harness.take(&LOGS);
    let around = Duration::minutes(15);
    let expected = LogTail::since(&LogFunction::ALL, sent_at - around)
        .of_request("5f0c2d9e-0000-4000-8000-000000000007")
        .until(sent_at + around);
    assert_eq!(*tail, expected);
    assert_eq!(harness.count(&LOGS), 0, "the tail is not read beside it");
}

#[test]
fn message_whose_retries_ran_out_names_no_request() {
    let mut harness = received(vec![message(1, Duration::minutes(3), &valid_body(1))]);
    harness.press('L');
    assert_eq!(harness.model.screen, ScreenId::DeadLetters);
    assert!(harness.notice().contains("logs no ids of messages"));
}
