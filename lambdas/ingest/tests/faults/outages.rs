//! A database that is away, restarts, is full or paused.

use std::time::Duration;

use ingest::Deps;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use crate::fixture::{Fixture, LIMIT};
use crate::messages::{Given, good, invalid, numbered};

fn messages(from: usize) -> Vec<Given> {
    numbered((from..from + 10).map(good))
}

impl Fixture {
    fn server_log(&self) -> String {
        let file = self.server.folder().join("postgres.log");
        std::fs::read_to_string(file).unwrap()
    }

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
    let fixture = Fixture::with_own_server().await;
    let proxy = fixture.proxy().await;
    fixture.server.stop_server().await.unwrap();
    // The socket is gone; behind the proxy a connection is accepted and closed.
    let direct = fixture.deps().await;
    let proxied = fixture.deps_over(proxy.url).await;
    let given = numbered((0..20).map(good).chain([invalid("a"), invalid("b")]));
    let (start, end) = given.split_at(10);
    let (first, second, started) = tokio::join!(
        crate::fixture::deliver_only(start, &direct, LIMIT),
        crate::fixture::deliver_only(end, &proxied, LIMIT),
        fixture.server.start_again(),
    );
    started.unwrap();
    assert_eq!((first.outcome.stored, second.outcome.stored), (10, 10));
    assert_eq!(second.outcome.dead_lettered, 2);
    let outcome = fixture.deliver_and_redeliver(&given, &direct, LIMIT).await;
    assert_eq!(outcome.duplicates, 20);
}

#[tokio::test]
async fn restart_between_batches_and_within_one_costs_no_message() {
    let fixture = Fixture::with_own_server().await;
    let deps = fixture.deps().await;
    let mut given = messages(0);
    fixture.deliver(&given, &deps, LIMIT).await;
    for is_crash in [false, true] {
        fixture.restart(is_crash).await;
        let first = given.len();
        given.extend(messages(first));
        given = numbered(given);
        let between = crate::fixture::deliver_only(&given[first..], &deps, LIMIT).await;
        assert_eq!(between.outcome.stored, 10, "crash: {is_crash}");

        let first = given.len();
        given.extend(messages(first));
        given = numbered(given);
        let mut blocker = PgConnection::connect(&fixture.server.url(&fixture.name))
            .await
            .unwrap();
        sqlx::raw_sql("begin; lock table event_identities in access exclusive mode")
            .execute(&mut blocker)
            .await
            .unwrap();
        let (within, ()) = tokio::join!(
            crate::fixture::deliver_only(&given[first..], &deps, LIMIT),
            async {
                fixture.wait_until_blocked().await;
                fixture.restart(is_crash).await;
            }
        );
        assert_eq!(within.outcome.stored, 10, "crash: {is_crash}");
    }
    let outcome = fixture.deliver_and_redeliver(&given, &deps, LIMIT).await;
    assert_eq!(outcome.duplicates, 50);
}

