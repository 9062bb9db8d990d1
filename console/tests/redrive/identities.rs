//! Several dead letters with one identity: the ledger stores the first arrival alone, and no event is
//! lost by that.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use event::{RecordQuery, Verdict};
use pipeline::model::DeadLetter;
use redrive::fact::{Confirmed, Fact, Intended, Proof};
use redrive::operations::freeze;
use redrive::{Edit, Journal, MessageOutcome, Original, Plan, PlanOptions, Report, RunOptions};
use tokio::sync::watch;

use crate::support::redrive_fixture::{Fixture, Services, quick, resumed};

/// An event that is told from others by its tag.
fn tagged(source: &str, id: &str, tag: usize) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/{source}","type":"t","time":"2026-01-01T00:00:00Z","data":{{"tag":{tag}}}}}"#
    )
}

fn with_id(message: &DeadLetter, id: &str) -> String {
    let mut event: serde_json::Value = serde_json::from_str(&message.body.text().unwrap()).unwrap();
    event["id"] = id.into();
    event.to_string()
}

fn proving() -> RunOptions {
    RunOptions {
        prove_limit: std::time::Duration::from_secs(20),
        ..quick()
    }
}

/// Runs a plan while the ingest works.
async fn run(fixture: &Fixture<'_>, plan: &Plan, options: &RunOptions) -> Report {
    let (ended, mut is_ended) = watch::channel(false);
    let running = async {
        let report = fixture.run(fixture.journal(plan), &[], options).await;
        ended.send_replace(true);
        report.unwrap()
    };
    let ingesting = async {
        while !*is_ended.borrow_and_update() {
            fixture.ingest().await;
        }
        fixture.ingest().await;
    };
    tokio::join!(running, ingesting).0
}

/// The tags of the events in the records and in the dead-letter queue.
async fn tags(fixture: &Fixture<'_>, source: &str) -> BTreeSet<u64> {
    let query = RecordQuery {
        source: Some(format!("/{source}")),
        ..RecordQuery::default()
    };
    let records = fixture.pipeline().list_records(&query).await.unwrap().items;
    let tag = |event: &serde_json::Value| event["data"]["tag"].as_u64().unwrap();
    let dead = fixture.places(0).await.dead;
    let dead = dead
        .keys()
        .map(|body| tag(&serde_json::from_str(body).unwrap()));
    let stored = records
        .iter()
        .map(|record| tag(&serde_json::to_value(&record.payload).unwrap()));
    stored.chain(dead).collect()
}

#[tokio::test]
async fn patch_that_gives_several_events_one_id_loses_none() {
    let services = Services::open().await;
    let fixture = services.fixture("oneid", false).await;
    let bodies: Vec<String> = (0..4)
        .map(|tag| tagged("oneid", &tag.to_string(), tag))
        .collect();
    fixture.add_bodies(&bodies, "timeout").await;
    let messages = fixture.receive().await;
    let edits: Vec<_> = messages
        .iter()
        .map(|message| (message, Some(with_id(message, "x1").into())))
        .collect();
    let options = PlanOptions {
        canary_steps: vec![1],
        ..PlanOptions::default()
    };
    let plan = freeze(fixture.pipeline(), &edits, options).await.unwrap();
    fixture.release(&messages).await;
    assert_eq!((plan.entries.len(), plan.skipped.len()), (1, 3));
    let first = &plan.entries[0].message_id;
    for skipped in &plan.skipped {
        let expected = format!("would get the identity of message {first}, /oneid / x1");
        assert!(skipped.reason.contains(&expected), "{skipped:?}");
    }
    let report = run(&fixture, &plan, &proving()).await;
    assert_eq!((report.counts.moved, report.counts.stored), (1, 1));
    assert_eq!(tags(&fixture, "oneid").await, (0..4).collect());
}

