//! Requests to services of the emulator without an SDK client: IAM, Lambda, API Gateway, CloudWatch Logs and RDS. Their
//! SDK crates would take the longest to compile, for a dozen calls.
//!
//! Invariant: requests are signed as by the SDK (SigV4). A response with an error status is an error with its
//! text.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reqwest::Method;
use serde_json::Value;

use crate::DevstackError;
use crate::endpoints::{ACCESS_KEY, REGION};

const REQUEST_LIMIT: Duration = Duration::from_secs(10);
const TARGET: &str = "x-amz-target";

/// One request.
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: Method,
    /// Operation of a service with a JSON API over POST, with its prefix.
    pub(crate) target: Option<String>,
    /// The operation, for errors.
    pub(crate) operation: &'a str,
    /// Name of the service in the signature.
    pub(crate) service: &'static str,
    /// URL with the emulator's address and the path.
    pub(crate) url: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    pub(crate) limit: Duration,
}

impl<'a> SignedRequest<'a> {
    /// A request to a service with a JSON API over REST.
    pub(crate) fn json(
        operation: &'a str,
        service: &'static str,
        url: String,
        body: &Value,
    ) -> Self {
        Self {
            method: Method::POST,
            target: None,
            operation,
            service,
            url,
            content_type: "application/json",
            body: body.to_string(),
            limit: REQUEST_LIMIT,
        }
    }

    /// The same as an operation of a service with a JSON API over POST; `prefix` is that of its operations.
    pub(crate) fn with_target(self, prefix: &str) -> Self {
        Self {
            target: Some(format!("{prefix}.{}", self.operation)),
            content_type: "application/x-amz-json-1.1",
            ..self
        }
    }

    /// A request to a service with the query protocol.
    pub(crate) fn query(
        operation: &'a str,
        service: &'static str,
        url: String,
        parameters: &[(&str, &str)],
    ) -> Self {
        Self {
            method: Method::POST,
            target: None,
            operation,
            service,
            url,
            content_type: "application/x-www-form-urlencoded",
            body: url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(parameters)
                .finish(),
            limit: REQUEST_LIMIT,
        }
    }

    /// Sends the request and returns the response.
    pub(crate) async fn send(self) -> Result<reqwest::Response, DevstackError> {
        let mut request = http_client()?
            .request(self.method.clone(), &self.url)
            .timeout(self.limit)
            .header("content-type", self.content_type)
            .body(self.body.clone());
        if let Some(target) = &self.target {
            request = request.header(TARGET, target);
        }
        for (name, value) in self.signature()?.headers() {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| self.failed(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        Err(self.failed(&format!("{status}: {text}")))
    }

    /// Sends the request and parses the response as JSON.
    pub(crate) async fn send_for_json(self) -> Result<Value, DevstackError> {
        let operation = self.operation.to_owned();
        let answer = self.send().await?.json().await;
        answer.map_err(|error| DevstackError::Aws {
            operation,
            detail: error.to_string(),
        })
    }

    fn signature(&self) -> Result<aws_sigv4::http_request::SigningInstructions, DevstackError> {
        let identity = Credentials::from_keys(ACCESS_KEY, ACCESS_KEY, None).into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| self.failed(&error))?
            .into();
        let target = self.target.as_deref().map(|target| (TARGET, target));
        let headers = [Some(("content-type", self.content_type)), target];
        let headers = headers.into_iter().flatten();
        let signable = SignableRequest::new(
            self.method.as_str(),
            &self.url,
            headers,
            SignableBody::Bytes(self.body.as_bytes()),
        )
        .map_err(|error| self.failed(&error))?;
        let output = sign(signable, &parameters).map_err(|error| self.failed(&error))?;
        Ok(output.into_parts().0)
    }

    fn failed(&self, detail: &impl ToString) -> DevstackError {
        DevstackError::Aws {
            operation: self.operation.to_owned(),
            detail: detail.to_string(),
        }
    }
}

/// An HTTP client with a time limit on every request.
pub(crate) fn http_client() -> Result<reqwest::Client, DevstackError> {
    // The client needs a TLS provider even where it never uses TLS. A second installation fails,
    // which is no problem.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(REQUEST_LIMIT)
        .build()
        .map_err(|error| DevstackError::Failed {
            operation: "create an HTTP client".to_owned(),
            detail: error.to_string(),
        })
}
