//! How far a request is, for the screen that waits for it.
//!
//! Invariant: the newest number is sent, no more often than a person sees; none comes after the
//! answer.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::tui::message::Msg;
use crate::tui::request::RequestId;
use redrive::operations::{OnProgress, Progress};

/// Between two updates of the screen.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Executes work that reports how far it is.
pub(super) async fn with_progress<W: Future>(
    id: RequestId,
    replies: &mpsc::Sender<Msg>,
    work: impl FnOnce(OnProgress) -> W,
) -> W::Output {
    let (sender, progress) = watch::channel(Progress::default());
    let on_progress = Box::new(move |so_far| _ = sender.send_replace(so_far));
    tokio::select! {
        done = work(on_progress) => done,
        never = send(id, progress, replies) => match never {},
    }
}

async fn send(
    id: RequestId,
    mut progress: watch::Receiver<Progress>,
    replies: &mpsc::Sender<Msg>,
) -> Infallible {
    while progress.changed().await.is_ok() {
        let so_far = *progress.borrow_and_update();
        // A full channel only means that the screen is behind; the next one is sent.
        let _ = replies.try_send(Msg::WorkProgress(id, so_far));
        tokio::time::sleep(PROGRESS_EVERY).await;
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn progress_of_work_is_sent_until_it_ends() {
        let (sender, mut replies) = mpsc::channel(4);
        let work = async move |on_progress: OnProgress| {
            on_progress(Progress { done: 3, total: 9 });
            // Ends when the message has come.
            replies.recv().await
        };
        let msg = with_progress(RequestId(7), &sender, work).await;
        assert!(
            matches!(
                msg,
                Some(Msg::WorkProgress(
                    RequestId(7),
                    Progress { done: 3, total: 9 }
                ))
            ),
            "{msg:?}"
        );
    }
}
