//! One harness for the tests of all screens: the console with a hand on the keys, one on the clock
//! and one on the answers.

use std::fmt::Debug;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use event::{Page, Record, RecordQuery};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

use super::effect::{Effect, RunControl};
use super::fault::Fault;
use super::layout::frame;
use super::message::Msg;
use super::model::Model;
use super::patch::{Found, PatchInput, PatchInputs, Patched, Query};
use super::received::{LeaseTimes, Received};
use super::redrives::{Draft, DryRun, Past, RunEnd};
use super::request::{Deleted, ReplyTo, Request, RequestId, Sought};
use super::search::SearchInputs;
use super::theme::Theme;
use super::update::update;
use super::view::view;
use crate::saved_filters::SavedFilter;
use pipeline::api_call::ApiCall;
use pipeline::api_document::ApiDocument;
use pipeline::environment::Environment;
use pipeline::fleet::FleetRow;
use pipeline::lint::LintReport;
use pipeline::logs::{LogRead, LogTail};
use pipeline::model::{ApiAnswer, DeadLetter, Published, QueueRole, QueueSnapshot, TraceState};
use pipeline::probe::Probe;
use pipeline::queue_peek::{Peek, PeekPrice};
use pipeline::{Body, Hidden, RecordNames, SqlAnswer};
use redrive::Report;
use redrive::trace::{EventTrace, TraceRequest};

/// One kind of request: what it asks, and what its answer holds.
pub(crate) struct Kind<Q, T> {
    name: &'static str,
    is: fn(&Request) -> bool,
    parts: fn(Request) -> Option<(Q, ReplyTo<T>)>,
}

macro_rules! kind {
    ($name:ident: $question:ty => $answer:ty, $variant:ident($($part:ident),*)) => {
        pub(crate) const $name: Kind<$question, $answer> = Kind {
            name: stringify!($variant),
            is: |request| matches!(request, Request::$variant(..)),
            parts: |request| match request {
                Request::$variant($($part,)* to) => Some((($($part),*), to)),
                _ => None,
            },
        };
    };
}

kind!(QUEUE: QueueRole => QueueSnapshot, Queue(role));
kind!(RECEIVE: () => Received, ReceiveMessages());
kind!(EXTEND: () => LeaseTimes, ExtendLeases());
kind!(RELEASE: () => Hidden, ReleaseMessages());
kind!(PEEK_PRICE: () => PeekPrice, PeekPrice());
kind!(PEEK: usize => Peek, PeekQueue(messages_max));
kind!(RELEASE_PEEKED: () => Hidden, ReleasePeeked());
kind!(READ_BODIES: Vec<Body> => Vec<String>, ReadBodies(bodies));
kind!(DELETE: Vec<DeadLetter> => Deleted, DeleteMessages(messages));
kind!(DRY_RUN: Draft => DryRun, DryRun(draft));
kind!(REDRIVE: Draft => RunEnd, Redrive(draft));
kind!(RESUME: std::path::PathBuf => RunEnd, ResumeRedrive(journal));
kind!(REDRIVES: () => Past, Redrives());
kind!(REPORT: std::path::PathBuf => Report, RedriveReport(journal));
kind!(PATCH: (String, PatchInputs) => Patched, Patch(program, messages));
kind!(JUDGE: (PatchInput, String) => Patched, Judge(message, new_body));
kind!(SEARCH: (Query, SearchInputs) => Found, Search(query, messages));
kind!(RECORDS: RecordQuery => Page<Record>, Records(query));
kind!(FLEET: () => Vec<FleetRow>, Fleet());
kind!(ENVIRONMENT: String => Box<Environment>, Environment(name));
kind!(NAMES: () => RecordNames, RecordNames());
kind!(SAVED_FILTERS: () => Vec<SavedFilter>, SavedFilters());
kind!(SAVE_FILTER: SavedFilter => Vec<SavedFilter>, SaveFilter(filter));
kind!(SQL: String => Option<SqlAnswer>, Sql(sql));
kind!(LINT: () => LintReport, Lint());
kind!(LOGS: Box<LogTail> => LogRead, Logs(tail));
kind!(TURN: () => (), Turn());
kind!(PUBLISH: String => Published, Publish(body));
kind!(PROBE: () => Box<Probe>, Probe());
kind!(TRACE: Sought => TraceState, Trace(sought));
kind!(TIME_LINE: Box<TraceRequest> => EventTrace, TimeLine(request));
kind!(API_DOCUMENT: () => Box<ApiDocument>, ApiDocument());
kind!(API_CALL: Box<ApiCall> => Option<Box<ApiAnswer>>, ApiCall(call));
kind!(TEMPLATE: usize => String, Template(number));

