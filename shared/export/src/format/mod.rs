//! The formats of the files.
//!
//! Invariant: a file is written once, from its first row to its last, in pieces of bounded size.

mod parquet;
mod read;
mod rows;
mod text;
mod zstd_level;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::str::FromStr;

use event::Record;
use serde::{Deserialize, Serialize};

pub(crate) use self::read::read;
pub(crate) use self::rows::{RowError, Rows};

/// Format of the files of an export. All are compressed with zstd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Apache Parquet: typed columns, and the whole event as JSON.
    #[default]
    Parquet,
    /// Comma-separated values with a header (RFC 4180); an absent subject is an empty field.
    Csv,
    /// One JSON object a line, as the HTTP API returns it.
    Jsonl,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Parquet, Self::Csv, Self::Jsonl];

    /// Ending of the files' names.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv.zst",
            Self::Jsonl => "jsonl.zst",
        }
    }

    /// The format of a file with this name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let formats = [Self::Parquet, Self::Csv, Self::Jsonl];
        formats.into_iter().find(|format| {
            let stem = name.strip_suffix(format.extension());
            stem.is_some_and(|stem| stem.ends_with('.'))
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        })
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::Jsonl),
            other => Err(format!("{other:?} is not one of parquet, csv, jsonl")),
        }
    }
}

/// A file that is being written.
pub(crate) enum Encoder {
    Parquet(parquet::ParquetFile),
    Text(text::TextFile),
}

impl Encoder {
    /// Creates a new file, readable by its owner only.
    pub(crate) fn create(format: Format, path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(match format {
            Format::Parquet => Self::Parquet(parquet::ParquetFile::new(file)?),
            Format::Csv => Self::Text(text::TextFile::csv(file)),
            Format::Jsonl => Self::Text(text::TextFile::json_lines(file)),
        })
    }

    pub(crate) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        match self {
            Self::Parquet(file) => file.append(records),
            Self::Text(file) => file.append(records),
        }
    }

    /// Completes the file, waits until it is on disk, and returns its size in bytes.
    pub(crate) fn finish(self) -> io::Result<u64> {
        let file: File = match self {
            Self::Parquet(file) => file.finish()?,
            Self::Text(file) => file.finish(),
        };
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }
}
