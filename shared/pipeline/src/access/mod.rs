//! Tries each access that the console needs, one by one.
//!
//! Invariant: nothing is changed. What only a change could show is listed as not tried, and never as allowed. Each
//! attempt has a limit, and all run at once.

mod check;
mod probe;

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::denial::{CALL_API, LOG_IN};
use super::logs::FILTER_LOG_EVENTS;
use super::model::QueueRole;
use super::{Attempt, Pipeline};

pub use check::{AccessCheck, AccessName, AccessOutcome};

/// Time limit of one access, with the retries of the clients.
const CHECK_LIMIT: Duration = Duration::from_secs(10);

/// An access that the console needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Who the credentials are, and whether their account is that of the environment.
    Credentials,
    /// The settings of the topic.
    ReadTopic,
    /// Publishing to the topic.
    Publish,
    /// Depth and settings of the source queue.
    ReadQueue,
    /// Sending redriven messages to the source queue.
    SendToQueue,
    /// Receiving messages of the source queue, to look at them.
    ReceiveFromQueue,
    /// Changing how long received messages of the source queue are hidden.
    HideInQueue,
    /// Depth and settings of the dead-letter queue.
    ReadDeadLetterQueue,
    /// Receiving dead letters.
    ReceiveDeadLetters,
    /// Changing how long received dead letters are hidden.
    HideDeadLetters,
    /// Deleting dead letters.
    DeleteDeadLetters,
    /// Emptying the dead-letter queue.
    PurgeDeadLetters,
    /// Starting a native move task.
    StartMoveTask,
    /// Listing native move tasks.
    ListMoveTasks,
    /// Cancelling a native move task.
    CancelMoveTask,
    /// Metrics of the queues and of the ingest.
    ReadMetrics,
    /// The states of the alarms.
    ReadAlarms,
    /// The subscriptions of the topic.
    ListSubscriptions,
    /// The settings of a subscription.
    ReadSubscription,
    /// The settings of the ingest.
    ReadFunction,
    /// The reserved concurrency of the ingest.
    ReadConcurrency,
    /// The event source mappings of the ingest.
    ListMappings,
    /// The log group of the ingest.
    ReadLogGroup,
    /// The log lines of the functions, of which the ingest's are tried.
    ReadLogs,
    /// The settings of the database cluster.
    ReadCluster,
    /// The token for the HTTP API, where it wants one.
    ApiToken,
    /// Reading by the HTTP API.
    CallApi,
    /// Looking up events by the HTTP API.
    LookUpByApi,
    /// Logging in to the database.
    LogInToDatabase,
}

impl Access {
    /// All, in the order of the pipeline.
    pub const ALL: [Self; 29] = [
        Self::Credentials,
        Self::ReadTopic,
        Self::Publish,
        Self::ReadQueue,
        Self::SendToQueue,
        Self::ReceiveFromQueue,
        Self::HideInQueue,
        Self::ReadDeadLetterQueue,
        Self::ReceiveDeadLetters,
        Self::HideDeadLetters,
        Self::DeleteDeadLetters,
        Self::PurgeDeadLetters,
        Self::StartMoveTask,
        Self::ListMoveTasks,
        Self::CancelMoveTask,
        Self::ReadMetrics,
        Self::ReadAlarms,
        Self::ListSubscriptions,
        Self::ReadSubscription,
        Self::ReadFunction,
        Self::ReadConcurrency,
        Self::ListMappings,
        Self::ReadLogGroup,
        Self::ReadLogs,
        Self::ReadCluster,
        Self::ApiToken,
        Self::CallApi,
        Self::LookUpByApi,
        Self::LogInToDatabase,
    ];

