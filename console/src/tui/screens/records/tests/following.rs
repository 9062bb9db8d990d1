//! Following: new records come by themselves, and the place of the operator stays.

use super::*;
use pipeline::model::{ReadPath, RecordTotals};

#[test]
fn following_goes_to_the_newest_record() {
    let mut harness = with_page(page(901..=1_000, false), 80, 24);
    harness.press('G');
    assert!(harness.text().contains("100 / 100 "), "{}", harness.text());
    harness.press('f');
    harness.answer_page(Ok(page(901..=1_001, false)));
    let text = harness.text();
    assert!(
        text.contains("1 / 101 ") && text.contains("following"),
        "{text}"
    );
    assert!(harness.selected().contains("000003e9"), "{text}");
}

#[test]
fn open_record_stays_open_while_new_ones_come() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.press('f');
    harness.answer_page(Ok(page(902..=1_001, true)));
    harness.code(KeyCode::Enter);
    assert!(
        harness.text().contains("Record 1205001"),
        "{}",
        harness.text()
    );
    harness.pass(2);
    harness.answer_page(Ok(page(903..=1_002, true)));
    assert!(
        harness.text().contains("Record 1205001"),
        "{}",
        harness.text()
    );
    assert!(harness.text().contains("2 / 102"), "{}", harness.text());
}

#[test]
fn rows_that_left_the_span_of_the_filter_go_while_following() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.type_filter("since=30s");
    harness.code(KeyCode::Enter);
    // They occurred 30 s ago and later.
    harness.answer_page(Ok(page(990..=1_000, false)));
    assert!(harness.text().contains("1 / 11 "), "{}", harness.text());
    harness.press('f');
    harness.answer_page(Ok(page(990..=1_000, false)));
    harness.pass(2);
    harness.answer_page(Ok(page(991..=1_001, false)));
    let text = harness.text();
    assert!(text.contains("1 / 11 "), "990 is 32 s old: {text}");
    // Not while one is read; it goes with the next answer.
    harness.keys("G");
    harness.code(KeyCode::Enter);
    harness.pass(2);
    harness.answer_page(Ok(page(992..=1_001, false)));
    let text = harness.text();
    assert!(text.contains("Record 1204991"), "{text}");
    harness.code(KeyCode::Esc);
    harness.pass(2);
    harness.answer_page(Ok(page(992..=1_001, false)));
    let text = harness.text();
    assert!(text.contains("/ 10 "), "{text}");
}

#[test]
fn rows_that_were_followed_keep_the_time_of_that_when_a_refresh_fails() {
    let mut harness = with_page(page(901..=1_000, true), 160, 45);
    harness.press('f');
    harness.answer_page(Ok(page(901..=1_000, true)));
    harness.pass(2);
    harness.answer_page(Ok(page(902..=1_001, true)));
    harness.pass(1);
    harness.refresh();
    harness.answer_page(Err(refused()));
    let text = harness.text();
    assert!(text.contains("as of 11:06:42 UTC"), "{text}");
}

#[test]
fn first_row_stays_first_while_following() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.press('f');
    harness.answer_page(Ok(page(902..=1_001, true)));
    assert!(
        harness.selected().contains("000003e9"),
        "{}",
        harness.selected()
    );
    assert!(harness.text().contains("1 / 101,"));
}

#[test]
fn following_looks_every_two_seconds_and_only_while_shown() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.pass(60);
    assert!(harness.queries().is_empty(), "paused: nothing is requested");
    harness.press('f');
    assert_eq!(harness.queries().len(), 1);
    harness.pass(10);
    assert_eq!(harness.queries().len(), 1, "one at a time");
    harness.answer_page(Ok(page(901..=1_000, true)));
    harness.pass(1);
    assert!(harness.queries().is_empty());
    harness.pass(1);
    assert_eq!(harness.queries().len(), 1);
    harness.answer_page(Ok(page(901..=1_000, true)));
    harness.press('1');
    harness.pass(10);
    assert!(harness.queries().is_empty(), "another screen is shown");
}

#[test]
fn following_lets_a_database_sleep_that_pauses() {
    for (pauses, reads) in [(true, 0), (false, 1)] {
        let mut harness = with_page(page(901..=1_000, true), 80, 24);
        harness.model.environment.database_pauses = pauses;
        harness.press('f');
        harness.answer_page(Ok(page(901..=1_000, true)));
        harness.pass(601);
        assert_eq!(harness.queries().len(), reads);
        let is_told = harness.notice().contains("nobody has used the console");
        assert_eq!(is_told, pauses);
    }
}

#[test]
fn hole_pauses_unless_the_newest_is_watched() {
    let mut harness = with_page(page(1..=100, true), 80, 24);
    harness.press('f');
    harness.press('j');
    harness.answer_page(Ok(page(501..=1_000, true)));
    let notice = "paused: more than 500 new records at once; ^r reloads";
    assert!(harness.text().contains(notice), "{}", harness.text());
    harness.pass(10);
    assert!(harness.queries().is_empty());
    assert!(harness.text().contains("2 / 100,"), "{}", harness.text());

    let mut harness = with_page(page(1..=100, true), 80, 24);
    harness.press('f');
    harness.answer_page(Ok(page(501..=1_000, true)));
    assert!(harness.text().contains("1 / 500,"), "{}", harness.text());
}

/// Rows, and then a refresh that fails after 60 s.
fn failed() -> Harness {
    let mut harness = with_page(page(901..=1_000, true), 160, 45);
    harness.pass(60);
    harness.refresh();
    harness.answer_page(Err(refused()));
    harness
}

fn totals_came(harness: &mut Harness) {
    let position = harness
        .requests
        .iter()
        .rposition(|request| matches!(request, Request::Totals(_)));
    let Request::Totals(to) = harness.requests.remove(position.unwrap()) else {
        unreachable!();
    };
    let totals = RecordTotals {
        total: 1_000,
        total_is_estimate: false,
        last_ingested_at: None,
        database_now: harness.now,
        schema_version: None,
        read_path: ReadPath::Database,
        tunnel_fault: None,
    };
    harness.reply(to, Ok(totals));
}

#[test]
fn failure_is_shown_with_its_time() {
    let text = failed().text();
    assert!(text.contains("· at 11:07:40 UTC ·"), "{text}");
    let text = harness_in(State::FailedFirst, 220, 45).text();
    assert!(text.contains("(after 0.1 s) · at 11:06:40 UTC"), "{text}");
}

#[test]
fn failure_goes_when_the_database_answers_again() {
    let mut harness = failed();
    harness.pass(9);
    totals_came(&mut harness);
    harness.tick();
    assert!(harness.queries().is_empty(), "not sooner than after 10 s");
    harness.pass(1);
    harness.answer_page(Ok(page(901..=1_000, true)));
    let text = harness.text();
    assert!(!text.contains("connection refused"), "{text}");
}

#[test]
fn failure_of_a_page_is_past_when_a_later_read_was_answered() {
    let mut harness = harness_in(State::MoreFailed, 160, 45);
    assert!(harness.text().contains("next page: "), "{}", harness.text());
    harness.press('f');
    harness.pass(3);
    harness.answer_page(Ok(page(901..=1_001, true)));
    let text = harness.text();
    assert!(!text.contains("next page: "), "{text}");
}
