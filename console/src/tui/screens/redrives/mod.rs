//! Redrives: the plan before one begins, the one that runs, and those of the past.
//!
//! Invariant: nothing is sent that the review did not count; numbers of a run come from its
//! journal, and one redrive runs at a time.

mod history;
mod layout;
mod outcomes;
mod review;
mod review_view;
mod run_view;
mod running;
mod view;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use ratatui::layout::{Position, Rect};

use super::ScreenId;
use crate::tui::keymap::{Action, Binding, Context};
use crate::tui::list::ListState;
use crate::tui::message::{Effect, Reply, Request, Steering, Tone, Topic};
use crate::tui::redrives::Past;
use crate::tui::remote::Remote;
use crate::tui::update_context::UpdateContext;
use pipeline::environment::Environment;
use redrive::Report;

use review::Review;
use running::Run;

/// Lines that `J` and `K` scroll the detail.
const DETAIL_LINES: isize = 3;

/// State of the screen.
#[derive(Debug)]
pub struct Redrives {
    /// Name of the source queue, where redriven messages go.
    destination: String,
    environment: String,
    is_production: bool,
    is_read_only: bool,
    is_shown: bool,
    review: Option<Review>,
    run: Option<Run>,
    history: Remote<Past>,
    list: ListState,
    /// The journal that is selected; `None` for the first row.
    selected: Option<PathBuf>,
    /// The journal whose messages are shown.
    opened: Option<PathBuf>,
    report: Remote<Report>,
    detail_offset: usize,
    is_detail_open: bool,
}

