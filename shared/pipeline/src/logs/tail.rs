//! Where reading of logs ended, to read on from there.
//!
//! Invariant: pure. A line that was given out once is not given out again. CloudWatch takes lines in a while after they
//! were written, and not in their order: what is younger than [`OVERLAP_MS`] is read again, and known lines are left out.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::function::LogFunction;

/// How late a line may come and still be seen.
const OVERLAP_MS: i64 = 10_000;
/// Lines that are remembered at most. Where more are written within the overlap, it is shorter.
const SEEN_MAX: usize = 5_000;

/// One event of an answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogEvent {
    pub(super) timestamp: i64,
    pub(super) message: String,
    pub(super) event_id: Option<String>,
}

/// One answer of `FilterLogEvents`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    #[serde(default)]
    pub(super) events: Vec<LogEvent>,
    pub(super) next_token: Option<String>,
}

/// Where reading ended, of each function that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTail {
    /// What a line must contain.
    pub(super) text: Option<String>,
    pub(super) until_ms: Option<i64>,
    pub(super) functions: Vec<FunctionTail>,
}

impl LogTail {
    /// Everything that these functions have written since then.
    #[must_use]
    pub fn since(functions: &[LogFunction], since: DateTime<Utc>) -> Self {
        let of = |function: &LogFunction| FunctionTail::new(*function, since);
        Self {
            text: None,
            until_ms: None,
            functions: functions.iter().map(of).collect(),
        }
    }

    /// The same of one request alone.
    #[must_use]
    pub fn of_request(self, request_id: &str) -> Self {
        self.containing(request_id)
    }

    /// The same of lines alone that contain this text, which has no quote.
    #[must_use]
    pub fn containing(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }

    /// The same of these functions alone.
    #[must_use]
    pub fn only(mut self, functions: &[LogFunction]) -> Self {
        self.functions.retain(|of| functions.contains(&of.function));
        self
    }

    /// The time until which every log was read, as far as lines show it.
    #[must_use]
    pub fn reached(&self) -> Option<DateTime<Utc>> {
        let newest = self.functions.iter().map(|of| of.seen.back());
        let newest = newest.map(|seen| seen.map(|(at_ms, _)| *at_ms));
        DateTime::from_timestamp_millis(newest.min().flatten()?)
    }

    /// The same until a time.
    #[must_use]
    pub fn until(mut self, until: DateTime<Utc>) -> Self {
        self.until_ms = Some(until.timestamp_millis());
        self
    }
}

/// Where reading of one log ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FunctionTail {
    pub(super) function: LogFunction,
    /// `startTime` of the next call.
    pub(super) from_ms: i64,
    /// Where a read of several pages goes on; then `from_ms` is that of its first page.
    pub(super) next_token: Option<String>,
    /// Times and digests of the newest lines, by time.
    seen: VecDeque<(i64, u64)>,
    /// The time from which on every line that was given out is in `seen`.
    seen_from_ms: i64,
}

impl FunctionTail {
    fn new(function: LogFunction, since: DateTime<Utc>) -> Self {
        let from_ms = since.timestamp_millis();
        Self {
            function,
            from_ms,
            next_token: None,
            seen: VecDeque::new(),
            seen_from_ms: from_ms,
        }
    }

    /// Takes an answer to a call for at most `lines_max` lines. Returns the lines that are new, and whether there may be
    /// more to read at once.
    pub(super) fn take(&mut self, page: Page, lines_max: usize) -> (Vec<LogEvent>, bool) {
        self.take_at(page, lines_max, Utc::now().timestamp_millis())
    }

    /// [`Self::take`] at a moment: CloudWatch accepts lines whose time is up to 2 hours ahead (Amazon CloudWatch Logs API
    /// reference, "PutLogEvents"), and those that come meanwhile must still be read.
    fn take_at(&mut self, page: Page, lines_max: usize, now_ms: i64) -> (Vec<LogEvent>, bool) {
        let newest = page.events.iter().map(|event| event.timestamp).max();
        let is_full = page.events.len() >= lines_max;
        let events = page.events.into_iter();
        let fresh: Vec<LogEvent> = events.filter(|event| self.is_new(event)).collect();
        self.forget();
        self.next_token = page.next_token;
        if self.next_token.is_some() {
            return (fresh, true);
        }
        if let Some(newest) = newest.filter(|_| is_full) {
            // MiniStack gives no token. Lines of the last millisecond may be missing, unless it has nothing new.
            let next = newest + i64::from(fresh.is_empty());
            self.from_ms = next.max(self.seen_from_ms);
        } else if let Some((newest, _)) = self.seen.back() {
            // Also before the last call: a read of several pages has no overlap within it.
            self.from_ms = ((*newest).min(now_ms) - OVERLAP_MS).max(self.seen_from_ms);
        }
        (fresh, is_full)
    }

