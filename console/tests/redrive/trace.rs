//! The search of a trace against a real queue service: whatever ends it, nothing stays hidden.

use std::time::{Duration, Instant};

use event::EventKey;
use pipeline::environment::Folders;
use pipeline::model::{QueueRole, ReceivedMessages};
use redrive::trace::{EventTrace, Holding, Hop, Leaving, Place, TraceRequest, trace};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::harness::{numbered, valid};
use crate::support::machine;
use crate::support::queues::{Queues, receive_dead_letters, release_dead_letters};

const TOTAL: usize = 300;
/// Longer than a release takes, and shorter than the messages would stay hidden by themselves.
const RELEASED_WITHIN: Duration = Duration::from_secs(60);

struct Searching {
    queues: Queues,
    cancel: CancellationToken,
    task: JoinHandle<Option<EventTrace>>,
    _folder: tempfile::TempDir,
}

impl Searching {
    /// Begins a search; some of the dead letters are hidden when this returns.
    async fn begin() -> Self {
        let queues = Queues::start().await;
        queues.add_dead_letters(&numbered(TOTAL), &[]).await;
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::at(folder.path().join("config"), folder.path().join("state"));
        let request = TraceRequest {
            key: EventKey {
                source: "/nowhere".to_owned(),
                id: "1".to_owned(),
            },
            search_dead_letters: true,
            held: Vec::new(),
            holding: Holding::default(),
        };
        let (pipeline, cancel) = (queues.pipeline.clone(), CancellationToken::new());
        let token = cancel.clone();
        let task = tokio::spawn(async move { trace(&pipeline, &folders, &request, &token).await });
        while !task.is_finished() && queues.depth(QueueRole::DeadLetter).await.1 == 0 {
            tokio::task::yield_now().await;
        }
        assert!(
            !task.is_finished(),
            "the search was over before it was cancelled"
        );
        Self {
            queues,
            cancel,
            task,
            _folder: folder,
        }
    }
}

/// Traces the event of one of the dead letters that a console has, and searches them; what it has not is visible.
async fn traced_by_a_holder(queues: &Queues, held: &ReceivedMessages) -> EventTrace {
    let ids = held.messages.iter().map(|message| &message.message_id);
    let hidden = ids.cloned().collect();
    let holding = Holding {
        hidden,
        ..Holding::default()
    };
    traced_holding(queues, held, holding).await
}

async fn traced_holding(queues: &Queues, held: &ReceivedMessages, holding: Holding) -> EventTrace {
    let folder = tempfile::tempdir().unwrap();
    let folders = Folders::at(folder.path().join("config"), folder.path().join("state"));
    let first = held.messages[0].clone();
    let request = TraceRequest {
        key: EventKey {
            source: first.identity.source.clone().unwrap(),
            id: first.identity.id.clone().unwrap(),
        },
        search_dead_letters: true,
        held: vec![first],
        holding,
    };
    let cancel = CancellationToken::new();
    let traced = trace(&queues.pipeline, &folders, &request, &cancel).await;
    traced.unwrap()
}

