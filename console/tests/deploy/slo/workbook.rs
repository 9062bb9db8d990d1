//! The workbook's rule, written from its text and not from ours.

use super::incident::Incident;

/// One objective.
pub(super) struct Workbook {
    /// The share of bad events that it allows.
    budget: f64,
    events_min: f64,
}

/// Urgency, burn rate, long and short window in minutes.
const RULES: [(&str, f64, usize, usize); 3] = [
    ("fast", 14.4, 60, 5),
    ("fast", 6.0, 360, 30),
    ("slow", 3.0, 1_440, 120),
];

impl Workbook {
    #[expect(clippy::cast_precision_loss, reason = "a hundred")]
    pub(super) fn of(objective_percent: f64, events_min: u64) -> Self {
        Self {
            budget: 1.0 - objective_percent / 100.0,
            events_min: events_min as f64,
        }
    }

    pub(super) fn is_raised(&self, urgency: &str, incident: &Incident, minute: usize) -> bool {
        let rules = RULES.iter().filter(|(of, ..)| *of == urgency);
        let mut rules = rules.map(|(_, rate, long, short)| {
            let burns = |minutes: usize, events_min: f64| {
                let window = minute.saturating_sub(minutes)..minute;
                let (events, bad) = incident.counts(window);
                // A share of few events says nothing.
                events >= events_min && events > 0.0 && bad / events / self.budget > *rate
            };
            burns(*long, self.events_min) && burns(*short, (self.events_min / 12.0).ceil())
        });
        rules.any(|is_raised| is_raised)
    }
}
