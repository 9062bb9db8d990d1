//! Every state of the screen Records as pictures, and how it behaves.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod support;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use event::{Cursor, Order, Page, Record, RecordId, RecordQuery};
use opsconsole::tui::keymap::Context;
use opsconsole::tui::message::{Answer, Effect, Fault, Msg, Reply, Request, RequestId, Topic};
use opsconsole::tui::model::Model;
use opsconsole::tui::theme::Theme;
use opsconsole::tui::update::update;
use serde_json::value::RawValue;
use support::screen::{SIZES, every_size, picture, start};

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
    Filtered,
    Following,
    LoadingMore,
    MoreFailed,
    HostileTexts,
    NoColour,
}

const STATES: [State; 19] = [
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
    State::Filtered,
    State::Following,
    State::LoadingMore,
    State::MoreFailed,
    State::HostileTexts,
    State::NoColour,
];

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap() + Duration::seconds(secs)
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

/// The screen, and the questions that nobody has answered yet.
struct Driver {
    model: Model,
    asked: Vec<(RequestId, RecordQuery)>,
    effects: Vec<Effect>,
    now: DateTime<Utc>,
}

impl Driver {
    fn open(width: u16, height: u16) -> Self {
        let model = start(width, height, at(0));
        let mut driver = Self {
            model,
            asked: Vec::new(),
            effects: Vec::new(),
            now: at(0),
        };
        driver.press('3');
        driver
    }

    fn with(page: Page<Record>, width: u16, height: u16) -> Self {
        let mut driver = Self::open(width, height);
        driver.answer(Ok(page));
        driver
    }

    fn happen(&mut self, msg: Msg) {
        for effect in update(&mut self.model, self.now, msg) {
            match effect {
                Effect::Ask {
                    id,
                    request: Request::Records(query),
                } => {
                    self.asked.push((id, query));
                }
                Effect::Ask { .. } => {}
                Effect::Copy(_) | Effect::Quit => self.effects.push(effect),
            }
        }
    }

