//! Plans a replay: which records are published to the topic again, changed how, and how many of them the
//! ingest will drop as duplicates.
//!
//! Invariant: every record that was read is in the plan, skipped with a reason, or counted as stored with the
//! same text. The plan has no event that is not edited: a run reads them again, so that what was erased meanwhile
//! is not sent.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use event::{Assessment, EventKey, Failure, PartialIdentity, Verdict, peek_identity};
use export::{ReadRecord, ReadRequest, RecordReader};
use uuid::Uuid;

use super::blocking::blocking;
use super::choice::{Candidate, Choice, Meant, Subject, choose, unread};
use super::correct::{Correction, Corrections, Sent, corrections};
use super::judge::{Edited, judge};
use super::patch::{PatchInput, Patched, patch, patch_failed};
use super::plan::{EditCounts, by_message_id};
use super::{OnProgress, OperationError, Progress};
use crate::error::RedriveError;
use crate::identity::other_event_reason;
use crate::limits::PLAN_ENTRIES_MAX;
use crate::message::Original;
use crate::plan::{
    DryRun, Kind, Plan, PlanEntry, PlannedPlace, PlannedSend, REPLACE_SCHEMA_VERSION,
    REPLAY_SCHEMA_VERSION, Replacement, Replay,
};
use crate::triage::Program;
use pipeline::model::QueueRole;
use pipeline::{Body, BodySpool, Pipeline, PipelineError};

/// How long a patch may take over all records.
const PATCH_LIMIT: Duration = Duration::from_secs(600);
const IS_GONE: &str = "not where it was read from any more";

/// What is replayed, and how.
#[derive(Clone, Debug, Default)]
pub struct ReplayRequest {
    /// Which records, and from where.
    pub read: ReadRequest,
    /// What is published instead of each event.
    pub patch: Option<Arc<Program>>,
    /// Whether an event takes the place of the record that is stored for its identity.
    pub replaces: bool,
    /// See [`Plan::rate_per_sec`].
    pub rate_per_sec: Option<f64>,
    /// See [`Plan::canary_steps`].
    pub canary_steps: Vec<usize>,
}

/// A plan of a replay and what it was made of.
#[derive(Debug)]
pub struct PlannedReplay {
    /// The frozen plan.
    pub plan: Plan,
    /// Records that were read.
    pub selected: usize,
    /// What the program did.
    pub edits: EditCounts,
    /// See [`super::Planned::would_be_lost`].
    pub would_be_lost: usize,
}

/// Hears how far each part of the work is: the reading, then the patch.
pub struct ReplayProgress {
    /// Records that were read, of an unknown number.
    pub reading: OnProgress,
    /// Records that the program was applied to.
    pub patching: OnProgress,
}

/// A record that may be published again.
struct Recorded {
    name: String,
    body: Body,
    identity: PartialIdentity,
    /// Before the ledger is asked.
    assessment: Assessment,
    verdict: Verdict,
    failure: Option<Failure>,
}

impl Recorded {
    fn of(record: ReadRecord, spool: &mut BodySpool) -> Result<Self, RedriveError> {
        let assessment = event::assess(&record.body);
        Ok(Self {
            identity: peek_identity(&record.body),
            verdict: assessment.verdict(false),
            failure: None,
            assessment,
            body: spool
                .write(&record.body)
                .map_err(|error| RedriveError::plan(format!("{error}: choose a shorter range")))?,
            name: record.name,
        })
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            message_id: &self.name,
            body: &self.body,
            verdict: self.verdict,
            failure: self.failure.as_ref(),
            identity: &self.identity,
            receive_count: 0,
            group_id: None,
            named: None,
        }
    }
}

