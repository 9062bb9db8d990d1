//! Facts of a sound pipeline, and its parts for those that have a fault.

use chrono::{DateTime, TimeDelta, Utc};

use crate::lint::fact::Fact;
use crate::lint::facts::{
    AlarmFacts, Applied, ClusterFacts, Facts, FunctionFacts, LogGroupFacts, MappingFacts,
    QueueFacts, SchemaFacts, Subject, SubscriptionFacts, TopicFacts, UpkeepFacts,
};

pub(super) const OPEN: &str = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}"#;

pub(super) fn now() -> DateTime<Utc> {
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
pub(super) fn healthy() -> Facts {
    let dead = queue("events-dead-letters", 14 * 86_400);
    let source = QueueFacts {
        redrive_target_arn: Some(dead.arn.clone()),
        max_receive_count: Some(5),
        ..queue("events-queue", 4 * 86_400)
    };
    Facts {
        subject: subject(),
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
        function: Fact::Known(function()),
        reserved_concurrency: Fact::Known(None),
        mappings: Fact::Known(vec![MappingFacts {
            uuid: "a-mapping".to_owned(),
            state: "Enabled".to_owned(),
            window_secs: 1,
            reports_failures: true,
            maximum_concurrency: Some(5),
            maximum_pollers: None,
            has_filter: false,
        }]),
        log_group: Fact::Known(LogGroupFacts {
            name: "/aws/lambda/events-ingest".to_owned(),
            retention_days: Some(30),
        }),
        alarms: Fact::Known(alarms()),
        schema: Fact::Known(schema()),
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

fn subject() -> Subject {
    Subject {
        environment: "production".to_owned(),
        is_production: true,
        aws: "aws --region us-east-1".to_owned(),
        topic_arn: "arn:aws:sns:us-east-1:123456789012:events".to_owned(),
        function: "events-ingest".to_owned(),
        entry_timeout_secs: Some(60),
        cluster: "events-database".to_owned(),
    }
}

fn function() -> FunctionFacts {
    FunctionFacts {
        timeout_secs: 60,
        runtime: "provided.al2023".to_owned(),
        architecture: "arm64".to_owned(),
        state: Some("Active".to_owned()),
        last_update: Some("Successful".to_owned()),
        ..FunctionFacts::default()
    }
}

fn schema() -> SchemaFacts {
    SchemaFacts {
        known: vec![1, 2],
        applied: Fact::Known(Applied::All(vec![1, 2])),
        database_now: now(),
        covered_until: Fact::Known(Some(now() + TimeDelta::days(90))),
        default_rows: 0,
        upkeep: Fact::Known(UpkeepFacts {
            counted_hours: 40,
            unfolded_hours: 2,
        }),
    }
}

/// Those of dead letters and of a function notify by themselves, the windows of an objective by the composite alarm.
fn alarms() -> Vec<AlarmFacts> {
    let windows = [
        "events-slo-freshness-1h-long",
        "events-slo-freshness-1h-short",
    ];
    let mut alarms = vec![
        AlarmFacts {
            is_of_dead_letters: true,
            ..alarm("events-dead-letters", 1)
        },
        alarm("events-ingest-errors", 1),
    ];
    alarms.extend(windows.map(|name| alarm(name, 0)));
    alarms.push(AlarmFacts {
        children: windows.map(str::to_owned).to_vec(),
        ..alarm("events-slo-freshness-fast", 1)
    });
    alarms
}

pub(super) fn alarm(name: &str, actions: usize) -> AlarmFacts {
    AlarmFacts {
        name: name.to_owned(),
        state: "OK".to_owned(),
        actions,
        actions_enabled: true,
        ..AlarmFacts::default()
    }
}

/// The alarm with this name.
pub(super) fn alarm_of<'a>(facts: &'a mut Facts, name: &str) -> &'a mut AlarmFacts {
    let mut alarms = known(&mut facts.alarms).iter_mut();
    alarms.find(|alarm| alarm.name == name).unwrap()
}

fn subscription() -> SubscriptionFacts {
    SubscriptionFacts {
        arn: "arn:aws:sns:us-east-1:123456789012:events:1".to_owned(),
        is_raw: true,
        has_dead_letter_queue: true,
        ..SubscriptionFacts::default()
    }
}

pub(super) fn known<T>(fact: &mut Fact<T>) -> &mut T {
    match fact {
        Fact::Known(value) => value,
        Fact::Unknown(reason) | Fact::NotApplicable(reason) => panic!("{reason}"),
    }
}

pub(super) fn source(facts: &mut Facts) -> &mut QueueFacts {
    known(&mut facts.queue)
}

pub(super) fn dead(facts: &mut Facts) -> &mut QueueFacts {
    known(&mut facts.dead_letter_queue)
}

pub(super) fn schema_of(facts: &mut Facts) -> &mut SchemaFacts {
    known(&mut facts.schema)
}

pub(super) fn first<T>(fact: &mut Fact<Vec<T>>) -> &mut T {
    known(fact).first_mut().unwrap()
}
