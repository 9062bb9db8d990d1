//! One row of the fleet: an environment's state, why, and its numbers.
//!
//! Invariant: a value that was not read is `None`, never zero, and only what was read is judged. Pure.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::seen::Seen;
use crate::environment::{Environment, EnvironmentError};
use crate::model::{History, QueueSnapshot};
use crate::oldest_age::OldestAge;
use crate::rules::{self, Finding, Severity};
use crate::text::age_secs;
use crate::{PipelineError, PipelineErrorKind};

/// The state of an environment, the worst first. One that loses data is worse than all, with the state `attention`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FleetState {
    /// Nothing of it answered.
    Unreachable,
    /// A permission or valid credentials are missing.
    NotPermitted,
    /// Its description is invalid, so nothing was asked.
    Invalid,
    /// Something needs attention.
    Attention,
    /// Everything that was read is as it should be.
    Ok,
}

impl FleetState {
    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::NotPermitted => "not-permitted",
            Self::Invalid => "invalid",
            Self::Attention => "attention",
            Self::Ok => "ok",
        }
    }
}

/// Depth of the source queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FleetQueue {
    /// Messages that can be received.
    pub visible: u64,
    /// Messages that the ingest has received.
    pub in_flight: u64,
    /// Messages that become visible later.
    pub delayed: u64,
    /// Greatest age of the oldest message in the newest period of its metric; `None` where that is not recent, and
    /// where there is no message.
    pub oldest_age_secs: Option<u64>,
}

/// Depth of the dead-letter queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FleetDeadLetters {
    /// Messages that can be received.
    pub visible: u64,
    /// Messages that somebody has received.
    pub in_flight: u64,
    /// Greatest age of the oldest message in the newest period of its metric; `None` where that is not recent, and
    /// where there is no message.
    pub oldest_age_secs: Option<u64>,
}

/// A part that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FleetError {
    /// `queue`, `dead_letters`, `metrics`, `api` or `records`.
    pub part: &'static str,
    /// Operation, address, cause and time.
    pub error: String,
    /// What to do.
    pub hint: String,
    #[serde(skip)]
    cause: String,
    #[serde(skip)]
    is_unreachable: bool,
    #[serde(skip)]
    is_without_access: bool,
}

/// One environment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FleetRow {
    /// The name for `--env`.
    pub environment: String,
    /// Its AWS account.
    pub account: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// The endpoint of an emulator.
    pub endpoint: Option<String>,
    /// Its state.
    pub state: FleetState,
    /// Why the state is not `ok`, in plain words.
    pub reason: Option<String>,
    /// What to do.
    pub next_step: Option<String>,
    /// What needs attention, the worst first.
    pub findings: Vec<Finding>,
    /// The source queue.
    pub queue: Option<FleetQueue>,
    /// The dead-letter queue.
    pub dead_letters: Option<FleetDeadLetters>,
    /// Events that the ingest stored in a minute, lately.
    pub stored_per_minute: Option<f64>,
    /// End of the time that this rate is of.
    pub stored_per_minute_until: Option<DateTime<Utc>>,
    /// When an event was last stored.
    pub last_stored_at: Option<DateTime<Utc>>,
    /// How long ago that was, by the database's clock where it was asked.
    pub last_stored_age_secs: Option<u64>,
    /// Whether it was stored then or later: a metric has the start of its period.
    #[serde(skip)]
    pub last_stored_is_bound: bool,
    /// The newest migration of its schema.
    pub schema_version: Option<i64>,
    /// When it was read.
    pub read_at: Option<DateTime<Utc>>,
    /// How old the newest metrics are, of which ages and rates come.
    pub metrics_age_secs: Option<u64>,
    /// Whether the database may be paused and was not asked for that.
    pub database_may_sleep: bool,
    /// The parts that could not be read.
    pub errors: Vec<FleetError>,
}

impl FleetRow {
    /// An environment whose description cannot be used.
    pub(super) fn unusable(name: String, error: &EnvironmentError) -> Self {
        let state = match error {
            EnvironmentError::StillStarting { .. } | EnvironmentError::Stale { .. } => {
                FleetState::Unreachable
            }
            EnvironmentError::None
            | EnvironmentError::NotChosen { .. }
            | EnvironmentError::Unknown { .. }
            | EnvironmentError::AlreadyRunning { .. }
            | EnvironmentError::File { .. }
            | EnvironmentError::Invalid { .. }
            | EnvironmentError::NoHome => FleetState::Invalid,
        };
        Self {
            state,
            reason: Some(error.to_string()),
            next_step: (state == FleetState::Invalid)
                .then(|| "correct the entry, or import it again with --replace".to_owned()),
            ..Self::empty(name)
        }
    }

