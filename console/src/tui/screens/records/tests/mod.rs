//! Every state of the screen as pictures, and how it behaves.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test is about the variants that it names"
)]

mod columns;
mod following;
mod over;
mod paging;
mod query_bar;
mod saving;
mod sql;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::{KeyCode, MouseEventKind};
use event::{Cursor, Order, Page, Record, RecordId, RecordQuery};
use serde_json::value::RawValue;
use strum::VariantArray;

use crate::tui::fault::Fault;
use crate::tui::keymap::KeyContext;
use crate::tui::request::Request;
use crate::tui::testing::{
    Harness, NAMES, RECORDS, SAVED_FILTERS, SQL, assert_pictures, draw_at_every_size, now, numbers,
};
use crate::tui::theme::Theme;
use pipeline::RecordNames;

/// Every state that the screen can be seen in.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
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
    Completing,
    CompletingRowsAlone,
    TypingColumns,
    TypingWrongColumns,
    WithColumns,
    InTheMiddle,
    AtTheEnd,
    SearchingFurther,
    Comparing,
    Difference,
    NoDifference,
    Export,
    Saving,
    CompletingSaved,
    TypingSql,
    AskingSql,
    SqlAnswered,
    SqlRefused,
    Filtered,
    FilteredLong,
    Help,
    Following,
    LoadingMore,
    MoreFailed,
    HostileTexts,
    NoColour,
}

fn at(secs: i64) -> DateTime<Utc> {
    now() + Duration::seconds(secs)
}

