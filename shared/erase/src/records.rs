//! Finds records and erases them, page by page.
//!
//! Invariant: one page is in memory at a time. An erasure ends with a pass that finds nothing, so that what
//! arrives meanwhile is erased too.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use event::{Page, Record};
use pipeline::{ERASED_MAX, Pipeline, WritePermit};
use redrive::operations::{OnProgress, Progress};
use tokio_util::sync::CancellationToken;

use crate::error::EraseError;
use crate::finding::{Action, Finding, Place};
use crate::matcher::Matcher;
use crate::request::Request;

/// Passes through the records; more would follow a publisher that does not stop.
const PASSES_MAX: usize = 5;

const _: () = assert!(
    ERASED_MAX >= event::LIMIT_MAX as usize,
    "a page is erased in one step"
);

/// Records of each day.
#[derive(Debug, Default)]
pub(crate) struct Days(BTreeMap<NaiveDate, Day>);

#[derive(Debug)]
struct Day {
    count: u64,
    /// Of one of them.
    time: DateTime<Utc>,
}

impl Days {
    fn add(&mut self, time: DateTime<Utc>) {
        let day = self.0.entry(time.date_naive());
        day.or_insert(Day { count: 0, time }).count += 1;
    }

    /// A time of each day: a partition consists of whole days.
    pub(crate) fn times(&self) -> Vec<DateTime<Utc>> {
        self.0.values().map(|day| day.time).collect()
    }

    pub(crate) fn findings(&self) -> impl Iterator<Item = Finding> {
        self.0.iter().map(|(date, day)| {
            Finding::new(Place::Records, date.to_string(), day.count, Action::Delete)
        })
    }

    /// Takes the counts over as what was erased; days that the plan did not have are added.
    pub(crate) fn report(&self, findings: &mut Vec<Finding>) {
        for (date, day) in &self.0 {
            let name = date.to_string();
            let is_it =
                |finding: &&mut Finding| finding.place == Place::Records && finding.name == name;
            let found = findings.iter_mut().find(is_it);
            match found {
                Some(finding) => {
                    finding.erased = day.count;
                    finding.found = finding.found.max(day.count);
                }
                None => {
                    let mut finding = Finding::new(Place::Records, name, day.count, Action::Delete);
                    finding.erased = day.count;
                    findings.push(finding);
                }
            }
        }
    }
}

/// How an erasure of records ended.
#[derive(Debug, Default)]
pub(crate) struct Erased {
    pub(crate) days: Days,
    /// Why there may be more.
    pub(crate) error: Option<String>,
}

/// Counts the records of a request.
pub(crate) async fn find(
    pipeline: &Pipeline,
    request: &Request,
    matcher: &mut Matcher,
    cancel: &CancellationToken,
    on_progress: &OnProgress,
) -> Result<Days, EraseError> {
    let mut days = Days::default();
    let mut pages = Pages::of(pipeline, request);
    let mut done = 0;
    while let Some(page) = pages.next(cancel).await? {
        let selected = matcher.records(&page.items).await?;
        for (record, is_selected) in page.items.iter().zip(selected) {
            if is_selected {
                days.add(record.occurred_at);
            }
        }
        done += page.items.len();
        on_progress(Progress { done, total: done });
    }
    Ok(days)
}

/// Erases the records of a request. What was erased before an error or the cancellation is in the result.
pub(crate) async fn erase(
    pipeline: &Pipeline,
    permit: &WritePermit,
    request: &Request,
    matcher: &mut Matcher,
    cancel: &CancellationToken,
) -> Erased {
    let mut erased = Erased::default();
    for _ in 0..PASSES_MAX {
        match pass(pipeline, permit, request, matcher, cancel, &mut erased.days).await {
            Ok(0) => return erased,
            // What was found and not deleted may have been replaced meanwhile.
            Ok(_) => {}
            Err(EraseError::Cancelled) => {
                erased.error = Some("interrupted".to_owned());
                return erased;
            }
            Err(error) => {
                erased.error = Some(error.to_string());
                return erased;
            }
        }
    }
    erased.error =
        Some("such records keep arriving; stop the publisher and erase again".to_owned());
    erased
}

/// One pass: how many records it has found, whoever deleted them.
async fn pass(
    pipeline: &Pipeline,
    permit: &WritePermit,
    request: &Request,
    matcher: &mut Matcher,
    cancel: &CancellationToken,
    days: &mut Days,
) -> Result<usize, EraseError> {
    let mut pages = Pages::of(pipeline, request);
    let mut found = 0;
    while let Some(page) = pages.next(cancel).await? {
        let selected = matcher.records(&page.items).await?;
        let chosen = page.items.iter().zip(selected);
        let chosen = chosen.filter(|(_, is_selected)| *is_selected);
        let chosen: Vec<_> = chosen
            .map(|(record, _)| (record.occurred_at, record.record_id))
            .collect();
        if chosen.is_empty() {
            continue;
        }
        found += chosen.len();
        for (time, _) in pipeline.erase_records(permit, &chosen).await? {
            days.add(time);
        }
    }
    Ok(found)
}

/// The pages of the records that the database finds.
struct Pages<'a> {
    pipeline: &'a Pipeline,
    query: event::RecordQuery,
    is_ended: bool,
}

impl<'a> Pages<'a> {
    fn of(pipeline: &'a Pipeline, request: &Request) -> Self {
        Self {
            pipeline,
            query: request.query(),
            is_ended: false,
        }
    }

    async fn next(
        &mut self,
        cancel: &CancellationToken,
    ) -> Result<Option<Page<Record>>, EraseError> {
        if self.is_ended {
            return Ok(None);
        }
        let reading = self.pipeline.records_to_erase(&self.query);
        let page = cancel.run_until_cancelled(reading).await;
        let page = page.ok_or(EraseError::Cancelled)??;
        self.query.cursor = page.next_cursor;
        self.is_ended = page.next_cursor.is_none();
        Ok(Some(page))
    }
}
