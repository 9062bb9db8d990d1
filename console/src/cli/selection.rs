//! The arguments that select dead letters.
//!
//! Invariant: as in [`crate::cli::arguments`].

use std::sync::Arc;

use clap::Args;
use event::{FailureCode, Verdict};

use super::values;
use pipeline::model::RETRIES_EXHAUSTED;
use redrive::operations::Selection;
use redrive::triage::Program;

/// The causes that a message can have.
fn code_help() -> String {
    let codes = FailureCode::ALL.map(FailureCode::as_str).join(", ");
    format!("Messages with this cause: {RETRIES_EXHAUSTED} (no reason is recorded), {codes}")
}

/// Messages by what they are; a message must match everything that is given.
#[derive(Clone, Debug, Default, Args)]
pub struct FilterArguments {
    /// Messages with this cause
    #[arg(long, value_name = "CODE", help = code_help(), add = values::codes())]
    pub code: Option<String>,
    /// Messages whose event has this type
    #[arg(long = "type", value_name = "TYPE", add = values::event_types())]
    pub event_type: Option<String>,
    /// Messages on whose event this jq program returns neither false nor null
    #[arg(long = "where", value_name = "JQ", value_parser = program)]
    pub filter: Option<Arc<Program>>,
}

/// Messages by name, all, or by what they are.
#[derive(Clone, Debug, Default, Args)]
pub struct SelectionArguments {
    /// SQS message ids
    #[arg(value_name = "MESSAGE_ID", conflicts_with_all = ["all", "code", "event_type", "filter"])]
    pub message_ids: Vec<String>,
    /// All messages
    #[arg(long, conflicts_with_all = ["code", "event_type", "filter"])]
    pub all: bool,
    /// See [`FilterArguments`].
    #[command(flatten)]
    pub filter: FilterArguments,
}

/// Arguments of which a selection needs at least one.
pub(super) const SELECTION: [&str; 5] = ["message_ids", "all", "code", "event_type", "filter"];

pub(super) fn program(text: &str) -> Result<Arc<Program>, String> {
    Program::compile(text)
        .map(Arc::new)
        .map_err(|error| error.to_string())
}

impl From<FilterArguments> for Selection {
    fn from(filter: FilterArguments) -> Self {
        Self {
            message_ids: Vec::new(),
            code: filter.code,
            event_type: filter.event_type,
            filter: filter.filter,
        }
    }
}

impl From<SelectionArguments> for Selection {
    /// Where nothing is selected, all is.
    fn from(arguments: SelectionArguments) -> Self {
        Self {
            message_ids: arguments.message_ids,
            ..Self::from(arguments.filter)
        }
    }
}

/// `3 ready, 1 still-invalid`
pub(super) fn by_verdict(verdicts: impl Iterator<Item = Verdict> + Clone) -> String {
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .filter_map(|verdict| {
            let count = verdicts.clone().filter(|other| *other == verdict).count();
            (count > 0).then(|| format!("{count} {verdict}"))
        })
        .collect();
    counts.join(", ")
}
