//! One check in full.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::rows::Row;
use crate::tui::format::visible;
use crate::tui::lines::{hanging, wrapped};
use crate::tui::theme::Theme;

/// Columns before a text.
const INDENT: usize = 3;

/// All lines, each of them at most `width` wide.
pub(super) fn lines(row: Row<'_>, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let headline = format!("{}: {}", row.label(), row.id());
    let mut lines = hanging(row.tone(), &headline, theme, width);
    let mut part = |name: &str, text: &str, style: Style| {
        lines.push(Line::default());
        lines.push(Line::styled(format!(" {name}"), theme.muted()));
        let room = width.saturating_sub(INDENT + 1).max(1);
        for text in wrapped(&visible(text), room) {
            let text = Span::styled(text, style);
            lines.push(Line::from(vec![Span::raw(" ".repeat(INDENT)), text]));
        }
    };
    match row {
        Row::Found(finding) => {
            part("seen", &finding.seen, Style::new());
            part("why it matters", finding.why, Style::new());
            if let Some(command) = &finding.fix.command {
                part("fix (y copies it)", command, theme.json_text());
            }
            if let Some(terraform) = &finding.fix.terraform {
                part("in Terraform", terraform, theme.json_text());
            }
        }
        Row::Unchecked(check) if check.is_failure => {
            part(
                "not checked: it could not be read",
                &check.reason,
                Style::new(),
            );
        }
        Row::Unchecked(check) => {
            let name = "not checked: this environment does not have it";
            part(name, &check.reason, Style::new());
        }
    }
    lines
}
