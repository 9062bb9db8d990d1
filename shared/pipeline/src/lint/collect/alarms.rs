//! The alarms on metrics of this pipeline, and the composite alarms above them.

use aws_sdk_cloudwatch::types::{AlarmType, CompositeAlarm, Dimension, MetricAlarm};

use crate::alarms::{Seen, what_to_do};
use crate::lint::alarm_rule::alarms_in_rule;
use crate::lint::facts::AlarmFacts;
use crate::model::QueueRole;
use crate::{Attempt, Pipeline, PipelineError};

/// Alarms of one page (Amazon CloudWatch API reference, "DescribeAlarms").
const PAGE: i32 = 100;
/// Most pages.
const PAGES_MAX: usize = 20;
const QUEUES: &str = "AWS/SQS";
const DEPTH: &str = "ApproximateNumberOfMessagesVisible";

impl Pipeline {
    /// Those whose metric has a dimension that names a part of this pipeline, and those whose rule names one of these.
    pub(super) async fn alarm_facts(&self) -> Result<Vec<AlarmFacts>, PipelineError> {
        let attempt = Attempt::start("list the alarms", self.aws_address("monitoring"));
        let cloudwatch = &self.aws().await.cloudwatch;
        let (mut facts, mut composite) = (Vec::new(), Vec::new());
        let mut next = None;
        for _ in 0..PAGES_MAX {
            let request = cloudwatch
                .describe_alarms()
                .max_records(PAGE)
                // Without types, alarms on metrics alone are listed.
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .set_next_token(next.take());
            let page = request.send().await.map_err(|error| attempt.sdk(&error))?;
            let alarms = page.metric_alarms.unwrap_or_default();
            facts.extend(alarms.iter().filter_map(|alarm| self.alarm(alarm)));
            let alarms = page.composite_alarms.unwrap_or_default();
            composite.extend(alarms.iter().map(composite_alarm));
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(with_parents(facts, composite));
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
        Some(AlarmFacts {
            is_of_dead_letters: watches_depth_of(dead, alarm),
            ..facts_of(alarm.into())
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

/// Whether the alarm is on this one metric: an expression may be below its threshold while the queue is not empty.
fn watches_depth_of(queue: &str, alarm: &MetricAlarm) -> bool {
    let is_queue = |one: &Dimension| one.name() == Some("QueueName") && one.value() == Some(queue);
    alarm.metrics().is_empty()
        && alarm.namespace() == Some(QUEUES)
        && alarm.metric_name() == Some(DEPTH)
        && alarm.dimensions().iter().any(is_queue)
}

fn composite_alarm(alarm: &CompositeAlarm) -> AlarmFacts {
    AlarmFacts {
        children: alarms_in_rule(alarm.alarm_rule().unwrap_or_default()),
        ..facts_of(alarm.into())
    }
}

/// Of an alarm of either kind.
fn facts_of(seen: Seen<'_>) -> AlarmFacts {
    AlarmFacts {
        name: seen.name.unwrap_or_default().to_owned(),
        state: seen.state.unwrap_or_default().to_owned(),
        state_reason: seen.reason.unwrap_or_default().to_owned(),
        actions: seen.actions,
        actions_enabled: seen.actions_enabled,
        is_of_dead_letters: false,
        what_to_do: seen.description.and_then(what_to_do),
        children: Vec::new(),
    }
}

/// With those composite alarms whose state depends on one of these.
fn with_parents(mut facts: Vec<AlarmFacts>, mut others: Vec<AlarmFacts>) -> Vec<AlarmFacts> {
    loop {
        let is_known = |name: &String| facts.iter().any(|fact| fact.name == *name);
        let (parents, rest): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|one| one.children.iter().any(is_known));
        if parents.is_empty() {
            return facts;
        }
        facts.extend(parents);
        others = rest;
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::types::{Metric, MetricDataQuery, MetricStat};

    use super::*;

    fn dimension(queue: &str) -> Dimension {
        Dimension::builder().name("QueueName").value(queue).build()
    }

    #[test]
    fn alarm_of_dead_letters_is_one_on_their_depth_alone() {
        let depth = MetricAlarm::builder()
            .namespace(QUEUES)
            .metric_name(DEPTH)
            .dimensions(dimension("dead"));
        assert!(watches_depth_of("dead", &depth.clone().build()));
        assert!(!watches_depth_of("queue", &depth.clone().build()));
        let age = depth.metric_name("ApproximateAgeOfOldestMessage");
        assert!(!watches_depth_of("dead", &age.build()));
        // As a window of the objective `durability`: the depth of the queue, and what came to the other one.
        let query = |id: &str, metric: &str, queue: &str| {
            let metric = Metric::builder()
                .namespace(QUEUES)
                .metric_name(metric)
                .dimensions(dimension(queue))
                .build();
            let stat = MetricStat::builder().metric(metric).stat("Maximum");
            let query = MetricDataQuery::builder().id(id);
            query.metric_stat(stat.period(60).build()).build()
        };
        let window = MetricAlarm::builder()
            .metrics(query("waiting", DEPTH, "queue"))
            .metrics(query("dead_most", DEPTH, "dead"))
            .metrics(MetricDataQuery::builder().id("ratio").build());
        assert!(!watches_depth_of("dead", &window.build()));
    }

    #[test]
    fn composite_alarms_of_this_pipeline_are_those_above_its_alarms() {
        let named = |name: &str, rule: &str| {
            let alarm = CompositeAlarm::builder();
            composite_alarm(&alarm.alarm_name(name).alarm_rule(rule).build())
        };
        let own = AlarmFacts {
            name: "own".to_owned(),
            ..AlarmFacts::default()
        };
        let others = vec![
            named("above-both", "ALARM(\"above\") OR ALARM(other)"),
            named("above", "ALARM(\"own\")"),
            named("foreign", "ALARM(other)"),
        ];
        let all = with_parents(vec![own], others);
        let names: Vec<&str> = all.iter().map(|alarm| alarm.name.as_str()).collect();
        assert_eq!(names, ["own", "above", "above-both"]);
    }
}
