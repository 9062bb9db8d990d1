//! The migrate function on a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]

use std::time::Duration;

use chrono::{DateTime, Utc};
use devstack::TestDatabase;
use migrate::{Deps, Report, Request, Settings, handle};
use sqlx::Connection as _;
use store::{Share, Shares};

fn deps(database: &TestDatabase) -> Deps {
    let settings = Settings::read(|name| {
        let value = match name {
            "DATABASE_URL" => database.url(),
            "PARTITION_WIDTH" => "day",
            "PARTITIONS_AHEAD" => "2",
            "PARTITIONS_KEEP" => "5",
            _ => return None,
        };
        Some(value.to_owned())
    });
    Deps::connect(&settings.unwrap_or_else(|error| panic!("{error}"))).unwrap()
}

fn on(day: &str) -> Request {
    let now: DateTime<Utc> = format!("{day}T12:00:00Z").parse().unwrap();
    Request { now: Some(now) }
}

#[tokio::test]
async fn schema_and_partitions_are_created_once_and_maintained_from_then_on() {
    let database = TestDatabase::create().await.unwrap();
    let deps = deps(&database);
    let first = handle(on("2024-11-24"), &deps).await.unwrap();
    assert_eq!(
        first.migrations.applied.len(),
        store::MIGRATOR.iter().count()
    );
    assert_eq!(
        first.partitions.created,
        [
            "records_2024_11_24",
            "records_2024_11_25",
            "records_2024_11_26"
        ]
    );
    let again = handle(on("2024-11-24"), &deps).await.unwrap();
    assert_eq!(
        serde_json::to_value(&again).unwrap(),
        serde_json::json!({
            "migrations": {"applied": []},
            "partitions": {
                "created": [], "dropped": [], "deleted_records": 0, "folded_hours": 0, "unfinished": [],
            },
        })
    );
    let later = handle(on("2024-11-30"), &deps).await.unwrap();
    assert_eq!(later.partitions.dropped, ["records_2024_11_24"]);
    assert_eq!(later.partitions.created.len(), 3);
}

#[tokio::test]
async fn future_time_creates_ahead_and_drops_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let deps = deps(&database);
    let today = handle(Request::default(), &deps).await.unwrap();
    assert_eq!(today.partitions.created.len(), 3);
    let ahead = handle(on("2999-01-01"), &deps).await.unwrap();
    assert_eq!(
        ahead.partitions.created,
        [
            "records_2999_01_01",
            "records_2999_01_02",
            "records_2999_01_03"
        ]
    );
    assert!(ahead.partitions.dropped.is_empty());
}

