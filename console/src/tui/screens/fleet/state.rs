//! The state of the screen, and what keys, clicks and answers do to it.

use chrono::{DateTime, Duration, Utc};
use pipeline::environment::Environment;
use pipeline::fleet::{FleetRow, FleetState};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::detail;
use crate::text::{shell_word, visible};
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::handover::Handover;
use crate::tui::keymap::{Action, Binding, KeyContext, Label};
use crate::tui::layout::take_rows;
use crate::tui::list::ListState;
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::screen_id::ScreenId;
use crate::tui::screens::screen::{Screen, ScreenEvent};
use crate::tui::theme::Tone;

/// Between two reads while the screen is shown: as often as the metrics change.
const READ_EVERY: Duration = Duration::seconds(60);
/// Lines that `J` and `K` scroll the detail.
const DETAIL_LINES: isize = 3;

#[derive(Debug, Default)]
pub(crate) struct Fleet {
    pub(super) rows: Remote<Vec<FleetRow>>,
    pub(super) list: ListState,
    /// The environment that is selected; `None` for the first row.
    selected: Option<String>,
    pub(super) detail_offset: usize,
    is_shown: bool,
    /// The environment that is looked up to be shown.
    opening: Remote<Box<Environment>>,
}

/// Where each part is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    pub(super) title: Rect,
    pub(super) list: Rect,
    pub(super) detail_title: Rect,
    pub(super) detail: Rect,
}

impl Screen for Fleet {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>) {
        match event {
            ScreenEvent::Enter => {
                self.is_shown = true;
                self.read_if_due(context);
            }
            ScreenEvent::Leave => {
                self.is_shown = false;
                // Who went elsewhere meanwhile stays there.
                self.opening.reset();
            }
            // Nobody looks at a console that nobody uses, and each read is paid for.
            ScreenEvent::Tick if self.is_shown && !context.is_untouched() => {
                self.read_if_due(context);
            }
            ScreenEvent::Act(action) => self.act(action, context),
            ScreenEvent::Click(position) => self.click(position, context),
            ScreenEvent::Scroll(position, lines) => {
                if self.parts(context.body).detail.contains(position) {
                    self.scroll_detail(lines, context);
                } else {
                    self.move_by(lines, context.body);
                }
            }
            ScreenEvent::Resize => {
                self.select(self.list.selected, context.body);
                self.scroll_detail(0, context);
            }
            ScreenEvent::Key(_)
            | ScreenEvent::Paste(_)
            | ScreenEvent::Drag(_)
            | ScreenEvent::Tick => {}
        }
    }

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        self.draw(context, canvas);
    }

    fn key_context(&self) -> KeyContext {
        KeyContext::Screen(ScreenId::Fleet)
    }

    fn hint(&self, binding: &Binding, context: &ScreenContext<'_>) -> Option<Label> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other keys always do the same"
        )]
        match binding.action {
            Action::CopyItem => Some("copy the command".into()),
            Action::Refresh => Some("read again".into()),
            Action::Open => {
                let row = self.selected_row()?;
                let is_other = row.environment != context.environment.name;
                is_other.then(|| "switch to it".into())
            }
            _ => Some(binding.label.into()),
        }
    }

    fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.rows.loading_since()
    }
}

impl Fleet {
    fn read_if_due(&mut self, context: &mut UpdateContext<'_>) {
        if self.rows.is_due(READ_EVERY, context.now) {
            self.read(context);
        }
    }

    fn read(&mut self, context: &mut UpdateContext<'_>) {
        if !self.rows.is_loading() {
            context
                .outbox
                .fetch(&mut self.rows, Reply::Fleet, Request::Fleet);
        }
    }

    pub(crate) fn rows_came(
        &mut self,
        answer: Answer<Vec<FleetRow>>,
        context: &mut UpdateContext<'_>,
    ) {
        if !self.rows.settle(answer, context.now) {
            return;
        }
        // The selection stays on its environment, wherever the order puts it.
        let wanted = self.selected.as_deref();
        let mut rows = self.rows().iter();
        let place = rows.position(|row| Some(row.environment.as_str()) == wanted);
        self.select(place.unwrap_or(self.list.selected), context.body);
        self.scroll_detail(0, context);
    }

