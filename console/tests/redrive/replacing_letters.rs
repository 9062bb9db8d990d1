//! Dead letters that replace records: what is said of them, and that a redrive that ends anywhere neither loses nor
//! doubles a correction.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use event::{EventKey, FailureCode, REPLACES_ATTRIBUTE, RecordId, Verdict};
use futures::StreamExt as _;
use pipeline::model::{DeadLetter, QueueRole};
use redrive::fact::Proof;
use redrive::operations::{PlanRequest, plan};
use redrive::{Journal, MessageOutcome, PlanOptions, RedriveError, RunOptions};
use serde_json::json;

use crate::crash::{CRASHES_AT_ONCE, Moment, TOTAL, WRITES, killed, stopping_journal};
use crate::support::harness::LIMIT;
use crate::support::queues::{binary, text};
use crate::support::redrive_fixture::{Fixture, Services, quick, resumed};

/// The write of the first intent: the send follows it.
const INTENT: usize = 1;

/// Stored events, of which the tests send corrections.
struct Stored<'a> {
    fixture: Fixture<'a>,
    services: &'a Services,
    before: BTreeMap<usize, RecordId>,
}

impl<'a> Stored<'a> {
    async fn start(services: &'a Services, name: &str) -> Self {
        let fixture = services.fixture(name, false).await;
        for number in 0..TOTAL {
            fixture.store(&fixture.body(number)).await.unwrap();
        }
        let mut stored = Self {
            fixture,
            services,
            before: BTreeMap::new(),
        };
        stored.before = stored.records().await;
        stored
    }

    /// The corrected text of an event.
    fn corrected(&self, number: usize) -> String {
        self.changed(number, "corrected")
    }

    fn changed(&self, number: usize, text: &str) -> String {
        let body = self.fixture.body(number);
        body.replace("\"type\"", &format!("\"data\":\"{text}\",\"type\""))
    }

    /// The record of each event, by the ledger.
    async fn records(&self) -> BTreeMap<usize, RecordId> {
        let key = |number| event::parse_body(&self.fixture.body(number)).unwrap().key();
        let keys: Vec<EventKey> = (0..TOTAL).map(key).collect();
        let known = self.fixture.pipeline().stored_keys(&keys).await.unwrap();
        let records = keys.iter().enumerate();
        records
            .map(|(number, key)| (number, known[key].record_id))
            .collect()
    }

    /// How many records have the corrected text.
    async fn count_corrected(&self) -> usize {
        let body = self.fixture.body(0);
        let source = event::parse_body(&body).unwrap().source;
        let counting = sqlx::query_scalar(
            "select count(*) from records where source = $1 and payload->>'data' = 'corrected'",
        );
        let counting = counting
            .bind(&*source)
            .fetch_one(self.services.database.pool());
        let count: i64 = counting.await.unwrap();
        usize::try_from(count).unwrap()
    }

    async fn add_letter(&self, body: &str, record_id: impl ToString) {
        let attributes = [
            ("kept", text("String", "x")),
            ("ErrorCode", text("String", "replacement-not-permitted")),
            (REPLACES_ATTRIBUTE, text("String", &record_id.to_string())),
        ];
        self.fixture.queues.add_dead_letter(body, &attributes).await;
    }

    /// A correction of each record, that an ingest refused.
    async fn add_letters(&self) {
        for (number, record_id) in &self.before {
            self.add_letter(&self.corrected(*number), record_id).await;
        }
    }

    /// Runs a redrive whose journal fails in a write; returns its path.
    async fn broken_off(&self, writes: usize, moment: Moment) -> PathBuf {
        self.add_letters().await;
        let messages = self.fixture.receive().await;
        assert_eq!(messages.len(), TOTAL);
        let plan = self.fixture.plan(&messages, PlanOptions::default()).await;
        let folder = self.fixture.folder.path();
        let journal = stopping_journal(folder, &plan, (writes, moment), || {});
        let path = journal.0.path().to_owned();
        let run = self.fixture.run(journal, &messages, &quick()).await;
        let error = run.unwrap_err();
        assert!(matches!(error, RedriveError::Stopped(_)), "{error}");
        self.fixture.release(&messages).await;
        path
    }

    /// Every correction is applied once, and nothing is left in a queue.
    async fn assert_all_corrected(&self) {
        self.fixture.ingest().await;
        let places = self.fixture.places(0).await;
        assert!(places.dead.is_empty(), "{places:?}");
        assert!(places.source.is_empty(), "{places:?}");
        assert_eq!(self.count_corrected().await, TOTAL);
        self.fixture.assert_each_stored_once(TOTAL).await;
    }
}

