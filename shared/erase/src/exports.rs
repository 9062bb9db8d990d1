//! Finds exports of records and erases from them.
//!
//! Invariant: an export stays open from the plan to the end, so that none is written to its folder meanwhile.

use event::Record;
use export::{ExportFiles, Target};
use pipeline::Pipeline;
use tokio_util::sync::CancellationToken;

use crate::error::EraseError;
use crate::finding::{Action, Finding, Place};
use crate::matcher::Matcher;

/// Opens the exports that were named, and those that this machine made, as far as they are there.
pub(crate) async fn open(
    pipeline: &Pipeline,
    named: Vec<Target>,
    remembered: Vec<Target>,
) -> Result<(Vec<ExportFiles>, Vec<Finding>), EraseError> {
    let mut targets: Vec<(Target, bool)> = Vec::new();
    let named = named.into_iter().map(|target| (target, true));
    for (target, is_named) in named.chain(remembered.into_iter().map(|target| (target, false))) {
        if !targets.iter().any(|(known, _)| *known == target) {
            targets.push((target, is_named));
        }
    }
    let (mut exports, mut findings) = (Vec::new(), Vec::new());
    for (target, is_named) in targets {
        match ExportFiles::open(pipeline, &target).await {
            Ok(Some(files)) => exports.push(files),
            Ok(None) if is_named => {
                return Err(EraseError::Request(format!(
                    "{target}: there is no export, and no plan or file of messages"
                )));
            }
            Ok(None) => {}
            Err(error) => findings.push(unreadable(target.to_string(), &error.into())),
        }
    }
    Ok((exports, findings))
}

/// Counts the records of a request in all files of an export.
pub(crate) async fn find(
    files: &ExportFiles,
    matcher: &mut Matcher,
    cancel: &CancellationToken,
) -> Result<Vec<Finding>, EraseError> {
    let mut findings = Vec::new();
    for name in files.names() {
        let counting = files.count(name, async |records: &[Record]| {
            matcher.records(records).await
        });
        let counted = cancel.run_until_cancelled(counting).await;
        let path = format!("{}/{name}", files.target());
        match counted.ok_or(EraseError::Cancelled)? {
            Ok(0) => {}
            Ok(found) => {
                findings.push(Finding::new(Place::Export, path, found, Action::Rewrite));
            }
            Err(error @ EraseError::Export(_)) => findings.push(unreadable(path, &error)),
            Err(error) => return Err(error),
        }
    }
    Ok(findings)
}

/// Erases from one file, if it is of this export. Returns whether it is.
pub(crate) async fn erase(
    files: &mut ExportFiles,
    matcher: &mut Matcher,
    finding: &mut Finding,
) -> bool {
    let prefix = format!("{}/", files.target());
    let Some(name) = finding.name.strip_prefix(&prefix).map(str::to_owned) else {
        return false;
    };
    if !files.names().contains(&name) {
        return false;
    }
    let erasing = files.erase(&name, async |records: &[Record]| {
        matcher.records(records).await
    });
    match erasing.await {
        Ok(erased) => finding.erased = erased,
        Err::<_, EraseError>(error) => finding.error = Some(error.to_string()),
    }
    true
}

fn unreadable(name: String, error: &EraseError) -> Finding {
    let reason = format!("cannot be searched: {error}");
    Finding::new(Place::Export, name, 0, Action::Leave(reason))
}
