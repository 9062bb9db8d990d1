//! Where the records of an export come from.
//!
//! Invariant: a checkpoint is continued only on the database that it counts.

use backon::ExponentialBuilder;
use chrono::{DateTime, TimeDelta, Utc};
use event::{Bucket, GroupBy, StatsQuery};
use pipeline::{Pipeline, PipelineError};
use tokio_util::sync::CancellationToken;

use crate::checkpoint::{Checkpoint, RunId};
use crate::destination::Destination;
use crate::error::ExportError;
use crate::patience::patiently;
use crate::progress::{OnProgress, Progress};
use crate::request::{ExportRequest, Scope};
use crate::walk::{self, Batch, Position};

/// A pipeline that is asked for the records of a request.
pub(crate) struct Source<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) request: &'a ExportRequest,
    pub(crate) cancellation: &'a CancellationToken,
    pub(crate) patience: ExponentialBuilder,
    pub(crate) on_progress: OnProgress,
    pub(crate) progress: Progress,
}

impl Source<'_> {
    /// The page at a position.
    pub(crate) async fn page(&mut self, position: &Position) -> Result<Batch, ExportError> {
        let (pipeline, request) = (self.pipeline, self.request);
        self.ask(|| walk::read(pipeline, request, position)).await
    }

    /// Reports rows that were read.
    pub(crate) fn passed(&mut self, rows: u64) {
        self.progress.rows += rows;
        (self.on_progress)(self.progress.clone());
    }

    /// Asks until there is an answer; the caller of the export hears of waits and can end them.
    async fn ask<T, F>(&mut self, question: impl FnMut() -> F) -> Result<T, ExportError>
    where
        F: Future<Output = Result<T, PipelineError>>,
    {
        let (on_progress, progress) = (&mut self.on_progress, &self.progress);
        let on_wait = |wait| {
            on_progress(Progress {
                wait: Some(wait),
                ..progress.clone()
            });
        };
        tokio::select! {
            biased;
            () = self.cancellation.cancelled() => Err(ExportError::Cancelled),
            answer = patiently(self.patience, on_wait, question) => Ok(answer?),
        }
    }

    /// The checkpoint of the target, or the first one of a new export.
    pub(crate) async fn checkpoint(
        &mut self,
        destination: &mut Destination,
    ) -> Result<Checkpoint, ExportError> {
        let (pipeline, request) = (self.pipeline, self.request);
        let environment = &pipeline.environment().name;
        let requested = request.description();
        let target = || request.target.to_string();
        let content = destination.read_checkpoint().await?;
        let found = content
            .map(|content| Checkpoint::read(&content, &request.target))
            .transpose()?;
        if let Some(found) = &found
            && (found.environment != *environment || found.request != requested)
        {
            return Err(ExportError::OtherExport {
                target: target(),
                found: format!("{} of {}", found.request, found.environment),
                requested: format!("{requested} of {environment}"),
            });
        }
        let present = self.ask(|| pipeline.database_created_at()).await?;
        let run = RunId::new();
        let Some(mut found) = found else {
            let position = Position::first(request);
            return Ok(Checkpoint::new(
                environment,
                present,
                &requested,
                position,
                run,
            ));
        };
        if found.database_created_at != present {
            return Err(ExportError::OtherDatabase {
                target: target(),
                found: found.database_created_at,
                present,
            });
        }
        if let Position::Arrival {
            last: Some(last), ..
        } = found.position
            && !self.ask(|| walk::is_unchanged(pipeline, last)).await?
        {
            return Err(ExportError::Restored {
                target: target(),
                record_id: last.record_id,
            });
        }
        found.run = run;
        // What arrived since is new; a range is finished for good.
        if request.scope == Scope::SinceLast {
            found.is_finished = false;
        }
        Ok(found)
    }
}

/// Rows of the request by the statistics; `None` if they do not have them.
pub(crate) async fn total(pipeline: &Pipeline, request: &ExportRequest) -> Option<u64> {
    let Scope::Range { from, to } = request.scope else {
        return None;
    };
    if request.source.is_some() {
        return None;
    }
    // Whole hours at both ends: a few rows more do no harm to an estimate of time.
    let hour = TimeDelta::hours(1);
    let query = StatsQuery {
        from: truncated(from, hour)?,
        to: truncated(to, hour)?.checked_add_signed(hour)?,
        bucket: Bucket::Day,
        group_by: GroupBy::Type,
    };
    let buckets = pipeline.stats(&query).await.ok()?;
    let counts = buckets.iter().filter_map(|bucket| {
        let is_wanted = request.types.is_empty() || request.types.contains(&bucket.group);
        is_wanted.then_some(u64::try_from(bucket.count).unwrap_or_default())
    });
    Some(counts.sum())
}

fn truncated(time: DateTime<Utc>, width: TimeDelta) -> Option<DateTime<Utc>> {
    chrono::DurationRound::duration_trunc(time, width).ok()
}
