//! Conditions on `occurred_at` that are written out, so that the planner opens the partitions of those times
//! alone, and the reads of records whose positions are known.
//!
//! Invariant: a condition only repeats what the rest of its statement demands; it never changes an answer.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool};

use crate::error::{Context as _, StoreError};
use crate::layout::{Layout, Span};
use crate::position::Position;

/// The condition of a span, with the `and` that follows it.
pub(crate) fn in_span(span: Span) -> String {
    let bounds = bounds(span);
    if bounds.is_empty() {
        return bounds;
    }
    bounds + " and "
}

fn bounds(span: Span) -> String {
    let bound = |comparison: &str, time: Option<DateTime<Utc>>| {
        time.map(|time| {
            let time = time.format("%Y-%m-%d %H:%M:%S%.6f+00");
            format!("r.occurred_at {comparison} timestamptz '{time}'")
        })
    };
    let bounds: Vec<String> = [bound(">=", span.from), bound("<", span.to)]
        .into_iter()
        .flatten()
        .collect();
    bounds.join(" and ")
}

/// The segments that contain the times, each once; neighbours are one span.
pub(crate) fn spans_of(layout: &Layout, times: impl Iterator<Item = DateTime<Utc>>) -> Vec<Span> {
    let mut segments: Vec<Span> = times.map(|time| layout.segment_of(time)).collect();
    segments.sort_unstable_by_key(|span| span.from);
    segments.dedup();
    let mut spans: Vec<Span> = Vec::new();
    for segment in segments {
        match spans.last_mut() {
            Some(last) if last.to.is_some() && last.to == segment.from => {
                last.to = segment.to;
                last.segments += segment.segments;
            }
            Some(_) | None => spans.push(segment),
        }
    }
    spans
}

/// One of the spans, with the `and` that follows.
pub(crate) fn in_spans(spans: &[Span]) -> String {
    match spans {
        [] => String::new(),
        [span] => in_span(*span),
        // More than one span is bounded on a side at least.
        spans => {
            let spans: Vec<String> = spans.iter().map(|span| bounds(*span)).collect();
            format!("({}) and ", spans.join(" or "))
        }
    }
}

/// The statement that reads the records at `$1::timestamptz[]` and `$2::bigint[]`: `columns` are of `r`. The
/// `lateral` keeps the planner from a join that reads whole partitions.
pub(crate) fn at_positions(columns: &str, spans: &[Span]) -> String {
    format!(
        "select found.*
         from unnest($1::timestamptz[], $2::bigint[]) as k (occurred_at, record_id)
         cross join lateral (
             {columns} from records r
             where {}r.occurred_at = k.occurred_at and r.record_id = k.record_id limit 1
         ) as found",
        in_spans(spans)
    )
}

/// Runs a statement around [`at_positions`], which plans only the partitions of the positions.
pub(crate) async fn read_at(
    pool: &PgPool,
    connection: &mut PgConnection,
    operation: &'static str,
    positions: &[Position],
    statement: impl Fn(&[Span]) -> String,
) -> Result<Vec<PgRow>, StoreError> {
    let layout = Layout::of(pool, connection).await?;
    let spans = spans_of(&layout, positions.iter().map(|one| one.occurred_at));
    let (times, ids): (Vec<DateTime<Utc>>, Vec<i64>) = positions
        .iter()
        .map(|one| (one.occurred_at, one.record_id))
        .unzip();
    sqlx::query(&statement(&spans))
        .bind(times)
        .bind(ids)
        // One span is that of the next read as well; others come in too many combinations.
        .persistent(spans.len() == 1)
        .fetch_all(connection)
        .await
        .read_context(operation)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn neighbours_are_one_span_and_each_other_one_is_named() {
        let day = |number| DateTime::UNIX_EPOCH + TimeDelta::days(number);
        let ranges = (0..10).map(|number| (day(number), day(number + 1), false));
        let layout = Layout::new(ranges, Instant::now());
        let spans = spans_of(&layout, [7, 2, 3, 7, 99, -5].map(day).into_iter());
        let ends: Vec<_> = spans.iter().map(|span| (span.from, span.to)).collect();
        assert_eq!(
            ends,
            [
                (None, Some(day(0))),
                (Some(day(2)), Some(day(4))),
                (Some(day(7)), Some(day(8))),
                (Some(day(10)), None),
            ]
        );
        assert_eq!(
            in_spans(spans.get(1..2).unwrap()),
            "r.occurred_at >= timestamptz '1970-01-03 00:00:00.000000+00' and \
             r.occurred_at < timestamptz '1970-01-05 00:00:00.000000+00' and "
        );
        let both = in_spans(&spans);
        assert_eq!(both.matches(" or ").count(), 3);
        assert!(both.ends_with(") and "), "{both}");
        assert_eq!(in_spans(&[]), "");
    }
}
