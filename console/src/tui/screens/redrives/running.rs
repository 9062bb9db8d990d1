//! A redrive under way: how far it is, how fast, and what the operator may do about it.
//!
//! Invariant: what is shown of a run was told by its task; a key changes nothing here by itself.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;

use chrono::{DateTime, Duration, Utc};

use super::Redrives;
use crate::text::message_or_messages;
use crate::tui::format::{count, visible};
use crate::tui::message::{Answer, Reply, RequestId, Steering, Tone};
use crate::tui::redrives::{Draft, Ended, PAUSED_BY_OPERATOR, PastRedrive, Progress, RunEnd};
use crate::tui::remote::{Fetched, Remote};
use crate::tui::update_context::UpdateContext;
use redrive::fact::Ending;
use redrive::{Counts, PAUSED_BY_REQUEST, Report, RunCommand};

/// Span over which the rate is measured.
const MEASURED_SECS: i64 = 5;

/// The redrive under way.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) request: RequestId,
    pub(super) since: DateTime<Utc>,
    pub(super) planned: usize,
    pub(super) canary_steps: Vec<usize>,
    /// What its task told last; `None` before it was begun.
    pub(super) told: Option<Progress>,
    /// Ends of canary steps after which it paused by itself.
    pub(super) failed_steps: HashSet<usize>,
    /// When how many messages had an outcome.
    samples: VecDeque<(DateTime<Utc>, usize)>,
}

impl Run {
    pub(super) fn begun(request: RequestId, now: DateTime<Utc>, draft: &Draft) -> Self {
        Self::new(
            request,
            now,
            draft.messages.len(),
            draft.canary_steps.clone(),
        )
    }

    fn resumed(request: RequestId, now: DateTime<Utc>, past: &PastRedrive) -> Self {
        Self::new(request, now, past.planned, past.canary_steps.clone())
    }

