//! The order of the time line.
//!
//! Invariant: facts with a time are in the order of their times, and of one time in the order of the hops. A fact
//! without a time stands where its hop would be.

use super::fact::TraceFact;

/// Facts that are shown at most: an event that is redriven in a circle has many.
pub(super) const FACTS_MAX: usize = 500;

/// Orders facts, and leaves out all but the newest [`FACTS_MAX`]; returns how many are left out.
pub(super) fn ordered(facts: Vec<TraceFact>) -> (Vec<TraceFact>, usize) {
    let (mut line, mut untimed): (Vec<_>, Vec<_>) =
        facts.into_iter().partition(|fact| fact.at.is_some());
    line.sort_by_key(|fact| (fact.at, fact.hop));
    untimed.sort_by_key(|fact| fact.hop);
    for fact in untimed {
        let later = line.iter().position(|other| other.hop > fact.hop);
        line.insert(later.unwrap_or(line.len()), fact);
    }
    let left_out = line.len().saturating_sub(FACTS_MAX);
    line.drain(..left_out);
    (line, left_out)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use crate::trace::fact::{Hop, Place, Standing};

    fn fact(secs: Option<i64>, hop: Hop) -> TraceFact {
        TraceFact {
            at: secs.map(|secs| DateTime::from_timestamp(secs, 0).unwrap()),
            hop,
            standing: Standing::Neutral,
            text: String::new(),
            read_from: Place::Records,
            reference: None,
        }
    }

    #[test]
    fn facts_are_in_the_order_of_time_then_of_the_hops_and_without_a_time_at_their_hop() {
        let (line, left_out) = ordered(vec![
            fact(Some(9), Hop::Stored),
            fact(None, Hop::Attempted),
            fact(Some(5), Hop::Dead),
            fact(Some(7), Hop::Redriven),
            fact(Some(5), Hop::Published),
            fact(None, Hop::Readable),
        ]);
        let hops: Vec<_> = line.iter().map(|fact| fact.hop).collect();
        let expected = [
            Hop::Published,
            Hop::Attempted,
            Hop::Dead,
            Hop::Redriven,
            Hop::Stored,
            Hop::Readable,
        ];
        assert_eq!((hops.as_slice(), left_out), (expected.as_slice(), 0));
    }

    proptest! {
        #[test]
        fn no_fact_is_lost_and_times_ascend(
            times in proptest::collection::vec(proptest::option::of(0_i64..20), 0..40)
        ) {
            let hops = [Hop::Dead, Hop::Stored, Hop::Occurred, Hop::Waiting];
            let facts = times.iter().zip(hops.iter().cycle());
            let facts: Vec<_> = facts.map(|(secs, hop)| fact(*secs, *hop)).collect();
            let (line, left_out) = ordered(facts.clone());
            prop_assert_eq!((line.len(), left_out), (facts.len(), 0));
            let times: Vec<_> = line.iter().filter_map(|fact| fact.at).collect();
            prop_assert!(times.is_sorted());
        }
    }

    #[test]
    fn oldest_facts_are_left_out_and_counted() {
        let most = i64::try_from(FACTS_MAX).unwrap();
        let facts = (0..most + 3).map(|secs| fact(Some(secs), Hop::Redriven));
        let (line, left_out) = ordered(facts.collect());
        assert_eq!((line.len(), left_out), (FACTS_MAX, 3));
        assert_eq!(line[0].at.unwrap().timestamp(), 3);
    }
}
