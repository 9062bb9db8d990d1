//! All alarms of the pipeline with their states, by few calls of CloudWatch.
//!
//! Invariant: as for the raised ones, only alarms that Terraform made for this pipeline. One that CloudWatch has no data
//! for is neither raised nor calm.

use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::primitives::DateTime as Moment;
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use chrono::{DateTime, Utc};

use crate::alarms::{ALARM_KEYS, PAGE, PAGES_MAX, what_to_do};
use crate::printable::printable;
use crate::{Attempt, Pipeline, PipelineError};

/// Key of the alarm that is raised while a pause is planned (`terraform/modules/observability/slo.tf`).
const PLANNED_PAUSE: &str = "planned-pause";

/// State of an alarm; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmCondition {
    /// Raised.
    Alarm,
    /// CloudWatch has too few values to tell.
    InsufficientData,
    /// Calm.
    Ok,
}

/// An alarm of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmState {
    /// Its name.
    pub name: String,
    /// Its state.
    pub condition: AlarmCondition,
    /// Since when; `None` where CloudWatch does not say.
    pub since: Option<DateTime<Utc>>,
    /// Why, in the words of CloudWatch.
    pub reason: String,
    /// Where it is written what to do; `None` where the alarm's description does not say.
    pub what_to_do: Option<String>,
    /// Whether it notifies anybody; a window of an objective does not, the alarm above it does.
    pub notifies: bool,
    /// Whether its actions are disabled: it notifies nobody while they are.
    pub silenced: bool,
}

impl Pipeline {
    /// The alarms of this pipeline, the raised ones first, each by name.
    ///
    /// # Errors
    /// When CloudWatch does not answer, or has more than some pages of them.
    pub async fn alarm_states(&self) -> Result<Vec<AlarmState>, PipelineError> {
        let attempt = Attempt::start("list the alarms", self.aws_address("monitoring"));
        let prefix = format!("{}-", self.topic_name());
        let (mut states, mut next) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let cloudwatch = &self.aws().await.cloudwatch;
            let request = cloudwatch
                .describe_alarms()
                .alarm_name_prefix(&prefix)
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .max_records(PAGE)
                .set_next_token(next.take());
            let answer = request.send().await.map_err(|error| attempt.sdk(&error))?;
            states.extend(states_on(&answer, &prefix));
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                states.sort_by(|one, other| {
                    let key = |alarm: &AlarmState| (alarm.condition, !alarm.notifies);
                    key(one)
                        .cmp(&key(other))
                        .then_with(|| one.name.cmp(&other.name))
                });
                return Ok(states);
            }
        }
        Err(attempt.refused(format!(
            "more than {PAGES_MAX} pages of alarms whose names begin with {prefix:?}"
        )))
    }
}

/// Those of this pipeline on a page.
fn states_on(answer: &DescribeAlarmsOutput, prefix: &str) -> Vec<AlarmState> {
    let metric = answer.metric_alarms().iter().map(|alarm| Seen {
        name: alarm.alarm_name(),
        state: alarm.state_value(),
        since: alarm.state_transitioned_timestamp(),
        reason: alarm.state_reason(),
        description: alarm.alarm_description(),
        actions: alarm.alarm_actions().len(),
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
    });
    let composite = answer.composite_alarms().iter().map(|alarm| Seen {
        name: alarm.alarm_name(),
        state: alarm.state_value(),
        since: alarm.state_transitioned_timestamp(),
        reason: alarm.state_reason(),
        description: alarm.alarm_description(),
        actions: alarm.alarm_actions().len(),
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
    });
    metric
        .chain(composite)
        .filter_map(|seen| seen.state(prefix))
        .collect()
}

/// Whether Terraform writes an alarm of this key: one that notifies, or one below it (`slo_windows` of
/// `terraform/modules/observability/slo_rules.tf`: an objective, a window, its length).
fn is_written(key: &str) -> bool {
    let is_length = |rest: &str| rest.ends_with("-long") || rest.ends_with("-short");
    let is_window = |written: &&str| {
        let objective = written.strip_suffix("-fast");
        let rest = objective.and_then(|objective| key.strip_prefix(objective));
        rest.is_some_and(|rest| rest.starts_with('-') && is_length(rest))
    };
    key == PLANNED_PAUSE || ALARM_KEYS.contains(&key) || ALARM_KEYS.iter().any(is_window)
}

/// What both kinds of alarms have.
#[derive(Clone, Copy)]
struct Seen<'a> {
    name: Option<&'a str>,
    state: Option<&'a StateValue>,
    since: Option<&'a Moment>,
    reason: Option<&'a str>,
    description: Option<&'a str>,
    actions: usize,
    actions_enabled: bool,
}

impl Seen<'_> {
    fn state(self, prefix: &str) -> Option<AlarmState> {
        let name = self.name?;
        name.strip_prefix(prefix).filter(|key| is_written(key))?;
        let condition = match self.state.map(StateValue::as_str) {
            Some("OK") => AlarmCondition::Ok,
            Some("ALARM") => AlarmCondition::Alarm,
            Some(_) | None => AlarmCondition::InsufficientData,
        };
        let since = self.since;
        Some(AlarmState {
            name: printable(name),
            condition,
            since: since.and_then(|at| DateTime::from_timestamp(at.secs(), at.subsec_nanos())),
            reason: printable(self.reason.unwrap_or_default()),
            what_to_do: self.description.and_then(what_to_do),
            notifies: self.actions > 0,
            silenced: self.actions > 0 && !self.actions_enabled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Seen<'_> = Seen {
        name: Some("events-dead-letters"),
        state: Some(&StateValue::Alarm),
        since: None,
        reason: Some("Threshold Crossed"),
        description: Some("Not empty. What to do: terraform/OPERATIONS.md#dead-letters"),
        actions: 1,
        actions_enabled: true,
    };

    #[test]
    fn state_that_is_not_known_is_neither_raised_nor_calm() {
        let condition = |state| {
            let seen = Seen { state, ..SEEN };
            seen.state("events-").map(|alarm| alarm.condition)
        };
        assert_eq!(
            condition(Some(&StateValue::Alarm)),
            Some(AlarmCondition::Alarm)
        );
        assert_eq!(condition(Some(&StateValue::Ok)), Some(AlarmCondition::Ok));
        let unknown = Some(AlarmCondition::InsufficientData);
        assert_eq!(condition(Some(&StateValue::InsufficientData)), unknown);
        assert_eq!(condition(None), unknown);
    }

    #[test]
    fn alarm_says_what_to_do_and_those_of_others_are_left_out() {
        let alarm = SEEN.state("events-").unwrap();
        let place = "terraform/OPERATIONS.md#dead-letters";
        assert_eq!(alarm.what_to_do.as_deref(), Some(place));
        assert!(alarm.notifies && !alarm.silenced);
        let disabled = Seen {
            actions_enabled: false,
            ..SEEN
        };
        assert!(disabled.state("events-").unwrap().silenced);
        assert_eq!(SEEN.state("orders-"), None);
        for other in ["events-pilot-dead-letters", "events-mine"] {
            let seen = Seen {
                name: Some(other),
                ..SEEN
            };
            assert_eq!(seen.state("events-"), None, "{other}");
        }
        for own in ["events-planned-pause", "events-slo-freshness-1h-long"] {
            let seen = Seen {
                name: Some(own),
                ..SEEN
            };
            assert!(seen.state("events-").is_some(), "{own}");
        }
    }
}
