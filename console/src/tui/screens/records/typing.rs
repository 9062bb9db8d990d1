//! A line while it is typed: the filter, or the pointers of the columns.
//!
//! Invariant: the line is checked and completed after each change; what is wrong names its characters.

use std::ops::Range;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Style;
use ratatui_textarea::{CursorMove, DataCursor, TextArea};

use super::known::Knowledge;
use crate::pointer::{self, POINTERS_CHARS_MAX};
use crate::saved_filters::{NAME_CHARS_MAX, checked_name};
use crate::tui::filter::{self, Completion, FILTER_CHARS_MAX, FilterError};

/// Longest question, in characters.
const SQL_CHARS_MAX: usize = 10_000;

/// What the line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Filter,
    Columns,
    /// A name for the applied filter.
    Name,
    /// A question in SQL.
    Sql,
}

impl Purpose {
    const fn chars_max(self) -> usize {
        match self {
            Self::Filter => FILTER_CHARS_MAX,
            Self::Columns => POINTERS_CHARS_MAX,
            Self::Name => NAME_CHARS_MAX,
            Self::Sql => SQL_CHARS_MAX,
        }
    }
}

/// What is wrong with the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) text: String,
    /// The characters at fault.
    pub(super) at: Range<usize>,
    /// What would be right, where an example says more.
    pub(super) example: Option<String>,
    /// Whether it is only begun: its value is still to come.
    pub(super) is_begun: bool,
}

/// The line that is being typed.
#[derive(Debug)]
pub(super) struct Typing {
    pub(super) purpose: Purpose,
    pub(super) input: TextArea<'static>,
    wrong: Option<Wrong>,
    example: Option<String>,
    completion: Completion,
    /// The candidate that ⏎ takes.
    chosen: Option<usize>,
    /// How many lines of the history back this one is from.
    recalled: usize,
    /// The columns of the saved filter whose text was put here.
    columns: Option<Vec<String>>,
}

impl Typing {
    /// Starts from a text.
    pub(super) fn new(purpose: Purpose, text: &str, known: &Knowledge, now: DateTime<Utc>) -> Self {
        let mut typing = Self {
            purpose,
            input: line(text, text.chars().count()),
            wrong: None,
            example: None,
            completion: Completion::default(),
            chosen: None,
            recalled: 0,
            columns: None,
        };
        typing.check(known, now);
        typing
    }

    pub(super) fn text(&self) -> String {
        self.input.lines().join(" ")
    }

    fn cursor(&self) -> usize {
        let DataCursor(_, column) = self.input.cursor();
        column
    }

    /// Checks and completes what is typed, and keeps it on one line within the limit.
    pub(super) fn check(&mut self, known: &Knowledge, now: DateTime<Utc>) {
        let most = self.purpose.chars_max();
        let text = self.text();
        if self.input.lines().len() > 1 || text.chars().count() > most {
            let kept: String = text.chars().take(most).collect();
            self.input = line(&kept, most);
        }
        let text = self.text();
        let cursor = self.cursor();
        match self.purpose {
            Purpose::Filter => {
                let is_saved = known.saved_named(&text).is_some();
                let error = filter::parse(&text, now).err().filter(|_| !is_saved);
                let head: String = text.chars().take(cursor).collect();
                self.example = filter::example_of(&head, error.as_ref());
                let is_begun = head.ends_with('=');
                self.wrong = error.map(|error| Wrong {
                    is_begun: is_begun && error.at.end == cursor,
                    ..wrong(&error, self.example.clone())
                });
                self.completion = filter::complete(&text, cursor, &known.filter);
            }
            Purpose::Columns => {
                let error = pointer::parse(&text).err();
                self.wrong = error.map(|error| Wrong {
                    text: error.to_string(),
                    at: error.at,
                    example: None,
                    is_begun: false,
                });
                self.completion = places(&text, cursor, known);
            }
            Purpose::Name => {
                let name = text.trim();
                let error = checked_name(name).err().filter(|_| !name.is_empty());
                self.wrong = error.map(|text| Wrong {
                    text,
                    at: 0..0,
                    example: None,
                    is_begun: false,
                });
            }
            // The database alone can tell.
            Purpose::Sql => {}
        }
        let candidates = self.completion.candidates.len();
        self.chosen = self.chosen.filter(|chosen| *chosen < candidates);
    }

    pub(super) fn key(&mut self, key: KeyEvent, known: &Knowledge, now: DateTime<Utc>) {
        if (key.code, key.modifiers) == (KeyCode::Char('u'), KeyModifiers::CONTROL) {
            // As in a shell; the widget would undo.
            self.input.delete_line_by_head();
        } else {
            self.input.input(key);
        }
        self.changed(known, now);
    }

