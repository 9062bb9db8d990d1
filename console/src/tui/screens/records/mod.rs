//! The records of the database: newest first, filtered, followed, read in full.
//!
//! Invariant: the selection stays on its record while rows come; one page is asked for at a time.

mod columns;
mod detail;
mod layout;
mod paging;
mod rows;
mod typing;
mod view;

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use event::{Order, Record, RecordId, RecordQuery};
use ratatui::layout::{Position, Rect};

use self::detail::Detail;
use self::layout::{Parts, parts};
use self::rows::Rows;
use self::typing::Typing;
use super::{ScreenId, is_wide};
use crate::tui::keymap::{Action, Binding, Context};
use crate::tui::list::ListState;
use crate::tui::message::{Fault, Tone};
use crate::tui::remote::Remote;
use crate::tui::theme::Theme;
use crate::tui::update_context::UpdateContext;

/// State of the screen.
#[derive(Debug, Default)]
pub struct Records {
    /// Text of the applied filter; empty for none.
    filter: String,
    /// The applied filter, as it was last reckoned.
    query: RecordQuery,
    rows: Remote<Rows>,
    /// Following; its value is how many rows came.
    newer: Remote<usize>,
    /// Paging; its value is how many rows came.
    more: Remote<usize>,
    is_following: bool,
    list: ListState,
    detail: Option<Detail>,
    /// Whether the detail stands in place of the list.
    is_open: bool,
    typing: Option<Typing>,
}

impl Records {
    /// Where keys go.
    #[must_use]
    pub fn context(&self) -> Context {
        if self.typing.is_some() {
            Context::Input
        } else {
            Context::Screen(ScreenId::Records)
        }
    }

