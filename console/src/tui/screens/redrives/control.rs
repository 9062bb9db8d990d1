//! What the operator does to the redrive under way, and how it ends.
//!
//! Invariant: what is shown of a run was reported by its task; a key changes nothing here by itself.

use chrono::{DateTime, Utc};

use super::review::refused;
use super::run::Run;
use super::state::Redrives;
use super::texts::{parts, sent_text};
use crate::tui::context::UpdateContext;
use crate::tui::effect::RunControl;
use crate::tui::format::{count, visible};
use crate::tui::handover::Handover;
use crate::tui::lines::message_count;
use crate::tui::redrives::{Ended, Progress, RunEnd};
use crate::tui::remote::{Fetched, Remote};
use crate::tui::request::{Answer, Reply, Request, RequestId};
use crate::tui::theme::Tone;
use redrive::fact::Ending;
use redrive::{Kind, Report};

impl Redrives {
    pub(super) fn pause_or_continue(&self, context: &mut UpdateContext<'_>) {
        let Some(run) = &self.run else {
            context.notify(Tone::Muted, "no redrive runs");
            return;
        };
        let change = if run.is_paused() {
            RunControl::Continue
        } else {
            RunControl::Pause
        };
        self.send_control(change, context);
    }

    pub(super) fn cancel(&self, context: &mut UpdateContext<'_>) {
        if self.run.is_none() {
            context.notify(Tone::Muted, "no redrive runs");
            return;
        }
        self.send_control(RunControl::Cancel, context);
        let text = "cancelled: started batches finish, the rest is not sent";
        context.notify(Tone::Warning, text);
    }

    pub(super) fn change_rate(
        &self,
        change: impl FnOnce(Option<f64>) -> Option<f64>,
        context: &mut UpdateContext<'_>,
    ) {
        let Some(progress) = self.run.as_ref().and_then(|run| run.progress.as_ref()) else {
            context.notify(Tone::Muted, "no redrive runs");
            return;
        };
        self.send_control(RunControl::Rate(change(progress.rate_per_sec)), context);
    }

    pub(super) fn resume(&mut self, context: &mut UpdateContext<'_>) {
        if context.environment.read_only {
            let name = visible(&context.environment.name);
            let text = format!("{name} is read-only: no redrives");
            context.notify(Tone::Warning, text);
            return;
        }
        // It could not receive them, and would wait for them as if others had received them.
        if context.is_deleting {
            context.notify(Tone::Warning, "a deletion is in progress");
            return;
        }
        let Some(past) = self.resumable(context) else {
            let text = if self.run.is_some() {
                "a redrive is running: only one at a time"
            } else {
                "nothing to resume here"
            };
            context.notify(Tone::Muted, text);
            return;
        };
        let (past, path) = (past.clone(), past.journal.clone());
        let request = context
            .outbox
            .request(Reply::RedriveEnded, |to| Request::ResumeRedrive(path, to));
        self.run = Some(Run::resumed(request, context.now, &past));
        self.show_run(context.body);
    }

    /// A redrive got further.
    pub(crate) fn progressed(&mut self, id: RequestId, progress: Progress, now: DateTime<Utc>) {
        if let Some(run) = self.run.as_mut().filter(|run| run.request == id) {
            run.apply(progress, now);
        }
    }

    /// A redrive ended; nothing happens where it is not the one that runs.
    pub(crate) fn redrive_ended(
        &mut self,
        answer: Answer<RunEnd>,
        context: &mut UpdateContext<'_>,
    ) {
        let Some(run) = self.run.take_if(|run| answer.is_to(run.request)) else {
            return;
        };
        let ended = match answer.into_result() {
            Ok(end) => self.apply_end(end, context.now),
            Err(fault) => failed(&run, refused(&fault)),
        };
        if let (None, Some(journal)) = (&ended.report, run.journal()) {
            self.selected = Some(journal.clone());
        }
        context.notify(ended.tone, ended.text.clone());
        self.find_selected(context.body);
        self.refresh(context);
        let handover = Handover::RedriveEnded(ended);
        context.outbox.handovers.push(handover);
    }

    fn apply_end(&mut self, end: RunEnd, now: DateTime<Utc>) -> Ended {
        let (tone, text) = summary(&end);
        self.selected = Some(end.past.journal.clone());
        self.opened = Some(end.past.journal.clone());
        if let Some(past) = self.history.value_mut() {
            past.replace(*end.past);
        }
        self.report = Remote::Ready(Fetched {
            value: end.report.clone(),
            fetched_at: now,
        });
        let cancelled = || "the redrive ended before it was sent".to_owned();
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
    if run.progress.is_none() {
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
            "{} of {} failed: {why} · its journal shows what was sent",
            run.purpose().name(),
            message_count(run.planned)
        ),
        failure: Some(why),
    }
}

/// `redriven: 29 of 29 sent · 29 stored`
fn summary(end: &RunEnd) -> (Tone, String) {
    let Report {
        kind,
        counts,
        planned,
        ending,
        ..
    } = &end.report;
    let begin = match (ending, &end.error) {
        (_, Some(error)) => format!("stopped: {} · ", visible(error)),
        (Some(Ending::Cancelled), None) => "cancelled: ".to_owned(),
        (Some(Ending::Finished) | None, None) => match kind {
            Kind::Redrive => "redriven: ".to_owned(),
            Kind::Replay if end.report.replacing() > 0 => "replacement: ".to_owned(),
            Kind::Replay => "replayed: ".to_owned(),
        },
    };
    let mut text = format!("{begin}{}", sent_text(counts, *planned));
    for (number, _, what) in parts(counts, false) {
        text.push_str(&format!(" · {} {what}", count(number as u64)));
    }
    let tone = if end.error.is_some() || counts.dead_again > 0 {
        Tone::Bad
    } else if counts.moved == *planned && counts.stored == *planned {
        Tone::Good
    } else if counts.moved == *planned {
        // Not proved, or not to be proved: that needs nothing from the operator.
        Tone::Muted
    } else {
        Tone::Warning
    };
    (tone, text)
}
