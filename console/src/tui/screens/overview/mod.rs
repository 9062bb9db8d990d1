//! The whole pipeline at a glance: what wants attention, each hop, and charts; more of each part on further pages.
//!
//! Invariant: what it shows of the hops comes from `PipelineView`; of its own it has what only a page or a longer
//! range of the charts needs, and asks for it only while that is shown.

mod alarms;
mod bar;
mod batches;
mod budgets;
mod charts;
mod charts_view;
mod facts;
mod freshness;
mod hop;
mod hops;
mod lines;
mod page;
mod selection;

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use self::alarms::Alarms;
use self::bar::Target;
use self::charts::Charts;
use self::hops::Hops;
use self::page::Page;
use self::selection::{Goal, HopId, Selected};
use super::screen::{Screen, ScreenEvent};
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::finding::Finding;
use crate::tui::format::visible;
use crate::tui::handover::Handover;
use crate::tui::health::{Health, findings, health, unknowns};
use crate::tui::keymap::{Action, Binding, KeyContext, Label};
use crate::tui::layout::is_wide;
use crate::tui::lines::{hanging, title, whole_words, wrapped};
use crate::tui::plot::Mark;
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::screen_id::ScreenId;
use crate::tui::theme::{Tone, sign};
use pipeline::alarm_states::AlarmState;
use pipeline::long_history::LongHistory;
use pipeline::storage::Storage;

/// Findings that are listed at most.
const FINDINGS_SHOWN_MAX: usize = 6;
/// Marker, sign and space before a finding.
const HEAD_COLUMNS: usize = 3;
/// Least height of charts: one, and the axis below it.
const CHART_ROWS_MIN: u16 = 5;
/// From this height on, pages and ranges have a row.
const BAR_ROWS_MIN: u16 = 10;

/// State of the screen.
#[derive(Debug, Default)]
pub(crate) struct Overview {
    selected: Selected,
    page: Page,
    charts: Charts,
    alarms: Alarms,
    /// The partitions of the records.
    storage: Remote<Storage>,
    /// Whether another screen is shown.
    is_hidden: bool,
}

/// The parts of a page; one that is not shown is empty.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    bar: Rect,
    findings: Rect,
    hops: Rect,
    facts: Rect,
    charts: Rect,
}

/// Divides the screen; `calm` lines are shown where no finding is listed.
fn layout(
    context: &ScreenContext<'_>,
    page: Page,
    listed: &[Finding],
    (selected, calm): (Option<usize>, usize),
) -> Parts {
    let area = context.body;
    let [bar, area] = Layout::vertical([
        Constraint::Length(u16::from(area.height >= BAR_ROWS_MIN)),
        Constraint::Fill(1),
    ])
    .areas(area);
    if page != Page::Pipeline {
        let [facts, charts] =
            Layout::vertical([Constraint::Length(facts::rows(page)), Constraint::Fill(1)])
                .areas(area);
        return Parts {
            bar,
            facts,
            charts,
            ..Parts::default()
        };
    }
    let lines: usize = (0..listed.len())
        .map(|row| {
            if Some(row) == selected {
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
    let gap = Constraint::Length(u16::from(is_wide(area)));
    let [findings, _, hops, _, charts] = Layout::vertical([
        Constraint::Length(wanted.min(room)),
        gap,
        Constraint::Length(hops_rows),
        gap,
        Constraint::Fill(1),
    ])
    .areas(area);
    Parts {
        bar,
        findings,
        hops,
        charts,
        facts: Rect::default(),
    }
}

impl Screen for Overview {
    fn update(&mut self, event: ScreenEvent<'_>, context: &mut UpdateContext<'_>) {
        match event {
            ScreenEvent::Act(action) => self.act(action, context),
            ScreenEvent::Click(position) => self.click(position, context),
            ScreenEvent::Drag(position) => {
                let parts = self.parts(context);
                self.charts.point(self.page, parts.charts, position);
            }
            ScreenEvent::Enter => {
                self.is_hidden = false;
                self.ask(context);
            }
            ScreenEvent::Leave => self.is_hidden = true,
            ScreenEvent::Tick if !self.is_hidden => self.ask(context),
            ScreenEvent::Key(_)
            | ScreenEvent::Paste(_)
            | ScreenEvent::Scroll(..)
            | ScreenEvent::Resize
            | ScreenEvent::Tick => {}
        }
    }

    fn view(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let area = context.body;
        let listed = listed(context);
        let calm = calm_lines(context, usize::from(area.width)).len();
        let parts = layout(context, self.page, &listed, (self.finding(&listed), calm));
        bar::draw(&self.charts, self.page, context, canvas, parts.bar);
        if self.page == Page::Pipeline {
            self.draw_findings(context, &listed, canvas, parts.findings);
            let selected = self.selected.hop();
            Hops::of(context).draw(selected, context.theme, canvas, parts.hops);
        }
        if self.page == Page::Alarms {
            return self.alarms.draw(context, canvas, parts.charts);
        }
        let facts = facts::lines(self.page, self.known(), context);
        canvas.render_widget(Paragraph::new(facts), parts.facts);
        if parts.charts.height >= CHART_ROWS_MIN {
            charts_view::draw(&self.charts, self.page, context, canvas, parts.charts);
        }
    }

    fn key_context(&self) -> KeyContext {
        KeyContext::Screen(ScreenId::Overview)
    }

    fn hint(&self, binding: &Binding, _: &ScreenContext<'_>) -> Option<Label> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other keys always do the same"
        )]
        match binding.action {
            Action::NextPage => Some("page".into()),
            Action::Earlier => self.page.has_charts().then(|| "cursor".into()),
            _ => Some(binding.label.into()),
        }
    }

    fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.charts.long.loading_since()
    }
}

