//! Carries a plan out.
//!
//! Invariant: the audit log has the erasure before it begins, and its end with the counts. A signal ends it
//! between two steps; what was erased is reported, and what was not.

use pipeline::audit::Operation;
use pipeline::{ErasedPartition, Pipeline, PlannedChange, Vacuumed, WritePermit};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::error::EraseError;
use crate::exports;
use crate::finding::{Finding, Place};
use crate::plan::ErasePlan;
use crate::records;
use crate::report::{PartitionOutcome, PartitionReport, Report};
use crate::resumed::PARTITIONS_LEFT;

/// Attempts of a vacuum that does not get its lock.
const ATTEMPTS_MAX: usize = 3;

/// Erases what the plan has, and what arrived since.
///
/// # Errors
/// When the environment forbids it, or when it cannot be recorded; nothing is erased then.
pub async fn execute(
    plan: ErasePlan,
    pipeline: &Pipeline,
    cancel: &CancellationToken,
) -> Result<Report, EraseError> {
    let permit = match pipeline.begin_change(change(&plan, pipeline)).await {
        Ok(permit) => permit,
        Err(error) => {
            if let Some(leases) = plan.leases() {
                leases.release_all().await;
            }
            return Err(error.into());
        }
    };
    let resumed = plan.resumed();
    let mut run = Run {
        pipeline,
        permit: &permit,
        cancel,
        report: Report {
            findings: plan.record_findings,
            partitions: Vec::new(),
            resumed,
            remarks: plan.remarks,
            unseen: plan.unseen,
            unreadable: plan.local.unreadable,
            failures: plan.matcher.failures.clone(),
            is_cancelled: false,
            audit_error: None,
        },
    };
    let mut matcher = plan.matcher;
    if let Some(letters) = plan.dead_letters {
        let mut finding = plan.letter_finding;
        let mut none = letters.finding(pipeline);
        let deleted = letters
            .delete(pipeline, cancel, finding.as_mut().unwrap_or(&mut none))
            .await;
        if let (Err(error), Some(finding)) = (deleted, &mut finding) {
            finding.error = Some(error.to_string());
        }
        run.report.findings.extend(finding);
    }
    if !plan.request.is_local {
        let erased = records::erase(pipeline, &permit, &plan.request, &mut matcher, cancel).await;
        erased.days.report(&mut run.report.findings);
        run.note_records(erased.error);
        let mut partitions = run.partitions(&erased.days, plan.partitions).await;
        for resumed in plan.resumed_partitions {
            if !partitions.iter().any(|one| one.name == resumed.name) {
                partitions.push(resumed);
            }
        }
        run.vacuum(partitions, plan.request.rewrites_partitions)
            .await;
    }
    run.exports(plan.exports, plan.export_findings, &mut matcher)
        .await;
    let local = plan.local.erase(&mut matcher, cancel).await;
    run.report.findings.extend(local);
    run.report.findings.extend(plan.audit.erase(&matcher).await);
    run.report.is_cancelled = cancel.is_cancelled();
    let mut report = run.report;
    report.audit_error = end(permit, &report).await;
    Ok(report)
}

struct Run<'a> {
    pipeline: &'a Pipeline,
    permit: &'a WritePermit,
    cancel: &'a CancellationToken,
    report: Report,
}

