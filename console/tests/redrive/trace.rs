//! The search of a trace against a real queue service: whatever ends it, nothing stays hidden.

use std::time::{Duration, Instant};

use event::EventKey;
use pipeline::environment::Folders;
use pipeline::model::QueueRole;
use redrive::trace::{EventTrace, TraceRequest, trace};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::harness::numbered;
use crate::support::machine;
use crate::support::queues::Queues;

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
