//! What was read of the logs, where to read on, and what is selected of it.
//!
//! Invariant: one read at a time; while others come and go, the selection stays on its line and in its place.

use chrono::{DateTime, Utc};
use pipeline::logs::{LogFilter, LogFunction, LogRead, LogTail};

use super::lines::{Key, Lines};
use crate::tui::fault::Fault;
use crate::tui::list::ListState;
use crate::tui::outbox::Outbox;
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, Reply, Request};

/// A log that could not be read.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) function: LogFunction,
    pub(super) fault: Fault,
    /// Whether the next read goes on there.
    pub(super) is_read_on: bool,
}

#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) lines: Lines,
    pub(super) list: ListState,
    selected: Option<Key>,
    /// The text of the filter.
    pub(super) filter: String,
    /// Where to read on; `None` before the first read.
    next: Option<LogTail>,
    /// The last read.
    pub(super) read: Remote<()>,
    /// Whether more lines are there than were read.
    pub(super) is_behind: bool,
    /// Whether they cannot be read on at once.
    pub(super) is_held_up: bool,
    /// The logs that could not be read.
    pub(super) unread: Vec<Unread>,
    /// Where its answers go.
    reply: Option<fn(Answer<LogRead>) -> Reply>,
    /// From when on it was read.
    pub(super) since: Option<DateTime<Utc>>,
}

impl Reading {
    /// A reading that begins there, whose answers go there.
    pub(super) fn begin(
        tail: LogTail,
        since: DateTime<Utc>,
        reply: fn(Answer<LogRead>) -> Reply,
    ) -> Self {
        Self {
            next: Some(tail),
            reply: Some(reply),
            since: Some(since),
            ..Self::default()
        }
    }

    /// Reads on, unless it is being read.
    pub(super) fn read_on(&mut self, outbox: &mut Outbox) {
        let (Some(tail), Some(reply)) = (&self.next, self.reply) else {
            return;
        };
        if !self.read.is_loading() {
            let tail = Box::new(tail.clone());
            outbox.fetch(&mut self.read, reply, |to| Request::Logs(tail, to));
        }
    }

    /// Takes what was read. The newest line is selected where it is followed.
    pub(super) fn came(
        &mut self,
        answer: Answer<LogRead>,
        now: DateTime<Utc>,
        (is_following, height): (bool, usize),
    ) -> bool {
        if !self.read.awaits(&answer) {
            return false;
        }
        let mut taken = None;
        self.read.settle(answer.map(|read| taken = Some(read)), now);
        let Some(read) = taken else {
            return true;
        };
        self.is_behind = !read.behind.is_empty();
        self.is_held_up = read.is_held_up();
        let unread = read.unread.iter().map(|fault| Unread {
            function: fault.function,
            fault: Fault::from(&fault.error),
            is_read_on: read.is_behind(fault),
        });
        self.unread = unread.collect();
        self.next = Some(read.next);
        if !read.lines.is_empty() {
            self.lines.add(read.lines);
            self.settle(is_following, height);
        }
        true
    }

    /// Whether more can be read at once.
    pub(super) fn goes_on(&self) -> bool {
        self.is_behind && !self.is_held_up && self.read.error().is_none()
    }

    /// Shows lines that are known before they are read.
    pub(super) fn prefill(&mut self, lines: Vec<pipeline::logs::LogLine>, height: usize) {
        self.lines.add(lines);
        self.settle(true, height);
    }

    pub(super) fn clear_lines(&mut self) {
        let filter = self.lines.filter().clone();
        self.lines = Lines::default();
        self.lines.set_filter(filter);
    }

    /// Finds the selection again after the lines changed.
    fn settle(&mut self, is_following: bool, height: usize) {
        let length = self.lines.len();
        match self.selected.filter(|_| !is_following) {
            None => self.select(length.saturating_sub(1), height),
            Some(key) => {
                let row_on_screen = self.list.selected.saturating_sub(self.list.offset);
                let row = self.lines.row_of(key).min(length.saturating_sub(1));
                self.list.offset = row.saturating_sub(row_on_screen);
                self.select(row, height);
                // Until all are judged it may still be among them.
                if self.lines.is_judging() {
                    self.selected = Some(key);
                }
            }
        }
    }

    pub(super) fn select(&mut self, row: usize, height: usize) {
        self.list.select(row, self.lines.len(), height);
        self.selected = self.lines.key(self.list.selected);
    }

    pub(super) fn set_filter(&mut self, filter: LogFilter, is_following: bool, height: usize) {
        if filter != *self.lines.filter() {
            self.lines.set_filter(filter);
            self.settle(is_following, height);
        }
    }

    /// Applies the filter to further lines.
    pub(super) fn judge_part(&mut self, is_following: bool, height: usize) {
        if self.lines.is_judging() {
            self.lines.judge_part();
            self.settle(is_following, height);
        }
    }

    /// The key of the row that is selected.
    pub(super) fn selected_key(&self) -> Option<Key> {
        self.lines.key(self.list.selected)
    }
}
