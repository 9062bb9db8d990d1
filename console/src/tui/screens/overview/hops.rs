//! The hops of the pipeline, from the publisher to the third parties.

use chrono::Duration;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr as _;

use super::freshness::Freshness;
use super::hop::Hop;
use super::selection::HopId;
use super::{batches, budgets};
use crate::tui::context::ScreenContext;
use crate::tui::format::{
    UNKNOWN, age_secs, clock, count, counted, latency, rate, rate_or_unknown, span_secs, visible,
};
use crate::tui::layout::is_wide;
use crate::tui::lines::{left, title, whole_words};
use crate::tui::queue_trend::Draining;
use crate::tui::rate::Rate;
use crate::tui::theme::{Theme, Tone, sign};
use pipeline::model::{QueueSnapshot, ReadPath};
use pipeline::oldest_age::OldestAge;
use pipeline::rules::TimeLeft;

/// Rows of the hops side by side.
const WIDE_ROWS: u16 = 8;
/// Rows of the hops below each other.
const NARROW_ROWS: u16 = 8;

/// The hops side by side.
const PATH: [HopId; 5] = [
    HopId::Topic,
    HopId::Queue,
    HopId::Ingest,
    HopId::Database,
    HopId::Api,
];
/// Columns of the main number where the hops are below each other.
const MAIN_COLUMNS: usize = 18;
/// What was read so lately is shown as that of now.
const OF_NOW: Duration = Duration::seconds(7);
/// The rate of so short a time is shown as that of now.
const RATE_OF_NOW: Duration = Duration::seconds(15);
/// A queue whose oldest message is younger than this is not waiting for anything.
const PASSING_SECS: u64 = 5;

/// Rows of the hops and of what is known of the error budgets.
pub(super) fn rows(context: &ScreenContext<'_>) -> u16 {
    let hops = if is_wide(context.body) {
        WIDE_ROWS
    } else {
        NARROW_ROWS
    };
    hops + u16::from(budgets::line(context).is_some())
}

/// The hop at a place of the screen.
pub(super) fn hop_at(area: Rect, position: Position, has_budgets: bool) -> Option<HopId> {
    if !area.contains(position) {
        return None;
    }
    let row = usize::from(position.y - area.y);
    if !is_wide(area) {
        let listed = HopId::listed(has_budgets);
        return listed.get(row.checked_sub(1)?).copied();
    }
    match row {
        0..5 => {
            let column = usize::from(area.width) / PATH.len();
            let place = usize::from(position.x - area.x) / column.max(1);
            PATH.get(place).copied()
        }
        5 | 6 => Some(HopId::DeadLetters),
        7 => Some(HopId::PerMinute),
        _ => has_budgets.then_some(HopId::Budgets),
    }
}

/// All hops, the dead-letter queue that hangs below the source queue, what the ingest does in a
/// minute below the ingest, and the error budgets where they are known.
pub(super) struct Hops {
    path: [Hop; 5],
    dead_letters: Hop,
    per_minute: Hop,
    budgets: Option<Hop>,
}

impl Hops {
    pub(super) fn of(context: &ScreenContext<'_>) -> Self {
        Self {
            path: [
                topic(context),
                queue(context),
                ingest(context),
                database(context),
                api(context),
            ],
            dead_letters: dead_letters(context),
            per_minute: batches::per_minute(context),
            budgets: budgets::line(context),
        }
    }

    pub(super) fn draw(
        &self,
        selected: Option<HopId>,
        theme: Theme,
        canvas: &mut Frame<'_>,
        area: Rect,
    ) {
        if is_wide(area) {
            self.draw_wide(selected, theme, canvas, area);
        } else {
            self.draw_narrow(selected, theme, canvas, area);
        }
    }

