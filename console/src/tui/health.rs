//! Rules that judge the pipeline. Pure; invariant: what is not known is never judged healthy.

use chrono::{DateTime, Duration, Utc};

use super::check_settings::check_settings;
use super::fault::Fault;
use super::finding::Finding;
use super::format::{clock, count, rate, span_secs};
use super::pipeline_view::PipelineView;
use super::polling::fresh;
use super::queue_trend::{Draining, PASSING_SECS};
use super::remote::Remote;
use super::screen_id::ScreenId;
use super::theme::Tone;
use pipeline::environment::Environment;
use pipeline::oldest_age::OldestAge;
use pipeline::rules;

/// What is older than this is shown with its age, however seldom it is read.
const SELDOM: Duration = Duration::seconds(75);

/// From this interval on, a failure is shown with its time.
const SELDOM_ASKED: Duration = Duration::seconds(10);

/// The one health of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Not everything was seen yet.
    Connecting,
    /// What was seen is old and nothing newer comes.
    Stale,
    /// Nothing is wrong in what was read, but something is not known.
    PartlySeen,
    /// Everything was seen and nothing is wrong.
    Healthy,
    /// Something ages.
    Attention,
    /// Time or data is being lost.
    Failing,
    /// Nothing could be seen.
    Unreachable,
}

impl Health {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Stale => "stale",
            Self::PartlySeen => "partly seen",
            Self::Healthy => "healthy",
            Self::Attention => "attention",
            Self::Failing => "failing",
            Self::Unreachable => "unreachable",
        }
    }

    pub(crate) const fn tone(self) -> Tone {
        match self {
            Self::Connecting | Self::PartlySeen => Tone::Muted,
            Self::Healthy => Tone::Good,
            Self::Stale | Self::Attention => Tone::Warning,
            Self::Failing | Self::Unreachable => Tone::Bad,
        }
    }
}

/// The health that the header shows.
pub(crate) fn health(
    pipeline: &PipelineView,
    environment: &Environment,
    now: DateTime<Utc>,
) -> Health {
    let polling = pipeline.polling;
    let parts = [
        state(&pipeline.source_queue, polling.queues, now),
        state(&pipeline.dead_letter_queue, polling.queues, now),
        totals_state(pipeline, now),
        state(&pipeline.api, polling.api, now),
        state(&pipeline.history, polling.history_max, now),
        state(&pipeline.alarms, polling.alarms, now),
    ];
    let mut present = parts.iter().filter(|part| **part != PartState::Absent);
    if present.all(|part| *part == PartState::Failed) {
        return Health::Unreachable;
    }
    match findings(pipeline, environment, now)
        .iter()
        .map(|finding| finding.tone)
        .max()
    {
        Some(Tone::Bad) => Health::Failing,
        _ if parts.contains(&PartState::Unseen) => Health::Connecting,
        _ if parts.contains(&PartState::Stale) => Health::Stale,
        Some(Tone::Warning) => Health::Attention,
        _ if pipeline.database_may_sleep() => Health::PartlySeen,
        _ if !is_quiet(pipeline) && !unknowns(pipeline).is_empty() => Health::PartlySeen,
        _ => Health::Healthy,
    }
}

/// Whether nothing is under way. Of such a queue CloudWatch has no values after some hours, and
/// none are missed (Amazon SQS developer guide, "Available CloudWatch metrics").
pub(crate) fn is_quiet(pipeline: &PipelineView) -> bool {
    pipeline.history.value().is_some()
        && pipeline
            .source_queue
            .value()
            .is_some_and(|queue| queue.depth.visible + queue.depth.in_flight == 0)
}

