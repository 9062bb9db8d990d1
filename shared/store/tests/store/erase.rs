//! An erasure leaves nothing of a record but its identity: not in the table, the counts, the indexes, the
//! statistics, nor in free space of the files.

use chrono::TimeDelta;
use event::{Order, Record, RecordQuery};
use proptest::prelude::*;
use sqlx::postgres::PgPoolOptions;
use store::{
    PartitionPlan, PartitionWidth, PgPool, RecordPosition, StoreError, Vacuumed, Written,
    create_partitions, erase_records, erasure_rights, list_records, partitions_of, vacuum_erased,
    vacuum_statistics, write_batch,
};

use crate::events::{at, event_from, migrated};
use crate::rollup::assert_counts_fit;

const NOON: &str = "2026-11-24T12:00:00Z";
const PLAN: PartitionPlan = PartitionPlan {
    width: PartitionWidth::Day,
    ahead: 1,
    keep: None,
};
/// Not compressible, so that it stays readable in a payload that is.
const MARKER: &str = "q7Zx-Marker-f3Kp9";

/// An event of the subject; every third one has a payload of several pages.
fn event_of(subject: &str, number: u16) -> event::Event<'static> {
    let days = i64::from(number % 4) - 1;
    // Beyond the partitions that exist.
    let days = if number.is_multiple_of(7) { -400 } else { days };
    let text = |index: usize| {
        format!(
            "{:x}",
            (index as u64 + u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        )
    };
    let filler: String = (0..usize::from(number % 3) * 700).map(text).collect();
    let json = serde_json::json!({
        "specversion": "1.0", "id": format!("{subject}-{number}"), "source": "/test",
        "type": format!("type.{}", number % 2), "subject": subject,
        "time": at(NOON) + TimeDelta::days(days) + TimeDelta::minutes(i64::from(number)),
        "data": {"text": format!("{subject}{filler}{subject}")},
    });
    event::parse_body(&json.to_string()).unwrap().into_owned()
}

async fn filled(events: u16) -> devstack::TestDatabase {
    let database = migrated().await;
    create_partitions(database.pool(), &PLAN, at(NOON))
        .await
        .unwrap();
    // Of the second day all are of the subject.
    let of_others = |number: &u16| number % 4 != 2;
    let events: Vec<_> = (0..events)
        .map(|number| event_of(MARKER, number))
        .chain(
            (0..events)
                .filter(of_others)
                .map(|number| event_of("other", number)),
        )
        .collect();
    write_batch(database.pool(), &events).await.unwrap();
    database
}

async fn of_subject(pool: &PgPool, subject: &str) -> Vec<Record> {
    let query = RecordQuery {
        subject: Some(subject.to_owned()),
        order: Order::Asc,
        limit: 500,
        ..RecordQuery::default()
    };
    list_records(pool, &query).await.unwrap().items
}

fn positions(records: &[Record]) -> Vec<RecordPosition> {
    let records = records.iter();
    records
        .map(|record| (record.occurred_at, record.record_id))
        .collect()
}

