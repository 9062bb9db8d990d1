//! Finds programs by their names.
//!
//! Invariant: nothing is run from the current folder, nor from a folder that every user can write to. A
//! relative entry of `PATH`, and an empty one, means the current folder (POSIX, "Environment Variables"),
//! which may be a checkout of somebody else.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const WRITE_BY_OTHERS: u32 = 0o002;

/// The folders of `PATH` that are searched, in their order.
pub(crate) fn folders() -> Vec<PathBuf> {
    safe_folders(std::env::var_os("PATH").unwrap_or_default())
}

/// `PATH` for programs that start others.
pub(crate) fn variable() -> OsString {
    // They come from such a variable, so none has a separator in its name.
    std::env::join_paths(folders()).unwrap_or_default()
}

/// A program on the `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let mut places = folders().into_iter().map(|folder| folder.join(name));
    places.find(|path| is_program(path))
}

fn safe_folders(path: OsString) -> Vec<PathBuf> {
    let folders = std::env::split_paths(&path);
    folders
        .filter(|folder| folder.is_absolute() && !is_writable_by_others(folder))
        .collect()
}

fn is_writable_by_others(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|folder| folder.permissions().mode() & WRITE_BY_OTHERS != 0)
}

fn is_program(path: &Path) -> bool {
    const EXECUTE: u32 = 0o111;
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & EXECUTE != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn current_folder_and_folders_of_everybody_are_not_searched() {
        let shared = tempfile::tempdir().unwrap();
        let mode = fs::Permissions::from_mode(0o1777);
        fs::set_permissions(shared.path(), mode).unwrap();
        let path = format!(":.:bin:./x:/usr/bin::{}:/bin:", shared.path().display());
        let expected = ["/usr/bin", "/bin"].map(PathBuf::from);
        assert_eq!(safe_folders(path.into()), expected);
    }

    #[test]
    fn program_is_found_and_a_folder_or_a_text_is_none() {
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find("no-such-program"), None);
        assert!(!is_program(Path::new("/etc")));
        assert!(!is_program(Path::new("/etc/passwd")));
    }
}
