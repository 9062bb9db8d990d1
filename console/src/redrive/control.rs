//! What the operator may ask of a running redrive.
//!
//! Invariant: a wish takes effect between two batches; a batch that was begun is brought to its
//! end, so that nothing stands between its send and its delete.

use std::sync::Arc;

use tokio::sync::watch;

/// What a redrive shall do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Go on.
    Run,
    /// Wait between two batches. Carries who paused it and why.
    Pause(String),
    /// End after the batches that were begun.
    Cancel,
}

#[derive(Clone, Debug)]
struct Wishes {
    wish: Wish,
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
            wish: Wish::Run,
            rate_per_sec,
        };
        Self {
            wishes: Arc::new(watch::Sender::new(wishes)),
        }
    }

    /// Pauses it.
    pub fn pause(&self, why: impl Into<String>) {
        let why = why.into();
        self.change(|wish| match wish {
            Wish::Run | Wish::Pause(_) => *wish = Wish::Pause(why),
            Wish::Cancel => {}
        });
    }

    /// Lets it go on, also after it paused by itself.
    pub fn resume(&self) {
        self.change(|wish| match wish {
            Wish::Run | Wish::Pause(_) => *wish = Wish::Run,
            Wish::Cancel => {}
        });
    }

    /// Ends it for good.
    pub fn cancel(&self) {
        self.change(|wish| *wish = Wish::Cancel);
    }

    /// Changes the rate, in messages per second; `None` for as fast as SQS takes them.
    pub fn set_rate(&self, rate_per_sec: Option<f64>) {
        self.wishes
            .send_modify(|wishes| wishes.rate_per_sec = rate_per_sec);
    }

    /// The wish now.
    #[must_use]
    pub fn wish(&self) -> Wish {
        self.wishes.borrow().wish.clone()
    }

    /// The rate now.
    #[must_use]
    pub fn rate_per_sec(&self) -> Option<f64> {
        self.wishes.borrow().rate_per_sec
    }

    /// Waits for a wish, such as the pause that a redrive takes by itself.
    pub async fn wait_for(&self, mut is_wanted: impl FnMut(&Wish) -> bool) -> Wish {
        let mut wishes = self.wishes.subscribe();
        match wishes.wait_for(|wishes| is_wanted(&wishes.wish)).await {
            Ok(wishes) => wishes.wish.clone(),
            // The sender cannot be gone while `self` is here.
            Err(_) => Wish::Cancel,
        }
    }

    /// Waits out a pause. Gives whether to go on.
    pub(super) async fn pass(&self) -> bool {
        let wish = self.wait_for(|wish| !matches!(wish, Wish::Pause(_))).await;
        wish == Wish::Run
    }

    /// What wakes whoever waits for a rate that may change meanwhile.
    pub(super) fn changes(&self) -> Changes {
        Changes(self.wishes.subscribe())
    }

    fn change(&self, change: impl FnOnce(&mut Wish)) {
        self.wishes.send_modify(|wishes| change(&mut wishes.wish));
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
        assert_eq!(control.wish(), Wish::Pause("look".to_owned()));
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
