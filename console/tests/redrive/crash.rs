//! A redrive that ends anywhere: no event is lost, none is deleted unconfirmed, and `resume` brings
//! every one to its end.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;

use futures::StreamExt as _;
use pipeline::Pipeline;
use pipeline::model::{DeadLetter, QueueRole};
use redrive::operations::freeze;
use redrive::{
    Control, Counts, Journal, MessageOutcome, Plan, PlanOptions, RedriveError, Report, RunOptions,
    State, Storage, run,
};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::watch;

use crate::support::harness::LIMIT;
use crate::support::proxy::{self, Fault, Proxy};
use crate::support::queues::receive_dead_letters;
use crate::support::redrive_fixture::{Fixture, Places, Services, VISIBILITY, quick, resumed};

/// Messages of one redrive: two batches.
pub(crate) const TOTAL: usize = 12;
/// Crashes that are tested at once, each on queues of its own.
pub(crate) const CRASHES_AT_ONCE: usize = 7;
/// Writes of such a redrive: the handles, then intent, confirmation and delete of each batch, and the
/// end.
pub(crate) const WRITES: usize = 8;
/// The write between the answer to the first send and its delete.
const CONFIRMATION: usize = 2;
/// With proof there is one more before the end.
const PROOF: usize = 7;
/// Calls of each batch.
const CALLS: [&str; 2] = ["SendMessageBatch", "DeleteMessageBatch"];

/// Where in a write the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    Within,
    After,
}

/// A file that accepts some writes, then calls `stop` in the next and fails.
struct Stopping<F> {
    file: File,
    writes_left: usize,
    moment: Moment,
    stop: F,
}

impl<F: FnMut() + Send> Storage for Stopping<F> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.writes_left > 0 {
            self.writes_left -= 1;
            return self.file.append(bytes);
        }
        match self.moment {
            Moment::Before => {}
            Moment::Within => self.file.write_all(&bytes[..bytes.len() / 2])?,
            Moment::After => self.file.append(bytes)?,
        }
        (self.stop)();
        Err(io::Error::other("the process ended here"))
    }
}

/// A journal that calls `stop` in a write, counted from 0 after the header.
pub(crate) fn stopping_journal(
    folder: &Path,
    plan: &Plan,
    (writes, moment): (usize, Moment),
    stop: impl FnMut() + Send + 'static,
) -> (Journal, State) {
    let storage = |file| -> Box<dyn Storage> {
        Box::new(Stopping {
            file,
            writes_left: writes + 1,
            moment,
            stop,
        })
    };
    Journal::create_with(folder, plan.clone(), storage).unwrap()
}

async fn received(fixture: &Fixture<'_>) -> (Vec<DeadLetter>, Plan) {
    fixture.add_dead_letters(0..TOTAL).await;
    let messages = fixture.receive().await;
    assert_eq!(messages.len(), TOTAL);
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    (messages, plan)
}

/// Runs a redrive whose journal fails in a write; returns its path.
async fn broken_off(fixture: &Fixture<'_>, writes: usize, moment: Moment) -> PathBuf {
    let (messages, plan) = received(fixture).await;
    let journal = stopping_journal(fixture.folder.path(), &plan, (writes, moment), || {});
    let path = journal.0.path().to_owned();
    let error = fixture.run(journal, &messages, &quick()).await.unwrap_err();
    assert!(matches!(error, RedriveError::Stopped(_)), "{error}");
    fixture.release(&messages).await;
    path
}

/// While a redrive is broken off, no event is lost.
fn assert_none_lost(fixture: &Fixture<'_>, places: &Places) {
    for number in 0..TOTAL {
        let body = fixture.body(number);
        let is_found = places.dead.contains_key(&body)
            || places.source.contains_key(&body)
            || places.stored.contains_key(&body);
        assert!(is_found, "event {number} is lost: {places:?}");
    }
}

/// The journal after a crash claims no more than what is true.
fn assert_journal_is_true(fixture: &Fixture<'_>, path: &Path, places: &Places) {
    let report = Report::of(&Journal::read(path).unwrap());
    let moved = report
        .messages
        .iter()
        .filter(|message| message.outcome == MessageOutcome::Moved)
        .count();
    assert!(moved + places.dead.len() <= TOTAL, "{report:?} {places:?}");
    assert_none_lost(fixture, places);
}

