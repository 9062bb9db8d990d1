//! What a screen offers to trace.

use event::{EventKey, PartialIdentity};
use pipeline::model::DeadLetter;

/// Dead letters of one event that are handed over at most.
pub(crate) const HELD_MAX: usize = 100;

/// An event, and its dead letters that the console holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subject {
    pub(crate) key: EventKey,
    pub(crate) held: Vec<DeadLetter>,
}

impl Subject {
    pub(crate) const fn new(key: EventKey) -> Self {
        Self {
            key,
            held: Vec::new(),
        }
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
    One(Subject),
    /// Several events; one is chosen.
    Several(Vec<EventKey>),
}

/// The key of an identity that has one.
pub(crate) fn key_of(identity: &PartialIdentity) -> Option<EventKey> {
    let (source, id) = (identity.source.clone()?, identity.id.clone()?);
    Some(EventKey { source, id })
}
