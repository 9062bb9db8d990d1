use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use store::{ConnectSettings, IamLogIn, StoreError, connect, connect_lazy, ping, write_batch};

use crate::events::{at, event, migrated};

#[tokio::test]
async fn database_that_cannot_be_reached_is_transient() {
    let settings = ConnectSettings {
        acquire_timeout: Duration::from_millis(100),
        // Nothing listens on port 1.
        ..ConnectSettings::new("postgres://me:s3cret@127.0.0.1:1/db", "test")
    };
    let pool = connect_lazy(&settings).unwrap();
    let error = ping(&pool).await.unwrap_err();
    assert!(error.is_transient() && !error.is_event_fault(), "{error:?}");
    assert!(!error.to_string().contains("s3cret"));
    let error = connect(&settings).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn statement_that_takes_too_long_is_transient() {
    let database = migrated().await;
    let pool = connect(&ConnectSettings {
        statement_timeout: Some(Duration::from_millis(100)),
        ..ConnectSettings::new(database.url(), "test")
    })
    .await
    .unwrap();
    let mut blocker = database.pool().begin().await.unwrap();
    sqlx::query("lock table event_identities in access exclusive mode")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let events = [event("a", "t", at("2026-11-24T12:00:00Z"))];
    let error = write_batch(&pool, &events).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    blocker.rollback().await.unwrap();
    assert_eq!(write_batch(&pool, &events).await.unwrap().len(), 1);
}

#[tokio::test]
async fn read_that_takes_too_long_is_not_tried_again_and_keeps_its_connection() {
    let database = migrated().await;
    let pool = connect(&ConnectSettings {
        max_connections: 1,
        statement_timeout: Some(Duration::from_millis(100)),
        ..ConnectSettings::new(database.url(), "test")
    })
    .await
    .unwrap();
    let session = || sqlx::query_scalar::<_, i32>("select pg_backend_pid()").fetch_one(&pool);
    let query = event::RecordQuery::default();
    store::list_records(&pool, &query).await.unwrap();
    let before = session().await.unwrap();
    let mut blocker = database.pool().begin().await.unwrap();
    sqlx::query("lock table records in access exclusive mode")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let error = store::list_records(&pool, &query).await.unwrap_err();
    assert!(matches!(error, StoreError::TooSlow { .. }), "{error:?}");
    assert!(!error.is_transient(), "{error:?}");
    blocker.rollback().await.unwrap();
    store::list_records(&pool, &query).await.unwrap();
    assert_eq!(session().await.unwrap(), before);
}

#[tokio::test]
async fn read_that_an_administrator_cancels_is_transient() {
    let database = migrated().await;
    let pool = connect(&ConnectSettings::new(database.url(), "cancelled"))
        .await
        .unwrap();
    store::list_records(&pool, &event::RecordQuery::default())
        .await
        .unwrap();
    let mut blocker = database.pool().begin().await.unwrap();
    sqlx::query("lock table records in access exclusive mode")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move { store::list_records(&pool, &event::RecordQuery::default()).await }
    });
    let mut cancelled = false;
    while !cancelled {
        cancelled = sqlx::query_scalar(
            "select coalesce(bool_or(pg_cancel_backend(pid)), false) from pg_stat_activity
             where application_name = 'cancelled' and datname = current_database()
                 and wait_event_type = 'Lock'",
        )
        .fetch_one(&mut *blocker)
        .await
        .unwrap();
    }
    let error = waiting.await.unwrap().unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn connection_to_a_server_that_became_a_reader_is_replaced() {
    let database = migrated().await;
    let pool = connect(&ConnectSettings {
        max_connections: 1,
        ..ConnectSettings::new(database.url(), "reader")
    })
    .await
    .unwrap();
    // Only this session, as after a failover: the ping still succeeds.
    sqlx::query("set default_transaction_read_only = on")
        .execute(&pool)
        .await
        .unwrap();
    let events = [event("a", "t", at("2026-11-24T12:00:00Z"))];
    let error = write_batch(&pool, &events).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(write_batch(&pool, &events).await.unwrap().len(), 1);
}

#[tokio::test]
async fn record_id_that_exists_is_no_fault_of_the_event() {
    let database = migrated().await;
    let pool = database.pool();
    let (first, second) = (at("2026-11-24T12:00:00Z"), at("2026-11-24T13:00:00Z"));
    write_batch(pool, &[event("a", "t", first)]).await.unwrap();
    sqlx::query("select setval('event_keys_record_id_seq', 1, false)")
        .execute(pool)
        .await
        .unwrap();
    let again = [event("b", "t", second)];
    let error = write_batch(pool, &again).await.unwrap_err();
    assert!(
        !error.is_event_fault() && !error.is_transient(),
        "{error:?}"
    );
    assert_eq!(write_batch(pool, &again).await.unwrap().len(), 1);
}

#[tokio::test]
async fn connection_that_the_server_ended_is_transient_and_replaced() {
    let database = migrated().await;
    let pool = connect(&ConnectSettings {
        max_connections: 1,
        ..ConnectSettings::new(database.url(), "victim")
    })
    .await
    .unwrap();
    ping(&pool).await.unwrap();
    sqlx::query(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity
         where application_name = 'victim' and datname = current_database()",
    )
    .execute(database.pool())
    .await
    .unwrap();
    if let Err(error) = ping(&pool).await {
        assert!(error.is_transient(), "{error:?}");
    }
    ping(&pool).await.unwrap();
}

#[tokio::test]
async fn missing_schema_is_neither_transient_nor_an_events_fault() {
    let database = devstack::TestDatabase::create().await.unwrap();
    let events = [event("a", "t", at("2026-11-24T12:00:00Z"))];
    let error = write_batch(database.pool(), &events).await.unwrap_err();
    assert!(matches!(error, StoreError::Other { .. }), "{error:?}");
    assert!(
        error.to_string().contains("event_keys_record_id_seq"),
        "{error}"
    );
}

#[tokio::test]
async fn iam_token_is_not_sent_to_a_server_without_tls() {
    let database = migrated().await;
    // The server asks for no password, so a connection would succeed if it were tried.
    ping(database.pool()).await.unwrap();
    let pool = connect_lazy(&ConnectSettings::new(database.url(), "test")).unwrap();
    let credentials = Credentials::new("akid", "secret", None, None, "test");
    let log_in = IamLogIn::new(credentials, "us-east-1");
    for _ in 0..2 {
        log_in.renew(&pool, SystemTime::now()).unwrap();
        let error = ping(&pool).await.unwrap_err().to_string();
        assert!(error.contains("TLS"), "{error}");
        assert!(!error.contains("X-Amz"), "{error}");
    }
}
