//! The charts of a page: which time they show, what is asked for them, and the cursor.
//!
//! Invariant: all charts have one window, so that a column is the same moment in all of them; CloudWatch is asked for what
//! a page shows of a range when that is chosen, and again when one of its periods has ended, while the page is shown.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use ratatui::layout::{Constraint, Layout, Position, Rect};

use super::lines::{API_CHARTS, Chart, DATABASE_CHARTS, FUNCTION_CHARTS, HOP_CHARTS, Line, Origin};
use super::page::Page;
use super::selection::Goal;
use crate::tui::chart_range::ChartRange;
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::plot::{Cursor, Mark, PANEL_ROWS_MIN, Panel, Series, Window, folded};
use crate::tui::remote::{Fetched, Remote};
use crate::tui::request::{Answer, HistoryAsked, Reply, Request};
use pipeline::long_history::{HistoryPart, LongHistory};

/// How often the known changes are read: from files of this machine.
const CHANGES_INTERVAL: Duration = Duration::seconds(60);
/// How often it is read when the ingest was deployed.
const DEPLOYMENT_INTERVAL: Duration = Duration::hours(1);
/// Rows of a chart among others, and of the axis below them.
const CHART_ROWS: u16 = PANEL_ROWS_MIN + 1;
const AXIS_ROWS: u16 = 1;

/// A history that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Wanted {
    range: ChartRange,
    part: HistoryPart,
}

#[derive(Debug, Default)]
pub(super) struct Charts {
    /// The range that was chosen.
    pub(super) range: ChartRange,
    /// The range that is shown: the chosen one, as soon as it is there.
    shown: ChartRange,
    /// What was asked for last, and whether there is an answer.
    asked: Option<Wanted>,
    pub(super) long: Remote<()>,
    /// What was read: one for each range and part at most.
    read: HashMap<Wanted, Fetched<Box<LongHistory>>>,
    pub(super) changes: Remote<Vec<Mark>>,
    /// When the ingest was deployed last.
    pub(super) deployment: Remote<Option<DateTime<Utc>>>,
    /// A moment, so that it stays where it is while time passes.
    cursor: Option<DateTime<Utc>>,
    prepared: Option<Prepared>,
    /// The chart that is selected, where a page has nothing else to select.
    selected: usize,
    /// How often the charts were computed.
    #[cfg(test)]
    computed: u32,
}

/// What the charts are computed from: they are computed again when it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    page: Page,
    width: u16,
    range: ChartRange,
    history_at: Option<DateTime<Utc>>,
    long_at: Option<DateTime<Utc>>,
    live_version: u64,
}

#[derive(Debug)]
pub(super) struct Prepared {
    key: Key,
    pub(super) window: Window,
    pub(super) panels: Vec<(Panel, &'static [Line])>,
}

/// Where charts and their axis are.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) panels: Vec<Rect>,
    pub(super) axis: Rect,
}

/// As many charts as can be read, over all rows.
pub(super) fn places(page: Page, area: Rect) -> Places {
    let room = area.height.saturating_sub(AXIS_ROWS);
    // Alone on their page, they are all shown as long as that is possible.
    let rows = if page == Page::Pipeline || room >= CHART_ROWS * 5 {
        CHART_ROWS
    } else {
        PANEL_ROWS_MIN
    };
    let shown = usize::from(room / rows).min(charts_of(page).len());
    let parts = [Constraint::Fill(1)].repeat(shown);
    let [panels, axis] = Layout::vertical([
        Constraint::Fill(1),
        Constraint::Length(if shown == 0 { 0 } else { AXIS_ROWS }),
    ])
    .areas(area);
    Places {
        panels: Layout::vertical(parts).split(panels).to_vec(),
        axis,
    }
}

pub(super) const fn charts_of(page: Page) -> &'static [Chart] {
    match page {
        Page::Pipeline | Page::Charts => &HOP_CHARTS,
        Page::Functions => &FUNCTION_CHARTS,
        Page::Api => &API_CHARTS,
        Page::Database => &DATABASE_CHARTS,
        Page::Alarms => &[],
    }
}

impl Charts {
    pub(super) fn choose(
        &mut self,
        range: ChartRange,
        page: Page,
        context: &mut UpdateContext<'_>,
    ) {
        self.range = range;
        self.ask(page, context);
    }