/// A plan of an earlier version, or one that was written by hand.
#[tokio::test]
async fn plan_whose_edits_have_one_identity_sends_the_first() {
    let services = Services::open().await;
    let fixture = services.fixture("byhand", false).await;
    let bodies: Vec<String> = (0..3)
        .map(|tag| tagged("byhand", &tag.to_string(), tag))
        .collect();
    fixture.add_bodies(&bodies, "timeout").await;
    let messages = fixture.receive().await;
    let mut plan = fixture.plan(&messages, PlanOptions::default()).await;
    for (entry, message) in plan.entries.iter_mut().zip(&messages) {
        entry.edit = Some(Edit {
            old_body: message.body.text().unwrap().into_owned(),
            new_body: with_id(message, "x1"),
        });
    }
    let problems = redrive::dry_run(&plan, &messages);
    let problems = problems.iter().filter(|send| send.problem.is_some());
    assert_eq!(problems.count(), 2);
    fixture.release(&messages).await;
    let report = run(&fixture, &plan, &proving()).await;
    let counts = report.counts;
    assert_eq!(
        (counts.moved, counts.stored, counts.unsendable),
        (1, 1, 2),
        "{report:?}"
    );
    for message in &report.messages[1..] {
        let cause = message.cause.as_deref().unwrap();
        assert!(
            cause.contains("only one of them would be stored"),
            "{cause}"
        );
    }
    assert_eq!(tags(&fixture, "byhand").await, (0..3).collect());
}

#[tokio::test]
async fn two_deliveries_of_one_event_are_moved_and_the_second_is_a_duplicate() {
    let services = Services::open().await;
    let fixture = services.fixture("twice", false).await;
    let bodies = [0, 0, 1].map(|tag| tagged("twice", &tag.to_string(), tag));
    fixture.add_bodies(&bodies, "timeout").await;
    let messages = fixture.receive().await;
    let as_they_are = fixture.plan(&messages, PlanOptions::default()).await;
    let sends = redrive::dry_run(&as_they_are, &messages);
    assert_eq!(sends.iter().filter(|send| send.is_copy).count(), 1);
    // The copies are edited alike.
    let edits: Vec<_> = messages
        .iter()
        .map(|message| (message, Some(with_id(message, "x").into())))
        .filter(|(message, _)| message.body.text().unwrap().contains(r#""tag":0"#))
        .collect();
    let options = PlanOptions {
        canary_steps: vec![1],
        ..PlanOptions::default()
    };
    let plan = freeze(fixture.pipeline(), &edits, options).await.unwrap();
    fixture.release(&messages).await;
    assert_eq!((plan.entries.len(), plan.skipped.len()), (2, 0));
    let report = run(&fixture, &plan, &proving()).await;
    let counts = report.counts;
    assert_eq!(
        (counts.moved, counts.stored, counts.duplicates),
        (2, 2, 1),
        "{report:?}"
    );
    let [first, second] = &report.messages[..] else {
        panic!("{report:?}");
    };
    let Some(Proof::Stored { record_id }) = first.proof else {
        panic!("{report:?}");
    };
    let duplicate = Proof::AlreadyStored {
        record_id,
        duplicate_of: Some(first.message_id.clone()),
    };
    assert_eq!(second.proof, Some(duplicate));
    let published = serde_json::to_value(second).unwrap();
    assert_eq!(published["proof"]["duplicate_of"], *first.message_id);
    fixture.assert_each_stored_once(1).await;
}

/// Two operators give their messages the same id, one after the other.
#[tokio::test]
async fn edited_event_stays_when_its_identity_was_stored_after_the_plan_was_made() {
    let services = Services::open().await;
    let fixture = services.fixture("operators", false).await;
    let bodies: Vec<String> = (0..2)
        .map(|tag| tagged("operators", &tag.to_string(), tag))
        .collect();
    fixture.add_bodies(&bodies, "timeout").await;
    let messages = fixture.receive().await;
    let mut plans = Vec::new();
    for message in &messages {
        let edit = [(message, Some(with_id(message, "x1").into()))];
        let plan = freeze(fixture.pipeline(), &edit, PlanOptions::default()).await;
        plans.push(plan.unwrap());
    }
    assert!(plans.iter().all(|plan| plan.entries.len() == 1));
    fixture.release(&messages).await;
    let reports = [
        run(&fixture, &plans[0], &proving()).await,
        run(&fixture, &plans[1], &proving()).await,
    ];
    assert_eq!(reports[0].counts.stored, 1);
    assert_eq!(
        (reports[1].counts.moved, reports[1].counts.unsendable),
        (0, 1)
    );
    let cause = reports[1].messages[0].cause.as_deref().unwrap();
    assert!(
        cause.contains("/operators / x1 is stored already"),
        "{cause}"
    );
    assert_eq!(tags(&fixture, "operators").await, (0..2).collect());
}

/// Two events of a publisher that gave both one identity and one time, redriven one after the other.
#[tokio::test]
async fn event_stays_when_its_identity_was_stored_after_it_was_judged() {
    let services = Services::open().await;
    let fixture = services.fixture("twins", false).await;
    let bodies = [0, 1].map(|tag| tagged("twins", "a", tag));
    fixture.add_bodies(&bodies, "timeout").await;
    let messages = fixture.receive().await;
    assert!(
        messages
            .iter()
            .all(|message| message.verdict == Verdict::Ready)
    );
    let mut plans = Vec::new();
    for message in &messages {
        let message = std::slice::from_ref(message);
        plans.push(fixture.plan(message, PlanOptions::default()).await);
    }
    fixture.release(&messages).await;
    let first = run(&fixture, &plans[0], &proving()).await.counts;
    assert_eq!((first.moved, first.stored), (1, 1));
    let second = run(&fixture, &plans[1], &proving()).await;
    let counts = second.counts;
    assert_eq!(
        (counts.moved, counts.stored, counts.unsendable),
        (0, 0, 1),
        "{second:?}"
    );
    let cause = second.messages[0].cause.as_deref().unwrap();
    assert!(
        cause.contains("/twins / a was stored after this message was judged"),
        "{cause}"
    );
    assert_eq!(tags(&fixture, "twins").await, (0..2).collect());
    let left = fixture.receive().await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].verdict, Verdict::AlreadyStored);
}

