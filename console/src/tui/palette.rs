//! Finds actions by parts of their names, on the present screen and on the others.
//!
//! Invariant: an action of another screen names it, and shows it before anything is done there.

use crossterm::event::KeyEvent;
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use ratatui_textarea::TextArea;
use unicode_width::UnicodeWidthStr as _;

use super::keymap::{Action, BINDINGS, Binding, KeyContext};
use super::layout::centered;
use super::list::ListState;
use super::screen_id::ScreenId;
use super::theme::Theme;

/// Actions that were chosen last and come first.
const RECENT_MAX: usize = 8;
/// Entries that are visible at once.
const ROWS: usize = 12;

/// The open palette.
#[derive(Debug)]
pub(crate) struct Palette {
    input: TextArea<'static>,
    /// Which entry is selected.
    list: ListState,
    context: KeyContext,
    recent: Recent,
}

/// What was chosen by name, the newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent(Vec<Action>);

impl Recent {
    pub(crate) fn chosen(&mut self, action: Action) {
        self.0.retain(|known| *known != action);
        self.0.insert(0, action);
        self.0.truncate(RECENT_MAX);
    }

    /// Smaller for what was chosen later.
    fn rank(&self, action: Action) -> usize {
        let mut known = self.0.iter();
        known
            .position(|known| *known == action)
            .unwrap_or(RECENT_MAX)
    }
}

/// One line of the palette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What it does.
    pub(crate) action: Action,
    pub(crate) label: String,
    /// The key that does the same.
    pub(crate) key: String,
    /// The screen that it belongs to, where that is not the present one.
    pub(crate) elsewhere: Option<ScreenId>,
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
    pub(crate) fn open(context: KeyContext, recent: Recent) -> Self {
        let mut input = TextArea::default();
        input.set_cursor_line_style(Style::new());
        Self {
            input,
            list: ListState::default(),
            context,
            recent,
        }
    }

    pub(crate) fn key(&mut self, key: KeyEvent) {
        self.input.input(key);
        self.list = ListState::default();
    }

    pub(crate) fn paste(&mut self, text: &str) {
        self.input.insert_str(text.replace(['\r', '\n'], " "));
    }

    pub(crate) fn move_by(&mut self, rows: isize) {
        self.list.move_by(rows, self.entries().len(), ROWS);
    }

    pub(crate) fn chosen(&self) -> Option<Entry> {
        self.entries().into_iter().nth(self.list.selected)
    }

    pub(crate) fn draw(&self, theme: Theme, canvas: &mut Frame<'_>) {
        let area = canvas.area();
        let rows = u16::try_from(ROWS).unwrap_or(u16::MAX);
        let place = centered(area, 60, rows.saturating_add(3));
        let entries = self.entries();
        let place_in_list = match entries.len() {
            0 => String::new(),
            length => format!(" {} / {length} ", self.list.selected + 1),
        };
        let block = Block::bordered()
            .title_bottom(Line::from(place_in_list).right_aligned())
            .title(" Actions · type to search, ⏎ run, esc ")
            .border_style(theme.frame(true, false));
        let inner = block.inner(place);
        canvas.render_widget(Clear, place);
        canvas.render_widget(block, place);
        let [input, list] =
            Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(inner);
        let [prompt, line] =
            Layout::horizontal([Constraint::Length(2), Constraint::Fill(1)]).areas(input);
        canvas.render_widget(Span::styled(": ", theme.key()), prompt);
        canvas.render_widget(&self.input, line);
        if entries.is_empty() {
            canvas.render_widget(Span::styled("no action has that name", theme.muted()), list);
            return;
        }
        let height = usize::from(list.height);
        let mut state = self.list;
        state.reveal(entries.len(), height);
        let width = usize::from(list.width);
        let lines: Vec<_> = entries
            .iter()
            .enumerate()
            .skip(state.offset)
            .take(height)
            .map(|(row, entry)| {
                let marker = if row == state.selected { "▸ " } else { "  " };
                let label = format!("{marker}{}", entry.label);
                let place = entry
                    .elsewhere
                    .map_or_else(String::new, |screen| format!("on {}  ", screen.title()));
                let taken = label.width() + place.width() + entry.key.width();
                let line = Line::from(vec![
                    Span::raw(label),
                    Span::raw(" ".repeat(width.saturating_sub(taken))),
                    Span::styled(place, theme.muted()),
                    Span::styled(entry.key.clone(), theme.key()),
                ]);
                if row == state.selected {
                    theme.selected_row(line, true)
                } else {
                    line
                }
            })
            .collect();
        canvas.render_widget(Paragraph::new(lines), list);
    }

    /// What matches, best first.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let typed = self.input.lines().first().cloned().unwrap_or_default();
        // Letters of one word must be neighbours: scattered ones match actions that nobody means.
        let pattern = Pattern::new(
            &typed,
            CaseMatching::Ignore,
            Normalization::Smart,
            AtomKind::Substring,
        );
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
        // A whole name comes first, then what begins with the text, then what was chosen last, then what works here among equals; the sort keeps the order of
        // the keymap.
        scored.sort_by_key(|(score, entry)| {
            let is_whole = entry.label.eq_ignore_ascii_case(typed.trim());
            let begins = begins_with(&entry.label, typed.trim());
            let score = std::cmp::Reverse(*score);
            let rank = self.recent.rank(entry.action);
            (!is_whole, !begins, rank, score, entry.elsewhere.is_some())
        });
        scored.into_iter().map(|(_, entry)| entry).collect()
    }
}

