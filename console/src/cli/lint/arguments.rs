//! Arguments of `lint`.

use clap::{Args, ValueEnum};
use pipeline::lint::Severity;

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole --env pilot lint
  opsconsole --env pilot lint --fail-on error --output json

Reads how topic, subscription, queues, function, event source mapping, log group, schema, cluster,
alarms and clocks are set up, each within 12 s, and checks it. Nothing is changed and no message is
received; a paused database is woken, and has 60 s. Each finding has what was seen, why it matters,
and a command or a line of Terraform that mends it. A check whose facts could not be read is listed
as not checked, never as passed.
JSON output: {\"environment\", \"checked_at\", \"findings\": [{\"id\", \"severity\", \"seen\", \"why\", \"fix\":
{\"command\", \"terraform\"}}], \"passed\": [ID], \"not_checked\": [{\"id\", \"reason\", \"is_failure\"}]};
severity is \"error\", \"warning\" or \"note\"; is_failure is false where the environment does not have
what would be checked. Exit code 1 where a finding is at least as severe as --fail-on (a note never
is), else 3 where something could not be read, else 0.";

/// Arguments of `lint`.
#[derive(Clone, Copy, Debug, Args)]
pub struct LintArguments {
    /// Least severity of a finding that ends the command with exit code 1
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = FailOn::Warning)]
    pub fail_on: FailOn,
}

/// Least severity that fails a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Warnings and errors.
    Warning,
    /// Errors alone.
    Error,
}

impl FailOn {
    pub(super) const fn severity(self) -> Severity {
        match self {
            Self::Warning => Severity::Warning,
            Self::Error => Severity::Error,
        }
    }
}
