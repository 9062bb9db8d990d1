//! The whole pipeline on real parts: every message that was published is accounted for.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and so may what it calls"
)]

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_sqs::types::{Message, QueueAttributeName};
use devstack::traffic::{BodyDigest, Remembered, body_digest};
use devstack::{
    BuildProfile, Durability, Endpoints, IngestCounts, ProgressSender, Stack, StackOptions,
    Traffic, TrafficOptions, functions,
};
use event::{
    ERROR_CODE_ATTRIBUTE, ERROR_MESSAGE_ATTRIBUTE, EventKey, FailureCode, REQUEST_ID_ATTRIBUTE,
    peek_identity, unwrap_envelope,
};
use sqlx::PgPool;
use tokio::time::Instant;

const SETTLE_LIMIT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

async fn start() -> Stack {
    let binaries = functions::build(BuildProfile::Debug, &ProgressSender::default())
        .await
        .unwrap();
    let mut options = StackOptions::new(binaries);
    options.durability = Durability::None;
    Stack::start(options).await.unwrap()
}

/// Counts that are visible from outside of the functions.
#[derive(Debug, PartialEq, Eq)]
struct Tally {
    pending: u64,
    stored: u64,
    dead: u64,
}

async fn tally(sqs: &aws_sdk_sqs::Client, pool: &PgPool, endpoints: &Endpoints) -> Tally {
    let stored: i64 = sqlx::query_scalar("select count(*) from records")
        .fetch_one(pool)
        .await
        .unwrap();
    Tally {
        pending: depth(sqs, &endpoints.queue_url).await,
        stored: u64::try_from(stored).unwrap(),
        dead: depth(sqs, &endpoints.dead_letter_queue_url).await,
    }
}

async fn depth(sqs: &aws_sdk_sqs::Client, queue_url: &str) -> u64 {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    ];
    let answer = sqs
        .get_queue_attributes()
        .queue_url(queue_url)
        .set_attribute_names(Some(names.to_vec()))
        .send()
        .await
        .unwrap();
    let attributes = answer.attributes.unwrap();
    names
        .iter()
        .map(|name| attributes[name].parse::<u64>().unwrap())
        .sum()
}

async fn wait_for(sqs: &aws_sdk_sqs::Client, pool: &PgPool, endpoints: &Endpoints, wanted: &Tally) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let seen = tally(sqs, pool, endpoints).await;
        if seen == *wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{seen:?}, wanted {wanted:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn set_raw_delivery(endpoints: &Endpoints, is_raw: bool) {
    let sns = aws_sdk_sns::Client::new(&endpoints.sdk_config());
    let subscriptions = sns
        .list_subscriptions_by_topic()
        .topic_arn(&endpoints.topic_arn)
        .send()
        .await
        .unwrap();
    let arn = subscriptions.subscriptions()[0].subscription_arn().unwrap();
    sns.set_subscription_attributes()
        .subscription_arn(arn)
        .attribute_name("RawMessageDelivery")
        .attribute_value(is_raw.to_string())
        .send()
        .await
        .unwrap();
}

async fn publish(endpoints: &Endpoints, options: TrafficOptions) -> Remembered {
    let total = options.total.unwrap();
    let report = Traffic::start(endpoints, options).finish().await.unwrap();
    assert_eq!(report.counts.attempted, total);
    assert_eq!(report.counts.accepted, total, "{:?}", report.counts);
    assert_eq!(report.counts.refused, 0);
    report.remembered.unwrap()
}

async fn receive_all(sqs: &aws_sdk_sqs::Client, queue_url: &str, number: usize) -> Vec<Message> {
    let deadline = Instant::now() + SETTLE_LIMIT;
    let mut messages = Vec::new();
    while messages.len() < number {
        assert!(Instant::now() < deadline, "{} of {number}", messages.len());
        let answer = sqs
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(10)
            .visibility_timeout(600)
            .message_attribute_names("All")
            .send()
            .await
            .unwrap();
        messages.extend(answer.messages.unwrap_or_default());
    }
    messages
}

fn attribute<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.message_attributes()?.get(name)?.string_value()
}

fn copies<K>(counted: &HashMap<K, u64>) -> u64 {
    counted.values().sum()
}

