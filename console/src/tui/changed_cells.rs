//! The terminal of ratatui, written to where something changes.
//!
//! Invariant: a frame that looks like the one before writes no byte. Of ratatui's own backend it writes the reset
//! of the colours and the state of the cursor each time. What changes is between the two sequences of synchronised
//! output (mode 2026): a terminal that knows them shows it in one piece, others ignore them.

use std::io::{self, Write};

use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use crossterm::{execute, queue};
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

#[derive(Debug)]
pub(super) struct ChangedCells<W: Write> {
    inner: CrosstermBackend<W>,
    is_in_frame: bool,
    /// Where the cursor is shown; `None` where it is hidden. Outside, whether that is known.
    cursor: Option<Option<Position>>,
}

impl<W: Write> ChangedCells<W> {
    pub(super) const fn new(writer: W) -> Self {
        Self {
            inner: CrosstermBackend::new(writer),
            is_in_frame: false,
            cursor: None,
        }
    }

    /// What takes sequences that are not of a frame.
    pub(super) const fn writer(&mut self) -> &mut CrosstermBackend<W> {
        &mut self.inner
    }

    /// Another program had the terminal: where the cursor is, is not known.
    pub(super) const fn forget_cursor(&mut self) {
        self.cursor = None;
    }

    fn begin_frame(&mut self) -> io::Result<()> {
        if !self.is_in_frame {
            queue!(self.inner, BeginSynchronizedUpdate)?;
            self.is_in_frame = true;
        }
        Ok(())
    }

    /// Shows what was changed since the last end.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn end_frame(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_in_frame) {
            execute!(self.inner, EndSynchronizedUpdate)?;
        }
        Ok(())
    }
}

impl<W: Write> Backend for ChangedCells<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        self.begin_frame()?;
        // The cursor is behind the last cell now.
        if self.cursor != Some(None) {
            self.cursor = None;
        }
        self.inner.draw(content)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor == Some(None) {
            return Ok(());
        }
        self.begin_frame()?;
        self.inner.hide_cursor()?;
        self.cursor = Some(None);
        Ok(())
    }

    /// The position that follows shows it.
    fn show_cursor(&mut self) -> io::Result<()> {
        if self.cursor.flatten().is_some() {
            return Ok(());
        }
        self.begin_frame()?;
        self.cursor = None;
        self.inner.show_cursor()
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.inner.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        if self.cursor == Some(Some(position)) {
            return Ok(());
        }
        self.begin_frame()?;
        self.inner.set_cursor_position(position)?;
        self.cursor = Some(Some(position));
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.begin_frame()?;
        self.inner.clear_region(region)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use ratatui::layout::Rect;
    use ratatui::{Terminal, TerminalOptions, Viewport};

    use super::*;

    #[derive(Clone, Debug, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn terminal() -> (Terminal<ChangedCells<Written>>, Written) {
        let written = Written::default();
        let viewport = Viewport::Fixed(Rect::new(0, 0, 20, 2));
        let backend = ChangedCells::new(written.clone());
        let terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
        (terminal, written)
    }

    fn draw(terminal: &mut Terminal<ChangedCells<Written>>, text: &str, cursor: Option<Position>) {
        terminal
            .draw(|frame| {
                frame.render_widget(text, frame.area());
                if let Some(position) = cursor {
                    frame.set_cursor_position(position);
                }
            })
            .unwrap();
        terminal.backend_mut().end_frame().unwrap();
    }

    #[test]
    fn frame_that_changes_nothing_writes_nothing() {
        let (mut terminal, written) = terminal();
        for cursor in [None, Some(Position::new(3, 0))] {
            draw(&mut terminal, "one", cursor);
            assert!(!written.take().is_empty());
            draw(&mut terminal, "one", cursor);
            assert_eq!(written.take(), "", "{cursor:?}");
        }
    }

    #[test]
    fn change_is_shown_in_one_piece() {
        let (mut terminal, written) = terminal();
        draw(&mut terminal, "one", None);
        let first = written.take();
        draw(&mut terminal, "two", None);
        for frame in [first, written.take()] {
            assert!(frame.starts_with("\u{1b}[?2026h"), "{frame:?}");
            assert!(frame.ends_with("\u{1b}[?2026l"), "{frame:?}");
        }
    }

    #[test]
    fn cursor_returns_to_its_place_after_a_change() {
        let (mut terminal, written) = terminal();
        let place = Some(Position::new(3, 0));
        draw(&mut terminal, "one", place);
        written.take();
        draw(&mut terminal, "two", place);
        let frame = written.take();
        assert!(frame.ends_with("\u{1b}[1;4H\u{1b}[?2026l"), "{frame:?}");
        draw(&mut terminal, "two", None);
        assert!(written.take().contains("\u{1b}[?25l"), "hidden");
        draw(&mut terminal, "two", place);
        assert!(written.take().contains("\u{1b}[?25h"), "shown again");
    }

    #[test]
    fn hidden_cursor_is_hidden_again_after_another_program() {
        let (mut terminal, written) = terminal();
        draw(&mut terminal, "one", None);
        written.take();
        terminal.backend_mut().forget_cursor();
        draw(&mut terminal, "one", None);
        assert!(written.take().contains("\u{1b}[?25l"));
    }
}
