//! IAM roles of the functions in the emulator, which enforces their policies.
//!
//! Invariant: a function has the same permissions here as on AWS, and no more.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use crate::DevstackError;
use crate::endpoints::{ACCESS_KEY, REGION};

const REQUEST_LIMIT: Duration = Duration::from_secs(10);
const ASSUMED_BY_LAMBDA: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// Creates a role that Lambda may assume. The SDK's client for IAM would take longer to compile than all
/// other clients, for two calls.
pub(crate) async fn create_role(
    endpoint_url: &str,
    name: &str,
    policy: Option<&str>,
) -> Result<(), DevstackError> {
    let role = [
        ("Action", "CreateRole"),
        ("RoleName", name),
        ("AssumeRolePolicyDocument", ASSUMED_BY_LAMBDA),
    ];
    call(endpoint_url, &role).await?;
    if let Some(policy) = policy {
        let policy = [
            ("Action", "PutRolePolicy"),
            ("RoleName", name),
            ("PolicyName", name),
            ("PolicyDocument", policy),
        ];
        call(endpoint_url, &policy).await?;
    }
    Ok(())
}

async fn call(endpoint_url: &str, parameters: &[(&str, &str)]) -> Result<(), DevstackError> {
    let action = parameters.first().map_or("", |(_, action)| *action);
    let failed = |detail: String| DevstackError::Aws {
        operation: format!("call {action} of IAM"),
        detail,
    };
    let mut serializer = url::form_urlencoded::Serializer::new(String::new());
    let body = serializer
        .append_pair("Version", "2010-05-08")
        .extend_pairs(parameters)
        .finish();
    let content_type = ("content-type", "application/x-www-form-urlencoded");
    let url = format!("{endpoint_url}/");

    let identity = Credentials::from_keys(ACCESS_KEY, ACCESS_KEY, None).into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("iam")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| failed(error.to_string()))?
        .into();
    let signable = SignableRequest::new(
        "POST",
        &url,
        std::iter::once(content_type),
        SignableBody::Bytes(body.as_bytes()),
    )
    .map_err(|error| failed(error.to_string()))?;
    let (instructions, _) = sign(signable, &parameters)
        .map_err(|error| failed(error.to_string()))?
        .into_parts();

    let mut request = http_client()?
        .post(&url)
        .header(content_type.0, content_type.1)
        .body(body.clone());
    for (name, value) in instructions.headers() {
        request = request.header(name, value);
    }
    let response = request
        .send()
        .await
        .map_err(|error| failed(error.to_string()))?;
    let status = response.status();
    if status.is_success() {
        Ok(())
    } else {
        let text = response.text().await.unwrap_or_default();
        Err(failed(format!("{status}: {text}")))
    }
}

/// A plain HTTP client with a limit on every request.
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
