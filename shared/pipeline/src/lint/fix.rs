//! How a finding is mended.

use std::borrow::Cow;

use serde::Serialize;

use crate::text::shell_word;

/// A command that mends it now, and a line of Terraform that keeps it mended; one of them at least.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// For a shell.
    pub command: Option<String>,
    /// For the call of the module in `terraform/environments/NAME/main.tf`.
    pub terraform: Option<String>,
}

impl Fix {
    /// A command.
    pub(super) fn command(text: impl Into<String>) -> Self {
        Self {
            command: Some(text.into()),
            terraform: None,
        }
    }

    /// A line of Terraform.
    pub(super) fn terraform(text: impl Into<String>) -> Self {
        Self::default().or_terraform(text)
    }

    /// The same with a line of Terraform.
    #[must_use]
    pub(super) fn or_terraform(self, text: impl Into<String>) -> Self {
        Self {
            terraform: Some(text.into()),
            ..self
        }
    }

    /// What is copied: the command, else the line.
    #[must_use]
    pub fn text(&self) -> &str {
        let text = self.command.as_deref().or(self.terraform.as_deref());
        text.unwrap_or_default()
    }
}

/// Words that others chose, for a command: each stays one word where it is pasted into a shell.
pub(super) fn words(words: &[&str]) -> String {
    let words: Vec<Cow<'_, str>> = words.iter().map(|word| shell_word(word)).collect();
    words.join(" ")
}

/// Alarms, by names that others chose, as an option of the AWS CLI. It takes a word that begins with `-` for an option
/// of its own, one with `://` for a place to read from, and one that begins with a bracket for JSON; of JSON it takes
/// each name as it is.
pub(super) fn alarm_names(names: &[&str]) -> String {
    let is_plain = |name: &&str| name.starts_with(char::is_alphanumeric) && !name.contains("://");
    if names.iter().all(is_plain) {
        return format!("--alarm-names {}", words(names));
    }
    let json = serde_json::json!({ "AlarmNames": names }).to_string();
    format!("--cli-input-json {}", words(&[&json]))
}
