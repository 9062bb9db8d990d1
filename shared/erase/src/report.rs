//! What became of an erasure, and what stays whatever is erased.
//!
//! Invariant: an erasure is complete only if everything that was found is erased and every place was seen.

use pipeline::audit::AuditError;
use pipeline::model::QueueRole;
use pipeline::text::{in_words, messages_in_words, span_secs};
use pipeline::{ErasureRights, Pipeline};
use redrive::operations::ProgramFailures;

use crate::finding::Finding;
use crate::plan::ErasePlan;

/// How the vacuum of a partition ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionOutcome {
    /// Rewritten: no file of it has an erased record.
    Rewritten,
    /// Vacuumed, as was asked: bytes stay in free space until it is used again.
    Vacuumed,
    /// It expired meanwhile.
    Gone,
    /// Bytes of erased records stay: why, and what to do.
    Left(String),
}

/// A partition of which records were erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionReport {
    /// Its name.
    pub name: String,
    /// Its size before, in bytes.
    pub bytes: i64,
    /// What became of it.
    pub outcome: PartitionOutcome,
}

/// What became of an erasure.
#[derive(Debug)]
pub struct Report {
    /// What was found where, and what was erased of it.
    pub findings: Vec<Finding>,
    /// The partitions of the erased records.
    pub partitions: Vec<PartitionReport>,
    /// The earlier erasure of the same that this one has brought to its end, in words.
    pub resumed: Option<String>,
    /// What stays, whatever is erased.
    pub remarks: Vec<String>,
    /// Where more may be that was not seen, or was not erased.
    pub unseen: Vec<String>,
    /// Messages that are no event, and were left.
    pub unreadable: u64,
    /// Events on which the program failed, and which were left.
    pub failures: ProgramFailures,
    /// Whether it was cancelled before its end.
    pub is_cancelled: bool,
    /// Why the end is not in the audit log.
    pub audit_error: Option<AuditError>,
}

impl Report {
    /// How many events and messages were erased.
    #[must_use]
    pub fn erased(&self) -> u64 {
        self.findings.iter().map(|finding| finding.erased).sum()
    }

    /// Whether everything that was found is erased, and nothing was unseen.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_left =
            |partition: &PartitionReport| matches!(partition.outcome, PartitionOutcome::Left(_));
        self.findings
            .iter()
            .all(|finding| finding.why_left().is_none())
            && !self.partitions.iter().any(is_left)
            && self.unseen.is_empty()
            && self.unreadable == 0
            && self.failures.messages == 0
            && !self.is_cancelled
    }
}

/// Places of the database that an erasure does not reach.
pub(crate) fn unreachable(rights: ErasureRights) -> impl Iterator<Item = String> {
    let expired = (rights.expired_partitions > 0).then(|| {
        format!(
            "{} not searched; run the function migrate until all that expired is dropped",
            in_words(
                u64::try_from(rights.expired_partitions).unwrap_or_default(),
                "expired partition"
            )
        )
    });
    let old_ledger = rights.has_old_ledger.then(|| {
        "the ledger of an earlier version (table event_keys) has source and id as texts; run the function \
         migrate until it is dropped"
            .to_owned()
    });
    expired.into_iter().chain(old_ledger)
}

/// What stays, whatever is erased: said in every plan and report.
pub(crate) async fn what_stays(plan: &ErasePlan, pipeline: &Pipeline) -> Vec<String> {
    let mut remarks = Vec::new();
    if !plan.request.is_local {
        remarks.push(queue_remark(pipeline).await);
        remarks.push(
            "the write-ahead log, backups, snapshots and point-in-time recovery of the database keep it for as \
             long as they are kept"
                .to_owned(),
        );
        remarks.push(
            "the ledger keeps the digest of source and id, so that a redelivery is refused; the counts keep \
             types and sources"
                .to_owned(),
        );
    }
    let is_bucket =
        |files: &export::ExportFiles| matches!(files.target(), export::Target::Bucket { .. });
    if plan.exports.iter().any(is_bucket) {
        remarks.push(
            "a bucket with versioning keeps the earlier versions of the objects; an export into it at the same \
             time is not detected"
                .to_owned(),
        );
    }
    remarks.push(
        "other machines have their own files: run it there with --local; files that were copied elsewhere, and \
         consoles that are open, are not searched"
            .to_owned(),
    );
    remarks
}

/// Messages of the source queue cannot be searched without receiving them, which counts against them.
async fn queue_remark(pipeline: &Pipeline) -> String {
    let queue = pipeline.queue_name(QueueRole::Source);
    match pipeline.queue_snapshot(QueueRole::Source).await {
        // The count is approximate, so that a few may be there.
        Ok(snapshot) if snapshot.depth.total() == 0 => {
            format!("the queue {queue:?}, which seems empty, cannot be searched")
        }
        Ok(snapshot) => format!(
            "{} of the queue {queue:?} cannot be searched: erase again when all are processed, at the latest \
             after its retention of {}",
            messages_in_words(snapshot.depth.total()),
            span_secs(snapshot.settings.retention_secs)
        ),
        Err(error) => format!(
            "messages of the queue {queue:?} cannot be searched: erase again after its retention, which is \
             unknown ({error})"
        ),
    }
}
