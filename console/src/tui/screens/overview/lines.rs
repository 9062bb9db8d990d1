//! The lines that charts can have: where the values of each come from, and what is shown of it without a cursor.
//!
//! Invariant: the number beside the name of a line is that of the hops, or of no hop: a number has one value on the
//! screen.

use chrono::{DateTime, Duration, Utc};

use super::batches;
use super::page::Page;
use super::selection::Goal;
use crate::tui::context::ScreenContext;
use crate::tui::format::{UNKNOWN, count_or_unknown, latency, rate_or_unknown};
use crate::tui::live_samples::LiveSamples;
use crate::tui::plot::{Fold, Limit, Span, Unit, joined, of_periods, of_samples};
use crate::tui::remote::Fetched;
use crate::tui::screen_id::ScreenId;
use crate::tui::theme::Tone;
use pipeline::environment::Environment;
use pipeline::long_history::LongHistory;
use pipeline::model::{History, Point, observed_whole};
use pipeline::oldest_age::OldestAge;
use pipeline::{IngestHistory, rules};

/// Intervals for which a sample holds where the next one does not come.
const SAMPLE_HOLDS: i32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Depth,
    In,
    Out,
    DeadLetters,
    Oldest,
    LagP50,
    LagMax,
    Invocations,
    Errors,
    Throttles,
    DurationP50,
    DurationP99,
    Concurrency,
    DatabaseMs,
    Requests,
    ClientErrors,
    ServerErrors,
    LatencyP50,
    LatencyP99,
    Health,
    Stored,
    Capacity,
    Connections,
}

/// One chart before its values are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) unit: Unit,
    pub(super) lines: &'static [Line],
    pub(super) limits: &'static [Limit],
    /// Where it leads.
    pub(super) goal: Goal,
}

const fn chart(title: &'static str, unit: Unit, lines: &'static [Line], goal: Goal) -> Chart {
    Chart {
        title,
        unit,
        lines,
        limits: &[],
        goal,
    }
}

const FUNCTIONS: Goal = Goal::Page(Page::Functions);
const DATABASE: Goal = Goal::Page(Page::Database);
const DEAD_LETTERS: Goal = Goal::Screen(ScreenId::DeadLetters);
const RECORDS: Goal = Goal::Screen(ScreenId::Records);
const LINT: Goal = Goal::Screen(ScreenId::Lint);

#[expect(clippy::cast_precision_loss, reason = "some hundred seconds")]
const AGE_LIMITS: [Limit; 2] = [
    Limit {
        value: rules::AGE_WARNING_SECS as f64,
        tone: Tone::Warning,
    },
    Limit {
        value: rules::AGE_BAD_SECS as f64,
        tone: Tone::Bad,
    },
];

/// The hops, the most important first.
pub(super) const HOP_CHARTS: [Chart; 5] = [
    chart("Queue depth", Unit::Count, &[Line::Depth], FUNCTIONS),
    chart(
        "In and out",
        Unit::PerSec,
        &[Line::In, Line::Out],
        FUNCTIONS,
    ),
    chart(
        "Dead letters",
        Unit::Count,
        &[Line::DeadLetters],
        DEAD_LETTERS,
    ),
    Chart {
        limits: &AGE_LIMITS,
        ..chart("Oldest message", Unit::Secs, &[Line::Oldest], FUNCTIONS)
    },
    chart("Lag", Unit::Millis, &[Line::LagP50, Line::LagMax], DATABASE),
];

pub(super) const FUNCTION_CHARTS: [Chart; 5] = [
    chart("Invocations", Unit::PerSec, &[Line::Invocations], RECORDS),
    chart(
        "Errors",
        Unit::PerMinute,
        &[Line::Errors, Line::Throttles],
        DEAD_LETTERS,
    ),
    chart(
        "Duration",
        Unit::Millis,
        &[Line::DurationP50, Line::DurationP99],
        DATABASE,
    ),
    chart("Concurrency", Unit::Count, &[Line::Concurrency], LINT),
    chart("Database", Unit::Millis, &[Line::DatabaseMs], DATABASE),
];

pub(super) const API_CHARTS: [Chart; 4] = [
    chart("Requests", Unit::PerSec, &[Line::Requests], RECORDS),
    chart(
        "Errors",
        Unit::PerMinute,
        &[Line::ClientErrors, Line::ServerErrors],
        LINT,
    ),
    chart(
        "Latency",
        Unit::Millis,
        &[Line::LatencyP50, Line::LatencyP99],
        DATABASE,
    ),
    chart("GET /health", Unit::Millis, &[Line::Health], LINT),
];

pub(super) const DATABASE_CHARTS: [Chart; 4] = [
    chart("Stored", Unit::PerSec, &[Line::Stored], RECORDS),
    chart("Batches", Unit::Millis, &[Line::DatabaseMs], FUNCTIONS),
    chart("Capacity", Unit::Acu, &[Line::Capacity], LINT),
    chart("Connections", Unit::Count, &[Line::Connections], LINT),
];