async fn crash_and_resume(services: &Services, writes: usize, moment: Moment, is_ingested: bool) {
    let name = format!("{writes}-{moment:?}-{is_ingested}");
    let fixture = services.fixture(&name, false).await;
    let path = broken_off(&fixture, writes, moment).await;
    let places = fixture.places(TOTAL).await;
    assert_journal_is_true(&fixture, &path, &places);
    if is_ingested {
        fixture.ingest().await;
    }
    let report = resumed(fixture.pipeline(), &path).await;
    let counts = report.counts;
    // A message whose deletion was not recorded is gone, and the resume finds out.
    assert_eq!(
        (counts.moved, counts.sent_not_deleted),
        (TOTAL, 0),
        "{name} {report:?}"
    );
    fixture.assert_all_stored(TOTAL).await;
}

#[tokio::test]
async fn no_event_is_lost_by_a_crash_in_any_write() {
    let services = Services::open().await;
    let mut crashes = Vec::new();
    for writes in 0..WRITES {
        for moment in [Moment::Before, Moment::Within, Moment::After] {
            for is_ingested in [false, true] {
                crashes.push(crash_and_resume(&services, writes, moment, is_ingested));
            }
        }
    }
    let mut crashes = futures::stream::iter(crashes).buffer_unordered(CRASHES_AT_ONCE);
    while crashes.next().await.is_some() {}
}

#[tokio::test]
async fn stored_event_in_doubt_is_not_sent_again() {
    let services = Services::open().await;
    let fixture = services.fixture("doubt", false).await;
    // Ends when the first batch was sent and nothing of that is in the journal.
    let path = broken_off(&fixture, CONFIRMATION, Moment::Before).await;
    let places = fixture.places(TOTAL).await;
    assert_eq!((places.source.len(), places.dead.len()), (10, TOTAL));
    fixture.ingest().await;
    let report = resumed(fixture.pipeline(), &path).await;
    assert_eq!(report.counts.moved, TOTAL, "{report:?}");
    let places = fixture.places(TOTAL).await;
    assert_eq!((places.source.len(), places.dead.len()), (2, 0));
    fixture.assert_all_stored(TOTAL).await;
}

/// Where a run is aborted while it waits.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// For a write to the journal.
    Write(usize, Moment),
    /// For a call of a batch, counted from 0.
    Call(&'static str, usize, Fault),
    /// For the proof of events that nobody has stored yet.
    Proof,
}

impl Stop {
    /// Every gap between two steps of a redrive, from before its first intent to after its proof.
    fn all() -> Vec<Self> {
        let writes = (0..=PROOF).flat_map(|write| {
            [Moment::Before, Moment::After].map(|moment| Self::Write(write, moment))
        });
        let calls = CALLS.iter().flat_map(|call| {
            [(0, Fault::KeepRequest), (0, Fault::KeepAnswer)]
                .into_iter()
                .chain([(1, Fault::KeepRequest), (1, Fault::KeepAnswer)])
                .map(|(number, fault)| Self::Call(call, number, fault))
        });
        writes.chain(calls).chain([Self::Proof]).collect()
    }
}

/// Runs a redrive until it waits where `stop` says, and drops it there; returns its journal.
async fn aborted(fixture: &Fixture<'_>, stop: Stop) -> PathBuf {
    let (messages, plan) = received(fixture).await;
    let (operation, number, fault) = match stop {
        Stop::Call(operation, number, fault) => (operation, number..number + 1, fault),
        Stop::Write(..) | Stop::Proof => ("", 0..0, Fault::Throttle),
    };
    let mut proxy = proxy::start(fixture.queues.endpoint_url(), operation, fault, number).await;
    let (reaches, mut reached) = watch::channel(false);
    let (release, released) = mpsc::channel::<()>();
    let journal = match stop {
        Stop::Write(writes, moment) => {
            let wait = move || {
                reaches.send_replace(true);
                // Ends when the run was dropped.
                let _ = released.recv();
            };
            stopping_journal(fixture.folder.path(), &plan, (writes, moment), wait)
        }
        Stop::Call(..) | Stop::Proof => fixture.journal(&plan),
    };
    let path = journal.0.path().to_owned();
    let pipeline = fixture.queues.over(&proxy.url).pipeline;
    let options = RunOptions {
        prove_limit: LIMIT,
        ..quick()
    };
    let (sender, mut counts) = watch::channel(Counts::default());
    let control = Control::new(None);
    let stopped = async {
        let all_moved = |counts: &Counts| counts.moved == TOTAL;
        match stop {
            Stop::Write(PROOF, _) => {
                counts.wait_for(all_moved).await.unwrap();
                fixture.ingest().await;
                reached.wait_for(|reached| *reached).await.unwrap();
            }
            Stop::Write(..) => drop(reached.wait_for(|reached| *reached).await.unwrap()),
            Stop::Call(..) => proxy.wait_until_kept().await,
            Stop::Proof => drop(counts.wait_for(all_moved).await.unwrap()),
        }
    };
    tokio::select! {
        ended = run(&pipeline, journal, &messages, &control, &options, sender) => {
            panic!("{stop:?} is not reached: {ended:?}")
        }
        stopped = tokio::time::timeout(LIMIT, stopped) => stopped.unwrap(),
    }
    drop(release);
    fixture.release(&messages).await;
    wait_until_unlocked(&path).await;
    path
}

