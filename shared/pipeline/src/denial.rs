//! Calls that AWS refuses because a permission is missing.
//!
//! Invariant: a permission has its name in a policy of IAM, as the pages of the Service Authorization Reference write
//! it, so that an operator can search for it. Pure.

/// The permission to log in to the database with an IAM token.
pub(super) const LOG_IN: &str = "rds-db:connect";
/// The permission to call the HTTP API.
pub(super) const CALL_API: &str = "execute-api:Invoke";

/// What a refused call may name: everything of the console's policy.
pub(super) const PERMISSIONS: [&str; 31] = [
    CALL_API,
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "lambda:GetFunctionConcurrency",
    "lambda:GetFunctionConfiguration",
    "lambda:ListEventSourceMappings",
    "logs:DescribeLogGroups",
    "logs:FilterLogEvents",
    "rds:DescribeDBClusters",
    LOG_IN,
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "sns:GetSubscriptionAttributes",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:Publish",
    "sqs:CancelMessageMoveTask",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ListMessageMoveTasks",
    "sqs:PurgeQueue",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
    "sqs:StartMessageMoveTask",
    "sts:GetCallerIdentity",
];

const ATTACH: &str = "attach the policy of Terraform's output `console_policy_arn` to your role (apply \
                      first, where this program is newer); `opsconsole env check` tries every access";
const EXPLICIT: &str = "a policy of the account denies it explicitly: ask its administrators, a further \
                        policy on your role does not help";
const LOG_IN_AGAIN: &str = "log in again (`aws sso login`, or however you get credentials), or choose others with profile in the environment's \
                            entry, or with AWS_PROFILE where it has none";

/// The code without its prefix and suffix: `com.amazonaws.sqs#UnsupportedOperation`,
/// `AWS.SimpleQueueService.UnsupportedOperation` and `UnsupportedOperationException` are the same.
pub(super) fn short(code: &str) -> &str {
    let code = code.rsplit(['.', '#']).next().unwrap_or(code);
    code.strip_suffix("Exception").unwrap_or(code)
}

/// Whether a code says that a permission is missing. The last two are of a key that may not be used.
pub(super) fn is_denial(code: &str) -> bool {
    matches!(
        short(code),
        "AccessDenied"
            | "AuthorizationError"
            | "NotAuthorized"
            | "UnauthorizedOperation"
            | "KmsAccessDenied"
            | "KMSAccessDenied"
    )
}

/// Whether a code says that the credentials are no longer valid, or never were.
pub(super) fn is_of_credentials(code: &str) -> bool {
    matches!(
        short(code),
        "ExpiredToken"
            | "RequestExpired"
            | "InvalidClientTokenId"
            | "UnrecognizedClient"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
    )
}

/// What to do about credentials that are not valid.
pub(super) const fn credentials_hint() -> &'static str {
    LOG_IN_AGAIN
}

/// The permission that a message of AWS names: `… is not authorized to perform: sqs:purgequeue on resource: …`. The
/// services spell it as they like.
pub(super) fn permission_of(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("not authorized to perform: ")?;
    let named = rest.split([' ', ',', ';']).next()?;
    let known = PERMISSIONS
        .iter()
        .find(|known| known.eq_ignore_ascii_case(named));
    Some(known.map_or_else(|| named.to_owned(), |known| (*known).to_owned()))
}

/// What to do about a missing permission.
pub(super) fn hint(permission: Option<&str>, message: &str) -> String {
    if let Some((of_caller, of_resource)) = two_accounts(message) {
        return format!(
            "these credentials are of the account {of_caller}, and this is in {of_resource}: choose others with \
             profile in the environment's entry, or with AWS_PROFILE where it has none"
        );
    }
    let advice = if message.contains("explicit deny") {
        EXPLICIT
    } else {
        ATTACH
    };
    match permission {
        Some(permission) => format!("the permission {permission} is missing: {advice}"),
        None => format!("a permission is missing: {advice}"),
    }
}

/// The accounts of the caller and of the resource, where they are two: `User: ARN is not authorized to perform: ACTION
/// on resource: ARN`.
fn two_accounts(message: &str) -> Option<(&str, &str)> {
    let account_after = |begin: &str| {
        let (_, arn) = message.split_once(begin)?;
        let account = arn.split(':').nth(4)?;
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        is_account.then_some(account)
    };
    let of_caller = account_after("User: ")?;
    let of_resource = account_after("on resource: ")?;
    (of_caller != of_resource).then_some((of_caller, of_resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_has_many_spellings() {
        for code in [
            "UnsupportedOperation",
            "AWS.SimpleQueueService.UnsupportedOperation",
            "com.amazonaws.sqs#UnsupportedOperation",
            "UnsupportedOperationException",
        ] {
            assert_eq!(short(code), "UnsupportedOperation", "{code}");
        }
    }

    #[test]
    fn permission_is_named_as_a_policy_writes_it() {
        let role = "User: arn:aws:sts::111122223333:assumed-role/operator/me";
        for (action, expected) in [
            ("sqs:purgequeue", "sqs:PurgeQueue"),
            ("SNS:Publish", "sns:Publish"),
            ("cloudwatch:GetMetricData", "cloudwatch:GetMetricData"),
            ("iam:Unheard", "iam:Unheard"),
        ] {
            let message = format!(
                "{role} is not authorized to perform: {action} on resource: arn:aws:x because no \
                 identity-based policy allows the {action} action"
            );
            assert_eq!(permission_of(&message).as_deref(), Some(expected));
        }
        assert_eq!(permission_of("Forbidden"), None);
    }

    #[test]
    fn denial_by_the_account_is_no_matter_of_the_role() {
        let message = "… with an explicit deny in a service control policy";
        assert!(hint(Some("sqs:PurgeQueue"), message).contains("administrators"));
        assert!(hint(Some("sqs:PurgeQueue"), "").contains("console_policy_arn"));
    }

    #[test]
    fn credentials_of_another_account_are_told_and_no_permission_is_asked_for() {
        let message = |account: &str| {
            format!(
                "User: arn:aws:sts::111122223333:assumed-role/operator/me is not authorized to perform: \
                 sqs:getqueueattributes on resource: arn:aws:sqs:us-east-1:{account}:q because no \
                 resource-based policy allows the sqs:getqueueattributes action"
            )
        };
        let other = hint(Some("sqs:GetQueueAttributes"), &message("444455556666"));
        assert!(
            other.contains("111122223333") && other.contains("444455556666"),
            "{other}"
        );
        assert!(!other.contains("missing"), "{other}");
        let same = hint(Some("sqs:GetQueueAttributes"), &message("111122223333"));
        assert!(
            same.starts_with("the permission sqs:GetQueueAttributes is missing"),
            "{same}"
        );
    }

    #[test]
    fn denials_and_credentials_are_told_apart() {
        for code in [
            "AccessDenied",
            "AccessDeniedException",
            "com.amazonaws.sqs#AccessDeniedException",
            "AuthorizationError",
            "KMSAccessDeniedException",
        ] {
            assert!(is_denial(code) && !is_of_credentials(code), "{code}");
        }
        for code in [
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidClientTokenId",
        ] {
            assert!(is_of_credentials(code) && !is_denial(code), "{code}");
        }
    }
}