/// Reads the records, decides about each, and freezes a plan. Nothing is published.
///
/// # Errors
/// When the request breaks a rule, when there are more records than a plan can have, when they cannot be
/// read, and when the ledger does not answer: the number of duplicates is shown before anything is sent.
pub async fn plan(
    pipeline: &Pipeline,
    request: ReplayRequest,
    progress: ReplayProgress,
) -> Result<PlannedReplay, OperationError> {
    let mut read = request.read;
    read.validate().map_err(RedriveError::from)?;
    if let Some(folder) = read.folder.take() {
        // A plan is run from anywhere.
        let absolute = std::path::absolute(&folder);
        read.folder = Some(absolute.unwrap_or(folder));
    }
    let mut records = read_all(pipeline, &read, progress.reading).await?;
    judge_all(pipeline, &mut records).await?;
    let patched = match &request.patch {
        None => Patched::default(),
        Some(program) => {
            let inputs = records.iter().map(|record| PatchInput {
                message_id: record.name.clone(),
                old_body: record.body.clone(),
                new_body: None,
                named: None,
            });
            patch(program, inputs.collect(), PATCH_LIMIT, progress.patching).await?
        }
    };
    let selected = records.len();
    let decided = decide(pipeline, records, patched, request.replaces).await?;
    let (chosen, edits) = (decided.choice, decided.edits);
    let replaces = |entry: &&PlanEntry| entry.replaces.is_some();
    let replaced = chosen.entries.iter().filter(replaces).count();
    let replacement = request.replaces.then(|| Replacement {
        replaces: replaced,
        same_text: decided.same_text,
        not_stored: chosen.entries.len() - replaced,
    });
    let is_duplicate = |entry: &&PlanEntry| !entry.is_to_be_stored();
    let duplicates = chosen.entries.iter().filter(is_duplicate).count();
    let plan = Plan {
        schema_version: match replacement {
            None => REPLAY_SCHEMA_VERSION,
            Some(_) => REPLACE_SCHEMA_VERSION,
        },
        id: Uuid::now_v7(),
        created_at: Utc::now(),
        environment: pipeline.environment().name.clone(),
        dead_letter_queue: PlannedPlace::queue(pipeline, QueueRole::DeadLetter),
        destination: PlannedPlace::destination(pipeline, Kind::Replay),
        replay: Some(Replay {
            read,
            expected_duplicates: duplicates + chosen.copies,
            replacement,
        }),
        entries: chosen.entries,
        skipped: chosen.skipped,
        rate_per_sec: request.rate_per_sec,
        canary_steps: request.canary_steps,
    };
    plan.check()?;
    Ok(PlannedReplay {
        plan,
        selected,
        edits,
        would_be_lost: chosen.would_be_lost,
    })
}

async fn read_all(
    pipeline: &Pipeline,
    read: &ReadRequest,
    on_progress: OnProgress,
) -> Result<Vec<Recorded>, RedriveError> {
    let mut reader = RecordReader::open(pipeline, read).await?;
    let mut records = Vec::new();
    let mut spool = blocking(new_spool).await?;
    while let Some(page) = reader.next().await? {
        if records.len() + page.len() > PLAN_ENTRIES_MAX {
            return Err(RedriveError::plan(format!(
                "more than {PLAN_ENTRIES_MAX} records, as many as one plan can have: replay them in \
                 parts, by --from and --to or by --type"
            )));
        }
        (records, spool) = blocking(move || {
            for record in page {
                records.push(Recorded::of(record, &mut spool)?);
            }
            Ok((records, spool))
        })
        .await?;
        let done = records.len();
        on_progress(Progress { done, total: done });
    }
    Ok(records)
}

fn new_spool() -> Result<BodySpool, RedriveError> {
    let failed = |error| RedriveError::plan(format!("the temporary folder: {error}"));
    BodySpool::create().map_err(failed)
}

/// Asks the ledger about all records.
async fn judge_all(pipeline: &Pipeline, records: &mut [Recorded]) -> Result<(), PipelineError> {
    let keys = records.iter().filter_map(|record| record.assessment.key());
    let keys: Vec<EventKey> = keys.cloned().collect();
    let answer = pipeline.look_up_keys(&keys).await;
    if let Some(error) = answer.error {
        return Err(error);
    }
    for record in records {
        (record.verdict, record.failure) = answer.judge(record.assessment.clone());
    }
    Ok(())
}

/// What was decided about the records.
struct Decided {
    choice: Choice,
    edits: EditCounts,
    /// See [`Replacement::same_text`].
    same_text: usize,
}

