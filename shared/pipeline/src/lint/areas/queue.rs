//! The source queue. Sources: Amazon SQS Developer Guide; AWS Lambda Developer Guide, "Using Lambda with Amazon SQS".

use crate::lint::check::{Check, Found, Judged, Severity};
use crate::lint::fact::NotChecked;
use crate::lint::facts::{Facts, QueueFacts};
use crate::lint::fix::Fix;
use crate::lint::policy::open_actions;
use crate::rules;

/// With less, one throttled batch or one restart of the database moves good messages to the dead-letter queue.
const RECEIVES_MIN: u64 = 3;
/// With more, a message that always fails is received for hours before anybody sees it.
const RECEIVES_MAX: u64 = 100;
/// Largest message that SNS delivers, unless the topic allows more (Amazon SNS quotas).
const SNS_MESSAGE_BYTES: u64 = 262_144;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "visibility-timeout-short",
        why: "Lambda wants 6 × the function's timeout and the batching window: with less, messages are delivered \
              again while they are still being processed, and each delivery counts towards maxReceiveCount",
        judge: visibility,
    },
    Check {
        id: "queue-without-redrive-policy",
        why: "SQS returns a failing message to the queue until its retention ends, and then deletes it",
        judge: no_redrive_policy,
    },
    Check {
        id: "redrive-policy-elsewhere",
        why: "dead letters go to a queue that this environment does not read, so nobody sees them here",
        judge: redrive_elsewhere,
    },
    Check {
        id: "max-receive-count-small",
        why: "a throttled batch and a restart of the database count as receives: good messages become dead letters",
        judge: few_receives,
    },
    Check {
        id: "max-receive-count-large",
        why: "a message that always fails is received as often before it becomes a dead letter: hours of \
              invocations in which nobody sees why",
        judge: many_receives,
    },
    Check {
        id: "queue-open",
        why: "everybody in the world can use the queue: messages of strangers reach the ingest, or yours are read",
        judge: open,
    },
    Check {
        id: "queue-not-encrypted",
        why: "messages are stored without server-side encryption, and that of SQS itself (SSE-SQS) costs nothing",
        judge: not_encrypted,
    },
    Check {
        id: "message-size-limit",
        why: "SNS delivers messages of up to 256 KiB: what is larger than the queue's limit is refused, and lost \
              unless the subscription has a dead-letter queue",
        judge: size_limit,
    },
    Check {
        id: "long-polling-off",
        why: "a consumer that does not set its own wait gets empty answers although messages are there, and pays for \
              each; Lambda's pollers and opsconsole set their own",
        judge: short_polling,
    },
];

/// The command that sets attributes of a queue.
pub(super) fn set(facts: &Facts, queue: &QueueFacts, attribute: &str, value: impl ToString) -> Fix {
    let attributes = serde_json::json!({ attribute: value.to_string() });
    Fix::command(format!(
        "{} sqs set-queue-attributes --queue-url {} --attributes '{attributes}'",
        facts.subject.aws, queue.url
    ))
}

fn visibility(facts: &Facts) -> Judged {
    let queue = facts.queue.get()?;
    let timeout = match facts.function.get() {
        Ok(function) => function.timeout_secs,
        Err(why) => facts.subject.entry_timeout_secs.ok_or(why)?,
    };
    let mappings = facts.mappings.known();
    let windows = mappings.into_iter().flatten().map(|one| one.window_secs);
    let window = windows.max().unwrap_or_default();
    let short = rules::short_visibility(queue.visibility_timeout_secs, timeout, window);
    let Some((severity, wanted)) = short else {
        return Ok(None);
    };
    let seen = format!(
        "visibility timeout {} s, function timeout {timeout} s, batching window {window} s: {wanted} s are wanted",
        queue.visibility_timeout_secs
    );
    let fix = set(facts, queue, "VisibilityTimeout", wanted)
        .or_terraform(format!("queue = {{ visibility_timeout_secs = {wanted} }}"));
    Ok(Some(Found::new(severity.into(), seen, fix)))
}

fn redrive_policy(facts: &Facts, queue: &QueueFacts, receives: u64) -> Fix {
    let dead = facts.dead_letter_queue.known();
    let target = dead.map_or("DEAD_LETTER_QUEUE_ARN", |dead| dead.arn.as_str());
    let policy = serde_json::json!({"deadLetterTargetArn": target, "maxReceiveCount": receives});
    set(facts, queue, "RedrivePolicy", policy)
}

