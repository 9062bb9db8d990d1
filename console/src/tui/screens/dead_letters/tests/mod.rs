//! The screen driven by messages, as the console drives it.

mod behaviour;
mod body;
mod causes;
mod delete;
pub(crate) mod fixtures;
mod idle;
mod logs;
mod patch;
mod receiving;
mod snapshots;

use chrono::Duration;
use crossterm::event::KeyCode;

use super::DeadLetters;
use crate::tui::fault::Fault;
use crate::tui::keymap::KeyContext;
use crate::tui::patch::{Found, Query};
use crate::tui::received::{LeaseTimes, Received};
use crate::tui::redrives::{Draft, DryRun, RunEnd};
use crate::tui::remote::{Fetched, Remote};
use crate::tui::request::ReplyTo;
use crate::tui::search::{SearchInput, Shown};
use crate::tui::testing::{
    DRY_RUN, EXTEND, Harness, JUDGE, PATCH, RECEIVE, REDRIVE, RELEASE, SEARCH,
};
use pipeline::Hidden;
use pipeline::environment::Environment;
use pipeline::model::{DeadLetter, QueueDepth, QueueSettings, QueueSnapshot, ReceivedMessages};
use redrive::MessageOutcome;

/// The console on the screen.
pub(crate) fn open(width: u16, height: u16, environment: Environment) -> Harness {
    let mut harness = Harness::new(environment, fixtures::now(), width, height);
    harness.press('2');
    harness
}

/// The screen with these messages received.
pub(crate) fn received(messages: Vec<DeadLetter>) -> Harness {
    let mut harness = open(80, 24, fixtures::environment());
    harness.answer_messages(messages);
    harness
}

/// What a receive brought, with these messages lost before.
fn with_times(messages: ReceivedMessages, lost: &[&str]) -> Received {
    let untils = messages.messages.iter().map(|message| message.hidden_until);
    Received {
        leases: LeaseTimes {
            first_hidden_until: untils.min(),
            lost: lost.iter().map(|id| (*id).to_owned()).collect(),
            ..LeaseTimes::default()
        },
        messages,
    }
}

impl Harness {
    fn screen(&self) -> &DeadLetters {
        &self.model.screens.dead_letters
    }

    /// The messages that are listed as received.
    fn ids(&self) -> Vec<String> {
        let messages = self.screen().messages.iter();
        messages.map(|message| message.message_id.clone()).collect()
    }

    /// Messages that are listed as ready.
    pub(crate) fn ready_listed(&self) -> usize {
        self.screen().grouping.ready
    }

    /// The queue reports so many messages, all received by somebody.
    fn answer_depth(&mut self, in_flight: u64) {
        let value = QueueSnapshot {
            depth: QueueDepth {
                visible: 0,
                in_flight,
                delayed: 0,
            },
            oldest: None,
            settings: QueueSettings {
                name: "events-dead-letters".to_owned(),
                visibility_timeout_secs: 60,
                retention_secs: 1_209_600,
                max_receive_count: None,
            },
        };
        let fetched_at = self.now;
        self.model.pipeline.dead_letter_queue = Remote::Ready(Fetched { value, fetched_at });
    }

    /// Whether the plan of a redrive is open.
    pub(crate) fn is_reviewing(&self) -> bool {
        self.model.key_context() == KeyContext::Plan
    }

    pub(crate) fn answer_messages(&mut self, messages: Vec<DeadLetter>) {
        self.answer_received(ReceivedMessages {
            messages,
            ledger_error: None,
            is_truncated: false,
        });
    }

    pub(crate) fn answer_received(&mut self, received: ReceivedMessages) {
        let (_, to) = self.take_last(&RECEIVE);
        self.reply(to, Ok(with_times(received, &[])));
    }

    /// Answers the dry run of the review: everything would be sent and stored.
    pub(crate) fn answer_dry_run(&mut self) {
        let (draft, to) = self.take_last(&DRY_RUN);
        let sent = draft.messages.len();
        let dry = DryRun {
            sent,
            ready: sent,
            bytes: sent * 400,
            ..DryRun::default()
        };
        self.reply(to, Ok(dry));
    }

    /// Agrees to the plan. Returns what is requested then.
    pub(crate) fn agree(&mut self) -> (ReplyTo<RunEnd>, Draft) {
        self.answer_dry_run();
        self.press('y');
        let (draft, to) = self.take_last(&REDRIVE);
        (to, draft)
    }

    /// Searches, and answers that so many of the newest messages are found, and those that show a text; or why not.
    fn search(&mut self, line: &str, found: Result<usize, &str>) {
        self.press('/');
        self.keys(line);
        self.code(KeyCode::Enter);
        let ((query, messages), to) = self.take_last(&SEARCH);
        let shown = match &query {
            Query::Text(text) => Some(Shown::new(text)),
            Query::Program(_) => None,
        };
        let is_shown = |input: &&SearchInput| shown.as_ref().is_some_and(|it| it.is_of(input));
        let found = found.map(|number| {
            let newest = messages.iter().rev().take(number);
            let found = newest.chain(messages.iter().filter(is_shown));
            Found {
                message_ids: found.map(|input| input.message_id.clone()).collect(),
                failed: 2,
                failure: Some("the program needed more than 2 s for one message".to_owned()),
            }
        });
        self.reply(to, found.map_err(Fault::new));
    }

    /// Patches the first group with a time; the preview is open then.
    fn patch_group(&mut self) {
        self.code(KeyCode::Tab);
        self.keys("jp");
        self.keys("time = \"2026-11-24T11:42:00Z\"");
        self.code(KeyCode::Enter);
        let ((_, messages), to) = self.take_last(&PATCH);
        self.reply(to, Ok(fixtures::patched(&messages)));
    }

    /// The redrive of a draft ends with an outcome and a cause for each of its messages.
    pub(crate) fn end_redrive(
        &mut self,
        to: ReplyTo<RunEnd>,
        outcomes: &[(&str, MessageOutcome, Option<&str>)],
    ) {
        self.reply(to, Ok(fixtures::run_end(outcomes)));
    }
}
