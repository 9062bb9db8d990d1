//! A redrive that is broken off anywhere: no event is lost, none is deleted unconfirmed, and
//! `resume` brings every one to its end.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

#[expect(
    dead_code,
    reason = "the wire that fails is for the engine's own tests"
)]
mod redrive_stage;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures::StreamExt as _;
use pipeline::Pipeline;
use redrive::operations::freeze;
use redrive::{
    Control, Counts, Journal, MessageOutcome, PlanOptions, RedriveError, Report, Storage, run,
};
use redrive_stage::{HOLD, Places, Stage, Theatre, quick};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::watch;

/// Messages of one redrive: two batches.
const TOTAL: usize = 12;
/// Crashes that are played at once, each on a stage of its own.
const CRASHES_AT_ONCE: usize = 7;
/// Writes of such a redrive: intent, confirmation and delete of each batch, and the end.
const WRITES: usize = 7;

/// Where in a write the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Before,
    Within,
    After,
}

/// A file that takes some writes and then dies.
struct Dying {
    file: File,
    writes_left: usize,
    moment: Moment,
}

impl Storage for Dying {
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
        Err(io::Error::other("the process died here"))
    }
}

/// Runs a redrive whose process dies in a write, and gives its journal.
async fn broken_off(stage: &Stage<'_>, writes: usize, moment: Moment) -> PathBuf {
    stage.kill(0..TOTAL).await;
    let messages = stage.hold().await;
    assert_eq!(messages.len(), TOTAL);
    let plan = stage.plan(&messages, PlanOptions::default()).await;
    let journal = Journal::create_with(stage.folder.path(), &plan, |file| {
        Box::new(Dying {
            file,
            // The header is a write too.
            writes_left: writes + 1,
            moment,
        })
    })
    .unwrap();
    let path = journal.0.path().to_owned();
    let error = stage.run(journal, &messages, &quick()).await.unwrap_err();
    assert!(matches!(error, RedriveError::Stopped(_)), "{error}");
    stage.end_holds(&messages).await;
    path
}

async fn resumed(stage: &Stage<'_>, path: &Path) -> Report {
    let (counts, _) = watch::channel(Counts::default());
    run(
        &stage.pipeline,
        Journal::open(path).unwrap(),
        &[],
        &Control::new(None),
        &quick(),
        counts,
    )
    .await
    .unwrap()
}

/// The law while a redrive is broken off: no event is lost.
fn assert_none_lost(stage: &Stage<'_>, places: &Places) {
    for number in 0..TOTAL {
        let body = stage.body(number);
        let is_found = places.dead.contains_key(&body)
            || places.source.contains_key(&body)
            || places.stored.contains_key(&body);
        assert!(is_found, "event {number} is lost: {places:?}");
    }
}

/// What the journal says after the crash must not claim more than what is true.
fn assert_journal_is_true(stage: &Stage<'_>, path: &Path, places: &Places) {
    let report = Report::of(&Journal::read(path).unwrap());
    let moved = report
        .messages
        .iter()
        .filter(|message| message.outcome == MessageOutcome::Moved)
        .count();
    assert!(moved + places.dead.len() <= TOTAL, "{report:?} {places:?}");
    assert_none_lost(stage, places);
}

async fn crash_and_resume(theatre: &Theatre, writes: usize, moment: Moment, is_ingested: bool) {
    let name = format!("{writes}-{moment:?}-{is_ingested}");
    let stage = theatre.stage(&name, false).await;
    let path = broken_off(&stage, writes, moment).await;
    let places = stage.places(TOTAL).await;
    assert_journal_is_true(&stage, &path, &places);
    if is_ingested {
        stage.ingest().await;
    }
    let report = resumed(&stage, &path).await;
    let counts = report.counts;
    assert_eq!(
        counts.moved + counts.sent_not_deleted,
        TOTAL,
        "{name} {report:?}"
    );
    stage.assert_all_stored(TOTAL).await;
}

#[tokio::test]
async fn law_holds_for_a_crash_in_every_write() {
    let theatre = Theatre::open().await;
    let mut crashes = Vec::new();
    for writes in 0..WRITES {
        for moment in [Moment::Before, Moment::Within, Moment::After] {
            for is_ingested in [false, true] {
                crashes.push(crash_and_resume(&theatre, writes, moment, is_ingested));
            }
        }
    }
    let mut crashes = futures::stream::iter(crashes).buffer_unordered(CRASHES_AT_ONCE);
    while crashes.next().await.is_some() {}
}

#[tokio::test]
async fn stored_event_in_doubt_is_not_sent_again() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("doubt", false).await;
    // Dies when the first batch was sent and nothing of that is in the journal.
    let path = broken_off(&stage, 1, Moment::Before).await;
    let places = stage.places(TOTAL).await;
    assert_eq!((places.source.len(), places.dead.len()), (10, TOTAL));
    stage.ingest().await;
    let report = resumed(&stage, &path).await;
    assert_eq!(report.counts.moved, TOTAL, "{report:?}");
    let places = stage.places(TOTAL).await;
    assert_eq!((places.source.len(), places.dead.len()), (2, 0));
    stage.assert_all_stored(TOTAL).await;
}

