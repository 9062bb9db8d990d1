//! The alarms on the metrics of this pipeline. Source: Amazon CloudWatch User Guide, "Using Amazon CloudWatch alarms".

use crate::lint::check::{Check, Found, Judged, Severity};
use crate::lint::facts::{AlarmFacts, Facts};
use crate::lint::fix::{Fix, alarm_names};
use crate::text::in_words;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "dead-letters-without-alarm",
        why: "a dead letter is deleted after the queue's retention: without an alarm nobody knows that there is one",
        judge: no_alarm,
    },
    Check {
        id: "alarm-without-actions",
        why: "an alarm that notifies nobody, by itself or by a composite alarm, changes its state, and nobody sees it",
        judge: without_actions,
    },
    Check {
        id: "alarm-insufficient-data",
        why: "CloudWatch has no values for the alarm: its metric or a dimension may be misspelt, and it is never raised",
        judge: insufficient_data,
    },
    Check {
        id: "alarm-raised",
        why: "an alarm of this pipeline is raised: its runbook says what it means and what to do",
        judge: raised,
    },
];

fn no_alarm(facts: &Facts) -> Judged {
    let alarms = facts.alarms.get()?;
    let mut of_dead_letters = alarms.iter().filter(|alarm| alarm.is_of_dead_letters);
    if of_dead_letters.any(|alarm| lineage(alarm, alarms).into_iter().any(notifies)) {
        return Ok(None);
    }
    let dead = facts.dead_letter_queue.known();
    let name = dead.map_or("the dead-letter queue", |queue| queue.name.as_str());
    let fix = Fix::command(format!(
        "{} cloudwatch put-metric-alarm --alarm-name {name} --namespace AWS/SQS --metric-name \
         ApproximateNumberOfMessagesVisible --dimensions Name=QueueName,Value={name} --statistic Maximum --period 60 \
         --evaluation-periods 1 --threshold 0 --comparison-operator GreaterThanThreshold --alarm-actions \
         NOTIFICATION_TOPIC_ARN",
        facts.subject.aws
    ))
    .or_terraform("terraform apply");
    let seen = format!(
        "{}, none on the depth of {name} alone that notifies somebody",
        in_words(alarms.len() as u64, "alarm")
    );
    Ok(Some(Found::new(Severity::Warning, seen, fix)))
}

fn notifies(alarm: &AlarmFacts) -> bool {
    alarm.actions > 0 && alarm.actions_enabled
}

/// The alarm, and the composite alarms whose state depends on it. Rules may name each other in a circle.
fn lineage<'a>(alarm: &'a AlarmFacts, all: &'a [AlarmFacts]) -> Vec<&'a AlarmFacts> {
    let mut line = vec![alarm];
    let mut next = 0;
    while let Some(child) = line.get(next).copied() {
        let is_new = |one: &&AlarmFacts| line.iter().all(|known| known.name != one.name);
        let parents = all.iter().filter(|one| one.children.contains(&child.name));
        let parents: Vec<&AlarmFacts> = parents.filter(is_new).collect();
        line.extend(parents);
        next += 1;
    }
    line
}

/// The names, as a finding lists them.
fn listed(names: &[&str]) -> String {
    const LISTED_MAX: usize = 5;
    let shown: Vec<&str> = names.iter().take(LISTED_MAX).copied().collect();
    let more = names.len() - shown.len();
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{rest}", shown.join(", "))
}

/// Those on metrics that notify nobody, by themselves or by a composite alarm; of several in a line the last one.
fn without_actions(facts: &Facts) -> Judged {
    let alarms = facts.alarms.get()?;
    let mut silent: Vec<&str> = Vec::new();
    for alarm in alarms.iter().filter(|alarm| alarm.children.is_empty()) {
        let line = lineage(alarm, alarms);
        let last = line.last().map(|last| last.name.as_str());
        if let Some(last) = last
            && !line.into_iter().any(notifies)
            && !silent.contains(&last)
        {
            silent.push(last);
        }
    }
    Ok(silent.first().map(|first| {
        let fix = Fix::command(format!(
            "{} cloudwatch enable-alarm-actions {}",
            facts.subject.aws,
            alarm_names(&silent)
        ))
        .or_terraform("notification_emails = [\"on-call@example.com\"]");
        let seen = if silent.len() == 1 {
            format!("the alarm {first} has no actions, or they are disabled")
        } else {
            format!("without actions, or disabled: {}", listed(&silent))
        };
        Found::new(Severity::Warning, seen, fix)
    }))
}

fn insufficient_data(facts: &Facts) -> Judged {
    let alarms = facts.alarms.get()?.iter();
    let unknown: Vec<&str> = alarms
        .filter(|alarm| alarm.children.is_empty())
        .filter(|alarm| alarm.state == "INSUFFICIENT_DATA")
        .map(|alarm| alarm.name.as_str())
        .collect();
    Ok((!unknown.is_empty()).then(|| {
        let fix = Fix::command(format!(
            "{} cloudwatch describe-alarms {}",
            facts.subject.aws,
            alarm_names(&unknown)
        ));
        let seen = format!("INSUFFICIENT_DATA: {}", listed(&unknown));
        Found::new(Severity::Warning, seen, fix)
    }))
}

/// Those that notify: a window of an objective is below the alarm that does.
fn raised(facts: &Facts) -> Judged {
    let alarms = facts.alarms.get()?.iter();
    let raised: Vec<&AlarmFacts> = alarms
        .filter(|alarm| alarm.state == "ALARM" && alarm.actions > 0)
        .collect();
    Ok(raised.first().map(|first| {
        let names: Vec<&str> = raised.iter().map(|alarm| alarm.name.as_str()).collect();
        let fix = Fix::command(format!(
            "{} cloudwatch describe-alarms {}",
            facts.subject.aws,
            alarm_names(&names)
        ));
        let what_to_do = first.what_to_do.as_deref();
        let what_to_do = what_to_do.unwrap_or("no place in its description");
        let seen = if names.len() == 1 {
            format!(
                "{}: {}; what to do: {what_to_do}",
                first.name, first.state_reason
            )
        } else {
            format!("raised: {}; what to do: {what_to_do}", listed(&names))
        };
        Found::new(Severity::Warning, seen, fix)
    }))
}
