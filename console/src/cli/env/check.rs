//! `env check`: tries every access that the console needs.
//!
//! Invariant: it changes nothing, and what was not tried is never shown as allowed.

use serde::Serialize;

use crate::cli::causes::by_cause;
use crate::cli::table::{Align, Keep, Table};
use crate::cli::{CommandError, Exit, Output};
use export::{Target, check_bucket};
use pipeline::{AccessCheck, AccessOutcome, Pipeline, printable_lines};

#[derive(Debug, Serialize)]
struct Report<'a> {
    environment: &'a str,
    checks: Vec<AccessCheck>,
}

pub(super) async fn run(
    pipeline: &Pipeline,
    into: Option<Target>,
    output: Output,
) -> Result<Exit, CommandError> {
    let (mut checks, bucket) = tokio::join!(pipeline.check_access(), of_target(pipeline, into));
    checks.extend(bucket?);
    let exit = checks.iter().map(|check| exit(check.outcome)).max();
    let report = Report {
        environment: &pipeline.environment().name,
        checks,
    };
    if output.is_json() {
        output.json(&report)?;
    } else {
        output.table(&table(&report.checks))?;
        for fault in told(&report.checks) {
            output.note(&printable_lines(&fault));
        }
    }
    Ok(exit.unwrap_or(Exit::Done))
}

async fn of_target(
    pipeline: &Pipeline,
    into: Option<Target>,
) -> Result<Vec<AccessCheck>, CommandError> {
    match into {
        None => Ok(Vec::new()),
        Some(Target::Bucket { bucket, prefix }) => check_bucket(pipeline, &bucket, &prefix)
            .await
            .map_err(|error| CommandError::Usage(error.to_string())),
        Some(Target::Folder(_)) => Err(CommandError::Usage(
            "--into: a folder of this machine needs no permission; name s3://BUCKET/PREFIX"
                .to_owned(),
        )),
    }
}

const fn exit(outcome: AccessOutcome) -> Exit {
    match outcome {
        AccessOutcome::Allowed | AccessOutcome::NotTried | AccessOutcome::Absent => Exit::Done,
        AccessOutcome::Denied | AccessOutcome::Failed => Exit::Failed,
        AccessOutcome::Unreachable => Exit::Unreachable,
    }
}

/// Whether it is told at length below the table.
const fn is_told(outcome: AccessOutcome) -> bool {
    match outcome {
        AccessOutcome::Denied | AccessOutcome::Failed | AccessOutcome::Unreachable => true,
        AccessOutcome::Allowed | AccessOutcome::NotTried | AccessOutcome::Absent => false,
    }
}

/// What failed, with the next step: one cause once, with every access that it keeps from working.
fn told(checks: &[AccessCheck]) -> Vec<String> {
    let checks = checks.iter().filter(|check| is_told(check.outcome));
    by_cause(checks, |check| (&check.detail, &check.next_step))
        .iter()
        .filter_map(|checks| {
            let first = checks.first()?;
            let accesses = checks
                .iter()
                .map(|check| format!("{} of {}", check.access, check.target));
            Some(format!(
                "{}: {}\n  {}",
                accesses.collect::<Vec<_>>().join(", "),
                first.detail.as_deref().unwrap_or_default(),
                first.next_step.as_deref().unwrap_or_default()
            ))
        })
        .collect()
}

fn table(checks: &[AccessCheck]) -> Table {
    let mut table = Table::new(&[
        ("ACCESS", Align::Left, Keep::Always),
        ("OUTCOME", Align::Left, Keep::Always),
        ("TIME", Align::Right, Keep::Drop(2)),
        ("MISSING PERMISSION", Align::Left, Keep::Always),
        ("TARGET", Align::Left, Keep::Drop(1)),
        ("NEXT STEP", Align::Left, Keep::Cut),
    ]);
    for check in checks {
        let time = check
            .duration_ms
            .map(|milliseconds| format!("{milliseconds} ms"));
        table.row([
            check.access,
            check.outcome.as_str(),
            time.as_deref().unwrap_or("-"),
            check.missing_permission.as_deref().unwrap_or("-"),
            &check.target,
            check.next_step.as_deref().unwrap_or("-"),
        ]);
    }
    table
}
