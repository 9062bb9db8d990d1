//! The plan before it is frozen: what is sent, what stays and why, how fast, and what a dry run says.
//!
//! Invariant: what is sent is exactly what the review counts; nothing is sent before a dry run of it
//! has ended.

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use event::Verdict;
use ratatui_textarea::TextArea;

use super::Redrives;
use super::running::Run;
use crate::tui::format::visible;
use crate::tui::keymap::{Action, Binding};
use crate::tui::message::{Answer, Fault, Reply, Request, Tone};
use crate::tui::redrives::{Chosen, Draft, DraftMessage, DryRun, Reviewed, Selection};
use crate::tui::remote::Remote;
use crate::tui::update_context::UpdateContext;
use redrive::Skipped;
use redrive::operations::skip_reason;

/// Rates that `+` and `-` step through, messages per second.
const RATES_PER_SEC: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];
/// Canary steps that are offered, the careful ones first.
const CANARIES: [&[usize]; 4] = [&[1, 10, 100], &[1, 5, 20], &[1], &[]];
/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 200;

/// The next faster rate; `None` is as fast as SQS takes them.
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

/// Messages that the operator is asked about, frozen when they were chosen.
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
    fn new(selection: Selection) -> Self {
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

    /// How many have this verdict.
    pub(super) fn with(&self, verdict: Verdict) -> usize {
        let is_so = |chosen: &&Chosen| chosen.verdict == verdict;
        self.messages.iter().filter(is_so).count()
    }

    /// Whether messages with this verdict are sent.
    pub(super) fn sends(&self, verdict: Verdict) -> bool {
        self.includes_all || verdict == Verdict::Ready
    }

    /// How many are left out unless all are meant.
    pub(super) fn skipped(&self) -> usize {
        self.total() - self.with(Verdict::Ready)
    }

    /// How many are sent.
    pub(super) fn sent(&self) -> usize {
        if self.includes_all {
            self.total()
        } else {
            self.with(Verdict::Ready)
        }
    }

    /// How many of those that are sent have another body.
    pub(super) fn edited(&self) -> usize {
        self.messages
            .iter()
            .filter(|chosen| self.sends(chosen.verdict) && chosen.draft.new_body.is_some())
            .count()
    }

    /// The canary steps that cut what is sent.
    pub(super) fn canary_steps(&self) -> Vec<usize> {
        let sent = self.sent();
        let steps = CANARIES.get(self.canary).copied().unwrap_or_default();
        steps.iter().copied().filter(|step| *step < sent).collect()
    }

    /// Goes on to the next canary steps that differ from the present ones.
    fn next_canary(&mut self) {
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

    fn draft(&self) -> Draft {
        let (sent, skipped): (Vec<&Chosen>, Vec<&Chosen>) = self
            .messages
            .iter()
            .partition(|chosen| self.sends(chosen.verdict));
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
                    let failure = message.failure.as_ref().filter(|_| new_body.is_none());
                    Skipped {
                        message_id: message.message_id.clone(),
                        verdict: chosen.verdict,
                        reason: skip_reason(chosen.verdict, failure, new_body.is_some()),
                    }
                })
                .collect(),
            rate_per_sec: self.rate_per_sec,
            canary_steps: self.canary_steps(),
            reason: self.reason.clone(),
        }
    }

    pub(super) fn hint(&self, binding: &Binding) -> Option<&'static str> {
        if self.typing.is_some() {
            // There is no reason from before to take up again.
            return (binding.action != Action::Up).then_some(binding.label);
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other keys always do the same"
        )]
        match binding.action {
            Action::Confirm => (self.sent() > 0).then_some(binding.label),
            Action::IncludeSkipped if self.skipped() == 0 => None,
            Action::IncludeSkipped if self.includes_all => Some("only the ready"),
            Action::NextCanary => (self.sent() > 1).then_some(binding.label),
            _ => Some(binding.label),
        }
    }

    fn begin_typing(&mut self) {
        let text = self.reason_in_force().unwrap_or_default().to_owned();
        let mut input = TextArea::new(vec![text]);
        input.set_cursor_line_style(ratatui::style::Style::new());
        input.move_cursor(ratatui_textarea::CursorMove::End);
        self.typing = Some(input);
    }

    fn typed(&self) -> Option<String> {
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

/// What happens to messages with a verdict, and why.
pub(super) const fn fate(verdict: Verdict, is_sent: bool) -> &'static str {
    match (verdict, is_sent) {
        (Verdict::Ready, _) => "sent: the ingest would store them",
        (Verdict::AlreadyStored, false) => "stay: they would only become duplicates",
        (Verdict::AlreadyStored, true) => "sent all the same: they become duplicates",
        (Verdict::StillInvalid, false) => "stay: the ingest would refuse them again",
        (Verdict::Unreadable, false) => "stay: they are not even JSON",
        (Verdict::StillInvalid | Verdict::Unreadable, true) => {
            "sent all the same: the ingest will refuse them"
        }
    }
}

