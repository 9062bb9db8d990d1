//! Batches that are malformed, large, mixed or handled twice at once.

use ingest::{Batch, Invocation, Outcome, handle_counted};
use serde_json::{Value, json};

use crate::fixture::{Fixture, LIMIT, deliver_only};
use crate::messages::{Given, empty, envelope, good, good_with, invalid, numbered, poison};

#[tokio::test]
async fn malformed_messages_are_reported_and_cost_no_neighbour() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    let given = numbered([
        good("a"),
        empty(),
        good("b").with_attributes(Value::Null),
        invalid("c").with_attributes(Value::Null),
        empty(),
    ]);
    let outcome = fixture.deliver_and_redeliver(&given, &deps, LIMIT).await;
    assert_eq!(
        (outcome.stored, outcome.dead_lettered, outcome.retried),
        (2, 1, 2)
    );
}

#[tokio::test]
async fn batch_without_messages_or_of_messages_without_anything_is_answered() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    let answer = async |batch: Value| {
        let batch: Batch = serde_json::from_value(batch).unwrap();
        let invocation = Invocation::new("request".to_owned(), LIMIT);
        let (response, outcome) = handle_counted(batch, &invocation, &deps).await;
        let ids = response.batch_item_failures.into_iter();
        let ids: Vec<String> = ids.map(|failure| failure.item_identifier).collect();
        (ids, outcome)
    };
    let (ids, outcome) = answer(json!({"Records": []})).await;
    assert_eq!((ids.len(), outcome), (0, Outcome::default()));
    // An empty id has SQS deliver the whole batch again.
    let nothing = json!({"messageId": null, "body": null, "attributes": null});
    let (ids, outcome) = answer(json!({"Records": [{}, nothing]})).await;
    assert_eq!((ids, outcome.retried), (vec![String::new(); 2], 2));
}

/// This many attributes, of all types.
fn attributes(count: usize) -> Value {
    let attributes = (0..count).map(|number| {
        let value = match number % 3 {
            0 => json!({"dataType": "String", "stringValue": format!("text {number}")}),
            1 => json!({"dataType": "Number.float", "stringValue": "1.50"}),
            _ => json!({"dataType": "Binary", "binaryValue": "AP8="}),
        };
        (format!("own{number}"), value)
    });
    Value::Object(attributes.collect())
}

#[tokio::test]
async fn attributes_are_kept_with_their_types_or_the_message_is_reported() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    let mut given: Vec<Given> = (7..=10)
        .flat_map(|count| {
            let bad = invalid(count).with_attributes(attributes(count));
            [bad, good(count).with_attributes(attributes(count))]
        })
        .collect();
    for given in given
        .iter_mut()
        .skip(1)
        .filter(|given| given.body.starts_with("no event"))
    {
        given.end = empty().end;
    }
    let given = numbered(given);
    let outcome = fixture.deliver_and_redeliver(&given, &deps, LIMIT).await;
    assert_eq!(
        (outcome.stored, outcome.dead_lettered, outcome.retried),
        (4, 1, 3)
    );
    let dead_letters = fixture.dead_letters().await;
    let kept = dead_letters[&given[0].body][0]
        .message_attributes()
        .unwrap();
    assert_eq!(kept.len(), 10);
    for (name, value) in attributes(7).as_object().unwrap() {
        assert_eq!(value["dataType"], kept[name].data_type());
        assert_eq!(value["stringValue"].as_str(), kept[name].string_value());
        let bytes = kept[name]
            .binary_value()
            .map(|value| value.as_ref().to_vec());
        assert_eq!(bytes, value["binaryValue"].as_str().map(|_| vec![0, 255]));
    }
}

#[tokio::test]
async fn six_megabytes_are_one_batch() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    let data = json!("x".repeat(1_470));
    let given = numbered((0..3_900).map(|number| good_with(number, &data)));
    let bytes: usize = given.iter().map(|given| given.body.len()).sum();
    assert!(bytes > 6_000_000, "{bytes}");
    let outcome = fixture.deliver_and_redeliver(&given, &deps, LIMIT).await;
    assert_eq!(outcome.stored, 3_900);
}

#[tokio::test]
async fn ten_thousand_messages_are_one_batch() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    let given = numbered((0..10_000).map(|number| match number {
        5_000 => poison(number),
        7_000 => invalid(number),
        _ => good(number % 9_000),
    }));
    let outcome = fixture.deliver_and_redeliver(&given, &deps, LIMIT).await;
    assert_eq!(outcome.stored + outcome.duplicates, 9_998);
    assert_eq!((outcome.stored, outcome.dead_lettered), (8_998, 2));
}

#[tokio::test]
async fn raw_events_and_envelopes_of_the_same_are_stored_once() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    let given = numbered((0..60).map(|number| match number % 3 {
        0 => good(number / 2),
        1 => envelope(number / 2),
        _ => invalid(number),
    }));
    let outcome = fixture.deliver_and_redeliver(&given, &deps, LIMIT).await;
    assert_eq!((outcome.dead_lettered, outcome.retried), (20, 0));
    assert!(outcome.duplicates > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_functions_on_the_same_events_store_each_once() {
    let fixture = Fixture::open().await;
    let (one, other) = (fixture.deps().await, fixture.deps().await);
    let given = numbered((0..600).map(good).chain([poison("a"), invalid("b")]));
    // They overlap, and stand in opposite order.
    for round in 0..5 {
        let start = round * 100;
        let mut first: Vec<Given> = given[start..start + 150].to_vec();
        let second: Vec<Given> = given[start + 50..start + 100]
            .iter()
            .rev()
            .cloned()
            .collect();
        first.extend_from_slice(&given[600..]);
        let (first_delivery, second_delivery) = tokio::join!(
            deliver_only(&first, &one, LIMIT),
            deliver_only(&second, &other, LIMIT),
        );
        assert_eq!(
            first_delivery.outcome.retried + second_delivery.outcome.retried,
            0
        );
    }
    fixture.deliver_and_redeliver(&given, &one, LIMIT).await;
}
