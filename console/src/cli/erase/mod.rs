//! `erase`: what belongs to a subject, wherever the console can reach it.
//!
//! Invariant: nothing is erased before the number that was found was typed.

pub(crate) mod arguments;

use bytesize::ByteSize;
use erase::{
    Action, EraseError, ErasePlan, Finding, PartitionOutcome, PartitionReport, Report, Request,
    What,
};
use pipeline::environment::Folders;
use pipeline::{ErasedPartition, printable};
use serde::Serialize;

use self::arguments::EraseArguments;
use super::confirm::{can_ask, typed};
use super::table::{Align, Keep, Table};
use super::walk::{self, RELEASING};
use super::{CommandError, Exit, Interrupt, Output, Session, progress};
use crate::text::{in_words, is_or_are, messages_in_words, was_or_were};

pub(super) async fn run(
    session: &Session,
    arguments: EraseArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let (is_dry_run, confirmed) = (arguments.dry_run, arguments.confirm_count);
    if !is_dry_run && confirmed.is_none() && !can_ask() {
        return Err(CommandError::Usage(
            "there is no terminal to ask on before it is erased: --dry-run shows the number that is found, and \
             --yes --confirm-count N erases"
                .to_owned(),
        ));
    }
    let folders = Folders::of_user()?;
    let cancel = interrupt.cancellation();
    let request = request(arguments);
    let planning = erase::plan(
        &session.pipeline,
        &folders,
        request,
        &cancel,
        progress::reported,
    );
    let plan = interrupt
        .cancels(session.output, RELEASING, planning)
        .await?;
    let shown = Shown::of_plan(&plan);
    if is_dry_run || !plan.has_work() {
        release(session, &plan, interrupt).await;
        shown.print(session.output, is_dry_run)?;
        return Ok(exit_of_plan(session.output, &plan));
    }
    if !confirm(session, &plan, &shown, confirmed, interrupt).await? {
        return Ok(Exit::Failed);
    }
    let executing = erase::execute(plan, &session.pipeline, &cancel);
    let stopping = "interrupted: the step at hand is brought to its end";
    let report = interrupt
        .cancels(session.output, stopping, executing)
        .await?;
    Shown::of_report(&report).print(session.output, false)?;
    if let Some(error) = &report.audit_error {
        session.output.note(&error.to_string());
    }
    Ok(if report.is_cancelled {
        Exit::Interrupted
    } else if report.is_complete() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn request(arguments: EraseArguments) -> Request {
    let what = match (arguments.subject, arguments.filter, arguments.containing) {
        (Some(subject), _, _) => What::Subject(subject),
        (None, Some(program), _) => What::Where(program),
        (None, None, text) => What::Containing(text.unwrap_or_default()),
    };
    Request {
        what,
        source: arguments.source,
        event_type: arguments.event_type,
        from: arguments.from,
        to: arguments.to,
        is_local: arguments.local,
        leaves_unfinished: arguments.leave_unfinished,
        rewrites_partitions: !arguments.no_rewrite,
        also: arguments.also,
    }
}

async fn confirm(
    session: &Session,
    plan: &ErasePlan,
    shown: &Shown<'_>,
    confirmed: Option<u64>,
    interrupt: &mut Interrupt,
) -> Result<bool, CommandError> {
    let found = plan.erasable();
    if let Some(expected) = confirmed {
        if expected == found {
            return Ok(true);
        }
        release(session, plan, interrupt).await;
        return Err(CommandError::Failed(format!(
            "nothing was erased: {found} were found, and --confirm-count has {expected}; look again with \
             --dry-run"
        )));
    }
    session.output.note(&shown.text());
    let environment = &session.pipeline.environment().name;
    let question = match found {
        0 => format!(
            "nothing more was found. Type 0 to bring the earlier erasure in {environment:?} to its end: "
        ),
        1 => format!(
            "this cannot be undone. Type 1 to erase 1 event or message in {environment:?}: "
        ),
        _ => format!(
            "this cannot be undone. Type {found} to erase {found} events and messages in {environment:?}: "
        ),
    };
    let expected = found.to_string();
    typed(
        session,
        &question,
        &expected,
        "nothing was erased",
        plan.leases(),
        interrupt,
    )
    .await
}

async fn release(session: &Session, plan: &ErasePlan, interrupt: &mut Interrupt) {
    if let Some(leases) = plan.leases() {
        walk::release_all(session, leases, interrupt).await;
    }
}

fn exit_of_plan(output: Output, plan: &ErasePlan) -> Exit {
    if plan.findings().next().is_none() && !plan.has_work() {
        output.note("nothing was found");
        return Exit::Failed;
    }
    let is_left = plan.findings().any(|finding| finding.why_left().is_some());
    let is_whole =
        plan.unseen().is_empty() && plan.unreadable() == 0 && plan.failures().messages == 0;
    if is_left || !is_whole {
        Exit::Failed
    } else {
        Exit::Done
    }
}

/// A plan or a report, as it is shown.
struct Shown<'a> {
    findings: Vec<&'a Finding>,
    partitions: Vec<PartitionJson<'a>>,
    resumes: Option<String>,
    unseen: &'a [String],
    stays: &'a [String],
    unreadable: u64,
    failures: usize,
    first_failure: Option<&'a str>,
    /// Of a report; a plan erases nothing.
    is_complete: Option<bool>,
}

#[derive(Serialize)]
struct EraseJson<'a> {
    is_dry_run: bool,
    is_complete: bool,
    found: u64,
    to_erase: u64,
    erased: u64,
    items: Vec<ItemJson<'a>>,
    partitions: &'a [PartitionJson<'a>],
    resumes: Option<&'a str>,
    unreadable: u64,
    program_failures: usize,
    unseen: &'a [String],
    stays: &'a [String],
}

