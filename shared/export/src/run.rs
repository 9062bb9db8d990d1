//! The run of an export: chunk after chunk, each followed by a checkpoint.
//!
//! Invariant: between two checkpoints nothing is lost by a crash but work.

use std::io;

use pipeline::{Pipeline, PipelineError};
use tokio_util::sync::CancellationToken;

use crate::checkpoint::Checkpoint;
use crate::chunk::{Chunk, Staged};
use crate::destination::Destination;
use crate::error::ExportError;
use crate::patience::PATIENCE;
use crate::progress::{OnProgress, Progress};
use crate::request::ExportRequest;
use crate::source::{Source, total};
use crate::walk::Position;

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
    on_progress: OnProgress,
) -> Result<Exported, ExportError> {
    request.validate()?;
    let run = Run::start(pipeline, request, cancellation, on_progress).await?;
    run.finish().await
}

struct Run<'a> {
    source: Source<'a>,
    destination: Destination,
    checkpoint: Checkpoint,
}

impl<'a> Run<'a> {
    async fn start(
        pipeline: &'a Pipeline,
        request: &'a ExportRequest,
        cancellation: &'a CancellationToken,
        on_progress: OnProgress,
    ) -> Result<Self, ExportError> {
        let mut destination = Destination::open(pipeline, &request.target).await?;
        let mut source = Source {
            pipeline,
            request,
            cancellation,
            patience: PATIENCE,
            on_progress,
            progress: Progress::default(),
        };
        let checkpoint = source.checkpoint(&mut destination).await?;
        source.progress.total = if checkpoint.is_finished {
            Some(0)
        } else {
            let total = total(pipeline, request).await;
            total.map(|total| total.saturating_sub(checkpoint.rows))
        };
        Ok(Self {
            source,
            destination,
            checkpoint,
        })
    }

    async fn finish(mut self) -> Result<Exported, ExportError> {
        let Checkpoint {
            rows, files, bytes, ..
        } = self.checkpoint;
        while !self.checkpoint.is_finished {
            let filled = self.fill().await?;
            self.complete(filled).await?;
        }
        Ok(Exported {
            rows: self.checkpoint.rows - rows,
            files: self.checkpoint.files - files,
            bytes: self.checkpoint.bytes - bytes,
            rows_total: self.checkpoint.rows,
            is_continued: files > 0,
        })
    }

    /// The next chunk.
    async fn fill(&mut self) -> Result<Filled, ExportError> {
        let staging = self.destination.staging();
        let Checkpoint {
            next_chunk, run, ..
        } = &self.checkpoint;
        let chunk = Chunk::new(self.source.request.format, staging, *next_chunk, run);
        let position = self.checkpoint.position.clone();
        self.fill_on(chunk, position).await
    }

    /// Reads pages until the chunk is full, everything was read, or nothing more can be read.
    async fn fill_on(
        &mut self,
        mut chunk: Chunk,
        mut position: Position,
    ) -> Result<Filled, ExportError> {
        let staging = self.destination.staging();
        loop {
            let batch = match self.source.page(&position).await {
                Ok(batch) => batch,
                // What was read so far is kept.
                Err(ExportError::Pipeline(error)) if position != self.checkpoint.position => {
                    return Ok(Filled {
                        chunk,
                        position,
                        end: End::Failed(error),
                    });
                }
                Err(error) => return Err(error),
            };
            position = batch.next;
            let count = batch.records.len() as u64;
            chunk = blocking("write", staging, move || {
                chunk.add(batch.records)?;
                Ok(chunk)
            })
            .await?;
            self.source.passed(count);
            if batch.is_last || chunk.is_full() {
                return Ok(Filled {
                    chunk,
                    position,
                    end: if batch.is_last { End::All } else { End::Full },
                });
            }
        }
    }

    /// Writes the chunk and the checkpoint behind it.
    async fn complete(&mut self, filled: Filled) -> Result<(), ExportError> {
        let announced = self.announce(filled.chunk).await?;
        let is_finished = matches!(filled.end, End::All);
        self.place(announced, filled.position, is_finished).await?;
        match filled.end {
            End::Full | End::All => Ok(()),
            End::Failed(error) => Err(error.into()),
        }
    }

    /// Completes the chunk's files and announces them in the checkpoint. What an earlier run announced and did not
    /// count is removed, after the checkpoint has shown that no other run counts it.
    async fn announce(&mut self, chunk: Chunk) -> Result<Announced, ExportError> {
        let rows = chunk.rows();
        let files = blocking("write", self.destination.staging(), || chunk.finish()).await?;
        let left = std::mem::take(&mut self.checkpoint.pending);
        if !files.is_empty() || !left.is_empty() {
            let names = files.iter().map(|file| &file.name);
            self.checkpoint.pending = left.iter().chain(names).cloned().collect();
            self.save().await?;
        }
        for name in &left {
            self.destination.remove(name).await?;
        }
        Ok(Announced { rows, files })
    }

    /// Moves the files into their place and counts them. Where another export has written the checkpoint
    /// meanwhile, they are removed.
    async fn place(
        &mut self,
        Announced { rows, files }: Announced,
        position: Position,
        is_finished: bool,
    ) -> Result<(), ExportError> {
        for file in &files {
            self.destination.publish(file).await?;
        }
        self.checkpoint.position = position;
        self.checkpoint.is_finished = is_finished;
        self.checkpoint.pending = Vec::new();
        self.checkpoint.next_chunk += u64::from(!files.is_empty());
        self.checkpoint.rows += rows;
        self.checkpoint.files += files.len() as u64;
        self.checkpoint.bytes += files.iter().map(|file| file.bytes).sum::<u64>();
        let saved = self.save().await;
        if let Err(ExportError::InUse(_)) = &saved {
            for file in &files {
                self.destination.remove(&file.name).await?;
            }
        }
        saved
    }

    async fn save(&mut self) -> Result<(), ExportError> {
        let content = self.checkpoint.to_bytes()?;
        self.destination.write_checkpoint(content).await
    }
}

/// A chunk that is not in its place.
struct Filled {
    chunk: Chunk,
    /// What comes after it.
    position: Position,
    end: End,
}

/// A chunk whose files are complete and in the checkpoint, but not in their place.
struct Announced {
    rows: u64,
    files: Vec<Staged>,
}

/// Why a chunk ended.
enum End {
    Full,
    /// Everything was read.
    All,
    /// The next page cannot be read.
    Failed(PipelineError),
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

#[cfg(test)]
mod tests;
