//! Problem documents (RFC 9457).
//!
//! Invariant: a problem names what the client can do, and never contains internals.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

/// Value of `Retry-After` while the database is unavailable.
const RETRY_AFTER_SECS: u16 = 5;

/// The kind of a problem. Its `type` is the URL of its section in `/docs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// A parameter is unknown or invalid.
    InvalidParameter,
    /// There is no such path or record.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The body is longer than the path takes.
    BodyTooLarge,
    /// Path and query are longer than [`crate::TARGET_BYTES_MAX`].
    UriTooLong,
    /// The headers exceed [`crate::HEADERS_MAX`] or [`crate::HEADER_BYTES_MAX`].
    HeadersTooLarge,
    /// The request reached the time limit of the database and would reach it again.
    TooSlow,
    /// The database cannot be reached, or other requests use it.
    Unavailable,
    /// A bug or a wrong configuration.
    Internal,
}

impl ProblemKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::InvalidParameter,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::UriTooLong,
        Self::HeadersTooLarge,
        Self::TooSlow,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The anchor of its section in `/docs`.
    #[must_use]
    pub const fn anchor(self) -> &'static str {
        match self {
            Self::InvalidParameter => "invalid-parameter",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::BodyTooLarge => "body-too-large",
            Self::UriTooLong => "uri-too-long",
            Self::HeadersTooLarge => "headers-too-large",
            Self::TooSlow => "too-slow",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::InvalidParameter => "invalid parameter",
            Self::NotFound => "not found",
            Self::MethodNotAllowed => "method not allowed",
            Self::BodyTooLarge => "body too large",
            Self::UriTooLong => "URI too long",
            Self::HeadersTooLarge => "headers too large",
            Self::TooSlow => "too slow",
            Self::Unavailable => "temporarily unavailable",
            Self::Internal => "internal error",
        }
    }

    /// What it means and what the client can do, for the documentation.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::InvalidParameter => {
                "A parameter, or the body, is unknown, repeated, empty or invalid. None is silently ignored."
            }
            Self::NotFound => {
                "There is no such path, or no such record: its partition may have expired."
            }
            Self::MethodNotAllowed => "The header `Allow` lists the methods of the path.",
            Self::BodyTooLarge => "Send fewer events in one request.",
            Self::UriTooLong => "Path and query exceed 8 KiB.",
            Self::HeadersTooLarge => "The headers exceed 16 KiB, or are more than 64.",
            Self::TooSlow => {
                "The request reached the database's time limit. It would reach it again: narrow the range or the filter."
            }
            Self::Unavailable => {
                "The database cannot be reached, or requests that read much use their share of it. Try again after `Retry-After` seconds."
            }
            Self::Internal => "A bug or a wrong configuration; the reason is in the log.",
        }
    }

    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::InvalidParameter => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            // A client error, so that no client repeats the request unchanged, as it does after a 503 or 504.
            Self::TooSlow => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A problem, which becomes a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Determines status, title and type.
    pub kind: ProblemKind,
    /// What is wrong with this request.
    pub detail: String,
    /// The invalid parameter, if it is one.
    pub parameter: Option<String>,
}

impl Problem {
    /// A problem that is not about one parameter.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            parameter: None,
        }
    }

    /// An invalid parameter.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind: ProblemKind::InvalidParameter,
            detail: detail.into(),
            parameter: Some(name.into()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } | StoreError::Conflict { .. } => {
                tracing::warn!(%error, "request failed");
                Self::new(
                    ProblemKind::Unavailable,
                    "the database does not answer at the moment; try again",
                )
            }
            StoreError::TooSlow { .. } => {
                tracing::warn!(%error, "request failed");
                Self::new(
                    ProblemKind::TooSlow,
                    "the database needs longer than its time limit; narrow the range or the filter",
                )
            }
            StoreError::TooBroad {
                parameter, advice, ..
            } => Self::parameter(parameter, advice),
            StoreError::BeyondLast { after, last, .. } => {
                Self::parameter("after", store::beyond_last(after, last))
            }
            StoreError::TooManyRows { rows_max, .. } => Self::parameter(
                "bucket",
                format!(
                    "the response would have more than {rows_max} rows; choose a wider bucket or a \
                     shorter range"
                ),
            ),
            StoreError::EventRefused { .. }
            | StoreError::NotPermitted { .. }
            | StoreError::Url { .. }
            | StoreError::Other { .. } => {
                tracing::error!(%error, "request failed");
                Self::new(
                    ProblemKind::Internal,
                    "the request failed; the reason is in the log",
                )
            }
        }
    }
}

/// A problem document (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    /// The kind of the problem: the URL of its section in `/docs`.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: &'a str,
    /// The status code of the response.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request.
    detail: &'a str,
    /// The invalid parameter, if it is one; a JSON pointer when it is in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameter: Option<&'a str>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let document = Document {
            kind: format!("/docs#{}", self.kind.anchor()),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: &self.detail,
            parameter: self.parameter.as_deref(),
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.kind == ProblemKind::Unavailable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECS));
        }
        response
    }
}
