//! Wiring of the migrate function: settings, pool, the runtime's loop.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use migrate::{Deps, Request, Settings, handle};
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
    let deps = &Deps::connect(&settings)?;
    run(service_fn(|request: LambdaEvent<Request>| async move {
        handle(request.payload, deps).await.map_err(|error| {
            tracing::error!(%error, "schema not kept");
            Error::from(error)
        })
    }))
    .await
    .map_err(|error| anyhow::anyhow!(error))
}
