//! Finds actions by fuzzy name, on the present screen and on the others.
//!
//! Invariant: an action of another screen names it, and shows it before anything is done there.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui_textarea::TextArea;

use super::keymap::{Action, BINDINGS, Binding, Context};
use super::list::ListState;
use super::screens::ScreenId;

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
    /// The screen that it belongs to, where that is not the present one.
    pub elsewhere: Option<ScreenId>,
}

impl Entry {
    fn of(binding: &Binding, elsewhere: Option<ScreenId>) -> Self {
        Self {
            action: binding.action,
            label: binding.label.to_owned(),
            key: binding
                .keys
                .first()
                .map(|key| key.label())
                .unwrap_or_default(),
            elsewhere,
        }
    }

    /// What is searched.
    fn name(&self) -> String {
        match self.elsewhere {
            Some(screen) => format!("{} on {}", self.label, screen.title()),
            None => self.label.clone(),
        }
    }
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
                let name = entry.name();
                let score = pattern.score(Utf32Str::new(&name, &mut characters), &mut matcher)?;
                Some((score, entry))
            })
            .collect();
        // A whole name comes first, then what works here among equals; the sort keeps the order of
        // the keymap.
        scored.sort_by_key(|(score, entry)| {
            let is_whole = entry.label.eq_ignore_ascii_case(typed.trim());
            let score = std::cmp::Reverse(*score);
            (!is_whole, score, entry.elsewhere.is_some())
        });
        scored.into_iter().map(|(_, entry)| entry).collect()
    }
}

fn entries_of(context: Context) -> Vec<Entry> {
    let offered = || BINDINGS.iter().filter(|binding| is_offered(binding.action));
    let here = offered()
        .filter(|binding| binding.works_in(context))
        .map(|binding| Entry::of(binding, None));
    let elsewhere = offered()
        .filter(|binding| !binding.works_in(context) && binding.home().is_some())
        .map(|binding| Entry::of(binding, binding.home()));
    let mut unique: Vec<Entry> = Vec::new();
    for entry in here.chain(elsewhere) {
        if !unique.iter().any(|other| other.action == entry.action) {
            unique.push(entry);
        }
    }
    unique
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
            | Action::SwitchPane
            | Action::Back
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(screen: ScreenId, typed: &str) -> Vec<Entry> {
        let mut palette = Palette::open(Context::Screen(screen));
        palette.input.insert_str(typed);
        palette.entries()
    }

    #[test]
    fn finds_by_fuzzy_name() {
        let entries = opened(ScreenId::DeadLetters, "rdv");
        let first = entries.first().unwrap();
        assert_eq!((first.action, first.elsewhere), (Action::Redrive, None));
    }

    #[test]
    fn actions_of_other_screens_are_found_and_say_where_they_are() {
        let entries = opened(ScreenId::Overview, "redrive");
        let first = entries.first().unwrap();
        let expected = (Action::Redrive, Some(ScreenId::DeadLetters));
        assert_eq!((first.action, first.elsewhere), expected);
        assert_eq!(
            opened(ScreenId::Records, "on publish")
                .iter()
                .map(|entry| entry.action)
                .collect::<std::collections::HashSet<_>>(),
            [Action::Edit, Action::Send, Action::NextTemplate].into()
        );
    }

    #[test]
    fn every_action_is_offered_once_wherever_the_palette_is_opened() {
        for screen in ScreenId::ALL {
            let mut seen = Vec::new();
            for entry in opened(screen, "") {
                assert!(!seen.contains(&entry.action), "{entry:?} on {screen:?}");
                seen.push(entry.action);
            }
            for action in [Action::Redrive, Action::Filter, Action::Send, Action::Quit] {
                assert!(seen.contains(&action), "{action:?} on {screen:?}");
            }
        }
    }
}
