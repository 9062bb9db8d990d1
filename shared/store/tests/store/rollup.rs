use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use devstack::TestDatabase;
use event::{Bucket, Event, GroupBy, LIMIT_MAX, RecordQuery, StatsBucket, StatsQuery};
use proptest::prelude::*;
use sqlx::migrate::Migrator;
use store::{
    MIGRATOR, PartitionPlan, PartitionWidth, PgPool, Replacement, STATS_RAW_MAX, StoreError,
    erase_records, fold_counts, keep_partitions, list_records, migrate, replace_records, stats,
    stored_keys, summary, types, write_batch,
};

use crate::events::{at, event, event_from, migrated};

const NOON: &str = "2026-11-24T12:00:00Z";
const PLAN: PartitionPlan = PartitionPlan {
    width: PartitionWidth::Day,
    ahead: 1,
    keep: Some(2),
};
/// The migration that creates the sums by type.
const SUMS: i64 = 20261128000010;
const GROUPS: [GroupBy; 3] = [GroupBy::Type, GroupBy::Source, GroupBy::Both];

/// Hours, types and sources whose count is not that of the records.
const DIFFERENCES: &str = "
select count(*) from (
    select date_trunc('hour', occurred_at, 'UTC') as hour, type, source, count(*) as events
    from records group by 1, 2, 3
) as raw
full join (
    select hour, type, source, sum(events) as events from event_counts group by 1, 2, 3
) as kept using (hour, type, source)
where coalesce(raw.events, 0) <> coalesce(kept.events, 0)";

/// Sums by type that are not those of the counts that are folded.
const SUM_DIFFERENCES: &str = "
select
    (select count(*) from (
        select hour, type, sum(events) as events from event_counts where slot = 0 group by 1, 2
    ) as folded
    full join event_type_counts as kept using (hour, type)
    where coalesce(folded.events, 0) <> coalesce(kept.events, 0))
    + (select count(*) from (
        select type, sum(events) as events from event_type_counts group by 1
    ) as folded
    full join event_type_totals as kept using (type)
    where coalesce(folded.events, 0) <> coalesce(kept.events, 0))";

pub(crate) async fn assert_counts_fit(pool: &PgPool) {
    for statement in [DIFFERENCES, SUM_DIFFERENCES] {
        let differences: i64 = sqlx::query_scalar(statement).fetch_one(pool).await.unwrap();
        assert_eq!(differences, 0, "{statement}");
    }
}

/// The types and the total are those of a scan.
pub(crate) async fn assert_types_fit(pool: &PgPool) {
    let raw: Vec<(String, i64, DateTime<Utc>)> = sqlx::query_as(
        "select type, count(*), max(occurred_at) from records group by 1 order by 2 desc, 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let found = types(pool).await.unwrap().into_iter();
    let found: Vec<_> = found
        .map(|one| (one.event_type, one.count, one.last_occurred_at))
        .collect();
    assert_eq!(found, raw);
    let total = summary(pool).await.unwrap();
    let expected: i64 = raw.iter().map(|(_, count, _)| count).sum();
    assert_eq!((total.total, total.total_is_estimate), (expected, false));
}

/// A count of the records, whatever is in the rollup.
async fn raw_scan(pool: &PgPool, query: &StatsQuery) -> Vec<StatsBucket> {
    let columns = match query.group_by {
        GroupBy::Type => "type, null",
        GroupBy::Source => "source, null",
        GroupBy::Both => "type, source",
    };
    let statement = format!(
        "select to_timestamp(floor(extract(epoch from occurred_at) / $3) * $3), {columns}, count(*)
         from records where occurred_at >= $1 and occurred_at < $2 group by 1, 2, 3 order by 1, 2, 3"
    );
    let width_secs = match query.bucket {
        Bucket::Minute => 60,
        Bucket::Hour => 3_600,
        Bucket::Day => 86_400,
    };
    let rows: Vec<(DateTime<Utc>, String, Option<String>, i64)> = sqlx::query_as(&statement)
        .bind(query.from)
        .bind(query.to)
        .bind(width_secs)
        .fetch_all(pool)
        .await
        .unwrap();
    rows.into_iter()
        .map(|(bucket_start, group, source, count)| StatsBucket {
            bucket_start,
            group,
            source,
            count,
        })
        .collect()
}

#[derive(Clone, Debug)]
enum Step {
    /// Writers that write at once: of each the events, by number.
    Write(Vec<Vec<u16>>),
    /// Partition upkeep, so many hours later.
    Keep(i64),
    Fold,
    /// Erases the records of one source.
    Erase(u16),
    /// Replaces the records of events, by number, by others of their identities; two at once.
    Replace([Vec<(u16, u16)>; 2]),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let batch = prop::collection::vec(0_u16..400, 1..40);
    let replaced = prop::collection::vec((0_u16..400, 0_u16..400), 0..60);
    let step = prop_oneof![
        6 => prop::collection::vec(batch, 1..9).prop_map(Step::Write),
        2 => (0_i64..80).prop_map(Step::Keep),
        2 => Just(Step::Fold),
        1 => (0_u16..5).prop_map(Step::Erase),
        3 => [replaced.clone(), replaced].prop_map(Step::Replace),
    ];
    prop::collection::vec(step, 2..9)
}

/// An event by its number: some numbers are days late, some are far in the past or in the future.
fn numbered(number: u16) -> Event<'static> {
    let offset = match number % 10 {
        0 => TimeDelta::days(-400),
        1 => TimeDelta::days(300),
        2..=4 => TimeDelta::hours(-i64::from(number % 97)),
        _ => TimeDelta::minutes(i64::from(number % 180)),
    };
    event_from(
        &format!("/source/{}", number % 5),
        &number.to_string(),
        &format!("type.{}", number % 3),
        at(NOON) + offset,
    )
}

