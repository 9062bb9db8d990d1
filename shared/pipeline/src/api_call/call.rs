//! What is sent. Invariant: only methods that read can be named.

use std::fmt;

use reqwest::StatusCode;

/// The methods that are sent: none of them changes a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiMethod {
    /// Read what the path names.
    Get,
    /// Read what a body asks for.
    Post,
}

impl ApiMethod {
    /// All, in the order in which they are listed.
    pub const ALL: [Self; 2] = [Self::Get, Self::Post];

    /// As HTTP writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

impl fmt::Display for ApiMethod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What a status is called; empty where it has no name (RFC 9110, 15).
#[must_use]
pub fn status_name(status: u16) -> &'static str {
    let status = StatusCode::from_u16(status).ok();
    let name = status.and_then(|status| status.canonical_reason());
    name.unwrap_or_default()
}

/// One call, without what authorises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiCall {
    /// The method.
    pub method: ApiMethod,
    /// Path and query, percent-encoded.
    pub target: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// JSON.
    pub body: Option<String>,
}

impl ApiCall {
    /// A GET of a path with its query.
    #[must_use]
    pub fn get(target: impl Into<String>) -> Self {
        Self {
            method: ApiMethod::Get,
            target: target.into(),
            headers: Vec::new(),
            body: None,
        }
    }
}