impl Overview {
    /// What the charts show, computed again where that has changed.
    pub(crate) fn prepare(&mut self, context: &ScreenContext<'_>) {
        if !self.is_hidden {
            self.charts.prepare(self.page, context);
        }
    }

    pub(crate) fn history_came(&mut self, answer: Answer<Box<LongHistory>>, now: DateTime<Utc>) {
        self.charts.history_came(answer, now);
    }

    pub(crate) fn changes_came(&mut self, answer: Answer<Vec<Mark>>, now: DateTime<Utc>) {
        self.charts.changes.settle(answer, now);
    }

    pub(crate) fn deployment_came(
        &mut self,
        answer: Answer<Option<DateTime<Utc>>>,
        now: DateTime<Utc>,
    ) {
        self.charts.deployment.settle(answer, now);
    }

    pub(crate) fn alarms_came(&mut self, answer: Answer<Vec<AlarmState>>, now: DateTime<Utc>) {
        self.alarms.came(answer, now);
    }

    pub(crate) fn storage_came(&mut self, answer: Answer<Storage>, now: DateTime<Utc>) {
        self.storage.settle(answer, now);
    }

    /// Asks for what the page shows and is due.
    fn ask(&mut self, context: &mut UpdateContext<'_>) {
        self.charts.ask(self.page, context);
        let interval = context.pipeline.polling.budgets;
        match self.page {
            Page::Alarms => self.alarms.ask(context),
            // Nothing that the console reads by itself wakes a paused database.
            Page::Database
                if !context.environment.database_pauses
                    && self.storage.is_due(interval, context.now) =>
            {
                self.fetch_storage(context);
            }
            Page::Pipeline | Page::Charts | Page::Functions | Page::Api | Page::Database => {}
        }
    }

    fn fetch_storage(&mut self, context: &mut UpdateContext<'_>) {
        context
            .outbox
            .fetch(&mut self.storage, Reply::Storage, Request::Storage);
    }

    fn refresh(&mut self, context: &mut UpdateContext<'_>) {
        self.charts.refresh(self.page, context);
        match self.page {
            Page::Alarms => self.alarms.fetch(context),
            Page::Database => self.fetch_storage(context),
            Page::Pipeline | Page::Charts | Page::Functions | Page::Api => {}
        }
    }

