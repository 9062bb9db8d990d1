//! The redrives of the past, the selection among them, and the messages of the selected one.
//!
//! Invariant: the selection stays on its journal when rows come; a report is shown only beside the
//! journal that it was read from.

use std::path::PathBuf;

use chrono::Duration;
use ratatui::layout::Rect;

use super::run::Run;
use super::state::Redrives;
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::layout::is_wide;
use crate::tui::list::ListState;
use crate::tui::redrives::{Past, PastRedrive};
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, Reply, Request};
use redrive::Report;

/// How often the messages of the redrive under way are read from its journal.
const MESSAGES_EVERY: Duration = Duration::seconds(2);
/// Messages beyond which they are read only when the redrive waits or has ended.
const MESSAGES_LIVE_MAX: usize = 5_000;

/// One row of the list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row<'a> {
    Running(&'a Run),
    Past(&'a PastRedrive),
}

impl Redrives {
    /// The redrive under way, then those of the past.
    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        let running = self.run.as_ref();
        let current = running.and_then(Run::journal);
        let past = self.history.value().into_iter();
        running
            .map(Row::Running)
            .into_iter()
            .chain(
                past.flat_map(|past| &past.redrives)
                    .filter(|past| Some(&past.journal) != current)
                    .map(Row::Past),
            )
            .collect()
    }

    pub(super) fn selected_row(&self) -> Option<Row<'_>> {
        self.rows().get(self.list.selected).copied()
    }

    pub(super) fn selected_journal(&self) -> Option<&PathBuf> {
        match self.selected_row()? {
            Row::Running(run) => run.journal(),
            Row::Past(past) => Some(&past.journal),
        }
    }

    /// The selected redrive, where messages are left to resume with and nothing else runs.
    pub(super) fn resumable(&self, context: &ScreenContext<'_>) -> Option<&PastRedrive> {
        if self.run.is_some() || context.environment.read_only {
            return None;
        }
        match self.selected_row()? {
            Row::Past(past) if past.is_resumable() => Some(past),
            Row::Past(_) | Row::Running(_) => None,
        }
    }

    pub(crate) fn history_came(&mut self, answer: Answer<Past>, context: &mut UpdateContext<'_>) {
        if self.history.settle(answer, context.now) {
            self.find_selected(context.body);
        }
    }

    /// Brings the selection back to its journal.
    pub(super) fn find_selected(&mut self, body: Rect) {
        let place = self.selected.as_ref().and_then(|wanted| {
            self.rows().iter().position(|row| match row {
                Row::Running(run) => run.journal() == Some(wanted),
                Row::Past(past) => past.journal == *wanted,
            })
        });
        let row = place.unwrap_or(self.list.selected);
        let (length, height) = (self.rows().len(), self.parts(body).list.height);
        self.list.select(row, length, usize::from(height));
    }

    pub(super) fn select(&mut self, row: usize, body: Rect) {
        let before = self.list.selected;
        let (length, height) = (self.rows().len(), self.parts(body).list.height);
        self.list.select(row, length, usize::from(height));
        self.selected = self.selected_journal().cloned();
        if self.list.selected != before {
            self.detail_offset = 0;
        }
    }

    /// Shows the redrive that has just begun.
    pub(super) fn show_run(&mut self, body: Rect) {
        self.selected = None;
        self.opened = None;
        self.report.reset();
        self.detail_offset = 0;
        self.list = ListState::default();
        self.is_detail_open = !is_wide(body);
    }

    pub(super) fn open(&mut self, context: &mut UpdateContext<'_>) {
        if self.selected_row().is_none() {
            return;
        }
        self.is_detail_open = !is_wide(context.body);
        self.look_at_messages(context);
    }

    /// Reads the messages of the selected redrive, again where more is known by now.
    pub(super) fn look_at_messages(&mut self, context: &mut UpdateContext<'_>) {
        let Some(journal) = self.selected_journal().cloned() else {
            return;
        };
        let is_other = self.opened.as_ref() != Some(&journal);
        if is_other {
            self.report = Remote::Idle;
            self.opened = Some(journal.clone());
        }
        let is_wanted = match self.selected_row() {
            Some(Row::Running(run)) => {
                let known = self.report.value().map(|report| report.counts);
                let is_read_live = run.planned <= MESSAGES_LIVE_MAX || run.is_paused();
                known != Some(run.counts()) && (is_other || is_read_live)
            }
            Some(Row::Past(past)) => {
                self.report.value().map(|report| report.counts) != Some(past.counts)
            }
            None => false,
        };
        if is_wanted && self.report.is_due(MESSAGES_EVERY, context.now) {
            context
                .outbox
                .fetch(&mut self.report, Reply::RedriveReport, |to| {
                    Request::RedriveReport(journal, to)
                });
        }
    }

    pub(crate) fn report_came(&mut self, answer: Answer<Report>, context: &mut UpdateContext<'_>) {
        if self.report.settle(answer, context.now) {
            self.scroll_detail(0, context);
        }
    }

    /// Moves in whatever the keys move in: the open detail, else the list.
    pub(super) fn move_by(&mut self, rows: isize, context: &ScreenContext<'_>) {
        let body = context.body;
        if self.is_detail_open && !is_wide(body) {
            self.scroll_detail(rows, context);
        } else {
            self.select(self.list.selected.saturating_add_signed(rows), body);
        }
    }

    pub(super) fn page(&self, body: Rect) -> isize {
        let parts = self.parts(body);
        let height = parts.list.height.max(parts.detail.height.min(body.height));
        isize::try_from(height.max(1)).unwrap_or(1)
    }

    pub(super) fn scroll_detail(&mut self, lines: isize, context: &ScreenContext<'_>) {
        let parts = self.parts(context.body);
        let length = self.detail_length(context, usize::from(parts.detail.width));
        let most = length.saturating_sub(usize::from(parts.detail.height));
        self.detail_offset = self.detail_offset.saturating_add_signed(lines).min(most);
    }
}
