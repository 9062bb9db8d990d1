//! The dead-letter queue: why messages died, and back to the source queue with them.
//!
//! Invariant: what this screen holds it extends while it is looked at, and gives back when it is
//! left; no message stays hidden from others because of a late answer.

mod columns;
mod deleting;
mod detail;
mod editing;
mod edits;
mod groups;
mod holding;
mod line;
mod mouse;
mod places;
mod preview;
mod reading;
mod redriving;
mod remarks;
mod selection;
mod view;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use ratatui::layout::Rect;

use super::{ScreenId, area_rows};
use crate::tui::keymap::{Action, Binding, Context};
use crate::tui::list::ListState;
use crate::tui::message::{Reply, RequestId, Tone, Topic};
use crate::tui::patch::Mended;
use crate::tui::remote::Remote;
use crate::tui::update_context::UpdateContext;
use pipeline::environment::Environment;
use pipeline::model::DeadLetter;

use detail::Detail;
use editing::Editing;
use groups::Grouping;
use holding::{Extension, HoldFacts, Released};
use line::{LineInput, Search};
use preview::Preview;
use redriving::{Note, Told};

pub(super) use detail::verdict_tone;

/// Lines that `J` and `K` scroll the detail.
const DETAIL_LINES: isize = 3;

/// State of the screen.
#[derive(Debug)]
pub struct DeadLetters {
    /// Name of the source queue, where redriven messages go.
    destination: String,
    /// Name of the dead-letter queue.
    queue: String,
    environment: String,
    is_production: bool,
    is_read_only: bool,
    is_shown: bool,

    hold: Remote<HoldFacts>,
    /// The messages that are held, oldest first.
    messages: Vec<DeadLetter>,
    /// When messages were taken last.
    taken_at: DateTime<Utc>,
    /// When the first of them becomes visible to others, if nothing is done.
    held_until: Option<DateTime<Utc>>,
    extension: Option<Extension>,
    extension_failed_at: Option<DateTime<Utc>>,
    /// Messages whose hold ended before it was extended.
    lost_holds: usize,
    released: Option<Released>,

    grouping: Grouping,
    group_list: ListState,
    /// The messages of the selected group, as positions in `messages`.
    listed: Vec<usize>,
    message_list: ListState,
    selected: Option<String>,
    marks: HashSet<String>,
    focus: Pane,
    detail: Option<Detail>,
    detail_offset: usize,
    /// The body that is being read, and whose it is.
    reading: Option<(RequestId, String)>,
    /// What was asked of a message whose body is being read: done when it comes, unless another key
    /// was pressed.
    wanted: Option<(String, Action)>,
    is_detail_open: bool,

    /// Message ids of the messages that are being redriven.
    moving: HashSet<String>,
    /// Messages are being deleted.
    deletion: Option<RequestId>,
    /// What the last redrive did.
    told: Option<Told>,
    /// Messages that get another body, by message id.
    edits: HashMap<String, Mended>,
    search: Option<Search>,
    open: Open,
    notes: HashMap<String, Note>,
}

/// What lies over the messages.
#[derive(Debug, Default)]
enum Open {
    #[default]
    Nothing,
    /// A line is typed.
    Line(Box<LineInput>),
    /// A patch waits for the operator's word.
    Preview(Box<Preview>),
    /// A message is written.
    Editor(Box<Editing>),
}

/// The pane that the keys move in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pane {
    /// Messages by their cause.
    Groups,
    /// The messages of one group.
    #[default]
    Messages,
}

