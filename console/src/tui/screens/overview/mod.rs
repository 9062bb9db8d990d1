//! The whole pipeline at a glance: what wants attention, each hop, and the last hour.
//!
//! Invariant: it owns only a selection; every number comes from `Pipeline`.

mod charts;
mod hops;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use self::hops::Hops;
use super::is_wide;
use crate::environment::Environment;
use crate::tui::format::{fit, visible};
use crate::tui::health::{Finding, Health, findings, health};
use crate::tui::keymap::Action;
use crate::tui::message::Tone;
use crate::tui::model::Model;
use crate::tui::pipeline::Pipeline;
use crate::tui::theme::sign;
use crate::tui::turn::Turn;

/// Findings that are listed at most.
const FINDINGS_SHOWN_MAX: usize = 6;
/// Least height of a chart that says anything.
const CHART_ROWS_MIN: u16 = 5;
/// A chart is not drawn higher than this: more says nothing more.
const CHART_ROWS_MAX: u16 = 20;

/// State of the screen.
#[derive(Debug, Default)]
pub struct Overview {
    selected: usize,
}

/// Where the parts stand.
struct Parts {
    findings: Rect,
    hops: Rect,
    charts: Rect,
}

fn layout(area: Rect, findings: usize) -> Parts {
    let wanted = u16::try_from(findings.clamp(1, FINDINGS_SHOWN_MAX)).unwrap_or(1) + 1;
    let hops_rows = if is_wide(area) {
        hops::WIDE_ROWS
    } else {
        hops::NARROW_ROWS
    };
    let room = area.height.saturating_sub(hops_rows + 1).max(2);
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

impl Overview {
    /// Carries out an action.
    pub fn act(
        &mut self,
        action: Action,
        pipeline: &Pipeline,
        environment: &Environment,
        turn: &mut Turn<'_>,
    ) {
        let listed = listed(pipeline, environment, turn.now);
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
                Some(screen) => turn.go_to = Some(screen),
                None => turn.say(finding.tone, finding.advice.clone()),
            }
        }
    }

    /// A click inside the screen: selects a finding, opens the selected one.
    pub fn click(
        &mut self,
        position: Position,
        pipeline: &Pipeline,
        environment: &Environment,
        turn: &mut Turn<'_>,
    ) {
        let listed = listed(pipeline, environment, turn.now);
        let parts = layout(turn.body, listed.len());
        if !parts.findings.contains(position) || position.y == parts.findings.y {
            return;
        }
        let row = usize::from(position.y - parts.findings.y - 1);
        if row == self.selected {
            self.act(Action::Open, pipeline, environment, turn);
        } else if row < listed.len() {
            self.selected = row;
        }
    }

    /// Draws the screen.
    pub fn view(&self, model: &Model, canvas: &mut Frame<'_>, area: Rect) {
        let listed = listed(&model.pipeline, &model.environment, model.now);
        let parts = layout(area, listed.len());
        self.draw_findings(model, &listed, canvas, parts.findings);
        Hops::of(model).draw(model.theme, canvas, parts.hops);
        if parts.charts.height >= CHART_ROWS_MIN {
            charts::draw(model, canvas, parts.charts);
        }
    }

    fn draw_findings(&self, model: &Model, listed: &[Finding], canvas: &mut Frame<'_>, area: Rect) {
        let theme = model.theme;
        let width = usize::from(area.width);
        let mut lines = vec![title_line(model, listed, width)];
        let selected = self.selected.min(listed.len().saturating_sub(1));
        for (row, finding) in listed.iter().enumerate() {
            let is_selected = row == selected;
            let marker = if is_selected { "▸" } else { " " };
            let advice = format!("  {}", finding.advice);
            let text = visible(&finding.text);
            let room = width.saturating_sub(4);
            let spans = if text.chars().count() + advice.chars().count() <= room {
                vec![Span::raw(text), Span::styled(advice, theme.muted())]
            } else {
                vec![Span::raw(fit(&text, room))]
            };
            let mut line = Line::from(vec![
                Span::raw(marker),
                Span::styled(format!("{} ", sign(finding.tone)), theme.tone(finding.tone)),
            ]);
            line.spans.extend(spans);
            lines.push(if is_selected {
                line.style(theme.strong())
            } else {
                line
            });
        }
        if listed.is_empty() {
            lines.push(calm_line(model));
        }
        canvas.render_widget(Paragraph::new(lines), area);
    }
}

fn listed(
    pipeline: &Pipeline,
    environment: &Environment,
    now: chrono::DateTime<chrono::Utc>,
) -> Vec<Finding> {
    let mut findings = findings(pipeline, environment, now);
    findings.truncate(FINDINGS_SHOWN_MAX);
    findings
}

fn title_line(model: &Model, listed: &[Finding], width: usize) -> Line<'static> {
    let title = if listed.is_empty() {
        "Attention".to_owned()
    } else {
        format!("Attention · {} · ↑↓ select  ⏎ go there", listed.len())
    };
    super::title(model.theme, &title, width)
}

/// What is said when nothing is wrong, or nothing is known.
fn calm_line(model: &Model) -> Line<'static> {
    let theme = model.theme;
    let (tone, text) = match health(&model.pipeline, &model.environment, model.now) {
        Health::Connecting => (
            Tone::Muted,
            "asking the queues, the database and the API; ^r asks again",
        ),
        Health::Healthy | Health::Attention | Health::Failing | Health::Unreachable => (
            Tone::Good,
            "nothing wants attention: every hop was seen and flows",
        ),
    };
    Line::from(vec![
        Span::raw(" "),
        Span::styled(format!("{} {text}", sign(tone)), theme.tone(tone)),
    ])
}
