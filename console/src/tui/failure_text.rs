//! Why a message failed, in the words of its detail. Pure; the search finds what stands here.

use event::Failure;

use super::format::visible;
use pipeline::model::Reason;

/// What the ingest would say of it now.
pub(crate) fn failure_text(failure: &Failure) -> String {
    let mut text = format!("{}: {}", failure.code, visible(&failure.detail));
    if let Some(pointer) = &failure.pointer {
        text.push_str(&format!("  at {}", visible(pointer)));
    }
    text
}

/// What the ingest said when it rejected the message.
pub(crate) fn reason_text(reason: &Reason) -> String {
    format!("{}: {}", visible(&reason.code), visible(&reason.message))
}

/// The request in which the ingest rejected it.
pub(crate) fn request_text(reason: &Reason) -> Option<String> {
    let id = reason.request_id.as_deref()?;
    Some(format!("request {}", visible(id)))
}
