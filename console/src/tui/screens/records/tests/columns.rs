//! Columns of the operator's choice.

use super::*;

fn with_columns(pointers: &str, width: u16) -> Harness {
    let mut harness = with_page(page(901..=1_000, true), width, 24);
    harness.press('c');
    harness.keys(pointers);
    harness.code(KeyCode::Enter);
    harness
}

#[test]
fn what_a_pointer_finds_has_a_column() {
    let harness = with_columns("/data/number /data/tags/1 /data/none", 120);
    let text = harness.text();
    let heading = text.lines().find(|line| line.contains("time UTC")).unwrap();
    let titles: Vec<&str> = heading.split_whitespace().take(6).collect();
    assert_eq!(titles, ["time", "UTC", "type", "number", "1", "none"]);
    let row = harness.selected();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[2..6], ["booking.created", "1000", "b", "–"], "{row}");
}

#[test]
fn columns_of_the_operator_stay_on_narrow_screens() {
    let harness = with_columns("/data/number", 44);
    assert!(harness.text().contains("number"), "{}", harness.text());
    assert!(harness.selected().contains("1000"), "{}", harness.text());
}

#[test]
fn rows_that_come_later_have_the_columns_too() {
    let mut harness = with_columns("/data/number", 80);
    harness.go_down(75);
    harness.answer_page(Ok(page(801..=900, false)));
    harness.go_down(100);
    assert!(
        harness.selected().contains(" 825 "),
        "{}",
        harness.selected()
    );
    harness.press('g');
    harness.press('f');
    harness.answer_page(Ok(page(902..=1_001, true)));
    assert!(
        harness.selected().contains(" 1001 "),
        "{}",
        harness.selected()
    );
}

#[test]
fn wrong_pointer_is_told_beside_it_and_not_applied() {
    let mut harness = harness_in(State::TypingWrongColumns, 80, 24);
    let told = "data.tags does not begin with /; write /data/tags";
    assert!(harness.text().contains(told), "{}", harness.text());
    harness.code(KeyCode::Enter);
    assert_eq!(harness.model.key_context(), KeyContext::Query);
    harness.code(KeyCode::Esc);
    let heading = |harness: &Harness| harness.text().contains("price");
    assert!(!heading(&harness), "{}", harness.text());
}

#[test]
fn places_of_the_selected_record_complete_a_pointer() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.keys("cpri");
    let text = harness.text();
    assert!(text.contains("/data/price  412.5"), "{text}");
    harness.code(KeyCode::Tab);
    harness.keys("numb");
    harness.code(KeyCode::Tab);
    harness.code(KeyCode::Enter);
    let text = harness.text();
    assert!(text.contains("price") && text.contains("number"), "{text}");
}

#[test]
fn key_shows_what_is_applied_and_an_empty_line_ends_it() {
    let mut harness = with_columns("/data/number /data/price", 80);
    harness.press('c');
    assert!(harness.text().contains(" c /data/number /data/price"));
    harness.ctrl('u');
    harness.code(KeyCode::Enter);
    assert!(!harness.text().contains("number"), "{}", harness.text());
}
