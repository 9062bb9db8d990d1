//! What can be written behind `queue`.

use clap::{Args, Subcommand};

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole queue peek
  opsconsole queue peek --max 5 --yes --output json

This is the queue that the ingest reads; `dlq` is for the dead letters.";

const PEEK_HELP: &str = "\
Examples:
  opsconsole queue peek
  opsconsole queue peek --max 1 --bodies
  opsconsole queue peek --max 5 --yes --output json

SQS shows a message only to whoever receives it. So the price is said first, and asked about: each
receive adds 1 to the receive count of the message, for ever, and at maxReceiveCount SQS moves a
message to the dead-letter queue; while a message is received, the ingest does not get it. What was
received is released together, after the last receive, also when a signal ends the command; after a
kill -9 it is hidden for 30 s at most. A peek is a change: it needs what a change needs in production, is
refused by --read-only, and is in the audit log.

It is refused where maxReceiveCount is below 3: a peek and one failed try of the ingest would then
move a message. SQS tells the receive count only with the message, so a message near its limit is
known only after it was received: such a message is named, no more are received, and another peek
from this machine is refused for 15 minutes, or for two visibility timeouts where they are longer.

SQS chooses which messages come: they are neither the oldest nor a fair sample, and none may come
although some wait, because the ingest is faster. The verdict is that of the ingest's own validator;
the database is not asked, so a valid event may be stored already.

JSON output: {\"queue\", \"max_receive_count\", \"messages\": [{\"message_id\", \"sent_at\",
\"first_received_at\", \"receive_count\", \"is_at_limit\", \"event\": {\"source\", \"id\", \"type\"}, \"verdict\",
\"failure\": {\"code\", \"detail\", \"pointer\"}, \"hidden_until\", \"body_bytes\", \"body\"}], \"end\",
\"released_at\", \"not_released\": {\"messages_max\", \"until\"}}. The body is always there, because
reading it again would count again. verdict is \"valid\" or the code of the failure; end is
\"complete\", \"empty\", \"at-limit\", \"few\" (SQS gave few with each receive), \"full\" (8 MiB of bodies),
\"interrupted\" or \"failed\"; released_at is null where something may still be hidden.
Exit code 0 also where no message came; 1 where it was refused or not agreed to; 2 where there is
no terminal to ask on and no --yes; 3 where a message could not be released or a receive failed.";

/// The subcommands of `queue`.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Receive a few messages to look at them, and release them; says before what that costs
    #[command(after_help = PEEK_HELP)]
    Peek(PeekArguments),
}

/// Arguments of `queue peek`.
#[derive(Clone, Copy, Debug, Args)]
pub struct PeekArguments {
    /// Most messages to receive
    #[arg(long, value_name = "N", default_value_t = 10, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=50))]
    pub max: u16,
    /// Print the bodies too
    #[arg(long)]
    pub bodies: bool,
    /// Agree to the price without being asked
    #[arg(long)]
    pub yes: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use pipeline::queue_peek::PEEK_MESSAGES_MAX;

    use crate::cli::Arguments;

    #[test]
    fn number_of_messages_is_bounded_as_the_peek_is() {
        let parse = |max: usize| {
            Arguments::try_parse_from(["opsconsole", "queue", "peek", "--max", &max.to_string()])
        };
        assert!(parse(1).is_ok() && parse(PEEK_MESSAGES_MAX).is_ok());
        assert!(parse(0).is_err() && parse(PEEK_MESSAGES_MAX + 1).is_err());
    }
}
