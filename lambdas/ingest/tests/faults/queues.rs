//! Faults of the dead-letter queue.

use std::time::Duration;

use tokio::time::timeout;

use crate::fixture::{Fixture, LIMIT};
use crate::messages::{Given, good, invalid, numbered};
use crate::queue_proxy::QueueFault;

/// Three calls of dead letters, and good events beside them.
fn messages() -> Vec<Given> {
    numbered((0..25).map(invalid).chain((0..5).map(good)))
}

#[tokio::test]
async fn queue_that_recovers_gets_every_dead_letter_in_the_same_invocation() {
    for fault in [
        QueueFault::Throttled("RequestThrottled"),
        QueueFault::Throttled("ThrottlingException"),
        QueueFault::Throttled("KMS.ThrottlingException"),
        QueueFault::OutOfOrder,
        QueueFault::EntriesFail {
            sender_fault: false,
        },
        QueueFault::CutBefore,
        QueueFault::CutAfter,
    ] {
        let fixture = Fixture::open().await;
        let proxy = fixture.queue_proxy().await;
        proxy.fail_next([fault; 7]);
        let deps = fixture.deps_with_queue(&proxy.url).await;
        let messages = messages();
        let outcome = fixture.deliver_and_redeliver(&messages, &deps, LIMIT).await;
        assert_eq!(
            (outcome.stored, outcome.dead_lettered),
            (5, 25),
            "{fault:?}"
        );
        assert_eq!(proxy.calls(), 10, "{fault:?}");
        // A dead letter is sent again only where its confirmation was lost.
        let doubled = fixture
            .dead_letters()
            .await
            .values()
            .any(|all| all.len() > 1);
        assert_eq!(doubled, fault == QueueFault::CutAfter, "{fault:?}");
    }
}

#[tokio::test]
async fn queue_that_does_not_answer_costs_one_call() {
    let fixture = Fixture::open().await;
    let proxy = fixture.queue_proxy().await;
    proxy.fail_next([QueueFault::Silence]);
    let deps = fixture.deps_with_queue(&proxy.url).await;
    let messages = messages();
    let outcome = fixture.deliver_and_redeliver(&messages, &deps, LIMIT).await;
    assert_eq!((outcome.stored, outcome.dead_lettered), (5, 25));
}

#[tokio::test]
async fn entry_that_is_the_senders_fault_is_not_sent_again() {
    let fixture = Fixture::open().await;
    let proxy = fixture.queue_proxy().await;
    proxy.fail_next([QueueFault::EntriesFail { sender_fault: true }; 3]);
    let deps = fixture.deps_with_queue(&proxy.url).await;
    let messages = messages();
    let outcome = fixture.deliver_and_redeliver(&messages, &deps, LIMIT).await;
    assert_eq!((outcome.dead_lettered, outcome.retried), (12, 13));
    assert_eq!(proxy.calls(), 3);
}

#[tokio::test]
async fn queue_that_refuses_access_is_not_called_for_each_dead_letter() {
    for code in [
        "AccessDeniedException",
        "QueueDoesNotExist",
        "KmsAccessDenied",
    ] {
        let fixture = Fixture::open().await;
        let proxy = fixture.queue_proxy().await;
        proxy.fail_next([QueueFault::Shut(code); 1_000]);
        let deps = fixture.deps_with_queue(&proxy.url).await;
        let messages = numbered((0..400).map(invalid).chain((0..5).map(good)));
        let outcome = fixture.deliver_and_redeliver(&messages, &deps, LIMIT).await;
        assert_eq!((outcome.stored, outcome.retried), (5, 400));
        // Those that were under way together.
        assert!(proxy.calls() <= 8, "{} calls", proxy.calls());
    }
}

#[tokio::test]
async fn queue_that_does_not_recover_is_given_up_before_the_deadline() {
    for fault in [
        QueueFault::Throttled("RequestThrottled"),
        QueueFault::OutOfOrder,
        QueueFault::EntriesFail {
            sender_fault: false,
        },
        QueueFault::Silence,
    ] {
        let fixture = Fixture::open().await;
        let proxy = fixture.queue_proxy().await;
        proxy.fail_next([fault; 1_000]);
        let deps = fixture.deps_with_queue(&proxy.url).await;
        let messages = messages();
        let delivery = fixture
            .deliver(&messages, &deps, Duration::from_secs(3))
            .await;
        assert_eq!(delivery.outcome.stored, 5);
        if !matches!(fault, QueueFault::EntriesFail { .. }) {
            assert_eq!(delivery.outcome.retried, 25);
        }
        fixture.redeliver(&messages, delivery).await;
    }
}

#[tokio::test]
async fn queue_that_is_away_does_not_use_all_the_time() {
    let fixture = Fixture::open().await;
    // Nothing listens on port 1.
    let deps = fixture.deps_with_queue("http://127.0.0.1:1").await;
    let messages = messages();
    let delivering = fixture.deliver(&messages, &deps, LIMIT);
    let delivery = timeout(LIMIT / 2, delivering).await.unwrap();
    assert_eq!((delivery.outcome.stored, delivery.outcome.retried), (5, 25));
    fixture.redeliver(&messages, delivery).await;
}
