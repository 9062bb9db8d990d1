//! Completions: the script for a shell, and the answers that it asks this program for.
//!
//! Invariant: where the variable is not set, one look at the environment is all that this costs. An answer is words on
//! standard output, or nothing: never a message, whatever is broken, and no service is asked for it. No word becomes
//! more than a word for the shell that inserts it.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_complete::engine::complete;
use clap_complete::env::{Bash, CompleteEnv, Elvish, EnvCompleter, Fish, Shells, Zsh};

use super::arguments::Arguments;
use super::exit::CommandError;
use pipeline::text::shell_word;

/// The scripts set it to the name of their shell. Not the library's `COMPLETE`, which may mean something else to others.
const VARIABLE: &str = "OPSCONSOLE_COMPLETE";
const NAME: &str = "opsconsole";

/// Answers if the script of a shell asks, and returns with what this process then ends.
#[must_use]
pub fn answer_completion() -> Option<ExitCode> {
    let shell = std::env::var_os(VARIABLE)?;
    if shell.is_empty() || shell == "0" {
        return None;
    }
    std::panic::set_hook(Box::new(|_| {}));
    let answered = std::panic::catch_unwind(|| {
        let folder = std::env::current_dir().ok();
        CompleteEnv::with_factory(Arguments::command)
            .var(VARIABLE)
            .completer(program())
            .shells(shells())
            .try_complete(std::env::args_os(), folder.as_deref())
    });
    Some(match answered {
        Ok(Ok(_)) => ExitCode::SUCCESS,
        Ok(Err(_)) | Err(_) => ExitCode::FAILURE,
    })
}

/// The script for a shell, which asks this program for each completion.
pub(super) fn script(shell: Shell) -> Result<String, CommandError> {
    let failed = |cause: &str| CommandError::Failed(format!("completions for {shell}: {cause}"));
    let shells = shells();
    let completer = shells
        .completer(&shell.to_string())
        .ok_or_else(|| failed("there are none"))?;
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, NAME, NAME, &program(), &mut script)
        .map_err(|error| failed(&error.to_string()))?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// What the script calls: the name where that was enough to find this program, else its place.
fn program() -> String {
    let called = std::env::args_os().next();
    let place = std::env::current_exe().ok();
    let called = called.as_deref().unwrap_or(OsStr::new(NAME));
    match (Path::new(called).components().count(), place) {
        (2.., Some(place)) => place.to_string_lossy().into_owned(),
        (_, Some(_) | None) => NAME.to_owned(),
    }
}

/// Not PowerShell: the library's script for it inserts what is offered as it is, and runs what was
/// typed so far.
fn shells() -> Shells<'static> {
    Shells(&[&QuotingBash, &Elvish, &Fish, &Zsh])
}

/// The library's bash, which inserts what is offered as it is: the name of a file too, and whoever made the file chose
/// it. The other shells here quote by themselves.
struct QuotingBash;

impl EnvCompleter for QuotingBash {
    fn name(&self) -> &'static str {
        Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        Bash.is(name)
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn io::Write,
    ) -> io::Result<()> {
        let mut script = Vec::new();
        Bash.write_registration(var, name, bin, completer, &mut script)?;
        // A program that is gone is no reason for a message at each key.
        let words = "-- \"${words[@]}\" \\\n    ) )";
        let quiet = "-- \"${words[@]}\" 2>/dev/null \\\n    ) )";
        let script = String::from_utf8_lossy(&script).replace(words, quiet);
        buf.write_all(script.as_bytes())
    }

    fn write_complete(
        &self,
        cmd: &mut clap::Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn io::Write,
    ) -> io::Result<()> {
        let index = std::env::var("_CLAP_COMPLETE_INDEX").unwrap_or_default();
        let separator = std::env::var("_CLAP_IFS").unwrap_or("\n".to_owned());
        let found = complete(cmd, args, index.parse().unwrap_or(0), current_dir)?;
        let words = found.iter().map(|word| word.get_value().to_string_lossy());
        // Those would be divided, or control the terminal.
        let words = words.filter(|word| !word.contains(char::is_control));
        let words: Vec<String> = words.map(|word| quoted(&word).into_owned()).collect();
        buf.write_all(words.join(&separator).as_bytes())
    }
}

/// A word as bash reads it back. The `~` of a home folder stays one, and what is not typed yet has no quotes.
fn quoted(word: &str) -> Cow<'_, str> {
    match word.strip_prefix("~/") {
        _ if word.is_empty() => Cow::Borrowed(word),
        Some("") => Cow::Borrowed(word),
        Some(rest) => Cow::Owned(format!("~/{}", shell_word(rest))),
        None => shell_word(word),
    }
}

#[cfg(test)]
mod tests {
    use super::super::arguments::SHELLS;
    use super::*;

    #[test]
    fn shells_of_the_command_are_those_that_are_answered() {
        assert_eq!(shells().names().collect::<Vec<_>>(), SHELLS);
    }

    #[test]
    fn word_stays_one_word() {
        for (word, expected) in [
            ("--env=pilot", "--env=pilot"),
            ("plan.json", "plan.json"),
            ("~/plan.json", "~/plan.json"),
            ("~/a b", "~/'a b'"),
            ("$(touch x)", "'$(touch x)'"),
            ("a;b", "'a;b'"),
            ("a!b", "'a!b'"),
            ("{a,b}", "'{a,b}'"),
            ("it's", "'it'\\''s'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