    /// Forgets a token that CloudWatch does not take any more: they are valid for a day. Reads on from a little before
    /// the newest line, for pages come in the order of time. The time from which on it reads; `None` without a token.
    pub(super) fn drop_token(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.next_token.take()?;
        if let Some((newest, _)) = self.seen.back() {
            let begin = (*newest).min(now.timestamp_millis()) - OVERLAP_MS;
            self.from_ms = begin.max(self.seen_from_ms).max(self.from_ms);
        }
        DateTime::from_timestamp_millis(self.from_ms)
    }

    fn is_new(&mut self, event: &LogEvent) -> bool {
        let mark = (event.timestamp, digest(event));
        match self.seen.binary_search(&mark) {
            Ok(_) => false,
            Err(place) => {
                self.seen.insert(place, mark);
                true
            }
        }
    }

    fn forget(&mut self) {
        while self.seen.len() > SEEN_MAX {
            if let Some((at_ms, _)) = self.seen.pop_front() {
                self.seen_from_ms = at_ms + 1;
            }
        }
        while let Some((at_ms, _)) = self.seen.front()
            && *at_ms < self.seen_from_ms
        {
            self.seen.pop_front();
        }
    }
}

fn digest(event: &LogEvent) -> u64 {
    let mut hasher = DefaultHasher::new();
    match &event.event_id {
        Some(id) => id.hash(&mut hasher),
        None => event.message.hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(at_ms: i64, id: u64) -> LogEvent {
        LogEvent {
            timestamp: at_ms,
            message: format!("line {id}"),
            event_id: Some(id.to_string()),
        }
    }

    fn page(events: Vec<LogEvent>, next_token: Option<&str>) -> Page {
        Page {
            events,
            next_token: next_token.map(str::to_owned),
        }
    }

    fn tail(from_ms: i64) -> FunctionTail {
        let since = DateTime::from_timestamp_millis(from_ms).unwrap();
        FunctionTail::new(LogFunction::Ingest, since)
    }

    fn ids((events, _): &(Vec<LogEvent>, bool)) -> Vec<&str> {
        let ids = events.iter().map(|event| event.event_id.as_deref());
        ids.map(Option::unwrap).collect()
    }

    #[test]
    fn line_of_the_future_hides_none_that_comes_before_its_time() {
        let mut tail = tail(0);
        let future = 7_200_000;
        tail.take_at(
            page(vec![event(50_000, 1), event(future, 2)], None),
            9,
            60_000,
        );
        assert_eq!(tail.from_ms, 60_000 - OVERLAP_MS);
        let events = vec![event(50_000, 1), event(61_000, 3), event(future, 2)];
        let (fresh, _) = tail.take_at(page(events, None), 9, 62_000);
        assert_eq!(ids(&(fresh, false)), ["3"]);
    }

    #[test]
    fn all_logs_are_read_until_the_time_of_the_one_that_was_read_the_least() {
        let since = DateTime::UNIX_EPOCH;
        let mut both = LogTail::since(&[LogFunction::Ingest, LogFunction::Api], since);
        assert_eq!(both.reached(), None);
        both.functions[0].take(page(vec![event(9, 1)], None), 9);
        assert_eq!(both.reached(), None, "of the other nothing is known");
        both.functions[1].take(page(vec![event(7, 1)], None), 9);
        assert_eq!(both.reached(), DateTime::from_timestamp_millis(7));
    }

    #[test]
    fn late_line_is_given_out_and_a_known_one_is_not_given_out_again() {
        let mut tail = tail(0);
        let first = tail.take(page(vec![event(50_000, 1), event(60_000, 2)], None), 9);
        assert_eq!((ids(&first), first.1), (vec!["1", "2"], false));
        assert_eq!(tail.from_ms, 50_000, "what may still come is read again");
        let events = vec![event(50_000, 1), event(55_000, 3), event(60_000, 2)];
        assert_eq!(ids(&tail.take(page(events, None), 9)), ["3"]);
    }

    #[test]
    fn next_page_is_asked_for_by_its_token_from_the_same_time() {
        let mut tail = tail(7);
        let (_, is_more) = tail.take(page(vec![event(90_000, 1)], Some("t")), 9);
        assert!(is_more);
        assert_eq!((tail.from_ms, tail.next_token.as_deref()), (7, Some("t")));
        // A page without lines may have a successor.
        assert!(tail.take(page(Vec::new(), Some("u")), 9).1);
        assert!(!tail.take(page(Vec::new(), None), 9).1);
        assert_eq!(tail.next_token, None);
    }

    #[test]
    fn token_that_is_refused_is_dropped_and_no_line_is_repeated_or_lost() {
        let mut tail = tail(7);
        let now = DateTime::from_timestamp_millis(95_000).unwrap();
        assert_eq!(tail.drop_token(now), None, "nothing was refused");
        tail.take(page(vec![event(80_000, 1), event(90_000, 2)], Some("t")), 9);
        assert_eq!(
            tail.drop_token(now),
            DateTime::from_timestamp_millis(80_000)
        );
        assert_eq!((tail.from_ms, tail.next_token.as_deref()), (80_000, None));
        let events = vec![event(80_000, 1), event(90_000, 2), event(90_000, 3)];
        assert_eq!(ids(&tail.take(page(events, None), 9)), ["3"]);
    }

    #[test]
    fn full_page_without_a_token_is_continued_and_ends() {
        let mut tail = tail(0);
        let (_, is_more) = tail.take(page(vec![event(5, 1), event(6, 2)], None), 2);
        assert!(is_more);
        assert_eq!(tail.from_ms, 6);
        // More lines of one millisecond than fit a page: the next millisecond, rather than the same page for ever.
        let again = tail.take(page(vec![event(6, 2), event(6, 2)], None), 2);
        assert_eq!((ids(&again).len(), tail.from_ms), (0, 7));
    }

    #[test]
    fn late_line_is_given_out_also_after_pages_of_known_ones() {
        let mut tail = tail(0);
        tail.take(page(vec![event(5, 1), event(6, 2)], None), 2);
        tail.take(page(vec![event(6, 2)], None), 2);
        // The overlap fills a page, and behind it there is nothing.
        tail.take(page(vec![event(5, 1), event(6, 2)], None), 2);
        tail.take(page(Vec::new(), None), 2);
        assert!(tail.from_ms <= 5, "{}", tail.from_ms);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_repeats_nothing() {
        let mut tail = tail(0);
        let most = i64::try_from(SEEN_MAX).unwrap();
        let events: Vec<LogEvent> = (0..most + 10)
            .map(|number| event(number, number.unsigned_abs()))
            .collect();
        let (fresh, _) = tail.take(page(events, None), usize::MAX);
        assert_eq!(fresh.len(), SEEN_MAX + 10);
        assert_eq!(tail.seen.len(), SEEN_MAX);
        assert_eq!(tail.from_ms, 10, "no line before is remembered");
    }

    proptest! {
        /// A log that grows, also behind the newest line, and is read again and again.
        #[test]
        fn every_line_within_the_overlap_is_given_out_once(
            batches in prop::collection::vec(prop::collection::vec(0_i64..90, 0..8), 1..12)
        ) {
            let mut tail = tail(0);
            let mut log: Vec<LogEvent> = Vec::new();
            let mut given = Vec::new();
            for (number, batch) in batches.iter().enumerate() {
                let base = i64::try_from(number).unwrap() * 500;
                for offset in batch {
                    // No two in one millisecond.
                    let place = i64::try_from(log.len()).unwrap();
                    log.push(event(base + offset * 100 + place, log.len() as u64));
                }
                log.sort_by_key(|event| event.timestamp);
                loop {
                    let from = log.iter().filter(|event| event.timestamp >= tail.from_ms);
                    let read = from.take(5).cloned().collect();
                    let (fresh, is_more) = tail.take(page(read, None), 5);
                    given.extend(fresh.into_iter().map(|event| event.event_id.unwrap()));
                    if !is_more {
                        break;
                    }
                }
            }
            let distinct: std::collections::BTreeSet<_> = given.iter().collect();
            prop_assert_eq!(distinct.len(), given.len());
            prop_assert_eq!(given.len(), log.len());
        }
    }
}
