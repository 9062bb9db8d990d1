//! A replay on a real topic, queue and ledger: whatever ends it, every event is published, and only what is
//! in doubt is published twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use export::{ExportRequest, Format, ReadRequest, Scope, Target};
use futures::StreamExt as _;
use pipeline::audit::{AuditLog, Operation};
use pipeline::environment::Environment;
use pipeline::model::QueueRole;
use pipeline::{Authority, Pipeline};
use redrive::fact::Proof;
use redrive::operations::replay::{PlannedReplay, ReplayProgress, ReplayRequest, dry_run, plan};
use redrive::{
    Control, Counts, Journal, MessageOutcome, RedriveError, Report, RunOptions, State, run,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::crash::{Moment, stopping_journal};
use crate::support::proxy::{self, Fault};
use crate::support::queues::Queues;
use crate::support::redrive_fixture::{Fixture, Services, quick, resumed};
use crate::support::topic::subscribe;

/// Events of one replay: two batches.
pub(crate) const TOTAL: usize = 12;
/// Writes of such a replay: intent and confirmation of each batch, and the end.
const WRITES: usize = 5;
/// Events of a batch.
pub(crate) const BATCH: usize = 10;
const CRASHES_AT_ONCE: usize = 5;

/// Queues that a topic of their own sends to, with stored events.
pub(crate) struct Replays<'a> {
    pub(crate) fixture: Fixture<'a>,
    /// The same queues, with the topic.
    pub(crate) queues: Queues,
}

impl<'a> Replays<'a> {
    pub(crate) async fn start(services: &'a Services, name: &str) -> Self {
        let fixture = services.fixture(name, false).await;
        for number in 0..TOTAL {
            fixture.store(&fixture.body(number)).await.unwrap();
        }
        let aws = fixture.pipeline().aws().await;
        let topic = aws.sns.create_topic().name(name).send().await.unwrap();
        let topic_arn = topic.topic_arn.unwrap();
        let queue_url = fixture.pipeline().queue_url(QueueRole::Source);
        subscribe(fixture.pipeline(), &topic_arn, queue_url).await;
        let queues = Queues::of(&Environment {
            topic_arn,
            ..fixture.pipeline().environment().clone()
        });
        Self { fixture, queues }
    }

    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.queues.pipeline
    }

    async fn plan(&self) -> PlannedReplay {
        planned(self.pipeline(), read(&self.fixture)).await
    }

    pub(crate) fn journal(&self, planned: &PlannedReplay) -> (Journal, State) {
        self.fixture.journal(&planned.plan)
    }

    pub(crate) async fn run(
        &self,
        pipeline: &Pipeline,
        journal: (Journal, State),
        options: &RunOptions,
    ) -> Result<Report, RedriveError> {
        let (counts, _) = watch::channel(Counts::default());
        let control = Control::new(None);
        run(pipeline, journal, &[], &control, options, counts).await
    }

    /// How often each event has arrived at the queue, by its id.
    async fn arrived(&self) -> BTreeMap<String, usize> {
        let mut arrived = BTreeMap::new();
        for (body, count) in self.fixture.places(0).await.source {
            let event = event::parse_body(&body).unwrap();
            *arrived.entry(event.id.into_owned()).or_default() += count;
        }
        arrived
    }
}

/// The records of a fixture alone.
pub(crate) fn read(fixture: &Fixture<'_>) -> ReadRequest {
    let event = fixture.body(0);
    let event = event::parse_body(&event).unwrap();
    ReadRequest {
        source: Some(event.source.into_owned()),
        ..ReadRequest::default()
    }
}

async fn planned(pipeline: &Pipeline, read: ReadRequest) -> PlannedReplay {
    try_plan(pipeline, read).await.unwrap()
}

async fn try_plan(
    pipeline: &Pipeline,
    read: ReadRequest,
) -> Result<PlannedReplay, redrive::operations::OperationError> {
    let request = ReplayRequest {
        read,
        ..ReplayRequest::default()
    };
    let progress = ReplayProgress {
        reading: Box::new(|_| ()),
        patching: Box::new(|_| ()),
    };
    plan(pipeline, request, progress).await
}

fn assert_all_published(arrived: &BTreeMap<String, usize>) {
    for number in 0..TOTAL {
        assert!(arrived.contains_key(&number.to_string()), "{arrived:?}");
    }
}

