//! What keys, clicks, time and answers do to the screen.

use chrono::{DateTime, Duration, Utc};
use crossterm::event::KeyEvent;
use pipeline::logs::{LogFunction, LogRead, LogTail};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::detail::Detail;
use super::layout::{Parts, parts};
use super::query::{parse, with_next_level};
use super::reading::Reading;
use super::state::{Logs, OfRequest, WINDOWS};
use super::typing::Typing;
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::format::{clock, span_secs};
use crate::tui::handover::Handover;
use crate::tui::keymap::{Action, Binding, KeyContext, Label};
use crate::tui::layout::is_wide;
use crate::tui::polling::fresh;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::screen_id::ScreenId;
use crate::tui::screens::screen::{Screen, ScreenEvent};
use crate::tui::theme::{Theme, Tone};
use crate::tui::trace::subject::Traceable;

/// Lines that `J` and `K` scroll the detail.
const DETAIL_LINES: isize = 3;
/// How long before a line its request may have begun, and how long after it ended: the longest invocation that Lambda
/// allows.
const AROUND: Duration = Duration::minutes(15);

impl Screen for Logs {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>) {
        match event {
            ScreenEvent::Enter => self.enter(context),
            ScreenEvent::Leave => self.is_shown = false,
            ScreenEvent::Act(action) => self.act(action, context),
            ScreenEvent::Key(key) => self.key(key, context),
            ScreenEvent::Paste(text) => self.paste(text, context),
            ScreenEvent::Click(position) => self.click(position, context),
            ScreenEvent::Scroll(position, lines) => {
                if self.parts(context).detail.contains(position) {
                    self.scroll_detail(lines, context);
                } else {
                    self.move_by(lines, context);
                }
            }
            ScreenEvent::Resize => self.settle_layout(context),
            ScreenEvent::Tick => self.tick(context),
            ScreenEvent::Drag(_) => {}
        }
        self.ask_for_turn(context);
    }

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        self.draw(context, canvas);
    }

    fn key_context(&self) -> KeyContext {
        if self.typing.is_some() {
            KeyContext::Input
        } else {
            KeyContext::Screen(ScreenId::Logs)
        }
    }

    fn hint(&self, binding: &Binding, context: &ScreenContext<'_>) -> Option<Label> {
        let reading = self.reading();
        if self.typing.is_some() {
            let recalls_nothing = binding.action == Action::Up && reading.filter.is_empty();
            return (!recalls_nothing).then(|| binding.label.into());
        }
        let request_id = self.selected().and_then(|line| line.request_id.as_ref());
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other keys always do the same"
        )]
        match binding.action {
            Action::Follow if self.request.is_some() => None,
            Action::Follow if self.is_following => Some("pause".into()),
            Action::Follow => Some("follow".into()),
            Action::ClearFilter if reading.filter.is_empty() => None,
            Action::ShowRequest if self.request.is_some() => Some("all lines".into()),
            Action::ShowRequest | Action::SearchDeadLetters if request_id.is_none() => None,
            Action::LookBack if self.request.is_some() || self.is_furthest() => None,
            // The detail is beside the list.
            Action::Open if is_wide(context.body) => None,
            _ => Some(binding.label.into()),
        }
    }

    fn traceable(&self) -> Traceable {
        let key = self.selected().and_then(|line| line.event.clone());
        key.map_or(Traceable::Nothing, Traceable::One)
    }

    /// A tail that is read again and again shows no wait, unless it is old.
    fn waiting_since(&self) -> Option<DateTime<Utc>> {
        let read = &self.reading().read;
        read.loading_since().filter(|_| read.fetched().is_none())
    }
}

impl Logs {
    /// Shows the lines of a request that was under way then.
    pub(crate) fn open_request(
        &mut self,
        id: String,
        around: DateTime<Utc>,
        context: &mut UpdateContext<'_>,
    ) {
        let since = around - AROUND;
        let tail = LogTail::since(&LogFunction::ALL, since)
            .of_request(&id)
            .until(around + AROUND);
        let known = self.tail.lines.of_request(&id);
        let is_prefilled = !known.is_empty();
        let mut reading = Reading::begin(tail, since, Reply::LogsOfRequest);
        let height = self.height(context);
        reading.prefill(known, height);
        reading.read_on(context.outbox);
        self.typing = None;
        self.is_open = false;
        self.request = Some(OfRequest {
            id,
            reading,
            is_prefilled,
        });
        self.settle_layout(context);
        self.ask_for_turn(context);
    }

