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
    /// All environments.
    Fleet,
    /// Calls to the HTTP API.
    Api,
    /// The queue of the ingest.
    Queue,
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
            Self::Fleet => "Fleet",
            Self::Api => "API",
            Self::Queue => "Queue",
        }
    }

    /// What it answers, in two sentences.
    pub(crate) const fn purpose(self) -> &'static str {
        match self {
            Self::Overview => {
                "Shows whether the pipeline is healthy, and what to do where it is not. Each number leads \
                 with ⏎ to what explains it; the other pages have charts of each part."
            }
            Self::DeadLetters => {
                "Shows why messages failed, and which of them would be stored now. Receiving hides them \
                 from other consumers until they are released."
            }
            Self::Redrives => {
                "Shows what a redrive will do, how far it is, and what became of each message. One that \
                 was interrupted is resumed from here."
            }
            Self::Publish => {
                "Sends one event to the topic, checked by the rules of the ingest before. It is then \
                 followed until it is stored."
            }
            Self::Records => {
                "Shows what was stored, the newest first. A filter is a line of terms; nothing here \
                 changes a record."
            }
            Self::Lint => {
                "Checks how the pipeline is set up. Each finding says what was seen, why it matters, and \
                 the command that mends it."
            }
            Self::Logs => {
                "Follows what the functions log. A line leads to the other lines of its request, to its \
                 dead letters and to its event."
            }
            Self::Probe => {
                "Publishes marked events of its own, and measures how long each takes to every hop. Each \
                 leaves one record."
            }
            Self::Fleet => {
                "Shows every environment, the worst first. ⏎ leaves this one and shows the selected one."
            }
            Self::Api => {
                "Calls the HTTP API as others do, with a form for what each operation takes, and shows \
                 what it answers and how fast. Only what reads is sent, and only by a key."
            }
            Self::Queue => {
                "Shows a few messages that wait for the ingest. SQS shows none without receiving it: the price \
                 is said before, and all are released after the last receive."
            }
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
            Self::Fleet => '9',
            Self::Api => '0',
            Self::Queue => 'Q',
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
        assert_eq!(numbers, "1234567890Q");
    }
}
