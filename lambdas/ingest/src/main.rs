//! Wiring of the ingest function: settings, clients, the runtime's loop.

use aws_lambda_events::sqs::SqsEvent;
use ingest::{Deps, Invocation, Settings, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use tracing_subscriber::EnvFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_span_list(false)
        .with_env_filter(
            EnvFilter::builder()
                .with_default_directive(tracing::Level::INFO.into())
                .from_env_lossy(),
        )
        .init();
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let deps = &Deps::connect(&settings).await?;
    run(service_fn(|request: LambdaEvent<SqsEvent>| async move {
        let invocation = Invocation::from_context(&request.context);
        Ok::<_, Error>(handle(request.payload, &invocation, deps).await)
    }))
    .await
    .map_err(|error| anyhow::anyhow!(error))
}
