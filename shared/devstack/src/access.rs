//! IAM roles of the functions in the emulator, which enforces their policies.
//!
//! Invariant: a function has the same permissions here as on AWS, and no more.

use crate::DevstackError;
use crate::signed_request::SignedRequest;

const ASSUMED_BY_LAMBDA: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// Creates a role that Lambda may assume.
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
    let operation = format!("call {action} of IAM");
    let parameters = [&[("Version", "2010-05-08")], parameters].concat();
    SignedRequest::query(&operation, "iam", format!("{endpoint_url}/"), &parameters)
        .send()
        .await?;
    Ok(())
}
