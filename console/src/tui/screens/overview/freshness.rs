//! How fresh the numbers of a hop are. Invariant: a number that is not fresh is shown with its age
//! and why, and never as one that flows.

use chrono::{DateTime, Duration, Utc};

use crate::tui::context::ScreenContext;
use crate::tui::fault::Fault;
use crate::tui::format::{age_secs, short_span_secs, visible};
use crate::tui::polling::fresh;
use crate::tui::rate::Rate;
use crate::tui::remote::Remote;
use crate::tui::theme::Tone;

/// Periods after which the end of what the ingest did is old: its metrics are complete after two, and CloudWatch has
/// them after one or two more.
const LATE_PERIODS: i32 = 5;

/// How fresh what a hop shows is.
pub(super) struct Freshness {
    /// Tone of a hop that flows, unless it was not seen or not lately.
    pub(super) tone: Tone,
    /// How old its numbers are and why, where they are not fresh.
    pub(super) notes: Vec<String>,
}

impl Freshness {
    /// Of a part that is read itself at this interval.
    pub(super) fn of<T>(
        remote: &Remote<T>,
        interval: Duration,
        context: &ScreenContext<'_>,
    ) -> Self {
        let stale_since = remote.stale_since(fresh(interval), context.now);
        Self::since(remote, stale_since, context)
    }

    /// Of the totals of the database, which is let sleep where it pauses.
    pub(super) fn of_totals(context: &ScreenContext<'_>) -> Self {
        let pipeline = context.pipeline;
        if let Some(since) = pipeline.totals_resume_since() {
            let asked = short_span_secs(age_secs(since, context.now));
            let before = pipeline.totals.fetched();
            return Self {
                tone: Tone::Muted,
                notes: before
                    .map(|fetched| as_of(fetched.fetched_at, context))
                    .into_iter()
                    .chain([format!("resuming for {asked}")])
                    .collect(),
            };
        }
        if pipeline.database_may_sleep() {
            return Self {
                tone: Tone::Muted,
                notes: vec![
                    "may be paused".to_owned(),
                    "^r wakes and reads it".to_owned(),
                ],
            };
        }
        let stale_since = pipeline.totals_stale_since(context.now);
        Self::since(&pipeline.totals, stale_since, context)
    }

    /// Of a part that is known from CloudWatch alone. Without an answer of CloudWatch nothing is known of
    /// it: neither that it flows nor that it fails.
    pub(super) fn of_history(context: &ScreenContext<'_>) -> Self {
        let pipeline = context.pipeline;
        let stale_since = pipeline.history_stale_since(context.now);
        let freshness = Self::since(&pipeline.history, stale_since, context);
        let queue = &pipeline.source_queue;
        // It is read less often: where the queue has failed since, what it shows is of before that.
        if let (Some(error), Some(history)) = (queue.error(), pipeline.history.fetched())
            && queue
                .fetched()
                .is_some_and(|seen| history.fetched_at - seen.fetched_at <= pipeline.polling.queues)
            && freshness.is_fresh()
        {
            return Self {
                tone: Tone::Muted,
                notes: vec![as_of(history.fetched_at, context), cause(error)],
            };
        }
        let tone = if freshness.is_fresh() {
            freshness.tone
        } else {
            Tone::Muted
        };
        Self { tone, ..freshness }
    }

    /// Of a rate from CloudWatch, which may be old in a fresh answer.
    pub(super) fn of_rate(rate: Option<Rate>, context: &ScreenContext<'_>) -> Self {
        let freshness = Self::of_history(context);
        match rate {
            None => {
                let mut notes = freshness.notes;
                // After an outage the newest periods may have no value.
                if notes.is_empty() && context.pipeline.history.value().is_some() {
                    notes.push("no rate in the newest metrics".to_owned());
                }
                Self {
                    tone: Tone::Muted,
                    notes,
                }
            }
            Some(rate) if rate.is_old && freshness.is_fresh() => Self {
                tone: Tone::Muted,
                notes: vec![as_of(rate.until, context), why_old(rate.until, context)],
            },
            // The answer may be new and its newest period some seconds old.
            Some(rate) => {
                let mut freshness = freshness;
                if let Some(age) = freshness.notes.first_mut() {
                    *age = as_of(rate.until, context);
                }
                freshness
            }
        }
    }

    /// Of a rate of the ingest. While its database does not answer, only what it did after the database was
    /// last seen shows that it works.
    pub(super) fn of_ingest(rate: Option<Rate>, context: &ScreenContext<'_>) -> Self {
        let freshness = Self::of_rate(rate, context);
        let totals = &context.pipeline.totals;
        let failure = database_failure(context);
        let (Some(_), Some(seen), Some(rate)) = (failure, totals.fetched(), rate) else {
            return freshness;
        };
        let works = rate.since >= seen.fetched_at && rate.per_sec > 0.0;
        if works || freshness.tone != Tone::Good {
            return freshness;
        }
        Self {
            tone: Tone::Muted,
            notes: vec![as_of(rate.until, context), records_fail(context)],
        }
    }

