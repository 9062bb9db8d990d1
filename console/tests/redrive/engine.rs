//! The redrive engine on real queues and a real ledger: plans, order, control, proof.

use std::time::Duration;

use aws_sdk_sqs::types::MessageSystemAttributeName;
use event::Verdict;
use pipeline::model::QueueRole;
use redrive::fact::{Fact, Proof, Received};
use redrive::operations::freeze;
use redrive::{
    Control, Counts, Journal, MessageOutcome, Pause, PlanOptions, RedriveError, RunCommand,
    RunOptions, Wait, dry_run, plan_file, run,
};
use tokio::sync::watch;

use crate::support::proxy::{self, Fault};
use crate::support::queues::release_dead_letters;
use crate::support::redrive_fixture::{Fixture, Services, quick};

/// Limit of redrives that search.
const SEARCH_LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn plan_is_run_later_by_a_process_that_received_nothing() {
    let services = Services::open().await;
    let fixture = services.fixture("later", false).await;
    fixture.add_dead_letters(0..25).await;
    let messages = fixture.receive().await;
    let (chosen, others) = messages.split_at(20);
    let edited = fixture.body(100);
    let mut chosen: Vec<_> = chosen.iter().map(|message| (message, None)).collect();
    chosen[3].1 = Some(edited.as_str().into());
    let plan = freeze(fixture.pipeline(), &chosen, PlanOptions::default())
        .await
        .unwrap();
    let shown = dry_run(&plan, &messages);
    assert!(shown.iter().all(|send| send.problem.is_none()));
    assert!(shown[3].is_edited && shown[3].attributes == ["kept"]);
    let file = fixture.folder.path().join("plan.json");
    plan_file::write(&file, &plan).unwrap();
    fixture.release(&messages).await;

    let plan = plan_file::read(&file).unwrap();
    let report = fixture
        .run(fixture.journal(&plan), &[], &quick())
        .await
        .unwrap();
    assert_eq!(report.counts.moved, 20, "{report:?}");
    let places = fixture.places(25).await;
    assert_eq!(places.source.len(), 20);
    assert!(places.source.contains_key(&edited));
    let mut left: Vec<_> = others
        .iter()
        .map(|message| message.body.text().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        places.dead.keys().map(String::as_str).collect::<Vec<_>>(),
        left
    );
}

#[tokio::test]
async fn edit_into_an_event_that_is_stored_stays_and_a_copy_of_it_is_a_duplicate() {
    let services = Services::open().await;
    let fixture = services.fixture("known", false).await;
    fixture.add_dead_letters(0..1).await;
    let messages = fixture.receive().await;
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    fixture
        .run(fixture.journal(&plan), &messages, &quick())
        .await
        .unwrap();
    fixture.ingest().await;
    fixture
        .add_bodies(&["{}".to_owned()], "missing-attribute")
        .await;
    let messages = fixture.receive().await;
    let edits = [(&messages[0], Some(fixture.body(0).into()))];
    let plan = freeze(fixture.pipeline(), &edits, PlanOptions::default())
        .await
        .unwrap();
    assert_eq!(plan.entries.len(), 0);
    assert_eq!(plan.skipped[0].verdict, Verdict::AlreadyStored);
    let reason = &plan.skipped[0].reason;
    assert!(reason.contains("/known / 0 is stored already"), "{reason}");

    fixture.add_dead_letters(0..1).await;
    let messages = fixture.receive().await;
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    assert_eq!(plan.entries[0].verdict, Verdict::AlreadyStored);
    let options = RunOptions {
        prove_limit: Duration::from_secs(20),
        ..quick()
    };
    let report = fixture
        .run(fixture.journal(&plan), &messages, &options)
        .await
        .unwrap();
    let proof = report.messages[0].proof.as_ref();
    assert!(matches!(
        proof,
        Some(Proof::AlreadyStored {
            duplicate_of: None,
            ..
        })
    ));
}

