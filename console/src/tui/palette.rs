//! Finds actions by fuzzy name. Invariant: it offers exactly what works on the present screen.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui_textarea::TextArea;

use super::keymap::{Action, BINDINGS, Context};
use super::list::ListState;

/// The open palette.
#[derive(Debug)]
pub struct Palette {
    /// What is typed.
    pub input: TextArea<'static>,
    /// Which entry is selected.
    pub list: ListState,
    context: Context,
}

/// One line of the palette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it does.
    pub action: Action,
    /// Its name.
    pub label: String,
    /// The key that does the same.
    pub key: String,
}

impl Palette {
    /// Opens it over a context.
    #[must_use]
    pub fn open(context: Context) -> Self {
        let mut input = TextArea::default();
        input.set_cursor_line_style(ratatui::style::Style::new());
        Self {
            input,
            list: ListState::default(),
            context,
        }
    }

    /// What matches, best first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let typed = self.input.lines().first().cloned().unwrap_or_default();
        let pattern = Pattern::parse(&typed, CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut characters = Vec::new();
        let mut scored: Vec<(u32, Entry)> = entries_of(self.context)
            .into_iter()
            .filter_map(|entry| {
                let score =
                    pattern.score(Utf32Str::new(&entry.label, &mut characters), &mut matcher)?;
                Some((score, entry))
            })
            .collect();
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        scored.into_iter().map(|(_, entry)| entry).collect()
    }
}

fn entries_of(context: Context) -> Vec<Entry> {
    BINDINGS
        .iter()
        .filter(|binding| binding.works_in(context) && is_offered(binding.action))
        .map(|binding| Entry {
            action: binding.action,
            label: binding.label.to_owned(),
            key: binding
                .keys
                .first()
                .map(|key| key.label())
                .unwrap_or_default(),
        })
        .collect::<Vec<_>>()
        .into_iter()
        .fold(Vec::new(), |mut unique, entry| {
            if !unique
                .iter()
                .any(|other: &Entry| other.action == entry.action)
            {
                unique.push(entry);
            }
            unique
        })
}

/// Moving about is not an action that anyone looks for by name.
const fn is_offered(action: Action) -> bool {
    !matches!(
        action,
        Action::Up
            | Action::Down
            | Action::PageUp
            | Action::PageDown
            | Action::Palette
            | Action::Back
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::screens::ScreenId;

    #[test]
    fn finds_by_fuzzy_name_and_only_what_works_here() {
        let mut palette = Palette::open(Context::Screen(ScreenId::DeadLetters));
        palette.input.insert_str("rdv");
        let entries = palette.entries();
        assert_eq!(
            entries.first().map(|entry| entry.action),
            Some(Action::Redrive)
        );
        let other = Palette::open(Context::Screen(ScreenId::Records));
        assert!(
            !other
                .entries()
                .iter()
                .any(|entry| entry.action == Action::Redrive)
        );
    }
}
