//! Wiring of the migrate function: its task with its clients, the runtime's loop.

use migrate::{Deps, RoleDeps, Task, create_roles, handle, serve};
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
    match Task::read(|name| std::env::var(name).ok())? {
        Task::KeepSchema(settings) => {
            let deps = &Deps::connect(&settings)?;
            serve(async |request| handle(request, deps).await).await
        }
        Task::CreateRoles(settings) => {
            let deps = &RoleDeps::connect(settings).await;
            serve(async |request| create_roles(request, deps).await).await
        }
    }
}
