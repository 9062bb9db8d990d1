//! Records over HTTP, read-only.
//!
//! Invariant: a response is the requested data or a problem document (RFC 9457) that names what is wrong;
//! it never contains internals (SQL, addresses, stack traces).

mod answer;
mod caching;
mod documents;
mod health;
mod parameters;
mod problem;
mod records;
mod router;
mod settings;
mod shutdown;
mod stage;
mod statistics;

pub use problem::{Problem, ProblemKind};
pub use router::{ROUTES, connected, router};
pub use settings::Settings;
pub use shutdown::until_stopped;
pub use stage::without_stage;
