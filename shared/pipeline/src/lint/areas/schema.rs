//! The schema of the database, its partitions and their upkeep.

use chrono::TimeDelta;

use crate::lint::check::{Check, Found, Judged, Severity};
use crate::lint::facts::Facts;
use crate::lint::fix::Fix;
use crate::text::{count, span_secs, timestamp};

/// Partitions that end within this time: upkeep runs daily, and somebody needs days to notice.
const AHEAD_WARNING: TimeDelta = TimeDelta::days(7);
/// Within this time, the next weekend is too late.
const AHEAD_ERROR: TimeDelta = TimeDelta::days(2);
/// Records of the default partition that are no matter of a few late events.
const DEFAULT_ROWS_WARNING: u64 = 100_000;
/// Upkeep runs daily, so more hours are left over where it has not run for days. Late events leave some too.
const UNFOLDED_HOURS_MAX: u64 = 72;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "schema-behind",
        why: "functions and console of this version expect tables that are not there: a batch fails as a whole",
        judge: behind,
    },
    Check {
        id: "schema-ahead",
        why: "the database was migrated by a later version: this console may read what has another meaning now",
        judge: ahead,
    },
    Check {
        id: "partitions-run-out",
        why: "events without a partition go to the default one, which every query of a time range reads and from which \
              they expire row by row",
        judge: partitions,
    },
    Check {
        id: "rows-in-default-partition",
        why: "every query reads the default partition too, and its records expire row by row and not with their \
              partition; events that are older than the first partition are there by design",
        judge: default_rows,
    },
    Check {
        id: "upkeep-behind",
        why: "the daily run of migrate folds counts, expires records and makes partitions; where it does not, totals \
              become slow and partitions run out",
        judge: upkeep,
    },
    Check {
        id: "retention-shorter-than-queues",
        why: "the ingest does not store events from before the retention horizon: a message can wait in the queues \
              longer than that, and is then refused as expired",
        judge: horizon,
    },
];

/// Runs the function that migrates and does the upkeep.
fn migrate(facts: &Facts) -> Fix {
    // Terraform names the functions NAME-ingest, NAME-migrate.
    let name = facts.subject.function.strip_suffix("-ingest");
    let name = name.map_or_else(
        || "MIGRATE_FUNCTION".to_owned(),
        |name| format!("{name}-migrate"),
    );
    Fix::command(format!(
        "{} lambda invoke --function-name {name} --cli-read-timeout 900 /dev/stdout",
        facts.subject.aws
    ))
}

fn behind(facts: &Facts) -> Judged {
    let schema = facts.schema.get()?;
    let applied = &schema.inspection.applied;
    let missing: Vec<String> = schema
        .known
        .iter()
        .filter(|version| !applied.contains(version))
        .map(ToString::to_string)
        .collect();
    Ok((!missing.is_empty()).then(|| {
        let seen = format!("migrations that are not applied: {}", missing.join(", "));
        Found::new(
            Severity::Error,
            seen,
            migrate(facts).or_terraform("terraform apply"),
        )
    }))
}

fn ahead(facts: &Facts) -> Judged {
    let schema = facts.schema.get()?;
    let unknown: Vec<String> = schema
        .inspection
        .applied
        .iter()
        .filter(|version| !schema.known.contains(version))
        .map(ToString::to_string)
        .collect();
    Ok((!unknown.is_empty()).then(|| {
        let seen = format!(
            "migrations that this program does not know: {}",
            unknown.join(", ")
        );
        let fix = Fix::command("cargo install --path console --force");
        Found::new(Severity::Warning, seen, fix)
    }))
}

fn partitions(facts: &Facts) -> Judged {
    let inspection = &facts.schema.get()?.inspection;
    let Some(until) = inspection.covered_until else {
        let seen = "no partition for the present time";
        return Ok(Some(Found::new(Severity::Error, seen, migrate(facts))));
    };
    let left = until - inspection.database_now;
    if left >= AHEAD_WARNING {
        return Ok(None);
    }
    let severity = if left < AHEAD_ERROR {
        Severity::Error
    } else {
        Severity::Warning
    };
    let left = span_secs(left.num_seconds().max(0).unsigned_abs());
    let seen = format!("the partitions end at {} UTC, in {left}", timestamp(until));
    let fix = migrate(facts).or_terraform("partitions = { width = \"month\", ahead = 3 }");
    Ok(Some(Found::new(severity, seen, fix)))
}

fn default_rows(facts: &Facts) -> Judged {
    let rows = facts.schema.get()?.inspection.default_rows;
    if rows == 0 {
        return Ok(None);
    }
    let severity = if rows < DEFAULT_ROWS_WARNING {
        Severity::Note
    } else {
        Severity::Warning
    };
    let seen = format!("about {} records in records_default", count(rows));
    Ok(Some(Found::new(severity, seen, migrate(facts))))
}

fn upkeep(facts: &Facts) -> Judged {
    let hours = facts.schema.get()?.inspection.unfolded_hours;
    Ok((hours > UNFOLDED_HOURS_MAX).then(|| {
        let seen = format!("the counts of {hours} of the last 168 hours are not folded");
        Found::new(Severity::Warning, seen, migrate(facts))
    }))
}

fn horizon(facts: &Facts) -> Judged {
    let Some(horizon) = *facts.horizon.get()? else {
        return Ok(None);
    };
    let (queue, dead) = (facts.queue.get()?, facts.dead_letter_queue.get()?);
    let longest = queue.retention_secs.max(dead.retention_secs);
    let kept = (facts.now - horizon).num_seconds().max(0).unsigned_abs();
    Ok((kept < longest).then(|| {
        let seen = format!(
            "events are kept for {}, and messages wait in the queues for up to {}",
            span_secs(kept),
            span_secs(longest)
        );
        let fix = Fix::terraform("partitions = { width = \"month\", keep = 2 }");
        Found::new(Severity::Warning, seen, fix)
    }))
}
