//! Progress of a starting stack, one line per step.
//!
//! Invariant: a step that fails is never reported as finished.

use std::fmt;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

/// A step of the start; the variants are in the order in which the steps usually end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Compile the functions.
    BuildFunctions,
    /// Install PostgreSQL binaries into the cache folder (only where the machine has none).
    InstallPostgres,
    /// Install the emulator into the cache folder (only the first time).
    InstallEmulator,
    /// Install Python packages for tests and benches into the cache folder (only the first time).
    InstallPackages,
    /// Start the private PostgreSQL.
    StartPostgres,
    /// Start the AWS emulator.
    StartEmulator,
    /// Create topic, queues and subscription.
    CreateQueues,
    /// Create the three functions.
    DeployFunctions,
    /// Run the migrate function.
    MigrateDatabase,
    /// Create the event source mapping from the queue to the ingest function.
    ConnectIngest,
    /// Create the HTTP API and wait for its first answer.
    CreateApi,
}

impl Step {
    /// What takes long the first time, and how long.
    const fn duration_hint(self) -> Option<&'static str> {
        match self {
            Self::BuildFunctions => Some("ingest, api and migrate; a minute the first time"),
            Self::InstallPostgres | Self::InstallEmulator | Self::InstallPackages => {
                Some("once per machine; about a minute, depending on the network")
            }
            Self::StartPostgres
            | Self::StartEmulator
            | Self::CreateQueues
            | Self::DeployFunctions
            | Self::MigrateDatabase
            | Self::ConnectIngest
            | Self::CreateApi => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::BuildFunctions => "build the functions",
            Self::InstallPostgres => "install PostgreSQL into the cache folder",
            Self::InstallEmulator => "install the AWS emulator into the cache folder",
            Self::InstallPackages => "install Python packages into the cache folder",
            Self::StartPostgres => "start PostgreSQL",
            Self::StartEmulator => "start the AWS emulator",
            Self::CreateQueues => "create topic and queues",
            Self::DeployFunctions => "deploy the functions",
            Self::MigrateDatabase => "migrate the database",
            Self::ConnectIngest => "connect the queue to the ingest function",
            Self::CreateApi => "create the HTTP API",
        })
    }
}

/// One line of progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A step began.
    Started {
        /// Which one.
        step: Step,
    },
    /// A step ended without an error.
    Finished {
        /// Which one.
        step: Step,
        /// How long it took.
        elapsed: Duration,
    },
    /// Something happened within a step.
    Note {
        /// Which one.
        step: Step,
        /// What happened.
        text: String,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { step } => match step.duration_hint() {
                Some(hint) => write!(formatter, "{step} … ({hint})"),
                None => write!(formatter, "{step} …"),
            },
            Self::Finished { step, elapsed } => {
                write!(formatter, "{step}: {:.1} s", elapsed.as_secs_f64())
            }
            Self::Note { step, text } => write!(formatter, "{step}: {text}"),
        }
    }
}

/// Sends progress to a channel; the default sends nothing.
#[derive(Clone, Debug, Default)]
pub struct ProgressSender(Option<UnboundedSender<Progress>>);

impl From<UnboundedSender<Progress>> for ProgressSender {
    fn from(sender: UnboundedSender<Progress>) -> Self {
        Self(Some(sender))
    }
}

impl ProgressSender {
    /// Reports the beginning of `step`; the end is reported by [`StepTimer::finish`].
    pub(crate) fn begin(&self, step: Step) -> StepTimer {
        self.send(Progress::Started { step });
        StepTimer {
            sender: self.clone(),
            step,
            started_at: Instant::now(),
        }
    }

    /// A closed channel is not an error.
    fn send(&self, progress: Progress) {
        if let Some(sender) = &self.0 {
            sender.send(progress).ok();
        }
    }
}

/// A step that has begun. If it is dropped without [`Self::finish`], the step failed, and its error is
/// reported elsewhere.
pub(crate) struct StepTimer {
    sender: ProgressSender,
    step: Step,
    started_at: Instant,
}

impl StepTimer {
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.sender.send(Progress::Note {
            step: self.step,
            text: text.into(),
        });
    }

    pub(crate) fn finish(self) {
        self.sender.send(Progress::Finished {
            step: self.step,
            elapsed: self.started_at.elapsed(),
        });
    }
}
