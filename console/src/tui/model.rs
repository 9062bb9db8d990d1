//! The state of the console. Invariant: it holds no clock, no handle and no lock; `update` alone
//! changes it.

use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

use super::keymap::{Binding, Context};
use super::message::Notice;
use super::palette::Palette;
use super::pipeline_view::PipelineView;
use super::screens::ScreenId;
use super::screens::dead_letters::DeadLetters;
use super::screens::overview::Overview;
use super::screens::publish::Publish;
use super::screens::records::Records;
use super::screens::redrives::Redrives;
use super::theme::Theme;
use pipeline::environment::Environment;

/// What lies over the screen.
#[derive(Debug)]
pub enum Overlay {
    /// The list of keys, scrolled by so many lines.
    Help {
        /// First visible line.
        scroll: u16,
    },
    /// The palette.
    Palette(Box<Palette>),
}

/// The whole state.
#[derive(Debug)]
pub struct Model {
    /// What the console is connected to.
    pub environment: Environment,
    /// Colours or none.
    pub theme: Theme,
    /// Time of the last message.
    pub now: DateTime<Utc>,
    /// Size of the terminal.
    pub area: Rect,
    /// The screen that is shown.
    pub screen: ScreenId,
    /// What lies over it.
    pub overlay: Option<Overlay>,
    /// A line for the operator.
    pub notice: Option<Notice>,
    /// The hops of the pipeline.
    pub pipeline: PipelineView,
    /// State of the screen Overview.
    pub overview: Overview,
    /// State of the screen Dead letters.
    pub dead_letters: DeadLetters,
    /// State of the screen Redrives.
    pub redrives: Redrives,
    /// State of the screen Records.
    pub records: Records,
    /// State of the screen Publish.
    pub publish: Publish,
    /// Whether the console is being left.
    pub is_leaving: bool,
    pub(super) next_request: u64,
}

impl Model {
    /// The state at start, before anything was asked.
    #[must_use]
    pub fn new(environment: Environment, theme: Theme, area: Rect, now: DateTime<Utc>) -> Self {
        Self {
            theme,
            now,
            area,
            screen: ScreenId::default(),
            overlay: None,
            notice: None,
            pipeline: PipelineView::default(),
            overview: Overview::default(),
            dead_letters: DeadLetters::new(&environment),
            redrives: Redrives::new(&environment),
            records: Records::default(),
            publish: Publish::default(),
            is_leaving: false,
            next_request: 0,
            environment,
        }
    }

    /// Where keys go.
    #[must_use]
    pub fn context(&self) -> Context {
        match &self.overlay {
            Some(Overlay::Help { .. }) => Context::Help,
            Some(Overlay::Palette(_)) => Context::Palette,
            None => self.screen_context(),
        }
    }

    /// Where keys go on the screen itself.
    #[must_use]
    pub fn screen_context(&self) -> Context {
        match self.screen {
            ScreenId::Overview => Context::Screen(ScreenId::Overview),
            ScreenId::DeadLetters => self.dead_letters.context(),
            ScreenId::Redrives => self.redrives.context(),
            ScreenId::Records => self.records.context(),
            ScreenId::Publish => self.publish.context(),
        }
    }

    /// What a hint says now; `None` where its key does nothing.
    #[must_use]
    pub fn hint_label(&self, binding: &Binding) -> Option<&'static str> {
        match self.context() {
            Context::Plan | Context::Screen(ScreenId::Redrives) => self.redrives.hint(binding),
            Context::Input | Context::Editor => match self.screen {
                ScreenId::DeadLetters => self.dead_letters.hint(binding),
                ScreenId::Redrives => self.redrives.hint(binding),
                ScreenId::Records => self.records.input_hint(binding),
                ScreenId::Overview | ScreenId::Publish => Some(binding.label),
            },
            Context::Screen(
                ScreenId::Overview | ScreenId::DeadLetters | ScreenId::Records | ScreenId::Publish,
            )
            | Context::Patch
            | Context::Confirm
            | Context::Help
            | Context::Palette => Some(binding.label),
        }
    }

    /// What of the passing seconds can be seen: how long the screen has been waiting for something
    /// it shows as awaited, and how stale it is; 0 while neither can.
    #[must_use]
    pub fn visible_wait_secs(&self) -> u64 {
        let since = match self.screen {
            ScreenId::Overview => None,
            ScreenId::DeadLetters => self.dead_letters.waiting_since(),
            ScreenId::Redrives => self.redrives.waiting_since(),
            ScreenId::Records => self.records.waiting_since(),
            ScreenId::Publish => self.publish.waiting_since(),
        };
        let waited = since.map_or(0, |since| super::format::age_secs(since, self.now));
        // The overview shows how stale each hop is; the header of every screen that something is.
        let stale = self.pipeline.stale_secs(self.now);
        match self.screen {
            ScreenId::Overview => stale,
            ScreenId::DeadLetters | ScreenId::Redrives | ScreenId::Records | ScreenId::Publish => {
                waited + u64::from(stale > 0)
            }
        }
    }

    /// Receipt handles that must be given back before the program ends.
    #[must_use]
    pub fn held_handles(&self) -> Vec<String> {
        self.dead_letters.held_handles()
    }
}

/// Rows of the terminal: header, body, hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where, whether it is healthy, and the numbers that matter.
    pub header: Rect,
    /// The screen.
    pub body: Rect,
    /// Screens and keys.
    pub footer: Rect,
}

/// Divides the terminal; any size works, rows that do not fit are empty.
#[must_use]
pub fn frame(area: Rect) -> Frame {
    let header = Rect {
        height: area.height.min(1),
        ..area
    };
    let footer_height = area.height.saturating_sub(1).min(1);
    let body_height = area.height - header.height - footer_height;
    let body = Rect {
        y: area.y + header.height,
        height: body_height,
        ..area
    };
    let footer = Rect {
        y: body.y + body_height,
        height: footer_height,
        ..area
    };
    Frame {
        header,
        body,
        footer,
    }
}
