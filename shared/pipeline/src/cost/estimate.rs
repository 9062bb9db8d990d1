//! From quantities to dollars. Pure.

use serde::Serialize;

use super::prices::{
    API_REQUEST, AURORA_ACU_HOUR, LAMBDA_GB_SECOND, LAMBDA_INVOCATION, METRIC_MONTH, PRICES_OF,
    SNS_PUBLISH, SQS_REQUEST,
};
use super::usage::Usage;

/// Hours of a month, as the calculator of AWS has them.
const HOURS: f64 = 730.0;
/// Memory of the ingest, the default of `terraform/variables.tf`, in GB.
const INGEST_MEMORY_GB: f64 = 0.5;
/// Shortest observed time that a month is computed from.
const OBSERVED_SECS_MIN: f64 = 3_600.0;
/// Messages of a batch, on average, as ours are sent and received.
const MESSAGES_PER_REQUEST: f64 = 10.0;

/// One price of an estimate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostLine {
    /// The service.
    pub service: &'static str,
    /// What is billed.
    pub what: &'static str,
    /// How many of it in a month; `None` where there are no metrics.
    pub quantity_per_month: Option<f64>,
    /// Price of one.
    pub usd_per_unit: f64,
    /// Price of a month.
    pub usd_per_month: Option<f64>,
    /// What the quantity assumes, or why it is not known.
    pub note: &'static str,
}

/// A month of an environment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostEstimate {
    /// Hours that the metrics cover.
    pub observed_hours: f64,
    /// What is billed.
    pub lines: Vec<CostLine>,
    /// Sum of what is known; `None` while less than an hour was observed.
    pub usd_per_month: Option<f64>,
    /// That sum by the events published.
    pub usd_per_million_events: Option<f64>,
    /// What it costs without an event: the smallest capacity of the database in an hour.
    pub usd_per_idle_month: Option<f64>,
    /// When and where the prices were valid.
    pub prices: &'static str,
}

impl CostEstimate {
    pub(super) fn of(usage: Usage) -> Self {
        let is_enough = usage.observed_secs >= OBSERVED_SECS_MIN;
        let months = usage.observed_secs / (HOURS * 3_600.0);
        let monthly = |quantity: Option<f64>| quantity.filter(|_| is_enough).map(|it| it / months);
        let gb_secs = usage.function_secs.map(|secs| secs * INGEST_MEMORY_GB);
        let hours = |capacity: Option<f64>| capacity.map(|acus| acus * HOURS);
        #[expect(clippy::cast_precision_loss, reason = "a dozen metrics")]
        let metrics = Some(usage.custom_metrics as f64);
        let lines = vec![
            line(
                "SNS",
                "messages published",
                monthly(usage.published),
                SNS_PUBLISH,
                "up to 64 KB each",
            ),
            line(
                "SQS",
                "requests",
                monthly(usage.queue_messages),
                SQS_REQUEST,
                "at most: one for each message sent, received, deleted",
            ),
            line(
                "Lambda",
                "invocations of the ingest",
                monthly(usage.invocations),
                LAMBDA_INVOCATION,
                "the api's are not known",
            ),
            line(
                "Lambda",
                "GB-seconds of the ingest",
                monthly(gb_secs),
                LAMBDA_GB_SECOND,
                "at 512 MiB",
            ),
            line(
                "API Gateway",
                "requests",
                monthly(usage.api_requests),
                API_REQUEST,
                "those of this console too",
            ),
            line(
                "Aurora",
                "ACU-hours",
                hours(usage.capacity),
                AURORA_ACU_HOUR,
                "needs database_cluster; without storage and I/O",
            ),
            line(
                "CloudWatch",
                "metrics of the ingest",
                metrics,
                METRIC_MONTH,
                "those that had values",
            ),
        ];
        let known: Vec<f64> = lines.iter().filter_map(|line| line.usd_per_month).collect();
        let usd_per_month = is_enough.then(|| known.iter().sum());
        let events = monthly(usage.published).filter(|events| *events > 0.0);
        Self {
            observed_hours: usage.observed_secs / 3_600.0,
            usd_per_million_events: usd_per_month
                .zip(events)
                .map(|(usd, events): (f64, f64)| usd / events * 1e6),
            usd_per_idle_month: hours(usage.capacity_min).map(|hours| hours * AURORA_ACU_HOUR),
            usd_per_month,
            lines,
            prices: PRICES_OF,
        }
    }
}

fn line(
    service: &'static str,
    what: &'static str,
    quantity: Option<f64>,
    usd_per_unit: f64,
    note: &'static str,
) -> CostLine {
    CostLine {
        service,
        what,
        quantity_per_month: quantity,
        usd_per_unit,
        usd_per_month: quantity.map(|quantity| quantity * usd_per_unit),
        note,
    }
}

/// Price of a redrive of so many messages: they are received, sent and deleted in batches of ten, and the ingest
/// receives and deletes them once more.
#[must_use]
pub fn redrive_usd(messages: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most some 100,000 messages")]
    let batches = (messages as f64 / MESSAGES_PER_REQUEST).ceil();
    5.0 * batches * SQS_REQUEST + batches * LAMBDA_INVOCATION
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        assert!(
            (value - expected).abs() < expected * 1e-6,
            "{value} {expected}"
        );
    }

    #[test]
    fn a_day_is_scaled_to_a_month_and_to_a_million_events() {
        let estimate = CostEstimate::of(Usage {
            observed_secs: 86_400.0,
            published: Some(1e6),
            queue_messages: Some(3e6),
            capacity: Some(0.5),
            capacity_min: Some(0.0),
            custom_metrics: 7,
            ..Usage::default()
        });
        let days = 730.0 / 24.0;
        let usd = days * (0.5 + 1.2) + 0.5 * 730.0 * 0.12 + 7.0 * 0.3;
        near(estimate.usd_per_month, usd);
        near(estimate.usd_per_million_events, usd / days);
        assert_eq!(estimate.usd_per_idle_month, Some(0.0));
        let api = estimate
            .lines
            .iter()
            .find(|line| line.service == "API Gateway");
        assert_eq!(api.unwrap().usd_per_month, None, "no metric is no zero");
    }

    #[test]
    fn some_minutes_are_no_month() {
        let estimate = CostEstimate::of(Usage {
            observed_secs: 600.0,
            published: Some(1e6),
            ..Usage::default()
        });
        assert_eq!(estimate.usd_per_month, None);
        assert_eq!(estimate.usd_per_million_events, None);
    }

    #[test]
    fn redrive_is_priced_by_its_requests() {
        near(
            Some(redrive_usd(100_000)),
            10_000.0 * (5.0 * 0.40e-6 + 0.20e-6),
        );
        near(Some(redrive_usd(1)), 5.0 * 0.40e-6 + 0.20e-6);
    }
}
