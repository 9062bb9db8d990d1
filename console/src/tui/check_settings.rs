//! Judges the settings of the queues. Pure; invariant: settings that were not read are not judged.

use super::finding::Finding;
use super::format::span_secs;
use super::pipeline_view::PipelineView;
use super::theme::Tone;
use pipeline::environment::Environment;

/// AWS Lambda developer guide, "Using Lambda with Amazon SQS": the queue's visibility timeout is
/// to be at least six times the function's timeout.
const VISIBILITY_PER_FUNCTION_TIMEOUT: u64 = 6;

pub(crate) fn check_settings(
    pipeline: &PipelineView,
    environment: &Environment,
    findings: &mut Vec<Finding>,
) {
    let Some(source) = pipeline.source_queue.value().map(|queue| &queue.settings) else {
        return;
    };
    if let Some(timeout) = environment.function_timeout_secs
        && source.visibility_timeout_secs < VISIBILITY_PER_FUNCTION_TIMEOUT * timeout
    {
        findings.push(Finding {
            tone: Tone::Warning,
            text: format!(
                "visibility timeout {} s is below 6 × function timeout {timeout} s: duplicates \
                 under load",
                source.visibility_timeout_secs
            ),
            advice: "raise the queue's visibility timeout".to_owned(),
            screen: None,
        });
    }
    if source.max_receive_count.is_none() {
        findings.push(Finding {
            tone: Tone::Bad,
            text: format!(
                "{} has no redrive policy: failing messages are retried until they expire",
                source.name
            ),
            advice: "add a dead-letter queue to the queue".to_owned(),
            screen: None,
        });
    }
    let Some(dead) = pipeline
        .dead_letter_queue
        .value()
        .map(|queue| &queue.settings)
    else {
        return;
    };
    if dead.retention_secs <= source.retention_secs {
        findings.push(Finding {
            tone: Tone::Warning,
            text: format!(
                "{} keeps messages for {}, {} for {}: messages may expire on arrival",
                dead.name,
                span_secs(dead.retention_secs),
                source.name,
                span_secs(source.retention_secs)
            ),
            advice: "set a longer retention on the dead-letter queue".to_owned(),
            screen: None,
        });
    }
}