#[tokio::test]
async fn server_without_a_free_connection_gets_the_batch_when_it_has_one() {
    let fixture = Fixture::with_own_server().await;
    let deps = fixture.deps().await;
    let url = fixture.server.url("postgres");
    let mut others = Vec::new();
    while let Ok(connection) = PgConnection::connect(&url).await {
        others.push(connection);
    }
    let refusals = || fixture.server_log().matches("too many clients").count();
    let before = refusals();
    let given = messages(0);
    let (delivery, ()) = tokio::join!(crate::fixture::deliver_only(&given, &deps, LIMIT), async {
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
    fixture.check(&given, &delivery).await;
}

/// A database that is paused until connections had to wait so often: what is under way waits, and so
/// does a new connection.
async fn pause_until_stalled(times: usize) {
    let fixture = Fixture::open().await;
    let proxy = fixture.proxy().await;
    let under_way = fixture.deps_over(proxy.url.clone()).await;
    let new = fixture.deps_over(proxy.url.clone()).await;
    let given = numbered((0..40).map(good));
    crate::fixture::deliver_only(&given[..10], &under_way, LIMIT).await;
    proxy.stall();
    let (first, second, ()) = tokio::join!(
        crate::fixture::deliver_only(&given[10..20], &under_way, LIMIT),
        crate::fixture::deliver_only(&given[20..30], &new, LIMIT),
        async {
            proxy.wait_until_stalled(times).await;
            proxy.resume();
        }
    );
    assert_eq!((first.outcome.stored, second.outcome.stored), (10, 10));
    let outcome = fixture.deliver_and_redeliver(&given, &new, LIMIT).await;
    assert_eq!((outcome.stored, outcome.duplicates), (10, 30));
}

#[tokio::test]
async fn database_that_pauses_for_a_moment_gets_the_batch() {
    // The statement under way, and the new connection.
    pause_until_stalled(2).await;
}

/// Each attempt to connect is given up after ten seconds, so that the fourth begins after half a
/// minute.
#[tokio::test]
async fn database_that_resumes_after_half_a_minute_gets_the_batch() {
    pause_until_stalled(1 + 4).await;
}

#[tokio::test]
async fn database_that_pauses_for_longer_than_the_invocation_gets_it_later() {
    let fixture = Fixture::open().await;
    let proxy = fixture.proxy().await;
    let deps = fixture.deps_over(proxy.url.clone()).await;
    proxy.stall();
    let given = numbered((0..10).map(good).chain([invalid("a")]));
    for _ in 0..3 {
        let delivery = fixture.deliver(&given, &deps, Duration::from_secs(2)).await;
        assert_eq!(delivery.outcome.retried, 10);
    }
    proxy.resume();
    let outcome = fixture.deliver_and_redeliver(&given, &deps, LIMIT).await;
    assert_eq!(
        (outcome.stored + outcome.duplicates, outcome.retried),
        (10, 0)
    );
}

/// A function that was frozen does not hear that its connection is gone.
#[tokio::test]
async fn connection_that_died_in_a_long_sleep_is_replaced_within_the_invocation() {
    let fixture = Fixture::open().await;
    let proxy = fixture.proxy().await;
    let pool = store::connect_lazy(&store::ConnectSettings {
        // As if the connection had been idle for long before each use.
        unchecked_idle_max: Duration::ZERO,
        max_connections: 2,
        ..store::ConnectSettings::new(proxy.url.clone(), "ingest")
    });
    let deps = Deps {
        pool: pool.unwrap(),
        ..fixture.deps().await
    };
    let given = numbered((0..20).map(good));
    crate::fixture::deliver_only(&given[..10], &deps, LIMIT).await;
    proxy.silence();
    let delivery = crate::fixture::deliver_only(&given[10..], &deps, LIMIT).await;
    assert_eq!(delivery.outcome.stored, 10);
    fixture.deliver_and_redeliver(&given, &deps, LIMIT).await;
}

#[tokio::test]
async fn connections_that_die_under_a_statement_cost_one_invocation_each() {
    let fixture = Fixture::open().await;
    let proxy = fixture.proxy().await;
    let deps = fixture.deps_over(proxy.url.clone()).await;
    let given = messages(0);
    // More than the pool has.
    for _ in 0..4 {
        proxy.fail_next([crate::database_proxy::Fault::Silence]);
        let delivery = fixture.deliver(&given, &deps, Duration::from_secs(2)).await;
        assert_eq!(delivery.outcome.retried, 10);
    }
    let outcome = fixture.deliver_and_redeliver(&given, &deps, LIMIT).await;
    assert_eq!(outcome.stored, 10);
}

#[tokio::test]
async fn refused_log_in_is_reported_at_once() {
    let fixture = Fixture::open().await;
    let url = fixture
        .server
        .url(&fixture.name)
        .replace("opsconsole@", "nobody@");
    let deps = fixture.deps_over(url).await;
    let given = messages(0);
    let delivery = fixture.deliver(&given, &deps, LIMIT).await;
    assert_eq!(delivery.outcome.retried, 10);
    let refused = "password authentication failed for user \"nobody\"";
    assert_eq!(fixture.server_log().matches(refused).count(), 1);
    fixture.redeliver(&given, delivery).await;
}
