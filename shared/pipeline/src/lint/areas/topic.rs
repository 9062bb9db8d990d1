//! The topic and the subscription of the queue. Source: Amazon SNS Developer Guide.

use crate::lint::check::{Check, Found, Judged, Severity};
use crate::lint::fact::NotChecked;
use crate::lint::facts::{Facts, SubscriptionFacts};
use crate::lint::fix::Fix;
use crate::lint::policy::open_actions;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "topic-open",
        why: "everybody in the world can use the topic: events of strangers are stored like your own",
        judge: open,
    },
    Check {
        id: "topic-not-encrypted",
        why: "without a key only the disks of SNS are encrypted; with one, its policy decides who reads messages, and \
              CloudTrail shows it",
        judge: not_encrypted,
    },
    Check {
        id: "queue-not-subscribed",
        why: "SNS delivers to confirmed subscriptions alone; what is published without one is lost, without an error",
        judge: not_subscribed,
    },
    Check {
        id: "subscription-filter",
        why: "SNS drops what a filter policy does not match: it is neither stored nor a dead letter",
        judge: filter,
    },
    Check {
        id: "raw-delivery-off",
        why: "the ingest reads both forms; the envelope of SNS makes messages larger, and message attributes do not \
              reach the queue",
        judge: raw_delivery,
    },
    Check {
        id: "subscription-without-dead-letters",
        why: "after a denial (a policy of the queue or of its key) SNS does not try again: without a dead-letter \
              queue of the subscription the event is lost",
        judge: without_dead_letters,
    },
];

fn open(facts: &Facts) -> Judged {
    let policy = facts.topic.get()?.policy.as_deref().unwrap_or_default();
    Ok(open_actions(policy).map(|actions| {
        let seen = format!(
            "the topic's policy allows everybody {actions}, without a condition that names a source"
        );
        let fix = Fix::terraform(
            "queue = { publisher_arns = [\"arn:aws:iam::ACCOUNT:role/PUBLISHER\"] }",
        );
        Found::new(Severity::Error, seen, fix)
    }))
}

fn not_encrypted(facts: &Facts) -> Judged {
    let is_encrypted = facts.topic.get()?.is_encrypted;
    Ok((!is_encrypted).then(|| {
        let fix = attribute(facts, "KmsMasterKeyId", "alias/aws/sns");
        Found::new(Severity::Note, "the topic has no KmsMasterKeyId", fix)
    }))
}

fn attribute(facts: &Facts, name: &str, value: &str) -> Fix {
    let (aws, topic) = (&facts.subject.aws, &facts.subject.topic_arn);
    Fix::command(format!(
        "{aws} sns set-topic-attributes --topic-arn {topic} --attribute-name {name} --attribute-value {value}"
    ))
}

fn not_subscribed(facts: &Facts) -> Judged {
    let subscriptions = facts.subscriptions.get()?;
    if subscriptions.iter().any(|one| !one.is_pending) {
        return Ok(None);
    }
    let queue = facts.queue.known();
    let name = queue.map_or("the queue", |queue| queue.name.as_str());
    let seen = match subscriptions.len() {
        0 => format!("no subscription of {name} to the topic"),
        pending => format!("{pending} subscription of {name} waits for its confirmation"),
    };
    let (aws, topic) = (&facts.subject.aws, &facts.subject.topic_arn);
    let arn = queue.map_or("QUEUE_ARN", |queue| queue.arn.as_str());
    let fix = Fix::command(format!(
        "{aws} sns subscribe --topic-arn {topic} --protocol sqs --notification-endpoint {arn} \
         --attributes RawMessageDelivery=true"
    ));
    Ok(Some(Found::new(Severity::Error, seen, fix)))
}

/// The confirmed subscriptions, at least one.
fn confirmed(facts: &Facts) -> Result<Vec<&SubscriptionFacts>, NotChecked> {
    let subscriptions = facts.subscriptions.get()?.iter();
    let confirmed: Vec<_> = subscriptions.filter(|one| !one.is_pending).collect();
    if confirmed.is_empty() {
        return Err(NotChecked::not_applicable("the queue has no subscription"));
    }
    Ok(confirmed)
}

fn set(facts: &Facts, subscription: &SubscriptionFacts, name: &str, value: &str) -> Fix {
    Fix::command(format!(
        "{} sns set-subscription-attributes --subscription-arn {} --attribute-name {name} --attribute-value \
         '{value}'",
        facts.subject.aws, subscription.arn
    ))
}

fn filter(facts: &Facts) -> Judged {
    let subscriptions = confirmed(facts)?;
    let filtered = subscriptions.into_iter().find_map(|one| {
        let policy = one.filter_policy.as_deref()?;
        Some((one, policy))
    });
    Ok(filtered.map(|(one, policy)| {
        let seen = format!("the subscription delivers only what matches {policy}");
        Found::new(
            Severity::Warning,
            seen,
            set(facts, one, "FilterPolicy", "{}"),
        )
    }))
}

fn raw_delivery(facts: &Facts) -> Judged {
    let enveloped = confirmed(facts)?.into_iter().find(|one| !one.is_raw);
    Ok(enveloped.map(|one| {
        let fix = set(facts, one, "RawMessageDelivery", "true");
        Found::new(Severity::Note, "RawMessageDelivery is false", fix)
    }))
}

fn without_dead_letters(facts: &Facts) -> Judged {
    let mut subscriptions = confirmed(facts)?.into_iter();
    Ok(subscriptions
        .find(|one| !one.has_dead_letter_queue)
        .map(|one| {
            let dead = facts.dead_letter_queue.known();
            let arn = dead.map_or("DEAD_LETTER_QUEUE_ARN", |queue| queue.arn.as_str());
            let policy = format!("{{\"deadLetterTargetArn\":\"{arn}\"}}");
            let fix = set(facts, one, "RedrivePolicy", &policy);
            Found::new(
                Severity::Warning,
                "the subscription has no RedrivePolicy",
                fix,
            )
        }))
}
