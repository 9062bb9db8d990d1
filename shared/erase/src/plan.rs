//! The plan of an erasure: what was found where, before anything is changed.
//!
//! Invariant: what costs nothing is searched first, so that a refusal costs no receive; dead letters come last,
//! so that they are hidden for the shortest time.

use export::ExportFiles;
use pipeline::environment::Folders;
use pipeline::{ErasedPartition, LeaseSet, Pipeline};
use redrive::operations::{OnProgress, ProgramFailures};
use tokio_util::sync::CancellationToken;

use crate::audit_log::AuditChanges;
use crate::dead_letters::DeadLetters;
use crate::error::EraseError;
use crate::finding::{Action, Finding};
use crate::local::{self, Local};
use crate::matcher::Matcher;
use crate::records;
use crate::request::Request;
use crate::{exports, report};

/// What was found, ready to be erased.
pub struct ErasePlan {
    pub(crate) request: Request,
    pub(crate) matcher: Matcher,
    pub(crate) local: Local,
    pub(crate) audit: AuditChanges,
    pub(crate) exports: Vec<ExportFiles>,
    pub(crate) export_findings: Vec<Finding>,
    pub(crate) record_findings: Vec<Finding>,
    pub(crate) partitions: Vec<ErasedPartition>,
    /// Those that an earlier erasure left.
    pub(crate) resumed_partitions: Vec<ErasedPartition>,
    pub(crate) dead_letters: Option<DeadLetters>,
    pub(crate) letter_finding: Option<Finding>,
    pub(crate) remarks: Vec<String>,
    pub(crate) unseen: Vec<String>,
}

/// Searches everything, and changes nothing but that dead letters are received.
///
/// # Errors
/// When the request breaks a rule, the environment forbids a change, or a place cannot be searched. Dead letters
/// are released then. [`EraseError::Unfinished`] when a redrive that is not finished has messages of the
/// selection.
pub async fn plan(
    pipeline: &Pipeline,
    folders: &Folders,
    request: Request,
    cancel: &CancellationToken,
    on_progress: impl Fn(&'static str) -> OnProgress,
) -> Result<ErasePlan, EraseError> {
    request.validate()?;
    pipeline.check_write("erase")?;
    if pipeline
        .reason()
        .is_some_and(|reason| request.is_revealed_by(reason))
    {
        return Err(EraseError::Request(
            "--reason has the text that is erased, and the audit log would keep it: give another reason"
                .to_owned(),
        ));
    }
    let mut unseen = Vec::new();
    if !request.is_local {
        let asked = cancel.run_until_cancelled(pipeline.erasure_rights()).await;
        let rights = asked.ok_or(EraseError::Cancelled)??;
        unseen.extend(report::unreachable(rights));
    }
    let mut matcher = Matcher::new(&request);
    let (mut files, targets) = local::divide(&request.also);
    let (known_files, known_targets) = local::divide(&export::remembered_targets(folders.state())?);
    files.extend(known_files);
    let local = Local::find(folders, &files, &mut matcher, cancel).await?;
    let environment = &pipeline.environment().name;
    let audit = AuditChanges::find(folders, &mut matcher, environment, &request.audited()).await?;
    if !local.in_use.is_empty() && !request.leaves_unfinished {
        return Err(EraseError::Unfinished(local.in_use));
    }
    let (exports, mut export_findings) = exports::open(pipeline, targets, known_targets).await?;
    for files in &exports {
        export_findings.extend(exports::find(files, &mut matcher, cancel).await?);
    }
    let mut plan = ErasePlan {
        matcher,
        local,
        audit,
        exports,
        export_findings,
        record_findings: Vec::new(),
        partitions: Vec::new(),
        resumed_partitions: Vec::new(),
        dead_letters: None,
        letter_finding: None,
        remarks: Vec::new(),
        unseen: Vec::new(),
        request,
    };
    if !plan.request.is_local {
        plan.search_pipeline(pipeline, cancel, on_progress, &mut unseen)
            .await?;
    }
    plan.remarks = report::what_stays(&plan, pipeline).await;
    plan.unseen = unseen;
    Ok(plan)
}

impl ErasePlan {
    async fn search_pipeline(
        &mut self,
        pipeline: &Pipeline,
        cancel: &CancellationToken,
        on_progress: impl Fn(&'static str) -> OnProgress,
        unseen: &mut Vec<String>,
    ) -> Result<(), EraseError> {
        let progress = on_progress("searching records");
        let finding = records::find(
            pipeline,
            &self.request,
            &mut self.matcher,
            cancel,
            &progress,
        );
        let days = finding.await?;
        drop(progress);
        self.partitions = pipeline.partitions_of(&days.times()).await?;
        let resumed: Vec<String> = self.audit.resumed.partitions.iter().cloned().collect();
        self.resumed_partitions = pipeline.partitions_named(&resumed).await?;
        self.record_findings = days.findings().collect();
        let progress = on_progress("searching dead letters");
        let letters = DeadLetters::find(pipeline, &mut self.matcher, cancel, progress).await?;
        let finding = letters.finding(pipeline);
        self.letter_finding = (finding.found > 0).then_some(finding);
        unseen.extend(letters.unseen());
        self.local.unreadable += letters.unreadable;
        self.dead_letters = Some(letters);
        Ok(())
    }

    /// What was found, by place.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let records = self.record_findings.iter();
        records
            .chain(&self.letter_finding)
            .chain(&self.local.findings)
            .chain(&self.audit.finding)
            .chain(&self.export_findings)
    }

    /// How many events and messages an erasure would erase.
    #[must_use]
    pub fn erasable(&self) -> u64 {
        let goes = |finding: &&Finding| !matches!(finding.action, Action::Leave(_));
        self.findings()
            .filter(goes)
            .map(|finding| finding.found)
            .sum()
    }

    /// The partitions that are vacuumed afterwards.
    pub fn partitions(&self) -> impl Iterator<Item = &ErasedPartition> {
        let is_other =
            |other: &&ErasedPartition| !self.partitions.iter().any(|one| one.name == other.name);
        let resumed = self.resumed_partitions.iter().filter(is_other);
        self.partitions.iter().chain(resumed)
    }

    /// Whether an erasure has anything to do: something was found, or an earlier one left partitions.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.erasable() > 0 || !self.resumed_partitions.is_empty()
    }

    /// The earlier erasure of the same that is brought to its end, in words.
    #[must_use]
    pub fn resumed(&self) -> Option<String> {
        let text = self.audit.resumed.text();
        text.filter(|_| !self.resumed_partitions.is_empty())
    }

    /// Whether partitions are rewritten, during which nobody can use them.
    #[must_use]
    pub fn rewrites_partitions(&self) -> bool {
        self.request.rewrites_partitions
    }

    /// What stays, whatever is erased, and for how long.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Where more may be that was not seen.
    #[must_use]
    pub fn unseen(&self) -> &[String] {
        &self.unseen
    }

    /// Messages that are no event: they were left.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.local.unreadable
    }

    /// Events on which the program failed: they were left.
    #[must_use]
    pub fn failures(&self) -> &ProgramFailures {
        &self.matcher.failures
    }

    /// The dead letters that are hidden from others.
    #[must_use]
    pub fn leases(&self) -> Option<&LeaseSet> {
        self.dead_letters.as_ref().map(DeadLetters::leases)
    }
}
