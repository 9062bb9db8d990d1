//! The files of an export, in the order of their names, and the rows of one after the other.
//!
//! Invariant: everything in the folder is a file of an export, or its name begins with `_` or `.`; a folder
//! with anything else is refused before a row is read.

use std::fs;
use std::path::{Path, PathBuf};

use event::Record;

use super::error::ReadError;
use super::record::ReadRecord;
use crate::format::{Format, RowError, Rows};

/// Days of ten years, and the files of each: more names are no folder of an export.
const FILES_MAX: usize = 100_000;
/// A page ends with the record that reaches this many bytes.
const PAGE_BYTES_MAX: usize = 2_500_000;

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DataFile {
    /// `occurred_on=2026-11-27/part-00000003.parquet`
    name: String,
    path: PathBuf,
    format: Format,
}

/// The files of a folder, by name.
pub(super) fn folder_files(folder: &Path) -> Result<Vec<DataFile>, ReadError> {
    let mut files = Vec::new();
    for (name, path) in entries(folder)? {
        if !path.is_dir() || !name.starts_with("occurred_on=") {
            let detail = "beside its own files an export has folders like occurred_on=2026-11-27";
            return Err(ReadError::foreign(&path, detail));
        }
        for (part, path) in entries(&path)? {
            let format = Format::ALL
                .into_iter()
                .find(|format| part.ends_with(&format!(".{}", format.extension())));
            let Some(format) = format.filter(|_| part.starts_with("part-")) else {
                let detail =
                    "its name is not like part-00000003 with .parquet, .csv.zst or .jsonl.zst";
                return Err(ReadError::foreign(&path, detail));
            };
            files.push(DataFile {
                name: format!("{name}/{part}"),
                path,
                format,
            });
        }
    }
    if files.is_empty() {
        return Err(ReadError::NoFiles(folder.to_owned()));
    }
    Ok(files)
}

/// What is in a folder, by name; without what readers of data folders leave out.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, ReadError> {
    let failed = ReadError::io(folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(&failed)? {
        let entry = entry.map_err(&failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(['_', '.']) {
            found.push((name, entry.path()));
        }
        if found.len() > FILES_MAX {
            return Err(ReadError::foreign(
                folder,
                format!("it has more than {FILES_MAX} files"),
            ));
        }
    }
    found.sort();
    Ok(found)
}

fn failed(path: &Path) -> impl Fn(RowError) -> ReadError + '_ {
    move |error| match error {
        RowError::Io(cause) => ReadError::io(path)(cause),
        RowError::Foreign(detail) => ReadError::foreign(path, detail),
    }
}

/// Reads files one after the other.
pub(super) struct FileReader {
    left: std::vec::IntoIter<DataFile>,
    open: Option<Open>,
}

/// The file that is being read.
struct Open {
    file: DataFile,
    rows: Rows,
    row: u64,
}

impl FileReader {
    pub(super) fn of(files: Vec<DataFile>) -> Self {
        Self {
            left: files.into_iter(),
            open: None,
        }
    }

    /// The next wanted rows, so many at most; `None` at the end of the last file.
    pub(super) fn page(
        &mut self,
        records_max: usize,
        wants: impl Fn(&Record) -> bool,
    ) -> Result<Option<Vec<ReadRecord>>, ReadError> {
        let (mut page, mut bytes) = (Vec::new(), 0);
        while page.len() < records_max && bytes < PAGE_BYTES_MAX {
            let Some((name, record)) = self.row()? else {
                return Ok(Some(page).filter(|page| !page.is_empty()));
            };
            if wants(&record) {
                bytes += record.payload.get().len();
                page.push(ReadRecord::of_row(name, &record));
            }
        }
        Ok(Some(page))
    }

    fn row(&mut self) -> Result<Option<(String, Record)>, ReadError> {
        loop {
            if let Some(open) = &mut self.open {
                let read = open.rows.next_row();
                if let Some(record) = read.map_err(failed(&open.file.path))? {
                    open.row += 1;
                    return Ok(Some((format!("{}#{}", open.file.name, open.row), record)));
                }
                self.open = None;
            }
            let Some(file) = self.left.next() else {
                return Ok(None);
            };
            self.open = Some(Open {
                rows: Rows::open(&file.path, file.format).map_err(failed(&file.path))?,
                file,
                row: 0,
            });
        }
    }
}
