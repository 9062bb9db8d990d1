//! The events of a measurement, and the files with their invocations.
//!
//! Invariant: the same seed gives the same events, and no identity occurs twice.

use std::fs;
use std::path::Path;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Time of the first event.
pub(crate) const FIRST_TIME: &str = "2026-11-24T09:00:00Z";
/// Between two events, so that a measurement covers several daily partitions.
const STEP: Duration = Duration::seconds(13);
/// Days that the events of a measurement cover.
pub(crate) const DAYS: u16 = 5;
const SOURCES: u32 = 12;
const TYPES: [&str; 8] = [
    "order.placed",
    "order.paid",
    "order.packed",
    "order.shipped",
    "order.delivered",
    "order.returned",
    "payment.captured",
    "payment.refunded",
];
/// Share of the events with a `traceparent`.
const TRACED_SHARE: f64 = 0.25;
/// Size of a body, about.
const BODY_BYTES: usize = 1_024;

/// An event with the columns that it is stored in.
#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) source: String,
    pub(crate) id: String,
    pub(crate) event_type: &'static str,
    pub(crate) subject: String,
    pub(crate) time: DateTime<Utc>,
    pub(crate) body: String,
}

/// The input of every subject: a batch for the warm-up, and the measured ones. The files of the folder
/// are the batches in the order of their names.
pub(crate) struct Load {
    pub(crate) batch_size: usize,
    pub(crate) batches: Vec<Vec<Event>>,
    folder: TempDir,
}

impl Load {
    pub(crate) fn new(batch_size: usize, batches: usize) -> Self {
        Self::with(batch_size, batches, |_| {})
    }

    /// A load whose events occur so much after each other.
    pub(crate) fn stepping(batch_size: usize, batches: usize, step: Duration) -> Self {
        Self::seeded(1, batch_size, batches, step)
    }

    /// [`Self::stepping`] with the events of another seed.
    pub(crate) fn seeded(seed: u64, batch_size: usize, batches: usize, step: Duration) -> Self {
        Self::with_step(seed, batch_size, batches, step, |_| {})
    }

    /// A load whose measured batches `change` edits before they are written.
    pub(crate) fn with(batch_size: usize, batches: usize, change: impl Fn(&mut [Event])) -> Self {
        Self::with_step(1, batch_size, batches, STEP, change)
    }

    fn with_step(
        seed: u64,
        batch_size: usize,
        batches: usize,
        step: Duration,
        change: impl Fn(&mut [Event]),
    ) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let first: DateTime<Utc> = FIRST_TIME.parse().unwrap();
        let mut count: i32 = 0;
        let mut batches: Vec<Vec<Event>> = (0..=batches)
            .map(|_| {
                let batch = (0..batch_size).map(|_| {
                    count += 1;
                    event(&mut random, first + step * count)
                });
                batch.collect()
            })
            .collect();
        let folder = tempfile::tempdir().unwrap();
        for (number, batch) in batches.iter_mut().enumerate() {
            if number > 0 {
                change(batch);
            }
            let bodies = batch.iter().map(|event| event.body.as_str());
            let path = folder.path().join(format!("{number:05}.json"));
            fs::write(path, invocation(&mut random, bodies)).unwrap();
        }
        Self {
            batch_size,
            batches,
            folder,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Number of measured events.
    pub(crate) fn measured(&self) -> usize {
        self.batches.iter().skip(1).map(Vec::len).sum()
    }
}

fn event(random: &mut StdRng, time: DateTime<Utc>) -> Event {
    let id = uuid(random);
    let source = format!("/shops/{}", random.random_range(0..SOURCES));
    let event_type = TYPES[random.random_range(0..TYPES.len())];
    let subject = format!("orders/{}", random.random_range(100_000..10_000_000));
    let (is_traced, trace) = (random.random_bool(TRACED_SHARE), random.random::<u128>());
    let mut lines: Vec<Value> = Vec::new();
    let mut body = String::new();
    while body.len() + 60 < BODY_BYTES {
        lines.push(json!({
            "article": format!("A-{:07}", random.random_range(0..9_999_999)),
            "title": format!("Ärmel \"{}\"", word(random)),
            "quantity": random.random_range(1..9),
            "price": {"amount": f64::from(random.random_range(100..99_999)) / 100.0, "currency": "EUR"},
            "gift": random.random_bool(0.1),
        }));
        let mut event = json!({
            "specversion": "1.0", "id": id, "source": source, "type": event_type,
            "subject": subject, "time": time.to_rfc3339_opts(SecondsFormat::Millis, true),
            "datacontenttype": "application/json",
            "data": {"customer": uuid(random), "channel": "web", "lines": lines},
        });
        if is_traced {
            event["traceparent"] = json!(format!("00-{:032x}-00f067aa0ba902b7-01", trace));
        }
        body = event.to_string();
    }
    Event {
        source,
        id,
        event_type,
        subject,
        time,
        body,
    }
}

/// A batch as Lambda delivers it, with the attributes of each message.
pub(crate) fn invocation<'a>(random: &mut StdRng, bodies: impl Iterator<Item = &'a str>) -> String {
    let records: Vec<Value> = bodies
        .map(|body| {
            let sent_at = "1795510800123";
            json!({
                "messageId": uuid(random),
                "receiptHandle": (0..6).map(|_| uuid(random)).collect::<String>(),
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": sent_at,
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": sent_at,
                },
                "messageAttributes": {},
                "md5OfBody": format!("{:032x}", random.random::<u128>()),
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:events",
                "awsRegion": "us-east-1",
            })
        })
        .collect();
    json!({ "Records": records }).to_string()
}

fn uuid(random: &mut StdRng) -> String {
    let hex = format!("{:032x}", random.random::<u128>());
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

fn word(random: &mut StdRng) -> String {
    let letters = (0..random.random_range(6..24)).map(|_| random.random_range(b'a'..=b'z'));
    letters.map(char::from).collect()
}
