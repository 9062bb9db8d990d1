//! A whole pipeline with the functions of this build.

use devstack::functions::{self, BuildProfile};
use devstack::{Endpoints, ProgressSender, Stack, StackOptions};
use pipeline::Pipeline;
use pipeline::environment::Environment;

/// Starts it. Compiles the functions first; in a test run they are compiled already.
pub(crate) async fn start() -> Stack {
    let progress = ProgressSender::default();
    let functions = functions::build(BuildProfile::Debug, &progress)
        .await
        .unwrap();
    Stack::start(StackOptions::new(functions)).await.unwrap()
}

/// The console's view of a running stack.
pub(crate) fn connect(endpoints: &Endpoints) -> Pipeline {
    let endpoints = endpoints.clone();
    Pipeline::connect(&Environment {
        region: endpoints.region,
        endpoint_url: Some(endpoints.endpoint_url),
        topic_arn: endpoints.topic_arn,
        queue_url: endpoints.queue_url,
        dead_letter_queue_url: endpoints.dead_letter_queue_url,
        api_url: Some(endpoints.api_url),
        database_url: Some(endpoints.database_url),
        ingest_function: Some(endpoints.ingest_function),
        ..Environment::example()
    })
    .unwrap()
}
