//! `sql` on the database of the real pipeline.

use std::time::Instant;

use serde_json::json;
use store::{ConnectSettings, PgPool};

use crate::by_api;
use crate::pipeline::{Turn, deployed};
use crate::support::harness::LIMIT;
use crate::support::program::Answer;
use crate::support::signals::signal;

async fn sleeping(pool: &PgPool) -> i64 {
    let sql = "select count(*) from pg_stat_activity
               where state = 'active' and query like '%pg_sleep(599)%' and pid <> pg_backend_pid()";
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// Waits until so many questions sleep.
fn wait_for(turn: &Turn, pool: &PgPool, number: i64) {
    let deadline = Instant::now() + LIMIT;
    while turn.runtime.block_on(sleeping(pool)) != number {
        assert!(Instant::now() < deadline, "{number} are waited for");
    }
}

#[test]
fn answer_is_that_of_the_database_and_nothing_can_be_changed() {
    let turn = deployed();
    let sql = "select 1.50 as n, 'a' || chr(27) as \"text\", null as nothing, array[1, 2] as list";
    let mut answer = turn.json(&["sql", sql]);
    assert!(answer["elapsed_ms"].take().is_u64(), "{answer}");
    let expected = json!({
        "columns": ["n", "text", "nothing", "list"], "rows": [[1.50, "a\u{1b}", null, [1, 2]]],
        "is_cut": false, "elapsed_ms": null,
    });
    assert_eq!(answer, expected);
    let answer = turn.run(&["sql", sql]);
    assert!(!answer.stdout.contains('\u{1b}'), "{answer:?}");
    assert!(answer.stdout.contains("a\\u001b"), "{answer:?}");
    assert!(answer.stderr.contains("1 row in "), "{answer:?}");

    let answer = turn.run(&["sql", "explain analyze delete from records"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer.stderr.contains("in a read-only transaction"),
        "{answer:?}"
    );
    let answer = turn.run(&["sql", "select nothing from records"]);
    let expected = "column \"nothing\" does not exist (at character 8)";
    assert!(answer.stderr.contains(expected), "{answer:?}");
    let cut = turn.run(&["sql", "select generate_series(1, 3)", "--limit", "2"]);
    assert_eq!((cut.code, cut.stdout.lines().count()), (0, 3), "{cut:?}");
    assert!(
        cut.stderr.contains("there are more rows: --limit"),
        "{cut:?}"
    );
    let late = turn.run(&["sql", "select pg_sleep(599)", "--timeout", "1s"]);
    assert_eq!(late.code, 1, "{late:?}");
    assert!(
        late.stderr.contains("ended it at the limit of 1 s"),
        "{late:?}"
    );
    assert!(late.stderr.contains("--timeout"), "{late:?}");
}

#[test]
fn interrupted_question_ends_on_the_server() {
    let turn = deployed();
    let settings = ConnectSettings::new(turn.endpoints.database_url.clone(), "test");
    let pool = turn.runtime.block_on(store::connect(&settings)).unwrap();
    let sleep = ["sql", "select pg_sleep(599)", "--timeout", "10m"];
    let child = turn.program.spawn(&sleep);
    wait_for(&turn, &pool, 1);
    signal(child.id(), "INT");
    let answer = Answer::of_child(child);
    assert_eq!(answer.code, 130, "{answer:?}");
    assert!(
        answer.stderr.contains("interrupted: the database is told"),
        "{answer:?}"
    );
    wait_for(&turn, &pool, 0);

    // A program that cannot tell it any more is missed by the server.
    let child = turn.program.spawn(&sleep);
    wait_for(&turn, &pool, 1);
    signal(child.id(), "KILL");
    Answer::of_child(child);
    wait_for(&turn, &pool, 0);
    turn.runtime.block_on(store::disconnect(pool));
}

#[test]
fn questions_are_kept_unless_one_is_told_not_to() {
    let turn = deployed();
    turn.json(&["sql", "select 'kept'"]);
    turn.json(&["sql", "select 'not kept'", "--no-history"]);
    let history = turn.json(&["sql", "--history"]);
    let last = history.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["sql"], &last["environment"]),
        (&json!("select 'kept'"), &json!("test"))
    );
}

#[test]
fn environment_without_a_database_is_told_with_the_way_out() {
    let turn = deployed();
    let answer = by_api::program(&turn, "").run(&["sql", "select 1"]);
    assert_ne!(answer.code, 0, "{answer:?}");
    assert!(
        answer
            .stderr
            .contains("no database in environment \"test\""),
        "{answer:?}"
    );
    assert!(answer.stderr.contains("add database_url"), "{answer:?}");
}