    /// Whether a question in SQL would be another one in one line, cut to its limit: a comment goes to the end of its line.
    pub(super) fn is_changed_by_one_line(&self, text: &str) -> bool {
        let has_comment = text.trim().contains(['\n', '\r']) && text.contains("--");
        let is_sql = matches!(self.purpose, Purpose::Sql);
        is_sql && (has_comment || text.chars().count() > SQL_CHARS_MAX)
    }

    /// Pasted text; lines become words.
    pub(super) fn paste(&mut self, text: &str, known: &Knowledge, now: DateTime<Utc>) {
        let text: String = text.chars().take(self.purpose.chars_max()).collect();
        self.input.insert_str(text.replace(['\r', '\n'], " "));
        self.changed(known, now);
    }

    fn changed(&mut self, known: &Knowledge, now: DateTime<Utc>) {
        self.chosen = None;
        self.recalled = 0;
        self.check(known, now);
    }

    fn put(&mut self, text: &str, cursor: usize, known: &Knowledge, now: DateTime<Utc>) {
        self.input = line(text, cursor);
        self.chosen = None;
        self.check(known, now);
    }

    /// Takes the chosen candidate, else the first one.
    pub(super) fn complete(&mut self, known: &Knowledge, now: DateTime<Utc>) {
        let taken = self
            .completion
            .taken(&self.text(), self.chosen.unwrap_or(0));
        if let Some((text, cursor)) = taken {
            self.recalled = 0;
            self.put(&text, cursor, known, now);
            self.expand(known, now);
        }
    }

    /// Puts the text of a saved filter in the place of its name.
    pub(super) fn expand(&mut self, known: &Knowledge, now: DateTime<Utc>) {
        if self.purpose != Purpose::Filter {
            return;
        }
        if let Some(saved) = known.saved_named(&self.text()) {
            self.columns = Some(saved.columns.clone());
            self.put(&saved.filter, saved.filter.chars().count(), known, now);
        }
    }

    /// The columns of the saved filter that was taken.
    pub(super) fn columns(&self) -> Option<String> {
        self.columns.as_ref().map(|columns| columns.join(" "))
    }

    /// Chooses the candidate below; comes back from the history before that.
    pub(super) fn down(&mut self, history: &[String], known: &Knowledge, now: DateTime<Utc>) {
        if self.recalled > 0 {
            self.recall(self.recalled - 1, history, known, now);
            return;
        }
        let last = self.completion.candidates.len().checked_sub(1);
        let next = self.chosen.map_or(0, |chosen| chosen + 1);
        self.chosen = last.map(|last| next.min(last));
    }

    /// Chooses the candidate above; above the first is the history.
    pub(super) fn up(&mut self, history: &[String], known: &Knowledge, now: DateTime<Utc>) {
        match self.chosen {
            Some(chosen) => self.chosen = chosen.checked_sub(1),
            None if self.recalled < history.len() => {
                self.recall(self.recalled + 1, history, known, now);
            }
            None => {}
        }
    }

    fn recall(&mut self, back: usize, history: &[String], known: &Knowledge, now: DateTime<Utc>) {
        self.recalled = back;
        let place = history.len().checked_sub(back);
        let text = place.and_then(|place| history.get(place));
        let text = text.map_or("", String::as_str);
        self.put(text, text.chars().count(), known, now);
    }

    /// What is wrong with it.
    pub(super) const fn wrong(&self) -> Option<&Wrong> {
        self.wrong.as_ref()
    }

    /// How the term at the cursor is written.
    pub(super) fn example(&self) -> Option<&str> {
        self.example.as_deref()
    }

    pub(super) const fn completion(&self) -> &Completion {
        &self.completion
    }

    pub(super) const fn chosen(&self) -> Option<usize> {
        self.chosen
    }
}

fn wrong(error: &FilterError, example: Option<String>) -> Wrong {
    Wrong {
        text: error.to_string(),
        at: error.at.clone(),
        example,
        is_begun: false,
    }
}

fn line(text: &str, cursor: usize) -> TextArea<'static> {
    let mut input = TextArea::new(vec![text.to_owned()]);
    input.set_cursor_line_style(Style::new());
    let column = u16::try_from(cursor).unwrap_or(u16::MAX);
    input.move_cursor(CursorMove::Jump(0, column));
    input
}

/// Places of the selected event that can stand at the cursor.
fn places(text: &str, cursor: usize, known: &Knowledge) -> Completion {
    let head: String = text.chars().take(cursor).collect();
    let length = head.chars().count();
    let words = pointer::words(&head);
    let typed = words.last().filter(|(_, at)| at.end == length);
    let (typed, replaced) = match typed {
        Some((word, at)) => (word.as_str(), at.clone()),
        None => ("", length..length),
    };
    let all = pointer::words(text);
    let is_there = |place: &str| all.iter().any(|(word, _)| word == place);
    let offered = known
        .places
        .iter()
        .filter(|place| place.text == typed || !is_there(&place.text));
    let offered = offered.map(|place| (place.text.clone(), place.about.as_str()));
    Completion::of(typed, replaced, offered)
}
