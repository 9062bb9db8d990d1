//! Requests to services of the emulator without an SDK client: IAM, Lambda and API Gateway. Their SDK crates
//! would take the longest to compile, for ten calls.
//!
//! Invariant: requests are signed as by the SDK (SigV4). A response with an error status is an error with its
//! text.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::Value;

use crate::DevstackError;
use crate::endpoints::{ACCESS_KEY, REGION};

const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// One POST request.
pub(crate) struct SignedRequest<'a> {
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
            operation,
            service,
            url,
            content_type: "application/json",
            body: body.to_string(),
            limit: REQUEST_LIMIT,
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
            .post(&self.url)
            .timeout(self.limit)
            .header("content-type", self.content_type)
            .body(self.body.clone());
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
        let signable = SignableRequest::new(
            "POST",
            &self.url,
            std::iter::once(("content-type", self.content_type)),
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
