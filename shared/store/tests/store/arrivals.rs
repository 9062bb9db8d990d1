use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use event::{Event, RecordId};
use proptest::prelude::*;
use store::{
    ARRIVALS_MAX, PAGE_BYTES_MAX, PgPool, Written, arrival_watermark, records_after, write_batch,
};
use tokio::time::{Duration, Instant};

use crate::events::{at, event, migrated};

const NOON: &str = "2026-11-24T12:00:00Z";
/// Longer than anything takes, so that a test that reaches it fails clearly.
const BLOCKED_LIMIT: Duration = Duration::from_secs(60);

/// Reads to the end of the feed; returns the ids of the events, and where it continues.
async fn read_on(pool: &PgPool, mut after: RecordId, limit: u16) -> (Vec<String>, RecordId) {
    let mut ids = Vec::new();
    loop {
        let page = records_after(pool, after, limit).await.unwrap();
        assert!(page.items.len() <= usize::from(limit));
        assert!(page.items.is_sorted_by_key(|record| record.record_id));
        for record in &page.items {
            assert!(record.record_id > after && record.record_id <= page.next_after);
        }
        assert!(page.next_after >= after, "the feed goes back");
        assert!(
            page.next_after > after || !page.has_more,
            "the feed stands still"
        );
        after = page.next_after;
        ids.extend(page.items.into_iter().map(|record| record.id));
        if !page.has_more {
            return (ids, after);
        }
    }
}

/// Waits until so many statements of this database wait for another transaction.
pub(crate) async fn wait_until_blocked(pool: &PgPool, sessions: i64) {
    let deadline = Instant::now() + BLOCKED_LIMIT;
    loop {
        let is_blocked: bool = sqlx::query_scalar(
            "select count(*) >= $1 from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'",
        )
        .bind(sessions)
        .fetch_one(pool)
        .await
        .unwrap();
        if is_blocked {
            return;
        }
        assert!(Instant::now() < deadline, "nobody waits");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn feed_stops_before_a_write_that_is_open_and_misses_nothing_afterwards() {
    let database = migrated().await;
    let pool = database.pool();
    assert_eq!(arrival_watermark(pool).await.unwrap(), RecordId(0));
    let named = |names: &[&str]| -> Vec<Event<'static>> {
        names
            .iter()
            .map(|name| event(name, "t", at(NOON)))
            .collect()
    };
    // Also the very first ids of the sequence.
    for round in ["first", "second"] {
        let before = arrival_watermark(pool).await.unwrap();
        let name = |name: &str| format!("{round}-{name}");
        let mut blocker = pool.begin().await.unwrap();
        sqlx::query(
            "insert into event_identities (identity, record_id, occurred_at)
             values (event_identity('/tests', $1), -1, now())",
        )
        .bind(name("contested"))
        .execute(&mut *blocker)
        .await
        .unwrap();
        let slow = {
            let pool = pool.clone();
            let names = [
                name("a"),
                name("b"),
                name("c"),
                name("d"),
                name("contested"),
            ];
            tokio::spawn(async move {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let events: Vec<_> = names
                    .iter()
                    .map(|name| event(name, "t", at(NOON)))
                    .collect();
                write_batch(&pool, &events).await.unwrap()
            })
        };
        wait_until_blocked(pool, 1).await;
        let fast = write_batch(pool, &named(&[&name("fast")])).await.unwrap();
        assert!(matches!(fast[..], [Written::Stored(_)]));
        assert!(arrival_watermark(pool).await.unwrap() <= before);
        let (seen, after) = read_on(pool, before, 10).await;
        assert_eq!(seen, Vec::<String>::new());

        blocker.rollback().await.unwrap();
        let slow = slow.await.unwrap();
        let record_ids = slow.iter().map(|one| match one {
            Written::Stored(record_id) => *record_id,
            Written::Duplicate | Written::Expired => panic!("{slow:?}"),
        });
        assert!(record_ids.min().unwrap() > before);
        let (mut seen, _) = read_on(pool, after, 4).await;
        assert_eq!(seen.pop(), Some(name("fast")));
        seen.sort_unstable();
        let expected = ["a", "b", "c", "contested", "d"].map(name);
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn page_ends_at_its_bytes_and_the_next_one_continues() {
    let database = migrated().await;
    let pool = database.pool();
    let filling = "x".repeat(200_000);
    let bodies: Vec<String> = (0..40)
        .map(|number| {
            format!(
                r#"{{"specversion":"1.0","id":"{number}","source":"s","type":"t","time":"{NOON}","data":"{filling}"}}"#
            )
        })
        .collect();
    let events: Vec<_> = bodies
        .iter()
        .map(|body| event::parse_event(body).unwrap())
        .collect();
    write_batch(pool, &events).await.unwrap();
    let page = records_after(pool, RecordId(0), ARRIVALS_MAX)
        .await
        .unwrap();
    let bytes: usize = page
        .items
        .iter()
        .map(|record| record.payload.get().len())
        .sum();
    assert!(page.has_more);
    assert!(
        bytes > PAGE_BYTES_MAX && bytes < PAGE_BYTES_MAX + 2 * filling.len(),
        "{bytes}"
    );
    let (ids, _) = read_on(pool, RecordId(0), ARRIVALS_MAX).await;
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert_eq!((ids.len(), distinct.len()), (40, 40));
}

#[tokio::test]
async fn ids_without_a_record_are_skipped() {
    let database = migrated().await;
    let pool = database.pool();
    let events: Vec<_> = (0..30)
        .map(|n| event(&n.to_string(), "t", at(NOON)))
        .collect();
    write_batch(pool, &events).await.unwrap();
    sqlx::query("delete from records where record_id % 10 <> 7 and record_id < 25")
        .execute(pool)
        .await
        .unwrap();
    for limit in [1, 3, 5, 30, 100] {
        let (ids, after) = read_on(pool, RecordId(0), limit).await;
        assert_eq!(ids.len(), 8, "{limit}");
        assert_eq!(after, arrival_watermark(pool).await.unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn feed_has_each_record_once_whatever_is_written_beside_it(
        writers in 2_usize..6,
        sizes in prop::collection::vec(1_usize..40, 4..12),
        limit in 1_u16..60,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let database = migrated().await;
            let pool = database.pool();
            let left = Arc::new(AtomicUsize::new(writers));
            for writer in 0..writers {
                let (pool, sizes, left) = (pool.clone(), sizes.clone(), Arc::clone(&left));
                tokio::spawn(async move {
                    for (number, size) in sizes.iter().enumerate() {
                        let name = |n: usize| format!("{writer}-{number}-{n}");
                        // The last event of each batch is one that all writers write.
                        let mut events: Vec<_> =
                            (1..*size).map(|n| event(&name(n), "t", at(NOON))).collect();
                        events.push(event(&format!("all-{number}"), "t", at(NOON)));
                        write_batch(&pool, &events).await.unwrap();
                    }
                    left.fetch_sub(1, Ordering::SeqCst);
                });
            }
            let (mut seen, mut after) = (Vec::new(), RecordId(0));
            loop {
                let are_all_done = left.load(Ordering::SeqCst) == 0;
                let (ids, next) = read_on(pool, after, limit).await;
                seen.extend(ids);
                after = next;
                if are_all_done {
                    break;
                }
            }
            let expected = writers * sizes.iter().map(|size| size - 1).sum::<usize>() + sizes.len();
            let distinct: BTreeSet<&String> = seen.iter().collect();
            assert_eq!((seen.len(), distinct.len()), (expected, expected));
        });
    }
}
