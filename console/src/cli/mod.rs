//! The command line: every action of the console as a command.
//!
//! Invariant: a command prints results on standard output and messages on standard error, and ends with
//! a documented exit code.

mod account;
mod api;
mod arguments;
mod audit;
mod causes;
mod complete;
mod confirm;
mod console;
mod cost;
mod dlq;
mod env;
mod erase;
mod exit;
mod export;
mod fleet;
mod interrupt;
mod lint;
mod logs;
mod man;
mod output;
mod probe;
mod progress;
mod publish;
mod queue;
mod rate;
mod records;
mod redrive;
mod replay;
mod selection;
mod session;
mod sql;
mod status;
mod table;
mod tidy;
mod time;
mod trace;
mod values;
mod walk;
#[cfg(any(test, not(feature = "demo")))]
mod without_demo;

use std::future::Future;
use std::process::ExitCode;

use clap::CommandFactory as _;
use tokio::runtime::Runtime;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

pub use account::arguments::AccountArguments;
pub use arguments::{
    ApiCommand, Arguments, AuditArguments, Command, DemoArguments, EnvCommand, GlobalArguments,
    OutputForm, PublishArguments,
};
pub use complete::answer_completion;
pub use dlq::arguments::{
    DeleteArguments, DlqCommand, DlqRedriveArguments, ExportArguments, PurgeArguments,
    RemovalArguments,
};
pub use erase::arguments::EraseArguments;
pub use exit::{CommandError, Exit};
pub use export::arguments::ExportRecordsArguments;
pub use fleet::arguments::FleetCommand;
pub use lint::arguments::{FailOn, LintArguments};
pub use logs::arguments::LogsArguments;
pub use man::arguments::ManArguments;
pub use probe::arguments::ProbeArguments;
pub use queue::arguments::{PeekArguments, QueueCommand};
pub use records::arguments::{
    Column, Filter, FiltersCommand, RecordsCommand, RecordsListArguments,
};
pub use redrive::arguments::{
    CanarySteps, DraftArguments, NativeCommand, RedriveCommand, RedriveOptions,
    RedrivePlanArguments, RedriveRunArguments,
};
pub use replay::arguments::ReplayArguments;
pub use selection::{FilterArguments, SelectionArguments};
pub use sql::arguments::SqlArguments;
pub use tidy::arguments::TidyArguments;
pub use trace::arguments::TraceArguments;

#[cfg(feature = "demo")]
pub(crate) use console::{check_terminal, open_console};
pub(crate) use interrupt::Interrupt;
pub(crate) use output::Output;
pub(crate) use session::{Session, authority, listen};

#[cfg(feature = "demo")]
use crate::demo;
use console::open_existing;
use pipeline::audit::AuditLog;
use pipeline::environment::{Folders, state_folder};
use pipeline::printable_lines;
use session::{connect, environment, remember};

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
        return on_runtime(open_existing(environment, authority, &arguments.global));
    };
    match command {
        Command::Completions { shell } => {
            output.text(&complete::script(shell)?)?;
            Ok(Exit::Done)
        }
        Command::Man(asked) => man::run(Arguments::command(), &asked, output),
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
        Command::Records(RecordsCommand::Filters(asked)) => {
            records::filters::run(&Folders::of_user()?, asked, output)
        }
        Command::Sql(asked) if asked.history => sql::list(&Folders::of_user()?, output),
        Command::Env(asked) => on_runtime(async {
            let mut interrupt = listen()?;
            let work = env::run(asked, &arguments.global, output);
            unless(&mut interrupt, work).await
        }),
        Command::Fleet(asked) => {
            start_log();
            on_runtime(async {
                let mut interrupt = listen()?;
                let work = fleet::run(asked, &arguments.global, output);
                unless(&mut interrupt, work).await
            })
        }
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
        | Command::Account(_)
        | Command::Cost
        | Command::Lint(_)
        | Command::Logs(_)
        | Command::Trace(_)
        | Command::Publish(_)
        | Command::Probe(_)
        | Command::Queue(_)
        | Command::Dlq(_)
        | Command::Redrive(_)
        | Command::Replay(_)
        | Command::Records(_)
        | Command::Sql(_)
        | Command::Export(_)
        | Command::Erase(_)
        | Command::Api(_)) => {
            start_log();
            let pipeline = connect(&arguments.global)?;
            on_runtime(answer(asked, &Session { pipeline, output }))
        }
    }
}

async fn answer(command: Command, session: &Session) -> Result<Exit, CommandError> {
    let mut interrupt = listen()?;
    match command {
        Command::Status => unless(&mut interrupt, status::run(session)).await,
        Command::Account(asked) => unless(&mut interrupt, account::run(session, &asked)).await,
        Command::Cost => unless(&mut interrupt, cost::run(session)).await,
        Command::Lint(asked) => unless(&mut interrupt, lint::run(session, &asked)).await,
        Command::Records(asked) => unless(&mut interrupt, records::run(session, asked)).await,
        // These must finish running work after a signal, so they handle signals themselves.
        Command::Api(asked) => api::run(session, asked, &mut interrupt).await,
        Command::Logs(asked) => logs::run(session, asked, &mut interrupt).await,
        Command::Trace(asked) => trace::run(session, asked, &mut interrupt).await,
        Command::Sql(asked) => sql::run(session, asked, &mut interrupt).await,
        Command::Export(asked) => export::run(session, asked, &mut interrupt).await,
        Command::Erase(asked) => erase::run(session, asked, &mut interrupt).await,
        Command::Publish(asked) => publish::run(session, &asked, &mut interrupt).await,
        Command::Probe(asked) => probe::run(session, &asked, &mut interrupt).await,
        Command::Queue(asked) => queue::run(session, asked, &mut interrupt).await,
        Command::Dlq(asked) => dlq::run(session, asked, &mut interrupt).await,
        Command::Redrive(asked) => redrive::run(session, asked, &mut interrupt).await,
        Command::Replay(asked) => replay::run(session, asked, &mut interrupt).await,
        Command::Completions { .. }
        | Command::Man(_)
        | Command::Demo(_)
        | Command::Audit(_)
        | Command::Tidy(_)
        | Command::Fleet(_)
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
