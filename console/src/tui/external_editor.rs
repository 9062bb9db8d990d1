//! A text in the operator's own editor, which has the terminal meanwhile.
//!
//! Invariant: only this user can read the file, it is gone afterwards, and nothing is drawn while
//! the editor has the terminal; time and answers are still processed. An interrupt from the keyboard
//! is the editor's: it ends neither the shell around it nor this program.

use std::io::{Read as _, Write as _};
use std::process::ExitStatus;

use tempfile::NamedTempFile;
use tokio::process::{Child, Command};

/// Variables that name the editor, the first that is set.
const VARIABLES: [&str; 2] = ["VISUAL", "EDITOR"];
/// Largest text that is read back, in bytes; more than any queue takes.
const TEXT_BYTES_MAX: u64 = 2 * 1_024 * 1_024;

/// An editor that runs.
#[derive(Debug)]
pub(super) struct ExternalEditor {
    file: NamedTempFile,
    child: Child,
}

impl ExternalEditor {
    /// Opens a text in the editor.
    ///
    /// # Errors
    /// A text for the operator, when no editor is named or it cannot be started.
    pub(super) fn open(text: &str) -> Result<Self, String> {
        let named = VARIABLES
            .iter()
            .filter_map(|name| std::env::var(name).ok())
            .find(|editor| !editor.trim().is_empty());
        let Some(editor) = named else {
            let names = VARIABLES.join(" nor ");
            return Err(format!(
                "neither {names} is set: this is the built-in editor"
            ));
        };
        Self::open_in(&editor, text)
    }

    fn open_in(editor: &str, text: &str) -> Result<Self, String> {
        // A temporary file is made with mode 0600.
        let mut file = tempfile::Builder::new()
            .prefix("opsconsole-")
            .suffix(".json")
            .tempfile()
            .map_err(|error| format!("no file for the editor: {error}"))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.flush())
            .map_err(|error| format!("no file for the editor: {error}"))?;
        // The variable may hold options: the shell splits it, as in other programs. Its traps, which
        // the editor does not inherit, keep it alive: otherwise it would fail after the editor.
        let child = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("trap : INT QUIT\n{editor} \"$1\""))
            .arg("sh")
            .arg(file.path())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("start the editor {editor:?}: {error}"))?;
        Ok(Self { file, child })
    }

    /// Waits until the editor has ended. Cancel-safe.
    pub(super) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// What was written.
    ///
    /// # Errors
    /// A text for the operator, when the editor failed or its text cannot be read.
    pub(super) fn text(self, ended: std::io::Result<ExitStatus>) -> Result<String, String> {
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => {
                return Err(format!(
                    "the editor failed ({status}): its text is not used"
                ));
            }
            Err(error) => return Err(format!("wait for the editor: {error}")),
        }
        let mut text = String::new();
        // By its name: editors write another file in its place.
        std::fs::File::open(self.file.path())
            .and_then(|file| file.take(TEXT_BYTES_MAX).read_to_string(&mut text))
            .map_err(|error| format!("read what the editor wrote: {error}"))?;
        // Editors end the last line; the text itself did not.
        if text.ends_with('\n') {
            text.pop();
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn edited(editor: &str, text: &str) -> Result<String, String> {
        let mut editor = ExternalEditor::open_in(editor, text)?;
        let ended = editor.ended().await;
        editor.text(ended)
    }

    #[tokio::test]
    async fn text_goes_out_privately_and_comes_back_changed() {
        let text = edited("sed -i s/a/b/", "a").await.unwrap();
        assert_eq!(text, "b");
        let check = "test \"$(stat -c %a \"$1\")\" = 600 && true";
        assert_eq!(edited(check, "a").await.unwrap(), "a");
    }

    #[tokio::test]
    async fn interrupt_does_not_end_the_shell_around_the_editor() {
        let editor = "kill -INT $$; sed -i s/a/b/";
        assert_eq!(edited(editor, "a").await.unwrap(), "b");
    }

    #[tokio::test]
    async fn failed_editor_changes_nothing() {
        let error = edited("echo b > \"$1\"; false", "a").await.unwrap_err();
        assert!(error.contains("not used"), "{error}");
    }
}
