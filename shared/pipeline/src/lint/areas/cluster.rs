//! The Aurora cluster. Source: Amazon Aurora User Guide.

use crate::lint::check::{Check, Found, Judged, Severity};
use crate::lint::fact::NotChecked;
use crate::lint::facts::{ClusterFacts, Facts};
use crate::lint::fix::Fix;
use crate::text::in_words;

/// Backups of a production database.
const BACKUP_DAYS_MIN: u64 = 7;
/// The first minor version of each major one that can pause ("Scaling to Zero ACUs with automatic pause and resume").
const PAUSING: [(u64, u64); 4] = [(13, 15), (14, 12), (15, 7), (16, 3)];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "cluster-deletion-protection-off",
        why: "one call, or a destroy of Terraform in the wrong folder, deletes the database with all records",
        judge: deletion_protection,
    },
    Check {
        id: "cluster-backups-short",
        why: "a fault that is noticed later than the backups reach back cannot be undone by a restore",
        judge: backups,
    },
    Check {
        id: "cluster-not-encrypted",
        why: "records, logs and snapshots are unencrypted on disk, and a cluster is encrypted at its creation only",
        judge: encryption,
    },
    Check {
        id: "cluster-cannot-pause",
        why: "a smallest capacity of 0 pauses only from versions 13.15, 14.12, 15.7 and 16.3 on; others are billed \
              all the time",
        judge: pause,
    },
];

fn of_production(facts: &Facts) -> Result<&ClusterFacts, NotChecked> {
    let cluster = facts.cluster.get()?;
    if facts.subject.is_production {
        return Ok(cluster);
    }
    let reason = "the environment is not marked as production";
    Err(NotChecked::not_applicable(reason))
}

fn modify(facts: &Facts, change: &str) -> Fix {
    Fix::command(format!(
        "{} rds modify-db-cluster --db-cluster-identifier {} {change}",
        facts.subject.aws, facts.subject.cluster
    ))
}

fn deletion_protection(facts: &Facts) -> Judged {
    let cluster = of_production(facts)?;
    Ok((!cluster.deletion_protection).then(|| {
        let fix = modify(facts, "--deletion-protection")
            .or_terraform("database = { deletion_protection = true }");
        Found::new(
            Severity::Error,
            "DeletionProtection is false in production",
            fix,
        )
    }))
}

fn backups(facts: &Facts) -> Judged {
    let cluster = of_production(facts)?;
    Ok((cluster.backup_days < BACKUP_DAYS_MIN).then(|| {
        let seen = format!(
            "backups of {} in production",
            in_words(cluster.backup_days, "day")
        );
        let fix = modify(facts, "--backup-retention-period 14 --apply-immediately")
            .or_terraform("database = { backup_retention_days = 14 }");
        Found::new(Severity::Warning, seen, fix)
    }))
}

fn encryption(facts: &Facts) -> Judged {
    let cluster = facts.cluster.get()?;
    Ok((!cluster.is_encrypted).then(|| {
        let fix = Fix::terraform(
            "database = { restore = { snapshot_arn = \"ENCRYPTED_COPY_OF_A_SNAPSHOT\" } }",
        );
        Found::new(Severity::Error, "StorageEncrypted is false", fix)
    }))
}

fn pause(facts: &Facts) -> Judged {
    let cluster = facts.cluster.get()?;
    let Some(capacity) = cluster.min_capacity_acu else {
        return Err(NotChecked::not_applicable(
            "the cluster is not Serverless v2",
        ));
    };
    if capacity > 0.0 || can_pause(&cluster.engine_version) {
        return Ok(None);
    }
    let seen = format!(
        "smallest capacity 0 ACU with version {}",
        cluster.engine_version
    );
    let wanted = pausing_version(&cluster.engine_version);
    let fix = modify(
        facts,
        &format!("--engine-version {wanted} --apply-immediately"),
    )
    .or_terraform(format!("database = {{ engine_version = \"{wanted}\" }}"));
    Ok(Some(Found::new(Severity::Warning, seen, fix)))
}

/// The first version that can pause, of the same major one where there is any.
fn pausing_version(version: &str) -> String {
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    let same = PAUSING.into_iter().find(|(known, _)| Some(*known) == major);
    let (major, minor) = same.unwrap_or((16, 3));
    format!("{major}.{minor}")
}

/// A version that is not of the form MAJOR.MINOR is not judged.
fn can_pause(version: &str) -> bool {
    let mut parts = version.split('.').map(str::parse::<u64>);
    let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else {
        return true;
    };
    let first = PAUSING.into_iter().find(|(known, _)| *known == major);
    match first {
        Some((_, first)) => minor >= first,
        None => major > 16,
    }
}

#[cfg(test)]
mod tests {
    use super::{can_pause, pausing_version};

    #[test]
    fn upgrade_stays_within_the_major_version_where_it_can() {
        assert_eq!(pausing_version("14.11"), "14.12");
        assert_eq!(pausing_version("12.20"), "16.3");
    }

    #[test]
    fn pause_begins_with_a_minor_version() {
        for (version, expected) in [
            ("16.3", true),
            ("16.2", false),
            ("15.7", true),
            ("14.11", false),
            ("13.15", true),
            ("12.20", false),
            ("17.4", true),
            ("17", true),
        ] {
            assert_eq!(can_pause(version), expected, "{version}");
        }
    }
}
