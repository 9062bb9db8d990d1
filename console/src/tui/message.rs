//! Everything that can happen: one closed enum.

use crossterm::event::{KeyEvent, MouseEvent};

use super::redrives::Progress;
use super::request::{Reply, RequestId};

#[derive(Debug)]
pub(crate) enum Msg {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    Resize {
        width: u16,
        height: u16,
    },
    Tick,
    /// A request was executed, or was not.
    Reply(Box<Reply>),
    /// The operator's own editor has ended: its text, or why there is none.
    EditorEnded(Result<String, String>),
    /// A part of the pipeline that this program started has ended: what is known of it.
    PipelineFailed(String),
    /// A patch or a deletion got further.
    WorkProgress(RequestId, redrive::operations::Progress),
    /// A redrive got further, or obeyed a control.
    Progress(RequestId, Box<Progress>),
}
