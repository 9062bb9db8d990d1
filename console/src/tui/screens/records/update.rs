//! What keys, clicks and time do to the screen.

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use event::{EventKey, Order};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::detail::Detail;
use super::history::remember;
use super::layout::{Parts, parts};
use super::over::Over;
use super::state::Records;
use super::typing::{Purpose, Typing};
use crate::pointer;
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
            ScreenEvent::Paste(text) => self.paste(text, context),
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
            KeyContext::Query
        } else {
            KeyContext::Screen(ScreenId::Records)
        }
    }

    fn hint(&self, binding: &Binding, _: &ScreenContext<'_>) -> Option<Label> {
        if let Some(typing) = &self.typing {
            return self.hint_of_line(typing, binding);
        }
        if self.over.is_some() {
            return (binding.action == Action::CopyItem).then(|| binding.label.into());
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
        if let Some(Over::Sql(pane)) = &self.over {
            return pane.waiting_since();
        }
        self.rows
            .loading_since()
            .or_else(|| self.more.loading_since())
    }
}

impl Records {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other keys always do the same"
    )]
    fn hint_of_line(&self, typing: &Typing, binding: &Binding) -> Option<Label> {
        let label = match binding.action {
            Action::Confirm if typing.chosen().is_some() => "take",
            Action::Confirm if typing.purpose == Purpose::Name => "save",
            Action::Confirm if typing.purpose == Purpose::Sql => "ask",
            Action::Up if typing.purpose == Purpose::Sql => "earlier questions",
            Action::Up if typing.chosen().is_some() => "choose",
            Action::Up if self.history_of(typing.purpose).is_empty() => return None,
            Action::Down | Action::Complete if typing.completion().candidates.is_empty() => {
                return None;
            }
            _ => binding.label,
        };
        Some(label.into())
    }

    /// Lines that were applied before.
    fn history_of(&self, purpose: Purpose) -> &[String] {
        match purpose {
            Purpose::Filter => &self.history,
            Purpose::Sql => &self.sql_history,
            Purpose::Columns | Purpose::Name => &[],
        }
    }

    /// The screen is shown: reads the newest, unless somebody reads on further down. Following
    /// reads by itself.
    fn enter(&mut self, context: &mut UpdateContext<'_>) {
        self.is_shown = true;
        let is_unseen = matches!(self.rows, Remote::Idle);
        let is_at_top = self.list.offset == 0 && self.has_the_top();
        let is_at_top = is_at_top && !self.is_open && !self.is_following;
        if !self.rows.is_loading() && (is_unseen || is_at_top) {
            self.reload(context);
        }
    }

    fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        if self.act_over(action, context) {
            return;
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "actions of other screens reach only their own"
        )]
        match action {
            Action::Refresh => self.reload(context),
            Action::Up | Action::Down | Action::Complete if self.typing.is_some() => {
                self.act_on_line(action, context.now);
            }
            Action::Up => self.move_by(-1, context),
            Action::Down => self.move_by(1, context),
            Action::PageUp => self.page(-1, context),
            Action::PageDown => self.page(1, context),
            Action::First => self.first(context),
            Action::Last => self.last(context),
            Action::Open => {
                self.is_open = self.selected().is_some();
                self.settle_layout(context.body);
            }
            Action::DetailUp => self.scroll_detail(-1, context.body),
            Action::DetailDown => self.scroll_detail(1, context.body),
            Action::CopyItem => self.copy(context),
            Action::Follow => self.follow(context),
            Action::Filter => {
                self.fetch_names(context);
                self.fetch_saved(context);
                self.type_line(Purpose::Filter, "", context);
            }
            Action::Columns => {
                let pointers = self.pointers.iter().map(ToString::to_string);
                let text = pointers.collect::<Vec<_>>().join(" ");
                self.type_line(Purpose::Columns, &text, context);
            }
            Action::SaveFilter => self.type_line(Purpose::Name, "", context),
            Action::Compare => self.compare(context),
            Action::Export => self.show_export(context),
            Action::Sql => self.type_sql(context),
            Action::ClearFilter => self.clear_filter(context),
            Action::Confirm => self.apply_typed(context),
            Action::Back => {
                if self.typing.take().is_none() {
                    if !self.is_open {
                        self.held = None;
                    }
                    self.is_open = false;
                }
                self.settle_layout(context.body);
            }
            _ => {}
        }
    }

    pub(super) fn type_line(
        &mut self,
        purpose: Purpose,
        text: &str,
        context: &mut UpdateContext<'_>,
    ) {
        self.is_open = false;
        self.learn();
        self.typing = Some(Typing::new(purpose, text, &self.known, context.now));
        self.settle_layout(context.body);
    }

    fn act_on_line(&mut self, action: Action, now: DateTime<Utc>) {
        let Some(typing) = &mut self.typing else {
            return;
        };
        let history: &[String] = match typing.purpose {
            Purpose::Filter => &self.history,
            Purpose::Sql => &self.sql_history,
            Purpose::Columns | Purpose::Name => &[],
        };
        if action == Action::Complete {
            typing.complete(&self.known, now);
        } else if action == Action::Up {
            typing.up(history, &self.known, now);
        } else {
            typing.down(history, &self.known, now);
        }
    }

    fn key(&mut self, key: KeyEvent, context: &mut UpdateContext<'_>) {
        if let Some(typing) = &mut self.typing {
            typing.key(key, &self.known, context.now);
        }
    }

    fn paste(&mut self, text: &str, context: &mut UpdateContext<'_>) {
        let Some(typing) = &mut self.typing else {
            return;
        };
        if typing.is_changed_by_one_line(text) {
            let text =
                "not pasted: in one line it is another question; ask with opsconsole sql - < FILE";
            context.notify(Tone::Warning, text);
            return;
        }
        typing.paste(text, &self.known, context.now);
    }

    fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        let parts = self.parts(context.body);
        if self.over.is_some() || !parts.rows.contains(position) {
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
        if self.over.is_some() {
            self.scroll_over(lines, context.body);
        } else if parts.detail.contains(position) {
            self.scroll_detail(lines, context.body);
        } else {
            self.move_by(lines, context);
        }
    }

    fn apply_typed(&mut self, context: &mut UpdateContext<'_>) {
        let Some(typing) = &mut self.typing else {
            return;
        };
        if typing.chosen().is_some() {
            typing.complete(&self.known, context.now);
            return;
        }
        typing.expand(&self.known, context.now);
        typing.check(&self.known, context.now);
        if typing.wrong().is_some() {
            // It stands below the line.
            return;
        }
        let text = typing.text().trim().to_owned();
        let (purpose, columns) = (typing.purpose, typing.columns());
        self.typing = None;
        match purpose {
            Purpose::Filter => {
                if let Some(columns) = columns {
                    self.show_columns(&columns, context.body);
                }
                self.apply(text, context);
            }
            Purpose::Columns => self.show_columns(&text, context.body),
            Purpose::Name => self.save_filter(&text, context),
            Purpose::Sql if text.is_empty() => {}
            Purpose::Sql => self.ask_sql(text, context),
        }
    }

    fn show_columns(&mut self, text: &str, body: Rect) {
        // The line was checked before.
        self.pointers = pointer::parse(text).unwrap_or_default();
        if let Some(rows) = self.rows.value_mut() {
            rows.point_anew();
        }
        self.settle_layout(body);
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
        remember(&mut self.history, &text);
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
        if self.is_going_to_the_end() {
            // The operator goes elsewhere.
            self.more.reset();
        }
        self.list.select(row, self.len(), height);
        self.settle_layout(context.body);
        self.pages_in_a_row = 0;
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
        let height = usize::from(parts.rows.height);
        self.list.reveal(self.len(), height);
        let shown = self.list.offset..self.list.offset + height;
        if let Some(rows) = self.rows.value_mut() {
            rows.make_ready(shown, &self.pointers);
        }
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
