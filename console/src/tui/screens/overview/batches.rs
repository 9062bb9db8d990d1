//! The ingest's metrics of its batches. Invariant: absent metrics are shown as absent, with
//! the reason, and never as zero.

use std::time::Duration;

use chrono::{DateTime, Utc};
use event::FailureCode;

use super::freshness::Freshness;
use super::hop::Hop;
use crate::tui::context::ScreenContext;
use crate::tui::format::{UNKNOWN, clock, latency, short, span_secs};
use crate::tui::layout::is_wide;
use crate::tui::theme::Tone;
use pipeline::{INGEST_WINDOW, IngestRates, PeriodLag};

/// What CloudWatch has of the batches of the ingest.
enum Batches {
    /// The history was not read.
    Unread,
    /// The environment does not name the function.
    Unnamed,
    /// The function has sent nothing in the whole history: an older one, or none was called.
    None,
    /// It has, but not lately.
    Past,
    /// The last minutes.
    Seen(IngestRates),
}

impl Batches {
    fn of(context: &ScreenContext<'_>) -> Self {
        let Some(fetched) = context.pipeline.history.fetched() else {
            return Self::Unread;
        };
        match &fetched.value.ingest {
            None => Self::Unnamed,
            Some(ingest) if ingest.stored.is_empty() => Self::None,
            Some(ingest) => ingest
                .recent(fetched.fetched_at, fetched.value.period_secs)
                .map_or(Self::Past, Self::Seen),
        }
    }
}

/// What the ingest reports beside its rate.
pub(super) struct IngestStatus {
    /// How long events are on their way to the database; nothing where that is not known.
    pub(super) lags: Vec<String>,
    /// Nothing of its newest batches is stored.
    pub(super) is_stuck: bool,
}

/// Beside a rate up to then.
pub(super) fn status(
    rate_until: Option<DateTime<Utc>>,
    context: &ScreenContext<'_>,
) -> IngestStatus {
    let is_stuck = context.pipeline.ingest_is_stuck();
    let lags = match Batches::of(context) {
        // What is not stored yet has no lag, and it grows.
        Batches::Seen(_) if is_stuck => vec!["stores nothing".to_owned()],
        Batches::Seen(_) => newest_lag(context).map_or_else(Vec::new, |lag| {
            let [p50, max] = lag_texts(lag);
            let until = match rate_until {
                Some(until) if until == lag.until => String::new(),
                Some(_) | None => format!(" to {}", clock(lag.until)),
            };
            vec![format!("lag p50 {p50}{until}"), format!("lag max {max}")]
        }),
        Batches::Unread | Batches::Unnamed | Batches::None | Batches::Past => Vec::new(),
    };
    IngestStatus { lags, is_stuck }
}

/// Median and maximum of the newest period.
pub(super) fn lags(context: &ScreenContext<'_>) -> [Option<String>; 2] {
    match Batches::of(context) {
        Batches::Seen(_) => {
            newest_lag(context).map_or([None, None], |lag| lag_texts(lag).map(Some))
        }
        Batches::Unread | Batches::Unnamed | Batches::None | Batches::Past => [None, None],
    }
}

/// Of one period: what an outage before it left is no lag of now.
fn newest_lag(context: &ScreenContext<'_>) -> Option<PeriodLag> {
    let fetched = context.pipeline.history.fetched()?;
    let ingest = fetched.value.ingest.as_ref()?;
    ingest.newest_lag(fetched.fetched_at, fetched.value.period_secs)
}

fn lag_texts(lag: PeriodLag) -> [String; 2] {
    [lag.p50_ms, lag.max_ms].map(|ms| latency(Duration::from_millis(ms)))
}

/// What becomes of messages in a minute, failures by their codes, most frequent first.
pub(super) fn per_minute(context: &ScreenContext<'_>) -> Hop {
    let hop = |tone, main: String, rest| Hop {
        title: "per minute",
        tone,
        main,
        rest,
    };
    let absent = |main: &str, why: String| hop(Tone::Muted, main.to_owned(), vec![why]);
    let window = span_secs(INGEST_WINDOW.as_secs());
    let rates = match Batches::of(context) {
        Batches::Seen(rates) => rates,
        Batches::Unread => return absent(UNKNOWN, "not seen yet".to_owned()),
        Batches::Unnamed => {
            let why = "ingest_function is not set".to_owned();
            return absent("no metrics", why);
        }
        Batches::None => {
            let read_at = context.pipeline.history.fetched().map(|it| it.fetched_at);
            let at = read_at.map_or_else(String::new, |at| format!(" before {} UTC", clock(at)));
            return absent("no metrics", format!("of a batch in the hour{at}"));
        }
        Batches::Past => return absent("no batch", format!("in the last {window}")),
    };
    let freshness = Freshness::of_batches(rates.window_until, context);
    let period = period(&rates, context).filter(|_| freshness.is_fresh());
    let tone = match freshness.tone {
        Tone::Good => tone_of(&rates),
        tone @ (Tone::Muted | Tone::Warning | Tone::Bad) => tone,
    };
    let mut parts = outcomes(rates)
        .unwrap_or_else(|| {
            vec![
                UNKNOWN.to_owned(),
                "observed for too short a time".to_owned(),
            ]
        })
        .into_iter();
    let main = parts.next().unwrap_or_default();
    hop(
        tone,
        main,
        freshness
            .notes
            .into_iter()
            .chain(period)
            .chain(parts)
            .collect(),
    )
}

/// The time that the rates are of. Where there is little room its end, because a code says more than its length.
fn period(rates: &IngestRates, context: &ScreenContext<'_>) -> Option<String> {
    let until = clock(rates.window_until?);
    let secs = rates.window_secs.filter(|_| is_wide(context.body));
    Some(match secs {
        Some(secs) => format!("{} to {until}", span_secs(secs)),
        None => format!("to {until}"),
    })
}

fn tone_of(rates: &IngestRates) -> Tone {
    match (&rates.failures_per_minute, rates.retried_per_minute) {
        _ if rates.is_stuck => Tone::Bad,
        (Some(failures), Some(retried)) if failures.is_empty() && retried <= 0.0 => Tone::Good,
        (Some(_), Some(_)) => Tone::Warning,
        (None, _) | (_, None) => Tone::Muted,
    }
}

/// What the sign of the hop is about comes first: a warning is not about what was stored. `None` where the
/// rates are not known yet.
fn outcomes(rates: IngestRates) -> Option<Vec<String>> {
    let part = |name: &str, per_minute| format!("{name} {}", short(per_minute));
    let retried = rates.retried_per_minute?;
    let mut failures: Vec<(FailureCode, f64)> = rates.failures_per_minute?.into_iter().collect();
    failures.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let failed: f64 = failures.iter().map(|(_, per_minute)| per_minute).sum();
    let mut bad = Vec::new();
    if !failures.is_empty() {
        bad.push(part("failed", failed));
    }
    if retried > 0.0 {
        bad.push(part("retry", retried));
    }
    let codes = failures.into_iter();
    bad.extend(codes.map(|(code, per_minute)| part(&code.to_string(), per_minute)));
    let mut good = vec![
        part("stored", rates.stored_per_minute?),
        part("duplicates", rates.duplicates_per_minute?),
    ];
    if let Some(expired) = rates.expired_per_minute.filter(|expired| *expired > 0.0) {
        good.push(part("expired", expired));
    }
    let none = bad.is_empty().then(|| "failed 0".to_owned());
    Some(bad.into_iter().chain(good).chain(none).collect())
}
