//! The page of the alarms and of the error budgets.
//!
//! Invariant: the selection stays on its alarm when others come or go.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr as _;

use super::freshness::Freshness;
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::fault::Fault;
use crate::tui::format::{
    UNKNOWN, age_secs, clock, count, count_or_unknown, short_span_secs, span_secs, visible,
};
use crate::tui::handover::Handover;
use crate::tui::keymap::Action;
use crate::tui::lines::{failed_at, hanging, key_line, left, right, titled, whole_words, wrapped};
use crate::tui::list::ListState;
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::screen_id::ScreenId;
use crate::tui::theme::{Theme, Tone, sign};
use pipeline::alarm_states::{AlarmCondition, AlarmState};
use pipeline::slo::ErrorBudget;

/// Rows of the reason and the runbook of the selected alarm.
const DETAIL_ROWS: u16 = 5;
const NAME_COLUMNS: usize = 34;
const STATE_COLUMNS: usize = 10;
const SINCE_COLUMNS: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Alarms {
    pub(super) states: Remote<Vec<AlarmState>>,
    list: ListState,
    selected: Option<String>,
}

struct Parts {
    budgets: Rect,
    title: Rect,
    list: Rect,
    detail: Rect,
}

fn layout(context: &ScreenContext<'_>, area: Rect) -> Parts {
    let budgets = context.pipeline.budgets.value().map_or(1, Vec::len);
    let budgets = u16::try_from(budgets + 1).unwrap_or(u16::MAX);
    let [budgets, title, list, detail] = Layout::vertical([
        Constraint::Length(budgets.min(area.height / 3)),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(DETAIL_ROWS.min(area.height / 3)),
    ])
    .areas(area);
    Parts {
        budgets,
        title,
        list,
        detail,
    }
}

impl Alarms {
    /// Asks for the states where they are due.
    pub(super) fn ask(&mut self, context: &mut UpdateContext<'_>) {
        let interval = context.pipeline.polling.alarms;
        if self.states.is_due(interval, context.now) {
            self.fetch(context);
        }
    }

    pub(super) fn fetch(&mut self, context: &mut UpdateContext<'_>) {
        context
            .outbox
            .fetch(&mut self.states, Reply::AlarmStates, Request::AlarmStates);
    }

    pub(super) fn came(&mut self, answer: Answer<Vec<AlarmState>>, now: DateTime<Utc>) {
        self.states.settle(answer, now);
        let alarms = self.alarms();
        let place = alarms
            .iter()
            .position(|alarm| Some(&alarm.name) == self.selected.as_ref());
        self.list.selected = place
            .unwrap_or(self.list.selected)
            .min(alarms.len().saturating_sub(1));
    }

    fn alarms(&self) -> &[AlarmState] {
        self.states.value().map_or(&[], Vec::as_slice)
    }

