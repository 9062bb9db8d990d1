//! `redrive native`: the service's own way to move the whole dead-letter queue.
//!
//! Invariant: whether the service has move tasks is checked before anything is asked or written; the
//! handle of a task is recorded as soon as it is known.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use crate::cli::confirm::{can_ask, confirmed};
use crate::cli::redrive::arguments::NativeCommand;
use crate::cli::table::{Align, Keep, Table, moment};
use crate::cli::{CommandError, Exit, Interrupt, Session};
use crate::text::messages_in_words;
use pipeline::audit::Operation;
use pipeline::model::QueueRole;
use pipeline::{
    MOVE_TASK_RATE_MAX, MoveRoute, MoveTask, MoveTaskStatus, PlannedChange, printable,
    printable_lines,
};
use redrive::{Journal, MoveTaskRecord};

/// Between two looks at a task. SQS's own counts are not fresher than this.
const WATCH_POLL: Duration = Duration::from_secs(3);

const CHOICE: &str = "\
own engine    `redrive run`: selects, checks, patches, canary steps, proof; this machine stays on
native        SQS moves the whole queue by itself, unchecked, at 500/s at most; no way back";
const COUNTS_LAG: &str = "the counts of SQS are approximate and late";

/// A task, and when it was requested and reported.
#[derive(Debug, Serialize)]
struct Seen {
    #[serde(flatten)]
    task: MoveTask,
    /// `None` when it was not started from this machine.
    asked_at: Option<DateTime<Utc>>,
    seen_at: DateTime<Utc>,
}

/// The move tasks of an environment: those that SQS reports, and those that are recorded here.
struct MoveTasks<'a> {
    session: &'a Session,
    route: MoveRoute,
    folder: PathBuf,
}

pub(crate) async fn run(
    session: &Session,
    command: NativeCommand,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let is_change = matches!(
        command,
        NativeCommand::Start { .. } | NativeCommand::Cancel { .. }
    );
    if is_change {
        session.pipeline.check_write("move dead letters")?;
    }
    if let NativeCommand::Start { yes: false, .. } = command
        && !can_ask()
    {
        return Err(CommandError::Usage(
            "native start asks before it moves messages, and there is no terminal to ask on: add \
             --yes"
                .to_owned(),
        ));
    }
    let tasks = MoveTasks {
        session,
        route: session.pipeline.move_route().await?,
        folder: Journal::folder_of_user()?,
    };
    match command {
        NativeCommand::Start { rate, yes } => tasks.start(rate, yes, interrupt).await,
        NativeCommand::Watch { once } => tasks.watch(once, interrupt).await,
        NativeCommand::Cancel { handle } => tasks.cancel(handle).await,
        NativeCommand::List => tasks.list().await,
    }
}