    /// Columns with arrows between their main numbers; the dead-letter queue under its queue.
    fn draw_wide(&self, selected: Option<HopId>, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        let column = usize::from(area.width) / self.path.len();
        let mut lines = vec![Line::default(); usize::from(WIDE_ROWS)];
        let name = |id: HopId| {
            if selected == Some(id) {
                theme.selected(true)
            } else {
                theme.strong()
            }
        };
        for (place, (hop, id)) in self.path.iter().zip(PATH).enumerate() {
            let is_last = place + 1 == self.path.len();
            let title = whole_words(hop.title, column.saturating_sub(3));
            let gap = column.saturating_sub(title.width() + 2);
            let mut cells = vec![
                vec![
                    Span::raw("  "),
                    Span::styled(title, name(id)),
                    Span::raw(" ".repeat(gap)),
                ],
                main_cell(theme, hop, column, is_last),
            ];
            cells.extend((0..3).map(|row| {
                let text = hop.rest.get(row).map_or("", String::as_str);
                vec![Span::styled(
                    padded(&format!("  {text}"), column),
                    theme.muted(),
                )]
            }));
            for (line, cell) in lines.iter_mut().zip(cells) {
                line.spans.extend(cell);
            }
        }
        let under_queue = " ".repeat(column);
        let dead = &self.dead_letters;
        let arrows = format!("{under_queue}  ▼ │ redrive   ");
        let number = format!("{} {}   ", sign(dead.tone), dead.main);
        let used = arrows.width() + "DLQ ".width() + number.width();
        let room = usize::from(area.width).saturating_sub(used);
        let below = lines.get_mut(5..).into_iter().flatten();
        let texts = [
            vec![Span::styled(format!("{under_queue}  │ ↑"), theme.muted())],
            vec![
                Span::styled(arrows, theme.muted()),
                Span::styled("DLQ", name(HopId::DeadLetters)),
                Span::raw(" "),
                Span::styled(number, theme.tone(dead.tone)),
                Span::styled(whole_parts(&dead.rest, room), theme.muted()),
            ],
            whole_line(
                theme,
                ("ingest, ", name(HopId::PerMinute)),
                &self.per_minute,
                area.width,
            ),
        ];
        for (line, spans) in below.zip(texts) {
            line.spans = spans;
        }
        let budgets = self.budgets.iter();
        let head = ("error ", name(HopId::Budgets));
        lines.extend(budgets.map(|hop| Line::from(whole_line(theme, head, hop, area.width))));
        canvas.render_widget(Paragraph::new(lines), area);
    }

    /// A hop with what leads to it.
    fn listed(&self, id: HopId) -> Option<(&'static str, &Hop)> {
        let [topic, queue, ingest, database, api] = &self.path;
        Some(match id {
            HopId::Topic => (" ", topic),
            HopId::Queue => ("▼", queue),
            HopId::DeadLetters => ("└", &self.dead_letters),
            HopId::Ingest => ("▼", ingest),
            HopId::PerMinute => ("└", &self.per_minute),
            HopId::Database => ("▼", database),
            HopId::Api => ("▼", api),
            HopId::Budgets => (" ", self.budgets.as_ref()?),
        })
    }

    /// One line for each hop.
    fn draw_narrow(
        &self,
        selected: Option<HopId>,
        theme: Theme,
        canvas: &mut Frame<'_>,
        area: Rect,
    ) {
        let mut lines = vec![title(theme, "Pipeline", usize::from(area.width))];
        for id in HopId::listed(self.budgets.is_some()) {
            let Some((arrow, hop)) = self.listed(*id) else {
                continue;
            };
            let line = narrow_line(theme, arrow, hop, area.width);
            lines.push(if selected == Some(*id) {
                theme.selected_row(line, true)
            } else {
                line
            });
        }
        canvas.render_widget(Paragraph::new(lines), area);
    }
}

/// What is no hop, over the whole width.
pub(super) fn whole_line(
    theme: Theme,
    (of, name): (&str, Style),
    hop: &Hop,
    width: u16,
) -> Vec<Span<'static>> {
    let title = format!("  {of}{} ", hop.title);
    let main = format!("{} {}   ", sign(hop.tone), hop.main);
    let room = usize::from(width).saturating_sub(title.width() + main.width() + 1);
    vec![
        Span::styled(title, name),
        Span::styled(main, theme.tone(hop.tone)),
        Span::styled(whole_parts(&hop.rest, room), theme.muted()),
    ]
}

