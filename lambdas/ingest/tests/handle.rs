//! The handler on a real PostgreSQL and a real queue.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::SqsBatchResponse;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use devstack::{Emulator, TestDatabase};
use event::FailureCode;
use ingest::{Batch, DeadLetterQueue, Deps, Invocation, Outcome, handle_counted, handle_reported};
use serde_json::{Value, json};
use store::PgPool;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// Longer than anything takes, so that a test that reaches it fails clearly.
const LIMIT: Duration = Duration::from_secs(60);
const REQUEST_ID: &str = "8c1b2f9e-request";

static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

/// A database, a dead-letter queue of its own, and the handler's dependencies on both.
struct Place {
    database: TestDatabase,
    client: Client,
    queue_url: String,
}

impl Place {
    async fn open() -> Self {
        let emulator = EMULATOR
            .get_or_try_init(Emulator::start_for_tests)
            .await
            .unwrap();
        let database = TestDatabase::create().await.unwrap();
        store::migrate(database.pool()).await.unwrap();
        let client = Client::new(&devstack::sdk_config(emulator.endpoint_url()));
        let name: String = sqlx::query_scalar("select current_database()::text")
            .fetch_one(database.pool())
            .await
            .unwrap();
        let created = client.create_queue().queue_name(name).send().await.unwrap();
        let queue_url = created.queue_url().unwrap().to_owned();
        Self {
            database,
            client,
            queue_url,
        }
    }

    fn deps(&self) -> Deps {
        Deps {
            log_in: None,
            pool: self.database.pool().clone(),
            dead_letters: Some(self.queue(self.queue_url.clone())),
            replacements_allowed: false,
        }
    }

    fn queue(&self, url: String) -> DeadLetterQueue {
        DeadLetterQueue::new(self.client.clone(), url)
    }

    async fn records(&self) -> usize {
        let count: i64 = sqlx::query_scalar("select count(*) from records")
            .fetch_one(self.database.pool())
            .await
            .unwrap();
        usize::try_from(count).unwrap()
    }

    /// Receives this many dead letters, by body, and checks that there are no more.
    async fn dead_letters(&self, count: usize) -> HashMap<String, Message> {
        let mut dead_letters = HashMap::new();
        let deadline = Instant::now() + LIMIT;
        loop {
            let is_complete = dead_letters.len() >= count;
            let answer = self
                .client
                .receive_message()
                .queue_url(&self.queue_url)
                .max_number_of_messages(10)
                .wait_time_seconds(if is_complete { 0 } else { 1 })
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .send()
                .await
                .unwrap();
            if answer.messages().is_empty() && is_complete {
                assert_eq!(dead_letters.len(), count);
                return dead_letters;
            }
            for message in answer.messages() {
                let body = message.body().unwrap().to_owned();
                assert!(dead_letters.insert(body, message.clone()).is_none());
            }
            assert!(
                Instant::now() < deadline,
                "{} of {count} dead letters",
                dead_letters.len()
            );
        }
    }
}

fn invocation() -> Invocation {
    Invocation::new(REQUEST_ID.to_owned(), LIMIT)
}

fn event_body(id: &str) -> String {
    json!({
        "specversion": "1.0", "id": id, "source": "/tests", "type": "order.placed",
        "time": "2026-11-24T12:00:00Z", "data": {"total": 1},
    })
    .to_string()
}

/// A batch as Lambda delivers it; message ids are `m0`, `m1`, ….
fn batch(bodies: &[String]) -> Batch {
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(number, body)| record(&format!("m{number}"), body, json!({})))
        .collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

fn record(message_id: &str, body: &str, attributes: Value) -> Value {
    json!({
        "messageId": message_id, "receiptHandle": "handle", "body": body,
        "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": attributes,
        "md5OfBody": "", "eventSource": "aws:sqs", "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:events",
    })
}

/// Handles a batch and checks the invariants of every batch.
async fn run(batch: Batch, deps: &Deps, invocation: &Invocation) -> (Vec<String>, Outcome) {
    let received = batch.messages.len();
    let (response, outcome): (SqsBatchResponse, Outcome) =
        handle_counted(batch, invocation, deps).await;
    assert_eq!(outcome.total(), received, "{outcome:?}");
    assert_eq!(response.batch_item_failures.len(), outcome.retried);
    let retried = response
        .batch_item_failures
        .into_iter()
        .map(|failure| failure.item_identifier)
        .collect();
    (retried, outcome)
}

fn text<'a>(dead_letter: &'a Message, name: &str) -> Option<&'a str> {
    dead_letter
        .message_attributes()
        .and_then(|attributes| attributes.get(name))
        .and_then(MessageAttributeValue::string_value)
}