impl Redrives {
    /// Nothing planned, nothing run.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        let destination = environment.queue_url.rsplit('/').next().unwrap_or_default();
        Self {
            destination: destination.to_owned(),
            environment: environment.name.clone(),
            is_production: environment.is_production,
            is_read_only: environment.read_only,
            is_shown: false,
            review: None,
            run: None,
            history: Remote::Idle,
            list: ListState::default(),
            selected: None,
            opened: None,
            report: Remote::Idle,
            detail_offset: 0,
            is_detail_open: false,
        }
    }

    /// Where keys go.
    #[must_use]
    pub const fn context(&self) -> Context {
        match &self.review {
            Some(review) if review.typing.is_some() => Context::Input,
            Some(_) => Context::Plan,
            None => Context::Screen(ScreenId::Redrives),
        }
    }

    /// Whether messages are looked at before they are sent.
    #[must_use]
    pub const fn is_reviewing(&self) -> bool {
        self.review.is_some()
    }

    /// How many messages of the redrive under way have an outcome, and how many there are.
    #[must_use]
    pub fn progress(&self) -> Option<(usize, usize)> {
        self.run.as_ref().map(|run| (run.done(), run.planned))
    }

    /// Since when the screen waits for something.
    #[must_use]
    pub fn waiting_since(&self) -> Option<DateTime<Utc>> {
        let dry = self.review.as_ref().map(|review| &review.dry);
        dry.and_then(Remote::loading_since)
            .or_else(|| self.run.as_ref().map(|run| run.since))
            .or_else(|| self.history.loading_since())
    }

    /// The screen is shown.
    pub fn enter(&mut self, turn: &mut UpdateContext<'_>) {
        self.is_shown = true;
        self.refresh(turn);
    }

    /// The screen is left. A redrive goes on.
    pub fn leave(&mut self, turn: &mut UpdateContext<'_>) {
        self.is_shown = false;
        if let Some((done, planned)) = self.progress() {
            let text = format!("the redrive goes on: {done} of {planned} done; its end is told");
            turn.say(Tone::Good, text);
        }
    }

    fn refresh(&mut self, turn: &mut UpdateContext<'_>) {
        if !self.history.is_loading() {
            turn.fetch(&mut self.history, Request::Redrives);
        }
    }

    /// What a hint says now; `None` where its key does nothing.
    #[must_use]
    pub fn hint(&self, binding: &Binding) -> Option<&'static str> {
        if let Some(review) = &self.review {
            return review.hint(binding);
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other keys always do the same"
        )]
        match binding.action {
            Action::Pause => {
                let run = self.run.as_ref()?;
                Some(if run.is_paused() { "go on" } else { "pause" })
            }
            Action::Faster | Action::Slower | Action::CancelRun => {
                self.run.as_ref().map(|_| binding.label)
            }
            Action::Resume => self.resumable().map(|_| binding.label),
            _ => Some(binding.label),
        }
    }

    /// Carries out an action.
    pub fn act(&mut self, action: Action, turn: &mut UpdateContext<'_>) {
        if self.review.is_some() {
            self.answer_review(action, turn);
            return;
        }
        let body = turn.body;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "actions of other screens reach only their own"
        )]
        match action {
            Action::Refresh => self.refresh(turn),
            Action::Pause => self.pause_or_go_on(turn),
            Action::CancelRun => self.cancel(turn),
            Action::Faster => self.change_rate(review::faster, turn),
            Action::Slower => self.change_rate(review::slower, turn),
            Action::Resume => self.resume(turn),
            Action::Open => self.open(turn),
            Action::Back => self.is_detail_open = false,
            Action::Up => self.move_by(-1, body),
            Action::Down => self.move_by(1, body),
            Action::PageUp => self.move_by(-self.page(body), body),
            Action::PageDown => self.move_by(self.page(body), body),
            Action::First => self.move_by(isize::MIN, body),
            Action::Last => self.move_by(isize::MAX, body),
            Action::DetailUp => self.scroll_detail(-DETAIL_LINES, body),
            Action::DetailDown => self.scroll_detail(DETAIL_LINES, body),
            Action::CopyItem => self.copy(turn),
            _ => {}
        }
    }

    /// A key that writes.
    pub fn key(&mut self, key: KeyEvent) {
        if let Some(review) = &mut self.review {
            review.key(key);
        }
    }

    /// Pasted text.
    pub fn paste(&mut self, text: &str) {
        if let Some(review) = &mut self.review {
            review.paste(text);
        }
    }

    /// A click inside the screen.
    pub fn click(&mut self, position: Position, turn: &mut UpdateContext<'_>) {
        if self.review.is_some() {
            return;
        }
        let places = self.places(turn.body);
        if places.list.contains(position) {
            let line = usize::from(position.y - places.list.y);
            if let Some(row) = self.list.row_at(line, self.rows().len()) {
                let is_again = row == self.list.selected;
                self.select(row, turn.body);
                if is_again {
                    self.open(turn);
                }
            }
        }
    }

    /// The wheel inside the screen.
    pub fn scroll(&mut self, position: Position, lines: isize, body: Rect) {
        let places = self.places(body);
        if places.detail.contains(position) {
            self.scroll_detail(lines, body);
        } else if self.review.is_none() && places.list.contains(position) {
            self.select(self.list.selected.saturating_add_signed(lines), body);
        }
    }

    /// The screen has a new size.
    pub fn resize(&mut self, body: Rect) {
        self.select(self.list.selected, body);
        self.scroll_detail(0, body);
    }

    /// Time passed.
    pub fn tick(&mut self, turn: &mut UpdateContext<'_>) {
        if let Some(run) = &mut self.run {
            run.measure(turn.now);
        }
        if !self.is_shown || self.review.is_some() {
            return;
        }
        // Other processes redrive too.
        if self.history.is_due(history::READ_EVERY, turn.now) {
            turn.fetch(&mut self.history, Request::Redrives);
        }
        if self.is_detail_shown(turn.body) {
            self.look_at_messages(turn);
        }
    }

    /// An answer came, but for the one that ends a redrive.
    pub fn reply(&mut self, reply: Reply, turn: &mut UpdateContext<'_>) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "answers about other things reach only their own screens"
        )]
        match reply.topic {
            Topic::DryRun => self.dry_run_came(reply, turn.now),
            Topic::Redrives => self.history_came(reply, turn),
            Topic::RedriveReport => self.report_came(reply, turn),
            _ => {}
        }
    }

    fn steer(&self, steering: Steering, turn: &mut UpdateContext<'_>) {
        if let Some(run) = &self.run {
            let id = run.request;
            turn.effects.push(Effect::Steer { id, steering });
        }
    }

    fn copy(&self, turn: &mut UpdateContext<'_>) {
        match self.selected_journal() {
            Some(journal) => turn.copy("the path of the journal", journal.display().to_string()),
            None => turn.say(Tone::Muted, "no redrive is selected"),
        }
    }
}

#[cfg(test)]
mod tests;
