//! Events to start from on the Publish screen. Invariant: a fresh one passes the validator.

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// Names of the templates.
pub const NAMES: [&str; 4] = [
    "flight.departed",
    "flight.delayed",
    "booking.created",
    "bag.scanned",
];

/// A new event from template `number` (any number is taken, around the end): new id, time of now.
#[must_use]
pub fn fresh(number: usize) -> String {
    let number = number % NAMES.len();
    let (source, data) = match number {
        0 => (
            "/ops/flights",
            json!({ "flight": "LA601", "from": "SCL", "to": "MIA" }),
        ),
        1 => (
            "/apps/crew",
            json!({ "flight": "LA601", "minutes": 35, "cause": "weather" }),
        ),
        2 => (
            "/shop/bookings",
            json!({ "booking": "K7PQ2X", "passengers": 2, "price": "412.50" }),
        ),
        _ => (
            "/airport/bags",
            json!({ "bag": "0045123456", "belt": 7, "airport": "SCL" }),
        ),
    };
    let event: Value = json!({
        "specversion": "1.0",
        "id": Uuid::new_v4().to_string(),
        "source": source,
        "type": NAMES.get(number).copied().unwrap_or_default(),
        "time": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        "datacontenttype": "application/json",
        "data": data,
    });
    serde_json::to_string_pretty(&event).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_a_valid_event() {
        for number in 0..NAMES.len() {
            event::parse_event(&fresh(number)).unwrap();
        }
    }
}
