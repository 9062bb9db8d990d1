//! What a migration may do while events are written: nothing that takes as long as a table is big.
//!
//! The rule. A migration rewrites no table, builds no index, and reads no table as a whole, where that table exists
//! before it and grows with the events. PostgreSQL itself says what a file does: each is applied to tables with rows,
//! in a transaction that is looked into before its end. A file that has to do it says why in a line
//! `-- not online: REASON`, and what that stops. The way around it: a nullable column or one with a constant default;
//! a constraint `not valid`, which the function `migrate` validates later; an index `on only` the partitioned table,
//! and one for each partition in a step of `migrate`; rows in steps, as in `ledger_copy.rs`.

use std::collections::{BTreeMap, BTreeSet};

use devstack::TestDatabase;
use sqlx::{Connection as _, PgConnection};
use store::MIGRATOR;

/// Tables that grow with the events; so does what is named after one of them: partitions, indexes, a copy.
const BIG: [&str; 4] = ["event_counts", "event_identities", "event_keys", "records"];
/// But these have one row.
const SMALL: [&str; 2] = ["event_counts_backfill", "event_keys_copy"];

/// Files from before the rule. They cannot be edited, because their checksums are known to databases.
const EARLIER: [(i64, &str); 2] = [
    (
        20261124000004,
        "rewrites the records, the ledger and their indexes for another collation; writes and reads wait",
    ),
    (
        20261127000100,
        "builds the index of subjects; writes wait, about a second for a million records",
    ),
];

const MARK: &str = "-- not online: ";

/// A file of each table or index of a big table, by its name.
async fn files(connection: &mut PgConnection) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select relname::text, relfilenode::bigint from pg_class
         where relkind in ('r', 'i') and relnamespace = 'public'::regnamespace",
    )
    .fetch_all(connection)
    .await
    .unwrap();
    rows.into_iter().collect()
}

/// The indexes of each table.
async fn indexes(connection: &mut PgConnection) -> BTreeSet<(String, String)> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select t.relname::text, i.relname::text from pg_index
         join pg_class t on t.oid = indrelid join pg_class i on i.oid = indexrelid
         where t.relnamespace = 'public'::regnamespace and t.relkind = 'r'",
    )
    .fetch_all(connection)
    .await
    .unwrap();
    rows.into_iter().collect()
}