/// The thread that writes a journal ends soon after its redrive.
async fn wait_until_unlocked(path: &Path) {
    let unlocked = async {
        while matches!(Journal::open(path), Err(RedriveError::InUse(_))) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, unlocked).await.unwrap();
}

async fn abort_and_resume(services: &Services, number: usize, stop: Stop) {
    let fixture = services.fixture(&format!("aborted-{number}"), false).await;
    let path = aborted(&fixture, stop).await;
    let places = fixture.places(TOTAL).await;
    assert_journal_is_true(&fixture, &path, &places);
    resumed(fixture.pipeline(), &path).await;
    fixture.assert_all_stored(TOTAL).await;
}

#[tokio::test]
async fn no_event_is_lost_wherever_a_run_ends() {
    let services = Services::open().await;
    let stops = Stop::all().into_iter().enumerate();
    let stops = stops.map(|(number, stop)| abort_and_resume(&services, number, stop));
    let mut stops = futures::stream::iter(stops).buffer_unordered(CRASHES_AT_ONCE);
    while stops.next().await.is_some() {}
}

/// Set for the process that is killed: the environment, as JSON.
const CHILD_ENVIRONMENT: &str = "REDRIVE_CHILD_ENVIRONMENT";
/// Set for the process that is killed: the folder of its journal.
const CHILD_FOLDER: &str = "REDRIVE_CHILD_FOLDER";
/// Set for the process that is killed: the write in which it ends.
const CHILD_WRITES: &str = "REDRIVE_CHILD_WRITES";
/// Set for the process that is killed: whether that write is made.
const CHILD_WRITE_IS_MADE: &str = "REDRIVE_CHILD_WRITE_IS_MADE";

/// The process that is killed; in a usual test run it has nothing to do.
#[tokio::test]
async fn child_that_is_killed() {
    let Ok(environment) = std::env::var(CHILD_ENVIRONMENT) else {
        return;
    };
    let pipeline = Pipeline::connect(&serde_json::from_str(&environment).unwrap()).unwrap();
    let received = receive_dead_letters(&pipeline, TOTAL, VISIBILITY).await;
    let messages = received.messages;
    println!("\nreceived {}", messages.len());
    let planned: Vec<_> = messages.iter().map(|message| (message, None)).collect();
    let plan = freeze(&pipeline, &planned, PlanOptions::default())
        .await
        .unwrap();
    let folder = std::env::var(CHILD_FOLDER).unwrap();
    let writes = std::env::var(CHILD_WRITES).unwrap().parse().unwrap();
    let moment = match std::env::var(CHILD_WRITE_IS_MADE) {
        Ok(_) => Moment::After,
        Err(_) => Moment::Before,
    };
    let wait = || {
        println!("\nstopped");
        loop {
            std::thread::park();
        }
    };
    let journal = stopping_journal(Path::new(&folder), &plan, (writes, moment), wait);
    let control = Control::new(None);
    let (counts, _) = watch::channel(Counts::default());
    run(&pipeline, journal, &messages, &control, &quick(), counts)
        .await
        .unwrap();
}

