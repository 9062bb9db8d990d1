//! The dead-letter queue. Source: Amazon SQS Developer Guide, "Using dead-letter queues".

use super::queue::set;
use crate::lint::check::{Check, Found, Judged, Severity};
use crate::lint::fact::NotChecked;
use crate::lint::facts::Facts;
use crate::lint::fix::Fix;
use crate::rules::{self, TimeLeft};
use crate::text::{in_words, span_secs};

const DAY_SECS: u64 = 86_400;
/// Largest retention of SQS.
const RETENTION_MAX_SECS: u64 = 14 * DAY_SECS;
/// Dead letters that expire within this time: too soon for somebody who works on weekdays.
const EXPIRY_WARNING_SECS: u64 = 3 * DAY_SECS;
/// Within this time somebody has to act today.
const EXPIRY_ERROR_SECS: u64 = DAY_SECS;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "dead-letter-retention-short",
        why: "a dead letter of a standard queue keeps the time of its first send, so with a retention that is not \
              longer than the queue's it may expire on arrival",
        judge: retention,
    },
    Check {
        id: "dead-letters-expire-soon",
        why: "SQS deletes what was first sent longer ago than the retention, without a trace: after that the event is \
              lost; the age in CloudWatch counts from the move to this queue",
        judge: expiry,
    },
    Check {
        id: "redrive-allow-policy-missing",
        why: "every queue of the account may send its dead letters here, and a redrive would send them to your queue",
        judge: allow_policy,
    },
];

fn retention(facts: &Facts) -> Judged {
    let (queue, dead) = (facts.queue.get()?, facts.dead_letter_queue.get()?);
    let may_expire = rules::may_expire_on_arrival(dead.retention_secs, queue.retention_secs);
    Ok(may_expire.then(|| {
        let seen = format!(
            "{} keeps messages for {}, {} for {}",
            dead.name,
            span_secs(dead.retention_secs),
            queue.name,
            span_secs(queue.retention_secs)
        );
        let fix = set(facts, dead, "MessageRetentionPeriod", RETENTION_MAX_SECS).or_terraform(
            format!("queue = {{ dead_letter_retention_secs = {RETENTION_MAX_SECS} }}"),
        );
        Found::new(Severity::Error, seen, fix)
    }))
}

fn expiry(facts: &Facts) -> Judged {
    let dead = facts.dead_letter_queue.get()?;
    if dead.messages == 0 {
        return Ok(None);
    }
    let queue = facts.queue.get()?;
    let age = *facts.dead_letter_age_secs.get()?;
    let kept = Some(queue.retention_secs);
    let left = TimeLeft::of_dead_letter(age, dead.retention_secs, kept);
    let least = left.least_secs.unwrap_or(left.most_secs);
    if least >= EXPIRY_WARNING_SECS {
        return Ok(None);
    }
    let severity = if least < EXPIRY_ERROR_SECS {
        Severity::Error
    } else {
        Severity::Warning
    };
    let seen = format!(
        "the oldest of {} came {} ago and expires {}",
        in_words(dead.messages, "dead letter"),
        span_secs(age),
        left.text()
    );
    let export = format!(
        "opsconsole --env {} dlq export dead-letters.jsonl",
        facts.subject.environment
    );
    let fix = Fix::command(export);
    Ok(Some(Found::new(severity, seen, fix)))
}

fn allow_policy(facts: &Facts) -> Judged {
    let dead = facts.dead_letter_queue.get()?;
    let queue = facts.queue.get()?;
    if queue.redrive_target_arn.is_none() {
        return Err(NotChecked::not_applicable(
            "the queue has no redrive policy",
        ));
    }
    Ok((!dead.has_allow_policy).then(|| {
        let policy = serde_json::json!({
            "redrivePermission": "byQueue",
            "sourceQueueArns": [queue.arn],
        });
        let seen = format!("{} has no RedriveAllowPolicy", dead.name);
        Found::new(
            Severity::Note,
            seen,
            set(facts, dead, "RedriveAllowPolicy", policy),
        )
    }))
}
