//! `env check`: on the whole pipeline, and where one permission is missing.

use serde_json::{Value, json};

use super::denying_service::DenyingService;
use super::pipeline::deployed;
use crate::support::configuration::{self, NOBODY, environment_at};
use crate::support::program::Program;

fn outcomes<'a>(report: &'a Value, wanted: &str) -> Vec<&'a str> {
    let checks = report["checks"].as_array().unwrap().iter();
    let wanted = checks.filter(|check| check["outcome"] == wanted);
    wanted
        .map(|check| check["access"].as_str().unwrap())
        .collect()
}

fn check<'a>(report: &'a Value, access: &str) -> &'a Value {
    let mut checks = report["checks"].as_array().unwrap().iter();
    checks.find(|check| check["access"] == access).unwrap()
}

/// What only a change shows.
const NOT_TRIED: [&str; 7] = [
    "publish",
    "send-to-queue",
    "receive-from-queue",
    "receive-dead-letters",
    "purge-dead-letters",
    "start-move-task",
    "cancel-move-task",
];

#[test]
fn deployed_pipeline_allows_what_can_be_tried_and_nothing_is_changed() {
    let turn = deployed();
    let message_id = turn.add_dead_letter("{}", Some("checked"));
    let before = turn.depth();
    let program = Program::new();
    program.configure(&configuration::by_api(&turn.endpoints, ""));
    let report = program.json_ok(&["env", "check"]);
    assert_eq!(report["environment"], "test");
    // The emulator has no move tasks, the environment neither a token nor a database nor the name of a function.
    assert_eq!(outcomes(&report, "not-tried"), NOT_TRIED[..5], "{report:#}");
    let absent = [
        "start-move-task",
        "list-move-tasks",
        "cancel-move-task",
        "read-function",
        "read-concurrency",
        "list-mappings",
        "read-log-group",
        "read-logs",
        "read-cluster",
        "api-token",
        "log-in-to-database",
    ];
    assert_eq!(outcomes(&report, "absent"), absent, "{report:#}");
    let allowed = outcomes(&report, "allowed");
    assert_eq!(allowed.len() + 16, 29, "{report:#}");
    let queue = check(&report, "read-queue");
    assert!(queue["duration_ms"].is_u64(), "{queue}");
    assert_eq!(queue["permissions"], json!(["sqs:GetQueueAttributes"]));
    assert_eq!(turn.depth(), before);
    // Nobody has received it.
    let received = turn.json(&["dlq", "list"]);
    let messages = received.as_array().unwrap();
    let message = messages
        .iter()
        .find(|message| message["message_id"] == message_id);
    assert_eq!(message.unwrap()["receive_count"], 1, "{received}");
    // With a database, the log-in is tried as well.
    let report = turn.json(&["env", "check"]);
    assert_eq!(check(&report, "log-in-to-database")["outcome"], "allowed");
    // With the name of the function, what the lint reads of it. The emulator makes a log group with its first line.
    for access in [
        "read-function",
        "read-concurrency",
        "list-mappings",
        "read-logs",
    ] {
        assert_eq!(check(&report, access)["outcome"], "allowed", "{report:#}");
    }
}

