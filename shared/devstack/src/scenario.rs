//! Example traffic of an airline: flights, crews, bookings and bags.
//!
//! Invariant: a scenario is a pure function of its seed and of the times passed to it.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use event::EventKey;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use crate::faults::Fault;

/// Number of recent events from which a duplicate is chosen.
const RECENT_MAX: usize = 64;
const AIRPORTS: [&str; 10] = [
    "AMS", "ARN", "CDG", "DUB", "FCO", "LIS", "MAD", "OSL", "VIE", "ZRH",
];
const AIRCRAFT: [&str; 4] = ["A20N", "A321", "B738", "E195"];
const DELAY_REASONS: [&str; 5] = [
    "late inbound aircraft",
    "crew duty time",
    "slot restriction",
    "de-icing",
    "baggage loading",
];
const CHANNELS: [&str; 3] = ["web", "app", "agency"];
const SCAN_POINTS: [&str; 4] = ["check-in", "sorting", "loading", "arrival belt"];

/// Shares of unusual messages, each from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratios {
    /// Invalid messages.
    pub faults: f64,
    /// Exact copies of a recent event.
    pub duplicates: f64,
    /// Events that happened hours or days ago.
    pub late: f64,
}

/// A message to publish and its expected outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Body of the message.
    pub body: String,
    /// From which the outcome follows.
    pub content: Content,
}

/// The content of a planned message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A valid event; a duplicate has the key of the earlier one.
    Event(EventKey),
    /// An invalid message.
    Fault(Fault),
}

/// An endless sequence of messages.
pub struct Scenario {
    random: StdRng,
    seed: u64,
    ratios: Ratios,
    sequence: u64,
    next_fault: usize,
    recent: Vec<Planned>,
}

