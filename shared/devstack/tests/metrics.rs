//! The log of the ingest function becomes CloudWatch metrics, and contains no data of an event.
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use devstack::{
    BuildProfile, Durability, Endpoints, ProgressSender, Stack, StackOptions, functions,
};
use event::{FailureCode, ingest_metrics};
use serde_json::json;
use tokio::time::Instant;

const SETTLE_LIMIT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// A text that is in each body.
const MARKER: &str = "marker-of-a-body";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn event(id: &str) -> serde_json::Value {
    json!({
        "specversion": "1.0", "id": format!("{MARKER}-{id}"), "source": format!("/{MARKER}"),
        "type": "order.placed", "time": "2026-11-24T12:00:00Z",
        "traceparent": format!("00-{TRACE_ID}-00f067aa0ba902b7-01"), "data": MARKER,
    })
}

async fn start() -> Stack {
    let binaries = functions::build(BuildProfile::Debug, &ProgressSender::default())
        .await
        .unwrap();
    let mut options = StackOptions::new(binaries);
    options.durability = Durability::None;
    Stack::start(options).await.unwrap()
}

async fn publish(endpoints: &Endpoints, bodies: &[String]) {
    let sns = aws_sdk_sns::Client::new(&endpoints.sdk_config());
    for body in bodies {
        sns.publish()
            .topic_arn(&endpoints.topic_arn)
            .message(body)
            .send()
            .await
            .unwrap();
    }
}

/// The metrics of the ingest over the last minutes, by name.
async fn metrics(endpoints: &Endpoints) -> HashMap<String, f64> {
    let names = [
        (ingest_metrics::STORED, "Sum"),
        (ingest_metrics::LATE, "Sum"),
        (ingest_metrics::DUPLICATES, "Sum"),
        (ingest_metrics::EXPIRED, "Sum"),
        (ingest_metrics::DEAD_LETTERED, "Sum"),
        (ingest_metrics::RETRIED, "Sum"),
        (ingest_metrics::DATABASE_MS, "Maximum"),
        (ingest_metrics::LAG_P50_MS, "Average"),
        (ingest_metrics::LAG_MAX_MS, "Maximum"),
    ];
    let codes = FailureCode::ALL.map(|code| (ingest_metrics::failed(code), "Sum"));
    let names: Vec<(&str, &str)> = names.into_iter().chain(codes).collect();
    let queries = names.iter().enumerate().map(|(number, (name, statistic))| {
        let dimension = Dimension::builder()
            .name(ingest_metrics::DIMENSION)
            .value(&endpoints.ingest_function)
            .build();
        let metric = Metric::builder()
            .namespace(ingest_metrics::NAMESPACE)
            .metric_name(*name)
            .dimensions(dimension)
            .build();
        let statistic = MetricStat::builder()
            .metric(metric)
            .period(3_600)
            .stat(*statistic)
            .build();
        MetricDataQuery::builder()
            .id(format!("m{number}"))
            .metric_stat(statistic)
            .build()
    });
    let now = SystemTime::now();
    let hour = Duration::from_secs(3_600);
    let answer = aws_sdk_cloudwatch::Client::new(&endpoints.sdk_config())
        .get_metric_data()
        .set_metric_data_queries(Some(queries.collect()))
        .start_time(DateTime::from(now - hour))
        .end_time(DateTime::from(now + hour))
        .send()
        .await
        .unwrap();
    let mut found = HashMap::new();
    for (number, (name, statistic)) in names.iter().enumerate() {
        let id = format!("m{number}");
        let results = answer.metric_data_results();
        let result = results
            .iter()
            .find(|result| result.id() == Some(&id))
            .unwrap();
        // A new hour may have begun in between.
        let values = result.values().iter().copied();
        let value = if *statistic == "Sum" {
            values.reduce(|one, other| one + other)
        } else {
            values.reduce(f64::max)
        };
        found.extend(value.map(|value| ((*name).to_owned(), value)));
    }
    found
}

#[tokio::test]
async fn metrics_of_the_ingest_are_correct_and_its_log_contains_no_body() {
    let stack = start().await;
    let endpoints = stack.endpoints();
    assert_eq!(metrics(endpoints).await, HashMap::new(), "before any batch");
    let mut untimed = event("untimed");
    untimed["time"] = json!(MARKER);
    let good: Vec<String> = (0..5).map(|n| event(&n.to_string()).to_string()).collect();
    let broken = [
        untimed.to_string(),
        untimed.to_string(),
        format!("{MARKER} is not JSON"),
    ];
    publish(endpoints, &good).await;
    // Twice, so that some are duplicates whatever the batches are.
    publish(endpoints, &good[..2]).await;
    publish(endpoints, &broken).await;

    let counts = HashMap::from([
        (ingest_metrics::STORED, 5.0),
        (ingest_metrics::LATE, 0.0),
        (ingest_metrics::DUPLICATES, 2.0),
        (ingest_metrics::EXPIRED, 0.0),
        (ingest_metrics::DEAD_LETTERED, 3.0),
        (ingest_metrics::RETRIED, 0.0),
        ("failed_invalid-time", 2.0),
        ("failed_not-json", 1.0),
    ]);
    let deadline = Instant::now() + SETTLE_LIMIT;
    let seen = loop {
        let seen = metrics(endpoints).await;
        if counts
            .iter()
            .all(|(name, count)| seen.get(*name) == Some(count))
        {
            break seen;
        }
        assert!(Instant::now() < deadline, "{seen:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    };
    let limit_ms = SETTLE_LIMIT.as_secs_f64() * 1_000.0;
    let (p50, max) = (
        seen[ingest_metrics::LAG_P50_MS],
        seen[ingest_metrics::LAG_MAX_MS],
    );
    assert!(0.0 < p50 && p50 <= max && max < limit_ms, "{seen:?}");
    assert!(seen[ingest_metrics::DATABASE_MS] < limit_ms, "{seen:?}");
    let times = 3;
    assert_eq!(seen.len(), counts.len() + times, "{seen:?}");

    let log = stack.ingest_log().unwrap();
    assert!(log.contains("batch handled"), "{log}");
    assert!(
        !log.contains(MARKER),
        "the log contains a body or an id: {log}"
    );
    assert!(log.contains(TRACE_ID), "{log}");
    stack.stop().await.unwrap();
}
