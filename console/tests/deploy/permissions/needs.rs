//! Which actions of IAM each call needs, on which resources, and what AWS itself does with the role of a function.
//!
//! Source, where nothing else is named: the pages of the Service Authorization Reference ("Actions, resources, and
//! condition keys for …"). A call in batches has no action of its own: it needs that of the single call.

use super::calls::{API, DATABASE, S3};

/// A program with a role of its own, by where its sources are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Program {
    Console,
    Ingest,
    Api,
    Migrate,
    Roles,
}

impl Program {
    pub(super) const ALL: [Self; 5] = [
        Self::Console,
        Self::Ingest,
        Self::Api,
        Self::Migrate,
        Self::Roles,
    ];

    /// Folders and files.
    pub(super) const fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Console => &[
                "console/src",
                "shared/pipeline/src",
                "shared/redrive/src",
                "shared/export/src",
                "shared/erase/src",
            ],
            Self::Ingest => &["lambdas/ingest/src"],
            Self::Api => &["lambdas/api/src"],
            Self::Migrate => &[
                "lambdas/migrate/src/failures.rs",
                "lambdas/migrate/src/lib.rs",
                "lambdas/migrate/src/main.rs",
                "lambdas/migrate/src/serve.rs",
                "lambdas/migrate/src/settings.rs",
            ],
            Self::Roles => &["lambdas/migrate/src/roles.rs"],
        }
    }

    /// The policy's address in the state of Terraform.
    pub(super) const fn policy_address(self) -> &'static str {
        match self {
            Self::Console => "aws_iam_policy.console",
            Self::Ingest => "module.ingest.aws_iam_role_policy.this",
            Self::Api => "module.api_function.aws_iam_role_policy.this",
            Self::Migrate => "module.migrate.aws_iam_role_policy.this",
            Self::Roles => "module.roles[0].aws_iam_role_policy.this",
        }
    }
}

/// Sources that every program contains; they call nothing of AWS.
pub(super) const SHARED_SOURCES: [&str; 2] = ["shared/event/src", "shared/store/src"];
/// Sources that never meet AWS: the local stack.
pub(super) const LOCAL_SOURCES: [&str; 1] = ["shared/devstack/src"];

/// What an environment can have or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Key,
    Bucket,
    Tracing,
    ImmediateDeadLetters,
    ObjectiveAlarms,
}

/// Actions on a resource; needed where the environment has all settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    pub(super) resource: &'static str,
    pub(super) actions: &'static [&'static str],
    pub(super) settings: &'static [Setting],
}

/// A call and what it needs.
pub(super) struct Need {
    pub(super) program: Program,
    pub(super) service: &'static str,
    pub(super) operation: &'static str,
    pub(super) grants: &'static [Grant],
}

/// ARNs of the mocked deployment, see `terraform/tests/mocks` and `terraform/tests/policies.tftest.hcl`.
const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:events-test";
const QUEUE: &str = "arn:aws:sqs:us-east-1:111122223333:events-test-queue";
const DEAD_LETTERS: &str = "arn:aws:sqs:us-east-1:111122223333:events-test-dead-letters";
const API_READS: &str = "arn:aws:execute-api:us-east-1:111122223333:abcdefghij/$default/GET/*";
const API_LOOKUP: &str =
    "arn:aws:execute-api:us-east-1:111122223333:abcdefghij/$default/POST/v1/records/lookup";
const BUCKET: &str = "arn:aws:s3:::events-test-exports";
const OBJECTS: &str = "arn:aws:s3:::events-test-exports/*";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555";
const CLUSTER: &str = "arn:aws:rds:us-east-1:111122223333:cluster:events-test-database";
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:111122223333:secret:rds!cluster-11111111-2222-3333-4444-555555555555-AbCdEf";
const INGEST: &str = "arn:aws:lambda:us-east-1:111122223333:function:events-test-ingest";
const LOG_GROUPS: &str = "arn:aws:logs:us-east-1:111122223333:log-group:*";
/// With `:*`, as policies name a log group (Amazon CloudWatch Logs User Guide, "CloudWatch Logs resources and operations").
const INGEST_LOG: &str =
    "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/events-test-ingest:*";
