use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use store::{
    PartitionPlan, PartitionWidth, PgPool, Share, Shares, Work, Written, delete_expired_records,
    keep_partitions, upkeep, write_batch,
};

use crate::events::{at, count, event, migrated};
use crate::rollup::{assert_counts_fit, assert_types_fit};

const NOON: &str = "2026-11-24T12:00:00Z";

const fn days(ahead: u16, keep: Option<u16>) -> PartitionPlan {
    PartitionPlan {
        width: PartitionWidth::Day,
        ahead,
        keep,
    }
}

async fn partition_of(pool: &PgPool, id: &str) -> String {
    sqlx::query_scalar("select tableoid::regclass::text from records where id = $1")
        .bind(id)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn missing_partitions_are_created_once_and_rows_move_out_of_the_default() {
    let database = migrated().await;
    let pool = database.pool();
    let events = [
        event("yesterday", "t", at(NOON) - TimeDelta::days(1)),
        event("midnight", "t", at("2026-11-24T00:00:00Z")),
        event("today", "t", at(NOON)),
        event("tomorrow", "t", at("2026-11-25T23:59:59.999999Z")),
        event("later", "t", at("2026-11-26T00:00:00Z")),
    ];
    write_batch(pool, &events).await.unwrap();
    assert_eq!(count(pool, "records_default").await, 5);

    let report = keep_partitions(pool, &days(1, None), at(NOON))
        .await
        .unwrap();
    assert_eq!(report.created, ["records_2026_11_24", "records_2026_11_25"]);
    assert!(report.dropped.is_empty());
    assert_eq!(count(pool, "records").await, 5);
    for (id, partition) in [
        ("yesterday", "records_default"),
        ("midnight", "records_2026_11_24"),
        ("today", "records_2026_11_24"),
        ("tomorrow", "records_2026_11_25"),
        ("later", "records_default"),
    ] {
        assert_eq!(partition_of(pool, id).await, partition, "{id}");
    }
    write_batch(pool, &[event("new", "t", at(NOON))])
        .await
        .unwrap();
    assert_eq!(partition_of(pool, "new").await, "records_2026_11_24");

    let again = keep_partitions(pool, &days(1, None), at(NOON))
        .await
        .unwrap();
    assert!(again.created.is_empty() && again.dropped.is_empty());
}

#[tokio::test]
async fn partition_has_the_indexes_of_its_parent_and_no_constraint_of_its_own() {
    let database = migrated().await;
    let pool = database.pool();
    keep_partitions(pool, &days(0, None), at(NOON))
        .await
        .unwrap();
    let (attached, parents): (i64, i64) = sqlx::query_as(
        "select
             (select count(*) from pg_index
              join pg_inherits on pg_inherits.inhrelid = pg_index.indexrelid
              where pg_index.indrelid = 'records_2026_11_24'::regclass),
             (select count(*) from pg_index where pg_index.indrelid = 'records'::regclass)",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert!(parents > 3, "{parents}");
    assert_eq!(attached, parents);
    let checks: i64 = sqlx::query_scalar(
        "select count(*) from pg_constraint
         where conrelid = 'records_2026_11_24'::regclass and contype = 'c'",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(checks, 0);
}

#[tokio::test]
async fn expired_partition_is_dropped_with_its_identities() {
    let database = migrated().await;
    let pool = database.pool();
    keep_partitions(pool, &days(1, None), at(NOON))
        .await
        .unwrap();
    let old = event("old", "t", at(NOON));
    let young = event("young", "t", at(NOON) + TimeDelta::days(1));
    write_batch(pool, &[old.clone(), young.clone()])
        .await
        .unwrap();

    let later = at(NOON) + TimeDelta::days(8);
    let kept = keep_partitions(pool, &days(0, Some(8)), later)
        .await
        .unwrap();
    assert!(kept.dropped.is_empty());
    let written = write_batch(pool, std::slice::from_ref(&old)).await.unwrap();
    assert_eq!(written, [Written::Duplicate]);

    let report = keep_partitions(pool, &days(0, Some(7)), later)
        .await
        .unwrap();
    assert_eq!(report.dropped, ["records_2026_11_24"]);
    assert_eq!(report.folded_hours, 0, "they were folded before");
    assert_counts_fit(pool).await;
    assert_types_fit(pool).await;
    assert_eq!(count(pool, "records").await, 1);
    assert_eq!(count(pool, "event_identities").await, 1);
    assert_eq!(count(pool, "expired_partitions").await, 0);
    let written = write_batch(pool, &[old, young]).await.unwrap();
    assert_eq!(written, [Written::Expired, Written::Duplicate]);
    assert_eq!(count(pool, "records").await, 1);
}

#[tokio::test]
async fn redelivery_after_the_horizon_is_refused_and_a_new_time_makes_a_new_event() {
    let database = migrated().await;
    let pool = database.pool();
    let plan = days(0, Some(7));
    let midnight = at("2026-11-17T00:00:00Z");
    let last_expired = event("a", "t", midnight - TimeDelta::microseconds(1));
    let first_kept = event("b", "t", midnight);
    let written = write_batch(pool, &[last_expired.clone(), first_kept.clone()])
        .await
        .unwrap();
    assert!(matches!(
        written[..],
        [Written::Stored(_), Written::Stored(_)]
    ));
    assert_eq!(store::retention_horizon(pool).await.unwrap(), None);
    store::drop_partitions(pool, &plan, at(NOON)).await.unwrap();
    assert_eq!(
        store::retention_horizon(pool).await.unwrap(),
        Some(midnight)
    );

    // The horizon has moved, and nothing is deleted yet.
    let renewed = event("a", "t", at(NOON));
    let events = [last_expired.clone(), first_kept.clone(), renewed.clone()];
    for _ in 0..2 {
        let written = write_batch(pool, &events[..2]).await.unwrap();
        assert_eq!(written, [Written::Expired, Written::Duplicate]);
        let written = write_batch(pool, &events[2..]).await.unwrap();
        assert_eq!(written, [Written::Duplicate], "its identity is known");
    }
    assert_eq!(
        delete_expired_records(pool, &plan, at(NOON)).await.unwrap(),
        1
    );
    let written = write_batch(pool, &events[..2]).await.unwrap();
    assert_eq!(written, [Written::Expired, Written::Duplicate]);
    let written = write_batch(pool, &events[2..]).await.unwrap();
    assert!(matches!(written[..], [Written::Stored(_)]), "{written:?}");
    assert_eq!(count(pool, "records").await, 2);

    // The horizon does not move back, whatever the plan becomes.
    keep_partitions(pool, &days(0, Some(70)), at(NOON))
        .await
        .unwrap();
    let written = write_batch(pool, &[last_expired]).await.unwrap();
    assert_eq!(written, [Written::Expired]);
}

#[tokio::test]
async fn expired_record_of_the_default_partition_is_deleted_with_its_identity() {
    let database = migrated().await;
    let pool = database.pool();
    let ancient = event("ancient", "t", at("1999-01-01T00:00:00Z"));
    let events = [
        ancient.clone(),
        event("last expired", "t", at("2026-11-16T23:59:59.999999Z")),
        event("first kept", "t", at("2026-11-17T00:00:00Z")),
        event("to come", "t", at("2027-11-24T00:00:00Z")),
    ];
    write_batch(pool, &events).await.unwrap();
    assert_eq!(count(pool, "records_default").await, 4);

    let kept = keep_partitions(pool, &days(0, None), at(NOON))
        .await
        .unwrap();
    assert_eq!(
        kept.deleted_records, 0,
        "everything is kept without a limit"
    );
    let report = keep_partitions(pool, &days(0, Some(7)), at(NOON))
        .await
        .unwrap();
    assert_eq!(report.deleted_records, 2);
    let left: Vec<String> = sqlx::query_scalar("select id from records order by occurred_at")
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(left, ["first kept", "to come"]);
    assert_eq!(count(pool, "event_identities").await, 2);
    let written = write_batch(pool, &[ancient]).await.unwrap();
    assert_eq!(written, [Written::Expired]);
}

#[tokio::test]
async fn identity_of_an_erased_record_stays_known() {
    let database = migrated().await;
    let pool = database.pool();
    let erased = event("erased", "t", at(NOON));
    let written = write_batch(pool, std::slice::from_ref(&erased))
        .await
        .unwrap();
    let [Written::Stored(record_id)] = written[..] else {
        panic!("{written:?}");
    };
    sqlx::query("delete from records where record_id = $1")
        .bind(record_id.0)
        .execute(pool)
        .await
        .unwrap();
    assert_eq!(store::get_record(pool, record_id).await.unwrap(), None);
    let known = store::stored_keys(pool, &[erased.key()]).await.unwrap();
    assert_eq!(known[&erased.key()].record_id, record_id);
    let written = write_batch(pool, &[erased]).await.unwrap();
    assert_eq!(written, [Written::Duplicate]);
}

#[tokio::test]
async fn interrupted_expiry_is_continued_by_the_next_run() {
    let database = migrated().await;
    let pool = database.pool();
    keep_partitions(pool, &days(0, None), at(NOON))
        .await
        .unwrap();
    let events: Vec<_> = (0..50)
        .map(|n| event(&n.to_string(), "t", at(NOON)))
        .collect();
    write_batch(pool, &events).await.unwrap();
    // A run that failed when it deleted identities: another transaction has one of them.
    let mut blocker = pool.begin().await.unwrap();
    sqlx::query("select from event_identities limit 1 for update")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let later = at(NOON) + TimeDelta::days(8);
    let error = keep_partitions(pool, &days(0, Some(7)), later)
        .await
        .unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(count(pool, "records").await, 0);
    assert_eq!(count(pool, "expired_partitions").await, 1);
    blocker.rollback().await.unwrap();

    let report = keep_partitions(pool, &days(0, Some(7)), later)
        .await
        .unwrap();
    assert_eq!(report.dropped, ["records_2026_11_24"]);
    assert_eq!(count(pool, "event_identities").await, 0);
    assert_eq!(count(pool, "expired_partitions").await, 0);
    let left: bool = sqlx::query_scalar(
        "select exists (select from pg_class where relname like 'expired_records%')",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert!(!left);
}

#[tokio::test]
async fn each_kind_of_upkeep_has_its_turn_although_an_expiry_fails() {
    let database = migrated().await;
    let pool = database.pool();
    keep_partitions(pool, &days(0, None), at(NOON))
        .await
        .unwrap();
    let past = event("past", "t", at("2026-01-01T00:00:00Z"));
    let later = at(NOON) + TimeDelta::days(8);
    let kept = event("kept", "t", later - TimeDelta::hours(2));
    write_batch(pool, &[event("old", "t", at(NOON)), past, kept])
        .await
        .unwrap();
    // Its identity cannot be deleted.
    let mut blocker = pool.begin().await.unwrap();
    sqlx::query("select from event_identities where occurred_at = $1 for update")
        .bind(at(NOON))
        .execute(&mut *blocker)
        .await
        .unwrap();
    let error = keep_partitions(pool, &days(1, Some(7)), later)
        .await
        .unwrap_err();
    assert!(error.is_transient(), "{error}");
    let (ahead, unfolded): (bool, i64) = sqlx::query_as(
        "select to_regclass('records_2026_12_03') is not null,
             (select count(*) from event_counts where slot > 0)",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert!(ahead);
    assert_eq!(unfolded, 0);
    assert_eq!(count(pool, "records").await, 1);
    blocker.rollback().await.unwrap();
}

#[tokio::test]
async fn share_ends_a_long_expiry_and_further_runs_bring_it_to_its_end() {
    let database = migrated().await;
    let pool = database.pool();
    keep_partitions(pool, &days(2, None), at(NOON))
        .await
        .unwrap();
    let events: Vec<_> = (0..3)
        .map(|day| event(&day.to_string(), "t", at(NOON) + TimeDelta::days(day)))
        .collect();
    write_batch(pool, &events).await.unwrap();
    let later = at(NOON) + TimeDelta::days(30);
    let steps = |steps| Shares {
        expired_partitions: Share::new(steps, Duration::from_secs(600)),
        ..Shares::DAILY
    };
    // A step for each that is detached, two for the identities of each.
    let mut dropped = Vec::new();
    for (steps_max, unfinished) in [
        (2, &[Work::ExpiredPartitions][..]),
        (4, &[Work::ExpiredPartitions]),
        (99, &[]),
    ] {
        let report = upkeep(pool, &days(0, Some(7)), later, steps(steps_max))
            .await
            .whole()
            .unwrap();
        assert_eq!(report.unfinished, unfinished, "{steps_max}");
        dropped.push(report.dropped.len());
    }
    assert_eq!(dropped, [0, 1, 2]);
    assert_eq!(count(pool, "event_identities").await, 0);
    let no_time = Share::new(99, Duration::ZERO);
    let shares = Shares {
        folding: no_time,
        default_partition: no_time,
        expired_partitions: no_time,
    };
    write_batch(pool, &[event("next", "t", later)])
        .await
        .unwrap();
    let next_day = later + TimeDelta::days(1);
    let report = upkeep(pool, &days(0, Some(7)), next_day, shares)
        .await
        .whole()
        .unwrap();
    assert_eq!(report.unfinished, [Work::Folding, Work::DefaultPartition]);
    assert_eq!(report.folded_hours, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_expired_records_are_deleted_in_several_steps_and_counted_once() {
    let database = migrated().await;
    let pool = database.pool();
    sqlx::query(
        "insert into records (record_id, source, id, type, occurred_at, payload)
         select n, 's', n::text, 't', $1, '{}' from generate_series(1, 25000) as n",
    )
    .bind(at(NOON) - TimeDelta::days(30))
    .execute(pool)
    .await
    .unwrap();
    let plan = days(0, Some(7));
    let (one, other) = tokio::join!(
        delete_expired_records(pool, &plan, at(NOON)),
        delete_expired_records(pool, &plan, at(NOON)),
    );
    assert_eq!(one.unwrap() + other.unwrap(), 25_000);
    assert_eq!(count(pool, "records").await, 0);
}

#[tokio::test]
async fn changed_width_fills_the_gaps() {
    let database = migrated().await;
    let pool = database.pool();
    keep_partitions(pool, &days(0, None), at(NOON))
        .await
        .unwrap();
    write_batch(pool, &[event("late", "t", at("2026-11-02T00:00:00Z"))])
        .await
        .unwrap();
    let months = PartitionPlan {
        width: PartitionWidth::Month,
        ahead: 1,
        keep: None,
    };
    let report = keep_partitions(pool, &months, at(NOON)).await.unwrap();
    assert_eq!(
        report.created,
        [
            "records_2026_11_01_to_2026_11_24",
            "records_2026_11_25_to_2026_12_01",
            "records_2026_12"
        ]
    );
    assert_eq!(
        partition_of(pool, "late").await,
        "records_2026_11_01_to_2026_11_24"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_do_each_step_once() {
    let database = migrated().await;
    let pool = database.pool();
    keep_partitions(pool, &days(0, None), at(NOON))
        .await
        .unwrap();
    let later = at(NOON) + TimeDelta::days(30);
    let plan = days(5, Some(3));
    let (one, other) = tokio::join!(
        keep_partitions(pool, &plan, later),
        keep_partitions(pool, &plan, later),
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.created.len() + other.created.len(), 6);
    assert_eq!(one.dropped.len() + other.dropped.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_partitions_are_created_under_load() {
    let database = migrated().await;
    let pool = database.pool().clone();
    let is_done = Arc::new(AtomicBool::new(false));
    let writer = {
        let is_done = Arc::clone(&is_done);
        tokio::spawn(async move {
            let mut written = 0;
            while !is_done.load(Ordering::Relaxed) {
                let events: Vec<_> = (0..20)
                    .map(|number| {
                        let time = at(NOON) + TimeDelta::days(number % 6);
                        event(&format!("{written}-{number}"), "t", time)
                    })
                    .collect();
                written += write_batch(&pool, &events).await.unwrap().len();
            }
            written
        })
    };
    for ahead in 0..6 {
        keep_partitions(database.pool(), &days(ahead, None), at(NOON))
            .await
            .unwrap();
    }
    is_done.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    let records = count(database.pool(), "records").await;
    assert_eq!(usize::try_from(records).unwrap(), written);
    assert_eq!(count(database.pool(), "records_default").await, 0);
}

#[tokio::test]
async fn inspection_sees_where_partitions_end_and_what_upkeep_has_left() {
    let database = migrated().await;
    let pool = database.pool();
    let seen = store::inspect(pool).await.unwrap();
    assert_eq!(seen.covered_until, None, "there is no partition yet");
    let hours = (seen.counted_hours, seen.unfolded_hours);
    assert_eq!((seen.default_rows, hours), (0, (0, 0)));
    let versions: Vec<i64> = store::MIGRATOR.iter().map(|one| one.version).collect();
    assert_eq!(seen.applied, versions);

    let now = seen.database_now;
    keep_partitions(pool, &days(2, None), now).await.unwrap();
    // Behind a gap of a day.
    keep_partitions(pool, &days(0, None), now + TimeDelta::days(4))
        .await
        .unwrap();
    let long_ago = now - TimeDelta::days(90);
    let hours_ago = |hours| now - TimeDelta::hours(hours);
    let events = [
        event("late", "t", long_ago),
        event("before", "t", hours_ago(98)),
        event("a", "t", hours_ago(90)),
        event("b", "u", hours_ago(90)),
        event("c", "t", hours_ago(50)),
        event("yesterday", "t", hours_ago(24)),
        event("now", "t", now),
    ];
    write_batch(pool, &events).await.unwrap();
    sqlx::query("analyze records_default")
        .execute(pool)
        .await
        .unwrap();
    let young = store::inspect(pool).await.unwrap();
    let hours = (young.counted_hours, young.unfolded_hours);
    assert_eq!(
        hours,
        (0, 0),
        "no daily run was due since the first migration"
    );
    sqlx::query("update _sqlx_migrations set installed_on = installed_on - interval '9 days'")
        .execute(pool)
        .await
        .unwrap();
    let seen = store::inspect(pool).await.unwrap();
    let covered = seen.covered_until.unwrap() - now;
    assert!(
        covered > TimeDelta::days(2) && covered <= TimeDelta::days(3),
        "{seen:?}"
    );
    assert!(seen.default_rows >= 1, "{seen:?}");
    let hours = (seen.counted_hours, seen.unfolded_hours);
    assert_eq!(hours, (2, 2), "those from four days to two days ago");
    upkeep(pool, &days(2, None), now, Shares::DAILY)
        .await
        .whole()
        .unwrap();
    let seen = store::inspect(pool).await.unwrap();
    assert_eq!((seen.counted_hours, seen.unfolded_hours), (2, 0));
}
