//! Event types that commands have seen, for completions.
//!
//! Invariant: the list is bounded, its file is for this user alone and is replaced as a whole, and no command fails for
//! its sake. It has names of types and nothing else of an event.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use pipeline::environment::Folders;

/// Name of the list in the state folder: one type in each line, the one that was new last first.
const FILE_NAME: &str = "event-types";
const TYPES_MAX: usize = 200;
const FILE_BYTES_MAX: u64 = 64 * 1024;
const TYPE_BYTES_MAX: usize = 255;

/// Remembers types; what cannot be written is not remembered.
pub(crate) fn remember<'a>(types: impl IntoIterator<Item = &'a str>) {
    if let Some(state) = state() {
        // It helps to type; no command depends on it.
        let _ = remember_in(&state, types);
    }
}

/// The types that were remembered, the one that was new last first.
pub(super) fn types() -> Vec<String> {
    state().map(|state| types_in(&state)).unwrap_or_default()
}

fn state() -> Option<PathBuf> {
    let folders = Folders::of_user().ok()?;
    Some(folders.state().to_owned())
}

fn remember_in<'a>(state: &Path, types: impl IntoIterator<Item = &'a str>) -> std::io::Result<()> {
    let known = types_in(state);
    let mut new: Vec<String> = Vec::new();
    for name in types {
        let is_line = name.len() <= TYPE_BYTES_MAX && !name.contains(char::is_control);
        let is_known = known.iter().chain(&new).any(|known| known == name);
        if is_line && !name.is_empty() && !is_known && new.len() < TYPES_MAX {
            new.push(name.to_owned());
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    new.extend(known);
    new.truncate(TYPES_MAX);
    fs::create_dir_all(state)?;
    let mut file = tempfile::NamedTempFile::new_in(state)?;
    for name in new {
        writeln!(file, "{name}")?;
    }
    file.persist(state.join(FILE_NAME))?;
    Ok(())
}

fn types_in(state: &Path) -> Vec<String> {
    let mut text = String::new();
    let file = File::open(state.join(FILE_NAME));
    let read = file.and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => text.lines().take(TYPES_MAX).map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_types_come_first_once_each_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let state = &folder.path().join("state");
        assert_eq!(types_in(state), [""; 0]);
        remember_in(state, ["b", "a", "b", "", "x\ny"]).unwrap();
        assert_eq!(types_in(state), ["b", "a"]);
        remember_in(state, ["a", "c"]).unwrap();
        assert_eq!(types_in(state), ["c", "b", "a"]);
        let many: Vec<String> = (0..TYPES_MAX).map(|number| number.to_string()).collect();
        remember_in(state, many.iter().map(String::as_str)).unwrap();
        assert_eq!(types_in(state), many);
    }

    #[cfg(unix)]
    #[test]
    fn list_is_for_this_user_alone_and_is_not_written_where_nothing_is_new() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let folder = tempfile::tempdir().unwrap();
        let metadata = || fs::metadata(folder.path().join(FILE_NAME)).unwrap();
        remember_in(folder.path(), ["a"]).unwrap();
        assert_eq!(metadata().permissions().mode() & 0o777, 0o600);
        let file = metadata().ino();
        remember_in(folder.path(), ["a"]).unwrap();
        assert_eq!(metadata().ino(), file);
        remember_in(folder.path(), ["b"]).unwrap();
        assert_ne!(metadata().ino(), file);
    }
}
