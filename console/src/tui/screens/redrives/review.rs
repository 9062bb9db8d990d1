//! The messages before a plan is frozen: what is sent, what stays and why, how fast.
//!
//! Invariant: what is sent is exactly what the review counts.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use event::Verdict;
use ratatui_textarea::TextArea;

use crate::tui::fault::Fault;
use crate::tui::format::visible;
use crate::tui::keymap::{Action, Binding, Label};
use crate::tui::redrives::{Chosen, Draft, DraftMessage, DryRun, Selection};
use crate::tui::remote::Remote;
use crate::tui::request::Answer;
use pipeline::model::DeadLetter;
use redrive::Skipped;
use redrive::operations::skip_reason;

/// Rates that `+` and `-` step through, messages per second.
const RATES_PER_SEC: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];
/// Canary steps that are offered, the careful ones first.
const CANARIES: [&[usize]; 4] = [&[1, 10, 100], &[1, 5, 20], &[1], &[]];
/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 200;

/// The next faster rate; `None` is as fast as SQS accepts them.
pub(super) fn faster(rate: Option<f64>) -> Option<f64> {
    let rate = rate?;
    RATES_PER_SEC.into_iter().find(|step| *step > rate)
}

/// The next slower rate.
pub(super) fn slower(rate: Option<f64>) -> Option<f64> {
    let [slowest, ..] = RATES_PER_SEC;
    let is_slower = |step: &f64| rate.is_none_or(|rate| *step < rate);
    Some(
        RATES_PER_SEC
            .into_iter()
            .rfind(is_slower)
            .unwrap_or(slowest),
    )
}

/// Messages under review, frozen when they were chosen.
#[derive(Debug)]
pub(super) struct Review {
    pub(super) scope: String,
    messages: Vec<Chosen>,
    pub(super) has_ledger: bool,
    /// Whether those that are not ready are sent too.
    pub(super) includes_all: bool,
    pub(super) rate_per_sec: Option<f64>,
    canary: usize,
    pub(super) reason: Option<String>,
    pub(super) typing: Option<TextArea<'static>>,
    pub(super) dry: Remote<DryRun>,
}

impl Review {
    pub(super) fn new(selection: Selection) -> Self {
        Self {
            scope: selection.scope,
            messages: selection.messages,
            has_ledger: selection.has_ledger,
            includes_all: false,
            rate_per_sec: None,
            canary: 0,
            reason: None,
            typing: None,
            dry: Remote::Idle,
        }
    }

    pub(super) fn total(&self) -> usize {
        self.messages.len()
    }

    /// How many have this verdict and would not be lost.
    pub(super) fn with(&self, verdict: Verdict) -> usize {
        self.count(|chosen, is_lost| !is_lost && chosen.verdict == verdict)
    }

    /// Whether messages with this verdict are sent.
    pub(super) fn sends(&self, verdict: Verdict) -> bool {
        self.includes_all || verdict == Verdict::Ready
    }

    /// How many are left out unless all are meant.
    pub(super) fn skipped(&self) -> usize {
        self.count(|chosen, is_lost| !is_lost && chosen.verdict != Verdict::Ready)
    }

    /// How many stay whatever is meant: another event has their identity, or they are behind the
    /// retention horizon.
    pub(super) fn lost(&self) -> usize {
        self.count(|_, is_lost| is_lost)
    }

    /// Why the first of them stays.
    pub(super) fn loss(&self) -> Option<&str> {
        let kept_back = self.dry.value()?.kept_back.first()?;
        Some(&kept_back.reason)
    }

    /// How many are sent.
    pub(super) fn sent(&self) -> usize {
        self.count(|chosen, is_lost| !is_lost && self.sends(chosen.verdict))
    }

    /// How many of those that are sent have another body.
    pub(super) fn edited(&self) -> usize {
        let is_edited = |chosen: &Chosen| chosen.draft.new_body.is_some();
        self.count(|chosen, is_lost| !is_lost && self.sends(chosen.verdict) && is_edited(chosen))
    }

    fn count(&self, is_counted: impl Fn(&Chosen, bool) -> bool) -> usize {
        let kept_back = self.kept_back();
        let messages = self.messages.iter();
        let counted = messages.filter(|chosen| is_counted(chosen, is_lost(chosen, &kept_back)));
        counted.count()
    }

