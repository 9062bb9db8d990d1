//! Faults in the middle of a statement.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use crate::database_proxy::Fault;
use crate::fixture::{Fixture, LIMIT};
use crate::messages::{Given, good, invalid, numbered, poison};

/// Ten events, one of them twice, and what is no event.
fn messages() -> Vec<Given> {
    numbered((0..10).map(good).chain([good(3), invalid("a")]))
}

impl Fixture {
    /// Each statement on the ledger calls `fail` before anything else; `attempts` counts them,
    /// also those that are rolled back.
    async fn before_each_statement(&self, body: &str) {
        self.execute(format!(
            "create sequence if not exists attempts;
             select setval('attempts', 1, false);
             create or replace function fail() returns trigger language plpgsql as $$
             declare attempt bigint := nextval('attempts');
             begin {body}; return null; end $$;
             create or replace trigger fail before insert on event_identities
             for each statement execute function fail();"
        ))
        .await;
    }

    async fn attempts(&self) -> i64 {
        sqlx::query_scalar("select last_value from attempts")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Waits until a session of the function waits for a lock.
    pub(crate) async fn wait_until_blocked(&self) {
        let deadline = Instant::now() + LIMIT;
        let mut is_blocked = false;
        while !is_blocked {
            assert!(Instant::now() < deadline, "nobody waits for a lock");
            is_blocked = sqlx::query_scalar(
                "select exists (select from pg_stat_activity where application_name = 'ingest'
                 and datname = current_database() and wait_event_type = 'Lock')",
            )
            .fetch_one(&self.pool)
            .await
            .unwrap();
        }
    }
}

