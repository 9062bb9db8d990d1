//! The schema of the database, its partitions and their upkeep.

use chrono::TimeDelta;

use crate::lint::check::{Check, Found, Judged, Severity};
use crate::lint::facts::{Applied, Facts, UpkeepFacts};
use crate::lint::fix::Fix;
use crate::text::{counted, in_words, span_secs, timestamp};

/// Partitions that end within this time: upkeep runs daily, and somebody needs days to notice.
const AHEAD_WARNING: TimeDelta = TimeDelta::days(7);
/// Within this time, the next weekend is too late.
const AHEAD_ERROR: TimeDelta = TimeDelta::days(2);
/// Records of the default partition that are no matter of a few late events.
const DEFAULT_ROWS_WARNING: u64 = 100_000;
/// Fewer hours may be those of late events, whose counts wait for the next run.
const UNFOLDED_HOURS_MIN: u64 = 6;

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

/// Of the migrations that this program knows. By the newest version alone, the earlier ones count as applied: they are
/// applied in order.
fn behind(facts: &Facts) -> Judged {
    let schema = facts.schema.get()?;
    let applied = schema.applied.get()?;
    let is_applied = |version: &i64| match applied {
        Applied::All(versions) => versions.contains(version),
        Applied::Newest(newest) => version <= newest,
    };
    let known = schema.known.iter().filter(|version| !is_applied(version));
    let missing = listed(known);
    Ok(missing.map(|missing| {
        Found::new(
            Severity::Error,
            format!("migrations that are not applied: {missing}"),
            migrate(facts).or_terraform("terraform apply"),
        )
    }))
}

fn ahead(facts: &Facts) -> Judged {
    let schema = facts.schema.get()?;
    let applied = match schema.applied.get()? {
        Applied::All(versions) => versions.as_slice(),
        Applied::Newest(newest) => std::slice::from_ref(newest),
    };
    let unknown = applied.iter().filter(|one| !schema.known.contains(one));
    Ok(listed(unknown).map(|unknown| {
        let seen = format!("migrations that this program does not know: {unknown}");
        let fix = Fix::command("cargo install --path console --force");
        Found::new(Severity::Warning, seen, fix)
    }))
}

/// `None` where there are none.
fn listed<'a>(versions: impl Iterator<Item = &'a i64>) -> Option<String> {
    let versions: Vec<String> = versions.map(ToString::to_string).collect();
    (!versions.is_empty()).then(|| versions.join(", "))
}

fn partitions(facts: &Facts) -> Judged {
    let schema = facts.schema.get()?;
    let Some(until) = *schema.covered_until.get()? else {
        let seen = "no partition for the present time";
        return Ok(Some(Found::new(Severity::Error, seen, migrate(facts))));
    };
    let left = until - schema.database_now;
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
    let rows = facts.schema.get()?.default_rows;
    if rows == 0 {
        return Ok(None);
    }
    let severity = if rows < DEFAULT_ROWS_WARNING {
        Severity::Note
    } else {
        Severity::Warning
    };
    let seen = format!("about {} in records_default", counted(rows, "record"));
    Ok(Some(Found::new(severity, seen, migrate(facts))))
}

/// At least half of the hours, so that the rule does not depend on how many hours a day have traffic.
fn upkeep(facts: &Facts) -> Judged {
    let UpkeepFacts {
        counted_hours: hours,
        unfolded_hours: unfolded,
    } = *facts.schema.get()?.upkeep.get()?;
    let is_behind = unfolded >= UNFOLDED_HOURS_MIN && unfolded.saturating_mul(2) >= hours;
    Ok(is_behind.then(|| {
        let seen = format!(
            "between four and two days ago, the counts of {unfolded} of {} with records are not folded",
            in_words(hours, "hour")
        );
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
