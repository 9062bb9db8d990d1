//! The command line: every action of the console as a command.
//!
//! Invariant: a command prints results on standard output and messages on standard error, and ends with
//! a documented exit code.

mod api;
mod arguments;
mod audit;
mod confirm;
mod dlq;
mod env;
mod exit;
mod interrupt;
mod output;
mod progress;
mod publish;
mod records;
mod redrive;
mod selection;
mod status;
mod table;
mod tidy;
mod walk;
#[cfg(any(test, not(feature = "demo")))]
mod without_demo;

use std::future::{Future, pending};
use std::process::ExitCode;

use clap::CommandFactory as _;
use tokio::runtime::Runtime;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

pub use arguments::{
    ApiCommand, Arguments, AuditArguments, Command, DemoArguments, EnvCommand, GlobalArguments,
    OutputForm, PublishArguments, RecordsCommand, RecordsListArguments,
};
pub use dlq::arguments::{
    DeleteArguments, DlqCommand, DlqRedriveArguments, ExportArguments, PurgeArguments,
    RemovalArguments,
};
pub use exit::{CommandError, Exit};
pub use redrive::arguments::{
    CanarySteps, DraftArguments, NativeCommand, RedriveCommand, RedriveOptions,
    RedrivePlanArguments, RedriveRunArguments,
};
pub use selection::{FilterArguments, SelectionArguments};
pub use tidy::TidyArguments;

pub(crate) use interrupt::Interrupt;
pub(crate) use output::Output;

#[cfg(feature = "demo")]
use crate::demo;
use crate::tui;
use pipeline::audit::AuditLog;
use pipeline::environment::{DemoWatch, Environment, Folders, state_folder};
use pipeline::{Authority, Pipeline, printable_lines};

/// Environment variable that enables the log on standard error, e.g. `opsconsole=debug`.
const LOG_VARIABLE: &str = "OPSCONSOLE_LOG";

/// Runs a command line.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    let output = Output::new(arguments.global.output);
    let exit = dispatch(arguments, output).unwrap_or_else(|error| {
        if !matches!(error, CommandError::OutputClosed) {
            output.note(&printable_lines(&format!("opsconsole: {error}")));
        }
        if let Some(hint) = error.hint() {
            output.note(&printable_lines(&format!("  {hint}")));
        }
        error.exit()
    });
    exit.into()
}

fn dispatch(arguments: Arguments, output: Output) -> Result<Exit, CommandError> {
    let Some(command) = arguments.command else {
        let environment = environment(&arguments.global)?;
        let authority = authority(&arguments.global)?;
        return on_runtime(open_existing(environment, authority));
    };
    match command {
        Command::Completions { shell } => completions(shell, output),
        Command::Audit(asked) => {
            let log = AuditLog::in_folder(&state_folder()?);
            audit::run(
                &log,
                arguments.global.environment.as_deref(),
                &asked,
                output,
            )
        }
        Command::Tidy(asked) => on_runtime(async {
            let mut interrupt = listen()?;
            let reason = arguments.global.reason.clone();
            tidy::run(asked, reason, output, &mut interrupt).await
        }),
        Command::Env(asked) => on_runtime(async {
            let mut interrupt = listen()?;
            let work = env::run(asked, &arguments.global, output);
            unless(&mut interrupt, work).await
        }),
        #[cfg(feature = "demo")]
        Command::Demo(demo) => on_runtime(demo::run(&demo, &arguments.global, output)),
        #[cfg(not(feature = "demo"))]
        Command::Demo(_) => Err(without_demo::answer()),
        Command::Redrive(
            asked @ (RedriveCommand::Show { .. }
            | RedriveCommand::List { .. }
            | RedriveCommand::Report { .. }
            | RedriveCommand::Pause { .. }
            | RedriveCommand::Cancel { .. }),
        ) => on_runtime(redrive::look(
            asked,
            (
                arguments.global.environment.as_deref(),
                arguments.global.config.as_deref(),
            ),
            output,
        )),
        asked @ (Command::Status
        | Command::Publish(_)
        | Command::Dlq(_)
        | Command::Redrive(_)
        | Command::Records(_)
        | Command::Api(_)) => {
            start_log();
            let pipeline = connect(&arguments.global)?;
            on_runtime(answer(asked, &Session { pipeline, output }))
        }
    }
}