    /// Messages that the dry run kept back, and why.
    fn kept_back(&self) -> HashMap<&str, &str> {
        let kept_back = self.dry.value().into_iter().flat_map(|dry| &dry.kept_back);
        kept_back
            .map(|kept| (kept.message_id.as_str(), kept.reason.as_str()))
            .collect()
    }

    /// The canary steps that cut what is sent.
    pub(super) fn canary_steps(&self) -> Vec<usize> {
        let sent = self.sent();
        let steps = CANARIES.get(self.canary).copied().unwrap_or_default();
        steps.iter().copied().filter(|step| *step < sent).collect()
    }

    /// Chooses the next canary steps that differ from the present ones.
    pub(super) fn next_canary(&mut self) {
        let before = self.canary_steps();
        for _ in CANARIES {
            self.canary = (self.canary + 1) % CANARIES.len();
            if self.canary_steps() != before {
                return;
            }
        }
    }

    /// The reason that the redrive would be on record with.
    pub(super) fn reason_in_force(&self) -> Option<&str> {
        let of_start = || self.dry.value().and_then(|dry| dry.reason.as_deref());
        self.reason.as_deref().or_else(of_start)
    }

    /// What the dry run is about: it finds out itself which messages would be lost.
    pub(super) fn dry_draft(&self) -> Draft {
        self.draft_without(&HashMap::new())
    }

    /// Takes over what a dry run found. Returns the messages as they were judged for it.
    pub(super) fn dry_run_came(
        &mut self,
        answer: Answer<DryRun>,
        now: DateTime<Utc>,
    ) -> Vec<DeadLetter> {
        if !self.dry.settle(answer, now) {
            return Vec::new();
        }
        let Some(dry) = self.dry.value_mut() else {
            return Vec::new();
        };
        let judged = std::mem::take(&mut dry.judged);
        self.has_ledger = dry.is_ledger_checked.unwrap_or(self.has_ledger);
        let by_id: HashMap<&str, &DeadLetter> = judged
            .iter()
            .map(|message| (message.message_id.as_str(), message))
            .collect();
        for chosen in &mut self.messages {
            let message = by_id.get(chosen.draft.message.message_id.as_str());
            let Some(message) = message else { continue };
            if chosen.draft.new_body.is_none() {
                chosen.verdict = message.verdict;
            }
            chosen.draft.message.judged_as(message);
        }
        judged
    }

    /// What is sent.
    pub(super) fn draft(&self) -> Draft {
        self.draft_without(&self.kept_back())
    }

    fn draft_without(&self, kept_back: &HashMap<&str, &str>) -> Draft {
        let is_sent = |chosen: &&Chosen| !is_lost(chosen, kept_back) && self.sends(chosen.verdict);
        let (sent, skipped): (Vec<&Chosen>, Vec<&Chosen>) = self.messages.iter().partition(is_sent);
        Draft {
            messages: sent
                .into_iter()
                .map(|chosen| chosen.draft.clone())
                .collect::<Vec<_>>()
                .into(),
            skipped: skipped
                .into_iter()
                .map(|chosen| {
                    let DraftMessage { message, new_body } = &chosen.draft;
                    let failure = message.failure.as_deref().filter(|_| new_body.is_none());
                    let reason = kept_back.get(message.message_id.as_str());
                    let reason = reason.map_or_else(
                        || skip_reason(chosen.verdict, failure, new_body.is_some()),
                        |reason| (*reason).to_owned(),
                    );
                    Skipped {
                        message_id: message.message_id.clone(),
                        verdict: chosen.verdict,
                        reason,
                    }
                })
                .collect(),
            rate_per_sec: self.rate_per_sec,
            canary_steps: self.canary_steps(),
            reason: self.reason.clone(),
            includes_all: self.includes_all,
        }
    }

