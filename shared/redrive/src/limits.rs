//! Every limit of the crate, with its unit and where it comes from.
//!
//! Invariant: a limit that depends on another one is checked against it when this compiles.

use std::time::Duration;

use chrono::TimeDelta;

/// Messages of one plan: SQS allows about 120,000 in flight, and others need some of them (Amazon
/// SQS quotas).
pub const PLAN_ENTRIES_MAX: usize = 100_000;
/// Largest plan file that is read, in bytes: [`PLAN_ENTRIES_MAX`] edits of 2.5 kB before and after.
pub(crate) const PLAN_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Largest frame of a journal, in bytes: its header holds a whole plan.
pub(crate) const FRAME_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Bytes at the end of a journal that are read for its summary: many times what a last frame has.
pub(crate) const SUMMARY_BYTES_MAX: u64 = 64 * 1024;
/// Attempts to lock a journal that is locked, before it counts as in use.
pub(crate) const LOCK_ATTEMPTS_MAX: usize = 20;
/// Between two of them: a look whether a redrive runs takes microseconds.
pub(crate) const LOCK_WAIT: Duration = Duration::from_millis(10);
/// Requests that wait for the thread that writes the journal: more than batches ever run at once.
pub(crate) const RECORDS_WAITING_MAX: usize = 256;
/// Largest control request that is read, in bytes; the longest that is written has 8.
pub(crate) const CONTROL_REQUEST_BYTES_MAX: u64 = 1024;
/// Between two looks for a control request. Short enough for a person who waits.
pub(crate) const CONTROL_POLL: Duration = Duration::from_millis(250);
/// Largest record of a move task that is read, in bytes.
pub(crate) const MOVE_TASK_RECORD_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of one message, and of one batch together (Amazon SQS quotas).
pub(crate) const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Longest time from the check of a batch's leases to its last delete: one send, then retries, whose
/// last one still has its own send and two deletes, each call of 5 s at most.
pub(crate) const BATCH_LIMIT: Duration = Duration::from_secs(80);
/// No retry begins later than this after the first send.
pub(crate) const RETRY_LIMIT: Duration = Duration::from_secs(45);
/// First wait before refused messages are sent again, one by one; doubles, with jitter.
pub(crate) const BACKOFF_FIRST: Duration = Duration::from_millis(200);
/// Longest wait before a retry.
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Rounds of retries.
pub(crate) const RETRIES_MAX: usize = 5;
/// Attempts to delete what was confirmed.
pub(crate) const DELETE_ATTEMPTS_MAX: usize = 2;
/// Batches in a row of which nothing was sent, after which the redrive pauses.
pub(crate) const FAILED_BATCHES_MAX: usize = 5;
/// Batches in flight at once, unless the caller chooses.
pub(crate) const BATCHES_AT_ONCE: usize = 8;
/// How long a search waits at most where every receive of an earlier process is on record: longer than
/// a message is hidden that was received and not yet recorded.
pub(crate) const SEARCH_PATIENCE_MAX: Duration = Duration::from_secs(130);
/// Visibility timeout of messages that a search receives, until they are known to be wanted.
pub(crate) const SEARCH_VISIBILITY: Duration = Duration::from_secs(120);
/// How long a redrive that is stopped at once tries to release the messages of others.
pub(crate) const STOP_RELEASE_LIMIT: Duration = Duration::from_secs(1);
/// First wait of a search that found others' messages only; doubles, with jitter.
pub(crate) const SEARCH_WAIT_FIRST: Duration = Duration::from_millis(500);
/// Longest such wait.
pub(crate) const SEARCH_WAIT_MAX: Duration = Duration::from_secs(5);
/// Messages that one search receives before they are moved: bounds the bodies in memory.
pub(crate) const WINDOW: usize = 1_000;
/// Edits that the audit log shows with their bodies; the plan in the journal has all of them.
pub(crate) const EDITS_ON_RECORD_MAX: usize = 100;
/// Replaced records that the audit log names: 300 bytes each, in a line of 1 MiB at most.
pub(crate) const REPLACEMENTS_ON_RECORD_MAX: usize = 1_000;

/// Lowest rate that throttling alone leads to, in messages per second.
pub(crate) const RATE_FLOOR_PER_SEC: f64 = 1.0;
/// Part of the throttled rate that is added per second without throttling.
pub(crate) const CLIMB_PER_SEC: f64 = 0.1;
/// Several batches in flight report the same throttling; within this time it counts once.
pub(crate) const THROTTLE_ONCE: Duration = Duration::from_millis(500);
/// Time over which the own rate is measured.
pub(crate) const MEASURE: Duration = Duration::from_secs(2);

/// How long the events of one canary step may take until they are proved, unless the caller chooses;
/// a step that takes longer is for the operator to judge.
pub(crate) const PROVE_LIMIT: Duration = Duration::from_secs(60);
/// First wait between two questions to the ledger; doubles.
pub(crate) const PROVE_POLL_FIRST: Duration = Duration::from_millis(200);
/// Longest wait between two questions to the ledger.
pub(crate) const PROVE_POLL_MAX: Duration = Duration::from_secs(2);
/// Between two questions to the ledger while messages are being sent slowly, or not at all.
pub(crate) const PROVE_MEANWHILE: Duration = Duration::from_secs(2);
/// Limit of the last question to the ledger, of a redrive that is cancelled.
pub(crate) const PROVE_AT_END_LIMIT: Duration = Duration::from_secs(3);
/// Events are looked for among the dead letters only after this time, then after twice as long, and
/// so on: every look counts as a receive of the messages that it sees.
pub(crate) const LOOK_FIRST: Duration = Duration::from_secs(4);
/// Messages of one look while there are more to come.
pub(crate) const LOOK_MESSAGES_MAX: usize = 1_000;
/// Messages of the last look: what it does not see stays unproved. SQS allows about 120,000 in flight.
pub(crate) const LAST_LOOK_MESSAGES_MAX: usize = 20_000;
/// Messages that the last look receives at once.
pub(crate) const LAST_LOOK_ROUND: usize = 100;
/// Visibility timeout of messages that are looked at.
pub(crate) const LOOK_VISIBILITY: Duration = Duration::from_secs(30);
/// How long one look receives: then its first messages are soon visible again, and would come again.
pub(crate) const LOOK_LIMIT: Duration = Duration::from_secs(25);
/// Clocks of this machine and of SQS differ by less.
pub(crate) const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::seconds(30);

const _: () = assert!(
    SEARCH_PATIENCE_MAX.as_secs() > SEARCH_VISIBILITY.as_secs(),
    "a search must outlast the timeouts of one that was ended"
);
const _: () = assert!(
    LOOK_LIMIT.as_secs() < LOOK_VISIBILITY.as_secs(),
    "a look must end before its messages come again"
);
const _: () = assert!(
    BATCH_LIMIT.as_secs() > RETRY_LIMIT.as_secs() + 3 * 5 + BACKOFF_MAX.as_secs(),
    "a batch must have time for its last retry and both deletes"
);
