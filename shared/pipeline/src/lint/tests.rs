//! Each check on facts that have its fault. Those that the emulator and PostgreSQL can have are set there too, in
//! `console/tests/cli/lint`.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use store::Inspection;

use super::check::Severity;
use super::fact::Fact;
use super::facts::{
    AlarmFacts, ClusterFacts, Facts, FunctionFacts, LogGroupFacts, MappingFacts, QueueFacts,
    SchemaFacts, Subject, SubscriptionFacts, TopicFacts,
};
use super::report::{LintReport, check_ids};
use Severity::{Error, Note, Warning};

const OPEN: &str = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}"#;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

fn queue(name: &str, retention_secs: u64) -> QueueFacts {
    QueueFacts {
        name: name.to_owned(),
        url: format!("https://sqs.us-east-1.amazonaws.com/123456789012/{name}"),
        arn: format!("arn:aws:sqs:us-east-1:123456789012:{name}"),
        visibility_timeout_secs: 361,
        retention_secs,
        receive_wait_secs: 20,
        message_bytes_max: 1_048_576,
        is_encrypted: Some(true),
        ..QueueFacts::default()
    }
}

/// A production environment as `terraform/environments/production` makes it.
fn healthy() -> Facts {
    let dead = queue("events-dead-letters", 14 * 86_400);
    let source = QueueFacts {
        redrive_target_arn: Some(dead.arn.clone()),
        max_receive_count: Some(5),
        ..queue("events-queue", 4 * 86_400)
    };
    let inspection = Inspection {
        applied: vec![1, 2],
        covered_until: Some(now() + TimeDelta::days(90)),
        default_rows: 0,
        unfolded_hours: 20,
        database_now: now(),
    };
    Facts {
        subject: Subject {
            environment: "production".to_owned(),
            is_production: true,
            aws: "aws --region us-east-1".to_owned(),
            topic_arn: "arn:aws:sns:us-east-1:123456789012:events".to_owned(),
            function: "events-ingest".to_owned(),
            entry_timeout_secs: Some(60),
            cluster: "events-database".to_owned(),
        },
        now: now(),
        queue: Fact::Known(source),
        dead_letter_queue: Fact::Known(QueueFacts {
            has_allow_policy: true,
            ..dead
        }),
        dead_letter_age_secs: Fact::Unknown("no value".to_owned()),
        topic: Fact::Known(TopicFacts {
            policy: None,
            is_encrypted: true,
        }),
        subscriptions: Fact::Known(vec![subscription()]),
        function: Fact::Known(FunctionFacts {
            timeout_secs: 60,
            runtime: "provided.al2023".to_owned(),
            architecture: "arm64".to_owned(),
            state: Some("Active".to_owned()),
            last_update: Some("Successful".to_owned()),
            ..FunctionFacts::default()
        }),
        reserved_concurrency: Fact::Known(None),
        mappings: Fact::Known(vec![MappingFacts {
            uuid: "a-mapping".to_owned(),
            state: "Enabled".to_owned(),
            window_secs: 1,
            reports_failures: true,
            maximum_concurrency: Some(5),
            has_filter: false,
        }]),
        log_group: Fact::Known(LogGroupFacts {
            name: "/aws/lambda/events-ingest".to_owned(),
            retention_days: Some(30),
        }),
        alarms: Fact::Known(vec![AlarmFacts {
            name: "events-dead-letters".to_owned(),
            state: "OK".to_owned(),
            actions: 1,
            actions_enabled: true,
            is_of_dead_letters: true,
            ..AlarmFacts::default()
        }]),
        schema: Fact::Known(SchemaFacts {
            inspection,
            known: vec![1, 2],
        }),
        horizon: Fact::Known(Some(now() - TimeDelta::days(60))),
        cluster: Fact::Known(ClusterFacts {
            engine_version: "17.4".to_owned(),
            is_encrypted: true,
            deletion_protection: true,
            backup_days: 14,
            min_capacity_acu: Some(0.5),
        }),
        aws_clock_ahead_secs: Fact::Known(0),
        database_clock_ahead_secs: Fact::Known(1),
    }
}