#[tokio::test]
async fn message_whose_visibility_timeout_ended_is_found_again() {
    let services = Services::open().await;
    let fixture = services.fixture("lost", false).await;
    fixture.add_dead_letters(0..3).await;
    let mut messages = fixture.receive().await;
    let handles = [messages[1].receipt_handle.clone()];
    assert_eq!(release_dead_letters(fixture.pipeline(), &handles).await, 1);
    messages[1].hidden_until = chrono::Utc::now();
    messages[1].receipt_handle = "expired".to_owned();
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    let report = fixture
        .run(fixture.journal(&plan), &messages, &quick())
        .await
        .unwrap();
    assert_eq!(report.counts.moved, 3, "{report:?}");
    fixture.assert_all_stored(3).await;
}

/// More dead letters arrive while a redrive searches for its own.
#[tokio::test]
async fn search_ends_in_a_queue_that_is_being_filled() {
    let services = Services::open().await;
    let fixture = services.fixture("filled", false).await;
    fixture.add_dead_letters(0..6).await;
    let messages = fixture.receive().await;
    let (gone, planned) = messages.split_first().unwrap();
    let canary = PlanOptions {
        canary_steps: vec![1],
        ..PlanOptions::default()
    };
    let found = fixture.plan(planned, canary).await;
    let not_found = fixture
        .plan(std::slice::from_ref(gone), PlanOptions::default())
        .await;
    let handle = &gone.receipt_handle;
    fixture.queues.delete(QueueRole::DeadLetter, handle).await;
    fixture.release(planned).await;
    let filling = async {
        loop {
            fixture
                .add_bodies(&["{}".to_owned()], "missing-attribute")
                .await;
        }
    };
    let options = quick();
    let redriving = async {
        let found = fixture.run(fixture.journal(&found), &[], &options).await;
        let not_found = fixture
            .run(fixture.journal(&not_found), &[], &options)
            .await;
        (found.unwrap().counts, not_found.unwrap().counts)
    };
    let (found, not_found) = tokio::select! {
        counts = tokio::time::timeout(SEARCH_LIMIT, redriving) => counts.unwrap(),
        () = filling => panic!("filling has no end"),
    };
    assert_eq!((found.moved, found.not_sent), (5, 0));
    assert_eq!((not_found.moved, not_found.not_sent), (0, 1));
}

#[tokio::test]
async fn search_that_waits_hides_nothing_and_shows_until_when() {
    let services = Services::open().await;
    let fixture = services.fixture("patient", false).await;
    fixture.add_dead_letters(0..3).await;
    let held = fixture.receive().await;
    let plan = fixture.plan(&held, PlanOptions::default()).await;
    fixture.add_dead_letters(3..8).await;
    let control = Control::new(None);
    let options = RunOptions {
        search_patience: SEARCH_LIMIT,
        ..quick()
    };
    let (sender, _) = watch::channel(Counts::default());
    let (journal, mut waits) = (fixture.journal(&plan), control.waits());
    let running = run(fixture.pipeline(), journal, &[], &control, &options, sender);
    let other = async {
        let is_waiting = |wait: &Option<Wait>| matches!(wait, Some(Wait::Messages { .. }));
        let wait = waits.wait_for(is_waiting);
        let wait = tokio::time::timeout(SEARCH_LIMIT, wait)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(
            matches!(wait, Wait::Messages { missing: 3, .. }),
            "{wait:?}"
        );
        // Somebody who looks beside it sees every message that is not held.
        assert_eq!(fixture.queues.depth(QueueRole::DeadLetter).await, (5, 3));
        fixture.release(&held).await;
    };
    let (report, ()) = tokio::join!(running, other);
    assert_eq!(report.unwrap().counts.moved, 3);
    assert_eq!(control.wait(), None);
    assert_eq!(fixture.queues.depth(QueueRole::DeadLetter).await, (5, 0));
}

/// Stops a redrive at once in the first release of messages that it searched in vain, while the
/// queue does not answer the first `silent` releases. Returns the messages of others that it
/// reports as hidden.
async fn stopped_in_a_search(fixture: &Fixture<'_>, silent: usize) -> usize {
    fixture.add_dead_letters(0..3).await;
    let planned = fixture.receive().await;
    let plan = fixture.plan(&planned, PlanOptions::default()).await;
    fixture.add_dead_letters(3..8).await;
    let (endpoint_url, release) = (
        fixture.queues.endpoint_url(),
        "ChangeMessageVisibilityBatch",
    );
    let mut proxy = proxy::start(endpoint_url, release, Fault::KeepRequest, 0..silent).await;
    let pipeline = fixture.queues.over(&proxy.url).pipeline;
    let control = Control::new(None);
    let options = RunOptions {
        search_patience: SEARCH_LIMIT,
        ..quick()
    };
    let (sender, _) = watch::channel(Counts::default());
    let running = run(
        &pipeline,
        fixture.journal(&plan),
        &[],
        &control,
        &options,
        sender,
    );
    let stop = async {
        proxy.wait_until_kept().await;
        control.stop();
    };
    let (ended, ()) = tokio::join!(running, stop);
    match ended {
        Err(RedriveError::Interrupted { others }) => others.messages_max,
        ended => panic!("{ended:?}"),
    }
}