/// What every command needs.
#[derive(Clone, Debug)]
struct Session {
    pipeline: Pipeline,
    output: Output,
}

async fn answer(command: Command, session: &Session) -> Result<Exit, CommandError> {
    let mut interrupt = listen()?;
    match command {
        Command::Status => unless(&mut interrupt, status::run(session)).await,
        Command::Records(asked) => unless(&mut interrupt, records::run(session, asked)).await,
        Command::Api(asked) => unless(&mut interrupt, api::run(session, asked)).await,
        // These must finish running work after a signal, so they handle signals themselves.
        Command::Publish(asked) => publish::run(session, &asked, &mut interrupt).await,
        Command::Dlq(asked) => dlq::run(session, asked, &mut interrupt).await,
        Command::Redrive(asked) => redrive::run(session, asked, &mut interrupt).await,
        Command::Completions { .. }
        | Command::Demo(_)
        | Command::Audit(_)
        | Command::Tidy(_)
        | Command::Env(_) => Ok(Exit::Usage),
    }
}

/// Runs the work until it ends or a signal comes.
async fn unless(
    interrupt: &mut Interrupt,
    work: impl Future<Output = Result<Exit, CommandError>>,
) -> Result<Exit, CommandError> {
    tokio::select! {
        result = work => result,
        () = interrupt.received() => Err(CommandError::Interrupted),
    }
}

pub(crate) fn listen() -> Result<Interrupt, CommandError> {
    Interrupt::listen().map_err(|cause| CommandError::File {
        operation: "listen for signals".to_owned(),
        cause,
    })
}

fn environment(global: &GlobalArguments) -> Result<Environment, CommandError> {
    let mut environment =
        Environment::load(global.environment.as_deref(), global.config.as_deref())?;
    environment.read_only |= global.read_only;
    Ok(environment)
}

fn connect(global: &GlobalArguments) -> Result<Pipeline, CommandError> {
    let pipeline = Pipeline::connect(&environment(global)?)?;
    Ok(pipeline.with_authority(authority(global)?))
}

/// The authority for changes, from the options of the command line.
pub(crate) fn authority(global: &GlobalArguments) -> Result<Authority, CommandError> {
    Ok(Authority {
        confirmation: global.confirm.clone(),
        reason: global.reason.clone(),
        log: Some(AuditLog::in_folder(&state_folder()?)),
    })
}

/// Opens the terminal console on an environment.
pub(crate) async fn open_console(
    environment: Environment,
    authority: Authority,
    failure: impl Future<Output = String>,
) -> Result<Exit, CommandError> {
    tui::run(environment, authority, failure)
        .await
        .map(|ended| match ended {
            tui::Ended::Left => Exit::Done,
            tui::Ended::Signalled => Exit::Interrupted,
            tui::Ended::TerminalGone => Exit::Failed,
        })
        .map_err(|report| CommandError::Failed(format!("{report:#}")))
}

/// Opens the console on an environment that this process did not start. Where it is a demo of
/// another terminal, the console shows when that has ended.
async fn open_existing(
    environment: Environment,
    authority: Authority,
) -> Result<Exit, CommandError> {
    let watch = DemoWatch::of(&environment, &Folders::of_user()?.environments());
    let failure = async {
        match watch {
            Some(watch) => watch.end().await.to_string(),
            None => pending().await,
        }
    };
    open_console(environment, authority, failure).await
}

fn on_runtime(
    work: impl Future<Output = Result<Exit, CommandError>>,
) -> Result<Exit, CommandError> {
    let runtime = Runtime::new().map_err(|cause| CommandError::File {
        operation: "start the runtime".to_owned(),
        cause,
    })?;
    let result = runtime.block_on(work);
    // A blocked read of standard input must not delay the exit.
    runtime.shutdown_background();
    result
}

fn completions(shell: clap_complete::Shell, output: Output) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "opsconsole", &mut script);
    output.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

fn start_log() {
    let filter = std::env::var(LOG_VARIABLE)
        .ok()
        .and_then(|text| text.parse::<Targets>().ok());
    if let Some(filter) = filter {
        let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        // A subscriber that is already installed stays.
        let _ = tracing_subscriber::registry()
            .with(layer)
            .with(filter)
            .try_init();
    }
}