/// The event with the identity of one number, and the type and the time of another.
fn corrected(number: u16, like: u16) -> Event<'static> {
    let (event, like) = (numbered(number), numbered(like));
    event_from(&event.source, &event.id, &like.event_type, like.time)
}

/// Replaces what is stored of the events, each identity once.
async fn replace(pool: &PgPool, wanted: &[(u16, u16)]) {
    let wanted: BTreeMap<u16, u16> = wanted.iter().copied().collect();
    let events: Vec<_> = wanted
        .into_iter()
        .map(|(number, like)| corrected(number, like))
        .collect();
    let keys: Vec<_> = events.iter().map(Event::key).collect();
    let known = stored_keys(pool, &keys).await.unwrap();
    let replacements: Vec<_> = events
        .iter()
        .filter_map(|event| {
            let replaces = known.get(&event.key())?.record_id;
            Some(Replacement { event, replaces })
        })
        .collect();
    replace_records(pool, &replacements).await.unwrap();
}

async fn take(step: &Step, pool: &PgPool) {
    match step {
        Step::Write(batches) => {
            let mut writers = tokio::task::JoinSet::new();
            for numbers in batches.clone() {
                let pool = pool.clone();
                writers.spawn(async move {
                    let events: Vec<_> = numbers.into_iter().map(numbered).collect();
                    write_batch(&pool, &events).await.unwrap();
                });
            }
            while let Some(ended) = writers.join_next().await {
                ended.unwrap();
            }
        }
        Step::Keep(hours) => {
            let now = at(NOON) + TimeDelta::hours(*hours);
            keep_partitions(pool, &PLAN, now).await.unwrap();
        }
        Step::Fold => {
            fold_counts(pool, at(NOON) + TimeDelta::hours(1))
                .await
                .unwrap();
        }
        Step::Erase(source) => {
            let query = RecordQuery {
                source: Some(format!("/source/{source}")),
                limit: LIMIT_MAX,
                ..RecordQuery::default()
            };
            let records = list_records(pool, &query).await.unwrap().items;
            let chosen: Vec<_> = records
                .iter()
                .map(|record| (record.occurred_at, record.record_id))
                .collect();
            erase_records(pool, &chosen).await.unwrap();
        }
        Step::Replace([one, other]) => {
            let before = identities(pool).await;
            tokio::join!(replace(pool, one), replace(pool, other));
            assert_eq!(
                identities(pool).await,
                before,
                "records and identities are as many"
            );
        }
    }
}

