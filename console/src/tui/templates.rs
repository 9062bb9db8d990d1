//! Events to start from on the Publish screen. Invariant: a fresh one passes the validator.

use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use uuid::Uuid;

pub(super) const NAMES: [&str; 4] = [
    "flight.departed",
    "flight.delayed",
    "booking.created",
    "bag.scanned",
];

/// An event in the order in which people read it: what it is first, its data last.
#[derive(Serialize)]
struct Template<'a> {
    specversion: &'a str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    subject: &'a str,
    time: String,
    datacontenttype: &'a str,
}

/// A new event from template `number` (any number works, modulo their count): new id, time of now.
pub(super) fn fresh(number: usize) -> String {
    let number = number % NAMES.len();
    let (source, subject, data) = match number {
        0 => (
            "/ops/flights",
            "LA601",
            r#""flight": "LA601", "from": "SCL", "to": "MIA""#,
        ),
        1 => (
            "/apps/crew",
            "LA601",
            r#""flight": "LA601", "minutes": 35, "cause": "weather""#,
        ),
        2 => (
            "/shop/bookings",
            "K7PQ2X",
            r#""booking": "K7PQ2X", "passengers": 2, "price": "412.50""#,
        ),
        _ => (
            "/airport/bags",
            "0045123456",
            r#""bag": "0045123456", "belt": 7, "airport": "SCL""#,
        ),
    };
    let template = Template {
        specversion: "1.0",
        id: Uuid::new_v4().to_string(),
        source,
        event_type: NAMES.get(number).copied().unwrap_or_default(),
        subject,
        time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        datacontenttype: "application/json",
    };
    let attributes = serde_json::to_string_pretty(&template).unwrap_or_default();
    let attributes = attributes.trim_end_matches(['\n', '}']);
    format!("{attributes},\n  \"data\": {{ {data} }}\n}}")
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

    #[test]
    fn templates_read_from_the_attributes_to_the_data() {
        let text = fresh(1);
        let places: Vec<_> = ["specversion", "id", "source", "type", "time", "data"]
            .into_iter()
            .map(|name| text.find(&format!("\"{name}\":")).unwrap())
            .collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn each_fresh_event_has_an_id_of_its_own() {
        assert_ne!(
            event::peek_identity(&fresh(0)),
            event::peek_identity(&fresh(0))
        );
    }
}