/// What is not known yet: parts that never answered, and metrics that CloudWatch
/// has no values of.
pub(crate) fn unknowns(pipeline: &PipelineView) -> Vec<&'static str> {
    let oldest = pipeline.source_queue.value().map(|queue| {
        let waits = queue.depth.visible + queue.depth.in_flight > 0;
        pipeline.oldest_message().is_some() || !waits
    });
    let has_history = pipeline.history.value().is_some();
    [
        ("the source queue", pipeline.source_queue.value().is_some()),
        (
            "the dead-letter queue",
            pipeline.dead_letter_queue.value().is_some(),
        ),
        (
            "the database",
            pipeline.totals.value().is_some()
                || pipeline.database_may_sleep()
                || pipeline.totals.is_not_configured(),
        ),
        (
            "the API",
            pipeline.api.value().is_some() || pipeline.api.is_not_configured(),
        ),
        ("the history", has_history),
        ("the alarms", pipeline.alarms.value().is_some()),
        (
            "the rate of the topic",
            !has_history || pipeline.published_rate().is_some(),
        ),
        (
            "the rate into the queue",
            !has_history || pipeline.sent_per_sec().is_some(),
        ),
        (
            "the rate out of it",
            !has_history || pipeline.deleted_per_sec().is_some(),
        ),
        ("the age of the oldest message", oldest.unwrap_or(true)),
    ]
    .into_iter()
    .filter(|(_, is_known)| !is_known)
    .map(|(what, _)| what)
    .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartState {
    Unseen,
    Stale,
    Seen,
    Failed,
    /// The environment does not have it.
    Absent,
}

fn totals_state(pipeline: &PipelineView, now: DateTime<Utc>) -> PartState {
    if pipeline.database_may_sleep() || pipeline.totals_resume_since().is_some() {
        return PartState::Seen;
    }
    match state(&pipeline.totals, pipeline.polling.totals, now) {
        PartState::Stale if pipeline.totals_stale_since(now).is_none() => PartState::Seen,
        state @ (PartState::Unseen
        | PartState::Stale
        | PartState::Seen
        | PartState::Failed
        | PartState::Absent) => state,
    }
}

fn state<T>(remote: &Remote<T>, interval: Duration, now: DateTime<Utc>) -> PartState {
    let (limit, _) = fresh(interval);
    match (remote.error(), remote.fetched()) {
        (Some(error), _) if error.is_not_configured => PartState::Absent,
        (Some(_), _) => PartState::Failed,
        (None, None) => PartState::Unseen,
        (None, Some(fetched)) if now - fetched.fetched_at > limit => PartState::Stale,
        (None, Some(_)) => PartState::Seen,
    }
}

/// What needs attention, the worst first.
pub(crate) fn findings(
    pipeline: &PipelineView,
    environment: &Environment,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(pipeline.failure.as_ref().map(|failure| Finding {
        tone: Tone::Bad,
        text: format!("this pipeline is not whole: {failure}"),
        advice: "quit (q) and start it again".to_owned(),
        screen: None,
    }));
    findings.extend(pipeline.stopped_redrive.as_ref().map(|stopped| Finding {
        tone: Tone::Warning,
        text: stopped.clone(),
        advice: "3 continues it or ends it".to_owned(),
        screen: Some(ScreenId::Redrives),
    }));
    unreachable_parts(pipeline, environment, now, &mut findings);
    dead_letters(pipeline, now, &mut findings);
    queue_backlog(pipeline, now, &mut findings);
    ingest(pipeline, &mut findings);
    tunnel(pipeline, now, &mut findings);
    api(pipeline, now, &mut findings);
    budgets(pipeline, now, &mut findings);
    alarms(pipeline, now, &mut findings);
    check_settings(pipeline, environment, &mut findings);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.tone));
    findings
}

/// A part that failed.
struct Part<'a> {
    name: &'static str,
    error: &'a Fault,
    /// When it failed and is asked again, as a part of a text.
    times: String,
    fetched_at: Option<DateTime<Utc>>,
}

impl Part<'_> {
    /// Nobody knows when it is asked again where only the need for it leads to that.
    fn asked_by_need<T>(self, remote: &Remote<T>, is_so: bool) -> Self {
        match remote.failed_at().filter(|_| is_so) {
            Some(failed_at) => Self {
                times: format!(" · at {}", clock(failed_at)),
                ..self
            },
            None => self,
        }
    }
}