/// Records, entries of the ledger, and records that are not those of the ledger.
async fn identities(pool: &PgPool) -> (i64, i64, i64) {
    sqlx::query_as(
        "select (select count(*) from records), (select count(*) from event_identities),
             (select count(*) from records as r where not exists (
                 select from event_identities as k
                 where k.identity = event_identity(r.source, r.id)
                     and k.record_id = r.record_id and k.occurred_at = r.occurred_at))",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn counts_are_those_of_a_scan_whatever_is_written_kept_erased_and_replaced(
        steps in steps(),
        (from, length) in (-6_000_i64..6_000, 1_i64..9_000),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let database = migrated().await;
            let pool = database.pool();
            for step in &steps {
                take(step, pool).await;
                assert_counts_fit(pool).await;
                assert_types_fit(pool).await;
            }
            for bucket in [Bucket::Minute, Bucket::Hour, Bucket::Day] {
                for group_by in GROUPS {
                    let from = at(NOON) + TimeDelta::seconds(from * 60 + 7);
                    let to = from + TimeDelta::seconds(length * 60 + 11);
                    let query = StatsQuery { from, to, bucket, group_by };
                    assert_eq!(stats(pool, &query).await.unwrap(), raw_scan(pool, &query).await);
                }
            }
        });
    }
}

#[tokio::test]
async fn folding_leaves_one_row_of_each_hour_that_is_over() {
    let database = migrated().await;
    let pool = database.pool();
    let hour = at("2026-11-24T11:00:00Z");
    for round in 0..4 {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..4 {
            let pool = pool.clone();
            writers.spawn(async move {
                let events = [
                    event(&format!("{round}-{writer}-a"), "t", hour),
                    event(
                        &format!("{round}-{writer}-b"),
                        "t",
                        hour + TimeDelta::hours(1),
                    ),
                ];
                write_batch(&pool, &events).await.unwrap();
            });
        }
        writers.join_all().await;
        assert_eq!(fold_counts(pool, at(NOON)).await.unwrap(), 1);
        assert_counts_fit(pool).await;
    }
    let rows: Vec<(DateTime<Utc>, i16, i64)> =
        sqlx::query_as("select hour, slot, events from event_counts where hour = $1")
            .bind(hour)
            .fetch_all(pool)
            .await
            .unwrap();
    assert_eq!(rows, [(hour, 0, 16)]);
    assert_eq!(fold_counts(pool, at(NOON)).await.unwrap(), 0);

    sqlx::query("truncate records").execute(pool).await.unwrap();
    assert_counts_fit(pool).await;
}

#[tokio::test]
async fn count_that_reads_too_many_records_is_refused_before_the_work() {
    let database = migrated().await;
    let pool = database.pool();
    // As many as the rollup says: there is no record.
    sqlx::query("insert into event_counts values ($1, 't', 's', 1, $2)")
        .bind(at(NOON))
        .bind(STATS_RAW_MAX + 1)
        .execute(pool)
        .await
        .unwrap();
    let query = |bucket, minutes| StatsQuery {
        from: at(NOON) + TimeDelta::minutes(minutes),
        to: at(NOON) + TimeDelta::hours(3),
        bucket,
        group_by: GroupBy::Type,
    };
    for (refused, at_fault) in [
        (query(Bucket::Minute, 0), "bucket"),
        (query(Bucket::Hour, 1), "from"),
        (query(Bucket::Day, 30), "from"),
    ] {
        let error = stats(pool, &refused).await.unwrap_err();
        assert!(
            matches!(error, StoreError::TooBroad { parameter, .. } if parameter == at_fault),
            "{error:?}"
        );
    }
    assert_eq!(stats(pool, &query(Bucket::Hour, 0)).await.unwrap().len(), 1);
    assert_eq!(stats(pool, &query(Bucket::Minute, 60)).await.unwrap(), []);
}