async fn decide(
    pipeline: &Pipeline,
    records: Vec<Recorded>,
    patched: Patched,
    replaces: bool,
) -> Result<Decided, OperationError> {
    let mut edits = EditCounts {
        failed: patched.failures.len(),
        ..EditCounts::default()
    };
    let failures: HashMap<String, String> = patched.failures.into_iter().collect();
    let judged = judge(pipeline, patched.changed).await.map_err(unread)?;
    if let Some(error) = judged.ledger_error {
        return Err(error.into());
    }
    let mut edited = by_message_id(judged.edited);
    let mut corrections = match replaces {
        true => {
            let sent = stored(&records, &edited, &failures);
            let mut found = corrections(pipeline, sent).await?;
            found.by_name.extend(of_others(&edited));
            found
        }
        false => Corrections::default(),
    };
    let same_text: HashSet<String> = corrections.same_text.drain(..).collect();
    let mut candidates = Vec::with_capacity(records.len());
    for record in &records {
        let edited = edited.remove(&record.name);
        if let Some(edited) = &edited {
            edits.count(record.verdict, edited);
        }
        if same_text.contains(&record.name) {
            continue;
        }
        let failure = failures.get(&record.name);
        candidates.push(Candidate {
            message: record.subject(),
            left_out: failure.map(|cause| patch_failed(cause)),
            edited,
            correction: corrections.by_name.remove(&record.name),
        });
    }
    Ok(Decided {
        choice: choose(candidates, Meant::Valid)?,
        edits,
        same_text: same_text.len(),
    })
}

/// The events whose edit gives them an identity that is stored: the record of that identity is another event's.
fn of_others(edited: &HashMap<String, Edited>) -> impl Iterator<Item = (String, Correction)> {
    edited.iter().filter_map(|(name, edited)| {
        let is_stored = edited.verdict == Verdict::AlreadyStored;
        let identity = edited.identity.clone();
        let (source, id) = (identity.source?, identity.id?);
        (is_stored && edited.has_other_identity).then(|| {
            let reason = other_event_reason(&EventKey { source, id });
            (name.clone(), Correction::Refused(reason))
        })
    })
}

/// What would be sent for the records whose identity is stored. One on which the program failed is not sent, nor is one
/// of [`of_others`].
fn stored(
    records: &[Recorded],
    edited: &HashMap<String, Edited>,
    failures: &HashMap<String, String>,
) -> Vec<Sent> {
    let sent = records.iter().filter_map(|record| {
        if failures.contains_key(&record.name) {
            return None;
        }
        let (verdict, body) = match edited.get(&record.name) {
            Some(edited) if edited.has_other_identity => return None,
            Some(edited) => (edited.verdict, &edited.new_body),
            None => (record.verdict, &record.body),
        };
        let is_stored = verdict == Verdict::AlreadyStored;
        is_stored.then(|| (record.name.clone(), body.clone()))
    });
    sent.collect()
}

/// What a plan of a replay would send now; parallel to the plan. The records are read again.
///
/// # Errors
/// When they cannot be read.
pub async fn dry_run(pipeline: &Pipeline, plan: &Plan) -> Result<Vec<PlannedSend>, RedriveError> {
    let Some(replay) = &plan.replay else {
        return Err(RedriveError::plan("it replays nothing".to_owned()));
    };
    let places = plan.entries.iter().enumerate();
    let places: HashMap<&str, usize> = places
        .map(|(index, entry)| (entry.message_id.as_str(), index))
        .collect();
    let mut dry_run = DryRun::of(plan);
    let mut sends: Vec<Option<PlannedSend>> = vec![None; plan.entries.len()];
    let mut reader = RecordReader::open(pipeline, &replay.read).await?;
    let mut left = sends.len();
    while left > 0
        && let Some(page) = reader.next().await?
    {
        for record in page {
            let Some(index) = places.get(record.name.as_str()).copied() else {
                continue;
            };
            if let (Some(slot), Some(entry)) = (sends.get_mut(index), plan.entries.get(index)) {
                let original = Original::of_event(record.body);
                left -= usize::from(slot.is_none());
                *slot = Some(dry_run.send((index, entry), Ok(original)));
            }
        }
    }
    let sends = sends.into_iter().zip(plan.entries.iter().enumerate());
    let sends = sends
        .map(|(send, entry)| send.unwrap_or_else(|| dry_run.send(entry, Err(IS_GONE.to_owned()))));
    Ok(sends.collect())
}
