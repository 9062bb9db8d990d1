//! The scripts in `.ci`, and tests that need a program which a machine may lack.

use std::future::Future;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use tokio::runtime::Runtime;

/// The emulator's queues alone take a minute, and Terraform's tests five.
const LIMIT: Duration = Duration::from_secs(1_500);

pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A script with nothing of the cargo that runs this test: its own would compile everything again.
pub(crate) fn script(name: &str) -> Command {
    at(&checkout().join(".ci").join(name))
}

/// The same for a copy of a script.
pub(crate) fn at(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_kept = matches!(&*text, "CARGO_HOME" | "CARGO_TARGET_DIR");
        if text.starts_with("CARGO") && !is_kept {
            command.env_remove(&name);
        }
    }
    command
}

/// Puts the programs of a folder before those of the machine.
pub(crate) fn with_program(command: &mut Command, folder: &Path) {
    let machine = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&machine));
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
}

/// What a script writes, where it succeeds.
pub(crate) fn said(command: &mut Command) -> Result<String, Failed> {
    let output = output(command)?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    Err(failure(command, &output))
}

/// Runs a script to its end. One that takes too long is ended, with what it started.
pub(crate) fn output(command: &mut Command) -> Result<Output, Failed> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.process_group(0).spawn()?;
    let group = format!("-{}", child.id());
    let (ended, end) = channel::<()>();
    let watch = std::thread::spawn(move || {
        let is_over = end.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout);
        is_over && {
            let mut kill = Command::new("kill");
            kill.args(["-KILL", "--", &group]).status().is_ok()
        }
    });
    let output = child.wait_with_output();
    drop(ended);
    match watch.join() {
        Ok(false) => Ok(output?),
        Ok(true) | Err(_) => Err(format!("{command:?} was not done in time").into()),
    }
}

/// What a script says on standard error and how it ends, where it must fail.
pub(crate) fn refused(command: &mut Command) -> Result<(i32, String), Failed> {
    let output = output(command)?;
    if output.status.success() {
        return Err(format!("{command:?} succeeded").into());
    }
    let code = output.status.code().unwrap_or(-1);
    Ok((code, String::from_utf8(output.stderr)?))
}

pub(crate) fn failure(command: &Command, output: &Output) -> Failed {
    format!(
        "{command:?} ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    )
    .into()
}

/// A test, ignored where its need is not met.
pub(crate) fn trial<F>(
    name: &'static str,
    need: &Result<(), String>,
    test: impl FnOnce() -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = Result<(), Failed>>,
{
    if let Err(reason) = need {
        eprintln!("SKIPPED {name}: {reason}");
    }
    Trial::test(name, || Runtime::new()?.block_on(test())).with_ignored_flag(need.is_err())
}

/// Whether a program can be run.
pub(crate) fn runs(program: &str, arguments: &[&str]) -> Result<(), String> {
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} ended with {status}")),
        Err(error) => Err(format!("{program} cannot be run: {error}")),
    }
}
