//! `export`: records as files for a warehouse.
//!
//! Invariant: a signal ends it between two files; the same command continues.

pub(super) mod arguments;

use std::time::Duration;

use chrono::Utc;
use export::{ExportError, ExportRequest, Exported, OnProgress, Progress, Scope, Wait};
use indicatif::HumanBytes;
use serde::Serialize;

use super::output::Output;
use super::progress;
use super::{CommandError, Exit, Interrupt, Session, remember};
use crate::text::counted;
use arguments::ExportRecordsArguments;
use pipeline::printable;

/// Redraws of the bar without progress, so that the rate falls when nothing comes.
const TICK: Duration = Duration::from_millis(500);

#[derive(Serialize)]
struct ExportJson {
    into: String,
    format: String,
    rows: u64,
    files: u64,
    bytes: u64,
    rows_total: u64,
    is_continued: bool,
}

pub(super) async fn run(
    session: &Session,
    arguments: ExportRecordsArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let request = ExportRequest {
        scope: match arguments.from {
            Some(from) if !arguments.since_last => Scope::Range {
                from,
                to: arguments.to.unwrap_or_else(Utc::now),
            },
            _ => Scope::SinceLast,
        },
        types: arguments.types,
        source: arguments.source,
        format: arguments.format,
        target: arguments.into,
    };
    remember(&request.target)?;
    // Long enough for the faster way to be worth its start.
    session.pipeline.open_tunnel();
    let cancellation = interrupt.cancellation();
    let work = export::export(
        &session.pipeline,
        &request,
        &cancellation,
        bar(session.output),
    );
    let exported = interrupt
        .cancels(session.output, "interrupted: ending the export", work)
        .await;
    if let (Err(error), Scope::Range { from, to }) = (&exported, request.scope)
        && matches!(
            error,
            ExportError::Pipeline(_)
                | ExportError::Write { .. }
                | ExportError::InUse(_)
                | ExportError::Cancelled
        )
    {
        // A relative time, or none, would be another request the next time.
        session.output.note(&format!(
            "to continue it, give the same times: --from {} --to {}",
            from.to_rfc3339(),
            to.to_rfc3339()
        ));
    }
    let exported = exported?;
    let into = request.target.to_string();
    if session.output.is_json() {
        session.output.json(&json(&request, into, exported))?;
    } else {
        session.output.text(&line(&into, exported))?;
    }
    Ok(Exit::Done)
}

fn json(request: &ExportRequest, into: String, exported: Exported) -> ExportJson {
    ExportJson {
        into,
        format: request.format.to_string(),
        rows: exported.rows,
        files: exported.files,
        bytes: exported.bytes,
        rows_total: exported.rows_total,
        is_continued: exported.is_continued,
    }
}

fn line(into: &str, exported: Exported) -> String {
    let written = match exported.rows {
        0 if exported.is_continued => "nothing new to export".to_owned(),
        0 => "no records match".to_owned(),
        rows => format!(
            "exported {} in {} ({})",
            counted(rows, "record"),
            counted(exported.files, "file"),
            HumanBytes(exported.bytes)
        ),
    };
    let total = if exported.is_continued {
        format!("; {} in all", counted(exported.rows_total, "record"))
    } else {
        String::new()
    };
    format!("{}{total}\n", printable(&format!("{written} into {into}")))
}

/// A bar with rate and time left, where the number of rows is known, and a line for each wait.
fn bar(output: Output) -> OnProgress {
    let mut bar = None;
    Box::new(move |progress: Progress| {
        let bar = bar.get_or_insert_with(|| {
            let bar = progress::bar(progress.total.unwrap_or(u64::MAX), "exporting");
            bar.enable_steady_tick(TICK);
            bar
        });
        if progress.total.is_none() {
            bar.set_length(progress.rows);
        }
        bar.set_position(progress.rows);
        if let Some(wait) = progress.wait {
            bar.suspend(|| output.note(&waiting(&wait)));
        }
    })
}

fn waiting(wait: &Wait) -> String {
    let secs = wait.duration.as_secs_f64();
    format!("{}; trying again in {secs:.0} s", wait.cause)
}

impl From<ExportError> for CommandError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Pipeline(error) => Self::Pipeline(error),
            ExportError::Request(detail) => Self::Usage(detail),
            ExportError::Cancelled => Self::Interrupted,
            ExportError::Write { .. }
            | ExportError::OtherExport { .. }
            | ExportError::OtherDatabase { .. }
            | ExportError::Restored { .. }
            | ExportError::Checkpoint { .. }
            | ExportError::OtherVersion { .. }
            | ExportError::InUse(_) => Self::Failed(error.to_string()),
        }
    }
}
