//! The names of all environments, as completions of a command line need them.
//!
//! Invariant: nothing fails and nothing waits. A broken configuration file still has the names that can be seen in
//! it. Names leave this file, and nothing else of an entry.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use super::folders::Folders;
use super::listed::EnvironmentSource;
use super::running::{RunningEnvironment, each_environment};

/// Largest part of a configuration file that is looked at, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The names for `--env`, sorted, with where each is described. `config_path` is the file that is named instead of the
/// usual one.
#[must_use]
pub fn environment_names(
    config_path: Option<&Path>,
    folders: &Folders,
) -> Vec<(String, EnvironmentSource)> {
    let usual = folders.config_file();
    let text = read(config_path.unwrap_or(&usual)).unwrap_or_default();
    let configured = configured(&text)
        .into_iter()
        .map(|name| (name, EnvironmentSource::ConfigFile));
    let mut names: BTreeMap<String, EnvironmentSource> = configured.collect();
    // With the same name, the running one has priority.
    let running = running(&folders.environments()).into_iter();
    names.extend(running.map(|name| (name, EnvironmentSource::RunningDemo)));
    names.into_iter().collect()
}

/// Only an ordinary file: a pipe would be waited for.
fn read(path: &Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn configured(text: &str) -> Vec<String> {
    let Ok(file) = text.parse::<toml::Table>() else {
        return headers(text);
    };
    match file.get("environments").and_then(toml::Value::as_table) {
        Some(environments) => environments.keys().cloned().collect(),
        None => Vec::new(),
    }
}

/// The names in lines like `[environments.NAME]`.
fn headers(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| {
        let header = line.trim().strip_prefix("[environments.")?;
        let (name, _) = header.split_once(']')?;
        Some(name.trim().trim_matches(['"', '\'']).to_owned())
    });
    names.filter(|name| !name.is_empty()).collect()
}

/// Demos whose process has not ended.
fn running(folder: &Path) -> Vec<String> {
    let environments = each_environment(folder).into_iter().flatten().flatten();
    let names = environments.filter_map(|running| match running {
        RunningEnvironment::Stale { .. } => None,
        RunningEnvironment::Ready { .. }
        | RunningEnvironment::Starting { .. }
        | RunningEnvironment::Unreadable { .. } => Some(running.name().to_owned()),
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        configured(text)
    }

    #[test]
    fn names_are_found_in_every_form_and_in_a_broken_file() {
        let whole = "[environments.pilot]\nregion = \"r\"\n[environments]\nlive.region = \"r\"\n";
        assert_eq!(
            names("[environments.b]\n[environments.\"a\"]\n"),
            ["a", "b"]
        );
        assert_eq!(names("environments.pilot.region = \"r\"\n"), ["pilot"]);
        assert_eq!(names(&format!("{whole}region = ")), ["pilot"]);
        assert_eq!(
            names("[environments.a]\noops\n [environments.'b'] # b\n"),
            ["a", "b"]
        );
        assert_eq!(names("environments = 3"), [""; 0]);
        assert_eq!(names("[environments.]\n["), [""; 0]);
    }

    #[tokio::test]
    async fn running_demo_is_named_and_one_that_ended_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::at(folder.path().join("c"), folder.path().join("s"));
        let claim = super::super::EnvironmentClaim::take("demo", &folders.environments())
            .await
            .unwrap();
        fs::write(folders.environments().join("old.json"), "{}").unwrap();
        let demo = ("demo".to_owned(), EnvironmentSource::RunningDemo);
        assert_eq!(environment_names(None, &folders), [demo]);
        drop(claim);
        assert_eq!(environment_names(None, &folders), []);
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("config.toml");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert_eq!(read(&pipe), None);
    }
}