    /// The published name, and the permissions of IAM that it needs. With a key of yours, `kms:Decrypt` and
    /// `kms:GenerateDataKey` come on top; AWS names them where they are missing.
    #[must_use]
    pub const fn name(self) -> AccessName {
        let (name, permissions): (&str, &[&str]) = match self {
            // Everybody may ask that.
            Self::Credentials => ("credentials", &[]),
            Self::ReadTopic => ("read-topic", &["sns:GetTopicAttributes"]),
            Self::Publish => ("publish", &["sns:Publish"]),
            Self::ReadQueue => ("read-queue", &["sqs:GetQueueAttributes"]),
            Self::SendToQueue => ("send-to-queue", &["sqs:SendMessage"]),
            Self::ReceiveFromQueue => ("receive-from-queue", &["sqs:ReceiveMessage"]),
            Self::HideInQueue => ("hide-in-queue", &["sqs:ChangeMessageVisibility"]),
            Self::ReadDeadLetterQueue => ("read-dead-letter-queue", &["sqs:GetQueueAttributes"]),
            Self::ReceiveDeadLetters => ("receive-dead-letters", &["sqs:ReceiveMessage"]),
            Self::HideDeadLetters => ("hide-dead-letters", &["sqs:ChangeMessageVisibility"]),
            Self::DeleteDeadLetters => ("delete-dead-letters", &["sqs:DeleteMessage"]),
            Self::PurgeDeadLetters => ("purge-dead-letters", &["sqs:PurgeQueue"]),
            Self::StartMoveTask => ("start-move-task", &["sqs:StartMessageMoveTask"]),
            Self::ListMoveTasks => ("list-move-tasks", &["sqs:ListMessageMoveTasks"]),
            Self::CancelMoveTask => ("cancel-move-task", &["sqs:CancelMessageMoveTask"]),
            Self::ReadMetrics => ("read-metrics", &["cloudwatch:GetMetricData"]),
            Self::ReadAlarms => ("read-alarms", &["cloudwatch:DescribeAlarms"]),
            Self::ListSubscriptions => ("list-subscriptions", &["sns:ListSubscriptionsByTopic"]),
            Self::ReadSubscription => ("read-subscription", &["sns:GetSubscriptionAttributes"]),
            Self::ReadFunction => ("read-function", &["lambda:GetFunctionConfiguration"]),
            Self::ReadConcurrency => ("read-concurrency", &["lambda:GetFunctionConcurrency"]),
            Self::ListMappings => ("list-mappings", &["lambda:ListEventSourceMappings"]),
            Self::ReadLogGroup => ("read-log-group", &["logs:DescribeLogGroups"]),
            Self::ReadLogs => ("read-logs", &[FILTER_LOG_EVENTS]),
            Self::ReadCluster => ("read-cluster", &["rds:DescribeDBClusters"]),
            // The identity provider's matter.
            Self::ApiToken => ("api-token", &[]),
            Self::CallApi => ("call-api", &[CALL_API]),
            Self::LookUpByApi => ("look-up-by-api", &[CALL_API]),
            Self::LogInToDatabase => ("log-in-to-database", &[LOG_IN]),
        };
        AccessName { name, permissions }
    }

    /// Why it is not tried, and what would show it; `None` where an attempt changes nothing.
    const fn not_tried(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Publish => Some((
                "only a published event would show it",
                "publish one: opsconsole publish FILE",
            )),
            Self::SendToQueue => Some((
                "only a sent message would show it",
                "redrive one dead letter: opsconsole redrive run MESSAGE_ID",
            )),
            Self::ReceiveFromQueue => Some((
                "a receive counts, and hides the message from the ingest for a while",
                "receive one: opsconsole queue peek --max 1",
            )),
            Self::ReceiveDeadLetters => Some((
                "a receive counts, and hides the message for a while",
                "receive one: opsconsole dlq list --limit 1",
            )),
            Self::PurgeDeadLetters => Some((
                "only a purge would show it",
                "purge when you mean it: opsconsole dlq purge",
            )),
            Self::StartMoveTask => Some((
                "only a started task would show it",
                "start one when you mean it: opsconsole redrive native start",
            )),
            Self::CancelMoveTask => Some((
                "SQS checks it against the queue of a task, so only a running one would show it",
                "cancel one when you mean it: opsconsole redrive native cancel",
            )),
            Self::Credentials
            | Self::ReadTopic
            | Self::ReadQueue
            | Self::HideInQueue
            | Self::ReadDeadLetterQueue
            | Self::HideDeadLetters
            | Self::DeleteDeadLetters
            | Self::ListMoveTasks
            | Self::ReadMetrics
            | Self::ReadAlarms
            | Self::ListSubscriptions
            | Self::ReadSubscription
            | Self::ReadFunction
            | Self::ReadConcurrency
            | Self::ListMappings
            | Self::ReadLogGroup
            | Self::ReadLogs
            | Self::ReadCluster
            | Self::ApiToken
            | Self::CallApi
            | Self::LookUpByApi
            | Self::LogInToDatabase => None,
        }
    }
}

