//! What the pipeline promises. Pure.

use serde::Serialize;

/// Days over which an objective holds.
pub const SLO_WINDOW_DAYS: u32 = 30;

/// Fewest events of which an objective is judged: of fewer, one bad event would be a high share.
pub const EVENTS_MIN: u64 = 100;

/// An objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Events are stored soon after their publish.
    Freshness,
    /// What was published is stored, a duplicate, a dead letter or pending.
    Durability,
    /// The API answers without a failure of its own.
    ApiAvailability,
    /// The API answers soon.
    ApiLatency,
}

impl Objective {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Freshness,
        Self::Durability,
        Self::ApiAvailability,
        Self::ApiLatency,
    ];

    /// The name by which Terraform and its alarms know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Freshness => "freshness",
            Self::Durability => "durability",
            Self::ApiAvailability => "api-availability",
            Self::ApiLatency => "api-latency",
        }
    }

    /// The least share of good events, in per cent.
    #[must_use]
    pub const fn percent(self) -> f64 {
        match self {
            Self::Freshness | Self::ApiLatency => 99.0,
            Self::Durability | Self::ApiAvailability => 99.9,
        }
    }

    /// What makes an event a good one.
    #[must_use]
    pub const fn promise(self) -> &'static str {
        match self {
            Self::Freshness => "stored within 60 s",
            Self::Durability => "none missing",
            Self::ApiAvailability => "no 5xx",
            Self::ApiLatency => "within 1 s",
        }
    }

    /// The share of bad events that it allows.
    pub(super) const fn budget(self) -> f64 {
        (100.0 - self.percent()) / 100.0
    }
}