    pub(super) fn hint(&self, binding: &Binding) -> Option<Label> {
        if self.typing.is_some() {
            // There is no earlier reason to recall.
            return (binding.action != Action::Up).then(|| binding.label.into());
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other keys always do the same"
        )]
        match binding.action {
            Action::Confirm => (self.sent() > 0).then(|| binding.label.into()),
            Action::IncludeSkipped if self.skipped() == 0 => None,
            Action::IncludeSkipped if self.includes_all => Some("only ready".into()),
            Action::NextCanary => (self.sent() > 1).then(|| binding.label.into()),
            _ => Some(binding.label.into()),
        }
    }

    pub(super) fn begin_typing(&mut self) {
        let text = self.reason_in_force().unwrap_or_default().to_owned();
        let mut input = TextArea::new(vec![text]);
        input.set_cursor_line_style(ratatui::style::Style::new());
        input.move_cursor(ratatui_textarea::CursorMove::End);
        self.typing = Some(input);
    }

    pub(super) fn typed(&self) -> Option<String> {
        let text = self.typing.as_ref()?.lines().join(" ");
        Some(text.chars().take(REASON_CHARS_MAX).collect())
    }

    pub(super) fn key(&mut self, key: KeyEvent) {
        if let Some(input) = &mut self.typing {
            input.input(key);
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        if let Some(input) = &mut self.typing {
            let text: String = text.chars().take(REASON_CHARS_MAX).collect();
            input.insert_str(text.replace(['\r', '\n'], " "));
        }
    }
}

/// Whether the ingest would drop its event: another one that was stored has the identity that an edit
/// gave it, another message of the plan gets it, or it is behind the retention horizon.
fn is_lost(chosen: &Chosen, kept_back: &HashMap<&str, &str>) -> bool {
    let is_edited = chosen.draft.new_body.is_some();
    (is_edited && chosen.verdict == Verdict::AlreadyStored)
        || kept_back.contains_key(chosen.draft.message.message_id.as_str())
}

/// What happens to so many messages with a verdict, and why.
pub(super) const fn disposition(verdict: Verdict, is_sent: bool, number: usize) -> &'static str {
    match (verdict, is_sent, number) {
        (Verdict::Ready, _, 1) => "sent: the ingest would store it",
        (Verdict::Ready, _, _) => "sent: the ingest would store them",
        (Verdict::AlreadyStored, false, 1) => "stays: it would be a duplicate",
        (Verdict::AlreadyStored, false, _) => "stay: they would be duplicates",
        (Verdict::AlreadyStored, true, 1) => "sent anyway: it will be a duplicate",
        (Verdict::AlreadyStored, true, _) => "sent anyway: they will be duplicates",
        (Verdict::StillInvalid, false, 1) => "stays: the ingest would reject it again",
        (Verdict::StillInvalid, false, _) => "stay: the ingest would reject them again",
        (Verdict::Unreadable, false, 1) => "stays: it is not JSON",
        (Verdict::Unreadable, false, _) => "stay: they are not JSON",
        (Verdict::StillInvalid | Verdict::Unreadable, true, 1) => {
            "sent anyway: the ingest will reject it"
        }
        (Verdict::StillInvalid | Verdict::Unreadable, true, _) => {
            "sent anyway: the ingest will reject them"
        }
    }
}

/// Why it is not permitted, and what to do.
pub(super) fn refused(fault: &Fault) -> String {
    match &fault.hint {
        Some(hint) => format!("{} · {}", visible(&fault.message), visible(hint)),
        None => visible(&fault.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_is_not_several() {
        for verdict in [
            Verdict::Ready,
            Verdict::AlreadyStored,
            Verdict::StillInvalid,
            Verdict::Unreadable,
        ] {
            for is_sent in [false, true] {
                let [one, two] = [1, 2].map(|number| disposition(verdict, is_sent, number));
                assert_ne!(one, two);
                assert!(!one.contains("them") && !one.contains("they"), "{one}");
            }
        }
    }

    #[test]
    fn rates_go_up_to_no_limit_and_never_down_to_nothing() {
        let mut rate = None;
        for _ in 0..20 {
            rate = slower(rate);
        }
        assert_eq!(rate, Some(1.0));
        assert_eq!(slower(Some(7.5)), Some(5.0));
        assert_eq!(faster(Some(7.5)), Some(10.0));
        assert_eq!(faster(Some(500.0)), None);
        assert_eq!(faster(None), None);
    }
}