#[tokio::test]
async fn dead_letter_that_replaces_is_judged_by_the_record_that_it_names_and_by_its_text() {
    let services = Services::open().await;
    let stored = Stored::start(&services, "letter-verdicts").await;
    let (old, new) = (stored.fixture.body(0), stored.corrected(0));
    let named = stored.before[&0];
    // Another text of 1 was stored since, and 2 was erased.
    let overtaken = stored.before[&1];
    stored
        .add_letter(&stored.changed(1, "newer"), overtaken)
        .await;
    let letters = stored.fixture.receive().await;
    let overtaking = stored.fixture.plan(&letters, PlanOptions::default()).await;
    let journal = stored.fixture.journal(&overtaking);
    stored
        .fixture
        .run(journal, &letters, &quick())
        .await
        .unwrap();
    stored.fixture.ingest().await;
    let source = event::parse_body(&old).unwrap().source.into_owned();
    sqlx::query("delete from records where source = $1 and id = '2'")
        .bind(&source)
        .execute(services.database.pool())
        .await
        .unwrap();
    let stale = Some(FailureCode::ReplacementStale);
    let cases = [
        (new.clone(), named.to_string(), Verdict::Ready, None),
        (old.clone(), named.to_string(), Verdict::AlreadyStored, None),
        // As after a delivery that was applied.
        (
            stored.changed(1, "newer"),
            overtaken.to_string(),
            Verdict::AlreadyStored,
            None,
        ),
        (
            stored.corrected(1),
            overtaken.to_string(),
            Verdict::StillInvalid,
            stale,
        ),
        (
            stored.corrected(2),
            stored.before[&2].to_string(),
            Verdict::StillInvalid,
            stale,
        ),
        (
            stored.changed(99, "unknown"),
            named.to_string(),
            Verdict::StillInvalid,
            stale,
        ),
        (
            stored.changed(3, "x"),
            "seventeen".to_owned(),
            Verdict::StillInvalid,
            stale,
        ),
    ];
    for (body, value, ..) in &cases {
        stored.add_letter(body, value).await;
    }
    let envelope = json!({
        "Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:us-east-1:0:events",
        "Message": new,
        "MessageAttributes": {REPLACES_ATTRIBUTE: {"Type": "String", "Value": named.to_string()}},
    })
    .to_string();
    let odd = stored.changed(4, "binary");
    let queues = &stored.fixture.queues;
    queues.add_dead_letter(&envelope, &[]).await;
    let bytes = [(REPLACES_ATTRIBUTE, binary("Binary", b"17"))];
    queues.add_dead_letter(&odd, &bytes).await;
    // An ordinary letter of a stored event is a duplicate as ever, whatever its text.
    queues.add_dead_letter(&stored.corrected(5), &[]).await;
    let cases = cases
        .into_iter()
        .map(|(body, _, verdict, code)| (body, verdict, code));
    let cases = cases.chain([
        (envelope, Verdict::Ready, None),
        (odd, Verdict::StillInvalid, stale),
        (stored.corrected(5), Verdict::AlreadyStored, None),
    ]);
    let letters = stored.fixture.receive().await;
    for (body, verdict, code) in cases {
        let is_it = |letter: &&DeadLetter| letter.body.text().unwrap() == body;
        let letter = letters.iter().find(is_it).unwrap();
        let failure = letter.failure.as_ref();
        let found = (letter.verdict, failure.map(|failure| failure.code));
        assert_eq!(found, (verdict, code), "{body}: {failure:?}");
    }
}

#[tokio::test]
async fn no_correction_is_lost_when_the_process_is_killed_between_the_intent_and_the_send() {
    let services = Services::open().await;
    let stored = Stored::start(&services, "letter-killed").await;
    stored.add_letters().await;
    let path = killed(&stored.fixture, (INTENT, Moment::After), None).await;
    let source = stored.fixture.queues.count(QueueRole::Source).await;
    assert_eq!(source, 0, "nothing was sent");
    let report = resumed(stored.fixture.pipeline(), &path).await;
    assert_eq!(report.counts.moved, TOTAL, "{report:?}");
    let source = stored.fixture.queues.count(QueueRole::Source).await;
    assert_eq!(source, TOTAL, "every correction was sent");
    stored.assert_all_corrected().await;
}

async fn crash_and_resume(services: &Services, writes: usize, moment: Moment, is_ingested: bool) {
    let name = format!("letter-{writes}-{moment:?}-{is_ingested}");
    let stored = Stored::start(services, &name).await;
    let path = stored.broken_off(writes, moment).await;
    if is_ingested {
        stored.fixture.ingest().await;
    }
    let report = resumed(stored.fixture.pipeline(), &path).await;
    let counts = report.counts;
    let sent = counts.moved + counts.sent_not_deleted;
    assert_eq!(sent, TOTAL, "{name} {report:?}");
    stored.assert_all_corrected().await;
}

