//! The walk over the records: pages of bounded size, each with the position of the next one.
//!
//! Invariant: pages that follow each other by their positions neither skip nor repeat a record.

use event::{Cursor, LIMIT_MAX, Order, Record, RecordQuery};
use pipeline::Pipeline;
use serde::{Deserialize, Serialize};

use crate::error::ExportError;
use crate::request::{ExportRequest, Scope};

/// Where a page starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Position {
    /// By time, one walk for each type.
    Range {
        /// Index of the type in the request; 0 where all types are read in one walk.
        walk: usize,
        /// The page before ended here.
        cursor: Option<Cursor>,
    },
}

/// Some records and what comes after them.
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    /// `None` at the end.
    pub(crate) next: Option<Position>,
}

impl Position {
    /// The start of what is requested.
    pub(crate) fn first(request: &ExportRequest) -> Self {
        match request.scope {
            Scope::Range { .. } | Scope::SinceLast => Self::Range {
                walk: 0,
                cursor: None,
            },
        }
    }
}

/// Reads the page at a position.
pub(crate) async fn read(
    pipeline: &Pipeline,
    request: &ExportRequest,
    position: &Position,
) -> Result<Batch, ExportError> {
    match position {
        Position::Range { walk, cursor } => range(pipeline, request, *walk, *cursor).await,
    }
}

async fn range(
    pipeline: &Pipeline,
    request: &ExportRequest,
    walk: usize,
    cursor: Option<Cursor>,
) -> Result<Batch, ExportError> {
    let (from, to) = match request.scope {
        Scope::Range { from, to } => (Some(from), Some(to)),
        Scope::SinceLast => (None, None),
    };
    let query = RecordQuery {
        source: request.source.clone(),
        event_type: request.types.get(walk).cloned(),
        from,
        to,
        order: Order::Asc,
        limit: LIMIT_MAX,
        cursor,
        ..RecordQuery::default()
    };
    let page = pipeline.list_records(&query).await?;
    let next = match page.next_cursor {
        Some(cursor) => Some(Position::Range {
            walk,
            cursor: Some(cursor),
        }),
        None if walk + 1 < request.types.len() => Some(Position::Range {
            walk: walk + 1,
            cursor: None,
        }),
        None => None,
    };
    Ok(Batch {
        records: page.items,
        next,
    })
}