    /// An environment that cannot even be connected to.
    pub(super) fn without(environment: &Environment, error: &PipelineError) -> Self {
        Self {
            state: FleetState::Invalid,
            reason: Some(error.to_string()),
            next_step: Some(error.hint()),
            ..Self::at(environment)
        }
    }

    fn empty(name: String) -> Self {
        Self {
            environment: name,
            account: None,
            region: None,
            endpoint: None,
            state: FleetState::Ok,
            reason: None,
            next_step: None,
            findings: Vec::new(),
            queue: None,
            dead_letters: None,
            stored_per_minute: None,
            stored_per_minute_until: None,
            last_stored_at: None,
            last_stored_age_secs: None,
            last_stored_is_bound: false,
            schema_version: None,
            read_at: None,
            metrics_age_secs: None,
            database_may_sleep: false,
            errors: Vec::new(),
        }
    }

    fn at(environment: &Environment) -> Self {
        Self {
            account: environment.account().map(str::to_owned),
            region: Some(environment.region.clone()),
            endpoint: environment
                .endpoint_url
                .as_deref()
                .map(crate::environment::origin),
            ..Self::empty(environment.name.clone())
        }
    }

    /// An environment that was read.
    pub(super) fn of(environment: &Environment, seen: &Seen) -> Self {
        let [oldest, oldest_dead] = ages(seen);
        let mut row = Self::at(environment);
        row.read_at = Some(seen.at);
        row.findings = findings(environment, seen);
        let queue = seen.queue.as_ref().ok();
        row.queue = queue.map(|queue| FleetQueue {
            visible: queue.depth.visible,
            in_flight: queue.depth.in_flight,
            delayed: queue.depth.delayed,
            oldest_age_secs: oldest_secs(queue, oldest),
        });
        let dead_letters = seen.dead_letters.as_ref().ok();
        row.dead_letters = dead_letters.map(|queue| FleetDeadLetters {
            visible: queue.depth.visible,
            in_flight: queue.depth.in_flight,
            oldest_age_secs: oldest_secs(queue, oldest_dead),
        });
        if let Ok(history) = &seen.history {
            row.take_metrics(history, seen.at);
        }
        row.database_may_sleep = seen.totals.is_none();
        if let Some(Ok(totals)) = &seen.totals {
            row.schema_version = totals.schema_version;
            row.last_stored_at = totals.last_ingested_at;
            let age = totals
                .last_ingested_at
                .map(|at| age_secs(at, totals.database_now));
            row.last_stored_age_secs = age;
            row.last_stored_is_bound = false;
        }
        let (errors, answers) = errors(seen);
        row.errors = errors;
        row.judge(answers);
        row
    }

    fn take_metrics(&mut self, history: &History, at: DateTime<Utc>) {
        let Some(ingest) = history.ingest.as_deref() else {
            return;
        };
        let rates = ingest.recent(at, history.period_secs);
        self.stored_per_minute_until = rates.as_ref().and_then(|rates| rates.window_until);
        self.stored_per_minute = rates.and_then(|rates| rates.stored_per_minute);
        let newest = ingest.stored.last().map(|point| point.at);
        self.metrics_age_secs = newest.map(|newest| age_secs(newest, at));
        let stored = ingest.stored.iter().rfind(|point| point.value > 0.0);
        self.last_stored_at = stored.map(|point| point.at);
        self.last_stored_age_secs = stored.map(|point| age_secs(point.at, at));
        self.last_stored_is_bound = true;
    }

    /// What loses data comes before a part that could not be read: the state is then `attention`, with its finding.
    fn judge(&mut self, answers: usize) {
        let worst = self.findings.first();
        let denied = self.errors.iter().find(|error| error.is_without_access);
        let lost = self.errors.iter().find(|error| error.is_unreachable);
        let (state, told) = match (denied, lost, self.errors.first()) {
            _ if self.loses_data() => (FleetState::Attention, None),
            (None, Some(lost), _) if answers == 0 => (FleetState::Unreachable, Some(lost)),
            (Some(denied), _, _) => (FleetState::NotPermitted, Some(denied)),
            (None, _, Some(first)) => (FleetState::Attention, Some(first)),
            (None, _, None) if worst.is_some() => (FleetState::Attention, None),
            (None, _, None) => (FleetState::Ok, None),
        };
        let (reason, next_step) = match (told, worst) {
            (Some(error), _) => {
                let part = error.part.replace('_', " ");
                let cause = &error.cause;
                (Some(format!("{part}: {cause}")), Some(error.hint.clone()))
            }
            (None, Some(finding)) => (Some(finding.text.clone()), Some(finding.advice.clone())),
            (None, None) => (None, None),
        };
        (self.state, self.reason, self.next_step) = (state, reason, next_step);
    }

