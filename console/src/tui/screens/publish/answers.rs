//! What the answers to the screen's questions hold. Invariant: another kind of answer is a fault.

use crate::tui::message::{Answer, Fault};
use pipeline::model::{Published, TraceState};

fn other(operation: &str) -> Fault {
    Fault {
        message: format!("{operation}: the answer was to another question"),
        hint: None,
    }
}

pub(super) fn template(answer: Answer) -> Result<String, Fault> {
    if let Answer::Template(text) = answer {
        Ok(text)
    } else {
        Err(other("make a template"))
    }
}

pub(super) fn published(answer: Answer) -> Result<Published, Fault> {
    if let Answer::Published(it) = answer {
        Ok(it)
    } else {
        Err(other("publish"))
    }
}

pub(super) fn traced(answer: Answer) -> Result<TraceState, Fault> {
    if let Answer::Traced(state) = answer {
        Ok(state)
    } else {
        Err(other("trace the event"))
    }
}
