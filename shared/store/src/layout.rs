//! Where the partitions of `records` begin and end.
//!
//! Invariant: a layout is a hint. A read of a time range has the same answer with any layout, because the
//! range is a condition of its statement; an old layout only makes the read slower.
//!
//! The planner opens each partition that it cannot exclude while it plans: 39 ms at 100 partitions and
//! 220 ms at 400, measured on the sixth use of a statement whose bounds are parameters. A statement whose
//! range is written out is planned for the partitions of that range alone, and once.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use event::Order;
use sqlx::{PgConnection, PgPool};
use tokio::time::Instant;

use crate::error::{Context as _, StoreError};
use crate::partition_step::read_partitions;

const READ: &str = "read the partitions";
/// A layout is read again after this time.
const AGE_MAX: Duration = Duration::from_secs(300);
/// Most databases whose layouts are kept; the oldest is forgotten first.
const DATABASES_MAX: usize = 32;
/// Most segments of one span: as many are joined while they are empty.
const SPAN_SEGMENTS_MAX: usize = 32;

static LAYOUTS: LazyLock<Mutex<Layouts>> = LazyLock::new(Mutex::default);

type Layouts = Vec<(Database, Arc<Layout>)>;

/// What a database is recognized by.
#[derive(Clone, PartialEq, Eq)]
struct Database {
    host: String,
    port: u16,
    name: Option<String>,
}

/// The partitions of a database at one time.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The ends of all partitions, in order. They cut time into segments: the first begins with the first
    /// time of all, the last never ends.
    edges: Vec<DateTime<Utc>>,
    /// For each segment, whether it had no record when the layout was read. Only the default partition
    /// covers a segment that no partition covers; such a segment counts as empty.
    is_empty: Vec<bool>,
    read_at: Instant,
}

/// A half-open range of time that consists of whole segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// `None` before the first partition.
    pub(crate) from: Option<DateTime<Utc>>,
    /// `None` after the last partition.
    pub(crate) to: Option<DateTime<Utc>>,
    /// Partitions and gaps between them.
    pub(crate) segments: usize,
}

/// The spans of a range of time, in the order of a list: first small ones, so that a page reads no more
/// than it needs, then larger ones, so that a page of few records needs few statements.
#[derive(Debug)]
pub(crate) struct Spans {
    layout: Arc<Layout>,
    order: Order,
    /// Indexes of the segments that are left, both inclusive.
    left: Option<(usize, usize)>,
    /// Segments with records of the next span.
    filled_max: usize,
}

impl Layout {
    /// The layout of the pool's database, read again when it is old.
    pub(crate) async fn of(
        pool: &PgPool,
        connection: &mut PgConnection,
    ) -> Result<Arc<Self>, StoreError> {
        let database = Database::of(pool);
        let known = LAYOUTS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .find(|(known, _)| *known == database)
            .map(|(_, layout)| Arc::clone(layout));
        if let Some(layout) = known.filter(|layout| layout.read_at.elapsed() < AGE_MAX) {
            return Ok(layout);
        }
        let layout = Arc::new(Self::read(connection).await?);
        let mut layouts = LAYOUTS.lock().unwrap_or_else(PoisonError::into_inner);
        layouts.retain(|(known, _)| *known != database);
        if layouts.len() >= DATABASES_MAX {
            layouts.remove(0);
        }
        layouts.push((database, Arc::clone(&layout)));
        Ok(layout)
    }

    async fn read(connection: &mut PgConnection) -> Result<Self, StoreError> {
        let partitions = read_partitions(&mut *connection).await?;
        // The size of a partition would wait for a lock on it.
        let empty: Vec<String> = sqlx::query_scalar(
            "select child.oid::regclass::text from pg_inherits
             join pg_class child on child.oid = pg_inherits.inhrelid
             where pg_inherits.inhparent = 'records'::regclass
                 and child.reltuples <= 0 and pg_stat_get_tuples_inserted(child.oid) = 0",
        )
        .fetch_all(&mut *connection)
        .await
        .read_context(READ)?;
        let ranges = partitions.iter().map(|partition| {
            let is_empty = empty.contains(&partition.name);
            (partition.range.from, partition.range.to, is_empty)
        });
        Ok(Self::new(ranges, Instant::now()))
    }

    /// The partitions' ranges, in order, and whether each is empty.
    pub(crate) fn new(
        ranges: impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>, bool)>,
        read_at: Instant,
    ) -> Self {
        let mut edges = Vec::new();
        let mut is_empty = vec![true];
        for (from, to, partition_is_empty) in ranges {
            if edges.last() != Some(&from) {
                edges.push(from);
                is_empty.push(partition_is_empty);
            } else if let Some(last) = is_empty.last_mut() {
                *last = partition_is_empty;
            }
            edges.push(to);
            is_empty.push(true);
        }
        Self {
            edges,
            is_empty,
            read_at,
        }
    }

    /// The segment of one time.
    pub(crate) fn segment_of(&self, time: DateTime<Utc>) -> Span {
        let index = self.edges.partition_point(|edge| *edge <= time);
        self.span(index, index)
    }

    /// The segments from one time to another, both inclusive.
    pub(crate) fn span_of(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Span {
        let index = |time: DateTime<Utc>| self.edges.partition_point(|edge| *edge <= time);
        self.span(index(from), index(to.max(from)))
    }

    fn span(&self, first: usize, last: usize) -> Span {
        Span {
            from: first
                .checked_sub(1)
                .and_then(|index| self.edges.get(index))
                .copied(),
            to: self.edges.get(last).copied(),
            segments: last + 1 - first,
        }
    }
}

