//! What keys, clicks, time and answers do to the screen.

use chrono::{DateTime, Utc};
use event::EventKey;
use pipeline::Hidden;
use pipeline::queue_peek::{Peek, PeekPrice};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::detail::Detail;
use super::state::{Question, Queue};
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::format::{clock, visible};
use crate::tui::keymap::{Action, Binding, KeyContext, Label};
use crate::tui::layout::is_wide;
use crate::tui::lines::message_count;
use crate::tui::list::ListState;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::screen_id::ScreenId;
use crate::tui::screens::screen::{Screen, ScreenEvent};
use crate::tui::theme::Tone;
use crate::tui::trace::subject::Traceable;

/// Lines that `J` and `K` scroll the detail.
const DETAIL_LINES: isize = 3;

impl Screen for Queue {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>) {
        match event {
            ScreenEvent::Enter => self.read_price(context),
            ScreenEvent::Leave => self.leave(context),
            ScreenEvent::Act(action) => self.act(action, context),
            ScreenEvent::Click(position) => self.click(position, context),
            ScreenEvent::Scroll(position, lines) => {
                if self.parts(context.body).detail.contains(position) {
                    self.scroll_detail(lines, context.body);
                } else {
                    self.move_by(lines, context.body);
                }
            }
            ScreenEvent::Resize => {
                self.list
                    .reveal(self.messages().len(), self.height(context.body));
                self.scroll_detail(0, context.body);
            }
            ScreenEvent::Tick => self.tick(context.now),
            ScreenEvent::Drag(_) | ScreenEvent::Key(_) | ScreenEvent::Paste(_) => {}
        }
    }

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        self.draw(context, canvas);
    }

    fn key_context(&self) -> KeyContext {
        match self.question {
            Question::Open => KeyContext::Confirm,
            Question::Closed | Question::Pricing => KeyContext::Screen(ScreenId::Queue),
        }
    }

    fn hint(&self, binding: &Binding, context: &ScreenContext<'_>) -> Option<Label> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other keys always do the same"
        )]
        match binding.action {
            Action::Peek if self.peek.is_loading() => None,
            Action::Release if self.hidden_messages() == 0 => None,
            Action::Open if is_wide(context.body) || self.messages().is_empty() => None,
            Action::CopyItem if self.selected().is_none() => None,
            Action::Peek => Some("peek".into()),
            Action::Release => Some("release".into()),
            Action::Faster => Some("more".into()),
            Action::Slower => Some("fewer".into()),
            Action::Refresh => Some("read the price again".into()),
            _ => Some(binding.label.into()),
        }
    }

    fn traceable(&self) -> Traceable {
        let identity = self.selected().map(|message| &message.identity);
        let key = identity.and_then(|identity| {
            Some(EventKey {
                source: identity.source.clone()?,
                id: identity.id.clone()?,
            })
        });
        key.map_or(Traceable::Nothing, Traceable::One)
    }

    /// What is hidden counts its seconds down.
    fn waiting_since(&self) -> Option<DateTime<Utc>> {
        let hidden = self.hidden.map(|(_, since)| since);
        self.peek
            .loading_since()
            .or(hidden)
            .or(self.price.loading_since())
    }
}