/// How far the dead letters were searched, and what of them could not be.
fn searched(traced: &EventTrace) -> (Vec<&str>, Vec<&str>) {
    let searched = traced.searched.iter();
    let searched = searched.filter(|search| search.place == Place::DeadLetters);
    let unknown = traced.unknown.iter();
    let unknown = unknown.filter(|gap| gap.place == Place::DeadLetters && !gap.is_failure);
    (
        searched.map(|search| search.extent.as_str()).collect(),
        unknown.map(|gap| gap.reason.as_str()).collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_the_console_holds_are_searched_and_not_received_by_others() {
    let _machine = machine::shared();
    let queues = Queues::start().await;
    let bodies: Vec<String> = (0..5).map(|number| valid(&format!("e{number}"))).collect();
    queues.add_dead_letters(&bodies[..3], &[]).await;
    let long = Duration::from_secs(600);
    let held = receive_dead_letters(&queues.pipeline, 3, long).await;
    assert_eq!(held.messages.len(), 3);
    queues.add_dead_letters(&bodies[3..], &[]).await;
    let traced = traced_by_a_holder(&queues, &held).await;
    let extents = vec!["2 received and released", "the 3 that the console holds"];
    assert_eq!(searched(&traced), (extents.clone(), vec![]));
    let text = &traced.conclusion.text;
    assert!(text.contains("a dead letter of it is there"), "{text}");
    // What really is with others is said.
    let _others = receive_dead_letters(&queues.pipeline, 2, long).await;
    let traced = traced_by_a_holder(&queues, &held).await;
    let extents = vec!["0 received and released", "the 3 that the console holds"];
    let others = vec!["2 received by others could not be seen"];
    assert_eq!(searched(&traced), (extents, others));
}

#[tokio::test(flavor = "multi_thread")]
async fn held_letter_whose_visibility_timeout_ended_is_found_once() {
    let _machine = machine::shared();
    let queues = Queues::start().await;
    queues.add_dead_letters(&[valid("e0")], &[]).await;
    let held = receive_dead_letters(&queues.pipeline, 1, Duration::from_secs(600)).await;
    let handles = [held.messages[0].receipt_handle.clone()];
    assert_eq!(release_dead_letters(&queues.pipeline, &handles).await, 1);
    let traced = traced_by_a_holder(&queues, &held).await;
    let id = Some(held.messages[0].message_id.clone());
    let facts = traced.facts.iter().filter(|fact| fact.reference == id);
    let attempts = facts.filter(|fact| fact.hop == Hop::Attempted);
    assert_eq!(attempts.count(), 1, "{traced:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_others_are_not_taken_for_those_whose_visibility_timeouts_ended() {
    let _machine = machine::shared();
    let queues = Queues::start().await;
    let bodies: Vec<String> = (0..4).map(|number| valid(&format!("e{number}"))).collect();
    queues.add_dead_letters(&bodies[..2], &[]).await;
    let long = Duration::from_secs(600);
    let held = receive_dead_letters(&queues.pipeline, 2, long).await;
    queues.add_dead_letters(&bodies[2..], &[]).await;
    let _others = receive_dead_letters(&queues.pipeline, 2, long).await;
    let handles: Vec<String> = held
        .messages
        .iter()
        .map(|message| message.receipt_handle.clone())
        .collect();
    assert_eq!(release_dead_letters(&queues.pipeline, &handles).await, 2);
    let traced = traced_by_a_holder(&queues, &held).await;
    let extents = vec!["2 received and released", "the 2 that the console holds"];
    let others = vec!["2 received by others could not be seen"];
    assert_eq!(searched(&traced), (extents, others));
}

#[tokio::test(flavor = "multi_thread")]
async fn letter_that_is_being_redriven_is_not_called_there() {
    let _machine = machine::shared();
    let queues = Queues::start().await;
    queues.add_dead_letters(&[valid("e0")], &[]).await;
    let held = receive_dead_letters(&queues.pipeline, 1, Duration::from_secs(600)).await;
    let id = held.messages[0].message_id.clone();
    let holding = Holding {
        leaving: [(id, Leaving::Redriven)].into(),
        ..Holding::default()
    };
    let traced = traced_holding(&queues, &held, holding).await;
    let text = &traced.conclusion.text;
    assert!(text.contains("this console is redriving"), "{text}");
    assert!(!text.contains("is there"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_search_has_released_everything_when_it_ends() {
    let _machine = machine::shared();
    let searching = Searching::begin().await;
    searching.cancel.cancel();
    assert_eq!(searching.task.await.unwrap(), None);
    let depth = searching.queues.depth(QueueRole::DeadLetter).await;
    assert_eq!(depth, (TOTAL, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn search_whose_caller_gives_up_releases_everything() {
    let _machine = machine::shared();
    let searching = Searching::begin().await;
    searching.task.abort();
    let deadline = Instant::now() + RELEASED_WITHIN;
    while searching.queues.depth(QueueRole::DeadLetter).await != (TOTAL, 0) {
        assert!(Instant::now() < deadline, "messages stay hidden");
    }
}
