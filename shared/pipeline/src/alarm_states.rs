//! All alarms of the pipeline with their states, by one call of CloudWatch.
//!
//! Invariant: as for the raised ones, only alarms whose names begin with the topic's. One that CloudWatch has no data
//! for is neither raised nor calm.

use aws_sdk_cloudwatch::primitives::DateTime as Moment;
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use chrono::{DateTime, Utc};

use crate::alarms::what_to_do;
use crate::printable::printable;
use crate::{Attempt, Pipeline, PipelineError};

/// Most alarms of one call (Amazon CloudWatch API reference, "DescribeAlarms"), more than one pipeline has.
const ALARMS_MAX: i32 = 100;

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
}

impl Pipeline {
    /// The alarms of this pipeline, the raised ones first, each by name.
    ///
    /// # Errors
    /// When CloudWatch does not answer.
    pub async fn alarm_states(&self) -> Result<Vec<AlarmState>, PipelineError> {
        let attempt = Attempt::start("list the alarms", self.aws_address("monitoring"));
        let prefix = format!("{}-", self.topic_name());
        let request = self
            .aws()
            .await
            .cloudwatch
            .describe_alarms()
            .alarm_name_prefix(&prefix)
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .max_records(ALARMS_MAX);
        let answer = request.send().await.map_err(|error| attempt.sdk(&error))?;
        let metric = answer.metric_alarms().iter().map(|alarm| Seen {
            name: alarm.alarm_name(),
            state: alarm.state_value(),
            since: alarm.state_transitioned_timestamp(),
            reason: alarm.state_reason(),
            description: alarm.alarm_description(),
            actions: alarm.alarm_actions().len(),
        });
        let composite = answer.composite_alarms().iter().map(|alarm| Seen {
            name: alarm.alarm_name(),
            state: alarm.state_value(),
            since: alarm.state_transitioned_timestamp(),
            reason: alarm.state_reason(),
            description: alarm.alarm_description(),
            actions: alarm.alarm_actions().len(),
        });
        let alarms = metric.chain(composite);
        let mut states: Vec<AlarmState> = alarms.filter_map(|seen| seen.state(&prefix)).collect();
        states.sort_by(|one, other| {
            let key = |alarm: &AlarmState| (alarm.condition, !alarm.notifies);
            key(one)
                .cmp(&key(other))
                .then_with(|| one.name.cmp(&other.name))
        });
        Ok(states)
    }
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
}

impl Seen<'_> {
    fn state(self, prefix: &str) -> Option<AlarmState> {
        let name = self.name.filter(|name| name.starts_with(prefix))?;
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
        assert!(alarm.notifies);
        assert_eq!(SEEN.state("orders-"), None);
    }
}
