//! What Terraform and its provider call for each type of resource of the modules, and on what.
//!
//! Sources: the calls of the provider (hashicorp/aws 5.100, `internal/service`), and what each action takes for a
//! resource, with its dependent actions (Service Authorization Reference). What the provider reads is read by a plan as
//! well.

macro_rules! here {
    ($service:literal, $rest:literal) => {
        concat!("arn:aws:", $service, ":us-east-1:111122223333:", $rest)
    };
}

mod network;
mod services;

pub(super) use self::network::NETWORK;
pub(super) use self::services::SERVICES;

/// Actions for a type of resource, on one ARN, or on `*` where the action supports no resource.
pub(super) struct Managed {
    pub(super) kind: &'static str,
    pub(super) on: &'static str,
    pub(super) reads: &'static [&'static str],
    pub(super) writes: &'static [&'static str],
}

const fn of(
    kind: &'static str,
    on: &'static str,
    reads: &'static [&'static str],
    writes: &'static [&'static str],
) -> Managed {
    Managed {
        kind,
        on,
        reads,
        writes,
    }
}

/// Types that neither role manages, and who does.
pub(super) const NOT_BY_THE_ROLES: [(&str, &str); 7] = [
    ("aws_caller_identity", "everybody may ask that"),
    ("aws_kms_alias", "bootstrap, or whoever applies by hand"),
    ("aws_kms_key", "bootstrap, or whoever applies by hand"),
    ("aws_partition", "no call"),
    ("aws_rds_integration", "whoever applies by hand"),
    ("aws_redshift_resource_policy", "whoever applies by hand"),
    ("terraform_data", "no call"),
];

const ANY: &str = "*";
const ROLE: &str = "arn:aws:iam::111122223333:role/events-test-ingest";
const PASS_ROLE: &[&str] = &["iam:PassRole"];
