//! Draws the screen. Invariant: a function of the model; a cell says how many by its shade, so that nothing is lost
//! without colour.

use pipeline::probe::{PROBE_SUBJECT, PROBE_TYPE, probe_source};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::heat::{HeatMap, ROWS, bound_of, shade};
use super::layout::{Parts, parts};
use super::rows::{failure_row, meaning, table_head, table_row};
use super::state::{Probes, Wanted};
use crate::tui::context::ScreenContext;
use crate::tui::dialog::{COLUMNS, Dialog};
use crate::tui::format::{age_secs, clock, counted, latency, span_secs, visible};
use crate::tui::layout::area_rows;
use crate::tui::lines::{draw_divider, failed_at, hanging, key_line, right, titled, wrapped};
use crate::tui::theme::{Theme, Tone, sign};

/// `≤ 500 ms`, and a rule.
const LABEL: usize = 8;
const RULE: usize = 2;

impl Probes {
    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let theme = context.theme;
        let parts = parts(context.body);
        let title = titled("Probe", self.pieces(context), theme, parts.title.width);
        canvas.render_widget(title, parts.title);
        if self.ring.iter().len() == 0 {
            self.draw_advice(context, canvas, parts.map);
        } else {
            self.draw_map(theme, canvas, parts.map);
            self.draw_table(theme, canvas, parts);
        }
        let is_danger = context.environment.is_production;
        draw_divider(theme, is_danger, canvas, parts.divider);
        self.draw_failures(context, canvas, parts);
        if let Some(wanted) = self.question {
            self.draw_question(wanted, context, canvas);
        }
    }

    /// `total · every 30 s, next in 12 s · 38 probes, 2 failed · a column is 30 s`
    fn pieces(&self, context: &ScreenContext<'_>) -> Vec<(String, Style)> {
        let (theme, now) = (context.theme, context.now);
        let mut pieces = vec![(self.measure.as_str().to_owned(), theme.strong())];
        let every = self.interval_in_words();
        let state = match (self.probing.loading_since(), self.next_at()) {
            (Some(since), _) => format!("probing for {}", span_secs(age_secs(since, now))),
            (None, Some(next)) => format!("next in {}", span_secs(age_secs(now, next))),
            (None, None) => match self.abandoned_at {
                Some(at) => format!("stopped at {} UTC, as nobody used the console", clock(at)),
                None => "stopped".to_owned(),
            },
        };
        let style = if self.is_running {
            theme.tone(Tone::Good)
        } else {
            theme.muted()
        };
        pieces.push((format!("{every}, {state}"), style));
        let probes = self.ring.iter().len();
        if probes > 0 {
            let failed = self.failures().count();
            let style = if failed > 0 {
                theme.tone(Tone::Bad)
            } else {
                Style::new()
            };
            let probes = counted(probes as u64, "probe");
            pieces.push((format!("{probes}, {failed} failed"), style));
        }
        pieces
    }

    fn draw_advice(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
        let theme = context.theme;
        let width = usize::from(area.width);
        let mut lines = Vec::new();
        if self.probing.error().is_some() {
            lines.extend(self.refusal(theme, width));
        } else if self.probing.is_loading() {
            let text = "the first event is on its way; each hop is waited for, 30 s at most";
            lines.extend(hanging(Tone::Muted, text, theme, width));
        } else {
            let text = "nothing was probed yet, and nothing is published without a key";
            lines.extend(hanging(Tone::Muted, text, theme, width));
            let every = self.interval_in_words();
            lines.push(key_line(
                theme,
                "s",
                &format!("publishes a marked event {every}"),
            ));
            lines.push(key_line(theme, "p", "publishes one"));
            lines.push(key_line(theme, "+", "and - change the interval"));
        }
        let text = format!(
            "each is followed to the API, and leaves one record of the type {PROBE_TYPE}; it keeps a database that \
             pauses awake; `opsconsole erase --subject {PROBE_SUBJECT}` erases them all"
        );
        lines.extend(hanging(Tone::Muted, &text, theme, width));
        draw_lines(lines, canvas, area);
    }

    /// Why no probe could be made, where that is so.
    fn refusal(&self, theme: Theme, width: usize) -> Vec<Line<'static>> {
        let Some(fault) = self.probing.error() else {
            return Vec::new();
        };
        let text = failed_at(fault, self.probing.failed_at());
        let mut lines = hanging(Tone::Bad, &text, theme, width);
        if let Some(hint) = &fault.hint {
            lines.extend(hanging(Tone::Muted, &visible(hint), theme, width));
        }
        if !self.is_running {
            lines.push(key_line(theme, "s", "starts again"));
        }
        lines
    }

    fn draw_map(&self, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        let room = usize::from(area.width).saturating_sub(LABEL + RULE);
        let map = HeatMap::of(self.ring.iter(), self.measure, room, self.every());
        let most = map.most();
        let row_line = |label: &str, cells: String, style: Style| {
            Line::from(vec![
                Span::styled(format!("{} │", right(label, LABEL)), theme.muted()),
                Span::styled(cells, style),
            ])
        };
        let failed = map.columns.iter().map(|column| match column.failed {
            0 => " ",
            _ => sign(Tone::Bad),
        });
        let mut lines = vec![row_line("failed", failed.collect(), theme.tone(Tone::Bad))];
        for row in (0..ROWS).rev() {
            let label = bound_of(row).map_or_else(
                || "longer".to_owned(),
                |bound| format!("≤ {}", short_bound(latency(bound))),
            );
            let cells = map.columns.iter().map(|column| {
                let count = column.counts.get(row).copied().unwrap_or(0);
                shade(count, most)
            });
            lines.push(row_line(&label, cells.collect(), theme.tone(Tone::Good)));
        }
        // Where there is no room for all, the shortest latencies go: what is slow stays visible.
        let height = usize::from(area.height);
        while lines.len() >= height.max(2) {
            lines.remove(lines.len() - 1);
        }
        lines.push(times(&map, theme, room));
        draw_lines(lines, canvas, area);
    }

    fn draw_table(&self, theme: Theme, canvas: &mut Frame<'_>, parts: Parts) {
        let measures = &self.summary.measures;
        let width = usize::from(parts.table.width);
        let is_shown = |measure| measure == self.measure;
        if parts.table_title.height == 0 {
            let mut shown = measures.iter();
            let shown = shown.find(|one| is_shown(one.measure));
            let line = shown.map(|one| {
                let p = |value: Option<_>| value.map_or_else(|| "–".to_owned(), latency);
                let (p50, p99, max) = (p(one.p50), p(one.p99), p(one.max));
                let seen = one.count;
                let name = one.measure.as_str();
                Line::raw(format!(
                    " {name}: p50 {p50} · p99 {p99} · max {max} · seen {seen}"
                ))
            });
            draw_lines(line.into_iter().collect(), canvas, parts.table);
            return;
        }
        let title = titled("Percentiles", Vec::new(), theme, parts.table_title.width);
        canvas.render_widget(title, parts.table_title);
        let mut lines = vec![table_head(theme, width)];
        for one in measures {
            lines.push(table_row(one, is_shown(one.measure), theme, width));
        }
        lines.push(Line::default());
        lines.extend(hanging(Tone::Muted, meaning(self.measure), theme, width));
        let newest = self.ring.iter().next_back();
        if let Some(clock) = newest.and_then(|probe| probe.database_clock) {
            let by = latency(clock.ahead.abs().to_std().unwrap_or_default());
            let side = if clock.ahead < chrono::TimeDelta::zero() {
                "behind"
            } else {
                "ahead"
            };
            let text = format!(
                "the database's clock is {by} {side}, ± {}",
                latency(clock.uncertainty)
            );
            lines.extend(hanging(Tone::Muted, &text, theme, width));
        }
        draw_lines(lines, canvas, parts.table);
    }

    fn draw_failures(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, parts: Parts) {
        let theme = context.theme;
        let title = titled("Failures", Vec::new(), theme, parts.list_title.width);
        canvas.render_widget(title, parts.list_title);
        let width = usize::from(parts.list.width);
        let mut lines = Vec::new();
        if self.ring.made() > 0 {
            lines.extend(self.refusal(theme, width));
        }
        let length = self.failures().count();
        if length == 0 && self.ring.made() > 0 {
            lines.extend(hanging(Tone::Good, "none failed", theme, width));
        }
        let height = usize::from(parts.list.height).saturating_sub(lines.len());
        let mut list = self.list;
        list.reveal(length, height);
        let failures = self.failures().enumerate().skip(list.offset).take(height);
        for (number, (probe, failure)) in failures {
            let is_selected = number == list.selected;
            lines.push(failure_row(probe, failure, is_selected, theme, width));
        }
        draw_lines(lines, canvas, parts.list);
        if let Some((probe, failure)) = self.selected_failure() {
            let text = format!("{}: {}", probe.key.id, failure.detail);
            let lines = wrapped(&visible(&text), width.saturating_sub(2));
            let lines = lines.into_iter().map(|line| Line::raw(format!(" {line}")));
            draw_lines(lines.collect(), canvas, parts.detail);
        }
    }

    fn draw_question(&self, wanted: Wanted, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let theme = context.theme;
        let name = &context.environment.name;
        let topic = context.environment.topic_arn.rsplit(':').next();
        let width = usize::from(context.body.width.min(COLUMNS)).saturating_sub(4);
        let how_often = match wanted {
            Wanted::Once => "once".to_owned(),
            Wanted::Series => self.interval_in_words(),
        };
        let text = format!(
            "to the topic {}, {how_often}: an event of the type {PROBE_TYPE} and the source {}; each leaves one record",
            visible(topic.unwrap_or_default()),
            probe_source(name)
        );
        let lines = wrapped(&text, width).into_iter();
        let mut lines: Vec<_> = lines.map(|line| Line::raw(format!(" {line}"))).collect();
        lines.push(Line::default());
        lines.push(Line::from(vec![
            Span::styled(" y", theme.key()),
            Span::raw(" publishes   "),
            Span::styled("esc", theme.key()),
            Span::raw(" publishes nothing"),
        ]));
        let dialog = Dialog {
            title: format!("Probe {} PRODUCTION?", visible(name)),
            lines,
            is_danger: true,
        };
        dialog.draw_low(theme, canvas, context.body);
    }
}

/// `1 s` and not `1.0 s`: a bound is exact.
fn short_bound(text: String) -> String {
    text.replace(".0 ", " ")
}

/// `11:02:00 ─ a column is 30 s ─ 11:06:30 UTC`, below the columns.
fn times(map: &HeatMap, theme: Theme, room: usize) -> Line<'static> {
    let Some(begin) = map.begins_at else {
        return Line::default();
    };
    let length = i64::try_from(map.columns.len()).unwrap_or(1);
    let last = begin + chrono::TimeDelta::seconds(map.span_secs * (length - 1));
    let span = span_secs(map.span_secs.unsigned_abs());
    let text = format!(
        "{} to {} UTC, a column is {span}",
        clock(begin),
        clock(last)
    );
    let indent = " ".repeat(LABEL + RULE);
    let text = crate::tui::lines::whole_words(&text, room);
    Line::styled(format!("{indent}{text}"), theme.muted())
}

fn draw_lines(lines: Vec<Line<'static>>, canvas: &mut Frame<'_>, area: Rect) {
    for (line, place) in lines.into_iter().zip(area_rows(area)) {
        canvas.render_widget(line, place);
    }
}
