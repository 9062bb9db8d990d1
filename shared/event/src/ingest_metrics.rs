//! Names of the CloudWatch metrics of the ingest.
//!
//! Invariant: the function that writes them and the console that reads them use these constants; a
//! published name keeps its meaning.

use crate::failure::FailureCode;

/// Namespace of all metrics of the ingest.
pub const NAMESPACE: &str = "OpsConsole/Ingest";
/// The only dimension of the metrics; its value is the name of the function.
pub const DIMENSION: &str = "FunctionName";
/// Messages whose event was stored.
pub const STORED: &str = "stored";
/// Of these, messages whose event was stored more than [`LATE_AFTER_SECS`] after its publish.
pub const LATE: &str = "late";
/// The objective of freshness, in seconds from publish to commit (`terraform/README.md`, "Objectives").
pub const LATE_AFTER_SECS: u64 = 60;
/// Messages whose event was stored before.
pub const DUPLICATES: &str = "duplicates";
/// Messages whose event was not stored because it occurred before the retention horizon.
pub const EXPIRED: &str = "expired";
/// Messages that the function sent to the dead-letter queue.
pub const DEAD_LETTERED: &str = "dead_lettered";
/// Messages that were reported for retry.
pub const RETRIED: &str = "retried";
/// Time that the database took for a batch, in milliseconds.
pub const DATABASE_MS: &str = "database_ms";
/// Time from publish to commit, in milliseconds: the median over the stored events of a batch.
pub const LAG_P50_MS: &str = "lag_p50_ms";
/// Time from publish to commit, in milliseconds: the maximum over the stored events of a batch.
pub const LAG_MAX_MS: &str = "lag_max_ms";

/// Name of the metric that counts messages which failed permanently with this code. It is sent only
/// for batches with such messages.
#[must_use]
pub const fn failed(code: FailureCode) -> &'static str {
    match code {
        FailureCode::NotJson => "failed_not-json",
        FailureCode::NotAnEvent => "failed_not-an-event",
        FailureCode::UnsupportedSpecversion => "failed_unsupported-specversion",
        FailureCode::MissingAttribute => "failed_missing-attribute",
        FailureCode::InvalidAttribute => "failed_invalid-attribute",
        FailureCode::InvalidTime => "failed_invalid-time",
        FailureCode::TooLarge => "failed_too-large",
        FailureCode::RefusedByDatabase => "failed_refused-by-database",
        FailureCode::ReplacementNotPermitted => "failed_replacement-not-permitted",
        FailureCode::ReplacementStale => "failed_replacement-stale",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_of_a_code_contains_the_published_code() {
        for code in FailureCode::ALL {
            assert_eq!(failed(code), format!("failed_{code}"));
        }
    }
}
