//! Texts of facts.

use chrono::{DateTime, SecondsFormat, Utc};
use event::peek_identity;

use super::fact::Standing;
use crate::state::fact::Proof;

/// What is added to the text of a plan whose message is edited.
pub(super) fn edit_in_words(old_body: &str, new_body: &str) -> String {
    let (old, new) = (peek_identity(old_body), peek_identity(new_body));
    if (&old.source, &old.id) == (&new.source, &new.id) {
        return ", with an edited body".to_owned();
    }
    let part = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    format!(
        ", with an edited body that changes its identity from {} / {} to {} / {}",
        part(old.source),
        part(old.id),
        part(new.source),
        part(new.id)
    )
}

/// What a redrive saw of an event that it sent.
pub(super) fn proof_in_words(proof: &Proof, name: &str) -> (Standing, String) {
    match proof {
        Proof::Stored { record_id } => (
            Standing::Good,
            format!("{name} saw it stored, as record {record_id}"),
        ),
        Proof::AlreadyStored {
            record_id,
            duplicate_of,
        } => {
            let other = duplicate_of.as_ref();
            let other = other.map_or_else(String::new, |other| format!(" of message {other}"));
            let text = format!("{name} saw it as a duplicate{other}: record {record_id} was there");
            (Standing::Neutral, text)
        }
        Proof::DeadAgain { message_id, reason } => {
            let reason = reason.as_deref().unwrap_or("no reason is recorded");
            let text = format!("{name} saw it fail again, as dead letter {message_id}: {reason}");
            (Standing::Bad, text)
        }
    }
}

/// To the second, UTC.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