#[tokio::test]
async fn no_correction_is_lost_or_doubled_by_a_crash_in_any_write() {
    let services = Services::open().await;
    let mut crashes = Vec::new();
    for writes in 0..WRITES {
        for moment in [Moment::Before, Moment::After] {
            for is_ingested in [false, true] {
                crashes.push(crash_and_resume(&services, writes, moment, is_ingested));
            }
        }
    }
    let mut crashes = futures::stream::iter(crashes).buffer_unordered(CRASHES_AT_ONCE);
    while crashes.next().await.is_some() {}
}

/// Its identity was in the ledger before, which proves nothing.
#[tokio::test]
async fn ready_letters_are_planned_and_proved_by_another_record_with_their_text() {
    let services = Services::open().await;
    let stored = Stored::start(&services, "letter-proved").await;
    stored.add_letters().await;
    // Its text is stored: it has nothing left to do.
    stored
        .add_letter(&stored.fixture.body(0), stored.before[&0])
        .await;
    let pipeline = stored.fixture.pipeline();
    let letters = stored.fixture.receive().await;
    let planned = plan(pipeline, letters, PlanRequest::default())
        .await
        .unwrap();
    assert_eq!(
        (planned.plan.entries.len(), planned.would_be_lost),
        (TOTAL, 0)
    );
    let skipped = &planned.plan.skipped;
    assert_eq!(
        (skipped.len(), skipped[0].verdict),
        (1, Verdict::AlreadyStored)
    );
    let journal = stored.fixture.journal(&planned.plan);
    let path = journal.0.path().to_owned();
    let briefly = RunOptions {
        prove_limit: Duration::from_millis(100),
        ..quick()
    };
    let run = stored.fixture.run(journal, &planned.messages, &briefly);
    let report = run.await.unwrap();
    assert_eq!(
        (report.counts.moved, report.counts.stored),
        (TOTAL, 0),
        "{report:?}"
    );
    stored.fixture.ingest().await;
    let proving = RunOptions {
        prove_limit: LIMIT,
        ..quick()
    };
    let journal = Journal::open(&path).unwrap();
    let report = stored.fixture.run(journal, &[], &proving).await.unwrap();
    let counts = report.counts;
    assert_eq!((counts.stored, counts.duplicates), (TOTAL, 0), "{report:?}");
    for message in &report.messages {
        assert_eq!(message.outcome, MessageOutcome::Moved);
        let Some(Proof::Stored { record_id }) = message.proof else {
            panic!("{message:?}");
        };
        assert!(
            !stored.before.values().any(|before| *before == record_id),
            "{message:?}"
        );
        assert!(
            stored
                .before
                .values()
                .any(|before| Some(*before) == message.replaces)
        );
    }
    assert_eq!(stored.count_corrected().await, TOTAL);
}

/// Another correction was applied between the plan and the run.
#[tokio::test]
async fn letter_whose_record_was_replaced_since_the_plan_stays() {
    let services = Services::open().await;
    let stored = Stored::start(&services, "letter-since").await;
    stored.add_letters().await;
    let letters = stored.fixture.receive().await;
    let plan = stored.fixture.plan(&letters, PlanOptions::default()).await;
    let newer = stored.changed(3, "newer");
    let event = &event::parse_body(&newer).unwrap();
    let replaces = stored.before[&3];
    let wanted = [store::Replacement { event, replaces }];
    let pool = services.database.pool();
    store::replace_records(pool, &wanted).await.unwrap();
    let journal = stored.fixture.journal(&plan);
    let briefly = RunOptions {
        prove_limit: Duration::from_millis(100),
        ..quick()
    };
    let report = stored.fixture.run(journal, &letters, &briefly);
    let report = report.await.unwrap();
    let counts = report.counts;
    assert_eq!(
        (counts.moved, counts.unsendable),
        (TOTAL - 1, 1),
        "{report:?}"
    );
    let mut messages = report.messages.iter();
    let stays = messages.find(|message| message.outcome == MessageOutcome::NotSent);
    let cause = stays.unwrap().cause.as_deref().unwrap();
    let expected = format!("it would replace record {replaces}, and now record ");
    assert!(
        cause.starts_with(&expected) && cause.contains("look at"),
        "{cause}"
    );
    stored.fixture.release(&letters).await;
    stored.fixture.ingest().await;
    assert_eq!(stored.fixture.places(0).await.dead.len(), 1);
    assert_eq!(stored.count_corrected().await, TOTAL - 1);
}