fn main_cell(theme: Theme, hop: &Hop, column: usize, is_last: bool) -> Vec<Span<'static>> {
    let text = whole_words(
        &format!("{} {}", sign(hop.tone), hop.main),
        column.saturating_sub(4),
    );
    let used = text.width() + 2;
    let mut cell = vec![Span::raw("  "), Span::styled(text, theme.tone(hop.tone))];
    let room = column.saturating_sub(used);
    if is_last || room < 4 {
        cell.push(Span::raw(" ".repeat(room)));
    } else {
        cell.push(Span::styled(
            format!(" {}▶", "─".repeat(room - 2)),
            theme.muted(),
        ));
    }
    cell
}

fn narrow_line(theme: Theme, arrow: &str, hop: &Hop, width: u16) -> Line<'static> {
    let head = format!(" {arrow} {:<11}", hop.title);
    let room = usize::from(width).saturating_sub(head.width());
    let main = whole_words(&format!("{} {}", sign(hop.tone), hop.main), room);
    let main = left(&main, room.min(MAIN_COLUMNS.max(main.width())));
    let rest = whole_parts(&hop.rest, room.saturating_sub(main.width() + 1));
    Line::from(vec![
        Span::styled(head, theme.strong()),
        Span::styled(main, theme.tone(hop.tone)),
        Span::styled(format!(" {rest}"), theme.muted()),
    ])
}

/// As many parts as there is room for, and how many more there are: a number that is cut would be another
/// number. Where there is no room for the first part, as many of its words.
pub(super) fn whole_parts(parts: &[String], room: usize) -> String {
    let all = parts.join("  ");
    if all.width() <= room {
        return all;
    }
    let ends = (1..parts.len()).rev().flat_map(|shown| {
        let (some, left_out) = parts.split_at(shown);
        let some = some.join("  ");
        let counted = format!("{some}  …{} more", left_out.len());
        [counted, format!("{some} …")]
    });
    let mut ends = ends.filter(|text| text.width() <= room);
    ends.next().unwrap_or_else(|| whole_words(&all, room))
}

/// A cell of a column, with a blank before the next one.
fn padded(text: &str, columns: usize) -> String {
    left(&whole_words(text, columns.saturating_sub(1)), columns)
}

/// A hop whose rate comes from the history.
fn flow(
    title: &'static str,
    (rate, freshness): (Option<Rate>, Freshness),
    direction: &str,
    (more, name): (Vec<String>, &str),
) -> Hop {
    let is_fresh = freshness.is_fresh();
    let mut rest = freshness.notes;
    // CloudWatch is behind: what happens now may be something else.
    rest.extend(rate.filter(|_| is_fresh).map(period));
    rest.extend(more);
    rest.push(visible(name));
    let per_sec = rate_or_unknown(rate.map(|rate| rate.per_sec));
    Hop {
        title,
        tone: freshness.tone,
        main: format!("{per_sec} {direction}"),
        rest,
    }
}

/// The time that a rate is of.
fn period(rate: Rate) -> String {
    let secs = age_secs(rate.since, rate.until);
    format!("{} to {}", span_secs(secs), clock(rate.until))
}

fn topic(context: &ScreenContext<'_>) -> Hop {
    let name = context
        .environment
        .topic_arn
        .rsplit(':')
        .next()
        .unwrap_or_default();
    let rate = context.pipeline.published_rate();
    let freshness = Freshness::of_rate(rate, context);
    flow("SNS topic", (rate, freshness), "in", (Vec::new(), name))
}

