//! What the operator may ask of a running redrive.
//!
//! Invariant: a command takes effect between two batches; a batch that was begun is brought to its
//! end, so that nothing stands between its send and its delete.

use std::sync::Arc;

use tokio::sync::watch;

/// What a redrive shall do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunCommand {
    /// Go on.
    Run,
    /// Wait between two batches. Carries who paused it and why.
    Pause(String),
    /// End after the batches that were begun.
    Cancel,
}

#[derive(Clone, Debug)]
struct Wishes {
    command: RunCommand,
    rate_per_sec: Option<f64>,
}

/// The handle by which a redrive is steered. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    wishes: Arc<watch::Sender<Wishes>>,
}

impl Control {
    /// A control for a redrive that goes on at once, at a rate in messages per second, if any.
    #[must_use]
    pub fn new(rate_per_sec: Option<f64>) -> Self {
        let wishes = Wishes {
            command: RunCommand::Run,
            rate_per_sec,
        };
        Self {
            wishes: Arc::new(watch::Sender::new(wishes)),
        }
    }

    /// Pauses it.
    pub fn pause(&self, why: impl Into<String>) {
        let why = why.into();
        self.change(|command| match command {
            RunCommand::Run | RunCommand::Pause(_) => *command = RunCommand::Pause(why),
            RunCommand::Cancel => {}
        });
    }

    /// Lets it go on, also after it paused by itself.
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

    /// Changes the rate, in messages per second; `None` for as fast as SQS takes them.
    pub fn set_rate(&self, rate_per_sec: Option<f64>) {
        self.wishes
            .send_modify(|wishes| wishes.rate_per_sec = rate_per_sec);
    }

    /// The command now.
    #[must_use]
    pub fn command(&self) -> RunCommand {
        self.wishes.borrow().command.clone()
    }

    /// The rate now.
    #[must_use]
    pub fn rate_per_sec(&self) -> Option<f64> {
        self.wishes.borrow().rate_per_sec
    }

    /// Waits for a command, such as the pause that a redrive takes by itself.
    pub async fn wait_for(&self, mut is_wanted: impl FnMut(&RunCommand) -> bool) -> RunCommand {
        let mut wishes = self.wishes.subscribe();
        match wishes.wait_for(|wishes| is_wanted(&wishes.command)).await {
            Ok(wishes) => wishes.command.clone(),
            // The sender cannot be gone while `self` is here.
            Err(_) => RunCommand::Cancel,
        }
    }

    /// Waits out a pause. Gives whether to go on.
    pub(super) async fn pass(&self) -> bool {
        let command = self
            .wait_for(|command| !matches!(command, RunCommand::Pause(_)))
            .await;
        command == RunCommand::Run
    }

    /// What wakes whoever waits for a rate that may change meanwhile.
    pub(super) fn changes(&self) -> Changes {
        Changes(self.wishes.subscribe())
    }

    fn change(&self, change: impl FnOnce(&mut RunCommand)) {
        self.wishes
            .send_modify(|wishes| change(&mut wishes.command));
    }
}

/// Changes of a control since it was asked for.
pub(super) struct Changes(watch::Receiver<Wishes>);

impl Changes {
    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        // The control lives as long as its redrive.
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