fn no_redrive_policy(facts: &Facts) -> Judged {
    let queue = facts.queue.get()?;
    Ok(queue.redrive_target_arn.is_none().then(|| {
        let seen = format!("{} has no RedrivePolicy", queue.name);
        let fix = redrive_policy(facts, queue, 5).or_terraform("queue = { max_receive_count = 5 }");
        Found::new(Severity::Error, seen, fix)
    }))
}

/// The redrive policy: where dead letters go, after how many receives.
fn redrive(queue: &QueueFacts) -> Result<(&str, u64), NotChecked> {
    let policy = queue.redrive_target_arn.as_deref();
    policy
        .zip(queue.max_receive_count)
        .ok_or_else(|| NotChecked::not_applicable("the queue has no redrive policy"))
}

fn redrive_elsewhere(facts: &Facts) -> Judged {
    let queue = facts.queue.get()?;
    let dead = facts.dead_letter_queue.get()?;
    let (target, receives) = redrive(queue)?;
    Ok((target != dead.arn).then(|| {
        let seen = format!(
            "dead letters go to {target}, and this environment reads {}",
            dead.arn
        );
        Found::new(
            Severity::Error,
            seen,
            redrive_policy(facts, queue, receives),
        )
    }))
}

fn few_receives(facts: &Facts) -> Judged {
    let queue = facts.queue.get()?;
    let (_, receives) = redrive(queue)?;
    Ok((receives < RECEIVES_MIN).then(|| counted(facts, queue, receives)))
}

fn many_receives(facts: &Facts) -> Judged {
    let queue = facts.queue.get()?;
    let (_, receives) = redrive(queue)?;
    Ok((receives > RECEIVES_MAX).then(|| counted(facts, queue, receives)))
}

fn counted(facts: &Facts, queue: &QueueFacts, receives: u64) -> Found {
    let seen = format!("maxReceiveCount {receives} ({RECEIVES_MIN} to {RECEIVES_MAX} are usual)");
    let fix = redrive_policy(facts, queue, 5).or_terraform("queue = { max_receive_count = 5 }");
    Found::new(Severity::Warning, seen, fix)
}

/// Both queues, as far as they are known; the first failure where one is not.
fn both(facts: &Facts) -> Result<[&QueueFacts; 2], NotChecked> {
    Ok([facts.queue.get()?, facts.dead_letter_queue.get()?])
}

fn open(facts: &Facts) -> Judged {
    let open = both(facts)?.into_iter().find_map(|queue| {
        let actions = open_actions(queue.policy.as_deref()?)?;
        Some((queue, actions))
    });
    Ok(open.map(|(queue, actions)| {
        let seen = format!(
            "the policy of {} allows everybody {actions}, without a condition that names a source",
            queue.name
        );
        let policy = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue.arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": facts.subject.topic_arn}},
            }],
        });
        Found::new(Severity::Error, seen, set(facts, queue, "Policy", policy))
    }))
}

fn not_encrypted(facts: &Facts) -> Judged {
    let queues = both(facts)?;
    if queues.iter().all(|queue| queue.is_encrypted.is_none()) {
        let reason = "SQS does not say whether the queues are encrypted (an emulator)";
        return Err(NotChecked::not_applicable(reason));
    }
    let plain = queues
        .into_iter()
        .find(|queue| queue.is_encrypted == Some(false));
    Ok(plain.map(|queue| {
        let seen = format!("{} has neither SqsManagedSseEnabled nor a key", queue.name);
        let fix = set(facts, queue, "SqsManagedSseEnabled", true);
        Found::new(Severity::Warning, seen, fix)
    }))
}

fn size_limit(facts: &Facts) -> Judged {
    let mut queues = both(facts)?.into_iter();
    Ok(queues
        .find(|queue| queue.message_bytes_max < SNS_MESSAGE_BYTES)
        .map(|queue| {
            let seen = format!(
                "{} takes messages of up to {} bytes",
                queue.name, queue.message_bytes_max
            );
            let fix = set(facts, queue, "MaximumMessageSize", 1_048_576);
            Found::new(Severity::Warning, seen, fix)
        }))
}

fn short_polling(facts: &Facts) -> Judged {
    let mut queues = both(facts)?.into_iter();
    Ok(queues
        .find(|queue| queue.receive_wait_secs == 0)
        .map(|queue| {
            let seen = format!("{} has ReceiveMessageWaitTimeSeconds 0", queue.name);
            let fix = set(facts, queue, "ReceiveMessageWaitTimeSeconds", 20);
            Found::new(Severity::Note, seen, fix)
        }))
}