/// One body for each code that the validator gives.
fn invalid_bodies() -> Vec<(String, FailureCode)> {
    let with = |name: &str, value: Value| {
        let mut event: Value = serde_json::from_str(&event_body("invalid")).unwrap();
        event[name] = value;
        event.to_string()
    };
    vec![
        ("{\"id\":".to_owned(), FailureCode::NotJson),
        ("[1]".to_owned(), FailureCode::NotAnEvent),
        (
            with("specversion", json!("0.3")),
            FailureCode::UnsupportedSpecversion,
        ),
        (with("id", Value::Null), FailureCode::MissingAttribute),
        (with("source", json!(1)), FailureCode::InvalidAttribute),
        (with("time", json!("noon")), FailureCode::InvalidTime),
        (
            with("data", json!("x".repeat(300_000))),
            FailureCode::TooLarge,
        ),
        (with("data", json!("\0")), FailureCode::RefusedByDatabase),
    ]
}

#[tokio::test]
async fn every_failure_is_a_dead_letter_with_its_code_and_costs_no_neighbour() {
    let place = Place::open().await;
    let invalid = invalid_bodies();
    assert_eq!(
        invalid.iter().map(|(_, code)| *code).collect::<Vec<_>>(),
        FailureCode::ALL
            .into_iter()
            .filter(|code| code.is_of_event())
            .collect::<Vec<_>>()
    );
    let mut bodies: Vec<String> = invalid.iter().map(|(body, _)| body.clone()).collect();
    bodies.insert(0, event_body("first"));
    bodies.insert(4, event_body("middle"));
    bodies.push(event_body("first"));
    bodies.push(event_body("last"));
    let (retried, outcome) = run(batch(&bodies), &place.deps(), &invocation()).await;
    assert!(retried.is_empty());
    assert_eq!(
        (outcome.stored, outcome.duplicates, outcome.dead_lettered),
        (3, 1, 8)
    );
    assert_eq!(place.records().await, 3);
    let dead_letters = place.dead_letters(8).await;
    for (body, code) in &invalid {
        let dead_letter = &dead_letters[body];
        assert_eq!(text(dead_letter, "ErrorCode"), Some(code.as_str()));
        assert_eq!(text(dead_letter, "RequestID"), Some(REQUEST_ID));
        let expected = event::parse_body(body).unwrap_err().attribute_message();
        assert_eq!(text(dead_letter, "ErrorMessage"), Some(expected.as_str()));
    }
    // The same batch again: the stored events are duplicates.
    let (retried, outcome) = run(batch(&bodies), &place.deps(), &invocation()).await;
    assert!(retried.is_empty());
    assert_eq!(
        (outcome.stored, outcome.duplicates, outcome.dead_lettered),
        (0, 4, 8)
    );
}

#[tokio::test]
async fn body_with_characters_that_sqs_refuses_is_a_dead_letter_with_its_reason() {
    let place = Place::open().await;
    let is_white = |c: &char| ['\t', '\n', '\r'].contains(c);
    let refused = (0..0x20).chain([0xfffe, 0xffff]).filter_map(char::from_u32);
    let refused: Vec<char> = refused.filter(|c| !is_white(c)).collect();
    let bodies: Vec<String> = refused
        .iter()
        .map(|c| format!("{{\"id\":\"{c}\""))
        .collect();
    let (retried, outcome) = run(batch(&bodies), &place.deps(), &invocation()).await;
    assert!(retried.is_empty(), "{retried:?}");
    assert_eq!(outcome.dead_lettered, bodies.len());
    let dead_letters = place.dead_letters(bodies.len()).await;
    for c in refused {
        let number = u32::from(c);
        let dead_letter = &dead_letters[&format!("{{\"id\":\"\\u{number:04x}\"")];
        assert_eq!(text(dead_letter, "ErrorCode"), Some("not-json"));
        let reason = text(dead_letter, "ErrorMessage").unwrap();
        assert!(reason.contains(&format!("U+{number:04X}")), "{reason}");
    }
}

