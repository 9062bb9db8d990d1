//! Writes an entry to the configuration file from the output of a deployment.
//!
//! Invariant: the file is replaced as a whole, by one that was parsed again successfully, or not at all.
//! Other entries and their comments are unchanged, and only its owner can read it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::configured;
use super::error::EnvironmentError;

/// The result of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Name of the entry.
    pub environment: String,
    /// The configuration file.
    pub path: PathBuf,
    /// How the file was changed.
    pub outcome: ImportOutcome,
}

/// How an import changed the configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportOutcome {
    /// There was no such entry.
    Added,
    /// There was a different one.
    Replaced,
    /// There was an equal one; the file was not written.
    Unchanged,
}

pub(super) fn write(
    name: &str,
    values: &Map<String, Value>,
    path: &Path,
    replace: bool,
) -> Result<Imported, EnvironmentError> {
    // A symbolic link is followed, so that it stays a link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let invalid = |detail: String| EnvironmentError::Invalid {
        path: path.clone(),
        detail,
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(cause) => return Err(failed("read configuration", path, cause)),
    };
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| invalid(error.message().to_owned()))?;
    let outcome = merge(&mut document, name, values, replace).map_err(invalid)?;
    let merged = document.to_string();
    configured::parse(&merged).map_err(invalid)?;
    if outcome != ImportOutcome::Unchanged {
        save(&merged, path)?;
    }
    Ok(Imported {
        environment: name.to_owned(),
        path: path.clone(),
        outcome,
    })
}

/// Puts the entry into the document; null means absent.
fn merge(
    document: &mut DocumentMut,
    name: &str,
    values: &Map<String, Value>,
    replace: bool,
) -> Result<ImportOutcome, String> {
    let mut wanted = Vec::new();
    for (key, found) in values {
        if let Some(found) = item(found).map_err(|kind| format!("{key} is {kind}"))? {
            wanted.push((key.as_str(), found));
        }
    }
    let environments = document
        .entry("environments")
        .or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        })
        .as_table_like_mut()
        .ok_or_else(|| "environments is no table".to_owned())?;
    let is_new = !environments.contains_key(name);
    let entry = environments
        .entry(name)
        .or_insert_with(|| Item::Table(Table::new()))
        .as_table_like_mut()
        .ok_or_else(|| format!("environments.{name} is not a table"))?;
    let differing = differences(entry, &wanted);
    if differing.is_empty() && !is_new {
        return Ok(ImportOutcome::Unchanged);
    }
    if !is_new && !replace {
        return Err(format!(
            "environments.{name} exists and differs in {}; --replace overwrites it, --name NAME \
             writes another one",
            differing.join(", ")
        ));
    }
    for key in &differing {
        match wanted.iter().find(|(name, _)| name == key) {
            Some((_, item)) => drop(entry.insert(key, item.clone())),
            None => drop(entry.remove(key)),
        }
    }
    Ok(if is_new {
        ImportOutcome::Added
    } else {
        ImportOutcome::Replaced
    })
}

/// A value as TOML, `None` for null; the error describes a value that is not allowed.
fn item(found: &Value) -> Result<Option<Item>, &'static str> {
    match found {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(value(*flag))),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Ok(Some(value(whole))),
            None => Err("not a whole number"),
        },
        Value::String(text) => Ok(Some(value(text.as_str()))),
        Value::Array(_) => Err("a list, not a string, a number or a boolean"),
        Value::Object(_) => Err("an object, not a string, a number or a boolean"),
    }
}

/// The keys whose values differ.
fn differences(entry: &dyn TableLike, wanted: &[(&str, Item)]) -> Vec<String> {
    let text = |item: &Item| item.to_string().trim().to_owned();
    let mut keys: Vec<String> = wanted
        .iter()
        .filter(|(key, item)| entry.get(key).map(text) != Some(text(item)))
        .map(|(key, _)| (*key).to_owned())
        .collect();
    let known = |key: &str| wanted.iter().any(|(name, _)| *name == key);
    keys.extend(
        entry
            .iter()
            .map(|(key, _)| key.to_owned())
            .filter(|key| !known(key)),
    );
    keys
}

