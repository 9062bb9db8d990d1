//! The workbook's rule, written from its text and not from ours. Where the metrics of an objective come from several
//! services, the short window is judged in thirds: two of them must burn.

use super::incident::Incident;

/// One objective.
pub(super) struct Workbook {
    /// The share of bad events that it allows.
    budget: f64,
    events_min: f64,
    has_several_sources: bool,
}

/// Urgency, burn rate, long and short window in minutes.
const RULES: [(&str, f64, usize, usize); 3] = [
    ("fast", 14.4, 60, 5),
    ("fast", 6.0, 360, 30),
    ("slow", 3.0, 1_440, 120),
];

impl Workbook {
    #[expect(clippy::cast_precision_loss, reason = "a hundred")]
    pub(super) fn of(objective: &str, objective_percent: f64, events_min: u64) -> Self {
        Self {
            budget: 1.0 - objective_percent / 100.0,
            events_min: events_min as f64,
            has_several_sources: objective == "durability",
        }
    }

    pub(super) fn is_raised(&self, urgency: &str, incident: &Incident, minute: usize) -> bool {
        let rules = RULES.iter().filter(|(of, ..)| *of == urgency);
        let mut rules = rules.map(|(_, rate, long, short)| {
            let burns = |until: usize, minutes: usize, events_min: f64| {
                let window = until.saturating_sub(minutes)..until;
                let (events, bad) = incident.counts(window);
                // A share of few events says nothing.
                events >= events_min && events > 0.0 && bad / events / self.budget > *rate
            };
            let events_min = self.events_min / 12.0;
            let still_burns = if self.has_several_sources {
                let third = short / 3;
                let thirds = [0, 1, 2].map(|number| minute.saturating_sub(number * third));
                let events_min = (events_min / 3.0).ceil();
                let burning = thirds.iter().filter(|it| burns(**it, third, events_min));
                *short >= 30 && burning.count() >= 2
            } else {
                burns(minute, *short, events_min.ceil())
            };
            still_burns && burns(minute, *long, self.events_min)
        });
        rules.any(|is_raised| is_raised)
    }
}
