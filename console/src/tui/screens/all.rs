//! All screens, and the one place that decides which of them is meant.

use chrono::{DateTime, Utc};
use ratatui::Frame;

use super::api::Api;
use super::dead_letters::DeadLetters;
use super::fleet::Fleet;
use super::lint::Lint;
use super::logs::Logs;
use super::overview::Overview;
use super::probe::Probes;
use super::publish::Publish;
use super::queue::Queue;
use super::records::Records;
use super::redrives::Redrives;
use super::screen::{Screen as _, ScreenEvent};
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::keymap::{Binding, KeyContext, Label};
use crate::tui::screen_id::ScreenId;
use crate::tui::trace::subject::Traceable;

#[derive(Debug, Default)]
pub(crate) struct Screens {
    pub(crate) overview: Overview,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) redrives: Redrives,
    pub(crate) publish: Publish,
    pub(crate) records: Records,
    pub(crate) lint: Lint,
    pub(crate) logs: Logs,
    pub(crate) probe: Probes,
    pub(crate) fleet: Fleet,
    pub(crate) api: Api,
    pub(crate) queue: Queue,
}

impl Screens {
    pub(crate) fn update(
        &mut self,
        screen: ScreenId,
        event: ScreenEvent<'_>,
        context: &mut UpdateContext<'_>,
    ) {
        match screen {
            ScreenId::Overview => self.overview.update(event, context),
            ScreenId::DeadLetters => self.dead_letters.update(event, context),
            ScreenId::Redrives => self.redrives.update(event, context),
            ScreenId::Publish => self.publish.update(event, context),
            ScreenId::Records => self.records.update(event, context),
            ScreenId::Lint => self.lint.update(event, context),
            ScreenId::Logs => self.logs.update(event, context),
            ScreenId::Probe => self.probe.update(event, context),
            ScreenId::Fleet => self.fleet.update(event, context),
            ScreenId::Api => self.api.update(event, context),
            ScreenId::Queue => self.queue.update(event, context),
        }
    }

    pub(crate) fn view(
        &self,
        screen: ScreenId,
        context: &ScreenContext<'_>,
        canvas: &mut Frame<'_>,
    ) {
        match screen {
            ScreenId::Overview => self.overview.view(context, canvas),
            ScreenId::DeadLetters => self.dead_letters.view(context, canvas),
            ScreenId::Redrives => self.redrives.view(context, canvas),
            ScreenId::Publish => self.publish.view(context, canvas),
            ScreenId::Records => self.records.view(context, canvas),
            ScreenId::Lint => self.lint.view(context, canvas),
            ScreenId::Logs => self.logs.view(context, canvas),
            ScreenId::Probe => self.probe.view(context, canvas),
            ScreenId::Fleet => self.fleet.view(context, canvas),
            ScreenId::Api => self.api.view(context, canvas),
            ScreenId::Queue => self.queue.view(context, canvas),
        }
    }

    pub(crate) fn key_context(&self, screen: ScreenId) -> KeyContext {
        match screen {
            ScreenId::Overview => self.overview.key_context(),
            ScreenId::DeadLetters => self.dead_letters.key_context(),
            ScreenId::Redrives => self.redrives.key_context(),
            ScreenId::Publish => self.publish.key_context(),
            ScreenId::Records => self.records.key_context(),
            ScreenId::Lint => self.lint.key_context(),
            ScreenId::Logs => self.logs.key_context(),
            ScreenId::Probe => self.probe.key_context(),
            ScreenId::Fleet => self.fleet.key_context(),
            ScreenId::Api => self.api.key_context(),
            ScreenId::Queue => self.queue.key_context(),
        }
    }

    pub(crate) fn hint(
        &self,
        screen: ScreenId,
        binding: &Binding,
        context: &ScreenContext<'_>,
    ) -> Option<Label> {
        match screen {
            ScreenId::Overview => self.overview.hint(binding, context),
            ScreenId::DeadLetters => self.dead_letters.hint(binding, context),
            ScreenId::Redrives => self.redrives.hint(binding, context),
            ScreenId::Publish => self.publish.hint(binding, context),
            ScreenId::Records => self.records.hint(binding, context),
            ScreenId::Lint => self.lint.hint(binding, context),
            ScreenId::Logs => self.logs.hint(binding, context),
            ScreenId::Probe => self.probe.hint(binding, context),
            ScreenId::Fleet => self.fleet.hint(binding, context),
            ScreenId::Api => self.api.hint(binding, context),
            ScreenId::Queue => self.queue.hint(binding, context),
        }
    }

    pub(crate) fn waiting_since(&self, screen: ScreenId) -> Option<DateTime<Utc>> {
        match screen {
            ScreenId::Overview => self.overview.waiting_since(),
            ScreenId::DeadLetters => self.dead_letters.waiting_since(),
            ScreenId::Redrives => self.redrives.waiting_since(),
            ScreenId::Publish => self.publish.waiting_since(),
            ScreenId::Records => self.records.waiting_since(),
            ScreenId::Lint => self.lint.waiting_since(),
            ScreenId::Logs => self.logs.waiting_since(),
            ScreenId::Probe => self.probe.waiting_since(),
            ScreenId::Fleet => self.fleet.waiting_since(),
            ScreenId::Api => self.api.waiting_since(),
            ScreenId::Queue => self.queue.waiting_since(),
        }
    }

    pub(crate) fn traceable(&self, screen: ScreenId) -> Traceable {
        match screen {
            ScreenId::Overview => self.overview.traceable(),
            ScreenId::DeadLetters => self.dead_letters.traceable(),
            ScreenId::Redrives => self.redrives.traceable(),
            ScreenId::Publish => self.publish.traceable(),
            ScreenId::Records => self.records.traceable(),
            ScreenId::Lint => self.lint.traceable(),
            ScreenId::Logs => self.logs.traceable(),
            ScreenId::Probe => self.probe.traceable(),
            ScreenId::Fleet => self.fleet.traceable(),
            ScreenId::Api => self.api.traceable(),
            ScreenId::Queue => self.queue.traceable(),
        }
    }
}
