//! Messages of which the test knows what must become of them.

use ingest::Batch;
use serde_json::{Value, json};

/// What must become of a message in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The event with this id is a record.
    Record(String),
    /// Its body is a dead letter.
    DeadLetter,
    /// It is reported for ever: no dead letter can contain it.
    Reported,
}

/// One message of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) attributes: Value,
    pub(crate) end: End,
}

impl Given {
    fn new(body: String, end: End) -> Self {
        Self {
            id: String::new(),
            body,
            attributes: json!({}),
            end,
        }
    }

    pub(crate) fn with_attributes(self, attributes: Value) -> Self {
        Self { attributes, ..self }
    }
}

fn event(id: &str, data: &Value) -> String {
    json!({
        "specversion": "1.0", "id": id, "source": "/tests", "type": "order.placed",
        "time": "2026-11-24T12:00:00Z", "data": data,
    })
    .to_string()
}

pub(crate) fn good(id: impl ToString) -> Given {
    good_with(id, &json!({"total": 1}))
}

pub(crate) fn good_with(id: impl ToString, data: &Value) -> Given {
    let id = id.to_string();
    Given::new(event(&id, data), End::Record(id))
}

pub(crate) fn envelope(id: impl ToString) -> Given {
    let id = id.to_string();
    let body = json!({
        "Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:us-east-1:0:events",
        "Message": event(&id, &json!({"total": 1})), "Timestamp": "2026-11-24T12:00:00.000Z",
    });
    Given::new(body.to_string(), End::Record(id))
}

/// The validator refuses it.
pub(crate) fn invalid(name: impl ToString) -> Given {
    Given::new(format!("no event: {}", name.to_string()), End::DeadLetter)
}

/// Only the database refuses it, see [`crate::fixture`].
pub(crate) fn poison(name: impl ToString) -> Given {
    let id = format!("poison-{}", name.to_string());
    Given::new(event(&id, &json!({})), End::DeadLetter)
}

/// No dead letter can contain it.
pub(crate) fn empty() -> Given {
    Given::new(String::new(), End::Reported)
}

/// Sets the ids of the messages: `m0`, `m1`, ….
pub(crate) fn numbered(messages: impl IntoIterator<Item = Given>) -> Vec<Given> {
    messages
        .into_iter()
        .enumerate()
        .map(|(number, given)| Given {
            id: format!("m{number}"),
            ..given
        })
        .collect()
}

/// The batch as Lambda delivers it.
pub(crate) fn batch(messages: &[Given]) -> Batch {
    let records: Vec<Value> = messages
        .iter()
        .map(|given| {
            json!({
                "messageId": given.id, "receiptHandle": "handle", "body": given.body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": given.attributes, "md5OfBody": "",
                "eventSource": "aws:sqs", "awsRegion": "us-east-1",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:events",
            })
        })
        .collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}