    pub(super) fn act(&mut self, action: Action, context: &mut UpdateContext<'_>, area: Rect) {
        let page = isize::try_from(layout(context, area).list.height).unwrap_or(1);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other actions mean nothing on this page"
        )]
        let rows = match action {
            Action::Up => -1,
            Action::Down => 1,
            Action::PageUp => -page,
            Action::PageDown => page,
            Action::First => isize::MIN / 2,
            Action::Last => isize::MAX / 2,
            Action::Open => return self.open(context),
            _ => return,
        };
        let height = usize::from(layout(context, area).list.height);
        self.list.move_by(rows, self.alarms().len(), height);
        self.remember();
    }

    fn remember(&mut self) {
        let selected = self.alarms().get(self.list.selected);
        self.selected = selected.map(|alarm| alarm.name.clone());
    }

    /// Selects an alarm, opens the selected one.
    pub(super) fn click(
        &mut self,
        position: Position,
        context: &mut UpdateContext<'_>,
        area: Rect,
    ) {
        let list = layout(context, area).list;
        if !list.contains(position) {
            return;
        }
        let mut shown = self.list;
        shown.reveal(self.alarms().len(), usize::from(list.height));
        let row = shown.offset + usize::from(position.y - list.y);
        if row == self.list.selected {
            self.open(context);
        } else if row < self.alarms().len() {
            self.list.selected = row;
            self.remember();
        }
    }

    /// Where it is written what to do; without an alarm, whether the alarms are set up as they should be.
    fn open(&self, context: &mut UpdateContext<'_>) {
        let Some(alarm) = self.alarms().get(self.list.selected) else {
            context
                .outbox
                .handovers
                .push(Handover::GoTo(ScreenId::Lint));
            return;
        };
        match &alarm.what_to_do {
            Some(place) => context
                .outbox
                .copy("where it says what to do", place.clone()),
            None => context
                .outbox
                .handovers
                .push(Handover::GoTo(ScreenId::Lint)),
        }
    }

    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
        let parts = layout(context, area);
        draw_budgets(context, canvas, parts.budgets);
        self.draw_title(context, canvas, parts.title);
        let theme = context.theme;
        let width = usize::from(area.width);
        if self.alarms().is_empty() {
            let lines = self.nothing(context, width);
            canvas.render_widget(Paragraph::new(lines), parts.list);
            return;
        }
        let height = usize::from(parts.list.height);
        let mut list = self.list;
        list.reveal(self.alarms().len(), height);
        let rows = self
            .alarms()
            .iter()
            .enumerate()
            .skip(list.offset)
            .take(height);
        let rows: Vec<_> = rows
            .map(|(row, alarm)| {
                let line = alarm_line(alarm, context, width);
                if row == list.selected {
                    theme.selected_row(line, true)
                } else {
                    line
                }
            })
            .collect();
        canvas.render_widget(Paragraph::new(rows), parts.list);
        if let Some(alarm) = self.alarms().get(list.selected) {
            let lines = detail(alarm, theme, parts.detail);
            canvas.render_widget(Paragraph::new(lines), parts.detail);
        }
    }

    fn draw_title(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
        let theme = context.theme;
        let mut pieces: Vec<(String, Style)> = Vec::new();
        let alarms = self.states.value().filter(|alarms| !alarms.is_empty());
        if let Some(alarms) = alarms {
            let is_raised = |alarm: &&AlarmState| alarm.condition == AlarmCondition::Alarm;
            let raised = alarms.iter().filter(is_raised).count();
            let is_unknown =
                |alarm: &&AlarmState| alarm.condition == AlarmCondition::InsufficientData;
            let unknown = alarms.iter().filter(is_unknown).count();
            let tone = match (raised, unknown) {
                (0, 0) => Tone::Good,
                (0, _) => Tone::Muted,
                _ => Tone::Bad,
            };
            let mut text = format!("{} {raised} raised of {}", sign(tone), alarms.len());
            let silenced = alarms
                .iter()
                .filter(is_raised)
                .filter(|alarm| alarm.silenced)
                .count();
            if silenced > 0 {
                let _infallible = write!(text, ", {silenced} of the raised silenced");
            }
            if unknown > 0 {
                let _infallible = write!(text, ", {unknown} without data");
            }
            pieces.push((text, theme.tone(tone)));
            let interval = context.pipeline.polling.alarms;
            let notes = Freshness::of(&self.states, interval, context)
                .notes
                .into_iter();
            pieces.extend(notes.map(|note| (note, theme.tone(Tone::Warning))));
            pieces.push((
                "⏎ copies where it says what to do".to_owned(),
                theme.muted(),
            ));
        }
        canvas.render_widget(titled("Alarms", pieces, theme, area.width), area);
    }

    /// What is shown in place of the list.
    fn nothing(&self, context: &ScreenContext<'_>, width: usize) -> Vec<Line<'static>> {
        let theme = context.theme;
        match &self.states {
            Remote::Failed {
                error, failed_at, ..
            } => failed((error, *failed_at), theme, width),
            Remote::Ready(_) => {
                let text = format!(
                    "CloudWatch has no alarm whose name begins with {}-; the module observability \
                     of terraform/ makes them, and Lint (6) checks them",
                    visible(topic(context))
                );
                hanging(Tone::Muted, &text, theme, width)
            }
            Remote::Loading { since, .. } => {
                let secs = span_secs(age_secs(*since, context.now));
                let text = format!("reading the alarms from CloudWatch for {secs}");
                hanging(Tone::Muted, &text, theme, width)
            }
            Remote::Idle => Vec::new(),
        }
    }
}

fn failed((error, at): (&Fault, DateTime<Utc>), theme: Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = hanging(Tone::Bad, &failed_at(error, Some(at)), theme, width);
    let hint = error.hint.as_deref().map(visible);
    lines.extend(hint.map(|hint| Line::raw(format!("   {hint}"))));
    lines.push(key_line(theme, "^r", "read them again"));
    lines
}

fn topic<'a>(context: &'a ScreenContext<'_>) -> &'a str {
    let arn = &context.environment.topic_arn;
    arn.rsplit(':').next().unwrap_or_default()
}

const fn tone(condition: AlarmCondition) -> Tone {
    match condition {
        AlarmCondition::Alarm => Tone::Bad,
        AlarmCondition::InsufficientData => Tone::Muted,
        AlarmCondition::Ok => Tone::Good,
    }
}

const fn name_of(condition: AlarmCondition) -> &'static str {
    match condition {
        AlarmCondition::Alarm => "raised",
        AlarmCondition::InsufficientData => "no data",
        AlarmCondition::Ok => "ok",
    }
}

