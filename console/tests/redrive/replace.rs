//! A replay that replaces, on a real topic, queue and ledger: what is refused in the plan, and what a message of
//! which nobody knows whether it was sent does when it is sent again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use event::{RecordId, RecordQuery};
use export::ReadRequest;
use redrive::fact::Proof;
use redrive::operations::replay::{PlannedReplay, ReplayProgress, ReplayRequest, plan};
use redrive::{Journal, MessageOutcome, Replacement, Report, RunOptions};
use store::PgPool;

use crate::replay::{BATCH, Replays, TOTAL, exported, read};
use crate::support::harness::LIMIT;
use crate::support::proxy::{self, Fault};
use crate::support::redrive_fixture::{Services, quick, resumed};

/// Stored events, and the files of an export with the texts that they had before they were changed.
struct Changed<'a> {
    replays: Replays<'a>,
    pool: &'a PgPool,
    files: PathBuf,
    _folder: tempfile::TempDir,
}

impl<'a> Changed<'a> {
    /// Exports all, and the given bodies, and changes these events in the database.
    async fn start(
        services: &'a Services,
        name: &str,
        more: &[String],
        changed: impl IntoIterator<Item = usize>,
    ) -> Self {
        let replays = Replays::start(services, name).await;
        for body in more {
            replays.fixture.store(body).await.unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let files = exported(replays.pipeline(), &format!("/{name}"), folder.path()).await;
        let changes = Self {
            replays,
            pool: services.database.pool(),
            files,
            _folder: folder,
        };
        for number in changed {
            changes.change(number, "changed").await;
        }
        changes
    }

    /// Replaces the record of an event by one with another text.
    async fn change(&self, number: usize, text: &str) {
        let body = self.replays.fixture.body(number);
        let body = body.replace("\"type\"", &format!("\"data\":\"{text}\",\"type\""));
        let event = &event::parse_body(&body).unwrap();
        let known = store::stored_keys(self.pool, &[event.key()]).await.unwrap();
        let replaces = known[&event.key()].record_id;
        let wanted = [store::Replacement { event, replaces }];
        let outcome = store::replace_records(self.pool, &wanted).await.unwrap();
        assert!(
            matches!(outcome[..], [store::Replaced::Stored(_)]),
            "{outcome:?}"
        );
    }

    async fn plan(&self) -> PlannedReplay {
        let request = ReplayRequest {
            read: ReadRequest {
                folder: Some(self.files.clone()),
                ..ReadRequest::default()
            },
            replaces: true,
            ..ReplayRequest::default()
        };
        let progress = ReplayProgress {
            reading: Box::new(|_| ()),
            patching: Box::new(|_| ()),
        };
        plan(self.replays.pipeline(), request, progress)
            .await
            .unwrap()
    }

    /// Ids of the records, and how many of them have a text that was changed.
    async fn records(&self) -> (BTreeSet<RecordId>, usize) {
        let query = RecordQuery {
            source: read(&self.replays.fixture).source,
            ..RecordQuery::default()
        };
        let page = self.replays.pipeline().list_records(&query).await.unwrap();
        let ids = page.items.iter().map(|record| record.record_id);
        let is_changed = |record: &&event::Record| record.payload.get().contains("\"data\"");
        (ids.collect(), page.items.iter().filter(is_changed).count())
    }

    async fn run(&self, sql: &str) {
        let source = read(&self.replays.fixture).source;
        sqlx::query(sql)
            .bind(source)
            .execute(self.pool)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn what_is_erased_expired_or_equal_is_not_sent_and_every_event_is_accounted_for() {
    let services = Services::open().await;
    let old = r#"{"specversion":"1.0","id":"77","source":"/replace-plan","type":"t","time":"2021-01-01T00:00:00Z"}"#;
    let changed = Changed::start(&services, "replace-plan", &[old.to_owned()], 0..4).await;
    // 5 is erased. Of 6 the database knows nothing.
    changed
        .run("delete from event_identities where identity = event_identity($1, '6')")
        .await;
    changed
        .run("delete from records where source = $1 and id in ('5', '6')")
        .await;
    changed
        .run("update retention set horizon = '2022-01-01' where $1 is not null")
        .await;
    let planned = changed.plan().await;
    let replacement = Replacement {
        replaces: 4,
        same_text: TOTAL - 6,
        not_stored: 1,
    };
    assert_eq!(planned.plan.replacement(), Some(replacement));
    assert_eq!((planned.selected, planned.would_be_lost), (TOTAL + 1, 2));
    assert_eq!(planned.plan.entries.len(), 5);
    assert_eq!(planned.plan.expected_duplicates(), Some(0));
    let reasons: Vec<&str> = planned
        .plan
        .skipped
        .iter()
        .map(|one| &*one.reason)
        .collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    for expected in [
        "before the retention horizon 2022-01-01",
        "it was erased or has expired",
    ] {
        assert!(
            reasons.iter().any(|reason| reason.contains(expected)),
            "{reasons:?}"
        );
    }
    for entry in planned
        .plan
        .entries
        .iter()
        .filter_map(|entry| entry.replaces.as_ref())
    {
        assert_ne!(entry.old_sha256, entry.new_sha256);
    }
}

#[tokio::test]
async fn second_row_of_one_identity_is_left_out_with_the_reason() {
    let services = Services::open().await;
    let changed = Changed::start(&services, "replace-twice", &[], 0..TOTAL).await;
    let day = changed.files.join("occurred_on=2026-01-01");
    let first = std::fs::read_dir(&day).unwrap().next().unwrap().unwrap();
    std::fs::copy(first.path(), day.join("part-00000001.jsonl.zst")).unwrap();
    let planned = changed.plan().await;
    assert_eq!(
        (planned.plan.entries.len(), planned.would_be_lost),
        (TOTAL, 0)
    );
    assert_eq!(planned.plan.skipped.len(), TOTAL);
    for skipped in &planned.plan.skipped {
        assert!(
            skipped.reason.starts_with("the plan has the same event as"),
            "{skipped:?}"
        );
    }
}

#[tokio::test]
async fn replacement_in_doubt_is_sent_again_applied_once_and_proved_by_another_record_alone() {
    let services = Services::open().await;
    let changed = Changed::start(&services, "replace-doubt", &[], 0..TOTAL).await;
    let replays = &changed.replays;
    let (before, _) = changed.records().await;
    let planned = changed.plan().await;
    let endpoint = replays.queues.endpoint_url();
    let proxy = proxy::start(endpoint, "api/sns", Fault::DropAnswer, 0..1).await;
    let over = replays.queues.over(&proxy.url).pipeline;
    let journal = replays.journal(&planned);
    let path = journal.0.path().to_owned();
    // Every identity is in the ledger, and no record was replaced yet: nothing is proved.
    let briefly = RunOptions {
        prove_limit: Duration::from_millis(100),
        ..quick()
    };
    let report = replays.run(&over, journal, &briefly).await.unwrap();
    let counts = report.counts;
    assert_eq!(
        (counts.moved, counts.unknown),
        (TOTAL - BATCH, BATCH),
        "{report:?}"
    );
    assert_eq!(counts.stored, 0, "{report:?}");
    replays.fixture.ingest().await;
    let (after, still_changed) = changed.records().await;
    assert_eq!((after.len(), still_changed), (TOTAL, 0));
    assert!(after.is_disjoint(&before));
    let report = resumed(replays.pipeline(), &path).await;
    assert_eq!((report.counts.moved, report.counts.unknown), (TOTAL, 0));
    replays.fixture.ingest().await;
    assert_eq!(
        changed.records().await,
        (after.clone(), 0),
        "the second arrival changes nothing"
    );
    assert!(replays.fixture.places(0).await.dead.is_empty());
    let proving = RunOptions {
        prove_limit: LIMIT,
        ..quick()
    };
    let journal = Journal::open(&path).unwrap();
    let report = replays
        .run(replays.pipeline(), journal, &proving)
        .await
        .unwrap();
    assert_proved(&report, &after);
}

fn assert_proved(report: &Report, records: &BTreeSet<RecordId>) {
    let counts = report.counts;
    assert_eq!((counts.stored, counts.duplicates), (TOTAL, 0), "{report:?}");
    for message in &report.messages {
        assert_eq!(message.outcome, MessageOutcome::Published);
        let Some(Proof::Stored { record_id }) = message.proof else {
            panic!("{message:?}");
        };
        assert!(records.contains(&record_id) && message.replaces != Some(record_id));
    }
}

#[tokio::test]
async fn event_whose_record_was_replaced_since_the_plan_is_not_sent() {
    let services = Services::open().await;
    let changed = Changed::start(&services, "replace-since", &[], 0..TOTAL).await;
    let replays = &changed.replays;
    let planned = changed.plan().await;
    changed.change(3, "by another").await;
    changed
        .run("delete from event_identities where identity = event_identity($1, '5')")
        .await;
    changed
        .run("delete from records where source = $1 and id = '5'")
        .await;
    let journal = replays.journal(&planned);
    let report = replays
        .run(replays.pipeline(), journal, &quick())
        .await
        .unwrap();
    let counts = report.counts;
    assert_eq!(
        (counts.moved, counts.unsendable),
        (TOTAL - 2, 2),
        "{report:?}"
    );
    let is_unsent = |message: &&redrive::MessageReport| message.outcome == MessageOutcome::NotSent;
    for message in report.messages.iter().filter(is_unsent) {
        let cause = message.cause.as_deref().unwrap();
        assert!(cause.contains("plan the replay again"), "{cause}");
    }
    replays.fixture.ingest().await;
    assert!(replays.fixture.places(0).await.dead.is_empty());
    let (records, still_changed) = changed.records().await;
    assert_eq!((records.len(), still_changed), (TOTAL - 1, 1));
}

/// A message that was overtaken after it was sent is a dead letter, and its replay says so.
#[tokio::test]
async fn replacement_that_is_overtaken_on_its_way_fails_again_and_the_other_record_stays() {
    let services = Services::open().await;
    let changed = Changed::start(&services, "replace-overtaken", &[], 0..2).await;
    let replays = &changed.replays;
    let planned = changed.plan().await;
    let journal = replays.journal(&planned);
    let path = journal.0.path().to_owned();
    let report = replays
        .run(replays.pipeline(), journal, &quick())
        .await
        .unwrap();
    assert_eq!(report.counts.moved, 2);
    changed.change(1, "by another").await;
    replays.fixture.ingest().await;
    let proving = RunOptions {
        prove_limit: LIMIT,
        ..quick()
    };
    let journal = Journal::open(&path).unwrap();
    let report = replays
        .run(replays.pipeline(), journal, &proving)
        .await
        .unwrap();
    assert_eq!(
        (report.counts.stored, report.counts.dead_again),
        (1, 1),
        "{report:?}"
    );
    let reasons: Vec<String> = report
        .messages
        .iter()
        .filter_map(|message| match &message.proof {
            Some(Proof::DeadAgain { reason, .. }) => reason.clone(),
            Some(Proof::Stored { .. } | Proof::AlreadyStored { .. }) | None => None,
        })
        .collect();
    assert!(reasons[0].starts_with("replacement-stale"), "{reasons:?}");
    let (records, still_changed) = changed.records().await;
    assert_eq!((records.len(), still_changed), (TOTAL, 1));
}
