//! One attempt for each access that an attempt can show without a change.
//!
//! Invariant: what would change messages names a receipt handle that no message has. SQS looks at the permission
//! first, and then refuses the entry.

use std::time::Duration;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};

use super::Access;
use crate::api_reads::ApiReads;
use crate::connection::QUESTION_LIMIT;
use crate::denial::LOG_IN;
use crate::environment::Authorization;
use crate::lint::Reading;
use crate::model::QueueRole;
use crate::{Attempt, MoveRoute, Pipeline, PipelineError};

/// A receipt handle that SQS never gave out.
const NO_RECEIPT_HANDLE: &str = "opsconsole-env-check";
/// The shortest history that CloudWatch answers.
const METRICS_WINDOW: Duration = Duration::from_secs(180);

/// What an attempt showed, for people.
type Shown = Result<Option<String>, PipelineError>;

impl Pipeline {
    pub(super) async fn probe(&self, access: Access) -> Shown {
        match access {
            Access::Credentials => self.probe_credentials().await,
            Access::ReadTopic => self.probe_topic().await,
            Access::ReadQueue => self.queue_depth(QueueRole::Source).await.map(|_| None),
            Access::ReadDeadLetterQueue => {
                self.queue_depth(QueueRole::DeadLetter).await.map(|_| None)
            }
            Access::HideInQueue => self.probe_visibility(QueueRole::Source).await,
            Access::HideDeadLetters => self.probe_visibility(QueueRole::DeadLetter).await,
            Access::DeleteDeadLetters => self.probe_delete().await,
            Access::ListMoveTasks => {
                let route = self.named_route();
                self.move_tasks(&route).await.map(|_| None)
            }
            Access::ReadMetrics => self.history(METRICS_WINDOW).await.map(|_| None),
            Access::ReadAlarms => self.try_raised_alarms().await.map(|()| None),
            Access::ListSubscriptions => self.probe_reading(Reading::Subscriptions).await,
            Access::ReadSubscription => self.probe_reading(Reading::Subscription).await,
            Access::ReadFunction => self.probe_reading(Reading::Function).await,
            Access::ReadConcurrency => self.probe_reading(Reading::Concurrency).await,
            Access::ListMappings => self.probe_reading(Reading::Mappings).await,
            Access::ReadLogGroup => self.probe_reading(Reading::LogGroup).await,
            Access::ReadLogs => self.probe_logs().await.map(|()| None),
            Access::ReadCluster => self.probe_reading(Reading::Cluster).await,
            Access::ApiToken => self.api_token_header().await.map(|_| None),
            Access::CallApi => self.probe_api().await,
            Access::LookUpByApi => {
                let known = ApiReads::new(self, "look up no event");
                known.look_up_keys(&[]).await.map(|_| None)
            }
            Access::LogInToDatabase => self.probe_database_log_in().await,
            Access::Publish
            | Access::SendToQueue
            | Access::ReceiveFromQueue
            | Access::ReceiveDeadLetters
            | Access::PurgeDeadLetters
            | Access::StartMoveTask
            | Access::CancelMoveTask => Ok(None),
        }
    }

    async fn probe_credentials(&self) -> Shown {
        let attempt = Attempt::start("ask whose credentials these are", self.aws_address("sts"));
        let sts = &self.aws().await.sts;
        let answer = sts.get_caller_identity().send().await;
        let identity = answer.map_err(|error| attempt.sdk(&error))?;
        let here = self.environment().topic_arn.split(':').nth(4);
        if let Some((account, here)) = identity.account.as_deref().zip(here)
            && account != here
        {
            let cause = format!(
                "these credentials are of the account {account}, and the environment is in {here}"
            );
            let hint = "choose others with profile in the environment's entry, or with AWS_PROFILE where it has none, or another \
                        environment with --env";
            return Err(attempt.refused(cause).with_hint(hint));
        }
        Ok(identity.arn)
    }

    async fn probe_reading(&self, reading: Reading) -> Shown {
        let queue_arn = self.named_route().destination_arn;
        self.try_reading(reading, &queue_arn).await.map(|()| None)
    }

