//! What the CloudWatch metrics of the ingest are called. Invariant: who writes them and who reads
//! them take the names from here; a name once published keeps its meaning.

use crate::failure::FailureCode;

/// Namespace of all of them.
pub const NAMESPACE: &str = "OpsConsole/Ingest";
/// Their one dimension; its value is the name of the function.
pub const DIMENSION: &str = "FunctionName";
/// Messages that became records.
pub const STORED: &str = "stored";
/// Messages whose event was a record already.
pub const DUPLICATES: &str = "duplicates";
/// Messages that the function sent to the dead-letter queue.
pub const DEAD_LETTERED: &str = "dead_lettered";
/// Messages that were reported for retry.
pub const RETRIED: &str = "retried";
/// Milliseconds that the database took for a batch.
pub const DATABASE_MS: &str = "database_ms";
/// Median over the stored events of a batch of the milliseconds from publish to commit.
pub const LAG_P50_MS: &str = "lag_p50_ms";
/// The longest of them.
pub const LAG_MAX_MS: &str = "lag_max_ms";

/// Messages that failed for good with this code. It is published only where there were some.
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_of_a_code_holds_the_code_as_it_is_published() {
        for code in FailureCode::ALL {
            assert_eq!(failed(code), format!("failed_{code}"));
        }
    }
}
