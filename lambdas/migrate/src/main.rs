//! Wiring of the migrate function: its task with its clients, the runtime's loop.

use migrate::{Deps, RoleDeps, Task, create_roles, handle, serve};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

#[tokio::main(flavor = "current_thread")]
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
    match Task::read(|name| std::env::var(name).ok())? {
        Task::KeepSchema(settings) => {
            serve(async |request| {
                let deps = Deps::connect(&settings)?;
                let answer = handle(request, &deps).await;
                deps.disconnect().await;
                answer
            })
            .await
        }
        Task::CreateRoles(settings) => {
            let deps = &RoleDeps::connect(settings).await;
            serve(async |request| create_roles(request, deps).await).await
        }
    }
}
