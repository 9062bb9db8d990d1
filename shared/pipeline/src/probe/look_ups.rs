//! What the look-ups of one event in the ledger have shown. Pure; invariant: that an event was not stored in time is called
//! certain only where the last look-up was answered.

use std::time::Duration;

use tokio::time::Instant;

use super::seen::FailureReason;

/// How long a look-up may be under way at the end, and the answer before it counts.
const WAITED_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct LookUps {
    begun_at: Instant,
    /// When the look-up under way was asked for.
    asked_at: Option<Instant>,
    /// When the ledger answered last that it does not have the event.
    answered_at: Option<Instant>,
    /// Why the last look-up that ended failed.
    failed: Option<String>,
    /// Why the dead letters could not be searched.
    not_searched: Option<String>,
}

impl LookUps {
    pub(super) const fn begin(now: Instant) -> Self {
        Self {
            begun_at: now,
            asked_at: None,
            answered_at: None,
            failed: None,
            not_searched: None,
        }
    }

    pub(super) const fn asks(&mut self, now: Instant) {
        self.asked_at = Some(now);
    }

    pub(super) fn answered(&mut self, now: Instant) {
        self.asked_at = None;
        self.failed = None;
        self.answered_at = Some(now);
    }

    pub(super) fn failed(&mut self, why: String) {
        self.asked_at = None;
        self.failed = Some(why);
    }

    pub(super) fn not_searched(&mut self, why: String) {
        self.not_searched = Some(why);
    }

    /// What is known of an event that was not found within the limit: why, and in words.
    pub(super) fn ended(&self, now: Instant, limit: Duration) -> (FailureReason, String) {
        let waited_max = WAITED_MAX.min(limit / 2);
        let is_late = self.asked_at.is_some_and(|at| now - at > waited_max);
        let is_answered = self.answered_at.is_some() && self.failed.is_none() && !is_late;
        let limit = limit.as_secs_f64();
        let searched = match &self.not_searched {
            Some(why) => format!("; the dead letters were not searched: {why}"),
            None => String::new(),
        };
        if is_answered {
            let detail = format!("not in the ledger within {limit} s{searched}");
            return (FailureReason::TimeOver, detail);
        }
        let last = match &self.failed {
            Some(why) => format!("the last look-up failed: {why}"),
            None => "the last look-up had no answer".to_owned(),
        };
        let known = match self.answered_at {
            Some(at) => {
                let after = (at - self.begun_at).as_secs_f64();
                format!("after {after:.1} s the ledger did not have it")
            }
            None => "the ledger was never read".to_owned(),
        };
        let detail = format!("not seen in the ledger within {limit} s; {last}; {known}{searched}");
        (FailureReason::NotSeen, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// What is known at the end of look-ups that were asked for and answered at these seconds.
    fn ended(look_ups: &[(u64, Option<u64>)]) -> (FailureReason, String) {
        let begun = Instant::now();
        let at = |secs| begun + Duration::from_secs(secs);
        let mut seen = LookUps::begin(begun);
        for (asked, answered) in look_ups {
            seen.asks(at(*asked));
            if let Some(answered) = answered {
                seen.answered(at(*answered));
            }
        }
        seen.ended(begun + LIMIT, LIMIT)
    }

    #[test]
    fn event_is_certainly_not_stored_only_where_the_last_look_up_was_answered() {
        for certain in [
            &[(1, Some(2)), (29, Some(30))][..],
            &[(1, Some(2)), (28, None)],
            // The dead letters were searched since.
            &[(1, Some(20))],
        ] {
            let expected = "not in the ledger within 30 s".to_owned();
            assert_eq!(ended(certain), (FailureReason::TimeOver, expected));
        }
        let (reason, detail) = ended(&[(0, Some(1)), (2, None)]);
        assert_eq!(reason, FailureReason::NotSeen);
        assert_eq!(
            detail,
            "not seen in the ledger within 30 s; the last look-up had no answer; after 1.0 s the ledger did not have it"
        );
        let (reason, detail) = ended(&[(0, None)]);
        assert_eq!(reason, FailureReason::NotSeen);
        assert!(detail.ends_with("the ledger was never read"), "{detail}");
    }

    #[test]
    fn last_look_up_that_failed_leaves_it_open_and_has_its_cause() {
        let begun = Instant::now();
        let mut seen = LookUps::begin(begun);
        seen.answered(begun + Duration::from_secs(29));
        seen.failed("refused".to_owned());
        let (reason, detail) = seen.ended(begun + LIMIT, LIMIT);
        assert_eq!(reason, FailureReason::NotSeen);
        let expected = "the last look-up failed: refused; after 29.0 s";
        assert!(detail.contains(expected), "{detail}");
    }
}