impl Run<'_> {
    /// Reports why not all records are erased.
    fn note_records(&mut self, error: Option<String>) {
        let Some(error) = error else { return };
        for finding in &mut self.report.findings {
            if finding.place == Place::Records && finding.erased < finding.found {
                finding.error = Some(error.clone());
            }
        }
        self.report.unseen.push(format!("records: {error}"));
    }

    /// The partitions of the erased records: some may have come to other partitions since the plan.
    async fn partitions(
        &mut self,
        days: &records::Days,
        planned: Vec<ErasedPartition>,
    ) -> Vec<ErasedPartition> {
        let times = days.times();
        if times.is_empty() {
            return Vec::new();
        }
        match self.pipeline.partitions_of(&times).await {
            Ok(partitions) => partitions,
            Err(error) => {
                self.report
                    .unseen
                    .push(format!("partitions are not vacuumed: {error}"));
                planned
            }
        }
    }

    async fn vacuum(&mut self, partitions: Vec<ErasedPartition>, is_rewrite: bool) {
        if partitions.is_empty() {
            return;
        }
        for partition in partitions {
            let outcome = if self.cancel.is_cancelled() {
                PartitionOutcome::Left(advice(&partition.name, "interrupted"))
            } else {
                self.vacuum_one(&partition.name, is_rewrite).await
            };
            self.report.partitions.push(PartitionReport {
                name: partition.name,
                bytes: partition.bytes,
                outcome,
            });
        }
        if is_rewrite {
            self.statistics().await;
        }
    }

    async fn vacuum_one(&self, name: &str, is_rewrite: bool) -> PartitionOutcome {
        let mut cause = String::new();
        for _ in 0..ATTEMPTS_MAX {
            match self
                .pipeline
                .vacuum_erased(self.permit, name, is_rewrite)
                .await
            {
                Ok(Vacuumed::Rewritten) => return PartitionOutcome::Rewritten,
                Ok(Vacuumed::Freed) => return PartitionOutcome::Vacuumed,
                Ok(Vacuumed::Gone) => return PartitionOutcome::Gone,
                Ok(Vacuumed::NotPermitted) => {
                    cause = "the database user does not own it".to_owned();
                    break;
                }
                Ok(Vacuumed::StillSeen) => {
                    cause = "an older transaction still sees the records".to_owned();
                    break;
                }
                Err(error) => cause = error.to_string(),
            }
        }
        PartitionOutcome::Left(advice(name, &cause))
    }

    async fn statistics(&mut self) {
        let left = match self.pipeline.vacuum_statistics(self.permit).await {
            Ok(true) => return,
            Ok(false) => "the database user does not own the database, or an older transaction still sees them".to_owned(),
            Err(error) => error.to_string(),
        };
        self.report.unseen.push(format!(
            "the planner's statistics had values of the columns, whose bytes stay until their space is used \
             again ({left}); the owner of the database removes them with: vacuum full pg_catalog.pg_statistic"
        ));
    }

    async fn exports(
        &mut self,
        mut exports: Vec<export::ExportFiles>,
        findings: Vec<Finding>,
        matcher: &mut crate::matcher::Matcher,
    ) {
        for mut finding in findings {
            if finding.why_left().is_none() {
                if self.cancel.is_cancelled() {
                    finding.error = Some("interrupted".to_owned());
                } else {
                    for files in &mut exports {
                        if exports::erase(files, matcher, &mut finding).await {
                            break;
                        }
                    }
                }
            }
            self.report.findings.push(finding);
        }
    }
}

fn advice(partition: &str, cause: &str) -> String {
    format!(
        "{cause}; its owner removes the bytes of the erased records with: vacuum (full, analyze) {partition}"
    )
}

fn change(plan: &ErasePlan, pipeline: &Pipeline) -> PlannedChange {
    let mut details = plan.request.audited();
    if let Some(details) = details.as_object_mut() {
        let mut found = serde_json::Map::new();
        for finding in plan.findings() {
            let count = found
                .entry(finding.place.as_str())
                .or_insert_with(|| json!(0));
            *count = json!(count.as_u64().unwrap_or_default() + finding.found);
        }
        details.insert("found".to_owned(), found.into());
        let names: Vec<&str> = plan
            .partitions()
            .map(|partition| partition.name.as_str())
            .collect();
        details.insert("partitions".to_owned(), json!(names));
    }
    PlannedChange {
        operation: Operation::Erase,
        target: pipeline.environment().name.clone(),
        planned: usize::try_from(plan.erasable()).unwrap_or(usize::MAX),
        details,
    }
}

/// Whether bytes of erased records may be in it, so that the next erasure of the same has to know it.
const fn may_have_bytes(outcome: &PartitionOutcome) -> bool {
    match outcome {
        PartitionOutcome::Left(_) | PartitionOutcome::Vacuumed => true,
        PartitionOutcome::Rewritten | PartitionOutcome::Gone => false,
    }
}

async fn end(permit: WritePermit, report: &Report) -> Option<pipeline::audit::AuditError> {
    let erased = |place: &[Place]| {
        let findings = report
            .findings
            .iter()
            .filter(|finding| place.contains(&finding.place));
        usize::try_from(findings.map(|finding| finding.erased).sum::<u64>()).unwrap_or(usize::MAX)
    };
    let left = report
        .findings
        .iter()
        .filter(|finding| finding.why_left().is_some())
        .count();
    let is_left = |partition: &&PartitionReport| may_have_bytes(&partition.outcome);
    let partitions_left = report.partitions.iter().filter(is_left).count();
    let counts = [
        ("records", erased(&[Place::Records])),
        ("dead_letters", erased(&[Place::DeadLetters])),
        ("exported_records", erased(&[Place::Export])),
        (
            "copies_of_messages",
            erased(&[
                Place::Redrive,
                Place::Plan,
                Place::Messages,
                Place::Temporary,
                Place::Editor,
            ]),
        ),
        ("queries", erased(&[Place::Queries])),
        ("places_left", left),
        (PARTITIONS_LEFT, partitions_left),
    ];
    let error = if report.is_cancelled {
        Some("interrupted".to_owned())
    } else {
        (!report.is_complete()).then(|| "not everything is erased".to_owned())
    };
    permit.end(counts, error).await.err()
}
