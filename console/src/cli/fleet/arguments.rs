//! Arguments of `fleet`.

use clap::Subcommand;

use crate::cli::values;

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole fleet status
  opsconsole fleet status --only orders payments
  opsconsole fleet status --output json
  watch -n 60 opsconsole fleet status

Reads every configured environment and every running demo, up to 16 at once, each for at most 10 s,
so that one that is dead delays no other. --env is not used; an entry's `profile` says whose
credentials it needs. The worst stands first: what loses data, then by state. States: unreachable
(nothing answered), not-permitted (a permission or credentials are missing), invalid (the entry is
wrong), attention (also where data is lost and a permission is missing), ok. They follow the rules
of the overview, as far as one look shows them. A database that pauses is not woken.
JSON output: {\"environments\": [{\"environment\", \"account\", \"region\", \"endpoint\", \"state\",
\"reason\", \"next_step\", \"findings\": [{\"severity\", \"text\", \"advice\"}], \"queue\": {\"visible\",
\"in_flight\", \"delayed\", \"oldest_age_secs\"}, \"dead_letters\": {\"visible\", \"in_flight\",
\"oldest_age_secs\"}, \"stored_per_minute\", \"stored_per_minute_until\",
\"last_stored_at\", \"last_stored_age_secs\",
\"schema_version\", \"read_at\", \"metrics_age_secs\", \"database_may_sleep\", \"errors\": [{\"part\",
\"error\", \"hint\"}]}]}; what is not known is null.
Exit code 0 where all are ok, 3 where something could not be reached, else 1.";

/// The subcommands of `fleet`.
#[derive(Debug, Subcommand)]
pub enum FleetCommand {
    /// Show every environment in one row, the worst first
    #[command(after_help = EXAMPLES)]
    Status {
        /// Only these environments
        #[arg(long, value_name = "NAME", num_args = 1.., add = values::environments())]
        only: Vec<String>,
    },
}
