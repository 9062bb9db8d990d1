//! Connections that die without a word, as behind a gateway that forgot them.

use std::time::Duration;

use devstack::{Durability, Postgres, PostgresOptions};
use event::{Bucket, GroupBy, RecordId, RecordQuery, StatsQuery};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use store::{
    ConnectSettings, PgPool, Reader, Source, StoreError, connect, get_record, list_records,
    migrate, partition_sizes, ping, stats, stored_events, stored_keys, summary, types,
};
use tokio::time::timeout;

use crate::database_proxy::DatabaseProxy;
use crate::events::{at, event};

/// A caller gives up on a question after this time. Nothing answers it, so the time decides nothing.
const PATIENCE: Duration = Duration::from_millis(200);
/// Long enough for everything, so that a test that waits for it fails clearly.
const LIMIT: Duration = Duration::from_secs(20);

type Question = for<'a> fn(Source<'a>) -> BoxFuture<'a, Result<(), StoreError>>;

/// Every read of the store.
const QUESTIONS: [(&str, Question); 10] = [
    ("ping", |source| ping(source).boxed()),
    ("list", |source| {
        async move {
            list_records(source, &RecordQuery::default())
                .await
                .map(drop)
        }
        .boxed()
    }),
    ("list by id", |source| {
        async move {
            let query = RecordQuery {
                id: Some("a".to_owned()),
                ..RecordQuery::default()
            };
            list_records(source, &query).await.map(drop)
        }
        .boxed()
    }),
    ("get", |source| {
        async move { get_record(source, RecordId(1)).await.map(drop) }.boxed()
    }),
    ("stats", |source| {
        async move {
            let query = StatsQuery {
                from: at("2026-11-24T00:00:00Z"),
                to: at("2026-11-25T00:00:00Z"),
                bucket: Bucket::Hour,
                group_by: GroupBy::Type,
            };
            stats(source, &query).await.map(drop)
        }
        .boxed()
    }),
    ("types", |source| {
        async move { types(source).await.map(drop) }.boxed()
    }),
    ("summary", |source| {
        async move { summary(source).await.map(drop) }.boxed()
    }),
    ("partition sizes", |source| {
        async move { partition_sizes(source).await.map(drop) }.boxed()
    }),
    ("stored events", |source| {
        async move {
            let key = event("a", "t", at("2026-11-24T12:00:00Z")).key();
            stored_events(source, &[key]).await.map(drop)
        }
        .boxed()
    }),
    ("stored keys", |source| {
        async move {
            let key = event("a", "t", at("2026-11-24T12:00:00Z")).key();
            stored_keys(source, &[key]).await.map(drop)
        }
        .boxed()
    }),
];

/// A server with one migrated database, and a proxy before it.
async fn proxied() -> (Postgres, DatabaseProxy) {
    let server = Postgres::start(PostgresOptions {
        durability: Durability::None,
        ..PostgresOptions::default()
    })
    .await
    .unwrap();
    server.create_database("silence").await.unwrap();
    let direct = ConnectSettings::new(server.url("silence"), "test");
    migrate(&connect(&direct).await.unwrap()).await.unwrap();
    let proxy = DatabaseProxy::start(&server, "silence").await;
    (server, proxy)
}

async fn pool(proxy: &DatabaseProxy, max_connections: u32) -> PgPool {
    connect(&ConnectSettings {
        max_connections,
        acquire_timeout: LIMIT,
        ..ConnectSettings::new(proxy.url.as_str(), "test")
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn connection_that_dies_while_it_returns_gives_its_place_back() {
    let (_server, proxy) = proxied().await;
    let pool = pool(&proxy, 1).await;
    ping(&pool).await.unwrap();
    // The connection returns in a task that has not run yet.
    proxy.silence();
    ping(&pool).await.unwrap();
}

async fn survives(proxy: &DatabaseProxy, name: &str, source: Source<'_>, question: Question) {
    tokio::try_join!(question(source), question(source)).unwrap();
    proxy.silence();
    // As many callers as connections, so that none is left that works.
    let (one, other) = tokio::join!(
        timeout(PATIENCE, question(source)),
        timeout(PATIENCE, question(source))
    );
    assert!(one.is_err() && other.is_err(), "{name}");
    timeout(LIMIT, question(source))
        .await
        .unwrap()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
}

#[tokio::test]
async fn every_read_survives_connections_that_died_silently() {
    let (_server, proxy) = proxied().await;
    for (name, question) in QUESTIONS {
        let pool = pool(&proxy, 2).await;
        survives(&proxy, name, Source::Pool(&pool), question).await;
    }
}

#[tokio::test]
async fn reader_survives_connections_that_died_silently() {
    let (_server, proxy) = proxied().await;
    for (name, question) in QUESTIONS {
        let reader = Reader::new(pool(&proxy, 2).await);
        survives(&proxy, name, Source::Reader(&reader), question).await;
    }
}
