//! How the screen behaves.

use crossterm::event::{KeyCode, MouseEventKind};
use pipeline::environment::Environment;
use pipeline::logs::{LogFunction, LogTail};

use super::fixtures::{REQUEST, batch, denied, late, line, lines, open, read, throttled, unread};
use crate::tui::patch::Query;
use crate::tui::screen_id::ScreenId;
use crate::tui::testing::{Harness, LOGS, RECEIVE, SEARCH, TIME_LINE, TURN, environment, now};

/// The row that is marked as selected.
fn selected(harness: &Harness) -> String {
    let text = harness.text();
    let mut rows = text.lines();
    let row = rows.find(|row| row.starts_with("▸ "));
    row.unwrap_or_else(|| panic!("nothing is selected:\n{text}"))
        .to_owned()
}

fn ready(width: u16, height: u16) -> Harness {
    let mut harness = open(width, height);
    harness.answer(&LOGS, Ok(read(lines())));
    harness
}

#[test]
fn newest_line_is_selected_while_lines_are_followed() {
    let mut harness = ready(80, 24);
    assert!(selected(&harness).contains("REPORT"));
    harness.pass(1);
    harness.answer(&LOGS, Ok(read(vec![line(30, LogFunction::Api, "newer")])));
    assert!(selected(&harness).contains("newer"));
    assert!(harness.text().contains("following"));
}

#[test]
fn moving_up_pauses_and_reads_nothing_until_it_is_followed_again() {
    let mut harness = ready(80, 24);
    harness.press('k');
    assert!(harness.text().contains("paused at"));
    harness.pass(60);
    assert_eq!(harness.count(&LOGS), 0, "nobody looks at the end");
    harness.press('G');
    assert_eq!(harness.count(&LOGS), 1);
    assert!(harness.text().contains("following"));
    harness.answer(&LOGS, Ok(read(vec![line(70, LogFunction::Api, "newer")])));
    assert!(selected(&harness).contains("newer"));
}

#[test]
fn answer_that_comes_after_the_pause_moves_nothing_under_the_cursor() {
    let mut harness = open(80, 24);
    let many = (0..50).map(|number| line(number, LogFunction::Api, &format!("line {number}.")));
    harness.answer(&LOGS, Ok(read(many.collect())));
    harness.pass(1);
    harness.keys("kkk");
    let before: Vec<String> = harness.text().lines().skip(2).map(str::to_owned).collect();
    assert!(selected(&harness).contains("line 46."));
    // One is newer, one came late.
    let late = line(5, LogFunction::Api, "late");
    harness.answer(
        &LOGS,
        Ok(read(vec![late, line(60, LogFunction::Api, "newer")])),
    );
    let after: Vec<String> = harness.text().lines().skip(2).map(str::to_owned).collect();
    assert_eq!(before[..20], after[..20]);
}

#[test]
fn logs_are_read_only_while_the_screen_is_shown() {
    let mut harness = Harness::new(environment(), now(), 80, 24);
    harness.pass(5);
    assert_eq!(harness.count(&LOGS), 0);
    harness.press('7');
    harness.answer(&LOGS, Ok(read(lines())));
    harness.press('1');
    harness.pass(30);
    assert_eq!(harness.count(&LOGS), 0);
    harness.press('7');
    harness.tick();
    assert_eq!(harness.count(&LOGS), 1, "it goes on from where it ended");
}

#[test]
fn period_on_aws_is_longer_and_one_read_is_under_way_at_a_time() {
    let deployed = Environment {
        endpoint_url: None,
        ..environment()
    };
    let mut harness = Harness::new(deployed, now(), 80, 24);
    harness.press('7');
    harness.answer(&LOGS, Ok(read(lines())));
    harness.pass(4);
    assert_eq!(harness.count(&LOGS), 0);
    harness.pass(1);
    harness.pass(30);
    assert_eq!(harness.count(&LOGS), 1);
}

#[test]
fn reading_goes_on_at_once_where_more_lines_are_there() {
    let mut harness = open(80, 24);
    let mut first = read(lines());
    first.behind = vec![LogFunction::Ingest];
    first.next = LogTail::since(&LogFunction::ALL, now()).of_request("marks-it");
    harness.answer(&LOGS, Ok(first));
    harness.tick();
    let (tail, to) = harness.take(&LOGS);
    let marked = LogTail::since(&LogFunction::ALL, now()).of_request("marks-it");
    assert_eq!(*tail, marked, "from where the read before ended");
    // A service that refuses is not asked again at once.
    harness.reply(to, Err(late()));
    harness.tick();
    assert_eq!(harness.count(&LOGS), 0);
}

