//! The rows of one file, by its format.
//!
//! Invariant: a row is whole, or the file is refused; no row of text takes more than [`ROW_BYTES_MAX`] of
//! memory.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use chrono::{DateTime, Utc};
use event::{EVENT_BYTES_MAX, Record, RecordId};
use parquet::file::reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use serde_json::value::RawValue;

use super::Format;
use super::text::COLUMNS;

/// Largest row: an event in JSON that escapes each of its letters, and the columns beside it.
const ROW_BYTES_MAX: u64 = 8 * EVENT_BYTES_MAX as u64;

/// Why a row does not come.
#[derive(Debug)]
pub(crate) enum RowError {
    /// The file cannot be read.
    Io(io::Error),
    /// No export wrote it, and what shows that.
    Foreign(String),
}

impl From<RowError> for io::Error {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Io(error) => error,
            RowError::Foreign(detail) => {
                Self::other(format!("it is no file of an export: {detail}"))
            }
        }
    }
}

/// Reads a file from its first row to its last.
pub(crate) enum Rows {
    Parquet(RowIter<'static>),
    Csv(Box<csv::Reader<Text>>),
    Jsonl(BufReader<Text>),
}

pub(crate) type Text = Limited<zstd::Decoder<'static, BufReader<File>>>;

impl Rows {
    pub(crate) fn open(path: &Path, format: Format) -> Result<Self, RowError> {
        let file = File::open(path).map_err(RowError::Io)?;
        let text = |file| zstd::Decoder::new(file).map(Limited::new);
        Ok(match format {
            Format::Parquet => {
                let reader = SerializedFileReader::new(file).map_err(foreign)?;
                Self::Parquet(RowIter::from_file_into(Box::new(reader)))
            }
            Format::Csv => {
                let mut reader = csv::Reader::from_reader(text(file).map_err(RowError::Io)?);
                let header = reader.headers().map_err(foreign)?;
                if header.iter().ne(COLUMNS) {
                    let columns = COLUMNS.join(",");
                    return Err(foreign(format!("its columns are not {columns}")));
                }
                Self::Csv(Box::new(reader))
            }
            Format::Jsonl => Self::Jsonl(BufReader::new(text(file).map_err(RowError::Io)?)),
        })
    }

    /// The next row; `None` at the end of the file.
    pub(crate) fn next_row(&mut self) -> Result<Option<Record>, RowError> {
        let row = match self {
            Self::Parquet(rows) => match rows.next() {
                None => Ok(None),
                Some(Err(error)) => Err(error.to_string()),
                Some(Ok(row)) => parquet_row(&row).map(Some),
            },
            Self::Csv(reader) => csv_row(reader),
            Self::Jsonl(reader) => json_row(reader),
        };
        row.map_err(RowError::Foreign)
    }
}

fn foreign(error: impl ToString) -> RowError {
    RowError::Foreign(error.to_string())
}

fn parquet_row(row: &Row) -> Result<Record, String> {
    let column = |name: &str| {
        let mut columns = row.get_column_iter();
        let found = columns.find(|(column, _)| *column == name);
        let found = found.map(|(_, field)| field);
        found.ok_or_else(|| format!("it has no column {name:?}"))
    };
    let other_type = |name: &str| format!("its column {name:?} has another type");
    let number = |name: &str| {
        let (Field::Long(number) | Field::TimestampMicros(number)) = column(name)? else {
            return Err(other_type(name));
        };
        Ok(*number)
    };
    let text = |name: &str| {
        let Field::Str(text) = column(name)? else {
            return Err(other_type(name));
        };
        Ok(text.clone())
    };
    let time = |name: &str| {
        let micros = number(name)?;
        DateTime::from_timestamp_micros(micros).ok_or_else(|| format!("{name} is {micros}"))
    };
    Ok(Record {
        record_id: RecordId(number("record_id")?),
        source: text("source")?,
        id: text("id")?,
        event_type: text("type")?,
        subject: if *column("subject")? == Field::Null {
            None
        } else {
            Some(text("subject")?)
        },
        occurred_at: time("occurred_at")?,
        ingested_at: time("ingested_at")?,
        payload: json(text("payload")?)?,
    })
}

fn csv_row(reader: &mut csv::Reader<Text>) -> Result<Option<Record>, String> {
    reader.get_mut().begin_row();
    let mut row = csv::StringRecord::new();
    let is_read = reader.read_record(&mut row);
    if !is_read.map_err(|error| error.to_string())? {
        return Ok(None);
    }
    let text = |name: &str| {
        let place = COLUMNS.iter().position(|column| *column == name);
        let field = place.and_then(|place| row.get(place));
        field.map_or_else(String::new, str::to_owned)
    };
    let time = |name: &str| {
        let text = text(name);
        let time: Result<DateTime<Utc>, _> = text.parse();
        time.map_err(|error| format!("{name} is {text:?}: {error}"))
    };
    let record_id = text("record_id").parse();
    Ok(Some(Record {
        record_id: RecordId(record_id.map_err(|error| format!("record_id: {error}"))?),
        source: text("source"),
        id: text("id"),
        event_type: text("type"),
        subject: Some(text("subject")).filter(|subject| !subject.is_empty()),
        occurred_at: time("occurred_at")?,
        ingested_at: time("ingested_at")?,
        payload: json(text("payload"))?,
    }))
}

fn json_row(reader: &mut BufReader<Text>) -> Result<Option<Record>, String> {
    reader.get_mut().begin_row();
    let mut line = Vec::new();
    reader
        .read_until(b'\n', &mut line)
        .map_err(|error| error.to_string())?;
    if line.is_empty() {
        return Ok(None);
    }
    let record = serde_json::from_slice(&line).map_err(|error| error.to_string())?;
    Ok(Some(record))
}

fn json(text: String) -> Result<Box<RawValue>, String> {
    RawValue::from_string(text).map_err(|error| format!("payload: {error}"))
}

/// Reads no more for one row than a row can have: a few bytes of zstd can stand for gigabytes.
pub(crate) struct Limited<R> {
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
        io::Error::from(read.err().unwrap()).to_string()
    }

    #[test]
    fn file_that_no_export_wrote_is_refused_with_its_name_and_what_shows_it() {
        for (format, content, expected) in [
            (Format::Parquet, "no parquet at all", "Invalid Parquet"),
            (
                Format::Csv,
                "a,b\n1,2\n",
                "its columns are not record_id,source,",
            ),
            (
                Format::Csv,
                "record_id,source,id,type,subject,occurred_at,ingested_at,payload\n\
                 1,/s,a,t,,noon,noon,{}\n",
                "occurred_at is \"noon\"",
            ),
            (Format::Jsonl, "{\"a\":1}\n", "missing field"),
        ] {
            let error = refusal(format, content.as_bytes());
            assert!(error.contains("it is no file of an export"), "{error}");
            assert!(error.contains(expected), "{format}: {error}");
        }
    }

    #[test]
    fn row_without_an_end_is_refused_before_it_fills_the_memory() {
        let endless = vec![b'x'; usize::try_from(2 * ROW_BYTES_MAX).unwrap()];
        let error = refusal(Format::Jsonl, &endless);
        assert!(error.contains("a row has more than"), "{error}");
        let header = format!("{}\n", COLUMNS.join(",")).into_bytes();
        let error = refusal(Format::Csv, &[header, endless].concat());
        assert!(error.contains("a row has more than"), "{error}");
    }
}
