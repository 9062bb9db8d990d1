//! Metrics with times in the past, as CloudWatch would have them of a pipeline that has run for hours.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};

use crate::pipeline::Turn;

/// Sends one value of a metric for each number of hours ago.
pub(crate) fn put<const N: usize>(
    turn: &Turn,
    namespace: &str,
    (metric, dimension, of): (&str, &str, &str),
    hours_ago: [u64; N],
    values: [f64; N],
) {
    let data = hours_ago.into_iter().zip(values).map(|(hours, value)| {
        let ago = Duration::from_secs(hours * 3_600);
        let at = SystemTime::now().checked_sub(ago).unwrap();
        MetricDatum::builder()
            .metric_name(metric)
            .dimensions(Dimension::builder().name(dimension).value(of).build())
            .timestamp(DateTime::from(at))
            .value(value)
            .build()
    });
    turn.runtime.block_on(async {
        let config = devstack::sdk_config(&turn.endpoints.endpoint_url);
        aws_sdk_cloudwatch::Client::new(&config)
            .put_metric_data()
            .namespace(namespace)
            .set_metric_data(Some(data.collect()))
            .send()
            .await
            .unwrap();
    });
}
