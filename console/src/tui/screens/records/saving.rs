//! Filters that are kept under a name, with their columns.
//!
//! Invariant: what the file has is read when a filter is typed; nothing is lost where it cannot be written.

use super::state::Records;
use crate::saved_filters::{SavedFilter, checked_name};
use crate::tui::context::UpdateContext;
use crate::tui::format::visible;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::theme::Tone;

impl Records {
    pub(super) fn fetch_saved(&mut self, context: &mut UpdateContext<'_>) {
        if !self.saved.is_loading() {
            context
                .outbox
                .fetch(&mut self.saved, Reply::SavedFilters, Request::SavedFilters);
        }
    }

    /// Saves the applied filter and its columns.
    pub(super) fn save_filter(&mut self, name: &str, context: &mut UpdateContext<'_>) {
        let Ok(name) = checked_name(name) else {
            return;
        };
        let filter = SavedFilter {
            name: name.to_owned(),
            filter: self.filter.clone(),
            columns: self.pointers.iter().map(ToString::to_string).collect(),
        };
        self.saving = Some(filter.name.clone());
        context
            .outbox
            .fetch(&mut self.saved, Reply::SavedFilters, |to| {
                Request::SaveFilter(filter, to)
            });
    }

    pub(crate) fn saved_filters_came(
        &mut self,
        answer: Answer<Vec<SavedFilter>>,
        context: &mut UpdateContext<'_>,
    ) {
        if !self.saved.settle(answer, context.now) {
            return;
        }
        if let Some(name) = self.saving.take() {
            match self.saved.error() {
                Some(fault) => {
                    let text = format!("not saved: {}", visible(&fault.message));
                    context.notify(Tone::Bad, text);
                }
                None => {
                    context.notify(Tone::Good, format!("saved: /@{name} shows it again"));
                }
            }
        }
        self.relearn(context.now);
    }
}
