//! The walk of an index behind a page of records.
//!
//! Invariant: a page visits a limited number of index entries and of partitions, whatever the filters and
//! the size of the table. Where the limit ends a page early, its cursor continues behind the last entry
//! that was visited, so that the following pages neither skip nor repeat a record.
//!
//! Each walk reads one index from one position to another. The planner cannot choose another one: the
//! conditions and the order are rows of all columns of that index. With `type = $1` it may walk the primary
//! key instead and filter, which reads everything when no record matches.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use event::{Order, Page, RecordQuery};
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{Arguments as _, PgConnection, Row as _, ValueRef as _};

use crate::error::{Context as _, StoreError};
use crate::filling::Filling;
use crate::layout::{Layout, Span, Spans};
use crate::position::{Bounds, Position};
use crate::record_row::{Columns, PAGE_BYTES_MAX, RecordRow};
use crate::span_condition::in_span;

pub(crate) const LIST: &str = "list records";

/// Limits of one page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Index entries that a statement visits; the page ends with the statement that brings the sum here.
    pub(crate) visited: u32,
    /// Partitions, and gaps between them.
    pub(crate) segments: usize,
}

impl Limits {
    /// 5,000 entries take some 15 ms when they are cached, and less than the time limit when none is. The
    /// partitions are as many as a page can plan and probe in some 30 ms.
    pub(crate) const PAGE: Self = Self {
        visited: 5_000,
        segments: 128,
    };
}

/// A column and the value that is wanted.
type Wanted<'a> = (&'static str, &'a str);

/// One page in the making.
pub(crate) struct Walk<'a> {
    query: &'a RecordQuery,
    columns: Columns,
    limits: Limits,
    bounds: Bounds,
    /// The first column of the index; the others are the position.
    key: Option<Wanted<'a>>,
    /// What is left to compare in each entry that is visited.
    rest: Vec<Wanted<'a>>,
    spans: Spans,
    /// Whether a payload is too large for a statement that does not count their bytes.
    has_large: bool,
    visited: u32,
    segments: usize,
    filling: Filling,
}

/// What follows a statement of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The next span.
    GoOn,
    /// The page is full.
    Full,
    /// A limit is reached; the next page continues behind this position.
    Stop(Position),
}

impl<'a> Walk<'a> {
    /// The walk of a query without an `id`.
    pub(crate) fn new(
        query: &'a RecordQuery,
        columns: Columns,
        layout: Arc<Layout>,
        limits: Limits,
    ) -> Self {
        let wanted =
            |column, value: &'a Option<String>| value.as_deref().map(|value| (column, value));
        let subject = wanted("subject", &query.subject);
        let event_type = wanted("type", &query.event_type);
        let source = wanted("source", &query.source);
        // A subject has the fewest records, as a rule, and a source the most.
        let mut filters = [subject, event_type, source].into_iter().flatten();
        let bounds = Bounds::of(query);
        // The last time that is not excluded; times are stored to the microsecond.
        let last = match bounds.before.record_id {
            i64::MIN => bounds.before.occurred_at - TimeDelta::microseconds(1),
            _ => bounds.before.occurred_at,
        };
        Self {
            query,
            columns,
            limits,
            bounds,
            key: filters.next(),
            rest: filters.collect(),
            spans: Spans::new(layout, query.order, bounds.after.occurred_at, last),
            has_large: false,
            visited: 0,
            segments: 0,
            filling: Filling::new(query),
        }
    }

    /// Reads the page.
    pub(crate) async fn page(
        mut self,
        connection: &mut PgConnection,
    ) -> Result<Page<RecordRow>, StoreError> {
        while let Some(span) = self.spans.next() {
            let rows = self.read(span, connection).await.read_context(LIST)?;
            match self.take(span, rows).read_context(LIST)? {
                Step::GoOn => {}
                Step::Full => return Ok(self.filling.and_more()),
                Step::Stop(position) => return Ok(self.filling.ending(Some(position))),
            }
        }
        Ok(self.filling.ending(None))
    }