/// Somebody else's event arrives in the moment between the look into the ledger and ours.
#[tokio::test]
async fn record_of_another_time_proves_nothing() {
    let services = Services::open().await;
    let fixture = services.fixture("moment", false).await;
    fixture
        .add_bodies(&[tagged("moment", "a", 0)], "timeout")
        .await;
    let messages = fixture.receive().await;
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    fixture.release(&messages).await;
    let journal = fixture.journal(&plan);
    let path = journal.0.path().to_owned();
    let sent = fixture.run(journal, &[], &quick()).await.unwrap();
    assert_eq!(sent.counts.moved, 1);
    let other = tagged("moment", "a", 1).replace("2026-01-01", "2026-01-02");
    fixture.store(&other).await.unwrap();
    fixture.ingest().await;
    let options = RunOptions {
        prove_limit: std::time::Duration::from_secs(1),
        ..quick()
    };
    let journal = Journal::open(&path).unwrap();
    let report = fixture.run(journal, &[], &options).await.unwrap();
    assert_eq!(report.messages[0].proof, None, "{report:?}");
}

/// The ingest would drop its event, and it would be neither a record nor a dead letter.
#[tokio::test]
async fn event_behind_the_retention_horizon_is_never_sent() {
    let services = Services::open().await;
    let fixture = services.fixture("horizon", false).await;
    let bodies = [0, 1].map(|tag| tagged("horizon", &tag.to_string(), tag));
    fixture.add_bodies(&bodies, "timeout").await;
    let messages = fixture.receive().await;
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    assert_eq!(plan.entries.len(), 2);
    fixture.release(&messages).await;
    let edge: DateTime<Utc> = "2026-01-02T00:00:00Z".parse().unwrap();
    fixture.expire_before(edge).await;

    // The plan was made before.
    let report = run(&fixture, &plan, &proving()).await;
    assert_eq!(
        (report.counts.moved, report.counts.unsendable),
        (0, 2),
        "{report:?}"
    );
    let cause = report.messages[0].cause.as_deref().unwrap();
    assert!(cause.contains("before the retention horizon"), "{cause}");

    let messages = fixture.receive().await;
    assert_eq!(messages.len(), 2);
    for message in &messages {
        assert_eq!(message.verdict, Verdict::StillInvalid);
        let failure = message.failure.as_ref().unwrap();
        assert_eq!(failure.pointer.as_deref(), Some("/time"));
    }
    // Also where all are meant.
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    assert_eq!((plan.entries.len(), plan.skipped.len()), (0, 2));
    assert!(plan.skipped[0].reason.contains("retention horizon"));

    // With a time of today it is stored.
    let mut event: serde_json::Value =
        serde_json::from_str(&messages[0].body.text().unwrap()).unwrap();
    event["time"] = "2026-02-01T00:00:00Z".into();
    let edits = [(&messages[0], Some(event.to_string().into()))];
    let plan = freeze(fixture.pipeline(), &edits, PlanOptions::default()).await;
    fixture.release(&messages).await;
    let report = run(&fixture, &plan.unwrap(), &proving()).await;
    assert_eq!((report.counts.moved, report.counts.stored), (1, 1));
    assert_eq!(tags(&fixture, "horizon").await, (0..2).collect());
}

