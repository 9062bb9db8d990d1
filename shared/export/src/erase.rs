//! Erases records from the files of an export.
//!
//! Invariant: a file is replaced as a whole by one without the erased records, or removed where no record is
//! left; until then it stays as it was. While an export is open here, no export is written to its folder; in a
//! bucket the one of the two that writes its checkpoint later is refused. Memory is bounded, however large a file is.

use std::path::PathBuf;

use event::Record;
use pipeline::Pipeline;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::checkpoint::{CHECKPOINT, Checkpoint, RunId};
use crate::chunk::Staged;
use crate::destination::Destination;
use crate::error::ExportError;
use crate::folder::Folder;
use crate::format::{Encoder, Format, read};
use crate::request::Target;

/// Batches that are read ahead.
const READ_AHEAD_MAX: usize = 2;
/// Bytes of events that wait for being written: one row group of Parquet.
const BUFFERED_BYTES_MAX: usize = 32 << 20;
/// Name of a file while it is written.
const STAGED: &str = "erased";

/// An export whose files are searched and erased from.
pub struct ExportFiles {
    target: Target,
    destination: Destination,
    /// `None` for an export of an earlier version: it is never continued, and what its checkpoint counts stays.
    checkpoint: Option<Checkpoint>,
    names: Vec<String>,
}

impl ExportFiles {
    /// Opens an export; `None` if there is none.
    ///
    /// # Errors
    /// When the target cannot be read, or when an export is being written to it.
    pub async fn open(pipeline: &Pipeline, target: &Target) -> Result<Option<Self>, ExportError> {
        // Half-written files of an export that was killed go when it is opened, also before its first checkpoint.
        if let Target::Folder(path) = target
            && !path.join(CHECKPOINT).is_file()
            && !Folder::has_staging(path)
        {
            return Ok(None);
        }
        let mut destination = Destination::open(pipeline, target).await?;
        let Some(content) = destination.read_checkpoint().await? else {
            return Ok(None);
        };
        let mut names = destination.list().await?;
        names.retain(|name| Format::of_name(name).is_some());
        names.sort_unstable();
        let checkpoint = match Checkpoint::read(&content, target) {
            Ok(mut checkpoint) => {
                checkpoint.run = RunId::new();
                Some(checkpoint)
            }
            Err(ExportError::OtherVersion { found, written, .. }) if found < written => None,
            Err(error) => return Err(error),
        };
        Ok(Some(Self {
            target: target.clone(),
            checkpoint,
            destination,
            names,
        }))
    }

    /// Where the export is.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The files of records, with the folders of their days, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Counts the records of a file that are selected.
    ///
    /// # Errors
    /// When the file cannot be read, or when the selection fails.
    pub async fn count<E: From<ExportError>>(
        &self,
        name: &str,
        mut select: impl AsyncFnMut(&[Record]) -> Result<Vec<bool>, E>,
    ) -> Result<u64, E> {
        let mut reading = self.read(name).await?;
        let mut count = 0;
        while let Some(records) = reading.batches.recv().await {
            let selected = select(&records).await?;
            count += selected
                .into_iter()
                .filter(|is_selected| *is_selected)
                .count() as u64;
        }
        reading.end().await?;
        Ok(count)
    }

    /// Erases the records of a file that are selected, and returns how many there were.
    ///
    /// # Errors
    /// When the file cannot be read or written, or when the selection fails; the file stays as it was then.
    pub async fn erase<E: From<ExportError>>(
        &mut self,
        name: &str,
        mut select: impl AsyncFnMut(&[Record]) -> Result<Vec<bool>, E>,
    ) -> Result<u64, E> {
        let mut reading = self.read(name).await?;
        let mut rest = Rest::new(reading.format, self.destination.staging().join(STAGED));
        let mut erased = 0;
        while let Some(records) = reading.batches.recv().await {
            let selected = select(&records).await?;
            let mut kept = Vec::with_capacity(records.len());
            for (record, is_selected) in records.into_iter().zip(selected) {
                if is_selected {
                    erased += 1;
                } else {
                    kept.push(record);
                }
            }
            rest = rest.add(kept).await?;
        }
        let bytes_before = reading.end().await?;
        if erased > 0 {
            self.replace(name, rest, erased, bytes_before).await?;
        }
        Ok(erased)
    }

