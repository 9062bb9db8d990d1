//! Filters that are kept under a name.

use super::*;
use crate::saved_filters::SavedFilter;
use crate::tui::testing::SAVE_FILTER;

pub(super) fn filters() -> Vec<SavedFilter> {
    let filter = |name: &str, filter: &str, columns: &[&str]| SavedFilter {
        name: name.into(),
        filter: filter.into(),
        columns: columns.iter().map(|it| (*it).to_owned()).collect(),
    };
    vec![
        filter("bags", "bag.scanned today", &[]),
        filter("late", "flight.delayed -2h", &["/data/number"]),
    ]
}

fn typing(text: &str) -> Harness {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.press('/');
    harness.answer(&SAVED_FILTERS, Ok(filters()));
    harness.keys(text);
    harness
}

#[test]
fn applied_filter_and_its_columns_are_saved_under_a_name() {
    let mut harness = harness_in(State::Filtered, 80, 24);
    harness.keys("c/data/number");
    harness.code(KeyCode::Enter);
    harness.keys("sdeparted");
    harness.code(KeyCode::Enter);
    let (saved, to) = harness.take(&SAVE_FILTER);
    let expected = SavedFilter {
        name: "departed".into(),
        filter: "flight.departed since=1h".into(),
        columns: vec!["/data/number".into()],
    };
    assert_eq!(saved, expected);
    harness.reply(to, Ok(vec![saved]));
    assert!(
        harness.notice().contains("saved: /@departed"),
        "{}",
        harness.notice()
    );
}

#[test]
fn name_that_cannot_be_used_is_told_and_not_saved() {
    let mut harness = harness_in(State::Saving, 80, 24);
    assert!(
        harness.text().contains("a name has letters"),
        "{}",
        harness.text()
    );
    harness.code(KeyCode::Enter);
    assert_eq!(harness.count(&SAVE_FILTER), 0);
    assert_eq!(harness.model.key_context(), KeyContext::Query);
}

#[test]
fn failure_to_save_is_told() {
    let mut harness = with_page(page(1..=9, false), 80, 24);
    harness.keys("sall");
    harness.code(KeyCode::Enter);
    harness.answer(
        &SAVE_FILTER,
        Err(Fault::new("write filters: no space left")),
    );
    assert!(
        harness
            .notice()
            .contains("not saved: write filters: no space left")
    );
}

#[test]
fn saved_filter_is_completed_to_its_text_and_brings_its_columns() {
    let mut harness = typing("@l");
    assert!(harness.text().contains("flight.delayed -2h · /data/number"));
    harness.code(KeyCode::Tab);
    assert!(
        harness.text().contains(" / flight.delayed -2h"),
        "{}",
        harness.text()
    );
    harness.code(KeyCode::Enter);
    let query = harness.queries()[0].clone();
    assert_eq!(query.event_type.as_deref(), Some("flight.delayed"));
    assert_eq!(query.from, Some(at(-7_200)));
    harness.answer_page(Ok(page(901..=1_000, true)));
    assert!(harness.text().contains("number"), "{}", harness.text());
}

#[test]
fn saved_filter_can_be_typed_in_full() {
    let mut harness = typing("@bags");
    assert!(!harness.text().contains("there is none of that name"));
    harness.code(KeyCode::Enter);
    let query = harness.queries()[0].clone();
    assert_eq!(query.event_type.as_deref(), Some("bag.scanned"));
}

#[test]
fn unknown_name_is_told_beside_it() {
    let mut harness = typing("@none");
    let told = "@none: a saved filter stands alone, and there is none of that name";
    assert!(harness.text().contains(told), "{}", harness.text());
    harness.code(KeyCode::Enter);
    assert!(harness.queries().is_empty());
}
