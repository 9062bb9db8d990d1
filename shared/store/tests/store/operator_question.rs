//! Questions in SQL that an operator writes: read-only, one statement, bounded, and ended on the server.

use std::time::Duration;

use store::{
    Cut, PgPool, QuestionError, QuestionLimits, SqlAnswer, begin_question, cancel_question,
};

use crate::events::{at, event_from, migrated};

const LIMITS: QuestionLimits = QuestionLimits {
    rows: 100,
    bytes: 100_000,
    time: Duration::from_secs(60),
};

async fn ask(pool: &PgPool, sql: &str) -> Result<SqlAnswer, QuestionError> {
    let question = begin_question(pool, LIMITS.time).await.unwrap();
    question.ask(sql, LIMITS).await
}

fn rows(answer: &SqlAnswer) -> Vec<Vec<&str>> {
    let rows = answer.rows.iter();
    rows.map(|row| row.iter().map(|value| value.get()).collect())
        .collect()
}

fn refused(result: Result<SqlAnswer, QuestionError>) -> (String, Option<usize>) {
    match result {
        Err(QuestionError::Refused {
            message, position, ..
        }) => (message, position),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn answer_has_the_columns_and_values_as_the_database_writes_them() {
    let database = migrated().await;
    let pool = database.pool();
    let noon = at("2026-11-24T12:00:00Z");
    store::write_batch(pool, &[event_from("/a", "1", "t", noon)])
        .await
        .unwrap();
    let answer = ask(
        pool,
        "select source, 1.50 as n, null as x, payload->>'id' as x from records;",
    )
    .await
    .unwrap();
    assert_eq!(answer.columns, ["source", "n", "x", "x"]);
    assert_eq!(rows(&answer), [["\"/a\"", "1.50", "null", "\"1\""]]);
    assert_eq!(answer.cut, None);
    let none = ask(pool, "select id from records where false")
        .await
        .unwrap();
    assert_eq!((none.columns, none.rows.len()), (vec!["id".to_owned()], 0));
    let shown = ask(pool, "show transaction_read_only").await.unwrap();
    assert_eq!(rows(&shown), [["\"on\""]]);
    let every = ask(pool, "show all; ").await.unwrap();
    assert_eq!(every.columns, ["name", "setting", "description"]);
    assert_eq!(rows(&every)[0].len(), 3);
    let plan = ask(pool, "explain(costs off) select 1").await.unwrap();
    assert!(rows(&plan)[0][0].contains("Result"), "{plan:?}");
    let plan = ask(pool, "explain select 1 -- as it is").await.unwrap();
    assert!(rows(&plan)[0][0].contains("Result"), "{plan:?}");
    let ordered = ask(pool, "values (3), (1), (2) order by 1 desc -- last")
        .await
        .unwrap();
    assert_eq!(rows(&ordered), [["3"], ["2"], ["1"]]);
    let same_name = ask(pool, "select 1 as t, 2 as operator_question_")
        .await
        .unwrap();
    assert_eq!(rows(&same_name), [["1", "2"]]);
}

#[tokio::test]
async fn nothing_can_be_written_and_nothing_leaves_the_transaction() {
    let database = migrated().await;
    let pool = database.pool();
    let before = store::summary(pool).await.unwrap().total;
    for sql in [
        "delete from records",
        "insert into records default values returning *",
        "with gone as (delete from records returning *) select * from gone",
        "select 1; delete from records",
        "select 1) as x) as y; drop table records; select (1",
        "commit; delete from records",
        "select set_config('transaction_read_only', 'off', false)",
        "select nextval('event_keys_record_id_seq')",
        "commit",
        "set transaction read write",
        "explain analyze delete from records",
        "select * from records for update",
        "copy records to stdout",
    ] {
        let (message, _) = refused(ask(pool, sql).await);
        assert!(!message.is_empty(), "{sql}");
    }
    assert_eq!(store::summary(pool).await.unwrap().total, before);
}

#[tokio::test]
async fn character_at_fault_is_that_of_the_question() {
    let database = migrated().await;
    let pool = database.pool();
    let (message, position) = refused(ask(pool, "select nothing from records").await);
    assert_eq!(message, "column \"nothing\" does not exist");
    assert_eq!(position, Some(8));
    // Found by the server only when it runs.
    let (message, _) = refused(ask(pool, "select 1 / (1 - count(*)) from (values (1)) as v").await);
    assert_eq!(message, "division by zero");
}

#[tokio::test]
async fn answer_is_cut_at_its_limits_and_says_so() {
    let database = migrated().await;
    let pool = database.pool();
    let many = ask(pool, "select generate_series(1, 1000000)")
        .await
        .unwrap();
    assert_eq!((many.rows.len(), many.cut), (LIMITS.rows, Some(Cut::Rows)));
    let exact = ask(pool, "select generate_series(1, 100)").await.unwrap();
    assert_eq!((exact.rows.len(), exact.cut), (LIMITS.rows, None));
    let wide = "select repeat('x', 40000) from generate_series(1, 50)";
    let wide = ask(pool, wide).await.unwrap();
    assert_eq!((wide.rows.len(), wide.cut), (2, Some(Cut::Bytes)));
    let large = ask(pool, "select repeat('x', 2000000)").await.unwrap_err();
    assert!(
        matches!(large, QuestionError::LargeRow { row: 1, .. }),
        "{large:?}"
    );
}

#[tokio::test]
async fn server_ends_what_takes_too_long() {
    let database = migrated().await;
    let pool = database.pool();
    let time = Duration::from_millis(50);
    let question = begin_question(pool, time).await.unwrap();
    let error = question
        .ask("select pg_sleep(600)", LIMITS)
        .await
        .unwrap_err();
    assert!(
        matches!(error, QuestionError::TooSlow(limit) if limit == time),
        "{error:?}"
    );
}

#[tokio::test]
async fn cancelled_question_ends_on_the_server() {
    let database = migrated().await;
    let pool = database.pool();
    let question = begin_question(pool, LIMITS.time).await.unwrap();
    let backend = question.backend();
    let asking = tokio::spawn(async move { question.ask("select pg_sleep(600)", LIMITS).await });
    // A cancellation that comes before the statement cancels nothing.
    while !asking.is_finished() {
        cancel_question(pool, backend).await.unwrap();
        tokio::task::yield_now().await;
    }
    let error = asking.await.unwrap().unwrap_err();
    assert!(matches!(error, QuestionError::Cancelled), "{error:?}");
    let sleeping: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(600)%' and pid <> pg_backend_pid() and datname = current_database()",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(sleeping, 0);
}
