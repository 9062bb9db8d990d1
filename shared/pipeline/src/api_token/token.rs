//! A token that the command printed.
//!
//! Invariant: it is not printed, since its header is marked as sensitive.

use std::time::SystemTime;

use reqwest::header::HeaderValue;

/// A token, as a request has it.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// `Bearer …`, marked as sensitive.
    pub(super) header: HeaderValue,
    /// From then on it is fetched again.
    pub(super) until: SystemTime,
}