impl DeadLetters {
    /// Nothing held yet.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        let name = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
        Self {
            destination: name(&environment.queue_url),
            queue: name(&environment.dead_letter_queue_url),
            environment: environment.name.clone(),
            is_production: environment.is_production,
            is_read_only: environment.read_only,
            is_shown: false,
            hold: Remote::Idle,
            messages: Vec::new(),
            taken_at: DateTime::UNIX_EPOCH,
            held_until: None,
            extension: None,
            extension_failed_at: None,
            lost_holds: 0,
            released: None,
            grouping: Grouping::default(),
            group_list: ListState::default(),
            listed: Vec::new(),
            message_list: ListState::default(),
            selected: None,
            marks: HashSet::new(),
            focus: Pane::default(),
            detail: None,
            detail_offset: 0,
            reading: None,
            wanted: None,
            is_detail_open: false,
            moving: HashSet::new(),
            deletion: None,
            told: None,
            edits: HashMap::new(),
            search: None,
            open: Open::Nothing,
            notes: HashMap::new(),
        }
    }

    /// Where keys go.
    #[must_use]
    pub const fn context(&self) -> Context {
        match self.open {
            Open::Nothing => Context::Screen(ScreenId::DeadLetters),
            Open::Line(_) => Context::Input,
            Open::Preview(_) => Context::Patch,
            Open::Editor(_) => Context::Editor,
        }
    }

    /// What a hint says while something lies over the messages; `None` where its key does nothing.
    #[must_use]
    pub fn hint(&self, binding: &Binding) -> Option<&'static str> {
        match (&self.open, binding.action) {
            (Open::Editor(_), Action::Send) => Some("keep"),
            (Open::Line(_), Action::Up) => None,
            _ => Some(binding.label),
        }
    }

    /// Receipt handles that are held.
    #[must_use]
    pub fn held_handles(&self) -> Vec<String> {
        self.messages
            .iter()
            .map(|message| message.receipt_handle.clone())
            .collect()
    }

    /// Since when the screen waits for something.
    #[must_use]
    pub fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.hold.loading_since()
    }

    /// The screen is shown: takes the messages.
    pub fn enter(&mut self, turn: &mut UpdateContext<'_>) {
        self.is_shown = true;
        self.take(turn);
    }

    /// The screen is left: gives the messages back, but for those that are being redriven.
    pub fn leave(&mut self, turn: &mut UpdateContext<'_>) {
        self.is_shown = false;
        self.wanted = None;
        self.told = None;
        self.open = Open::Nothing;
        self.is_detail_open = false;
        self.give_back(turn);
    }

    /// Carries out an action.
    pub fn act(&mut self, action: Action, turn: &mut UpdateContext<'_>) {
        match self.open {
            Open::Nothing => {}
            Open::Line(_) => return self.act_on_line(action, turn),
            Open::Preview(_) => return self.act_on_preview(action, turn),
            Open::Editor(_) => return self.act_in_editor(action, turn),
        }
        self.wanted = None;
        let body = turn.body;
        match action {
            Action::Refresh => self.take(turn),
            Action::Release => self.release(turn),
            Action::Open => self.open(turn),
            Action::Back => self.back(body),
            Action::Up => self.move_by(-1, body),
            Action::Down => self.move_by(1, body),
            Action::PageUp => self.move_by(-self.page(body), body),
            Action::PageDown => self.move_by(self.page(body), body),
            Action::First => self.move_by(isize::MIN, body),
            Action::Last => self.move_by(isize::MAX, body),
            Action::SwitchPane => self.switch_pane(body),
            Action::DetailUp => self.scroll_detail(-DETAIL_LINES, body),
            Action::DetailDown => self.scroll_detail(DETAIL_LINES, body),
            Action::CopyItem => self.copy(turn),
            Action::Mark => self.mark(body),
            Action::MarkAll => self.mark_all(),
            Action::ClearMarks => self.marks.clear(),
            Action::Delete => self.begin_delete(turn),
            Action::Redrive => self.plan_redrive(turn),
            Action::Search => self.begin_search(),
            Action::ClearSearch => self.clear_search(body),
            Action::Patch => self.begin_patch(turn),
            Action::EditMessage | Action::EditOutside => self.begin_editing(action, turn),
            Action::TakeBack => self.take_back(turn),
            Action::TakeAllBack => self.take_all_back(turn),
            Action::Quit
            | Action::Help
            | Action::Palette
            | Action::Show(_)
            | Action::NextScreen
            | Action::PreviousScreen
            | Action::Filter
            | Action::ClearFilter
            | Action::Follow
            | Action::Edit
            | Action::NextTemplate
            | Action::Send
            | Action::Confirm
            | Action::IncludeSkipped
            | Action::Faster
            | Action::Slower
            | Action::NextCanary
            | Action::Reason
            | Action::Pause
            | Action::CancelRun
            | Action::Resume
            | Action::NextItem
            | Action::PreviousItem => {}
        }
    }

    fn open(&mut self, turn: &mut UpdateContext<'_>) {
        if self.messages.is_empty() {
            self.take(turn);
        } else if self.focus == Pane::Groups {
            self.focus = Pane::Messages;
        } else if !super::is_wide(turn.body) && self.selected.is_some() {
            self.is_detail_open = true;
        }
        self.reveal(turn.body);
    }

    /// Closes one level: the detail, then the filter, then the report.
    fn back(&mut self, body: Rect) {
        if self.is_detail_open {
            self.is_detail_open = false;
        } else if self.group_list.selected > 0 {
            self.select_group(0, body);
        } else {
            self.told = None;
        }
        self.reveal(body);
    }

    fn switch_pane(&mut self, body: Rect) {
        self.is_detail_open = false;
        self.focus = match self.focus {
            Pane::Groups => Pane::Messages,
            Pane::Messages => Pane::Groups,
        };
        self.reveal(body);
    }

    fn copy(&mut self, turn: &mut UpdateContext<'_>) {
        let message = self.selected_message();
        match message.map(|message| self.body_at_hand(message)) {
            Some(Some(body)) => turn.copy("the body", body.to_owned()),
            Some(None) => self.want(Action::CopyItem, turn),
            None => turn.say(Tone::Muted, "no message is selected"),
        }
    }

    /// A key that writes.
    pub fn key(&mut self, key: KeyEvent, turn: &mut UpdateContext<'_>) {
        match &mut self.open {
            Open::Line(line) => line.key(key),
            Open::Editor(_) => self.write(key, turn.body),
            Open::Nothing | Open::Preview(_) => {}
        }
    }

    /// Pasted text.
    pub fn paste(&mut self, text: &str, turn: &mut UpdateContext<'_>) {
        match &mut self.open {
            Open::Line(line) => line.paste(text),
            Open::Editor(_) => self.paste_into_editor(text, turn),
            Open::Nothing | Open::Preview(_) => {}
        }
    }

    /// The screen has a new size.
    pub fn resize(&mut self, body: Rect) {
        if super::is_wide(body) {
            self.is_detail_open = false;
        }
        self.reveal(body);
        self.scroll_detail(0, body);
    }

    /// Time passed.
    pub fn tick(&mut self, is_visible: bool, turn: &mut UpdateContext<'_>) {
        if is_visible {
            self.look_at_holds(turn.now);
            self.keep_hold(turn);
            self.run_search(turn);
        }
    }

    /// An answer came.
    pub fn reply(&mut self, reply: Reply, turn: &mut UpdateContext<'_>) {
        match reply.topic {
            Topic::Messages => self.messages_came(reply, turn),
            Topic::Hold => self.hold_was_extended(reply, turn),
            Topic::Body => self.body_was_read(reply, turn),
            Topic::Deletion => self.messages_were_deleted(reply, turn),
            Topic::Release => self.messages_were_released(reply, turn),
            Topic::Patch => self.patched(reply, turn),
            Topic::Judge => self.judged(reply, turn),
            Topic::Search => self.found(reply, turn),
            Topic::SourceQueue
            | Topic::DeadLetterQueue
            | Topic::History
            | Topic::Totals
            | Topic::ApiHealth
            | Topic::DryRun
            | Topic::Redrive
            | Topic::Redrives
            | Topic::RedriveReport
            | Topic::Records
            | Topic::Publish
            | Topic::Trace
            | Topic::Template => {}
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
