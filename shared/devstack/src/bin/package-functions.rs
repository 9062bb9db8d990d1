//! `cargo package-functions`: compiles the functions for AWS Lambda and writes the zip files that
//! Terraform deploys.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use devstack::packages::{self, Runtime};
use devstack::{Architecture, BuildProfile, DevstackError, Progress, ProgressSender, functions};
use tokio::sync::mpsc;

/// Folder in the checkout, where the environments of Terraform expect the files.
const FOLDER: &str = "target/functions";

/// Compile the functions for AWS Lambda and write ingest.zip, api.zip and migrate.zip
#[derive(Debug, Parser)]
#[command(name = "package-functions")]
struct Arguments {
    /// Architecture to compile for; Terraform's variable `architecture` must have the same value
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Target::Arm64)]
    architecture: Target,
    /// Compile quickly for an emulator on this machine instead: nothing is optimised, and AWS may refuse it
    #[arg(long)]
    for_emulator: bool,
    /// Folder of the zip files; default: target/functions in the checkout
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    Arm64,
    #[value(name = "x86_64")]
    X86_64,
}

impl From<Target> for Architecture {
    fn from(target: Target) -> Self {
        match target {
            Target::Arm64 => Self::Arm64,
            Target::X86_64 => Self::X86_64,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("package-functions: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), DevstackError> {
    let architecture = arguments.architecture.into();
    let folder = arguments
        .folder
        .unwrap_or_else(|| functions::checkout().unwrap_or_default().join(FOLDER));
    let (sender, mut receiver) = mpsc::unbounded_channel::<Progress>();
    let printer = tokio::spawn(async move {
        while let Some(progress) = receiver.recv().await {
            eprintln!("{progress}");
        }
    });
    let progress = ProgressSender::from(sender);
    let (runtime, built) = if arguments.for_emulator {
        let built = functions::build(BuildProfile::Debug, &progress).await;
        (Runtime::Emulator, built)
    } else {
        let built = functions::build_for_lambda(architecture, &progress).await;
        (Runtime::Lambda(architecture), built)
    };
    drop(progress);
    // The sender is dropped by now, so the channel is closed.
    printer.await.ok();
    for package in packages::write(&built?, runtime, &folder)? {
        println!("{}  {}", package.sha256, package.path.display());
    }
    eprintln!("deploy them with Terraform's variable architecture = \"{architecture}\"");
    Ok(())
}
