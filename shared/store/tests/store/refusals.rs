use store::{StoreError, write_batch};

use crate::events::{at, count, event, migrated, with_json};

const NOON: &str = "2026-11-24T12:00:00Z";

#[tokio::test]
async fn refused_event_is_distinguished_from_a_failing_database() {
    let database = migrated().await;
    let pool = database.pool();
    for (json, expected) in [
        (r#"{"secret":"\u0000"}"#, "22P05"),
        (r#"{"secret":"\ud800"}"#, "22P02"),
        (r#"{"secret":1e400000}"#, "22003"),
        (r#"{"secret"#, "22P02"),
    ] {
        let events = [
            event("good", "t", at(NOON)),
            with_json(event("bad", "t", at(NOON)), json),
        ];
        let error = write_batch(pool, &events).await.unwrap_err();
        assert!(error.is_event_fault() && !error.is_transient(), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
        let StoreError::EventRefused { sqlstate, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(sqlstate, expected, "{json}");
        assert!(error.refusal().unwrap().contains(expected));
    }
    assert_eq!(count(pool, "event_identities").await, 0, "all or nothing");
}

#[tokio::test]
async fn refusal_by_a_constraint_names_it() {
    let database = migrated().await;
    let pool = database.pool();
    sqlx::query("alter table records add constraint no_poison check (type <> 'poison')")
        .execute(pool)
        .await
        .unwrap();
    let error = write_batch(pool, &[event("a", "poison", at(NOON))])
        .await
        .unwrap_err();
    let refusal = error.refusal().unwrap();
    assert!(
        refusal.contains("no_poison") && refusal.contains("23514"),
        "{refusal}"
    );
}

#[tokio::test]
async fn deepest_nesting_that_is_accepted_can_be_stored_and_read() {
    let database = migrated().await;
    let pool = database.pool();
    // The event itself is the first level.
    let levels = event::NESTING_MAX - 1;
    let data = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let json = format!(
        r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","time":"{NOON}","data":{data}}}"#
    );
    let event = event::parse_event(&json).unwrap();
    write_batch(pool, &[event]).await.unwrap();
    let page = store::list_records(pool, &event::RecordQuery::default())
        .await
        .unwrap();
    assert!(page.items[0].payload.get().contains(&data));
}
