//! The one-line filter of the records, on the screen and on the command line.
//!
//! Pure; invariant: what parses is a valid query, and what does not names the word at fault and how to correct it.

mod complete;
mod moment;
mod read;
mod term;

pub(crate) use self::complete::{Candidate, Completion, Known, Value, complete};
pub(crate) use self::moment::{INSTANT_FORMS, SPAN_FORMS, before, moment, span_secs};
pub(crate) use self::read::{EXAMPLES, FILTER_CHARS_MAX, FilterError, WORDS, example_of, parse};
