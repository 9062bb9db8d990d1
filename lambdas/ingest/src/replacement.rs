//! Messages that replace a stored record.
//!
//! Invariant: a message replaces a record only by the attribute that names it, only where the setting permits
//! it, and only while that very record is stored. Any other end of it changes nothing.

use std::borrow::Cow;
use std::collections::HashMap;

use aws_lambda_events::sqs::SqsMessageAttribute;
use event::{
    Event, Failure, FailureCode, NamedRecord, REPLACES_ATTRIBUTE, RecordId, StoredInstead,
    invalid_replacement, replaces_in_envelope, stale_replacement,
};
use store::{PgPool, Replaced, Replacement, Stale, replace_records};
use tokio::time::Instant;

use crate::batch::Message;
use crate::bisect::{ItemResult, bisect};
use crate::settings::REPLACEMENTS_ALLOWED;
use crate::write::{Committed, write_until};

/// The record that a message replaces; `None` for an ordinary message.
///
/// # Errors
/// When replacements are not permitted, or when the attribute names no record.
pub(crate) fn replaced(
    message: &Message,
    event: &Event<'_>,
    is_permitted: bool,
) -> Result<Option<RecordId>, Failure> {
    let Some(value) = attribute(message, event) else {
        return Ok(None);
    };
    if !is_permitted {
        return Err(Failure::new(
            FailureCode::ReplacementNotPermitted,
            format!(
                "the message has the attribute {REPLACES_ATTRIBUTE}, and this ingest replaces no records: \
                 its environment variable {REPLACEMENTS_ALLOWED} is not \"true\""
            ),
        ));
    }
    let named = NamedRecord::of_value(value.as_deref()).record_id();
    named.map(Some).ok_or_else(invalid_replacement)
}

/// The attribute of the message, or of the envelope in it; within, `None` for a value that is no text.
fn attribute(message: &Message, event: &Event<'_>) -> Option<Option<String>> {
    if let Some(json) = message.message_attributes.get(REPLACES_ATTRIBUTE) {
        let attribute: Option<SqsMessageAttribute> = serde_json::from_str(json.get()).ok();
        return Some(attribute.and_then(|attribute| attribute.string_value));
    }
    // Only an event from an envelope is a copy of a part of the body.
    match event.json {
        Cow::Borrowed(_) => None,
        Cow::Owned(_) => replaces_in_envelope(message.body.as_deref()?).map(Some),
    }
}

