//! The text of an event while it is written.
//!
//! Invariant: what is sent is what is shown: every character has its place on the screen, control
//! characters as pictures.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui_textarea::{CursorMove, DataCursor, TextArea};
use unicode_width::UnicodeWidthChar as _;

use crate::tui::format::visible;
use crate::tui::theme::Theme;
use crate::tui::theme::Tone;

/// Largest text, in bytes; what SQS accepts, more than SNS accepts by default.
pub(crate) const TEXT_BYTES_MAX: usize = 1_024 * 1_024;
/// Columns before the text: the mark and a space.
pub(crate) const MARGIN: u16 = 2;
/// How far a name is looked at beyond the screen to distinguish it from a string.
const NAME_LOOKAHEAD: usize = 120;

#[derive(Debug, Default)]
pub(crate) struct Editor {
    area: TextArea<'static>,
    /// First visible line and column.
    top: usize,
    left: usize,
    loaded: Option<String>,
}

impl Editor {
    /// The text as it would be sent.
    pub(crate) fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether a text was ever put into it.
    pub(crate) const fn is_loaded(&self) -> bool {
        self.loaded.is_some()
    }

    /// Whether the text was changed since it was loaded.
    pub(crate) fn is_edited(&self) -> bool {
        self.loaded
            .as_ref()
            .is_some_and(|loaded| *loaded != self.text())
    }

    pub(crate) fn len(&self) -> usize {
        self.area.lines().len()
    }

    /// Starts over with a text. The old one can be had again by undo.
    pub(crate) fn load(&mut self, text: &str) {
        if self.loaded.is_some() {
            self.area.select_all();
            self.area.insert_str(text);
        } else {
            self.area = TextArea::new(text.split('\n').map(str::to_owned).collect());
        }
        self.move_to_start();
        self.loaded = Some(self.text());
    }

    /// Puts the cursor before the first character.
    pub(crate) fn move_to_start(&mut self) {
        self.area.move_cursor(CursorMove::Jump(0, 0));
        (self.top, self.left) = (0, 0);
    }

    /// Takes the text out; the old one can be had again by undo.
    pub(crate) fn clear(&mut self) {
        self.area.select_all();
        self.area.cut();
        (self.top, self.left) = (0, 0);
        self.loaded.get_or_insert_default();
    }

