//! The top line: where, whether it is healthy, the numbers that matter, and when they were read.
//!
//! Invariant: a field is shown whole or not at all. Every number is of the time shown or newer, by less than
//! [`SAME_TIME`], or has its own time.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use chrono::{DateTime, Duration, Utc};

use super::context::ScreenContext;
use super::format::{UNKNOWN, clock, count, count_or_unknown, fit, span_secs, visible};
use super::health::health;
use super::polling::fresh;
use super::remote::{Fetched, Remote};
use super::theme::{Tone, sign, toned};
use pipeline::model::ReadPath;

/// From this width on, the header names the program and spells everything out.
const HEADER_FULL_COLUMNS: u16 = 100;

/// Numbers that were read within this have one time.
const SAME_TIME: Duration = Duration::seconds(10);

pub(crate) fn draw(context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
    let theme = context.theme;
    let health = health(context.pipeline, context.environment, context.now);
    let is_narrow = area.width < HEADER_FULL_COLUMNS;
    let name = if is_narrow { " " } else { " opsconsole " };
    let health = toned(theme, health.tone(), health.label());
    let room = usize::from(area.width);
    let probing = probing_span(context);
    let kept = health.width() + probing.as_ref().map_or(0, Span::width);
    let mut spans = vec![
        Span::styled(name, theme.strong()),
        environment_span(context, room.saturating_sub(kept + 5)),
    ];
    spans.extend(probing);
    if context.environment.read_only {
        spans.push(Span::styled(" read-only", theme.muted()));
    }
    spans.push(Span::raw("  "));
    spans.push(health);
    let numbers = Numbers::of(context);
    let right = numbers.time(context, is_narrow);
    let mut used: usize = spans.iter().map(Span::width).sum();
    // Numbers without their time could be those of any time.
    if used + 2 + right.width() < room {
        for (text, style) in numbers.texts(context) {
            let width = text.width() + 2;
            if used + width + right.width() + 2 > room {
                break;
            }
            used += width;
            spans.push(Span::styled(format!("  {text}"), style));
        }
        spans.push(Span::raw(" ".repeat(room - used - right.width() - 1)));
        spans.push(right);
    }
    canvas.render_widget(Line::from(spans), area);
}

