//! Every state of the screen Records as pictures, and how it behaves.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops where it fails"
)]

mod support;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::{KeyCode, MouseButton, MouseEventKind};
use event::{Cursor, Order, Page, Record, RecordId, RecordQuery};
use opsconsole::tui::keymap::Context;
use opsconsole::tui::message::{Answer, Effect, Fault, Request, Topic};
use opsconsole::tui::theme::Theme;
use serde_json::value::RawValue;
use support::driver::{Driver, now};
use support::screen::{SIZES, every_size, picture};

/// Every state that the screen can be seen in.
#[derive(Clone, Copy, Debug)]
enum State {
    Waiting,
    Empty,
    EmptyByFilter,
    FailedFirst,
    FailedWithPrevious,
    NoDatabase,
    FirstPage,
    OtherDays,
    FurtherDown,
    DetailOpen,
    DetailScrolled,
    TypingFilter,
    TypingWrongFilter,
    TypingOverFilter,
    Filtered,
    FilteredLong,
    Help,
    Following,
    LoadingMore,
    MoreFailed,
    HostileTexts,
    NoColour,
}

const STATES: [State; 22] = [
    State::Waiting,
    State::Empty,
    State::EmptyByFilter,
    State::FailedFirst,
    State::FailedWithPrevious,
    State::NoDatabase,
    State::FirstPage,
    State::OtherDays,
    State::FurtherDown,
    State::DetailOpen,
    State::DetailScrolled,
    State::TypingFilter,
    State::TypingWrongFilter,
    State::TypingOverFilter,
    State::Filtered,
    State::FilteredLong,
    State::Help,
    State::Following,
    State::LoadingMore,
    State::MoreFailed,
    State::HostileTexts,
    State::NoColour,
];

fn at(secs: i64) -> DateTime<Utc> {
    now() + Duration::seconds(secs)
}

fn refused() -> Fault {
    Fault {
        message: "read records at postgres://127.0.0.1/pipeline: connection refused (after 0.1 s)"
            .into(),
        hint: Some("is the demo still running?".into()),
    }
}

/// Record number `number`: one each 3 s, the larger the newer.
fn record(number: i64) -> Record {
    let kinds = [
        ("flight.departed", "/ops/flights", "LA601"),
        ("booking.created", "/shop/bookings", "K7PQ2X"),
        ("bag.scanned", "/airport/bags", "0045123456"),
    ];
    let (event_type, source, subject) = kinds[usize::try_from(number % 3).unwrap()];
    let occurred_at = at(-3_000 + 3 * number);
    let id = format!("{number:08x}-61a5-4b93-a0a1-0d4a9e1f7c11");
    let payload = format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"{source}\",\"type\":\
         \"{event_type}\",\"time\":\"{}\",\"data\":{{\"number\":{number},\"price\":412.50,\"tags\"\
         :[\"a\",\"b\"]}}}}",
        occurred_at.to_rfc3339()
    );
    Record {
        record_id: RecordId(1_204_000 + number),
        source: source.into(),
        id,
        event_type: event_type.into(),
        subject: Some(subject.into()),
        occurred_at,
        ingested_at: occurred_at + Duration::milliseconds(180 + number % 7 * 40),
        payload: RawValue::from_string(payload).unwrap(),
    }
}

/// Newest first.
fn page(numbers: std::ops::RangeInclusive<i64>, has_next: bool) -> Page<Record> {
    paged(numbers.rev().map(record).collect(), has_next)
}

fn paged(items: Vec<Record>, has_next: bool) -> Page<Record> {
    let next_cursor = items.last().filter(|_| has_next).map(|last| Cursor {
        order: Order::Desc,
        occurred_at: last.occurred_at,
        record_id: last.record_id,
    });
    Page { items, next_cursor }
}

impl Driver {
    fn open(width: u16, height: u16) -> Self {
        Self::on('5', width, height)
    }

    fn with(page: Page<Record>, width: u16, height: u16) -> Self {
        let mut driver = Self::open(width, height);
        driver.give(Ok(page));
        driver
    }

    fn type_filter(&mut self, text: &str) {
        self.press('/');
        self.type_text(text);
    }

    /// Answers the oldest question for records.
    fn give(&mut self, result: Result<Page<Record>, Fault>) {
        self.answer(Topic::Records, result.map(Answer::Records));
    }

