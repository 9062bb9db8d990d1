//! Builds and finds the binaries of the three functions.
//!
//! Invariant: a [`Functions`] contains paths of three files that exist.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::mpsc;

use crate::DevstackError;
use crate::architecture::Architecture;
use crate::guardian::{Guardian, Program, last_lines};
use crate::progress::{ProgressSender, Step, StepTimer};
use crate::search_path;

/// A first build compiles some 400 crates, which takes long on slow machines.
const BUILD_LIMIT: Duration = Duration::from_secs(3_600);
/// Cargo ends at once after its last message.
const EXIT_LIMIT: Duration = Duration::from_secs(30);
/// Compiled crates between two progress notes.
const CRATES_PER_NOTE: usize = 10;
/// Variables that cargo sets for its children. If a nested cargo inherited them, build scripts that
/// depend on them would run again each time.
const HIDDEN_VARIABLES: [&str; 6] = [
    "CARGO_BIN_*",
    "CARGO_CFG_*",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_*",
    "CARGO_PKG_*",
    "CARGO_PRIMARY_PACKAGE",
];

/// Selected by binary and not by package: cargo then unifies features over the whole workspace. The alias
/// `cargo demo` builds the console in the same way, so the second build reuses what the first compiled.
const BINARIES: [&str; 6] = ["--bin", "ingest", "--bin", "api", "--bin", "migrate"];

/// How the functions are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildProfile {
    /// Quick to build: for tests.
    Debug,
    /// Quick to run: for the demo and for measurements.
    Release,
}

/// The binaries of the functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Functions {
    /// Stores queue messages as records.
    pub ingest: PathBuf,
    /// Serves records over HTTP.
    pub api: PathBuf,
    /// Keeps schema and partitions.
    pub migrate: PathBuf,
}

impl Functions {
    /// The binaries in `folder`, e.g. the folder of an installed console.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn beside(folder: &Path) -> Result<Self, DevstackError> {
        let binary = |name: &str| {
            let path = folder.join(name);
            if path.is_file() {
                Ok(path)
            } else {
                Err(DevstackError::Missing {
                    program: "a function's binary",
                    advice: format!(
                        "{} does not exist; install ingest, api and migrate beside the console or \
                         run from a checkout",
                        path.display()
                    ),
                })
            }
        };
        Ok(Self {
            ingest: binary("ingest")?,
            api: binary("api")?,
            migrate: binary("migrate")?,
        })
    }
}

/// The checkout from which this program was compiled, else the current folder if it is a checkout.
#[must_use]
pub fn checkout() -> Option<PathBuf> {
    let compiled_from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map(Path::to_owned);
    compiled_from
        .into_iter()
        .chain(std::env::current_dir().ok())
        .find(|folder| folder.join("lambdas/ingest/Cargo.toml").is_file())
}

/// Compiles the functions in the checkout, for this machine.
///
/// # Errors
/// When there is no checkout or no cargo, or the code does not compile; the error quotes the compiler.
pub async fn build(
    profile: BuildProfile,
    progress: &ProgressSender,
) -> Result<Functions, DevstackError> {
    let arguments: &[&str] = match profile {
        BuildProfile::Debug => &["build"],
        BuildProfile::Release => &["build", "--release"],
    };
    run_cargo(arguments, progress).await
}

/// Compiles the functions in the checkout as they are deployed. `cargo zigbuild` links against the C
/// library of the Lambda runtime; without it, this machine's is used, if its architecture is right.
///
/// # Errors
/// Like [`build`], and when this machine cannot compile for that architecture.
pub async fn build_for_lambda(
    architecture: Architecture,
    progress: &ProgressSender,
) -> Result<Functions, DevstackError> {
    let target = architecture.linked_target();
    let shipping = ["--profile", "shipping"];
    if has_zigbuild() {
        let arguments = ["zigbuild", "--target", &target];
        return run_cargo(&[arguments.as_slice(), &shipping].concat(), progress).await;
    }
    if Architecture::of_this_machine() != Some(architecture) {
        let triple = architecture.target();
        return Err(DevstackError::Missing {
            program: "cargo zigbuild",
            advice: format!(
                "this machine needs it to compile for {architecture}: pip install cargo-zigbuild \
                 ziglang, then rustup target add {triple}; or package for another --architecture"
            ),
        });
    }
    run_cargo(&[["build"].as_slice(), &shipping].concat(), progress).await
}