#[tokio::test]
async fn old_record_expires_by_the_clock_and_not_by_a_future_time() {
    let database = TestDatabase::create().await.unwrap();
    let deps = deps(&database);
    handle(Request::default(), &deps).await.unwrap();
    for (id, days) in [(1_i64, 3_i32), (2, 30)] {
        sqlx::query(
            "insert into records (record_id, source, id, type, occurred_at, payload)
             values ($1, 's', 'x', 't', now() - make_interval(days => $2), '{}')",
        )
        .bind(id)
        .bind(days)
        .execute(database.pool())
        .await
        .unwrap();
    }
    let ahead = handle(on("2999-01-01"), &deps).await.unwrap();
    assert_eq!(ahead.partitions.deleted_records, 1);
    let left: Vec<i64> = sqlx::query_scalar("select record_id from records")
        .fetch_all(database.pool())
        .await
        .unwrap();
    assert_eq!(left, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_do_everything_once() {
    let database = TestDatabase::create().await.unwrap();
    let (one, other) = (deps(&database), deps(&database));
    let (one, other) = tokio::join!(
        handle(on("2026-11-24"), &one),
        handle(on("2026-11-24"), &other)
    );
    let reports: [Report; 2] = [one.unwrap(), other.unwrap()];
    let applied: usize = reports.iter().map(|one| one.migrations.applied.len()).sum();
    let created: usize = reports.iter().map(|one| one.partitions.created.len()).sum();
    assert_eq!(applied, store::MIGRATOR.iter().count());
    assert_eq!(created, 3);
}

#[tokio::test]
async fn partitions_ahead_are_made_before_migrations_that_fail() {
    let database = TestDatabase::create().await.unwrap();
    let deps = deps(&database);
    handle(on("2024-11-24"), &deps).await.unwrap();
    // As if a file had been edited after it was applied.
    sqlx::query("update _sqlx_migrations set checksum = '\\x00' where version = 20261127000011")
        .execute(database.pool())
        .await
        .unwrap();
    let error = handle(on("2024-11-25"), &deps).await.unwrap_err();
    assert!(error.to_string().contains("20261127000011"), "{error}");
    let is_there: bool = sqlx::query_scalar("select to_regclass('records_2024_11_27') is not null")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert!(is_there);
}

#[tokio::test]
async fn upkeep_that_used_up_its_share_is_reported_and_continued() {
    let database = TestDatabase::create().await.unwrap();
    let mut deps = deps(&database);
    handle(on("2024-11-24"), &deps).await.unwrap();
    sqlx::query(
        "insert into records (record_id, source, id, type, occurred_at, payload)
         select n, 's', n::text, 't', timestamptz '2024-11-20 00:00+00' + n * interval '20 hours', '{}'
         from generate_series(0, 5) as n",
    )
    .execute(database.pool())
    .await
    .unwrap();
    let one = Share::new(1, Duration::from_secs(600));
    deps.shares = Shares {
        folding: one,
        default_partition: one,
        expired_partitions: one,
    };
    let report = handle(on("2024-12-24"), &deps).await.unwrap();
    assert_eq!(
        serde_json::to_value(&report.partitions).unwrap(),
        serde_json::json!({
            "created": ["records_2024_12_24", "records_2024_12_25", "records_2024_12_26"],
            "dropped": [], "deleted_records": 5, "folded_hours": 1,
            "unfinished": ["folding", "expired-partitions"],
        })
    );
    deps.shares = Shares::DAILY;
    let report = handle(on("2024-12-24"), &deps).await.unwrap();
    assert_eq!(report.partitions.dropped.len(), 3);
    assert_eq!(report.partitions.unfinished, []);
}

#[test]
fn events_of_schedules_and_deployments_are_valid_requests() {
    for json in [
        "{}",
        r#"{"source":"aws.scheduler","time":"2026-11-24T00:00:00Z","detail":{}}"#,
        r#"{"migrations_sha256":"abc"}"#,
    ] {
        assert_eq!(
            serde_json::from_str::<Request>(json).unwrap(),
            Request::default()
        );
    }
    let request: Request = serde_json::from_str(r#"{"now":"2026-11-24T12:00:00Z"}"#).unwrap();
    assert_eq!(request, on("2026-11-24"));
}

#[tokio::test]
async fn nothing_stays_connected_between_two_invocations() {
    let database = TestDatabase::create().await.unwrap();
    let deps = deps(&database);
    let mut other = sqlx::PgConnection::connect(database.url()).await.unwrap();
    let mut connected = async || -> i64 {
        sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and application_name = 'migrate'",
        )
        .fetch_one(&mut other)
        .await
        .unwrap()
    };
    handle(on("2024-11-24"), &deps).await.unwrap();
    // At once, as the function does: a connection that was just given back is not idle yet.
    deps.disconnect().await;
    // The server ends a session a moment after its client has left.
    for _ in 0..100 {
        if connected().await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(connected().await, 0);
}

#[tokio::test]
async fn every_step_that_failed_is_named_and_the_others_are_done() {
    let database = TestDatabase::create().await.unwrap();
    let deps = deps(&database);
    handle(on("2024-11-24"), &deps).await.unwrap();
    sqlx::query(
        "insert into records (record_id, source, id, type, occurred_at, payload)
         values (1, 's', '1', 't', timestamptz '2024-11-24 01:00+00', '{}')",
    )
    .execute(database.pool())
    .await
    .unwrap();
    sqlx::query("alter table event_type_totals rename to elsewhere")
        .execute(database.pool())
        .await
        .unwrap();
    let error = handle(on("2024-12-24"), &deps).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("folding: "), "{text}");
    assert!(text.contains("; expired-partitions: "), "{text}");
    let is_ahead: bool = sqlx::query_scalar("select to_regclass('records_2024_12_26') is not null")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert!(is_ahead);
}
