//! The ingest function and its log group. Source: AWS Lambda Developer Guide.

use crate::lint::check::{Check, Found, Judged, Severity};
use crate::lint::fact::NotChecked;
use crate::lint::facts::Facts;
use crate::lint::fix::Fix;

/// The runtime of the operating system that AWS supports for custom runtimes ("Lambda runtimes").
const RUNTIME: &str = "provided.al2023";
const LOG_RETENTION_DAYS: u64 = 30;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "function-failed",
        why: "Lambda does not invoke a function whose state is Failed, and runs the earlier code after an update \
              that failed",
        judge: not_active,
    },
    Check {
        id: "function-runtime-old",
        why: "AWS gives a deprecated runtime no security updates, and blocks changes of functions that have it",
        judge: old_runtime,
    },
    Check {
        id: "function-architecture",
        why: "arm64 costs a fifth less for each second than x86_64, and the release has the functions for both",
        judge: architecture,
    },
    Check {
        id: "function-timeout-differs",
        why: "the rule about the visibility timeout on the overview computes with the entry's value",
        judge: timeout_differs,
    },
    Check {
        id: "replacements-allowed",
        why: "a message with the mark of a replacement overwrites a stored record: whoever may publish can change \
              history; allow it for the time of a correction",
        judge: replacements,
    },
    Check {
        id: "log-group-without-retention",
        why: "CloudWatch Logs keeps a log for ever unless it has a retention, and bills it every month",
        judge: log_retention,
    },
];

fn not_active(facts: &Facts) -> Judged {
    let function = facts.function.get()?;
    let parts = [
        ("state", &function.state, &function.state_reason),
        (
            "last update",
            &function.last_update,
            &function.last_update_reason,
        ),
    ];
    let failed = parts
        .into_iter()
        .find(|(_, value, _)| value.as_deref() == Some("Failed"));
    Ok(failed.map(|(part, _, reason)| {
        let reason = reason.as_deref().filter(|reason| !reason.is_empty());
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let seen = format!("{part} of {} is Failed{reason}", facts.subject.function);
        let fix = Fix::command(format!(
            "{} lambda get-function --function-name {} --query Configuration",
            facts.subject.aws, facts.subject.function
        ))
        .or_terraform("terraform apply");
        Found::new(Severity::Error, seen, fix)
    }))
}

fn configure(facts: &Facts, change: &str) -> Fix {
    Fix::command(format!(
        "{} lambda update-function-configuration --function-name {} {change}",
        facts.subject.aws, facts.subject.function
    ))
}

fn old_runtime(facts: &Facts) -> Judged {
    let function = facts.function.get()?;
    let is_old = !function.runtime.is_empty() && function.runtime != RUNTIME;
    Ok(is_old.then(|| {
        let seen = format!(
            "runtime {}, {RUNTIME} is the supported one",
            function.runtime
        );
        let fix = configure(facts, &format!("--runtime {RUNTIME}"));
        Found::new(Severity::Warning, seen, fix)
    }))
}

fn architecture(facts: &Facts) -> Judged {
    let function = facts.function.get()?;
    if facts.subject.aws.contains("--endpoint-url") {
        let reason = "an emulator runs the function on this machine's own processor";
        return Err(NotChecked::not_applicable(reason));
    }
    Ok((function.architecture == "x86_64").then(|| {
        let fix = Fix::terraform("architecture = \"arm64\"");
        Found::new(Severity::Note, "architecture x86_64", fix)
    }))
}

fn timeout_differs(facts: &Facts) -> Judged {
    let function = facts.function.get()?;
    let Some(entry) = facts.subject.entry_timeout_secs else {
        let reason = "the environment's entry has no function_timeout_secs";
        return Err(NotChecked::not_applicable(reason));
    };
    Ok((entry != function.timeout_secs).then(|| {
        let seen = format!(
            "the function's timeout is {} s, and function_timeout_secs of the entry is {entry}",
            function.timeout_secs
        );
        let name = &facts.subject.environment;
        let fix = Fix::command(format!(
            "opsconsole env import terraform/environments/{name} --replace"
        ));
        Found::new(Severity::Warning, seen, fix)
    }))
}

fn replacements(facts: &Facts) -> Judged {
    let function = facts.function.get()?;
    if !facts.subject.is_production {
        let reason = "the environment is not marked as production";
        return Err(NotChecked::not_applicable(reason));
    }
    Ok(function.replacements_allowed.then(|| {
        let fix = Fix::terraform("ingest = { replacements_allowed = false }");
        Found::new(
            Severity::Warning,
            "REPLACEMENTS_ALLOWED is true in production",
            fix,
        )
    }))
}

fn log_retention(facts: &Facts) -> Judged {
    let group = facts.log_group.get()?;
    Ok(group.retention_days.is_none().then(|| {
        let fix = Fix::command(format!(
            "{} logs put-retention-policy --log-group-name {} --retention-in-days {LOG_RETENTION_DAYS}",
            facts.subject.aws, group.name
        ))
        .or_terraform(format!("log_retention_days = {LOG_RETENTION_DAYS}"));
        let seen = format!("{} has no retention", group.name);
        Found::new(Severity::Warning, seen, fix)
    }))
}
