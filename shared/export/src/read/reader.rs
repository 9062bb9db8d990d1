//! Reads the records of a request, wherever they are.

use event::{LIMIT_MAX, Record};
use pipeline::Pipeline;

use super::error::ReadError;
use super::files::{FileReader, folder_files};
use super::record::ReadRecord;
use super::request::ReadRequest;
use crate::walk::{self, Position, Range};

/// Pages of one walk through the records of the pipeline. Each visits 5,000 entries of an index at most, so
/// that this is a walk over ten million records that hardly match.
const PAGES_MAX: usize = 2_000;

/// Reads the records of a request, page after page.
pub struct RecordReader {
    pipeline: Pipeline,
    request: ReadRequest,
    place: Place,
}

/// What is read next.
enum Place {
    Records { next: Position, pages: usize },
    Files(Box<FileReader>),
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
                Place::Files(Box::new(FileReader::of(files)))
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
                    let wants = |record: &Record| request.wants(record);
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

/// Work that waits for a disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ReadError::Task(error.to_string()))?
}
