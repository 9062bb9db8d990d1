//! The alarms on metrics of this pipeline.

use aws_sdk_cloudwatch::types::{Dimension, MetricAlarm};

use crate::lint::facts::AlarmFacts;
use crate::model::QueueRole;
use crate::{Attempt, Pipeline, PipelineError};

/// Alarms of one page (Amazon CloudWatch API reference, "DescribeAlarms").
const PAGE: i32 = 100;
/// Most pages.
const PAGES_MAX: usize = 20;
const DEPTH: &str = "ApproximateNumberOfMessagesVisible";

impl Pipeline {
    /// Those whose metric has a dimension that names a part of this pipeline.
    pub(super) async fn alarm_facts(&self) -> Result<Vec<AlarmFacts>, PipelineError> {
        let attempt = Attempt::start("list the alarms", self.aws_address("monitoring"));
        let cloudwatch = &self.aws().await.cloudwatch;
        let mut facts = Vec::new();
        let mut next = None;
        for _ in 0..PAGES_MAX {
            let request = cloudwatch.describe_alarms();
            let request = request.max_records(PAGE).set_next_token(next.take());
            let page = request.send().await.map_err(|error| attempt.sdk(&error))?;
            let alarms = page.metric_alarms.unwrap_or_default();
            facts.extend(alarms.iter().filter_map(|alarm| self.alarm(alarm)));
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(facts);
            }
        }
        Err(attempt.refused(format!(
            "the account has more than {PAGES_MAX} pages of alarms"
        )))
    }

    fn alarm(&self, alarm: &MetricAlarm) -> Option<AlarmFacts> {
        let dimensions = dimensions(alarm);
        if !dimensions.iter().any(|one| self.names_a_part(one)) {
            return None;
        }
        let dead = self.queue_name(QueueRole::DeadLetter);
        let is_of_dead_letters = dimensions.iter().any(|one| one.value() == Some(dead))
            && metrics(alarm).contains(&DEPTH);
        let state = alarm.state_value();
        Some(AlarmFacts {
            name: alarm.alarm_name().unwrap_or_default().to_owned(),
            state: state
                .map(|state| state.as_str().to_owned())
                .unwrap_or_default(),
            state_reason: alarm.state_reason().unwrap_or_default().to_owned(),
            actions: alarm.alarm_actions().len(),
            actions_enabled: alarm.actions_enabled().unwrap_or(true),
            is_of_dead_letters,
        })
    }

    fn names_a_part(&self, dimension: &Dimension) -> bool {
        let environment = self.environment();
        let named = match dimension.name() {
            Some("QueueName") => {
                let names = [QueueRole::Source, QueueRole::DeadLetter];
                return names
                    .into_iter()
                    .any(|role| dimension.value() == Some(self.queue_name(role)));
            }
            Some("TopicName") => Some(self.topic_name()),
            Some("FunctionName") => environment.ingest_function.as_deref(),
            Some("ApiId") => environment.api_id(),
            Some("DBClusterIdentifier") => environment.database_cluster.as_deref(),
            Some(_) | None => None,
        };
        named.is_some() && dimension.value() == named
    }
}

/// Of its metric, or of all metrics of its expression.
fn dimensions(alarm: &MetricAlarm) -> Vec<&Dimension> {
    let of_queries = alarm
        .metrics()
        .iter()
        .filter_map(|query| query.metric_stat()?.metric())
        .flat_map(|metric| metric.dimensions());
    alarm.dimensions().iter().chain(of_queries).collect()
}

fn metrics(alarm: &MetricAlarm) -> Vec<&str> {
    let of_queries = alarm
        .metrics()
        .iter()
        .filter_map(|query| query.metric_stat()?.metric()?.metric_name());
    alarm.metric_name().into_iter().chain(of_queries).collect()
}