impl MoveTasks<'_> {
    async fn start(
        &self,
        rate: Option<u32>,
        is_agreed: bool,
        interrupt: &mut Interrupt,
    ) -> Result<Exit, CommandError> {
        let pipeline = &self.session.pipeline;
        let before = pipeline.move_tasks(&self.route).await?;
        let depth = pipeline.queue_depth(QueueRole::DeadLetter).await?;
        let destination = pipeline.queue_name(QueueRole::Source);
        self.session.output.note(CHOICE);
        if depth.in_flight > 0 {
            self.session.output.note(&format!(
                "{} received by another consumer: they stay until they are visible again",
                messages_in_words(depth.in_flight)
            ));
        }
        let question = format!(
            "let SQS move all messages of {:?} (about {}) to {destination:?} in {:?}, {}? [y/N] ",
            pipeline.queue_name(QueueRole::DeadLetter),
            depth.visible,
            pipeline.environment().name,
            rate_words(rate),
        );
        if !is_agreed
            && !confirmed(
                self.session,
                &question,
                "nothing was moved",
                None,
                interrupt,
            )
            .await?
        {
            return Ok(Exit::Failed);
        }
        let permit = pipeline
            .begin_change(PlannedChange {
                operation: Operation::MoveTask,
                target: destination.to_owned(),
                planned: usize::try_from(depth.visible).unwrap_or(usize::MAX),
                details: json!({ "from": self.route.source_arn, "rate_per_sec": rate }),
            })
            .await?;
        let asked_at = Utc::now();
        let started = pipeline.start_move_task(&permit, &self.route, rate).await;
        let error = started.as_ref().err().map(ToString::to_string);
        // Nothing is counted yet: SQS has only begun.
        if let Err(error) = permit.end([], error).await {
            tracing::warn!(%error, "the start of a move task is not on record");
        }
        let task = self.begun(started?, rate);
        let mut record = MoveTaskRecord::new(&pipeline.environment().name, task, asked_at);
        self.keep(&record);
        // The time of its start is what the task is known by when SQS has forgotten its handle.
        if let Ok(mut tasks) = pipeline.move_tasks(&self.route).await {
            tasks.retain(|task| !before.iter().any(|old| old.started_at == task.started_at));
            if let Some(task) = tasks.first() {
                record.begin(task, Utc::now());
                self.keep(&record);
            }
        }
        let seen = Seen {
            asked_at: Some(asked_at),
            seen_at: record.seen_at,
            task: record.task,
        };
        self.report(&seen)?;
        if !self.session.output.is_json() {
            let next = "follow it with `opsconsole redrive native watch`";
            self.session.output.note(next);
        }
        Ok(Exit::Done)
    }

    /// A task that SQS just accepted, before it reports it.
    fn begun(&self, handle: String, rate: Option<u32>) -> MoveTask {
        MoveTask {
            handle: Some(handle),
            status: MoveTaskStatus::Running,
            moved: 0,
            to_move: None,
            rate_per_sec: rate,
            source_arn: self.route.source_arn.clone(),
            destination_arn: Some(self.route.destination_arn.clone()),
            started_at: None,
            failure_reason: None,
        }
    }

    async fn watch(&self, once: bool, interrupt: &mut Interrupt) -> Result<Exit, CommandError> {
        let mut shown = None;
        loop {
            let newest = self.look().await?.into_iter().next().ok_or_else(|| {
                CommandError::Failed(format!(
                    "no move task of {:?} is known; `redrive native start` starts one",
                    self.session.pipeline.queue_name(QueueRole::DeadLetter)
                ))
            })?;
            if once || newest.task.status.is_over() {
                self.report(&newest)?;
                let is_bad = matches!(
                    newest.task.status,
                    MoveTaskStatus::Failed | MoveTaskStatus::Cancelled
                );
                return Ok(if is_bad { Exit::Failed } else { Exit::Done });
            }
            let progress = progress(&newest.task);
            if shown.as_ref() != Some(&progress) {
                self.session.output.note(&progress);
                shown = Some(progress);
            }
            tokio::select! {
                () = tokio::time::sleep(WATCH_POLL) => {}
                () = interrupt.received() => {
                    self.session.output.note("the task continues in SQS; `redrive native cancel` stops it");
                    return Err(CommandError::Interrupted);
                }
            }
        }
    }

    async fn cancel(&self, handle: Option<String>) -> Result<Exit, CommandError> {
        let pipeline = &self.session.pipeline;
        let handle = match handle {
            Some(handle) => handle,
            None => self.running().await?,
        };
        let permit = pipeline
            .begin_change(PlannedChange {
                operation: Operation::MoveTask,
                target: pipeline.queue_name(QueueRole::Source).to_owned(),
                planned: 0,
                details: json!({ "from": self.route.source_arn, "cancel": handle }),
            })
            .await?;
        let cancelled = pipeline.cancel_move_task(&permit, &handle).await;
        let error = cancelled.as_ref().err().map(ToString::to_string);
        // Of a cancel that failed, how many were moved is not known.
        let moved = cancelled.as_ref().ok();
        let moved = moved.map(|moved| ("moved", usize::try_from(*moved).unwrap_or(usize::MAX)));
        if let Err(error) = permit.end(moved, error).await {
            tracing::warn!(%error, "the cancel of a move task is not on record");
        }
        let moved = cancelled?;
        let output = self.session.output;
        if output.is_json() {
            output.json(&json!({ "handle": handle, "moved": moved }))?;
        } else {
            output.text(&format!(
                "the task ends; about {} moved, which stay moved\n",
                messages_in_words(moved)
            ))?;
        }
        Ok(Exit::Done)
    }

    /// Handle of the running task.
    async fn running(&self) -> Result<String, CommandError> {
        let seen = self.look().await?;
        seen.into_iter()
            .find(|seen| seen.task.status == MoveTaskStatus::Running)
            .and_then(|seen| seen.task.handle)
            .ok_or_else(|| CommandError::Failed("no move task runs".to_owned()))
    }

    async fn list(&self) -> Result<Exit, CommandError> {
        let seen = self.look().await?;
        let output = self.session.output;
        if output.is_json() {
            output.json(&seen)?;
        } else if seen.is_empty() {
            output.note("no move task is known");
        } else {
            output.table(&table(&seen))?;
            output.note(COUNTS_LAG);
        }
        Ok(Exit::Done)
    }

    /// Every task that SQS or this machine knows, newest first. What SQS reports is recorded.
    async fn look(&self) -> Result<Vec<Seen>, CommandError> {
        let pipeline = &self.session.pipeline;
        let mut tasks = pipeline.move_tasks(&self.route).await?;
        let now = Utc::now();
        let mut seen = Vec::new();
        for mut record in MoveTaskRecord::list(&self.folder, &pipeline.environment().name)? {
            let before = record.task.clone();
            let task = match record.see(&tasks, now) {
                Some(place) => {
                    tasks.remove(place);
                    record.task.clone()
                }
                None => record.forgotten(),
            };
            if record.task != before {
                self.keep(&record);
            }
            seen.push(Seen {
                task,
                asked_at: Some(record.asked_at),
                seen_at: record.seen_at,
            });
        }
        seen.extend(tasks.into_iter().map(|task| Seen {
            task,
            asked_at: None,
            seen_at: now,
        }));
        seen.sort_by_key(|seen| std::cmp::Reverse(seen.task.started_at.or(seen.asked_at)));
        Ok(seen)
    }

    /// A record that cannot be written is no reason to lose the task.
    fn keep(&self, record: &MoveTaskRecord) {
        if let Err(error) = record.write_in(&self.folder) {
            self.session.output.note(&printable(&format!(
                "the task is not recorded on this machine: {error}"
            )));
        }
    }

    fn report(&self, seen: &Seen) -> Result<(), CommandError> {
        let output = self.session.output;
        if output.is_json() {
            return output.json(seen);
        }
        output.text(&printable_lines(&form(seen)))?;
        output.note(COUNTS_LAG);
        Ok(())
    }
}

