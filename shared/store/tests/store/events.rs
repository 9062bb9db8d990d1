//! Databases and events for the tests.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use devstack::TestDatabase;
use event::{Event, parse_event};
use store::PgPool;

/// A database with the schema.
pub(crate) async fn migrated() -> TestDatabase {
    let database = TestDatabase::create().await.unwrap();
    store::migrate(database.pool()).await.unwrap();
    database
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A valid event of source `/tests`.
pub(crate) fn event(id: &str, event_type: &str, time: DateTime<Utc>) -> Event<'static> {
    event_from("/tests", id, event_type, time)
}

pub(crate) fn event_from(
    source: &str,
    id: &str,
    event_type: &str,
    time: DateTime<Utc>,
) -> Event<'static> {
    let json = serde_json::json!({
        "specversion": "1.0", "id": id, "source": source, "type": event_type,
        "time": time.to_rfc3339(), "data": {"number": 1},
    });
    parse_event(&json.to_string()).unwrap().into_owned()
}

/// An event whose JSON the validator would refuse.
pub(crate) fn with_json(event: Event<'static>, json: &'static str) -> Event<'static> {
    Event {
        json: Cow::Borrowed(json),
        ..event
    }
}

pub(crate) async fn count(pool: &PgPool, table: &'static str) -> i64 {
    let statement = match table {
        "records" => "select count(*) from records",
        "records_default" => "select count(*) from records_default",
        "event_identities" => "select count(*) from event_identities",
        "expired_partitions" => "select count(*) from expired_partitions",
        other => panic!("no statement for {other}"),
    };
    sqlx::query_scalar(statement).fetch_one(pool).await.unwrap()
}
