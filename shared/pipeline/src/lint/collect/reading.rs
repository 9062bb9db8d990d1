//! The readings that no other part of the console makes, each alone: `env check` tries them.

use crate::{Pipeline, PipelineError};

/// One right that only the lint needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Subscriptions,
    Subscription,
    Function,
    Concurrency,
    Mappings,
    LogGroup,
    Cluster,
}

impl Pipeline {
    /// Reads it and keeps nothing. `queue_arn` is the source queue's.
    pub(crate) async fn try_reading(
        &self,
        reading: Reading,
        queue_arn: &str,
    ) -> Result<(), PipelineError> {
        match reading {
            Reading::Subscriptions => self.queue_subscriptions(queue_arn).await.map(|_| ()),
            Reading::Subscription => self.try_subscription(queue_arn).await,
            Reading::Function => self.function_facts().await.map(|_| ()),
            Reading::Concurrency => self.concurrency_fact().await.map(|_| ()),
            Reading::Mappings => self.mapping_facts(queue_arn).await.map(|_| ()),
            Reading::LogGroup => self.log_group_facts().await.map(|_| ()),
            Reading::Cluster => self.cluster_facts().await.map(|_| ()),
        }
    }
}
