//! The last hour: depth and dead letters, what goes in and out and, on wide screens, how long it
//! takes.
//!
//! Invariant: a period without a value is a gap, never a zero. The numbers beside the names are those of
//! the hops, or of no hop: a number has one value on the screen.

use std::borrow::Cow;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType};
use unicode_width::UnicodeWidthStr as _;

use super::batches;
use crate::tui::context::ScreenContext;
use crate::tui::format::{UNKNOWN, clock, count_or_unknown, rate_or_unknown, short};
use crate::tui::layout::is_wide;
use crate::tui::lines::title;
use crate::tui::remote::Fetched;
use crate::tui::theme::Theme;
use pipeline::IngestHistory;
use pipeline::model::{History, Point, observed_whole};

/// The library gives the labels of the vertical axis a third of the width at most.
const Y_LABEL_SHARE: usize = 3;
/// Columns in which both times below a chart have room.
const LABELLED_COLUMNS_MIN: u16 = 26;

/// Lines of one chart: name and points, newest last.
struct Series<'a> {
    name: &'static str,
    /// The newest value, as the hops show it.
    newest: String,
    points: Cow<'a, [Point]>,
    /// What a value is divided by, so that counts become rates.
    divisor: f64,
}

pub(super) fn draw(context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
    let Some(fetched) = context.pipeline.history.fetched() else {
        draw_nothing(context, canvas, area);
        return;
    };
    let charts = [
        ("Messages", messages(context, &fetched.value)),
        ("Queue", rates(context, fetched)),
        ("Lag in ms", lags(context, &fetched.value)),
    ];
    let shown = if is_wide(area) { 3 } else { 2 };
    let places = Layout::horizontal([Constraint::Fill(1)].repeat(shown))
        .spacing(1)
        .split(area);
    for ((name, series), place) in charts.iter().zip(places.iter()) {
        chart(context, name, series, canvas, *place);
    }
}

fn draw_nothing(context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
    let text = if context.pipeline.history.error().is_some() {
        "the history could not be read; see Attention above"
    } else {
        "reading the last hour from CloudWatch"
    };
    let [head, line] = Layout::vertical([Constraint::Length(1), Constraint::Length(1)]).areas(area);
    let title = title(context.theme, "Last hour", usize::from(area.width));
    canvas.render_widget(title, head);
    let text = Span::styled(format!("  {text}"), context.theme.muted());
    canvas.render_widget(text, line);
}

fn messages<'a>(context: &ScreenContext<'_>, history: &'a History) -> [Series<'a>; 2] {
    let depth = context.pipeline.source_queue.value();
    let dead = context.pipeline.dead_letter_queue.value();
    [
        Series {
            name: "depth",
            newest: count_or_unknown(depth.map(|queue| queue.depth.visible)),
            points: Cow::from(&history.depth),
            divisor: 1.0,
        },
        Series {
            name: "DLQ",
            newest: count_or_unknown(dead.map(|queue| queue.depth.total())),
            points: Cow::from(&history.dead_letters),
            divisor: 1.0,
        },
    ]
}

/// What goes into the queue, from the topic and from redrives, and out of it.
fn rates<'a>(context: &ScreenContext<'_>, fetched: &'a Fetched<History>) -> [Series<'a>; 2] {
    let history = &fetched.value;
    let line = |name, per_sec, points: &'a [Point]| Series {
        name,
        newest: rate_or_unknown(per_sec),
        points: observed_whole(points, history.period_secs, fetched.fetched_at).collect(),
        divisor: f64::from(history.period_secs.max(1)),
    };
    [
        line("in", context.pipeline.sent_per_sec(), &history.sent),
        line("out", context.pipeline.deleted_per_sec(), &history.deleted),
    ]
}

fn lags<'a>(context: &ScreenContext<'_>, history: &'a History) -> [Series<'a>; 2] {
    let ingest = history.ingest.as_deref();
    let points = |of: fn(&IngestHistory) -> &Vec<Point>| ingest.map_or(&[][..], |it| of(it));
    let [p50, max] = batches::lags(context);
    let line = |name, newest: Option<String>, points: &'a [Point]| Series {
        name,
        newest: newest.unwrap_or_else(|| UNKNOWN.to_owned()),
        points: Cow::from(points),
        divisor: 1.0,
    };
    [
        line("p50", p50, points(|ingest| &ingest.lag_p50_ms)),
        line("max", max, points(|ingest| &ingest.lag_max_ms)),
    ]
}