impl Spans {
    /// The spans that contain the times from `from` to `to`, both inclusive.
    pub(crate) fn new(
        layout: Arc<Layout>,
        order: Order,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Self {
        let index = |time| layout.edges.partition_point(|edge| *edge <= time);
        let left = (from <= to).then(|| (index(from), index(to)));
        Self {
            layout,
            order,
            left,
            filled_max: 1,
        }
    }

    /// Whether there is none left.
    pub(crate) const fn is_empty(&self) -> bool {
        self.left.is_none()
    }
}

impl Iterator for Spans {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let (first, last) = self.left?;
        let mut count = 0;
        let mut filled = 0;
        while count <= last - first && count < SPAN_SEGMENTS_MAX && filled < self.filled_max {
            let index = match self.order {
                Order::Asc => first + count,
                Order::Desc => last - count,
            };
            filled += usize::from(self.layout.is_empty.get(index) == Some(&false));
            count += 1;
        }
        self.filled_max = (self.filled_max * 2).min(SPAN_SEGMENTS_MAX);
        let is_last = count > last - first;
        let (span, left) = match self.order {
            Order::Asc => ((first, first + count - 1), (first + count, last)),
            Order::Desc => (
                (last + 1 - count, last),
                (first, last.saturating_sub(count)),
            ),
        };
        self.left = (!is_last).then_some(left);
        Some(self.layout.span(span.0, span.1))
    }
}

impl Database {
    fn of(pool: &PgPool) -> Self {
        let options = pool.connect_options();
        Self {
            host: options.get_socket().map_or_else(
                || options.get_host().to_owned(),
                |folder| folder.to_string_lossy().into_owned(),
            ),
            port: options.get_port(),
            name: options.get_database().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(number)
    }

    /// Partitions of a day each; `None` is a gap.
    fn layout(days: &[Option<bool>]) -> Arc<Layout> {
        let ranges = days.iter().enumerate().filter_map(|(number, is_empty)| {
            let number = i64::try_from(number).unwrap();
            is_empty.map(|is_empty| (day(number), day(number + 1), is_empty))
        });
        Arc::new(Layout::new(ranges, Instant::now()))
    }

    #[test]
    fn first_span_joins_the_empty_partitions_ahead_with_the_newest_records() {
        let layout = layout(&[Some(false), Some(false), Some(true), Some(true)]);
        let mut spans = Spans::new(Arc::clone(&layout), Order::Desc, day(-900), day(900));
        let first = spans.next().unwrap();
        assert_eq!((first.from, first.to), (Some(day(1)), None));
        let second = spans.next().unwrap();
        assert_eq!((second.from, second.to), (None, Some(day(1))));
        assert_eq!(spans.next(), None);
        let segment = layout.segment_of(day(1));
        assert_eq!((segment.from, segment.to), (Some(day(1)), Some(day(2))));
    }

    #[test]
    fn range_without_partitions_is_one_span() {
        let mut spans = Spans::new(layout(&[]), Order::Asc, day(0), day(1));
        let whole = Span {
            from: None,
            to: None,
            segments: 1,
        };
        assert_eq!(spans.next(), Some(whole));
        assert_eq!(spans.next(), None);
        assert_eq!(
            Spans::new(layout(&[]), Order::Asc, day(1), day(0)).next(),
            None
        );
    }

    proptest! {
        #[test]
        fn spans_follow_each_other_and_cover_the_range(
            days in prop::collection::vec(prop::option::of(any::<bool>()), 0..120),
            from in -3_i64..125,
            length in 0_i64..125,
            is_asc in any::<bool>(),
        ) {
            let order = if is_asc { Order::Asc } else { Order::Desc };
            let (from, to) = (day(from), day(from + length));
            let mut spans: Vec<Span> = Spans::new(layout(&days), order, from, to).collect();
            if order == Order::Desc {
                spans.reverse();
            }
            for pair in spans.windows(2) {
                prop_assert!(pair[0].to.is_some() && pair[0].to == pair[1].from, "{:?}", pair);
            }
            let (first, last) = (spans.first().unwrap(), spans.last().unwrap());
            prop_assert!(first.from.is_none_or(|start| start <= from), "{:?}", first);
            prop_assert!(last.to.is_none_or(|end| end > to), "{:?}", last);
            prop_assert!(spans.iter().all(|span| span.segments <= SPAN_SEGMENTS_MAX));
        }
    }
}
