//! What keys, clicks and time do to the screen.

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use event::{EventKey, Order};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::detail::Detail;
use super::layout::{Parts, parts};
use super::state::Records;
use super::typing::Typing;
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::keymap::{Action, Binding, KeyContext, Label};
use crate::tui::layout::is_wide;
use crate::tui::list::ListState;
use crate::tui::remote::Remote;
use crate::tui::screen_id::ScreenId;
use crate::tui::screens::screen::{Screen, ScreenEvent};
use crate::tui::theme::{Theme, Tone};
use crate::tui::trace::subject::Traceable;

impl Screen for Records {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>) {
        match event {
            ScreenEvent::Enter => self.enter(context),
            ScreenEvent::Leave => self.is_shown = false,
            ScreenEvent::Act(action) => self.act(action, context),
            ScreenEvent::Key(key) => self.key(key, context),
            ScreenEvent::Paste(text) => self.paste(text),
            ScreenEvent::Click(position) => self.click(position, context),
            ScreenEvent::Scroll(position, lines) => self.scroll(position, lines, context),
            ScreenEvent::Resize => self.settle_layout(context.body),
            ScreenEvent::Tick => self.tick(context),
            ScreenEvent::Drag(_) => {}
        }
    }

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        self.draw(context, canvas);
    }

    fn key_context(&self) -> KeyContext {
        if self.typing.is_some() {
            KeyContext::Input
        } else {
            KeyContext::Screen(ScreenId::Records)
        }
    }

    fn hint(&self, binding: &Binding, _: &ScreenContext<'_>) -> Option<Label> {
        if self.typing.is_some() {
            let recalls_nothing = self.filter.is_empty() && binding.action == Action::Up;
            return (!recalls_nothing).then(|| binding.label.into());
        }
        if self.filter.is_empty() && binding.action == Action::ClearFilter {
            return None;
        }
        let is_pause = self.is_following && binding.action == Action::Follow;
        Some(if is_pause { "pause" } else { binding.label }.into())
    }

    fn traceable(&self) -> Traceable {
        self.selected().map_or(Traceable::Nothing, |record| {
            Traceable::One(EventKey {
                source: record.source.clone(),
                id: record.id.clone(),
            })
        })
    }

    fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.rows
            .loading_since()
            .or_else(|| self.more.loading_since())
    }
}

impl Records {
    /// The screen is shown: reads the newest, unless somebody reads on further down. Following
    /// reads by itself.
    fn enter(&mut self, context: &mut UpdateContext<'_>) {
        self.is_shown = true;
        let is_unseen = matches!(self.rows, Remote::Idle);
        let is_at_top = self.list.offset == 0 && !self.is_open && !self.is_following;
        if !self.rows.is_loading() && (is_unseen || is_at_top) {
            self.reload(context);
        }
    }

    fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "actions of other screens reach only their own"
        )]
        match action {
            Action::Refresh => self.reload(context),
            Action::Up if self.typing.is_some() => {
                self.typing = Some(Typing::new(&self.filter, context.now));
            }
            Action::Up => self.move_by(-1, context),
            Action::Down => self.move_by(1, context),
            Action::PageUp => self.page(-1, context),
            Action::PageDown => self.page(1, context),
            Action::First => self.move_by(isize::MIN, context),
            Action::Last => self.move_by(isize::MAX, context),
            Action::Open => {
                self.is_open = self.selected().is_some();
                self.settle_layout(context.body);
            }
            Action::DetailUp => self.scroll_detail(-1, context.body),
            Action::DetailDown => self.scroll_detail(1, context.body),
            Action::CopyItem => self.copy(context),
            Action::Follow => self.follow(context),
            Action::Filter => {
                self.is_open = false;
                self.typing = Some(Typing::new("", context.now));
                self.settle_layout(context.body);
            }
            Action::ClearFilter => self.clear_filter(context),
            Action::Confirm => self.apply_typed(context),
            Action::Back => {
                if self.typing.take().is_none() {
                    self.is_open = false;
                }
                self.settle_layout(context.body);
            }
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, context: &mut UpdateContext<'_>) {
        if let Some(typing) = &mut self.typing {
            typing.key(key, context.now);
        }
    }

    fn paste(&mut self, text: &str) {
        if let Some(typing) = &mut self.typing {
            typing.paste(text);
        }
    }

    fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        let parts = self.parts(context.body);
        if !parts.rows.contains(position) {
            return;
        }
        let line = usize::from(position.y - parts.rows.y);
        let Some(row) = self.list.row_at(line, self.len()) else {
            return;
        };
        if row == self.list.selected && !is_wide(context.body) {
            self.act(Action::Open, context);
        } else {
            self.select(row, context);
        }
    }

    fn scroll(&mut self, position: Position, lines: isize, context: &mut UpdateContext<'_>) {
        let parts = self.parts(context.body);
        if parts.detail.contains(position) {
            self.scroll_detail(lines, context.body);
        } else {
            self.move_by(lines, context);
        }
    }

    fn apply_typed(&mut self, context: &mut UpdateContext<'_>) {
        let Some(typing) = &mut self.typing else {
            return;
        };
        typing.check(context.now);
        if typing.error().is_some() {
            // It stands below the line.
            return;
        }
        let text = typing.text().trim().to_owned();
        self.typing = None;
        self.apply(text, context);
    }

    fn clear_filter(&mut self, context: &mut UpdateContext<'_>) {
        if self.filter.is_empty() {
            context.notify(Tone::Muted, "no filter is set; / sets one");
        } else {
            self.apply(String::new(), context);
        }
    }

    fn apply(&mut self, text: String, context: &mut UpdateContext<'_>) {
        if text != self.filter {
            // Rows of another filter would look like rows of this one.
            self.rows.reset();
            self.list = ListState::default();
            self.detail = None;
            self.is_open = false;
        }
        self.filter = text;
        self.reload(context);
        if self.is_following && self.query.order == Order::Asc {
            self.is_following = false;
            context.notify(Tone::Warning, "paused: following needs the newest first");
        }
        self.settle_layout(context.body);
    }

    fn copy(&self, context: &mut UpdateContext<'_>) {
        match self.selected() {
            Some(record) => {
                let what = format!("the payload of record {}", record.record_id);
                context.outbox.copy(&what, record.payload.get().to_owned());
            }
            None => context.notify(Tone::Muted, "no record is selected"),
        }
    }

    fn page(&mut self, direction: isize, context: &mut UpdateContext<'_>) {
        let parts = self.parts(context.body);
        if self.is_open {
            let height = usize::from(parts.detail.height).saturating_sub(1).max(1);
            self.scroll_detail(direction.saturating_mul(height.cast_signed()), context.body);
        } else {
            let height = usize::from(parts.rows.height).max(1);
            self.move_by(direction.saturating_mul(height.cast_signed()), context);
        }
    }

    fn move_by(&mut self, rows: isize, context: &mut UpdateContext<'_>) {
        self.select(self.list.selected.saturating_add_signed(rows), context);
    }

    pub(super) fn select(&mut self, row: usize, context: &mut UpdateContext<'_>) {
        let height = usize::from(self.parts(context.body).rows.height);
        self.list.select(row, self.len(), height);
        self.settle_layout(context.body);
        self.fetch_more(context);
    }

    fn scroll_detail(&mut self, lines: isize, body: Rect) {
        let place = self.parts(body).detail;
        if let Some(detail) = &mut self.detail {
            detail.scroll_by(lines, (place.width.into(), place.height.into()));
        }
    }

    /// Brings list and detail in line with the rows and the size.
    pub(super) fn settle_layout(&mut self, body: Rect) {
        let parts = self.parts(body);
        self.list.reveal(self.len(), usize::from(parts.rows.height));
        let Some(record) = self
            .rows
            .value()
            .and_then(|rows| rows.get(self.list.selected))
        else {
            self.detail = None;
            self.is_open = false;
            return;
        };
        if self
            .detail
            .as_ref()
            .is_none_or(|detail| detail.record_id != record.record_id)
        {
            self.detail = Some(Detail::new(record));
        }
        if let Some(detail) = &mut self.detail {
            detail.scroll_by(0, (parts.detail.width.into(), parts.detail.height.into()));
        }
    }

    pub(super) fn parts(&self, body: Rect) -> Parts {
        let faults = self.fault_lines(Theme { has_colour: false }, body).len();
        let faults = u16::try_from(faults).unwrap_or(u16::MAX);
        parts(body, self.typing.is_some(), faults, self.is_open)
    }
}
