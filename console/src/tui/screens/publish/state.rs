//! The state of the screen.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use event::{EventKey, peek_identity};

use super::sent::Sent;
use crate::tui::event_editor::check::Check;
use crate::tui::event_editor::editor::Editor;
use crate::tui::format::{UNKNOWN, visible};
use crate::tui::remote::Remote;

#[derive(Debug, Default)]
pub(crate) struct Publish {
    pub(super) editor: Editor,
    pub(super) check: Option<Check>,
    pub(super) mode: Mode,
    /// The template that was requested last.
    pub(super) template: usize,
    pub(super) template_load: Remote<()>,
    pub(super) sent: Option<Sent>,
    /// What was sent from here, the last one at the end.
    pub(super) sent_before: VecDeque<SentBefore>,
}

/// An event that was sent, or may have been.
#[derive(Debug)]
pub(super) struct SentBefore {
    pub(super) key: EventKey,
    /// When the operator sent it.
    pub(super) at: DateTime<Utc>,
    /// Whether SNS confirmed it.
    pub(super) is_confirmed: bool,
}

/// What keys do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// They act.
    #[default]
    Looking,
    /// They write.
    Editing,
    /// They answer whether the event is sent: it will be refused, it was sent before, or this is
    /// production.
    Confirming,
}

impl Publish {
    /// Whether the editor has a text of the operator that the topic has not acknowledged.
    pub(crate) fn has_unsent_text(&self) -> bool {
        let text = self.editor.text();
        let is_it = |sent: &Sent| sent.body == text && sent.published.value().is_some();
        self.editor.is_edited() && !self.sent.as_ref().is_some_and(is_it)
    }

    /// Whether the event was sent from here before.
    pub(super) fn is_duplicate(&self, check: &Check) -> bool {
        check
            .key()
            .is_some_and(|key| self.sent_before(key).is_some())
    }

    /// The last time that SNS confirmed this identity from here, else the last time that it may have been sent: a
    /// later send without an answer takes nothing from a confirmed one.
    pub(super) fn sent_before(&self, key: &EventKey) -> Option<&SentBefore> {
        let sent = self.sent_before.iter().filter(|sent| sent.key == *key);
        sent.max_by_key(|sent| sent.is_confirmed)
    }
}

/// What an event is called, valid or not.
pub(super) fn name_of(body: &str) -> String {
    let identity = peek_identity(body);
    let part = |text: Option<String>| text.map_or_else(|| UNKNOWN.to_owned(), |t| visible(&t));
    if identity.event_type.is_none() && identity.source.is_none() && identity.id.is_none() {
        return "text that is not an event".to_owned();
    }
    format!(
        "{}  {} / {}",
        part(identity.event_type),
        part(identity.source),
        part(identity.id)
    )
}
