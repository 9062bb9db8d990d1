//! A call to the HTTP API that an operator composes: what is sent, how it is authorised, the same for `curl`, and what
//! repeated calls sum up to.

mod call;
mod curl;
mod series;

pub use self::call::{ApiCall, ApiMethod, status_name};
pub use self::curl::{ApiAccess, CurlCommand};
pub use self::series::{CALLS_MAX, CallSeries, CallSummary};
