//! Messages as the ingest and SQS leave them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use event::{RecordId, assess, peek_identity};

use crate::tui::fault::Fault;
use crate::tui::patch::{EditedMessage, PatchInput, Patched};
use crate::tui::redrives::{PastRedrive, Progress, RunEnd};
pub(crate) use crate::tui::testing::{environment, production, read_only};
use pipeline::model::{AttributeValue, DeadLetter, Reason};
use redrive::fact::{Ending, Proof};
use redrive::{Counts, MessageOutcome, MessageReport, Report, RunCommand};

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-24T12:03:07Z".parse().unwrap()
}

pub(crate) fn fault() -> Fault {
    Fault {
        message: "receive from \"events-dead-letters\" at http://127.0.0.1:4566: connection \
                  refused (after 0.2 s)"
            .to_owned(),
        hint: Some("is the environment running? see `opsconsole status`".to_owned()),
        ..Fault::default()
    }
}

/// A message that was refused by the ingest, or whose retries ran out where the validator accepts it.
pub(crate) fn message(number: usize, age: Duration, body: &str) -> DeadLetter {
    let sent_at = now() - age;
    let assessment = assess(body);
    let (verdict, failure) = assessment.judge(false, None);
    let reason = failure.as_ref().map(|failure| Reason {
        code: failure.code.to_string(),
        message: failure.attribute_message(),
        request_id: Some(format!("5f0c2d9e-0000-4000-8000-{number:012}")),
    });
    let text = |value: &str| AttributeValue::Text {
        data_type: "String".to_owned(),
        value: value.to_owned(),
    };
    let mut attributes = BTreeMap::from([("tenant".to_owned(), text("andes-air"))]);
    if let Some(reason) = &reason {
        attributes.insert("ErrorCode".to_owned(), text(&reason.code));
        attributes.insert("ErrorMessage".to_owned(), text(&reason.message));
    }
    DeadLetter {
        message_id: format!("8f3e0b6a-1111-4222-8333-{number:012}"),
        receipt_handle: format!("handle-{number}"),
        body: body.into(),
        attributes,
        sent_at,
        first_received_at: Some(now() - Duration::minutes(2)),
        receive_count: if reason.is_some() { 1 } else { 4 },
        expires_at: sent_at + Duration::days(14),
        hidden_until: now() + Duration::seconds(300),
        group_id: None,
        trace_header: None,
        reason: reason.map(Arc::new),
        replaces: None,
        verdict,
        failure: failure.map(Arc::new),
        identity: peek_identity(body),
        stored_as: None,
        judged_at: now() - Duration::seconds(20),
    }
}

pub(crate) fn stored(mut message: DeadLetter) -> DeadLetter {
    message.verdict = event::Verdict::AlreadyStored;
    message.stored_as = Some(RecordId(1_204_554));
    message
}

pub(crate) fn valid_body(number: usize) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"dep-{number:04}","source":"/ops/flights","type":"flight.departed","time":"2026-11-24T10:02:11Z","subject":"LA601","datacontenttype":"application/json","data":{{"flight":"LA601","gate":"B{number}","minutes":35,"legs":[{{"from":"SCL","to":"LIM"}},{{"from":"LIM","to":"MIA"}}]}}}}"#
    )
}

pub(crate) fn body_without_time(number: usize) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"flight.delayed","source":"crew-app","id":"5b0c-{number:04}","data":{{"flight":"LA601","minutes":35}}}}"#
    )
}

fn body_with_nul(number: usize) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"booking.created","source":"/shop/web","id":"b-{number:04}","time":"2026-11-24T11:40:00Z","data":{{"passengers":[{{"name":"A"}},{{"name":"B\u0000"}}]}}}}"#
    )
}

