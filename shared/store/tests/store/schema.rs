use store::{MIGRATOR, migrate};

use crate::events::{at, event, migrated};

#[tokio::test(flavor = "multi_thread")]
async fn each_migration_is_applied_once_and_reported_once() {
    let database = devstack::TestDatabase::create().await.unwrap();
    let pool = database.pool();
    let (one, other) = tokio::join!(migrate(pool), migrate(pool));
    let (one, other) = (one.unwrap(), other.unwrap());
    let total = MIGRATOR.iter().count();
    assert!(total > 0);
    assert_eq!(one.applied.len() + other.applied.len(), total);
    assert!(migrate(pool).await.unwrap().applied.is_empty());
}

#[tokio::test]
async fn analysts_see_events_and_counts() {
    let database = migrated().await;
    let pool = database.pool();
    let events = [
        event("a", "t", at("2026-11-24T12:10:00Z")),
        event("b", "t", at("2026-11-24T12:50:00Z")),
    ];
    store::write_batch(pool, &events).await.unwrap();
    let hourly: i64 = sqlx::query_scalar(
        "select events from analytics.events_per_hour where hour = '2026-11-24 12:00+00'",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(hourly, 2);
    let daily: i64 = sqlx::query_scalar(
        "select events from analytics.events_per_day where day = '2026-11-24 00:00+00'",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(daily, 2);
    let number: i32 =
        sqlx::query_scalar("select (data ->> 'number')::int from analytics.events where id = 'a'")
            .fetch_one(pool)
            .await
            .unwrap();
    assert_eq!(number, 1);
}

#[tokio::test]
async fn texts_are_compared_as_bytes_whatever_the_collation_of_the_database() {
    let database = migrated().await;
    let others: Vec<String> = sqlx::query_scalar(
        "select attrelid::regclass || '.' || attname
         from pg_attribute
         join pg_class on pg_class.oid = attrelid
         where relname ~ '^(records|event_counts)' and relkind in ('r', 'p', 'i', 'I')
             and atttypid = 'text'::regtype and attcollation <> '\"C\"'::regcollation",
    )
    .fetch_all(database.pool())
    .await
    .unwrap();
    assert_eq!(others, Vec::<String>::new());
}
