//! How a finding is mended.

use serde::Serialize;

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
