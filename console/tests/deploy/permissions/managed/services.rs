//! Messaging, functions, API, alarms, roles and the bucket.

use super::{ANY, Managed, PASS_ROLE, ROLE, of};

macro_rules! api {
    ($path:literal) => {
        concat!("arn:aws:apigateway:us-east-1::/", $path)
    };
}

const ALARM: &str = here!("cloudwatch", "alarm:events-test-lost");
const BUCKET: &str = "arn:aws:s3:::events-test-exports";
const BUDGET: &str = "arn:aws:budgets::111122223333:budget/events-test-monthly";
const DASHBOARD: &str = "arn:aws:cloudwatch::111122223333:dashboard/events-test";
const FUNCTION: &str = here!("lambda", "function:events-test-ingest");
const MAPPING: &str = here!("lambda", "event-source-mapping:1111");
const POLICY: &str = "arn:aws:iam::111122223333:policy/events-test-console";
const QUEUE: &str = here!("sqs", "events-test-queue");
const SCHEDULE: &str = here!("scheduler", "schedule/default/events-test-migrate");
const TOPIC: &str = here!("sns", "events-test");
const READ_QUEUE: &[&str] = &["sqs:GetQueueAttributes"];
/// A part of an API: it is made at the path of all, and changed at its own.
const API_PART: &[&str] = &["apigateway:PATCH", "apigateway:DELETE"];
const API_READ: &[&str] = &["apigateway:GET"];
const API_MAKE: &[&str] = &["apigateway:POST"];

