//! The difference of two texts, laid out as they are shown elsewhere. Pure.
//!
//! Invariant: it takes a limited time, whatever the texts are, and is then shown coarser.

use ratatui::style::Style;
use ratatui::text::Line;
use similar::{Algorithm, ChangeTag, TextDiff};

use crate::tui::document::Document;
use crate::tui::lines::whole_words;
use crate::tui::theme::{Theme, Tone};

/// Unchanged lines around a change.
const CONTEXT_LINES: usize = 3;
/// A difference that needs longer is shown coarser.
const DIFF_WITHIN: std::time::Duration = std::time::Duration::from_millis(50);

/// The unified difference of two texts; empty where they are laid out alike.
pub(crate) fn difference(old: &str, new: &str) -> Vec<(ChangeTag, String)> {
    let laid_out = |text: &str| Document::new(text, None).texts();
    let (old, new) = (laid_out(old), laid_out(new));
    let old: Vec<&str> = old.iter().map(String::as_str).collect();
    let new: Vec<&str> = new.iter().map(String::as_str).collect();
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Patience)
        .timeout(DIFF_WITHIN)
        .diff_slices(&old, &new);
    let mut lines = Vec::new();
    for (number, group) in diff.grouped_ops(CONTEXT_LINES).iter().enumerate() {
        if number > 0 {
            lines.push((ChangeTag::Equal, "⋯".to_owned()));
        }
        for operation in group {
            for change in diff.iter_changes(operation) {
                lines.push((change.tag(), change.value().to_owned()));
            }
        }
    }
    lines
}

/// The sign of a line.
pub(crate) const fn mark(tag: ChangeTag) -> char {
    match tag {
        ChangeTag::Equal => ' ',
        ChangeTag::Delete => '-',
        ChangeTag::Insert => '+',
    }
}

/// One line of a difference.
pub(crate) fn diff_line(tag: ChangeTag, text: &str, theme: Theme, width: usize) -> Line<'static> {
    let style = match tag {
        ChangeTag::Equal => Style::new(),
        ChangeTag::Delete => theme.tone(Tone::Bad),
        ChangeTag::Insert => theme.tone(Tone::Good),
    };
    Line::styled(whole_words(&format!(" {} {text}", mark(tag)), width), style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_of_a_difference_is_never_cut() {
        let theme = Theme { has_colour: false };
        for width in 0..=24 {
            let line = diff_line(ChangeTag::Insert, r#"  "minutes": 350"#, theme, width);
            let line = line.to_string();
            let is_whole = line.contains("350") || !line.contains('3');
            assert!(is_whole, "{width}: {line}");
        }
        let line = diff_line(ChangeTag::Insert, r#"  "minutes": 350"#, theme, 17);
        assert_eq!(line.to_string(), r#" +   "minutes": …"#);
    }
}
