//! What the checks judge. Pure data; what was not read says why.

use chrono::{DateTime, Utc};

use super::fact::Fact;

/// Names that findings and fixes use.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Subject {
    pub(super) environment: String,
    pub(super) is_production: bool,
    /// The AWS CLI with the region, and with the address of an emulator.
    pub(super) aws: String,
    pub(super) topic_arn: String,
    /// Of the ingest; empty where the environment does not name it.
    pub(super) function: String,
    /// Timeout of the ingest by the environment's entry.
    pub(super) entry_timeout_secs: Option<u64>,
    /// Identifier of the Aurora cluster; empty where there is none.
    pub(super) cluster: String,
}

/// A queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct QueueFacts {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) arn: String,
    pub(super) messages: u64,
    pub(super) visibility_timeout_secs: u64,
    pub(super) retention_secs: u64,
    pub(super) receive_wait_secs: u64,
    pub(super) message_bytes_max: u64,
    pub(super) redrive_target_arn: Option<String>,
    pub(super) max_receive_count: Option<u64>,
    pub(super) has_allow_policy: bool,
    pub(super) policy: Option<String>,
    /// `None` where SQS does not say.
    pub(super) is_encrypted: Option<bool>,
}

/// The topic.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TopicFacts {
    pub(super) policy: Option<String>,
    pub(super) is_encrypted: bool,
}

/// A subscription of the source queue to the topic.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SubscriptionFacts {
    /// "PendingConfirmation" until it is confirmed.
    pub(super) arn: String,
    pub(super) is_pending: bool,
    pub(super) is_raw: bool,
    pub(super) filter_policy: Option<String>,
    pub(super) has_dead_letter_queue: bool,
}

/// The ingest function.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FunctionFacts {
    pub(super) timeout_secs: u64,
    pub(super) runtime: String,
    pub(super) architecture: String,
    pub(super) state: Option<String>,
    pub(super) state_reason: Option<String>,
    pub(super) last_update: Option<String>,
    pub(super) last_update_reason: Option<String>,
    pub(super) replacements_allowed: bool,
}

/// An event source mapping from the queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MappingFacts {
    pub(super) uuid: String,
    pub(super) state: String,
    pub(super) window_secs: u64,
    pub(super) reports_failures: bool,
    pub(super) maximum_concurrency: Option<u64>,
    /// Most pollers of the provisioned mode; `None` where it is off.
    pub(super) maximum_pollers: Option<u64>,
    pub(super) has_filter: bool,
}

/// The log group of the ingest.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LogGroupFacts {
    pub(super) name: String,
    pub(super) retention_days: Option<u64>,
}

/// An alarm on metrics of this pipeline, or on the states of such alarms.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct AlarmFacts {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) state_reason: String,
    /// What is notified when it is raised.
    pub(super) actions: usize,
    pub(super) actions_enabled: bool,
    /// Whether it watches the depth of the dead-letter queue, and nothing else.
    pub(super) is_of_dead_letters: bool,
    /// Where it is written what to do, by its description.
    pub(super) what_to_do: Option<String>,
    /// Of a composite alarm, the alarms that its rule names; empty for one on a metric.
    pub(super) children: Vec<String>,
}

/// The Aurora cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ClusterFacts {
    pub(super) engine_version: String,
    pub(super) is_encrypted: bool,
    pub(super) deletion_protection: bool,
    pub(super) backup_days: u64,
    pub(super) min_capacity_acu: Option<f64>,
}

/// Which migrations were applied.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Applied {
    /// Their versions, as the database says.
    All(Vec<i64>),
    /// The newest version, as the API says.
    Newest(i64),
}

/// What upkeep has left. Of the hours between four days and two days ago:
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct UpkeepFacts {
    /// those that have records,
    pub(super) counted_hours: u64,
    /// and of these the ones whose counts it has not folded.
    pub(super) unfolded_hours: u64,
}

/// The schema.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SchemaFacts {
    /// Versions of the migrations that this program knows.
    pub(super) known: Vec<i64>,
    pub(super) applied: Fact<Applied>,
    /// The clock of the database.
    pub(super) database_now: DateTime<Utc>,
    /// Until when partitions follow each other without a gap; `None` where even now has none.
    pub(super) covered_until: Fact<Option<DateTime<Utc>>>,
    /// About how many records the default partition has.
    pub(super) default_rows: u64,
    pub(super) upkeep: Fact<UpkeepFacts>,
}

/// Everything that the checks judge.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Facts {
    pub(super) subject: Subject,
    /// The clock of this machine.
    pub(super) now: DateTime<Utc>,
    pub(super) queue: Fact<QueueFacts>,
    pub(super) dead_letter_queue: Fact<QueueFacts>,
    /// Age of the oldest dead letter.
    pub(super) dead_letter_age_secs: Fact<u64>,
    pub(super) topic: Fact<TopicFacts>,
    /// Those of the source queue.
    pub(super) subscriptions: Fact<Vec<SubscriptionFacts>>,
    pub(super) function: Fact<FunctionFacts>,
    /// `None` where nothing is reserved.
    pub(super) reserved_concurrency: Fact<Option<u64>>,
    pub(super) mappings: Fact<Vec<MappingFacts>>,
    pub(super) log_group: Fact<LogGroupFacts>,
    pub(super) alarms: Fact<Vec<AlarmFacts>>,
    pub(super) schema: Fact<SchemaFacts>,
    /// Events before it are not stored; `None` while everything is kept.
    pub(super) horizon: Fact<Option<DateTime<Utc>>>,
    pub(super) cluster: Fact<ClusterFacts>,
    /// Seconds that the clock of AWS is ahead of this machine's.
    pub(super) aws_clock_ahead_secs: Fact<i64>,
    /// Seconds that the clock of the database is ahead of this machine's.
    pub(super) database_clock_ahead_secs: Fact<i64>,
}
