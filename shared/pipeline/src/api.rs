//! Calls to the HTTP API.
//!
//! Invariant: a path never leads to another host, and at most [`API_BODY_BYTES_MAX`] bytes of a response
//! are kept.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;

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
        let base = &self.environment().api_url;
        let attempt = Attempt::start(format!("get {path:?} of the API"), origin(base));
        let url = address(base, path).map_err(|cause| attempt.refused(cause))?;
        let request = self.http(&attempt)?.get(url.clone());
        let mut response = self
            .authorized(request, &url, &attempt)
            .await?
            .send()
            .await
            .map_err(|error| attempt.http(&error))?;
        let status = response.status().as_u16();
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let mut body = Vec::new();
        while body.len() < API_BODY_BYTES_MAX
            && let Some(chunk) = response
                .chunk()
                .await
                .map_err(|error| attempt.http(&error))?
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(API_BODY_BYTES_MAX);
        Ok(ApiAnswer {
            status,
            latency: attempt.elapsed().max(Duration::from_micros(1)),
            content_type,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
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
