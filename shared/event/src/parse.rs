//! From the body of a queue message to its event.
//!
//! Invariant: the fast path and the full parser accept the same events.

use std::borrow::Cow;

use crate::envelope::unwrap_envelope;
use crate::event::{Event, parse_fully};
use crate::failure::{Failure, FailureCode};
use crate::jsonb::EVENT_BYTES_MAX;
use crate::plain;

/// Reads the body of a queue message: an event, raw or inside an SNS envelope.
///
/// # Errors
/// Returns the first failure, in this order: size, syntax, what PostgreSQL cannot store, attributes.
pub fn parse_body(body: &str) -> Result<Event<'_>, Failure> {
    match unwrap_envelope(body) {
        Cow::Borrowed(json) => parse_event(json),
        Cow::Owned(json) => parse_event(&json).map(Event::into_owned),
    }
}

/// Reads one event from JSON text.
///
/// # Errors
/// Returns the first failure, see [`parse_body`].
pub fn parse_event(json: &str) -> Result<Event<'_>, Failure> {
    if json.len() > EVENT_BYTES_MAX {
        return Err(Failure::new(
            FailureCode::TooLarge,
            format!(
                "the event has {} bytes, at most {EVENT_BYTES_MAX} are allowed",
                json.len()
            ),
        ));
    }
    if let Some(event) = plain::read(json) {
        return Ok(event);
    }
    parse_fully(json)
}
