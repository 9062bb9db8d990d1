//! What a command says: answers on standard output, everything else on standard error.
//!
//! Invariant: a closed standard output ends the command quietly and never panics; JSON holds no
//! character that a terminal would obey.

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

    /// One JSON value on one line, the same for all commands. A person may look at it too, so
    /// whatever could mislead a terminal is escaped.
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
                "left out for want of width: {}; --output json has all",
                rendered.left_out.join(", ")
            ));
        }
        Ok(())
    }

    /// Text as it is, in one write.
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

    /// A remark for people. A closed standard error is nobody's concern.
    pub(crate) fn note(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Width of the terminal on standard output, if it is one.
fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let (columns, _) = crossterm::terminal::size().ok()?;
    (columns > 0).then_some(usize::from(columns))
}
