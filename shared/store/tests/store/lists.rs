use std::time::Duration;

use chrono::TimeDelta;
use event::{Event, Order, Page, Record, RecordId, RecordQuery};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use store::{PAGE_BYTES_MAX, PgPool, list_records, write_batch};

use crate::events::{at, event_from, migrated};

const NOON: &str = "2026-11-24T12:00:00Z";
const PAGES_MAX: usize = 1_000;

/// Reads all pages of a list.
async fn walk(pool: &PgPool, mut query: RecordQuery) -> Vec<Page<Record>> {
    let mut pages = Vec::new();
    while pages.len() < PAGES_MAX {
        let page = list_records(pool, &query).await.unwrap();
        query.cursor = page.next_cursor;
        pages.push(page);
        if query.cursor.is_none() {
            return pages;
        }
    }
    panic!("the list does not end");
}

fn ids(pages: &[Page<Record>]) -> Vec<RecordId> {
    pages
        .iter()
        .flat_map(|page| page.items.iter().map(|record| record.record_id))
        .collect()
}

#[derive(Clone, Debug)]
struct Case {
    /// Seconds after noon, type and source of each event: many of them equal.
    events: Vec<(i64, u8, u8)>,
    limit: u16,
    order: Order,
    event_type: Option<u8>,
    source: Option<u8>,
    from: Option<i64>,
    to: Option<i64>,
}

fn case() -> impl Strategy<Value = Case> {
    (
        prop::collection::vec((-3_i64..3, 0_u8..3, 0_u8..2), 0..40),
        1_u16..12,
        prop::sample::select(vec![Order::Asc, Order::Desc]),
        prop::option::of(0_u8..3),
        prop::option::of(0_u8..2),
        prop::option::of(-3_i64..0),
        prop::option::of(0_i64..3),
    )
        .prop_map(
            |(events, limit, order, event_type, source, from, to)| Case {
                events,
                limit,
                order,
                event_type,
                source,
                from,
                to,
            },
        )
}

impl Case {
    fn query(&self) -> RecordQuery {
        let time = |days: i64| at(NOON) + TimeDelta::days(days);
        RecordQuery {
            event_type: self.event_type.map(|number| format!("type.{number}")),
            source: self.source.map(|number| format!("/source/{number}")),
            from: self.from.map(time),
            to: self.to.map(time),
            order: self.order,
            limit: self.limit,
            ..RecordQuery::default()
        }
    }

    fn selects(&self, (day, event_type, source): (i64, u8, u8)) -> bool {
        self.event_type.is_none_or(|wanted| wanted == event_type)
            && self.source.is_none_or(|wanted| wanted == source)
            && self.from.is_none_or(|from| day >= from)
            && self.to.is_none_or(|to| day < to)
    }
}

#[test]
fn pages_neither_skip_nor_repeat_and_keep_the_order() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(migrated());
    let pool = database.pool();
    // Some days have a partition, the others are in the default one.
    let plan = store::PartitionPlan {
        width: store::PartitionWidth::Day,
        ahead: 1,
        keep: None,
    };
    runtime
        .block_on(store::keep_partitions(pool, &plan, at(NOON)))
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 120,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&case(), |case| {
            let pages = runtime.block_on(async {
                sqlx::query("truncate records, event_identities")
                    .execute(pool)
                    .await
                    .unwrap();
                let events: Vec<Event<'_>> = case
                    .events
                    .iter()
                    .enumerate()
                    .map(|(number, (day, event_type, source))| {
                        event_from(
                            &format!("/source/{source}"),
                            &number.to_string(),
                            &format!("type.{event_type}"),
                            at(NOON) + TimeDelta::days(*day),
                        )
                    })
                    .collect();
                write_batch(pool, &events).await.unwrap();
                walk(pool, case.query()).await
            });
            let found: Vec<Record> = pages.iter().flat_map(|page| page.items.clone()).collect();
            let expected = case
                .events
                .iter()
                .filter(|event| case.selects(**event))
                .count();
            prop_assert_eq!(found.len(), expected);
            for pair in found.windows(2) {
                let key = |record: &Record| (record.occurred_at, record.record_id);
                let is_ordered = match case.order {
                    Order::Asc => key(&pair[0]) < key(&pair[1]),
                    Order::Desc => key(&pair[0]) > key(&pair[1]),
                };
                prop_assert!(is_ordered, "{:?}", pair);
            }
            for page in pages.iter().rev().skip(1) {
                prop_assert_eq!(page.items.len(), usize::from(case.limit));
            }
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn event_is_found_by_its_id_alone_or_with_its_source() {
    let database = migrated().await;
    let pool = database.pool();
    let events = [
        event_from("/a", "same", "t", at(NOON)),
        event_from("/b", "same", "t", at("2020-01-01T00:00:00Z")),
        event_from("/a", "other", "t", at(NOON)),
    ];
    write_batch(pool, &events).await.unwrap();
    let query = RecordQuery {
        id: Some("same".to_owned()),
        ..RecordQuery::default()
    };
    let both = list_records(pool, &query).await.unwrap();
    let sources: Vec<&str> = both.items.iter().map(|one| one.source.as_str()).collect();
    assert_eq!(sources, ["/a", "/b"], "newest first");
    let query = RecordQuery {
        source: Some("/b".to_owned()),
        ..query
    };
    let one = list_records(pool, &query).await.unwrap();
    assert_eq!(one.items.len(), 1);
    let query = RecordQuery {
        from: Some(at("2021-01-01T00:00:00Z")),
        ..query
    };
    assert!(list_records(pool, &query).await.unwrap().items.is_empty());
    let paged = RecordQuery {
        id: Some("same".to_owned()),
        limit: 1,
        ..RecordQuery::default()
    };
    assert_eq!(ids(&walk(pool, paged).await).len(), 2);
}

#[tokio::test]
async fn subject_is_a_filter() {
    let database = migrated().await;
    let pool = database.pool();
    let mut with_subject = event_from("/a", "1", "t", at(NOON));
    with_subject.subject = Some("order/1".into());
    write_batch(pool, &[with_subject, event_from("/a", "2", "t", at(NOON))])
        .await
        .unwrap();
    let query = RecordQuery {
        subject: Some("order/1".to_owned()),
        ..RecordQuery::default()
    };
    let page = list_records(pool, &query).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].subject.as_deref(), Some("order/1"));
}

#[tokio::test]
async fn page_of_large_records_ends_early_and_the_walk_still_finds_all() {
    const COUNT: usize = 14;
    let database = migrated().await;
    let pool = database.pool();
    let filling = "x".repeat(250_000);
    for number in 0..COUNT {
        let json = format!(
            r#"{{"specversion":"1.0","id":"{number}","source":"s","type":"t","time":"{NOON}","data":"{filling}"}}"#
        );
        let event = event::parse_event(&json).unwrap();
        write_batch(pool, &[event]).await.unwrap();
    }
    let pages = tokio::time::timeout(Duration::from_secs(60), walk(pool, RecordQuery::default()))
        .await
        .unwrap();
    assert!(pages.len() > 1);
    assert_eq!(ids(&pages).len(), COUNT);
    for page in &pages {
        let bytes: usize = page.items.iter().map(|one| one.payload.get().len()).sum();
        assert!(bytes <= PAGE_BYTES_MAX, "{bytes}");
    }
}
