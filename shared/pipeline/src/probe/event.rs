//! The event of a probe. Pure; invariant: the validator accepts it, and its type, source and subject tell it from
//! every event of a business, so that analysts can leave it out and `erase` finds it.

use ::event::EventKey;
use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use uuid::Uuid;

/// CloudEvents `type` of every probe.
pub const PROBE_TYPE: &str = "opsconsole.probe";
/// CloudEvents `subject` of every probe, by which they are erased.
pub const PROBE_SUBJECT: &str = "opsconsole-probe";
/// First part of the source.
const SOURCE: &str = "opsconsole/probe";
/// What a segment of a path needs no escape for (RFC 3986, 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// CloudEvents `source` of the probes of an environment.
#[must_use]
pub fn probe_source(environment: &str) -> String {
    format!("{SOURCE}/{}", utf8_percent_encode(environment, ESCAPED))
}

/// The event of one probe.
pub(super) struct ProbeEvent {
    pub(super) key: EventKey,
    pub(super) body: String,
}

impl ProbeEvent {
    pub(super) fn new(environment: &str, id: Uuid, now: DateTime<Utc>) -> Self {
        let key = EventKey {
            source: probe_source(environment),
            id: id.to_string(),
        };
        let body = json!({
            "specversion": "1.0",
            "id": key.id,
            "source": key.source,
            "type": PROBE_TYPE,
            "subject": PROBE_SUBJECT,
            "time": now.to_rfc3339_opts(SecondsFormat::Micros, true),
        });
        Self {
            key,
            body: body.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The name of an environment is a key of the configuration file, so it may be any text.
        #[test]
        fn event_is_valid_and_marked_in_every_environment(name in ".{0,40}") {
            let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
            let made = ProbeEvent::new(&name, Uuid::from_u128(1), now);
            let event = ::event::parse_body(&made.body).unwrap();
            prop_assert_eq!(event.key(), made.key);
            let identity = ::event::peek_identity(&made.body);
            prop_assert_eq!(identity.event_type.as_deref(), Some(PROBE_TYPE));
            let source = identity.source.unwrap();
            prop_assert!(source.starts_with("opsconsole/probe/"));
            prop_assert_eq!(source.split('/').count(), 3);
        }
    }
}
