//! Searches for messages of the plan among all dead letters.
//!
//! Invariant: a search ends; it keeps only messages of the plan, each with its handle in the journal,
//! and hides no others while it waits.

use std::collections::HashSet;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use chrono::Utc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Leases, Message};
use crate::control::{Control, RunCommand, Wait};
use crate::error::RedriveError;
use crate::limits::{SEARCH_VISIBILITY, SEARCH_WAIT_FIRST, SEARCH_WAIT_MAX};
use pipeline::model::{DeadLetter, QueueDepth, QueueRole};
use pipeline::{BATCH_ENTRIES_MAX, LEASES_MAX};

/// Messages whose bodies are kept before it is their turn.
const BODIES_MAX: usize = 10_000;
/// Empty rounds of long polls in a row after which a search ends.
const EMPTY_POLLS_MAX: usize = 3;
/// A search ends when it has received this many times as many messages as there were when it began,
/// and some more: messages are dead-lettered meanwhile, and SQS returns them in no order.
const RECEIVES_PER_MESSAGE_MAX: u64 = 2;
/// The number of messages is an approximate one.
const RECEIVES_MORE: u64 = 100;

/// What a search found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    /// Messages that were wanted.
    pub(crate) messages: usize,
    /// Whether every message that could be received was, and the queue says so too.
    is_exhausted: bool,
    /// Whether others have received messages, by the queue's approximate count.
    others_have_some: bool,
}

impl Found {
    /// What was read; everything, where `is_end` is the end of the source.
    pub(crate) const fn of_reading(messages: usize, is_end: bool) -> Self {
        Self {
            messages,
            is_exhausted: is_end,
            others_have_some: false,
        }
    }

    /// Whether what was not found is gone: nobody has received it, and it cannot be received. A FIFO
    /// queue never shows that: it returns nothing of a group of which a message is hidden.
    pub(crate) const fn is_all(&self, is_fifo: bool) -> bool {
        self.is_exhausted && !self.others_have_some && !is_fifo
    }

    /// Notes the queue's approximate counts, of which `own` are hidden by this process. Returns
    /// whether the pass over the queue is over.
    fn note(
        &mut self,
        depth: QueueDepth,
        own: usize,
        is_all_seen: bool,
        empty_polls: usize,
    ) -> bool {
        let is_empty = depth.visible == 0;
        self.others_have_some = depth.in_flight > own as u64;
        self.is_exhausted = is_empty && !is_all_seen;
        is_empty || is_all_seen || empty_polls >= EMPTY_POLLS_MAX
    }
}

