//! Files of an export in batches.
//!
//! Invariant: the records come in the order of the file, a limited number at a time; a file that another
//! program wrote is an error and never a part of its records.

use std::io;
use std::path::Path;

use event::Record;

use super::{Format, Rows};

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
    let mut rows = Rows::open(path, format)?;
    let mut batches = Batches {
        records: Vec::new(),
        bytes: 0,
        is_ended: false,
        take,
    };
    while let Some(record) = rows.next_row()? {
        if !batches.add(record) {
            break;
        }
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use event::RecordId;
    use proptest::prelude::*;
    use serde_json::value::RawValue;

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