#[tokio::test]
async fn stored_events_are_published_once_and_reported_as_the_predicted_duplicates() {
    let services = Services::open().await;
    let replays = Replays::start(&services, "replay-replayed").await;
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::in_folder(folder.path());
    let pipeline = replays.pipeline().with_authority(Authority {
        log: Some(log.clone()),
        ..Authority::default()
    });
    let planned = replays.plan().await;
    assert_eq!(planned.plan.expected_duplicates(), Some(TOTAL));
    assert_eq!((planned.selected, planned.would_be_lost), (TOTAL, 0));
    let sends = dry_run(&pipeline, &planned.plan).await.unwrap();
    assert_eq!(sends.len(), TOTAL);
    assert!(sends.iter().all(|send| send.problem.is_none()), "{sends:?}");
    assert!(replays.arrived().await.is_empty(), "nothing was sent");
    let options = RunOptions {
        prove_limit: crate::support::harness::LIMIT,
        ..RunOptions::default()
    };
    let journal = replays.journal(&planned);
    let path = journal.0.path().to_owned();
    let report = replays.run(&pipeline, journal, &options).await.unwrap();
    let counts = report.counts;
    assert_eq!((counts.moved, counts.left()), (TOTAL, 0), "{report:?}");
    assert_eq!((counts.stored, counts.duplicates), (TOTAL, TOTAL));
    for message in &report.messages {
        assert_eq!(message.outcome, MessageOutcome::Published);
        assert!(
            matches!(message.proof, Some(Proof::AlreadyStored { .. })),
            "{message:?}"
        );
    }
    let arrived = replays.arrived().await;
    assert_all_published(&arrived);
    assert_eq!(arrived.values().sum::<usize>(), TOTAL, "{arrived:?}");
    let bodies = replays.fixture.places(0).await.source;
    let is_compact = |body: &String| !body.contains(' ');
    assert!(bodies.keys().all(is_compact), "{bodies:?}");
    let entry = log.read().unwrap().entries.remove(0);
    assert_eq!(entry.change.operation, Operation::Replay);
    assert_eq!(entry.change.details["expected_duplicates"], TOTAL);
    let moved = entry.ending.unwrap().counts["moved"];
    assert_eq!(moved, TOTAL as u64);
    // The journal has no handle: there was nothing to receive and nothing to delete.
    let journal = std::fs::read_to_string(path).unwrap();
    for word in [
        "receipt_handle",
        "\"kind\":\"received\"",
        "\"kind\":\"deleted\"",
    ] {
        assert!(!journal.contains(word), "{word}");
    }
}

async fn crash_and_resume(services: &Services, writes: usize, moment: Moment) {
    let name = format!("replay-{writes}-{moment:?}");
    let replays = Replays::start(services, &name).await;
    let planned = replays.plan().await;
    let folder = replays.fixture.folder.path();
    let journal = stopping_journal(folder, &planned.plan, (writes, moment), || {});
    let path = journal.0.path().to_owned();
    let run = replays.run(replays.pipeline(), journal, &quick()).await;
    let error = run.unwrap_err();
    assert!(matches!(error, RedriveError::Stopped(_)), "{error}");
    let report = resumed(replays.pipeline(), &path).await;
    assert_eq!(report.counts.moved, TOTAL, "{name} {report:?}");
    let arrived = replays.arrived().await;
    assert_all_published(&arrived);
    let twice = arrived.values().sum::<usize>() - TOTAL;
    assert!(twice <= BATCH, "only a batch in doubt: {name} {arrived:?}");
    // Before its first send there is no doubt.
    assert!(writes > 0 || twice == 0, "{name} {arrived:?}");
}

#[tokio::test]
async fn every_event_is_published_whatever_write_a_replay_ends_in() {
    let services = Services::open().await;
    let mut crashes = Vec::new();
    for writes in 0..WRITES {
        for moment in [Moment::Before, Moment::Within, Moment::After] {
            crashes.push(crash_and_resume(&services, writes, moment));
        }
    }
    let mut crashes = futures::stream::iter(crashes).buffer_unordered(CRASHES_AT_ONCE);
    while crashes.next().await.is_some() {}
}

#[tokio::test]
async fn batch_without_an_answer_may_have_been_sent_and_a_resume_sends_it_again() {
    let services = Services::open().await;
    let replays = Replays::start(&services, "replay-unanswered").await;
    let planned = replays.plan().await;
    let endpoint = replays.queues.endpoint_url();
    // SNS has its operation in the body; the client names itself in the head.
    let proxy = proxy::start(endpoint, "api/sns", Fault::DropAnswer, 0..1).await;
    let over = replays.queues.over(&proxy.url).pipeline;
    let journal = replays.journal(&planned);
    let path = journal.0.path().to_owned();
    let report = replays.run(&over, journal, &quick()).await.unwrap();
    let counts = report.counts;
    assert_eq!((counts.moved, counts.unknown), (2, BATCH), "{report:?}");
    let report = resumed(replays.pipeline(), &path).await;
    assert_eq!((report.counts.moved, report.counts.unknown), (TOTAL, 0));
    let arrived = replays.arrived().await;
    assert_all_published(&arrived);
    assert_eq!(arrived.values().sum::<usize>(), TOTAL + BATCH);
}

