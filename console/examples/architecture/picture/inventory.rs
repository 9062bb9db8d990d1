//! What the picture shows of Terraform, and what it leaves out and why. Both lists are complete: neither may miss
//! anything that Terraform has, nor name anything that it has not.

use std::collections::BTreeSet;

use strum::IntoEnumIterator;

use super::terraform::Terraform;

/// A part of the picture that stands for something in Terraform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::EnumIter)]
pub(crate) enum Component {
    Topic,
    FanOut,
    Queue,
    DeadLetterQueue,
    Vpc,
    PublicSubnets,
    PrivateSubnets,
    InternetGateway,
    NatGateways,
    EgressOnlyGateway,
    SqsEndpoints,
    FunctionsGroup,
    DatabaseGroup,
    FlowLog,
    Database,
    Reader,
    Polling,
    Ingest,
    Migrate,
    ApiFunction,
    Roles,
    HttpApi,
    Schedule,
    CloudWatch,
    AlarmTopic,
    AlarmMail,
    Key,
    ExportBucket,
    ZeroEtl,
}

/// A folder below `terraform`, and an address in it.
type Evidence = (&'static str, &'static str);

impl Component {
    /// What it stands for.
    pub(crate) const fn evidence(self) -> &'static [Evidence] {
        match self {
            Self::Topic => &[
                ("modules/messaging", "aws_sns_topic.events"),
                ("", "module.messaging"),
            ],
            Self::FanOut => &[("modules/messaging", "aws_sns_topic_subscription.queue")],
            Self::Queue => &[("modules/messaging", "aws_sqs_queue.events")],
            Self::DeadLetterQueue => &[("modules/messaging", "aws_sqs_queue.dead_letters")],
            Self::Vpc => &[("modules/network", "aws_vpc.this"), ("", "module.network")],
            Self::PublicSubnets => &[("modules/network", "aws_subnet.public")],
            Self::PrivateSubnets => &[("modules/network", "aws_subnet.private")],
            Self::InternetGateway => &[("modules/network", "aws_internet_gateway.this")],
            Self::NatGateways => &[("modules/network", "aws_nat_gateway.this")],
            Self::EgressOnlyGateway => {
                &[("modules/network", "aws_egress_only_internet_gateway.this")]
            }
            Self::SqsEndpoints => &[
                ("modules/network", "aws_vpc_endpoint.sqs"),
                ("modules/network", "aws_security_group.endpoint"),
            ],
            Self::FunctionsGroup => &[("modules/network", "aws_security_group.functions")],
            Self::DatabaseGroup => &[("modules/network", "aws_security_group.database")],
            Self::FlowLog => &[("modules/network", "aws_flow_log.this")],
            Self::Database => &[
                ("modules/database", "aws_rds_cluster.this"),
                ("", "module.database"),
            ],
            Self::Reader => &[("modules/database", "aws_rds_cluster_instance.this")],
            Self::Polling => &[("modules/function", "aws_lambda_event_source_mapping.queue")],
            Self::Ingest => &[
                ("", "module.ingest"),
                ("modules/function", "aws_lambda_function.this"),
            ],
            Self::Migrate => &[("", "module.migrate")],
            Self::ApiFunction => &[("", "module.api_function")],
            Self::Roles => &[("", "module.roles")],
            Self::HttpApi => &[
                ("modules/api", "aws_apigatewayv2_api.this"),
                ("", "module.api"),
            ],
            Self::Schedule => &[("", "aws_scheduler_schedule.migrate")],
            Self::CloudWatch => &[
                ("modules/observability", "aws_cloudwatch_metric_alarm.this"),
                (
                    "modules/observability",
                    "aws_cloudwatch_metric_alarm.slo_window",
                ),
                (
                    "modules/observability",
                    "aws_cloudwatch_metric_alarm.planned_pause",
                ),
                (
                    "modules/observability",
                    "aws_cloudwatch_composite_alarm.slo",
                ),
                ("modules/observability", "aws_cloudwatch_dashboard.this"),
                ("", "module.observability"),
            ],
            Self::AlarmTopic => &[("modules/observability", "aws_sns_topic.notifications")],
            Self::AlarmMail => &[("modules/observability", "aws_sns_topic_subscription.email")],
            Self::Key => &[("modules/key", "aws_kms_key.this"), ("", "module.key")],
            Self::ExportBucket => &[
                ("modules/warehouse", "aws_s3_bucket.export"),
                ("", "module.warehouse"),
            ],
            Self::ZeroEtl => &[("modules/warehouse", "aws_rds_integration.redshift")],
        }
    }
}

