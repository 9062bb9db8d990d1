//! The state of the screen, and what keys, clicks and answers do to it.

use chrono::{DateTime, Utc};
use pipeline::lint::LintReport;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::detail;
use super::rows::{Row, rows};
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::keymap::{Action, Binding, KeyContext, Label};
use crate::tui::layout::{is_wide, side_by_side, take_rows};
use crate::tui::list::ListState;
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::screen_id::ScreenId;
use crate::tui::screens::screen::{Screen, ScreenEvent};
use crate::tui::theme::Tone;

/// Lines that `J` and `K` scroll the detail.
const DETAIL_LINES: isize = 3;

#[derive(Debug, Default)]
pub(crate) struct Lint {
    pub(super) report: Remote<LintReport>,
    pub(super) list: ListState,
    /// The check that is selected; `None` for the first row.
    selected: Option<&'static str>,
    /// On a narrow screen, instead of the list.
    pub(super) is_detail_open: bool,
    pub(super) detail_offset: usize,
}

/// Where each part is; a part that is not shown is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    pub(super) title: Rect,
    pub(super) list: Rect,
    pub(super) divider: Rect,
    pub(super) detail_title: Rect,
    pub(super) detail: Rect,
}

impl Screen for Lint {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>) {
        match event {
            // Where the database pauses, only a key that asks for it wakes it.
            ScreenEvent::Enter
                if matches!(self.report, Remote::Idle) && !context.environment.database_pauses =>
            {
                self.check(context);
            }
            ScreenEvent::Act(action) => self.act(action, context),
            ScreenEvent::Click(position) => self.click(position, context),
            ScreenEvent::Scroll(position, lines) => {
                if self.parts(context.body).detail.contains(position) {
                    self.scroll_detail(lines, context);
                } else {
                    self.move_by(lines, context);
                }
            }
            ScreenEvent::Resize => {
                self.select(self.list.selected, context.body);
                self.scroll_detail(0, context);
            }
            ScreenEvent::Enter
            | ScreenEvent::Leave
            | ScreenEvent::Key(_)
            | ScreenEvent::Paste(_)
            | ScreenEvent::Drag(_)
            | ScreenEvent::Tick => {}
        }
    }

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        self.draw(context, canvas);
    }

    fn key_context(&self) -> KeyContext {
        KeyContext::Screen(ScreenId::Lint)
    }

    fn hint(&self, binding: &Binding, context: &ScreenContext<'_>) -> Option<Label> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other keys always do the same"
        )]
        match binding.action {
            Action::CopyItem => Some("copy the fix".into()),
            Action::Refresh => Some("check again".into()),
            // The detail is beside the list.
            Action::Open if is_wide(context.body) => None,
            _ => Some(binding.label.into()),
        }
    }

    fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.report.loading_since()
    }
}

impl Lint {
    fn check(&mut self, context: &mut UpdateContext<'_>) {
        if !self.report.is_loading() {
            context
                .outbox
                .fetch(&mut self.report, Reply::Lint, Request::Lint);
        }
    }

    pub(crate) fn report_came(
        &mut self,
        answer: Answer<LintReport>,
        context: &mut UpdateContext<'_>,
    ) {
        if !self.report.settle(answer, context.now) {
            return;
        }
        // The selection stays on its check.
        let wanted = self.selected;
        let place = self.rows().iter().position(|row| Some(row.id()) == wanted);
        self.select(place.unwrap_or(self.list.selected), context.body);
        self.scroll_detail(0, context);
    }

    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        self.report.value().map(rows).unwrap_or_default()
    }

    pub(super) fn selected_row(&self) -> Option<Row<'_>> {
        self.rows().get(self.list.selected).copied()
    }

    pub(super) fn parts(&self, body: Rect) -> Parts {
        let mut parts = Parts::default();
        let mut list = body;
        if is_wide(body) {
            let mut detail;
            [list, parts.divider, detail] = side_by_side(body, body.width / 2);
            parts.detail_title = take_rows(&mut detail, 1);
            parts.detail = detail;
        } else if self.is_detail_open {
            parts.detail_title = take_rows(&mut list, 1);
            parts.detail = list;
            return parts;
        }
        parts.title = take_rows(&mut list, 1);
        parts.list = list;
        parts
    }

    fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let body = context.body;
        let parts = self.parts(body);
        let page = parts.list.height.max(parts.detail.height).max(1);
        let page = isize::try_from(page).unwrap_or(1);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "actions of other screens reach only their own"
        )]
        match action {
            Action::Refresh => self.check(context),
            Action::Up => self.move_by(-1, context),
            Action::Down => self.move_by(1, context),
            Action::PageUp => self.move_by(-page, context),
            Action::PageDown => self.move_by(page, context),
            Action::First => self.select(0, body),
            Action::Last => self.select(usize::MAX, body),
            Action::DetailUp => self.scroll_detail(-DETAIL_LINES, context),
            Action::DetailDown => self.scroll_detail(DETAIL_LINES, context),
            Action::Open => {
                self.is_detail_open = !is_wide(body) && self.selected_row().is_some();
            }
            Action::Back => self.is_detail_open = false,
            Action::CopyItem => self.copy(context),
            _ => {}
        }
    }

    fn copy(&self, context: &mut UpdateContext<'_>) {
        match self.selected_row() {
            Some(Row::Found(finding)) => {
                let text = finding.fix.text().to_owned();
                context.outbox.copy("the fix", text);
            }
            Some(Row::Unchecked(_)) => context.notify(Tone::Muted, "nothing was found there"),
            None => context.notify(Tone::Muted, "nothing is selected"),
        }
    }

    fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        let list = self.parts(context.body).list;
        if !list.contains(position) {
            return;
        }
        let above = self.notes(context, usize::from(list.width)).len();
        let line = usize::from(position.y - list.y).checked_sub(above);
        let Some(row) = line.and_then(|line| self.list.row_at(line, self.rows().len())) else {
            return;
        };
        if row == self.list.selected {
            self.act(Action::Open, context);
        } else {
            self.select(row, context.body);
        }
    }

    /// Moves in whatever the keys move in: the open detail, else the list.
    fn move_by(&mut self, rows: isize, context: &ScreenContext<'_>) {
        let body = context.body;
        if self.is_detail_open && !is_wide(body) {
            self.scroll_detail(rows, context);
        } else {
            self.select(self.list.selected.saturating_add_signed(rows), body);
        }
    }

    fn select(&mut self, row: usize, body: Rect) {
        let before = self.list.selected;
        let (length, height) = (self.rows().len(), self.parts(body).list.height);
        self.list.select(row, length, usize::from(height));
        self.selected = self.selected_row().map(Row::id);
        if self.list.selected != before {
            self.detail_offset = 0;
        }
    }

    fn scroll_detail(&mut self, lines: isize, context: &ScreenContext<'_>) {
        let area = self.parts(context.body).detail;
        let row = self.selected_row();
        let length = row.map_or(0, |row| {
            detail::lines(row, context.theme, usize::from(area.width)).len()
        });
        let most = length.saturating_sub(usize::from(area.height));
        self.detail_offset = self.detail_offset.saturating_add_signed(lines).min(most);
    }
}
