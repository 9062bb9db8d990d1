//! A whole pipeline on this machine, with traffic, and the console on it.
//!
//! Invariant: one demo at a time; whatever it started and wrote is gone when it ends, however it
//! ends.

mod account;
mod failure;
mod headless;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use devstack::traffic::{Traffic, TrafficOptions};
use devstack::{
    BuildProfile, Endpoints, Functions, Progress, ProgressSender, Stack, StackOptions, Step,
    functions,
};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::Instant;

use self::failure::failed;
use crate::cli::{
    CommandError, DemoArguments, Exit, GlobalArguments, Interrupt, Output, authority,
    check_terminal, listen, open_console,
};
use pipeline::Authority;
use pipeline::environment::{Authorization, Environment, EnvironmentClaim, Folders};

/// Name of the environment that a demo is.
const NAME: &str = "demo";
/// Part of the events that happened long ago.
const LATE_RATIO: f64 = 0.02;
/// Timeout that the stack gives its functions.
const FUNCTION_TIMEOUT_SECS: u64 = 10;
/// Limit of an orderly end; afterwards everything is ended the hard way.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Runs the demo until the console is left, the seconds of a headless run are over, or a signal
/// comes.
pub(crate) async fn run(
    arguments: &DemoArguments,
    global: &GlobalArguments,
    output: Output,
) -> Result<Exit, CommandError> {
    if !arguments.headless && !io::stdout().is_terminal() {
        return Err(CommandError::Usage(
            "the demo opens the console and there is no terminal: add --headless --seconds N"
                .to_owned(),
        ));
    }
    if !arguments.headless {
        check_terminal()?;
    }
    let authority = authority(global)?;
    let mut interrupt = listen()?;
    let mut claim = EnvironmentClaim::take(NAME, &Folders::of_user()?.environments()).await?;
    let stack = tokio::select! {
        stack = start(&claim, output) => stack?,
        () = interrupt.received() => return Err(CommandError::Interrupted),
    };
    let environment = Environment {
        read_only: global.read_only,
        ..describe(stack.endpoints())
    };
    let result = match claim.publish(&environment) {
        Ok(()) => {
            let caller = Caller {
                output,
                authority,
                global,
            };
            play(arguments, environment, &stack, &mut interrupt, caller).await
        }
        Err(error) => Err(error.into()),
    };
    // Nobody should find an environment that is on its way down.
    claim.release();
    stop(stack, output).await;
    result
}

async fn start(claim: &EnvironmentClaim, output: Output) -> Result<Stack, CommandError> {
    let started = Instant::now();
    let (sender, receiver) = mpsc::unbounded_channel();
    let progress = ProgressSender::from(sender);
    let starting = async move {
        let functions = functions(&progress).await?;
        let options = StackOptions {
            progress,
            remove_at_end: vec![claim.path().to_owned()],
            ..StackOptions::new(functions)
        };
        Stack::start(options).await.map_err(failed)
    };
    let (stack, ()) = tokio::join!(starting, report_steps(receiver, output));
    let stack = stack?;
    output.note(&format!(
        "ready after {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    let address = &stack.endpoints().endpoint_url;
    // The emulator knows no secret: its keys are public.
    output.note(&if cfg!(target_os = "linux") {
        format!("only your user and root can reach the queues and the API at {address}")
    } else {
        format!(
            "every user of this machine can reach the queues and the API at {address}, and run programs as \
             you through its functions"
        )
    });
    Ok(stack)
}

/// From a checkout the functions are built, so that they are those of the source at hand; an
/// installed console has them beside itself.
async fn functions(progress: &ProgressSender) -> Result<Functions, CommandError> {
    if functions::checkout().is_some() {
        let profile = if cfg!(debug_assertions) {
            BuildProfile::Debug
        } else {
            BuildProfile::Release
        };
        return functions::build(profile, progress).await.map_err(failed);
    }
    let executable = std::env::current_exe().map_err(|cause| CommandError::File {
        operation: "find this program's folder".to_owned(),
        cause,
    })?;
    let folder = executable
        .parent()
        .ok_or_else(|| CommandError::Failed("this program is in no folder".to_owned()))?;
    Functions::beside(folder).map_err(failed)
}

/// One line for each step that ended, and for the beginning of those that may take minutes.
async fn report_steps(mut news: UnboundedReceiver<Progress>, output: Output) {
    while let Some(progress) = news.recv().await {
        let is_shown = match &progress {
            Progress::Started { step } => matches!(
                step,
                Step::BuildFunctions | Step::InstallPostgres | Step::InstallEmulator
            ),
            Progress::Finished { .. } | Progress::Note { .. } => true,
        };
        if is_shown {
            output.note(&progress.to_string());
        }
    }
}

/// How the command line wants its results, and by whose permission it changes something.
struct Caller<'a> {
    output: Output,
    authority: Authority,
    global: &'a GlobalArguments,
}

async fn play(
    arguments: &DemoArguments,
    environment: Environment,
    stack: &Stack,
    interrupt: &mut Interrupt,
    Caller {
        output,
        authority,
        global,
    }: Caller<'_>,
) -> Result<Exit, CommandError> {
    let options = TrafficOptions {
        rate: arguments.rate,
        fault_ratio: arguments.faults,
        duplicate_ratio: arguments.duplicates,
        late_ratio: LATE_RATIO,
        seed: u64::from(std::process::id()),
        total: None,
        // Only a headless run asks at the end what became of each message.
        remember: arguments.headless,
    };
    let traffic = Traffic::start(stack.endpoints(), options);
    match arguments.seconds {
        Some(seconds) => {
            let duration = Duration::from_secs(seconds);
            let run = headless::run(&environment, stack, traffic, duration, output);
            tokio::select! {
                result = run => result,
                () = interrupt.received() => Err(CommandError::Interrupted),
            }
        }
        None => {
            let failure = async { stack.wait_for_failure().await.to_string() };
            let result = open_console(environment, authority, global, failure).await;
            drop(traffic);
            match (result, stack.failure()) {
                (Ok(Exit::Done), Some(failure)) => Err(failed(failure)),
                (result, _) => result,
            }
        }
    }
}

async fn stop(stack: Stack, output: Output) {
    output.note("stopping the pipeline");
    match tokio::time::timeout(STOP_LIMIT, stack.stop()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => output.note(&format!("stop the pipeline: {error}")),
        Err(_) => output.note("the pipeline did not stop in time and was ended"),
    }
}

fn describe(endpoints: &Endpoints) -> Environment {
    let endpoints = endpoints.clone();
    Environment {
        name: NAME.to_owned(),
        region: endpoints.region,
        endpoint_url: Some(endpoints.endpoint_url),
        topic_arn: endpoints.topic_arn,
        queue_url: endpoints.queue_url,
        dead_letter_queue_url: endpoints.dead_letter_queue_url,
        api_url: Some(endpoints.api_url),
        api_auth: Authorization::None,
        database_auth: Authorization::None,
        database_url: Some(endpoints.database_url),
        database_pauses: false,
        profile: None,
        api_token_command: None,
        database_cluster: None,
        database_instances: None,
        tunnel: None,
        ingest_function: Some(endpoints.ingest_function),
        function_timeout_secs: Some(FUNCTION_TIMEOUT_SECS),
        ingest_memory_mib: None,
        is_production: false,
        read_only: false,
    }
}
