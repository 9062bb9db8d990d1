//! The publication on a real PostgreSQL, read back from a replication slot as a warehouse reads it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

use std::collections::BTreeMap;

use devstack::{Durability, Postgres, PostgresOptions};
use event::parse_event;
use migrate::{Deps, HandleError, Report, Request, Settings, handle};
use sqlx::{Executor as _, PgPool};
use store::write_batch;

const DATABASE: &str = "events";

fn deps(url: &str, publication: &str) -> Deps {
    let settings = Settings::read(|name| {
        let value = match name {
            "DATABASE_URL" => url,
            "PARTITION_WIDTH" => "day",
            "PARTITIONS_AHEAD" => "1",
            "PUBLICATION" => publication,
            _ => return None,
        };
        Some(value.to_owned())
    });
    Deps::connect(&settings.unwrap()).unwrap()
}

async fn run(day: &str, deps: &Deps) -> Result<Report, HandleError> {
    let now = format!("{day}T12:00:00Z").parse().unwrap();
    handle(Request { now: Some(now) }, deps).await
}

async fn store(pool: &PgPool, day: &str, count: u32) {
    let events: Vec<_> = (0..count)
        .map(|number| {
            let body = format!(
                r#"{{"specversion":"1.0","id":"{day}-{number}","source":"/tests","type":"made","time":"{day}T01:00:00Z"}}"#
            );
            parse_event(&body).unwrap().into_owned()
        })
        .collect();
    write_batch(pool, &events).await.unwrap();
}

/// The changes since the last call, by the name of their table (PostgreSQL manual, "Logical Replication Message
/// Formats"): inserted rows, and other changes under `other`.
async fn changes(pool: &PgPool) -> BTreeMap<String, usize> {
    let messages: Vec<Vec<u8>> = sqlx::query_scalar(
        "select data from pg_logical_slot_get_binary_changes(
             'consumer', null, null, 'proto_version', '1', 'publication_names', 'warehouse')",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let (mut names, mut counts) = (BTreeMap::new(), BTreeMap::new());
    for message in messages {
        match message[0] {
            // Begin and commit.
            b'B' | b'C' => {}
            // The relation's id, then its schema and its name, each ended by a zero.
            b'R' => {
                let texts = message[5..].split(|byte| *byte == 0).take(2);
                let texts: Vec<_> = texts.map(|text| String::from_utf8_lossy(text)).collect();
                names.insert(message[1..5].to_vec(), texts.join("."));
            }
            b'I' => {
                *counts
                    .entry(names[&message[1..5].to_vec()].clone())
                    .or_default() += 1
            }
            _ => *counts.entry("other".to_owned()).or_default() += 1,
        }
    }
    counts
}

#[tokio::test]
async fn consumer_gets_every_record_as_a_row_of_one_table_and_nothing_else() {
    // Durable: a slot has only what is on disk.
    let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
    postgres.create_database(DATABASE).await.unwrap();
    let url = postgres.url(DATABASE);
    let with = deps(&url, "warehouse");
    // What the server does not write cannot be published.
    let error = run("2024-11-24", &with).await.unwrap_err().to_string();
    assert!(
        error.contains("wal_level logical, and it is replica"),
        "{error}"
    );
    let without = run("2024-11-24", &deps(&url, "")).await.unwrap();
    assert_eq!(without.publication_created, None);

    with.pool
        .execute("alter system set wal_level = 'logical'")
        .await
        .unwrap();
    postgres.stop_server().await.unwrap();
    postgres.start_again().await.unwrap();
    let pool = &deps(&url, "").pool;
    for expected in [true, false] {
        let report = run("2024-11-24", &deps(&url, "warehouse")).await.unwrap();
        assert_eq!(report.publication_created, Some(expected));
    }
    pool.execute("select pg_create_logical_replication_slot('consumer', 'pgoutput')")
        .await
        .unwrap();
    // Two partitions, and the default one for a day that has none yet.
    for (day, count) in [("2024-11-24", 3), ("2024-11-25", 4), ("2024-11-28", 5)] {
        store(pool, day, count).await;
    }
    let records = |count| BTreeMap::from([("public.records".to_owned(), count)]);
    assert_eq!(changes(pool).await, records(12));
    // The upkeep moves the last day into a partition of its own, and an old one goes.
    let moved = run("2024-11-28", &deps(&url, "warehouse")).await.unwrap();
    assert!(
        moved
            .partitions
            .created
            .contains(&"records_2024_11_28".to_owned())
    );
    pool.execute("drop table records_2024_11_24").await.unwrap();
    assert_eq!(changes(pool).await, BTreeMap::new());
    store(pool, "2024-11-29", 2).await;
    assert_eq!(changes(pool).await, records(2));
}

#[tokio::test]
async fn another_publication_of_the_name_is_refused() {
    let options = PostgresOptions {
        durability: Durability::None,
        ..PostgresOptions::default()
    };
    let postgres = Postgres::start(options).await.unwrap();
    postgres.create_database(DATABASE).await.unwrap();
    let url = postgres.url(DATABASE);
    let pool = &deps(&url, "").pool;
    pool.execute("alter system set wal_level = 'logical'")
        .await
        .unwrap();
    postgres.stop_server().await.unwrap();
    postgres.start_again().await.unwrap();
    run("2024-11-24", &deps(&url, "")).await.unwrap();
    let pool = &deps(&url, "").pool;
    pool.execute("create publication warehouse for all tables")
        .await
        .unwrap();
    let error = run("2024-11-24", &deps(&url, "warehouse")).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("another publication warehouse"), "{error}");
}