#[derive(Serialize)]
struct ItemJson<'a> {
    place: &'static str,
    name: &'a str,
    found: u64,
    erased: u64,
    action: &'static str,
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct PartitionJson<'a> {
    name: &'a str,
    bytes: i64,
    outcome: &'static str,
    reason: Option<&'a str>,
}

impl<'a> Shown<'a> {
    fn of_plan(plan: &'a ErasePlan) -> Self {
        let reason = |partition: &ErasedPartition| {
            let wrong_user = "the database user does not own it, and cannot vacuum it";
            (!partition.may_vacuum).then_some(wrong_user)
        };
        let outcome = match plan.rewrites_partitions() {
            true => "to-rewrite",
            false => "to-vacuum",
        };
        let partitions = plan.partitions().map(|partition| PartitionJson {
            name: &partition.name,
            bytes: partition.bytes,
            outcome,
            reason: reason(partition),
        });
        Self {
            findings: plan.findings().collect(),
            partitions: partitions.collect(),
            resumes: plan.resumed(),
            unseen: plan.unseen(),
            stays: plan.remarks(),
            unreadable: plan.unreadable(),
            failures: plan.failures().messages,
            first_failure: plan.failures().first.as_deref(),
            is_complete: None,
        }
    }

    fn of_report(report: &'a Report) -> Self {
        Self {
            findings: report.findings.iter().collect(),
            partitions: report.partitions.iter().map(PartitionJson::of).collect(),
            resumes: report.resumed.clone(),
            unseen: &report.unseen,
            stays: &report.remarks,
            unreadable: report.unreadable,
            failures: report.failures.messages,
            first_failure: report.failures.first.as_deref(),
            is_complete: Some(report.is_complete()),
        }
    }

    fn sum(&self, of: impl Fn(&Finding) -> u64) -> u64 {
        self.findings.iter().map(|finding| of(finding)).sum()
    }

    /// Without what stays whatever is done.
    fn erasable(&self) -> u64 {
        self.sum(|finding| match finding.action {
            Action::Delete | Action::Remove | Action::Rewrite => finding.found,
            Action::Leave(_) => 0,
        })
    }

    fn print(&self, output: Output, is_dry_run: bool) -> Result<(), CommandError> {
        if output.is_json() {
            return output.json(&EraseJson {
                is_dry_run,
                is_complete: self.is_complete.unwrap_or(false),
                found: self.sum(|finding| finding.found),
                to_erase: self.erasable(),
                erased: self.sum(|finding| finding.erased),
                items: self
                    .findings
                    .iter()
                    .map(|finding| ItemJson::of(finding))
                    .collect(),
                partitions: &self.partitions,
                resumes: self.resumes.as_deref(),
                unreadable: self.unreadable,
                program_failures: self.failures,
                unseen: self.unseen,
                stays: self.stays,
            });
        }
        output.table(&self.table())?;
        output.note(&self.remarks());
        if is_dry_run {
            let count = self.erasable();
            output.note(&format!(
                "this was a dry run: --yes --confirm-count {count} erases"
            ));
        }
        Ok(())
    }

