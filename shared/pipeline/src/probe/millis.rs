//! Durations as milliseconds in JSON. Pure; invariant: what is not known is null.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Serialize as _, Serializer};

/// Milliseconds, to the microsecond.
pub(super) fn in_millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

pub(super) fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(in_millis(*duration))
}

pub(super) fn millis_or_null<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(in_millis).serialize(serializer)
}

/// Milliseconds that may be negative.
pub(super) fn signed_millis<S: Serializer>(
    delta: &TimeDelta,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let millis = in_millis(delta.abs().to_std().unwrap_or_default());
    let is_negative = *delta < TimeDelta::zero();
    serializer.serialize_f64(if is_negative { -millis } else { millis })
}

pub(super) fn signed_millis_or_null<S: Serializer>(
    delta: &Option<TimeDelta>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match delta {
        Some(delta) => signed_millis(delta, serializer),
        None => serializer.serialize_none(),
    }
}
