//! Output of commands: results on standard output, everything else on standard error.
//!
//! Invariant: a closed standard output ends the command without a panic or an error; JSON contains no
//! character that controls a terminal.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use super::arguments::OutputForm;
use super::exit::CommandError;
use super::table::Table;
use pipeline::printable_json;

/// The two streams of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    form: OutputForm,
}

impl Output {
    pub(crate) fn new(form: OutputForm) -> Self {
        Self { form }
    }

    pub(crate) fn is_json(self) -> bool {
        self.form == OutputForm::Json
    }

    /// Prints one JSON value on one line. A person may read it on a terminal, so control characters are
    /// escaped.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), CommandError> {
        let text = serde_json::to_string(value)
            .map_err(|error| CommandError::Failed(format!("write JSON: {error}")))?;
        let mut text = printable_json(&text);
        text.push('\n');
        self.text(&text)
    }

    pub(super) fn table(self, table: &Table) -> Result<(), CommandError> {
        let rendered = table.render(terminal_width());
        self.text(&rendered.text)?;
        if !rendered.left_out.is_empty() {
            self.note(&format!(
                "the terminal is too narrow for {}; --output json has all columns",
                rendered.left_out.join(", ")
            ));
        }
        Ok(())
    }

    /// Prints text unchanged, in one write.
    pub(crate) fn text(self, text: &str) -> Result<(), CommandError> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|cause| match cause.kind() == io::ErrorKind::BrokenPipe {
                true => CommandError::OutputClosed,
                false => CommandError::File {
                    operation: "write to standard output".to_owned(),
                    cause,
                },
            })
    }

    /// Prints a message for people. A closed standard error is ignored.
    pub(crate) fn note(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Width of the terminal; `None` if standard output is not a terminal.
fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let (columns, _) = crossterm::terminal::size().ok()?;
    (columns > 0).then_some(usize::from(columns))
}