    fn new(
        request: RequestId,
        now: DateTime<Utc>,
        planned: usize,
        canary_steps: Vec<usize>,
    ) -> Self {
        Self {
            request,
            since: now,
            planned,
            canary_steps,
            told: None,
            failed_steps: HashSet::new(),
            samples: VecDeque::new(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.told.as_ref().map_or(
            Counts {
                waiting: self.planned,
                ..Counts::default()
            },
            |told| told.counts,
        )
    }

    pub(super) fn done(&self) -> usize {
        self.counts().done()
    }

    pub(super) fn command(&self) -> &RunCommand {
        self.told
            .as_ref()
            .map_or(&RunCommand::Run, |told| &told.command)
    }

    pub(super) fn is_paused(&self) -> bool {
        matches!(self.command(), RunCommand::Pause(_))
    }

    /// Why it waits, if it stopped by itself.
    pub(super) fn own_pause(&self) -> Option<&str> {
        match self.command() {
            RunCommand::Pause(why) if why != PAUSED_BY_OPERATOR && why != PAUSED_BY_REQUEST => {
                Some(why)
            }
            RunCommand::Pause(_) | RunCommand::Run | RunCommand::Cancel => None,
        }
    }

    fn take(&mut self, told: Progress, now: DateTime<Utc>) {
        self.planned = told.planned;
        self.canary_steps.clone_from(&told.canary_steps);
        let done = told.counts.done();
        self.told = Some(told);
        if self.own_pause().is_some()
            && let Some(end) = self.canary_steps.iter().rfind(|end| **end <= done)
        {
            self.failed_steps.insert(*end);
        }
        if self.samples.back().is_none_or(|(_, last)| *last != done) {
            self.samples.push_back((now, done));
        }
        self.measure(now);
    }

    /// Forgets what is too old to tell the rate of now.
    pub(super) fn measure(&mut self, now: DateTime<Utc>) {
        let oldest = now - Duration::seconds(MEASURED_SECS);
        while self.samples.get(1).is_some_and(|(at, _)| *at <= oldest) {
            self.samples.pop_front();
        }
    }

    /// Messages per second over the last seconds; `None` while that cannot be told.
    pub(super) fn measured_per_sec(&self, now: DateTime<Utc>) -> Option<f64> {
        let (since, before) = self.samples.front()?;
        let (_, last) = self.samples.back()?;
        #[expect(clippy::cast_precision_loss, reason = "counts of one plan are small")]
        let (messages, millis) = (
            (last - before) as f64,
            (now - since).num_milliseconds() as f64,
        );
        (millis >= 500.0 && messages > 0.0).then(|| messages * 1_000.0 / millis)
    }

    /// Seconds until the last message is sent, at the measured rate.
    pub(super) fn left_secs(&self, now: DateTime<Utc>) -> Option<u64> {
        if self.is_paused() {
            return None;
        }
        let left = self.counts().waiting;
        let rate = self.measured_per_sec(now).filter(|_| left > 0)?;
        #[expect(clippy::cast_precision_loss, reason = "counts of one plan are small")]
        let secs = left as f64 / rate;
        Some(crate::tui::format::whole(secs.ceil()))
    }

    pub(super) fn journal(&self) -> Option<&PathBuf> {
        self.told.as_ref().map(|told| &told.journal)
    }
}

impl Redrives {
    pub(super) fn pause_or_go_on(&self, turn: &mut UpdateContext<'_>) {
        let Some(run) = &self.run else {
            turn.say(Tone::Muted, "no redrive runs");
            return;
        };
        let steering = if run.is_paused() {
            Steering::GoOn
        } else {
            Steering::Pause
        };
        self.steer(steering, turn);
    }

    pub(super) fn cancel(&self, turn: &mut UpdateContext<'_>) {
        if self.run.is_none() {
            turn.say(Tone::Muted, "no redrive runs");
            return;
        }
        self.steer(Steering::Cancel, turn);
        let text = "cancelled: what was begun is brought to its end, the rest stays";
        turn.say(Tone::Warning, text);
    }

    pub(super) fn change_rate(
        &self,
        change: impl FnOnce(Option<f64>) -> Option<f64>,
        turn: &mut UpdateContext<'_>,
    ) {
        let Some(told) = self.run.as_ref().and_then(|run| run.told.as_ref()) else {
            turn.say(Tone::Muted, "no redrive runs");
            return;
        };
        self.steer(Steering::Rate(change(told.rate_per_sec)), turn);
    }

    pub(super) fn resume(&mut self, turn: &mut UpdateContext<'_>) {
        if self.is_read_only {
            let text = format!("{} is read-only: nothing is redriven", self.environment);
            turn.say(Tone::Warning, text);
            return;
        }
        let Some(past) = self.resumable() else {
            let text = if self.run.is_some() {
                "a redrive runs: one at a time"
            } else {
                "nothing is left to go on with here"
            };
            turn.say(Tone::Muted, text);
            return;
        };
        let (past, path) = (past.clone(), past.journal.clone());
        let request = turn.ask(crate::tui::message::Request::ResumeRedrive(path));
        self.run = Some(Run::resumed(request, turn.now, &past));
        self.show_run(turn.body);
    }

    /// A redrive got further.
    pub fn progressed(&mut self, id: RequestId, told: Progress, now: DateTime<Utc>) {
        if let Some(run) = self.run.as_mut().filter(|run| run.request == id) {
            run.take(told, now);
        }
    }

    /// The answer that ends a redrive; `None` where it is not the one that runs.
    pub fn redrive_ended(&mut self, reply: Reply, turn: &mut UpdateContext<'_>) -> Option<Ended> {
        let run = self.run.take_if(|run| run.request == reply.id)?;
        let ended = match reply.result {
            Ok(Answer::Redriven(end)) => self.take_end(*end, turn.now),
            Ok(_) => failed(&run, super::history::unexpected().message),
            Err(fault) => failed(&run, super::review::refused(&fault)),
        };
        if let (None, Some(journal)) = (&ended.report, run.journal()) {
            self.selected = Some(journal.clone());
        }
        turn.say(ended.tone, ended.text.clone());
        self.find_selected(turn.body);
        self.refresh(turn);
        Some(ended)
    }

    fn take_end(&mut self, end: RunEnd, now: DateTime<Utc>) -> Ended {
        let (tone, text) = in_words(&end);
        self.selected = Some(end.past.journal.clone());
        self.opened = Some(end.past.journal.clone());
        if let Some(past) = self.history.value_mut() {
            past.take(end.past);
        }
        self.report = Remote::Ready(Fetched {
            value: end.report.clone(),
            fetched_at: now,
        });
        let cancelled = || "it was ended before its turn".to_owned();
        Ended {
            failure: Some(end.error.unwrap_or_else(cancelled)),
            report: Some(end.report),
            tone,
            text,
        }
    }
}

/// It ended without a report.
fn failed(run: &Run, why: String) -> Ended {
    if run.told.is_none() {
        return Ended {
            report: None,
            failure: None,
            tone: Tone::Bad,
            text: format!("nothing was sent: {why}"),
        };
    }
    Ended {
        report: None,
        tone: Tone::Bad,
        text: format!(
            "redrive of {} {} failed: {why} · its journal knows what was sent",
            count(run.planned as u64),
            message_or_messages(run.planned as u64)
        ),
        failure: Some(why),
    }
}

/// `redriven: 29 of 29 moved · 29 stored`
fn in_words(end: &RunEnd) -> (Tone, String) {
    let Report {
        counts,
        planned,
        ending,
        ..
    } = &end.report;
    let begin = match (ending, &end.error) {
        (_, Some(error)) => format!("stopped: {} · ", visible(error)),
        (Some(Ending::Cancelled), None) => "cancelled: ".to_owned(),
        (Some(Ending::Finished) | None, None) => "redriven: ".to_owned(),
    };
    let mut text = format!(
        "{begin}{} of {} moved",
        count(counts.moved as u64),
        count(*planned as u64)
    );
    let parts = [
        (counts.stored, "stored"),
        (counts.dead_again, "dead again"),
        (unproved(counts), "not proved yet"),
        (counts.sent_not_deleted, "in both queues"),
        (counts.not_sent, "not sent"),
        (counts.unknown + counts.intended, "unknown"),
        (counts.waiting, "left"),
    ];
    for (number, what) in parts.into_iter().filter(|(number, _)| *number > 0) {
        text.push_str(&format!(" · {} {what}", count(number as u64)));
    }
    let tone = if end.error.is_some() || counts.dead_again > 0 {
        Tone::Bad
    } else if counts.moved == *planned && counts.stored == *planned {
        Tone::Good
    } else {
        Tone::Warning
    };
    (tone, text)
}

/// Messages that were sent and whose event was seen nowhere yet.
pub(super) fn unproved(counts: &Counts) -> usize {
    (counts.moved + counts.sent_not_deleted).saturating_sub(counts.stored + counts.dead_again)
}
