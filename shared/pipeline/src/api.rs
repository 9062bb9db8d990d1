//! Calls to the HTTP API.
//!
//! Invariant: a path never leads to another host, and at most [`API_BODY_BYTES_MAX`] bytes of a response
//! are kept.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Request, Url};

use super::connection::OPERATION_LIMIT;
use super::denial::CALL_API;
use super::model::{ApiAnswer, ApiHealth};
use super::{Attempt, Pipeline, PipelineError};
use crate::environment::origin;

/// Most bytes of a response body that are kept.
pub const API_BODY_BYTES_MAX: usize = 1024 * 1024;

impl Pipeline {
    /// Status and latency of `GET /health`.
    ///
    /// # Errors
    /// When the API does not respond; an error status is a response.
    pub async fn api_health(&self) -> Result<ApiHealth, PipelineError> {
        self.api_status("/health").await
    }

    /// The same, where a refusal by the gateway is an error that says what is missing.
    pub(super) async fn api_health_permitted(&self) -> Result<ApiHealth, PipelineError> {
        let attempt = Attempt::start("get \"/health\" of the API", self.api_address());
        let answer = self.api_get("/health").await?;
        if let status @ (401 | 403) = answer.status {
            let has_token = self.environment().api_token_command.is_some();
            return Err(attempt.gateway_denied(status, answer.body.as_bytes(), has_token));
        }
        Ok(ApiHealth {
            status: answer.status,
            latency: answer.latency,
        })
    }

    pub(super) async fn api_status(&self, path: &str) -> Result<ApiHealth, PipelineError> {
        let answer = self.api_get(path).await?;
        Ok(ApiHealth {
            status: answer.status,
            latency: answer.latency,
        })
    }

    /// Sends a GET request. The path starts with `/`; redirects are returned, not followed.
    ///
    /// # Errors
    /// When the path is invalid or the API does not respond; an error status is a response.
    pub async fn api_get(&self, path: &str) -> Result<ApiAnswer, PipelineError> {
        let attempt = Attempt::start(format!("get {path:?} of the API"), self.api_address());
        let limits = ApiLimits {
            time: OPERATION_LIMIT,
            body_bytes: API_BODY_BYTES_MAX,
        };
        let answer = self.api_send(&attempt, Method::GET, path, None, limits);
        let mut answer = answer.await?;
        answer.body.truncate(API_BODY_BYTES_MAX);
        Ok(ApiAnswer {
            status: answer.status,
            latency: attempt.elapsed().max(Duration::from_micros(1)),
            content_type: answer.content_type,
            body: String::from_utf8_lossy(&answer.body).into_owned(),
        })
    }

    /// Scheme, host and port of the API.
    pub(super) fn api_address(&self) -> String {
        self.environment()
            .api_url
            .as_deref()
            .map_or_else(String::new, origin)
    }

    fn api_url(&self, operation: &str) -> Result<&str, PipelineError> {
        self.environment().api_url.as_deref().ok_or_else(|| {
            PipelineError::not_configured(
                operation,
                format!("no API in environment {:?}", self.environment().name),
                "add api_url to the environment's entry",
            )
        })
    }

    /// Sends a request, with JSON if there is a body. Of the response's body no more is read once it exceeds the
    /// limit.
    pub(super) async fn api_send(
        &self,
        attempt: &Attempt,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        limits: ApiLimits,
    ) -> Result<Response, PipelineError> {
        let url = address(self.api_url(&attempt.operation)?, path)
            .map_err(|cause| attempt.refused(cause))?;
        let mut request = Request::new(method, url);
        *request.timeout_mut() = Some(limits.time);
        if let Some(body) = body {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
            *request.body_mut() = Some(body.into());
        }
        let request = self.authorized(request, attempt).await?;
        let response = self.http(attempt)?.execute(request).await;
        let mut response = response.map_err(|error| attempt.http(&error))?;
        let status = response.status().as_u16();
        if status == 401 {
            // The next call fetches another one.
            self.api_token().forget().await;
        }
        let header = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok()
        };
        let content_type = header(CONTENT_TYPE).map(str::to_owned);
        let retry_after = header(RETRY_AFTER).and_then(|value| wait_of(value, Utc::now()));
        let mut body = Vec::new();
        while body.len() <= limits.body_bytes
            && let Some(chunk) = response
                .chunk()
                .await
                .map_err(|error| attempt.http(&error))?
        {
            body.extend_from_slice(&chunk);
        }
        Ok(Response {
            status,
            content_type,
            retry_after,
            body,
        })
    }
}

