//! Records over HTTP, read-only.
//!
//! Invariant: a response is the requested data or a problem document (RFC 9457) that names what is wrong;
//! it never contains internals (SQL, addresses, stack traces).

mod answer;
mod caching;
mod documents;
mod feed;
mod health;
mod lines;
mod lookup;
mod parameters;
mod problem;
mod record_json;
mod records;
mod request_id;
mod request_size;
mod responses;
mod router;
mod server;
mod settings;
mod share;
mod stage;
mod statistics;
mod summary;

pub use lookup::IDENTITIES_MAX;
pub use problem::{Problem, ProblemKind};
pub use request_size::{HEADER_BYTES_MAX, HEADERS_MAX, TARGET_BYTES_MAX};
pub use router::{connected, router};
pub use server::{ServerLimits, serve};
pub use settings::Settings;
pub use stage::without_stage;