async fn abort_and_resume(theatre: &Theatre, round: u32) {
    let stage = theatre.stage(&format!("aborted-{round}"), false).await;
    stage.kill(0..TOTAL).await;
    let messages = stage.hold().await;
    let plan = stage.plan(&messages, PlanOptions::default()).await;
    let journal = stage.journal(&plan);
    let path = journal.0.path().to_owned();
    let pipeline = stage.pipeline.clone();
    let held = messages.clone();
    let running = tokio::spawn(async move {
        let (counts, _) = watch::channel(Counts::default());
        let control = Control::new(None);
        run(&pipeline, journal, &held, &control, &quick(), counts).await
    });
    // An end comes at any time; these are spread over the time that a run takes.
    tokio::time::sleep(round * Duration::from_millis(4)).await;
    running.abort();
    let _ = running.await;
    stage.end_holds(&messages).await;
    let places = stage.places(TOTAL).await;
    assert_none_lost(&stage, &places);
    wait_until_unlocked(&path).await;
    resumed(&stage, &path).await;
    stage.assert_all_stored(TOTAL).await;
}

#[tokio::test]
async fn law_holds_wherever_a_run_ends() {
    let theatre = Theatre::open().await;
    let rounds = (0..50).map(|round| abort_and_resume(&theatre, round));
    let rounds: Vec<_> = rounds.collect();
    let mut rounds = futures::stream::iter(rounds).buffer_unordered(CRASHES_AT_ONCE);
    while rounds.next().await.is_some() {}
}

/// Set for the process that is killed: the environment, as JSON.
const CHILD_ENVIRONMENT: &str = "REDRIVE_CHILD_ENVIRONMENT";
/// Set for the process that is killed: the folder of its journal.
const CHILD_FOLDER: &str = "REDRIVE_CHILD_FOLDER";

/// The process that is killed; in a usual test run it has nothing to do.
#[tokio::test]
async fn child_that_is_killed() {
    let Ok(environment) = std::env::var(CHILD_ENVIRONMENT) else {
        return;
    };
    let pipeline = Pipeline::connect(&serde_json::from_str(&environment).unwrap()).unwrap();
    let held = pipeline.hold_dead_letters(TOTAL, HOLD).await.unwrap();
    let handles: Vec<&String> = held
        .messages
        .iter()
        .map(|held| &held.receipt_handle)
        .collect();
    println!("\nhandles {}", serde_json::to_string(&handles).unwrap());
    let messages: Vec<_> = held
        .messages
        .iter()
        .map(|message| (message, None))
        .collect();
    let plan = freeze(&pipeline, &messages, PlanOptions::default())
        .await
        .unwrap();
    let folder = std::env::var(CHILD_FOLDER).unwrap();
    let journal = Journal::create(Path::new(&folder), &plan).unwrap();
    let control = Control::new(None);
    let (counts, _) = watch::channel(Counts::default());
    run(
        &pipeline,
        journal,
        &held.messages,
        &control,
        &quick(),
        counts,
    )
    .await
    .unwrap();
}

async fn kill_process_and_resume(theatre: &Theatre, lines: usize) {
    let stage = theatre.stage(&format!("process-{lines}"), false).await;
    stage.kill(0..TOTAL).await;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed", "--nocapture"])
        .env(
            CHILD_ENVIRONMENT,
            serde_json::to_string(stage.pipeline.environment()).unwrap(),
        )
        .env(CHILD_FOLDER, stage.folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let handles: Vec<String> = loop {
        let line = output.next_line().await.unwrap().unwrap();
        if let Some(handles) = line.strip_prefix("handles ") {
            break serde_json::from_str(handles).unwrap();
        }
    };
    assert_eq!(handles.len(), TOTAL);
    let path = wait_for_lines(stage.folder.path(), lines).await;
    child.kill().await.unwrap();
    let _ = stage.pipeline.release_dead_letters(&handles).await;
    let places = stage.places(TOTAL).await;
    assert_journal_is_true(&stage, &path, &places);
    resumed(&stage, &path).await;
    stage.assert_all_stored(TOTAL).await;
}

/// Waits until the journal in a folder has so many whole frames.
async fn wait_for_lines(folder: &Path, lines: usize) -> PathBuf {
    let written = async {
        loop {
            let journal = std::fs::read_dir(folder).unwrap().next();
            if let Some(path) = journal.map(|entry| entry.unwrap().path())
                && std::fs::read(&path)
                    .unwrap()
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count()
                    >= lines
            {
                break path;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), written)
        .await
        .unwrap()
}

#[tokio::test]
async fn law_holds_when_the_process_is_killed_by_force() {
    let theatre = Theatre::open().await;
    for lines in 1..=WRITES {
        kill_process_and_resume(&theatre, lines).await;
    }
}

/// The thread that writes a journal ends soon after its redrive.
async fn wait_until_unlocked(path: &Path) {
    let unlocked = async {
        while matches!(Journal::open(path), Err(RedriveError::InUse(_))) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), unlocked)
        .await
        .unwrap();
}

#[tokio::test]
async fn resume_of_a_finished_redrive_does_nothing() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("finished", false).await;
    stage.kill(0..3).await;
    let messages = stage.hold().await;
    let plan = stage.plan(&messages, PlanOptions::default()).await;
    let journal = stage.journal(&plan);
    let path = journal.0.path().to_owned();
    let report = stage.run(journal, &messages, &quick()).await.unwrap();
    assert_eq!(report.counts.moved, 3);
    let again = resumed(&stage, &path).await;
    assert_eq!(again.messages, report.messages);
    assert_eq!(stage.places(3).await.source.len(), 3);
}