    /// A key that writes or moves. Whether the text is another one now.
    pub(crate) fn key(&mut self, key: KeyEvent, width: usize, height: usize) -> bool {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the editor knows all other keys"
        )]
        let is_changed = match key.code {
            KeyCode::PageUp => self.page(-1, height),
            KeyCode::PageDown => self.page(1, height),
            // A tab is two blanks: JSON is laid out by blanks here.
            KeyCode::Tab => self.area.insert_str("  "),
            KeyCode::Char(_) | KeyCode::Enter if self.is_full() => false,
            _ => self.area.input(key),
        };
        self.reveal(width, height);
        is_changed
    }

    fn page(&mut self, direction: isize, height: usize) -> bool {
        let DataCursor(row, column) = self.area.cursor();
        let rows = direction.saturating_mul(height.max(1).cast_signed());
        let row = row
            .saturating_add_signed(rows)
            .min(self.len().saturating_sub(1));
        self.jump(row, column);
        false
    }

    fn jump(&mut self, row: usize, column: usize) {
        let within = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        self.area
            .move_cursor(CursorMove::Jump(within(row), within(column)));
    }

    fn is_full(&self) -> bool {
        self.area
            .lines()
            .iter()
            .map(|line| line.len() + 1)
            .sum::<usize>()
            > TEXT_BYTES_MAX
    }

    /// Pasted text. `false` and nothing changed where it is too much.
    pub(crate) fn paste(&mut self, text: &str, width: usize, height: usize) -> bool {
        if self.text().len() + text.len() > TEXT_BYTES_MAX {
            return false;
        }
        self.area
            .insert_str(text.replace("\r\n", "\n").replace('\r', "\n"));
        self.reveal(width, height);
        true
    }

    /// Puts the cursor where the mouse is, counted from the first visible line and column.
    pub(crate) fn click(&mut self, line: usize, column: usize) {
        let row = (self.top + line).min(self.len().saturating_sub(1));
        let Some(text) = self.area.lines().get(row) else {
            return;
        };
        let wanted = self.left + column;
        let mut used = 0;
        let at = text
            .chars()
            .position(|character| {
                used += shown_width(character);
                used > wanted
            })
            .unwrap_or_else(|| text.chars().count());
        self.jump(row, at);
    }

    /// Moves the window, not the cursor.
    pub(crate) fn scroll(&mut self, lines: isize, height: usize) {
        let most = self.len().saturating_sub(height.max(1));
        self.top = self.top.saturating_add_signed(lines).min(most);
    }

    /// Brings the cursor into the window.
    pub(crate) fn reveal(&mut self, width: usize, height: usize) {
        let DataCursor(row, column) = self.area.cursor();
        let (width, height) = (width.max(1), height.max(1));
        self.top = self.top.clamp((row + 1).saturating_sub(height), row);
        let line = self
            .area
            .lines()
            .get(row)
            .map(String::as_str)
            .unwrap_or_default();
        let before: usize = line.chars().take(column).map(shown_width).sum();
        self.left = self.left.clamp((before + 1).saturating_sub(width), before);
    }

    /// The visible lines, `width` columns wide, margin included. `marked` is the line of a failure.
    pub(crate) fn lines(
        &self,
        theme: Theme,
        marked: Option<usize>,
        has_cursor: bool,
        (width, height): (usize, usize),
    ) -> Vec<Line<'static>> {
        let DataCursor(cursor_row, cursor_column) = self.area.cursor();
        let room = width.saturating_sub(usize::from(MARGIN));
        let selection = self.area.selection_range().filter(|_| has_cursor);
        self.area
            .lines()
            .iter()
            .enumerate()
            .skip(self.top)
            .take(height)
            .map(|(row, text)| {
                let mark = if marked == Some(row) { "▸ " } else { "  " };
                let mut spans = vec![Span::styled(mark, theme.tone(Tone::Bad))];
                let cursor = (has_cursor && row == cursor_row).then_some(cursor_column);
                let is_selected = |column: usize| {
                    selection.is_some_and(|(from, to)| (row, column) >= from && (row, column) < to)
                };
                spans.extend(self.drawn(text, theme, cursor, is_selected, room));
                Line::from(spans)
            })
            .collect()
    }

    /// The visible part of one line.
    fn drawn(
        &self,
        text: &str,
        theme: Theme,
        cursor: Option<usize>,
        is_selected: impl Fn(usize) -> bool,
        room: usize,
    ) -> Vec<Span<'static>> {
        let mut cells: Vec<(char, Style)> = highlighted(text, self.left + room, theme);
        for (column, (_, style)) in cells.iter_mut().enumerate() {
            if cursor == Some(column) || is_selected(column) {
                *style = style.add_modifier(Modifier::REVERSED);
            }
        }
        if cursor.is_some_and(|column| column >= cells.len()) {
            cells.push((' ', Style::new().add_modifier(Modifier::REVERSED)));
        }
        let mut spans: Vec<Span<'static>> = Vec::new();
        let mut used = 0;
        for (character, style) in cells {
            let start = used;
            used += character.width().unwrap_or(0);
            if start < self.left || used > self.left + room {
                continue;
            }
            match spans.last_mut() {
                Some(span) if span.style == style => span.content.to_mut().push(character),
                Some(_) | None => spans.push(Span::styled(character.to_string(), style)),
            }
        }
        spans
    }
}

fn shown(character: char) -> char {
    let mut buffer = [0; 4];
    visible(character.encode_utf8(&mut buffer))
        .chars()
        .next()
        .unwrap_or(' ')
}

fn shown_width(character: char) -> usize {
    shown(character).width().unwrap_or(0)
}