    /// All of it as one text.
    fn text(&self) -> String {
        let table = self.table().render(None).text;
        format!("{}\n{}", table.trim_end(), self.remarks())
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("WHERE", Align::Left, Keep::Always),
            ("NAME", Align::Left, Keep::Always),
            ("FOUND", Align::Right, Keep::Always),
            ("ERASED", Align::Right, Keep::Always),
            ("HOW", Align::Left, Keep::Always),
            ("WHY IT STAYS", Align::Left, Keep::Cut),
        ]);
        for finding in &self.findings {
            let erased = match self.is_complete {
                Some(_) => finding.erased.to_string(),
                None => String::new(),
            };
            table.row([
                finding.place.as_str(),
                &finding.name,
                &finding.found.to_string(),
                &erased,
                finding.action.as_str(),
                finding.why_left().unwrap_or_default(),
            ]);
        }
        table
    }

    fn remarks(&self) -> String {
        let mut lines = Vec::new();
        lines.extend(self.resumes.iter().map(|text| format!("resumes: {text}")));
        for partition in &self.partitions {
            let bytes = ByteSize(u64::try_from(partition.bytes).unwrap_or_default());
            let reason = partition.reason.map(|reason| format!(": {reason}"));
            lines.push(format!(
                "partition {} ({}): {}{}",
                partition.name,
                bytes.display().iec(),
                partition.outcome,
                reason.unwrap_or_default()
            ));
        }
        if self.is_complete.is_none()
            && self
                .partitions
                .iter()
                .any(|one| one.outcome == "to-rewrite")
        {
            let remark = "while a partition is rewritten nobody can read or write it; --no-rewrite vacuums only";
            lines.push(remark.to_owned());
        }
        lines.extend(self.unseen.iter().map(|text| format!("not erased: {text}")));
        if self.unreadable > 0 {
            lines.push(format!(
                "not decided: {} in the queue or in files here {} no event, and {} left; --containing TEXT finds \
                 a text in them",
                messages_in_words(self.unreadable),
                is_or_are(self.unreadable),
                was_or_were(self.unreadable)
            ));
        }
        if let Some(first) = self.first_failure {
            lines.push(format!(
                "not decided: --where failed on {}, which {} left; the first: {first}",
                in_words(self.failures as u64, "event"),
                was_or_were(self.failures as u64)
            ));
        }
        lines.extend(self.stays.iter().map(|text| format!("stays: {text}")));
        let lines: Vec<String> = lines.iter().map(|line| printable(line)).collect();
        lines.join("\n")
    }
}

impl<'a> ItemJson<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self {
            place: finding.place.as_str(),
            name: &finding.name,
            found: finding.found,
            erased: finding.erased,
            action: finding.action.as_str(),
            reason: finding.why_left(),
        }
    }
}

impl<'a> PartitionJson<'a> {
    fn of(report: &'a PartitionReport) -> Self {
        let (outcome, reason) = match &report.outcome {
            PartitionOutcome::Rewritten => ("rewritten", None),
            PartitionOutcome::Vacuumed => ("vacuumed", None),
            PartitionOutcome::Gone => ("gone", None),
            PartitionOutcome::Left(reason) => ("left", Some(reason.as_str())),
        };
        Self {
            name: &report.name,
            bytes: report.bytes,
            outcome,
            reason,
        }
    }
}

impl From<EraseError> for CommandError {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::Pipeline(error) => Self::Pipeline(error),
            EraseError::Messages(error) => error.into(),
            EraseError::State(error) => Self::Redrive(error),
            EraseError::Export(error) => error.into(),
            EraseError::Body(error) => Self::Body(error),
            EraseError::Request(why) => Self::Usage(why),
            EraseError::Cancelled => Self::Interrupted,
            EraseError::Program(_)
            | EraseError::Audit(_)
            | EraseError::File { .. }
            | EraseError::Unfinished(_)
            | EraseError::Task(_) => Self::Failed(error.to_string()),
        }
    }
}
