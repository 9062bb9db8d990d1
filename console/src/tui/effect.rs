//! What `update` wants done outside the model: one closed enum.

use super::request::{Request, RequestId};

#[derive(Debug)]
pub(crate) enum Effect {
    /// Execute a request; its answer comes as a message.
    Request(Request),
    /// Control the redrive that this request runs. Its progress shows the result.
    Control(RequestId, RunControl),
    /// Cancel the question in SQL of this request. Its answer shows the result.
    CancelSql(RequestId),
    /// Cancel the call to the API of this request. Nobody waits for its answer.
    CancelCall(RequestId),
    /// Lend the terminal to the operator's own editor with this text.
    OpenEditor(String),
    /// Put a text into the clipboard of the terminal (OSC 52).
    Copy(String),
    /// Leave the console.
    Quit,
}

/// A change to a running redrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RunControl {
    /// Wait between two batches.
    Pause,
    /// Continue, also after it paused by itself.
    Continue,
    /// End after the batches that were begun.
    Cancel,
    /// Messages per second at most; `None` for as fast as SQS accepts them.
    Rate(Option<f64>),
}