    /// Asks for what the charts of a page need and do not have, or not newer than one of its periods.
    pub(super) fn ask(&mut self, page: Page, context: &mut UpdateContext<'_>) {
        let now = context.now;
        if self.changes.is_due(CHANGES_INTERVAL, now) {
            context
                .outbox
                .fetch(&mut self.changes, Reply::Changes, Request::Changes);
        }
        let deployment = &mut self.deployment;
        if context.environment.ingest_function.is_some()
            && deployment.is_due(DEPLOYMENT_INTERVAL, now)
        {
            context
                .outbox
                .fetch(deployment, Reply::Deployment, Request::Deployment);
        }
        let Some(wanted) = self.wanted(page) else {
            return;
        };
        let history_max = context.pipeline.polling.history_max;
        let is_due = match self.read.get(&wanted) {
            Some(read) => {
                let period = Duration::seconds(read.value.hops.period_secs.into());
                now - read.fetched_at >= period.max(history_max)
            }
            None => true,
        };
        let is_waited_for = self.asked == Some(wanted)
            && match self.long {
                Remote::Loading { .. } => true,
                Remote::Failed { failed_at, .. } => now - failed_at < history_max,
                Remote::Idle | Remote::Ready(_) => false,
            };
        if is_due && !is_waited_for {
            self.fetch(wanted, context);
        }
    }

    /// Asks again, because a key wants it, unless the answer is awaited.
    pub(super) fn refresh(&mut self, page: Page, context: &mut UpdateContext<'_>) {
        if let Some(wanted) = self.wanted(page)
            && !(self.long.is_loading() && self.asked == Some(wanted))
        {
            self.fetch(wanted, context);
        }
    }

    /// What is asked for beside the history which is read anyway.
    fn wanted(&self, page: Page) -> Option<Wanted> {
        let is_needed = page.needs_details() || (page.has_charts() && !self.range.is_in_history());
        is_needed.then(|| wanted(self.range, page))
    }

    /// What was read last of what a page shows, in the range that is shown.
    pub(super) fn history(&self, page: Page) -> Option<&Fetched<Box<LongHistory>>> {
        self.read.get(&wanted(self.shown, page))
    }

    fn fetch(&mut self, wanted: Wanted, context: &mut UpdateContext<'_>) {
        if self.asked.replace(wanted) != Some(wanted) {
            // What became of another question says nothing of this one.
            self.long.reset();
        }
        let Wanted { range, part } = wanted;
        let asked = HistoryAsked {
            part,
            window: range.asked().to_std().unwrap_or_default(),
            period_secs: range.period_secs(Window::columns_in(context.body)),
        };
        context
            .outbox
            .fetch(&mut self.long, Reply::LongHistory, |to| {
                Request::LongHistory(asked, to)
            });
    }

    pub(super) fn history_came(&mut self, answer: Answer<Box<LongHistory>>, now: DateTime<Utc>) {
        let mut came = None;
        let answer = answer.map(|value| came = Some(value));
        let is_awaited = self.long.settle(answer, now);
        if let (Some(asked), Some(value)) = (self.asked.filter(|_| is_awaited), came) {
            let fetched_at = now;
            self.read.insert(asked, Fetched { value, fetched_at });
        }
    }

    /// The known changes, and the last deployment.
    pub(super) fn marks(&self) -> Vec<Mark> {
        let mut marks = self.changes.value().cloned().unwrap_or_default();
        marks.extend(self.deployment.value().copied().flatten().map(|at| Mark {
            at,
            sign: 'F',
            text: "ingest function deployed".to_owned(),
        }));
        marks
    }

    /// When what was asked for a page was read, where it could not be read again since.
    pub(super) fn old_since(&self, page: Page) -> Option<DateTime<Utc>> {
        let wanted = self.wanted(page)?;
        let is_failing = self.asked == Some(wanted) && self.long.error().is_some();
        let read = self.read.get(&wanted).filter(|_| is_failing)?;
        Some(read.fetched_at)
    }

    /// Whether what is shown is of another range than the chosen one.
    pub(super) fn is_of_another_range(&self) -> bool {
        self.shown != self.range
    }

    /// Whether the details of a page are not there yet.
    pub(super) fn is_waiting(&self, page: Page) -> bool {
        let wanted = self.wanted(page);
        wanted.is_some_and(|wanted| !self.read.contains_key(&wanted))
    }

    /// Whether what was asked for last could not be read.
    pub(super) fn has_failed(&self) -> bool {
        self.long.error().is_some() && !self.long.is_loading()
    }

    #[cfg(test)]
    pub(super) const fn computed(&self) -> u32 {
        self.computed
    }

    pub(super) fn prepared(&self) -> Option<&Prepared> {
        self.prepared.as_ref()
    }

