//! The terminal: opened for drawing, and restored whatever happens.
//!
//! Invariant: from `TerminalSession::open` on, the terminal is restored whenever it is
//! left: on drop, on panic, and while another program has it.

use std::io::{self, Stdout, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::execute;
use crossterm::terminal::{
    Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use ratatui::backend::{Backend as _, ClearType as Region};
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

use super::basic_colours::{BasicColours, has_basic_colours};
use super::changed_cells::ChangedCells;

static IS_OPEN: AtomicBool = AtomicBool::new(false);

/// Why the console cannot draw on a terminal of this kind (`TERM`), and what does the same job.
pub(crate) fn cannot_draw_on(term: Option<&str>) -> Option<String> {
    let term = term.unwrap_or_default();
    matches!(term, "" | "dumb").then(|| {
        format!(
            "a terminal of the kind TERM={term:?} cannot show a screen: set TERM to its real kind, or \
             use the commands: `status`, `dlq list`, `redrive`, `publish`, `records list` (see \
             `opsconsole --help`)"
        )
    })
}

#[derive(Debug)]
pub(super) struct TerminalSession {
    /// What draws. Its area is set by [`TerminalSession::resize`] alone: the library's own way asks the
    /// terminal for its cursor and waits for the answer.
    pub(super) terminal: Terminal<ChangedCells<io::BufWriter<BasicColours<Stdout>>>>,
    /// A text that the operator's own editor is to open.
    pub(super) requested_editor: Option<String>,
}

/// Bytes that are collected before they are written: one write for a whole screen.
const WRITE_BUFFER_BYTES: usize = 64 * 1024;

impl TerminalSession {
    /// Takes the terminal over: raw mode, alternate screen, mouse, bracketed paste.
    ///
    /// # Errors
    /// When standard output is no terminal, or a gone one.
    pub(super) fn open() -> io::Result<Self> {
        restore_on_panic();
        enable_raw_mode()?;
        IS_OPEN.store(true, Ordering::SeqCst);
        let term = std::env::var("TERM").ok();
        let out = BasicColours::new(io::stdout(), has_basic_colours(term.as_deref()));
        let mut out = io::BufWriter::with_capacity(WRITE_BUFFER_BYTES, out);
        let taken = execute!(
            out,
            EnterAlternateScreen,
            // It may be the screen of a program that was killed: the first frame is drawn on nothing.
            Clear(ClearType::All),
            EnableMouseCapture,
            EnableBracketedPaste
        )
        .and_then(|()| {
            let (width, height) = crossterm::terminal::size()?;
            let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
            Terminal::with_options(ChangedCells::new(out), TerminalOptions { viewport })
        });
        match taken {
            Ok(terminal) => Ok(Self {
                terminal,
                requested_editor: None,
            }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Takes the terminal over again after [`restore`]; the next frame is drawn as a whole.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn reopen(&mut self) -> io::Result<Rect> {
        enable_raw_mode()?;
        IS_OPEN.store(true, Ordering::SeqCst);
        let backend = self.terminal.backend_mut();
        backend.forget_cursor();
        execute!(
            backend.writer(),
            EnterAlternateScreen,
            EnableMouseCapture,
            EnableBracketedPaste
        )?;
        let (width, height) = crossterm::terminal::size()?;
        self.resize(width, height)?;
        Ok(Rect::new(0, 0, width, height))
    }

    /// Adopts the current size of the terminal and returns it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn fit(&mut self) -> io::Result<Rect> {
        let (width, height) = crossterm::terminal::size()?;
        let area = Rect::new(0, 0, width, height);
        if self.terminal.get_frame().area() != area {
            self.resize(width, height)?;
        }
        Ok(area)
    }

    /// Draws a frame.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let drawn = self.terminal.draw(render).map(|_| ());
        self.terminal.backend_mut().end_frame()?;
        drawn
    }

    /// Takes the new size; the next frame is drawn as a whole, and shown together with the clearing.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn resize(&mut self, width: u16, height: u16) -> io::Result<()> {
        self.terminal.backend_mut().clear_region(Region::All)?;
        self.terminal.resize(Rect::new(0, 0, width, height))
    }

    /// Puts a text into the clipboard of the terminal (OSC 52; works over SSH where the terminal
    /// allows it).
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        use crossterm::clipboard::CopyToClipboard;
        execute!(
            self.terminal.backend_mut().writer(),
            CopyToClipboard::to_clipboard_from(text)
        )
    }
}

impl Drop for TerminalSession {
    fn drop(&mut self) {
        // Else it is shown after this, in a frame that has no end.
        let _ = self.terminal.show_cursor();
        // A panic may leave the beginning of a frame in the buffer, which is written after this.
        let _ = execute!(self.terminal.backend_mut().writer(), EndSynchronizedUpdate);
        restore();
    }
}

/// Restores the terminal; does nothing where it was not opened. Errors are ignored: nothing is left
/// to show them.
pub(super) fn restore() {
    if !IS_OPEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = execute!(
        out,
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        crossterm::cursor::Show
    );
    let _ = out.flush();
    let _ = disable_raw_mode();
}

/// A panic of the thread that draws ends the console: the terminal is restored before the report
/// is printed. A panic of a task is an answer (see `sources`): it must not write over the screen.
fn restore_on_panic() {
    static IS_SET: AtomicBool = AtomicBool::new(false);
    if IS_SET.swap(true, Ordering::SeqCst) {
        return;
    }
    let drawing = std::thread::current().id();
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == drawing {
            restore();
            previous(info);
        } else if !IS_OPEN.load(Ordering::SeqCst) {
            previous(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    use super::*;

    #[test]
    fn terminal_that_cannot_move_its_cursor_is_refused_with_the_commands() {
        assert_eq!(cannot_draw_on(Some("xterm")), None);
        for term in [None, Some(""), Some("dumb")] {
            let why = cannot_draw_on(term).unwrap();
            assert!(why.contains("dlq list") && why.contains("--help"), "{why}");
        }
    }

    /// Says to the test below that it is the program that panics.
    const IS_THE_ONE_THAT_PANICS: &str = "OPSCONSOLE_TEST_PANIC";

    #[test]
    fn a_panic_is_shown_on_a_restored_terminal() {
        if std::env::var_os(IS_THE_ONE_THAT_PANICS).is_some() {
            let _screen = TerminalSession::open().unwrap();
            panic!("the reason of the panic");
        }
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "tui::terminal::tests::a_panic_is_shown_on_a_restored_terminal",
            "--nocapture",
        ]);
        command.env(IS_THE_ONE_THAT_PANICS, "1");
        let mut program = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let mut output = Vec::new();
        // A terminal whose program has ended answers with an error.
        let _ = reader.read_to_end(&mut output);
        assert!(!program.wait().unwrap().success());
        let output = String::from_utf8_lossy(&output);
        let taken = output.find("\u{1b}[?1049h").unwrap();
        let is_restored = output.find("\u{1b}[?1049l").unwrap();
        let shown = output.find("the reason of the panic").unwrap();
        assert!(taken < is_restored && is_restored < shown, "{output}");
        let is_cleared = output.find("\u{1b}[2J").unwrap();
        assert!(taken < is_cleared, "what a killed program left is gone");
        assert!(output.contains("\u{1b}[?25h"), "the cursor is shown");
    }
}