fn queue(context: &ScreenContext<'_>) -> Hop {
    let remote = &context.pipeline.source_queue;
    let Some(queue) = remote.value() else {
        return unknown(
            "SQS queue",
            "depth",
            Freshness::of(remote, context.pipeline.polling.queues, context),
        );
    };
    let freshness = Freshness::of(remote, context.pipeline.polling.queues, context);
    // The age is that of a time before: a queue that is empty has none.
    let is_empty = queue.depth.visible + queue.depth.in_flight == 0;
    let age = context.pipeline.oldest_message().filter(|_| !is_empty);
    let growth = context.pipeline.growth(context.now);
    let old = context.pipeline.old_message().filter(|_| !is_empty);
    let tone = match (freshness.tone, old) {
        (Tone::Good, Some(age)) if age.secs > 300 => Tone::Bad,
        (Tone::Good, Some(age)) if age.secs > 60 => Tone::Warning,
        (Tone::Good, _) if growth.is_some() => Tone::Warning,
        (tone, _) => tone,
    };
    let mut rest = freshness.notes;
    rest.extend(growth.map(|growth| format!("grows +{}", rate(growth.per_sec()))));
    if !is_empty {
        let oldest = age.map_or_else(|| UNKNOWN.to_owned(), OldestAge::text);
        rest.push(format!("oldest {oldest}"));
    }
    rest.extend(drain(context, queue, age).filter(|_| growth.is_none()));
    rest.push(format!("in flight {}", count(queue.depth.in_flight)));
    Hop {
        title: "SQS queue",
        tone,
        main: format!("depth {}", count(queue.depth.visible)),
        rest,
    }
}

/// How long the queue needs to be empty, where more waits than what is just passing through.
fn drain(
    context: &ScreenContext<'_>,
    queue: &QueueSnapshot,
    oldest: Option<OldestAge>,
) -> Option<String> {
    // The greatest age of a minute says nothing of now.
    let is_young = oldest.is_some_and(|age| !age.is_bound && age.secs < PASSING_SECS);
    if queue.depth.visible == 0 || is_young || context.pipeline.is_passing() {
        return None;
    }
    match context.pipeline.draining(context.now) {
        Draining::In(secs) => Some(format!("empty in {}", span_secs(secs))),
        Draining::AtLeast(secs) => Some(format!("empty in {} or later", span_secs(secs))),
        Draining::Not => Some("not draining".to_owned()),
        Draining::Unknown => None,
    }
}

fn ingest(context: &ScreenContext<'_>) -> Hop {
    let name = context.environment.ingest_function.as_deref();
    let rate = context.pipeline.deleted_rate();
    let freshness = Freshness::of_ingest(rate, context);
    let name = name.unwrap_or_default();
    let status = batches::status(rate.map(|rate| rate.until), context);
    let rest = (status.lags, name);
    let mut hop = flow("ingest ƒ", (rate, freshness), "out", rest);
    if status.is_stuck && hop.tone == Tone::Good {
        hop.tone = Tone::Bad;
    }
    hop
}

pub(super) fn database(context: &ScreenContext<'_>) -> Hop {
    let remote = &context.pipeline.totals;
    let Some(totals) = remote.value() else {
        return unknown("database", "rows", Freshness::of_totals(context));
    };
    let freshness = Freshness::of_totals(context);
    let is_fresh = freshness.is_fresh();
    let stored = context.pipeline.stored_rate();
    let rate = stored.map_or_else(
        || format!("{UNKNOWN} rows/s"),
        |rate| format!("+{}", rate_of_rows(rate.per_sec)),
    );
    let about = if totals.total_is_estimate {
        "about "
    } else {
        ""
    };
    let (read_at, is_of_now) = remote.fetched().map_or((context.now, true), |fetched| {
        let age = context.now - fetched.fetched_at;
        (fetched.fetched_at, age <= OF_NOW)
    });
    let newest = totals.last_ingested_at.map_or_else(
        || "no record".to_owned(),
        |at| {
            // Beside an older number an age would be one of then, not of now.
            if !is_fresh {
                return format!("newest then {} UTC", clock(at));
            }
            // Nothing is drawn again until the next answer, so an age of now would be too small by then.
            let age = span_secs(age_secs(at, totals.database_now));
            if is_of_now {
                format!("newest {age} before {}", clock(read_at))
            } else {
                format!("newest {age} before")
            }
        },
    );
    // A rate of some seconds is that of now; any other has its time, and the age beside it would be of the rows.
    let period = stored
        .filter(|rate| rate.until - rate.since > RATE_OF_NOW)
        .map(period);
    let mut rest = freshness.notes;
    let has_age = period.is_some() && !is_fresh;
    let age_of_rows = has_age.then(|| rest.remove(0));
    // A rate without its time would be that of now, and a cause may be long.
    rest.splice(0..0, period);
    let is_removed = stored.is_none() && context.pipeline.rows_were_removed();
    rest.extend(is_removed.then(|| "rows were removed".to_owned()));
    let rows = format!("{about}{}", counted(totals.total, "row"));
    // Records that are erased or expire change it, and no metric has them.
    let rows = match age_of_rows {
        Some(age) => format!("{rows} {age}"),
        None if is_of_now || !is_fresh => rows,
        None => format!("{rows} at {}", clock(read_at)),
    };
    rest.extend([rows, newest]);
    match totals.read_path {
        ReadPath::Api => rest.push("read by the API".to_owned()),
        ReadPath::Database => {}
    }
    Hop {
        title: "database",
        tone: freshness.tone,
        main: rate,
        rest,
    }
}

