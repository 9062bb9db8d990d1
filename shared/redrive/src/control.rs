//! What the operator may ask of a running redrive.
//!
//! Invariant: a command takes effect between two batches; a batch that was begun is finished, so
//! that nothing comes between its send and its delete.

use std::sync::Arc;

use tokio::sync::watch;

/// What a redrive does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunCommand {
    /// Continue.
    Run,
    /// Wait between two batches, for this reason.
    Pause(String),
    /// End after the running batches.
    Cancel,
}

#[derive(Clone, Debug)]
struct Settings {
    command: RunCommand,
    rate_per_sec: Option<f64>,
}

/// Controls a running redrive. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    settings: Arc<watch::Sender<Settings>>,
}

impl Control {
    /// A control for a redrive that runs at once, at a rate in messages per second, if any.
    #[must_use]
    pub fn new(rate_per_sec: Option<f64>) -> Self {
        let settings = Settings {
            command: RunCommand::Run,
            rate_per_sec,
        };
        Self {
            settings: Arc::new(watch::Sender::new(settings)),
        }
    }

    /// Pauses it between two batches, for a reason. A cancelled redrive stays cancelled.
    pub fn pause(&self, why: impl Into<String>) {
        let why = why.into();
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
        control.pause("look");
        assert_eq!(control.command(), RunCommand::Pause("look".to_owned()));
        let waiting = tokio::spawn({
            let control = control.clone();
            async move { control.pass().await }
        });
        control.resume();
        assert!(waiting.await.unwrap());
        control.cancel();
        control.resume();
        control.pause("too late");
        assert!(!control.pass().await);
    }
}
