//! Filters of the records that were given a name, with their columns.
//!
//! Invariant: a file that cannot be read is never written over.

use std::io;
use std::path::PathBuf;

use pipeline::environment::Folders;
use serde::{Deserialize, Serialize};

use crate::kept_lines;

/// Filters at most.
const FILTERS_MAX: usize = 100;
const FILE_BYTES_MAX: u64 = 512 * 1024;
/// Longest name, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 40;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedFilter {
    pub(crate) name: String,
    /// As it is typed; empty for all records.
    pub(crate) filter: String,
    /// JSON pointers.
    #[serde(default)]
    pub(crate) columns: Vec<String>,
}

/// Why they cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SavedFiltersError {
    #[error("{operation} {}: {cause}", path.display())]
    File {
        operation: &'static str,
        path: PathBuf,
        cause: io::Error,
    },
    #[error("{} cannot be read ({cause}); correct it or remove it", path.display())]
    Content { path: PathBuf, cause: io::Error },
    #[error("there are {FILTERS_MAX} saved filters, which is the limit; remove one first")]
    Full,
}

/// Checks a name.
pub(crate) fn checked_name(name: &str) -> Result<&str, String> {
    let is_plain = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let length = name.chars().count();
    if length == 0 || length > NAME_CHARS_MAX || !name.chars().all(is_plain) {
        return Err(format!(
            "a name has letters, digits, dots, hyphens and underscores, {NAME_CHARS_MAX} at most"
        ));
    }
    Ok(name)
}

/// The saved filters, by name.
pub(crate) fn read(folders: &Folders) -> Result<Vec<SavedFilter>, SavedFiltersError> {
    let path = folders.record_filters();
    let read = kept_lines::read(&path, FILE_BYTES_MAX);
    let mut filters: Vec<SavedFilter> = read.map_err(|cause| {
        if cause.kind() == io::ErrorKind::InvalidData {
            return SavedFiltersError::Content { path, cause };
        }
        SavedFiltersError::File {
            operation: "read",
            path,
            cause,
        }
    })?;
    filters.truncate(FILTERS_MAX);
    Ok(filters)
}

/// Saves one in the place of that with the same name. Returns them all.
pub(crate) fn save(
    folders: &Folders,
    filter: SavedFilter,
) -> Result<Vec<SavedFilter>, SavedFiltersError> {
    let mut filters = read(folders)?;
    filters.retain(|other| other.name != filter.name);
    if filters.len() >= FILTERS_MAX {
        return Err(SavedFiltersError::Full);
    }
    filters.push(filter);
    filters.sort_by(|one, other| one.name.cmp(&other.name));
    write(folders, &filters)?;
    Ok(filters)
}

/// Removes one. Whether there was one of that name.
pub(crate) fn remove(folders: &Folders, name: &str) -> Result<bool, SavedFiltersError> {
    let mut filters = read(folders)?;
    let before = filters.len();
    filters.retain(|other| other.name != name);
    if filters.len() == before {
        return Ok(false);
    }
    write(folders, &filters)?;
    Ok(true)
}

fn write(folders: &Folders, filters: &[SavedFilter]) -> Result<(), SavedFiltersError> {
    let path = folders.record_filters();
    kept_lines::write(&path, filters).map_err(|cause| SavedFiltersError::File {
        operation: "write",
        path,
        cause,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folders() -> (tempfile::TempDir, Folders) {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::at(folder.path().join("config"), folder.path().join("state"));
        (folder, folders)
    }

    fn filter(name: &str, text: &str) -> SavedFilter {
        SavedFilter {
            name: name.into(),
            filter: text.into(),
            columns: vec!["/data/flight".into()],
        }
    }

    #[test]
    fn saved_filter_is_read_back_and_takes_the_place_of_its_name() {
        let (_folder, folders) = folders();
        let folders = &folders;
        assert_eq!(read(folders).unwrap(), []);
        save(folders, filter("late", "type=a")).unwrap();
        save(folders, filter("bags", "")).unwrap();
        let all = save(folders, filter("late", "type=b -2h")).unwrap();
        assert_eq!(all, [filter("bags", ""), filter("late", "type=b -2h")]);
        assert_eq!(read(folders).unwrap(), all);
        assert!(remove(folders, "bags").unwrap());
        assert!(!remove(folders, "bags").unwrap());
        assert_eq!(read(folders).unwrap(), [filter("late", "type=b -2h")]);
    }

    #[test]
    fn file_that_cannot_be_read_is_not_written_over() {
        let (_folder, folders) = folders();
        let path = folders.record_filters();
        fs::create_dir(folders.state()).unwrap();
        fs::write(&path, "{\"name\":").unwrap();
        let error = save(&folders, filter("a", "")).unwrap_err();
        assert!(
            error.to_string().contains("correct it or remove it"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"name\":");
    }

    #[test]
    fn number_of_filters_is_bounded() {
        let (_folder, folders) = folders();
        for number in 0..FILTERS_MAX {
            save(&folders, filter(&number.to_string(), "")).unwrap();
        }
        let refused = save(&folders, filter("more", ""));
        assert!(matches!(refused, Err(SavedFiltersError::Full)));
        assert!(save(&folders, filter("7", "type=x")).is_ok());
    }

    #[test]
    fn name_is_one_plain_word() {
        assert_eq!(checked_name("late-flights_2.a"), Ok("late-flights_2.a"));
        for name in ["", "a b", "a/b", "@a", "\u{1b}[2J", &"a".repeat(41)] {
            assert!(checked_name(name).is_err(), "{name}");
        }
    }
}
