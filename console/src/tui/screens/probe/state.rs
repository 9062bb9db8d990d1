//! The state of the screen.

use std::time::Duration;

use chrono::{DateTime, Utc};
use pipeline::probe::{Measure, Probe, ProbeFailure, ProbeRing, ProbeSummary};

use crate::tui::list::ListState;
use crate::tui::remote::Remote;

/// Probes that are kept: a day, one each half minute.
pub(super) const KEPT_MAX: usize = 2_880;
/// Times between two probes that can be chosen, in seconds.
const INTERVALS_SECS: [u64; 6] = [5, 10, 30, 60, 300, 900];
/// The one that is chosen at first.
const INTERVAL_FIRST: usize = 2;

#[derive(Debug)]
pub(crate) struct Probes {
    pub(super) ring: ProbeRing,
    /// Of the ring: made when it changes, and not at each drawing.
    pub(super) summary: ProbeSummary,
    /// The probe under way, and why none could be made.
    pub(super) probing: Remote<()>,
    pub(super) interval: usize,
    /// Whether one follows the other.
    pub(super) is_running: bool,
    /// When a series ended because nobody used the console.
    pub(super) abandoned_at: Option<DateTime<Utc>>,
    /// When the last one began.
    pub(super) begun_at: Option<DateTime<Utc>>,
    /// The hop of the map.
    pub(super) measure: Measure,
    pub(super) list: ListState,
    /// Id of the failed probe that is selected; `None` for the newest.
    pub(super) selected: Option<String>,
    /// What is asked for before production is probed.
    pub(super) question: Option<Wanted>,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Once,
    Series,
}

impl Default for Probes {
    fn default() -> Self {
        let ring = ProbeRing::new(KEPT_MAX);
        Self {
            summary: ring.summary(None),
            ring,
            probing: Remote::default(),
            interval: INTERVAL_FIRST,
            is_running: false,
            abandoned_at: None,
            begun_at: None,
            measure: Measure::Total,
            list: ListState::default(),
            selected: None,
            question: None,
        }
    }
}

impl Probes {
    /// The time between two probes of the series that runs.
    pub(crate) fn series(&self) -> Option<Duration> {
        self.is_running.then(|| self.every())
    }

    /// The time between two probes.
    pub(super) fn every(&self) -> Duration {
        let secs = INTERVALS_SECS.get(self.interval).copied();
        Duration::from_secs(secs.unwrap_or(1))
    }

    /// Chooses a shorter or a longer interval; the end of the list is kept.
    pub(super) fn change_interval(&mut self, places: isize) {
        let place = self.interval.saturating_add_signed(places);
        self.interval = place.min(INTERVALS_SECS.len() - 1);
    }

    /// When the next one begins, if one follows.
    pub(super) fn next_at(&self) -> Option<DateTime<Utc>> {
        self.begun_at
            .filter(|_| self.is_running)
            .map(|begun| begun + self.every())
    }

    /// Those that failed, the newest first.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&Probe, &ProbeFailure)> {
        let newest_first = self.ring.iter().rev();
        newest_first.filter_map(|probe| Some((probe, probe.failure.as_ref()?)))
    }

    pub(super) fn selected_failure(&self) -> Option<(&Probe, &ProbeFailure)> {
        self.failures().nth(self.list.selected)
    }
}
