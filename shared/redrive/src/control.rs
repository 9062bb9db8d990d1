//! What the operator may ask of a running redrive, and what it waits for.
//!
//! Invariant: a command takes effect between two batches; a batch that was begun is finished, so
//! that nothing comes between its send and its delete.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::state::Pause;

/// What a redrive does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunCommand {
    /// Continue.
    Run,
    /// Wait between two batches, for this reason.
    Pause(Pause),
    /// End after the running batches.
    Cancel,
}

/// What a redrive waits for while it sends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For messages that others have received, until this time at the latest.
    Messages {
        /// How many of the plan are missing.
        missing: usize,
        /// When it stops waiting.
        until: DateTime<Utc>,
    },
    /// For the proof of events that were sent, until this time at the latest.
    Proof {
        /// When it stops waiting.
        until: DateTime<Utc>,
        /// Whether nothing is sent after it: then it ends, also while it is paused.
        is_last: bool,
    },
}

impl Wait {
    /// When it ends at the latest.
    #[must_use]
    pub const fn until(&self) -> DateTime<Utc> {
        match self {
            Self::Messages { until, .. } | Self::Proof { until, .. } => *until,
        }
    }
}

#[derive(Clone, Debug)]
struct Settings {
    command: RunCommand,
    rate_per_sec: Option<f64>,
    /// Whether the running batches are not waited for.
    is_stopped: bool,
}

/// Controls a running redrive. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    settings: Arc<watch::Sender<Settings>>,
    wait: Arc<watch::Sender<Option<Wait>>>,
}

impl Control {
    /// A control for a redrive that runs at once, at a rate in messages per second, if any.
    #[must_use]
    pub fn new(rate_per_sec: Option<f64>) -> Self {
        let settings = Settings {
            command: RunCommand::Run,
            rate_per_sec,
            is_stopped: false,
        };
        Self {
            settings: Arc::new(watch::Sender::new(settings)),
            wait: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Pauses it between two batches, for a reason. A cancelled redrive stays cancelled.
    pub fn pause(&self, why: Pause) {
        self.change(|command| match command {
            RunCommand::Run | RunCommand::Pause(_) => *command = RunCommand::Pause(why),
            RunCommand::Cancel => {}
        });
    }

    /// Lets it continue, also after it paused by itself.
    pub fn resume(&self) {
        self.change(|command| match command {
            RunCommand::Run | RunCommand::Pause(_) => *command = RunCommand::Run,
            RunCommand::Cancel => {}
        });
    }

    /// Ends it for good.
    pub fn cancel(&self) {
        self.change(|command| *command = RunCommand::Cancel);
    }

    /// Ends it at once: no answer is waited for, and its end is still put on record.
    pub fn stop(&self) {
        self.settings.send_modify(|settings| {
            settings.command = RunCommand::Cancel;
            settings.is_stopped = true;
        });
    }

    /// What it waits for now, if for anything.
    #[must_use]
    pub fn wait(&self) -> Option<Wait> {
        *self.wait.borrow()
    }

    /// Reports what it waits for, now and whenever that changes.
    #[must_use]
    pub fn waits(&self) -> watch::Receiver<Option<Wait>> {
        self.wait.subscribe()
    }

    /// Reports a wait until what it returns is dropped.
    pub(crate) fn show_wait(&self, wait: Wait) -> ShownWait<'_> {
        self.wait.send_replace(Some(wait));
        ShownWait(self)
    }

    /// Waits for [`Self::stop`].
    pub async fn stopped(&self) {
        let mut settings = self.settings.subscribe();
        // The sender cannot be gone while `self` is here.
        let _ = settings.wait_for(|settings| settings.is_stopped).await;
    }

    /// Changes the rate, in messages per second; `None` for as fast as SQS accepts them.
    pub fn set_rate(&self, rate_per_sec: Option<f64>) {
        self.settings
            .send_modify(|settings| settings.rate_per_sec = rate_per_sec);
    }

    /// The command now.
    #[must_use]
    pub fn command(&self) -> RunCommand {
        self.settings.borrow().command.clone()
    }

    /// The rate now.
    #[must_use]
    pub fn rate_per_sec(&self) -> Option<f64> {
        self.settings.borrow().rate_per_sec
    }

    /// Waits for a command, such as a pause that the redrive began by itself.
    pub async fn wait_for(&self, mut is_wanted: impl FnMut(&RunCommand) -> bool) -> RunCommand {
        let mut settings = self.settings.subscribe();
        match settings
            .wait_for(|settings| is_wanted(&settings.command))
            .await
        {
            Ok(settings) => settings.command.clone(),
            // The sender cannot be gone while `self` is here.
            Err(_) => RunCommand::Cancel,
        }
    }

    /// Waits while it is paused. Returns whether to continue.
    pub(crate) async fn pass(&self) -> bool {
        let command = self
            .wait_for(|command| !matches!(command, RunCommand::Pause(_)))
            .await;
        command == RunCommand::Run
    }

    /// Reports every change from now on, to whoever waits for a rate that may change meanwhile.
    pub(crate) fn changes(&self) -> Changes {
        Changes(self.settings.subscribe())
    }

    fn change(&self, change: impl FnOnce(&mut RunCommand)) {
        self.settings
            .send_modify(|settings| change(&mut settings.command));
    }
}

/// A wait that is reported while this lives.
pub(crate) struct ShownWait<'a>(&'a Control);

impl Drop for ShownWait<'_> {
    fn drop(&mut self) {
        self.0.wait.send_replace(None);
    }
}

/// Changes of a control since this was made.
pub(crate) struct Changes(watch::Receiver<Settings>);

impl Changes {
    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        // An error means that the control is gone, and so is its redrive.
        let _ = self.0.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cancelled_stays_cancelled_and_a_pause_ends_with_resume() {
        let control = Control::new(None);
        assert!(control.pass().await);
        let why = Pause::Redrive("look".to_owned());
        control.pause(why.clone());
        assert_eq!(control.command(), RunCommand::Pause(why));
        let waiting = tokio::spawn({
            let control = control.clone();
            async move { control.pass().await }
        });
        control.resume();
        assert!(waiting.await.unwrap());
        control.cancel();
        control.resume();
        control.pause(Pause::Operator);
        assert!(!control.pass().await);
    }
}
