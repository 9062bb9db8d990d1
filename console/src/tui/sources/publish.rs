//! One event to the topic, on record.

use serde_json::json;

use pipeline::audit::Operation;
use pipeline::model::Published;
use pipeline::{Pipeline, PipelineError, PlannedChange};

pub(super) async fn publish(pipeline: &Pipeline, body: String) -> Result<Published, PipelineError> {
    let permit = pipeline
        .begin_change(PlannedChange {
            operation: Operation::Publish,
            target: pipeline.topic_name().to_owned(),
            planned: 1,
            details: json!({ "event": event::peek_identity(&body) }),
        })
        .await?;
    let published = pipeline.publish_one(&permit, body).await;
    let is_published = usize::from(published.is_ok());
    let counts = [("published", is_published), ("failed", 1 - is_published)];
    let error = published.as_ref().err().map(ToString::to_string);
    if let Err(error) = permit.end(counts, error).await {
        tracing::warn!(%error, "the end of a publish is not on record");
    }
    published
}
