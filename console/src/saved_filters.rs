//! Filters of the records that were given a name, with their columns.
//!
//! Invariant: the file is for this user alone, bounded and replaced as a whole; one that cannot be read is never
//! written over.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Name of the file in the state folder.
const FILE_NAME: &str = "record-filters.json";
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
    Content {
        path: PathBuf,
        cause: serde_json::Error,
    },
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
pub(crate) fn read(state: &Path) -> Result<Vec<SavedFilter>, SavedFiltersError> {
    let path = state.join(FILE_NAME);
    let failed = |cause| SavedFiltersError::File {
        operation: "read",
        path: path.clone(),
        cause,
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let content = |cause| SavedFiltersError::Content {
        path: path.clone(),
        cause,
    };
    let mut filters: Vec<SavedFilter> = serde_json::from_str(&text).map_err(content)?;
    filters.truncate(FILTERS_MAX);
    Ok(filters)
}

/// Saves one in the place of that with the same name. Returns them all.
pub(crate) fn save(
    state: &Path,
    filter: SavedFilter,
) -> Result<Vec<SavedFilter>, SavedFiltersError> {
    let mut filters = read(state)?;
    filters.retain(|other| other.name != filter.name);
    if filters.len() >= FILTERS_MAX {
        return Err(SavedFiltersError::Full);
    }
    filters.push(filter);
    filters.sort_by(|one, other| one.name.cmp(&other.name));
    write(state, &filters)?;
    Ok(filters)
}

/// Removes one. Whether there was one of that name.
pub(crate) fn remove(state: &Path, name: &str) -> Result<bool, SavedFiltersError> {
    let mut filters = read(state)?;
    let before = filters.len();
    filters.retain(|other| other.name != name);
    if filters.len() == before {
        return Ok(false);
    }
    write(state, &filters)?;
    Ok(true)
}

fn write(state: &Path, filters: &[SavedFilter]) -> Result<(), SavedFiltersError> {
    let path = state.join(FILE_NAME);
    let write = || -> io::Result<()> {
        fs::create_dir_all(state)?;
        let mut file = tempfile::NamedTempFile::new_in(state)?;
        serde_json::to_writer_pretty(&mut file, filters)?;
        file.write_all(b"\n")?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(|cause| SavedFiltersError::File {
        operation: "write",
        path: path.clone(),
        cause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(name: &str, text: &str) -> SavedFilter {
        SavedFilter {
            name: name.into(),
            filter: text.into(),
            columns: vec!["/data/flight".into()],
        }
    }

    #[test]
    fn saved_filter_is_read_back_and_takes_the_place_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let state = &folder.path().join("state");
        assert_eq!(read(state).unwrap(), []);
        save(state, filter("late", "type=a")).unwrap();
        save(state, filter("bags", "")).unwrap();
        let all = save(state, filter("late", "type=b -2h")).unwrap();
        assert_eq!(all, [filter("bags", ""), filter("late", "type=b -2h")]);
        assert_eq!(read(state).unwrap(), all);
        assert!(remove(state, "bags").unwrap());
        assert!(!remove(state, "bags").unwrap());
        assert_eq!(read(state).unwrap(), [filter("late", "type=b -2h")]);
    }

    #[test]
    fn file_that_cannot_be_read_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, "[{\"name\":").unwrap();
        let error = save(folder.path(), filter("a", "")).unwrap_err();
        assert!(
            error.to_string().contains("correct it or remove it"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "[{\"name\":");
    }

    #[test]
    fn number_of_filters_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..FILTERS_MAX {
            save(folder.path(), filter(&number.to_string(), "")).unwrap();
        }
        let refused = save(folder.path(), filter("more", ""));
        assert!(matches!(refused, Err(SavedFiltersError::Full)));
        assert!(save(folder.path(), filter("7", "type=x")).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn file_is_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), filter("a", "")).unwrap();
        let metadata = fs::metadata(folder.path().join(FILE_NAME)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn name_is_one_plain_word() {
        assert_eq!(checked_name("late-flights_2.a"), Ok("late-flights_2.a"));
        for name in ["", "a b", "a/b", "@a", "\u{1b}[2J", &"a".repeat(41)] {
            assert!(checked_name(name).is_err(), "{name}");
        }
    }
}
