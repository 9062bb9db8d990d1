//! The rows of one file, by its format.
//!
//! Invariant: a row is whole, or the file is refused; no row takes more than [`ROW_BYTES_MAX`] of memory.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use event::{EVENT_BYTES_MAX, Record};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::reader::RowIter;

use super::columns;
use super::error::ReadError;
use super::record::Columns;
use crate::format::Format;

/// Largest row: an event in JSON that escapes each of its letters, and the columns beside it.
const ROW_BYTES_MAX: u64 = 8 * EVENT_BYTES_MAX as u64;

pub(super) struct Rows {
    path: PathBuf,
    kind: Kind,
}

type Text = Limited<zstd::Decoder<'static, BufReader<File>>>;

enum Kind {
    Parquet(RowIter<'static>),
    Csv {
        reader: Box<csv::Reader<Text>>,
        places: Places,
    },
    Jsonl(BufReader<Text>),
}

/// Where the columns are.
struct Places {
    source: usize,
    event_type: usize,
    occurred_at: usize,
    payload: usize,
}

impl Rows {
    pub(super) fn open(path: &Path, format: Format) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(ReadError::io(path))?;
        let foreign = |detail: String| ReadError::foreign(path, detail);
        let text = |file| -> Result<Text, ReadError> {
            let decoder = zstd::Decoder::new(file).map_err(ReadError::io(path))?;
            Ok(Limited::new(decoder))
        };
        let kind = match format {
            Format::Parquet => {
                let reader =
                    SerializedFileReader::new(file).map_err(|error| foreign(error.to_string()))?;
                let schema = reader.metadata().file_metadata().schema();
                let projection = columns::projection(schema).map_err(foreign)?;
                let rows = RowIter::from_file_into(Box::new(reader)).project(Some(projection));
                Kind::Parquet(rows.map_err(|error| foreign(error.to_string()))?)
            }
            Format::Csv => {
                let mut reader = csv::Reader::from_reader(text(file)?);
                let header = reader
                    .headers()
                    .map_err(|error| foreign(error.to_string()))?;
                let place = |name: &str| {
                    let found = header.iter().position(|column| column == name);
                    found.ok_or_else(|| foreign(format!("it has no column {name:?}")))
                };
                let places = Places {
                    source: place("source")?,
                    event_type: place("type")?,
                    occurred_at: place("occurred_at")?,
                    payload: place("payload")?,
                };
                Kind::Csv {
                    reader: Box::new(reader),
                    places,
                }
            }
            Format::Jsonl => Kind::Jsonl(BufReader::new(text(file)?)),
        };
        Ok(Self {
            path: path.to_owned(),
            kind,
        })
    }

    /// The next row; `None` at the end of the file.
    pub(super) fn next_row(&mut self) -> Result<Option<Columns>, ReadError> {
        let row = match &mut self.kind {
            Kind::Parquet(rows) => match rows.next() {
                None => Ok(None),
                Some(Err(error)) => Err(error.to_string()),
                Some(Ok(row)) => columns::of_row(&row).map(Some),
            },
            Kind::Csv { reader, places } => csv_row(reader, places),
            Kind::Jsonl(reader) => json_row(reader),
        };
        row.map_err(|detail| ReadError::foreign(&self.path, detail))
    }
}

fn csv_row(reader: &mut csv::Reader<Text>, places: &Places) -> Result<Option<Columns>, String> {
    reader.get_mut().begin_row();
    let mut row = csv::StringRecord::new();
    let is_read = reader
        .read_record(&mut row)
        .map_err(|error| error.to_string())?;
    if !is_read {
        return Ok(None);
    }
    let field = |place: usize| row.get(place).unwrap_or_default().to_owned();
    Ok(Some(Columns {
        source: field(places.source),
        event_type: field(places.event_type),
        occurred_at: time(&field(places.occurred_at))?,
        payload: field(places.payload),
    }))
}

fn json_row(reader: &mut BufReader<Text>) -> Result<Option<Columns>, String> {
    reader.get_mut().begin_row();
    let mut line = Vec::new();
    reader
        .read_until(b'\n', &mut line)
        .map_err(|error| error.to_string())?;
    if line.is_empty() {
        return Ok(None);
    }
    let record: Record = serde_json::from_slice(&line).map_err(|error| error.to_string())?;
    Ok(Some(Columns {
        payload: record.payload.get().to_owned(),
        source: record.source,
        event_type: record.event_type,
        occurred_at: record.occurred_at,
    }))
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    text.parse()
        .map_err(|error| format!("occurred_at is {text:?}: {error}"))
}

/// Reads no more for one row than a row can have: a few bytes of zstd can stand for gigabytes.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R> Limited<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            left: ROW_BYTES_MAX,
        }
    }

    fn begin_row(&mut self) {
        self.left = ROW_BYTES_MAX;
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other(format!(
                "a row has more than {ROW_BYTES_MAX} bytes"
            )));
        }
        let bytes = self.inner.read(buffer)?;
        self.left = self.left.saturating_sub(bytes as u64);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn refusal(format: Format, content: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part-0");
        let content = match format {
            Format::Parquet => content.to_vec(),
            Format::Csv | Format::Jsonl => zstd::encode_all(content, 1).unwrap(),
        };
        File::create(&path).unwrap().write_all(&content).unwrap();
        let read = Rows::open(&path, format).and_then(|mut rows| rows.next_row());
        read.err().unwrap().to_string()
    }

    #[test]
    fn file_that_no_export_wrote_is_refused_with_its_name_and_what_shows_it() {
        for (format, content, expected) in [
            (Format::Parquet, "no parquet at all", "Invalid Parquet"),
            (Format::Csv, "a,b\n1,2\n", "no column \"source\""),
            (
                Format::Csv,
                "source,type,occurred_at,payload\n/s,t,noon,{}\n",
                "occurred_at is \"noon\"",
            ),
            (Format::Jsonl, "{\"a\":1}\n", "missing field"),
        ] {
            let error = refusal(format, content.as_bytes());
            assert!(error.contains("part-0 is no file of an export"), "{error}");
            assert!(error.contains(expected), "{format}: {error}");
        }
    }

    #[test]
    fn row_without_an_end_is_refused_before_it_fills_the_memory() {
        let endless = vec![b'x'; usize::try_from(2 * ROW_BYTES_MAX).unwrap()];
        let error = refusal(Format::Jsonl, &endless);
        assert!(error.contains("a row has more than"), "{error}");
        let header = b"source,type,occurred_at,payload\n".to_vec();
        let error = refusal(Format::Csv, &[header, endless].concat());
        assert!(error.contains("a row has more than"), "{error}");
    }
}