impl Scenario {
    /// Starts the sequence of this seed.
    #[must_use]
    pub fn new(seed: u64, ratios: Ratios) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            seed,
            ratios,
            sequence: 0,
            next_fault: 0,
            recent: Vec::new(),
        }
    }

    /// The next message, as published at `now`.
    pub fn next(&mut self, now: DateTime<Utc>) -> Planned {
        let share: f64 = self.random.random();
        if share < self.ratios.faults {
            return self.fault(now);
        }
        if share < self.ratios.faults + self.ratios.duplicates
            && let Some(earlier) = self.recent.choose(&mut self.random)
        {
            return earlier.clone();
        }
        let is_late = share < self.ratios.faults + self.ratios.duplicates + self.ratios.late;
        let occurred_at = now - self.age(is_late);
        let (key, event) = self.event(occurred_at);
        let planned = Planned {
            body: Value::Object(event).to_string(),
            content: Content::Event(key),
        };
        if self.recent.len() == RECENT_MAX {
            self.recent.remove(0);
        }
        self.recent.push(planned.clone());
        planned
    }

    /// The faults take turns, so that a short run contains all of them.
    fn fault(&mut self, now: DateTime<Utc>) -> Planned {
        let fault = Fault::ALL
            .get(self.next_fault % Fault::ALL.len())
            .copied()
            .unwrap_or(Fault::Truncated);
        self.next_fault += 1;
        let (_, event) = self.event(now);
        Planned {
            body: fault.break_event(event),
            content: Content::Fault(fault),
        }
    }

    fn age(&mut self, is_late: bool) -> Duration {
        if !is_late {
            Duration::milliseconds(self.random.random_range(0..1_500))
        } else if self.random.random_bool(0.7) {
            Duration::minutes(self.random.random_range(60..24 * 60))
        } else {
            Duration::hours(self.random.random_range(24..40 * 24))
        }
    }

    fn event(&mut self, occurred_at: DateTime<Utc>) -> (EventKey, Map<String, Value>) {
        self.sequence += 1;
        let (event_type, source, subject, data) = self.content(occurred_at);
        let key = EventKey {
            source: source.to_owned(),
            id: format!("{:08x}-{:07}", self.seed, self.sequence),
        };
        let mut event = Map::new();
        let mut set = |name: &str, value: Value| event.insert(name.to_owned(), value);
        set("specversion", json!("1.0"));
        set("id", json!(key.id));
        set("source", json!(source));
        set("type", json!(event_type));
        set("subject", json!(subject));
        set("time", json!(timestamp(occurred_at)));
        set("datacontenttype", json!("application/json"));
        set("data", data);
        (key, event)
    }

    /// Type, source, subject and data of one event. Bags are scanned far more often than flights
    /// are scheduled.
    fn content(&mut self, at: DateTime<Utc>) -> (&'static str, &'static str, String, Value) {
        let flight = format!("OC{}", self.random.random_range(100..980));
        let (from, to) = self.route();
        match self.random.random_range(0..100) {
            0..8 => {
                let departs_at = at + Duration::minutes(self.random.random_range(120..2_880));
                let data = json!({
                    "flight": flight, "from": from, "to": to,
                    "departs_at": timestamp(departs_at), "aircraft": self.pick(&AIRCRAFT),
                });
                ("flight.scheduled", "/ops/flights", flight, data)
            }
            8..18 => {
                let data = json!({
                    "flight": flight, "from": from, "to": to, "off_block_at": timestamp(at),
                    "passengers": self.random.random_range(60..220),
                });
                ("flight.departed", "/ops/flights", flight, data)
            }
            18..25 => {
                let data = json!({
                    "flight": flight, "minutes": self.random.random_range(5..180),
                    "reason": self.pick(&DELAY_REASONS),
                });
                ("flight.delayed", "/ops/flights", flight, data)
            }
            25..35 => {
                let data = json!({
                    "flight": flight, "airport": to, "landed_at": timestamp(at),
                    "belt": self.random.random_range(1..14),
                });
                ("flight.landed", "/ops/flights", flight, data)
            }
            35..42 => {
                let crew = self.random.random_range(3..7);
                let data =
                    json!({"flight": flight, "crew": crew, "base": from, "standby": crew > 5});
                ("crew.assigned", "/apps/crew", flight, data)
            }
            42..62 => {
                let reference = self.reference();
                let cents: u32 = self.random.random_range(3_900..68_000);
                let data = json!({
                    "reference": reference, "from": from, "to": to,
                    "channel": self.pick(&CHANNELS), "travellers": self.random.random_range(1..5),
                    "fare": {"amount": f64::from(cents) / 100.0, "currency": "EUR"},
                });
                ("booking.created", "/shop/bookings", reference, data)
            }
            _ => {
                let tag = format!("0{}", self.random.random_range(100_000_000..999_999_999));
                let decigrams: u32 = self.random.random_range(40..320);
                let data = json!({
                    "tag": tag, "flight": flight, "point": self.pick(&SCAN_POINTS),
                    "weight_kg": f64::from(decigrams) / 10.0,
                });
                ("bag.scanned", "/airport/bags", tag, data)
            }
        }
    }

    fn route(&mut self) -> (&'static str, &'static str) {
        let from = self.pick(&AIRPORTS);
        loop {
            let to = self.pick(&AIRPORTS);
            if to != from {
                return (from, to);
            }
        }
    }

    fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        choices
            .choose(&mut self.random)
            .copied()
            .unwrap_or_default()
    }

    /// A booking reference: six letters or digits that are easy to tell apart.
    fn reference(&mut self) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
        (0..6)
            .filter_map(|_| LETTERS.choose(&mut self.random).copied().map(char::from))
            .collect()
    }
}

fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use event::{FailureCode, parse_body};

    use super::*;

    const RATIOS: Ratios = Ratios {
        faults: 0.1,
        duplicates: 0.05,
        late: 0.05,
    };

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap()
    }

    fn run(seed: u64, total: usize) -> Vec<Planned> {
        let mut scenario = Scenario::new(seed, RATIOS);
        (0..total).map(|_| scenario.next(noon())).collect()
    }

    #[test]
    fn same_seed_gives_the_same_messages_and_another_seed_others() {
        assert_eq!(run(7, 300), run(7, 300));
        assert_ne!(run(7, 300), run(8, 300));
    }

    #[test]
    fn every_message_has_the_outcome_that_was_planned() {
        let mut codes = BTreeSet::new();
        let mut keys = HashSet::new();
        let mut copies = 0;
        let mut late = 0;
        for planned in run(1, 1_000) {
            match (&planned.content, parse_body(&planned.body)) {
                (Content::Event(key), Ok(event)) => {
                    assert_eq!(*key, event.key());
                    late += u32::from(noon() - event.time > Duration::minutes(30));
                    copies += u32::from(!keys.insert(key.clone()));
                }
                (Content::Fault(fault), Err(failure)) => {
                    assert_eq!(failure.code, fault.code(), "{fault:?}: {failure}");
                    codes.insert(failure.code);
                }
                (content, outcome) => panic!("{content:?} became {outcome:?}: {}", planned.body),
            }
        }
        assert_eq!(
            codes,
            FailureCode::ALL
                .into_iter()
                .filter(|code| code.is_of_event())
                .collect()
        );
        assert!(copies > 20, "{copies} copies");
        assert!(late > 20, "{late} late events");
    }
}
