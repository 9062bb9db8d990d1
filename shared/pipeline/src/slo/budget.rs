//! From counts to what is left of an error budget. Pure.

use serde::Serialize;

use super::objective::{EVENTS_MIN, Objective, SLO_WINDOW_DAYS};
use crate::text::{UNKNOWN, count, whole};

const WINDOW_MINUTES: f64 = SLO_WINDOW_DAYS as f64 * 1_440.0;

/// What an objective counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counted {
    pub(super) events: f64,
    pub(super) bad: f64,
}

/// The error budget of an objective over the last [`SLO_WINDOW_DAYS`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorBudget {
    /// The objective.
    pub objective: Objective,
    /// Its least share of good events, in per cent.
    pub objective_percent: f64,
    /// Days over which it holds.
    pub window_days: u32,
    /// Events that count. `None` where there are no metrics.
    pub events: Option<u64>,
    /// Of these, those that broke the promise.
    pub bad_events: Option<u64>,
    /// What is left of the budget, in per cent of it; below 0 where more was spent. `None` with fewer than
    /// [`EVENTS_MIN`] events.
    pub budget_left_percent: Option<f64>,
    /// The same in minutes in which every event may be a bad one, at the mean rate of events.
    pub budget_left_minutes: Option<f64>,
}

impl ErrorBudget {
    pub(super) fn of(objective: Objective, counted: Option<Counted>) -> Self {
        let left = counted
            .filter(|counted| whole(counted.events) >= EVENTS_MIN)
            .map(|Counted { events, bad }| 1.0 - bad / events / objective.budget());
        Self {
            objective,
            objective_percent: objective.percent(),
            window_days: SLO_WINDOW_DAYS,
            events: counted.map(|counted| whole(counted.events)),
            bad_events: counted.map(|counted| whole(counted.bad.ceil())),
            budget_left_percent: left.map(|left| tenths(left * 100.0)),
            budget_left_minutes: left
                .map(|left| tenths(left * WINDOW_MINUTES * objective.budget())),
        }
    }

    /// What is left, for people: `431 min (99 %)`.
    #[must_use]
    pub fn left_in_words(&self) -> String {
        let (Some(percent), Some(minutes)) = (self.budget_left_percent, self.budget_left_minutes)
        else {
            return match self.events {
                Some(events) if events > 0 => {
                    format!("{UNKNOWN} ({} are too few events)", count(events))
                }
                Some(_) | None => UNKNOWN.to_owned(),
            };
        };
        if percent <= 0.0 {
            let over = count(whole(minutes.abs().ceil()));
            return format!("none ({over} min over)");
        }
        // Rounded down: only a whole budget is 100 %.
        let [minutes, percent] = [minutes, percent].map(|left| {
            if left < 10.0 {
                format!("{left:.1}")
            } else {
                count(whole(left.floor()))
            }
        });
        format!("{minutes} min ({percent} %)")
    }

    /// Whether more was spent than there was.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.budget_left_percent.is_some_and(|left| left <= 0.0)
    }
}

/// Rounded down, so that a budget of which something was spent is never shown as whole.
fn tenths(value: f64) -> f64 {
    // What is whole may be a little less after the division.
    (value * 10.0 + 1e-6).floor() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(objective: Objective, events: f64, bad: f64) -> (Option<f64>, Option<f64>) {
        let budget = ErrorBudget::of(objective, Some(Counted { events, bad }));
        (budget.budget_left_percent, budget.budget_left_minutes)
    }

    #[test]
    fn budget_of_thirty_days_is_432_minutes_at_99_percent_and_a_tenth_of_it_at_99_9() {
        assert_eq!(
            left(Objective::Freshness, 1e6, 0.0),
            (Some(100.0), Some(432.0))
        );
        assert_eq!(
            left(Objective::Durability, 1e6, 0.0),
            (Some(100.0), Some(43.2))
        );
    }

    #[test]
    fn bad_events_spend_it_by_their_share_and_beyond_nothing() {
        let half = left(Objective::ApiLatency, 1e6, 5_000.0);
        assert_eq!(half, (Some(50.0), Some(216.0)));
        let over = left(Objective::ApiAvailability, 1e6, 3_000.0);
        assert_eq!(over, (Some(-200.0), Some(-86.4)));
        let spent = |bad| {
            ErrorBudget::of(Objective::Freshness, Some(Counted { events: 1e4, bad })).is_spent()
        };
        assert_eq!((spent(99.0), spent(100.0)), (false, true));
    }

    #[test]
    fn one_bad_event_of_many_is_seen() {
        let (percent, minutes) = left(Objective::Freshness, 1e9, 1.0);
        assert_eq!((percent, minutes), (Some(99.9), Some(431.9)));
    }

    #[test]
    fn words_never_say_more_than_is_left() {
        let words = |bad| {
            let counted = Counted { events: 1e5, bad };
            ErrorBudget::of(Objective::Freshness, Some(counted)).left_in_words()
        };
        assert_eq!(words(0.0), "432 min (100 %)");
        assert_eq!(words(1.0), "431 min (99 %)");
        assert_eq!(words(990.0), "4.3 min (1.0 %)");
        assert_eq!(words(1_000.0), "none (0 min over)");
        assert_eq!(words(1_500.0), "none (216 min over)");
        assert_eq!(
            ErrorBudget::of(Objective::Freshness, None).left_in_words(),
            "–"
        );
    }

    #[test]
    fn few_events_are_counted_and_not_judged() {
        let of = |events, bad| ErrorBudget::of(Objective::Freshness, Some(Counted { events, bad }));
        let few = of(99.0, 99.0);
        assert_eq!((few.events, few.bad_events), (Some(99), Some(99)));
        assert_eq!(
            (few.budget_left_percent, few.budget_left_minutes),
            (None, None)
        );
        assert!(!few.is_spent());
        assert_eq!(few.left_in_words(), "– (99 are too few events)");
        assert!(of(100.0, 100.0).is_spent(), "of so many it is judged");
    }

    #[test]
    fn without_an_event_nothing_is_known() {
        let budget = ErrorBudget::of(Objective::Freshness, None);
        assert_eq!((budget.events, budget.budget_left_percent), (None, None));
        assert_eq!(left(Objective::Freshness, 0.0, 0.0), (None, None));
        assert!(!budget.is_spent());
    }
}
