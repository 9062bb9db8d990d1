//! What the ledger and the rollup cost: bytes, and time of the write and of a read.
//!
//! Invariant: in a round every variant stores the same batches, each in a new database.

use std::time::Instant;

use chrono::{DateTime, Duration, Utc};
use devstack::bench::{Better, Figure};
use event::{Bucket, GroupBy, StatsQuery};
use store::{ConnectSettings, connect, fold_counts, stats};

use crate::client;
use crate::events::Load;
use crate::server::{Database, Server};

const BATCH_SIZE: usize = 1_000;
const BATCHES: usize = 30;
const BATCHES_QUICK: usize = 2;
/// Events whose ledger is measured, in batches of a thousand with random identities.
const MEASURED: u64 = 3_000_000;
const MEASURED_QUICK: u64 = 50_000;
/// The rollup of five million events before it is folded: 62 days, 8 types, 12 sources, each pair in each hour.
const ROLLUP: &str = "
insert into event_counts (hour, type, source, slot, events)
select hour, 'type.' || t, '/shops/' || s, 1, 35
from generate_series(
    timestamptz '2026-10-01 00:00+00', '2026-12-01 23:00+00', interval '1 hour'
) as hour, generate_series(1, 8) as t, generate_series(1, 12) as s
order by hour, t, s";
const STATS_RUNS: usize = 21;

/// The seconds of each round.
#[derive(Default)]
struct Values {
    counted: Vec<f64>,
    uncounted: Vec<f64>,
    spread: Vec<f64>,
    spread_uncounted: Vec<f64>,
}

pub(crate) async fn measure(server: &mut Server, rounds: usize, is_quick: bool) -> Vec<Figure> {
    let batches = if is_quick { BATCHES_QUICK } else { BATCHES };
    // Events that occur now, as most do: a batch is of one hour, or of two.
    let recent = Load::stepping(BATCH_SIZE, batches, Duration::milliseconds(20));
    let spread = Load::new(BATCH_SIZE, batches);
    let mut values = Values::default();
    for round in 1..=rounds {
        eprintln!("round {round}: rollup");
        for (load, with, without) in [
            (&recent, &mut values.counted, &mut values.uncounted),
            (&spread, &mut values.spread, &mut values.spread_uncounted),
        ] {
            let database = server.database().await;
            with.push(secs(server, database, load).await);
            let database = server.database().await;
            database.stop_counting().await;
            without.push(secs(server, database, load).await);
        }
    }
    let mut figures = ratios(&values);
    figures.push(ledger_bytes(server, if is_quick { MEASURED_QUICK } else { MEASURED }).await);
    figures.push(stats_ms(server).await);
    figures
}

fn ratios(values: &Values) -> Vec<Figure> {
    let by = |name: &str, some: &[f64], others: &[f64]| {
        let ratios = some.iter().zip(others).map(|(one, other)| one / other);
        Figure::new(name.to_owned(), "ratio", Better::Lower, ratios.collect()).target(1.05)
    };
    vec![
        by(
            "time_with_rollup_ratio_batch_1000",
            &values.counted,
            &values.uncounted,
        ),
        by(
            "time_with_rollup_over_four_hours_ratio_batch_1000",
            &values.spread,
            &values.spread_uncounted,
        ),
    ]
}

async fn secs(server: &Server, database: Database, load: &Load) -> f64 {
    let run = client::run(
        client::ours(&database.url, load.folder(), None),
        server.process,
    );
    assert_eq!(run.count("stored"), load.measured());
    server.drop(database).await;
    run.secs
}

/// Table and indexes, after batches with random identities as the write inserts them.
async fn ledger_bytes(server: &mut Server, events: u64) -> Figure {
    let database = server.database().await;
    let mut connection = database.connect().await;
    for _ in 0..events / 1_000 {
        sqlx::query(
            "insert into event_identities (identity, occurred_at)
             select identity, now() from (
                 select gen_random_uuid() as identity from generate_series(1, 1000) order by 1
             ) as batch",
        )
        .execute(&mut connection)
        .await
        .unwrap();
    }
    let bytes: i64 = sqlx::query_scalar("select pg_total_relation_size('event_identities')")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    drop(connection);
    server.drop(database).await;
    let value = bytes as f64 / events as f64;
    Figure::new(
        "ledger_bytes_per_event".to_owned(),
        "B",
        Better::Lower,
        vec![value],
    )
    .target(120.0)
}

async fn stats_ms(server: &mut Server) -> Figure {
    let database = server.database().await;
    database.execute(ROLLUP).await;
    let pool = connect(&ConnectSettings::new(database.url.as_str(), "bench"))
        .await
        .unwrap();
    let december: DateTime<Utc> = "2026-12-02T00:00:00Z".parse().unwrap();
    fold_counts(&pool, december).await.unwrap();
    database.execute("vacuum analyze").await;
    let from: DateTime<Utc> = "2026-10-20T00:00:00Z".parse().unwrap();
    let query = StatsQuery {
        from,
        to: from + Duration::days(30),
        bucket: Bucket::Hour,
        group_by: GroupBy::Type,
    };
    let mut values = Vec::new();
    for _ in 0..STATS_RUNS {
        let begun = Instant::now();
        let buckets = stats(&pool, &query).await.unwrap();
        values.push(begun.elapsed().as_secs_f64() * 1_000.0);
        assert_eq!(buckets.len(), 30 * 24 * 8);
    }
    pool.close().await;
    server.drop(database).await;
    Figure::new(
        "stats_30_days_by_hour_and_type_ms".to_owned(),
        "ms",
        Better::Lower,
        values,
    )
    .target(50.0)
}