fn alarm_line(alarm: &AlarmState, context: &ScreenContext<'_>, width: usize) -> Line<'static> {
    let theme = context.theme;
    let tone = tone(alarm.condition);
    let since = alarm.since.map_or_else(
        || UNKNOWN.to_owned(),
        |at| short_span_secs(age_secs(at, context.now)),
    );
    let state = format!(" {} {}", sign(tone), name_of(alarm.condition));
    let names = NAME_COLUMNS.min(width / 2);
    let used = STATE_COLUMNS + 1 + names + 1 + SINCE_COLUMNS + 2;
    let quiet = match (alarm.notifies, alarm.silenced) {
        (_, true) => "silenced: its actions are disabled · ",
        (true, false) => "",
        (false, false) => "notifies nobody · ",
    };
    let reason = whole_words(
        &format!("{quiet}{}", alarm.reason),
        width.saturating_sub(used),
    );
    let text = format!(
        "{} {} ",
        left(&visible(&alarm.name), names),
        right(&since, SINCE_COLUMNS)
    );
    let line = Line::from(vec![
        Span::styled(left(&state, STATE_COLUMNS), theme.tone(tone)),
        Span::raw(" "),
        Span::raw(text),
        Span::styled(format!(" {reason}"), theme.muted()),
    ]);
    let gap = width.saturating_sub(line.width());
    let mut line = line;
    line.push_span(Span::raw(" ".repeat(gap)));
    line
}

/// The reason in full, and where it is written what to do.
fn detail(alarm: &AlarmState, theme: Theme, area: Rect) -> Vec<Line<'static>> {
    let name = visible(&alarm.name);
    let mut lines = vec![titled(&name, Vec::new(), theme, area.width)];
    let columns = usize::from(area.width).saturating_sub(2).max(1);
    let what = match &alarm.what_to_do {
        Some(place) => format!("what to do: {place}"),
        None => "its description does not say what to do; ⏎ shows Lint".to_owned(),
    };
    let reason = wrapped(&visible(&alarm.reason), columns).into_iter();
    let what = wrapped(&what, columns);
    let room = usize::from(area.height).saturating_sub(1 + what.len());
    lines.extend(
        reason
            .take(room.max(1))
            .map(|text| Line::raw(format!(" {text}"))),
    );
    lines.extend(
        what.into_iter()
            .map(|text| Line::styled(format!(" {text}"), theme.strong())),
    );
    lines
}

fn draw_budgets(context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
    let theme = context.theme;
    let remote = &context.pipeline.budgets;
    let freshness = Freshness::of(remote, context.pipeline.polling.budgets, context);
    let mut pieces = vec![(
        "what may still go wrong in 30 days".to_owned(),
        theme.muted(),
    )];
    let is_fresh = freshness.is_fresh();
    let read_at = context.pipeline.old_budgets(context.now);
    let read_at = read_at.filter(|_| is_fresh);
    pieces.extend(read_at.map(|at| (format!("at {}", clock(at)), theme.muted())));
    let notes = freshness.notes.into_iter();
    pieces.extend(notes.map(|note| (note, theme.tone(Tone::Warning))));
    let mut lines = vec![titled("Error budgets", pieces, theme, area.width)];
    match remote.value() {
        Some(budgets) => {
            let width = usize::from(area.width);
            lines.extend(
                budgets
                    .iter()
                    .map(|budget| budget_line(budget, theme, width)),
            );
        }
        None => {
            let text = match remote.error() {
                Some(error) => format!("  {}", visible(&error.message)),
                None => "  being read from CloudWatch".to_owned(),
            };
            let text = whole_words(&text, usize::from(area.width));
            lines.push(Line::styled(text, theme.muted()));
        }
    }
    canvas.render_widget(Paragraph::new(lines), area);
}

fn budget_line(budget: &ErrorBudget, theme: Theme, width: usize) -> Line<'static> {
    let tone = match budget.budget_left_percent {
        None => Tone::Muted,
        Some(_) if budget.is_spent() => Tone::Bad,
        Some(left) if left < super::budgets::LITTLE_PERCENT => Tone::Warning,
        Some(_) => Tone::Good,
    };
    let head = format!(" {} {:<18}", sign(tone), budget.objective.name());
    let left_over = left(&budget.left_in_words(), 30);
    let counted = format!(
        "{} % of {} events, {} bad",
        budget.objective_percent,
        budget.events.map_or_else(|| UNKNOWN.to_owned(), count),
        count_or_unknown(budget.bad_events),
    );
    let room = width.saturating_sub(head.width() + left_over.width() + 1);
    Line::from(vec![
        Span::styled(head, theme.tone(tone)),
        Span::raw(left_over),
        Span::styled(format!(" {}", whole_words(&counted, room)), theme.muted()),
    ])
}
