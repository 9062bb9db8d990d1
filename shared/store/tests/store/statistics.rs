use chrono::TimeDelta;
use event::{Bucket, GroupBy, StatsQuery};
use store::{StoreError, stats, summary, types, write_batch};

use crate::events::{at, event, event_from, migrated};

const NOON: &str = "2026-11-24T12:00:00Z";

#[tokio::test]
async fn summary_of_nothing_and_of_something() {
    let database = migrated().await;
    let pool = database.pool();
    let nothing = summary(pool).await.unwrap();
    assert_eq!((nothing.total, nothing.total_is_estimate), (0, false));
    assert_eq!(nothing.last_ingested_at, None);

    // The newest record is the one that arrived last, not the one that happened last.
    write_batch(pool, &[event("a", "t", at(NOON))])
        .await
        .unwrap();
    write_batch(pool, &[event("b", "t", at("2000-01-01T00:00:00Z"))])
        .await
        .unwrap();
    let something = summary(pool).await.unwrap();
    assert_eq!((something.total, something.total_is_estimate), (2, false));
    let newest: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select ingested_at from records where id = 'b'")
            .fetch_one(pool)
            .await
            .unwrap();
    assert_eq!(something.last_ingested_at, Some(newest));
    assert!(something.database_now >= newest);
}

#[tokio::test]
async fn stats_count_per_bucket_and_group_within_the_range() {
    let database = migrated().await;
    let pool = database.pool();
    let minutes = |count: i64| at(NOON) + TimeDelta::minutes(count);
    let events = [
        event_from("/a", "1", "x", minutes(-1)),
        event_from("/a", "2", "x", minutes(0)),
        event_from("/b", "3", "y", minutes(59)),
        event_from("/b", "4", "x", minutes(59)),
        event_from("/b", "5", "x", minutes(60)),
        event_from("/b", "6", "x", minutes(120)),
    ];
    write_batch(pool, &events).await.unwrap();
    let query = |bucket, group_by| StatsQuery {
        from: minutes(0),
        to: minutes(120),
        bucket,
        group_by,
    };
    let rows = |buckets: Vec<event::StatsBucket>| -> Vec<(i64, String, i64)> {
        buckets
            .into_iter()
            .map(|one| {
                let offset = (one.bucket_start - at(NOON)).num_minutes();
                (offset, one.group, one.count)
            })
            .collect()
    };
    let hourly = stats(pool, &query(Bucket::Hour, GroupBy::Type))
        .await
        .unwrap();
    assert_eq!(
        rows(hourly),
        [
            (0, "x".to_owned(), 2),
            (0, "y".to_owned(), 1),
            (60, "x".to_owned(), 1)
        ]
    );
    let daily = stats(pool, &query(Bucket::Day, GroupBy::Source))
        .await
        .unwrap();
    assert_eq!(
        rows(daily),
        [(-720, "/a".to_owned(), 1), (-720, "/b".to_owned(), 3)]
    );
    let by_minute = stats(pool, &query(Bucket::Minute, GroupBy::Source))
        .await
        .unwrap();
    assert_eq!(
        rows(by_minute),
        [
            (0, "/a".to_owned(), 1),
            (59, "/b".to_owned(), 2),
            (60, "/b".to_owned(), 1)
        ]
    );
}

#[tokio::test]
async fn stats_beyond_the_limit_are_refused_instead_of_cut() {
    let database = migrated().await;
    let pool = database.pool();
    sqlx::query(
        "insert into records (record_id, source, id, type, occurred_at, payload)
         select n, 's', n::text, 'type.' || n, $1, '{}' from generate_series(1, $2) as n",
    )
    .bind(at(NOON))
    .bind(i64::try_from(store::STATS_ROWS_MAX).unwrap() + 1)
    .execute(pool)
    .await
    .unwrap();
    let query = StatsQuery {
        from: at(NOON),
        to: at(NOON) + TimeDelta::hours(1),
        bucket: Bucket::Hour,
        group_by: GroupBy::Type,
    };
    let error = stats(pool, &query).await.unwrap_err();
    assert!(matches!(error, StoreError::TooManyRows { .. }), "{error:?}");
    let query = StatsQuery {
        group_by: GroupBy::Source,
        ..query
    };
    assert_eq!(stats(pool, &query).await.unwrap().len(), 1);
}

#[tokio::test]
async fn types_are_listed_by_frequency() {
    let database = migrated().await;
    let pool = database.pool();
    let events = [
        event("1", "rare", at(NOON)),
        event("2", "often", at(NOON)),
        event("3", "often", at(NOON) + TimeDelta::seconds(1)),
    ];
    write_batch(pool, &events).await.unwrap();
    let types = types(pool).await.unwrap();
    let found: Vec<(&str, i64)> = types
        .iter()
        .map(|one| (one.event_type.as_str(), one.count))
        .collect();
    assert_eq!(found, [("often", 2), ("rare", 1)]);
    assert_eq!(types[0].last_occurred_at, at(NOON) + TimeDelta::seconds(1));
}

#[tokio::test]
async fn more_unfolded_counts_than_one_read_takes_make_an_estimate_until_they_are_folded() {
    let database = migrated().await;
    let pool = database.pool();
    sqlx::query(
        "insert into event_counts (hour, type, source, slot, events)
         select timestamptz '2026-11-24 10:00+00' + (n % 10) * interval '1 hour', 't', n::text, 1, 1
         from generate_series(1, 200001) as n",
    )
    .execute(pool)
    .await
    .unwrap();
    assert!(summary(pool).await.unwrap().total_is_estimate);
    let refused = types(pool).await.unwrap_err();
    assert!(refused.to_string().contains("not folded"), "{refused}");
    // Hours to come are folded as well.
    assert_eq!(store::fold_counts(pool, at(NOON)).await.unwrap(), 9);
    let folded = summary(pool).await.unwrap();
    assert_eq!((folded.total, folded.total_is_estimate), (200_001, false));
}