/// When every picture is taken, unless a test says otherwise.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

pub(crate) fn environment() -> Environment {
    Environment {
        name: "demo".into(),
        region: "us-east-1".into(),
        endpoint_url: Some("http://127.0.0.1:4566".into()),
        topic_arn: "arn:aws:sns:us-east-1:000000000000:events".into(),
        queue_url: "http://127.0.0.1:4566/000000000000/events-queue".into(),
        dead_letter_queue_url: "http://127.0.0.1:4566/000000000000/events-dead-letters".into(),
        api_url: Some("http://127.0.0.1:4566/api".into()),
        database_url: Some("postgres://127.0.0.1/pipeline".into()),
        ingest_function: Some("ingest".into()),
        function_timeout_secs: Some(10),
        ..Environment::example()
    }
}

pub(crate) fn production() -> Environment {
    Environment {
        name: "production".into(),
        is_production: true,
        ..environment()
    }
}

pub(crate) fn read_only() -> Environment {
    Environment {
        read_only: true,
        ..environment()
    }
}

#[derive(Debug)]
pub(crate) struct Harness {
    pub(crate) model: Model,
    pub(crate) now: DateTime<Utc>,
    start: DateTime<Utc>,
    /// Requests that are not answered, oldest first.
    pub(crate) requests: Vec<Request>,
    pub(crate) copied: Vec<String>,
    pub(crate) controls: Vec<(RequestId, RunControl)>,
    /// Questions in SQL, and calls to the API, that were cancelled.
    pub(crate) cancelled: Vec<RequestId>,
    /// Texts for which the operator's own editor was opened.
    pub(crate) editors: Vec<String>,
}

impl Harness {
    /// A console that was just started.
    pub(crate) fn new(
        environment: Environment,
        now: DateTime<Utc>,
        width: u16,
        height: u16,
    ) -> Self {
        let theme = Theme { has_colour: true };
        Self {
            model: Model::new(environment, theme, Rect::new(0, 0, width, height), now),
            now,
            start: now,
            requests: Vec::new(),
            copied: Vec::new(),
            controls: Vec::new(),
            cancelled: Vec::new(),
            editors: Vec::new(),
        }
    }

    /// A console on the screen with this number.
    pub(crate) fn on(screen: char, width: u16, height: u16) -> Self {
        let mut harness = Self::new(environment(), now(), width, height);
        harness.press(screen);
        harness
    }

    /// What follows happens so long after the start.
    pub(crate) fn at(&mut self, millis: i64) -> &mut Self {
        self.now = self.start + Duration::milliseconds(millis);
        self
    }

    pub(crate) fn send(&mut self, msg: Msg) {
        for effect in update(&mut self.model, self.now, msg) {
            match effect {
                Effect::Request(request) => self.requests.push(request),
                Effect::Control(id, control) => self.controls.push((id, control)),
                Effect::CancelSql(id) | Effect::CancelCall(id) => self.cancelled.push(id),
                Effect::Copy(text) => self.copied.push(text),
                Effect::OpenEditor(text) => self.editors.push(text),
                Effect::Quit => {}
            }
        }
    }

    pub(crate) fn chord(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.send(Msg::Key(KeyEvent::new(code, modifiers)));
    }

    pub(crate) fn code(&mut self, code: KeyCode) {
        self.chord(code, KeyModifiers::NONE);
    }

    pub(crate) fn press(&mut self, character: char) {
        self.code(KeyCode::Char(character));
    }