impl Leases<'_> {
    /// Looks for `wanted` messages of the plan until `enough` of them are found, the queue has no
    /// more, or it gave more than there were when the search began. While others have received
    /// messages, it releases what it does not need and tries again, up to `patience`, unless it is
    /// cancelled.
    pub(crate) async fn find(
        &self,
        wanted: &HashSet<usize>,
        (enough, patience): (usize, Duration),
        control: &Control,
    ) -> Result<Found, RedriveError> {
        self.lock_search().is_under_way = true;
        let found = self.search(wanted, (enough, patience), control).await;
        self.lock_search().is_under_way = false;
        found
    }

    async fn search(
        &self,
        wanted: &HashSet<usize>,
        (enough, patience): (usize, Duration),
        control: &Control,
    ) -> Result<Found, RedriveError> {
        let is_old = |since: Instant| since.elapsed() > SEARCH_VISIBILITY / 2;
        let must_release = {
            let search = self.lock_search();
            // Timeouts that end in the middle of a search show their messages again.
            search.has_planned || search.since.is_some_and(is_old)
        };
        if must_release {
            self.release_passed().await;
        }
        let (deadline, until) = (Instant::now() + patience, Utc::now() + patience);
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(SEARCH_WAIT_FIRST)
            .with_max_delay(SEARCH_WAIT_MAX)
            .without_max_times()
            .with_jitter()
            .build();
        let mut found = Found::default();
        loop {
            self.receive(wanted, enough, &mut found, control).await?;
            let is_over = found.messages > 0 || !found.others_have_some;
            if is_over || control.command() == RunCommand::Cancel || Instant::now() >= deadline {
                return Ok(found);
            }
            // Nobody has to wait for what this search is not going to use.
            self.release_passed().await;
            let missing = wanted.len();
            let _shown = control.show_wait(Wait::Messages { missing, until });
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = waits.next().unwrap_or(SEARCH_WAIT_MAX).min(left);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = control.wait_for(|command| *command == RunCommand::Cancel) => {}
            }
        }
    }

    /// One pass over the queue.
    async fn receive(
        &self,
        wanted: &HashSet<usize>,
        enough: usize,
        found: &mut Found,
        control: &Control,
    ) -> Result<(), RedriveError> {
        (found.is_exhausted, found.others_have_some) = (false, false);
        let depth = self.pipeline.queue_depth(QueueRole::DeadLetter).await?;
        let receives_max =
            (depth.visible + depth.in_flight) * RECEIVES_PER_MESSAGE_MAX + RECEIVES_MORE;
        let (mut receives, mut empty_polls) = (0, 0);
        let never = CancellationToken::new();
        while found.messages < enough
            && self.count() < LEASES_MAX
            && control.command() != RunCommand::Cancel
        {
            let is_all_seen = receives >= receives_max;
            if empty_polls > 0 || is_all_seen {
                let depth = self.pipeline.queue_depth(QueueRole::DeadLetter).await?;
                if found.note(depth, self.count_hidden(), is_all_seen, empty_polls) {
                    return Ok(());
                }
            }
            // Whole batches: messages that are not wanted are in the way.
            let missing = (enough - found.messages).next_multiple_of(BATCH_ENTRIES_MAX);
            let poll = self.passed.poll(missing, &never).await;
            if poll.messages.is_empty() {
                match poll.failure {
                    // What was found can be moved; that may even be what it takes to find more.
                    Some(_) if found.messages > 0 => return Ok(()),
                    Some(error) => return Err(error.into()),
                    None => empty_polls += 1,
                }
                continue;
            }
            empty_polls = 0;
            receives += poll.messages.len() as u64;
            let mut kept = Vec::new();
            for message in poll.messages {
                let (index, is_wanted) = self.sort(message, wanted);
                kept.extend(index);
                found.messages += usize::from(is_wanted);
            }
            self.record_handles(kept).await?;
        }
        Ok(())
    }

    /// Keeps a message of the plan and passes any other. Returns its place where it is kept, and
    /// whether it is wanted now.
    fn sort(&self, message: DeadLetter, wanted: &HashSet<usize>) -> (Option<usize>, bool) {
        let place = self.places.get(message.message_id.as_str()).copied();
        let is_wanted = place.is_some_and(|index| wanted.contains(&index));
        match place {
            // The turn of one that is not wanted comes later.
            Some(index) if is_wanted || self.lock().len() < BODIES_MAX => {
                self.passed.forget([message.message_id.as_str()]);
                self.adopt(&message);
                self.lock().insert(index, Message::Own(Box::new(message)));
                (Some(index), is_wanted)
            }
            place => {
                let mut search = self.lock_search();
                search.has_planned |= place.is_some();
                search.since.get_or_insert_with(Instant::now);
                (None, is_wanted)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the pass is over, and whether what was not found is gone.
    fn noted(
        (visible, in_flight): (u64, u64),
        own: usize,
        is_all_seen: bool,
        empty_polls: usize,
    ) -> (bool, bool) {
        let depth = QueueDepth {
            visible,
            in_flight,
            delayed: 0,
        };
        let mut found = Found::default();
        let is_over = found.note(depth, own, is_all_seen, empty_polls);
        assert!(!found.is_all(true), "a FIFO queue shows nothing");
        (is_over, found.is_all(false))
    }

    #[test]
    fn message_is_gone_only_when_the_queue_has_no_other_and_nobody_received_one() {
        assert_eq!(noted((0, 3), 3, false, 1), (true, true));
        assert_eq!(noted((0, 4), 3, false, 1), (true, false), "others have one");
        assert_eq!(noted((0, 0), 0, true, 0), (true, false), "too many came");
        assert_eq!(noted((1, 0), 0, false, 1), (false, false));
        let last = noted((1, 0), 0, false, EMPTY_POLLS_MAX);
        assert_eq!(last, (true, false), "the queue has one that did not come");
    }
}