impl Attempt {
    /// The gateway refused the call, with what it said: `{"message":"Forbidden"}`, or the sentence of IAM (Amazon API
    /// Gateway Developer Guide, "Controlling and managing access to HTTP APIs").
    pub(super) fn gateway_denied(
        &self,
        status: u16,
        body: &[u8],
        has_token: bool,
    ) -> PipelineError {
        let said: Option<GatewayAnswer> = serde_json::from_slice(body).ok();
        let cause = match said {
            Some(GatewayAnswer { message }) => format!("status {status}: {message}"),
            None => format!("status {status}"),
        };
        if status == 401 {
            let hint = if has_token { OTHER_TOKEN } else { WANTS_TOKEN };
            return self.refused(cause).with_hint(hint).without_credentials();
        }
        self.denied(&cause, Some(CALL_API))
    }
}

/// Without IAM the gateway wants a token of an identity provider.
const WANTS_TOKEN: &str = "the API wants a token (JWT): name a command that prints one, api_token_command in the \
                           environment's entry; where Terraform's api.jwt is null, import the environment again";
const OTHER_TOKEN: &str = "the API refused the token of api_token_command: log in again at the identity provider, and \
                           compare the token's iss and aud with api.jwt in Terraform";

/// What the gateway says. Its services write the name in two ways.
#[derive(serde::Deserialize)]
struct GatewayAnswer {
    #[serde(alias = "Message")]
    message: String,
}

/// A response of the API.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    /// See [`PipelineError::retry_after`].
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// The wait of the header `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
fn wait_of(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(secs) = value.parse() {
        return Some(Duration::from_secs(secs));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default())
}

/// Limits of one call to the API.
#[derive(Clone, Copy, Debug)]
pub(super) struct ApiLimits {
    /// From the start of the request to the last byte of the response.
    pub(super) time: Duration,
    /// Bytes of the response.
    pub(super) body_bytes: usize,
}

/// The URL of a path below the base URL; refuses a path that leads out of it.
fn address(base: &str, path: &str) -> Result<Url, String> {
    if !path.starts_with('/') {
        return Err(format!(
            "the path {path:?} does not start with \"/\"; write it like \"/v1/records\""
        ));
    }
    let base = base.trim_end_matches('/');
    let base_url = Url::parse(base).map_err(|error| format!("api_url is not a URL ({error})"))?;
    let url = Url::parse(&format!("{base}{path}"))
        .map_err(|error| format!("{path:?} is not the path of a URL ({error})"))?;
    let below = format!("{}/", base_url.path().trim_end_matches('/'));
    if url.origin() == base_url.origin() && url.path().starts_with(&below) {
        Ok(url)
    } else {
        Err(format!("the path {path:?} leads out of the API"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_is_seconds_or_a_date() {
        let now = "2026-11-27T12:00:00Z".parse().unwrap();
        let wait = |value| wait_of(value, now);
        assert_eq!(wait("5"), Some(Duration::from_secs(5)));
        let date = "Fri, 27 Nov 2026 12:01:30 GMT";
        assert_eq!(wait(date), Some(Duration::from_secs(90)));
        let past = "Fri, 27 Nov 2026 11:00:00 GMT";
        assert_eq!(wait(past), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
    }

    #[test]
    fn path_stays_below_the_base_on_the_same_host() {
        let base = "http://127.0.0.1:4566/_aws/execute-api/abc/$default/";
        assert_eq!(
            address(base, "/v1/records?limit=1").unwrap().as_str(),
            "http://127.0.0.1:4566/_aws/execute-api/abc/$default/v1/records?limit=1"
        );
        for evil in [
            "v1",
            "http://evil/",
            "@evil/",
            "/../../../../x",
            "/../$default2",
        ] {
            assert!(address(base, evil).is_err(), "{evil}");
        }
        assert_eq!(
            address("https://a.example", "//evil.example/x")
                .unwrap()
                .host_str(),
            Some("a.example")
        );
    }
}