fn has_zigbuild() -> bool {
    Command::new(cargo())
        .args(["zigbuild", "--help"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn cargo() -> OsString {
    std::env::var_os("CARGO")
        .or_else(|| search_path::find("cargo").map(OsString::from))
        .unwrap_or_else(|| "cargo".into())
}

/// Runs a compiling cargo command for the three binaries.
async fn run_cargo(
    arguments: &[&str],
    progress: &ProgressSender,
) -> Result<Functions, DevstackError> {
    let operation = "compile the functions";
    let checkout = checkout().ok_or_else(|| DevstackError::Missing {
        program: "the source code of the functions",
        advice: "run this from a checkout".to_owned(),
    })?;
    let timer = progress.begin(Step::BuildFunctions);
    let guardian = Guardian::start(&std::env::temp_dir(), "build")?;
    let mut program = Program::new(PathBuf::from(cargo()), &guardian, "cargo.log")
        .arguments(arguments.iter().copied())
        .arguments(["--message-format=json-render-diagnostics"])
        .arguments(BINARIES);
    program.current_dir = checkout;
    program.hidden_variables = &HIDDEN_VARIABLES;
    program.is_output_piped = true;
    let (group, output) = guardian.spawn(&program)?;
    let timed_out = || DevstackError::Timeout {
        operation: operation.to_owned(),
        limit: BUILD_LIMIT,
        detail: last_lines(&program.log),
    };
    let executables = watch_build(read_artifacts(output), &timer);
    let mut found = tokio::time::timeout(BUILD_LIMIT, executables)
        .await
        .map_err(|_| timed_out())?;
    let status = guardian.wait(group, EXIT_LIMIT).await;
    if !status.ok_or_else(timed_out)?.success() {
        return Err(DevstackError::Failed {
            operation: operation.to_owned(),
            detail: last_lines(&program.log),
        });
    }
    let mut binary = |name: &str| {
        let position = found.iter().position(|(target, _)| target == name);
        position
            .map(|position| found.swap_remove(position).1)
            .ok_or_else(|| DevstackError::Failed {
                operation: operation.to_owned(),
                detail: format!("cargo produced no binary {name:?}"),
            })
    };
    let functions = Functions {
        ingest: binary("ingest")?,
        api: binary("api")?,
        migrate: binary("migrate")?,
    };
    timer.finish();
    Ok(functions)
}

/// Reports progress until cargo's output ends; returns the executables by name.
async fn watch_build(
    mut artifacts: mpsc::UnboundedReceiver<Artifact>,
    timer: &StepTimer,
) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut compiled = 0;
    while let Some(artifact) = artifacts.recv().await {
        if !artifact.fresh {
            compiled += 1;
            if compiled % CRATES_PER_NOTE == 0 {
                timer.note(format!(
                    "{compiled} crates compiled ({})",
                    artifact.target.name
                ));
            }
        }
        if let Some(executable) = artifact.executable {
            found.push((artifact.target.name, executable));
        }
    }
    found
}

/// The used fields of cargo's JSON messages (cargo book, "External tools").
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    fresh: bool,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Reads cargo's output on a separate thread, which ends with the output.
fn read_artifacts(output: Option<ChildStdout>) -> mpsc::UnboundedReceiver<Artifact> {
    let (sender, receiver) = mpsc::unbounded_channel();
    if let Some(output) = output {
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Ok(artifact) = serde_json::from_str(&line)
                    && sender.send(artifact).is_err()
                {
                    break;
                }
            }
        });
    }
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_binary_is_named() {
        let error = Functions::beside(Path::new("/no/such/folder")).unwrap_err();
        assert!(
            error.to_string().contains("/no/such/folder/ingest"),
            "{error}"
        );
    }

    #[test]
    fn checkout_is_found_from_the_sources() {
        assert!(checkout().unwrap().join("Cargo.toml").is_file());
    }
}