fn subscription() -> SubscriptionFacts {
    SubscriptionFacts {
        arn: "arn:aws:sns:us-east-1:123456789012:events:1".to_owned(),
        is_raw: true,
        has_dead_letter_queue: true,
        ..SubscriptionFacts::default()
    }
}

fn known<T>(fact: &mut Fact<T>) -> &mut T {
    match fact {
        Fact::Known(value) => value,
        Fact::Unknown(reason) | Fact::NotApplicable(reason) => panic!("{reason}"),
    }
}

fn source(facts: &mut Facts) -> &mut QueueFacts {
    known(&mut facts.queue)
}

fn dead(facts: &mut Facts) -> &mut QueueFacts {
    known(&mut facts.dead_letter_queue)
}

fn inspection(facts: &mut Facts) -> &mut Inspection {
    &mut known(&mut facts.schema).inspection
}

fn first<T>(fact: &mut Fact<Vec<T>>) -> &mut T {
    known(fact).first_mut().unwrap()
}

/// The id of a check, the severity of its finding, a part of what was seen, and the fault.
type Fault = (&'static str, Severity, &'static str, fn(&mut Facts));

const FAULTS: &[Fault] = &[
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
    (
        "dead-letters-expire-soon",
        Warning,
        "the oldest of 3 dead letters is 12 d",
        |facts| {
            dead(facts).messages = 3;
            facts.dead_letter_age_secs = Fact::Known(12 * 86_400);
        },
    ),
    (
        "dead-letters-expire-soon",
        Error,
        "expires in 0 s",
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
        inspection(facts).applied = vec![1];
    }),
    ("schema-ahead", Warning, "does not know: 3", |facts| {
        inspection(facts).applied = vec![1, 2, 3];
    }),
    ("partitions-run-out", Warning, "in 6 d", |facts| {
        inspection(facts).covered_until = Some(now() + TimeDelta::days(6));
    }),
    ("partitions-run-out", Error, "in 1 d", |facts| {
        inspection(facts).covered_until = Some(now() + TimeDelta::days(1));
    }),
    (
        "partitions-run-out",
        Error,
        "no partition for the present time",
        |facts| {
            inspection(facts).covered_until = None;
        },
    ),
    (
        "rows-in-default-partition",
        Note,
        "about 12 records",
        |facts| {
            inspection(facts).default_rows = 12;
        },
    ),
    (
        "rows-in-default-partition",
        Warning,
        "about 100,000 records",
        |facts| {
            inspection(facts).default_rows = 100_000;
        },
    ),
    (
        "upkeep-behind",
        Warning,
        "73 of the last 168 hours",
        |facts| {
            inspection(facts).unfolded_hours = 73;
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
        "backups of 1 days",
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
        "1 alarms, none on the depth",
        |facts| {
            first(&mut facts.alarms).is_of_dead_letters = false;
        },
    ),
    (
        "alarm-without-actions",
        Warning,
        "events-dead-letters has no actions",
        |facts| {
            first(&mut facts.alarms).actions = 0;
        },
    ),
    (
        "alarm-without-actions",
        Warning,
        "or they are disabled",
        |facts| {
            first(&mut facts.alarms).actions_enabled = false;
        },
    ),
    (
        "alarm-insufficient-data",
        Warning,
        "INSUFFICIENT_DATA: events-dead-letters",
        |facts| {
            first(&mut facts.alarms).state = "INSUFFICIENT_DATA".to_owned();
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

#[test]
fn healthy_pipeline_has_no_finding_and_every_check_was_made() {
    let report = LintReport::of(&healthy());
    assert_eq!((&report.findings, report.worst()), (&Vec::new(), None));
    assert_eq!(report.not_checked, []);
    assert_eq!(report.passed, check_ids());
}

#[test]
fn every_fault_is_found_by_its_check_alone() {
    for (id, severity, part, fault) in FAULTS {
        let mut facts = healthy();
        fault(&mut facts);
        let report = LintReport::of(&facts);
        let [finding] = report.findings.as_slice() else {
            panic!("{id}: {:#?}", report.findings);
        };
        assert_eq!((finding.id, finding.severity), (*id, *severity));
        assert!(finding.seen.contains(part), "{id}: {}", finding.seen);
        assert!(!finding.fix.text().is_empty(), "{id}");
        assert!(!report.is_incomplete(), "{id}: {:?}", report.not_checked);
    }
}

#[test]
fn every_check_has_a_fault_that_triggers_it() {
    let triggered: BTreeSet<&str> = FAULTS.iter().map(|(id, ..)| *id).collect();
    let ids: BTreeSet<&str> = check_ids().into_iter().collect();
    assert_eq!(triggered, ids);
    assert_eq!(ids.len(), check_ids().len(), "an id is given twice");
    let is_kebab = |id: &&str| id.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    assert!(ids.iter().all(is_kebab), "{ids:?}");
}

#[test]
fn what_could_not_be_read_is_not_checked_and_never_passed() {
    fn unread<T>() -> Fact<T> {
        Fact::Unknown("connection refused".to_owned())
    }
    let facts = Facts {
        queue: unread(),
        dead_letter_queue: unread(),
        dead_letter_age_secs: unread(),
        topic: unread(),
        subscriptions: unread(),
        function: unread(),
        reserved_concurrency: unread(),
        mappings: unread(),
        log_group: unread(),
        alarms: unread(),
        schema: unread(),
        horizon: unread(),
        cluster: unread(),
        aws_clock_ahead_secs: unread(),
        database_clock_ahead_secs: unread(),
        ..healthy()
    };
    let report = LintReport::of(&facts);
    assert!(report.findings.is_empty() && report.passed.is_empty());
    let ids: Vec<&str> = report.not_checked.iter().map(|check| check.id).collect();
    assert_eq!(ids, check_ids());
    for check in &report.not_checked {
        assert!(check.is_failure, "{check:?}");
        assert_eq!(check.reason, "connection refused");
    }
}

#[test]
fn what_the_environment_does_not_have_is_no_failure() {
    let absent = || "the environment's entry names no cluster".to_owned();
    let mut facts = healthy();
    facts.cluster = Fact::NotApplicable(absent());
    let report = LintReport::of(&facts);
    assert!(!report.is_incomplete());
    let ids: Vec<&str> = report.not_checked.iter().map(|check| check.id).collect();
    assert_eq!(
        ids,
        [
            "cluster-deletion-protection-off",
            "cluster-backups-short",
            "cluster-not-encrypted",
            "cluster-cannot-pause",
        ]
    );
}

#[test]
fn worst_findings_come_first() {
    let mut facts = healthy();
    known(&mut facts.topic).is_encrypted = false;
    source(&mut facts).max_receive_count = Some(2);
    dead(&mut facts).policy = Some(OPEN.to_owned());
    let severities: Vec<Severity> = LintReport::of(&facts)
        .findings
        .iter()
        .map(|finding| finding.severity)
        .collect();
    assert_eq!(severities, [Error, Warning, Note]);
}

#[test]
fn rules_of_production_are_not_applied_elsewhere() {
    let mut facts = healthy();
    facts.subject.is_production = false;
    known(&mut facts.function).replacements_allowed = true;
    known(&mut facts.cluster).deletion_protection = false;
    known(&mut facts.cluster).backup_days = 1;
    assert_eq!(LintReport::of(&facts).findings, []);
}

#[test]
fn fix_is_a_command_for_the_shell_with_the_names_of_this_pipeline() {
    let mut facts = healthy();
    source(&mut facts).visibility_timeout_secs = 60;
    let report = LintReport::of(&facts);
    let fix = &report.findings.first().unwrap().fix;
    assert_eq!(
        fix.text(),
        "aws --region us-east-1 sqs set-queue-attributes --queue-url \
         https://sqs.us-east-1.amazonaws.com/123456789012/events-queue --attributes \
         '{\"VisibilityTimeout\":\"361\"}'"
    );
    let terraform = fix.terraform.as_deref();
    assert_eq!(terraform, Some("queue = { visibility_timeout_secs = 361 }"));
}
