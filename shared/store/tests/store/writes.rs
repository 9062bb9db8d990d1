use std::collections::HashSet;

use event::{Event, EventKey, RecordId};
use store::{Written, get_record, stored_keys, write_batch};

use crate::events::{at, count, event, event_from, migrated};

const NOON: &str = "2026-11-24T12:00:00Z";

fn stored_ids(written: &[Written]) -> Vec<RecordId> {
    written
        .iter()
        .filter_map(|one| match one {
            Written::Stored(record_id) => Some(*record_id),
            Written::Duplicate | Written::Expired => None,
        })
        .collect()
}

#[tokio::test]
async fn event_is_stored_once_however_often_it_is_written() {
    let database = migrated().await;
    let pool = database.pool();
    let events = [event("b", "t", at(NOON)), event("a", "t", at(NOON))];
    let first = write_batch(pool, &events).await.unwrap();
    assert_eq!(stored_ids(&first).len(), 2);
    let second = write_batch(pool, &events).await.unwrap();
    assert_eq!(second, [Written::Duplicate, Written::Duplicate]);
    let mixed = [event("a", "t", at(NOON)), event("c", "t", at(NOON))];
    let third = write_batch(pool, &mixed).await.unwrap();
    assert!(matches!(
        third[..],
        [Written::Duplicate, Written::Stored(_)]
    ));
    assert_eq!(count(pool, "records").await, 3);
    assert_eq!(count(pool, "event_identities").await, 3);
    assert!(write_batch(pool, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn result_is_parallel_to_the_input_and_record_is_as_it_was_written() {
    let database = migrated().await;
    let pool = database.pool();
    // Not in the order of their keys.
    let events: Vec<Event<'_>> = ["9", "1", "5", "3"]
        .map(|id| event(id, &format!("type.{id}"), at(NOON)))
        .to_vec();
    let written = write_batch(pool, &events).await.unwrap();
    for (event, written) in events.iter().zip(&written) {
        let Written::Stored(record_id) = written else {
            panic!("{event:?} is no duplicate");
        };
        let record = get_record(pool, *record_id).await.unwrap().unwrap();
        assert_eq!(record.id, event.id);
        assert_eq!(record.source, event.source);
        assert_eq!(record.event_type, event.event_type);
        assert_eq!(record.subject, None);
        assert_eq!(record.occurred_at, event.time);
        let expected: serde_json::Value = serde_json::from_str(&event.json).unwrap();
        let payload: serde_json::Value = serde_json::from_str(record.payload.get()).unwrap();
        assert_eq!(payload, expected);
    }
    assert_eq!(get_record(pool, RecordId(999)).await.unwrap(), None);
}

#[tokio::test]
async fn first_of_several_events_with_one_key_in_a_batch_is_stored() {
    let database = migrated().await;
    let pool = database.pool();
    let events = [
        event("x", "first", at(NOON)),
        event("x", "second", at(NOON)),
        event_from("/others", "x", "other", at(NOON)),
        event("x", "third", at("2020-01-01T00:00:00Z")),
    ];
    let written = write_batch(pool, &events).await.unwrap();
    let [
        Written::Stored(first),
        Written::Duplicate,
        Written::Stored(_),
        Written::Duplicate,
    ] = written[..]
    else {
        panic!("{written:?}");
    };
    let record = get_record(pool, first).await.unwrap().unwrap();
    assert_eq!(record.event_type, "first");
    assert_eq!(count(pool, "records").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_batches_store_each_event_exactly_once() {
    const WRITERS: usize = 8;
    const BATCHES: usize = 12;
    const KEYS: usize = 150;
    let database = migrated().await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let pool = database.pool().clone();
        writers.spawn(async move {
            let mut stored = Vec::new();
            for batch in 0..BATCHES {
                // All writers write the same keys, each in a different order.
                let step = [7, 11, 13, 17, 19, 23, 29, 31][writer];
                let events: Vec<Event<'_>> = (0..KEYS)
                    .map(|place| format!("{batch}-{}", place * step % KEYS))
                    .map(|id| event(&id, "t", at(NOON)))
                    .collect();
                stored.extend(stored_ids(&write_batch(&pool, &events).await.unwrap()));
            }
            stored
        });
    }
    let stored: Vec<RecordId> = writers.join_all().await.concat();
    let distinct: HashSet<RecordId> = stored.iter().copied().collect();
    assert_eq!(stored.len(), BATCHES * KEYS);
    assert_eq!(distinct.len(), BATCHES * KEYS);
    let records = count(database.pool(), "records").await;
    assert_eq!(usize::try_from(records).unwrap(), BATCHES * KEYS);
    assert_eq!(count(database.pool(), "event_identities").await, records);
}

#[tokio::test]
async fn ledger_contains_what_was_stored_and_nothing_else() {
    let database = migrated().await;
    let pool = database.pool();
    let stored = event("a", "t", at(NOON));
    let written = write_batch(pool, std::slice::from_ref(&stored))
        .await
        .unwrap();
    let unknown = EventKey {
        source: "/tests".to_owned(),
        id: "b".to_owned(),
    };
    let keys = [stored.key(), unknown, stored.key()];
    let known = stored_keys(pool, &keys).await.unwrap();
    assert_eq!(known.len(), 1);
    let found = known[&stored.key()];
    assert_eq!(written, [Written::Stored(found.record_id)]);
    assert_eq!(found.occurred_at, stored.time);
    assert!(stored_keys(pool, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn extreme_times_are_stored_as_they_are() {
    let database = migrated().await;
    let pool = database.pool();
    let times = [
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "2016-12-31T23:59:60Z",
        "1969-12-31T23:59:59.999999-12:00",
    ];
    for (number, time) in times.iter().enumerate() {
        let json = format!(
            r#"{{"specversion":"1.0","id":"{number}","source":"s","type":"t","time":"{time}"}}"#
        );
        let event = event::parse_event(&json).unwrap();
        let written = write_batch(pool, std::slice::from_ref(&event))
            .await
            .unwrap();
        let [Written::Stored(record_id)] = written[..] else {
            panic!("{time}: {written:?}");
        };
        let record = get_record(pool, record_id).await.unwrap().unwrap();
        assert_eq!(
            record.occurred_at.timestamp_micros(),
            event.time.timestamp_micros(),
            "{time}"
        );
    }
}