    fn known(&self) -> facts::Known<'_> {
        facts::Known {
            storage: &self.storage,
            deployed_at: self.charts.deployment.value().copied().flatten(),
            long: self.charts.history(self.page).map(|read| &*read.value),
        }
    }

    /// The row of the selected finding.
    fn finding(&self, listed: &[Finding]) -> Option<usize> {
        let row = self.selected.finding()?;
        Some(row.min(listed.len().saturating_sub(1)))
    }

    fn parts(&self, context: &ScreenContext<'_>) -> Parts {
        let listed = listed(context);
        let calm = calm_lines(context, usize::from(context.body.width)).len();
        layout(context, self.page, &listed, (self.finding(&listed), calm))
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other actions move the selection, or belong to other screens"
    )]
    fn act(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        match action {
            Action::NextPage => self.show(self.page.step(1), context),
            Action::PreviousPage => self.show(self.page.step(Page::ALL.len() - 1), context),
            Action::ShowRange(range) => self.charts.choose(range, self.page, context),
            Action::Earlier => self.charts.move_cursor(-1),
            Action::Later => self.charts.move_cursor(1),
            Action::Back => {
                if !self.charts.remove_cursor() {
                    self.show(Page::Pipeline, context);
                }
            }
            Action::Refresh => self.refresh(context),
            _ if self.page == Page::Alarms => {
                let area = self.parts(context).charts;
                self.alarms.act(action, context, area);
            }
            Action::Open => self.open(context),
            _ => self.select(action, context),
        }
    }

    fn show(&mut self, page: Page, context: &mut UpdateContext<'_>) {
        self.page = page;
        self.ask(context);
    }

    fn go(&mut self, goal: Goal, context: &mut UpdateContext<'_>) {
        match goal {
            Goal::Page(page) => self.show(page, context),
            Goal::Screen(screen) => context.outbox.handovers.push(Handover::GoTo(screen)),
        }
    }

    /// Goes to what explains the selected finding or number.
    fn open(&mut self, context: &mut UpdateContext<'_>) {
        if self.page != Page::Pipeline {
            if let Some(goal) = self.charts.goal(self.page) {
                self.go(goal, context);
            }
            return;
        }
        if let Some(hop) = self.selected.hop() {
            return self.go(hop.goal(), context);
        }
        let listed = listed(context);
        let finding = self.finding(&listed).and_then(|row| listed.get(row));
        if let Some(finding) = finding {
            match finding.screen {
                Some(screen) => context.outbox.handovers.push(Handover::GoTo(screen)),
                None => context.notify(finding.tone, finding.advice.clone()),
            }
        }
    }

    fn select(&mut self, action: Action, context: &UpdateContext<'_>) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other actions belong to other screens"
        )]
        let rows = match action {
            Action::Up => -1,
            Action::Down => 1,
            Action::First | Action::PageUp => isize::MIN / 2,
            Action::Last | Action::PageDown => isize::MAX / 2,
            _ => return,
        };
        if self.page == Page::Pipeline {
            let has_budgets = budgets::line(context).is_some();
            let findings = listed(context).len();
            self.selected = self.selected.moved(rows, findings, has_budgets);
        } else {
            self.charts.select(self.page, rows);
        }
    }

    /// A page, a range, a moment of the charts, or a finding: selects it, opens the selected one.
    fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        let parts = self.parts(context);
        match bar::target_at((self.page, self.charts.range), parts.bar, position) {
            Some(Target::Page(page)) => return self.show(page, context),
            Some(Target::Range(range)) => return self.charts.choose(range, self.page, context),
            None => {}
        }
        if self.page == Page::Alarms {
            return self.alarms.click(position, context, parts.charts);
        }
        if self.charts.point(self.page, parts.charts, position) {
            return;
        }
        let has_budgets = budgets::line(context).is_some();
        if let Some(hop) = hops::hop_at(parts.hops, position, has_budgets) {
            return self.click_hop(hop, context);
        }
        let listed = listed(context);
        let selected = self.finding(&listed);
        if !parts.findings.contains(position) || position.y == parts.findings.y {
            return;
        }
        let line = usize::from(position.y - parts.findings.y - 1)
            + hidden(&listed, selected, parts.findings);
        // The selected finding may take several lines.
        let row = match selected {
            Some(selected) if line > selected => {
                let lines = whole(&listed, selected, context.body.width).len();
                line.saturating_sub(lines.saturating_sub(1)).max(selected)
            }
            Some(_) | None => line,
        };
        if Some(row) == selected {
            self.open(context);
        } else if row < listed.len() {
            self.selected = Selected::Finding(row);
        }
    }

    fn click_hop(&mut self, hop: HopId, context: &mut UpdateContext<'_>) {
        if self.selected == Selected::Hop(hop) {
            self.open(context);
        } else {
            self.selected = Selected::Hop(hop);
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
        let selected = self.finding(listed);
        for (row, finding) in listed.iter().enumerate() {
            let head = |marker: &'static str| {
                let tone = Span::styled(sign(finding.tone), theme.tone(finding.tone));
                vec![Span::raw(marker), tone, Span::raw(" ")]
            };
            if Some(row) != selected {
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
fn hidden(listed: &[Finding], selected: Option<usize>, area: Rect) -> usize {
    let Some(selected) = selected.filter(|selected| *selected < listed.len()) else {
        return 0;
    };
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
