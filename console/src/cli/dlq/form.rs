//! How a dead letter is written down for people.
//!
//! Invariant: nothing of a message reaches the terminal unescaped.

use chrono::{DateTime, Utc};
use event::Failure;

use crate::cli::table::{Align, Keep, Table, moment, time_delta};
use crate::text::{in_words, replaces_in_words};
use pipeline::model::{AttributeValue, DeadLetter};
use pipeline::{BodyError, printable, printable_lines};
use redrive::triage;

/// The list for people.
pub(crate) fn table(messages: &[DeadLetter], now: DateTime<Utc>) -> Table {
    let mut table = Table::new(&[
        ("MESSAGE ID", Align::Left, Keep::Always),
        ("VERDICT", Align::Left, Keep::Always),
        ("CAUSE", Align::Left, Keep::Cut),
        ("TYPE", Align::Left, Keep::Drop(1)),
        ("SOURCE", Align::Left, Keep::Drop(4)),
        ("ID", Align::Left, Keep::Drop(6)),
        ("RECEIVED", Align::Right, Keep::Drop(5)),
        ("AGE", Align::Right, Keep::Drop(3)),
        ("EXPIRES IN", Align::Right, Keep::Drop(2)),
    ]);
    for message in messages {
        let identity = &message.identity;
        table.row([
            &message.message_id,
            message.verdict.as_str(),
            &message.cause(),
            identity.event_type.as_deref().unwrap_or("-"),
            identity.source.as_deref().unwrap_or("-"),
            identity.id.as_deref().unwrap_or("-"),
            &format!("{}×", message.receive_count),
            &time_delta(now - message.sent_at),
            &time_delta(message.expires_at - now),
        ]);
    }
    table
}

/// One message for people, body included.
pub(crate) fn form(message: &DeadLetter, now: DateTime<Utc>) -> Result<String, BodyError> {
    let mut lines = vec![
        ("message", message.message_id.clone()),
        ("verdict", message.verdict.to_string()),
        ("cause", message.cause()),
    ];
    if let Some(reason) = &message.reason {
        lines.push(("reason", format!("{}: {}", reason.code, reason.message)));
        if let Some(request_id) = &reason.request_id {
            lines.push(("request", request_id.clone()));
        }
    }
    if let Some(failure) = &message.failure {
        lines.push(("refused now", failure_sentence(failure)));
    }
    if let Some(named) = message.replaces {
        let text = replaces_in_words(named, message.verdict, message.stored_as);
        lines.push(("replaces", text));
    } else if let Some(record_id) = message.stored_as {
        lines.push(("stored as", format!("record {record_id}")));
    }
    lines.extend([
        ("received", format!("{}×", message.receive_count)),
        ("sent at", moment(message.sent_at)),
        (
            "expires at",
            format!(
                "{} (in {})",
                moment(message.expires_at),
                time_delta(message.expires_at - now)
            ),
        ),
    ]);
    let mut text = String::new();
    for (name, value) in lines {
        text.push_str(&format!("{name:<14}{}\n", printable(&value)));
    }
    for (name, value) in &message.attributes {
        text.push_str(&format!(
            "attribute     {}\n",
            printable(&attribute(name, value))
        ));
    }
    let body = message.body.text()?;
    let pretty = triage::pretty(&body);
    text.push_str(&printable_lines(pretty.as_deref().unwrap_or(&body)));
    text.push('\n');
    Ok(text)
}

fn failure_sentence(failure: &Failure) -> String {
    match &failure.pointer {
        Some(pointer) => format!("{}: {} (at {pointer})", failure.code, failure.detail),
        None => format!("{}: {}", failure.code, failure.detail),
    }
}

fn attribute(name: &str, value: &AttributeValue) -> String {
    match value {
        AttributeValue::Text { data_type, value } => format!("{name} ({data_type}) = {value}"),
        AttributeValue::Binary { data_type, value } => {
            let bytes = in_words(value.len() as u64, "byte");
            format!("{name} ({data_type}) = {bytes}")
        }
    }
}