    /// Since when the screen waits for something.
    #[must_use]
    pub fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.rows
            .loading_since()
            .or_else(|| self.more.loading_since())
    }

    /// The screen is shown: reads the newest, unless somebody reads on further down. Following
    /// reads by itself.
    pub fn enter(&mut self, turn: &mut UpdateContext<'_>) {
        let is_unseen = matches!(self.rows, Remote::Idle);
        let is_at_top = self.list.offset == 0 && !self.is_open && !self.is_following;
        if !self.rows.is_loading() && (is_unseen || is_at_top) {
            self.reload(turn);
        }
    }

    /// What a key says while the filter is typed; `None` where it does nothing.
    #[must_use]
    pub fn input_hint(&self, binding: &Binding) -> Option<&'static str> {
        let is_recall = binding.action == Action::Up;
        (!is_recall || !self.filter.is_empty()).then_some(binding.label)
    }

    /// Carries out an action.
    pub fn act(&mut self, action: Action, turn: &mut UpdateContext<'_>) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "actions of other screens reach only their own"
        )]
        match action {
            Action::Refresh => self.reload(turn),
            Action::Up if self.typing.is_some() => {
                self.typing = Some(Typing::new(&self.filter, turn.now));
            }
            Action::Up => self.move_by(-1, turn),
            Action::Down => self.move_by(1, turn),
            Action::PageUp => self.page(-1, turn),
            Action::PageDown => self.page(1, turn),
            Action::First => self.move_by(isize::MIN, turn),
            Action::Last => self.move_by(isize::MAX, turn),
            Action::Open => {
                self.is_open = self.selected().is_some();
                self.settle_layout(turn.body);
            }
            Action::DetailUp => self.scroll_detail(-1, turn.body),
            Action::DetailDown => self.scroll_detail(1, turn.body),
            Action::CopyItem => self.copy(turn),
            Action::Follow => self.follow(turn),
            Action::Filter => {
                self.is_open = false;
                self.typing = Some(Typing::new("", turn.now));
                self.settle_layout(turn.body);
            }
            Action::ClearFilter => self.clear_filter(turn),
            Action::Confirm => self.apply_typed(turn),
            Action::Back => {
                if self.typing.take().is_none() {
                    self.is_open = false;
                }
                self.settle_layout(turn.body);
            }
            _ => {}
        }
    }

    /// A key that writes.
    pub fn key(&mut self, key: KeyEvent, turn: &mut UpdateContext<'_>) {
        if let Some(typing) = &mut self.typing {
            typing.key(key, turn.now);
        }
    }

    /// Pasted text.
    pub fn paste(&mut self, text: &str) {
        if let Some(typing) = &mut self.typing {
            typing.paste(text);
        }
    }

    /// A click inside the screen.
    pub fn click(&mut self, position: Position, turn: &mut UpdateContext<'_>) {
        let parts = self.parts(turn.body);
        if !parts.rows.contains(position) {
            return;
        }
        let line = usize::from(position.y - parts.rows.y);
        let Some(row) = self.list.row_at(line, self.len()) else {
            return;
        };
        if row == self.list.selected && !is_wide(turn.body) {
            self.act(Action::Open, turn);
        } else {
            self.select(row, turn);
        }
    }

    /// The wheel inside the screen.
    pub fn scroll(&mut self, position: Position, lines: isize, turn: &mut UpdateContext<'_>) {
        let parts = self.parts(turn.body);
        if parts.detail.contains(position) {
            self.scroll_detail(lines, turn.body);
        } else {
            self.move_by(lines, turn);
        }
    }

    /// The screen has a new size.
    pub fn resize(&mut self, body: Rect) {
        self.settle_layout(body);
    }

    fn apply_typed(&mut self, turn: &mut UpdateContext<'_>) {
        let Some(typing) = &mut self.typing else {
            return;
        };
        typing.check(turn.now);
        if let Some(error) = typing.error() {
            turn.say(Tone::Warning, error.to_string());
            return;
        }
        let text = typing.text().trim().to_owned();
        self.typing = None;
        self.apply(text, turn);
    }

    fn clear_filter(&mut self, turn: &mut UpdateContext<'_>) {
        if self.filter.is_empty() {
            turn.say(Tone::Muted, "there is no filter; / sets one");
        } else {
            self.apply(String::new(), turn);
        }
    }

    fn apply(&mut self, text: String, turn: &mut UpdateContext<'_>) {
        if text != self.filter {
            // Rows of another filter would be taken for rows of this one.
            self.rows.reset();
            self.list = ListState::default();
            self.detail = None;
            self.is_open = false;
        }
        self.filter = text;
        self.reload(turn);
        if self.is_following && self.query.order == Order::Asc {
            self.is_following = false;
            turn.say(Tone::Warning, "paused: following needs the newest first");
        }
        self.settle_layout(turn.body);
    }

    fn copy(&self, turn: &mut UpdateContext<'_>) {
        match self.selected() {
            Some(record) => {
                let what = format!("the payload of record {}", record.record_id);
                turn.copy(&what, record.payload.get().to_owned());
            }
            None => turn.say(Tone::Muted, "no record is selected"),
        }
    }

    fn page(&mut self, direction: isize, turn: &mut UpdateContext<'_>) {
        let parts = self.parts(turn.body);
        if self.is_open {
            let height = usize::from(parts.detail.height).saturating_sub(1).max(1);
            self.scroll_detail(direction.saturating_mul(height.cast_signed()), turn.body);
        } else {
            let height = usize::from(parts.rows.height).max(1);
            self.move_by(direction.saturating_mul(height.cast_signed()), turn);
        }
    }

    fn move_by(&mut self, rows: isize, turn: &mut UpdateContext<'_>) {
        self.select(self.list.selected.saturating_add_signed(rows), turn);
    }

    fn select(&mut self, row: usize, turn: &mut UpdateContext<'_>) {
        let height = usize::from(self.parts(turn.body).rows.height);
        self.list.select(row, self.len(), height);
        self.settle_layout(turn.body);
        self.ask_more(turn);
    }

    fn scroll_detail(&mut self, lines: isize, body: Rect) {
        let place = self.parts(body).detail;
        if let Some(detail) = &mut self.detail {
            detail.scroll_by(lines, (place.width.into(), place.height.into()));
        }
    }

    /// Brings list and detail in line with the rows and the size.
    fn settle_layout(&mut self, body: Rect) {
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

    fn parts(&self, body: Rect) -> Parts {
        let faults = self.fault_lines(Theme { has_colour: false }, body).len();
        let faults = u16::try_from(faults).unwrap_or(u16::MAX);
        parts(body, self.typing.is_some(), faults, self.is_open)
    }

    /// What failed last, and what it was for.
    fn fault(&self) -> Option<(&'static str, &Fault)> {
        self.rows
            .error()
            .map(|fault| ("refresh", fault))
            .or_else(|| self.more.error().map(|fault| ("next page", fault)))
            .or_else(|| self.newer.error().map(|fault| ("following", fault)))
    }

    fn len(&self) -> usize {
        self.rows.value().map_or(0, Rows::len)
    }

    fn selected(&self) -> Option<&Record> {
        self.rows.value()?.get(self.list.selected)
    }

    fn selected_id(&self) -> Option<RecordId> {
        self.selected().map(|record| record.record_id)
    }
}
