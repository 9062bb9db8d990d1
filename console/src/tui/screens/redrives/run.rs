//! The redrive under way, as its task reports it.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;

use chrono::{DateTime, Duration, Utc};

use super::purpose::Purpose;
use crate::tui::format::whole;
use crate::tui::redrives::{PastRedrive, Progress};
use crate::tui::request::RequestId;
use redrive::{Counts, Kind, RunCommand, Wait};

/// Span over which the rate is measured.
const MEASURED: Duration = Duration::seconds(5);
/// Without a confirmation for longer, nothing is known of the rate now.
const SILENT_SECS: f64 = 2.0;

#[derive(Debug)]
pub(super) struct Run {
    pub(super) request: RequestId,
    pub(super) since: DateTime<Utc>,
    /// Whether it continues a journal, and so receives its messages itself.
    pub(super) is_resumed: bool,
    pub(super) kind: Kind,
    /// Messages that replace a record.
    pub(super) replaces: usize,
    pub(super) planned: usize,
    pub(super) canary_steps: Vec<usize>,
    /// The last report of its task; `None` before the first.
    pub(super) progress: Option<Progress>,
    /// Ends of canary steps after which it paused by itself.
    pub(super) failed_steps: HashSet<usize>,
    /// When how many messages had an outcome.
    samples: VecDeque<(DateTime<Utc>, usize)>,
}

impl Run {
    pub(super) fn resumed(request: RequestId, now: DateTime<Utc>, past: &PastRedrive) -> Self {
        Self {
            is_resumed: true,
            kind: past.kind,
            replaces: past.replaces,
            ..Self::new(request, now, past.planned, past.canary_steps.clone())
        }
    }

    pub(super) fn new(
        request: RequestId,
        now: DateTime<Utc>,
        planned: usize,
        canary_steps: Vec<usize>,
    ) -> Self {
        Self {
            request,
            since: now,
            is_resumed: false,
            kind: Kind::Redrive,
            replaces: 0,
            planned,
            canary_steps,
            progress: None,
            failed_steps: HashSet::new(),
            samples: VecDeque::new(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.progress.as_ref().map_or(
            Counts {
                waiting: self.planned,
                ..Counts::default()
            },
            |progress| progress.counts,
        )
    }

    pub(super) fn command(&self) -> &RunCommand {
        self.progress
            .as_ref()
            .map_or(&RunCommand::Run, |progress| &progress.command)
    }

    pub(super) fn is_paused(&self) -> bool {
        matches!(self.command(), RunCommand::Pause(_))
    }

    /// Why it waits, if it stopped by itself.
    pub(super) fn own_pause(&self) -> Option<&str> {
        match self.command() {
            RunCommand::Pause(why) => why.own(),
            RunCommand::Run | RunCommand::Cancel => None,
        }
    }

    /// What it waits for while it sends nothing.
    pub(super) fn wait(&self) -> Option<Wait> {
        self.progress.as_ref()?.wait
    }

    pub(super) const fn purpose(&self) -> Purpose {
        Purpose::of(self.kind, self.replaces)
    }

    /// Whether it ends when what was sent is proved, also while it is paused: nothing is left that it would send.
    pub(super) fn is_ending_by_itself(&self) -> bool {
        matches!(self.wait(), Some(Wait::Proof { is_last: true, .. }))
    }

    pub(super) fn apply(&mut self, progress: Progress, now: DateTime<Utc>) {
        self.planned = progress.planned;
        (self.kind, self.replaces) = (progress.kind, progress.replaces);
        self.canary_steps.clone_from(&progress.canary_steps);
        let (done, sent) = (progress.counts.done(), progress.counts.sent());
        self.progress = Some(progress);
        // What was sent may all be stored: then the step did not fail, and something else stopped the next one.
        let counts = self.counts();
        let is_all_stored = counts.unproved() == 0 && counts.dead_again == 0;
        if self.own_pause().is_some()
            && !is_all_stored
            // Nothing is sent after a step that was not proved.
            && let Some(end) = self.canary_steps.iter().find(|end| **end == done)
        {
            self.failed_steps.insert(*end);
        }
        // The time in which nothing was to be sent would make the rate too low for seconds.
        if self.is_paused() || self.wait().is_some() {
            self.samples.clear();
        } else if self.samples.back().is_none_or(|(_, last)| *last != sent) {
            self.samples.push_back((now, sent));
        }
        self.measure(now);
    }

    /// Drops samples that are too old for the present rate, and those before a silence, which is over.
    pub(super) fn measure(&mut self, now: DateTime<Utc>) {
        let gap_max = MEASURED.as_seconds_f64().max(self.secs_between());
        while let (Some((first, _)), Some((next, _))) = (self.samples.front(), self.samples.get(1))
            && (*next <= now - MEASURED || (*next - *first).as_seconds_f64() > gap_max)
        {
            self.samples.pop_front();
        }
    }

    /// Seconds between two confirmations that the limit of the rate explains: at less than one per second, one every
    /// few seconds is all that can come.
    fn secs_between(&self) -> f64 {
        self.limit_per_sec().map_or(0.0, |limit| 2.0 / limit)
    }

    /// Messages per second over the last seconds; `None` while that cannot be progress.
    pub(super) fn measured_per_sec(&self, now: DateTime<Utc>) -> Option<f64> {
        let (since, before) = self.samples.front()?;
        let (_, last) = self.samples.back()?;
        if self.wait().is_some() || self.silent_since(now).is_some() {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of one plan are small")]
        let (messages, millis) = (
            last.saturating_sub(*before) as f64,
            (now - since).num_milliseconds() as f64,
        );
        (millis >= 500.0 && messages > 0.0).then(|| messages * 1_000.0 / millis)
    }

    /// Since when no message was confirmed, if that is longer than the limit of the rate explains.
    pub(super) fn silent_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (last_at, _) = self.samples.back()?;
        let silent = (now - last_at).as_seconds_f64();
        (silent > SILENT_SECS.max(self.secs_between())).then_some(*last_at)
    }

    pub(super) fn limit_per_sec(&self) -> Option<f64> {
        self.progress.as_ref()?.rate_per_sec
    }

    /// Seconds until the last message is sent, at the measured rate, and no faster than its limit.
    pub(super) fn left_secs(&self, now: DateTime<Utc>) -> Option<u64> {
        if self.is_paused() {
            return None;
        }
        let left = self.counts().waiting;
        let rate = self.measured_per_sec(now).filter(|_| left > 0)?;
        #[expect(clippy::cast_precision_loss, reason = "counts of one plan are small")]
        let secs = left as f64 / rate.min(self.limit_per_sec().unwrap_or(f64::INFINITY));
        Some(whole(secs.ceil()))
    }

    /// When its plan was made, by which the list has it after its end too; before the first report, when it was begun.
    pub(super) fn created_at(&self) -> DateTime<Utc> {
        let progress = self.progress.as_ref();
        progress.map_or(self.since, |progress| progress.created_at)
    }

    pub(super) fn journal(&self) -> Option<&PathBuf> {
        self.progress.as_ref().map(|progress| &progress.journal)
    }
}