    /// The findings are in order, the worst first.
    fn loses_data(&self) -> bool {
        let worst = self.findings.first();
        worst.is_some_and(|worst| worst.severity == Severity::Bad)
    }

    /// Whether something of it could not be reached (exit code 3).
    #[must_use]
    pub fn is_unreachable_in_part(&self) -> bool {
        self.state == FleetState::Unreachable
            || self
                .errors
                .iter()
                .any(|error| error.is_unreachable && !error.is_without_access)
    }
}

/// The worst first: those that lose data, then by state; of the same state the one with a finding, then the one with
/// more dead letters, then the one whose oldest message is older, then by name.
pub(super) fn sort_worst_first(rows: &mut [FleetRow]) {
    rows.sort_by_cached_key(|row| {
        let severity = row.findings.iter().map(|finding| finding.severity).max();
        let dead_letters = row
            .dead_letters
            .map(|queue| queue.visible + queue.in_flight);
        let oldest = row.queue.and_then(|queue| queue.oldest_age_secs);
        (
            Reverse(row.loses_data()),
            row.state,
            Reverse((severity, dead_letters, oldest)),
            row.environment.clone(),
        )
    });
}

/// A queue that is empty has no oldest message, whatever it had a minute ago.
fn oldest_secs(queue: &QueueSnapshot, oldest: Option<OldestAge>) -> Option<u64> {
    oldest
        .filter(|_| queue.depth.total() > 0)
        .map(|age| age.secs)
}

/// Ages of the oldest messages of both queues: they come with the metrics, so that the queues need no call for them.
fn ages(seen: &Seen) -> [Option<OldestAge>; 2] {
    let Ok(history) = &seen.history else {
        return [None, None];
    };
    [&history.oldest_age_secs, &history.dead_letter_age_secs]
        .map(|ages| OldestAge::newest(ages, history.period_secs, seen.at))
}

fn findings(environment: &Environment, seen: &Seen) -> Vec<Finding> {
    let name = &environment.name;
    let history = seen.history.as_ref().ok();
    let [oldest, oldest_dead] = ages(seen);
    let mut findings = Vec::new();
    if let Ok(queue) = &seen.queue {
        let oldest = rules::oldest_message(queue, oldest).map(|(severity, text)| Finding {
            severity,
            text,
            advice: format!("opsconsole --env {name} status shows where it stops"),
        });
        findings.extend(oldest);
        let dead = seen.dead_letters.as_ref().ok().map(|queue| &queue.settings);
        let timeout = environment.function_timeout_secs;
        findings.extend(rules::settings(&queue.settings, dead, timeout));
    }
    if let Ok(queue) = &seen.dead_letters {
        let text = rules::dead_letters(queue, oldest_dead, seen.at, history);
        findings.extend(text.map(|text| Finding {
            severity: Severity::Warning,
            text,
            advice: format!("opsconsole --env {name} dlq group shows why they failed"),
        }));
    }
    let totals = seen.totals.as_ref().and_then(|totals| totals.as_ref().ok());
    let newest_record = totals.and_then(|totals| rules::newest_record(totals, seen.at));
    if history.is_some_and(|history| rules::ingest_is_stuck(history, seen.at, newest_record)) {
        findings.push(rules::stuck_ingest());
    }
    if let Ok(health) = &seen.api {
        findings.extend(rules::api(health));
    }
    findings.sort_by_key(|finding| Reverse(finding.severity));
    findings
}

/// The parts that could not be read, and how many could. What the environment does not have is neither.
fn errors(seen: &Seen) -> (Vec<FleetError>, usize) {
    let queue = |queue: &Result<QueueSnapshot, PipelineError>| queue.as_ref().err().cloned();
    let totals = seen.totals.as_ref();
    let parts = [
        ("queue", Some(queue(&seen.queue))),
        ("dead_letters", Some(queue(&seen.dead_letters))),
        ("metrics", Some(seen.history.as_ref().err().cloned())),
        ("api", Some(seen.api.as_ref().err().cloned())),
        (
            "records",
            totals.map(|totals| totals.as_ref().err().cloned()),
        ),
    ];
    let mut errors = Vec::new();
    let mut answers = 0;
    for (part, error) in parts {
        match error {
            None => {}
            Some(None) => answers += 1,
            Some(Some(error)) if error.kind == PipelineErrorKind::NotConfigured => {}
            Some(Some(error)) => {
                // A service that refuses is one that answers.
                answers += usize::from(!error.is_unreachable());
                errors.push(FleetError {
                    part,
                    hint: error.hint(),
                    is_unreachable: error.is_unreachable(),
                    is_without_access: error.is_without_access(),
                    cause: error.cause.clone(),
                    error: error.to_string(),
                });
            }
        }
    }
    (errors, answers)
}