#[tokio::test]
async fn connection_that_is_cut_within_a_statement_costs_one_attempt() {
    for (fault, stored) in [
        (Fault::CutBefore, Some(10)),
        (Fault::CutSent, None),
        (Fault::CutCommitted, Some(0)),
        (Fault::CutInAnswer, Some(0)),
    ] {
        let fixture = Fixture::open().await;
        let proxy = fixture.proxy().await;
        proxy.fail_next([fault]);
        let deps = fixture.deps_over(proxy.url.clone()).await;
        let outcome = fixture
            .deliver_and_redeliver(&messages(), &deps, LIMIT)
            .await;
        assert_eq!(proxy.faults_left(), 0);
        assert_eq!(outcome.retried, 0, "{fault:?}");
        assert_eq!(outcome.stored + outcome.duplicates, 11, "{fault:?}");
        if let Some(stored) = stored {
            // What the first attempt committed is a duplicate to the second.
            assert_eq!(outcome.stored, stored, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn connection_that_is_always_cut_is_given_up_before_the_deadline() {
    for fault in [Fault::CutBefore, Fault::CutSent, Fault::CutInAnswer] {
        let fixture = Fixture::open().await;
        let proxy = fixture.proxy().await;
        proxy.fail_next([fault; 1_000]);
        let deps = fixture.deps_over(proxy.url.clone()).await;
        let outcome = fixture
            .deliver_and_redeliver(&messages(), &deps, Duration::from_secs(3))
            .await;
        assert_eq!((outcome.retried, outcome.dead_lettered), (11, 1));
        assert!(proxy.faults_left() < 998, "it was tried again");
    }
}

#[tokio::test]
async fn transient_failure_is_retried_and_a_permanent_one_is_not() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    let transient = [
        "40001", "40P01", "55P03", "53200", "53300", "57014", "57P01", "08006",
    ];
    let permanent = ["42P01", "42501", "28P01", "XX000"];
    let mut given = Vec::new();
    for (number, code) in transient.iter().chain(&permanent).enumerate() {
        let raise = format!("if attempt <= 2 then raise 'no' using errcode = '{code}'; end if");
        fixture.before_each_statement(&raise).await;
        let first = given.len();
        given.push(good(number));
        given.push(invalid(number));
        given = numbered(given);
        let delivery = crate::fixture::deliver_only(&given[first..], &deps, LIMIT).await;
        assert_eq!(delivery.outcome.dead_lettered, 1);
        if transient.contains(code) {
            assert_eq!(
                (delivery.outcome.stored, fixture.attempts().await),
                (1, 3),
                "{code}"
            );
        } else {
            assert_eq!(
                (delivery.outcome.retried, fixture.attempts().await),
                (1, 1),
                "{code}"
            );
            // The second time somebody has corrected it.
            fixture.before_each_statement("null").await;
            let again = crate::fixture::deliver_only(&delivery.reported, &deps, LIMIT).await;
            assert_eq!(again.outcome.stored, 1);
        }
    }
    let delivery = fixture.deliver(&given, &deps, LIMIT).await;
    assert_eq!(
        delivery.outcome.duplicates,
        transient.len() + permanent.len()
    );
}

#[tokio::test]
async fn deadlock_costs_an_attempt() {
    let fixture = Fixture::open().await;
    // The function's session is the one that looks for a deadlock, and so its victim; late enough
    // for the other one to get into its way.
    let database = &fixture.name;
    fixture
        .execute(format!(
            "alter database {database} set deadlock_timeout = '2s'"
        ))
        .await;
    let deps = fixture.deps().await;
    let mut other = PgConnection::connect(&fixture.server.url(database))
        .await
        .unwrap();
    // The function inserts in the order of the identities, this session in the opposite one.
    let insert = |direction: &str| {
        format!(
            "insert into event_identities (identity, occurred_at)
             select event_identity('/tests', n::text) as identity, now() from generate_series(0, 9) as n
             order by identity {direction} limit 1"
        )
    };
    sqlx::raw_sql("set deadlock_timeout = '50s'; begin")
        .execute(&mut other)
        .await
        .unwrap();
    sqlx::query(&insert("desc"))
        .execute(&mut other)
        .await
        .unwrap();
    let opposite = async {
        fixture.wait_until_blocked().await;
        // Ends when the function's statement was rolled back.
        sqlx::query(&insert("asc"))
            .execute(&mut other)
            .await
            .unwrap();
        sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
        // The server counts what it had to break, some time later.
        let deadline = Instant::now() + LIMIT;
        let mut deadlocks = 0_i64;
        while deadlocks == 0 {
            assert!(Instant::now() < deadline, "there was no deadlock");
            deadlocks = sqlx::query_scalar(
                "select deadlocks from pg_stat_database where datname = current_database()",
            )
            .fetch_one(&fixture.pool)
            .await
            .unwrap();
        }
    };
    let messages = messages();
    let (outcome, ()) = tokio::join!(
        fixture.deliver_and_redeliver(&messages, &deps, LIMIT),
        opposite
    );
    assert_eq!(
        (outcome.stored, outcome.duplicates, outcome.retried),
        (10, 1, 0)
    );
}

#[tokio::test]
async fn conflicts_between_the_parts_of_a_batch_cost_no_message() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    fixture
        .before_each_statement("if attempt % 2 = 0 then raise 'no' using errcode = '40001'; end if")
        .await;
    let messages = numbered((0..40).map(good).chain([poison("a"), good(1), poison("b")]));
    let outcome = fixture.deliver_and_redeliver(&messages, &deps, LIMIT).await;
    assert_eq!(
        (outcome.stored, outcome.duplicates, outcome.dead_lettered),
        (40, 1, 2)
    );
}

#[tokio::test]
async fn statement_that_takes_longer_than_the_invocation_is_reported() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    let mut blocker = fixture.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table event_identities in access exclusive mode")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let messages = messages();
    let limit = Duration::from_secs(2);
    let delivery = crate::fixture::deliver_only(&messages, &deps, limit).await;
    blocker.rollback().await.unwrap();
    fixture.check(&messages, &delivery).await;
    assert_eq!(
        (delivery.outcome.retried, delivery.outcome.dead_lettered),
        (11, 1)
    );
    fixture.redeliver(&messages, delivery).await;
}

#[tokio::test]
async fn nothing_but_what_the_database_refuses_ends_in_time() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    let messages = numbered((0..200).map(poison));
    let outcome = fixture.deliver_and_redeliver(&messages, &deps, LIMIT).await;
    assert_eq!(outcome.dead_lettered, 200);

    // More than there is time for: the rest is reported, and delivered again.
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    let messages = numbered((0..1_000).map(poison));
    fixture
        .deliver_and_redeliver(&messages, &deps, Duration::from_secs(2))
        .await;
}
