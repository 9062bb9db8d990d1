//! `.ci/plan-summary`: what is written under a pull request.

use std::io::Write as _;
use std::process::Stdio;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::scripts::script;

/// The most that GitHub takes in a comment.
const COMMENT_CHARACTERS_MAX: usize = 65_536;

fn summarise(plan: &Value) -> Result<String, Failed> {
    let (code, text) = told(&["pilot"], plan)?;
    assert_eq!(code, Some(0), "{text}");
    Ok(text)
}

/// How it ends, and what it writes.
fn told(arguments: &[&str], plan: &Value) -> Result<(Option<i32>, String), Failed> {
    let mut command = script("plan-summary");
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    input.write_all(plan.to_string().as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    Ok((output.status.code(), String::from_utf8(output.stdout)?))
}

fn change(address: &str, kind: &str, actions: &[&str]) -> Value {
    json!({
        "address": address, "type": kind,
        "change": {"actions": actions, "before": {"value": "hidden-before"}, "after": {"value": "hidden-after"}},
    })
}

pub(crate) async fn summary() -> Result<(), Failed> {
    let text = summarise(&json!({"resource_changes": [
        change("module.a.aws_sns_topic.events", "aws_sns_topic", &["no-op"]),
        change("module.a.data.aws_region.current", "aws_region", &["read"]),
        change("module.a.aws_lambda_function.this", "aws_lambda_function", &["update"]),
        change("module.a.aws_route.b", "aws_route", &["create"]),
        change("module.a.aws_route.a", "aws_route", &["create"]),
        change("module.a.aws_rds_cluster.this[0]", "aws_rds_cluster", &["delete", "create"]),
        change("module.a.aws_route.c", "aws_route", &["delete"]),
    ]}))?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(
        lines,
        [
            "### Plan of `pilot`",
            "**This loses data:** `module.a.aws_rds_cluster.this[0]`",
            "1 to change, 2 to create, 1 to destroy, 1 to replace.",
            "<details><summary>change</summary>",
            "- `module.a.aws_lambda_function.this`",
            "</details>",
            "<details><summary>create</summary>",
            "- `module.a.aws_route.a`",
            "- `module.a.aws_route.b`",
            "</details>",
            "<details><summary>destroy</summary>",
            "- `module.a.aws_route.c`",
            "</details>",
            "<details><summary>replace</summary>",
            "- `module.a.aws_rds_cluster.this[0]`",
            "</details>",
        ]
    );
    assert!(!text.contains("hidden"), "{text}");
    Ok(())
}

/// A key of `for_each` is a value: the comment is as public as the repository.
pub(crate) async fn keys() -> Result<(), Failed> {
    let subscription = "module.a.aws_sns_topic_subscription.email";
    let text = summarise(&json!({"resource_changes": [
        change(&format!("{subscription}[\"ops@example.com\"]"), "aws_sns_topic_subscription", &["create"]),
        change(&format!("{subscription}[\"on-call@example.com\"]"), "aws_sns_topic_subscription", &["create"]),
        change(r#"module.a["b\"]c@d"].aws_sqs_queue.this[1]"#, "aws_sqs_queue", &["delete"]),
        change(r#"module.a["e@f"].aws_sqs_queue.this[1]"#, "aws_sqs_queue", &["delete"]),
    ]}))?;
    assert!(!text.contains('@') && !text.contains("example"), "{text}");
    assert!(text.contains("2 to create, 2 to destroy."), "{text}");
    assert!(
        text.contains(&format!("- `{subscription}[…]` × 2\n")),
        "{text}"
    );
    let lost = "**This loses data:** `module.a[…].aws_sqs_queue.this[1]` × 2\n";
    assert!(text.contains(lost), "{text}");
    Ok(())
}

pub(crate) async fn nothing() -> Result<(), Failed> {
    for plan in [
        json!({}),
        json!({"resource_changes": [change("aws_route.a", "aws_route", &["no-op"])]}),
    ] {
        assert_eq!(summarise(&plan)?, "### Plan of `pilot`\n\nNo changes.\n");
    }
    Ok(())
}

/// A change of one resource, with what was and what will be.
fn difference(kind: &str, before: &Value, after: &Value) -> Value {
    json!({
        "address": format!("{kind}.this"), "type": kind,
        "change": {"actions": ["update"], "before": before, "after": after},
    })
}

pub(crate) async fn drift() -> Result<(), Failed> {
    // Other packages stand for the deployed ones.
    let code = [
        difference(
            "aws_lambda_function",
            &json!({"source_code_hash": "a", "filename": "x", "timeout": 60, "last_modified": "1"}),
            &json!({"source_code_hash": "b", "filename": "y", "timeout": 60}),
        ),
        difference(
            "aws_lambda_invocation",
            &json!({"triggers": {"code": "a", "migrations": "m"}}),
            &json!({"triggers": {"code": "b", "migrations": "m"}}),
        ),
    ];
    let (ended, text) = told(&["--drift", "pilot"], &json!({"resource_changes": code}))?;
    assert_eq!(text, "### Drift of `pilot`\n\nNo changes.\n");
    assert_eq!(ended, Some(0));
    // In a plan they are told.
    let text = summarise(&json!({"resource_changes": code}))?;
    assert!(text.contains("2 to change."), "{text}");

    for changed in [
        difference("aws_sqs_queue", &json!({"delay": 0}), &json!({"delay": 1})),
        difference(
            "aws_lambda_function",
            &json!({"source_code_hash": "a", "timeout": 60}),
            &json!({"source_code_hash": "b", "timeout": 61}),
        ),
        difference(
            "aws_lambda_invocation",
            &json!({"triggers": {"code": "a", "migrations": "m"}}),
            &json!({"triggers": {"code": "b", "migrations": "n"}}),
        ),
        change(
            "aws_lambda_function.gone",
            "aws_lambda_function",
            &["create"],
        ),
    ] {
        let plan = json!({"resource_changes": [changed]});
        let (ended, text) = told(&["--drift", "pilot"], &plan)?;
        assert!(text.contains("\n1 to "), "{text}");
        assert_eq!(ended, Some(2), "{text}");
    }
    Ok(())
}

pub(crate) async fn long() -> Result<(), Failed> {
    let changes: Vec<Value> = (0..2_000)
        .map(|number| {
            let address = format!("module.pipeline.module.network.aws_route.number[{number}]");
            change(&address, "aws_route", &["create"])
        })
        .collect();
    let text = summarise(&json!({"resource_changes": changes}))?;
    assert!(text.contains("2000 to create."));
    assert!(text.len() < COMMENT_CHARACTERS_MAX, "{}", text.len());
    assert!(text.ends_with("The rest was left out.\n"));
    Ok(())
}
