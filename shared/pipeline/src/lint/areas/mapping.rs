//! The event source mapping from the queue to the ingest. Source: AWS Lambda Developer Guide, "Using Lambda with
//! Amazon SQS".

use crate::lint::check::{Check, Found, Judged, Severity};
use crate::lint::fact::NotChecked;
use crate::lint::facts::{Facts, MappingFacts};
use crate::lint::fix::Fix;
use crate::text::in_words;

/// Concurrent invocations with which Lambda begins to poll a queue.
const POLLERS_AT_START: u64 = 5;
/// Concurrent invocations that one poller of the provisioned mode makes ("Using provisioned mode with an Amazon SQS
/// event source mapping").
const INVOCATIONS_PER_POLLER: u64 = 10;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "mapping-missing",
        why: "without an event source mapping nobody reads the queue: messages wait until their retention ends",
        judge: missing,
    },
    Check {
        id: "mapping-disabled",
        why: "Lambda reads nothing while the mapping is not enabled: messages wait until their retention ends",
        judge: disabled,
    },
    Check {
        id: "partial-batch-failures-off",
        why: "without ReportBatchItemFailures Lambda takes a batch with failed messages for a success, and deletes \
              them: those events are lost",
        judge: partial_failures,
    },
    Check {
        id: "mapping-filter",
        why: "Lambda deletes what the filter of a mapping excludes: it is neither stored nor a dead letter",
        judge: filter,
    },
    Check {
        id: "concurrency-below-pollers",
        why: "the pollers of a queue make more invocations at once than the function may have: the others are \
              throttled, and each of their receives counts towards maxReceiveCount",
        judge: concurrency,
    },
];

fn missing(facts: &Facts) -> Judged {
    let mappings = facts.mappings.get()?;
    Ok(mappings.is_empty().then(|| {
        let queue = facts.queue.known().map_or("QUEUE_ARN", |queue| queue.arn.as_str());
        let fix = Fix::command(format!(
            "{} lambda create-event-source-mapping --function-name {} --event-source-arn {queue} --batch-size 1000 \
             --maximum-batching-window-in-seconds 1 --function-response-types ReportBatchItemFailures",
            facts.subject.aws, facts.subject.function
        ));
        let seen = format!("no mapping from the queue to {}", facts.subject.function);
        Found::new(Severity::Error, seen, fix)
    }))
}

/// The mappings, at least one.
fn present(facts: &Facts) -> Result<&[MappingFacts], NotChecked> {
    let mappings = facts.mappings.get()?;
    if mappings.is_empty() {
        return Err(NotChecked::not_applicable(
            "there is no event source mapping",
        ));
    }
    Ok(mappings)
}

fn update(facts: &Facts, mapping: &MappingFacts, change: &str) -> Fix {
    Fix::command(format!(
        "{} lambda update-event-source-mapping --uuid {} {change}",
        facts.subject.aws, mapping.uuid
    ))
}

fn disabled(facts: &Facts) -> Judged {
    let mut mappings = present(facts)?.iter();
    Ok(mappings
        .find(|one| ["Disabled", "Disabling"].contains(&one.state.as_str()))
        .map(|one| {
            let seen = format!("the mapping {} is {}", one.uuid, one.state);
            Found::new(Severity::Error, seen, update(facts, one, "--enabled"))
        }))
}

fn partial_failures(facts: &Facts) -> Judged {
    let mut mappings = present(facts)?.iter();
    Ok(mappings.find(|one| !one.reports_failures).map(|one| {
        let change = "--function-response-types ReportBatchItemFailures";
        let seen = "FunctionResponseTypes lacks ReportBatchItemFailures";
        Found::new(Severity::Error, seen, update(facts, one, change))
    }))
}

fn filter(facts: &Facts) -> Judged {
    let mut mappings = present(facts)?.iter();
    Ok(mappings.find(|one| one.has_filter).map(|one| {
        let fix = update(facts, one, "--filter-criteria '{}'");
        Found::new(Severity::Warning, "the mapping has a FilterCriteria", fix)
    }))
}

/// Lambda takes only one of the two limits.
fn invocations_at_once(mapping: &MappingFacts) -> u64 {
    match mapping.maximum_pollers {
        Some(pollers) => pollers.saturating_mul(INVOCATIONS_PER_POLLER),
        None => mapping.maximum_concurrency.unwrap_or(POLLERS_AT_START),
    }
}

fn concurrency(facts: &Facts) -> Judged {
    let mappings = present(facts)?;
    let Some(reserved) = *facts.reserved_concurrency.get()? else {
        return Ok(None);
    };
    let wanted: u64 = mappings.iter().map(invocations_at_once).sum();
    if reserved >= wanted {
        return Ok(None);
    }
    let function = &facts.subject.function;
    let (severity, seen) = if reserved == 0 {
        let seen = format!("the reserved concurrency of {function} is 0: it is never invoked");
        (Severity::Error, seen)
    } else {
        let seen = format!(
            "{function} may run {} at once, and its pollers ask for {wanted}",
            in_words(reserved, "time")
        );
        (Severity::Warning, seen)
    };
    let fix = Fix::command(format!(
        "{} lambda put-function-concurrency --function-name {function} --reserved-concurrent-executions {wanted}",
        facts.subject.aws
    ))
    .or_terraform(format!("ingest = {{ reserved_concurrency = {wanted} }}"));
    Ok(Some(Found::new(severity, seen, fix)))
}
