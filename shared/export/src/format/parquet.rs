//! Apache Parquet.
//!
//! Invariant: one call of `append` is one row group, so its size is what the caller buffers.

use std::fs::File;
use std::io;
use std::sync::Arc;

use event::Record;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::zstd_level::ZSTD_LEVEL;

/// The columns of design's `records`. Times are instants in UTC, to the microsecond, as PostgreSQL stores
/// them.
const SCHEMA: &str = "message event {
    required int64 record_id;
    required binary source (UTF8);
    required binary id (UTF8);
    required binary type (UTF8);
    optional binary subject (UTF8);
    required int64 occurred_at (TIMESTAMP(MICROS,true));
    required int64 ingested_at (TIMESTAMP(MICROS,true));
    required binary payload (JSON);
}";

/// Columns whose values hardly repeat: a dictionary would only cost memory.
const DISTINCT: [&str; 5] = ["record_id", "id", "occurred_at", "ingested_at", "payload"];

pub(crate) struct ParquetFile(SerializedFileWriter<File>);

impl ParquetFile {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let schema = parse_message_type(SCHEMA).map_err(io::Error::from)?;
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(io::Error::from)?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(concat!("opsconsole ", env!("CARGO_PKG_VERSION")).to_owned());
        for name in DISTINCT {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
        }
        SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties.build()))
            .map(Self)
            .map_err(io::Error::from)
    }

    pub(crate) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        self.row_group(records).map_err(io::Error::from)
    }

    fn row_group(&mut self, records: &[Record]) -> Result<(), ParquetError> {
        let mut group = self.0.next_row_group()?;
        let numbers = |of: fn(&Record) -> i64| records.iter().map(of).collect::<Vec<_>>();
        let texts = |of: fn(&Record) -> &str| {
            records
                .iter()
                .map(|record| ByteArray::from(of(record)))
                .collect::<Vec<_>>()
        };
        let subjects: Vec<ByteArray> = records
            .iter()
            .filter_map(|record| record.subject.as_deref().map(ByteArray::from))
            .collect();
        let has_subject: Vec<i16> = records
            .iter()
            .map(|record| i16::from(record.subject.is_some()))
            .collect();
        column::<Int64Type>(&mut group, &numbers(|record| record.record_id.0), None)?;
        column::<ByteArrayType>(&mut group, &texts(|record| &record.source), None)?;
        column::<ByteArrayType>(&mut group, &texts(|record| &record.id), None)?;
        column::<ByteArrayType>(&mut group, &texts(|record| &record.event_type), None)?;
        column::<ByteArrayType>(&mut group, &subjects, Some(&has_subject))?;
        let occurred_at = numbers(|record| record.occurred_at.timestamp_micros());
        column::<Int64Type>(&mut group, &occurred_at, None)?;
        let ingested_at = numbers(|record| record.ingested_at.timestamp_micros());
        column::<Int64Type>(&mut group, &ingested_at, None)?;
        column::<ByteArrayType>(&mut group, &texts(|record| record.payload.get()), None)?;
        group.close()?;
        Ok(())
    }

    pub(crate) fn finish(self) -> io::Result<File> {
        self.0.into_inner().map_err(io::Error::from)
    }
}

/// Writes the next column of the schema. `present` has 1 for each row with a value, 0 for one without.
fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General(
            "the schema has no further column".to_owned(),
        ));
    };
    column.typed::<T>().write_batch(values, present, None)?;
    column.close()
}