/// Each type with its actions.
pub(in super::super) const SERVICES: &[Managed] = &[
    of("aws_apigatewayv2_api", api!("apis"), &[], API_MAKE),
    of(
        "aws_apigatewayv2_api",
        api!("apis/abcdefghij"),
        API_READ,
        API_PART,
    ),
    of(
        "aws_apigatewayv2_api",
        api!("tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapis%2Fabcdefghij"),
        &[],
        &["apigateway:POST", "apigateway:DELETE"],
    ),
    of(
        "aws_apigatewayv2_authorizer",
        api!("apis/abcdefghij/authorizers"),
        &[],
        API_MAKE,
    ),
    of(
        "aws_apigatewayv2_authorizer",
        api!("apis/abcdefghij/authorizers/a"),
        API_READ,
        API_PART,
    ),
    of(
        "aws_apigatewayv2_integration",
        api!("apis/abcdefghij/integrations"),
        &[],
        API_MAKE,
    ),
    of(
        "aws_apigatewayv2_integration",
        api!("apis/abcdefghij/integrations/a"),
        API_READ,
        API_PART,
    ),
    of(
        "aws_apigatewayv2_route",
        api!("apis/abcdefghij/routes"),
        &[],
        API_MAKE,
    ),
    of(
        "aws_apigatewayv2_route",
        api!("apis/abcdefghij/routes/a"),
        API_READ,
        API_PART,
    ),
    of(
        "aws_apigatewayv2_stage",
        api!("apis/abcdefghij/stages"),
        &[],
        API_MAKE,
    ),
    of(
        "aws_apigatewayv2_stage",
        api!("apis/abcdefghij/stages/$default"),
        API_READ,
        API_PART,
    ),
    // Its access log (API Gateway Developer Guide, "Configure logging for HTTP APIs").
    of(
        "aws_apigatewayv2_stage",
        ANY,
        &[],
        &[
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
        ],
    ),
    of(
        "aws_budgets_budget",
        BUDGET,
        &["budgets:ViewBudget", "budgets:ListTagsForResource"],
        &[
            "budgets:ModifyBudget",
            "budgets:TagResource",
            "budgets:UntagResource",
        ],
    ),
    // One of all alarms needs all of them.
    of(
        "aws_cloudwatch_composite_alarm",
        ANY,
        &["cloudwatch:DescribeAlarms"],
        &["cloudwatch:PutCompositeAlarm"],
    ),
    of(
        "aws_cloudwatch_composite_alarm",
        ALARM,
        &["cloudwatch:ListTagsForResource"],
        &[
            "cloudwatch:DeleteAlarms",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
        ],
    ),
    of(
        "aws_cloudwatch_metric_alarm",
        ALARM,
        &[
            "cloudwatch:DescribeAlarms",
            "cloudwatch:ListTagsForResource",
        ],
        &[
            "cloudwatch:DeleteAlarms",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
        ],
    ),
    of(
        "aws_cloudwatch_dashboard",
        DASHBOARD,
        &["cloudwatch:GetDashboard"],
        &["cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"],
    ),
    of(
        "aws_cloudwatch_log_group",
        ANY,
        &["logs:DescribeLogGroups"],
        &[],
    ),
    of(
        "aws_cloudwatch_log_group",
        here!("logs", "log-group:/aws/lambda/events-test-ingest"),
        LOG_READ,
        LOG_WRITE,
    ),
    of(
        "aws_cloudwatch_log_group",
        here!(
            "logs",
            "log-group:/aws/rds/cluster/events-test-database/postgresql"
        ),
        LOG_READ,
        LOG_WRITE,
    ),
    of(
        "aws_cloudwatch_log_group",
        here!(
            "logs",
            "log-group:/aws/vendedlogs/apigateway/events-test-api"
        ),
        LOG_READ,
        LOG_WRITE,
    ),
    of(
        "aws_cloudwatch_log_group",
        here!("logs", "log-group:/vpc/events-test/flow-logs"),
        LOG_READ,
        LOG_WRITE,
    ),
    of(
        "aws_iam_policy",
        POLICY,
        &[
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:ListPolicyVersions",
        ],
        // A new version only where people have a boundary (`operators_bounded`).
        &[
            "iam:CreatePolicy",
            "iam:DeletePolicy",
            "iam:DeletePolicyVersion",
            "iam:TagPolicy",
            "iam:UntagPolicy",
        ],
    ),
    of(
        "aws_iam_role",
        ROLE,
        &[
            "iam:GetRole",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
        ],
        &[
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:ListInstanceProfilesForRole",
            "iam:PutRolePermissionsBoundary",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
            "iam:UpdateRoleDescription",
        ],
    ),
    of(
        "aws_iam_role_policy",
        ROLE,
        &["iam:GetRolePolicy"],
        &["iam:DeleteRolePolicy", "iam:PutRolePolicy"],
    ),
    of(
        "aws_iam_role_policy_attachment",
        ROLE,
        &["iam:ListAttachedRolePolicies"],
        &["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
    ),
    // Limited by the function, which is a condition.
    of(
        "aws_lambda_event_source_mapping",
        ANY,
        &[],
        &[
            "lambda:CreateEventSourceMapping",
            "lambda:DeleteEventSourceMapping",
            "lambda:UpdateEventSourceMapping",
        ],
    ),
    of(
        "aws_lambda_event_source_mapping",
        MAPPING,
        &["lambda:GetEventSourceMapping", "lambda:ListTags"],
        &["lambda:TagResource", "lambda:UntagResource"],
    ),
    of(
        "aws_lambda_function",
        FUNCTION,
        &[
            "lambda:GetFunction",
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
        ],
        &[
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:DeleteFunctionConcurrency",
            "lambda:GetFunctionConfiguration",
            "lambda:PutFunctionConcurrency",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ],
    ),
    of("aws_lambda_function", ROLE, &[], PASS_ROLE),
    // In a VPC (AWS Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC").
    of(
        "aws_lambda_function",
        ANY,
        &[],
        &[
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        ],
    ),
    of(
        "aws_lambda_invocation",
        FUNCTION,
        &[],
        &["lambda:InvokeFunction"],
    ),
    of(
        "aws_lambda_permission",
        FUNCTION,
        &["lambda:GetPolicy"],
        &["lambda:AddPermission", "lambda:RemovePermission"],
    ),
    of(
        "aws_s3_bucket",
        BUCKET,
        BUCKET_READ,
        &["s3:CreateBucket", "s3:DeleteBucket", "s3:PutBucketTagging"],
    ),
    of(
        "aws_s3_bucket_lifecycle_configuration",
        BUCKET,
        &["s3:GetLifecycleConfiguration"],
        &["s3:PutLifecycleConfiguration"],
    ),
    of(
        "aws_s3_bucket_ownership_controls",
        BUCKET,
        &["s3:GetBucketOwnershipControls"],
        &["s3:PutBucketOwnershipControls"],
    ),
    of(
        "aws_s3_bucket_policy",
        BUCKET,
        &["s3:GetBucketPolicy"],
        &["s3:DeleteBucketPolicy", "s3:PutBucketPolicy"],
    ),
    of(
        "aws_s3_bucket_public_access_block",
        BUCKET,
        &["s3:GetBucketPublicAccessBlock"],
        &["s3:PutBucketPublicAccessBlock"],
    ),
    of(
        "aws_s3_bucket_server_side_encryption_configuration",
        BUCKET,
        &["s3:GetEncryptionConfiguration"],
        &["s3:PutEncryptionConfiguration"],
    ),
    of(
        "aws_scheduler_schedule",
        SCHEDULE,
        &["scheduler:GetSchedule"],
        &[
            "scheduler:CreateSchedule",
            "scheduler:DeleteSchedule",
            "scheduler:UpdateSchedule",
        ],
    ),
    of("aws_scheduler_schedule", ROLE, &[], PASS_ROLE),
    // The default of a quota is read first.
    of(
        "aws_servicequotas_service_quota",
        ANY,
        &[
            "servicequotas:GetAWSDefaultServiceQuota",
            "servicequotas:GetServiceQuota",
        ],
        &[],
    ),
    of(
        "aws_sns_topic",
        TOPIC,
        &["sns:GetTopicAttributes", "sns:ListTagsForResource"],
        &[
            "sns:CreateTopic",
            "sns:DeleteTopic",
            "sns:SetTopicAttributes",
            "sns:TagResource",
            "sns:UntagResource",
        ],
    ),
    of(
        "aws_sns_topic_policy",
        TOPIC,
        &["sns:GetTopicAttributes"],
        &["sns:SetTopicAttributes"],
    ),
    of("aws_sns_topic_subscription", TOPIC, &[], &["sns:Subscribe"]),
    of(
        "aws_sns_topic_subscription",
        ANY,
        &["sns:GetSubscriptionAttributes"],
        &["sns:SetSubscriptionAttributes", "sns:Unsubscribe"],
    ),
    of(
        "aws_sqs_queue",
        QUEUE,
        &[
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:ListQueueTags",
        ],
        &[
            "sqs:CreateQueue",
            "sqs:DeleteQueue",
            "sqs:SetQueueAttributes",
            "sqs:TagQueue",
            "sqs:UntagQueue",
        ],
    ),
    of(
        "aws_sqs_queue_policy",
        QUEUE,
        READ_QUEUE,
        &["sqs:SetQueueAttributes"],
    ),
    of(
        "aws_sqs_queue_redrive_allow_policy",
        QUEUE,
        READ_QUEUE,
        &["sqs:SetQueueAttributes"],
    ),
];

const LOG_READ: &[&str] = &["logs:ListTagsForResource"];
const LOG_WRITE: &[&str] = &[
    "logs:AssociateKmsKey",
    "logs:CreateLogGroup",
    "logs:DeleteLogGroup",
    "logs:PutRetentionPolicy",
    "logs:TagResource",
    "logs:UntagResource",
];
/// The provider reads all settings of a bucket, whichever resource manages them.
const BUCKET_READ: &[&str] = &[
    "s3:GetAccelerateConfiguration",
    "s3:GetBucketAcl",
    "s3:GetBucketCORS",
    "s3:GetBucketLogging",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketPolicy",
    "s3:GetBucketRequestPayment",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetBucketWebsite",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
];
