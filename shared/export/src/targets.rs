//! Where this machine wrote copies of events outside of the state folder, so that an erasure finds them: targets
//! of exports, and files of messages and plans.
//!
//! Invariant: the list is bounded by the number of different targets. It has their names and no event.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::error::ExportError;
use crate::request::Target;

/// Name of the list in the state folder: a JSON text in each line.
const FILE_NAME: &str = "export-targets.jsonl";

/// Adds a target to the list, if it is not there.
///
/// # Errors
/// When the list cannot be read or written.
pub fn remember_target(state: &Path, target: &Target) -> Result<(), ExportError> {
    let target = target.absolute();
    if remembered_targets(state)?.contains(&target) {
        return Ok(());
    }
    let append = || -> io::Result<()> {
        fs::create_dir_all(state)?;
        let mut options = OpenOptions::new();
        let options = options.append(true).create(true).mode(0o600);
        let mut file = options.open(state.join(FILE_NAME))?;
        let line = format!("{}\n", serde_json::to_string(&target.to_string())?);
        file.write_all(line.as_bytes())?;
        file.sync_data()
    };
    append().map_err(|cause| failed("write", state, cause))
}

/// The targets of the list. A line that is no target is left out.
///
/// # Errors
/// When the list cannot be read.
pub fn remembered_targets(state: &Path) -> Result<Vec<Target>, ExportError> {
    let text = match fs::read_to_string(state.join(FILE_NAME)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("read", state, error)),
    };
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<String>(line).ok());
    Ok(lines.filter_map(|target| target.parse().ok()).collect())
}

fn failed(operation: &'static str, state: &Path, cause: io::Error) -> ExportError {
    ExportError::write(
        operation,
        state.join(FILE_NAME).display().to_string(),
        cause,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_remembered_once_and_by_its_absolute_path() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        assert_eq!(remembered_targets(&state).unwrap(), []);
        let folder = Target::Folder("some folder".into());
        let bucket: Target = "s3://events/a".parse().unwrap();
        for target in [&folder, &bucket, &folder] {
            remember_target(&state, target).unwrap();
        }
        let here = std::env::current_dir().unwrap().join("some folder");
        assert_eq!(
            remembered_targets(&state).unwrap(),
            [Target::Folder(here), bucket]
        );
    }
}