const API_LOG: &str = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/events-test-api:*";
const MIGRATE_LOG: &str =
    "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/events-test-migrate:*";
const LOG: &str =
    "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/events-test-function:*";
/// Of actions that support no resources.
const ANY: &str = "*";
/// The namespace of the metric that announces a pause, as `policies::read` writes a condition.
const PIPELINE_NAMESPACE: &str =
    r#"* if {"StringEquals":{"cloudwatch:namespace":"OpsConsole/Pipeline"}}"#;

macro_rules! database_user {
    ($user:literal) => {
        concat!(
            "arn:aws:rds-db:us-east-1:111122223333:dbuser:cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ/",
            $user
        )
    };
}

const fn on(resource: &'static str, actions: &'static [&'static str]) -> Grant {
    Grant {
        resource,
        actions,
        settings: &[],
    }
}

/// Reading what is encrypted (Amazon SQS Developer Guide, "Key management"; Amazon S3 User Guide, "Using
/// server-side encryption with AWS KMS keys").
const DECRYPT: Grant = Grant {
    resource: KEY,
    actions: &["kms:Decrypt"],
    settings: &[Setting::Key],
};
/// Writing what is encrypted needs both (the same; Amazon SNS Developer Guide, "Key management").
const ENCRYPT: Grant = Grant {
    resource: KEY,
    actions: &["kms:Decrypt", "kms:GenerateDataKey"],
    settings: &[Setting::Key],
};

const fn in_bucket(resource: &'static str, actions: &'static [&'static str]) -> Grant {
    Grant {
        resource,
        actions,
        settings: &[Setting::Bucket],
    }
}

const READ_OBJECT: Grant = in_bucket(OBJECTS, &["s3:GetObject"]);
const WRITE_OBJECT: Grant = in_bucket(OBJECTS, &["s3:PutObject"]);

const fn need(
    program: Program,
    service: &'static str,
    operation: &'static str,
    grants: &'static [Grant],
) -> Need {
    Need {
        program,
        service,
        operation,
        grants,
    }
}

/// The task moves messages with the rights of who called (Amazon SQS Developer Guide, "Troubleshooting dead-letter
/// queue and DLQ redrive issues").
const MOVING: [Grant; 2] = [
    on(
        DEAD_LETTERS,
        &[
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ],
    ),
    DECRYPT,
];

/// Every call of every program.
pub(super) const NEEDS: &[Need] = &[
    need(Program::Console, "sts", "get_caller_identity", &[]),
    need(
        Program::Console,
        "sns",
        "get_topic_attributes",
        &[on(TOPIC, &["sns:GetTopicAttributes"])],
    ),
    need(
        Program::Console,
        "sns",
        "publish_batch",
        &[on(TOPIC, &["sns:Publish"]), ENCRYPT],
    ),
    need(
        Program::Console,
        "sqs",
        "get_queue_attributes",
        &[
            on(QUEUE, &["sqs:GetQueueAttributes"]),
            on(DEAD_LETTERS, &["sqs:GetQueueAttributes"]),
        ],
    ),
    need(
        Program::Console,
        "sqs",
        "send_message_batch",
        &[on(QUEUE, &["sqs:SendMessage"]), ENCRYPT],
    ),
    need(
        Program::Console,
        "sqs",
        "receive_message",
        &[
            on(QUEUE, &["sqs:ReceiveMessage"]),
            on(DEAD_LETTERS, &["sqs:ReceiveMessage"]),
            DECRYPT,
        ],
    ),
    need(
        Program::Console,
        "sqs",
        "change_message_visibility_batch",
        &[
            on(QUEUE, &["sqs:ChangeMessageVisibility"]),
            on(DEAD_LETTERS, &["sqs:ChangeMessageVisibility"]),
        ],
    ),
    need(
        Program::Console,
        "sqs",
        "delete_message_batch",
        &[on(DEAD_LETTERS, &["sqs:DeleteMessage"])],
    ),
    need(
        Program::Console,
        "sqs",
        "purge_queue",
        &[on(DEAD_LETTERS, &["sqs:PurgeQueue"])],
    ),
    need(
        Program::Console,
        "sqs",
        "start_message_move_task",
        &[
            on(DEAD_LETTERS, &["sqs:StartMessageMoveTask"]),
            MOVING[0],
            MOVING[1],
            on(QUEUE, &["sqs:SendMessage"]),
            ENCRYPT,
        ],
    ),
    need(
        Program::Console,
        "sqs",
        "list_message_move_tasks",
        &[on(
            DEAD_LETTERS,
            &["sqs:ListMessageMoveTasks", "sqs:GetQueueAttributes"],
        )],
    ),
    need(
        Program::Console,
        "sqs",
        "cancel_message_move_task",
        &[
            on(DEAD_LETTERS, &["sqs:CancelMessageMoveTask"]),
            MOVING[0],
            MOVING[1],
        ],
    ),
    need(
        Program::Console,
        "cloudwatch",
        "get_metric_data",
        &[on(ANY, &["cloudwatch:GetMetricData"])],
    ),
    need(
        Program::Console,
        "cloudwatch",
        "describe_alarms",
        &[on(ANY, &["cloudwatch:DescribeAlarms"])],
    ),
    need(
        Program::Console,
        "sns",
        "list_subscriptions_by_topic",
        &[on(TOPIC, &["sns:ListSubscriptionsByTopic"])],
    ),
    need(
        Program::Console,
        "sns",
        "get_subscription_attributes",
        &[on(ANY, &["sns:GetSubscriptionAttributes"])],
    ),
    need(
        Program::Console,
        "lambda",
        "GetFunctionConfiguration",
        &[on(INGEST, &["lambda:GetFunctionConfiguration"])],
    ),
    need(
        Program::Console,
        "lambda",
        "GetFunctionConcurrency",
        &[on(INGEST, &["lambda:GetFunctionConcurrency"])],
    ),
    need(
        Program::Console,
        "lambda",
        "ListEventSourceMappings",
        &[on(ANY, &["lambda:ListEventSourceMappings"])],
    ),
    need(
        Program::Console,
        "logs",
        "DescribeLogGroups",
        &[on(LOG_GROUPS, &["logs:DescribeLogGroups"])],
    ),
    need(
        Program::Console,
        "logs",
        "FilterLogEvents",
        &[
            on(INGEST_LOG, &["logs:FilterLogEvents"]),
            on(API_LOG, &["logs:FilterLogEvents"]),
            on(MIGRATE_LOG, &["logs:FilterLogEvents"]),
        ],
    ),
    need(
        Program::Console,
        "rds",
        "DescribeDBClusters",
        &[on(CLUSTER, &["rds:DescribeDBClusters"])],
    ),
    need(
        Program::Console,
        API,
        "GET",
        &[on(API_READS, &["execute-api:Invoke"])],
    ),
    need(
        Program::Console,
        API,
        "POST /v1/records/lookup",
        &[on(API_LOOKUP, &["execute-api:Invoke"])],
    ),
    need(
        Program::Console,
        DATABASE,
        "log_in",
        &[on(database_user!("operator"), &["rds-db:connect"])],
    ),
    // Without s3:ListBucket, S3 answers that a missing object is forbidden (Amazon S3 API Reference, "GetObject").
    need(
        Program::Console,
        S3,
        "get",
        &[READ_OBJECT, in_bucket(BUCKET, &["s3:ListBucket"]), DECRYPT],
    ),
    need(
        Program::Console,
        S3,
        "list",
        &[in_bucket(BUCKET, &["s3:ListBucket"])],
    ),
    need(
        Program::Console,
        S3,
        "list_with_delimiter",
        &[in_bucket(BUCKET, &["s3:ListBucket"])],
    ),
    need(Program::Console, S3, "put_opts", &[WRITE_OBJECT, ENCRYPT]),
    need(
        Program::Console,
        S3,
        "delete",
        &[in_bucket(OBJECTS, &["s3:DeleteObject"])],
    ),
    // Begins an upload, puts and completes its parts, or ends it.
    need(
        Program::Console,
        S3,
        "BufWriter",
        &[
            WRITE_OBJECT,
            in_bucket(OBJECTS, &["s3:AbortMultipartUpload"]),
            ENCRYPT,
        ],
    ),
    need(
        Program::Ingest,
        "sqs",
        "send_message_batch",
        &[
            Grant {
                resource: DEAD_LETTERS,
                actions: &["sqs:SendMessage"],
                settings: &[Setting::ImmediateDeadLetters],
            },
            Grant {
                resource: KEY,
                actions: &["kms:Decrypt", "kms:GenerateDataKey"],
                settings: &[Setting::ImmediateDeadLetters, Setting::Key],
            },
        ],
    ),
    need(
        Program::Ingest,
        DATABASE,
        "log_in",
        &[on(database_user!("ingest"), &["rds-db:connect"])],
    ),
    need(
        Program::Api,
        DATABASE,
        "log_in",
        &[on(database_user!("api"), &["rds-db:connect"])],
    ),
    need(
        Program::Migrate,
        DATABASE,
        "log_in",
        &[on(database_user!("migrate"), &["rds-db:connect"])],
    ),
    // The Data API reads the secret with the rights of who called (Amazon Aurora User Guide, "Using RDS Data API").
    need(
        Program::Roles,
        "rdsdata",
        "execute_statement",
        &[
            on(CLUSTER, &["rds-data:ExecuteStatement"]),
            on(SECRET, &["secretsmanager:GetSecretValue"]),
        ],
    ),
];

/// Writes the log (AWS Lambda Developer Guide, "Working with Lambda execution environment credentials" and "Sending
/// Lambda function logs to CloudWatch Logs"), decrypts variables and traces.
const OF_EVERY_FUNCTION: [Grant; 3] = [
    on(LOG, &["logs:CreateLogStream", "logs:PutLogEvents"]),
    DECRYPT,
    Grant {
        resource: ANY,
        actions: &["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
        settings: &[Setting::Tracing],
    },
];

/// Network interfaces (the same, "Giving Lambda functions access to resources in an Amazon VPC"). The code itself is
/// denied them.
pub(super) const IN_VPC: Grant = on(
    ANY,
    &[
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ],
);

/// The event source mapping reads the queue (the same, "Using Lambda with Amazon SQS").
const FROM_QUEUE: [Grant; 2] = [
    on(
        QUEUE,
        &[
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ],
    ),
    DECRYPT,
];

/// What people do by hand (`terraform/OPERATIONS.md`, "planned-pause").
const BY_HAND: Grant = Grant {
    resource: PIPELINE_NAMESPACE,
    actions: &["cloudwatch:PutMetricData"],
    settings: &[Setting::ObjectiveAlarms],
};

/// What AWS and people do with the role, not the code.
pub(super) fn of_service(program: Program) -> Vec<Grant> {
    let in_vpc = [&OF_EVERY_FUNCTION[..], &[IN_VPC]].concat();
    match program {
        Program::Console => vec![BY_HAND],
        Program::Ingest => [&in_vpc[..], &FROM_QUEUE].concat(),
        Program::Api | Program::Migrate => in_vpc,
        Program::Roles => OF_EVERY_FUNCTION.to_vec(),
    }
}