#[tokio::test]
async fn every_message_is_stored_once_or_dead_with_its_reason() {
    let stack = start().await;
    let endpoints = stack.endpoints();
    let sqs = aws_sdk_sqs::Client::new(&endpoints.sdk_config());
    let pool = PgPool::connect(&endpoints.database_url).await.unwrap();

    let raw_options = TrafficOptions {
        rate: 400.0,
        fault_ratio: 0.1,
        duplicate_ratio: 0.05,
        late_ratio: 0.05,
        seed: 1,
        total: Some(600),
        remember: true,
    };
    let raw = publish(endpoints, raw_options).await;
    set_raw_delivery(endpoints, false).await;
    let enveloped_options = TrafficOptions {
        fault_ratio: 0.3,
        seed: 2,
        total: Some(60),
        ..raw_options
    };
    let enveloped = publish(endpoints, enveloped_options).await;

    let mut events: HashMap<EventKey, u64> = raw.events;
    events.extend(enveloped.events);
    let faults: HashMap<BodyDigest, _> = raw.faults.into_iter().chain(enveloped.faults).collect();
    let dead: u64 = faults.values().map(|(_, copies)| copies).sum();
    let stored = u64::try_from(events.len()).unwrap();
    let duplicates = copies(&events) - stored;
    assert!(duplicates > 0);
    assert_eq!(stored + duplicates + dead, 660);
    let settled = Tally {
        pending: 0,
        stored,
        dead,
    };
    wait_for(&sqs, &pool, endpoints, &settled).await;

    let counted = IngestCounts {
        stored,
        duplicates,
        expired: 0,
        dead_lettered: dead,
        retried: 0,
    };
    assert_eq!(stack.ingest_counts().unwrap(), counted);

    let rows: Vec<(String, String)> = sqlx::query_as(
        "select source, id from event_identities join records using (record_id)
         where identity = event_identity(source, id)",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let ledger: BTreeSet<EventKey> = rows
        .into_iter()
        .map(|(source, id)| EventKey { source, id })
        .collect();
    assert_eq!(ledger, events.into_keys().collect());

    let mut codes = BTreeSet::new();
    let mut unexplained = faults;
    let dead_letters = receive_all(
        &sqs,
        &endpoints.dead_letter_queue_url,
        usize::try_from(dead).unwrap(),
    )
    .await;
    let mut enveloped_dead_letters = 0;
    for dead_letter in &dead_letters {
        let body = dead_letter.body().unwrap();
        let event = unwrap_envelope(body);
        enveloped_dead_letters += u32::from(event != body);
        let (fault, _) = unexplained
            .remove(&body_digest(&event))
            .unwrap_or_else(|| panic!("{body:?} was not published"));
        let code =
            attribute(dead_letter, ERROR_CODE_ATTRIBUTE).map(|code| code.parse::<FailureCode>());
        assert_eq!(code, Some(Ok(fault.code())), "{fault:?}: {body}");
        codes.insert(fault.code());
        for name in [ERROR_MESSAGE_ATTRIBUTE, REQUEST_ID_ATTRIBUTE] {
            let value = attribute(dead_letter, name).unwrap_or_default();
            assert!(!value.is_empty(), "{fault:?} without {name}");
        }
        if event == body {
            let published_with = peek_identity(&event).event_type;
            assert_eq!(
                attribute(dead_letter, "type"),
                published_with.as_deref(),
                "{fault:?}"
            );
        }
    }
    assert!(
        unexplained.is_empty(),
        "{} dead letters are missing",
        unexplained.len()
    );
    assert!(enveloped_dead_letters > 0);
    assert_eq!(
        codes,
        FailureCode::ALL
            .into_iter()
            .filter(|code| code.is_of_event())
            .collect()
    );

    stack.stop().await.unwrap();
}

#[tokio::test]
async fn outage_of_the_database_loses_nothing_and_kills_nothing() {
    let stack = start().await;
    let endpoints = stack.endpoints();
    let sqs = aws_sdk_sqs::Client::new(&endpoints.sdk_config());
    // So that failed messages are retried soon.
    sqs.set_queue_attributes()
        .queue_url(&endpoints.queue_url)
        .attributes(QueueAttributeName::VisibilityTimeout, "3")
        .send()
        .await
        .unwrap();
    let options = TrafficOptions {
        rate: 400.0,
        fault_ratio: 0.0,
        duplicate_ratio: 0.0,
        late_ratio: 0.0,
        seed: 3,
        total: Some(40),
        remember: true,
    };

    stack.postgres().stop_server().await.unwrap();
    assert!(
        stack.is_alive(),
        "a server that was stopped on purpose is no failure"
    );
    let published = publish(endpoints, options).await;
    wait_until_received(&sqs, &endpoints.queue_url).await;
    stack.postgres().start_again().await.unwrap();

    let pool = PgPool::connect(&endpoints.database_url).await.unwrap();
    let settled = Tally {
        pending: 0,
        stored: u64::try_from(published.events.len()).unwrap(),
        dead: 0,
    };
    wait_for(&sqs, &pool, endpoints, &settled).await;
    stack.stop().await.unwrap();
}

/// Waits until the function has received a message from the queue.
async fn wait_until_received(sqs: &aws_sdk_sqs::Client, queue_url: &str) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    let in_flight = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
    loop {
        let answer = sqs
            .get_queue_attributes()
            .queue_url(queue_url)
            .attribute_names(in_flight.clone())
            .send()
            .await
            .unwrap();
        if answer.attributes.unwrap()[&in_flight] != "0" {
            return;
        }
        assert!(Instant::now() < deadline, "nothing was received");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
