//! The log lines of the environment's functions, from CloudWatch Logs.
//!
//! Invariant: a read is bounded in pages, lines, bytes, time and calls a second, and says what it left out. Where a read ended is a value
//! ([`LogTail`]) of whoever reads, so that reading on repeats no line. Nothing that is shown of a line contains a
//! character that controls a terminal; its text as it was written does.

mod filter;
mod function;
mod level;
mod line;
mod pace;
mod read;
mod tail;

pub use self::filter::{LogFilter, LogSearch};
pub use self::function::LogFunction;
pub use self::level::LogLevel;
pub use self::line::{LineKind, LogLine};
pub use self::read::{LogFault, LogRead};
pub use self::tail::LogTail;

pub(crate) use self::pace::Pace;
pub(crate) use self::read::FILTER_LOG_EVENTS;
