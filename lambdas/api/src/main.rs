//! Wiring of the api function: settings, pool, then the runtime's loop or, outside of Lambda, a
//! plain HTTP server.

use api::{Settings, connected, without_stage};
use lambda_http::run;
use tower::ServiceExt as _;
use tracing_subscriber::EnvFilter;

#[tokio::main]
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
    let router = connected(&settings)?;
    match settings.listen {
        None => run(router.map_request(without_stage))
            .await
            .map_err(|error| anyhow::anyhow!(error)),
        Some(address) => {
            let listener = tokio::net::TcpListener::bind(address).await?;
            tracing::info!(address = %listener.local_addr()?, "listening");
            axum::serve(listener, router)
                .with_graceful_shutdown(api::until_stopped())
                .await?;
            Ok(())
        }
    }
}