    /// The questions for records that are open.
    fn queries(&self) -> Vec<RecordQuery> {
        self.asked
            .iter()
            .filter_map(|(_, request)| match request {
                Request::Records(query) => Some(query.clone()),
                _ => None,
            })
            .collect()
    }

    fn refresh(&mut self) {
        self.ctrl('r');
    }

    /// The selected row of the list as text.
    fn selected(&self) -> String {
        self.text()
            .lines()
            .find(|line| line.contains('▸'))
            .unwrap_or_default()
            .to_owned()
    }
}

fn driver_in(state: State, width: u16, height: u16) -> Driver {
    let with = |page| Driver::with(page, width, height);
    match state {
        State::Waiting => {
            let mut driver = Driver::open(width, height);
            driver.wait(3);
            driver
        }
        State::Empty => with(paged(Vec::new(), false)),
        State::EmptyByFilter => {
            let mut driver = with(page(1..=9, false));
            driver.type_filter("type=flight.cancelled since=1h");
            driver.key(KeyCode::Enter);
            driver.give(Ok(paged(Vec::new(), false)));
            driver
        }
        State::FailedFirst => {
            let mut driver = Driver::open(width, height);
            driver.give(Err(refused()));
            driver
        }
        State::FailedWithPrevious => {
            let mut driver = with(page(901..=1_000, true));
            driver.wait(60);
            driver.refresh();
            driver.give(Err(refused()));
            driver
        }
        State::NoDatabase => {
            let mut driver = Driver::open(width, height);
            driver.give(Err(Fault {
                message: "read records: no database in environment demo".into(),
                hint: Some("records need database_url".into()),
            }));
            driver
        }
        State::FirstPage => with(page(901..=1_000, true)),
        State::OtherDays => {
            let mut items: Vec<_> = page(901..=1_000, true).items;
            for old in items.iter_mut().skip(5) {
                old.occurred_at -= Duration::days(2);
            }
            with(paged(items, false))
        }
        State::FurtherDown => {
            let mut driver = with(page(901..=1_000, true));
            for _ in 0..40 {
                driver.press('j');
            }
            driver
        }
        State::DetailOpen => {
            let mut driver = with(page(901..=1_000, true));
            driver.press('j');
            driver.key(KeyCode::Enter);
            driver
        }
        State::DetailScrolled => {
            let mut items = page(901..=1_000, true).items;
            let legs: Vec<_> = (1..=60)
                .map(|leg| format!("{{\"leg\":{leg},\"stops\":[[{leg}]]}}"))
                .collect();
            let payload = format!("{{\"id\":\"1\",\"data\":[{}]}}", legs.join(","));
            items[0].payload = RawValue::from_string(payload).unwrap();
            let mut driver = with(paged(items, true));
            driver.key(KeyCode::Enter);
            driver.key(KeyCode::PageDown);
            driver.press('J');
            driver
        }
        State::TypingFilter => {
            let mut driver = with(page(901..=1_000, true));
            driver.type_filter("flight.delayed since=1h");
            driver
        }
        State::TypingWrongFilter => {
            let mut driver = with(page(901..=1_000, true));
            driver.type_filter("type=flight.delayed since=soon");
            driver
        }
        State::Filtered => {
            let mut driver = with(page(901..=1_000, true));
            driver.type_filter("flight.departed since=1h");
            driver.key(KeyCode::Enter);
            let some = (901..=1_000)
                .rev()
                .filter(|n| n % 3 == 0)
                .map(record)
                .collect();
            driver.give(Ok(paged(some, false)));
            driver
        }
        State::FilteredLong => {
            let mut driver = with(page(901..=1_000, true));
            driver.type_filter(
                "type=flight.departed source=/ops/flights subject=LA601 since=1h30m until=2m",
            );
            driver.key(KeyCode::Enter);
            driver.give(Ok(page(901..=1_000, true)));
            driver
        }
        State::TypingOverFilter => {
            let mut driver = driver_in(State::Filtered, width, height);
            driver.type_filter("since=");
            driver
        }
        State::Help => {
            let mut driver = with(page(901..=1_000, true));
            driver.press('?');
            for _ in 0..100 {
                driver.key(KeyCode::Down);
            }
            driver
        }
        State::Following => {
            let mut driver = with(page(901..=1_000, true));
            driver.press('j');
            driver.press('j');
            driver.press('f');
            driver.give(Ok(page(904..=1_003, true)));
            driver
        }
        State::LoadingMore => {
            let mut driver = with(page(901..=1_000, true));
            driver.press('G');
            driver
        }
        State::MoreFailed => {
            let mut driver = driver_in(State::LoadingMore, width, height);
            driver.give(Err(refused()));
            driver
        }
        State::HostileTexts => {
            let mut items = page(991..=1_000, false).items;
            items[0].id = "\u{1b}[2J\u{1b}]0;owned\u{7}".into();
            items[0].event_type = "日本語の出来事".into();
            items[1].event_type = "x".repeat(300);
            items[1].subject = Some("\u{202e}gnp.exe".into());
            items[2].occurred_at = at(5_000);
            items[2].ingested_at = at(0);
            items.sort_by_key(|item| std::cmp::Reverse(item.occurred_at));
            with(paged(items, false))
        }
        State::NoColour => {
            let mut driver = driver_in(State::Following, width, height);
            driver.model.theme = Theme { has_colour: false };
            driver
        }
    }
}