    async fn read(
        &mut self,
        span: Span,
        connection: &mut PgConnection,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        loop {
            let sql = self.statement(span);
            let rows = self.query(span, &sql)?.fetch_all(&mut *connection).await?;
            if self.columns == Columns::WithoutPayload || self.has_large {
                return Ok(rows);
            }
            for row in &rows {
                self.has_large |= row.try_get_raw(7)?.is_null();
            }
            if !self.has_large {
                return Ok(rows);
            }
        }
    }

    /// The first span of a page is the same for many pages, so its plan is kept; the others depend on where
    /// the page began.
    fn query<'q>(
        &self,
        span: Span,
        sql: &'q str,
    ) -> Result<Query<'q, Postgres, PgArguments>, sqlx::Error> {
        let arguments = self.arguments(span).map_err(sqlx::Error::Encode)?;
        Ok(sqlx::query_with(sql, arguments).persistent(self.segments == 0))
    }

    fn take(&mut self, span: Span, rows: Vec<PgRow>) -> Result<Step, sqlx::Error> {
        self.segments += span.segments;
        let mut last = None;
        for row in rows {
            let (matches, visited): (bool, i64) = if self.rest.is_empty() {
                (true, 0)
            } else {
                (row.try_get(8)?, row.try_get(9)?)
            };
            let row = RecordRow::new(row)?;
            last = Some((visited, row.position));
            if matches && !self.filling.add(row) {
                return Ok(Step::Full);
            }
        }
        if self.filling.is_large() {
            return Ok(Step::Full);
        }
        if let Some((visited, position)) = last {
            let visited = u32::try_from(visited).unwrap_or(u32::MAX);
            if visited >= self.limits.visited {
                return Ok(Step::Stop(position));
            }
            self.visited = self.visited.saturating_add(visited);
        }
        let is_spent = self.visited >= self.limits.visited || self.segments >= self.limits.segments;
        Ok(match self.far_end(span) {
            Some(end) if is_spent && !self.spans.is_empty() => Step::Stop(Position::start_of(end)),
            Some(_) | None => Step::GoOn,
        })
    }

    /// Where the next span begins.
    const fn far_end(&self, span: Span) -> Option<DateTime<Utc>> {
        match self.query.order {
            Order::Asc => span.to,
            Order::Desc => span.from,
        }
    }

    /// The columns; where entries are compared, also whether this one matches and its number in the walk.
    ///
    /// A connection takes every row of an answer, also those that nobody reads, so what exceeds the bytes of a
    /// page must not leave the server. Adding up all payloads costs a fifth of the statement. So each payload
    /// has its share of the page at first; where one is larger, the statement is repeated and adds up.
    fn statement(&self, span: Span) -> String {
        let outer = self.row_order("");
        let page = self.page_statement(span);
        let visits = if self.rest.is_empty() {
            ""
        } else {
            ", matches, visited"
        };
        let columns = "record_id, source, id, type, subject, occurred_at, ingested_at";
        if self.columns == Columns::WithoutPayload {
            return page;
        }
        if self.has_large {
            return format!(
                "select {columns}, payload{visits}
                 from (
                     select page.*, sum(octet_length(payload)) over (
                         order by {outer} rows between unbounded preceding and 1 preceding
                     ) as bytes_before
                     from ({page}) as page
                 ) as page
                 where bytes_before is null or bytes_before <= {PAGE_BYTES_MAX}
                 order by {outer}"
            );
        }
        let share = PAGE_BYTES_MAX / (usize::from(self.query.limit) + 1);
        format!(
            "select {columns}, case when octet_length(payload) <= {share} then payload end as payload{visits}
             from ({page}) as page
             order by {outer}"
        )
    }

    fn page_statement(&self, span: Span) -> String {
        let (outer, inner) = (self.row_order(""), self.row_order("r."));
        // One row more than requested shows whether there is another page.
        let limit = u32::from(self.query.limit) + 1;
        if self.rest.is_empty() {
            return format!(
                "{} {}",
                self.columns.select(),
                self.walk(span, &inner, limit)
            );
        }
        let payload = match self.columns {
            Columns::All => "case when matches then payload::text else '' end",
            Columns::WithoutPayload => "null::text",
        };
        // The last entry is returned also when it does not match: it shows how far the walk came.
        format!(
            "select record_id, source, id, type, subject, occurred_at, ingested_at,
                 {payload} as payload, matches, visited
             from (
                 select r.*, ({rest}) is true as matches, row_number() over walk as visited,
                     lead(true) over walk is null as is_last
                 from (
                     select r.record_id, r.source, r.id, r.type, r.subject, r.occurred_at,
                         r.ingested_at, r.payload
                     {walk}
                 ) as r
                 window walk as (order by {inner})
             ) as visit
             where matches or is_last
             order by {outer} limit {limit}",
            rest = self.comparisons(span),
            walk = self.walk(span, &inner, self.limits.visited),
        )
    }

    /// The part of the index between the bounds, in a span. The span is written out, so that the planner
    /// knows its partitions, and is the same in the statements of many pages.
    ///
    /// The planner does not see the first value of a row, nor the limit, because each is a `select`. From
    /// statistics it would expect one row between two equal values, and then sort what may be a million.
    fn walk(&self, span: Span, order: &str, limit: u32) -> String {
        let (key, value) = match self.key {
            Some((column, _)) => (format!("r.{column}, "), "(select $1), "),
            None => (String::new(), ""),
        };
        // The planner does not conclude it from a comparison of rows, and the index is partial.
        let partial = match self.key {
            Some(("subject", _)) => "r.subject is not null and ",
            Some(_) | None => "",
        };
        let mut number = usize::from(self.key.is_some());
        let mut conditions = String::new();
        for (comparison, bound) in [(">", self.after(span)), ("<", self.before(span))] {
            if bound.is_some() {
                let (time, id) = (number + 1, number + 2);
                number = id;
                let time = match self.key {
                    Some(_) => format!("${time}"),
                    None => format!("(select ${time})"),
                };
                conditions += &format!(
                    "({key}r.occurred_at, r.record_id) {comparison} ({value}{time}, ${id}) and "
                );
            }
        }
        format!(
            "from records r
             where {}{partial}{conditions}true
             order by {order} limit (select {limit})",
            in_span(span)
        )
    }

    /// The bound, where the range of the span does not imply it. An index that begins with another column is
    /// always walked between two bounds, which contain the value of that column.
    fn after(&self, span: Span) -> Option<Position> {
        let is_implied = span
            .from
            .is_some_and(|from| self.bounds.after <= Position::start_of(from));
        (self.key.is_some() || !(is_implied || self.bounds.after == Bounds::first()))
            .then_some(self.bounds.after)
    }

    /// See [`Self::after`].
    fn before(&self, span: Span) -> Option<Position> {
        let is_implied = span
            .to
            .is_some_and(|to| self.bounds.before >= Position::start_of(to));
        (self.key.is_some() || !(is_implied || self.bounds.before == Bounds::last()))
            .then_some(self.bounds.before)
    }

    /// The comparisons that are left, whose parameters follow those of the walk.
    fn comparisons(&self, span: Span) -> String {
        let bounds = [self.after(span), self.before(span)];
        let first = 1 + usize::from(self.key.is_some()) + 2 * bounds.iter().flatten().count();
        let comparisons: Vec<String> = self
            .rest
            .iter()
            .zip(first..)
            .map(|((column, _), number)| format!("r.{column} = ${number}"))
            .collect();
        comparisons.join(" and ")
    }

    fn row_order(&self, table: &str) -> String {
        let direction = match self.query.order {
            Order::Asc => "asc",
            Order::Desc => "desc",
        };
        let columns: Vec<String> = self
            .key
            .iter()
            .map(|(column, _)| *column)
            .chain(["occurred_at", "record_id"])
            .map(|column| format!("{table}{column} {direction}"))
            .collect();
        columns.join(", ")
    }

    fn arguments(&self, span: Span) -> Result<PgArguments, sqlx::error::BoxDynError> {
        let mut arguments = PgArguments::default();
        if let Some((_, value)) = self.key {
            arguments.add(value)?;
        }
        for position in [self.after(span), self.before(span)].into_iter().flatten() {
            arguments.add(position.occurred_at)?;
            arguments.add(position.record_id)?;
        }
        for (_, value) in &self.rest {
            arguments.add(*value)?;
        }
        Ok(arguments)
    }
}

#[cfg(test)]
#[path = "walk/tests.rs"]
mod tests;
