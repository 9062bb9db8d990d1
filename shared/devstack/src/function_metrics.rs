//! Publishes the metrics that functions log. On AWS, CloudWatch Logs extracts them; the emulator does not.
//!
//! Invariant: a metric has the namespace, name, dimensions and unit of the log record ("Embedded metric
//! format specification", CloudWatch user guide), so that the console reads CloudWatch in the same way
//! everywhere. Records of the same five seconds are sent as one statistic set: sums, averages, minima and
//! maxima are exact; percentiles and times within the five seconds are lost, and so are records that are
//! logged after the last publication.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit, StatisticSet};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::MissedTickBehavior;

use crate::log_file::LogReader;
use crate::metric_calls::{MetricCall, MetricCalls};
use crate::{DevstackError, Endpoints};

const INTERVAL: Duration = Duration::from_secs(5);
/// Records of this period are one statistic set.
const STEP_MS: i64 = 5_000;
/// Time limit of one publication, so that it cannot block the next.
const PUBLICATION_LIMIT: Duration = Duration::from_secs(10);
/// Most bytes of a log that one publication reads; the next one continues there.
const READ_BYTES_MAX: u64 = 4 * 1_024 * 1_024;
/// Most metrics of one call (CloudWatch API reference, "PutMetricData").
const CALL_METRICS_MAX: usize = 1_000;

/// Publishes new log records until the future is dropped. A failure is logged, and what has no answer is sent again
/// before anything newer is read.
pub(crate) async fn publish_for_ever(endpoints: Endpoints, log: LogReader) {
    let client = Client::new(&endpoints.sdk_config());
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut calls = MetricCalls::default();
    loop {
        interval.tick().await;
        let publication = async {
            calls.send(&client).await?;
            let (read, new) = logged(&log)?;
            for call in new {
                calls.add(call);
            }
            log.pass(read);
            calls.send(&client).await
        };
        match tokio::time::timeout(PUBLICATION_LIMIT, publication).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "function metrics were not published"),
            Err(_) => tracing::warn!("function metrics were not published in time"),
        }
    }
}

/// The calls for the records that were not read, and how many bytes were.
fn logged(log: &LogReader) -> Result<(usize, Vec<MetricCall>), DevstackError> {
    let lines = log.lines(READ_BYTES_MAX)?;
    let mut sums = Sums::default();
    for record in String::from_utf8_lossy(&lines)
        .lines()
        .filter_map(|line| serde_json::from_str::<Record>(line).ok())
    {
        sums.add(&record);
    }
    let calls = sums.data().into_iter().flat_map(|(namespace, data)| {
        let calls = data.chunks(CALL_METRICS_MAX);
        let calls = calls.map(|call| MetricCall::new(namespace.as_str(), call.to_vec()));
        calls.collect::<Vec<_>>()
    });
    Ok((lines.len(), calls.collect()))
}

/// A log line with metrics.
#[derive(Deserialize)]
struct Record {
    #[serde(rename = "_aws")]
    metadata: Metadata,
    #[serde(flatten)]
    members: Map<String, Value>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "Timestamp")]
    timestamp_ms: i64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: Vec<Directive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: String,
    dimensions: Vec<Vec<String>>,
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: String,
    unit: String,
}

/// Values with the same key belong to the same statistic set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    namespace: String,
    name: String,
    unit: String,
    dimensions: Vec<(String, String)>,
    step: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Sum {
    count: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

#[derive(Debug, Default)]
struct Sums(BTreeMap<Key, Sum>);

impl Sums {
    /// Adds the values of a record; members that are not numbers are ignored.
    fn add(&mut self, record: &Record) {
        let Record { metadata, members } = record;
        for directive in &metadata.directives {
            for set in &directive.dimensions {
                let dimensions: Vec<(String, String)> = set
                    .iter()
                    .filter_map(|name| {
                        Some((name.clone(), members.get(name)?.as_str()?.to_owned()))
                    })
                    .collect();
                for metric in &directive.metrics {
                    let Some(value) = members.get(&metric.name).and_then(Value::as_f64) else {
                        continue;
                    };
                    let key = Key {
                        namespace: directive.namespace.clone(),
                        name: metric.name.clone(),
                        unit: metric.unit.clone(),
                        dimensions: dimensions.clone(),
                        step: metadata.timestamp_ms.div_euclid(STEP_MS),
                    };
                    self.0
                        .entry(key)
                        .and_modify(|sum| sum.add(value))
                        .or_insert_with(|| Sum::of(value));
                }
            }
        }
    }

    /// The data for `PutMetricData`, by namespace.
    fn data(self) -> BTreeMap<String, Vec<MetricDatum>> {
        let mut data: BTreeMap<String, Vec<MetricDatum>> = BTreeMap::new();
        for (key, sum) in self.0 {
            let dimensions = key
                .dimensions
                .iter()
                .map(|(name, value)| Dimension::builder().name(name).value(value).build());
            let statistics = StatisticSet::builder()
                .sample_count(sum.count)
                .sum(sum.sum)
                .minimum(sum.minimum)
                .maximum(sum.maximum)
                .build();
            let datum = MetricDatum::builder()
                .metric_name(key.name)
                .set_dimensions(Some(dimensions.collect()))
                .timestamp(DateTime::from_millis(key.step * STEP_MS))
                .statistic_values(statistics)
                .unit(StandardUnit::from(key.unit.as_str()))
                .build();
            data.entry(key.namespace).or_default().push(datum);
        }
        data
    }
}

impl Sum {
    const fn of(value: f64) -> Self {
        Self {
            count: 1.0,
            sum: value,
            minimum: value,
            maximum: value,
        }
    }

    const fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.minimum = self.minimum.min(value);
        self.maximum = self.maximum.max(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(timestamp_ms: i64, stored: &str) -> String {
        format!(
            r#"{{"_aws":{{"Timestamp":{timestamp_ms},"CloudWatchMetrics":[{{"Namespace":"N","Dimensions":[["F"]],"Metrics":[{{"Name":"stored","Unit":"Count"}}]}}]}},"F":"ingest","stored":{stored},"other":7}}"#
        )
    }

    fn sums(lines: &[String]) -> Vec<(i64, Sum)> {
        let mut sums = Sums::default();
        for line in lines {
            sums.add(&serde_json::from_str(line).unwrap());
        }
        for key in sums.0.keys() {
            assert_eq!((key.namespace.as_str(), key.name.as_str()), ("N", "stored"));
            assert_eq!(key.dimensions, [("F".to_owned(), "ingest".to_owned())]);
        }
        sums.0
            .into_iter()
            .map(|(key, sum)| (key.step, sum))
            .collect()
    }

    #[test]
    fn records_of_one_step_are_one_value_with_its_extremes() {
        let lines = [record(0, "4"), record(4_999, "1"), record(5_000, "9")];
        let first = Sum {
            count: 2.0,
            sum: 5.0,
            minimum: 1.0,
            maximum: 4.0,
        };
        assert_eq!(sums(&lines), [(0, first), (1, Sum::of(9.0))]);
    }

    #[test]
    fn member_that_is_not_a_number_is_ignored() {
        assert!(sums(&[record(0, "\"many\"")]).is_empty());
        let plain = r#"{"level":"INFO","message":"no metrics","stored":4}"#;
        assert!(serde_json::from_str::<Record>(plain).is_err());
    }
}
