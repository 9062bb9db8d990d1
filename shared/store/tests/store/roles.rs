use std::str::FromStr;

use chrono::{DateTime, Utc};
use devstack::TestDatabase;
use event::{Bucket, EventKey, GroupBy, RecordId, RecordQuery, StatsQuery};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{
    PartitionPlan, PartitionWidth, Replaced, Replacement, StoreError, create_partitions,
    database_created_at, list_records, migrate, permit_replacements, records_after,
    replace_records, role_statements, stats, stored_keys, summary, types, write_batch,
};

use crate::events::{at, event};

const TIME: &str = "2026-11-24T12:00:00Z";
const PASSWORD: &str = "of the tests only";

async fn run(pool: &PgPool, statement: String) {
    sqlx::raw_sql(&statement).execute(pool).await.unwrap();
}

/// Logs in as the user.
async fn pool_as(database: &TestDatabase, user: &str) -> PgPool {
    let options = PgConnectOptions::from_str(database.url())
        .unwrap()
        .username(user)
        .password(PASSWORD);
    PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .unwrap()
}

async fn is_refused(pool: &PgPool, statement: &str) -> bool {
    let error = sqlx::query(statement).execute(pool).await.unwrap_err();
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some("42501")
}

/// The user of the ingest replaces records by the function alone, and only between a grant and a revocation.
async fn replaces_only_where_permitted(owner: &PgPool, ingest: &PgPool) {
    let corrected = event("a", "corrected", at(TIME));
    let replaces =
        stored_keys(owner, &[corrected.key()]).await.unwrap()[&corrected.key()].record_id;
    let wanted = [Replacement {
        event: &corrected,
        replaces,
    }];
    let is_refused_to_replace = async || {
        let error = replace_records(ingest, &wanted).await;
        matches!(error, Err(StoreError::NotPermitted { .. }))
    };
    assert!(is_refused_to_replace().await, "nobody has permitted it");
    for _ in 0..2 {
        permit_replacements(owner, true).await.unwrap();
    }
    // A deployment runs the migrations again.
    migrate(owner).await.unwrap();
    let replaced = replace_records(ingest, &wanted).await.unwrap();
    assert!(
        matches!(replaced[..], [Replaced::Stored(_)]),
        "{replaced:?}"
    );
    for statement in [
        "delete from records",
        "update records set type = 'x'",
        "update event_identities set record_id = 1",
        "select payload from records",
    ] {
        assert!(is_refused(ingest, statement).await, "{statement}");
    }
    for _ in 0..2 {
        permit_replacements(owner, false).await.unwrap();
    }
    assert!(is_refused_to_replace().await, "it is revoked");
}

/// Reads everything that a third party may read, and nothing else.
async fn assert_reads(reader: &PgPool, created_at: DateTime<Utc>) {
    let key = EventKey {
        source: "/tests".to_owned(),
        id: "a".to_owned(),
    };
    let page = list_records(reader, &RecordQuery::default()).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(types(reader).await.unwrap().len(), 1);
    assert_eq!(summary(reader).await.unwrap().total, 1);
    let known = stored_keys(reader, std::slice::from_ref(&key))
        .await
        .unwrap();
    assert_eq!(known.len(), 1);
    let arrivals = records_after(reader, RecordId(0), 10).await.unwrap();
    assert_eq!(arrivals.items.len(), 1);
    assert_eq!(database_created_at(reader).await.unwrap(), created_at);
    let query = StatsQuery {
        from: at(TIME),
        to: at(TIME) + chrono::TimeDelta::minutes(61),
        bucket: Bucket::Hour,
        group_by: GroupBy::Both,
    };
    assert_eq!(stats(reader, &query).await.unwrap().len(), 1);
    for statement in [
        "delete from records",
        "delete from event_counts",
        "create table mine (id int)",
        "select * from analytics.events",
        "select checksum from _sqlx_migrations",
    ] {
        assert!(is_refused(reader, statement).await, "{statement}");
    }
}