#[test]
fn filter_applies_as_it_is_typed_and_esc_brings_back_the_one_before() {
    let mut harness = ready(80, 24);
    harness.keys("/batch");
    let text = harness.text();
    assert!(
        text.contains("batch handled") && !text.contains("panicked"),
        "{text}"
    );
    harness.keys(" level=warn");
    assert!(harness.text().contains("1 / 1 line"));
    // What does not parse leaves the last one applied.
    harness.keys("x");
    let text = harness.text();
    assert!(
        text.contains("use trace, debug") && text.contains("1 / 1 line"),
        "{text}"
    );
    harness.code(KeyCode::Enter);
    assert!(harness.text().contains("use trace, debug"), "it stays open");
    harness.code(KeyCode::Backspace);
    harness.code(KeyCode::Enter);
    harness.keys("/api");
    harness.code(KeyCode::Esc);
    assert!(harness.text().contains("batch level=warn"));
    harness.press('x');
    assert!(harness.text().contains("9 / 9 lines"));
}

#[test]
fn level_goes_round_and_keeps_lines_of_a_panic() {
    let mut harness = ready(80, 24);
    harness.press('l');
    let text = harness.text();
    assert!(
        text.contains("level=warn") && !text.contains("partitions created"),
        "{text}"
    );
    assert!(
        text.contains("a defect"),
        "a line without a level is not hidden"
    );
    harness.press('l');
    let text = harness.text();
    assert!(
        text.contains("level=error") && !text.contains("dead_lettered"),
        "{text}"
    );
    harness.press('l');
    assert!(harness.text().contains("partitions created"));
}

#[test]
fn request_of_a_line_shows_its_lines_alone_and_esc_leads_back() {
    let mut harness = ready(80, 24);
    harness.keys("kki");
    assert!(harness.text().contains(&format!("Request {REQUEST}")));
    assert!(
        !harness.text().contains("panicked"),
        "the lines that are known are there at once"
    );
    let (tail, to) = harness.take(&LOGS);
    let around = chrono::Duration::minutes(15);
    let at = lines()[6].at;
    let expected = LogTail::since(&LogFunction::ALL, at - around)
        .of_request(REQUEST)
        .until(at + around);
    assert_eq!(*tail, expected);
    harness.reply(to, Ok(read(vec![batch(21, REQUEST, 1)])));
    assert!(
        harness.text().contains("1 / 1 line"),
        "they are not there twice"
    );
    harness.pass(30);
    assert_eq!(harness.count(&LOGS), 0, "what is past is not read again");
    harness.code(KeyCode::Esc);
    assert!(harness.text().contains("9 lines"));
}

#[test]
fn late_answer_about_a_request_does_not_come_into_the_tail() {
    let mut harness = ready(80, 24);
    harness.keys("kki");
    let (_, to) = harness.take(&LOGS);
    harness.code(KeyCode::Esc);
    harness.reply(
        to,
        Ok(read(vec![line(1, LogFunction::Api, "of the request")])),
    );
    assert!(!harness.text().contains("of the request"));
}

#[test]
fn dead_letters_of_a_request_are_searched_for() {
    let mut harness = ready(160, 45);
    harness.keys("kkd");
    assert_eq!(harness.model.screen, ScreenId::DeadLetters);
    assert_eq!(harness.count(&RECEIVE), 1);
    let ((query, _), _) = harness.take_last(&SEARCH);
    assert_eq!(query, Query::Text(REQUEST.to_owned()));
    // A line of another function names none of theirs.
    harness.press('7');
    harness.keys("gd");
    assert_eq!(harness.model.screen, ScreenId::Logs);
    assert!(harness.notice().contains("no request of the ingest"));
}

#[test]
fn event_that_a_line_names_is_traced() {
    let mut harness = open(80, 24);
    let named = line(
        1,
        LogFunction::Api,
        r#"{"message":"m","source":"/s","id":"1"}"#,
    );
    harness.answer(&LOGS, Ok(read(vec![named])));
    harness.press('T');
    let (request, _) = harness.take(&TIME_LINE);
    assert_eq!(
        (request.key.source.as_str(), request.key.id.as_str()),
        ("/s", "1")
    );
}

#[test]
fn detail_has_the_json_of_the_line_and_pauses_where_it_hides_the_list() {
    let mut harness = ready(80, 24);
    harness.keys("kk");
    harness.press('f');
    harness.keys("kk");
    harness.code(KeyCode::Enter);
    let text = harness.text();
    assert!(
        text.contains("\"dead_lettered\": 1") && text.contains(REQUEST),
        "{text}"
    );
    harness.press('y');
    assert!(harness.copied[0].starts_with("{\"_aws\""));
    harness.code(KeyCode::Esc);
    assert!(harness.text().contains("START"));
}

#[test]
fn looking_back_reads_the_longer_window_anew() {
    let mut harness = ready(80, 24);
    harness.press('b');
    let (tail, to) = harness.take(&LOGS);
    let hour = chrono::Duration::hours(1);
    assert_eq!(*tail, LogTail::since(&LogFunction::ALL, now() - hour));
    harness.reply(to, Ok(read(lines())));
    assert!(
        harness.text().contains("9 / 9 lines"),
        "no line is there twice"
    );
}