/// Where values come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    /// The last hour.
    pub(super) history: Option<&'a Fetched<History>>,
    /// A longer time, or more metrics.
    pub(super) long: Option<&'a Fetched<Box<LongHistory>>>,
    pub(super) live: &'a LiveSamples,
    /// Whether samples are shown where there are both.
    pub(super) is_live_first: bool,
    /// Interval of the samples of the queues, and of those of the API and the database.
    pub(super) intervals: (Duration, Duration),
}

impl Line {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::In => "in",
            Self::Out => "out",
            Self::DeadLetters => "DLQ",
            Self::Oldest => "oldest",
            Self::LagP50 | Self::DurationP50 | Self::LatencyP50 => "p50",
            Self::LagMax => "max",
            Self::Invocations => "invocations",
            Self::Errors => "errors",
            Self::Throttles => "throttles",
            Self::DurationP99 | Self::LatencyP99 => "p99",
            Self::Concurrency => "at once",
            Self::DatabaseMs => "a batch takes",
            Self::Requests => "requests",
            Self::ClientErrors => "4xx",
            Self::ServerErrors => "5xx",
            Self::Health => "takes",
            Self::Stored => "stored",
            Self::Capacity => "capacity",
            Self::Connections => "open",
        }
    }

    pub(super) const fn fold(self) -> Fold {
        match self {
            Self::Depth
            | Self::DeadLetters
            | Self::Oldest
            | Self::LagMax
            | Self::DurationP99
            | Self::LatencyP99
            | Self::Concurrency
            | Self::Health
            | Self::Connections => Fold::Max,
            Self::In
            | Self::Out
            | Self::LagP50
            | Self::Invocations
            | Self::Errors
            | Self::Throttles
            | Self::DurationP50
            | Self::DatabaseMs
            | Self::Requests
            | Self::ClientErrors
            | Self::ServerErrors
            | Self::LatencyP50
            | Self::Stored
            | Self::Capacity => Fold::Mean,
        }
    }

    /// The setting of the environment without which it has no values.
    pub(super) fn missing_setting(self, environment: &Environment) -> Option<&'static str> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other lines need what every environment has"
        )]
        let (name, is_set) = match self {
            Self::LagP50
            | Self::LagMax
            | Self::Invocations
            | Self::Errors
            | Self::Throttles
            | Self::DurationP50
            | Self::DurationP99
            | Self::Concurrency
            | Self::DatabaseMs => ("ingest_function", environment.ingest_function.is_some()),
            Self::Requests
            | Self::ClientErrors
            | Self::ServerErrors
            | Self::LatencyP50
            | Self::LatencyP99
            | Self::Health => ("api_url", environment.api_url.is_some()),
            Self::Capacity | Self::Connections => {
                ("database_cluster", environment.database_cluster.is_some())
            }
            _ => return None,
        };
        (!is_set).then_some(name)
    }

    /// Whether neither a function nor the stack of the demo sends it.
    pub(super) const fn is_measured_by_aws(self) -> bool {
        match self {
            Self::Invocations
            | Self::Errors
            | Self::Throttles
            | Self::DurationP50
            | Self::DurationP99
            | Self::Concurrency
            | Self::Requests
            | Self::ClientErrors
            | Self::ServerErrors
            | Self::LatencyP50
            | Self::LatencyP99
            | Self::Capacity
            | Self::Connections => true,
            Self::Depth
            | Self::In
            | Self::Out
            | Self::DeadLetters
            | Self::Oldest
            | Self::LagP50
            | Self::LagMax
            | Self::DatabaseMs
            | Self::Health
            | Self::Stored => false,
        }
    }

    /// The values in order of time, no moment twice.
    pub(super) fn spans(self, origin: &Origin<'_>) -> Vec<Span> {
        let long = origin.long.map_or_else(Vec::new, |fetched| {
            let hops = &fetched.value.hops;
            let read_at = fetched.fetched_at;
            if let Some(spans) = self.of_hops(hops, read_at) {
                return spans;
            }
            self.of_details(&fetched.value, read_at)
        });
        let history = origin
            .history
            .and_then(|fetched| self.of_hops(&fetched.value, fetched.fetched_at));
        let metrics = joined(&history.unwrap_or_default(), &long);
        let live = self.of_live(origin);
        if origin.is_live_first {
            joined(&live, &metrics)
        } else {
            joined(&metrics, &live)
        }
    }

    /// `None` for a line that is not of the hops.
    fn of_hops(self, history: &History, read_at: DateTime<Utc>) -> Option<Vec<Span>> {
        let period = Duration::seconds(history.period_secs.into());
        let values = |points: &[Point]| of_periods(points, period, read_at);
        let rates = |points: &[Point]| rates(points, history.period_secs, read_at, 1.0);
        let ingest = |points: fn(&IngestHistory) -> &Vec<Point>| {
            history
                .ingest
                .as_deref()
                .map_or(&[][..], |ingest| points(ingest))
        };
        Some(match self {
            Self::Depth => values(&history.depth),
            Self::In => rates(&history.sent),
            Self::Out => rates(&history.deleted),
            Self::DeadLetters => values(&history.dead_letters),
            Self::Oldest => values(&history.oldest_age_secs),
            Self::LagP50 => values(ingest(|ingest| &ingest.lag_p50_ms)),
            Self::LagMax => values(ingest(|ingest| &ingest.lag_max_ms)),
            Self::Stored => rates(ingest(|ingest| &ingest.stored)),
            Self::Invocations
            | Self::Errors
            | Self::Throttles
            | Self::DurationP50
            | Self::DurationP99
            | Self::Concurrency
            | Self::DatabaseMs
            | Self::Requests
            | Self::ClientErrors
            | Self::ServerErrors
            | Self::LatencyP50
            | Self::LatencyP99
            | Self::Health
            | Self::Capacity
            | Self::Connections => return None,
        })
    }

    fn of_details(self, long: &LongHistory, read_at: DateTime<Utc>) -> Vec<Span> {
        let period_secs = long.hops.period_secs;
        let period = Duration::seconds(period_secs.into());
        let values = |points: &[Point]| of_periods(points, period, read_at);
        let rates = |points: &[Point], secs| rates(points, period_secs, read_at, secs);
        let LongHistory {
            function,
            api,
            database,
            ..
        } = long;
        match self {
            Self::Invocations => rates(&function.invocations, 1.0),
            Self::Errors => rates(&function.errors, 60.0),
            Self::Throttles => rates(&function.throttles, 60.0),
            Self::DurationP50 => values(&function.duration_p50_ms),
            Self::DurationP99 => values(&function.duration_p99_ms),
            Self::Concurrency => values(&function.concurrency),
            Self::DatabaseMs => values(&function.database_ms),
            Self::Requests => rates(&api.requests, 1.0),
            Self::ClientErrors => rates(&api.client_errors, 60.0),
            Self::ServerErrors => rates(&api.server_errors, 60.0),
            Self::LatencyP50 => values(&api.latency_p50_ms),
            Self::LatencyP99 => values(&api.latency_p99_ms),
            Self::Capacity => values(&database.capacity_acu),
            Self::Connections => values(&database.connections),
            Self::Depth
            | Self::In
            | Self::Out
            | Self::DeadLetters
            | Self::Oldest
            | Self::LagP50
            | Self::LagMax
            | Self::Health
            | Self::Stored => Vec::new(),
        }
    }

    fn of_live(self, origin: &Origin<'_>) -> Vec<Span> {
        let (queues, others) = origin.intervals;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the console takes no samples of the other lines"
        )]
        let (samples, interval) = match self {
            Self::Depth => (&origin.live.depth, queues),
            Self::DeadLetters => (&origin.live.dead_letters, queues),
            Self::Health => (&origin.live.health_ms, others),
            Self::Stored => (&origin.live.stored, others),
            _ => return Vec::new(),
        };
        of_samples(samples, interval * SAMPLE_HOLDS)
    }

    /// What the title shows without a cursor; empty where the newest value says nothing of now.
    pub(super) fn newest(self, context: &ScreenContext<'_>) -> String {
        let pipeline = context.pipeline;
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
        match self {
            Self::Depth => {
                let queue = pipeline.source_queue.value();
                count_or_unknown(queue.map(|queue| queue.depth.visible))
            }
            Self::DeadLetters => {
                let queue = pipeline.dead_letter_queue.value();
                count_or_unknown(queue.map(|queue| queue.depth.total()))
            }
            Self::In => rate_or_unknown(pipeline.sent_per_sec()),
            Self::Out => rate_or_unknown(pipeline.deleted_per_sec()),
            Self::Oldest => {
                let queue = pipeline.source_queue.value();
                let depth = queue.map(|queue| queue.depth.visible + queue.depth.in_flight);
                if depth == Some(0) {
                    return "none".to_owned();
                }
                or_unknown(pipeline.oldest_message().map(OldestAge::text))
            }
            Self::LagP50 => {
                let [p50, _] = batches::lags(context);
                or_unknown(p50)
            }
            Self::LagMax => {
                let [_, max] = batches::lags(context);
                or_unknown(max)
            }
            Self::Health => or_unknown(pipeline.api.value().map(|health| latency(health.latency))),
            Self::Stored => rate_or_unknown(pipeline.stored_rate().map(|rate| rate.per_sec)),
            Self::Invocations
            | Self::Errors
            | Self::Throttles
            | Self::DurationP50
            | Self::DurationP99
            | Self::Concurrency
            | Self::DatabaseMs
            | Self::Requests
            | Self::ClientErrors
            | Self::ServerErrors
            | Self::LatencyP50
            | Self::LatencyP99
            | Self::Capacity
            | Self::Connections => String::new(),
        }
    }
}

/// What was counted, per so many seconds.
fn rates(points: &[Point], period_secs: u32, read_at: DateTime<Utc>, secs: f64) -> Vec<Span> {
    let period = Duration::seconds(period_secs.into());
    let whole: Vec<Point> = observed_whole(points, period_secs, read_at)
        .map(|point| Point {
            value: point.value / f64::from(period_secs.max(1)) * secs,
            ..point
        })
        .collect();
    of_periods(&whole, period, read_at)
}
