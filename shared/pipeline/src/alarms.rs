//! The alarms of the pipeline that are raised, by few calls of CloudWatch.
//!
//! Invariant: only alarms that Terraform made for this pipeline, known by their names, and only those that notify: a
//! window of an objective is below the alarm that does. `events-pilot` is another pipeline than `events`, so what stands
//! behind the name of the pipeline must be a key that Terraform writes.

use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::primitives::DateTime as Moment;
use aws_sdk_cloudwatch::types::{AlarmType, CompositeAlarm, MetricAlarm, StateValue};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::printable::printable;
use crate::{Attempt, Pipeline, PipelineError};

/// Alarms of one page (Amazon CloudWatch API reference, "DescribeAlarms"), more than one pipeline has.
pub(crate) const PAGE: i32 = 100;
/// Most pages: names of other pipelines may begin the same.
pub(crate) const PAGES_MAX: usize = 5;
/// What stands behind `NAME-` in the names of the alarms that notify, as `alarms.tf` and `slo.tf` of
/// `terraform/modules/observability` write it, in order.
pub const ALARM_KEYS: [&str; 23] = [
    "api-5xx",
    "api-errors",
    "api-latency",
    "api-throttles",
    "database-capacity",
    "database-connections",
    "dead-letters",
    "ingest-errors",
    "ingest-lag",
    "ingest-throttles",
    "lost",
    "migrate-errors",
    "migrate-throttles",
    "oldest-message",
    "slo-api-availability-fast",
    "slo-api-availability-slow",
    "slo-api-latency-fast",
    "slo-api-latency-slow",
    "slo-durability-fast",
    "slo-durability-slow",
    "slo-freshness-fast",
    "slo-freshness-slow",
    "undelivered",
];
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
    /// Whether its actions are disabled: it notifies nobody while they are.
    pub silenced: bool,
}

impl Pipeline {
    /// The raised alarms of this pipeline by their names.
    ///
    /// # Errors
    /// When CloudWatch does not answer, or has more than some pages of them.
    pub async fn raised_alarms(&self) -> Result<Vec<RaisedAlarm>, PipelineError> {
        let attempt = self.attempt_of_raised_alarms();
        let prefix = self.alarm_prefix();
        let (mut raised, mut next) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = self.page_of_raised_alarms(&attempt, next.take()).await?;
            raised.extend(raised_on(&page, &prefix));
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                raised.sort_by(|one, other| one.name.cmp(&other.name));
                return Ok(raised);
            }
        }
        Err(attempt.refused(format!(
            "more than {PAGES_MAX} pages of alarms whose names begin with {prefix:?}"
        )))
    }

    /// Reads one page of them and keeps nothing: `env check` tries the right to.
    ///
    /// # Errors
    /// When CloudWatch does not answer.
    pub(crate) async fn try_raised_alarms(&self) -> Result<(), PipelineError> {
        let attempt = self.attempt_of_raised_alarms();
        let page = self.page_of_raised_alarms(&attempt, None).await;
        page.map(|_| ())
    }

    fn attempt_of_raised_alarms(&self) -> Attempt {
        Attempt::start("list the raised alarms", self.aws_address("monitoring"))
    }

    fn alarm_prefix(&self) -> String {
        format!("{}-", self.topic_name())
    }

    async fn page_of_raised_alarms(
        &self,
        attempt: &Attempt,
        next: Option<String>,
    ) -> Result<DescribeAlarmsOutput, PipelineError> {
        let cloudwatch = &self.aws().await.cloudwatch;
        let request = cloudwatch
            .describe_alarms()
            .alarm_name_prefix(self.alarm_prefix())
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .state_value(StateValue::Alarm)
            .max_records(PAGE)
            .set_next_token(next);
        request.send().await.map_err(|error| attempt.sdk(&error))
    }
}

/// Those of this pipeline on a page.
fn raised_on(page: &DescribeAlarmsOutput, prefix: &str) -> Vec<RaisedAlarm> {
    let metric = page.metric_alarms().iter().map(Seen::from);
    let composite = page.composite_alarms().iter().map(Seen::from);
    metric
        .chain(composite)
        .filter_map(|seen| seen.raised(prefix))
        .collect()
}

/// What both kinds of alarms have.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) state: Option<&'a str>,
    pub(crate) actions: usize,
    pub(crate) actions_enabled: bool,
    since: Option<&'a Moment>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) description: Option<&'a str>,
}

impl<'a> From<&'a MetricAlarm> for Seen<'a> {
    fn from(alarm: &'a MetricAlarm) -> Self {
        Self {
            name: alarm.alarm_name(),
            state: alarm.state_value().map(StateValue::as_str),
            actions: alarm.alarm_actions().len(),
            actions_enabled: alarm.actions_enabled().unwrap_or(true),
            since: alarm.state_transitioned_timestamp(),
            reason: alarm.state_reason(),
            description: alarm.alarm_description(),
        }
    }
}

impl<'a> From<&'a CompositeAlarm> for Seen<'a> {
    fn from(alarm: &'a CompositeAlarm) -> Self {
        Self {
            name: alarm.alarm_name(),
            state: alarm.state_value().map(StateValue::as_str),
            actions: alarm.alarm_actions().len(),
            actions_enabled: alarm.actions_enabled().unwrap_or(true),
            since: alarm.state_transitioned_timestamp(),
            reason: alarm.state_reason(),
            description: alarm.alarm_description(),
        }
    }
}

impl Seen<'_> {
    fn raised(self, prefix: &str) -> Option<RaisedAlarm> {
        let name = self.name?;
        let key = name.strip_prefix(prefix)?;
        if !ALARM_KEYS.contains(&key) {
            return None;
        }
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
            silenced: !self.actions_enabled,
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
        actions_enabled: true,
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
    fn raised_alarm_whose_actions_are_disabled_is_silenced() {
        assert!(!SEEN.raised("events-").unwrap().silenced);
        let silenced = Seen {
            actions_enabled: false,
            ..SEEN
        };
        assert!(silenced.raised("events-").unwrap().silenced);
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
        // Of the pipeline `events-pilot`.
        let pilot = Seen {
            name: Some("events-pilot-dead-letters"),
            ..SEEN
        };
        assert_eq!(pilot.raised("events-"), None);
        assert!(pilot.raised("events-pilot-").is_some());
    }
}
