//! What to erase.
//!
//! Invariant: a request that passes [`Request::validate`] is searched in bounded steps: a subject by its index,
//! anything else in a range of time that the operator gives.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use event::{Order, RecordQuery};
use export::Target;
use redrive::triage::Program;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::error::EraseError;

/// A shorter text would be found almost everywhere.
const TEXT_BYTES_MIN: usize = 4;

/// What an event is recognized by.
#[derive(Clone, Debug)]
pub enum What {
    /// Its CloudEvents subject, exactly.
    Subject(String),
    /// A jq program that returns neither false nor null.
    Where(Arc<Program>),
    /// A text anywhere in it; also in a message that is no event.
    Containing(String),
}

/// What to erase, and where to look.
#[derive(Clone, Debug)]
pub struct Request {
    /// What an event is recognized by.
    pub what: What,
    /// Only events of this source.
    pub source: Option<String>,
    /// Only events of this type.
    pub event_type: Option<String>,
    /// Only records, also exported ones, that occurred at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Only records, also exported ones, that occurred before this time.
    pub to: Option<DateTime<Utc>>,
    /// Leaves records and dead letters alone: files of this machine and exports only.
    pub is_local: bool,
    /// Leaves out redrives and plans that are in use, instead of refusing.
    pub leaves_unfinished: bool,
    /// Rewrites the partitions of which records are erased, so that no byte of them stays in their files.
    pub rewrites_partitions: bool,
    /// Further exports, plans and copies of messages that this console wrote: folders, buckets, files.
    pub also: Vec<Target>,
}

impl Request {
    /// Checks the request.
    ///
    /// # Errors
    /// [`EraseError::Request`], with the way out.
    pub fn validate(&self) -> Result<(), EraseError> {
        let refused = |why: String| Err(EraseError::Request(why));
        match &self.what {
            What::Subject(text) if text.is_empty() => {
                return refused("the subject is empty".to_owned());
            }
            What::Containing(text) if text.len() < TEXT_BYTES_MIN => {
                return refused(format!(
                    "the text of --containing has less than {TEXT_BYTES_MIN} bytes, and would be found in \
                     events of others: give a longer one"
                ));
            }
            What::Where(_) | What::Containing(_)
                if !self.is_local && (self.from.is_none() || self.to.is_none()) =>
            {
                return refused(
                    "without a subject each record of a range is looked at: give the range with --from and \
                     --to"
                        .to_owned(),
                );
            }
            What::Subject(_) | What::Where(_) | What::Containing(_) => {}
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return refused(format!("the range is empty: {to} is not after {from}"));
        }
        Ok(())
    }

    /// The text that identifies what is erased, where it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.what {
            What::Subject(text) | What::Containing(text) => Some(text),
            What::Where(_) => None,
        }
    }

    /// Whether a text has what is erased, so that it must not be kept.
    #[must_use]
    pub fn is_revealed_by(&self, text: &str) -> bool {
        self.text().is_some_and(|erased| text.contains(erased))
    }

    /// What the audit log has of it: a digest, because the log is kept and must not keep what is erased. Who
    /// knows the subject can check with `printf %s SUBJECT | sha256sum` that it was erased; who does not can
    /// only try guesses.
    pub(crate) fn audited(&self) -> Value {
        let (by, text) = match &self.what {
            What::Subject(text) => ("subject", text.as_str()),
            What::Where(program) => ("where", program.text()),
            What::Containing(text) => ("containing", text.as_str()),
        };
        let digest = |text: &str| {
            let digest = Sha256::digest(text.as_bytes());
            digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        json!({
            "by": by,
            "sha256": digest(text),
            "source_sha256": self.source.as_deref().map(digest),
            "type": self.event_type,
            "from": self.from,
            "to": self.to,
            "is_local": self.is_local,
        })
    }

    /// The query that finds the records, as far as the database can compare.
    pub(crate) fn query(&self) -> RecordQuery {
        RecordQuery {
            subject: match &self.what {
                What::Subject(subject) => Some(subject.clone()),
                What::Where(_) | What::Containing(_) => None,
            },
            source: self.source.clone(),
            event_type: self.event_type.clone(),
            from: self.from,
            to: self.to,
            order: Order::Asc,
            limit: event::LIMIT_MAX,
            ..RecordQuery::default()
        }
    }

    /// Whether a time is within the range.
    pub(crate) fn is_in_range(&self, time: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn request(what: What) -> Request {
        Request {
            what,
            source: None,
            event_type: None,
            from: None,
            to: None,
            is_local: false,
            leaves_unfinished: false,
            rewrites_partitions: true,
            also: Vec::new(),
        }
    }

    fn text_of(request: &Request) -> String {
        request.validate().unwrap_err().to_string()
    }

    #[test]
    fn whatever_is_not_a_subject_needs_a_range_of_records() {
        let program = Arc::new(Program::compile(".data.name == \"x\"").unwrap());
        for what in [
            What::Where(program),
            What::Containing("ana@example".to_owned()),
        ] {
            let unlimited = request(what);
            assert!(text_of(&unlimited).contains("--from and --to"));
            let local = Request {
                is_local: true,
                ..unlimited.clone()
            };
            local.validate().unwrap();
            let at = |text: &str| Some(text.parse::<DateTime<Utc>>().unwrap());
            let mut ranged = Request {
                from: at("2026-11-01T00:00:00Z"),
                to: at("2026-11-02T00:00:00Z"),
                ..unlimited
            };
            ranged.validate().unwrap();
            ranged.to = ranged.from;
            assert!(text_of(&ranged).contains("range is empty"));
        }
        request(What::Subject("s".to_owned())).validate().unwrap();
        assert!(text_of(&request(What::Subject(String::new()))).contains("empty"));
        assert!(text_of(&request(What::Containing("abc".to_owned()))).contains("longer"));
    }

    #[test]
    fn audit_log_gets_a_digest_that_can_be_checked_and_not_the_text() {
        let program = Arc::new(Program::compile(".subject == \"secret\"").unwrap());
        for what in [
            What::Subject("secret".to_owned()),
            What::Containing("secret".to_owned()),
            What::Where(program),
        ] {
            let mut request = request(what);
            request.source = Some("/users/secret".to_owned());
            let audited = request.audited();
            assert!(!audited.to_string().contains("secret"), "{audited}");
        }
        let audited = request(What::Subject("secret".to_owned())).audited();
        let digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert_eq!(audited["sha256"], digest);
    }
}
