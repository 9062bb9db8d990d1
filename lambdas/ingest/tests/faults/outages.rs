//! A database that is away, restarts, is full or paused.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::time::{Instant, sleep};

use crate::messages::{Given, good, invalid, numbered};
use crate::stage::{LIMIT, Stage};

fn messages(from: usize) -> Vec<Given> {
    numbered((from..from + 10).map(good))
}

impl Stage {
    /// Restarts the server: in good order, or as after a crash.
    async fn restart(&self, is_crash: bool) {
        if is_crash {
            let file = self.server.folder().join("data/postmaster.pid");
            let text = std::fs::read_to_string(file).unwrap();
            let pid = text.lines().next().unwrap().parse().unwrap();
            kill_process(Pid::from_raw(pid).unwrap(), Signal::QUIT).unwrap();
        }
        self.server.stop_server().await.unwrap();
        self.server.start_again().await.unwrap();
    }
}

#[tokio::test]
async fn database_that_comes_back_in_time_gets_the_batch() {
    let stage = Stage::with_own_server().await;
    let wire = stage.wire().await;
    stage.server.stop_server().await.unwrap();
    // The socket is gone; behind the wire a connection is accepted and closed.
    let direct = stage.deps().await;
    let wired = stage.deps_over(wire.url).await;
    let given = numbered((0..20).map(good).chain([invalid("a"), invalid("b")]));
    let (start, end) = given.split_at(10);
    let (first, second, started) = tokio::join!(
        crate::stage::deliver_only(start, &direct, LIMIT),
        crate::stage::deliver_only(end, &wired, LIMIT),
        stage.server.start_again(),
    );
    started.unwrap();
    assert_eq!((first.outcome.stored, second.outcome.stored), (10, 10));
    assert_eq!(second.outcome.dead_lettered, 2);
    let outcome = stage.survive(&given, &direct, LIMIT).await;
    assert_eq!(outcome.duplicates, 20);
}

#[tokio::test]
async fn restart_between_batches_and_within_one_costs_no_message() {
    let stage = Stage::with_own_server().await;
    let deps = stage.deps().await;
    let mut given = messages(0);
    stage.deliver(&given, &deps, LIMIT).await;
    for is_crash in [false, true] {
        stage.restart(is_crash).await;
        let first = given.len();
        given.extend(messages(first));
        given = numbered(given);
        let between = crate::stage::deliver_only(&given[first..], &deps, LIMIT).await;
        assert_eq!(between.outcome.stored, 10, "crash: {is_crash}");

        let first = given.len();
        given.extend(messages(first));
        given = numbered(given);
        let mut blocker = PgConnection::connect(&stage.server.url(&stage.name))
            .await
            .unwrap();
        sqlx::raw_sql("begin; lock table event_keys in access exclusive mode")
            .execute(&mut blocker)
            .await
            .unwrap();
        let (within, ()) = tokio::join!(
            crate::stage::deliver_only(&given[first..], &deps, LIMIT),
            async {
                stage.wait_until_blocked().await;
                stage.restart(is_crash).await;
            }
        );
        assert_eq!(within.outcome.stored, 10, "crash: {is_crash}");
    }
    let outcome = stage.survive(&given, &deps, LIMIT).await;
    assert_eq!(outcome.duplicates, 50);
}

#[tokio::test]
async fn server_without_a_free_connection_gets_the_batch_when_it_has_one() {
    let stage = Stage::with_own_server().await;
    let deps = stage.deps().await;
    let url = stage.server.url("postgres");
    let mut others = Vec::new();
    while let Ok(connection) = PgConnection::connect(&url).await {
        others.push(connection);
    }
    let log = stage.server.folder().join("postgres.log");
    let refusals = || {
        let text = std::fs::read_to_string(&log).unwrap();
        text.matches("too many clients").count()
    };
    let before = refusals();
    let given = messages(0);
    let (delivery, ()) = tokio::join!(crate::stage::deliver_only(&given, &deps, LIMIT), async {
        let deadline = Instant::now() + LIMIT;
        while refusals() == before {
            assert!(Instant::now() < deadline, "nobody was refused");
            tokio::task::yield_now().await;
        }
        for connection in others {
            connection.close().await.unwrap();
        }
    });
    assert_eq!(delivery.outcome.stored, 10);
    stage.check(&given, &delivery).await;
}