/// Roles belong to the whole server, so one test creates them all.
#[tokio::test]
async fn every_user_can_do_its_work_and_no_other() {
    let database = TestDatabase::create().await.unwrap();
    let master = database.pool();
    let name: String = sqlx::query_scalar("select current_database()::text")
        .fetch_one(master)
        .await
        .unwrap();
    let users = ["ingest", "api", "migrate", "analyst", "operator"];
    // On RDS this role exists.
    run(
        master,
        "do $$ begin if not exists (select from pg_roles where rolname = 'rds_iam') then create \
         role rds_iam; end if; end $$"
            .to_owned(),
    )
    .await;
    let statements = role_statements(&users.map(str::to_owned), &name).unwrap();
    // Twice: an apply may be repeated at any time, and follows one of an earlier version.
    let earlier = vec!["grant api to operator".to_owned()];
    for statement in [statements.clone(), earlier, statements].concat() {
        run(master, statement).await;
    }
    for user in users {
        run(master, format!("alter role {user} password '{PASSWORD}'")).await;
        let has_iam: bool = sqlx::query_scalar("select pg_has_role($1, 'rds_iam', 'member')")
            .bind(user)
            .fetch_one(master)
            .await
            .unwrap();
        assert!(has_iam, "{user}");
    }

    let owner = pool_as(&database, "migrate").await;
    for expected in [store::MIGRATOR.iter().count(), 0] {
        assert_eq!(migrate(&owner).await.unwrap().applied.len(), expected);
    }
    let plan = PartitionPlan {
        width: PartitionWidth::Month,
        ahead: 1,
        keep: None,
    };
    create_partitions(&owner, &plan, at(TIME)).await.unwrap();

    let ingest = pool_as(&database, "ingest").await;
    let events = [event("a", "t", at(TIME)), event("a", "t", at(TIME))];
    assert_eq!(write_batch(&ingest, &events).await.unwrap().len(), 2);
    assert!(is_refused(&ingest, "select count(*) from records").await);
    assert!(is_refused(&ingest, "delete from event_identities").await);
    replaces_only_where_permitted(&owner, &ingest).await;
    let limit: String = sqlx::query_scalar("show statement_timeout")
        .fetch_one(&ingest)
        .await
        .unwrap();
    assert_eq!(limit, "1min");

    let created_at = database_created_at(&owner).await.unwrap();
    // The console, where it reaches the database, reads what the API reads.
    let api = pool_as(&database, "api").await;
    let operator = pool_as(&database, "operator").await;
    for reader in [&api, &operator] {
        assert_reads(reader, created_at).await;
    }
    let session: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(&api)
        .await
        .unwrap();
    let end = format!("select pg_terminate_backend({session})");
    assert!(is_refused(&operator, &end).await);

    // An earlier version granted tables to analysts.
    run(
        master,
        "grant select on all tables in schema public to analyst".to_owned(),
    )
    .await;
    migrate(&owner).await.unwrap();
    let analyst = pool_as(&database, "analyst").await;
    for view in ["events", "events_per_hour", "events_per_day"] {
        let rows: i64 = sqlx::query_scalar(&format!("select count(*) from analytics.{view}"))
            .fetch_one(&analyst)
            .await
            .unwrap();
        assert_eq!(rows, 1, "{view}");
    }
    let relations: Vec<String> = sqlx::query_scalar(
        "select oid::regclass::text from pg_class
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'S')
             and has_table_privilege('analyst', oid, 'select, insert, update, delete, truncate')",
    )
    .fetch_all(&analyst)
    .await
    .unwrap();
    assert_eq!(relations, Vec::<String>::new());
    for statement in [
        "select from records",
        "select from records_default",
        "select from event_identities",
        "select from event_counts",
        "create table mine (id int)",
        "insert into analytics.events (record_id) values (1)",
    ] {
        assert!(is_refused(&analyst, statement).await, "{statement}");
    }
    // Whoever may execute a trigger function with its owner's rights could attach it to a table of their own.
    let functions: Vec<(String, bool, bool)> = sqlx::query_as(
        "select oid::regprocedure::text, has_function_privilege('analyst', oid, 'execute'),
             coalesce(proconfig @> array['search_path=public, pg_temp'], false)
         from pg_proc where pronamespace = 'public'::regnamespace and prosecdef",
    )
    .fetch_all(&analyst)
    .await
    .unwrap();
    assert!(!functions.is_empty());
    for (function, is_executable, is_pinned) in functions {
        assert!(!is_executable && is_pinned, "{function}");
    }
    let limit: String = sqlx::query_scalar("show statement_timeout")
        .fetch_one(&analyst)
        .await
        .unwrap();
    assert_eq!(limit, "5min");
}
