//! Any batch under any faults.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::database_proxy::Fault;
use crate::fixture::Fixture;
use crate::messages::{Given, empty, envelope, good, invalid, numbered, poison};
use crate::queue_proxy::QueueFault;

const CASES: u32 = 16;

fn message() -> impl Strategy<Value = Given> {
    // Few ids, so that there are duplicates.
    prop_oneof![
        6 => (0..40_u32).prop_map(good),
        3 => (0..40_u32).prop_map(envelope),
        2 => (0..10_u32).prop_map(invalid),
        1 => (0..10_u32).prop_map(poison),
        1 => Just(empty()),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::CutBefore),
        Just(Fault::CutSent),
        Just(Fault::CutCommitted),
        Just(Fault::CutInAnswer),
    ]
}

fn queue_fault() -> impl Strategy<Value = QueueFault> {
    prop_oneof![
        Just(QueueFault::Throttled("RequestThrottled")),
        Just(QueueFault::OutOfOrder),
        any::<bool>().prop_map(|sender_fault| QueueFault::EntriesFail { sender_fault }),
        Just(QueueFault::CutBefore),
        Just(QueueFault::CutAfter),
    ]
}

#[test]
fn no_message_is_lost_and_no_event_doubled_whatever_happens() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = ProptestConfig {
        cases: CASES,
        // A case that fails may fail by the moment: it is shown as it was.
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let cases = (
        prop::collection::vec(message(), 0..60),
        prop::collection::vec(fault(), 0..6),
        prop::collection::vec(queue_fault(), 0..6),
        500..4_000_u64,
    );
    TestRunner::new(config)
        .run(&cases, |(messages, faults, queue_faults, limit_ms)| {
            runtime.block_on(async {
                let fixture = Fixture::open().await;
                let proxy = fixture.proxy().await;
                proxy.fail_next(faults);
                let queue_proxy = fixture.queue_proxy().await;
                queue_proxy.fail_next(queue_faults);
                let mut deps = fixture.deps_over(proxy.url).await;
                deps.dead_letters = fixture.deps_with_queue(&queue_proxy.url).await.dead_letters;
                let messages = numbered(messages);
                fixture
                    .deliver_and_redeliver(&messages, &deps, Duration::from_millis(limit_ms))
                    .await;
            });
            Ok(())
        })
        .unwrap();
}