/// The first characters of a line in the colours of JSON; strings never go over a line's end.
fn highlighted(text: &str, columns: usize, theme: Theme) -> Vec<(char, Style)> {
    let characters: Vec<char> = text.chars().take(columns + NAME_LOOKAHEAD).collect();
    let mut cells = Vec::with_capacity(characters.len());
    let mut rest = characters.as_slice();
    while let Some((first, _)) = rest.split_first() {
        let (length, style) = match first {
            '"' => string(rest, theme),
            first if first.is_ascii_alphanumeric() || *first == '-' => {
                let end = rest
                    .iter()
                    .position(|c| !c.is_ascii_alphanumeric() && !"+-.".contains(*c))
                    .unwrap_or(rest.len());
                (end, theme.json_literal())
            }
            _ => (1, Style::new()),
        };
        let (token, behind) = rest.split_at_checked(length.max(1)).unwrap_or((rest, &[]));
        cells.extend(token.iter().map(|character| (shown(*character), style)));
        rest = behind;
    }
    cells
}

/// Length and style of the string at the start: a name, if a colon follows.
fn string(characters: &[char], theme: Theme) -> (usize, Style) {
    let mut is_escaped = false;
    let end = characters.iter().skip(1).position(|character| {
        let ends = *character == '"' && !is_escaped;
        is_escaped = *character == '\\' && !is_escaped;
        ends
    });
    let Some(end) = end else {
        return (characters.len(), theme.json_text());
    };
    let length = end + 2;
    let follower = characters
        .iter()
        .skip(length)
        .find(|character| !character.is_whitespace());
    (
        length,
        if follower == Some(&':') {
            theme.json_name()
        } else {
            theme.json_text()
        },
    )
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;

    fn press(editor: &mut Editor, code: KeyCode) -> bool {
        editor.key(KeyEvent::new(code, KeyModifiers::NONE), 20, 5)
    }

    #[test]
    fn another_template_can_be_undone() {
        let mut editor = Editor::default();
        editor.load("first\ntext");
        assert!(press(&mut editor, KeyCode::Char('x')));
        assert!(editor.is_edited());
        editor.load("second");
        assert!(!editor.is_edited());
        let undo = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL);
        for _ in 0..2 {
            editor.key(undo, 20, 5);
        }
        assert_eq!(editor.text(), "xfirst\ntext");
    }

    #[test]
    fn text_is_kept_byte_by_byte() {
        let mut editor = Editor::default();
        let text = "{\"a\":\t\"\u{1b}[2J\",\n\n \"b\": 1.50 }\n";
        editor.load(text);
        assert_eq!(editor.text(), text);
    }

    #[test]
    fn control_characters_are_drawn_as_pictures() {
        let mut editor = Editor::default();
        editor.load("\u{1b}[2J\t\u{202e}");
        let theme = Theme { has_colour: true };
        let lines = editor.lines(theme, None, false, (20, 5));
        assert_eq!(lines.first().unwrap().to_string(), "  ␛[2J␉\u{fffd}");
    }

    #[test]
    fn cursor_stays_in_the_window() {
        let mut editor = Editor::default();
        let text = vec!["0123456789012345678901234567890"; 40].join("\n");
        editor.load(&text);
        for code in [
            KeyCode::PageDown,
            KeyCode::End,
            KeyCode::PageDown,
            KeyCode::Down,
        ] {
            press(&mut editor, code);
            let DataCursor(row, column) = editor.area.cursor();
            assert!((editor.top..editor.top + 5).contains(&row), "{code:?}");
            assert!(
                (editor.left..editor.left + 20).contains(&column),
                "{code:?}"
            );
        }
        editor.scroll(-100, 5);
        assert_eq!(editor.top, 0);
        editor.click(2, 100);
        assert_eq!(editor.area.cursor(), DataCursor(2, 31));
    }

    #[test]
    fn more_than_the_limit_is_not_pasted() {
        let mut editor = Editor::default();
        editor.load("{}");
        assert!(!editor.paste(&"x".repeat(TEXT_BYTES_MAX), 20, 5));
        assert_eq!(editor.text(), "{}");
    }
}
