//! The move of the ledger from `event_keys` to `event_identities`.

use std::borrow::Cow;

use devstack::TestDatabase;
use event::{Event, RecordId};
use sqlx::migrate::Migrator;
use store::{
    MIGRATOR, PgPool, Written, arrival_watermark, get_record, migrate, stored_keys, write_batch,
};

use crate::events::{at, count, event};
use crate::rollup::assert_counts_fit;

const NOON: &str = "2026-11-24T12:00:00Z";
/// The migrations before the one that creates `event_identities`.
const EARLIER: usize = 4;

/// The statement with which the earlier version of the ingest writes.
const EARLIER_STATEMENT: &str = "
with input as materialized (
    select nextval('event_keys_record_id_seq') as record_id, source, id, occurred_at, position
    from unnest($1::text[], $2::text[], $5::timestamptz[])
        with ordinality as columns (source, id, occurred_at, position)
), keys as (
    insert into event_keys (record_id, source, id, occurred_at)
    overriding system value
    select record_id, source, id, occurred_at from input order by position
    on conflict (id, source) do nothing
    returning record_id
), fresh as (
    select record_id, source, id, occurred_at, position from keys join input using (record_id)
), stored as (
    insert into records (record_id, source, id, type, subject, occurred_at, payload)
    select record_id, source, id, type, subject, occurred_at, payload::jsonb
    from unnest($3::text[], $4::text[], $6::text[])
        with ordinality as columns (type, subject, payload, position)
    join fresh using (position)
)
select array_agg(position), array_agg(record_id) from fresh";

/// A database of the earlier version.
async fn earlier() -> TestDatabase {
    let database = TestDatabase::create().await.unwrap();
    let migrations: Vec<_> = MIGRATOR.iter().take(EARLIER).cloned().collect();
    let earlier = Migrator {
        migrations: Cow::Owned(migrations),
        ..Migrator::DEFAULT
    };
    earlier.run(database.pool()).await.unwrap();
    database
}

fn batch(ids: &[String]) -> Vec<Event<'static>> {
    ids.iter().map(|id| event(id, "t", at(NOON))).collect()
}

