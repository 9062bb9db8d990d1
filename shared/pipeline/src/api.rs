//! Calls to the HTTP API.
//!
//! Invariant: a path never leads to another host, and at most [`API_BODY_BYTES_MAX`] bytes of a response
//! are kept.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Request, Url};

use super::connection::OPERATION_LIMIT;
use super::denial::CALL_API;
use super::model::{ApiAnswer, ApiHealth};
use super::{Attempt, Pipeline, PipelineError};
use crate::api_call::{ApiCall, ApiMethod};
use crate::api_document::ApiDocument;
use crate::environment::origin;

/// Most bytes of a response body that are kept.
pub const API_BODY_BYTES_MAX: usize = 1024 * 1024;

/// Most headers of a response that are kept, and most characters of each.
const HEADERS_MAX: usize = 100;
const HEADER_CHARS_MAX: usize = 4_096;

/// Where the API has its document.
const DOCUMENT_PATH: &str = "/openapi.json";

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
        self.api_call(&ApiCall::get(path)).await
    }

    /// Sends a call. Its target starts with `/`; redirects are returned, not followed.
    ///
    /// # Errors
    /// When the target or a header is invalid, or the API does not respond; an error status is a response.
    pub async fn api_call(&self, call: &ApiCall) -> Result<ApiAnswer, PipelineError> {
        let (name, method) = match call.method {
            ApiMethod::Get => ("get", Method::GET),
            ApiMethod::Post => ("post to", Method::POST),
        };
        let operation = format!("{name} {:?} of the API", call.target);
        let attempt = Attempt::start(operation, self.api_address());
        let limits = ApiLimits {
            time: OPERATION_LIMIT,
            body_bytes: API_BODY_BYTES_MAX,
        };
        let body = call.body.clone().map(String::into_bytes);
        let mut request = self.api_request(&attempt, method, &call.target, body, limits)?;
        for (name, value) in &call.headers {
            let refused =
                || attempt.refused(format!("{name:?} has a value that no header can have"));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
            let value = HeaderValue::from_str(value).map_err(|_| refused())?;
            request.headers_mut().insert(name, value);
        }
        let mut answer = self.api_execute(&attempt, request, limits).await?;
        let is_cut = answer.body.len() > API_BODY_BYTES_MAX;
        answer.body.truncate(API_BODY_BYTES_MAX);
        Ok(ApiAnswer {
            status: answer.status,
            latency: answer.latency,
            content_type: answer.content_type,
            headers: texts(&answer.headers),
            body: String::from_utf8_lossy(&answer.body).into_owned(),
            is_cut,
        })
    }

    /// The document of the deployed API, without operations that are not known to read alone.
    ///
    /// # Errors
    /// When the API does not respond, or with something else than its document.
    pub async fn api_document(&self) -> Result<ApiDocument, PipelineError> {
        let attempt = Attempt::start("read the document of the API", self.api_address());
        let answer = self.api_call(&ApiCall::get(DOCUMENT_PATH)).await?;
        match answer.status {
            200 if answer.is_cut => {
                Err(attempt.refused(format!("it is longer than {API_BODY_BYTES_MAX} bytes")))
            }
            200 => ApiDocument::parse(&answer.body)
                .map(ApiDocument::known_to_read)
                .map_err(|cause| attempt.refused(cause)),
            status @ (401 | 403) => {
                let has_token = self.environment().api_token_command.is_some();
                Err(attempt.gateway_denied(status, answer.body.as_bytes(), has_token))
            }
            status => Err(attempt.refused(format!("status {status} for {DOCUMENT_PATH:?}"))),
        }
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
        let request = self.api_request(attempt, method, path, body, limits)?;
        self.api_execute(attempt, request, limits).await
    }

    fn api_request(
        &self,
        attempt: &Attempt,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        limits: ApiLimits,
    ) -> Result<Request, PipelineError> {
        let url = address(self.api_url(&attempt.operation)?, path)
            .map_err(|cause| attempt.refused(cause))?;
        let mut request = Request::new(method, url);
        *request.timeout_mut() = Some(limits.time);
        if let Some(body) = body {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
            *request.body_mut() = Some(body.into());
        }
        Ok(request)
    }

    async fn api_execute(
        &self,
        attempt: &Attempt,
        request: Request,
        limits: ApiLimits,
    ) -> Result<Response, PipelineError> {
        let request = self.authorized(request, attempt).await?;
        let sent_at = Instant::now();
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
        let headers = response.headers().clone();
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
            latency: sent_at.elapsed().max(Duration::from_micros(1)),
            content_type,
            retry_after,
            headers,
            body,
        })
    }
}

/// The headers as texts; bytes that are no text are replaced.
fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let headers = headers.iter().take(HEADERS_MAX);
    headers
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            let value = value.chars().take(HEADER_CHARS_MAX).collect();
            (name.as_str().to_owned(), value)
        })
        .collect()
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
    /// From the request, authorised, to the last byte.
    pub(super) latency: Duration,
    pub(super) content_type: Option<String>,
    /// See [`PipelineError::retry_after`].
    pub(super) retry_after: Option<Duration>,
    pub(super) headers: HeaderMap,
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
pub(crate) fn address(base: &str, path: &str) -> Result<Url, String> {
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::environment::Environment;

    #[tokio::test]
    async fn call_has_its_headers_and_its_body_and_an_answer_that_is_too_long_is_cut() {
        const BODY: &str = r#"{"identities": []}"#;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api_url = format!("http://{}/base", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(BODY.as_bytes()) {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            let length = API_BODY_BYTES_MAX + 1;
            let head = format!("HTTP/1.1 200 OK\r\nx-one: two\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&vec![b'x'; length]).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        let environment = Environment {
            api_url: Some(api_url),
            ..Environment::example()
        };
        let pipeline = Pipeline::connect(&environment).unwrap();
        let call = ApiCall {
            method: ApiMethod::Post,
            target: "/v1/records/lookup".to_owned(),
            headers: vec![("x-more".to_owned(), "a b".to_owned())],
            body: Some(BODY.to_owned()),
        };
        let answer = pipeline.api_call(&call).await.unwrap();
        assert_eq!((answer.status, answer.is_cut), (200, true));
        assert_eq!(answer.body.len(), API_BODY_BYTES_MAX);
        let header = ("x-one".to_owned(), "two".to_owned());
        assert!(answer.headers.contains(&header), "{:?}", answer.headers);
        let request = server.await.unwrap().to_ascii_lowercase();
        assert!(request.starts_with("post /base/v1/records/lookup http/1.1\r\n"));
        for header in [
            "\r\nx-more: a b\r\n",
            "\r\ncontent-type: application/json\r\n",
        ] {
            assert!(request.contains(header), "{request}");
        }
    }

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
