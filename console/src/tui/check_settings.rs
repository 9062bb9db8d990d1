//! Judges the settings of the queues. Pure; invariant: settings that were not read are not judged.

use super::finding::Finding;
use super::pipeline_view::PipelineView;
use pipeline::environment::Environment;
use pipeline::rules;

pub(crate) fn check_settings(
    pipeline: &PipelineView,
    environment: &Environment,
    findings: &mut Vec<Finding>,
) {
    let Some(source) = pipeline.source_queue.value() else {
        return;
    };
    let dead = pipeline.dead_letter_queue.value();
    let found = rules::settings(
        &source.settings,
        dead.map(|queue| &queue.settings),
        environment.function_timeout_secs,
    );
    findings.extend(found.into_iter().map(Finding::from));
}
