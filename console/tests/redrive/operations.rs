//! The operations on dead letters against a real queue service: what is received is deleted or
//! released, and the audit log has the end of every change.

use std::collections::HashSet;
use std::path::Path;
use std::task::Poll;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use pipeline::audit::AuditLog;
use pipeline::environment::Environment;
use pipeline::model::QueueRole;
use pipeline::{Authority, DELETE_MESSAGES_MAX, Hidden, LeaseSet, Pipeline};
use redrive::operations::{
    Export, Exported, OperationError, Selection, Walk, WalkOptions, delete, messages_before_purge,
    purge,
};
use tokio_util::sync::CancellationToken;

use crate::support::harness::numbered;
use crate::support::machine;
use crate::support::proxy::{self, Fault};
use crate::support::queues::Queues;

const TOTAL: usize = 300;

/// Both queues with dead letters, and a pipeline whose changes are recorded.
async fn start(folder: &Path) -> (Queues, Pipeline, AuditLog) {
    let queues = Queues::start().await;
    queues.add_dead_letters(&numbered(TOTAL), &[]).await;
    let log = AuditLog::in_folder(folder);
    let pipeline = queues.pipeline.with_authority(Authority {
        log: Some(log.clone()),
        ..Authority::default()
    });
    (queues, pipeline, log)
}

/// Receives everything, with copies.
async fn received(
    pipeline: &Pipeline,
    cancel: &CancellationToken,
    copies: &Path,
) -> (Walk, Exported) {
    let (all, options) = (Selection::default(), WalkOptions::default());
    let mut walk = Walk::begin(pipeline, all, options, cancel.clone(), Box::new(|_| ()))
        .await
        .unwrap();
    let mut export = Export::begin(Some(copies)).unwrap();
    export.add_all(&mut walk).await.unwrap();
    let exported = export.finish().await.unwrap();
    assert_eq!(exported.copies(), TOTAL);
    (walk, exported)
}

#[tokio::test]
async fn cancelled_delete_ends_its_audit_entry_and_leaves_the_rest_for_the_release() {
    let _machine = machine::shared();
    let folder = tempfile::tempdir().unwrap();
    let (queues, pipeline, log) = start(folder.path()).await;
    let cancel = CancellationToken::new();
    let copies = folder.path().join("copies.jsonl");
    let (walk, exported) = received(&pipeline, &cancel, &copies).await;
    let (leases, all) = (&walk.leases, Some(&walk.selection));
    let after_the_first_block = |_| cancel.cancel();
    let deleted = delete(
        &pipeline,
        leases,
        &exported,
        all,
        &cancel,
        after_the_first_block,
    )
    .await
    .unwrap();
    let left = TOTAL - DELETE_MESSAGES_MAX;
    assert!(deleted.is_cancelled);
    assert_eq!(
        (deleted.message_ids.len(), deleted.left, leases.len()),
        (DELETE_MESSAGES_MAX, left, left)
    );
    let entry = log.read().unwrap().entries.remove(0);
    assert_eq!(entry.change.details["selection"], "--all");
    let ending = entry.ending.unwrap();
    assert_eq!(ending.error.as_deref(), Some("interrupted"));
    assert_eq!(ending.counts["deleted"], DELETE_MESSAGES_MAX as u64);
    assert_eq!(ending.counts["left"], left as u64);
    assert_eq!(leases.release_all().await, Hidden::default());
    assert_eq!(queues.depth(QueueRole::DeadLetter).await, (left, 0));
}

#[tokio::test]
async fn message_is_deleted_only_while_it_stays_hidden() {
    let _machine = machine::shared();
    let folder = tempfile::tempdir().unwrap();
    let (queues, pipeline, log) = start(folder.path()).await;
    let never = CancellationToken::new();
    let copies = folder.path().join("copies.jsonl");
    let (walk, exported) = received(&pipeline, &never, &copies).await;
    let lost = &exported.messages()[0].0;
    let ended = Utc::now() - TimeDelta::seconds(1);
    walk.leases.adopt(lost, "of an earlier receive", ended);
    let deleted = delete(&pipeline, &walk.leases, &exported, None, &never, |_| ())
        .await
        .unwrap();
    assert_eq!(deleted.failures.len(), 1);
    assert_eq!(&deleted.failures[0].message_id, lost);
    let cause = &deleted.failures[0].cause;
    assert!(cause.contains("timeout has ended"), "{cause}");
    assert_eq!(deleted.message_ids.len(), TOTAL - 1);
    assert_eq!(queues.count(QueueRole::DeadLetter).await, 1);
    let ending = log.read().unwrap().entries.remove(0).ending.unwrap();
    assert_eq!(ending.counts["failed"], 1);
}