#[tokio::test]
async fn redrive_that_is_stopped_at_once_releases_the_messages_of_others_or_counts_them() {
    let services = Services::open().await;
    let fixture = services.fixture("stopped", false).await;
    assert_eq!(stopped_in_a_search(&fixture, 1).await, 0);
    assert_eq!(fixture.queues.depth(QueueRole::DeadLetter).await, (5, 3));
    let fixture = services.fixture("stopped-silent", false).await;
    assert_eq!(stopped_in_a_search(&fixture, usize::MAX).await, 5);
    assert_eq!(fixture.queues.depth(QueueRole::DeadLetter).await, (0, 8));
}

#[tokio::test]
async fn many_resumes_at_once_all_move_their_messages() {
    const REDRIVES: usize = 6;
    let services = Services::open().await;
    let fixture = services.fixture("many", false).await;
    fixture.add_dead_letters(0..5 * REDRIVES).await;
    let messages = fixture.receive().await;
    let mut journals = Vec::new();
    for messages in messages.chunks(5) {
        let plan = fixture.plan(messages, PlanOptions::default()).await;
        let (mut journal, _) = fixture.journal(&plan);
        // As if a process had received them and had been killed.
        let received = messages
            .iter()
            .enumerate()
            .map(|(index, message)| Received {
                index,
                receipt_handle: message.receipt_handle.clone(),
            });
        let messages = received.collect();
        journal.append(&[Fact::Received { messages }]).unwrap();
        journals.push(journal.path().to_owned());
    }
    let options = RunOptions {
        search_patience: SEARCH_LIMIT,
        ..quick()
    };
    let resumes = journals.iter().map(|path| {
        let journal = Journal::open(path).unwrap();
        fixture.run(journal, &[], &options)
    });
    let reports = futures::future::try_join_all(resumes).await.unwrap();
    assert!(
        reports.iter().all(|report| report.counts.moved == 5),
        "{reports:?}"
    );
    assert_eq!(fixture.queues.depth(QueueRole::DeadLetter).await, (0, 0));
}

#[tokio::test]
async fn two_operators_move_a_message_once() {
    let services = Services::open().await;
    let fixture = services.fixture("two", false).await;
    fixture.add_dead_letters(0..30).await;
    let messages = fixture.receive().await;
    let plans = [
        fixture.plan(&messages, PlanOptions::default()).await,
        fixture.plan(&messages, PlanOptions::default()).await,
    ];
    fixture.release(&messages).await;
    // Both search; each message is received by one of them, or by the other after its release.
    let options = quick();
    let runs = plans
        .iter()
        .map(|plan| fixture.run(fixture.journal(plan), &[], &options));
    let reports = futures::future::try_join_all(runs).await.unwrap();
    let moved: usize = reports.iter().map(|report| report.counts.moved).sum();
    let places = fixture.places(30).await;
    assert_eq!(places.source.len(), moved);
    assert!(places.source.values().all(|count| *count == 1));
    assert_eq!(places.dead.len(), 30 - moved);
}

