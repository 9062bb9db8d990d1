//! The redrive engine on real queues and a real ledger: plans, order, steering, proof.

#[expect(dead_code, reason = "the wire that fails is for other tests")]
mod redrive_stage;

use std::time::{Duration, Instant};

use aws_sdk_sqs::types::MessageSystemAttributeName;
use event::Verdict;
use pipeline::model::QueueRole;
use redrive::fact::Proof;
use redrive::operations::freeze;
use redrive::{
    Control, Counts, MessageOutcome, PlanOptions, RunCommand, RunOptions, dry_run, plan_file, run,
};
use redrive_stage::{Theatre, quick};
use tokio::sync::watch;

/// Limit of redrives that search. Generous: the machine may be busy with other tests.
const SEARCH_LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn plan_is_run_later_by_a_process_that_holds_nothing() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("later", false).await;
    stage.kill(0..25).await;
    let messages = stage.hold().await;
    let (chosen, others) = messages.split_at(20);
    let mended = stage.body(100);
    let mut chosen: Vec<_> = chosen.iter().map(|message| (message, None)).collect();
    chosen[3].1 = Some(mended.clone());
    let plan = freeze(&stage.pipeline, &chosen, PlanOptions::default())
        .await
        .unwrap();
    let shown = dry_run(&plan, &messages);
    assert!(shown.iter().all(|send| send.problem.is_none()));
    assert!(shown[3].is_edited && shown[3].attributes == ["kept"]);
    let file = stage.folder.path().join("plan.json");
    plan_file::write(&file, &plan).unwrap();
    stage.end_holds(&messages).await;

    let plan = plan_file::read(&file).unwrap();
    let report = stage
        .run(stage.journal(&plan), &[], &quick())
        .await
        .unwrap();
    assert_eq!(report.counts.moved, 20, "{report:?}");
    let places = stage.places(25).await;
    assert_eq!(places.source.len(), 20);
    assert!(places.source.contains_key(&mended));
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
async fn edit_into_an_event_that_is_stored_is_told() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("known", false).await;
    stage.kill(0..1).await;
    let messages = stage.hold().await;
    let plan = stage.plan(&messages, PlanOptions::default()).await;
    stage
        .run(stage.journal(&plan), &messages, &quick())
        .await
        .unwrap();
    stage.ingest().await;
    stage.kill_body("{}", "missing-attribute").await;
    let messages = stage.hold().await;
    let edits = [(&messages[0], Some(stage.body(0)))];
    let plan = freeze(&stage.pipeline, &edits, PlanOptions::default())
        .await
        .unwrap();
    assert_eq!(plan.entries[0].verdict, Verdict::AlreadyStored);
    let options = RunOptions {
        prove_limit: Duration::from_secs(20),
        ..quick()
    };
    let report = stage
        .run(stage.journal(&plan), &messages, &options)
        .await
        .unwrap();
    let proof = report.messages[0].proof.as_ref();
    assert!(matches!(proof, Some(Proof::AlreadyStored { .. })));
}

#[tokio::test]
async fn message_whose_hold_was_lost_is_found_again() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("lost", false).await;
    stage.kill(0..3).await;
    let mut messages = stage.hold().await;
    let handles = [messages[1].receipt_handle.clone()];
    assert_eq!(
        stage.pipeline.release_dead_letters(&handles).await.unwrap(),
        1
    );
    messages[1].held_until = chrono::Utc::now();
    messages[1].receipt_handle = "expired".to_owned();
    let plan = stage.plan(&messages, PlanOptions::default()).await;
    let report = stage
        .run(stage.journal(&plan), &messages, &quick())
        .await
        .unwrap();
    assert_eq!(report.counts.moved, 3, "{report:?}");
    stage.assert_all_stored(3).await;
}