/// Tables of which this transaction has read everything.
async fn read_as_a_whole(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "select relname::text from pg_stat_xact_user_tables where seq_scan > 0 and seq_tup_read > 0",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

fn is_big(table: &str) -> bool {
    let is_named_after = |big: &&str| table == *big || table.starts_with(&format!("{big}_"));
    BIG.iter().any(is_named_after) && !SMALL.contains(&table)
}

/// What the statements do that takes as long as a table is big. They are applied, on a connection of their own: the
/// counts of a transaction can contain those of an earlier one.
async fn offline_work(database: &TestDatabase, statements: &str) -> Vec<String> {
    let connection = &mut PgConnection::connect(database.url()).await.unwrap();
    let (files_before, indexes_before) = (files(connection).await, indexes(connection).await);
    for setting in ["begin", statements] {
        sqlx::raw_sql(setting)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    let read = read_as_a_whole(connection).await;
    let (files_after, indexes_after) = (files(connection).await, indexes(connection).await);
    sqlx::raw_sql("commit")
        .execute(&mut *connection)
        .await
        .unwrap();
    let is_old = |table: &str| files_before.contains_key(table) && is_big(table);
    let mut found = BTreeSet::new();
    for (name, file) in &files_before {
        if is_big(name) && files_after.get(name).is_some_and(|now| now != file) {
            found.insert(format!("rewrites {name}"));
        }
    }
    for (table, index) in indexes_after.difference(&indexes_before) {
        if is_old(table) {
            found.insert(format!("builds {index} on {table}"));
        }
    }
    for table in read.iter().filter(|table| is_old(table)) {
        found.insert(format!("reads {table} as a whole"));
    }
    found.into_iter().collect()
}

/// Puts a row into each big table that has none.
async fn fill(connection: &mut PgConnection) {
    for (table, statement) in [
        (
            "event_keys",
            "insert into event_keys (source, id, occurred_at) values ('s', 'i', '2026-11-24')",
        ),
        (
            "records",
            "insert into records (record_id, source, id, type, occurred_at, payload)
             values (1, 's', 'i', 't', '2026-11-24', '{}')",
        ),
        (
            "event_identities_copy",
            "insert into event_identities_copy values (event_identity('s', 'i'), 1, '2026-11-24')",
        ),
        (
            "event_identities",
            "insert into event_identities values (event_identity('s', 'i'), 1, '2026-11-24')",
        ),
        (
            "event_counts",
            "insert into event_counts values ('2026-11-24', 't', 's', 0, 1)",
        ),
    ] {
        let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
            .bind(table)
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        let is_empty = format!("select not exists (select from {table})");
        if exists
            && sqlx::query_scalar(&is_empty)
                .fetch_one(&mut *connection)
                .await
                .unwrap()
        {
            sqlx::raw_sql(statement)
                .execute(&mut *connection)
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn migration_that_does_not_run_online_says_why() {
    let database = TestDatabase::create().await.unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    for migration in MIGRATOR.iter() {
        let (version, name) = (migration.version, &migration.description);
        assert!(
            !migration.no_tx,
            "{name}: this test looks into its transaction"
        );
        fill(&mut connection).await;
        let found = offline_work(&database, &migration.sql).await;
        let marked = migration
            .sql
            .lines()
            .find_map(|line| line.strip_prefix(MARK));
        let earlier = EARLIER.iter().find(|(known, _)| *known == version);
        let reason = marked.or(earlier.map(|(_, reason)| *reason));
        match reason {
            Some(reason) => {
                assert!(!reason.trim().is_empty(), "{name}: no reason");
                assert!(
                    !found.is_empty(),
                    "{name}: runs online, so it needs no reason"
                );
            }
            None => assert!(
                found.is_empty(),
                "{name} does not run online: {found:#?}\nwrite it so that it does, or say why not in a line \
                 `{MARK}REASON`"
            ),
        }
    }
}

#[tokio::test]
async fn statements_that_stop_the_traffic_are_found_and_others_are_not() {
    let database = crate::events::migrated().await;
    let mut connection = database.pool().acquire().await.unwrap();
    fill(&mut connection).await;
    for (statements, expected) in [
        (
            "create index i on records (ingested_at)",
            "builds records_default_ingested_at_idx on",
        ),
        (
            "create index j on event_counts (hour)",
            "builds j on event_counts",
        ),
        (
            "alter table event_identities alter column record_id type numeric",
            "rewrites event_identities",
        ),
        (
            "alter table event_counts add column a double precision default random()",
            "rewrites event_counts",
        ),
        (
            "alter table records alter column subject set not null",
            "reads records_default",
        ),
        (
            "alter table records add constraint c check (id <> '')",
            "reads records_default",
        ),
        ("update records set type = 'u'", "reads records_default"),
        (
            "delete from event_identities where occurred_at < '2000-01-01'",
            "reads event_identities",
        ),
    ] {
        sqlx::raw_sql("update records set subject = 'a'")
            .execute(&mut *connection)
            .await
            .unwrap();
        let found = offline_work(&database, statements).await;
        let is_found = found.iter().any(|found| found.starts_with(expected));
        assert!(is_found, "{statements}: {found:?}");
    }
    for statements in [
        "alter table records add column note text",
        "alter table records add column kind text default 'plain'",
        "alter table records add constraint d check (id <> 'x') not valid",
        "create table fresh (a int); insert into fresh select generate_series(1, 9);
         create index on fresh (a); update fresh set a = a + 1",
        "create index k on only records (ingested_at, id)",
        "create or replace view analytics.ids as select id from records",
        "comment on column records.id is 'CloudEvents id, again.'",
    ] {
        let found = offline_work(&database, statements).await;
        assert_eq!(found, [""; 0], "{statements}");
    }
}
