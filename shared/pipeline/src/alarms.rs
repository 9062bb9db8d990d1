//! The alarms of the pipeline that are raised, by one call of CloudWatch.
//!
//! Invariant: only alarms that Terraform made for this pipeline, known by their names, and only those that notify: a
//! window of an objective is below the alarm that does.

use aws_sdk_cloudwatch::primitives::DateTime as Moment;
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::printable::printable;
use crate::{Attempt, Pipeline, PipelineError};

/// Most alarms of one call (Amazon CloudWatch API reference, "DescribeAlarms"), more than one pipeline has.
const RAISED_MAX: i32 = 100;
/// What stands in an alarm's description before the address of its runbook, as `terraform/modules/observability` writes
/// it.
const WHAT_TO_DO: &str = "What to do: ";

/// A raised alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RaisedAlarm {
    /// Its name.
    pub name: String,
    /// Since when; `None` where CloudWatch does not say.
    pub since: Option<DateTime<Utc>>,
    /// Why, in the words of CloudWatch.
    pub reason: String,
    /// Where it is written what to do; `None` where the alarm's description does not say.
    pub what_to_do: Option<String>,
}

impl Pipeline {
    /// The raised alarms of this pipeline by their names.
    ///
    /// # Errors
    /// When CloudWatch does not answer.
    pub async fn raised_alarms(&self) -> Result<Vec<RaisedAlarm>, PipelineError> {
        let attempt = Attempt::start("list the raised alarms", self.aws_address("monitoring"));
        let prefix = format!("{}-", self.topic_name());
        let request = self
            .aws()
            .await
            .cloudwatch
            .describe_alarms()
            .alarm_name_prefix(&prefix)
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .state_value(StateValue::Alarm)
            .max_records(RAISED_MAX);
        let answer = request.send().await.map_err(|error| attempt.sdk(&error))?;
        let metric = answer.metric_alarms().iter().map(|alarm| Seen {
            name: alarm.alarm_name(),
            state: alarm.state_value().map(StateValue::as_str),
            actions: alarm.alarm_actions().len(),
            since: alarm.state_transitioned_timestamp(),
            reason: alarm.state_reason(),
            description: alarm.alarm_description(),
        });
        let composite = answer.composite_alarms().iter().map(|alarm| Seen {
            name: alarm.alarm_name(),
            state: alarm.state_value().map(StateValue::as_str),
            actions: alarm.alarm_actions().len(),
            since: alarm.state_transitioned_timestamp(),
            reason: alarm.state_reason(),
            description: alarm.alarm_description(),
        });
        let mut raised: Vec<RaisedAlarm> = metric
            .chain(composite)
            .filter_map(|seen| seen.raised(&prefix))
            .collect();
        raised.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(raised)
    }
}

/// What both kinds of alarms have.
#[derive(Clone, Copy)]
struct Seen<'a> {
    name: Option<&'a str>,
    state: Option<&'a str>,
    actions: usize,
    since: Option<&'a Moment>,
    reason: Option<&'a str>,
    description: Option<&'a str>,
}

impl Seen<'_> {
    fn raised(self, prefix: &str) -> Option<RaisedAlarm> {
        let name = self.name.filter(|name| name.starts_with(prefix))?;
        if self.state != Some(StateValue::Alarm.as_str()) || self.actions == 0 {
            return None;
        }
        Some(RaisedAlarm {
            name: printable(name),
            since: self
                .since
                .and_then(|at| DateTime::from_timestamp(at.secs(), at.subsec_nanos())),
            reason: printable(self.reason.unwrap_or_default()),
            what_to_do: self.description.and_then(what_to_do),
        })
    }
}

/// What follows in a description behind [`WHAT_TO_DO`].
pub(crate) fn what_to_do(description: &str) -> Option<String> {
    let (_, place) = description.split_once(WHAT_TO_DO)?;
    let place = place.trim();
    (!place.is_empty()).then(|| printable(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Seen<'_> = Seen {
        name: Some("events-dead-letters"),
        state: Some("ALARM"),
        actions: 1,
        since: None,
        reason: Some("Threshold Crossed"),
        description: Some("Not empty. What to do: terraform/OPERATIONS.md#dead-letters"),
    };

    #[test]
    fn raised_alarm_says_what_to_do() {
        let raised = SEEN.raised("events-").unwrap();
        assert_eq!(
            raised.what_to_do.as_deref(),
            Some("terraform/OPERATIONS.md#dead-letters")
        );
        assert_eq!(raised.reason, "Threshold Crossed");
        let silent = Seen {
            description: Some("Not empty."),
            ..SEEN
        };
        assert_eq!(silent.raised("events-").unwrap().what_to_do, None);
    }

    #[test]
    fn window_that_notifies_nobody_and_alarms_of_others_are_left_out() {
        assert!(SEEN.raised("events-").is_some());
        let window = Seen { actions: 0, ..SEEN };
        let calm = Seen {
            state: Some("OK"),
            ..SEEN
        };
        for seen in [window, calm] {
            assert_eq!(seen.raised("events-"), None);
        }
        assert_eq!(SEEN.raised("orders-"), None);
    }
}