/// The journal of an earlier version, which sent both and ended before it deleted them.
#[tokio::test]
async fn resume_deletes_no_message_whose_record_may_be_another_one_s() {
    let services = Services::open().await;
    let fixture = services.fixture("earlier", false).await;
    let bodies: Vec<String> = (0..4)
        .map(|tag| tagged("earlier", &(tag / 2).to_string(), tag))
        .collect();
    fixture.add_bodies(&bodies, "timeout").await;
    let messages = fixture.receive().await;
    let mut plan = fixture.plan(&[], PlanOptions::default()).await;
    for message in &messages {
        let alone = fixture.plan(std::slice::from_ref(message), PlanOptions::default());
        plan.entries.extend(alone.await.entries);
    }
    let (mut journal, state) = fixture.journal(&plan);
    drop(state);
    let original = |message: &DeadLetter| Original {
        body: message.body.text().unwrap().into_owned(),
        attributes: std::collections::BTreeMap::new(),
        group_id: None,
        trace_header: None,
    };
    let intended = messages
        .iter()
        .enumerate()
        .map(|(index, message)| Intended {
            index,
            receipt_handle: Some(message.receipt_handle.clone()),
            original: original(message),
        });
    let is_confirmed =
        |(_, message): &(usize, &DeadLetter)| message.body.text().unwrap().contains(r#""id":"0""#);
    let confirmed = messages.iter().enumerate().filter(is_confirmed);
    let confirmed: Vec<Confirmed> = confirmed
        .map(|(index, _)| Confirmed {
            index,
            sent_message_id: index.to_string(),
        })
        .collect();
    assert_eq!(confirmed.len(), 2);
    let facts = [
        Fact::Intended {
            messages: intended.collect(),
        },
        Fact::Confirmed {
            messages: confirmed,
        },
    ];
    journal.append(&facts).unwrap();
    let path = journal.path().to_owned();
    drop(journal);
    for tag in 0..4 {
        let body = tagged("earlier", &(tag / 2).to_string(), tag);
        fixture.store(&body).await.unwrap();
    }
    fixture.release(&messages).await;
    let report = resumed(fixture.pipeline(), &path).await;
    assert_eq!(report.counts.moved, 0, "{report:?}");
    let outcomes = report.messages.iter().map(|message| message.outcome);
    let is_kept = |outcome| {
        matches!(
            outcome,
            MessageOutcome::SentNotDeleted | MessageOutcome::Unknown
        )
    };
    assert!(outcomes.into_iter().all(is_kept), "{report:?}");
    assert_eq!(tags(&fixture, "earlier").await, (0..4).collect());
}

/// Another published it between the receive and the plan.
#[tokio::test]
async fn message_that_is_judged_again_is_stored_by_then_and_is_not_received_again() {
    let services = Services::open().await;
    let fixture = services.fixture("again", false).await;
    let bodies = [tagged("again", "1", 1), tagged("again", "2", 2)];
    fixture.add_bodies(&bodies, "timeout").await;
    let messages = fixture.receive().await;
    assert!(messages.iter().all(|one| one.verdict == Verdict::Ready));
    fixture.store(&bodies[0]).await.unwrap();
    let judged = fixture.pipeline().judge_again(messages.clone()).await;
    let judged = judged.unwrap();
    assert_eq!(judged.ledger_error, None);
    for (before, now) in messages.iter().zip(&judged.messages) {
        let is_stored = *before.body.text().unwrap() == bodies[0];
        let expected = if is_stored {
            Verdict::AlreadyStored
        } else {
            Verdict::Ready
        };
        assert_eq!(now.verdict, expected);
        assert_eq!(now.stored_as.is_some(), is_stored);
        assert!(now.judged_at > before.judged_at);
        assert_eq!(now.receive_count, before.receive_count);
    }
}
