//! Wiring of the ingest function: settings, clients, the runtime's loop.

use ingest::{Batch, Deps, Invocation, Settings, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // `RUST_LOG` without the patterns of `EnvFilter`, which need a regex engine.
    let filter = std::env::var("RUST_LOG")
        .ok()
        .and_then(|text| text.parse::<Targets>().ok());
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_span_list(false);
    tracing_subscriber::registry()
        .with(layer)
        .with(filter.unwrap_or_else(|| Targets::new().with_default(Level::INFO)))
        .init();
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let deps = &Deps::connect(&settings)?;
    run(service_fn(|request: LambdaEvent<Batch>| async move {
        let invocation = Invocation::from_context(&request.context);
        Ok::<_, Error>(handle(request.payload, &invocation, deps).await)
    }))
    .await
    .map_err(|error| anyhow::anyhow!(error))
}
