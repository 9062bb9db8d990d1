//! `redrive native`: against recorded answers of AWS, and where the service has no move tasks.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::move_service::{DEAD_ARN, MoveService, SOURCE_ARN, refusal, task, tasks};
use crate::support::harness::{Harness, valid};
use crate::support::program::{Answer, Program};

const HANDLE: &str = "eyJ0YXNrSWQiOiIxMGY1NzE1NyJ9";

fn running(moved: u64) -> Value {
    let mut running = task("RUNNING", 1_767_268_800_000, moved);
    running["TaskHandle"] = json!(HANDLE);
    running
}

fn start(program: &Program) -> Answer {
    program.run(&["redrive", "native", "start", "--yes"])
}

#[test]
fn task_is_started_with_its_destination_and_rate_and_is_recorded_after_its_end() {
    let service = MoveService::start();
    service.answer("ListMessageMoveTasks", tasks(&[]));
    service.answer("ListMessageMoveTasks", tasks(&[running(0)]));
    service.answer("StartMessageMoveTask", (200, json!({"TaskHandle": HANDLE})));
    let arguments = ["redrive", "native", "start", "--rate", "100", "--yes"];
    let (code, started) = service.program.json(&arguments);
    assert_eq!(code, 0, "{started}");
    assert_eq!(started["handle"], HANDLE);
    assert_eq!(started["started_at"], "2026-01-01T12:00:00Z");
    assert_eq!(
        (&started["status"], &started["to_move"]),
        (&json!("running"), &json!(10))
    );
    assert_eq!(
        service.requests("StartMessageMoveTask"),
        [json!({
            "SourceArn": DEAD_ARN,
            "DestinationArn": SOURCE_ARN,
            "MaxNumberOfMessagesPerSecond": 100,
        })]
    );
    let records = service.records();
    assert_eq!(records.len(), 1, "{records:?}");
    let mode = std::fs::metadata(&records[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // SQS forgets the handle when the task ends.
    let completed = task("COMPLETED", 1_767_268_800_000, 10);
    service.answer("ListMessageMoveTasks", tasks(&[completed]));
    let (code, listed) = service.program.json(&["redrive", "native", "list"]);
    assert_eq!((code, listed.as_array().unwrap().len()), (0, 1), "{listed}");
    assert_eq!(listed[0]["handle"], HANDLE);
    assert_eq!(
        (&listed[0]["status"], &listed[0]["moved"]),
        (&json!("completed"), &json!(10))
    );
    assert_eq!(listed[0]["asked_at"], started["asked_at"]);

    // And the task when ten more were started.
    service.answer("ListMessageMoveTasks", tasks(&[]));
    let (_, listed) = service.program.json(&["redrive", "native", "list"]);
    assert_eq!(listed[0]["status"], "completed", "{listed}");

    let (_, audit) = service.program.json(&["audit"]);
    let entry = &audit["entries"][0];
    assert_eq!(entry["operation"], "move-task");
    assert_eq!(
        (&entry["target"], &entry["planned"]),
        (&json!("source"), &json!(10))
    );
    assert_eq!(
        entry["details"],
        json!({"from": DEAD_ARN, "rate_per_sec": 100})
    );
    assert!(entry["ending"]["error"].is_null(), "{entry}");
}

#[test]
fn watch_follows_the_newest_task_to_its_end() {
    let service = MoveService::start();
    let older = task("COMPLETED", 1_767_000_000_000, 3);
    service.answer("ListMessageMoveTasks", tasks(&[older.clone(), running(4)]));
    let (code, seen) = service
        .program
        .json(&["redrive", "native", "watch", "--once"]);
    assert_eq!((code, &seen["moved"]), (0, &json!(4)), "{seen}");
    assert!(
        seen["asked_at"].is_null(),
        "somebody else started it: {seen}"
    );

    service.answer("ListMessageMoveTasks", tasks(&[running(4), older.clone()]));
    let mut failed = task("FAILED", 1_767_268_800_000, 7);
    failed["FailureReason"] = json!("AWS.SimpleQueueService.NonExistentQueue");
    service.answer("ListMessageMoveTasks", tasks(&[failed, older]));
    let answer = service.program.run(&["redrive", "native", "watch"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer.stderr.contains("running: about 4 of 10 moved"),
        "{answer:?}"
    );
    assert!(
        answer.stdout.contains("failed: about 7 of 10 moved"),
        "{answer:?}"
    );
    assert!(answer.stdout.contains("NonExistentQueue"), "{answer:?}");
    assert!(answer.stderr.contains("approximate and late"), "{answer:?}");
}

#[test]
fn cancel_stops_the_running_task_and_reports_what_stays_moved() {
    let service = MoveService::start();
    service.answer("ListMessageMoveTasks", tasks(&[running(4)]));
    let moved = json!({"ApproximateNumberOfMessagesMoved": 4});
    service.answer("CancelMessageMoveTask", (200, moved));
    let (code, cancelled) = service.program.json(&["redrive", "native", "cancel"]);
    assert_eq!(
        (code, cancelled),
        (0, json!({"handle": HANDLE, "moved": 4}))
    );
    let requests = service.requests("CancelMessageMoveTask");
    assert_eq!(requests, [json!({"TaskHandle": HANDLE})]);
    let (_, audit) = service.program.json(&["audit"]);
    assert_eq!(audit["entries"][0]["ending"]["counts"], json!({"moved": 4}));

    service.answer(
        "ListMessageMoveTasks",
        tasks(&[task("CANCELLED", 1_767_268_800_000, 4)]),
    );
    let answer = service.program.run(&["redrive", "native", "cancel"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.contains("no move task runs"), "{answer:?}");

    let gone = refusal(404, "ResourceNotFoundException", "Task does not exist.");
    service.answer("CancelMessageMoveTask", gone);
    let answer = service
        .program
        .run(&["redrive", "native", "cancel", HANDLE]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer.stderr.contains("it has ended, or never began"),
        "{answer:?}"
    );
}

#[test]
fn refusals_of_the_service_show_what_to_do() {
    let service = MoveService::start();
    service.answer("ListMessageMoveTasks", tasks(&[]));
    for (answer, expected) in [
        (
            refusal(
                400,
                "InvalidParameterValue",
                "Source queue must be configured as a Dead Letter Queue.",
            ),
            "not that of an SNS subscription",
        ),
        (
            refusal(
                400,
                "InvalidParameterValue",
                "There is already a task running. Only one active task is allowed for a source \
                 queue arn at a given time.",
            ),
            "opsconsole redrive native watch",
        ),
        (
            refusal(
                404,
                "ResourceNotFoundException",
                "The resource that you specified for the DestinationArn parameter doesn't exist.",
            ),
            "DestinationArn parameter doesn't exist",
        ),
        (
            refusal(
                400,
                "AWS.SimpleQueueService.UnsupportedOperation",
                "Unsupported operation.",
            ),
            "opsconsole redrive run --all",
        ),
    ] {
        service.answer("StartMessageMoveTask", answer);
        let answer = start(&service.program);
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.stderr.contains(expected), "{expected}: {answer:?}");
        assert!(
            !answer.stderr.contains("may have been started"),
            "{answer:?}"
        );
    }
    assert!(service.records().is_empty());
    let (_, audit) = service.program.json(&["audit"]);
    let error = audit["entries"][0]["ending"]["error"].as_str().unwrap();
    assert!(error.contains("Dead Letter Queue"), "{error}");
}

#[test]
fn start_without_an_answer_is_not_repeated_and_may_have_happened() {
    let service = MoveService::start();
    service.answer("ListMessageMoveTasks", tasks(&[]));
    service.answer(
        "StartMessageMoveTask",
        refusal(500, "InternalError", "broken"),
    );
    let answer = start(&service.program);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer.stderr.contains("it may have been started"),
        "{answer:?}"
    );
    assert_eq!(service.requests("StartMessageMoveTask").len(), 1);
}

#[test]
fn service_without_move_tasks_is_distinguished_from_one_that_refuses() {
    let service = MoveService::start();
    let html = json!("<html>Not Found</html>");
    for answer in [
        refusal(400, "UnknownOperationException", ""),
        refusal(
            400,
            "InvalidAction",
            "The action is not valid for this endpoint.",
        ),
        refusal(501, "NotImplemented", "not yet"),
        refusal(501, "InternalFailure", "this action has not been emulated"),
        (400, html.clone()),
        (404, html.clone()),
        (501, html),
    ] {
        service.answer("ListMessageMoveTasks", answer.clone());
        for command in [&["start", "--yes"][..], &["watch"], &["cancel"], &["list"]] {
            let unsupported = service
                .program
                .run(&[&["redrive", "native"], command].concat());
            assert_eq!(unsupported.code, 1, "{answer:?}: {unsupported:?}");
            assert!(
                unsupported.stderr.contains("the service has no move tasks"),
                "{answer:?}: {unsupported:?}"
            );
            assert!(
                unsupported.stderr.contains("opsconsole redrive run --all"),
                "{unsupported:?}"
            );
            assert_eq!(unsupported.stdout, "");
        }
    }
    assert_eq!(service.requests("StartMessageMoveTask").len(), 0);
    let (_, audit) = service.program.json(&["audit"]);
    assert_eq!(
        audit["entries"],
        json!([]),
        "nothing would have been changed"
    );

    service.answer("ListMessageMoveTasks", refusal(403, "AccessDenied", "no"));
    let answer = service.program.run(&["redrive", "native", "list"]);
    assert!(answer.stderr.contains("AccessDenied: no"), "{answer:?}");
    assert!(!answer.stderr.contains("no move tasks"), "{answer:?}");
}

#[test]
fn plan_offers_the_native_way_where_the_service_has_it() {
    let service = MoveService::start();
    let letter = json!({
        "MessageId": "8f3e0b6a-1111-4222-8333-000000000001",
        "ReceiptHandle": "handle",
        "Body": valid("1"),
        "Attributes": {"SentTimestamp": "1767268800000", "ApproximateReceiveCount": "1"},
    });
    service.answer("ReceiveMessage", (200, json!({"Messages": [letter]})));
    service.answer("ReceiveMessage", (200, json!({"Messages": []})));
    let released = json!({"Successful": [{"Id": "0"}], "Failed": []});
    service.answer("ChangeMessageVisibilityBatch", (200, released));
    service.answer("ListMessageMoveTasks", tasks(&[]));
    let plan = ["redrive", "plan", "--all"];
    let offered = service.program.run(&plan);
    assert!(
        offered.stdout.contains("redrive native start"),
        "{offered:?}"
    );
}

#[test]
fn nothing_is_started_read_only_or_unconfirmed() {
    let service = MoveService::start();
    service.answer("ListMessageMoveTasks", tasks(&[running(0)]));
    for command in [&["start", "--yes"][..], &["cancel"]] {
        let arguments = [&["--read-only", "redrive", "native"], command].concat();
        let answer = service.program.run(&arguments);
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.stderr.contains("read-only"), "{answer:?}");
    }
    let answer = service.program.run(&["redrive", "native", "start"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.stderr.contains("--yes"), "{answer:?}");
    service.configure("production = true");
    let answer = start(&service.program);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.contains("--confirm test"), "{answer:?}");
    assert_eq!(service.requests("StartMessageMoveTask").len(), 0);
    assert_eq!(service.requests("CancelMessageMoveTask").len(), 0);

    service.answer("StartMessageMoveTask", (200, json!({"TaskHandle": HANDLE})));
    let confirmed = ["--confirm", "test", "--reason", "incident 7"];
    let arguments = [&confirmed[..], &["redrive", "native", "start", "--yes"]].concat();
    assert_eq!(service.program.run(&arguments).code, 0);
    let (_, audit) = service.program.json(&["audit"]);
    assert_eq!(audit["entries"][0]["reason"], "incident 7");
}

#[test]
fn emulator_without_move_tasks_points_to_redrive_run() {
    let harness = Harness::start();
    harness.add_dead_letters(&[valid("1")]);
    for command in [&["start", "--yes"][..], &["watch"], &["cancel"], &["list"]] {
        let answer = harness
            .program
            .run(&[&["redrive", "native"], command].concat());
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(
            answer.stderr.contains("the service has no move tasks"),
            "{answer:?}"
        );
        assert!(
            answer.stderr.contains("opsconsole redrive run --all"),
            "{answer:?}"
        );
    }
    assert_eq!((harness.depth(), harness.source()), ((1, 0), 0));
    let plan = harness.program.run(&["redrive", "plan", "--all"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    assert!(plan.stdout.contains("run it with"), "{plan:?}");
    assert!(
        !plan.stdout.contains("native"),
        "what does not work is not offered: {plan:?}"
    );
    let arguments = ["redrive", "run", "--all", "--yes", "--no-proof"];
    assert_eq!(harness.program.run(&arguments).code, 0);
    assert_eq!((harness.depth(), harness.source()), ((0, 0), 1));
}