#[tokio::test]
async fn range_with_too_many_counts_is_refused_whether_or_not_it_is_analyzed() {
    let database = migrated().await;
    let pool = database.pool();
    sqlx::query(
        "insert into event_counts (hour, type, source, slot, events)
         select $1, 't', n::text, 1, 1 from generate_series(1, 2000001) as n",
    )
    .bind(at(NOON))
    .execute(pool)
    .await
    .unwrap();
    let query = StatsQuery {
        from: at(NOON),
        to: at(NOON) + TimeDelta::hours(1),
        bucket: Bucket::Day,
        group_by: GroupBy::Source,
    };
    for statement in ["select 1", "analyze event_counts"] {
        sqlx::raw_sql(statement).execute(pool).await.unwrap();
        let error = stats(pool, &query).await.unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::TooBroad {
                    parameter: "from",
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn counts_that_are_not_complete_are_not_given() {
    let database = migrated().await;
    let pool = database.pool();
    sqlx::query("create table event_counts_backfill (filled_to timestamptz, record_id_max bigint)")
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
    assert!(error.is_transient(), "{error}");
    let error = types(pool).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    for statement in [
        "insert into records (record_id, source, id, type, occurred_at, payload)
         values (1, 's', '1', 't', now(), '{}')",
        "analyze records_default",
    ] {
        sqlx::raw_sql(statement).execute(pool).await.unwrap();
    }
    let totals = summary(pool).await.unwrap();
    assert_eq!((totals.total, totals.total_is_estimate), (1, true));
}

#[tokio::test]
async fn newest_record_of_a_type_is_found_where_the_later_hours_were_erased() {
    let database = migrated().await;
    let pool = database.pool();
    let events: Vec<_> = (0..4)
        .map(|number| {
            let time = at(NOON) + TimeDelta::hours(i64::from(number));
            event_from(&format!("/{number}"), "1", "t", time)
        })
        .collect();
    write_batch(pool, &events).await.unwrap();
    // The deletion comes before and after its hour is folded.
    for (source, folded_hours) in [("/3", 3), ("/2", 4), ("/1", 2), ("/0", 0)] {
        assert_types_fit(pool).await;
        let hour = at(NOON) + TimeDelta::hours(folded_hours);
        fold_counts(pool, hour).await.unwrap();
        assert_types_fit(pool).await;
        sqlx::query("delete from records where source = $1")
            .bind(source)
            .execute(pool)
            .await
            .unwrap();
    }
    assert_types_fit(pool).await;
    fold_counts(pool, at(NOON) + TimeDelta::hours(5))
        .await
        .unwrap();
    assert_counts_fit(pool).await;
    let names: i64 = sqlx::query_scalar(
        "select (select count(*) from event_counts) + (select count(*) from event_type_counts)
             + (select count(*) from event_type_totals)",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(names, 0, "a type without records leaves no name");
}

#[tokio::test]
async fn what_was_folded_before_the_sums_existed_is_in_them() {
    let database = TestDatabase::create().await.unwrap();
    let pool = database.pool();
    let before = MIGRATOR.iter().take_while(|one| one.version < SUMS);
    let earlier = Migrator {
        migrations: Cow::Owned(before.cloned().collect()),
        ..Migrator::DEFAULT
    };
    earlier.run(pool).await.unwrap();
    sqlx::raw_sql(
        "insert into records (record_id, source, id, type, occurred_at, payload)
         select n, 's' || n % 3, n::text, 't' || n % 5,
             timestamptz '2026-11-20 00:00+00' + n * interval '7 minutes', '{}'
         from generate_series(1, 1000) as n",
    )
    .execute(pool)
    .await
    .unwrap();
    // As the earlier version folds, and as it counts a deletion.
    for statement in [
        "update event_counts set slot = 0 where hour < timestamptz '2026-11-23 00:00+00'",
        "delete from records where source = 's1'",
    ] {
        sqlx::raw_sql(statement).execute(pool).await.unwrap();
    }
    for _ in 0..2 {
        migrate(pool).await.unwrap();
        assert_counts_fit(pool).await;
        assert_types_fit(pool).await;
        fold_counts(pool, at("2026-12-01T00:00:00Z")).await.unwrap();
        assert_counts_fit(pool).await;
        assert_types_fit(pool).await;
    }
}

#[tokio::test]
async fn only_who_keeps_the_sums_changes_what_is_folded() {
    let database = migrated().await;
    let pool = database.pool();
    write_batch(pool, &[event("a", "t", at(NOON))])
        .await
        .unwrap();
    let later = at(NOON) + TimeDelta::hours(1);
    fold_counts(pool, later).await.unwrap();
    for statement in [
        "update event_counts set events = 7 where slot = 0",
        "insert into event_counts (hour, type, source, slot, events) values (now(), 't', 's', 0, 7)",
        "delete from event_counts where hour < now()",
    ] {
        let refused = sqlx::query(statement).execute(pool).await.unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains("newer version"), "{statement}: {refused}");
    }
    assert_counts_fit(pool).await;
    // As the records, which have no rollup of their own.
    sqlx::query("truncate records").execute(pool).await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from event_counts")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}