/// A part, if it failed, which is asked again after `interval`.
fn part<'a, T>(name: &'static str, remote: &'a Remote<T>, interval: Duration) -> Option<Part<'a>> {
    let error = remote.error().filter(|error| !error.is_not_configured)?;
    // By then the rest may have been well for long.
    let times = if interval >= SELDOM_ASKED {
        retry_times(remote, interval)
    } else {
        String::new()
    };
    Some(Part {
        name,
        error,
        times,
        fetched_at: fetched(remote),
    })
}

/// Name of the part that counts the records where no database is configured.
const RECORDS_BY_API: &str = "records by the API";

fn unreachable_parts(
    pipeline: &PipelineView,
    environment: &Environment,
    now: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) {
    let records = if environment.database_url.is_none() {
        RECORDS_BY_API
    } else {
        "database"
    };
    // What failed is asked again as soon as the queues.
    let soon = pipeline.polling.queues;
    let history_answers = pipeline.history.error().is_none();
    let parts = [
        part("source queue", &pipeline.source_queue, soon),
        part("dead-letter queue", &pipeline.dead_letter_queue, soon),
        // A database that resumes is no failure.
        part(records, &pipeline.totals, soon)
            .filter(|_| pipeline.totals_resume_since().is_none())
            .map(|part| part.asked_by_need(&pipeline.totals, pipeline.polling.database_pauses)),
        part("API", &pipeline.api, soon),
        part("history", &pipeline.history, soon),
        part("alarms", &pipeline.alarms, pipeline.alarms_interval()).filter(|_| history_answers),
        // From the same service as the history: one of the two says it.
        part(
            "error budgets",
            &pipeline.budgets,
            pipeline.budgets_interval(),
        )
        .filter(|_| history_answers),
    ];
    for Part {
        name,
        error,
        times,
        fetched_at,
    } in parts.into_iter().flatten()
    {
        let before = fetched_at.map_or_else(
            || "never seen".to_owned(),
            |at| {
                format!(
                    "last seen {} ago",
                    span_secs(super::format::age_secs(at, now))
                )
            },
        );
        findings.push(Finding {
            tone: if matches!(name, "history" | "alarms" | "error budgets") {
                Tone::Warning
            } else {
                Tone::Bad
            },
            text: format!("{name}: {}{times} · {before}", error.message),
            advice: if name == RECORDS_BY_API {
                advice_of_api(pipeline, error, now)
            } else {
                advice(error)
            },
            screen: None,
        });
    }
}

fn advice(error: &Fault) -> String {
    let hint = error.hint.clone();
    hint.unwrap_or_else(|| "^r tries again".to_owned())
}

/// Where the API answers its health check, it runs and can be reached: what it asks does not answer in time.
fn advice_of_api(pipeline: &PipelineView, error: &Fault, now: DateTime<Utc>) -> String {
    let api = &pipeline.api;
    let is_old = api.stale_since(fresh(pipeline.polling.api), now).is_some();
    let health = api.fetched().filter(|_| api.error().is_none() && !is_old);
    let healthy = health.filter(|health| health.value.status == 200);
    match healthy.filter(|_| error.is_unreachable) {
        Some(health) => format!(
            "the API answered GET /health at {}: check its database and its time limit",
            clock(health.fetched_at)
        ),
        None => advice(error),
    }
}

/// When it failed and is asked again, as a part of a text.
fn retry_times<T>(remote: &Remote<T>, interval: Duration) -> String {
    let Some(failed_at) = remote.failed_at() else {
        return String::new();
    };
    let again = if remote.is_loading() {
        "now".to_owned()
    } else {
        format!("at {}", clock(failed_at + interval))
    };
    format!(" · at {}, asked again {again}", clock(failed_at))
}

fn fetched<T>(remote: &Remote<T>) -> Option<DateTime<Utc>> {
    remote.fetched().map(|fetched| fetched.fetched_at)
}

