//! The screen driven by messages, as the console drives it.

mod history;
mod plan;
mod quit;
mod run;
mod snapshots;

use crossterm::event::KeyCode;

use crate::tui::message::Msg;
use crate::tui::redrives::{Past, PastRedrive, Progress, RunEnd};
use crate::tui::request::{ReplyTo, RequestId};
use crate::tui::screens::dead_letters::tests::{fixtures, open, received};
use crate::tui::testing::{DRY_RUN, Harness, RECEIVE, REDRIVE, REDRIVES, REPORT, RESUME};
use redrive::fact::{Ending, Proof};
use redrive::{Counts, MessageOutcome, Pause, Report, RunCommand, Wait};

fn past(number: u32, planned: usize, counts: Counts, ending: Option<Ending>) -> PastRedrive {
    PastRedrive {
        journal: format!("/state/redrives/0198-{number:04}.journal").into(),
        created_at: fixtures::now() - chrono::Duration::hours(i64::from(number) * 9),
        kind: redrive::Kind::Redrive,
        replaces: 0,
        planned,
        canary_steps: vec![1, 10],
        skipped: 2,
        edited: usize::try_from(number).unwrap_or(0),
        counts,
        ending,
        is_running: false,
        pause: None,
    }
}

/// Finished, interrupted, cancelled.
fn history() -> Past {
    let finished = Counts {
        moved: 29,
        stored: 29,
        ..Counts::default()
    };
    let interrupted = Counts {
        moved: 21,
        stored: 19,
        waiting: 379,
        ..Counts::default()
    };
    let cancelled = Counts {
        moved: 1,
        dead_again: 1,
        waiting: 36,
        ..Counts::default()
    };
    Past {
        redrives: vec![
            past(0, 29, finished, Some(Ending::Finished)),
            past(1, 400, interrupted, None),
            past(2, 37, cancelled, Some(Ending::Cancelled)),
        ],
        unreadable: None,
        is_truncated: false,
    }
}

fn answer_history(harness: &mut Harness, past: Past) {
    let (_, to) = harness.take_last(&REDRIVES);
    harness.reply(to, Ok(past));
}

/// A report of seven messages with every outcome.
fn every_outcome() -> Report {
    let mut report = fixtures::report(&[
        ("0001-aaaa-bbbb-cccc", MessageOutcome::Moved, None),
        ("0002-aaaa-bbbb-cccc", MessageOutcome::Moved, None),
        ("0003-aaaa-bbbb-cccc", MessageOutcome::Moved, None),
        (
            "0004-aaaa-bbbb-cccc",
            MessageOutcome::NotSent,
            Some("throttled"),
        ),
        (
            "0005-aaaa-bbbb-cccc",
            MessageOutcome::Unknown,
            Some("no answer"),
        ),
        (
            "0006-aaaa-bbbb-cccc",
            MessageOutcome::SentNotDeleted,
            Some("receipt expired"),
        ),
        ("0007-aaaa-bbbb-cccc", MessageOutcome::Waiting, None),
    ]);
    report.messages[1].proof = Some(Proof::DeadAgain {
        message_id: "0008".to_owned(),
        reason: Some("missing-attribute: \"time\" is required (at /time)".to_owned()),
    });
    report.messages[2].proof = None;
    report
}

/// Answers that the last of the messages would be lost.
fn answer_kept_back(harness: &mut Harness) -> String {
    let (draft, to) = harness.take_last(&DRY_RUN);
    let last = draft.messages.last().unwrap();
    let message_id = last.message.message_id.clone();
    let sent = draft.messages.len() - 1;
    let dry = crate::tui::redrives::DryRun {
        sent,
        ready: sent,
        bytes: sent * 400,
        kept_back: vec![redrive::Skipped {
            message_id: message_id.clone(),
            verdict: event::Verdict::Ready,
            reason: "its event would get the identity of message 0001-aaaa, crew-app / x1: only \
                     one of them would be stored; give each its own id, such as with the patch .id = \
                     .data.tag"
                .to_owned(),
        }],
        ..crate::tui::redrives::DryRun::default()
    };
    harness.reply(to, Ok(dry));
    message_id
}

fn answer_report(harness: &mut Harness, report: Report) {
    let (_, to) = harness.take_last(&REPORT);
    harness.reply(to, Ok(report));
}

fn report(harness: &mut Harness, id: RequestId, progress: Progress) {
    harness.send(Msg::Progress(id, Box::new(progress)));
}

fn running(counts: Counts) -> Progress {
    Progress {
        command: RunCommand::Run,
        ..fixtures::progress(37, &[1, 10], counts)
    }
}

fn console() -> Harness {
    received(fixtures::messages())
}

/// All 37 messages on their way.
fn begun() -> (Harness, ReplyTo<RunEnd>) {
    let mut harness = console();
    harness.keys("arf");
    let (to, _) = harness.agree();
    answer_history(&mut harness, Past::default());
    (harness, to)
}

fn stopped() -> Progress {
    let counts = Counts {
        moved: 1,
        dead_again: 1,
        waiting: 36,
        ..Counts::default()
    };
    let why = "1 of 1 sent event failed again: not-json".to_owned();
    Progress {
        command: RunCommand::Pause(Pause::Redrive(why)),
        ..running(counts)
    }
}