/// A paused database: what is under way waits, and so does a new connection.
async fn pause(duration: Duration, limit: Duration) {
    let stage = Stage::open().await;
    let wire = stage.wire().await;
    let under_way = stage.deps_over(wire.url.clone()).await;
    let new = stage.deps_over(wire.url.clone()).await;
    let given = numbered((0..40).map(good));
    crate::stage::deliver_only(&given[..10], &under_way, LIMIT).await;
    wire.stall();
    let (first, second, ()) = tokio::join!(
        crate::stage::deliver_only(&given[10..20], &under_way, limit),
        crate::stage::deliver_only(&given[20..30], &new, limit),
        async {
            sleep(duration).await;
            wire.resume();
        }
    );
    assert_eq!((first.outcome.stored, second.outcome.stored), (10, 10));
    let outcome = stage.survive(&given, &new, LIMIT).await;
    assert_eq!((outcome.stored, outcome.duplicates), (10, 30));
}

#[tokio::test]
async fn database_that_pauses_for_a_moment_gets_the_batch() {
    pause(Duration::from_secs(2), LIMIT).await;
}

#[tokio::test]
async fn database_that_resumes_after_half_a_minute_gets_the_batch() {
    pause(Duration::from_secs(30), Duration::from_secs(60)).await;
}

#[tokio::test]
async fn database_that_pauses_for_longer_than_the_invocation_gets_it_later() {
    let stage = Stage::open().await;
    let wire = stage.wire().await;
    let deps = stage.deps_over(wire.url.clone()).await;
    wire.stall();
    let given = numbered((0..10).map(good).chain([invalid("a")]));
    for _ in 0..3 {
        let delivery = stage.deliver(&given, &deps, Duration::from_secs(2)).await;
        assert_eq!(delivery.outcome.retried, 10);
    }
    wire.resume();
    let outcome = stage.survive(&given, &deps, LIMIT).await;
    assert_eq!(
        (outcome.stored + outcome.duplicates, outcome.retried),
        (10, 0)
    );
}

/// A function that was frozen finds the other end of its connection gone, without a word.
#[tokio::test]
async fn connection_that_died_in_a_long_sleep_is_replaced_within_the_invocation() {
    let stage = Stage::open().await;
    let wire = stage.wire().await;
    let deps = stage.deps_over(wire.url.clone()).await;
    let given = numbered((0..20).map(good));
    crate::stage::deliver_only(&given[..10], &deps, LIMIT).await;
    wire.silence();
    // Longer than a resting connection is trusted.
    sleep(Duration::from_secs(6)).await;
    let delivery = crate::stage::deliver_only(&given[10..], &deps, LIMIT).await;
    assert_eq!(delivery.outcome.stored, 10);
    stage.survive(&given, &deps, LIMIT).await;
}

#[tokio::test]
async fn connections_that_die_under_a_statement_cost_one_invocation_each() {
    let stage = Stage::open().await;
    let wire = stage.wire().await;
    let deps = stage.deps_over(wire.url.clone()).await;
    let given = messages(0);
    // More than the pool has.
    for _ in 0..4 {
        wire.strike([crate::wire::Fault::Silence]);
        let delivery = stage.deliver(&given, &deps, Duration::from_secs(2)).await;
        assert_eq!(delivery.outcome.retried, 10);
    }
    let outcome = stage.survive(&given, &deps, LIMIT).await;
    assert_eq!(outcome.stored, 10);
}

#[tokio::test]
async fn refused_log_in_is_reported_at_once() {
    let stage = Stage::open().await;
    let url = stage
        .server
        .url(&stage.name)
        .replace("opsconsole@", "nobody@");
    let deps = stage.deps_over(url).await;
    let given = messages(0);
    let delivery = stage.deliver(&given, &deps, LIMIT).await;
    assert_eq!(delivery.outcome.retried, 10);
    assert!(delivery.took < LIMIT / 2, "{:?}", delivery.took);
    stage.redeliver(&given, delivery).await;
}
