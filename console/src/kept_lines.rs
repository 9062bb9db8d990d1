//! Small files of this user in the state folder, a JSON value on each line.
//!
//! Invariant: a file is for this user alone, bounded and replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The values of a file; none where there is no file.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] where the content is something else or longer than `bytes_max`.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, bytes_max: u64) -> io::Result<Vec<T>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let invalid = |cause: String| io::Error::new(io::ErrorKind::InvalidData, cause);
    let mut text = String::new();
    file.take(bytes_max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > bytes_max {
        return Err(invalid(format!("longer than {bytes_max} bytes")));
    }
    let values = text.lines().enumerate().map(|(number, line)| {
        serde_json::from_str(line).map_err(|cause| invalid(format!("line {}: {cause}", number + 1)))
    });
    values.collect()
}

/// Puts values in the place of a file.
///
/// # Errors
/// When it cannot be written; the file is as it was then.
pub(crate) fn write(path: &Path, values: &[impl Serialize]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let mut lines = Vec::new();
    for value in values {
        serde_json::to_writer(&mut lines, value)?;
        lines.push(b'\n');
    }
    file.write_all(&lines)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_and_a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = &folder.path().join("state").join("a.jsonl");
        assert_eq!(read::<String>(path, 100).unwrap(), Vec::<String>::new());
        write(path, &["a\nb", "c"]).unwrap();
        assert_eq!(read::<String>(path, 100).unwrap(), ["a\nb", "c"]);
        let too_long = read::<String>(path, 10).unwrap_err();
        assert_eq!(too_long.kind(), io::ErrorKind::InvalidData);
        fs::write(path, "\"a\"\n\"b").unwrap();
        let broken = read::<String>(path, 100).unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::InvalidData);
        assert!(broken.to_string().starts_with("line 2: "), "{broken}");
    }

    #[cfg(unix)]
    #[test]
    fn file_is_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        write(&path, &["a"]).unwrap();
        let metadata = fs::metadata(path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }
}