#[tokio::test]
async fn refused_change_leaves_every_message_and_no_entry() {
    let _machine = machine::shared();
    let folder = tempfile::tempdir().unwrap();
    let (queues, pipeline, log) = start(folder.path()).await;
    let environment = Environment {
        read_only: true,
        ..pipeline.environment().clone()
    };
    let read_only = Pipeline::connect(&environment).unwrap();
    let never = CancellationToken::new();
    let copies = folder.path().join("copies.jsonl");
    let (walk, exported) = received(&pipeline, &never, &copies).await;
    let leases = &walk.leases;
    let refused = delete(&read_only, leases, &exported, None, &never, |_| ()).await;
    assert!(matches!(refused, Err(OperationError::Pipeline(_))));
    let refused = purge(&read_only, leases, &exported, TOTAL as u64, &never).await;
    assert!(matches!(refused, Err(OperationError::Pipeline(_))));
    // An export that lacks messages does not allow a purge.
    let nothing = Export::begin(Some(&folder.path().join("none.jsonl"))).unwrap();
    let refused = messages_before_purge(&pipeline, &nothing).await;
    assert!(matches!(refused, Err(OperationError::Incomplete(_))));
    assert_eq!(log.read().unwrap().entries.len(), 0);
    assert_eq!(leases.release_all().await, Hidden::default());
    assert_eq!(queues.depth(QueueRole::DeadLetter).await, (TOTAL, 0));
}

#[tokio::test]
async fn two_sets_never_have_the_same_message() {
    let _machine = machine::shared();
    let queues = Queues::start().await;
    queues.add_dead_letters(&numbered(TOTAL), &[]).await;
    let sets = [(); 2].map(|()| LeaseSet::new(&queues.pipeline, Duration::from_secs(60)));
    let never = CancellationToken::new();
    let receive = async |leases: &LeaseSet| {
        let received = leases.receive(TOTAL, &never).await.unwrap().unwrap();
        let messages = received.messages.into_iter();
        messages
            .map(|message| message.message_id)
            .collect::<Vec<_>>()
    };
    let (first, second) = tokio::join!(receive(&sets[0]), receive(&sets[1]));
    let all: HashSet<&String> = first.iter().chain(&second).collect();
    assert_eq!((first.len() + second.len(), all.len()), (TOTAL, TOTAL));
    for leases in &sets {
        assert_eq!(leases.release_all().await, Hidden::default());
    }
    assert_eq!(queues.depth(QueueRole::DeadLetter).await, (TOTAL, 0));
}

#[tokio::test]
async fn cancelled_walk_does_not_wait_for_an_extension() {
    let _machine = machine::shared();
    let queues = Queues::start().await;
    // More than one round receives.
    queues.add_dead_letters(&numbered(1_100), &[]).await;
    let (endpoint, every) = (queues.endpoint_url(), 0..usize::MAX);
    let operation = "ChangeMessageVisibilityBatch";
    let mut proxy = proxy::start(endpoint, operation, Fault::KeepRequest, every).await;
    let pipeline = queues.over(&proxy.url).pipeline;
    let cancel = CancellationToken::new();
    let (all, soon) = (Selection::default(), Duration::from_secs(30));
    let options = WalkOptions::of(soon, None);
    let mut walk = Walk::begin(&pipeline, all, options, cancel.clone(), Box::new(|_| ()))
        .await
        .unwrap();
    walk.next().await.unwrap().unwrap();
    let mut next = Box::pin(walk.next());
    tokio::select! {
        round = &mut next => panic!("{round:?}"),
        () = proxy.wait_until_kept() => {}
    }
    cancel.cancel();
    let ended = futures::poll!(&mut next);
    assert!(
        matches!(ended, Poll::Ready(Err(OperationError::Cancelled))),
        "{ended:?}"
    );
}
