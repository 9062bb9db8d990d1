//! The bottom line. Invariant: every screen can be found from it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::keymap::{Action, Binding, KeyContext, Label};
use super::screen_id::ScreenId;
use super::theme::Theme;

/// Hints beside which the names of all screens are shown: with fewer, the hints matter more.
const HINTS_BESIDE_NAMES: usize = 3;

/// One piece of the bottom line and what a click on it does.
#[derive(Debug)]
struct Piece {
    key: String,
    label: String,
    action: Action,
    is_current: bool,
}

impl Piece {
    fn new(key: impl Into<String>, label: &str, action: Action) -> Self {
        Self {
            key: key.into(),
            label: label.to_owned(),
            action,
            is_current: false,
        }
    }

    fn width(&self) -> usize {
        self.key.width() + self.label.width() + 3
    }
}

fn total(pieces: &[Piece]) -> usize {
    pieces.iter().map(Piece::width).sum()
}

/// The bottom line.
#[derive(Debug)]
pub(crate) struct Footer {
    screen: ScreenId,
    context: KeyContext,
    /// What can be done here and now, the important things first, with its label.
    pub(super) hints: Vec<(&'static Binding, Label)>,
}

impl Footer {
    pub(crate) const fn new(
        screen: ScreenId,
        context: KeyContext,
        hints: Vec<(&'static Binding, Label)>,
    ) -> Self {
        Self {
            screen,
            context,
            hints,
        }
    }

    pub(crate) fn draw(&self, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        let mut spans = Vec::new();
        for piece in self.pieces(area.width) {
            let (key_style, label_style) = if piece.is_current {
                let style = theme.selected(true);
                (style, style)
            } else {
                (theme.key(), Style::new())
            };
            spans.push(Span::styled(format!(" {} ", piece.key), key_style));
            spans.push(Span::styled(format!("{} ", piece.label), label_style));
        }
        canvas.render_widget(Line::from(spans), area);
    }

    /// What a click on column `x` of a line of `width` does.
    pub(crate) fn action_at(&self, width: u16, x: u16) -> Option<Action> {
        let mut end = 0;
        self.pieces(width).into_iter().find_map(|piece| {
            end += piece.width();
            (usize::from(x) < end).then_some(piece.action)
        })
    }

    /// The keys that answer the question that is open.
    pub(crate) fn open_question(&self) -> String {
        let hints = self.hints.iter().map(|(binding, label)| {
            let keys: Vec<_> = binding.keys.iter().map(|key| key.label()).collect();
            format!("{} {label}", keys.join(" or "))
        });
        let keys: Vec<_> = hints.collect();
        format!("a question is open: {}", keys.join(" · "))
    }

    fn hint_pieces(&self) -> Vec<Piece> {
        self.hints
            .iter()
            .map(|(binding, label)| {
                let key = binding.keys.first().map(|key| key.label());
                Piece::new(key.unwrap_or_default(), label, binding.action)
            })
            .collect()
    }

    /// The pieces that have room, from left to right.
    fn pieces(&self, width: u16) -> Vec<Piece> {
        let hints = self.hint_pieces();
        if !matches!(self.context, KeyContext::Screen(_)) {
            let mut room = usize::from(width);
            return fitting(hints, &mut room);
        }
        let wanted: usize = hints
            .iter()
            .take(HINTS_BESIDE_NAMES)
            .map(Piece::width)
            .sum();
        let mut tail = vec![
            Piece::new("?", "help", Action::Help),
            Piece::new(":", "palette", Action::Palette),
            Piece::new("q", "quit", Action::Quit),
        ];
        let rest = tail.split_off(1);
        let mut room = usize::from(width);
        let mut head = screens(self.screen);
        if total(&head) + wanted + total(&tail) > room {
            // On a narrow screen: where one is, and how to get elsewhere.
            head.retain(|piece| piece.is_current);
            head.push(Piece::new("0-9 Q", "screens", Action::NextScreen));
        }
        // How to get help, then the keys that matter here; the palette and the way out where there is room beside them.
        let head = fitting(head, &mut room);
        let help = fitting(tail, &mut room);
        let kept = Some(total(&rest)).filter(|rest| wanted + rest <= room);
        room -= kept.unwrap_or(0);
        let hints = fitting(hints, &mut room);
        room += kept.unwrap_or(0);
        let rest = fitting(rest, &mut room);
        [head, hints, help, rest].into_iter().flatten().collect()
    }
}

fn screens(current: ScreenId) -> Vec<Piece> {
    ScreenId::ALL
        .iter()
        .copied()
        .map(|screen| Piece {
            is_current: screen == current,
            ..Piece::new(screen.number(), screen.title(), Action::Show(screen))
        })
        .collect()
}

/// The first pieces that fit; subtracts their width.
fn fitting(pieces: Vec<Piece>, room: &mut usize) -> Vec<Piece> {
    pieces
        .into_iter()
        .map_while(|piece| {
            *room = room.checked_sub(piece.width())?;
            Some(piece)
        })
        .collect()
}
