//! The whole pipeline at a glance: what wants attention, each hop, and the last hour.
//!
//! Invariant: it owns only a selection; every number comes from `PipelineView`.

mod batches;
mod budgets;
mod charts;
mod freshness;
mod hop;
mod hops;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use self::hops::Hops;
use super::screen::{Screen, ScreenEvent};
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::finding::Finding;
use crate::tui::format::visible;
use crate::tui::handover::Handover;
use crate::tui::health::{Health, findings, health, unknowns};
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::layout::is_wide;
use crate::tui::lines::{hanging, title, whole_words, wrapped};
use crate::tui::screen_id::ScreenId;
use crate::tui::theme::{Tone, sign};

/// Findings that are listed at most.
const FINDINGS_SHOWN_MAX: usize = 6;
/// Marker, sign and space before a finding.
const HEAD_COLUMNS: usize = 3;
/// Least height of a readable chart.
const CHART_ROWS_MIN: u16 = 5;
/// A chart is not drawn higher than this: it would show no more.
const CHART_ROWS_MAX: u16 = 24;

/// State of the screen.
#[derive(Debug, Default)]
pub(crate) struct Overview {
    selected: usize,
}

struct Parts {
    findings: Rect,
    hops: Rect,
    charts: Rect,
}

/// Divides the screen; `calm` lines are shown where no finding is listed.
fn layout(context: &ScreenContext<'_>, listed: &[Finding], selected: usize, calm: usize) -> Parts {
    let area = context.body;
    let lines: usize = (0..listed.len())
        .map(|row| {
            if row == selected {
                whole(listed, row, area.width).len()
            } else {
                1
            }
        })
        .sum();
    let lines = if listed.is_empty() { calm } else { lines };
    let wanted = u16::try_from(lines + 1).unwrap_or(u16::MAX);
    let hops_rows = hops::rows(context);
    // The answer comes first: where there is no room for both, the hops give way to a part.
    let room = (area.height.saturating_sub(hops_rows + 1)).max(area.height * 2 / 3);
    let [findings, _, hops, _, charts] = Layout::vertical([
        Constraint::Length(wanted.min(room)),
        Constraint::Length(u16::from(is_wide(area))),
        Constraint::Length(hops_rows),
        Constraint::Length(1),
        Constraint::Max(CHART_ROWS_MAX),
    ])
    .areas(area);
    Parts {
        findings,
        hops,
        charts,
    }
}

impl Screen for Overview {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>) {
        match event {
            ScreenEvent::Act(action) => self.act(action, context),
            ScreenEvent::Click(position) => self.click(position, context),
            ScreenEvent::Enter
            | ScreenEvent::Leave
            | ScreenEvent::Key(_)
            | ScreenEvent::Paste(_)
            | ScreenEvent::Scroll(..)
            | ScreenEvent::Resize
            | ScreenEvent::Tick => {}
        }
    }

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let area = context.body;
        let listed = listed(context);
        let selected = self.selected.min(listed.len().saturating_sub(1));
        let calm = calm_lines(context, usize::from(area.width)).len();
        let parts = layout(context, &listed, selected, calm);
        self.draw_findings(context, &listed, canvas, parts.findings);
        Hops::of(context).draw(context.theme, canvas, parts.hops);
        if parts.charts.height >= CHART_ROWS_MIN {
            charts::draw(context, canvas, parts.charts);
        }
    }

    fn key_context(&self) -> KeyContext {
        KeyContext::Screen(ScreenId::Overview)
    }
}

