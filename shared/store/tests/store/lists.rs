use std::time::Duration;

use event::{Page, Record, RecordId, RecordQuery};
use store::{PAGE_BYTES_MAX, PgPool, SAME_ID_MAX, StoreError, list_records, write_batch};

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

#[tokio::test]
async fn record_that_is_larger_than_a_page_does_not_end_the_list() {
    let database = migrated().await;
    let pool = database.pool();
    // The validator refuses such an event; a person may have inserted one.
    sqlx::query(
        "insert into records (record_id, source, id, type, occurred_at, payload)
         select n, 's', n::text, 't', $1, jsonb_build_object('data', repeat('x', 3000000))
         from generate_series(1, 3) as n",
    )
    .bind(at(NOON))
    .execute(pool)
    .await
    .unwrap();
    let pages = walk(pool, RecordQuery::default()).await;
    let bytes = pages[0].items[0].payload.get().len();
    assert!(bytes > PAGE_BYTES_MAX, "{bytes}");
    assert_eq!(ids(&pages).len(), 3);
}

#[tokio::test]
async fn id_that_too_many_sources_share_is_refused_until_the_source_is_given() {
    let database = migrated().await;
    let pool = database.pool();
    let sources: Vec<String> = (0..=SAME_ID_MAX)
        .map(|number| format!("/{number}"))
        .collect();
    let events: Vec<_> = sources
        .iter()
        .map(|source| event_from(source, "same", "t", at(NOON)))
        .collect();
    let query = RecordQuery {
        id: Some("same".to_owned()),
        limit: 500,
        ..RecordQuery::default()
    };
    write_batch(pool, &events[1..]).await.unwrap();
    assert_eq!(ids(&walk(pool, query.clone()).await).len(), SAME_ID_MAX);
    write_batch(pool, &events).await.unwrap();
    let error = list_records(pool, &query).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::TooBroad {
                parameter: "source",
                ..
            }
        ),
        "{error:?}"
    );
    let query = RecordQuery {
        source: Some("/7".to_owned()),
        ..query
    };
    assert_eq!(list_records(pool, &query).await.unwrap().items.len(), 1);
}
