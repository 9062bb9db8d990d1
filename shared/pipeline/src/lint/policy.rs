//! Whom the policy of a queue or a topic lets in. Pure.

use serde_json::Value;

/// The actions of the first statement that lets everybody in without a condition; `None` where there is none.
pub(super) fn open_actions(policy: &str) -> Option<String> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let statements = policy.get("Statement")?;
    let open = one_or_many(statements).into_iter().find(|statement| {
        let is_allowed = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
        let condition = statement.get("Condition").and_then(Value::as_object);
        is_allowed
            && statement.get("Principal").is_some_and(is_everybody)
            && condition.is_none_or(serde_json::Map::is_empty)
    })?;
    let actions = open.get("Action").map(one_or_many).unwrap_or_default();
    let names: Vec<&str> = actions.into_iter().filter_map(Value::as_str).collect();
    Some(names.join(", "))
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
        ] {
            let policy = json!({"Statement": [statement]}).to_string();
            assert_eq!(open_actions(&policy), None, "{policy}");
        }
        assert_eq!(open_actions("no policy"), None);
    }
}