/// Kinds of resources that are not drawn.
const KINDS_NOT_DRAWN: &[(&str, &str)] = &[
    (
        "aws_apigatewayv2_authorizer",
        "a setting of the API that is drawn",
    ),
    (
        "aws_apigatewayv2_integration",
        "the arrow from the API to its function",
    ),
    (
        "aws_apigatewayv2_route",
        "a setting of the API that is drawn",
    ),
    (
        "aws_apigatewayv2_stage",
        "a setting of the API that is drawn",
    ),
    ("aws_budgets_budget", "a limit of the bill, and not a part"),
    (
        "aws_cloudwatch_log_group",
        "every part has one; CloudWatch is drawn once",
    ),
    (
        "aws_db_subnet_group",
        "the database is drawn in its subnets",
    ),
    ("aws_default_security_group", "closed, and nothing is in it"),
    ("aws_eip", "a part of a NAT gateway"),
    ("aws_iam_policy", "a right: terraform/README.md lists them"),
    ("aws_iam_role", "a right: terraform/README.md lists them"),
    (
        "aws_iam_role_policy",
        "a right: terraform/README.md lists them",
    ),
    (
        "aws_iam_role_policy_attachment",
        "a right: terraform/README.md lists them",
    ),
    ("aws_kms_alias", "a name of the key that is drawn"),
    (
        "aws_lambda_invocation",
        "what Terraform calls while it applies, and not a part",
    ),
    ("aws_lambda_permission", "the right behind an arrow"),
    (
        "aws_rds_cluster_parameter_group",
        "settings of the database that is drawn",
    ),
    ("aws_redshift_resource_policy", "the right behind an arrow"),
    ("aws_route", "the routes are the arrows to the gateways"),
    (
        "aws_route_table",
        "the routes are the arrows to the gateways",
    ),
    (
        "aws_route_table_association",
        "the routes are the arrows to the gateways",
    ),
    (
        "aws_s3_bucket_lifecycle_configuration",
        "a setting of the bucket that is drawn",
    ),
    (
        "aws_s3_bucket_ownership_controls",
        "a setting of the bucket that is drawn",
    ),
    (
        "aws_s3_bucket_policy",
        "a right: terraform/README.md lists them",
    ),
    (
        "aws_s3_bucket_public_access_block",
        "a setting of the bucket that is drawn",
    ),
    (
        "aws_s3_bucket_server_side_encryption_configuration",
        "a setting of the bucket that is drawn",
    ),
    ("aws_sns_topic_policy", "the right behind an arrow"),
    ("aws_sqs_queue_policy", "the right behind an arrow"),
    (
        "aws_sqs_queue_redrive_allow_policy",
        "the right behind an arrow",
    ),
    (
        "aws_vpc_security_group_egress_rule",
        "the arrows out of a security group",
    ),
    (
        "aws_vpc_security_group_ingress_rule",
        "the arrows into a security group",
    ),
    ("terraform_data", "a check while Terraform plans"),
];

/// Folders that are not drawn.
const FOLDERS_NOT_DRAWN: &[(&str, &str)] = &[
    (
        "bootstrap",
        "what exists before a pipeline: state, access of GitHub, keys",
    ),
    (
        "environments/local",
        "an emulator, which has neither network nor zones",
    ),
];

/// Folders that are drawn by their settings, and what is in them.
const ENVIRONMENTS: &[Evidence] = &[
    ("environments/pilot", "module.pipeline"),
    ("environments/production", "module.pipeline"),
];

/// Where the picture and Terraform differ, one sentence each.
pub(crate) fn differences(terraform: &Terraform, drawn: &BTreeSet<Component>) -> Vec<String> {
    let mut found = Vec::new();
    for component in Component::iter() {
        if !drawn.contains(&component) {
            found.push(format!(
                "{component:?} is in the inventory, and nothing draws it"
            ));
        }
    }
    let shown: BTreeSet<Evidence> = Component::iter()
        .flat_map(Component::evidence)
        .chain(ENVIRONMENTS)
        .copied()
        .collect();
    for (folder, address) in &shown {
        if !terraform.addresses(folder).contains(*address) {
            let place = place(folder);
            found.push(format!(
                "the picture draws {address}, which {place} does not have"
            ));
        }
    }
    let mut left_out = BTreeSet::new();
    for folder in terraform.folders() {
        if let Some((name, _)) = FOLDERS_NOT_DRAWN.iter().find(|(name, _)| *name == folder) {
            left_out.insert(*name);
            continue;
        }
        let place = place(folder);
        let addresses = terraform.addresses(folder);
        if !addresses
            .iter()
            .any(|address| shown.contains(&(folder, address.as_str())))
        {
            found.push(format!("{place} is neither drawn nor listed as not drawn"));
            continue;
        }
        for address in &addresses {
            let kind = address.split('.').next().unwrap_or_default();
            if let Some((name, _)) = KINDS_NOT_DRAWN.iter().find(|(name, _)| *name == kind) {
                left_out.insert(*name);
            } else if !shown.contains(&(folder, address.as_str())) {
                found.push(format!(
                    "{address} of {place} is neither drawn nor listed as not drawn"
                ));
            }
        }
    }
    for (name, _) in KINDS_NOT_DRAWN.iter().chain(FOLDERS_NOT_DRAWN) {
        if !left_out.contains(name) {
            found.push(format!(
                "{name} is listed as not drawn, and Terraform does not have it"
            ));
        }
    }
    found
}

fn place(folder: &str) -> String {
    if folder.is_empty() {
        "the root module".to_owned()
    } else {
        folder.to_owned()
    }
}