fn refused() -> Fault {
    Fault {
        message: "read records at postgres://127.0.0.1/pipeline: connection refused (after 0.1 s)"
            .into(),
        hint: Some("is the demo still running?".into()),
        ..Fault::default()
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

/// The same, read upwards: oldest first.
fn upwards(numbers: std::ops::RangeInclusive<i64>, has_more: bool) -> Page<Record> {
    let items: Vec<_> = numbers.map(record).collect();
    let next_cursor = items.last().filter(|_| has_more).map(|last| Cursor {
        order: Order::Asc,
        occurred_at: last.occurred_at,
        record_id: last.record_id,
    });
    Page { items, next_cursor }
}

/// A page without a match; the database came to this record.
fn empty_down_to(number: i64) -> Page<Record> {
    let reached = paged(vec![record(number)], true);
    Page {
        items: Vec::new(),
        next_cursor: reached.next_cursor,
    }
}

fn names() -> RecordNames {
    let names = |names: &[(&str, u64)]| {
        let owned = names
            .iter()
            .map(|(name, number)| ((*name).to_owned(), *number));
        owned.collect()
    };
    RecordNames {
        types: names(&[
            ("bag.scanned", 801_002),
            ("flight.departed", 300_551),
            ("flight.delayed", 4_100),
        ]),
        sources: names(&[("/ops/flights", 12_345), ("/airport/bags", 9_001)]),
        missing: None,
    }
}

fn paged(items: Vec<Record>, has_next: bool) -> Page<Record> {
    let next_cursor = items.last().filter(|_| has_next).map(|last| Cursor {
        order: Order::Desc,
        occurred_at: last.occurred_at,
        record_id: last.record_id,
    });
    Page { items, next_cursor }
}

fn with_page(page: Page<Record>, width: u16, height: u16) -> Harness {
    let mut harness = Harness::on('5', width, height);
    harness.answer_page(Ok(page));
    harness
}

impl Harness {
    fn type_filter(&mut self, text: &str) {
        self.press('/');
        self.keys(text);
    }

    fn go_down(&mut self, rows: usize) {
        for _ in 0..rows {
            self.press('j');
        }
    }

    /// Answers the oldest question for records.
    fn answer_page(&mut self, result: Result<Page<Record>, Fault>) {
        self.answer(&RECORDS, result);
    }

    /// The questions for records that are open.
    fn queries(&self) -> Vec<RecordQuery> {
        self.requests
            .iter()
            .filter_map(|request| match request {
                Request::Records(query, _) => Some(query.clone()),
                _ => None,
            })
            .collect()
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

fn harness_in(state: State, width: u16, height: u16) -> Harness {
    let with = |page| with_page(page, width, height);
    match state {
        State::Waiting => {
            let mut harness = Harness::on('5', width, height);
            harness.pass(3);
            harness
        }
        State::Empty => with(paged(Vec::new(), false)),
        State::EmptyByFilter => {
            let mut harness = with(page(1..=9, false));
            harness.type_filter("type=flight.cancelled since=1h");
            harness.code(KeyCode::Enter);
            harness.answer_page(Ok(paged(Vec::new(), false)));
            harness
        }
        State::FailedFirst => {
            let mut harness = Harness::on('5', width, height);
            harness.answer_page(Err(refused()));
            harness
        }
        State::FailedWithPrevious => {
            let mut harness = with(page(901..=1_000, true));
            harness.pass(60);
            harness.refresh();
            harness.answer_page(Err(refused()));
            harness
        }
        State::NoDatabase => {
            let mut harness = Harness::on('5', width, height);
            harness.answer_page(Err(Fault {
                message: "read records: no database in environment demo".into(),
                hint: Some("records need database_url".into()),
                is_not_configured: true,
                ..Fault::default()
            }));
            harness
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
            let mut harness = with(page(901..=1_000, true));
            for _ in 0..40 {
                harness.press('j');
            }
            harness
        }
        State::DetailOpen => {
            let mut harness = with(page(901..=1_000, true));
            harness.press('j');
            harness.code(KeyCode::Enter);
            harness
        }
        State::DetailScrolled => {
            let mut items = page(901..=1_000, true).items;
            let legs: Vec<_> = (1..=60)
                .map(|leg| format!("{{\"leg\":{leg},\"stops\":[[{leg}]]}}"))
                .collect();
            let payload = format!("{{\"id\":\"1\",\"data\":[{}]}}", legs.join(","));
            items[0].payload = RawValue::from_string(payload).unwrap();
            let mut harness = with(paged(items, true));
            harness.code(KeyCode::Enter);
            harness.code(KeyCode::PageDown);
            harness.press('J');
            harness
        }
        State::TypingFilter => {
            let mut harness = with(page(901..=1_000, true));
            harness.type_filter("flight.delayed since=1h");
            harness
        }
        State::TypingWrongFilter => {
            let mut harness = with(page(901..=1_000, true));
            harness.type_filter("type=flight.delayed since=soon");
            harness
        }
        State::Filtered => {
            let mut harness = with(page(901..=1_000, true));
            harness.type_filter("flight.departed since=1h");
            harness.code(KeyCode::Enter);
            let some = (901..=1_000)
                .rev()
                .filter(|n| n % 3 == 0)
                .map(record)
                .collect();
            harness.answer_page(Ok(paged(some, false)));
            harness
        }
        State::FilteredLong => {
            let mut harness = with(page(901..=1_000, true));
            harness.type_filter(
                "type=flight.departed source=/ops/flights subject=LA601 since=1h30m until=2m",
            );
            harness.code(KeyCode::Enter);
            harness.answer_page(Ok(page(901..=1_000, true)));
            harness
        }
        State::TypingOverFilter => {
            let mut harness = harness_in(State::Filtered, width, height);
            harness.type_filter("since=");
            harness
        }
        State::Help => {
            let mut harness = with(page(901..=1_000, true));
            harness.press('?');
            for _ in 0..100 {
                harness.code(KeyCode::Down);
            }
            harness
        }
        State::Following => {
            let mut harness = with(page(901..=1_000, true));
            harness.press('j');
            harness.press('j');
            harness.press('f');
            harness.answer_page(Ok(page(904..=1_003, true)));
            harness
        }
        State::LoadingMore => {
            let mut harness = with(page(901..=1_000, true));
            harness.go_down(75);
            harness
        }
        State::Completing => {
            let mut harness = with(page(901..=1_000, true));
            harness.press('/');
            harness.answer(&NAMES, Ok(names()));
            harness.keys("today type=fl");
            harness.code(KeyCode::Down);
            harness
        }
        State::CompletingRowsAlone => {
            let mut harness = with(page(901..=1_000, true));
            harness.press('/');
            harness.answer(&NAMES, Err(refused()));
            harness.keys("source=");
            harness
        }
        State::TypingColumns => {
            let mut harness = with(page(901..=1_000, true));
            harness.keys("c/data/price /data/");
            harness
        }
        State::TypingWrongColumns => {
            let mut harness = with(page(901..=1_000, true));
            harness.keys("c/data/price data.tags");
            harness
        }
        State::WithColumns => {
            let mut harness = with(page(901..=1_000, true));
            harness.keys("c/data/number /data/tags/1 /data/none");
            harness.code(KeyCode::Enter);
            harness
        }
        State::InTheMiddle => paging::in_the_middle(width, height),
        State::AtTheEnd => {
            let mut harness = with(page(901..=1_000, true));
            harness.press('G');
            harness.answer_page(Ok(upwards(1..=100, true)));
            harness
        }
        State::Comparing => {
            let mut harness = with(page(901..=1_000, true));
            harness.keys("djj");
            harness
        }
        State::Difference => {
            let mut harness = harness_in(State::Comparing, width, height);
            harness.press('d');
            harness
        }
        State::NoDifference => {
            let mut items = page(901..=1_000, true).items;
            items[1].payload = items[0].payload.clone();
            let mut harness = with(paged(items, true));
            harness.keys("djd");
            harness
        }
        State::Export => {
            let mut harness = with(page(901..=1_000, true));
            harness.type_filter("flight.departed subject=LA601 today");
            harness.code(KeyCode::Enter);
            harness.answer_page(Ok(page(901..=1_000, true)));
            harness.press('e');
            harness
        }
        State::Saving => {
            let mut harness = harness_in(State::WithColumns, width, height);
            harness.keys("slate fl");
            harness
        }
        State::CompletingSaved => {
            let mut harness = with(page(901..=1_000, true));
            harness.press('/');
            harness.answer(&SAVED_FILTERS, Ok(saving::filters()));
            harness
        }
        State::TypingSql => {
            let mut harness = with(page(901..=1_000, true));
            harness.keys("Sselect ");
            harness
        }
        State::AskingSql => sql::asked(width, height),
        State::SqlAnswered => {
            let mut harness = sql::asked(width, height);
            harness.answer(&SQL, Ok(Some(sql::answer(60))));
            harness.code(KeyCode::Down);
            harness
        }
        State::SqlRefused => {
            let mut harness = sql::asked(width, height);
            harness.answer(&SQL, Err(sql::refusal()));
            harness
        }
        State::SearchingFurther => {
            let mut harness = with(page(901..=1_000, true));
            harness.type_filter("subject=LA602 -7d");
            harness.code(KeyCode::Enter);
            harness.answer_page(Ok(empty_down_to(500)));
            harness
        }
        State::MoreFailed => {
            let mut harness = harness_in(State::LoadingMore, width, height);
            harness.answer_page(Err(refused()));
            harness
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
            let mut harness = harness_in(State::Following, width, height);
            harness.model.theme = Theme { has_colour: false };
            harness
        }
    }
}

#[test]
fn every_state_looks_as_reviewed() {
    assert_pictures("records", State::VARIANTS, harness_in);
}

#[test]
fn every_size_is_drawn() {
    let fullest = [
        State::Following,
        State::TypingWrongFilter,
        State::Completing,
        State::WithColumns,
        State::Difference,
        State::Export,
        State::SqlAnswered,
        State::DetailScrolled,
    ];
    draw_at_every_size(State::VARIANTS, &fullest, harness_in);
}

#[test]
fn selected_record_is_visible_at_small_sizes() {
    let mut harness = harness_in(State::FurtherDown, 80, 24);
    for (width, height) in [(40, 10), (20, 6), (80, 24)] {
        harness.resize(width, height);
        assert!(
            harness.selected().contains('▸'),
            "{width}x{height}\n{}",
            harness.text()
        );
    }
}

#[test]
fn new_rows_come_on_top_and_the_selection_stays() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.press('f');
    for _ in 0..5 {
        harness.press('j');
    }
    let before = harness.selected();
    harness.answer_page(Ok(page(910..=1_010, true)));
    assert_eq!(
        harness.selected(),
        before,
        "the same record at the same place"
    );
    assert!(harness.text().contains("16 / 110,"), "{}", harness.text());
}

#[test]
fn every_number_of_the_list_is_drawn_whole_or_not_at_all() {
    let records = (1..=120).rev().map(|number| Record {
        id: "an-identifier".into(),
        source: "/shop/bookings".into(),
        subject: Some("subject".into()),
        ..record(number * 97)
    });
    let mut harness = with_page(paged(records.collect(), true), 119, 24);
    harness.code(KeyCode::Down);
    let whole = numbers(&harness.screen_text());
    for width in 1..119 {
        harness.resize(width, 24);
        let text = harness.screen_text();
        let shown = numbers(&text).into_iter();
        let cut: Vec<_> = shown.filter(|number| !whole.contains(number)).collect();
        assert!(cut.is_empty(), "{cut:?} at {width}\n{text}");
    }
}

#[test]
fn next_page_is_requested_once_near_the_end() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.press('j');
    assert!(harness.queries().is_empty());
    harness.go_down(74);
    harness.press('k');
    assert_eq!(harness.queries().len(), 1);
    let cursor = harness.queries()[0].cursor.unwrap();
    assert_eq!(cursor.record_id, RecordId(1_204_901));
    harness.answer_page(Ok(page(801..=900, false)));
    assert!(harness.text().contains("75 / 200 "), "{}", harness.text());
    harness.press('G');
    assert!(harness.queries().is_empty(), "that was all");
}

#[test]
fn page_that_fails_is_not_requested_again_at_once() {
    let mut harness = harness_in(State::MoreFailed, 80, 24);
    harness.press('k');
    assert!(harness.queries().is_empty());
    harness.pass(4);
    harness.press('k');
    assert_eq!(harness.queries().len(), 1);
}

#[test]
fn late_page_of_another_filter_changes_nothing() {
    let mut harness = harness_in(State::LoadingMore, 80, 24);
    let (_, late) = harness.take(&RECORDS);
    harness.type_filter("bag.scanned");
    harness.code(KeyCode::Enter);
    harness.reply(late, Ok(page(801..=900, true)));
    assert!(harness.text().contains("Waiting for the first page"));
    assert_eq!(
        harness.queries()[0].event_type.as_deref(),
        Some("bag.scanned")
    );
}

#[test]
fn wrong_filter_is_not_applied() {
    let mut harness = harness_in(State::TypingWrongFilter, 80, 24);
    harness.code(KeyCode::Enter);
    assert!(harness.queries().is_empty());
    assert_eq!(harness.model.key_context(), KeyContext::Query);
    let error = "since=soon is no time; write 2h";
    assert_eq!(
        harness.text().matches(error).count(),
        1,
        "{}",
        harness.text()
    );
    harness.code(KeyCode::Tab);
    for _ in 0.."since=soon".len() {
        harness.code(KeyCode::Backspace);
    }
    harness.code(KeyCode::Enter);
    assert_eq!(harness.queries().len(), 1);
}

#[test]
fn pasted_filter_is_checked_like_a_typed_one() {
    let mut harness = with_page(page(1..=9, false), 80, 24);
    harness.press('/');
    harness.paste("typ=x\nid=1");
    assert!(
        harness.text().contains("typ= is unknown"),
        "{}",
        harness.text()
    );
}

#[test]
fn filter_whose_time_has_ended_selects_nothing_and_not_everything() {
    let mut harness = with_page(page(901..=1_000, true), 160, 45);
    let end = now() + Duration::minutes(30);
    harness.type_filter(&format!(
        "flight.delayed since=1h to={}",
        end.format("%Y-%m-%dT%H:%M:%SZ")
    ));
    harness.code(KeyCode::Enter);
    assert_eq!(harness.count(&RECORDS), 1);
    harness.requests.clear();
    harness.pass(3 * 3_600);
    harness.refresh();
    assert_eq!(harness.count(&RECORDS), 0);
    assert!(
        harness.notice().contains("selects nothing any more"),
        "{}",
        harness.notice()
    );
}

#[test]
fn filter_is_cleared_by_its_key() {
    let mut harness = harness_in(State::Filtered, 80, 24);
    assert!(harness.text().contains("flight.departed since=1h"));
    harness.press('x');
    assert_eq!(
        harness.queries()[0],
        RecordQuery {
            limit: 100,
            ..RecordQuery::default()
        }
    );
}

#[test]
fn applied_filter_is_visible_on_narrow_screens_too() {
    let mut harness = harness_in(State::Filtered, 80, 24);
    harness.resize(40, 10);
    assert!(
        harness.text().contains("flight.departed since=1h"),
        "{}",
        harness.text()
    );
}

#[test]
fn following_wants_the_newest_first() {
    let mut harness = with_page(page(1..=9, false), 80, 24);
    harness.type_filter("order=asc");
    harness.code(KeyCode::Enter);
    harness.answer_page(Ok(paged((1..=9).map(record).collect(), false)));
    harness.press('f');
    harness.pass(10);
    assert!(harness.queries().is_empty());
}

#[test]
fn relative_filter_moves_on_with_the_clock() {
    let mut harness = harness_in(State::Filtered, 80, 24);
    harness.pass(600);
    harness.refresh();
    assert_eq!(harness.queries()[0].from, Some(at(600 - 3_600)));
}

#[test]
fn enter_opens_the_detail_and_escape_returns() {
    let mut harness = harness_in(State::DetailOpen, 80, 24);
    assert!(
        harness.text().contains("record_id  1204999"),
        "{}",
        harness.text()
    );
    harness.press('j');
    assert!(
        harness.text().contains("record_id  1204998"),
        "the next record, still open"
    );
    harness.code(KeyCode::Esc);
    assert!(
        harness.selected().contains("000003e6"),
        "{}",
        harness.text()
    );
}

#[test]
fn payload_is_copied_as_it_is() {
    let mut harness = with_page(page(1..=9, false), 80, 24);
    harness.press('y');
    assert_eq!(harness.copied, [record(9).payload.get()]);
}

#[test]
fn second_click_on_a_row_opens_it() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    let row = harness
        .text()
        .lines()
        .position(|line| line.contains("000003e4"))
        .unwrap();
    let click = |harness: &mut Harness| {
        harness.click(10, u16::try_from(row).unwrap());
    };
    click(&mut harness);
    assert!(harness.selected().contains("000003e4"));
    click(&mut harness);
    assert!(harness.text().contains("record_id  1204996"));
}

#[test]
fn wheel_scrolls_what_is_under_the_pointer() {
    let mut harness = with_page(page(901..=1_000, true), 160, 16);
    let wheel = |harness: &mut Harness, column| {
        harness.mouse(MouseEventKind::ScrollDown, column, 6);
    };
    wheel(&mut harness, 5);
    assert!(harness.text().contains("4 / 100"), "{}", harness.text());
    assert!(harness.text().contains("record_id  1204997"));
    wheel(&mut harness, 150);
    assert!(harness.text().contains("4 / 100"));
    assert!(
        !harness.text().contains("record_id  1204997"),
        "{}",
        harness.text()
    );
}

#[test]
fn refresh_keeps_the_selected_record_if_it_is_still_there() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.press('j');
    let before = harness.selected();
    harness.refresh();
    harness.answer_page(Ok(page(906..=1_005, true)));
    assert_eq!(harness.selected(), before);
}