/// Replaces records, each if it can be. The result is parallel to the input.
pub(crate) async fn replace_events(
    pool: &PgPool,
    replacements: &[Replacement<'_>],
    deadline: Instant,
) -> Vec<ItemResult<Committed<Replaced>>> {
    let mut results = vec![ItemResult::Unwritten; replacements.len()];
    for round in rounds(replacements) {
        let some: Vec<Replacement<'_>> = round
            .iter()
            .filter_map(|index| replacements.get(*index).copied())
            .collect();
        let ended = bisect(&some, async |some: &[Replacement<'_>]| {
            write_until(deadline, async || replace_records(pool, some).await).await
        })
        .await;
        let is_whole = !ended.contains(&ItemResult::Unwritten);
        for (index, result) in round.into_iter().zip(ended) {
            if let Some(slot) = results.get_mut(index) {
                *slot = result;
            }
        }
        if !is_whole {
            break;
        }
    }
    results
}

/// The places of the replacements in rounds that have each identity once: of several with one identity the
/// first is applied before the next is looked at.
fn rounds(replacements: &[Replacement<'_>]) -> Vec<Vec<usize>> {
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for (index, replacement) in replacements.iter().enumerate() {
        let key = (&*replacement.event.source, &*replacement.event.id);
        let count = counts.entry(key).or_default();
        match rounds.get_mut(*count) {
            Some(round) => round.push(index),
            None => rounds.push(vec![index]),
        }
        *count += 1;
    }
    rounds
}

/// Why a replacement was not applied.
pub(crate) fn stale(replaces: RecordId, stale: Stale) -> Failure {
    let instead = match stale {
        Stale::Other(record_id) => StoredInstead::Other(record_id),
        Stale::Unknown => StoredInstead::Unknown,
        Stale::Gone => StoredInstead::Gone,
    };
    stale_replacement(replaces, instead)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const EVENT: &str =
        r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-11-24T12:00:00Z"}"#;

    fn message(body: &str, attributes: Value) -> Message {
        serde_json::from_value(json!({"body": body, "messageAttributes": attributes})).unwrap()
    }

    fn replaces(
        body: &str,
        attributes: Value,
        is_permitted: bool,
    ) -> Result<Option<i64>, FailureCode> {
        let message = message(body, attributes);
        let event = event::parse_body(message.body.as_deref().unwrap()).unwrap();
        replaced(&message, &event, is_permitted)
            .map(|record_id| record_id.map(|id| id.0))
            .map_err(|failure| failure.code)
    }

    fn text(value: &str) -> Value {
        json!({"OpsConsole.Replaces": {"dataType": "String", "stringValue": value}})
    }

    #[test]
    fn attribute_names_the_record_and_no_other_message_replaces() {
        assert_eq!(replaces(EVENT, text("17"), true), Ok(Some(17)));
        for other in [
            json!({}),
            json!({"Replaces": {"dataType": "String", "stringValue": "17"}}),
            json!({"opsconsole.replaces": {"dataType": "String", "stringValue": "17"}}),
        ] {
            assert_eq!(replaces(EVENT, other, true), Ok(None));
        }
    }

    #[test]
    fn attribute_without_a_record_id_is_a_failure_and_never_an_ordinary_message() {
        for other in [
            text("seventeen"),
            json!({"OpsConsole.Replaces": {"dataType": "Binary", "binaryValue": "AP8="}}),
            json!({"OpsConsole.Replaces": null}),
            json!({"OpsConsole.Replaces": 17}),
        ] {
            let code = replaces(EVENT, other.clone(), true);
            assert_eq!(code, Err(FailureCode::ReplacementStale), "{other}");
        }
    }

    #[test]
    fn setting_is_named_where_it_does_not_permit_it() {
        for attribute in [text("17"), text("x")] {
            let code = replaces(EVENT, attribute, false);
            assert_eq!(code, Err(FailureCode::ReplacementNotPermitted));
        }
        let message = message(EVENT, text("17"));
        let event = event::parse_body(EVENT).unwrap();
        let failure = replaced(&message, &event, false).unwrap_err();
        assert!(failure.detail.contains(REPLACEMENTS_ALLOWED), "{failure}");
        assert_eq!(replaces(EVENT, json!({}), false), Ok(None));
    }

    #[test]
    fn attribute_inside_an_envelope_counts_as_well() {
        let envelope = |attributes: Value| {
            json!({
                "Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:us-east-1:0:events",
                "Message": EVENT, "MessageAttributes": attributes,
            })
            .to_string()
        };
        let named = envelope(json!({"OpsConsole.Replaces": {"Type": "String", "Value": "17"}}));
        assert_eq!(replaces(&named, json!({}), true), Ok(Some(17)));
        let code = replaces(&named, json!({}), false);
        assert_eq!(code, Err(FailureCode::ReplacementNotPermitted));
        assert_eq!(replaces(&envelope(json!({})), json!({}), true), Ok(None));
    }

    #[test]
    fn each_round_has_an_identity_once_and_all_rounds_have_everything_in_order() {
        let bodies =
            ["a", "b", "a", "c", "a", "b"].map(|id| EVENT.replace("\"1\"", &format!("{id:?}")));
        let events = bodies
            .each_ref()
            .map(|body| event::parse_body(body).unwrap());
        let replacements: Vec<Replacement<'_>> = events
            .iter()
            .map(|event| Replacement {
                event,
                replaces: RecordId(1),
            })
            .collect();
        assert_eq!(rounds(&replacements), [vec![0, 1, 3], vec![2, 5], vec![4]]);
        assert!(rounds(&[]).is_empty());
    }
}
