//! A plan as a file that can be reviewed, saved and run later.
//!
//! Invariant: a plan file appears with its whole content, for this user alone, and is never
//! overwritten.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::file::Journal;
use super::private_file;
use crate::error::RedriveError;
use crate::limits::PLAN_BYTES_MAX;
use crate::plan::Plan;

/// Writes a plan to a new file.
///
/// # Errors
/// When the file exists already, or when it cannot be written.
pub fn write(path: &Path, plan: &Plan) -> Result<(), RedriveError> {
    let failed = RedriveError::file("write plan", path);
    let bytes = serde_json::to_vec_pretty(plan).map_err(|error| failed(io::Error::other(error)))?;
    if bytes.len() as u64 > PLAN_BYTES_MAX {
        return Err(RedriveError::plan(format!(
            "{} bytes are more than a plan file can have ({PLAN_BYTES_MAX}): plan fewer messages \
             at once",
            bytes.len()
        )));
    }
    private_file::create(path, &bytes).map_err(failed)
}

/// Writes a plan to a folder, under the id of its redrive. Returns the path.
///
/// # Errors
/// As [`write`].
pub fn write_in(folder: &Path, plan: &Plan) -> Result<PathBuf, RedriveError> {
    let path = path_in(folder, plan.id);
    fs::create_dir_all(folder).map_err(RedriveError::file("make folder of plan", &path))?;
    write(&path, plan)?;
    Ok(path)
}

/// Reads a plan; that of a redrive which was begun is also in its journal.
///
/// # Errors
/// When the file cannot be read, is no plan, is of another schema version, or breaks a rule;
/// the error names the file and the fault.
pub fn read(path: &Path) -> Result<Plan, RedriveError> {
    if path.extension().is_some_and(|end| end == "journal") {
        return Ok(Plan::clone(Journal::read(path)?.plan()));
    }
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(PLAN_BYTES_MAX).read_to_string(&mut text))
        .map_err(RedriveError::file("read plan", path))?;
    Plan::parse(&text).map_err(|error| RedriveError::PlanFile {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

/// The file of a plan: a path, or the id of a redrive in a folder. `None` if there is none.
#[must_use]
pub fn find(name: &str, folder: &Path) -> Option<PathBuf> {
    let path = PathBuf::from(name);
    if path.is_file() {
        return Some(path);
    }
    let id = name.parse().ok()?;
    [path_in(folder, id), Journal::path_in(folder, id)]
        .into_iter()
        .find(|path| path.is_file())
}

/// The id of a plan that [`write_in`] wrote.
pub(crate) fn id_of(path: &Path) -> Option<Uuid> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".plan.json")?.parse().ok()
}

fn path_in(folder: &Path, id: Uuid) -> PathBuf {
    folder.join(format!("{id}.plan.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::example;

    #[test]
    fn plan_comes_back_from_its_private_file_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let plan = example(3);
        let path = write_in(&folder.path().join("redrives"), &plan).unwrap();
        assert_eq!(read(&path).unwrap(), plan);
        assert!(write(&path, &plan).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
