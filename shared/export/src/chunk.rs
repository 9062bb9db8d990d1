//! A chunk: the files between two checkpoints, one for each day, while they are written.
//!
//! Invariant: what is buffered has at most [`BUFFERED_BYTES_MAX`] and one page; a chunk has at most
//! [`DAYS_MAX`] files, and those of one page more.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use event::Record;

use crate::checkpoint::RunId;
use crate::format::{Encoder, Format};

/// Most bytes of events that wait for being written.
const BUFFERED_BYTES_MAX: usize = 16 << 20;
/// A record's columns beside its payload, roughly.
const ROW_BYTES: usize = 256;
/// A chunk ends with the page that reaches one of these.
const ROWS_MAX: u64 = 250_000;
const BYTES_MAX: usize = 512 << 20;
const DAYS_MAX: usize = 32;
/// The name of a day's folder before the day, as Hive writes a partition.
pub(crate) const DAY_PREFIX: &str = "occurred_on=";

pub(crate) struct Chunk {
    format: Format,
    /// Where the files are written before they are moved into their place.
    staging: PathBuf,
    /// Part of the files' names.
    number: u64,
    /// The run, part of the files' names.
    run: String,
    days: BTreeMap<NaiveDate, Day>,
    rows: u64,
    bytes: usize,
    buffered: usize,
}

struct Day {
    path: PathBuf,
    encoder: Option<Encoder>,
    records: Vec<Record>,
    buffered: usize,
}

/// A file that is complete, still in the staging folder.
#[derive(Debug)]
pub(crate) struct Staged {
    /// Path in the target, with `/`.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

impl Chunk {
    pub(crate) fn new(format: Format, staging: &Path, number: u64, run: &RunId) -> Self {
        Self {
            format,
            staging: staging.to_owned(),
            number,
            run: run.short().to_owned(),
            days: BTreeMap::new(),
            rows: 0,
            bytes: 0,
            buffered: 0,
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.bytes >= BYTES_MAX || self.days.len() >= DAYS_MAX
    }

    pub(crate) fn add(&mut self, records: Vec<Record>) -> io::Result<()> {
        for record in records {
            let bytes = record.payload.get().len() + ROW_BYTES;
            let date = record.occurred_at.date_naive();
            let staging = &self.staging;
            let day = self.days.entry(date).or_insert_with(|| Day {
                path: staging.join(date.to_string()),
                encoder: None,
                records: Vec::new(),
                buffered: 0,
            });
            day.records.push(record);
            day.buffered += bytes;
            self.rows += 1;
            self.bytes += bytes;
            self.buffered += bytes;
        }
        // The largest first: few large row groups are read faster than many small ones.
        while self.buffered > BUFFERED_BYTES_MAX {
            let Some(day) = self.days.values_mut().max_by_key(|day| day.buffered) else {
                break;
            };
            self.buffered -= day.write(self.format)?;
        }
        Ok(())
    }

    /// Completes all files.
    pub(crate) fn finish(self) -> io::Result<Vec<Staged>> {
        let mut staged = Vec::with_capacity(self.days.len());
        for (date, mut day) in self.days {
            day.write(self.format)?;
            if let Some(encoder) = day.encoder {
                staged.push(Staged {
                    name: format!(
                        "{DAY_PREFIX}{date}/part-{:08}-{}.{}",
                        self.number,
                        self.run,
                        self.format.extension()
                    ),
                    path: day.path,
                    bytes: encoder.finish()?,
                });
            }
        }
        Ok(staged)
    }
}

impl Day {
    /// Writes what is buffered and returns its size.
    fn write(&mut self, format: Format) -> io::Result<usize> {
        if self.records.is_empty() {
            return Ok(0);
        }
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::create(format, &self.path)?),
        };
        encoder.append(&self.records)?;
        self.records = Vec::new();
        Ok(std::mem::take(&mut self.buffered))
    }
}
