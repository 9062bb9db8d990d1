//! What a screen offers to trace.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use event::{EventKey, PartialIdentity};
use pipeline::model::DeadLetter;
use redrive::trace::{Holding, Leaving};

/// Dead letters of one event that are handed over at most.
const HELD_MAX: usize = 100;

/// The dead letters that the console has received and not released: nobody else can receive them, and neither can a
/// search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'a> {
    pub(crate) messages: &'a [DeadLetter],
    /// Ids of those whose visibility timeouts ended.
    pub(crate) lost: &'a HashSet<String>,
    /// When the first visibility timeout ends.
    pub(crate) hidden_until: Option<DateTime<Utc>>,
    /// Ids of those that are being redriven.
    pub(crate) moving: &'a HashSet<String>,
    /// Ids of those that are being deleted.
    pub(crate) deleting: Option<&'a HashSet<String>>,
}

impl Held<'_> {
    /// Those of one event, and the ids of all. After the end of a visibility timeout that was not extended, others
    /// may have received any of them: none counts as held.
    pub(super) fn of(self, key: &EventKey, now: DateTime<Utc>) -> (Vec<DeadLetter>, Holding) {
        let is_of = |identity: &PartialIdentity| {
            identity.source.as_ref() == Some(&key.source) && identity.id.as_ref() == Some(&key.id)
        };
        let is_over = self.hidden_until.is_some_and(|until| until <= now);
        let mut of_event = Vec::new();
        let mut holding = Holding::default();
        for message in self.messages {
            let id = &message.message_id;
            // A redrive or a deletion extends its messages itself.
            if let Some(leaving) = self.leaving(id) {
                holding.leaving.insert(id.clone(), leaving);
            } else if is_over || self.lost.contains(id) {
                continue;
            } else {
                holding.hidden.insert(id.clone());
            }
            if of_event.len() < HELD_MAX && is_of(&message.identity) {
                of_event.push(message.clone());
            }
        }
        (of_event, holding)
    }

    fn leaving(self, id: &str) -> Option<Leaving> {
        let is_deleting = self.deleting.is_some_and(|deleting| deleting.contains(id));
        let moving = self.moving.contains(id).then_some(Leaving::Redriven);
        moving.or(is_deleting.then_some(Leaving::Deleted))
    }
}

/// What the selection of a screen is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Traceable {
    /// It has no event.
    #[default]
    Nothing,
    /// It has something without a source or an id.
    Unnamed,
    One(EventKey),
    /// Several events; one is chosen.
    Several(Vec<EventKey>),
}

/// The key of an identity that has one.
pub(crate) fn key_of(identity: &PartialIdentity) -> Option<EventKey> {
    let (source, id) = (identity.source.clone()?, identity.id.clone()?);
    Some(EventKey { source, id })
}
