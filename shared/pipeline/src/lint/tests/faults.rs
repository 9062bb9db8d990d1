//! The faults that the checks find.

use chrono::TimeDelta;

use super::sound::{OPEN, alarm_of, dead, first, known, now, schema_of, source};
use crate::lint::check::Severity;
use crate::lint::fact::Fact;
use crate::lint::facts::{Applied, Facts, UpkeepFacts};
use Severity::{Error, Note, Warning};

/// The id of a check, the severity of its finding, a part of what was seen, and the fault.
pub(super) type Fault = (&'static str, Severity, &'static str, fn(&mut Facts));

pub(super) const FAULTS: &[Fault] = &[
    ("topic-open", Error, "everybody *", |facts| {
        known(&mut facts.topic).policy = Some(OPEN.to_owned());
    }),
    ("topic-not-encrypted", Note, "KmsMasterKeyId", |facts| {
        known(&mut facts.topic).is_encrypted = false;
    }),
    (
        "queue-not-subscribed",
        Error,
        "no subscription of events-queue",
        |facts| {
            known(&mut facts.subscriptions).clear();
        },
    ),
    (
        "queue-not-subscribed",
        Error,
        "waits for its confirmation",
        |facts| {
            first(&mut facts.subscriptions).is_pending = true;
        },
    ),
    (
        "subscription-filter",
        Warning,
        "what matches {\"a\":[1]}",
        |facts| {
            first(&mut facts.subscriptions).filter_policy = Some("{\"a\":[1]}".to_owned());
        },
    ),
    (
        "raw-delivery-off",
        Note,
        "RawMessageDelivery is false",
        |facts| {
            first(&mut facts.subscriptions).is_raw = false;
        },
    ),
    (
        "subscription-without-dead-letters",
        Warning,
        "no RedrivePolicy",
        |facts| {
            first(&mut facts.subscriptions).has_dead_letter_queue = false;
        },
    ),
    (
        "visibility-timeout-short",
        Warning,
        "360 s, function timeout 60 s, batching window 1 s: 361 s",
        |facts| {
            source(facts).visibility_timeout_secs = 360;
        },
    ),
    (
        "visibility-timeout-short",
        Error,
        "visibility timeout 59 s",
        |facts| {
            source(facts).visibility_timeout_secs = 59;
        },
    ),
    (
        "queue-without-redrive-policy",
        Error,
        "events-queue has no RedrivePolicy",
        |facts| {
            source(facts).redrive_target_arn = None;
        },
    ),
    (
        "redrive-policy-elsewhere",
        Error,
        "dead letters go to arn:other",
        |facts| {
            source(facts).redrive_target_arn = Some("arn:other".to_owned());
        },
    ),
    (
        "max-receive-count-small",
        Warning,
        "maxReceiveCount 2",
        |facts| {
            source(facts).max_receive_count = Some(2);
        },
    ),
    (
        "max-receive-count-large",
        Warning,
        "maxReceiveCount 101",
        |facts| {
            source(facts).max_receive_count = Some(101);
        },
    ),
    (
        "queue-open",
        Error,
        "events-queue allows everybody *",
        |facts| {
            source(facts).policy = Some(OPEN.to_owned());
        },
    ),
    (
        "queue-open",
        Error,
        "events-dead-letters allows everybody *",
        |facts| {
            dead(facts).policy = Some(OPEN.to_owned());
        },
    ),
    (
        "queue-not-encrypted",
        Warning,
        "events-dead-letters has neither",
        |facts| {
            dead(facts).is_encrypted = Some(false);
        },
    ),
    (
        "message-size-limit",
        Warning,
        "up to 65536 bytes",
        |facts| {
            source(facts).message_bytes_max = 65_536;
        },
    ),
    (
        "long-polling-off",
        Note,
        "ReceiveMessageWaitTimeSeconds 0",
        |facts| {
            dead(facts).receive_wait_secs = 0;
        },
    ),
    (
        "dead-letter-retention-short",
        Error,
        "events-dead-letters keeps messages for 4 d",
        |facts| {
            dead(facts).retention_secs = 4 * 86_400;
        },
    ),
    // Fourteen days from the first send, of which up to four were spent in the queue.
    (
        "dead-letters-expire-soon",
        Warning,
        "the oldest of 3 dead letters came 7 d ago and expires in 2 d 23 h to 6 d 23 h",
        |facts| {
            dead(facts).messages = 3;
            facts.dead_letter_age_secs = Fact::Known(7 * 86_400 + 60);
        },
    ),
    (
        "dead-letters-expire-soon",
        Error,
        "expires in 23 h 59 min to 4 d 23 h",
        |facts| {
            dead(facts).messages = 3;
            facts.dead_letter_age_secs = Fact::Known(9 * 86_400 + 60);
        },
    ),
    (
        "dead-letters-expire-soon",
        Error,
        "came 14 d ago and expires in 0 s",
        |facts| {
            dead(facts).messages = 3;
            facts.dead_letter_age_secs = Fact::Known(14 * 86_400);
        },
    ),
    (
        "redrive-allow-policy-missing",
        Note,
        "no RedriveAllowPolicy",
        |facts| {
            dead(facts).has_allow_policy = false;
        },
    ),
    (
        "mapping-missing",
        Error,
        "no mapping from the queue to events-ingest",
        |facts| {
            known(&mut facts.mappings).clear();
        },
    ),
    (
        "mapping-disabled",
        Error,
        "a-mapping is Disabled",
        |facts| {
            first(&mut facts.mappings).state = "Disabled".to_owned();
        },
    ),
    (
        "partial-batch-failures-off",
        Error,
        "lacks ReportBatchItemFailures",
        |facts| {
            first(&mut facts.mappings).reports_failures = false;
        },
    ),
    ("mapping-filter", Warning, "FilterCriteria", |facts| {
        first(&mut facts.mappings).has_filter = true;
    }),
    (
        "concurrency-below-pollers",
        Warning,
        "may run 4 times at once, and its pollers ask for 5",
        |facts| {
            facts.reserved_concurrency = Fact::Known(Some(4));
        },
    ),
    (
        "concurrency-below-pollers",
        Error,
        "is 0: it is never invoked",
        |facts| {
            facts.reserved_concurrency = Fact::Known(Some(0));
        },
    ),
    // A poller of the provisioned mode makes up to ten invocations at once.
    (
        "concurrency-below-pollers",
        Warning,
        "may run 199 times at once, and its pollers ask for 200",
        |facts| {
            let mapping = first(&mut facts.mappings);
            mapping.maximum_concurrency = None;
            mapping.maximum_pollers = Some(20);
            facts.reserved_concurrency = Fact::Known(Some(199));
        },
    ),
    (
        "function-failed",
        Error,
        "state of events-ingest is Failed: no role",
        |facts| {
            let function = known(&mut facts.function);
            function.state = Some("Failed".to_owned());
            function.state_reason = Some("no role".to_owned());
        },
    ),
    (
        "function-failed",
        Error,
        "last update of events-ingest is Failed",
        |facts| {
            known(&mut facts.function).last_update = Some("Failed".to_owned());
        },
    ),
    (
        "function-runtime-old",
        Warning,
        "runtime provided.al2,",
        |facts| {
            known(&mut facts.function).runtime = "provided.al2".to_owned();
        },
    ),
    ("function-architecture", Note, "x86_64", |facts| {
        known(&mut facts.function).architecture = "x86_64".to_owned();
    }),
    (
        "function-timeout-differs",
        Warning,
        "is 60 s, and function_timeout_secs of the entry is 30",
        |facts| {
            facts.subject.entry_timeout_secs = Some(30);
        },
    ),
    (
        "replacements-allowed",
        Warning,
        "REPLACEMENTS_ALLOWED is true",
        |facts| {
            known(&mut facts.function).replacements_allowed = true;
        },
    ),
    (
        "log-group-without-retention",
        Warning,
        "/aws/lambda/events-ingest has no retention",
        |facts| {
            known(&mut facts.log_group).retention_days = None;
        },
    ),
    ("schema-behind", Error, "not applied: 2", |facts| {
        schema_of(facts).applied = Fact::Known(Applied::All(vec![1]));
    }),
    ("schema-ahead", Warning, "does not know: 3", |facts| {
        schema_of(facts).applied = Fact::Known(Applied::All(vec![1, 2, 3]));
    }),
    // As the API says it.
    ("schema-behind", Error, "not applied: 2", |facts| {
        schema_of(facts).applied = Fact::Known(Applied::Newest(1));
    }),
    ("schema-ahead", Warning, "does not know: 3", |facts| {
        schema_of(facts).applied = Fact::Known(Applied::Newest(3));
    }),
    ("partitions-run-out", Warning, "in 6 d", |facts| {
        schema_of(facts).covered_until = Fact::Known(Some(now() + TimeDelta::days(6)));
    }),
    ("partitions-run-out", Error, "in 1 d", |facts| {
        schema_of(facts).covered_until = Fact::Known(Some(now() + TimeDelta::days(1)));
    }),
    (
        "partitions-run-out",
        Error,
        "no partition for the present time",
        |facts| {
            schema_of(facts).covered_until = Fact::Known(None);
        },
    ),
    (
        "rows-in-default-partition",
        Note,
        "about 12 records",
        |facts| {
            schema_of(facts).default_rows = 12;
        },
    ),
    (
        "rows-in-default-partition",
        Warning,
        "about 100,000 records",
        |facts| {
            schema_of(facts).default_rows = 100_000;
        },
    ),
    (
        "upkeep-behind",
        Warning,
        "the counts of 20 of 40 hours",
        |facts| {
            schema_of(facts).upkeep = Fact::Known(UpkeepFacts {
                counted_hours: 40,
                unfolded_hours: 20,
            });
        },
    ),
    // Ten hours of traffic a day.
    (
        "upkeep-behind",
        Warning,
        "the counts of 20 of 20 hours",
        |facts| {
            schema_of(facts).upkeep = Fact::Known(UpkeepFacts {
                counted_hours: 20,
                unfolded_hours: 20,
            });
        },
    ),
    (
        "retention-shorter-than-queues",
        Warning,
        "kept for 13 d",
        |facts| {
            facts.horizon = Fact::Known(Some(now() - TimeDelta::days(13)));
        },
    ),
    (
        "cluster-deletion-protection-off",
        Error,
        "DeletionProtection is false",
        |facts| {
            known(&mut facts.cluster).deletion_protection = false;
        },
    ),
    (
        "cluster-backups-short",
        Warning,
        "backups of 1 day in production",
        |facts| {
            known(&mut facts.cluster).backup_days = 1;
        },
    ),
    (
        "cluster-not-encrypted",
        Error,
        "StorageEncrypted is false",
        |facts| {
            known(&mut facts.cluster).is_encrypted = false;
        },
    ),
    (
        "cluster-cannot-pause",
        Warning,
        "0 ACU with version 16.2",
        |facts| {
            let cluster = known(&mut facts.cluster);
            cluster.min_capacity_acu = Some(0.0);
            cluster.engine_version = "16.2".to_owned();
        },
    ),
    (
        "dead-letters-without-alarm",
        Warning,
        "5 alarms, none on the depth of events-dead-letters alone",
        |facts| {
            alarm_of(facts, "events-dead-letters").is_of_dead_letters = false;
        },
    ),
    (
        "alarm-without-actions",
        Warning,
        "events-ingest-errors has no actions",
        |facts| {
            alarm_of(facts, "events-ingest-errors").actions = 0;
        },
    ),
    (
        "alarm-without-actions",
        Warning,
        "or they are disabled",
        |facts| {
            alarm_of(facts, "events-ingest-errors").actions_enabled = false;
        },
    ),
    // The windows notify by it.
    (
        "alarm-without-actions",
        Warning,
        "the alarm events-slo-freshness-fast has no actions",
        |facts| {
            alarm_of(facts, "events-slo-freshness-fast").actions = 0;
        },
    ),
    (
        "alarm-without-actions",
        Warning,
        "events-slo-freshness-1h-long, events-slo-freshness-1h-short",
        |facts| {
            known(&mut facts.alarms).retain(|alarm| alarm.children.is_empty());
        },
    ),
    (
        "alarm-insufficient-data",
        Warning,
        "INSUFFICIENT_DATA: events-dead-letters",
        |facts| {
            alarm_of(facts, "events-dead-letters").state = "INSUFFICIENT_DATA".to_owned();
        },
    ),
    (
        "alarm-raised",
        Warning,
        "events-dead-letters: Threshold Crossed; what to do: OPERATIONS.md#dead-letters",
        |facts| {
            let alarm = alarm_of(facts, "events-dead-letters");
            alarm.state = "ALARM".to_owned();
            alarm.state_reason = "Threshold Crossed".to_owned();
            alarm.what_to_do = Some("OPERATIONS.md#dead-letters".to_owned());
        },
    ),
    // Of a window, the alarm that notifies is told.
    (
        "alarm-raised",
        Warning,
        "events-slo-freshness-fast: ",
        |facts| {
            let raised = ["events-slo-freshness-1h-long", "events-slo-freshness-fast"];
            for name in raised {
                alarm_of(facts, name).state = "ALARM".to_owned();
            }
        },
    ),
    (
        "clock-apart-from-aws",
        Warning,
        "clock is 30 s behind that of AWS",
        |facts| {
            facts.aws_clock_ahead_secs = Fact::Known(30);
        },
    ),
    (
        "clock-apart-from-aws",
        Error,
        "clock is 4 min ahead of that of AWS",
        |facts| {
            facts.aws_clock_ahead_secs = Fact::Known(-240);
        },
    ),
    (
        "clock-apart-from-database",
        Warning,
        "behind that of the database",
        |facts| {
            facts.database_clock_ahead_secs = Fact::Known(31);
        },
    ),
];
