//! The API on a database that is slow.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "the tests of the paths use the rest")]
#[path = "http/support.rs"]
mod support;

use std::time::Duration;

use api::router;
use axum::http::StatusCode;
use futures::stream::{FuturesUnordered, StreamExt as _};
use sqlx::{Postgres, Transaction};
use store::{ConnectSettings, PartitionPlan, PartitionWidth, PgPool, connect};
use support::{NOON, filled, get};

/// Long enough for everything, so that a test that waits for it fails clearly.
const LIMIT: Duration = Duration::from_secs(60);

/// Reads of the table wait until the transaction ends.
async fn block(pool: &PgPool, table: &str) -> Transaction<'static, Postgres> {
    let mut blocker = pool.begin().await.unwrap();
    sqlx::raw_sql(&format!("lock table {table} in access exclusive mode"))
        .execute(&mut *blocker)
        .await
        .unwrap();
    blocker
}

/// Sessions that wait for a lock. Not asked within the transaction that has the lock, which would see the same
/// answer again and again.
async fn waiting(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn one_record_is_read_while_sixteen_slow_requests_are_under_way() {
    let (database, _) = filled(10).await;
    // The records are in the default partition; what counts them waits for another one.
    sqlx::raw_sql(
        "create table records_far partition of records
         for values from ('2030-01-01') to ('2030-01-02')",
    )
    .execute(database.pool())
    .await
    .unwrap();
    let settings = ConnectSettings {
        max_connections: 8,
        acquire_timeout: LIMIT,
        ..ConnectSettings::new(database.url(), "api")
    };
    let router = router(connect(&settings).await.unwrap());
    assert_eq!(get(&router, "/v1/records/1").await.status, StatusCode::OK);
    let blocker = block(database.pool(), "records_far").await;
    let wide = "/v1/records?type=absent&from=2029-12-01T00:00:00Z&to=2030-02-01T00:00:00Z";
    let mut slow: FuturesUnordered<_> = (0..16).map(|_| get(&router, wide)).collect();
    for _ in 0..11 {
        let refused = tokio::time::timeout(LIMIT, slow.next()).await.unwrap();
        let refused = refused.unwrap();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.header("retry-after").is_some());
        assert!(
            refused.json()["detail"]
                .as_str()
                .unwrap()
                .contains("try again")
        );
    }
    let all_wait = async { while waiting(database.pool()).await < 5 {} };
    tokio::select! {
        answer = slow.next() => panic!("answered: {}", answer.unwrap().status),
        () = all_wait => {}
    }
    for path in ["/v1/records/1", "/v1/records?to=2027-01-01T00:00:00Z"] {
        tokio::select! {
            answer = slow.next() => panic!("answered: {}", answer.unwrap().status),
            answer = get(&router, path) => assert_eq!(answer.status, StatusCode::OK, "{path}"),
        }
    }
    blocker.rollback().await.unwrap();
    for _ in 0..5 {
        assert_eq!(slow.next().await.unwrap().status, StatusCode::OK);
    }
    assert_eq!(get(&router, wide).await.status, StatusCode::OK);
}

#[tokio::test]
async fn slow_request_is_refused_and_a_lost_database_is_tried_again() {
    let (database, _) = filled(10).await;
    let settings = ConnectSettings {
        statement_timeout: Some(Duration::from_millis(100)),
        ..ConnectSettings::new(database.url(), "api")
    };
    let slow = router(connect(&settings).await.unwrap());
    let blocker = block(database.pool(), "records").await;
    for path in ["/v1/records", "/v1/records/1", "/v1/records?source=/shop"] {
        let answer = get(&slow, path).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert_eq!(answer.json()["type"], "/docs#too-slow");
        assert_eq!(answer.header("retry-after"), None);
    }
    blocker.rollback().await.unwrap();
    assert_eq!(get(&slow, "/v1/records").await.status, StatusCode::OK);

    let settings = ConnectSettings {
        acquire_timeout: Duration::from_millis(100),
        // Nothing listens on port 1.
        ..ConnectSettings::new("postgres://me@127.0.0.1:1/db", "api")
    };
    let lost = router(store::connect_lazy(&settings).unwrap());
    for path in ["/v1/records", "/v1/records/1", "/v1/records?source=/shop"] {
        let answer = get(&lost, path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn other_records_are_read_while_upkeep_empties_the_default_partition() {
    let (database, router) = filled(10).await;
    let plan = PartitionPlan {
        width: PartitionWidth::Day,
        ahead: 0,
        keep: None,
    };
    store::keep_partitions(database.pool(), &plan, NOON.parse().unwrap())
        .await
        .unwrap();
    let blocker = block(database.pool(), "records_default").await;
    let range = "/v1/records?from=2026-11-24T00:00:00Z&to=2026-11-25T00:00:00Z";
    for path in ["/v1/records/1", range] {
        assert_eq!(get(&router, path).await.status, StatusCode::OK, "{path}");
    }
    blocker.rollback().await.unwrap();
}