    /// The environment that was asked for is known, or is not.
    pub(crate) fn environment_came(
        &mut self,
        answer: Answer<Box<Environment>>,
        context: &mut UpdateContext<'_>,
    ) {
        if !self.opening.settle(answer, context.now) {
            return;
        }
        match std::mem::take(&mut self.opening) {
            Remote::Ready(environment) => {
                let switch = Handover::SwitchTo(environment.value);
                context.outbox.handovers.push(switch);
            }
            Remote::Failed { error, .. } => context.notify(Tone::Bad, visible(&error.message)),
            Remote::Idle | Remote::Loading { .. } => {}
        }
    }

    pub(super) fn rows(&self) -> &[FleetRow] {
        self.rows.value().map_or(&[], Vec::as_slice)
    }

    pub(super) fn selected_row(&self) -> Option<&FleetRow> {
        self.rows().get(self.list.selected)
    }

    /// The list has as many rows as it needs, at most the upper two thirds.
    pub(super) fn parts(&self, body: Rect) -> Parts {
        let mut rest = body;
        let title = take_rows(&mut rest, 1);
        let wanted = u16::try_from(self.rows().len() + 1).unwrap_or(u16::MAX);
        let most = rest.height * 2 / 3;
        let list = take_rows(&mut rest, wanted.min(most));
        Parts {
            title,
            list,
            detail_title: take_rows(&mut rest, 1),
            detail: rest,
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other actions belong to other screens"
    )]
    fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let page = isize::try_from(self.height(context.body)).unwrap_or(isize::MAX);
        match action {
            Action::Up => self.move_by(-1, context.body),
            Action::Down => self.move_by(1, context.body),
            Action::PageUp => self.move_by(-page, context.body),
            Action::PageDown => self.move_by(page, context.body),
            Action::First => self.select(0, context.body),
            Action::Last => self.select(usize::MAX, context.body),
            Action::DetailDown => self.scroll_detail(DETAIL_LINES, context),
            Action::DetailUp => self.scroll_detail(-DETAIL_LINES, context),
            Action::Refresh => self.read(context),
            Action::Open => self.open(context),
            Action::CopyItem => self.copy(context),
            _ => {}
        }
    }

    fn open(&mut self, context: &mut UpdateContext<'_>) {
        let Some(row) = self.selected_row() else {
            return;
        };
        let name = row.environment.clone();
        if name == context.environment.name {
            let text = format!("this console shows {} already", visible(&name));
            context.notify(Tone::Muted, text);
            return;
        }
        if row.state == FleetState::Invalid {
            let reason = row.reason.as_deref().unwrap_or("it is not known");
            context.notify(Tone::Warning, visible(reason));
            return;
        }
        context
            .outbox
            .fetch(&mut self.opening, Reply::Environment, |to| {
                Request::Environment(name, to)
            });
    }

    fn copy(&self, context: &mut UpdateContext<'_>) {
        let Some(row) = self.selected_row() else {
            return;
        };
        let name = shell_word(&row.environment);
        let command = format!("opsconsole --env {name} status");
        context.outbox.copy("the command", command);
    }

    fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        let list = self.parts(context.body).list;
        if !list.contains(position) {
            return;
        }
        // The names of the columns stand above the rows.
        let line = usize::from(position.y - list.y).checked_sub(1);
        let Some(row) = line.and_then(|line| self.list.row_at(line, self.rows().len())) else {
            return;
        };
        if row == self.list.selected {
            self.open(context);
        } else {
            self.select(row, context.body);
        }
    }

    fn height(&self, body: Rect) -> usize {
        usize::from(self.parts(body).list.height.saturating_sub(1))
    }

    fn move_by(&mut self, rows: isize, body: Rect) {
        self.select(self.list.selected.saturating_add_signed(rows), body);
    }

    fn select(&mut self, row: usize, body: Rect) {
        let before = self.list.selected;
        let height = self.height(body);
        self.list.select(row, self.rows().len(), height);
        self.selected = self.selected_row().map(|row| row.environment.clone());
        if self.list.selected != before {
            self.detail_offset = 0;
        }
    }

    fn scroll_detail(&mut self, lines: isize, context: &ScreenContext<'_>) {
        let area = self.parts(context.body).detail;
        let length = self.selected_row().map_or(0, |row| {
            detail::lines(row, context.theme, usize::from(area.width)).len()
        });
        let most = length.saturating_sub(usize::from(area.height));
        self.detail_offset = self.detail_offset.saturating_add_signed(lines).min(most);
    }
}