/// While a series of probes runs, on every screen: this console writes to the environment.
fn probing_span(context: &ScreenContext<'_>) -> Option<Span<'static>> {
    let every = span_secs(context.probing_every?.as_secs());
    let tone = if context.environment.is_production {
        Tone::Bad
    } else {
        Tone::Warning
    };
    let text = format!(" probing every {every}");
    Some(Span::styled(text, context.theme.tone(tone)))
}

fn environment_span(context: &ScreenContext<'_>, room: usize) -> Span<'static> {
    let name = visible(&context.environment.name);
    if context.environment.is_production {
        let style = context
            .theme
            .tone(Tone::Bad)
            .add_modifier(Modifier::REVERSED);
        let name = fit(&name, room.saturating_sub(" PRODUCTION".width()));
        return Span::styled(format!(" {name} PRODUCTION "), style);
    }
    Span::styled(
        format!(" {} ", fit(&name, room)),
        context.theme.strong().add_modifier(Modifier::REVERSED),
    )
}

/// What the header shows of the parts that answer; where none does, of those that answered last.
struct Numbers {
    depth: Option<Fetched<u64>>,
    dead: Option<Fetched<u64>>,
    stored: Option<Fetched<u64>>,
    is_stale: bool,
}

impl Numbers {
    fn of(context: &ScreenContext<'_>) -> Self {
        let pipeline = &context.pipeline;
        let now = context.now;
        let queues = fresh(pipeline.polling.queues).0;
        let source_queue = is_fresh(&pipeline.source_queue, queues, now);
        let dead_letter_queue = is_fresh(&pipeline.dead_letter_queue, queues, now);
        let totals = pipeline.totals.error().is_none()
            && pipeline.totals.value().is_some()
            && pipeline.totals_stale_since(now).is_none();
        let is_stale = !source_queue && !dead_letter_queue && !totals;
        let read_at = [
            read_at(&pipeline.source_queue),
            read_at(&pipeline.dead_letter_queue),
            read_at(&pipeline.totals),
        ];
        // What had not answered before the last part stopped was not shown then either.
        let last_at = read_at.into_iter().flatten().max().filter(|_| is_stale);
        let is_of_last = |at: Option<DateTime<Utc>>, interval| {
            let late = last_at.zip(at).map(|(last_at, at)| last_at - at);
            late.is_some_and(|late| late <= fresh(interval).0)
        };
        let [depth_at, dead_at, stored_at] = read_at;
        let polling = pipeline.polling;
        let depth = source_queue || is_of_last(depth_at, polling.queues);
        let dead = dead_letter_queue || is_of_last(dead_at, polling.queues);
        let stored = totals || is_of_last(stored_at, polling.totals);
        Self {
            depth: known(&pipeline.source_queue, depth, |queue| queue.depth.visible),
            dead: known(&pipeline.dead_letter_queue, dead, |queue| {
                queue.depth.total()
            }),
            stored: known(&pipeline.totals, stored, |totals| totals.total),
            is_stale,
        }
    }

    /// When the oldest of them was read that have no time of their own. AWS is read seldom.
    fn read_at(&self) -> Option<DateTime<Utc>> {
        let all = [&self.depth, &self.dead, &self.stored];
        let times = all.into_iter().flatten().map(|number| number.fetched_at);
        let newest = times.clone().max()?;
        times.filter(|at| newest - *at < SAME_TIME).min()
    }

    /// The time of a number that was read earlier than the others.
    fn own_time(&self, number: &Option<Fetched<u64>>) -> String {
        let times = number.as_ref().zip(self.read_at());
        match times.filter(|(number, read_at)| number.fetched_at < *read_at) {
            Some((number, _)) => format!(" at {}", clock(number.fetched_at)),
            None => String::new(),
        }
    }

    fn time(&self, context: &ScreenContext<'_>, is_narrow: bool) -> Span<'static> {
        match self.read_at() {
            Some(at) if self.is_stale => Span::styled(
                format!("stale, as of {} UTC", clock(at)),
                context.theme.tone(Tone::Bad),
            ),
            // Without these words it would be read as the time of day.
            Some(at) if is_narrow => {
                Span::styled(format!("as of {}", clock(at)), context.theme.muted())
            }
            Some(at) => Span::styled(format!("as of {} UTC", clock(at)), context.theme.muted()),
            None => Span::styled("no data yet", context.theme.muted()),
        }
    }

    /// The most important first.
    fn texts(&self, context: &ScreenContext<'_>) -> [(String, Style); 3] {
        let number = |number: &Option<Fetched<u64>>| number.as_ref().map(|fetched| fetched.value);
        let plain = if self.is_stale {
            context.theme.muted()
        } else {
            Style::new()
        };
        let (dead, dead_style) = match number(&self.dead) {
            Some(0) => (format!("DLQ 0{}", self.own_time(&self.dead)), plain),
            Some(dead) => (
                format!(
                    "DLQ {} {}{}",
                    count(dead),
                    sign(Tone::Warning),
                    self.own_time(&self.dead)
                ),
                context.theme.tone(Tone::Warning),
            ),
            None => (format!("DLQ {UNKNOWN}"), plain),
        };
        let depth = count_or_unknown(number(&self.depth));
        let stored = count_or_unknown(number(&self.stored));
        // On AWS usually so; a database that is read itself is not mentioned.
        let read_path = context
            .pipeline
            .totals
            .value()
            .map(|totals| totals.read_path);
        let way = match read_path {
            Some(ReadPath::Api) => " by API",
            Some(ReadPath::Database) | None => "",
        };
        [
            (
                format!("depth {depth}{}", self.own_time(&self.depth)),
                plain,
            ),
            (dead, dead_style),
            (
                format!("stored {stored}{way}{}", self.own_time(&self.stored)),
                plain,
            ),
        ]
    }
}

fn read_at<T>(remote: &Remote<T>) -> Option<DateTime<Utc>> {
    remote.fetched().map(|fetched| fetched.fetched_at)
}

fn is_fresh<T>(remote: &Remote<T>, limit: Duration, now: DateTime<Utc>) -> bool {
    let is_recent = |fetched: &Fetched<T>| now - fetched.fetched_at <= limit;
    remote.error().is_none() && remote.fetched().is_some_and(is_recent)
}

/// The last answer of a part. The number of a part that stopped answering would appear beside the time
/// of others that answer; where nothing answers, the time is that of all.
fn known<T>(
    remote: &Remote<T>,
    is_shown: bool,
    number: impl Fn(&T) -> u64,
) -> Option<Fetched<u64>> {
    let fetched = remote.fetched().filter(|_| is_shown)?;
    Some(Fetched {
        value: number(&fetched.value),
        fetched_at: fetched.fetched_at,
    })
}
