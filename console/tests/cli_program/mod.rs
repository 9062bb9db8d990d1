//! The real program, run with folders of its own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A home folder, and the program that knows no other.
pub(crate) struct Program {
    folder: tempfile::TempDir,
}

/// What a run said and how it ended.
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

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes the configuration to its usual place.
    pub(crate) fn configure(&self, text: &str) {
        self.write("config/opsconsole/config.toml", text);
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let home = self.folder.path();
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

    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(arguments).output().unwrap())
    }

    /// Runs with `--output json`; the answer must be JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let answer = self.run(&[arguments, &["--output", "json"]].concat());
        let value = serde_json::from_str(&answer.stdout)
            .unwrap_or_else(|error| panic!("{error}: {answer:?}"));
        (answer.code, value)
    }
}

impl Answer {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