fn rate_words(rate: Option<u32>) -> String {
    rate.map_or_else(
        || format!("as fast as SQS chooses, {MOVE_TASK_RATE_MAX}/s at most"),
        |rate| format!("{rate}/s at most"),
    )
}

fn progress(task: &MoveTask) -> String {
    let of = task
        .to_move
        .map_or_else(String::new, |total| format!(" of {total}"));
    format!("{}: about {}{of} moved", task.status.as_str(), task.moved)
}

/// One task for people.
fn form(seen: &Seen) -> String {
    let task = &seen.task;
    let mut lines = vec![
        ("task", progress(task)),
        ("from", name(&task.source_arn).to_owned()),
        (
            "to",
            task.destination_arn.as_deref().map_or_else(
                || "where each message came from".to_owned(),
                |arn| name(arn).to_owned(),
            ),
        ),
        ("rate", rate_words(task.rate_per_sec)),
        (
            "started",
            task.started_at
                .map_or_else(|| "not known yet".to_owned(), moment),
        ),
    ];
    lines.extend(task.failure_reason.clone().map(|why| ("failed", why)));
    lines.extend(task.handle.clone().map(|handle| ("handle", handle)));
    lines
        .into_iter()
        .map(|(name, value)| format!("{name:<14}{value}\n"))
        .collect()
}

fn name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

fn table(seen: &[Seen]) -> Table {
    let mut table = Table::new(&[
        ("STARTED AT", Align::Left, Keep::Always),
        ("STATUS", Align::Left, Keep::Always),
        ("MOVED", Align::Right, Keep::Always),
        ("OF", Align::Right, Keep::Always),
        ("RATE", Align::Right, Keep::Drop(2)),
        ("TO", Align::Left, Keep::Drop(3)),
        ("FROM HERE", Align::Left, Keep::Drop(1)),
        ("FAILURE", Align::Left, Keep::Cut),
    ]);
    for seen in seen {
        let task = &seen.task;
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.row([
            or_dash(task.started_at.or(seen.asked_at).map(moment)).as_str(),
            task.status.as_str(),
            &task.moved.to_string(),
            &or_dash(task.to_move.map(|total| total.to_string())),
            &or_dash(task.rate_per_sec.map(|rate| format!("{rate}/s"))),
            task.destination_arn.as_deref().map_or("-", name),
            if seen.asked_at.is_some() { "yes" } else { "no" },
            task.failure_reason.as_deref().unwrap_or("-"),
        ]);
    }
    table
}
