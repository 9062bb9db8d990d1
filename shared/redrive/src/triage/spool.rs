//! A file of messages that is written while they are received.
//!
//! Invariant: the name appears with the whole content, on the disk, or not at all; nothing that is
//! there already is overwritten, and only this user can read it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use uuid::Uuid;

use super::message_json::WholeMessageJson;
use pipeline::environment::{EnvironmentError, Folders};
use pipeline::model::DeadLetter;
use pipeline::printable_json;

/// A file on its way. Dropped before [`Self::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl Spool {
    /// Begins a file, and its folder where that is missing.
    ///
    /// # Errors
    /// When there is such a file already, or when nothing can be written there.
    pub fn begin(path: &Path) -> io::Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "there is such a file already, and it is never overwritten",
            ));
        }
        let folder = folder(path);
        fs::create_dir_all(folder)?;
        // Made with mode 0600.
        let file = NamedTempFile::new_in(folder)?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
        })
    }

    /// A new path in the state folder, for messages of a queue.
    ///
    /// # Errors
    /// When there is no state folder.
    pub fn path_of_user(queue: &str) -> Result<PathBuf, EnvironmentError> {
        let name = format!("{queue}.{}.jsonl", Uuid::now_v7());
        Ok(Folders::of_user()?.exports().join(name))
    }

    /// Where it is going to be.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds one line.
    ///
    /// # Errors
    /// When it cannot be written; the file must then be dropped.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.write_all(b"\n")
    }

    /// Adds a message as one line of JSON, with nothing that could steer a terminal.
    ///
    /// # Errors
    /// When its body cannot be read, or the line cannot be written; the file must then be dropped.
    pub fn message(&mut self, message: &DeadLetter) -> io::Result<()> {
        let line = WholeMessageJson::of(message).map_err(io::Error::other)?;
        self.line(&printable_json(&serde_json::to_string(&line)?))
    }

    /// Lets the file appear. It is on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written, or when somebody else made such a file meanwhile.
    pub fn finish(self) -> io::Result<()> {
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(&self.path)?;
        File::open(folder(&self.path))?.sync_all()
    }
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("messages.jsonl");
        let mut spool = Spool::begin(&path).unwrap();
        spool.line("{}").unwrap();
        assert!(!path.exists());
        drop(spool);
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 0, "what is given up leaves nothing behind");
        let mut spool = Spool::begin(&path).unwrap();
        spool.line("{}").unwrap();
        spool.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn nothing_is_overwritten_also_if_it_appears_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.jsonl");
        let spool = Spool::begin(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert!(spool.finish().is_err());
        let error = Spool::begin(&path).unwrap_err();
        assert!(error.to_string().contains("never overwritten"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