    /// The route by the names of the queues, so that listing its tasks needs no other permission.
    fn named_route(&self) -> MoveRoute {
        let of_topic: Vec<&str> = self.environment().topic_arn.split(':').collect();
        let part = |index: usize| of_topic.get(index).copied().unwrap_or_default();
        let (partition, region) = (part(1), part(3));
        let arn = |role| {
            // https://sqs.REGION.amazonaws.com/ACCOUNT/NAME
            let mut parts = self.queue_url(role).rsplit('/');
            let name = parts.next().unwrap_or_default();
            let account = parts.next().unwrap_or_default();
            format!("arn:{partition}:sqs:{region}:{account}:{name}")
        };
        MoveRoute {
            source_arn: arn(QueueRole::DeadLetter),
            destination_arn: arn(QueueRole::Source),
        }
    }

    async fn probe_topic(&self) -> Shown {
        let operation = format!("read the settings of {:?}", self.topic_name());
        let attempt = Attempt::start(operation, self.aws_address("sns"));
        let sns = &self.aws().await.sns;
        let request = sns.get_topic_attributes();
        let topic_arn = &self.environment().topic_arn;
        let answer = request.topic_arn(topic_arn).send().await;
        answer.map_err(|error| attempt.sdk(&error))?;
        Ok(None)
    }

    async fn probe_visibility(&self, queue: QueueRole) -> Shown {
        let attempt = self.queue_attempt("change no visibility timeout in", queue);
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
            .id("0")
            .receipt_handle(NO_RECEIPT_HANDLE)
            .visibility_timeout(0)
            .build()
            .map_err(|error| attempt.refused(error.to_string()))?;
        let sqs = &self.aws().await.sqs;
        sqs.change_message_visibility_batch()
            .queue_url(self.queue_url(queue))
            .entries(entry)
            .send()
            .await
            .map_err(|error| attempt.sdk(&error))?;
        Ok(None)
    }

    async fn probe_delete(&self) -> Shown {
        let attempt = self.queue_attempt("delete no message from", QueueRole::DeadLetter);
        let entry = DeleteMessageBatchRequestEntry::builder()
            .id("0")
            .receipt_handle(NO_RECEIPT_HANDLE)
            .build()
            .map_err(|error| attempt.refused(error.to_string()))?;
        let sqs = &self.aws().await.sqs;
        sqs.delete_message_batch()
            .queue_url(self.queue_url(QueueRole::DeadLetter))
            .entries(entry)
            .send()
            .await
            .map_err(|error| attempt.sdk(&error))?;
        Ok(None)
    }

    /// Without the database, so that a check wakes no paused one here.
    async fn probe_api(&self) -> Shown {
        let attempt = Attempt::start("get \"/health\" of the API", self.api_address());
        match self.api_health_permitted().await?.status {
            200 => Ok(None),
            status => Err(attempt
                .refused(format!("status {status}"))
                .with_hint("see the log of the function api")),
        }
    }

    async fn probe_database_log_in(&self) -> Shown {
        let operation = "log in to the database";
        let tried = self.of_database(operation, QUESTION_LIMIT, store::ping);
        let error = match tried.await {
            Ok(()) => return Ok(None),
            Err(error) => error,
        };
        // The server does not say why it refuses a token ("PAM authentication failed").
        let is_refused = error.cause.contains("authentication failed");
        if is_refused && self.environment().database_auth == Authorization::Iam {
            let attempt = Attempt::start(operation, self.database_address());
            return Err(attempt.denied(&error.cause, Some(LOG_IN)));
        }
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    #[test]
    fn queues_are_named_as_sqs_names_them() {
        let environment = Environment {
            topic_arn: "arn:aws-cn:sns:cn-north-1:111122223333:events".to_owned(),
            queue_url: "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/events-queue"
                .to_owned(),
            dead_letter_queue_url: "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/dead"
                .to_owned(),
            ..Environment::example()
        };
        let route = Pipeline::connect(&environment).unwrap().named_route();
        assert_eq!(
            route.source_arn,
            "arn:aws-cn:sqs:cn-north-1:111122223333:dead"
        );
        assert_eq!(
            route.destination_arn,
            "arn:aws-cn:sqs:cn-north-1:111122223333:events-queue"
        );
    }
}