/// Kills a process at a write to its journal, or in a call that `proxy` keeps. The dead letters are there before.
/// Returns the journal.
pub(crate) async fn killed(
    fixture: &Fixture<'_>,
    (writes, moment): (usize, Moment),
    mut proxy: Option<Proxy>,
) -> PathBuf {
    let endpoint_url = match &proxy {
        Some(proxy) => &proxy.url,
        None => fixture.queues.endpoint_url(),
    };
    let pipeline = fixture.queues.over(endpoint_url).pipeline;
    let environment = serde_json::to_string(pipeline.environment()).unwrap();
    let name = format!("{}::child_that_is_killed", module_path!());
    let (_, name) = name.split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture"])
        .env(CHILD_ENVIRONMENT, environment)
        .env(CHILD_FOLDER, fixture.folder.path())
        .env(CHILD_WRITES, writes.to_string());
    match moment {
        Moment::Before => {}
        Moment::After => drop(command.env(CHILD_WRITE_IS_MADE, "")),
        Moment::Within => panic!("a process is not killed within a write"),
    }
    let command = command.stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut received = 0;
    let stopped = async {
        while let Some(line) = output.next_line().await.unwrap() {
            if let Some(number) = line.strip_prefix("received ") {
                received = number.parse().unwrap();
            }
            if line == "stopped" {
                return;
            }
            if let Some(proxy) = proxy.as_mut().filter(|_| received > 0) {
                return proxy.wait_until_kept().await;
            }
        }
        panic!("the process ended by itself");
    };
    tokio::time::timeout(LIMIT, stopped).await.unwrap();
    child.kill().await.unwrap();
    assert_eq!(received, TOTAL);
    Journal::list(fixture.folder.path()).unwrap().remove(0).1
}

/// Nobody releases what a killed process had received: the one that resumes has the handles.
async fn kill_process_and_resume(fixture: &Fixture<'_>, writes: usize, proxy: Option<Proxy>) {
    fixture.add_dead_letters(0..TOTAL).await;
    let path = killed(fixture, (writes, Moment::Before), proxy).await;
    resumed(fixture.pipeline(), &path).await;
    fixture.assert_all_stored(TOTAL).await;
    fixture.assert_each_stored_once(TOTAL).await;
}

#[tokio::test]
async fn no_event_is_lost_when_the_process_is_killed() {
    let services = Services::open().await;
    // Before the first write nobody has the handles.
    for writes in 1..WRITES {
        let fixture = services.fixture(&format!("killed-{writes}"), false).await;
        kill_process_and_resume(&fixture, writes, None).await;
    }
    for (call, fault) in [
        (CALLS[0], Fault::KeepAnswer),
        (CALLS[1], Fault::KeepRequest),
        (CALLS[1], Fault::KeepAnswer),
    ] {
        let fixture = services.fixture(&format!("{call}-{fault:?}"), false).await;
        let proxy = proxy::start(fixture.queues.endpoint_url(), call, fault, 0..1).await;
        kill_process_and_resume(&fixture, WRITES, Some(proxy)).await;
    }
}

/// Writes of a redrive that finds one message and may not send it: its handle, the cause, the end.
const END_OF_UNSENT: usize = 2;

#[tokio::test]
async fn what_a_search_received_is_released_before_the_end_is_on_record() {
    let services = Services::open().await;
    let fixture = services.fixture("released", false).await;
    fixture.add_dead_letters(0..1).await;
    let messages = fixture.receive().await;
    let mut plan = fixture.plan(&messages, PlanOptions::default()).await;
    plan.entries[0].body_sha256 = "0".repeat(64);
    fixture.release(&messages).await;
    let (reaches, mut reached) = watch::channel(false);
    let (release, released) = mpsc::channel::<()>();
    let wait = move || {
        reaches.send_replace(true);
        // Ends when the run was dropped.
        let _ = released.recv();
    };
    let end = (END_OF_UNSENT, Moment::Before);
    let journal = stopping_journal(fixture.folder.path(), &plan, end, wait);
    let path = journal.0.path().to_owned();
    let options = quick();
    tokio::select! {
        ended = fixture.run(journal, &[], &options) => panic!("the end is not reached: {ended:?}"),
        reached = tokio::time::timeout(LIMIT, reached.wait_for(|reached| *reached)) => {
            drop(reached.unwrap().unwrap());
        }
    }
    let depth = fixture.queues.depth(QueueRole::DeadLetter).await;
    drop(release);
    assert_eq!(depth, (1, 0));
    wait_until_unlocked(&path).await;
    assert_eq!(Journal::read(&path).unwrap().ending(), None);
}

#[tokio::test]
async fn resume_of_a_finished_redrive_does_nothing() {
    let services = Services::open().await;
    let fixture = services.fixture("finished", false).await;
    fixture.add_dead_letters(0..3).await;
    let messages = fixture.receive().await;
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    let journal = fixture.journal(&plan);
    let path = journal.0.path().to_owned();
    let report = fixture.run(journal, &messages, &quick()).await.unwrap();
    assert_eq!(report.counts.moved, 3);
    let again = resumed(fixture.pipeline(), &path).await;
    assert_eq!(again.messages, report.messages);
    assert_eq!(fixture.places(3).await.source.len(), 3);
}