    /// Computes the charts again where the data, the range or the size has changed.
    pub(super) fn prepare(&mut self, page: Page, context: &ScreenContext<'_>) {
        if !self.is_waiting(page) {
            self.shown = self.range;
        }
        let history = context.pipeline.history.fetched();
        let long = self.read.get(&wanted(self.shown, page));
        let live = &context.pipeline.live;
        let key = Key {
            page,
            width: context.body.width,
            range: self.shown,
            history_at: history.map(|fetched| fetched.fetched_at),
            long_at: long.map(|long| long.fetched_at),
            live_version: live.version,
        };
        let is_known = self.prepared.as_ref().is_some_and(|it| it.key == key);
        if is_known || !page.has_charts() {
            return;
        }
        let read = [key.history_at, key.long_at, live.newest_at()];
        let Some(end) = read.into_iter().flatten().max() else {
            self.prepared = None;
            return;
        };
        #[cfg(test)]
        {
            self.computed += 1;
        }
        let columns = Window::columns_in(context.body);
        let window = Window::ending(end, self.shown.duration(), columns);
        let polling = context.pipeline.polling;
        let origin = Origin {
            history,
            long,
            live,
            is_live_first: self.shown == ChartRange::Minutes5,
            intervals: (polling.queues, polling.totals.max(polling.api)),
        };
        let panels = charts_of(page).iter();
        let panels = panels.map(|chart| (panel(chart, &origin, window), chart.lines));
        self.prepared = Some(Prepared {
            panels: panels.collect(),
            window,
            key,
        });
        // A moment that has left the window cannot be read any more.
        self.cursor = self.cursor.filter(|moment| *moment >= window.from);
    }

    /// The chart that is selected on a page.
    pub(super) fn selected(&self, page: Page) -> usize {
        self.selected.min(charts_of(page).len().saturating_sub(1))
    }

    pub(super) fn select(&mut self, page: Page, rows: isize) {
        let selected = self.selected(page).saturating_add_signed(rows);
        self.selected = selected.min(charts_of(page).len().saturating_sub(1));
    }

    /// Where the selected chart leads.
    pub(super) fn goal(&self, page: Page) -> Option<Goal> {
        let chart = charts_of(page).get(self.selected(page));
        chart.map(|chart| chart.goal)
    }

    /// The moment of the cursor, and its column.
    pub(super) fn cursor(&self) -> Option<(DateTime<Utc>, u16)> {
        let moment = self.cursor?;
        let column = self.prepared.as_ref()?.window.column_of(moment)?;
        Some((moment, column))
    }

    /// The column of the cursor, and the time that its values are of.
    pub(super) fn read_column(&self, now: DateTime<Utc>) -> Option<Cursor> {
        let (at, _) = self.cursor()?;
        let Prepared { key, window, .. } = self.prepared.as_ref()?;
        let period = Duration::seconds(key.range.period_secs(window.columns).into());
        Some(Cursor::of(at, window.column(), period, now))
    }

    pub(super) const fn remove_cursor(&mut self) -> bool {
        self.cursor.take().is_some()
    }

    /// Moves the cursor by columns; where there is none, it begins at the newest one that has a value.
    pub(super) fn move_cursor(&mut self, columns: i32) {
        let Some(prepared) = &self.prepared else {
            return;
        };
        let window = prepared.window;
        let last = i32::from(window.columns) - 1;
        let column = match self.cursor() {
            Some((_, column)) => i32::from(column) + columns,
            None => newest_column(prepared).map_or(last, i32::from),
        };
        let column = u16::try_from(column.clamp(0, last)).unwrap_or(0);
        self.cursor = Some(window.start_of(column));
    }

    /// Puts the cursor where the mouse is. Returns whether there is a chart.
    pub(super) fn point(&mut self, page: Page, area: Rect, position: Position) -> bool {
        let Some(prepared) = &self.prepared else {
            return false;
        };
        let places = places(page, area);
        let all = places.panels.iter().chain([&places.axis]);
        let mut hit = all.filter(|place| place.contains(position));
        let Some(place) = hit.next() else {
            return false;
        };
        let left = place.x + place.width - Window::columns_in(*place);
        let column = position.x.saturating_sub(left);
        let column = column.min(prepared.window.columns.saturating_sub(1));
        self.cursor = Some(prepared.window.start_of(column));
        true
    }
}

/// The newest column in which a chart has a value.
fn newest_column(prepared: &Prepared) -> Option<u16> {
    let panels = prepared.panels.iter();
    let series = panels.flat_map(|(panel, _)| &panel.series);
    let newest = series.filter_map(|series| series.columns.iter().rposition(Option::is_some));
    newest.max().and_then(|column| u16::try_from(column).ok())
}

/// What is asked for a range: the last hour of the hops is read anyway, and a shorter range is in it.
fn wanted(range: ChartRange, page: Page) -> Wanted {
    Wanted {
        range: if range.is_in_history() {
            ChartRange::Hour
        } else {
            range
        },
        part: page.part(),
    }
}

fn panel(chart: &Chart, origin: &Origin<'_>, window: Window) -> Panel {
    let series = chart.lines.iter().map(|line| Series {
        name: line.name(),
        columns: folded(&line.spans(origin), window, line.fold()),
    });
    Panel {
        title: chart.title,
        unit: chart.unit,
        series: series.collect(),
        limits: chart.limits,
    }
}