fn dead_letters(pipeline: &PipelineView, now: DateTime<Utc>, findings: &mut Vec<Finding>) {
    let Some(queue) = pipeline.dead_letter_queue.value() else {
        return;
    };
    // They were counted then, not now.
    let counted_at = fetched(&pipeline.dead_letter_queue).unwrap_or(now);
    // Since one left, the oldest may be another.
    let may_be_gone = |age: &OldestAge| pipeline.dead_letter_looks.may_be_gone(*age);
    let oldest = pipeline
        .oldest_dead_letter()
        .filter(|age| !may_be_gone(age));
    let history = pipeline.history.value();
    let Some(text) = rules::dead_letters(queue, oldest, counted_at, history) else {
        return;
    };
    findings.push(Finding {
        tone: Tone::Warning,
        text: format!(
            "{text}{}",
            as_of(&pipeline.dead_letter_queue, pipeline.polling.queues, now)
        ),
        advice: "key 2 shows why they failed".to_owned(),
        screen: Some(ScreenId::DeadLetters),
    });
}

/// How old what is read at this interval is, where it is not fresh, as the end of a text.
fn as_of<T>(remote: &Remote<T>, interval: Duration, now: DateTime<Utc>) -> String {
    as_of_beyond(remote, fresh(interval), now)
}

/// The same of what is read so seldom that its interval alone makes it old.
fn as_of_then<T>(remote: &Remote<T>, interval: Duration, now: DateTime<Utc>) -> String {
    let (limit, late) = fresh(interval);
    as_of_beyond(remote, (limit.min(SELDOM), late), now)
}

fn as_of_beyond<T>(remote: &Remote<T>, limits: (Duration, Duration), now: DateTime<Utc>) -> String {
    let is_old = remote.error().is_some() || remote.stale_since(limits, now).is_some();
    fetched(remote)
        .filter(|_| is_old)
        .map_or_else(String::new, |at| {
            format!(
                " · as of {} ago",
                span_secs(super::format::age_secs(at, now))
            )
        })
}

/// What waits in the source queue: its age where that is known to be high, else that it grows or
/// that nothing comes of what is in flight, which both can be seen earlier.
fn queue_backlog(pipeline: &PipelineView, now: DateTime<Utc>, findings: &mut Vec<Finding>) {
    let Some(queue) = pipeline.source_queue.value() else {
        return;
    };
    let as_of = as_of(&pipeline.source_queue, pipeline.polling.queues, now);
    let (tone, text) =
        if let Some((severity, text)) = rules::oldest_message(queue, pipeline.old_message()) {
            let drain = drain_in_words(pipeline, now);
            (severity.into(), format!("{text} · {drain}"))
        } else if let Some(growth) = pipeline.growth(now) {
            let text = format!(
                "{} grows: {} → {} messages in {}, +{}",
                queue.settings.name,
                count(growth.from),
                count(growth.to),
                span_secs(growth.over_secs),
                rate(growth.per_sec())
            );
            (Tone::Warning, text)
        } else if let Some((in_flight, secs)) = pipeline.stuck_in_flight(now) {
            let text = format!(
                "{} in flight in {} and none deleted for {}: the ingest does not complete them",
                count(in_flight),
                queue.settings.name,
                span_secs(secs)
            );
            (Tone::Warning, text)
        } else {
            return;
        };
    findings.push(Finding {
        tone,
        text: format!("{text}{as_of}"),
        advice: "check the errors of the ingest and the database".to_owned(),
        screen: None,
    });
}

fn ingest(pipeline: &PipelineView, findings: &mut Vec<Finding>) {
    if pipeline.ingest_is_stuck() && pipeline.history.error().is_none() {
        findings.push(rules::stuck_ingest().into());
    }
}

fn drain_in_words(pipeline: &PipelineView, now: DateTime<Utc>) -> String {
    if pipeline.is_passing() {
        return "others pass".to_owned();
    }
    match pipeline.draining(now) {
        Draining::In(secs) => format!("drains in about {}", span_secs(secs)),
        Draining::AtLeast(secs) => format!(
            "at this rate drains in about {} or later: messages stay in flight for longer than {PASSING_SECS} s, because they are \
             processed slowly or wait for their visibility timeout",
            span_secs(secs)
        ),
        Draining::Not => "the queue does not drain".to_owned(),
        Draining::Unknown => "it is not known whether the queue drains".to_owned(),
    }
}

