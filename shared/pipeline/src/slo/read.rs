//! Reads what the objectives count.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use event::ingest_metrics;

use super::budget::{Counted, ErrorBudget};
use super::objective::{Objective, SLO_WINDOW_DAYS};
use crate::metric_line::{Line, Subject};
use crate::point::Point;
use crate::queue_role::QueueRole;
use crate::{Pipeline, PipelineError};

/// A period of the metrics: so many make a small answer for 30 days, and a whole one has little at its edges.
const PERIOD_SECS: u32 = 21_600;

const fn line(subject: Subject, metric: &'static str, statistic: &'static str) -> Line {
    Line {
        subject,
        metric,
        statistic,
    }
}

const VISIBLE: &str = "ApproximateNumberOfMessagesVisible";
const SOURCE: Subject = Subject::Queue(QueueRole::Source);
const DEAD_LETTER: Subject = Subject::Queue(QueueRole::DeadLetter);

/// In the order of [`counted`].
const LINES: [Line; 15] = [
    line(Subject::Ingest, ingest_metrics::STORED, "Sum"),
    line(Subject::Ingest, ingest_metrics::LATE, "Sum"),
    line(Subject::Ingest, ingest_metrics::DUPLICATES, "Sum"),
    line(Subject::Ingest, ingest_metrics::EXPIRED, "Sum"),
    line(Subject::Ingest, ingest_metrics::DEAD_LETTERED, "Sum"),
    line(Subject::Topic, "NumberOfMessagesPublished", "Sum"),
    line(SOURCE, VISIBLE, "Maximum"),
    line(SOURCE, "ApproximateNumberOfMessagesNotVisible", "Maximum"),
    line(DEAD_LETTER, VISIBLE, "Maximum"),
    line(DEAD_LETTER, VISIBLE, "Minimum"),
    line(DEAD_LETTER, "NumberOfMessagesDeleted", "Sum"),
    line(Subject::Api, "Count", "Sum"),
    line(Subject::Api, "5xx", "Sum"),
    line(Subject::Api, "Latency", "SampleCount"),
    // The percentage of answers up to this many milliseconds.
    line(Subject::Api, "Latency", "PR(:1000)"),
];

