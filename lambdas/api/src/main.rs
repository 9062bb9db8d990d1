//! Wiring of the api function: settings, pool, then the runtime's loop or, outside of Lambda, a
//! plain HTTP server.

use api::{Settings, connected, without_stage};
use lambda_http::run;
use tower::ServiceExt as _;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // `RUST_LOG` as ever, but without the patterns of `EnvFilter`, which bring a regex engine along.
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
    let router = connected(&settings)?;
    match settings.listen {
        None => run(router.map_request(without_stage))
            .await
            .map_err(|error| anyhow::anyhow!(error)),
        Some(address) => {
            let listener = tokio::net::TcpListener::bind(address).await?;
            Ok(api::serve(listener, router, settings.server).await?)
        }
    }
}