fn rate_of_rows(per_sec: f64) -> String {
    rate(per_sec).replace("/s", " rows/s")
}

pub(super) fn api(context: &ScreenContext<'_>) -> Hop {
    let remote = &context.pipeline.api;
    let Some(health) = remote.value() else {
        return unknown(
            "api ƒ",
            "health",
            Freshness::of(remote, context.pipeline.polling.api, context),
        );
    };
    let freshness = Freshness::of(remote, context.pipeline.polling.api, context);
    let tone = match freshness.tone {
        Tone::Good if health.status != 200 => Tone::Bad,
        tone @ (Tone::Muted | Tone::Good | Tone::Warning | Tone::Bad) => tone,
    };
    let is_fresh = freshness.is_fresh();
    let mut rest = freshness.notes;
    // On AWS it is asked seldom.
    let read_at = remote.fetched().map(|fetched| fetched.fetched_at);
    let read_at = read_at.filter(|at| is_fresh && context.now - *at > OF_NOW);
    let time = read_at.map_or_else(String::new, |at| format!(" at {}", clock(at)));
    rest.push(format!("GET /health{time}"));
    Hop {
        title: "api ƒ",
        tone,
        main: format!("{} in {}", health.status, latency(health.latency)),
        rest,
    }
}

fn dead_letters(context: &ScreenContext<'_>) -> Hop {
    let remote = &context.pipeline.dead_letter_queue;
    let Some(queue) = remote.value() else {
        return unknown(
            "DLQ",
            "messages",
            Freshness::of(remote, context.pipeline.polling.queues, context),
        );
    };
    let freshness = Freshness::of(remote, context.pipeline.polling.queues, context);
    let number = queue.depth.total();
    let tone = match freshness.tone {
        Tone::Good if number > 0 => Tone::Warning,
        tone @ (Tone::Muted | Tone::Good | Tone::Warning | Tone::Bad) => tone,
    };
    let mut rest = freshness.notes;
    rest.push(format!("in flight {}", count(queue.depth.in_flight)));
    if let Some(age) = context.pipeline.oldest_dead_letter().filter(|_| number > 0) {
        rest.push(format!("oldest {}", age.text()));
        let source = context.pipeline.source_queue.value();
        let left = TimeLeft::of_dead_letter(
            age.secs + age_secs(age.until, context.now),
            queue.settings.retention_secs,
            source.map(|source| source.settings.retention_secs),
        );
        let left = if context.pipeline.dead_letter_looks.may_be_gone(age) {
            left.text_at_least()
        } else {
            Some(left.text())
        };
        rest.extend(left.map(|left| format!("first expires {left}")));
    }
    Hop {
        title: "DLQ",
        tone,
        main: count(number),
        rest,
    }
}

fn unknown(title: &'static str, what: &str, freshness: Freshness) -> Hop {
    Hop {
        title,
        tone: freshness.tone,
        main: format!("{what} {UNKNOWN}"),
        rest: freshness.notes,
    }
}
