//! The walk over the records: pages of bounded size, each with the position of the next one.
//!
//! Invariant: pages that follow each other by their positions neither skip nor repeat a record.

use chrono::{DateTime, Utc};
use event::{Cursor, LIMIT_MAX, Order, Record, RecordId, RecordQuery};
use pipeline::{Pipeline, PipelineError};
use serde::{Deserialize, Serialize};

use crate::request::{ExportRequest, Scope};

/// Where a page starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Position {
    /// By time, one walk for each type.
    Range {
        /// Index of the type in the request; 0 where all types are read in one walk.
        walk: usize,
        /// The last record of the page before.
        last: Option<Place>,
    },
    /// By arrival, after this record.
    Arrival {
        /// 0 from the start.
        after: RecordId,
        /// The last record that was read, of all types.
        last: Option<Arrived>,
    },
}

/// A record that was read. After a restore to an earlier time, its id is given out a second time, and the record
/// of that id has another time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Arrived {
    pub(crate) record_id: RecordId,
    ingested_at: DateTime<Utc>,
}

impl Arrived {
    fn of(record: &Record) -> Self {
        Self {
            record_id: record.record_id,
            ingested_at: record.ingested_at,
        }
    }
}

/// The place of a record in a walk by time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    occurred_at: DateTime<Utc>,
    record_id: RecordId,
}

/// Some records and what comes after them.
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    /// Where the next page starts.
    pub(crate) next: Position,
    /// Whether there is nothing more at present.
    pub(crate) is_last: bool,
}

/// Records by the time of their event.
pub(crate) struct Range<'a> {
    /// Earliest `occurred_at`, inclusive.
    pub(crate) from: Option<DateTime<Utc>>,
    /// Latest `occurred_at`, exclusive.
    pub(crate) to: Option<DateTime<Utc>>,
    /// Only these types; empty for all.
    pub(crate) types: &'a [String],
    /// Only this source.
    pub(crate) source: Option<&'a String>,
}

impl<'a> Range<'a> {
    fn of(request: &'a ExportRequest) -> Self {
        let (from, to) = match request.scope {
            Scope::Range { from, to } => (Some(from), Some(to)),
            Scope::SinceLast => (None, None),
        };
        Self {
            from,
            to,
            types: &request.types,
            source: request.source.as_ref(),
        }
    }
}

impl Position {
    /// The start of what is requested.
    pub(crate) fn first(request: &ExportRequest) -> Self {
        match request.scope {
            Scope::Range { .. } => Self::first_in_range(),
            Scope::SinceLast => Self::Arrival {
                after: RecordId(0),
                last: None,
            },
        }
    }

    /// The start of a range.
    pub(crate) const fn first_in_range() -> Self {
        Self::Range {
            walk: 0,
            last: None,
        }
    }
}

/// Reads the page at a position.
pub(crate) async fn read(
    pipeline: &Pipeline,
    request: &ExportRequest,
    position: &Position,
) -> Result<Batch, PipelineError> {
    match position {
        Position::Range { .. } => read_range(pipeline, &Range::of(request), position).await,
        Position::Arrival { after, last } => arrivals(pipeline, request, *after, *last).await,
    }
}

/// Whether the record is still the one that was read, or gone: expired, erased, or never stored since a restore.
pub(crate) async fn is_unchanged(
    pipeline: &Pipeline,
    read: Arrived,
) -> Result<bool, PipelineError> {
    let present = pipeline.get_record(read.record_id).await?;
    Ok(present.is_none_or(|present| Arrived::of(&present) == read))
}

/// Reads the page at a position of a range; one in the order of arrival starts the range.
pub(crate) async fn read_range(
    pipeline: &Pipeline,
    range: &Range<'_>,
    position: &Position,
) -> Result<Batch, PipelineError> {
    let (walk, last) = match position {
        Position::Range { walk, last } => (*walk, *last),
        Position::Arrival { .. } => (0, None),
    };
    let query = RecordQuery {
        source: range.source.cloned(),
        event_type: range.types.get(walk).cloned(),
        from: range.from,
        to: range.to,
        order: Order::Asc,
        limit: LIMIT_MAX,
        cursor: last.map(|last| Cursor {
            order: Order::Asc,
            occurred_at: last.occurred_at,
            record_id: last.record_id,
        }),
        ..RecordQuery::default()
    };
    let page = pipeline.list_records(&query).await?;
    let is_end_of_walk = page.next_cursor.is_none();
    Ok(Batch {
        records: page.items,
        is_last: is_end_of_walk && walk + 1 >= range.types.len(),
        next: Position::Range {
            walk: walk + usize::from(is_end_of_walk),
            last: page.next_cursor.map(|cursor| Place {
                occurred_at: cursor.occurred_at,
                record_id: cursor.record_id,
            }),
        },
    })
}

/// The filter is applied here: by arrival, the database has no index on types and sources.
async fn arrivals(
    pipeline: &Pipeline,
    request: &ExportRequest,
    after: RecordId,
    last: Option<Arrived>,
) -> Result<Batch, PipelineError> {
    let arrivals = pipeline.records_after(after, LIMIT_MAX).await?;
    let mut records = arrivals.items;
    let last = records.last().map(Arrived::of).or(last);
    records.retain(|record| {
        let is_of_types = request.types.is_empty() || request.types.contains(&record.event_type);
        let is_of_source = request
            .source
            .as_ref()
            .is_none_or(|source| *source == record.source);
        is_of_types && is_of_source
    });
    Ok(Batch {
        records,
        is_last: !arrivals.has_more,
        next: Position::Arrival {
            after: arrivals.next_after,
            last,
        },
    })
}