impl Redrives {
    /// Puts messages before the operator.
    pub fn review(&mut self, selection: Selection, turn: &mut UpdateContext<'_>) {
        self.is_shown = true;
        self.review = Some(Review::new(selection));
        self.try_dry(turn);
    }

    /// The review is dropped without a word: the console is being left.
    pub fn drop_review(&mut self) {
        self.review = None;
    }

    fn try_dry(&mut self, turn: &mut UpdateContext<'_>) {
        if let Some(review) = &mut self.review {
            let request = Request::DryRun(review.draft());
            turn.fetch(&mut review.dry, request);
        }
    }

    pub(super) fn dry_run_came(&mut self, reply: Reply, now: DateTime<Utc>) {
        let result = match reply.result {
            Ok(Answer::DryRun(dry)) => Ok(dry),
            Ok(_) => Err(super::history::unexpected()),
            Err(fault) => Err(fault),
        };
        if let Some(review) = &mut self.review {
            review.dry.settle(reply.id, result, now);
        }
    }

    pub(super) fn answer_review(&mut self, action: Action, turn: &mut UpdateContext<'_>) {
        let Some(review) = &mut self.review else {
            return;
        };
        if review.typing.is_some() {
            self.answer_reason(action, turn);
            return;
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "only the keys of the review count"
        )]
        match action {
            Action::Back => {
                self.review = None;
                self.is_shown = false;
                turn.reviewed = Some(Reviewed::Dropped);
                turn.say(Tone::Muted, "nothing was sent");
            }
            Action::IncludeSkipped if review.skipped() > 0 => {
                review.includes_all = !review.includes_all;
                self.try_dry(turn);
            }
            Action::Faster => review.rate_per_sec = faster(review.rate_per_sec),
            Action::Slower => review.rate_per_sec = slower(review.rate_per_sec),
            Action::NextCanary => review.next_canary(),
            Action::Reason => review.begin_typing(),
            Action::Refresh => self.try_dry(turn),
            Action::Confirm => self.begin(turn),
            _ => {}
        }
    }

    fn answer_reason(&mut self, action: Action, turn: &mut UpdateContext<'_>) {
        let Some(review) = &mut self.review else {
            return;
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other keys write")]
        match action {
            Action::Confirm => {
                let typed = review.typed().map(|text| text.trim().to_owned());
                review.reason = typed.filter(|text| !text.is_empty());
                review.typing = None;
                // Whether the environment permits the redrive depends on it.
                self.try_dry(turn);
            }
            Action::Back => review.typing = None,
            _ => {}
        }
    }

    fn begin(&mut self, turn: &mut UpdateContext<'_>) {
        let Some(review) = &mut self.review else {
            return;
        };
        if review.sent() == 0 {
            let text = "none of them is ready: f sends them all the same";
            turn.say(Tone::Warning, text);
            return;
        }
        if review.dry.is_loading() {
            turn.say(Tone::Muted, "the dry run is under way: a moment");
            return;
        }
        if self.is_production && review.reason_in_force().is_none() {
            review.begin_typing();
            turn.say(
                Tone::Warning,
                "production takes no redrive without a reason",
            );
            return;
        }
        let refusal = review.dry.value().and_then(|dry| dry.refusal.as_ref());
        if let Some(fault) = refusal {
            turn.say(Tone::Bad, refused(fault));
            return;
        }
        let draft = review.draft();
        let ids = draft
            .messages
            .iter()
            .map(|draft| draft.message.message_id.clone())
            .collect();
        let request = turn.ask(Request::Redrive(draft.clone()));
        self.run = Some(Run::begun(request, turn.now, &draft));
        self.review = None;
        turn.reviewed = Some(Reviewed::Begun(ids));
        self.show_run(turn.body);
        self.refresh(turn);
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
