//! The run of an export: chunk after chunk, each followed by a checkpoint.
//!
//! Invariant: between two checkpoints nothing is lost by a crash but work.

use std::io;

use chrono::{DateTime, TimeDelta, Utc};
use event::{Bucket, GroupBy, StatsQuery};
use pipeline::Pipeline;
use tokio_util::sync::CancellationToken;

use crate::checkpoint::{CHECKPOINT, Checkpoint};
use crate::chunk::{Chunk, Staged};
use crate::destination::Destination;
use crate::error::ExportError;
use crate::request::{ExportRequest, Scope};
use crate::walk::{self, Position};

/// How far an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows that were read by this run.
    pub rows: u64,
    /// Rows that this run will read, if that is known.
    pub total: Option<u64>,
}

/// Takes the progress of an export, after each page.
pub type OnProgress = Box<dyn FnMut(Progress) + Send>;

/// What an export wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Rows that this run wrote.
    pub rows: u64,
    /// Files that this run wrote.
    pub files: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// Rows of all runs into the target.
    pub rows_total: u64,
    /// Whether an earlier run wrote a part.
    pub is_continued: bool,
}

/// Exports records. A run into a target that has a checkpoint of the same request continues from it.
///
/// # Errors
/// See [`ExportError`]; what the last checkpoint counts stays.
pub async fn export(
    pipeline: &Pipeline,
    request: &ExportRequest,
    cancellation: &CancellationToken,
    mut on_progress: OnProgress,
) -> Result<Exported, ExportError> {
    request.validate()?;
    let destination = Destination::open(pipeline, &request.target).await?;
    let checkpoint = checkpoint(pipeline, request, &destination).await?;
    let start = (checkpoint.rows, checkpoint.files, checkpoint.bytes);
    let total = if checkpoint.is_finished {
        Some(0)
    } else {
        let total = total(pipeline, request).await;
        total.map(|total| total.saturating_sub(checkpoint.rows))
    };
    let mut run = Run {
        pipeline,
        request,
        destination,
        checkpoint,
        read: Progress { rows: 0, total },
    };
    while !run.checkpoint.is_finished {
        let filled = run.fill(cancellation, &mut on_progress).await?;
        run.complete(filled).await?;
    }
    let Checkpoint {
        rows, files, bytes, ..
    } = run.checkpoint;
    Ok(Exported {
        rows: rows - start.0,
        files: files - start.1,
        bytes: bytes - start.2,
        rows_total: rows,
        is_continued: start.1 > 0,
    })
}

struct Run<'a> {
    pipeline: &'a Pipeline,
    request: &'a ExportRequest,
    destination: Destination,
    checkpoint: Checkpoint,
    read: Progress,
}

impl Run<'_> {
    /// Reads pages until the chunk is full or everything was read.
    async fn fill(
        &mut self,
        cancellation: &CancellationToken,
        on_progress: &mut OnProgress,
    ) -> Result<Filled, ExportError> {
        let staging = self.destination.staging();
        let mut chunk = Chunk::new(self.request.format, staging, self.checkpoint.next_chunk);
        let mut position = self.checkpoint.position.clone();
        loop {
            let batch = tokio::select! {
                biased;
                () = cancellation.cancelled() => return Err(ExportError::Cancelled),
                batch = walk::read(self.pipeline, self.request, &position) => batch?,
            };
            position = batch.next;
            let count = batch.records.len() as u64;
            chunk = blocking("write", staging, move || {
                chunk.add(batch.records)?;
                Ok(chunk)
            })
            .await?;
            self.read.rows += count;
            on_progress(self.read);
            if batch.is_last || chunk.is_full() {
                return Ok(Filled {
                    chunk,
                    position,
                    is_last: batch.is_last,
                });
            }
        }
    }

    /// Moves the chunk's files into their place and writes the checkpoint.
    async fn complete(&mut self, filled: Filled) -> Result<(), ExportError> {
        let chunk = filled.chunk;
        let rows = chunk.rows();
        let staged = blocking("write", self.destination.staging(), || chunk.finish()).await?;
        let names: Vec<String> = staged.iter().map(|file| file.name.clone()).collect();
        // A chunk that is read again after a crash may have fewer days: records were deleted meanwhile.
        for name in &self.checkpoint.pending {
            if !names.contains(name) {
                self.destination.remove(name).await?;
            }
        }
        self.checkpoint.pending = names;
        if !staged.is_empty() {
            self.save().await?;
        }
        for file in &staged {
            self.destination.publish(file).await?;
        }
        self.checkpoint.position = filled.position;
        self.checkpoint.is_finished = filled.is_last;
        self.checkpoint.pending = Vec::new();
        self.checkpoint.next_chunk += u64::from(!staged.is_empty());
        self.checkpoint.rows += rows;
        self.checkpoint.files += staged.len() as u64;
        self.checkpoint.bytes += staged.iter().map(|file: &Staged| file.bytes).sum::<u64>();
        self.save().await
    }

    async fn save(&self) -> Result<(), ExportError> {
        let content = self.checkpoint.to_bytes()?;
        self.destination.write(CHECKPOINT, content).await
    }
}

/// A chunk that is complete but not in its place.
struct Filled {
    chunk: Chunk,
    /// What comes after it.
    position: Position,
    is_last: bool,
}

/// The checkpoint of the target, or the first one of a new export.
async fn checkpoint(
    pipeline: &Pipeline,
    request: &ExportRequest,
    destination: &Destination,
) -> Result<Checkpoint, ExportError> {
    let environment = &pipeline.environment().name;
    let requested = request.description();
    let Some(content) = destination.read(CHECKPOINT).await? else {
        let position = Position::first(request);
        return Ok(Checkpoint::new(environment, &requested, position));
    };
    let mut found = Checkpoint::read(&content)?;
    if found.environment != *environment || found.request != requested {
        return Err(ExportError::OtherExport {
            target: request.target.to_string(),
            found: format!("{} of {}", found.request, found.environment),
            requested: format!("{requested} of {environment}"),
        });
    }
    // What arrived since is new; a range is finished for good.
    if request.scope == Scope::SinceLast {
        found.is_finished = false;
    }
    Ok(found)
}

/// Rows of the request by the statistics; `None` if they do not have them.
async fn total(pipeline: &Pipeline, request: &ExportRequest) -> Option<u64> {
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

/// Runs work on files outside of the asynchronous threads.
async fn blocking<T: Send + 'static>(
    operation: &'static str,
    name: &std::path::Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ExportError> {
    let result = tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
    result.map_err(|cause| ExportError::write(operation, name.display().to_string(), cause))
}
