//! Records that are read back: from the pipeline, or from the files of an export.
//!
//! Invariant: records come in an order that is the same each time, so that a reader that starts again finds
//! each of them behind those that it found it behind before. A file is read as it is, or refused with its
//! name; memory is bounded, whatever a file holds.

mod columns;
mod compact;
mod error;
mod files;
mod rows;

use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use event::{LIMIT_MAX, Record};
use pipeline::Pipeline;
use serde::{Deserialize, Serialize};

use crate::walk::{self, Position, Range};
use compact::compact;
pub use error::ReadError;
use files::{FileReader, folder_files};

/// Pages of one walk through the records of the pipeline. Each visits 5,000 entries of an index at most, so
/// that this is a walk over ten million records that hardly match.
const PAGES_MAX: usize = 2_000;

/// Which records are read, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadRequest {
    /// The folder that an export wrote; absent for the records of the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Earliest `occurred_at`, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Latest `occurred_at`, exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
    /// Only these CloudEvents types; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Only this CloudEvents source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl ReadRequest {
    /// Checks the request.
    ///
    /// # Errors
    /// When the range is empty, when a type is given twice, and when the folder is a bucket.
    pub fn validate(&self) -> Result<(), ReadError> {
        if let Some(folder) = self.folder.as_ref().and_then(|folder| folder.to_str())
            && folder.contains("://")
        {
            return Err(ReadError::Request(format!(
                "{folder} is no folder of this machine: copy it to a folder, such as with `aws s3 sync`"
            )));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(ReadError::Request(format!(
                "the range is empty: {to} is not after {from}"
            )));
        }
        for (position, name) in self.types.iter().enumerate() {
            if self.types.iter().take(position).any(|other| other == name) {
                return Err(ReadError::Request(format!(
                    "the type {name:?} is given twice"
                )));
            }
        }
        Ok(())
    }

    fn wants(&self, columns: &Columns) -> bool {
        let is_of_type = self.types.is_empty() || self.types.contains(&columns.event_type);
        let is_of_source = self
            .source
            .as_ref()
            .is_none_or(|source| *source == columns.source);
        is_of_type
            && is_of_source
            && self.from.is_none_or(|from| columns.occurred_at >= from)
            && self.to.is_none_or(|to| columns.occurred_at < to)
    }
}

/// `records from 2026-11-01T00:00:00+00:00 to …, types ["a"]`, or `files of november`.
impl fmt::Display for ReadRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.folder {
            None => formatter.write_str("records")?,
            Some(folder) => write!(formatter, "files of {}", folder.display())?,
        }
        if let Some(from) = self.from {
            write!(formatter, " from {}", from.to_rfc3339())?;
        }
        if let Some(to) = self.to {
            write!(formatter, " to {}", to.to_rfc3339())?;
        }
        if !self.types.is_empty() {
            write!(formatter, ", types {:?}", self.types)?;
        }
        if let Some(source) = &self.source {
            write!(formatter, ", source {source:?}")?;
        }
        Ok(())
    }
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRecord {
    /// Its name, unique within its source: `record 17`, or file and row.
    pub name: String,
    /// CloudEvents `time`, to the microsecond.
    pub occurred_at: DateTime<Utc>,
    /// The whole event, without the blanks that PostgreSQL writes into JSON.
    pub body: String,
}

/// What of a row decides whether it is wanted.
struct Columns {
    source: String,
    event_type: String,
    occurred_at: DateTime<Utc>,
    payload: String,
}

/// Reads the records of a request, page after page.
pub struct RecordReader {
    pipeline: Pipeline,
    request: ReadRequest,
    place: Place,
}

/// What is read next.
enum Place {
    Records { next: Position, pages: usize },
    Files(FileReader),
    End,
}

impl RecordReader {
    /// Starts before the first record.
    ///
    /// # Errors
    /// When the request breaks a rule, and when the folder cannot be read or has no files of an export.
    pub async fn open(pipeline: &Pipeline, request: &ReadRequest) -> Result<Self, ReadError> {
        request.validate()?;
        let place = match request.folder.clone() {
            None => Place::Records {
                next: Position::first_in_range(),
                pages: 0,
            },
            Some(folder) => {
                let files = blocking(move || folder_files(&folder)).await?;
                Place::Files(FileReader::of(files))
            }
        };
        Ok(Self {
            pipeline: pipeline.clone(),
            request: request.clone(),
            place,
        })
    }

    /// The next records, which may be none; `None` at the end.
    ///
    /// # Errors
    /// When the records do not come, and when a file is none of an export. Then the reader has ended.
    pub async fn next(&mut self) -> Result<Option<Vec<ReadRecord>>, ReadError> {
        match std::mem::replace(&mut self.place, Place::End) {
            Place::End => Ok(None),
            Place::Records { next, pages } => self.records(&next, pages).await.map(Some),
            Place::Files(mut reader) => {
                let request = self.request.clone();
                let (reader, page) = blocking(move || {
                    let wants = |columns: &Columns| request.wants(columns);
                    let page = reader.page(usize::from(LIMIT_MAX), wants)?;
                    Ok((reader, page))
                })
                .await?;
                if page.is_some() {
                    self.place = Place::Files(reader);
                }
                Ok(page)
            }
        }
    }

    async fn records(
        &mut self,
        next: &Position,
        pages: usize,
    ) -> Result<Vec<ReadRecord>, ReadError> {
        if pages >= PAGES_MAX {
            return Err(ReadError::TooBroad(format!(
                "{PAGES_MAX} pages of records were read and there are more: choose a shorter range, or \
                 a filter that more of them match"
            )));
        }
        let range = Range {
            from: self.request.from,
            to: self.request.to,
            types: &self.request.types,
            source: self.request.source.as_ref(),
        };
        let batch = walk::read_range(&self.pipeline, &range, next).await?;
        if !batch.is_last {
            self.place = Place::Records {
                next: batch.next,
                pages: pages + 1,
            };
        }
        Ok(batch.records.into_iter().map(ReadRecord::from).collect())
    }
}

impl From<Record> for ReadRecord {
    fn from(record: Record) -> Self {
        Self {
            name: format!("record {}", record.record_id),
            occurred_at: record.occurred_at,
            body: compact(record.payload.get()),
        }
    }
}

/// Work that waits for a disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ReadError::Task(error.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_is_checked_and_shown_in_words() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().ok();
        let request = ReadRequest {
            from: at("2026-11-01T00:00:00Z"),
            to: at("2026-12-01T00:00:00Z"),
            types: vec!["a".to_owned()],
            ..ReadRequest::default()
        };
        request.validate().unwrap();
        assert_eq!(
            request.to_string(),
            "records from 2026-11-01T00:00:00+00:00 to 2026-12-01T00:00:00+00:00, types [\"a\"]"
        );
        let inverted = ReadRequest {
            to: request.from,
            ..request.clone()
        };
        let error = inverted.validate().unwrap_err().to_string();
        assert!(error.contains("the range is empty"), "{error}");
        let twice = ReadRequest {
            types: vec!["a".to_owned(), "a".to_owned()],
            ..request
        };
        let error = twice.validate().unwrap_err().to_string();
        assert!(error.contains("given twice"), "{error}");
    }
}
