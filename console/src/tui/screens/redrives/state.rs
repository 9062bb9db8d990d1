//! The state of the screen.

use std::path::PathBuf;

use super::review::Review;
use super::run::Run;
use super::texts::standing;
use crate::tui::format::visible;
use crate::tui::list::ListState;
use crate::tui::redrives::Past;
use crate::tui::remote::Remote;
use redrive::{Report, RunCommand};

#[derive(Debug, Default)]
pub(crate) struct Redrives {
    pub(super) is_shown: bool,
    pub(super) review: Option<Review>,
    pub(super) run: Option<Run>,
    pub(super) history: Remote<Past>,
    pub(super) list: ListState,
    /// The journal that is selected; `None` for the first row.
    pub(super) selected: Option<PathBuf>,
    /// The journal whose messages are shown.
    pub(super) opened: Option<PathBuf>,
    pub(super) report: Remote<Report>,
    pub(super) detail_offset: usize,
    pub(super) is_detail_open: bool,
}

impl Redrives {
    /// How many messages of the redrive under way were sent, and how many there are.
    pub(crate) fn progress(&self) -> Option<(usize, usize)> {
        self.run
            .as_ref()
            .map(|run| (run.counts().sent(), run.planned))
    }

    /// Whether a redrive is being resumed.
    pub(crate) fn is_resuming(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.is_resumed)
    }

    /// What the redrive under way is doing, in one sentence; `None` without one.
    pub(crate) fn standing(&self) -> Option<String> {
        self.run.as_ref().map(|run| standing(run).1)
    }

    /// Whether the redrive under way has nothing left to send or to delete.
    pub(crate) fn is_all_moved(&self) -> bool {
        self.run
            .as_ref()
            .is_some_and(|run| run.counts().is_all_moved())
    }

    /// That it sends nothing until the operator decides, and why it stopped, if it stopped by itself.
    pub(crate) fn stopped(&self) -> Option<String> {
        let run = self.run.as_ref().filter(|run| !run.is_ending_by_itself())?;
        match (run.own_pause(), run.command()) {
            (Some(why), _) => Some(format!("{}: {}", standing(run).1, visible(why))),
            (None, RunCommand::Pause(_)) => Some(standing(run).1),
            (None, RunCommand::Run | RunCommand::Cancel) => None,
        }
    }
}
