//! Names and order of the screens. Invariant: `ALL` is made from the variants, so none is missing.

use strum::VariantArray;

/// In the order of their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, VariantArray)]
pub(crate) enum ScreenId {
    /// The whole pipeline at a glance.
    #[default]
    Overview,
    /// The dead-letter queue.
    DeadLetters,
    /// Redrives: planned, running, past.
    Redrives,
    /// The topic.
    Publish,
    /// The database.
    Records,
    /// How the pipeline is set up.
    Lint,
    /// What the functions log.
    Logs,
    /// Events of our own through every hop.
    Probe,
}

impl ScreenId {
    /// Every screen, in the order of their numbers.
    pub(crate) const ALL: &'static [Self] = Self::VARIANTS;

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::DeadLetters => "Dead letters",
            Self::Redrives => "Redrives",
            Self::Publish => "Publish",
            Self::Records => "Records",
            Self::Lint => "Lint",
            Self::Logs => "Logs",
            Self::Probe => "Probe",
        }
    }

    /// The key that shows it.
    pub(crate) const fn number(self) -> char {
        match self {
            Self::Overview => '1',
            Self::DeadLetters => '2',
            Self::Redrives => '3',
            Self::Publish => '4',
            Self::Records => '5',
            Self::Lint => '6',
            Self::Logs => '7',
            Self::Probe => '8',
        }
    }

    /// The screen so many places further, around the end.
    pub(crate) fn step(self, places: usize) -> Self {
        let position = Self::ALL
            .iter()
            .position(|screen| *screen == self)
            .unwrap_or(0);
        let mut around = Self::ALL.iter().copied().cycle();
        around.nth(position + places).unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn screens_are_listed_in_the_order_of_their_numbers() {
        let numbers: String = ScreenId::ALL.iter().map(|screen| screen.number()).collect();
        assert_eq!(numbers, "12345678");
    }
}