#[test]
fn failure_keeps_the_lines_and_is_tried_again() {
    let mut harness = ready(80, 24);
    harness.pass(1);
    harness.answer(&LOGS, Err(late()));
    let text = harness.text();
    assert!(
        text.contains("no answer within 10 s") && text.contains("REPORT"),
        "{text}"
    );
    harness.pass(1);
    harness.answer(&LOGS, Ok(read(Vec::new())));
    assert!(!harness.text().contains("no answer within 10 s"));
}

#[test]
fn denied_call_names_the_permission() {
    let mut harness = open(160, 45);
    harness.answer(&LOGS, Err(denied()));
    let text = harness.text();
    assert!(text.contains("logs:FilterLogEvents"), "{text}");
}

#[test]
fn wheel_pauses_and_a_click_selects() {
    let mut harness = ready(80, 24);
    harness.mouse(MouseEventKind::ScrollUp, 5, 5);
    assert!(selected(&harness).contains("START"));
    assert!(harness.text().contains("paused at"));
    harness.click(5, 2);
    assert!(selected(&harness).contains("partitions created"));
}

#[test]
fn nothing_is_called_unlogged_that_was_not_read() {
    let mut harness = open(80, 24);
    let mut partly = read(Vec::new());
    partly.unread = vec![unread()];
    harness.answer(&LOGS, Ok(partly));
    let text = harness.text();
    assert!(!text.contains("logged nothing"), "{text}");
    assert!(text.contains("in the logs that could be read"), "{text}");
    let mut harness = open(80, 24);
    let mut behind = read(Vec::new());
    behind.behind = vec![LogFunction::Ingest];
    harness.answer(&LOGS, Ok(behind));
    let text = harness.text();
    assert!(!text.contains("logged nothing"), "{text}");
    assert!(text.contains("there is more to read"), "{text}");
}

#[test]
fn throttled_log_is_read_on_after_the_interval_and_named_until_then() {
    let held_up = || {
        let mut read = read(Vec::new());
        read.behind = vec![LogFunction::Ingest];
        read.unread = vec![throttled()];
        read
    };
    let mut harness = ready(160, 45);
    harness.pass(1);
    harness.answer(&LOGS, Ok(held_up()));
    harness.tick();
    assert_eq!(harness.count(&LOGS), 0, "not at once");
    let text = harness.text();
    assert!(text.contains("ingest is read on later: "), "{text}");
    harness.pass(1);
    harness.answer(&LOGS, Ok(read(Vec::new())));
    assert!(!harness.text().contains("is read on later"));
    // The lines of a request are read on as well.
    harness.keys("kki");
    harness.answer(&LOGS, Ok(held_up()));
    assert_eq!(harness.count(&LOGS), 0, "not at once");
    harness.pass(1);
    harness.answer(&LOGS, Ok(read(vec![batch(21, REQUEST, 1)])));
    harness.pass(60);
    assert_eq!(harness.count(&LOGS), 0, "it was read to its end");
}

/// Sixty lines that are too long to be searched at once.
fn with_long_lines() -> Harness {
    let mut harness = open(160, 45);
    let long = "x".repeat(60_000);
    let lines = (0..60).map(|number| line(number, LogFunction::Api, &format!("{number}. {long}")));
    harness.answer(&LOGS, Ok(read(lines.collect())));
    assert_eq!(harness.count(&TURN), 0, "no text is searched");
    harness
}

/// Lets the filter come to its end; returns in how many turns.
fn searched(harness: &mut Harness) -> usize {
    let mut turns = 0;
    while harness.count(&TURN) > 0 {
        assert_eq!(harness.count(&TURN), 1, "one at a time");
        harness.answer(&TURN, Ok(()));
        turns += 1;
    }
    turns
}

#[test]
fn filter_of_many_lines_is_applied_in_turns_and_says_nothing_of_what_was_not_searched() {
    let mut harness = with_long_lines();
    harness.keys("/y");
    let text = harness.text();
    assert!(text.contains("Searching 60 lines for y"), "{text}");
    // Keys come between, and the newest filter is the one that goes on.
    harness.keys("z");
    assert!(searched(&mut harness) > 1);
    let text = harness.text();
    assert!(text.contains("None of 60 lines matches yz"), "{text}");
}

#[test]
fn selection_stays_on_its_line_while_the_filter_is_applied() {
    let mut harness = with_long_lines();
    harness.press('g');
    assert!(selected(&harness).contains(" 0. "));
    harness.keys("/xx");
    assert!(harness.text().contains("still searching"));
    assert!(!selected(&harness).contains(" 0. "), "it is judged last");
    searched(&mut harness);
    assert!(selected(&harness).contains(" 0. "));
}
