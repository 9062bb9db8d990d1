//! Why the frames of a journal cannot be read.

use std::path::Path;

use super::frame::FrameError;
use crate::error::RedriveError;

/// The error of a journal at a path.
pub(super) fn unread(path: &Path) -> impl Fn(FrameError) -> RedriveError + '_ {
    move |error| match error {
        FrameError::Io(cause) => RedriveError::file("read journal", path)(cause),
        FrameError::Damaged { offset, detail } => RedriveError::Damaged {
            path: path.to_owned(),
            offset,
            detail,
        },
        FrameError::UnknownFact(detail) => RedriveError::Newer {
            path: path.to_owned(),
            detail,
        },
    }
}
