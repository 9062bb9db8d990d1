//! Which records a replay replaces: those whose text is another one than that of the event.
//!
//! Invariant: texts are compared as PostgreSQL stores them, and the record that was compared is the one that the
//! plan names.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use event::{EventKey, expired, stored_sha256};

use super::blocking::blocking;
use crate::error::RedriveError;
use crate::plan::Replaces;
use pipeline::{Body, Pipeline, StoredText, ledger_identity};

/// What a message does to the record of its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Correction {
    /// It takes its place.
    Replaces(Replaces),
    /// It cannot: why.
    Refused(String),
}

/// The events whose identities are stored, by the names of their messages.
#[derive(Default)]
pub(super) struct Corrections {
    /// Those of which something is to be done or said.
    pub(super) by_name: HashMap<String, Correction>,
    /// The names of those that are stored with the same text.
    pub(super) same_text: Vec<String>,
}

/// What is sent for a message, by its name.
pub(super) type Sent = (String, Body);

struct Read {
    name: String,
    key: EventKey,
    sha256: String,
    time: DateTime<Utc>,
}

/// Compares events with the records of their identities. An event whose identity is not stored has no entry.
///
/// # Errors
/// When the records do not come, and when a body cannot be read.
pub(super) async fn corrections(
    pipeline: &Pipeline,
    sent: Vec<Sent>,
) -> Result<Corrections, RedriveError> {
    let read = blocking(move || read_all(sent)).await?;
    let keys: Vec<EventKey> = read.iter().map(|one| one.key.clone()).collect();
    let answer = pipeline.look_up_texts(&keys).await;
    if let Some(error) = answer.error {
        return Err(error.into());
    }
    let mut corrections = Corrections::default();
    for one in read {
        let Some(stored) = answer.stored.get(&one.key) else {
            continue;
        };
        let correction = match expired(one.time, answer.horizon) {
            Some(failure) => Correction::Refused(failure.detail),
            None if stored.sha256.as_ref() == Some(&one.sha256) => {
                corrections.same_text.push(one.name);
                continue;
            }
            None => correction(&one.key, stored, one.sha256),
        };
        corrections.by_name.insert(one.name, correction);
    }
    Ok(corrections)
}

fn correction(key: &EventKey, stored: &StoredText, new_sha256: String) -> Correction {
    match &stored.sha256 {
        Some(old_sha256) => Correction::Replaces(Replaces {
            identity: ledger_identity(key),
            record_id: stored.record_id,
            old_sha256: old_sha256.clone(),
            new_sha256,
        }),
        None => Correction::Refused(format!(
            "its identity is known, and record {} is gone: it was erased or has expired, and is not \
             stored again",
            stored.record_id
        )),
    }
}

fn read_all(sent: Vec<Sent>) -> Result<Vec<Read>, RedriveError> {
    let mut read = Vec::with_capacity(sent.len());
    for (name, body) in sent {
        let text = body.text();
        let text = text.map_err(|error| RedriveError::plan(format!("an event: {error}")))?;
        if let Ok(event) = event::parse_body(&text) {
            read.push(Read {
                name,
                key: event.key(),
                sha256: stored_sha256(&event.json),
                time: event.time,
            });
        }
    }
    Ok(read)
}