    pub(crate) fn keys(&mut self, characters: &str) {
        for character in characters.chars() {
            self.press(character);
        }
    }

    pub(crate) fn ctrl(&mut self, character: char) {
        self.chord(KeyCode::Char(character), KeyModifiers::CONTROL);
    }

    pub(crate) fn refresh(&mut self) {
        self.ctrl('r');
    }

    pub(crate) fn paste(&mut self, text: &str) {
        self.send(Msg::Paste(text.to_owned()));
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.send(Msg::Resize { width, height });
    }

    pub(crate) fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        let modifiers = KeyModifiers::NONE;
        self.send(Msg::Mouse(MouseEvent {
            kind,
            column,
            row,
            modifiers,
        }));
    }

    pub(crate) fn click(&mut self, column: u16, row: u16) {
        self.mouse(MouseEventKind::Down(MouseButton::Left), column, row);
    }

    pub(crate) fn tick(&mut self) {
        self.send(Msg::Tick);
    }

    pub(crate) fn pass(&mut self, secs: i64) {
        self.now += Duration::seconds(secs);
        self.tick();
    }

    fn remove<Q, T>(&mut self, kind: &Kind<Q, T>, position: Option<usize>) -> (Q, ReplyTo<T>) {
        let position = position.unwrap_or_else(|| panic!("{} was not requested", kind.name));
        (kind.parts)(self.requests.remove(position)).unwrap()
    }

    /// The oldest open request of a kind, which is then no longer open.
    pub(crate) fn take<Q, T>(&mut self, kind: &Kind<Q, T>) -> (Q, ReplyTo<T>) {
        let position = self.requests.iter().position(kind.is);
        self.remove(kind, position)
    }

    /// The newest one.
    pub(crate) fn take_last<Q, T>(&mut self, kind: &Kind<Q, T>) -> (Q, ReplyTo<T>) {
        let position = self.requests.iter().rposition(kind.is);
        self.remove(kind, position)
    }

    /// How many requests of a kind are open.
    pub(crate) fn count<Q, T>(&self, kind: &Kind<Q, T>) -> usize {
        let is = kind.is;
        self.requests.iter().filter(|request| is(request)).count()
    }

    pub(crate) fn reply<T>(&mut self, to: ReplyTo<T>, result: Result<T, Fault>) {
        self.send(Msg::Reply(Box::new(to.answer(result))));
    }

    /// Answers the oldest open request of a kind.
    pub(crate) fn answer<Q, T>(&mut self, kind: &Kind<Q, T>, result: Result<T, Fault>) {
        let (_, to) = self.take(kind);
        self.reply(to, result);
    }

    /// The notice, while it is shown.
    pub(crate) fn notice(&self) -> &str {
        let notice = self.model.notice.as_ref();
        notice.map_or("", |notice| &notice.text)
    }

    /// What the terminal shows.
    pub(crate) fn picture(&self) -> Buffer {
        self.draw(|canvas| view(&self.model, canvas))
    }

    /// The screen alone, inside the frame of the console.
    pub(crate) fn screen_picture(&self) -> Buffer {
        self.draw(|canvas| {
            let context = self.model.screen_context(frame(self.model.area).body);
            self.model.screens.view(self.model.screen, &context, canvas);
        })
    }

    fn draw(&self, render: impl FnOnce(&mut ratatui::Frame<'_>)) -> Buffer {
        let area = self.model.area;
        let mut terminal = Terminal::new(TestBackend::new(area.width, area.height)).unwrap();
        terminal.draw(render).unwrap();
        terminal.backend().buffer().clone()
    }

    pub(crate) fn text(&self) -> String {
        text(&self.picture())
    }

    pub(crate) fn screen_text(&self) -> String {
        text(&self.screen_picture())
    }
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width.max(1));
    let rows = buffer.content.chunks(width);
    let row = |cells: &[Cell]| cells.iter().map(Cell::symbol).collect::<String>();
    rows.map(row).collect::<Vec<_>>().join("\n")
}