/// Files of the database, or of this partition alone, in which the marker is.
async fn files_with_marker(pool: &PgPool, partition: Option<&str>) -> Vec<String> {
    sqlx::raw_sql("checkpoint").execute(pool).await.unwrap();
    sqlx::query_scalar(
        "select oid::regclass::text from pg_class
         where pg_relation_filepath(oid) is not null
             and ($2 is null or oid = $2::regclass or oid in (
                 select indexrelid from pg_index where indrelid = $2::regclass
                 union select reltoastrelid from pg_class where oid = $2::regclass
             ))
             and position(convert_to($1, 'UTF8') in coalesce(
                 pg_read_binary_file(pg_relation_filepath(oid), 0, 1000000000, true), '')) > 0
         order by 1",
    )
    .bind(MARKER)
    .bind(partition)
    .fetch_all(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn erased_record_leaves_its_identity_alone_and_a_redelivery_is_a_duplicate() {
    let database = filled(40).await;
    let pool = database.pool();
    let records = of_subject(pool, MARKER).await;
    assert_eq!(records.len(), 40);
    let erased = erase_records(pool, &positions(&records)).await.unwrap();
    assert_eq!(erased.len(), 40);
    assert_eq!(of_subject(pool, MARKER).await, []);
    assert_eq!(of_subject(pool, "other").await.len(), 30);
    assert_counts_fit(pool).await;
    // Only what was there is named.
    let kept = of_subject(pool, "other").await;
    let both = [positions(&records), positions(&kept[..1])].concat();
    let erased = erase_records(pool, &both).await.unwrap();
    assert_eq!(erased, positions(&kept[..1]));

    let again: Vec<_> = (0..40).map(|number| event_of(MARKER, number)).collect();
    let written = write_batch(pool, &again).await.unwrap();
    assert!(
        written
            .iter()
            .all(|written| matches!(written, Written::Duplicate))
    );
    assert_eq!(of_subject(pool, MARKER).await, []);
}

#[tokio::test]
async fn rewrite_leaves_no_byte_of_an_erased_record_in_a_file_and_a_plain_vacuum_does() {
    let database = filled(60).await;
    let pool = database.pool();
    // Compressed bytes could not be searched. Statistics have the most frequent values.
    sqlx::raw_sql("analyze records")
        .execute(pool)
        .await
        .unwrap();
    let before = files_with_marker(pool, None).await;
    for expected in ["records_default", "records_2026_11_24", "pg_statistic"] {
        assert!(before.iter().any(|name| name == expected), "{before:?}");
    }
    assert!(
        before
            .iter()
            .any(|name| name.ends_with("subject_idx") || name.contains("subject"))
    );

    let records = of_subject(pool, MARKER).await;
    let times: Vec<_> = records.iter().map(|record| record.occurred_at).collect();
    let partitions = partitions_of(pool, &times).await.unwrap();
    let names: Vec<&str> = partitions
        .iter()
        .map(|partition| partition.name.as_str())
        .collect();
    let (today, tomorrow) = ("records_2026_11_24", "records_2026_11_25");
    assert_eq!(names, [today, tomorrow, "records_default"]);
    assert!(
        partitions
            .iter()
            .all(|partition| partition.may_vacuum && partition.bytes > 0)
    );
    erase_records(pool, &positions(&records)).await.unwrap();
    let freed = vacuum_erased(pool, today, false).await.unwrap();
    assert_eq!(freed, Vacuumed::Freed);
    let left = files_with_marker(pool, Some(today)).await;
    assert!(
        !left.is_empty(),
        "a vacuum alone would do, and no rewrite were needed"
    );
    for name in names {
        let rewritten = vacuum_erased(pool, name, true).await.unwrap();
        assert_eq!(rewritten, Vacuumed::Rewritten);
    }
    assert!(vacuum_statistics(pool).await.unwrap());
    assert_eq!(files_with_marker(pool, None).await, Vec::<String>::new());
    assert_eq!(of_subject(pool, "other").await.len(), 45);
    let gone = vacuum_erased(pool, "pg_class; drop table records", true)
        .await
        .unwrap();
    assert_eq!(gone, Vacuumed::Gone);
}

#[tokio::test]
async fn rows_that_an_older_transaction_sees_are_reported_and_not_called_erased() {
    let database = filled(6).await;
    let pool = database.pool();
    let mut reader = pool.begin().await.unwrap();
    sqlx::raw_sql("set transaction isolation level repeatable read; select count(*) from records")
        .execute(&mut *reader)
        .await
        .unwrap();
    let records = of_subject(pool, MARKER).await;
    erase_records(pool, &positions(&records)).await.unwrap();
    let day = "records_2026_11_24";
    let seen = vacuum_erased(pool, day, true).await.unwrap();
    assert_eq!(seen, Vacuumed::StillSeen);
    reader.rollback().await.unwrap();
    // It sees nothing any more, and holds the table.
    let mut holder = pool.begin().await.unwrap();
    let hold = format!("lock table {day} in access share mode");
    sqlx::raw_sql(&hold).execute(&mut *holder).await.unwrap();
    let busy = vacuum_erased(pool, day, true).await.unwrap_err();
    assert!(matches!(busy, StoreError::Conflict { .. }), "{busy}");
    holder.rollback().await.unwrap();
    let rewritten = vacuum_erased(pool, day, true).await.unwrap();
    assert_eq!(rewritten, Vacuumed::Rewritten);
    assert_eq!(
        files_with_marker(pool, Some(day)).await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn user_who_does_not_own_the_partitions_erases_but_does_not_vacuum() {
    let database = filled(6).await;
    let pool = database.pool();
    let (reader, eraser) = (role("reads"), role("erases"));
    sqlx::raw_sql(&format!(
        "create role {reader}; create role {eraser};
         grant select on records to {reader};
         grant select, delete on records to {eraser};
         grant select on event_identities, retention to {eraser}"
    ))
    .execute(pool)
    .await
    .unwrap();
    let as_reader = as_user(&database, &reader).await;
    assert!(!erasure_rights(&as_reader).await.unwrap().may_delete);
    let as_eraser = as_user(&database, &eraser).await;
    let rights = erasure_rights(&as_eraser).await.unwrap();
    assert!(rights.may_delete && rights.expired_partitions == 0 && !rights.has_old_ledger);
    let records = of_subject(pool, MARKER).await;
    let refused = erase_records(&as_reader, &positions(&records))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::NotPermitted { .. }),
        "{refused}"
    );
    assert_eq!(
        erase_records(&as_eraser, &positions(&records))
            .await
            .unwrap()
            .len(),
        6
    );
    assert_counts_fit(pool).await;
    let partitions = partitions_of(&as_eraser, &[at(NOON)]).await.unwrap();
    assert!(partitions.iter().all(|partition| !partition.may_vacuum));
    let vacuumed = vacuum_erased(&as_eraser, "records_2026_11_24", true)
        .await
        .unwrap();
    assert_eq!(vacuumed, Vacuumed::NotPermitted);
    assert!(!vacuum_statistics(&as_eraser).await.unwrap());
    for name in [&reader, &eraser] {
        let gone = format!("drop owned by {name}; drop role {name}");
        sqlx::raw_sql(&gone).execute(pool).await.unwrap();
    }
}

/// Roles are of the whole server.
fn role(name: &str) -> String {
    format!("{name}_{}", std::process::id())
}

async fn as_user(database: &devstack::TestDatabase, role: &str) -> PgPool {
    let options = database.pool().connect_options();
    let options = (*options).clone().options([("role", role)]);
    let pool = PgPoolOptions::new().max_connections(2);
    pool.connect_with(options).await.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn what_is_chosen_is_erased_and_nothing_else(
        numbers in prop::collection::hash_set(0_u16..90, 0..60),
        (days, count) in (prop::collection::vec(0_i64..500, 0..9), 1_u16..60),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let database = migrated().await;
            let pool = database.pool();
            for day in days {
                let now = at(NOON) - TimeDelta::days(day);
                create_partitions(pool, &PLAN, now).await.unwrap();
            }
            let events: Vec<_> = (0..count)
                .map(|number| event_from("/s", &number.to_string(), "t", event_of("s", number).time))
                .collect();
            let written = write_batch(pool, &events).await.unwrap();
            let chosen: Vec<RecordPosition> = events
                .iter()
                .zip(written)
                .enumerate()
                .filter(|(number, _)| numbers.contains(&u16::try_from(*number).unwrap()))
                .map(|(_, (event, written))| match written {
                    Written::Stored(record_id) => (event.time, record_id),
                    Written::Duplicate | Written::Expired => panic!("{written:?}"),
                })
                .collect();
            let erased = erase_records(pool, &chosen).await.unwrap();
            assert_eq!(erased.len(), chosen.len());
            let all = RecordQuery { limit: 500, ..RecordQuery::default() };
            let left = list_records(pool, &all).await.unwrap().items;
            assert_eq!(left.len(), usize::from(count) - chosen.len());
            let left = positions(&left);
            assert!(chosen.iter().all(|position| !left.contains(position)));
            assert_counts_fit(pool).await;
        });
    }
}
