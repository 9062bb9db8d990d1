//! The real program, run with folders of its own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A home folder, and the program that knows no other.
pub(crate) struct Program {
    folder: tempfile::TempDir,
}

/// What a run wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn home(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes the configuration to its usual place.
    pub(crate) fn configure(&self, text: &str) -> PathBuf {
        self.write("config/opsconsole/config.toml", text)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        command(self.home(), arguments)
    }

    /// Starts it with its output kept for [`Answer::of_child`].
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(arguments).output().unwrap())
    }

    /// Runs with `--output json`; the answer must be JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let answer = self.run(&[arguments, &["--output", "json"]].concat());
        (answer.code, answer.json())
    }

    /// The same for a run that must succeed.
    pub(crate) fn json_ok(&self, arguments: &[&str]) -> Value {
        let (code, value) = self.json(arguments);
        assert_eq!(code, 0, "{arguments:?}: {value}");
        value
    }

    /// Runs again and again until the answer is the one that is waited for.
    pub(crate) fn json_until(
        &self,
        arguments: &[&str],
        limit: Duration,
        is_right: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + limit;
        loop {
            let value = self.json_ok(arguments);
            if is_right(&value) {
                return value;
            }
            assert!(Instant::now() < deadline, "{arguments:?}: {value}");
        }
    }
}

/// A run of the program that keeps everything in one folder.
pub(crate) fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opsconsole"));
    command
        .args(arguments)
        .current_dir(home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_STATE_HOME", home.join("state"))
        .env("COLUMNS", "100")
        .stdin(Stdio::null());
    for name in [
        "OPSCONSOLE_ENV",
        "OPSCONSOLE_CONFIG",
        "OPSCONSOLE_LOG",
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_ENDPOINT_URL",
    ] {
        command.env_remove(name);
    }
    // There the folders hang on the home folder alone. Elsewhere it stays: the cache folder with
    // the emulator is found by it.
    if cfg!(target_os = "macos") {
        command.env("HOME", home);
    }
    command
}

impl Answer {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Waits for the end of a program.
    pub(crate) fn of_child(child: Child) -> Self {
        Self::of(child.wait_with_output().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
