//! Publishes the metrics of queues and topics that AWS publishes itself and the emulator does not.
//!
//! Invariant: names, units and dimension are AWS's own ("Available CloudWatch metrics for Amazon SQS" and "… for Amazon SNS"), so
//! that the console reads CloudWatch in the same way everywhere. AWS publishes once a minute, this task
//! every five seconds; counts are those since the last publication. It publishes in the middle of each five
//! seconds of the clock: at their ends, a delay of milliseconds would move a count into the next period, and a
//! period of ten seconds would have one publication, or three, instead of two.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use serde::Deserialize;

use crate::metric_calls::{MetricCall, MetricCalls};
use crate::signed_request::http_client;
use crate::{DevstackError, Endpoints};

const QUEUES: &str = "AWS/SQS";
const TOPICS: &str = "AWS/SNS";
const INTERVAL: Duration = Duration::from_secs(5);
/// Time limit of one publication, so that it cannot block the next.
const PUBLICATION_LIMIT: Duration = Duration::from_secs(10);
/// Served by `emulator.py`.
const STATISTICS_PATH: &str = "/_opsconsole/statistics";

/// The emulator's statistics, by name of the queue and of the topic.
#[derive(Debug, Default, Deserialize)]
struct AllStatistics {
    queues: HashMap<String, Statistics>,
    topics: HashMap<String, TopicStatistics>,
}

/// Messages published to a topic since the emulator's start.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct TopicStatistics {
    published: u64,
}

/// The emulator's statistics of one queue; the last three count since its start.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
struct Statistics {
    visible: u64,
    in_flight: u64,
    delayed: u64,
    oldest_age_secs: f64,
    sent: u64,
    received: u64,
    deleted: u64,
}

impl Statistics {
    /// The metrics since `before`.
    fn metrics(&self, before: &Self) -> [(&'static str, f64, StandardUnit); 7] {
        let number = |name, value: u64| (name, count(value), StandardUnit::Count);
        let since = |name, now: u64, before: u64| number(name, now.saturating_sub(before));
        [
            number("ApproximateNumberOfMessagesVisible", self.visible),
            number("ApproximateNumberOfMessagesNotVisible", self.in_flight),
            number("ApproximateNumberOfMessagesDelayed", self.delayed),
            (
                "ApproximateAgeOfOldestMessage",
                self.oldest_age_secs.floor(),
                StandardUnit::Seconds,
            ),
            since("NumberOfMessagesSent", self.sent, before.sent),
            since("NumberOfMessagesReceived", self.received, before.received),
            since("NumberOfMessagesDeleted", self.deleted, before.deleted),
        ]
    }
}

/// Publishes until the future is dropped. A failure is logged, and what has no answer is sent again before anything
/// newer is measured.
pub(crate) async fn publish_for_ever(endpoints: Endpoints) {
    let client = aws_sdk_cloudwatch::Client::new(&endpoints.sdk_config());
    let mut before = AllStatistics::default();
    let mut calls = MetricCalls::default();
    loop {
        let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        tokio::time::sleep(until_next(since_epoch)).await;
        let publication = async {
            calls.send(&client).await?;
            let now = read(&endpoints.endpoint_url).await?;
            for call in measured(&now, &before) {
                calls.add(call);
            }
            before = now;
            calls.send(&client).await
        };
        match tokio::time::timeout(PUBLICATION_LIMIT, publication).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "metrics were not published"),
            Err(_) => tracing::warn!("metrics were not published in time"),
        }
    }
}

/// Time until the next middle of an interval of the clock; never zero.
fn until_next(since_epoch: Duration) -> Duration {
    let into = (since_epoch.as_millis() + INTERVAL.as_millis() / 2) % INTERVAL.as_millis();
    INTERVAL - Duration::from_millis(u64::try_from(into).unwrap_or(0))
}

/// The metrics since `before`.
fn measured(now: &AllStatistics, before: &AllStatistics) -> [MetricCall; 2] {
    let timestamp = DateTime::from_millis(chrono::Utc::now().timestamp_millis());
    let mut data = Vec::new();
    for (queue, statistics) in &now.queues {
        let dimension = Dimension::builder().name("QueueName").value(queue).build();
        let before = before.queues.get(queue).copied().unwrap_or_default();
        for (name, value, unit) in statistics.metrics(&before) {
            let datum = datum(&dimension, timestamp, name, value);
            data.push(datum.unit(unit).build());
        }
    }
    let topics = now.topics.iter().map(|(topic, statistics)| {
        let dimension = Dimension::builder().name("TopicName").value(topic).build();
        let before = before.topics.get(topic).copied().unwrap_or_default();
        let published = count(statistics.published.saturating_sub(before.published));
        datum(
            &dimension,
            timestamp,
            "NumberOfMessagesPublished",
            published,
        )
        .unit(StandardUnit::Count)
        .build()
    });
    let topics = topics.collect();
    [
        MetricCall::new(QUEUES, data),
        MetricCall::new(TOPICS, topics),
    ]
}

fn datum(
    dimension: &Dimension,
    timestamp: DateTime,
    name: &str,
    value: f64,
) -> aws_sdk_cloudwatch::types::builders::MetricDatumBuilder {
    MetricDatum::builder()
        .metric_name(name)
        .dimensions(dimension.clone())
        .timestamp(timestamp)
        .value(value)
}

async fn read(endpoint_url: &str) -> Result<AllStatistics, DevstackError> {
    let failed = |error: reqwest::Error| DevstackError::Aws {
        operation: "read the emulator's statistics".to_owned(),
        detail: error.to_string(),
    };
    let answer = http_client()?
        .get(format!("{endpoint_url}{STATISTICS_PATH}"))
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(failed)?;
    let text = answer.text().await.map_err(failed)?;
    serde_json::from_str(&text).map_err(|error| DevstackError::Aws {
        operation: "read the emulator's statistics".to_owned(),
        detail: error.to_string(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
const fn count(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ten_seconds_of_the_clock_have_two_publications_whatever_each_takes() {
        let mut at = Duration::from_millis(1_795_000_003_217);
        let mut published: HashMap<u64, u64> = HashMap::new();
        for round in 0..1_000_u64 {
            at += until_next(at);
            *published.entry(at.as_secs() / 10).or_default() += 1;
            // The timer is late, and the publication takes time.
            at += Duration::from_millis(1 + (round * 37) % 2_300);
        }
        let first = published.keys().min().copied().unwrap();
        let last = published.keys().max().copied().unwrap();
        published.retain(|period, _| (first + 1..last).contains(period));
        assert!(published.len() > 400);
        assert!(published.values().all(|number| *number == 2));
    }

    #[test]
    fn counts_are_those_since_the_last_publication() {
        let before = Statistics {
            sent: 10,
            deleted: 4,
            ..Statistics::default()
        };
        let now = Statistics {
            visible: 3,
            oldest_age_secs: 7.9,
            sent: 15,
            deleted: 4,
            ..before
        };
        let metrics = now.metrics(&before);
        let value = |wanted: &str| {
            metrics
                .iter()
                .find(|(name, ..)| *name == wanted)
                .map(|(_, value, _)| *value)
        };
        assert_eq!(value("NumberOfMessagesSent"), Some(5.0));
        assert_eq!(value("NumberOfMessagesDeleted"), Some(0.0));
        assert_eq!(value("ApproximateNumberOfMessagesVisible"), Some(3.0));
        assert_eq!(value("ApproximateAgeOfOldestMessage"), Some(7.0));
    }
}