#[test]
fn every_state_looks_as_reviewed() {
    for state in STATES {
        for (width, height) in SIZES {
            let driver = driver_in(state, width, height);
            insta::assert_debug_snapshot!(
                format!("records_{state:?}_{width}x{height}"),
                picture(&driver.model)
            );
        }
    }
}

#[test]
fn every_size_is_drawn() {
    for state in STATES {
        let mut driver = driver_in(state, 80, 24);
        for (width, height) in every_size().chain([(0, 0), (0, 9), (9, 0)]) {
            driver.resize(width, height);
            if width > 0 && height > 0 {
                picture(&driver.model);
            }
        }
    }
}

#[test]
fn selected_record_is_visible_at_small_sizes() {
    let mut driver = driver_in(State::FurtherDown, 80, 24);
    for (width, height) in [(40, 10), (20, 6), (80, 24)] {
        driver.resize(width, height);
        assert!(
            driver.selected().contains('▸'),
            "{width}x{height}\n{}",
            driver.text()
        );
    }
}

#[test]
fn new_rows_come_on_top_and_the_selection_stays() {
    let mut driver = Driver::with(page(901..=1_000, true), 80, 24);
    for _ in 0..5 {
        driver.press('j');
    }
    let before = driver.selected();
    driver.press('f');
    driver.give(Ok(page(910..=1_010, true)));
    assert_eq!(
        driver.selected(),
        before,
        "the same record at the same place"
    );
    assert!(driver.text().contains("16 / 110,"), "{}", driver.text());
}

#[test]
fn first_row_stays_first_while_following() {
    let mut driver = Driver::with(page(901..=1_000, true), 80, 24);
    driver.press('f');
    driver.give(Ok(page(902..=1_001, true)));
    assert!(
        driver.selected().contains("000003e9"),
        "{}",
        driver.selected()
    );
    assert!(driver.text().contains("1 / 101,"));
}

#[test]
fn following_looks_every_two_seconds_and_only_while_shown() {
    let mut driver = Driver::with(page(901..=1_000, true), 80, 24);
    driver.wait(60);
    assert!(driver.queries().is_empty(), "paused: nothing is asked");
    driver.press('f');
    assert_eq!(driver.queries().len(), 1);
    driver.wait(10);
    assert_eq!(driver.queries().len(), 1, "one at a time");
    driver.give(Ok(page(901..=1_000, true)));
    driver.wait(1);
    assert!(driver.queries().is_empty());
    driver.wait(1);
    assert_eq!(driver.queries().len(), 1);
    driver.give(Ok(page(901..=1_000, true)));
    driver.press('1');
    driver.wait(10);
    assert!(driver.queries().is_empty(), "another screen is shown");
}

#[test]
fn hole_pauses_unless_the_newest_is_watched() {
    let mut driver = Driver::with(page(1..=100, true), 80, 24);
    driver.press('j');
    driver.press('f');
    driver.give(Ok(page(501..=1_000, true)));
    assert!(
        driver.text().contains("paused: more than 500"),
        "{}",
        driver.text()
    );
    driver.wait(10);
    assert!(driver.queries().is_empty());
    assert!(driver.text().contains("2 / 100,"), "{}", driver.text());

    let mut driver = Driver::with(page(1..=100, true), 80, 24);
    driver.press('f');
    driver.give(Ok(page(501..=1_000, true)));
    assert!(driver.text().contains("1 / 500,"), "{}", driver.text());
}

