//! The review is answered: what is sent is changed, dropped or begun.
//!
//! Invariant: nothing is sent before a dry run of it has ended.

use chrono::{DateTime, Utc};

use super::review::{Review, faster, refused, slower};
use super::run::Run;
use super::state::Redrives;
use crate::tui::context::UpdateContext;
use crate::tui::handover::Handover;
use crate::tui::keymap::Action;
use crate::tui::redrives::{DryRun, Selection};
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::theme::Tone;
use pipeline::model::DeadLetter;

impl Redrives {
    /// Opens the review of messages; `false` where a redrive runs already.
    pub(crate) fn review(&mut self, selection: Selection, context: &mut UpdateContext<'_>) -> bool {
        if let Some(standing) = self.standing() {
            let text = format!("{standing} · one at a time: 3 shows it");
            context.notify(Tone::Warning, text);
            return false;
        }
        self.is_shown = true;
        self.review = Some(Review::new(selection));
        self.try_dry(context);
        true
    }

    /// The review is dropped without a label: the console is being left.
    pub(crate) fn drop_review(&mut self) {
        self.review = None;
    }

    fn try_dry(&mut self, context: &mut UpdateContext<'_>) {
        if let Some(review) = &mut self.review {
            let draft = review.dry_draft();
            context.outbox.fetch(&mut review.dry, Reply::DryRun, |to| {
                Request::DryRun(draft, to)
            });
        }
    }

    /// A dry run ended. Returns the messages as they were judged for it.
    pub(crate) fn dry_run_came(
        &mut self,
        answer: Answer<DryRun>,
        now: DateTime<Utc>,
    ) -> Vec<DeadLetter> {
        let review = self.review.as_mut();
        review.map_or_else(Vec::new, |review| review.dry_run_came(answer, now))
    }

    pub(super) fn answer_review(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let Some(review) = &mut self.review else {
            return;
        };
        if review.typing.is_some() {
            self.answer_reason(action, context);
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
                context.outbox.handovers.push(Handover::ReviewDropped);
                context.notify(Tone::Muted, "nothing was sent");
            }
            Action::IncludeSkipped if review.skipped() > 0 => {
                review.includes_all = !review.includes_all;
                self.try_dry(context);
            }
            Action::Faster if review.rate_per_sec.is_none() => {
                context.notify(Tone::Muted, "there is no limit to raise: - sets one");
            }
            Action::Faster => review.rate_per_sec = faster(review.rate_per_sec),
            Action::Slower => review.rate_per_sec = slower(review.rate_per_sec),
            Action::NextCanary => review.next_canary(),
            Action::Reason => review.begin_typing(),
            Action::Refresh => self.try_dry(context),
            Action::Confirm => self.begin(context),
            _ => {}
        }
    }

    fn answer_reason(&mut self, action: Action, context: &mut UpdateContext<'_>) {
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
                self.try_dry(context);
            }
            Action::Back => review.typing = None,
            _ => {}
        }
    }

    fn begin(&mut self, context: &mut UpdateContext<'_>) {
        let Some(review) = &mut self.review else {
            return;
        };
        if review.dry.is_loading() {
            context.notify(Tone::Muted, "the dry run is still running");
            return;
        }
        if review.sent() == 0 {
            let text = if review.skipped() > 0 {
                "none of them is ready: f sends them anyway"
            } else {
                "each of them would be lost: nothing to send"
            };
            context.notify(Tone::Warning, text);
            return;
        }
        if context.environment.is_production && review.reason_in_force().is_none() {
            review.begin_typing();
            context.notify(Tone::Warning, "production requires a reason for a redrive");
            return;
        }
        let refusal = review.dry.value().and_then(|dry| dry.refusal.as_ref());
        if let Some(fault) = refusal {
            context.notify(Tone::Bad, refused(fault));
            return;
        }
        let draft = review.draft();
        let ids = draft
            .messages
            .iter()
            .map(|draft| draft.message.message_id.clone())
            .collect();
        let (planned, canary_steps) = (draft.messages.len(), draft.canary_steps.clone());
        let request = context
            .outbox
            .request(Reply::RedriveEnded, |to| Request::Redrive(draft, to));
        self.run = Some(Run::new(request, context.now, planned, canary_steps));
        self.review = None;
        context.outbox.handovers.push(Handover::RedriveBegan(ids));
        self.show_run(context.body);
        self.refresh(context);
    }
}
