//! A redrive of letters that somebody holds and chose by hand: plan, journal and run in one call.
//!
//! Invariant: every letter that came in has exactly one outcome in the report, and its journal is
//! among the others of this user.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;

use super::control::Control;
use super::error::RedriveError;
use super::journal::Journal;
use super::plan::{Plan, PlanOptions};
use super::report::{LetterOutcome, Report};
use super::run::{RunOptions, run};
use super::state::Counts;
use crate::world::observed::{DeadLetter, QueueRole, RedriveOutcome, RedriveReport};
use crate::world::{World, WorldError};

/// Nothing is searched, paused or waited for: the caller watches.
const OPTIONS: RunOptions = RunOptions {
    batches_at_once: 4,
    searches: false,
    search_patience: Duration::ZERO,
    pauses_by_itself: false,
    prove_limit: Duration::ZERO,
};

impl World {
    /// Sends letters back to the source queue and deletes those whose copy was confirmed.
    /// `progress` is told how many have an outcome. The journal is kept in the folder `journals`.
    ///
    /// # Errors
    /// When the environment forbids writes or no journal can be begun; nothing was done then. What
    /// fails later is an outcome of its letter.
    pub async fn redrive(
        &self,
        letters: Vec<DeadLetter>,
        journals: &Path,
        progress: impl Fn(usize) + Send,
    ) -> Result<RedriveReport, WorldError> {
        let operation = format!("redrive to {:?}", self.queue_name(QueueRole::Source));
        self.check_write(&operation)?;
        if letters.is_empty() {
            return Ok(RedriveReport::default());
        }
        let refused = |error: RedriveError| {
            if let RedriveError::World(error) = error {
                return error;
            }
            WorldError::not_configured(
                &operation,
                error.to_string(),
                "nothing was sent; see that the folder of the journals can be written",
            )
        };
        let unedited: Vec<_> = letters.iter().map(|letter| (letter, None)).collect();
        let plan = Plan::of(self, &unedited, PlanOptions::default())
            .await
            .map_err(refused)?;
        let journal = Journal::create(journals, &plan).map_err(refused)?;
        let path = journal.0.path().to_owned();
        let control = Control::new(None);
        let (sender, mut counts) = watch::channel(Counts::default());
        let running = run(self, journal, &letters, &control, &OPTIONS, sender);
        tokio::pin!(running);
        let ended = loop {
            tokio::select! {
                ended = &mut running => break ended,
                Ok(()) = counts.changed() => progress(counts.borrow().done()),
            }
        };
        let (report, why) = match ended {
            Ok(report) => (report, "it had no turn".to_owned()),
            Err(error) => {
                let report = Report::of(&Journal::read(&path).map_err(refused)?);
                if report.counts.waiting == report.planned {
                    return Err(refused(error));
                }
                (report, error.to_string())
            }
        };
        progress(report.planned);
        Ok(outcomes(report, &why))
    }
}

fn outcomes(report: Report, why_waiting: &str) -> RedriveReport {
    let outcomes = report
        .letters
        .into_iter()
        .map(|letter| {
            let cause = letter.cause.unwrap_or_else(|| why_waiting.to_owned());
            let outcome = match letter.outcome {
                LetterOutcome::Moved => RedriveOutcome::Moved,
                LetterOutcome::SentNotDeleted => RedriveOutcome::SentNotDeleted(cause),
                LetterOutcome::Unknown => RedriveOutcome::Unknown(cause),
                LetterOutcome::NotSent | LetterOutcome::Waiting => RedriveOutcome::NotSent(cause),
            };
            (letter.message_id, outcome)
        })
        .collect();
    RedriveReport { outcomes }
}