fn ids(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Writes as the earlier version does; returns the number of events that were new.
async fn write_as_earlier(pool: &PgPool, names: &[String]) -> Result<usize, sqlx::Error> {
    let mut names = names.to_vec();
    names.sort_unstable();
    let events = batch(&names);
    let column =
        |value: fn(&Event<'static>) -> String| events.iter().map(value).collect::<Vec<_>>();
    let (positions, _): (Option<Vec<i64>>, Option<Vec<i64>>) = sqlx::query_as(EARLIER_STATEMENT)
        .bind(column(|event| event.source.to_string()))
        .bind(column(|event| event.id.to_string()))
        .bind(column(|event| event.event_type.to_string()))
        .bind(vec![None::<String>; events.len()])
        .bind(events.iter().map(|event| event.time).collect::<Vec<_>>())
        .bind(column(|event| event.json.to_string()))
        .fetch_one(pool)
        .await?;
    Ok(positions.unwrap_or_default().len())
}

fn stored(written: &[Written]) -> usize {
    let is_stored = |one: &&Written| matches!(one, Written::Stored(_));
    written.iter().filter(is_stored).count()
}

/// Every record is in the ledger under its identity, and every entry of the ledger has its record.
async fn assert_ledger_fits(pool: &PgPool, records: i64) {
    assert_eq!(count(pool, "records").await, records);
    assert_eq!(count(pool, "event_identities").await, records);
    let fitting: i64 = sqlx::query_scalar(
        "select count(*) from records r
         join event_identities k on k.identity = event_identity(r.source, r.id)
             and k.record_id = r.record_id and k.occurred_at = r.occurred_at",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(fitting, records);
    assert_counts_fit(pool).await;
}

#[tokio::test]
async fn event_is_stored_once_before_during_and_after_the_copy() {
    let database = earlier().await;
    let pool = database.pool();
    assert_eq!(write_as_earlier(pool, &ids(&["a", "b"])).await.unwrap(), 2);

    // The schema is there, and nothing is copied yet.
    MIGRATOR.run(pool).await.unwrap();
    assert_eq!(write_as_earlier(pool, &ids(&["a", "c"])).await.unwrap(), 1);
    let refused = write_batch(pool, &batch(&ids(&["a", "d"]))).await;
    assert!(refused.is_err(), "the ledger is not complete");
    assert_eq!(count(pool, "records").await, 3);

    migrate(pool).await.unwrap();
    let written = write_batch(pool, &batch(&ids(&["a", "b", "c", "d"]))).await;
    assert_eq!(stored(&written.unwrap()), 1);
    let both = ids(&["a", "c", "d", "e"]);
    assert_eq!(write_as_earlier(pool, &both).await.unwrap(), 1);
    let written = write_batch(pool, &batch(&ids(&["e", "f"]))).await.unwrap();
    assert_eq!(stored(&written), 1);
    assert_ledger_fits(pool, 6).await;
    let keys = [batch(&ids(&["b"]))[0].key()];
    let known = stored_keys(pool, &keys).await.unwrap();
    let record = get_record(pool, known[&keys[0]].record_id).await.unwrap();
    assert_eq!(record.unwrap().id, "b");

    // The earlier version holds no position, so while it writes, nothing is known.
    assert!(arrival_watermark(pool).await.unwrap() >= RecordId(6));
    let mut open = pool.begin().await.unwrap();
    sqlx::query("lock table event_keys in row exclusive mode")
        .execute(&mut *open)
        .await
        .unwrap();
    assert_eq!(arrival_watermark(pool).await.unwrap(), RecordId(0));
    open.rollback().await.unwrap();
}

#[tokio::test]
async fn earlier_ledger_is_dropped_by_a_later_run_and_record_ids_go_on() {
    let database = earlier().await;
    let pool = database.pool();
    write_as_earlier(pool, &ids(&["a", "b", "c"]))
        .await
        .unwrap();
    let exists = async || -> bool {
        sqlx::query_scalar("select to_regclass('event_keys') is not null")
            .fetch_one(pool)
            .await
            .unwrap()
    };
    for _ in 0..2 {
        migrate(pool).await.unwrap();
        assert!(exists().await, "an earlier ingest may still be deployed");
    }
    sqlx::query("update event_keys_copy set finished_at = finished_at - interval '61 minutes'")
        .execute(pool)
        .await
        .unwrap();
    for _ in 0..2 {
        migrate(pool).await.unwrap();
        assert!(!exists().await);
    }
    let written = write_batch(pool, &batch(&ids(&["a", "d"]))).await.unwrap();
    assert!(
        matches!(written[..], [Written::Duplicate, Written::Stored(record_id)] if record_id > RecordId(3)),
        "{written:?}"
    );
    assert_ledger_fits(pool, 4).await;
}

#[tokio::test]
async fn empty_earlier_ledger_is_dropped_at_once() {
    let database = TestDatabase::create().await.unwrap();
    migrate(database.pool()).await.unwrap();
    let left: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where starts_with(relname, 'event_keys')",
    )
    .fetch_all(database.pool())
    .await
    .unwrap();
    assert_eq!(left, ["event_keys_record_id_seq"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn event_is_stored_once_when_both_versions_write_it_during_the_copy() {
    const WRITERS: usize = 3;
    const KEYS: usize = 120;
    const OLD_ROWS: i64 = 25_000;
    let database = earlier().await;
    let pool = database.pool();
    sqlx::query(
        "with keys as (
             insert into event_keys (source, id, occurred_at)
             select '/tests', n::text, $1 from generate_series(1, $2) as n
             returning record_id, source, id, occurred_at
         )
         insert into records (record_id, source, id, type, occurred_at, payload)
         select record_id, source, id, 't', occurred_at, '{}' from keys",
    )
    .bind(at(NOON))
    .bind(OLD_ROWS)
    .execute(pool)
    .await
    .unwrap();
    // Of each batch some events are old and some new; every writer writes all of them.
    let batches: Vec<Vec<String>> = (0..40)
        .map(|batch| {
            let id =
                |n: usize| (usize::try_from(OLD_ROWS).unwrap() - 200 + batch * 10 + n).to_string();
            (0..KEYS).map(id).collect()
        })
        .collect();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let (earlier, names_of_all) = (pool.clone(), batches.clone());
        writers.spawn(async move {
            for names in &names_of_all {
                // The two versions sort differently, so they can deadlock: the ingest writes again.
                while write_as_earlier(&earlier, names).await.is_err() {}
            }
        });
        let (pool, names_of_all) = (pool.clone(), batches.clone());
        writers.spawn(async move {
            for names in &names_of_all {
                let events = batch(names);
                while write_batch(&pool, &events).await.is_err() {
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    migrate(pool).await.unwrap();
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let distinct: std::collections::HashSet<&String> = batches.iter().flatten().collect();
    let new = distinct
        .iter()
        .filter(|id| id.parse::<i64>().unwrap() > OLD_ROWS)
        .count();
    assert!(new > 100);
    assert_ledger_fits(pool, OLD_ROWS + i64::try_from(new).unwrap()).await;
}
