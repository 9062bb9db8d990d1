//! What is left of the error budgets, in one line.
//!
//! Invariant: where no budget is known there is no line; one that is not known is never shown as whole.

use super::freshness::Freshness;
use super::hop::Hop;
use crate::tui::context::ScreenContext;
use crate::tui::format::clock;
use crate::tui::theme::Tone;
use pipeline::slo::ErrorBudget;

/// With less than this left, changes that can wait do (terraform/OPERATIONS.md, "Alarms").
pub(super) const LITTLE_PERCENT: f64 = 10.0;

/// The objectives, the one with the least left first.
pub(super) fn line(context: &ScreenContext<'_>) -> Option<Hop> {
    let remote = &context.pipeline.budgets;
    let mut budgets: Vec<&ErrorBudget> = remote.value()?.iter().collect();
    // Those that are not known come last.
    let left = |budget: &ErrorBudget| budget.budget_left_percent.unwrap_or(f64::INFINITY);
    budgets.sort_by(|one, other| left(one).total_cmp(&left(other)));
    let percent = budgets.first()?.budget_left_percent?;
    let mut parts = budgets
        .iter()
        .map(|budget| format!("{} {}", budget.objective.name(), budget.left_in_words()));
    let main = parts.next()?;
    let freshness = Freshness::of(remote, context.pipeline.polling.budgets, context);
    let tone = match freshness.tone {
        Tone::Good if percent <= 0.0 => Tone::Bad,
        Tone::Good if percent < LITTLE_PERCENT => Tone::Warning,
        tone @ (Tone::Muted | Tone::Good | Tone::Warning | Tone::Bad) => tone,
    };
    let mut rest = freshness.notes;
    let read_at = context.pipeline.old_budgets(context.now);
    let read_at = read_at.filter(|_| rest.is_empty());
    rest.extend(read_at.map(|at| format!("at {}", clock(at))));
    rest.extend(parts);
    Some(Hop {
        title: "budget",
        tone,
        main,
        rest,
    })
}