/// 37 messages: 25 without time, 4 that the database refuses, 2 no JSON, 3 ready, 3 stored.
pub(crate) fn messages() -> Vec<DeadLetter> {
    let mut messages = Vec::new();
    for number in 0..25 {
        let age = Duration::minutes(21) - Duration::seconds(40 * number);
        let number = usize::try_from(number).unwrap();
        messages.push(message(number, age, &body_without_time(number)));
    }
    for number in 25..29 {
        messages.push(message(number, Duration::hours(3), &body_with_nul(number)));
    }
    for number in 29..31 {
        messages.push(message(
            number,
            Duration::hours(30),
            "MQTT\u{0}\u{4}\u{2}garbage \u{7f}",
        ));
    }
    for number in 31..34 {
        messages.push(message(number, Duration::hours(2), &valid_body(number)));
    }
    for number in 34..37 {
        let age = Duration::days(13) + Duration::hours(4);
        messages.push(stored(message(number, age, &valid_body(number))));
    }
    messages.sort_by_key(|message| message.sent_at);
    messages
}

/// A report with these outcomes; what moved was stored.
pub(crate) fn report(outcomes: &[(&str, MessageOutcome, Option<&str>)]) -> Report {
    let mut counts = Counts::default();
    let messages = outcomes
        .iter()
        .map(|(message_id, outcome, cause)| {
            let is_moved = *outcome == MessageOutcome::Moved;
            *match outcome {
                MessageOutcome::Waiting => &mut counts.waiting,
                MessageOutcome::NotSent => &mut counts.not_sent,
                MessageOutcome::Unknown => &mut counts.unknown,
                MessageOutcome::SentNotDeleted => &mut counts.sent_not_deleted,
                MessageOutcome::Moved | MessageOutcome::Published => &mut counts.moved,
            } += 1;
            counts.stored += usize::from(is_moved);
            MessageReport {
                message_id: (*message_id).to_owned(),
                replaces: None,
                outcome: *outcome,
                cause: cause.map(str::to_owned),
                sent_message_id: None,
                is_being_sent: false,
                event: None,
                proof: is_moved.then_some(Proof::Stored {
                    record_id: RecordId(1_204_554),
                }),
            }
        })
        .collect();
    Report {
        id: uuid::Uuid::nil(),
        created_at: now(),
        environment: "demo".to_owned(),
        kind: redrive::Kind::Redrive,
        planned: outcomes.len(),
        counts,
        ending: Some(Ending::Finished),
        messages,
    }
}

pub(crate) fn run_end(outcomes: &[(&str, MessageOutcome, Option<&str>)]) -> RunEnd {
    let report = report(outcomes);
    RunEnd {
        past: Box::new(PastRedrive {
            journal: "/state/redrives/0199-aaaa.journal".into(),
            created_at: now(),
            kind: redrive::Kind::Redrive,
            replaces: 0,
            planned: report.planned,
            canary_steps: vec![1],
            skipped: 34,
            edited: 0,
            counts: report.counts,
            ending: report.ending,
            is_running: false,
            pause: None,
        }),
        report,
        error: None,
    }
}

/// A run as its task reports it.
pub(crate) fn progress(planned: usize, canary_steps: &[usize], counts: Counts) -> Progress {
    Progress {
        journal: "/state/redrives/0199-aaaa.journal".into(),
        created_at: now(),
        kind: redrive::Kind::Redrive,
        replaces: 0,
        planned,
        canary_steps: canary_steps.to_vec(),
        counts,
        command: RunCommand::Run,
        wait: None,
        rate_per_sec: Some(20.0),
    }
}

/// A message with another body.
pub(crate) fn edited(message: &PatchInput, new_body: &str) -> EditedMessage {
    let (verdict, failure) = assess(new_body).judge(false, None);
    EditedMessage {
        message_id: message.message_id.clone(),
        old_body: message.old_body.clone(),
        new_body: new_body.into(),
        verdict,
        failure,
        replaces: None,
        identity: peek_identity(new_body),
        has_other_identity: false,
        is_ledger_checked: true,
        same_identity_as: None,
    }
}

/// What a patch does that sets the time; it fails on the last message.
pub(crate) fn patched(messages: &[PatchInput]) -> Patched {
    let (_, rest) = messages.split_last().unwrap();
    Patched {
        edited: rest
            .iter()
            .map(|message| {
                let time = r#""time":"2026-11-24T11:42:00Z","data""#;
                edited(
                    message,
                    &message.body().text().unwrap().replace("\"data\"", time),
                )
            })
            .collect(),
        unchanged: 0,
        failed: 1,
        failure: Some("the body is not JSON".to_owned()),
    }
}
