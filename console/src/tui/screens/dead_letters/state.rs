//! The state of the screen.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::applied_search::Search;
use super::detail::Detail;
use super::editing::Editing;
use super::groups::Grouping;
use super::lease::{Lease, ReceiveFacts};
use super::line_input::LineInput;
use super::note::{Deletion, LastResult, Note};
use super::preview::Preview;
use crate::tui::keymap::Action;
use crate::tui::list::ListState;
use crate::tui::patch::EditedMessage;
use crate::tui::remote::Remote;
use crate::tui::request::RequestId;
use crate::tui::trace::subject::Held;
use pipeline::Body;
use pipeline::model::DeadLetter;
use redrive::operations::Progress;

#[derive(Debug, Default)]
pub(crate) struct DeadLetters {
    pub(super) is_shown: bool,

    pub(super) received: Remote<ReceiveFacts>,
    /// The received messages, oldest first.
    pub(super) messages: Vec<DeadLetter>,
    /// When messages were received last.
    pub(super) received_at: DateTime<Utc>,
    pub(super) lease: Lease,

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
    /// An action on a message whose body is being read: executed when the body comes, unless another
    /// key was pressed.
    pub(super) deferred: Option<(String, Action)>,
    pub(super) is_detail_open: bool,

    /// Message ids of the messages that are being redriven.
    pub(super) moving: HashSet<String>,
    /// Messages are being deleted.
    pub(super) deletion: Option<Deletion>,
    /// What the last redrive or deletion did.
    pub(super) last_result: Option<LastResult>,
    /// Messages that get another body, by message id.
    pub(super) edits: HashMap<String, EditedMessage>,
    /// The bodies of edits that the journal of a redrive has, by message id.
    pub(super) journaled: HashMap<String, Body>,
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
    /// A patch waits for confirmation.
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
    pub(crate) const fn received_count(&self) -> usize {
        self.messages.len()
    }

    /// The messages that a trace looks at, and that a search of it cannot receive.
    pub(crate) fn held(&self) -> Held<'_> {
        Held {
            messages: &self.messages,
            lost: &self.lease.lost,
            hidden_until: self.lease.first_hidden_until,
            moving: &self.moving,
            deleting: self.deletion.as_ref().map(|deletion| &deletion.message_ids),
        }
    }

    /// How far the deletion under way is.
    pub(crate) fn deletion_progress(&self) -> Option<Progress> {
        self.deletion.as_ref().map(|deletion| deletion.progress)
    }

    /// Whether the editor has a text that is not saved.
    pub(crate) fn is_writing(&self) -> bool {
        matches!(&self.open, Open::Editor(editing) if editing.editor.is_edited())
    }

    /// Messages that the patch changes that waits for confirmation, if one does.
    pub(crate) fn previewed_edits(&self) -> Option<usize> {
        match &self.open {
            Open::Preview(preview) => Some(preview.patched.edited.len()),
            Open::Nothing | Open::Line(_) | Open::Editor(_) => None,
        }
    }

    /// A patch or a deletion got further.
    pub(crate) fn work_advanced(&mut self, id: RequestId, progress: Progress) {
        if let Some(deletion) = &mut self.deletion
            && deletion.request == id
        {
            deletion.progress = progress;
        }
        if let Open::Line(line) = &mut self.open
            && line.outcome.is_waiting_for(id)
        {
            line.progress = Some(progress);
        }
    }
}