/// Adds a rule that only the database has: the validator has every rule of the schema today.
async fn refuse_poison(pool: &PgPool) {
    sqlx::query(
        "alter table records add constraint no_poison check (payload ->> 'id' not like 'poison%')",
    )
    .execute(pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn poison_among_many_costs_no_good_event() {
    let place = Place::open().await;
    refuse_poison(place.database.pool()).await;
    let mut bodies: Vec<String> = (0..1_000).map(|n| event_body(&n.to_string())).collect();
    for (position, id) in [(0, "poison-a"), (500, "poison-b"), (501, "poison-c")] {
        bodies[position] = event_body(id);
    }
    let (retried, outcome) = run(batch(&bodies), &place.deps(), &invocation()).await;
    assert!(retried.is_empty());
    assert_eq!((outcome.stored, outcome.dead_lettered), (997, 3));
    assert_eq!(place.records().await, 997);
    let dead_letters = place.dead_letters(3).await;
    for dead_letter in dead_letters.values() {
        assert_eq!(text(dead_letter, "ErrorCode"), Some("refused-by-database"));
        let message = text(dead_letter, "ErrorMessage").unwrap();
        assert!(
            message.contains("no_poison") && !message.contains("total"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn dead_letters_beyond_the_limits_of_one_call_are_sent_in_several() {
    let place = Place::open().await;
    // Eleven small ones exceed the entries of a call, four large ones its bytes.
    let small = (0..11).map(|number| format!("small {number}"));
    let large = (0..4).map(|number| format!("large {number} {}", "x".repeat(300_000)));
    let bodies: Vec<String> = small.chain(large).collect();
    let (retried, outcome) = run(batch(&bodies), &place.deps(), &invocation()).await;
    assert!(retried.is_empty());
    assert_eq!(outcome.dead_lettered, 15);
    let dead_letters = place.dead_letters(15).await;
    assert!(bodies.iter().all(|body| dead_letters.contains_key(body)));
}

#[tokio::test]
async fn dead_letter_has_the_attributes_of_its_message_and_a_new_reason() {
    let place = Place::open().await;
    let attribute = |kind: &str, value: &str| json!({"dataType": kind, "stringValue": value});
    let attributes = json!({
        "tenant": attribute("String", "a"),
        "weight": attribute("Number", "1.50"),
        "trace": {"dataType": "Binary", "binaryValue": "AP8="},
        "ErrorCode": attribute("String", "too-large"),
        "RequestID": attribute("String", "an-earlier-one"),
    });
    let batch = serde_json::from_value(json!({
        "Records": [record("m0", "not json", attributes)]
    }))
    .unwrap();
    let (retried, outcome) = run(batch, &place.deps(), &invocation()).await;
    assert_eq!((retried.len(), outcome.dead_lettered), (0, 1));
    let dead_letters = place.dead_letters(1).await;
    let dead_letter = &dead_letters["not json"];
    let attributes = dead_letter.message_attributes().unwrap();
    assert_eq!(attributes.len(), 6);
    assert_eq!(text(dead_letter, "ErrorCode"), Some("not-json"));
    assert_eq!(text(dead_letter, "RequestID"), Some(REQUEST_ID));
    assert_eq!(text(dead_letter, "tenant"), Some("a"));
    assert_eq!(attributes["weight"].data_type(), "Number");
    assert_eq!(text(dead_letter, "weight"), Some("1.50"));
    assert_eq!(attributes["trace"].data_type(), "Binary");
    assert_eq!(
        attributes["trace"].binary_value().unwrap().as_ref(),
        [0, 255]
    );
}

#[tokio::test]
async fn message_that_cannot_be_a_dead_letter_is_reported() {
    let place = Place::open().await;
    let full: HashMap<String, Value> = (0..8)
        .map(|n| {
            (
                format!("a{n}"),
                json!({"dataType": "String", "stringValue": "v"}),
            )
        })
        .collect();
    let mut empty = record("m1", "", json!({}));
    empty.as_object_mut().unwrap().remove("body");
    let mut nameless = record("", &event_body("nameless"), json!({}));
    nameless.as_object_mut().unwrap().remove("messageId");
    let batch = serde_json::from_value(json!({"Records": [
        record("m0", "not json", json!(full)),
        empty,
        nameless,
        record("m3", "also not json", json!({})),
    ]}))
    .unwrap();
    let (retried, outcome) = run(batch, &place.deps(), &invocation()).await;
    assert_eq!(retried, ["m0", "m1"]);
    assert_eq!((outcome.stored, outcome.dead_lettered), (1, 1));
    assert_eq!(outcome.codes[&FailureCode::NotJson], 3);
    place.dead_letters(1).await;
}

#[tokio::test]
async fn attributes_that_are_no_object_cost_neither_their_message_nor_its_neighbours() {
    let place = Place::open().await;
    let others = [
        json!(null),
        json!("text"),
        json!(7),
        json!(true),
        json!([{"SentTimestamp": "1"}]),
    ];
    let mut records = vec![record("first", &event_body("first"), json!({}))];
    for (number, other) in others.iter().enumerate() {
        for field in ["attributes", "messageAttributes"] {
            for body in [
                event_body(&format!("{field}{number}")),
                format!("no {field} {number}"),
            ] {
                let mut record = record(&format!("m{}", records.len()), &body, json!({}));
                record[field] = other.clone();
                records.push(record);
            }
        }
    }
    records.push(record("last", &event_body("last"), json!({})));
    let count = records.len();
    // Lambda passes text.
    let text = json!({ "Records": records }).to_string();
    let batch = serde_json::from_str(&text).unwrap();
    let (retried, outcome) = run(batch, &place.deps(), &invocation()).await;
    assert!(retried.is_empty());
    assert_eq!((outcome.stored, outcome.dead_lettered), (12, 10));
    assert_eq!(outcome.total(), count);
    assert_eq!(place.records().await, 12);
    place.dead_letters(10).await;
}

#[tokio::test]
async fn dead_letters_that_cannot_be_sent_are_reported() {
    let place = Place::open().await;
    let bodies = [event_body("good"), "bad".to_owned(), "worse".to_owned()];
    let nowhere = place.queue(format!("{}-none", place.queue_url));
    for dead_letters in [Some(nowhere), None] {
        let deps = Deps {
            log_in: None,
            dead_letters,
            ..place.deps()
        };
        let (retried, outcome) = run(batch(&bodies), &deps, &invocation()).await;
        assert_eq!(retried, ["m1", "m2"]);
        assert_eq!(outcome.stored + outcome.duplicates, 1);
    }
    place.dead_letters(0).await;
}

#[tokio::test]
async fn event_inside_an_envelope_is_stored() {
    let place = Place::open().await;
    let envelope = json!({
        "Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:us-east-1:0:events",
        "Message": event_body("inside"), "Timestamp": "2026-11-24T12:00:00.000Z",
    });
    let bodies = [envelope.to_string(), event_body("inside")];
    let (_, outcome) = run(batch(&bodies), &place.deps(), &invocation()).await;
    assert_eq!((outcome.stored, outcome.duplicates), (1, 1));
}

#[tokio::test]
async fn unavailable_database_costs_no_message() {
    let place = Place::open().await;
    let away = store::connect_lazy(&store::ConnectSettings {
        acquire_timeout: Duration::from_millis(200),
        // Nothing listens on port 1.
        ..store::ConnectSettings::new("postgres://127.0.0.1:1/away", "test")
    })
    .unwrap();
    let deps = Deps {
        log_in: None,
        pool: away,
        ..place.deps()
    };
    let bodies = [event_body("a"), "bad".to_owned(), event_body("b")];
    // The write is retried until the write deadline.
    let short = Invocation::new(REQUEST_ID.to_owned(), Duration::from_secs(2));
    let (retried, outcome) = run(batch(&bodies), &deps, &short).await;
    assert_eq!(retried, ["m0", "m2"]);
    assert_eq!(outcome.dead_lettered, 1);
    place.dead_letters(1).await;
    let (retried, outcome) = run(batch(&bodies), &place.deps(), &invocation()).await;
    assert!(retried.is_empty());
    assert_eq!(outcome.stored, 2);
}

#[tokio::test]
async fn invocation_responds_before_its_deadline_whatever_the_database_does() {
    let place = Place::open().await;
    let mut blocker = place.database.pool().begin().await.unwrap();
    sqlx::query("lock table event_identities in access exclusive mode")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let invocation = Invocation::new(REQUEST_ID.to_owned(), Duration::from_secs(4));
    let bodies = [event_body("a"), "bad".to_owned()];
    let (retried, outcome) = run(batch(&bodies), &place.deps(), &invocation).await;
    assert!(Instant::now() < invocation.deadline);
    assert_eq!(retried, ["m0"]);
    assert_eq!(outcome.dead_lettered, 1);

    // Without time everything is reported and nothing is written.
    let invocation = Invocation::new(REQUEST_ID.to_owned(), Duration::ZERO);
    let (retried, _) = run(batch(&bodies), &place.deps(), &invocation).await;
    assert_eq!(retried, ["m0", "m1"]);
    blocker.rollback().await.unwrap();
}

#[tokio::test]
async fn event_before_the_horizon_is_done_without_being_stored() {
    let place = Place::open().await;
    let bodies = [event_body("a"), event_body("b"), "bad".to_owned()];
    let (_, outcome) = run(batch(&bodies[..1]), &place.deps(), &invocation()).await;
    assert_eq!((outcome.stored, outcome.expired), (1, 0));
    sqlx::query("update retention set horizon = '2026-11-24 12:00:00.000001+00'")
        .execute(place.database.pool())
        .await
        .unwrap();
    let (retried, outcome) = run(batch(&bodies), &place.deps(), &invocation()).await;
    assert!(retried.is_empty());
    assert_eq!(
        (
            outcome.stored,
            outcome.duplicates,
            outcome.expired,
            outcome.dead_lettered
        ),
        (0, 0, 2, 1)
    );
    assert_eq!(place.records().await, 1);
    place.dead_letters(1).await;
}

#[tokio::test]
async fn empty_batch_has_a_response() {
    let place = Place::open().await;
    let (retried, outcome) = run(batch(&[]), &place.deps(), &invocation()).await;
    assert!(retried.is_empty());
    assert_eq!(outcome, Outcome::default());
}

#[tokio::test]
async fn report_has_the_counts_of_a_batch_and_nothing_of_its_content() {
    const MARKER: &str = "never-to-be-logged";
    let place = Place::open().await;
    let trace = |digit: &str| format!("00-{}-00f067aa0ba902b7-01", digit.repeat(32));
    let traced = |id: &str, trace: &str| {
        let mut event: Value = serde_json::from_str(&event_body(id)).unwrap();
        event["traceparent"] = json!(trace);
        event["data"] = json!(MARKER);
        event
    };
    let mut invalid = traced(MARKER, &trace("b"));
    invalid["time"] = json!(MARKER);
    // One trace twice, one of an invalid event, and an invalid trace, whose event is stored.
    let bodies = [
        traced("a", &trace("a")).to_string(),
        traced("b", &trace("a")).to_string(),
        traced("c", "00-nonsense").to_string(),
        traced("a", &trace("a")).to_string(),
        invalid.to_string(),
        MARKER.to_owned(),
    ];
    let now = SystemTime::now();
    let mut batch = batch(&bodies);
    for (message, age_ms) in batch.messages.iter_mut().zip([9_000, 5_000, 7_000, 90_000]) {
        let sent = now.duration_since(UNIX_EPOCH).unwrap() - Duration::from_millis(age_ms);
        let attributes = json!({"SentTimestamp": sent.as_millis().to_string()});
        message.attributes = serde_json::from_value(attributes).unwrap();
    }
    let invocation = invocation();
    let (_, report) = handle_reported(batch, &invocation, &place.deps()).await;
    let outcome = &report.outcome;
    assert_eq!(
        (outcome.stored, outcome.duplicates, outcome.dead_lettered),
        (3, 1, 2)
    );
    assert_eq!(place.records().await, 3);
    let lag = report.lag.unwrap();
    // SQS cuts the time of a message to milliseconds.
    let elapsed = now.elapsed().unwrap() + Duration::from_millis(1);
    assert!(
        lag.p50 >= Duration::from_secs(7) && lag.p50 <= Duration::from_secs(7) + elapsed,
        "of what was stored, not of the duplicate: {lag:?}"
    );
    assert_eq!((lag.max - lag.p50).as_secs(), 2);
    let database = report.database.unwrap();
    assert!(database > Duration::ZERO && database <= report.duration);

    let line = report.line(&invocation, SystemTime::now());
    assert!(!line.contains(MARKER) && !line.contains("/tests"), "{line}");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["traces"], 2);
    assert_eq!(
        line["failed_traces"],
        json!([{"code": "invalid-time", "trace_id": "b".repeat(32)}])
    );
    place.dead_letters(2).await;
}

#[tokio::test]
async fn only_an_event_that_was_stored_more_than_a_minute_after_its_publish_is_late() {
    let place = Place::open().await;
    let mut batch = batch(&["early", "late", "unknown"].map(event_body));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    for (message, age_secs) in batch.messages.iter_mut().zip([1, 61]) {
        let sent = now - Duration::from_secs(age_secs);
        let attributes = json!({"SentTimestamp": sent.as_millis().to_string()});
        message.attributes = serde_json::from_value(attributes).unwrap();
    }
    let (_, report) = handle_reported(batch, &invocation(), &place.deps()).await;
    assert_eq!((report.outcome.stored, report.late), (3, 1));
}

#[tokio::test]
async fn batch_that_could_not_be_written_has_no_lag() {
    let place = Place::open().await;
    let invocation = Invocation::new(REQUEST_ID.to_owned(), Duration::ZERO);
    let batch = batch(&[event_body("a")]);
    let (_, report) = handle_reported(batch, &invocation, &place.deps()).await;
    assert_eq!((report.outcome.retried, report.lag), (1, None));
}
