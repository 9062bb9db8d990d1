//! The pages of the overview.

use pipeline::long_history::HistoryPart;
use strum::VariantArray;

/// One page; the order is that of the tab key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, VariantArray)]
pub(crate) enum Page {
    /// What needs attention, the hops, and the charts that have room.
    #[default]
    Pipeline,
    /// All charts of the hops.
    Charts,
    Functions,
    Api,
    Database,
    /// Alarms and error budgets.
    Alarms,
}

impl Page {
    pub(crate) const ALL: &'static [Self] = Self::VARIANTS;

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Pipeline => "Pipeline",
            Self::Charts => "Charts",
            Self::Functions => "Functions",
            Self::Api => "API",
            Self::Database => "Database",
            Self::Alarms => "Alarms",
        }
    }

    /// The page so many places further, around the end.
    pub(crate) fn step(self, places: usize) -> Self {
        let mut around = Self::ALL.iter().copied().cycle();
        around.nth(self.number() - 1 + places).unwrap_or(self)
    }

    /// Its place, from 1 on.
    pub(crate) fn number(self) -> usize {
        let place = Self::ALL.iter().position(|page| *page == self);
        place.map_or(1, |place| place + 1)
    }

    pub(crate) const fn has_charts(self) -> bool {
        match self {
            Self::Pipeline | Self::Charts | Self::Functions | Self::Api | Self::Database => true,
            Self::Alarms => false,
        }
    }

    /// The metrics that its charts show.
    pub(crate) const fn part(self) -> HistoryPart {
        match self {
            Self::Pipeline | Self::Charts | Self::Alarms => HistoryPart::Hops,
            Self::Functions => HistoryPart::Function,
            Self::Api => HistoryPart::Api,
            Self::Database => HistoryPart::Database,
        }
    }

    /// Whether its charts need metrics that are not read for the other pages.
    pub(crate) const fn needs_details(self) -> bool {
        match self {
            Self::Functions | Self::Api | Self::Database => true,
            Self::Pipeline | Self::Charts | Self::Alarms => false,
        }
    }
}
