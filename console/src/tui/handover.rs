//! What one screen hands to another. `update` routes it, so that screens do not know each other.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::redrives::{Ended, Selection};
use super::screen_id::ScreenId;
use pipeline::environment::Environment;

#[derive(Debug)]
pub(crate) enum Handover {
    /// Any screen → the screen to show.
    GoTo(ScreenId),
    /// Any screen → logs: the lines of this request, which was under way then.
    LogsOf(String, DateTime<Utc>),
    /// Logs → dead letters: those that this request refused.
    DeadLettersOf(String),
    /// Fleet → the console: leave this environment and show another one.
    SwitchTo(Box<Environment>),
    /// Any screen → the time line of the event that it offers to trace.
    Trace,
    /// Dead letters → redrives: the operator wants to redrive these.
    Review(Selection),
    /// Dead letters → redrives: nobody pressed a key, and the messages were released.
    LeasesEnded,
    /// Redrives → dead letters: nothing of the reviewed messages was sent.
    ReviewDropped,
    /// Redrives → dead letters: these messages, by message id, are being redriven.
    RedriveBegan(HashSet<String>),
    /// Redrives → dead letters: the redrive ended.
    RedriveEnded(Ended),
}