#[test]
fn next_page_is_asked_for_once_near_the_end() {
    let mut driver = Driver::with(page(901..=1_000, true), 80, 24);
    driver.press('j');
    assert!(driver.queries().is_empty());
    driver.press('G');
    driver.press('k');
    assert_eq!(driver.queries().len(), 1);
    let cursor = driver.queries()[0].cursor.unwrap();
    assert_eq!(cursor.record_id, RecordId(1_204_901));
    driver.give(Ok(page(801..=900, false)));
    assert!(driver.text().contains("99 / 200 "), "{}", driver.text());
    driver.press('G');
    assert!(driver.queries().is_empty(), "that was all");
}

#[test]
fn page_that_fails_is_not_asked_for_again_at_once() {
    let mut driver = driver_in(State::MoreFailed, 80, 24);
    driver.press('k');
    assert!(driver.queries().is_empty());
    driver.wait(4);
    driver.press('k');
    assert_eq!(driver.queries().len(), 1);
}

#[test]
fn late_page_of_another_filter_changes_nothing() {
    let mut driver = driver_in(State::LoadingMore, 80, 24);
    let (late, _) = driver.take(Topic::Records);
    driver.type_filter("bag.scanned");
    driver.key(KeyCode::Enter);
    let result = Ok(Answer::Records(page(801..=900, true)));
    driver.reply(late, Topic::Records, result);
    assert!(driver.text().contains("Waiting for the first page"));
    assert_eq!(
        driver.queries()[0].event_type.as_deref(),
        Some("bag.scanned")
    );
}

#[test]
fn wrong_filter_is_not_applied() {
    let mut driver = driver_in(State::TypingWrongFilter, 80, 24);
    driver.key(KeyCode::Enter);
    assert!(driver.queries().is_empty());
    assert_eq!(driver.model.context(), Context::Input);
    for _ in 0.."since=soon".len() {
        driver.key(KeyCode::Backspace);
    }
    driver.key(KeyCode::Enter);
    assert_eq!(driver.queries().len(), 1);
}

#[test]
fn pasted_filter_is_checked_like_a_typed_one() {
    let mut driver = Driver::with(page(1..=9, false), 80, 24);
    driver.press('/');
    driver.paste("typ=x\nid=1");
    assert!(
        driver.text().contains("typ= is unknown"),
        "{}",
        driver.text()
    );
}

#[test]
fn filter_is_cleared_by_its_key() {
    let mut driver = driver_in(State::Filtered, 80, 24);
    assert!(driver.text().contains("flight.departed since=1h"));
    driver.press('x');
    assert_eq!(
        driver.queries()[0],
        RecordQuery {
            limit: 100,
            ..RecordQuery::default()
        }
    );
}

#[test]
fn applied_filter_is_visible_on_narrow_screens_too() {
    let mut driver = driver_in(State::Filtered, 80, 24);
    driver.resize(40, 10);
    assert!(
        driver.text().contains("flight.departed since=1h"),
        "{}",
        driver.text()
    );
}

#[test]
fn following_wants_the_newest_first() {
    let mut driver = Driver::with(page(1..=9, false), 80, 24);
    driver.type_filter("order=asc");
    driver.key(KeyCode::Enter);
    driver.give(Ok(paged((1..=9).map(record).collect(), false)));
    driver.press('f');
    driver.wait(10);
    assert!(driver.queries().is_empty());
}

#[test]
fn relative_filter_moves_on_with_the_clock() {
    let mut driver = driver_in(State::Filtered, 80, 24);
    driver.wait(600);
    driver.refresh();
    assert_eq!(driver.queries()[0].from, Some(at(600 - 3_600)));
}

#[test]
fn enter_opens_the_detail_and_escape_returns() {
    let mut driver = driver_in(State::DetailOpen, 80, 24);
    assert!(
        driver.text().contains("record_id  1204999"),
        "{}",
        driver.text()
    );
    driver.press('j');
    assert!(
        driver.text().contains("record_id  1204998"),
        "the next record, still open"
    );
    driver.key(KeyCode::Esc);
    assert!(driver.selected().contains("000003e6"), "{}", driver.text());
}

