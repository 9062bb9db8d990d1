//! The difference of two records, and the command that exports the filter.

use super::*;

#[test]
fn two_records_are_compared_line_by_line() {
    let mut harness = harness_in(State::Comparing, 80, 24);
    assert!(harness.notice().contains("comparing with 1205000"));
    assert!(harness.text().contains("◆ "), "{}", harness.text());
    assert!(harness.selected().contains("000003e6"));
    harness.press('d');
    let text = harness.text();
    assert!(text.contains("- 1205000  + 1204998"), "{text}");
    assert!(text.contains("-   \"type\": \"booking.created\""), "{text}");
    assert!(text.contains("+   \"type\": \"bag.scanned\""), "{text}");
    harness.press('y');
    let copied = harness.copied.last().unwrap();
    assert!(
        copied.contains("\n+  \"type\": \"bag.scanned\""),
        "{copied}"
    );
    harness.code(KeyCode::Esc);
    assert!(
        harness.selected().contains("000003e6"),
        "the list as it was"
    );
    assert!(harness.text().contains("◆ "), "the first is still held");
    harness.code(KeyCode::Esc);
    assert!(!harness.text().contains("◆ "), "{}", harness.text());
}

#[test]
fn records_of_two_filters_are_compared() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.press('d');
    harness.type_filter("bag.scanned");
    harness.code(KeyCode::Enter);
    harness.answer_page(Ok(page(1..=3, false)));
    harness.press('d');
    assert!(
        harness.text().contains("- 1205000  + 1204003"),
        "{}",
        harness.text()
    );
}

#[test]
fn same_record_ends_the_comparison() {
    let mut harness = with_page(page(1..=9, false), 80, 24);
    harness.keys("dd");
    assert!(harness.notice().contains("comparing ended"));
    harness.keys("jd");
    assert!(!harness.text().contains("Difference"));
}

#[test]
fn difference_is_scrolled_to_its_last_line_and_rows_stay() {
    let mut harness = harness_in(State::Difference, 80, 10);
    let before = harness.text();
    harness.press('j');
    assert_ne!(harness.text(), before);
    harness.press('G');
    harness.press('g');
    assert_eq!(harness.text(), before);
    assert!(harness.queries().is_empty());
}

#[test]
fn export_shows_the_command_and_what_it_cannot_select() {
    let mut harness = harness_in(State::Export, 80, 24);
    let text = harness.text();
    let command = "opsconsole --env demo export --from 2026-11-18T00:00:00Z --type";
    assert!(text.contains(command), "{text}");
    assert!(text.contains("an export has no subject"), "{text}");
    harness.press('y');
    let copied = harness.copied.last().unwrap();
    assert!(
        copied.ends_with("--type flight.departed --into records-export"),
        "{copied}"
    );
    harness.code(KeyCode::Esc);
    assert!(!harness.text().contains("Export of this filter"));
}

#[test]
fn other_keys_close_what_lies_over_the_list_and_do_what_they_do() {
    let mut harness = harness_in(State::Export, 80, 24);
    harness.press('/');
    assert_eq!(harness.model.key_context(), KeyContext::Query);
    assert!(!harness.text().contains("Export of this filter"));
}
