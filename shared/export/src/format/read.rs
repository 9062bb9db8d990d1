//! Reads files of an export back.
//!
//! Invariant: the records come in the order of the file, a limited number at a time; a file that another
//! program wrote is an error and never a part of its records.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use chrono::{DateTime, Utc};
use event::{Record, RecordId};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::value::RawValue;

use super::Format;
use super::text::COLUMNS;

/// Records that are given together.
const BATCH_RECORDS_MAX: usize = 500;
/// Bytes of events that are given together, unless one alone has more.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Gives the records of a file to `take`, in batches, until that returns false.
pub(crate) fn read(
    format: Format,
    path: &Path,
    take: impl FnMut(Vec<Record>) -> bool,
) -> io::Result<()> {
    let file = File::open(path)?;
    let mut batches = Batches {
        records: Vec::new(),
        bytes: 0,
        is_ended: false,
        take,
    };
    match format {
        Format::Parquet => parquet_rows(file, &mut batches)?,
        Format::Csv => csv_rows(file, &mut batches)?,
        Format::Jsonl => json_lines(file, &mut batches)?,
    }
    batches.flush();
    Ok(())
}

struct Batches<F> {
    records: Vec<Record>,
    bytes: usize,
    is_ended: bool,
    take: F,
}

impl<F: FnMut(Vec<Record>) -> bool> Batches<F> {
    /// Returns whether more are wanted.
    fn add(&mut self, record: Record) -> bool {
        self.bytes += record.payload.get().len();
        self.records.push(record);
        if self.records.len() >= BATCH_RECORDS_MAX || self.bytes >= BATCH_BYTES_MAX {
            self.flush();
        }
        !self.is_ended
    }

    fn flush(&mut self) {
        self.bytes = 0;
        let records = std::mem::take(&mut self.records);
        if !records.is_empty() && !self.is_ended {
            self.is_ended = !(self.take)(records);
        }
    }
}

fn parquet_rows<F: FnMut(Vec<Record>) -> bool>(
    file: File,
    batches: &mut Batches<F>,
) -> io::Result<()> {
    let reader = SerializedFileReader::new(file).map_err(io::Error::from)?;
    for row in reader.get_row_iter(None).map_err(io::Error::from)? {
        let record = of_row(&row.map_err(io::Error::from)?)?;
        if !batches.add(record) {
            break;
        }
    }
    Ok(())
}

fn of_row(row: &Row) -> io::Result<Record> {
    let column = |name: &str| {
        let mut columns = row.get_column_iter();
        let found = columns.find(|(column, _)| *column == name);
        found.map(|(_, field)| field).ok_or_else(|| missing(name))
    };
    let number = |name: &str| {
        let (Field::Long(number) | Field::TimestampMicros(number)) = column(name)? else {
            return Err(missing(name));
        };
        Ok(*number)
    };
    let text = |name: &str| {
        let Field::Str(text) = column(name)? else {
            return Err(missing(name));
        };
        Ok(text.clone())
    };
    let time = |name: &str| {
        DateTime::<Utc>::from_timestamp_micros(number(name)?).ok_or_else(|| missing(name))
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
        payload: RawValue::from_string(text("payload")?)?,
    })
}

fn csv_rows<F: FnMut(Vec<Record>) -> bool>(file: File, batches: &mut Batches<F>) -> io::Result<()> {
    let mut rows = csv::Reader::from_reader(zstd::Decoder::new(file)?);
    if rows.headers()?.iter().ne(COLUMNS) {
        return Err(missing("record_id"));
    }
    for row in rows.records() {
        let row = row?;
        let text = |index: usize| {
            let name = COLUMNS.get(index).copied().unwrap_or_default();
            row.get(index).ok_or_else(|| missing(name))
        };
        let time = |index| {
            text(index)?
                .parse::<DateTime<Utc>>()
                .map_err(io::Error::other)
        };
        let record = Record {
            record_id: RecordId(text(0)?.parse().map_err(io::Error::other)?),
            source: text(1)?.to_owned(),
            id: text(2)?.to_owned(),
            event_type: text(3)?.to_owned(),
            subject: Some(text(4)?.to_owned()).filter(|subject| !subject.is_empty()),
            occurred_at: time(5)?,
            ingested_at: time(6)?,
            payload: RawValue::from_string(text(7)?.to_owned())?,
        };
        if !batches.add(record) {
            break;
        }
    }
    Ok(())
}

fn json_lines<F: FnMut(Vec<Record>) -> bool>(
    file: File,
    batches: &mut Batches<F>,
) -> io::Result<()> {
    let lines = BufReader::new(zstd::Decoder::new(file)?).lines();
    for line in lines {
        if !batches.add(serde_json::from_str(&line?)?) {
            break;
        }
    }
    Ok(())
}

fn missing(column: &str) -> io::Error {
    io::Error::other(format!("no column {column:?} as an export writes it"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Encoder;
    use super::*;

    fn record() -> impl Strategy<Value = Record> {
        let texts = ("\\PC{1,9}", "[^\u{0}]{1,9}", prop::option::of("\\PC{1,9}"));
        (
            any::<i64>(),
            texts,
            0_i64..4_000_000_000_000_000,
            0_usize..3_000,
        )
            .prop_map(|(record_id, (source, id, subject), micros, bytes)| {
                let payload = serde_json::json!({"id": id, "data": "\u{e9}\n".repeat(bytes)});
                Record {
                    record_id: RecordId(record_id),
                    source,
                    id,
                    event_type: "a,\"b\"\nc".to_owned(),
                    subject,
                    occurred_at: DateTime::from_timestamp_micros(micros).unwrap(),
                    ingested_at: DateTime::from_timestamp_micros(micros + 7).unwrap(),
                    payload: RawValue::from_string(payload.to_string()).unwrap(),
                }
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn records_come_back_as_they_were_written_in_every_format(
            pieces in prop::collection::vec(prop::collection::vec(record(), 1..400), 1..4),
        ) {
            for format in [Format::Parquet, Format::Csv, Format::Jsonl] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("file");
                let mut encoder = Encoder::create(format, &path).unwrap();
                for piece in &pieces {
                    encoder.append(piece).unwrap();
                }
                encoder.finish().unwrap();
                let mut found = Vec::new();
                let take = |records: Vec<Record>| {
                    assert!(!records.is_empty() && records.len() <= BATCH_RECORDS_MAX);
                    found.extend(records);
                    true
                };
                read(format, &path, take).unwrap();
                prop_assert_eq!(&found, &pieces.concat());
            }
        }
    }

    #[test]
    fn file_of_another_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for format in [Format::Parquet, Format::Csv, Format::Jsonl] {
            let other = zstd::encode_all(&b"a,b\n1,2\n"[..], 3).unwrap();
            for content in [b"PAR1 and no more".to_vec(), other] {
                std::fs::write(&path, content).unwrap();
                assert!(read(format, &path, |_| true).is_err(), "{format}");
            }
        }
    }
}
