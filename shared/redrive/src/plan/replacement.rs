//! What a replay does to stored records, where it corrects them.
//!
//! Invariant: the plan has digests of texts and no text, but that of an edit.

use event::{REPLACES_ATTRIBUTE, RecordId};
use pipeline::StoredText;
use serde::{Deserialize, Serialize};

/// Data type of the attribute.
pub(crate) const ATTRIBUTE_TYPE: &str = "String";

/// What a replay that corrects was planned to do. The records that were read are these, and those that are skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    /// Messages that replace a record.
    pub replaces: usize,
    /// Events that are stored with this very text: nothing is sent for them.
    pub same_text: usize,
    /// Messages whose event is not stored yet: they become new records.
    pub not_stored: usize,
}

/// The record that one message replaces. It is replaced only while it is the stored one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaces {
    /// The identity of the event as the ledger has it: `event_identity(source, id)`.
    pub identity: String,
    /// The record that was stored for the identity of the event when the plan was made.
    pub record_id: RecordId,
    /// Digest of its text, see [`event::stored_sha256`].
    pub old_sha256: String,
    /// Digest of the text that takes its place.
    pub new_sha256: String,
}

impl Replaces {
    /// The record in its place, if this one shows that it was replaced by the planned text.
    pub(crate) fn done_by(&self, stored: &StoredText) -> Option<RecordId> {
        let is_it =
            stored.record_id != self.record_id && stored.sha256.as_ref() == Some(&self.new_sha256);
        is_it.then_some(stored.record_id)
    }

    /// Value of the message attribute.
    pub(crate) fn attribute(&self) -> String {
        self.record_id.to_string()
    }

    /// Size of the message attribute, by which SNS counts.
    pub(crate) fn attribute_bytes(&self) -> usize {
        REPLACES_ATTRIBUTE.len() + ATTRIBUTE_TYPE.len() + self.attribute().len()
    }
}