/// Records are still read, by the API.
fn tunnel(pipeline: &PipelineView, now: DateTime<Utc>, findings: &mut Vec<Finding>) {
    let fault = pipeline
        .totals
        .value()
        .and_then(|totals| totals.tunnel_fault.as_ref());
    // It may fail for another cause by now, or no more.
    let read_at = fetched(&pipeline.totals).unwrap_or(now);
    findings.extend(fault.map(|fault| Finding {
        tone: Tone::Warning,
        text: format!("{fault} · at {}", clock(read_at)),
        advice: "records are read by the API; see tunnel in the environment's entry".to_owned(),
        screen: None,
    }));
}

fn api(pipeline: &PipelineView, now: DateTime<Utc>, findings: &mut Vec<Finding>) {
    let Some(health) = pipeline.api.value() else {
        return;
    };
    if pipeline.api.error().is_none() {
        let as_of = as_of_then(&pipeline.api, pipeline.polling.api, now);
        findings.extend(rules::api(health).map(|finding| {
            let finding = Finding::from(finding);
            Finding {
                text: format!("{}{as_of}", finding.text),
                ..finding
            }
        }));
    }
}

/// Error budgets that are spent.
fn budgets(pipeline: &PipelineView, now: DateTime<Utc>, findings: &mut Vec<Finding>) {
    let as_of = pipeline.old_budgets(now).map_or_else(String::new, |at| {
        let age = span_secs(super::format::age_secs(at, now));
        format!(" · as of {age} ago")
    });
    let budgets = pipeline.budgets.value().into_iter().flatten();
    let spent = budgets.filter(|budget| budget.is_spent());
    findings.extend(spent.map(|budget| Finding {
        tone: Tone::Warning,
        text: format!(
            "the error budget of {} is spent: {} in {} days{as_of}",
            budget.objective.name(),
            budget.left_in_words(),
            budget.window_days,
        ),
        advice: format!(
            "terraform/OPERATIONS.md has what to do: slo-{}",
            budget.objective.name()
        ),
        screen: None,
    }));
}

/// Most alarms that are named each: with everything away, all of them are raised.
const ALARMS_NAMED_MAX: usize = 5;

/// Characters of CloudWatch's reason that are shown, so that the runbook behind it is seen; `status` has all of it.
const REASON_CHARS_MAX: usize = 48;

fn reason_in_short(reason: &str) -> String {
    if reason.chars().count() <= REASON_CHARS_MAX {
        return reason.to_owned();
    }
    let kept: String = reason.chars().take(REASON_CHARS_MAX).collect();
    format!("{}…", kept.trim_end())
}

/// Alarms that are raised, with their runbooks.
fn alarms(pipeline: &PipelineView, now: DateTime<Utc>, findings: &mut Vec<Finding>) {
    let Some(raised) = pipeline.alarms.value() else {
        return;
    };
    let as_of = as_of_then(&pipeline.alarms, pipeline.polling.alarms, now);
    let finding = |text: String, advice: String| Finding {
        tone: Tone::Warning,
        text: format!("{text}{as_of}"),
        advice,
        screen: None,
    };
    findings.extend(raised.iter().take(ALARMS_NAMED_MAX).map(|alarm| {
        let since = alarm.since.map_or_else(String::new, |since| {
            format!(" for {}", span_secs(super::format::age_secs(since, now)))
        });
        let advice = match &alarm.what_to_do {
            Some(place) => format!("what to do: {place}"),
            None => "its description does not say what to do".to_owned(),
        };
        let silenced = if alarm.silenced {
            ", silenced: its actions are disabled"
        } else {
            ""
        };
        let text = format!(
            "alarm {}{since}{silenced}: {}",
            alarm.name,
            reason_in_short(&alarm.reason)
        );
        finding(text, advice)
    }));
    let more = raised.len().saturating_sub(ALARMS_NAMED_MAX);
    if more > 0 {
        let text = format!("{more} more alarms are raised");
        findings.push(finding(text, "opsconsole status lists them all".to_owned()));
    }
}
