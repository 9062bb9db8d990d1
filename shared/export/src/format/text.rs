//! CSV and JSON lines.
//!
//! Invariant: each piece is one whole zstd frame; frames one after the other are a valid file (RFC 8878,
//! 3.1).

use std::fs::File;
use std::io::{self, Write as _};

use chrono::SecondsFormat;
use event::Record;

use super::zstd_level::ZSTD_LEVEL;

pub(super) const COLUMNS: [&str; 8] = [
    "record_id",
    "source",
    "id",
    "type",
    "subject",
    "occurred_at",
    "ingested_at",
    "payload",
];

pub(crate) struct TextFile {
    file: File,
    lines: Lines,
}

#[derive(Clone, Copy)]
enum Lines {
    Csv { has_header: bool },
    Json,
}

impl TextFile {
    pub(crate) fn csv(file: File) -> Self {
        let lines = Lines::Csv { has_header: false };
        Self { file, lines }
    }

    pub(crate) fn json_lines(file: File) -> Self {
        let lines = Lines::Json;
        Self { file, lines }
    }

    pub(crate) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        let mut frame = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
        match &mut self.lines {
            Lines::Json => {
                for record in records {
                    serde_json::to_writer(&mut frame, record)?;
                    frame.write_all(b"\n")?;
                }
            }
            Lines::Csv { has_header } => {
                let mut rows = csv::Writer::from_writer(&mut frame);
                if !*has_header {
                    rows.write_record(COLUMNS)?;
                    *has_header = true;
                }
                for record in records {
                    rows.write_record([
                        &record.record_id.to_string(),
                        &record.source,
                        &record.id,
                        &record.event_type,
                        record.subject.as_deref().unwrap_or_default(),
                        &record
                            .occurred_at
                            .to_rfc3339_opts(SecondsFormat::Micros, true),
                        &record
                            .ingested_at
                            .to_rfc3339_opts(SecondsFormat::Micros, true),
                        record.payload.get(),
                    ])?;
                }
                rows.flush()?;
            }
        }
        self.file.write_all(&frame.finish()?)
    }

    pub(crate) fn finish(self) -> File {
        self.file
    }
}
