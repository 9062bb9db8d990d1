//! What the console itself saw of the pipeline in the last minutes: newer and finer than the metrics.
//!
//! Invariant: bounded by time and by number; a sample is of the moment at which its answer came.

use chrono::{DateTime, Duration, Utc};
use pipeline::model::Point;

/// The longest time that charts show of samples, and some more.
const KEPT: Duration = Duration::minutes(10);
/// Samples of a line at most.
const SAMPLES_MAX: usize = 240;

/// The samples of each line, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LiveSamples {
    pub(crate) depth: Vec<Point>,
    /// All dead letters, received ones included.
    pub(crate) dead_letters: Vec<Point>,
    /// Records that were stored per second since the sample before.
    pub(crate) stored: Vec<Point>,
    /// Milliseconds of `GET /health`.
    pub(crate) health_ms: Vec<Point>,
    /// Changes with every sample.
    pub(crate) version: u64,
}

impl LiveSamples {
    pub(crate) fn newest_at(&self) -> Option<DateTime<Utc>> {
        let lines = [
            &self.depth,
            &self.dead_letters,
            &self.stored,
            &self.health_ms,
        ];
        let newest = lines.into_iter().filter_map(|line| line.last());
        newest.map(|sample| sample.at).max()
    }

    pub(crate) fn take(
        &mut self,
        line: fn(&mut Self) -> &mut Vec<Point>,
        at: DateTime<Utc>,
        value: f64,
    ) {
        self.version = self.version.wrapping_add(1);
        let samples = line(self);
        samples.push(Point { at, value });
        let old = samples.iter().take_while(|sample| at - sample.at > KEPT);
        let surplus = samples.len().saturating_sub(SAMPLES_MAX);
        let dropped = old.count().max(surplus);
        samples.drain(..dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_samples_and_those_beyond_the_limit_are_dropped() {
        let at = |millis: i64| DateTime::from_timestamp_millis(1_795_000_000_000 + millis).unwrap();
        let mut samples = LiveSamples::default();
        for second in 0..1_000 {
            samples.take(|all| &mut all.depth, at(5_000 * second), 1.0);
        }
        let first = samples.depth.first().unwrap().at;
        assert_eq!(first, at(5_000 * 999) - KEPT);
        for millis in 0..1_000 {
            samples.take(|all| &mut all.depth, at(5_000_000 + millis), 1.0);
        }
        assert_eq!(samples.depth.len(), SAMPLES_MAX);
        assert_eq!(samples.dead_letters, []);
    }
}
