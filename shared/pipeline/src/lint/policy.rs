//! Whom the policy of a queue or a topic lets in. Pure.

use serde_json::Value;

/// Keys that say from where a request comes or who makes it (IAM User Guide, "AWS global condition context keys"). Others,
/// such as `aws:SecureTransport`, are true of strangers too. IAM ignores their case.
const SOURCES: [&str; 16] = [
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourceowner",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceip",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourcevpcarn",
    "aws:vpcsourceip",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "aws:userid",
];
/// Operators that are false where the key is absent. Negated ones and those with `IfExists` or `ForAllValues` are true.
const OPERATORS: [&str; 6] = [
    "stringequals",
    "stringequalsignorecase",
    "stringlike",
    "arnequals",
    "arnlike",
    "ipaddress",
];
const ANY_VALUE: &str = "foranyvalue:";
/// All addresses.
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// The actions of the first statement that lets everybody in without a condition that names a source; `None` where there
/// is none.
pub(super) fn open_actions(policy: &str) -> Option<String> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let statements = policy.get("Statement")?;
    let open = one_or_many(statements).into_iter().find(|statement| {
        let is_allowed = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
        // It allows everybody but those it names.
        let is_inverted = statement.get("NotPrincipal").is_some();
        let is_everybody = statement.get("Principal").is_some_and(is_everybody);
        is_allowed && (is_inverted || is_everybody) && !names_a_source(statement)
    })?;
    let actions = open.get("Action").map(one_or_many).unwrap_or_default();
    let names: Vec<&str> = actions.into_iter().filter_map(Value::as_str).collect();
    Some(names.join(", "))
}

/// All conditions of a statement must be true, so one is enough.
fn names_a_source(statement: &Value) -> bool {
    let conditions = statement.get("Condition").and_then(Value::as_object);
    let operators = conditions.into_iter().flatten();
    operators
        .filter(|(operator, _)| {
            let operator = operator.to_ascii_lowercase();
            let operator = operator.strip_prefix(ANY_VALUE).unwrap_or(&operator);
            OPERATORS.contains(&operator)
        })
        .filter_map(|(_, keys)| keys.as_object())
        .flatten()
        .any(|(key, values)| {
            let is_source = SOURCES.contains(&key.to_ascii_lowercase().as_str());
            is_source && one_or_many(values).into_iter().all(is_narrow)
        })
}

/// Whether the value excludes anybody: not `*`, and no ARN in any account.
fn is_narrow(value: &Value) -> bool {
    let Some(text) = value.as_str() else {
        return false;
    };
    let is_open = if text.starts_with("arn:") {
        // arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE; the ARN of a bucket has no account, and a name of its own.
        let mut parts = text.splitn(6, ':').skip(4);
        let [account, resource] = [parts.next(), parts.next()].map(|part| part.unwrap_or("*"));
        is_wild(if account.is_empty() {
            resource
        } else {
            account
        })
    } else {
        is_wild(text) || EVERYWHERE.contains(&text)
    };
    !is_open
}

fn is_wild(text: &str) -> bool {
    text.chars().all(|one| matches!(one, '*' | '?'))
}

/// IAM takes one value or a list of them.
fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            vec![value]
        }
    }
}

/// `"*"` or `{"AWS": "*"}` (IAM user guide, "AWS JSON policy elements: Principal").
fn is_everybody(principal: &Value) -> bool {
    let is_star = |value: &Value| value.as_str() == Some("*");
    let named = principal.get("AWS").map(one_or_many).unwrap_or_default();
    is_star(principal) || named.into_iter().any(is_star)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn condition_that_strangers_fulfil_too_closes_nothing() {
        for condition in [
            json!({}),
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"ArnLike": {"aws:SourceArn": "*"}}),
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:*:events"}}),
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*"}}),
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}),
            json!({"StringEquals": {"aws:SourceAccount": ["1", "*"]}}),
            json!({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}),
            json!({"ForAllValues:StringEquals": {"aws:SourceAccount": "1"}}),
            json!({"StringNotEquals": {"aws:SourceAccount": "1"}}),
            json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        ] {
            let statement = json!({
                "Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Condition": condition,
            });
            let policy = json!({"Statement": [statement]}).to_string();
            assert_eq!(open_actions(&policy).as_deref(), Some("sqs:*"), "{policy}");
        }
        let statement = json!({
            "Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::1:root"}, "Action": "sqs:*",
        });
        let policy = json!({"Statement": [statement]}).to_string();
        assert_eq!(open_actions(&policy).as_deref(), Some("sqs:*"), "{policy}");
    }

    #[test]
    fn everybody_without_a_condition_is_open_in_every_spelling() {
        for principal in [json!("*"), json!({"AWS": "*"}), json!({"AWS": ["a", "*"]})] {
            let statement = json!({
                "Effect": "Allow", "Principal": principal, "Action": ["sqs:SendMessage", "sqs:*"],
            });
            for statements in [json!([statement]), statement.clone()] {
                let policy = json!({"Statement": statements}).to_string();
                let open = open_actions(&policy);
                assert_eq!(open.as_deref(), Some("sqs:SendMessage, sqs:*"), "{policy}");
            }
        }
    }

    #[test]
    fn conditions_denials_and_named_principals_are_not_open() {
        for statement in [
            json!({"Effect": "Deny", "Principal": "*", "Action": "sqs:*"}),
            json!({"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "a"}),
            json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "a"}),
            json!({
                "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "a",
                "Condition": {"StringEquals": {"AWS:SourceOwner": "1"}},
            }),
            json!({
                "Effect": "Allow", "Principal": "*", "Action": "a", "Condition": {
                    "Bool": {"aws:SecureTransport": "true"},
                    "ArnLike": {"aws:SourceArn": ["arn:aws:sns:us-east-1:1:a", "arn:aws:s3:::b"]},
                },
            }),
            json!({
                "Effect": "Allow", "Principal": "*", "Action": "a",
                "Condition": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}},
            }),
        ] {
            let policy = json!({"Statement": [statement]}).to_string();
            assert_eq!(open_actions(&policy), None, "{policy}");
        }
        assert_eq!(open_actions("no policy"), None);
    }
}