    /// A part of the filter at a time: keys and frames come between.
    fn ask_for_turn(&mut self, context: &mut UpdateContext<'_>) {
        if self.is_judging() && !self.turn.is_loading() {
            let turn = &mut self.turn;
            context.outbox.fetch(turn, Reply::LogsTurn, Request::Turn);
        }
    }

    pub(crate) fn turn_came(&mut self, answer: Answer<()>, context: &mut UpdateContext<'_>) {
        self.turn.settle(answer, context.now);
        let (is_following, height) = (self.is_following, self.height(context));
        self.tail.judge_part(is_following, height);
        if let Some(of_request) = &mut self.request {
            of_request.reading.judge_part(false, height);
        }
        self.settle_layout(context);
        self.ask_for_turn(context);
    }

    fn enter(&mut self, context: &mut UpdateContext<'_>) {
        self.is_shown = true;
        if self.request.is_some() || !self.is_following {
            return;
        }
        let read = self.tail.read.fetched();
        let is_old = read.is_none_or(|read| context.now - read.fetched_at > self.window());
        if is_old && !self.tail.read.is_loading() {
            self.begin(context);
        }
    }

    /// Reads the tail from the beginning of the window.
    fn begin(&mut self, context: &mut UpdateContext<'_>) {
        let since = context.now - self.window();
        let tail = LogTail::since(&LogFunction::ALL, since);
        let before = std::mem::replace(&mut self.tail, Reading::begin(tail, since, Reply::Logs));
        let filter = before.lines.filter().clone();
        self.tail.filter = before.filter;
        self.tail.set_filter(filter, true, 1);
        self.tail.read_on(context.outbox);
        self.settle_layout(context);
    }

    fn tick(&mut self, context: &mut UpdateContext<'_>) {
        if !self.is_shown {
            return;
        }
        let interval = context.pipeline.polling.logs;
        if let Some(of_request) = &mut self.request {
            let reading = &mut of_request.reading;
            if reading.is_held_up && reading.read.is_due(interval, context.now) {
                reading.read_on(context.outbox);
            }
        } else if self.is_following {
            let interval = if self.tail.goes_on() {
                Duration::zero()
            } else {
                interval
            };
            if self.tail.read.is_due(interval, context.now) {
                self.tail.read_on(context.outbox);
            }
        }
    }

    pub(crate) fn lines_came(&mut self, answer: Answer<LogRead>, context: &mut UpdateContext<'_>) {
        let height = self.height(context);
        let is_following = self.is_following;
        if self.tail.came(answer, context.now, (is_following, height)) {
            self.settle_layout(context);
            self.ask_for_turn(context);
        }
    }

    pub(crate) fn lines_of_request_came(
        &mut self,
        answer: Answer<LogRead>,
        context: &mut UpdateContext<'_>,
    ) {
        let height = self.height(context);
        let Some(of_request) = &mut self.request else {
            return;
        };
        if !of_request.reading.read.awaits(&answer) {
            return;
        }
        if of_request.is_prefilled && answer.is_ok() {
            // They come again, with those that the tail does not have.
            of_request.reading.clear_lines();
            of_request.is_prefilled = false;
        }
        let reading = &mut of_request.reading;
        reading.came(answer, context.now, (false, height));
        if reading.goes_on() && !reading.lines.is_full() {
            reading.read_on(context.outbox);
        }
        self.settle_layout(context);
        self.ask_for_turn(context);
    }

    fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let page = isize::from(self.parts(context).rows.height.max(1).cast_signed());
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "actions of other screens reach only their own"
        )]
        match action {
            Action::Refresh => self.refresh(context),
            Action::Up if self.typing.is_some() => self.recall(context),
            Action::Up => self.move_by(-1, context),
            Action::Down => self.move_by(1, context),
            Action::PageUp => self.move_by(-page, context),
            Action::PageDown => self.move_by(page, context),
            Action::First => self.move_by(isize::MIN, context),
            Action::Last => self.go_to_the_end(context),
            Action::DetailUp => self.scroll_detail(-DETAIL_LINES, context),
            Action::DetailDown => self.scroll_detail(DETAIL_LINES, context),
            Action::Open => self.open(context),
            Action::Follow => self.toggle_following(context),
            Action::Filter => {
                self.is_open = false;
                self.typing = Some(Typing::new("", &self.reading().filter));
                self.settle_layout(context);
            }
            Action::ClearFilter => self.apply("", context),
            Action::NextLevel => {
                let reading = self.reading();
                let level = reading.lines.filter().level;
                let text = with_next_level(&reading.filter, level);
                self.apply(&text, context);
            }
            Action::Confirm => self.confirm(context),
            Action::Back => self.back(context),
            Action::CopyItem => self.copy(context),
            Action::ShowRequest => self.toggle_request(context),
            Action::SearchDeadLetters => self.show_dead_letters(context),
            Action::LookBack => self.look_back(context),
            _ => {}
        }
    }

    fn refresh(&mut self, context: &mut UpdateContext<'_>) {
        if self.request.is_none() && self.tail.since.is_none() {
            self.begin(context);
        } else {
            self.reading_mut().read_on(context.outbox);
        }
    }

    fn open(&mut self, context: &mut UpdateContext<'_>) {
        if self.selected().is_some() && !is_wide(context.body) {
            // What is read would go on otherwise.
            self.pause(context);
            self.is_open = true;
        }
        self.settle_layout(context);
    }

    fn pause(&mut self, context: &UpdateContext<'_>) {
        if self.follows() {
            self.is_following = false;
            self.paused_at = Some(context.now);
        }
    }

    fn toggle_following(&mut self, context: &mut UpdateContext<'_>) {
        if self.request.is_some() {
            return;
        }
        if self.is_following {
            self.pause(context);
        } else {
            self.go_to_the_end(context);
        }
    }

    /// The last line; the tail is followed from there.
    fn go_to_the_end(&mut self, context: &mut UpdateContext<'_>) {
        if self.is_open && !is_wide(context.body) {
            self.scroll_detail(isize::MAX, context);
            return;
        }
        if self.request.is_none() && !self.is_following {
            self.is_following = true;
            self.paused_at = None;
            if self.tail.since.is_none() {
                self.begin(context);
            } else {
                self.tail.read_on(context.outbox);
            }
        }
        let height = self.height(context);
        self.reading_mut().select(usize::MAX, height);
        self.settle_layout(context);
    }

    fn move_by(&mut self, rows: isize, context: &mut UpdateContext<'_>) {
        if self.is_open && !is_wide(context.body) {
            self.scroll_detail(rows, context);
            return;
        }
        if rows < 0 && self.selected().is_some() {
            self.pause(context);
        }
        let selected = self.reading().list.selected;
        self.select(selected.saturating_add_signed(rows), context);
    }

    fn select(&mut self, row: usize, context: &mut UpdateContext<'_>) {
        let height = self.height(context);
        self.reading_mut().select(row, height);
        self.settle_layout(context);
    }

    fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        let rows = self.parts(context).rows;
        if !rows.contains(position) {
            return;
        }
        let line = usize::from(position.y - rows.y);
        let reading = self.reading();
        let Some(row) = reading.list.row_at(line, reading.lines.len()) else {
            return;
        };
        if row == reading.list.selected {
            self.open(context);
        } else {
            self.pause(context);
            self.select(row, context);
        }
    }

    fn key(&mut self, key: KeyEvent, context: &mut UpdateContext<'_>) {
        let filter = self.typing.as_mut().and_then(|typing| typing.key(key));
        self.apply_typed(filter, context);
    }

    fn paste(&mut self, text: &str, context: &mut UpdateContext<'_>) {
        let filter = self.typing.as_mut().and_then(|typing| typing.paste(text));
        self.apply_typed(filter, context);
    }

    fn recall(&mut self, context: &mut UpdateContext<'_>) {
        let filter = self.typing.as_mut().and_then(|typing| {
            let before = typing.before.clone();
            *typing = Typing::new(&before, &before);
            typing.check()
        });
        self.apply_typed(filter, context);
    }

    fn apply_typed(
        &mut self,
        filter: Option<pipeline::logs::LogFilter>,
        context: &mut UpdateContext<'_>,
    ) {
        let Some(filter) = filter else { return };
        let text = self.typing.as_ref().map(Typing::text).unwrap_or_default();
        let (is_following, height) = (self.follows(), self.height(context));
        let reading = self.reading_mut();
        reading.filter = text.trim().to_owned();
        reading.set_filter(filter, is_following, height);
        self.settle_layout(context);
    }

    /// Applies a text that parses.
    fn apply(&mut self, text: &str, context: &mut UpdateContext<'_>) {
        let (is_following, height) = (self.follows(), self.height(context));
        let reading = self.reading_mut();
        if let Ok(filter) = parse(text) {
            text.clone_into(&mut reading.filter);
            reading.set_filter(filter, is_following, height);
        }
        self.settle_layout(context);
    }

    fn confirm(&mut self, context: &mut UpdateContext<'_>) {
        // What is wrong stands below the line.
        if self
            .typing
            .as_ref()
            .is_some_and(|typing| typing.error.is_none())
        {
            self.typing = None;
            self.settle_layout(context);
        }
    }

    /// Closes one level: what is typed, the detail, the lines of a request.
    fn back(&mut self, context: &mut UpdateContext<'_>) {
        if let Some(typing) = self.typing.take() {
            self.apply(&typing.before, context);
        } else if self.is_open && !is_wide(context.body) {
            self.is_open = false;
        } else if self.request.take().is_some() {
            self.enter(context);
        }
        self.settle_layout(context);
    }

    fn copy(&self, context: &mut UpdateContext<'_>) {
        match self.selected() {
            Some(line) => context.outbox.copy("the line", line.text.clone()),
            None => context.notify(Tone::Muted, "no line is selected"),
        }
    }

    fn toggle_request(&mut self, context: &mut UpdateContext<'_>) {
        if self.request.is_some() {
            self.back(context);
            return;
        }
        let of_line = self
            .selected()
            .and_then(|line| Some((line.request_id.clone()?, line.at)));
        match of_line {
            Some((id, at)) => {
                self.pause(context);
                self.open_request(id, at, context);
            }
            None => context.notify(Tone::Muted, "this line names no request"),
        }
    }

    /// The dead letters that the selected request refused: the ingest gives them its id.
    fn show_dead_letters(&mut self, context: &mut UpdateContext<'_>) {
        let request_id = self.selected().and_then(|line| {
            let of_ingest = line.function == LogFunction::Ingest;
            line.request_id.clone().filter(|_| of_ingest)
        });
        match request_id {
            Some(id) => {
                self.pause(context);
                let handover = Handover::DeadLettersOf(id);
                context.outbox.handovers.push(handover);
            }
            None => context.notify(Tone::Muted, "this line names no request of the ingest"),
        }
    }

    fn is_furthest(&self) -> bool {
        self.window + 1 >= WINDOWS.len()
    }

    fn look_back(&mut self, context: &mut UpdateContext<'_>) {
        if self.request.is_some() || self.is_furthest() {
            context.notify(Tone::Muted, "opsconsole logs --since reads further back");
            return;
        }
        self.window += 1;
        self.begin(context);
        let window = span_secs(self.window().num_seconds().unsigned_abs());
        let since = clock(context.now - self.window());
        context.notify(
            Tone::Muted,
            format!("reads the last {window}, since {since} UTC"),
        );
    }

    fn scroll_detail(&mut self, lines: isize, context: &ScreenContext<'_>) {
        let place = self.parts(context).detail;
        if let Some(detail) = &mut self.detail {
            detail.scroll_by(lines, (place.width.into(), place.height.into()));
        }
    }

    /// Brings list and detail in line with the lines and the size.
    pub(super) fn settle_layout(&mut self, context: &ScreenContext<'_>) {
        let height = self.height(context);
        let reading = self.reading_mut();
        reading.list.reveal(reading.lines.len(), height);
        let key = reading.selected_key();
        let Some((line, key)) = self.selected().zip(key) else {
            self.detail = None;
            self.is_open = false;
            return;
        };
        if self.detail.as_ref().is_none_or(|detail| detail.key != key) {
            self.detail = Some(Detail::new(line, key));
        }
        self.scroll_detail(0, context);
    }

    fn height(&self, context: &ScreenContext<'_>) -> usize {
        self.parts(context).rows.height.into()
    }

    pub(super) fn parts(&self, context: &ScreenContext<'_>) -> Parts {
        let body: Rect = context.body;
        let plain = Theme { has_colour: false };
        let notes = self.notes(plain, context, body).len();
        let notes = u16::try_from(notes).unwrap_or(u16::MAX);
        parts(body, self.typing.is_some(), notes, self.is_open)
    }

    /// Since when what is shown of the tail has been old, although it is followed.
    pub(super) fn stale_since(&self, context: &ScreenContext<'_>) -> Option<DateTime<Utc>> {
        let limits = fresh(context.pipeline.polling.logs);
        let read = &self.tail.read;
        read.stale_since(limits, context.now)
            .filter(|_| self.follows() && self.is_shown)
    }
}