impl Pipeline {
    /// Tries every access at once, each within its limit, and changes nothing. The results are in the order of
    /// [`Access::ALL`].
    pub async fn check_access(&self) -> Vec<AccessCheck> {
        let mut checks =
            futures::future::join_all(Access::ALL.map(|access| self.check_one(access))).await;
        let tasks =
            [Access::StartMoveTask, Access::CancelMoveTask].map(|access| access.name().name);
        check::share_absence(&mut checks, Access::ListMoveTasks.name().name, &tasks);
        checks
    }

    async fn check_one(&self, access: Access) -> AccessCheck {
        let target = self.target_of(access);
        if let Some((reason, next_step)) = access.not_tried() {
            return AccessCheck::not_tried(access.name(), target, reason, next_step);
        }
        let attempt = Attempt::start(format!("try {}", access.name().name), target.clone());
        let begun = Instant::now();
        let tried = timeout(CHECK_LIMIT, self.probe(access)).await;
        let tried = tried.unwrap_or_else(|_| Err(attempt.timed_out(CHECK_LIMIT)));
        AccessCheck::tried(access.name(), target, begun.elapsed(), tried)
    }

    fn target_of(&self, access: Access) -> String {
        match access {
            Access::Credentials => self.aws_address("sts"),
            Access::ReadTopic | Access::Publish => self.topic_name().to_owned(),
            Access::ReadQueue
            | Access::SendToQueue
            | Access::ReceiveFromQueue
            | Access::HideInQueue => self.queue_name(QueueRole::Source).to_owned(),
            Access::ReadDeadLetterQueue
            | Access::ReceiveDeadLetters
            | Access::HideDeadLetters
            | Access::DeleteDeadLetters
            | Access::PurgeDeadLetters
            | Access::StartMoveTask
            | Access::ListMoveTasks
            | Access::CancelMoveTask => self.queue_name(QueueRole::DeadLetter).to_owned(),
            Access::ReadMetrics => self.aws_address("monitoring"),
            Access::ReadAlarms => self.aws_address("monitoring"),
            Access::ListSubscriptions | Access::ReadSubscription => self.topic_name().to_owned(),
            Access::ReadFunction
            | Access::ReadConcurrency
            | Access::ListMappings
            | Access::ReadLogGroup
            | Access::ReadLogs => {
                let function = self.environment().ingest_function.clone();
                function.unwrap_or_else(|| self.aws_address("lambda"))
            }
            Access::ReadCluster => {
                let cluster = self.environment().database_cluster.clone();
                cluster.unwrap_or_else(|| self.aws_address("rds"))
            }
            Access::ApiToken | Access::CallApi | Access::LookUpByApi => self.api_address(),
            Access::LogInToDatabase => self.database_address(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::denial::PERMISSIONS;
    use super::*;

    /// What no access is named for: AWS names a missing right to a key with whatever needs the key; a bucket is tried
    /// with `--into`; who the credentials are, everybody may ask.
    const WITHOUT_ACCESS: [&str; 8] = [
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "sts:GetCallerIdentity",
    ];

    #[test]
    fn every_permission_of_the_pipeline_has_an_access_and_the_other_way_round() {
        let named = Access::ALL
            .iter()
            .flat_map(|access| access.name().permissions);
        let named: BTreeSet<&str> = named.copied().chain(WITHOUT_ACCESS).collect();
        assert_eq!(named, BTreeSet::from(PERMISSIONS));
    }

    #[test]
    fn access_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Access::ALL
            .iter()
            .map(|access| access.name().name)
            .collect();
        assert_eq!(names.len(), Access::ALL.len());
    }
}