/// Writes a temporary file, which only its owner can read, and renames it to the path.
fn save(text: &str, path: &Path) -> Result<(), EnvironmentError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    fs::create_dir_all(folder).map_err(|cause| failed("create the folder", folder, cause))?;
    let saved = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        io::Result::Ok(())
    };
    saved().map_err(|cause| failed("write configuration", path, cause))
}

fn failed(operation: &'static str, path: &Path, cause: io::Error) -> EnvironmentError {
    EnvironmentError::File {
        operation,
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BEFORE: &str = "# ours\n[environments.other] # kept\nregion = \"eu-west-1\"\n\
        topic_arn = \"arn:aws:sns:eu-west-1:123456789012:events\"\n\
        queue_url = \"https://sqs.example/1/q\"\n\
        dead_letter_queue_url = \"https://sqs.example/1/d\"\n\
        api_url = \"https://api.example.com\"\n";

    fn entry() -> Map<String, Value> {
        let value = json!({
            "region": "us-east-1",
            "endpoint_url": null,
            "topic_arn": "arn:aws:sns:us-east-1:123456789012:events",
            "queue_url": "https://sqs.example/2/q",
            "dead_letter_queue_url": "https://sqs.example/2/d",
            "api_url": "https://api.example.org",
            "api_auth": "iam",
            "function_timeout_secs": 60,
            "production": true,
        });
        value.as_object().unwrap().clone()
    }

    fn written(folder: &Path) -> String {
        fs::read_to_string(folder.join("config.toml")).unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn new_file_is_readable_only_by_its_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/config.toml");
        let imported = write("pilot", &entry(), &path, false).unwrap();
        assert_eq!(imported.outcome, ImportOutcome::Added);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("[environments.pilot]\n"), "{text}");
        assert!(!text.contains("endpoint_url"), "{text}");
    }

    #[test]
    fn other_entries_and_comments_stay_and_the_same_entry_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, BEFORE).unwrap();
        write("pilot", &entry(), &path, false).unwrap();
        let text = written(folder.path());
        assert!(text.starts_with(BEFORE), "{text}");
        assert_eq!(configured::parse(&text).unwrap().len(), 2);
        let again = write("pilot", &entry(), &path, false).unwrap();
        assert_eq!(again.outcome, ImportOutcome::Unchanged);
        assert_eq!(written(folder.path()), text);
    }

    #[test]
    fn different_entry_is_overwritten_only_with_replace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, BEFORE.replace("other", "pilot")).unwrap();
        let error = write("pilot", &entry(), &path, false)
            .unwrap_err()
            .to_string();
        assert!(error.contains("differs in api_auth, api_url"), "{error}");
        assert!(error.contains("--replace"), "{error}");
        assert_eq!(written(folder.path()), BEFORE.replace("other", "pilot"));
        let imported = write("pilot", &entry(), &path, true).unwrap();
        assert_eq!(imported.outcome, ImportOutcome::Replaced);
        let text = written(folder.path());
        assert!(
            text.starts_with("# ours\n[environments.pilot] # kept\n"),
            "{text}"
        );
        assert!(text.contains("https://api.example.org"), "{text}");
    }

    #[test]
    fn invalid_values_leave_the_file_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, BEFORE).unwrap();
        for (key, value, expected) in [
            ("colour", json!("red"), "unknown field `colour`"),
            ("api_url", json!("api"), "api_url: is not a URL"),
            ("topic_arn", json!(["a"]), "topic_arn is a list"),
            (
                "database_url",
                json!("postgres://a:s3cret@b/c"),
                "PGPASSWORD",
            ),
        ] {
            let mut values = entry();
            values.insert(key.to_owned(), value);
            let error = write("pilot", &values, &path, true)
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
            assert_eq!(written(folder.path()), BEFORE);
        }
    }
}