    /// Of what the ingest did up to then; see [`Self::of_ingest`].
    pub(super) fn of_batches(until: Option<DateTime<Utc>>, context: &ScreenContext<'_>) -> Self {
        let freshness = Self::of_history(context);
        let pipeline = context.pipeline;
        let mut freshness = match (database_failure(context), pipeline.history.fetched()) {
            (Some(_), Some(history)) if freshness.tone == Tone::Good => Self {
                tone: Tone::Muted,
                notes: vec![as_of(history.fetched_at, context), records_fail(context)],
            },
            _ => freshness,
        };
        // It may have been read later.
        if let (Some(until), Some(age)) = (until, freshness.notes.first_mut()) {
            *age = as_of(until, context);
        }
        freshness.not_after(until, context)
    }

    /// The same of what ended then: it is old when no newer metric came for some periods.
    fn not_after(self, until: Option<DateTime<Utc>>, context: &ScreenContext<'_>) -> Self {
        match until {
            Some(until) if self.is_fresh() && context.now - until > late(context) => Self {
                tone: Tone::Muted,
                notes: vec![as_of(until, context), why_old(until, context)],
            },
            Some(_) | None => self,
        }
    }

    fn since<T>(
        remote: &Remote<T>,
        stale_since: Option<DateTime<Utc>>,
        context: &ScreenContext<'_>,
    ) -> Self {
        if remote.is_not_configured() {
            return Self {
                tone: Tone::Muted,
                notes: vec!["not configured".to_owned()],
            };
        }
        let error = remote.error();
        let Some(fetched) = remote.fetched() else {
            let tone = if error.is_some() {
                Tone::Bad
            } else {
                Tone::Muted
            };
            let notes = match error {
                Some(error) => vec!["never seen".to_owned(), cause(error)],
                None => vec!["not seen yet".to_owned()],
            };
            return Self { tone, notes };
        };
        let age = as_of(fetched.fetched_at, context);
        match error {
            Some(error) => Self {
                tone: Tone::Bad,
                notes: vec![age, cause(error)],
            },
            None if stale_since.is_some() => Self {
                tone: Tone::Muted,
                notes: vec![age, "no answer since".to_owned()],
            },
            None if context.pipeline.failure.is_some() => Self {
                tone: Tone::Muted,
                notes: vec![age, "the pipeline is not whole".to_owned()],
            },
            None => Self {
                tone: Tone::Good,
                notes: Vec::new(),
            },
        }
    }

    pub(super) const fn is_fresh(&self) -> bool {
        self.notes.is_empty()
    }
}

/// Why what the ingest did is no sign that it works now: what was asked for the records and did not answer.
fn records_fail(context: &ScreenContext<'_>) -> String {
    let fails = if context.environment.database_url.is_none() {
        "the API did not count records"
    } else {
        "the database does not answer"
    };
    fails.to_owned()
}

/// Why the database does not answer; one that is not configured is not asked.
fn database_failure<'a>(context: &'a ScreenContext<'_>) -> Option<&'a Fault> {
    let error = context.pipeline.totals.error();
    error.filter(|error| !error.is_not_configured)
}

/// Age at which the end of what the ingest did is old.
fn late(context: &ScreenContext<'_>) -> Duration {
    let period_secs = context.pipeline.history.value().map(|it| it.period_secs);
    Duration::seconds(period_secs.unwrap_or_default().into()) * LATE_PERIODS
}

/// Why there is nothing after this time. That the metrics end there is known of the time of their read alone, so it is
/// said while that is nearer than their end.
fn why_old(until: DateTime<Utc>, context: &ScreenContext<'_>) -> String {
    let read_at = context.pipeline.history.fetched().map(|it| it.fetched_at);
    let was_asked = read_at.is_some_and(|at| context.now - at < at - until);
    let why = if was_asked {
        "no newer metric"
    } else {
        "not asked since"
    };
    why.to_owned()
}

fn as_of(at: DateTime<Utc>, context: &ScreenContext<'_>) -> String {
    format!("as of {} ago", short_span_secs(age_secs(at, context.now)))
}

/// The last link of a fault's chain, without the time it took: the attention area has the rest.
fn cause(fault: &Fault) -> String {
    let last = fault.message.rsplit(": ").next().unwrap_or_default();
    let short = last.split(" (").next().unwrap_or_default();
    visible(short)
}