/// The rows of an area as a picture of their own.
fn cropped(picture: &Buffer, area: Rect) -> Buffer {
    let mut part = Buffer::empty(Rect::new(0, 0, area.width, area.height));
    for row in 0..area.height {
        for column in 0..area.width {
            part[(column, row)] = picture[(column, area.y + row)].clone();
        }
    }
    part
}

/// Compares every case of a screen with its reviewed pictures: its body in full at 160×45, with
/// styles, and as text at 80×24; the headers and the footers of all cases in one picture for each
/// size, so that a change there touches these alone.
pub(crate) fn assert_pictures<S: Copy + Debug>(
    screen: &str,
    cases: &[S],
    harness_in: impl Fn(S, u16, u16) -> Harness,
) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path(format!("screens/{screen}/tests/snapshots"));
    settings.bind(|| {
        let rows = u16::try_from(cases.len() * 3).unwrap();
        let mut wide = Buffer::empty(Rect::new(0, 0, 160, rows));
        let mut narrow = String::new();
        for (number, case) in (0..).zip(cases) {
            let picture = harness_in(*case, 160, 45).picture();
            let parts = frame(picture.area);
            let lines = [parts.header, parts.notice, parts.footer];
            for (row, part) in (3 * number..).zip(lines) {
                for column in 0..160 {
                    wide[(column, row)] = picture[(column, part.y)].clone();
                }
            }
            let body = cropped(&picture, parts.body);
            insta::assert_debug_snapshot!(format!("{case:?}_160x45"), body);

            let picture = harness_in(*case, 80, 24).picture();
            let parts = frame(picture.area);
            let lines = |area| trimmed(&text(&cropped(&picture, area)));
            narrow += &format!("{case:?}\n{}\n", lines(parts.header));
            for part in [parts.notice, parts.footer] {
                narrow += &format!("{}\n", lines(part));
            }
            insta::assert_snapshot!(format!("{case:?}_80x24"), lines(parts.body));
        }
        insta::assert_debug_snapshot!("headers_and_footers_160x45", wide);
        insta::assert_snapshot!("headers_and_footers_80x24", narrow);
    });
}

pub(crate) fn trimmed(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// Widths and heights around which a layout changes.
const WIDTHS_OF_INTEREST: [u16; 5] = [1, 52, 90, 100, 120];
const HEIGHTS_OF_INTEREST: [u16; 4] = [1, 4, 12, 24];

/// Draws a screen at the sizes at which it could fail. What a size does depends on the layout, which the
/// fullest states have with all its parts: they are drawn at every width, at every height, and one less
/// and one more than each at which a layout changes. Another state adds texts: it is drawn where texts
/// are squeezed, as usual, and where there is room to spare.
pub(crate) fn draw_at_every_size<S: Copy + PartialEq + Debug>(
    states: &[S],
    fullest: &[S],
    harness_in: impl Fn(S, u16, u16) -> Harness,
) {
    for state in states {
        let mut harness = harness_in(*state, 80, 24);
        let mut sizes = vec![(17, 7), (80, 24), (200, 50)];
        if fullest.contains(state) {
            sizes.extend([(0, 0), (0, 9), (9, 0), (300, 100), (300, 1), (1, 100)]);
            sizes.extend((1..=130).map(|width| (width, 24)));
            sizes.extend((1..=50).map(|height| (80, height)));
            let around = |of_interest: &[u16]| -> Vec<u16> {
                let three = of_interest.iter().map(|size| size - 1..=size + 1);
                three.flatten().collect()
            };
            for height in around(&HEIGHTS_OF_INTEREST) {
                let widths = around(&WIDTHS_OF_INTEREST);
                sizes.extend(widths.into_iter().map(|width| (width, height)));
            }
        }
        for (width, height) in sizes {
            harness.resize(width, height);
            harness.picture();
        }
    }
}

/// The numbers of a text, as a reader takes them: `853`, `20.1`, `12:03:07`.
pub(crate) fn numbers(text: &str) -> std::collections::BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_digit() && !",.:".contains(c))
        .map(|part| part.trim_matches([',', '.', ':']).to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}