#[test]
fn payload_is_copied_as_it_is() {
    let mut driver = Driver::with(page(1..=9, false), 80, 24);
    driver.press('y');
    assert_eq!(
        driver.effects,
        [Effect::Copy(record(9).payload.get().to_owned())]
    );
}

#[test]
fn second_click_on_a_row_opens_it() {
    let mut driver = Driver::with(page(901..=1_000, true), 80, 24);
    let row = driver
        .text()
        .lines()
        .position(|line| line.contains("000003e4"))
        .unwrap();
    let click = |driver: &mut Driver| {
        driver.mouse(
            MouseEventKind::Down(MouseButton::Left),
            10,
            u16::try_from(row).unwrap(),
        );
    };
    click(&mut driver);
    assert!(driver.selected().contains("000003e4"));
    click(&mut driver);
    assert!(driver.text().contains("record_id  1204996"));
}

#[test]
fn wheel_scrolls_what_is_under_the_pointer() {
    let mut driver = Driver::with(page(901..=1_000, true), 160, 16);
    let wheel = |driver: &mut Driver, column| {
        driver.mouse(MouseEventKind::ScrollDown, column, 6);
    };
    wheel(&mut driver, 5);
    assert!(driver.text().contains("4 / 100"), "{}", driver.text());
    assert!(driver.text().contains("record_id  1204997"));
    wheel(&mut driver, 150);
    assert!(driver.text().contains("4 / 100"));
    assert!(
        !driver.text().contains("record_id  1204997"),
        "{}",
        driver.text()
    );
}

#[test]
fn refresh_keeps_the_selected_record_if_it_is_still_there() {
    let mut driver = Driver::with(page(901..=1_000, true), 80, 24);
    driver.press('j');
    let before = driver.selected();
    driver.refresh();
    driver.give(Ok(page(906..=1_005, true)));
    assert_eq!(driver.selected(), before);
}

#[test]
fn title_keeps_the_age_of_the_rows_at_80_columns() {
    for state in [State::FirstPage, State::Filtered, State::FilteredLong] {
        let text = driver_in(state, 80, 24).text();
        assert!(text.contains("as of 11:06:40"), "{state:?}\n{text}");
    }
}

#[test]
fn coming_back_reads_the_newest_unless_somebody_reads_on_further_down() {
    let mut driver = Driver::with(page(901..=1_000, true), 80, 24);
    driver.press('j');
    let before = driver.selected();
    driver.press('1');
    driver.press('5');
    assert_eq!(driver.queries().len(), 1);
    driver.press('1');
    driver.press('5');
    assert_eq!(driver.queries().len(), 1, "one at a time");
    driver.give(Ok(page(906..=1_005, true)));
    assert_eq!(driver.selected(), before, "the same record");

    let mut driver = driver_in(State::FurtherDown, 80, 24);
    let before = driver.selected();
    driver.press('1');
    driver.press('5');
    assert!(driver.queries().is_empty(), "reading further down");
    assert_eq!(driver.selected(), before);
}

#[test]
fn filter_is_typed_anew_and_the_applied_one_comes_by_a_key() {
    let mut driver = driver_in(State::Filtered, 80, 24);
    driver.type_filter("bag.scanned");
    driver.key(KeyCode::Enter);
    let query = driver.queries()[0].clone();
    assert_eq!(query.event_type.as_deref(), Some("bag.scanned"));
    assert_eq!(query.from, None, "nothing of the old filter is left");
    driver.give(Ok(page(901..=1_000, true)));
    driver.press('/');
    assert!(driver.text().contains("↑ the applied filter"));
    driver.key(KeyCode::Up);
    driver.type_text(" since=1h");
    driver.key(KeyCode::Enter);
    let query = driver.queries()[0].clone();
    assert_eq!(query.event_type.as_deref(), Some("bag.scanned"));
    assert_eq!(query.from, Some(at(-3_600)));
}

#[test]
fn help_explains_how_a_span_of_time_is_filtered() {
    let text = driver_in(State::Help, 80, 24).text();
    for part in [
        "since=90s",
        "until=",
        "from=2026-11-24",
        "to=2026-11-24T06:30Z",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}
