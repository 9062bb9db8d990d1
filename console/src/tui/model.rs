//! The state of the console. Invariant: it holds no clock, no handle and no lock; `update` alone
//! changes it.

use chrono::{DateTime, Duration, Utc};
use ratatui::layout::Rect;

use super::context::{ScreenContext, UpdateContext};
use super::footer::Footer;
use super::format::age_secs;
use super::keymap::{self, KeyContext};
use super::layout::frame;
use super::notices::Notices;
use super::outbox::{Notice, Outbox};
use super::palette::{Palette, Recent};
use super::pipeline_view::PipelineView;
use super::polling::Polling;
use super::screen_id::ScreenId;
use super::screens::all::Screens;
use super::theme::Theme;
use super::trace::TimeLine;
use pipeline::environment::Environment;

/// What lies over the screen.
#[derive(Debug)]
pub(crate) enum Overlay {
    /// The list of keys, from this line on.
    Help(u16),
    /// The notices, from this line on.
    Notices(u16),
    Palette(Box<Palette>),
    /// The question whether to quit, because of what would be lost or ended.
    Quit,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) environment: Environment,
    pub(crate) theme: Theme,
    /// Why this console may not publish, probe or delete in production, and the way out. Redrives ask for what they
    /// need.
    pub(crate) change_refusal: Option<String>,
    /// Time of the last message.
    pub(crate) now: DateTime<Utc>,
    /// When a key was pressed or the mouse was used last.
    pub(crate) input_at: DateTime<Utc>,
    /// Size of the terminal.
    pub(crate) area: Rect,
    pub(crate) pipeline: PipelineView,
    /// The screen that is shown.
    pub(crate) screen: ScreenId,
    pub(crate) screens: Screens,
    /// The time line of an event, which is shown instead of the screen.
    pub(crate) time_line: Option<Box<TimeLine>>,
    pub(crate) overlay: Option<Overlay>,
    /// What was chosen in the palette.
    pub(crate) recent: Recent,
    pub(crate) notice: Option<Notice>,
    pub(crate) notices: Notices,
    /// The environment to show when this one is left; `None` to end the console.
    pub(crate) switching_to: Option<Box<Environment>>,
    pub(crate) is_leaving: bool,
    pub(super) last_request: u64,
}

impl Model {
    /// The state at start, before anything was requested.
    pub(crate) fn new(
        environment: Environment,
        theme: Theme,
        area: Rect,
        now: DateTime<Utc>,
    ) -> Self {
        let pipeline = PipelineView {
            polling: Polling::of(&environment, Duration::zero()),
            ..PipelineView::default()
        };
        Self {
            environment,
            theme,
            change_refusal: None,
            now,
            input_at: now,
            area,
            pipeline,
            screen: ScreenId::default(),
            screens: Screens::default(),
            time_line: None,
            overlay: None,
            recent: Recent::default(),
            notice: None,
            notices: Notices::default(),
            switching_to: None,
            is_leaving: false,
            last_request: 0,
        }
    }

    /// What a screen that is drawn there may look at.
    pub(crate) fn screen_context(&self, body: Rect) -> ScreenContext<'_> {
        ScreenContext {
            now: self.now,
            input_at: self.input_at,
            theme: self.theme,
            environment: &self.environment,
            change_refusal: self.change_refusal.as_deref(),
            pipeline: &self.pipeline,
            is_resuming: self.screens.redrives.is_resuming(),
            is_deleting: self.screens.dead_letters.deletion_progress().is_some(),
            probing_every: self.screens.probe.series(),
            body,
        }
    }

    /// The screens, and what they are updated with.
    pub(super) fn parts<'a>(
        &'a mut self,
        outbox: &'a mut Outbox,
    ) -> (&'a mut Screens, UpdateContext<'a>) {
        let context = ScreenContext {
            now: self.now,
            input_at: self.input_at,
            theme: self.theme,
            environment: &self.environment,
            change_refusal: self.change_refusal.as_deref(),
            pipeline: &self.pipeline,
            is_resuming: self.screens.redrives.is_resuming(),
            is_deleting: self.screens.dead_letters.deletion_progress().is_some(),
            probing_every: self.screens.probe.series(),
            body: frame(self.area).body,
        };
        (&mut self.screens, UpdateContext::new(context, outbox))
    }

    /// Where keys go.
    pub(crate) fn key_context(&self) -> KeyContext {
        match &self.overlay {
            Some(Overlay::Help(_) | Overlay::Notices(_)) => KeyContext::Help,
            Some(Overlay::Palette(_)) => KeyContext::Palette,
            Some(Overlay::Quit) => KeyContext::Quit,
            None => self.key_context_below(),
        }
    }

    /// Where keys go without an overlay.
    pub(crate) fn key_context_below(&self) -> KeyContext {
        match &self.time_line {
            Some(time_line) => time_line.key_context(),
            None => self.screens.key_context(self.screen),
        }
    }

    /// The bottom line.
    pub(crate) fn footer(&self) -> Footer {
        let context = self.key_context();
        let hints = keymap::hints(context).into_iter();
        let hints = match (&self.overlay, &self.time_line) {
            (Some(_), _) => hints
                .map(|binding| (binding, binding.label.into()))
                .collect(),
            (None, Some(time_line)) => hints
                .filter_map(|binding| Some((binding, time_line.hint(binding)?)))
                .collect(),
            (None, None) => {
                let shown = self.screen_context(frame(self.area).body);
                let label = |binding| self.screens.hint(self.screen, binding, &shown);
                hints
                    .filter_map(|binding| Some((binding, label(binding)?)))
                    .collect()
            }
        };
        Footer::new(self.screen, context, hints)
    }

    /// Messages of the redrive or deletion under way that are done, and all of them.
    pub(crate) fn work(&self) -> Option<(&'static str, usize, usize)> {
        let redrive = self.screens.redrives.progress();
        let redrive = redrive.map(|(done, total)| ("redrive", done, total));
        let deletion = self.screens.dead_letters.deletion_progress();
        redrive.or(deletion.map(|progress| ("deletion", progress.done, progress.total)))
    }

    /// What of the passing seconds can be seen: how long the screen has been waiting for something
    /// it shows as awaited, and how stale it is; 0 while neither can.
    pub(crate) fn visible_wait_secs(&self) -> u64 {
        let since = match &self.time_line {
            Some(time_line) => time_line.waiting_since(),
            None => self.screens.waiting_since(self.screen),
        };
        let waited = since.map_or(0, |since| age_secs(since, self.now));
        // The overview shows how stale each hop is; the header of every screen that something is.
        let stale = self.pipeline.stale_secs(self.now);
        if self.screen == ScreenId::Overview && self.time_line.is_none() {
            if self.pipeline.polling.is_slower_than_a_glance() {
                // Its ages go on between two answers.
                u64::try_from(self.now.timestamp()).unwrap_or_default()
            } else {
                stale
            }
        } else {
            waited + u64::from(stale > 0)
        }
    }
}
