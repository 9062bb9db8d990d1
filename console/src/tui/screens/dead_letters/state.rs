//! The state of the screen.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::applied_search::Search;
use super::detail::Detail;
use super::editing::Editing;
use super::groups::Grouping;
use super::lease::{Extension, HoldFacts, Released};
use super::line_input::LineInput;
use super::note::{Note, Told};
use super::preview::Preview;
use crate::tui::keymap::Action;
use crate::tui::list::ListState;
use crate::tui::patch::Mended;
use crate::tui::remote::Remote;
use crate::tui::request::RequestId;
use pipeline::model::DeadLetter;

#[derive(Debug, Default)]
pub(crate) struct DeadLetters {
    pub(super) is_shown: bool,

    pub(super) hold: Remote<HoldFacts>,
    /// The messages that are held, oldest first.
    pub(super) messages: Vec<DeadLetter>,
    /// When messages were taken last.
    pub(super) taken_at: DateTime<Utc>,
    /// When the first of them becomes visible to others, if nothing is done.
    pub(super) held_until: Option<DateTime<Utc>>,
    pub(super) extension: Option<Extension>,
    pub(super) extension_failed_at: Option<DateTime<Utc>>,
    /// Messages whose hold ended before it was extended.
    pub(super) lost_holds: usize,
    pub(super) released: Option<Released>,

    pub(super) grouping: Grouping,
    pub(super) group_list: ListState,
    /// The messages of the selected group, as positions in `messages`.
    pub(super) listed: Vec<usize>,
    pub(super) message_list: ListState,
    pub(super) selected: Option<String>,
    pub(super) marks: HashSet<String>,
    pub(super) focus: Pane,
    pub(super) detail: Option<Detail>,
    pub(super) detail_offset: usize,
    /// The body that is being read, and whose it is.
    pub(super) reading: Option<(RequestId, String)>,
    /// What was asked of a message whose body is being read: done when it comes, unless another key
    /// was pressed.
    pub(super) wanted: Option<(String, Action)>,
    pub(super) is_detail_open: bool,

    /// Message ids of the messages that are being redriven.
    pub(super) moving: HashSet<String>,
    /// Messages are being deleted.
    pub(super) deletion: Option<RequestId>,
    /// What the last redrive did.
    pub(super) told: Option<Told>,
    /// Messages that get another body, by message id.
    pub(super) edits: HashMap<String, Mended>,
    pub(super) search: Option<Search>,
    pub(super) open: Open,
    pub(super) notes: HashMap<String, Note>,
}

/// What lies over the messages.
#[derive(Debug, Default)]
pub(super) enum Open {
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
pub(super) enum Pane {
    /// Messages by their cause.
    Groups,
    /// The messages of one group.
    #[default]
    Messages,
}

impl DeadLetters {
    /// How many messages this screen has received and not released.
    pub(crate) const fn received(&self) -> usize {
        self.messages.len()
    }
}