#[tokio::test]
async fn redrive_continues_by_itself_after_a_canary_that_is_stored() {
    let services = Services::open().await;
    let fixture = services.fixture("good", false).await;
    fixture.add_dead_letters(0..7).await;
    let messages = fixture.receive().await;
    let options = PlanOptions {
        canary_steps: vec![1, 3],
        ..PlanOptions::default()
    };
    let plan = fixture.plan(&messages, options).await;
    let options = RunOptions {
        pauses_by_itself: true,
        prove_limit: Duration::from_secs(30),
        ..quick()
    };
    let control = Control::new(None);
    let (sender, mut counts) = watch::channel(Counts::default());
    let journal = fixture.journal(&plan);
    let running = run(
        fixture.pipeline(),
        journal,
        &messages,
        &control,
        &options,
        sender,
    );
    let ingest = async {
        for end in [1, 3, 7] {
            let sent = counts.wait_for(|counts| counts.moved >= end).await.unwrap();
            assert_eq!(sent.moved, end, "a step began before the last was proved");
            drop(sent);
            fixture.ingest().await;
        }
    };
    let (report, ()) = tokio::join!(running, ingest);
    let report = report.unwrap();
    assert_eq!(report.counts.stored, 7, "{report:?}");
    assert!(
        report
            .messages
            .iter()
            .all(|message| matches!(message.proof, Some(Proof::Stored { .. })))
    );
}

#[tokio::test]
async fn message_with_another_body_than_planned_is_not_sent() {
    let services = Services::open().await;
    let fixture = services.fixture("other", false).await;
    fixture.add_dead_letters(0..2).await;
    let messages = fixture.receive().await;
    let mut plan = fixture.plan(&messages, PlanOptions::default()).await;
    plan.entries[0].body_sha256 = "0".repeat(64);
    let report = fixture
        .run(fixture.journal(&plan), &messages, &quick())
        .await
        .unwrap();
    assert_eq!(report.messages[0].outcome, MessageOutcome::NotSent);
    assert_eq!(report.messages[1].outcome, MessageOutcome::Moved);
}

#[tokio::test]
async fn fifo_keeps_order_and_is_not_swallowed_by_deduplication() {
    let services = Services::open().await;
    let fixture = services.fixture("ordered", true).await;
    for role in [QueueRole::Source, QueueRole::DeadLetter] {
        for number in 0..12 {
            let send = fixture
                .queues
                .sqs
                .send_message()
                .queue_url(fixture.pipeline().queue_url(role))
                .message_body(fixture.body(number))
                .message_group_id(format!("group-{}", number % 2))
                // The source queue saw the same ids a moment ago, as it did when they were sent.
                .message_deduplication_id(format!("d-{number}"));
            send.send().await.unwrap();
        }
    }
    fixture.ingest().await;
    let messages = fixture.receive().await;
    assert!(messages.len() >= 10, "{} messages", messages.len());
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    let report = fixture
        .run(fixture.journal(&plan), &messages, &quick())
        .await
        .unwrap();
    assert_eq!(report.counts.moved, messages.len(), "{report:?}");
    let mut arrived: [Vec<usize>; 2] = [Vec::new(), Vec::new()];
    while arrived.concat().len() < messages.len() {
        let received = fixture.queues.receive(QueueRole::Source).await;
        assert!(!received.is_empty(), "{arrived:?}");
        for message in received {
            let number = (0..12).find(|number| fixture.body(*number) == message.body().unwrap());
            let attributes = message.attributes().unwrap();
            let group = &attributes[&MessageSystemAttributeName::MessageGroupId];
            let group: usize = group.trim_start_matches("group-").parse().unwrap();
            arrived[group].push(number.unwrap());
            let handle = message.receipt_handle().unwrap();
            fixture.queues.delete(QueueRole::Source, handle).await;
        }
    }
    assert!(arrived.iter().all(|group| group.is_sorted()), "{arrived:?}");
}

#[tokio::test]
async fn message_that_is_not_sent_blocks_its_group() {
    let services = Services::open().await;
    let fixture = services.fixture("group", true).await;
    for number in 0..6 {
        fixture
            .queues
            .sqs
            .send_message()
            .queue_url(fixture.pipeline().queue_url(QueueRole::DeadLetter))
            .message_body(fixture.body(number))
            .message_group_id(format!("group-{}", number % 2))
            .message_deduplication_id(format!("d-{number}"))
            .send()
            .await
            .unwrap();
    }
    let mut messages = fixture.receive().await;
    assert_eq!(messages.len(), 6);
    messages.sort_by_key(|message| message.body.text().unwrap().into_owned());
    let options = PlanOptions {
        canary_steps: vec![1],
        ..PlanOptions::default()
    };
    let mut plan = fixture.plan(&messages, options).await;
    plan.entries[0].body_sha256 = "0".repeat(64);
    let report = fixture
        .run(fixture.journal(&plan), &messages, &quick())
        .await
        .unwrap();
    let outcomes: Vec<_> = report
        .messages
        .iter()
        .map(|message| message.outcome)
        .collect();
    let (stays, goes) = (MessageOutcome::NotSent, MessageOutcome::Moved);
    assert_eq!(outcomes, [stays, goes, stays, goes, stays, goes]);
    let cause = report.messages[2].cause.as_deref().unwrap();
    assert!(cause.contains("an earlier message of its group"), "{cause}");
}