/// Whether a name begins with what was typed; an empty text begins no name.
fn begins_with(name: &str, typed: &str) -> bool {
    let head = name.get(..typed.len());
    !typed.is_empty() && head.is_some_and(|head| head.eq_ignore_ascii_case(typed))
}

fn entries_of(context: KeyContext) -> Vec<Entry> {
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

/// Nobody searches for a movement by name.
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
        let mut palette = Palette::open(KeyContext::Screen(screen), Recent::default());
        palette.input.insert_str(typed);
        palette.entries()
    }

    #[test]
    fn finds_by_parts_of_the_name_and_by_no_scattered_letters() {
        let entries = opened(ScreenId::DeadLetters, "driv");
        let first = entries.first().unwrap();
        assert_eq!((first.action, first.elsewhere), (Action::Redrive, None));
        let entries = opened(ScreenId::Overview, "publish templ");
        assert_eq!(entries.first().unwrap().action, Action::NextTemplate);
        assert_eq!(opened(ScreenId::Overview, "rdv"), []);
    }

    #[test]
    fn what_was_chosen_last_comes_first() {
        let mut recent = Recent::default();
        recent.chosen(Action::Send);
        recent.chosen(Action::Redrive);
        let palette = Palette::open(KeyContext::Screen(ScreenId::Lint), recent.clone());
        let entries: Vec<_> = palette.entries().iter().map(|it| it.action).collect();
        assert_eq!(entries[..2], [Action::Redrive, Action::Send]);
        recent.chosen(Action::Send);
        assert!(recent.rank(Action::Send) < recent.rank(Action::Redrive));
        for action in BINDINGS.iter().map(|binding| binding.action) {
            recent.chosen(action);
        }
        assert_eq!(recent.0.len(), RECENT_MAX);
    }

    #[test]
    fn what_begins_with_the_text_comes_before_what_has_it_inside() {
        for typed in ["re", "pa", "se", "co"] {
            let entries = opened(ScreenId::DeadLetters, typed);
            let begins: Vec<_> = entries
                .iter()
                .map(|entry| entry.label.to_lowercase().starts_with(typed))
                .collect();
            assert!(begins.contains(&true) && begins.contains(&false), "{typed}");
            assert!(
                begins.is_sorted_by(|one, next| one >= next),
                "{typed}: {entries:?}"
            );
        }
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
        for &screen in ScreenId::ALL {
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