fn chart(
    context: &ScreenContext<'_>,
    name: &str,
    series: &[Series<'_>],
    canvas: &mut Frame<'_>,
    area: Rect,
) {
    let theme = context.theme;
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    canvas.render_widget(legend(theme, name, series, usize::from(area.width)), head);

    let data: Vec<Vec<(f64, f64)>> = series.iter().map(scaled).collect();
    let times = data.iter().flatten().map(|(at, _)| *at);
    let (first, last) = times.fold((f64::MAX, f64::MIN), |(low, high), at| {
        (low.min(at), high.max(at))
    });
    if first >= last {
        canvas.render_widget(
            Span::styled("  too few values in the last hour", theme.muted()),
            body,
        );
        return;
    }
    let top = ceiling(
        data.iter()
            .flatten()
            .map(|(_, value)| *value)
            .fold(0.0, f64::max),
    );
    let datasets: Vec<_> = data
        .iter()
        .enumerate()
        .map(|(number, points)| {
            Dataset::default()
                .data(points)
                .marker(if number == 0 {
                    Marker::Braille
                } else {
                    Marker::Dot
                })
                .graph_type(GraphType::Line)
                .style(theme.series(number))
        })
        .collect();
    // A label that is cut would be another number.
    let y_texts = [0.0, top / 2.0, top].map(|value| format!("{:>5}", short(value)));
    let has_room = |text: &String| text.len() <= usize::from(area.width) / Y_LABEL_SHARE;
    let has_labels = area.width >= LABELLED_COLUMNS_MIN && y_texts.iter().all(has_room);
    let x_labels = [first, last].map(|at| Span::styled(time_label(at), theme.muted()));
    let y_labels = y_texts.map(|text| Span::styled(text, theme.muted()));
    let mut x_axis = axis(theme.muted(), [first, last]);
    let mut y_axis = axis(theme.muted(), [0.0, top]);
    if has_labels {
        x_axis = x_axis.labels(x_labels);
        y_axis = y_axis.labels(y_labels);
    }
    let chart = Chart::new(datasets).legend_position(None);
    canvas.render_widget(chart.x_axis(x_axis).y_axis(y_axis), body);
}

/// The name of a chart and of its lines, with their numbers where all have room.
fn legend(theme: Theme, name: &str, series: &[Series<'_>], width: usize) -> Line<'static> {
    let with = |text: fn(&Series<'_>) -> String| {
        let mut legend = title(theme, name, name.width() + 2);
        for (number, line) in series.iter().enumerate() {
            let dash = format!(" {} ", dash(number));
            legend.push_span(Span::styled(dash, theme.series(number)));
            legend.push_span(Span::raw(text(line)));
        }
        legend
    };
    let named = || with(|line| format!("{} ", line.name));
    let mut legend = with(|line| format!("{} {} ", line.name, line.newest));
    if legend.width() > width {
        legend = named();
    }
    if legend.width() > width {
        return title(theme, name, width);
    }
    let gap = width - legend.width();
    legend.push_span(Span::styled("─".repeat(gap), theme.muted()));
    legend
}

const fn dash(number: usize) -> &'static str {
    if number == 0 { "━" } else { "∙" }
}

fn axis(style: Style, bounds: [f64; 2]) -> Axis<'static> {
    Axis::default().style(style).bounds(bounds)
}

fn scaled(series: &Series<'_>) -> Vec<(f64, f64)> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds of this century fit a double exactly"
    )]
    series
        .points
        .iter()
        .map(|point| (point.at.timestamp() as f64, point.value / series.divisor))
        .collect()
}

fn time_label(at: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "came from whole seconds")]
    chrono::DateTime::from_timestamp(at as i64, 0)
        .map(clock)
        .unwrap_or_default()
}

/// The next of some round steps × 10ⁿ, so that the axis does not jump with every value.
fn ceiling(value: f64) -> f64 {
    if value <= 1.0 {
        return 1.0;
    }
    let magnitude = 10_f64.powf(value.log10().floor());
    [1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * magnitude)
        .find(|step| *step >= value)
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axis_ends_at_a_round_number() {
        for (value, end) in [
            (0.0, 1.0),
            (1.0, 1.0),
            (3.0, 3.0),
            (48.2, 60.0),
            (61.0, 80.0),
        ] {
            assert!((ceiling(value) - end).abs() < 1e-9, "{value}");
        }
    }
}
