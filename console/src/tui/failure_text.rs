//! Why a message failed, in the words of its detail. Pure; the search finds what stands here.

use event::{Failure, FailureCode};

use super::format::visible;
use pipeline::model::Reason;

/// Whether the ingest rejected it: SNS names a reason in the same attributes when it could not deliver a message
/// (Amazon SNS developer guide, "Amazon SNS dead-letter queues").
pub(crate) fn is_of_ingest(reason: &Reason) -> bool {
    reason.code.parse::<FailureCode>().is_ok()
}

/// What the ingest would say of it now.
pub(crate) fn failure_text(failure: &Failure) -> String {
    let mut text = format!("{}: {}", failure.code, visible(&failure.detail));
    if let Some(pointer) = &failure.pointer {
        text.push_str(&format!("  at {}", visible(pointer)));
    }
    text
}

/// What the ingest said when it rejected the message, or SNS when it did not deliver it.
pub(crate) fn reason_text(reason: &Reason) -> String {
    format!("{}: {}", visible(&reason.code), visible(&reason.message))
}

/// The request in which that was.
pub(crate) fn request_text(reason: &Reason) -> Option<String> {
    let id = reason.request_id.as_deref()?;
    Some(format!("request {}", visible(id)))
}