#[test]
fn title_keeps_the_age_of_the_rows_at_80_columns() {
    for state in [State::FirstPage, State::Filtered, State::FilteredLong] {
        let text = harness_in(state, 80, 24).text();
        assert!(text.contains("as of 11:06:40"), "{state:?}\n{text}");
    }
}

#[test]
fn coming_back_reads_the_newest_unless_somebody_reads_on_further_down() {
    let mut harness = with_page(page(901..=1_000, true), 80, 24);
    harness.press('j');
    let before = harness.selected();
    harness.press('1');
    harness.press('5');
    assert_eq!(harness.queries().len(), 1);
    harness.press('1');
    harness.press('5');
    assert_eq!(harness.queries().len(), 1, "one at a time");
    harness.answer_page(Ok(page(906..=1_005, true)));
    assert_eq!(harness.selected(), before, "the same record");

    let mut harness = harness_in(State::FurtherDown, 80, 24);
    let before = harness.selected();
    harness.press('1');
    harness.press('5');
    assert!(harness.queries().is_empty(), "reading further down");
    assert_eq!(harness.selected(), before);
}

#[test]
fn filter_is_typed_anew_and_the_applied_one_comes_by_a_key() {
    let mut harness = harness_in(State::Filtered, 80, 24);
    harness.type_filter("bag.scanned");
    harness.code(KeyCode::Enter);
    let query = harness.queries()[0].clone();
    assert_eq!(query.event_type.as_deref(), Some("bag.scanned"));
    assert_eq!(query.from, None, "nothing of the old filter is left");
    harness.answer_page(Ok(page(901..=1_000, true)));
    harness.press('/');
    assert!(harness.text().contains("↑ earlier filters"));
    harness.code(KeyCode::Up);
    harness.keys(" since=1h");
    harness.code(KeyCode::Enter);
    let query = harness.queries()[0].clone();
    assert_eq!(query.event_type.as_deref(), Some("bag.scanned"));
    assert_eq!(query.from, Some(at(-3_600)));
}

#[test]
fn help_explains_how_a_span_of_time_is_filtered() {
    let text = harness_in(State::Help, 80, 24).text();
    for part in [
        "since=90s",
        "until=",
        "from=2026-11-24",
        "to=2026-11-24T06:30Z",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}