impl Queue {
    fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let body = context.body;
        // A key that is pressed meanwhile is not for a question that is not there yet.
        if self.question == Question::Pricing && !matches!(action, Action::Peek | Action::Back) {
            self.question = Question::Closed;
        }
        let page = isize::try_from(self.height(body).max(1)).unwrap_or(1);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "actions of other screens reach only their own"
        )]
        match action {
            Action::Peek => self.ask(context),
            Action::Confirm => self.receive(context),
            Action::Back if self.question != Question::Closed => {
                self.question = Question::Closed;
                context.notify(Tone::Muted, "nothing was received");
            }
            Action::Back => self.is_detail_open = false,
            Action::Release => self.release_by_key(context),
            Action::Refresh => self.read_price(context),
            Action::Faster => self.change_size(1),
            Action::Slower => self.change_size(-1),
            Action::Open => {
                self.is_detail_open = !is_wide(body) && self.selected().is_some();
            }
            Action::Up => self.move_by(-1, body),
            Action::Down => self.move_by(1, body),
            Action::PageUp => self.move_by(-page, body),
            Action::PageDown => self.move_by(page, body),
            Action::First => self.select(0, body),
            Action::Last => self.select(usize::MAX, body),
            Action::DetailUp => self.scroll_detail(-DETAIL_LINES, body),
            Action::DetailDown => self.scroll_detail(DETAIL_LINES, body),
            Action::CopyItem => match self.selected().and_then(|message| message.body.at_hand()) {
                Some(text) => context.outbox.copy("the body", text.to_owned()),
                None => context.notify(Tone::Muted, "nothing is selected"),
            },
            _ => {}
        }
    }

    fn read_price(&mut self, context: &mut UpdateContext<'_>) {
        if !self.price.is_loading() {
            let outbox = &mut context.outbox;
            outbox.fetch(&mut self.price, Reply::PeekPrice, Request::PeekPrice);
        }
    }

    /// Reads the price of now, which the question shows.
    fn ask(&mut self, context: &mut UpdateContext<'_>) {
        if let Some(refusal) = context.change_refusal("no peek, which changes receive counts") {
            context.notify(Tone::Warning, refusal);
        } else if self.peek.is_loading() {
            context.notify(Tone::Muted, "a peek is under way");
        } else {
            self.question = Question::Pricing;
            self.read_price(context);
        }
    }

    pub(crate) fn price_came(
        &mut self,
        answer: Answer<PeekPrice>,
        context: &mut UpdateContext<'_>,
    ) {
        if !self.price.settle(answer, context.now) || self.question != Question::Pricing {
            return;
        }
        let is_permitted = |price: &PeekPrice| price.refusal().is_none();
        let is_permitted =
            self.price.error().is_none() && self.price.value().is_some_and(is_permitted);
        self.question = if is_permitted {
            Question::Open
        } else {
            Question::Closed
        };
    }

    fn receive(&mut self, context: &mut UpdateContext<'_>) {
        if self.question != Question::Open {
            return;
        }
        self.question = Question::Closed;
        let messages_max = self.messages_max();
        self.asked_for = messages_max;
        context.outbox.fetch(&mut self.peek, Reply::Peeked, |to| {
            Request::PeekQueue(messages_max, to)
        });
    }

    pub(crate) fn peeked(&mut self, answer: Answer<Peek>, context: &mut UpdateContext<'_>) {
        if !self.peek.settle(answer, context.now) {
            return;
        }
        self.is_detail_open = false;
        self.list = ListState::default();
        if self.peek.error().is_none() {
            let hidden = self.peek.value().map(|peek| peek.hidden);
            self.is_left(hidden.unwrap_or_default(), context);
        } else {
            // A receive without an answer may have hidden some: its answer names them.
            self.release(context);
        }
        self.select(0, context.body);
        // What it did to counts and limits.
        self.read_price(context);
    }

    fn release_by_key(&mut self, context: &mut UpdateContext<'_>) {
        if self.hidden_messages() == 0 {
            context.notify(Tone::Muted, "all messages are released");
        } else {
            self.release(context);
        }
    }

    /// Ends the peek under way, and releases what it left.
    fn release(&mut self, context: &mut UpdateContext<'_>) {
        if !self.release.is_loading() {
            let outbox = &mut context.outbox;
            outbox.fetch(
                &mut self.release,
                Reply::PeekReleased,
                Request::ReleasePeeked,
            );
        }
    }

    fn leave(&mut self, context: &mut UpdateContext<'_>) {
        self.question = Question::Closed;
        if self.hidden_messages() > 0 {
            self.release(context);
        }
    }

    pub(crate) fn was_released(&mut self, answer: Answer<Hidden>, context: &mut UpdateContext<'_>) {
        if !self.release.awaits(&answer) {
            return;
        }
        let mut left = None;
        let settled = answer.map(|hidden| left = Some(hidden));
        self.release.settle(settled, context.now);
        if let Some(hidden) = left {
            self.is_left(hidden, context);
            if self.hidden.is_none() {
                self.all_are_released(context);
            }
        } else if let Some(fault) = self.release.error() {
            let text = format!("not released: {}", visible(&fault.message));
            context.notify(Tone::Warning, text);
        }
    }

    fn all_are_released(&mut self, context: &UpdateContext<'_>) {
        // An older peek was released before.
        let is_of_this = !self.peek.is_loading() && self.peek.error().is_none();
        let Some(peek) = self.peek.value_mut().filter(|_| is_of_this) else {
            return;
        };
        if peek.hidden.messages_max == 0 {
            return;
        }
        peek.hidden = Hidden::default();
        peek.released_at = Some(context.now);
        for message in &mut peek.messages {
            message.hidden_until = None;
        }
        self.select(self.list.selected, context.body);
    }

    /// Takes over what may still be hidden, and says it where it is something.
    fn is_left(&mut self, hidden: Hidden, context: &mut UpdateContext<'_>) {
        let until = hidden.until.filter(|_| hidden.messages_max > 0);
        self.hidden = until.map(|_| (hidden, context.now));
        if let Some(until) = until {
            let text = format!(
                "up to {} not released · hidden from the ingest until {} UTC at the latest",
                message_count(hidden.messages_max),
                clock(until)
            );
            context.notify(Tone::Warning, text);
        }
    }

    fn tick(&mut self, now: DateTime<Utc>) {
        let is_over = |(hidden, _): &(Hidden, _)| hidden.until.is_none_or(|until| until <= now);
        self.hidden = self.hidden.filter(|hidden| !is_over(hidden));
    }

    fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        let list = self.parts(context.body).list;
        if self.question == Question::Open || !list.contains(position) {
            return;
        }
        self.question = Question::Closed;
        // The head of the columns too.
        let above = self.notes(context, usize::from(list.width)).len() + 1;
        let line = usize::from(position.y - list.y).checked_sub(above);
        let Some(row) = line.and_then(|line| self.list.row_at(line, self.messages().len())) else {
            return;
        };
        if row == self.list.selected {
            self.act(Action::Open, context);
        } else {
            self.select(row, context.body);
        }
    }

    /// Moves in whatever the keys move in: the open detail, else the list.
    fn move_by(&mut self, rows: isize, body: Rect) {
        if self.is_detail_open && !is_wide(body) {
            self.scroll_detail(rows, body);
        } else {
            self.select(self.list.selected.saturating_add_signed(rows), body);
        }
    }

    fn height(&self, body: Rect) -> usize {
        usize::from(self.parts(body).list.height)
    }

    fn select(&mut self, row: usize, body: Rect) {
        let height = self.height(body);
        self.list.select(row, self.messages().len(), height);
        let detail = self.peek.value().zip(self.selected());
        self.detail = detail.map(|(peek, message)| Detail::new(peek, message));
    }

    fn scroll_detail(&mut self, lines: isize, body: Rect) {
        let area = self.parts(body).detail;
        let size = (usize::from(area.width), usize::from(area.height));
        if let Some(detail) = &mut self.detail {
            detail.scroll_by(lines, size);
        }
    }
}