/// Messages go on dying while a redrive looks for its own.
#[tokio::test]
async fn search_ends_in_a_queue_that_is_being_filled() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("filled", false).await;
    stage.kill(0..6).await;
    let messages = stage.hold().await;
    let (gone, planned) = messages.split_first().unwrap();
    let canary = PlanOptions {
        canary_steps: vec![1],
        ..PlanOptions::default()
    };
    let found = stage.plan(planned, canary).await;
    let not_found = stage
        .plan(std::slice::from_ref(gone), PlanOptions::default())
        .await;
    stage.delete(gone).await;
    stage.end_holds(planned).await;
    let filling = async {
        loop {
            stage.kill_body("{}", "missing-attribute").await;
        }
    };
    let options = quick();
    let redriving = async {
        let found = stage.run(stage.journal(&found), &[], &options).await;
        let not_found = stage.run(stage.journal(&not_found), &[], &options).await;
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
async fn two_operators_move_a_message_once() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("two", false).await;
    stage.kill(0..30).await;
    let messages = stage.hold().await;
    let plans = [
        stage.plan(&messages, PlanOptions::default()).await,
        stage.plan(&messages, PlanOptions::default()).await,
    ];
    stage.end_holds(&messages).await;
    // Both search; each message comes to one of them, or to the other after it was given back.
    let options = quick();
    let runs = plans
        .iter()
        .map(|plan| stage.run(stage.journal(plan), &[], &options));
    let reports = futures::future::try_join_all(runs).await.unwrap();
    let moved: usize = reports.iter().map(|report| report.counts.moved).sum();
    let places = stage.places(30).await;
    assert_eq!(places.source.len(), moved);
    assert!(places.source.values().all(|count| *count == 1));
    assert_eq!(places.dead.len(), 30 - moved);
}

#[tokio::test]
async fn canary_that_is_stored_goes_on_by_itself() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("good", false).await;
    stage.kill(0..7).await;
    let messages = stage.hold().await;
    let options = PlanOptions {
        canary_steps: vec![1, 3],
        ..PlanOptions::default()
    };
    let plan = stage.plan(&messages, options).await;
    let options = RunOptions {
        pauses_by_itself: true,
        prove_limit: Duration::from_secs(30),
        ..quick()
    };
    let control = Control::new(None);
    let (sender, mut counts) = watch::channel(Counts::default());
    let journal = stage.journal(&plan);
    let running = run(
        &stage.pipeline,
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
            stage.ingest().await;
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
    let theatre = Theatre::open().await;
    let stage = theatre.stage("other", false).await;
    stage.kill(0..2).await;
    let messages = stage.hold().await;
    let mut plan = stage.plan(&messages, PlanOptions::default()).await;
    plan.entries[0].body_sha256 = "0".repeat(64);
    let report = stage
        .run(stage.journal(&plan), &messages, &quick())
        .await
        .unwrap();
    assert_eq!(report.messages[0].outcome, MessageOutcome::NotSent);
    assert_eq!(report.messages[1].outcome, MessageOutcome::Moved);
}

#[tokio::test]
async fn fifo_keeps_order_and_is_not_swallowed_by_deduplication() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("ordered", true).await;
    for role in [QueueRole::Source, QueueRole::DeadLetter] {
        for number in 0..12 {
            let send = stage
                .sqs()
                .send_message()
                .queue_url(stage.pipeline.queue_url(role))
                .message_body(stage.body(number))
                .message_group_id(format!("group-{}", number % 2))
                // The source queue saw the same ids a moment ago, as it did when they were sent.
                .message_deduplication_id(format!("d-{number}"));
            send.send().await.unwrap();
        }
    }
    stage.ingest().await;
    let messages = stage.hold().await;
    assert!(messages.len() >= 10, "{} messages", messages.len());
    let plan = stage.plan(&messages, PlanOptions::default()).await;
    let report = stage
        .run(stage.journal(&plan), &messages, &quick())
        .await
        .unwrap();
    assert_eq!(report.counts.moved, messages.len(), "{report:?}");
    let mut arrived: [Vec<usize>; 2] = [Vec::new(), Vec::new()];
    while arrived.concat().len() < messages.len() {
        let answer = stage
            .sqs()
            .receive_message()
            .queue_url(stage.pipeline.queue_url(QueueRole::Source))
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .unwrap();
        assert!(!answer.messages().is_empty(), "{arrived:?}");
        for message in answer.messages() {
            let number = (0..12).find(|number| stage.body(*number) == message.body().unwrap());
            let attributes = message.attributes().unwrap();
            let group = &attributes[&MessageSystemAttributeName::MessageGroupId];
            let group: usize = group.trim_start_matches("group-").parse().unwrap();
            arrived[group].push(number.unwrap());
            stage
                .sqs()
                .delete_message()
                .queue_url(stage.pipeline.queue_url(QueueRole::Source))
                .receipt_handle(message.receipt_handle().unwrap())
                .send()
                .await
                .unwrap();
        }
    }
    assert!(arrived.iter().all(|group| group.is_sorted()), "{arrived:?}");
}

