//! The right to replace records follows the setting, on a server of its own: users are of a whole server.

use devstack::{Durability, Postgres, PostgresOptions};
use migrate::{Deps, Request, Settings, handle};
use sqlx::PgPool;

const DATABASE: &str = "events";

#[tokio::test]
async fn user_of_the_ingest_may_replace_records_for_as_long_as_the_setting_says_so() {
    let server = Postgres::start(PostgresOptions {
        durability: Durability::None,
        ..PostgresOptions::default()
    });
    let server = server.await.unwrap();
    server.create_database(DATABASE).await.unwrap();
    let url = server.url(DATABASE);
    let pool = PgPool::connect(&url).await.unwrap();
    sqlx::raw_sql("create role ingest")
        .execute(&pool)
        .await
        .unwrap();
    for (setting, expected) in [
        (None, false),
        (Some("true"), true),
        (Some("true"), true),
        (Some("false"), false),
        (Some("true"), true),
        (None, false),
    ] {
        let settings = Settings::read(|name| match name {
            "DATABASE_URL" => Some(url.clone()),
            "REPLACEMENTS_ALLOWED" => setting.map(str::to_owned),
            _ => None,
        });
        let deps = Deps::connect(&settings.unwrap()).unwrap();
        handle(Request::default(), &deps).await.unwrap();
        let may: bool = sqlx::query_scalar(
            "select has_function_privilege('ingest', oid, 'execute') from pg_proc
             where proname = 'replace_records'",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        assert_eq!(may, expected, "{setting:?}");
    }
    // Two runs at once give the same right.
    let calls = (0..40).map(|call| store::permit_replacements(&pool, call % 4 < 2));
    for permitted in futures::future::join_all(calls).await {
        permitted.unwrap();
    }
    pool.close().await;
}