#[tokio::test]
async fn event_that_is_gone_since_the_plan_is_not_sent_and_the_others_are() {
    let services = Services::open().await;
    let replays = Replays::start(&services, "replay-gone").await;
    let planned = replays.plan().await;
    sqlx::query("delete from records where source = '/replay-gone' and id = '3'")
        .execute(services.database.pool())
        .await
        .unwrap();
    let sends = dry_run(replays.pipeline(), &planned.plan).await.unwrap();
    let problems = sends.iter().filter(|send| send.problem.is_some());
    assert_eq!(problems.count(), 1);
    let journal = replays.journal(&planned);
    let report = replays.run(replays.pipeline(), journal, &quick()).await;
    let report = report.unwrap();
    let counts = report.counts;
    assert_eq!((counts.moved, counts.unsendable), (TOTAL - 1, 1));
    let unsent = report.messages.iter();
    let mut unsent = unsent.filter(|message| message.outcome == MessageOutcome::NotSent);
    let cause = unsent.next().unwrap().cause.as_deref().unwrap();
    assert_eq!(cause, "not where it was read from any more");
    assert!(!replays.arrived().await.contains_key("3"));
}

/// Exports the records of a source into a folder.
pub(crate) async fn exported(pipeline: &Pipeline, source: &str, folder: &Path) -> PathBuf {
    let target = folder.join("out");
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let request = ExportRequest {
        scope: Scope::Range {
            from: at("2020-01-01T00:00:00Z"),
            to: at("2027-01-01T00:00:00Z"),
        },
        types: Vec::new(),
        source: Some(source.to_owned()),
        format: Format::Jsonl,
        target: Target::Folder(target.clone()),
    };
    let never = CancellationToken::new();
    export::export(pipeline, &request, &never, Box::new(|_| {}))
        .await
        .unwrap();
    target
}

/// As a restore to a time before all events.
async fn lose_everything(services: &Services) {
    for statement in ["delete from records", "delete from event_identities"] {
        let pool = services.database.pool();
        sqlx::query(statement).execute(pool).await.unwrap();
    }
}

#[tokio::test]
async fn events_before_the_retention_horizon_are_left_out_with_the_reason() {
    let services = Services::open().await;
    let replays = Replays::start(&services, "replay-horizon").await;
    let old = replays.fixture.body(77).replace("2026-01-01", "2021-01-01");
    replays.fixture.store(&old).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = exported(replays.pipeline(), "/replay-horizon", folder.path()).await;
    let pool = services.database.pool();
    sqlx::query("update retention set horizon = '2022-01-01'")
        .execute(pool)
        .await
        .unwrap();
    lose_everything(&services).await;
    let read = ReadRequest {
        folder: Some(files),
        ..ReadRequest::default()
    };
    let planned = planned(replays.pipeline(), read).await;
    assert_eq!(planned.selected, TOTAL + 1);
    assert_eq!(
        (planned.plan.entries.len(), planned.would_be_lost),
        (TOTAL, 1)
    );
    assert_eq!(planned.plan.expected_duplicates(), Some(0));
    let skipped = &planned.plan.skipped[0];
    let expected = "before the retention horizon 2022-01-01T00:00:00Z";
    assert!(skipped.reason.contains(expected), "{skipped:?}");
}

#[tokio::test]
async fn copies_in_the_files_are_expected_duplicates_and_other_events_of_an_identity_stay() {
    let services = Services::open().await;
    let replays = Replays::start(&services, "replay-copies").await;
    let folder = tempfile::tempdir().unwrap();
    let files = exported(replays.pipeline(), "/replay-copies", folder.path()).await;
    // The same file again under another name: every event is there twice.
    let day = files.join("occurred_on=2026-01-01");
    let first = std::fs::read_dir(&day).unwrap().next().unwrap().unwrap();
    std::fs::copy(first.path(), day.join("part-00000001.jsonl.zst")).unwrap();
    lose_everything(&services).await;
    let read = ReadRequest {
        folder: Some(files),
        ..ReadRequest::default()
    };
    let planned = planned(replays.pipeline(), read).await;
    assert_eq!(planned.plan.entries.len(), 2 * TOTAL);
    assert_eq!(planned.plan.expected_duplicates(), Some(TOTAL));
    let journal = replays.journal(&planned);
    let report = replays.run(replays.pipeline(), journal, &quick()).await;
    assert_eq!(report.unwrap().counts.moved, 2 * TOTAL);
    let arrived = replays.arrived().await;
    assert!(arrived.values().all(|count| *count == 2), "{arrived:?}");
    replays.fixture.ingest().await;
    replays.fixture.assert_each_stored_once(TOTAL).await;
}

/// Whoever publishes has to know before how many of the events are duplicates.
#[tokio::test]
async fn nothing_is_planned_without_a_ledger() {
    let services = Services::open().await;
    let replays = Replays::start(&services, "replay-no-ledger").await;
    let folder = tempfile::tempdir().unwrap();
    let files = exported(replays.pipeline(), "/replay-no-ledger", folder.path()).await;
    let pipeline = Pipeline::connect(&Environment {
        database_url: None,
        ..replays.pipeline().environment().clone()
    });
    let read = ReadRequest {
        folder: Some(files),
        ..ReadRequest::default()
    };
    let error = try_plan(&pipeline.unwrap(), read).await.unwrap_err();
    assert!(
        error.to_string().contains("no API and no database"),
        "{error}"
    );
}
