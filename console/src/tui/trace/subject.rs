//! What a screen offers to trace.

use std::collections::HashSet;

use event::{EventKey, PartialIdentity};
use pipeline::model::DeadLetter;
use redrive::trace::Holding;

/// Dead letters of one event that are handed over at most.
const HELD_MAX: usize = 100;

/// The dead letters that the console has received and not released: nobody else can receive them, and neither can a
/// search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'a> {
    pub(crate) messages: &'a [DeadLetter],
    /// Ids of those whose visibility timeouts ended.
    pub(crate) lost: &'a HashSet<String>,
    /// Ids of those that are being redriven.
    pub(crate) moving: &'a HashSet<String>,
    /// Ids of those that are being deleted.
    pub(crate) deleting: Option<&'a HashSet<String>>,
}

impl Held<'_> {
    /// Those of one event, and how many there are of all.
    pub(super) fn of(self, key: &EventKey) -> (Vec<DeadLetter>, Holding) {
        let is_of = |identity: &PartialIdentity| {
            identity.source.as_ref() == Some(&key.source) && identity.id.as_ref() == Some(&key.id)
        };
        let mut of_event = Vec::new();
        let mut holding = Holding::default();
        for message in self.messages {
            let id = &message.message_id;
            let is_leaving = self.moving.contains(id)
                || self.deleting.is_some_and(|deleting| deleting.contains(id));
            // A redrive or a deletion extends its messages itself.
            if self.lost.contains(id) && !is_leaving {
                continue;
            }
            holding.total += 1;
            holding.leaving += usize::from(is_leaving);
            if of_event.len() < HELD_MAX && is_of(&message.identity) {
                of_event.push(message.clone());
            }
        }
        (of_event, holding)
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
