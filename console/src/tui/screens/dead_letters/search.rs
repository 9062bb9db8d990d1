//! Searches among the messages.
//!
//! Invariant: what is listed is what the applied query found; an answer to an older one changes
//! nothing.

use std::sync::Arc;

use ratatui::layout::Rect;

use super::applied_search::Search;
use super::line_input::{LineInput, Purpose};
use super::state::{DeadLetters, Open};
use crate::tui::context::UpdateContext;
use crate::tui::format::{count, visible};
use crate::tui::patch::{Found, Query};
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::search::SearchInput;
use crate::tui::theme::Tone;
use pipeline::model::DeadLetter;

impl DeadLetters {
    pub(super) fn begin_search(&mut self, context: &mut UpdateContext<'_>) {
        if self.messages.is_empty() {
            context.notify(Tone::Muted, "no messages to search");
            return;
        }
        let text = self
            .search
            .as_ref()
            .map_or("", |search| search.text.as_str());
        self.open = Open::Line(Box::new(LineInput::new(Purpose::Search, text)));
    }

    /// Searches for a text that another screen names, also in what is still to be received.
    pub(crate) fn search_for(&mut self, text: &str, context: &mut UpdateContext<'_>) {
        self.begin_query(text, context);
    }

    pub(super) fn begin_query(&mut self, text: &str, context: &mut UpdateContext<'_>) {
        let Some(query) = Query::parse(text) else {
            self.clear_search(context.body);
            return;
        };
        self.search = Some(Search {
            text: text.trim().to_owned(),
            query,
            found: Remote::Idle,
            received: 0,
            is_stale: true,
        });
        // What the search before it found is no answer to this one.
        self.regroup(context.body);
        self.run_search(context);
    }

    pub(super) fn clear_search(&mut self, body: Rect) {
        self.search = None;
        self.regroup(body);
    }

    /// The messages or their bodies changed: the search is repeated.
    pub(super) fn search_again(&mut self) {
        if let Some(search) = &mut self.search {
            search.is_stale = true;
        }
    }

    /// Searches where the messages changed since the last search.
    pub(super) fn run_search(&mut self, context: &mut UpdateContext<'_>) {
        let is_due = |search: &&Search| search.is_stale && !search.found.is_loading();
        let Some(query) = self.search.as_ref().filter(is_due).map(|s| s.query.clone()) else {
            return;
        };
        let messages = Arc::new(self.search_inputs());
        if let Some(search) = &mut self.search {
            search.is_stale = false;
            context.outbox.fetch(&mut search.found, Reply::Found, |to| {
                Request::Search(query, messages, to)
            });
        }
    }

    /// The messages as a search looks at them. Nothing is looked for here: the console draws meanwhile.
    fn search_inputs(&self) -> Vec<SearchInput> {
        let groups = &self.grouping.groups;
        let titles = groups
            .iter()
            .map(|group| visible(&group.key.title()).into());
        let titles: Vec<Arc<str>> = titles.collect();
        let messages = self.messages.iter().zip(&self.grouping.group_of);
        let input = |(message, group): (&DeadLetter, &usize)| {
            let edit = self.edit_of(message);
            SearchInput {
                message_id: message.message_id.clone(),
                body: edit.map_or(&message.body, |edit| &edit.new_body).clone(),
                title: titles.get(*group).cloned().unwrap_or_default(),
                reason: message.reason.clone(),
                failure: match edit {
                    Some(edit) => edit.failure.clone().map(Arc::new),
                    None => message.failure.clone(),
                },
            }
        };
        messages.map(input).collect()
    }

    pub(crate) fn found(&mut self, answer: Answer<Found>, context: &mut UpdateContext<'_>) {
        if let Some(search) = &mut self.search
            && search.found.settle(answer, context.now)
        {
            self.regroup(context.body);
        }
    }

    /// Whether the applied query lists a message. Before its first answer none is listed, so that nothing
    /// is marked that it may not find; one that failed lists all.
    pub(super) fn is_found(&self, message: &DeadLetter) -> bool {
        let Some(search) = &self.search else {
            return true;
        };
        match search.found.value() {
            Some(found) => found.message_ids.contains(&message.message_id),
            None => search.found.error().is_some(),
        }
    }

    /// The remark about the applied query.
    pub(super) fn search_remark(&self) -> Option<(Tone, String)> {
        let search = self.search.as_ref()?;
        let query = visible(&search.text);
        if let Some(fault) = search.found.error() {
            let text = format!("search {query}: {} · x clears it", visible(&fault.message));
            return Some((Tone::Bad, text));
        }
        let Some(found) = search.found.value() else {
            let text = format!("search {query}: not done yet, so nothing is listed · x clears it");
            return Some((Tone::Muted, text));
        };
        let number = count(search.received as u64);
        let mut text = format!("search {query}: {number} found");
        if found.failed > 0 {
            let failed = count(found.failed as u64);
            text.push_str(&format!(" · the program failed on {failed}"));
            if let Some(failure) = &found.failure {
                text.push_str(&format!(", on the first: {}", visible(failure)));
            }
        }
        text.push_str(" · x clears it");
        Some((Tone::Muted, text))
    }
}