#[tokio::test]
async fn canary_that_fails_again_pauses_the_redrive() {
    let services = Services::open().await;
    let fixture = services.fixture("canary", false).await;
    fixture
        .add_bodies(&["{\"id\":\"broken\"}".to_owned()], "missing-attribute")
        .await;
    fixture.add_dead_letters(0..5).await;
    let mut messages = fixture.receive().await;
    messages.sort_by_key(|message| message.body.text().unwrap() != "{\"id\":\"broken\"}");
    let plan = fixture
        .plan(
            &messages,
            PlanOptions {
                canary_steps: vec![1],
                ..PlanOptions::default()
            },
        )
        .await;
    let options = RunOptions {
        pauses_by_itself: true,
        prove_limit: Duration::from_secs(20),
        ..quick()
    };
    let control = Control::new(None);
    let (sender, mut counts) = watch::channel(Counts::default());
    let journal = fixture.journal(&plan);
    let running = run(
        fixture.pipeline(),
        journal,
        &messages,
        &control,
        &options,
        sender,
    );
    let operator = async {
        counts.wait_for(|counts| counts.moved == 1).await.unwrap();
        fixture.ingest().await;
        let pause = control.wait_for(|command| *command != RunCommand::Run);
        let limit = Duration::from_secs(20);
        let command = tokio::time::timeout(limit, pause).await.unwrap();
        assert!(
            matches!(&command, RunCommand::Pause(Pause::Redrive(why)) if why.contains(
                "1 of 1 sent event failed again: missing-attribute"
            )),
            "{command:?}"
        );
        assert_eq!(counts.borrow().moved, 1);
        assert_eq!(counts.borrow().dead_again, 1);
        control.resume();
        counts.wait_for(|counts| counts.moved == 6).await.unwrap();
        fixture.ingest().await;
    };
    let (report, ()) = tokio::join!(running, operator);
    let report = report.unwrap();
    assert_eq!((report.counts.stored, report.counts.dead_again), (5, 1));
    assert!(matches!(
        &report.messages[0].proof,
        Some(Proof::DeadAgain { message_id, .. }) if *message_id != report.messages[0].message_id
    ));
}

#[tokio::test]
async fn event_that_fails_again_is_found_behind_a_thousand_other_dead_letters() {
    let services = Services::open().await;
    let fixture = services.fixture("crowded", false).await;
    let broken = ["{\"id\":\"broken\"}".to_owned()];
    fixture.add_bodies(&broken, "missing-attribute").await;
    let messages = fixture.receive().await;
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    let others: Vec<String> = (0..1_100).map(|number| format!("other {number}")).collect();
    fixture.add_bodies(&others, "not-json").await;
    let options = RunOptions {
        // The last look comes when it is over, so the test takes as long.
        prove_limit: Duration::from_secs(5),
        ..quick()
    };
    let running = fixture.run(fixture.journal(&plan), &messages, &options);
    let ingest = async {
        while fixture.queues.count(QueueRole::Source).await == 0 {}
        fixture.ingest().await;
    };
    let (report, ()) = tokio::join!(running, ingest);
    assert_eq!(report.unwrap().counts.dead_again(), Some(1));
}

/// Calls to the emulator after which a redrive that does not stop would have sent messages.
async fn round_trips(fixture: &Fixture<'_>) {
    for _ in 0..30 {
        fixture.queues.count(QueueRole::Source).await;
    }
}

