//! Values that completions offer: what is known on this machine.
//!
//! Invariant: files of this user are read, nothing else: no service is asked, nothing fails, and no file is read as a
//! whole that can be large. A value is offered only if no shell takes a part of it for something else, because a shell
//! may insert it as it is.

pub(crate) mod seen;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _,
};
use event::FailureCode;
use pipeline::environment::{EnvironmentSource, Folders, environment_names};
use pipeline::model::RETRIES_EXHAUSTED;
use redrive::operations::glance::{self, Glance};
use redrive::operations::history::Status;

use super::table::moment;

/// Most values that are offered at once.
const VALUES_MAX: usize = 100;
/// Newest redrives that are looked at.
const REDRIVES_MAX: usize = 50;

/// A value, and a few words about it.
type Value = (String, String);

/// Names for `--env`.
pub(crate) fn environments() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let names = Folders::of_user()
            .map(|folders| environment_names(configuration().as_deref(), &folders))
            .unwrap_or_default();
        candidates(
            current,
            names.into_iter().map(|(name, source)| match source {
                EnvironmentSource::ConfigFile => (name, "configured".to_owned()),
                EnvironmentSource::RunningDemo => (name, "a running demo".to_owned()),
            }),
        )
    })
}

/// Causes of dead letters.
pub(crate) fn codes() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let codes = FailureCode::ALL.map(FailureCode::as_str).into_iter();
        let codes = codes.map(|code| (code.to_owned(), String::new()));
        let without_reason = (
            RETRIES_EXHAUSTED.to_owned(),
            "no reason is recorded".to_owned(),
        );
        candidates(current, std::iter::once(without_reason).chain(codes))
    })
}

/// Event types that commands have seen.
pub(crate) fn event_types() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let types = seen::types().into_iter();
        candidates(current, types.map(|name| (name, String::new())))
    })
}

/// Which redrives a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redrives {
    /// All.
    All,
    /// Those that a process runs.
    Running,
    /// Those that are not finished.
    Unfinished,
}

/// Ids of redrives.
pub(crate) fn redrives(wanted: Redrives) -> ArgValueCompleter {
    ArgValueCompleter::new(move |current: &OsStr| candidates(current, known(wanted)))
}

/// Ids of saved plans and of redrives, and files.
pub(crate) fn plans() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let folder = Folders::of_user().map(|folders| folders.redrives());
        let saved = folder
            .map(|folder| glance::saved_plans(&folder))
            .unwrap_or_default();
        let saved = saved.into_iter();
        let saved = saved.map(|id| (id.to_string(), "a saved plan".to_owned()));
        let redrives = known(Redrives::All).into_iter();
        let mut found = candidates(current, redrives.chain(saved));
        found.extend(PathCompleter::any().complete(current));
        found
    })
}

fn known(wanted: Redrives) -> Vec<Value> {
    let Ok(folders) = Folders::of_user() else {
        return Vec::new();
    };
    let newest = glance::newest(&folders.redrives(), REDRIVES_MAX);
    newest
        .into_iter()
        .filter(|redrive| is_wanted(redrive, wanted))
        .map(|redrive| (redrive.id.to_string(), about(&redrive)))
        .collect()
}

fn status(redrive: &Glance) -> Status {
    match &redrive.summary {
        _ if redrive.is_running => Status::Running,
        Some(summary) => Status::of_ending(summary.ending, summary.counts.left()),
        None => Status::Interrupted,
    }
}

fn is_wanted(redrive: &Glance, wanted: Redrives) -> bool {
    match wanted {
        Redrives::All => true,
        Redrives::Running => redrive.is_running,
        Redrives::Unfinished => status(redrive) != Status::Finished,
    }
}

/// `finished, 14 messages in pilot, planned 2026-11-24 06:30:00Z`
fn about(redrive: &Glance) -> String {
    let status = status(redrive).as_str();
    match &redrive.summary {
        Some(summary) => format!(
            "{status}, {} messages in {}, planned {}",
            summary.planned,
            summary.environment,
            moment(summary.created_at)
        ),
        None => status.to_owned(),
    }
}

/// What begins with the word at the cursor.
fn candidates(
    current: &OsStr,
    values: impl IntoIterator<Item = Value>,
) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else {
        return Vec::new();
    };
    let mut found: Vec<CompletionCandidate> = Vec::new();
    for (value, about) in values {
        let is_known = found
            .iter()
            .any(|known| known.get_value() == value.as_str());
        if found.len() < VALUES_MAX && is_plain(&value) && value.starts_with(current) && !is_known {
            let order = Some(found.len());
            let about = pipeline::printable(&about);
            let about = (!about.is_empty()).then(|| about.into());
            let candidate = CompletionCandidate::new(value).help(about);
            found.push(candidate.display_order(order));
        }
    }
    found
}

/// Whether every shell takes it as one word and nothing else.
fn is_plain(value: &str) -> bool {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "._-/+@".contains(character);
    !value.is_empty() && !value.starts_with('-') && value.chars().all(is_plain)
}

/// The configuration file that the command line names, or the environment.
fn configuration() -> Option<PathBuf> {
    let words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    let named = named_configuration(words);
    let named = named.or_else(|| std::env::var_os("OPSCONSOLE_CONFIG").map(PathBuf::from))?;
    // The shell has not replaced it yet.
    match (named.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => Some(home.join(rest)),
        (Ok(_) | Err(_), _) => Some(named),
    }
}

fn named_configuration(words: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let mut words = words;
    while let Some(word) = words.next() {
        if word == "--config" {
            return words.next().map(PathBuf::from);
        }
        if let Some(path) = word
            .to_str()
            .and_then(|word| word.strip_prefix("--config="))
        {
            return Some(PathBuf::from(path));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(current: &str, values: &[&str]) -> Vec<String> {
        let values = values
            .iter()
            .map(|value| ((*value).to_owned(), String::new()));
        candidates(OsStr::new(current), values)
            .iter()
            .map(|candidate| candidate.get_value().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn value_that_a_shell_would_take_for_something_else_is_not_offered() {
        let values = [
            "flight.delayed",
            "$(touch x)",
            "a;b",
            "a b",
            "`id`",
            "--yes",
            "a\u{1b}[2J",
            "",
            "com.example/v1",
        ];
        assert_eq!(offered("", &values), ["flight.delayed", "com.example/v1"]);
        assert_eq!(offered("f", &values), ["flight.delayed"]);
        assert_eq!(offered("", &["a", "a"]), ["a"]);
    }

    #[test]
    fn configuration_is_the_one_of_the_command_line() {
        let named = |line: &str| named_configuration(line.split(' ').map(OsString::from));
        assert_eq!(
            named("opsconsole --config a.toml --env"),
            Some("a.toml".into())
        );
        assert_eq!(named("opsconsole --config=b --env"), Some("b".into()));
        assert_eq!(named("opsconsole status"), None);
        assert_eq!(named("opsconsole --config"), None);
    }
}