#[test]
fn denied_operation_is_named_by_its_permission_and_the_others_are_allowed() {
    let service = DenyingService::start();
    let into = ["env", "check", "--into", "s3://exports/daily"];
    let (code, report) = service.program.json(&into);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(outcomes(&report, "denied"), [""; 0]);
    let absent = ["api-token", "log-in-to-database"];
    assert_eq!(outcomes(&report, "absent"), absent);
    let untried = ["write-exports", "end-uploads", "delete-exports"];
    assert_eq!(
        outcomes(&report, "not-tried"),
        [&NOT_TRIED[..], &untried].concat()
    );
    let tried = outcomes(&report, "allowed").len();
    for (operation, permission, denied) in [
        (
            "GetTopicAttributes",
            "sns:GetTopicAttributes",
            &["read-topic"][..],
        ),
        (
            "GetQueueAttributes",
            "sqs:GetQueueAttributes",
            &["read-queue", "read-dead-letter-queue"],
        ),
        (
            "ChangeMessageVisibilityBatch",
            "sqs:ChangeMessageVisibility",
            &["hide-in-queue", "hide-dead-letters"],
        ),
        (
            "DeleteMessageBatch",
            "sqs:DeleteMessage",
            &["delete-dead-letters"],
        ),
        (
            "ListMessageMoveTasks",
            "sqs:ListMessageMoveTasks",
            &["list-move-tasks"],
        ),
        (
            "GetMetricData",
            "cloudwatch:GetMetricData",
            &["read-metrics"],
        ),
        (
            "DescribeAlarms",
            "cloudwatch:DescribeAlarms",
            &["read-alarms"],
        ),
        (
            "ListSubscriptionsByTopic",
            "sns:ListSubscriptionsByTopic",
            &["list-subscriptions"],
        ),
        (
            "GetSubscriptionAttributes",
            "sns:GetSubscriptionAttributes",
            &["read-subscription"],
        ),
        (
            "GetFunctionConfiguration",
            "lambda:GetFunctionConfiguration",
            &["read-function"],
        ),
        (
            "GetFunctionConcurrency",
            "lambda:GetFunctionConcurrency",
            &["read-concurrency"],
        ),
        (
            "ListEventSourceMappings",
            "lambda:ListEventSourceMappings",
            &["list-mappings"],
        ),
        (
            "DescribeLogGroups",
            "logs:DescribeLogGroups",
            &["read-log-group"],
        ),
        ("FilterLogEvents", "logs:FilterLogEvents", &["read-logs"]),
        (
            "DescribeDBClusters",
            "rds:DescribeDBClusters",
            &["read-cluster"],
        ),
        ("GET /health", "execute-api:Invoke", &["call-api"]),
        (
            "POST /v1/records/lookup",
            "execute-api:Invoke",
            &["look-up-by-api"],
        ),
        ("GetObject", "s3:GetObject", &["read-exports"]),
    ] {
        service.deny(operation);
        let (code, report) = service.program.json(&into);
        assert_eq!(code, 1, "{operation}: {report:#}");
        assert_eq!(
            outcomes(&report, "denied"),
            denied,
            "{operation}: {report:#}"
        );
        let allowed = outcomes(&report, "allowed");
        assert_eq!(allowed.len(), tried - denied.len(), "{operation}");
        for access in denied {
            let check = check(&report, access);
            assert_eq!(check["missing_permission"], permission, "{check}");
            let next_step = check["next_step"].as_str().unwrap();
            assert!(next_step.contains(permission), "{next_step}");
            assert!(next_step.contains("console_policy_arn"), "{next_step}");
        }
    }
    // To whom may not list, a missing object is forbidden, so that reading shows nothing.
    service.deny("ListObjectsV2");
    let (_, report) = service.program.json(&into);
    assert_eq!(outcomes(&report, "denied"), ["list-exports"]);
    assert!(outcomes(&report, "not-tried").contains(&"read-exports"));
    service.deny("GetMetricData");
    let shown = service.program.run(&["env", "check"]);
    assert_eq!(shown.code, 1, "{shown:?}");
    let row = shown
        .stdout
        .lines()
        .find(|line| line.starts_with("read-metrics"));
    let row = row.unwrap();
    assert!(
        row.contains("denied") && row.contains("cloudwatch:GetMetricData"),
        "{row}"
    );
    assert!(
        shown
            .stderr
            .contains("  the permission cloudwatch:GetMetricData"),
        "{shown:?}"
    );
}

/// The right is there, however many alarms others have.
#[test]
fn alarms_are_allowed_where_there_are_always_more() {
    let service = DenyingService::start();
    service.answer_with_endless_alarms();
    let (code, report) = service.program.json(&["env", "check"]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(check(&report, "read-alarms")["outcome"], "allowed");
}

#[test]
fn wrong_account_and_expired_credentials_are_told_with_what_to_do() {
    let service = DenyingService::start();
    service.answer_with_account("111122223333");
    let (code, report) = service.program.json(&["env", "check"]);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(outcomes(&report, "failed"), ["credentials"]);
    let credentials = check(&report, "credentials");
    let detail = credentials["detail"].as_str().unwrap();
    assert!(
        detail.contains("111122223333") && detail.contains("000000000000"),
        "{detail}"
    );
    assert!(
        credentials["next_step"]
            .as_str()
            .unwrap()
            .contains("AWS_PROFILE")
    );
    service.refuse("GetTopicAttributes", "ExpiredToken");
    let (_, report) = service.program.json(&["env", "check"]);
    let topic = check(&report, "read-topic");
    assert_eq!(topic["outcome"], "failed", "{topic}");
    assert!(
        topic["next_step"]
            .as_str()
            .unwrap()
            .contains("log in again"),
        "{topic}"
    );
}

#[test]
fn unreachable_service_is_no_denial_and_exits_with_3() {
    let program = Program::new();
    program.configure(&environment_at("away", NOBODY, ""));
    let (code, report) = program.json(&["env", "check"]);
    assert_eq!(code, 3);
    assert_eq!(outcomes(&report, "denied"), [""; 0]);
    assert_eq!(outcomes(&report, "allowed"), [""; 0]);
    assert_eq!(outcomes(&report, "unreachable").len(), 14, "{report:#}");
    let folder = program.run(&["env", "check", "--into", "folder"]);
    assert_eq!(folder.code, 2, "{folder:?}");
}