#[tokio::test]
async fn rate_pause_and_cancel_are_applied_while_running() {
    let services = Services::open().await;
    let fixture = services.fixture("controlled", false).await;
    fixture.add_dead_letters(0..40).await;
    let messages = fixture.receive().await;
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    let endpoint_url = fixture.queues.endpoint_url();
    let send = "SendMessageBatch";
    let mut proxy = proxy::start(endpoint_url, send, Fault::KeepRequest, 0..1).await;
    let pipeline = fixture.queues.over(&proxy.url).pipeline;
    let control = Control::new(None);
    let (sender, mut counts) = watch::channel(Counts::default());
    let (journal, options) = (fixture.journal(&plan), quick());
    let running = run(&pipeline, journal, &messages, &control, &options, sender);
    let operator = async {
        // Within the first batch, which a pause lets end.
        proxy.wait_until_kept().await;
        control.pause(Pause::Operator);
        proxy.open();
        counts.wait_for(|counts| counts.moved > 0).await.unwrap();
        round_trips(&fixture).await;
        assert_eq!(counts.borrow().moved, 10, "the pause is kept");
        // The next batch may go in hours.
        control.set_rate(Some(0.001));
        control.resume();
        round_trips(&fixture).await;
        assert_eq!(counts.borrow().moved, 10, "the rate is kept");
        control.set_rate(None);
        counts.wait_for(|counts| counts.moved >= 30).await.unwrap();
        control.cancel();
    };
    let (report, ()) = tokio::join!(running, operator);
    let report = report.unwrap();
    let counts = report.counts;
    assert_eq!(counts.moved + counts.waiting, 40, "{report:?}");
    assert!(counts.moved >= 30);
}

/// The last step may take hours at a low rate, and a pause may last as long.
#[tokio::test]
async fn what_a_paused_or_cancelled_redrive_has_sent_is_proved() {
    let services = Services::open().await;
    let fixture = services.fixture("meanwhile", false).await;
    fixture.add_dead_letters(0..30).await;
    let messages = fixture.receive().await;
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    let control = Control::new(None);
    let (sender, mut counts) = watch::channel(Counts::default());
    let options = RunOptions {
        prove_limit: Duration::from_secs(60),
        ..quick()
    };
    let running = run(
        fixture.pipeline(),
        fixture.journal(&plan),
        &messages,
        &control,
        &options,
        sender,
    );
    let operator = async {
        counts.wait_for(|counts| counts.moved > 0).await.unwrap();
        control.pause(Pause::Operator);
        round_trips(&fixture).await;
        fixture.ingest().await;
        let is_proved = |counts: &Counts| counts.stored == counts.moved;
        counts.wait_for(is_proved).await.unwrap();
        let before = counts.borrow().moved;
        assert!(before < 30, "it was paused too late");
        // The next batch may go in hours.
        control.set_rate(Some(0.001));
        control.resume();
        round_trips(&fixture).await;
        fixture.ingest().await;
        counts.wait_for(is_proved).await.unwrap();
        control.cancel();
    };
    let (report, ()) = tokio::join!(running, operator);
    let report = report.unwrap();
    let counts = report.counts;
    assert_eq!(counts.stored, counts.moved, "{report:?}");
    assert!(counts.waiting > 0, "{report:?}");
}

/// What was sent just before it was cancelled.
#[tokio::test]
async fn what_a_cancelled_redrive_has_sent_is_looked_up_once() {
    let services = Services::open().await;
    let fixture = services.fixture("cancelled", false).await;
    fixture.add_dead_letters(0..30).await;
    let messages = fixture.receive().await;
    let plan = fixture.plan(&messages, PlanOptions::default()).await;
    let endpoint_url = fixture.queues.endpoint_url();
    let delete = "DeleteMessageBatch";
    let mut proxy = proxy::start(endpoint_url, delete, Fault::KeepRequest, 1..2).await;
    let pipeline = fixture.queues.over(&proxy.url).pipeline;
    let control = Control::new(None);
    let (sender, _) = watch::channel(Counts::default());
    let options = RunOptions {
        prove_limit: Duration::from_secs(60),
        ..quick()
    };
    let journal = fixture.journal(&plan);
    let running = run(&pipeline, journal, &messages, &control, &options, sender);
    let operator = async {
        // Two batches were sent, and the second one waits for its delete.
        proxy.wait_until_kept().await;
        fixture.ingest().await;
        control.cancel();
        proxy.open();
    };
    let (report, ()) = tokio::join!(running, operator);
    let counts = report.unwrap().counts;
    assert_eq!((counts.moved, counts.stored), (20, 20), "{counts:?}");
}
