//! From quantities to dollars. Pure.

use serde::Serialize;

use super::prices::{
    API_REQUEST, AURORA_ACU_HOUR, LAMBDA_GB_SECOND, LAMBDA_INVOCATION, METRIC_MONTH, PRICES_OF,
    SNS_PUBLISH, SQS_REQUEST,
};
use super::usage::Usage;

/// Hours of a month, as the calculator of AWS has them.
const HOURS: f64 = 730.0;
/// Memory of the ingest where the entry does not name it: the default of `terraform/variables.tf`.
const INGEST_MEMORY_MIB: u32 = 512;
const MIB_PER_GB: f64 = 1_024.0;
/// What has a price and is in no line.
const NOT_INCLUDED: &str = "storage and I/O of the database, its master's secret, keys, alarms, dashboard, logs, endpoints of the \
    VPC, the functions api and migrate, and the calls of consoles; terraform/README.md has their prices under \"Costs\"";
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
    pub note: String,
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
    /// What the capacity of the database costs without an event: the smallest of an hour.
    pub usd_per_idle_month: Option<f64>,
    /// What has a price and is in no sum.
    pub not_included: &'static str,
    /// When and where the prices were valid.
    pub prices: &'static str,
}

impl CostEstimate {
    pub(super) fn of(usage: Usage) -> Self {
        let is_enough = usage.observed_secs >= OBSERVED_SECS_MIN;
        let months = usage.observed_secs / (HOURS * 3_600.0);
        let monthly = |quantity: Option<f64>| quantity.filter(|_| is_enough).map(|it| it / months);
        let memory_mib = usage.memory_mib.unwrap_or(INGEST_MEMORY_MIB);
        let gb_secs = usage
            .function_secs
            .map(|secs| secs * f64::from(memory_mib) / MIB_PER_GB);
        let instances = f64::from(usage.instances.unwrap_or(1));
        let hours = |capacity: Option<f64>| capacity.map(|acus| acus * instances * HOURS);
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
                "at most, for messages sent, received, deleted; without the calls of consoles",
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
                &memory_note(usage.memory_mib),
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
                &capacity_note(usage),
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
            not_included: NOT_INCLUDED,
            prices: PRICES_OF,
        }
    }
}

fn memory_note(memory_mib: Option<u32>) -> String {
    memory_mib.map_or_else(
        || format!("assumes {INGEST_MEMORY_MIB} MiB: ingest_memory_mib is not in the entry"),
        |mib| format!("at {mib} MiB"),
    )
}

fn capacity_note(usage: Usage) -> String {
    match (usage.capacity, usage.instances) {
        (None, _) => "needs database_cluster".to_owned(),
        (Some(_), Some(1)) => "one instance; without storage and I/O".to_owned(),
        (Some(_), Some(number)) => format!("{number} instances; without storage and I/O"),
        (Some(_), None) => {
            "assumes one instance: database_instances is not in the entry".to_owned()
        }
    }
}

fn line(
    service: &'static str,
    what: &'static str,
    quantity: Option<f64>,
    usd_per_unit: f64,
    note: &str,
) -> CostLine {
    CostLine {
        service,
        what,
        quantity_per_month: quantity,
        usd_per_unit,
        usd_per_month: quantity.map(|quantity| quantity * usd_per_unit),
        note: note.to_owned(),
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

    fn of_service<'a>(estimate: &'a CostEstimate, what: &str) -> &'a CostLine {
        let mut lines = estimate.lines.iter();
        lines.find(|line| line.what == what).unwrap()
    }

    #[test]
    fn capacity_is_that_of_all_instances() {
        let usage = Usage {
            observed_secs: 86_400.0,
            capacity: Some(2.5),
            capacity_min: Some(0.5),
            instances: Some(2),
            ..Usage::default()
        };
        let estimate = CostEstimate::of(usage);
        let aurora = of_service(&estimate, "ACU-hours");
        near(aurora.quantity_per_month, 2.0 * 2.5 * 730.0);
        assert!(aurora.note.starts_with("2 instances"), "{}", aurora.note);
        near(estimate.usd_per_idle_month, 2.0 * 0.5 * 730.0 * 0.12);
        let unknown = CostEstimate::of(Usage {
            instances: None,
            ..usage
        });
        let aurora = of_service(&unknown, "ACU-hours");
        assert!(aurora.note.contains("assumes one"), "{}", aurora.note);
    }

    #[test]
    fn seconds_of_the_ingest_have_its_memory() {
        let of = |memory_mib| {
            let estimate = CostEstimate::of(Usage {
                observed_secs: 86_400.0,
                function_secs: Some(1_000.0),
                memory_mib,
                ..Usage::default()
            });
            of_service(&estimate, "GB-seconds of the ingest").clone()
        };
        let days = 730.0 / 24.0;
        let (large, unknown) = (of(Some(1_024)), of(None));
        near(large.quantity_per_month, days * 1_000.0);
        assert_eq!(large.note, "at 1024 MiB");
        near(unknown.quantity_per_month, days * 500.0);
        assert!(unknown.note.contains("assumes 512"), "{}", unknown.note);
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
