//! The names that records have, for whoever writes a filter.
//!
//! Invariant: two questions that are answered from counts, whatever the number of records; what one of them does not
//! answer is named, and does not hide the other.

use std::collections::HashMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use event::{Bucket, GroupBy, StatsQuery};

use super::{Pipeline, PipelineError};

/// How far sources are looked for.
const SOURCES_SINCE: TimeDelta = TimeDelta::days(7);
/// Names of one kind, the most frequent.
const NAMES_MAX: usize = 500;

/// Names, each with its number of records, the most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordNames {
    /// All types.
    pub types: Vec<(String, u64)>,
    /// The sources of the last seven days.
    pub sources: Vec<(String, u64)>,
    /// Why there are no types, or no sources.
    pub missing: Option<String>,
}

impl Pipeline {
    /// The types and sources that records have.
    ///
    /// # Errors
    /// When neither is known.
    pub async fn record_names(&self, now: DateTime<Utc>) -> Result<RecordNames, PipelineError> {
        // Whole hours are counted already.
        let hour = TimeDelta::hours(1);
        let to = now.duration_trunc(hour).unwrap_or(now) + hour;
        let query = StatsQuery {
            from: to - SOURCES_SINCE,
            to,
            bucket: Bucket::Day,
            group_by: GroupBy::Source,
        };
        let (types, sources) = tokio::join!(self.type_counts(), self.stats(&query));
        let types = types.map(|types| {
            let counts = types.into_iter().map(|one| (one.event_type, one.count));
            most_frequent(counts)
        });
        let sources = sources.map(|buckets| {
            let counts = buckets.into_iter().map(|one| (one.group, one.count));
            most_frequent(counts)
        });
        match (types, sources) {
            (Err(error), Err(_)) => Err(error),
            (types, sources) => Ok(RecordNames {
                missing: types
                    .as_ref()
                    .err()
                    .or(sources.as_ref().err())
                    .map(ToString::to_string),
                types: types.unwrap_or_default(),
                sources: sources.unwrap_or_default(),
            }),
        }
    }
}

fn most_frequent(counts: impl Iterator<Item = (String, i64)>) -> Vec<(String, u64)> {
    let mut sums: HashMap<String, u64> = HashMap::new();
    for (name, count) in counts {
        *sums.entry(name).or_default() += u64::try_from(count).unwrap_or_default();
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
    sums.truncate(NAMES_MAX);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_one_name_are_added_and_the_most_frequent_come_first() {
        let counts = [("b", 2), ("a", 3), ("b", 2), ("c", -1), ("d", 3)];
        let counts = counts.map(|(name, count)| (name.to_owned(), count));
        let expected = [("b", 4), ("a", 3), ("d", 3), ("c", 0)];
        let expected = expected.map(|(name, count)| (name.to_owned(), count));
        assert_eq!(most_frequent(counts.into_iter()), expected);
    }
}