impl Overview {
    fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let listed = listed(context);
        let last = listed.len().saturating_sub(1);
        let selected = self.selected.min(last);
        self.selected = if action == Action::Up {
            selected.saturating_sub(1)
        } else if action == Action::Down {
            (selected + 1).min(last)
        } else if matches!(action, Action::First | Action::PageUp) {
            0
        } else if matches!(action, Action::Last | Action::PageDown) {
            last
        } else {
            selected
        };
        if action == Action::Open
            && let Some(finding) = listed.get(self.selected)
        {
            match finding.screen {
                Some(screen) => context.outbox.handovers.push(Handover::GoTo(screen)),
                None => context.notify(finding.tone, finding.advice.clone()),
            }
        }
    }

    /// Selects a finding, opens the selected one.
    fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        let listed = listed(context);
        let selected = self.selected.min(listed.len().saturating_sub(1));
        let parts = layout(context, &listed, selected, 0);
        if !parts.findings.contains(position) || position.y == parts.findings.y {
            return;
        }
        let line = usize::from(position.y - parts.findings.y - 1)
            + hidden(&listed, selected, parts.findings);
        // The selected finding may take several lines.
        let extra = whole(&listed, selected, context.body.width)
            .len()
            .saturating_sub(1);
        let row = if line <= selected {
            line
        } else {
            line.saturating_sub(extra).max(selected)
        };
        if row == selected {
            self.act(Action::Open, context);
        } else if row < listed.len() {
            self.selected = row;
        }
    }

    fn draw_findings(
        &self,
        context: &ScreenContext<'_>,
        listed: &[Finding],
        canvas: &mut Frame<'_>,
        area: Rect,
    ) {
        let theme = context.theme;
        let width = usize::from(area.width);
        let mut lines = vec![title_line(context, listed, width)];
        let selected = self.selected.min(listed.len().saturating_sub(1));
        for (row, finding) in listed.iter().enumerate() {
            let head = |marker: &'static str| {
                let tone = Span::styled(sign(finding.tone), theme.tone(finding.tone));
                vec![Span::raw(marker), tone, Span::raw(" ")]
            };
            if row != selected {
                let mut line = Line::from(head(" "));
                let room = width.saturating_sub(HEAD_COLUMNS);
                let text = whole_words(&visible(&finding.text), room);
                line.push_span(Span::raw(text));
                lines.push(line);
                continue;
            }
            for (number, text) in whole(listed, row, area.width).into_iter().enumerate() {
                let mut line = if number == 0 {
                    head("▸")
                } else {
                    vec![Span::raw("   ")]
                };
                line.push(Span::styled(text, theme.strong()));
                lines.push(Line::from(line));
            }
        }
        if listed.is_empty() {
            lines.extend(calm_lines(context, width));
        }
        lines.drain(1..=hidden(listed, selected, area));
        canvas.render_widget(Paragraph::new(lines), area);
    }
}

/// Findings that give way above the selected one, so that it is read in full.
fn hidden(listed: &[Finding], selected: usize, area: Rect) -> usize {
    let through = 1 + selected + whole(listed, selected, area.width).len();
    through
        .saturating_sub(usize::from(area.height))
        .min(selected)
}

/// The whole text of a finding with its advice, in lines that fit.
fn whole(listed: &[Finding], row: usize, width: u16) -> Vec<String> {
    let Some(finding) = listed.get(row) else {
        return Vec::new();
    };
    let columns = usize::from(width).saturating_sub(HEAD_COLUMNS).max(1);
    let text = format!("{} → {}", visible(&finding.text), visible(&finding.advice));
    wrapped(&text, columns)
}

fn listed(context: &ScreenContext<'_>) -> Vec<Finding> {
    let mut findings = findings(context.pipeline, context.environment, context.now);
    findings.truncate(FINDINGS_SHOWN_MAX);
    findings
}

fn title_line(context: &ScreenContext<'_>, listed: &[Finding], width: usize) -> Line<'static> {
    let text = if listed.is_empty() {
        "Attention".to_owned()
    } else {
        let total = findings(context.pipeline, context.environment, context.now).len();
        let shown = match listed.len() {
            shown if shown < total => format!("{shown} of {total}"),
            shown => shown.to_string(),
        };
        format!("Attention · {shown} · ↑↓ select  ⏎ open")
    };
    title(context.theme, &text, width)
}

/// The text when nothing is wrong, or nothing is known.
fn calm_lines(context: &ScreenContext<'_>, width: usize) -> Vec<Line<'static>> {
    let unknown = || unknowns(context.pipeline).join(", ");
    let (tone, text) = match health(context.pipeline, context.environment, context.now) {
        Health::Connecting => (Tone::Muted, format!("no data yet: {}", unknown())),
        Health::PartlySeen => {
            let mut text = "no findings so far".to_owned();
            if context.pipeline.database_may_sleep() {
                text.push_str("; the database was not read, because that would wake it");
            }
            if !unknown().is_empty() {
                text.push_str(&format!("; CloudWatch has no values yet for {}", unknown()));
            }
            (Tone::Muted, text)
        }
        Health::Stale => (
            Tone::Warning,
            "no recent answers: the data shown is old".to_owned(),
        ),
        Health::Healthy if !unknowns(context.pipeline).is_empty() => (
            Tone::Good,
            format!(
                "no findings: every part was checked and the queue is empty; CloudWatch has no values \
                 for {}",
                unknown()
            ),
        ),
        Health::Healthy | Health::Attention | Health::Failing | Health::Unreachable => (
            Tone::Good,
            "no findings: every part was checked and works".to_owned(),
        ),
    };
    hanging(tone, &text, context.theme, width)
}

#[cfg(test)]
mod tests;