#[tokio::test]
async fn message_that_is_not_sent_holds_back_its_group() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("group", true).await;
    for number in 0..6 {
        stage
            .sqs()
            .send_message()
            .queue_url(stage.pipeline.queue_url(QueueRole::DeadLetter))
            .message_body(stage.body(number))
            .message_group_id(format!("group-{}", number % 2))
            .message_deduplication_id(format!("d-{number}"))
            .send()
            .await
            .unwrap();
    }
    let mut messages = stage.hold().await;
    assert_eq!(messages.len(), 6);
    messages.sort_by_key(|message| message.body.text().unwrap().into_owned());
    let options = PlanOptions {
        canary_steps: vec![1],
        ..PlanOptions::default()
    };
    let mut plan = stage.plan(&messages, options).await;
    plan.entries[0].body_sha256 = "0".repeat(64);
    let report = stage
        .run(stage.journal(&plan), &messages, &quick())
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
async fn canary_that_dies_again_pauses_the_redrive() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("canary", false).await;
    stage
        .kill_body("{\"id\":\"broken\"}", "missing-attribute")
        .await;
    stage.kill(0..5).await;
    let mut messages = stage.hold().await;
    messages.sort_by_key(|message| message.body.text().unwrap() != "{\"id\":\"broken\"}");
    let plan = stage
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
    let journal = stage.journal(&plan);
    let running = run(
        &stage.pipeline,
        journal,
        &messages,
        &control,
        &options,
        sender,
    );
    let operator = async {
        counts.wait_for(|counts| counts.moved == 1).await.unwrap();
        stage.ingest().await;
        let pause = control.wait_for(|command| *command != RunCommand::Run);
        let limit = Duration::from_secs(20);
        let command = tokio::time::timeout(limit, pause).await.unwrap();
        assert!(
            matches!(&command, RunCommand::Pause(why) if why.contains(
                "1 of 1 redriven events failed again: missing-attribute"
            )),
            "{command:?}"
        );
        assert_eq!(counts.borrow().moved, 1);
        assert_eq!(counts.borrow().dead_again, 1);
        control.resume();
        counts.wait_for(|counts| counts.moved == 6).await.unwrap();
        stage.ingest().await;
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
async fn rate_pause_and_cancel_are_obeyed_while_running() {
    let theatre = Theatre::open().await;
    let stage = theatre.stage("steered", false).await;
    stage.kill(0..40).await;
    let messages = stage.hold().await;
    let plan = stage.plan(&messages, PlanOptions::default()).await;
    let control = Control::new(Some(10.0));
    let (sender, mut counts) = watch::channel(Counts::default());
    let (journal, options) = (stage.journal(&plan), quick());
    let running = run(
        &stage.pipeline,
        journal,
        &messages,
        &control,
        &options,
        sender,
    );
    let begin = Instant::now();
    let operator = async {
        counts.wait_for(|counts| counts.moved >= 10).await.unwrap();
        assert!(begin.elapsed() > Duration::from_millis(900));
        control.pause("by the operator");
        let moved = counts.borrow_and_update().moved;
        let more = tokio::time::timeout(Duration::from_secs(2), counts.changed()).await;
        assert!(more.is_err() && counts.borrow().moved == moved);
        control.set_rate(None);
        control.resume();
        counts.wait_for(|counts| counts.moved >= 30).await.unwrap();
        control.cancel();
    };
    let (report, ()) = tokio::join!(running, operator);
    let report = report.unwrap();
    let counts = report.counts;
    assert_eq!(counts.moved + counts.waiting, 40, "{report:?}");
    assert!(counts.moved >= 30);
}