    async fn replace(
        &mut self,
        name: &str,
        rest: Rest,
        erased: u64,
        bytes_before: u64,
    ) -> Result<(), ExportError> {
        let after = match rest.finish().await? {
            Some((path, bytes)) => {
                let name = name.to_owned();
                let staged = Staged { name, path, bytes };
                self.destination.publish(&staged).await?;
                After::Rewritten { bytes }
            }
            None => {
                self.destination.remove(name).await?;
                After::Removed
            }
        };
        let Some(checkpoint) = &mut self.checkpoint else {
            return Ok(());
        };
        checkpoint.rows = checkpoint.rows.saturating_sub(erased);
        checkpoint.bytes = checkpoint.bytes.saturating_sub(bytes_before);
        match after {
            After::Rewritten { bytes } => checkpoint.bytes += bytes,
            After::Removed => checkpoint.files = checkpoint.files.saturating_sub(1),
        }
        let content = checkpoint.to_bytes()?;
        self.destination.write_checkpoint(content).await
    }

    async fn read(&self, name: &str) -> Result<Reading, ExportError> {
        let failed = |cause: std::io::Error| ExportError::write("read", name, cause);
        let format = Format::of_name(name)
            .ok_or_else(|| failed(std::io::Error::other("it is no file of an export")))?;
        let path = self.destination.fetch(name).await?;
        let (sender, batches) = mpsc::channel(READ_AHEAD_MAX);
        let task = tokio::task::spawn_blocking(move || {
            read(format, &path, |batch| sender.blocking_send(batch).is_ok())?;
            Ok(std::fs::metadata(&path)?.len())
        });
        Ok(Reading {
            name: name.to_owned(),
            format,
            batches,
            task,
        })
    }
}

/// What became of a file of which rows were erased.
enum After {
    /// Another one is in its place.
    Rewritten { bytes: u64 },
    /// Nothing was left of it.
    Removed,
}

/// A file that is being read, by a thread.
struct Reading {
    name: String,
    format: Format,
    batches: mpsc::Receiver<Vec<Record>>,
    task: JoinHandle<std::io::Result<u64>>,
}

impl Reading {
    /// Whether all of it was read: the length of the file in bytes.
    async fn end(self) -> Result<u64, ExportError> {
        let Self { name, task, .. } = self;
        let ended = task.await.unwrap_or_else(|error| Err(error.into()));
        ended.map_err(|cause| ExportError::write("read", name, cause))
    }
}

/// What is left of a file.
struct Rest {
    format: Format,
    path: PathBuf,
    encoder: Option<Encoder>,
    records: Vec<Record>,
    bytes: usize,
}

impl Rest {
    fn new(format: Format, path: PathBuf) -> Self {
        Self {
            format,
            path,
            encoder: None,
            records: Vec::new(),
            bytes: 0,
        }
    }

    async fn add(mut self, records: Vec<Record>) -> Result<Self, ExportError> {
        let bytes = records.iter().map(|record| record.payload.get().len());
        self.bytes += bytes.sum::<usize>();
        self.records.extend(records);
        if self.bytes < BUFFERED_BYTES_MAX {
            return Ok(self);
        }
        self.on_thread(Self::write).await
    }

    /// The file on the disk and its length; `None` if nothing is left.
    async fn finish(self) -> Result<Option<(PathBuf, u64)>, ExportError> {
        self.on_thread(|mut rest| {
            rest = rest.write()?;
            let bytes = rest.encoder.map(Encoder::finish).transpose()?;
            Ok(bytes.map(|bytes| (rest.path, bytes)))
        })
        .await
    }

    fn write(mut self) -> std::io::Result<Self> {
        if self.records.is_empty() {
            return Ok(self);
        }
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => {
                // Of a file that could not be finished.
                if self.path.exists() {
                    std::fs::remove_file(&self.path)?;
                }
                none.insert(Encoder::create(self.format, &self.path)?)
            }
        };
        encoder.append(&self.records)?;
        self.records = Vec::new();
        self.bytes = 0;
        Ok(self)
    }

    async fn on_thread<T: Send + 'static>(
        self,
        work: impl FnOnce(Self) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, ExportError> {
        let path = self.path.display().to_string();
        let done = tokio::task::spawn_blocking(move || work(self)).await;
        let done = done.unwrap_or_else(|error| Err(error.into()));
        done.map_err(|cause| ExportError::write("write", path, cause))
    }
}
