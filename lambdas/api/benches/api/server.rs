//! The PostgreSQL server, and a database for each number of partitions.

use chrono::{DateTime, TimeDelta, Utc};
use devstack::{Postgres, PostgresOptions};
use event::{Cursor, Order, RecordId, RecordQuery};
use sqlx::{Connection as _, PgConnection};
use store::{ConnectSettings, connect, migrate};

/// Numbers of daily partitions.
const PARTITIONS: [u32; 2] = [10, 400];
const RECORDS: u32 = 200_000;
const RECORDS_QUICK: u32 = 20_000;
/// Partitions ahead of the newest record, empty as in a deployment.
const AHEAD: u32 = 3;
const FIRST_DAY: &str = "2026-01-01T00:00:00Z";

/// Events of about 1 KiB, spread evenly over the partitions.
const FILL: &str = "
insert into records (record_id, source, id, type, subject, occurred_at, payload)
select n, '/shop/' || n % 7, 'id-' || n, 'order.' || n % 5, 'order/' || n % 5000,
    $1 + (n - 0.5) * ($2 - $1) / $3::float8,
    jsonb_build_object('specversion', '1.0', 'id', 'id-' || n, 'source', '/shop/' || n % 7,
        'type', 'order.' || n % 5, 'time', '2026-11-24T12:00:00Z',
        'data', jsonb_build_object('customer', md5(n::text), 'total', n % 1000,
            'lines', jsonb_build_array(md5('a' || n), md5('b' || n), md5('c' || n)),
            'note', repeat(md5('d' || n), 21)))
from generate_series(1, $3) as n";

pub(crate) struct Server {
    _postgres: Postgres,
    /// Parent of all processes of the server.
    pub(crate) process: u32,
    pub(crate) databases: Vec<Database>,
}

pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) partitions: u32,
    pub(crate) records: u32,
    /// The range of the newest partition that has records.
    pub(crate) newest: (DateTime<Utc>, DateTime<Utc>),
    /// A cursor before which nine tenths of the records come.
    pub(crate) deep_cursor: String,
}

impl Server {
    pub(crate) async fn start(is_quick: bool) -> Self {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let records = if is_quick { RECORDS_QUICK } else { RECORDS };
        let file = postgres.folder().join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap();
        let process = text.lines().next().unwrap().parse().unwrap();
        let mut databases = Vec::new();
        for partitions in PARTITIONS {
            let name = format!("partitions_{partitions}");
            postgres.create_database(&name).await.unwrap();
            databases.push(filled(postgres.url(&name), partitions, records).await);
        }
        Self {
            _postgres: postgres,
            process,
            databases,
        }
    }
}

async fn filled(url: String, partitions: u32, records: u32) -> Database {
    let pool = connect(&ConnectSettings::new(url.as_str(), "bench"))
        .await
        .unwrap();
    migrate(&pool).await.unwrap();
    pool.close().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let first: DateTime<Utc> = FIRST_DAY.parse().unwrap();
    let day = |number: u32| first + TimeDelta::days(number.into());
    for number in 0..partitions {
        let (from, to) = (day(number), day(number + 1));
        let statement = format!(
            "create table records_{} partition of records for values from ('{from}') to ('{to}')",
            from.format("%Y_%m_%d")
        );
        sqlx::raw_sql(&statement)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let end = partitions - AHEAD;
    sqlx::query(FILL)
        .bind(first)
        .bind(day(end))
        .bind(i32::try_from(records).unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
    for statement in [
        "insert into event_identities (identity, record_id, occurred_at)
         select event_identity(source, id), record_id, occurred_at from records",
        "vacuum analyze",
        "checkpoint",
    ] {
        sqlx::raw_sql(statement)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let deep: (DateTime<Utc>, i64) =
        sqlx::query_as("select occurred_at, record_id from records where record_id = $1")
            .bind(i64::from(records / 10))
            .fetch_one(&mut connection)
            .await
            .unwrap();
    connection.close().await.unwrap();
    let deep_cursor = Cursor {
        order: Order::Desc,
        occurred_at: deep.0,
        record_id: RecordId(deep.1),
    };
    Database {
        url,
        partitions,
        records,
        newest: (day(end - 1), day(end)),
        deep_cursor: deep_cursor.encode(&RecordQuery::default()),
    }
}
