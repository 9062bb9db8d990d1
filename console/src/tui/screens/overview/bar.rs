//! The first row: the pages and the ranges, each with its key, and what is being read.
//!
//! Invariant: what is drawn is what a click finds: both use the same pieces.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr as _;

use super::charts::Charts;
use super::page::Page;
use crate::tui::chart_range::ChartRange;
use crate::tui::context::ScreenContext;
use crate::tui::format::clock;
use crate::tui::lines::whole_words;
use crate::tui::theme::{Theme, Tone};

/// From this width on, all pages are named.
const ALL_PAGES_COLUMNS: u16 = 100;

/// What a click on a piece does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Page(Page),
    Range(ChartRange),
}

#[derive(Debug)]
struct Piece {
    x: u16,
    text: String,
    key: String,
    target: Target,
    is_current: bool,
}

impl Piece {
    fn width(&self) -> u16 {
        let width = self.key.width() + self.text.width();
        u16::try_from(width).unwrap_or(u16::MAX)
    }
}

pub(super) fn target_at(
    (page, range): (Page, ChartRange),
    area: Rect,
    position: Position,
) -> Option<Target> {
    if !area.contains(position) {
        return None;
    }
    let mut pieces = pieces(page, range, area).into_iter();
    let hit = pieces.find(|piece| (piece.x..piece.x + piece.width()).contains(&position.x));
    hit.map(|piece| piece.target)
}

pub(super) fn draw(
    charts: &Charts,
    page: Page,
    context: &ScreenContext<'_>,
    canvas: &mut Frame<'_>,
    area: Rect,
) {
    let theme = context.theme;
    let pieces = pieces(page, charts.range, area);
    let mut left = area.x;
    let mut right = area.right();
    let buffer = canvas.buffer_mut();
    if area.height == 0 {
        return;
    }
    for piece in &pieces {
        let (key, text) = styles(theme, piece);
        buffer.set_string(piece.x, area.y, &piece.key, key);
        let width = u16::try_from(piece.key.width()).unwrap_or(0);
        buffer.set_string(piece.x + width, area.y, &piece.text, text);
        match piece.target {
            Target::Page(_) => left = left.max(piece.x + piece.width()),
            Target::Range(_) => right = right.min(piece.x),
        }
    }
    let room = usize::from(right.saturating_sub(left + 2));
    if let Some((tone, text)) = word(charts, page, context) {
        let text = whole_words(&text, room);
        let width = u16::try_from(text.width()).unwrap_or(0);
        let x = right.saturating_sub(width + 1);
        buffer.set_string(x, area.y, text, theme.tone(tone));
    }
}

fn styles(theme: Theme, piece: &Piece) -> (Style, Style) {
    if piece.is_current {
        let style = theme.selected(true).add_modifier(Modifier::BOLD);
        (style, style)
    } else {
        (theme.key(), Style::new())
    }
}

fn pieces(page: Page, range: ChartRange, area: Rect) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut x = area.x;
    let mut push = |x: &mut u16, key: String, text: String, target, is_current| {
        let piece = Piece {
            x: *x,
            text,
            key,
            target,
            is_current,
        };
        *x += piece.width();
        pieces.push(piece);
    };
    if area.width >= ALL_PAGES_COLUMNS {
        for other in Page::ALL {
            let text = format!(" {} ", other.title());
            let target = Target::Page(*other);
            push(&mut x, String::new(), text, target, *other == page);
        }
        push(
            &mut x,
            " tab".to_owned(),
            " next page".to_owned(),
            Target::Page(page.step(1)),
            false,
        );
    } else {
        let here = format!(" {} {}/{} ", page.title(), page.number(), Page::ALL.len());
        push(&mut x, String::new(), here, Target::Page(page), true);
        let next = page.step(1);
        push(
            &mut x,
            " tab".to_owned(),
            format!(" {}", next.title()),
            Target::Page(next),
            false,
        );
    }
    if page.has_charts() {
        let width: usize = ChartRange::ALL
            .iter()
            .map(|range| range.label().width() + 4)
            .sum();
        let width = u16::try_from(width).unwrap_or(u16::MAX);
        let mut x = area.right().saturating_sub(width);
        for other in ChartRange::ALL {
            let key = format!(" {} ", other.key());
            let text = format!("{} ", other.label());
            push(&mut x, key, text, Target::Range(*other), *other == range);
        }
    }
    // What has no room is left out.
    let mut end = area.x;
    pieces.retain(|piece| {
        let has_room = piece.x >= end && piece.x + piece.width() <= area.right();
        if has_room {
            end = piece.x + piece.width();
        }
        has_room
    });
    pieces
}

/// What is being read, or could not be.
fn word(charts: &Charts, page: Page, context: &ScreenContext<'_>) -> Option<(Tone, String)> {
    if !page.has_charts() {
        return None;
    }
    if charts.is_waiting(page) {
        let range = charts.range.label();
        return Some(match charts.has_failed() {
            true => (Tone::Bad, format!("✖ {range} was not read  ^r again")),
            false => (Tone::Muted, format!("○ reading {range}")),
        });
    }
    if let Some(read_at) = charts.old_since(page) {
        let text = format!("▲ read at {} UTC  ^r again", clock(read_at));
        return Some((Tone::Warning, text));
    }
    let history = &context.pipeline.history;
    let is_old = history.error().is_some();
    let is_stale = context.pipeline.history_stale_since(context.now).is_some();
    let read_at = history.fetched().map(|fetched| clock(fetched.fetched_at));
    match read_at {
        Some(at) if is_old || is_stale => Some((Tone::Warning, format!("▲ read at {at} UTC"))),
        Some(_) | None => None,
    }
}
