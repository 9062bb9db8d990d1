//! List prices of AWS in us-east-1, in US dollars (the pricing pages of Aurora, Lambda, SQS, SNS, API Gateway and
//! CloudWatch). `terraform/README.md` computes with the same ones.

/// When and where the prices were valid.
pub const PRICES_OF: &str = "list prices of November 2026 in us-east-1, without free tiers";

/// A message published to SNS, up to 64 KB.
pub(super) const SNS_PUBLISH: f64 = 0.50e-6;
/// A request to a standard queue of SQS, up to 64 KB and 10 messages.
pub(super) const SQS_REQUEST: f64 = 0.40e-6;
/// An invocation of a Lambda function.
pub(super) const LAMBDA_INVOCATION: f64 = 0.20e-6;
/// A second of a Lambda function with 1 GB of memory, on arm64.
pub(super) const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
/// A request to an HTTP API, up to 512 KB.
pub(super) const API_REQUEST: f64 = 1.00e-6;
/// An hour of an Aurora capacity unit.
pub(super) const AURORA_ACU_HOUR: f64 = 0.12;
/// A month of a custom metric.
pub(super) const METRIC_MONTH: f64 = 0.30;