    fn key(&mut self, code: KeyCode) {
        self.happen(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    fn press(&mut self, character: char) {
        self.key(KeyCode::Char(character));
    }

    fn type_filter(&mut self, text: &str) {
        self.press('/');
        for character in text.chars() {
            self.press(character);
        }
    }

    fn wait(&mut self, secs: i64) {
        self.now += Duration::seconds(secs);
        self.happen(Msg::Tick);
    }

    fn reply(&mut self, id: RequestId, result: Result<Page<Record>, Fault>) {
        let result = result.map(Answer::Records);
        self.happen(Msg::Reply(Reply {
            id,
            topic: Topic::Records,
            result,
        }));
    }

    fn answer(&mut self, result: Result<Page<Record>, Fault>) {
        let (id, _) = self.asked.remove(0);
        self.reply(id, result);
    }

    fn refresh(&mut self) {
        self.happen(Msg::Key(KeyEvent::new(
            KeyCode::Char('r'),
            KeyModifiers::CONTROL,
        )));
    }

    /// The selected row of the list as text.
    fn selected(&self) -> String {
        text(self)
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
            driver.answer(Ok(paged(Vec::new(), false)));
            driver
        }
        State::FailedFirst => {
            let mut driver = Driver::open(width, height);
            driver.answer(Err(refused()));
            driver
        }
        State::FailedWithPrevious => {
            let mut driver = with(page(901..=1_000, true));
            driver.wait(60);
            driver.refresh();
            driver.answer(Err(refused()));
            driver
        }
        State::NoDatabase => {
            let mut driver = Driver::open(width, height);
            driver.answer(Err(Fault {
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
            driver.answer(Ok(paged(some, false)));
            driver
        }
        State::Following => {
            let mut driver = with(page(901..=1_000, true));
            driver.press('j');
            driver.press('j');
            driver.press('f');
            driver.answer(Ok(page(904..=1_003, true)));
            driver
        }
        State::LoadingMore => {
            let mut driver = with(page(901..=1_000, true));
            driver.press('G');
            driver
        }
        State::MoreFailed => {
            let mut driver = driver_in(State::LoadingMore, width, height);
            driver.answer(Err(refused()));
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

/// The screen as text.
fn text(driver: &Driver) -> String {
    let buffer = picture(&driver.model);
    let width = usize::from(buffer.area.width);
    buffer
        .content
        .chunks(width)
        .map(|row| {
            row.iter()
                .map(ratatui::buffer::Cell::symbol)
                .collect::<String>()
                + "\n"
        })
        .collect()
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
            driver.happen(Msg::Resize { width, height });
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
        driver.happen(Msg::Resize { width, height });
        assert!(
            driver.selected().contains('▸'),
            "{width}x{height}\n{}",
            text(&driver)
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
    driver.answer(Ok(page(910..=1_010, true)));
    assert_eq!(
        driver.selected(),
        before,
        "the same record at the same place"
    );
    assert!(
        text(&driver).contains("16 / 110 loaded"),
        "{}",
        text(&driver)
    );
}

#[test]
fn first_row_stays_first_while_following() {
    let mut driver = Driver::with(page(901..=1_000, true), 80, 24);
    driver.press('f');
    driver.answer(Ok(page(902..=1_001, true)));
    assert!(
        driver.selected().contains("000003e9"),
        "{}",
        driver.selected()
    );
    assert!(text(&driver).contains("1 / 101 loaded"));
}

#[test]
fn following_looks_every_two_seconds_and_only_while_shown() {
    let mut driver = Driver::with(page(901..=1_000, true), 80, 24);
    driver.wait(60);
    assert!(driver.asked.is_empty(), "paused: nothing is asked");
    driver.press('f');
    assert_eq!(driver.asked.len(), 1);
    driver.wait(10);
    assert_eq!(driver.asked.len(), 1, "one at a time");
    driver.answer(Ok(page(901..=1_000, true)));
    driver.wait(1);
    assert!(driver.asked.is_empty());
    driver.wait(1);
    assert_eq!(driver.asked.len(), 1);
    driver.answer(Ok(page(901..=1_000, true)));
    driver.press('1');
    driver.wait(10);
    assert!(driver.asked.is_empty(), "another screen is shown");
}

#[test]
fn hole_pauses_unless_the_newest_is_watched() {
    let mut driver = Driver::with(page(1..=100, true), 80, 24);
    driver.press('j');
    driver.press('f');
    driver.answer(Ok(page(501..=1_000, true)));
    assert!(
        text(&driver).contains("paused: more than 500"),
        "{}",
        text(&driver)
    );
    driver.wait(10);
    assert!(driver.asked.is_empty());
    assert!(
        text(&driver).contains("2 / 100 loaded"),
        "{}",
        text(&driver)
    );

    let mut driver = Driver::with(page(1..=100, true), 80, 24);
    driver.press('f');
    driver.answer(Ok(page(501..=1_000, true)));
    assert!(
        text(&driver).contains("1 / 500 loaded"),
        "{}",
        text(&driver)
    );
}

#[test]
fn next_page_is_asked_for_once_near_the_end() {
    let mut driver = Driver::with(page(901..=1_000, true), 80, 24);
    driver.press('j');
    assert!(driver.asked.is_empty());
    driver.press('G');
    driver.press('k');
    assert_eq!(driver.asked.len(), 1);
    let cursor = driver.asked[0].1.cursor.unwrap();
    assert_eq!(cursor.record_id, RecordId(1_204_901));
    driver.answer(Ok(page(801..=900, false)));
    assert!(text(&driver).contains("99 / 200 "), "{}", text(&driver));
    driver.press('G');
    assert!(driver.asked.is_empty(), "that was all");
}

#[test]
fn page_that_fails_is_not_asked_for_again_at_once() {
    let mut driver = driver_in(State::MoreFailed, 80, 24);
    driver.press('k');
    assert!(driver.asked.is_empty());
    driver.wait(4);
    driver.press('k');
    assert_eq!(driver.asked.len(), 1);
}

#[test]
fn late_page_of_another_filter_changes_nothing() {
    let mut driver = driver_in(State::LoadingMore, 80, 24);
    let (late, _) = driver.asked.remove(0);
    driver.type_filter("bag.scanned");
    driver.key(KeyCode::Enter);
    driver.reply(late, Ok(page(801..=900, true)));
    assert!(text(&driver).contains("Waiting for the first page"));
    assert_eq!(driver.asked[0].1.event_type.as_deref(), Some("bag.scanned"));
}

#[test]
fn wrong_filter_is_not_applied() {
    let mut driver = driver_in(State::TypingWrongFilter, 80, 24);
    driver.key(KeyCode::Enter);
    assert!(driver.asked.is_empty());
    assert_eq!(driver.model.context(), Context::Input);
    for _ in 0.."since=soon".len() {
        driver.key(KeyCode::Backspace);
    }
    driver.key(KeyCode::Enter);
    assert_eq!(driver.asked.len(), 1);
}

#[test]
fn pasted_filter_is_checked_like_a_typed_one() {
    let mut driver = Driver::with(page(1..=9, false), 80, 24);
    driver.press('/');
    driver.happen(Msg::Paste("typ=x\nid=1".into()));
    assert!(
        text(&driver).contains("typ= is unknown"),
        "{}",
        text(&driver)
    );
}

#[test]
fn filter_is_cleared_by_its_key() {
    let mut driver = driver_in(State::Filtered, 80, 24);
    assert!(text(&driver).contains("flight.departed since=1h"));
    driver.press('x');
    assert_eq!(
        driver.asked[0].1,
        RecordQuery {
            limit: 100,
            ..RecordQuery::default()
        }
    );
}

#[test]
fn applied_filter_is_visible_on_narrow_screens_too() {
    let mut driver = driver_in(State::Filtered, 80, 24);
    driver.happen(Msg::Resize {
        width: 40,
        height: 10,
    });
    assert!(
        text(&driver).contains("flight.departed since=1h"),
        "{}",
        text(&driver)
    );
}

#[test]
fn following_wants_the_newest_first() {
    let mut driver = Driver::with(page(1..=9, false), 80, 24);
    driver.type_filter("order=asc");
    driver.key(KeyCode::Enter);
    driver.answer(Ok(paged((1..=9).map(record).collect(), false)));
    driver.press('f');
    driver.wait(10);
    assert!(driver.asked.is_empty());
}

#[test]
fn relative_filter_moves_on_with_the_clock() {
    let mut driver = driver_in(State::Filtered, 80, 24);
    driver.wait(600);
    driver.refresh();
    assert_eq!(driver.asked[0].1.from, Some(at(600 - 3_600)));
}

#[test]
fn enter_opens_the_detail_and_escape_returns() {
    let mut driver = driver_in(State::DetailOpen, 80, 24);
    assert!(
        text(&driver).contains("record_id  1204999"),
        "{}",
        text(&driver)
    );
    driver.press('j');
    assert!(
        text(&driver).contains("record_id  1204998"),
        "the next record, still open"
    );
    driver.key(KeyCode::Esc);
    assert!(driver.selected().contains("000003e6"), "{}", text(&driver));
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
    let row = text(&driver)
        .lines()
        .position(|line| line.contains("000003e4"))
        .unwrap();
    let click = |driver: &mut Driver| {
        driver.happen(Msg::Mouse(MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: 10,
            row: u16::try_from(row).unwrap(),
            modifiers: KeyModifiers::NONE,
        }));
    };
    click(&mut driver);
    assert!(driver.selected().contains("000003e4"));
    click(&mut driver);
    assert!(text(&driver).contains("record_id  1204996"));
}

#[test]
fn wheel_scrolls_what_is_under_the_pointer() {
    let mut driver = Driver::with(page(901..=1_000, true), 160, 16);
    let wheel = |driver: &mut Driver, column| {
        driver.happen(Msg::Mouse(MouseEvent {
            kind: MouseEventKind::ScrollDown,
            column,
            row: 6,
            modifiers: KeyModifiers::NONE,
        }));
    };
    wheel(&mut driver, 5);
    assert!(text(&driver).contains("4 / 100"), "{}", text(&driver));
    assert!(text(&driver).contains("record_id  1204997"));
    wheel(&mut driver, 150);
    assert!(text(&driver).contains("4 / 100"));
    assert!(
        !text(&driver).contains("record_id  1204997"),
        "{}",
        text(&driver)
    );
}

#[test]
fn refresh_keeps_the_selected_record_if_it_is_still_there() {
    let mut driver = Driver::with(page(901..=1_000, true), 80, 24);
    driver.press('j');
    let before = driver.selected();
    driver.refresh();
    driver.answer(Ok(page(906..=1_005, true)));
    assert_eq!(driver.selected(), before);
}
