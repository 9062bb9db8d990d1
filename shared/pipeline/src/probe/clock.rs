//! The database's clock beside this machine's. Pure; invariant: a comparison of two clocks is never more exact than
//! the question took.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::millis::{millis, signed_millis};

/// How far the clock of the database is ahead of this machine's, as one question shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DatabaseClock {
    /// How far it is ahead; negative where it is behind.
    #[serde(rename = "ahead_ms", serialize_with = "signed_millis")]
    pub ahead: TimeDelta,
    /// It may be so much more or less: half the time that the question took.
    #[serde(rename = "uncertainty_ms", serialize_with = "millis")]
    pub uncertainty: Duration,
}

impl DatabaseClock {
    /// What a question shows that was asked and answered at these times of this machine.
    pub(super) fn seen(
        asked_at: DateTime<Utc>,
        database_now: DateTime<Utc>,
        answered_at: DateTime<Utc>,
    ) -> Self {
        let half = (answered_at - asked_at) / 2;
        Self {
            ahead: database_now - (asked_at + half),
            uncertainty: half.to_std().unwrap_or_default(),
        }
    }

    /// A time of the database by this machine's clock.
    pub(super) fn here(self, at: DateTime<Utc>) -> DateTime<Utc> {
        at - self.ahead
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The database reads its clock at some moment between question and answer.
        #[test]
        fn true_offset_is_within_the_uncertainty(
            ahead_us in -10_000_000_i64..10_000_000,
            before_us in 0_i64..500_000,
            after_us in 0_i64..500_000,
        ) {
            let asked_at = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
            let read_at = asked_at + TimeDelta::microseconds(before_us);
            let answered_at = read_at + TimeDelta::microseconds(after_us);
            let ahead = TimeDelta::microseconds(ahead_us);
            let clock = DatabaseClock::seen(asked_at, read_at + ahead, answered_at);
            let error = (clock.ahead - ahead).abs().to_std().unwrap();
            prop_assert!(error <= clock.uncertainty + Duration::from_micros(1));
            let shown = (clock.here(read_at + ahead) - read_at).abs().to_std().unwrap();
            prop_assert_eq!(shown, error);
        }
    }
}