impl Pipeline {
    /// What is left of the error budget of each objective, in one call.
    ///
    /// # Errors
    /// When CloudWatch does not answer.
    pub async fn error_budgets(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Vec<ErrorBudget>, PipelineError> {
        let period = TimeDelta::seconds(PERIOD_SECS.into());
        let current = now - TimeDelta::seconds(now.timestamp().rem_euclid(PERIOD_SECS.into()));
        let window = now - current + TimeDelta::days(SLO_WINDOW_DAYS.into());
        let window = window.to_std().unwrap_or(Duration::ZERO);
        let results = self.metric_data(&LINES, window, PERIOD_SECS).await?;
        let counted = counted(&results, now - period);
        Ok(Objective::ALL
            .into_iter()
            .zip(counted)
            .map(|(objective, counted)| ErrorBudget::of(objective, counted))
            .collect())
    }
}

/// What each of [`Objective::ALL`] counts. Only periods that began until `whole_until` are over.
fn counted(results: &[Vec<Point>], whole_until: DateTime<Utc>) -> [Option<Counted>; 4] {
    let mut results = results.iter().map(Vec::as_slice);
    let [
        stored,
        late,
        duplicates,
        expired,
        dead_lettered,
        published,
        waiting,
        in_flight,
        dead_most,
        dead_least,
        dead_removed,
        requests,
        failures,
        answers,
        fast,
    ] = std::array::from_fn(|_| results.next().unwrap_or_default());
    // An ingest of an earlier version does not count late events, and a current one sends zeros.
    let freshness = each(stored, |at, _| value(late, at));
    // An ingest that never sent anything is not known to have lost everything.
    let is_counted = [stored, duplicates, expired, dead_lettered]
        .iter()
        .any(|points| !points.is_empty());
    let is_whole = |point: &&Point| point.at <= whole_until;
    let published: Vec<Point> = published
        .iter()
        .filter(is_whole)
        .filter(|_| is_counted)
        .copied()
        .collect();
    let durability = each(&published, |at, published| {
        let of = |points: &[Point]| value(points, at).unwrap_or(0.0);
        let dead = (of(dead_most) - of(dead_least)).max(of(dead_lettered)) + of(dead_removed);
        let ended = of(stored) + of(duplicates) + of(expired) + dead;
        let pending = of(waiting) + of(in_flight);
        Some((published - ended - pending).max(0.0))
    });
    let availability = each(requests, |at, _| Some(value(failures, at).unwrap_or(0.0)));
    let latency = each(answers, |at, answers| {
        value(fast, at).map(|fast| answers * (1.0 - fast / 100.0))
    });
    [freshness, durability, availability, latency]
}

/// Sums of the events and of what of them is bad, by period. Periods of which that is not known do not count;
/// `None` where none does.
fn each(events: &[Point], bad: impl Fn(DateTime<Utc>, f64) -> Option<f64>) -> Option<Counted> {
    events
        .iter()
        .filter_map(|point| Some((point.value, bad(point.at, point.value)?)))
        .fold(None, |sum: Option<Counted>, (events, bad)| {
            let sum = sum.unwrap_or_default();
            Some(Counted {
                events: sum.events + events,
                bad: sum.bad + bad,
            })
        })
}

fn value(points: &[Point], at: DateTime<Utc>) -> Option<f64> {
    let same = points.binary_search_by_key(&at, |point| point.at).ok()?;
    points.get(same).map(|point| point.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(periods: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_794_960_000 + periods * i64::from(PERIOD_SECS), 0).unwrap()
    }

    fn points(values: &[(i64, f64)]) -> Vec<Point> {
        let point = |(periods, value): &(i64, f64)| Point {
            at: at(*periods),
            value: *value,
        };
        values.iter().map(point).collect()
    }

    fn results(lines: &[(usize, &[(i64, f64)])]) -> Vec<Vec<Point>> {
        let mut results = vec![Vec::new(); LINES.len()];
        for (line, values) in lines {
            results[*line] = points(values);
        }
        results
    }

    fn counts(events: f64, bad: f64) -> Option<Counted> {
        Some(Counted { events, bad })
    }

    #[test]
    fn each_objective_counts_its_own_events() {
        let results = results(&[
            (0, &[(0, 100.0), (1, 100.0)]),
            (1, &[(0, 0.0), (1, 3.0)]),
            (5, &[(0, 100.0), (1, 101.0)]),
            (11, &[(0, 50.0), (1, 60.0)]),
            (12, &[(1, 6.0)]),
            (13, &[(0, 50.0), (1, 50.0)]),
            (14, &[(0, 100.0), (1, 90.0)]),
        ]);
        let [freshness, durability, availability, latency] = counted(&results, at(1));
        assert_eq!(freshness, counts(200.0, 3.0));
        assert_eq!(durability, counts(201.0, 1.0));
        assert_eq!(availability, counts(110.0, 6.0));
        let latency = latency.unwrap();
        assert!((latency.bad - 5.0).abs() < 1e-9 && (latency.events - 100.0).abs() < 1e-9);
    }

    #[test]
    fn freshness_counts_only_periods_in_which_late_events_were_counted() {
        let of_late = |late: &[(i64, f64)]| {
            let results = results(&[(0, &[(0, 100.0), (1, 200.0), (2, 400.0)]), (1, late)]);
            counted(&results, at(2))[0]
        };
        assert_eq!(of_late(&[]), None, "an earlier version of the ingest");
        assert_eq!(of_late(&[(1, 0.0), (2, 5.0)]), counts(600.0, 5.0));
    }

    #[test]
    fn published_is_what_was_stored_duplicate_expired_dead_or_pending() {
        let whole: [(usize, &[(i64, f64)]); 9] = [
            (0, &[(0, 33.0)]),
            (2, &[(0, 5.0)]),
            (3, &[(0, 5.0)]),
            // Six by the ingest and by the growth of the queue fourteen: eight ran out of retries.
            (4, &[(0, 6.0)]),
            (8, &[(0, 20.0)]),
            (9, &[(0, 6.0)]),
            // They came and were deleted: the queue did not grow by them.
            (10, &[(0, 7.0)]),
            (6, &[(0, 30.0)]),
            (7, &[(0, 6.0)]),
        ];
        for (published, missing) in [(100.0, 0.0), (107.0, 7.0), (60.0, 0.0)] {
            let published = [(0, published)];
            let mut lines = whole.to_vec();
            lines.push((5, &published));
            let [_, durability, ..] = counted(&results(&lines), at(0));
            assert_eq!(durability, counts(published[0].1, missing));
        }
    }

    #[test]
    fn period_that_is_not_over_has_messages_under_way() {
        let results = results(&[(0, &[(0, 100.0), (1, 10.0)]), (5, &[(0, 100.0), (1, 40.0)])]);
        let [_, durability, ..] = counted(&results, at(0));
        assert_eq!(durability, counts(100.0, 0.0));
    }

    #[test]
    fn what_has_no_metrics_is_unknown() {
        assert_eq!(counted(&results(&[]), at(9)), [None; 4]);
        let only_published = results(&[(5, &[(0, 100.0)])]);
        let [_, durability, ..] = counted(&only_published, at(9));
        assert_eq!(durability, None, "the ingest sent nothing");
        let no_rank = results(&[(13, &[(0, 100.0)])]);
        let [.., latency] = counted(&no_rank, at(9));
        assert_eq!(latency, None, "how many were fast is not known");
    }
}
