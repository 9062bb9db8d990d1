//! The line of the filter: what is wrong is beside it as one types, and what is known completes it.

use super::*;

fn typing(text: &str) -> Harness {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.press('/');
    harness.answer(&NAMES, Ok(names()));
    harness.keys(text);
    harness
}

/// The line as it is typed.
fn line(harness: &Harness) -> String {
    let text = harness.text();
    let line = text.lines().find_map(|line| line.strip_prefix(" / "));
    line.unwrap_or_default().trim_end().to_owned()
}

#[test]
fn tab_completes_what_is_typed() {
    for (typed, completed) in [
        ("so", "source="),
        ("type=del", "type=flight.delayed"),
        ("delay", "type=flight.delayed"),
        ("source=/air", "source=/airport/bags"),
        ("subject=k7", "subject=K7PQ2X"),
        ("tod", "today"),
        ("-2", "-2h"),
        ("order=a", "order=asc"),
        ("type=a ord", "type=a order="),
        ("nothing", "nothing"),
    ] {
        let mut harness = typing(typed);
        harness.code(KeyCode::Tab);
        assert_eq!(line(&harness), completed);
    }
}

#[test]
fn chosen_candidate_is_taken_by_enter_and_the_line_is_applied_by_the_next() {
    let mut harness = typing("type=flight");
    for _ in 0..2 {
        harness.code(KeyCode::Down);
    }
    assert!(harness.text().contains("▸ type=flight.delayed"));
    harness.code(KeyCode::Enter);
    assert_eq!(line(&harness), "type=flight.delayed");
    assert!(harness.queries().is_empty());
    harness.keys("-2h");
    harness.code(KeyCode::Enter);
    let query = harness.queries()[0].clone();
    assert_eq!(query.event_type.as_deref(), Some("flight.delayed"));
    assert_eq!(query.from, Some(at(-7_200)));
}

#[test]
fn choice_can_be_left_again_and_typing_ends_it() {
    let mut harness = typing("type=flight");
    harness.code(KeyCode::Down);
    harness.code(KeyCode::Up);
    assert!(!harness.text().contains("▸ type="), "{}", harness.text());
    harness.code(KeyCode::Down);
    harness.press('.');
    assert!(!harness.text().contains("▸ type="), "{}", harness.text());
    harness.code(KeyCode::Enter);
    assert_eq!(harness.queries()[0].event_type.as_deref(), Some("flight."));
}

#[test]
fn candidates_move_no_row_and_go_with_the_line() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.keys("/order=");
    let row = |harness: &Harness| {
        let text = harness.text();
        text.lines().position(|line| line.contains("000003d8"))
    };
    let before = row(&harness);
    harness.press('x');
    assert!(
        !harness.text().contains("order=asc  "),
        "{}",
        harness.text()
    );
    assert_eq!(row(&harness), before);
    harness.code(KeyCode::Esc);
    assert!(!harness.text().contains("oldest first"));
}

#[test]
fn names_are_asked_for_when_a_filter_is_typed_and_not_by_themselves() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.pass(600);
    assert_eq!(harness.count(&NAMES), 0);
    harness.press('/');
    assert_eq!(harness.count(&NAMES), 1);
    harness.answer(&NAMES, Ok(names()));
    harness.code(KeyCode::Esc);
    harness.press('/');
    assert_eq!(harness.count(&NAMES), 0, "they are fresh");
    harness.code(KeyCode::Esc);
    harness.pass(60);
    harness.press('/');
    assert_eq!(harness.count(&NAMES), 1);
}

#[test]
fn names_that_come_late_complete_what_is_typed_by_then() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.keys("/type=del");
    assert!(!harness.text().contains("records"), "{}", harness.text());
    harness.answer(&NAMES, Ok(names()));
    let text = harness.text();
    assert!(
        text.contains("type=flight.delayed  4,100 records"),
        "{text}"
    );
}

#[test]
fn values_of_the_rows_are_offered_where_the_names_could_not_be_read() {
    let text = harness_in(State::CompletingRowsAlone, 160, 45).text();
    assert!(text.contains("source=/shop/bookings"), "{text}");
    assert!(text.contains("in 33 rows here"), "{text}");
    assert!(text.contains("▲ not all: read records at"), "{text}");
}

#[test]
fn error_stands_below_the_term_at_fault() {
    let column = |typed: &str, error: &str| {
        let harness = typing(typed);
        let text = harness.text();
        let line = text.lines().find(|line| line.contains(error));
        let line = line.unwrap_or_else(|| panic!("{text}"));
        line.chars().position(|c| c == '✖').unwrap()
    };
    assert_eq!(column("typ=x", "typ= is unknown"), 3);
    assert_eq!(column("order=asc id= ", "id= has no value"), 13);
    let inverted = "since and until: nothing lies between";
    assert_eq!(
        column("since=1h until=2h", inverted),
        3,
        "as far as there is room"
    );
}

#[test]
fn term_that_is_only_begun_is_no_fault_yet_and_is_not_applied() {
    let mut harness = typing("source=");
    let text = harness.text();
    assert!(text.contains("source=/ops/flights: this source"), "{text}");
    assert!(!text.contains('✖'), "{text}");
    harness.code(KeyCode::Enter);
    assert!(harness.queries().is_empty());
    assert_eq!(line(&harness), "source=");
}

#[test]
fn every_fault_is_told_as_one_types() {
    for (typed, told) in [
        ("since=soon", "since=soon is no time"),
        ("typ=x", "typ= is unknown; use one of type"),
        ("today -2h", "today and -2h set the same end"),
        ("since=1h until=2h", "nothing lies between"),
        ("id=\"a", "has no closing \""),
        ("2h", "write -2h for the time since then"),
    ] {
        let mut harness = typing(typed);
        let text = harness.text();
        assert!(text.contains(told), "{typed}: {text}");
        harness.code(KeyCode::Enter);
        assert!(harness.queries().is_empty(), "{typed}");
        assert_eq!(line(&harness), typed, "nothing typed is lost");
    }
}

#[test]
fn earlier_filters_come_back_one_by_one() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    for filter in ["type=a", "type=b", "type=a", "type=c"] {
        harness.type_filter(filter);
        harness.code(KeyCode::Enter);
        harness.answer_page(Ok(page(1..=9, false)));
    }
    harness.press('/');
    for expected in ["type=c", "type=a", "type=b", "type=b"] {
        harness.code(KeyCode::Up);
        assert_eq!(line(&harness), expected);
    }
    harness.code(KeyCode::Down);
    assert_eq!(line(&harness), "type=a");
    for _ in 0..2 {
        harness.code(KeyCode::Down);
    }
    assert_eq!(line(&harness), "");
}

#[test]
fn hostile_names_are_not_offered() {
    let mut harness = with_page(page(1..=9, false), 80, 24);
    harness.press('/');
    let mut hostile = names();
    hostile.types.push(("a\u{1b}[2J".to_owned(), 1));
    hostile.sources.push(("\u{202e}gpj".to_owned(), 1));
    harness.answer(&NAMES, Ok(hostile));
    harness.keys("type=a");
    assert!(!harness.text().contains('␛'), "{}", harness.text());
}
