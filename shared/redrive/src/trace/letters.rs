//! What the dead-letter queue has of one event.
//!
//! Invariant: messages are received only where that was asked for, and all of them are released before the answer,
//! also where the search is cancelled or its time is over. A caller that gives up ends it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use event::{EventKey, FailureCode, unwrap_envelope};
use pipeline::model::{DeadLetter, Reason};
use pipeline::text::{in_words, is_or_are};
use pipeline::{Hidden, Pipeline};
use serde::Deserialize;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::evidence::{Leaving, Letter, Letters, Rest};
use super::fact::{Findings, Gap, Hop, Place, Standing, TraceFact};
use super::logs::Refusal;
use super::words::moment;
use crate::operations::{OperationError, Selection, Walk, WalkOptions};

/// Visibility timeout of messages that a search receives; after a crash they stay hidden for as long.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(120);
/// Messages that a search receives at most.
const MESSAGES_MAX: usize = 10_000;
/// Limit of a search, without the release of what it received.
const SEARCH_LIMIT: Duration = Duration::from_secs(25);

/// The dead letters of all events that the caller of a trace has received and not released. It looked at them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Ids of those that are hidden from others: they are in the queue, and a search cannot receive them.
    pub hidden: HashSet<String>,
    /// Ids of those that the caller is redriving or deleting: they may have left the queue.
    pub leaving: HashMap<String, Leaving>,
}

impl Holding {
    /// How many were looked at.
    fn total(&self) -> usize {
        self.hidden.len() + self.leaving.len()
    }

    /// How many of them a search did not receive.
    fn not_in(&self, received: &HashSet<String>) -> usize {
        let ids = self.hidden.iter().chain(self.leaving.keys());
        ids.filter(|id| !received.contains(*id)).count()
    }

    /// How many of the messages in flight are not those that are hidden for the caller. A search that received one of
    /// these shows that their visibility timeouts ended: then each may be with others.
    fn in_flight_elsewhere(&self, in_flight: usize, received: &HashSet<String>) -> usize {
        if self.hidden.is_disjoint(received) {
            in_flight.saturating_sub(self.hidden.len())
        } else {
            in_flight
        }
    }
}

/// What it has.
pub(super) struct LettersAnswer {
    pub(super) findings: Findings,
    pub(super) letters: Letters,
}

impl LettersAnswer {
    /// The requests that refused the event. The ingest sends a dead letter in the request that it is from.
    pub(super) fn refusals(&self) -> Vec<Refusal> {
        self.all()
            .filter_map(|letter| {
                Some(Refusal {
                    request_id: letter.request_id.clone()?,
                    at: letter.sent_at,
                })
            })
            .collect()
    }

    /// SQS message ids of the dead letters of the event.
    pub(super) fn message_ids(&self) -> Vec<String> {
        self.all().map(|letter| letter.message_id.clone()).collect()
    }

    /// The dead letters of the event, those that are leaving the queue too.
    fn all(&self) -> impl Iterator<Item = &Letter> {
        let leaving = self.letters.leaving.iter().map(|(letter, _)| letter);
        self.letters.found.iter().chain(leaving)
    }
}

/// Of the dead letters that somebody holds already; the others are not searched.
pub(super) fn held(
    key: &EventKey,
    held: &[DeadLetter],
    holding: &Holding,
    waiting: Result<u64, String>,
) -> LettersAnswer {
    let mut findings = Findings::default();
    add_held(holding, &mut findings);
    // What is hidden is in the queue too; what is leaving it may not be, and hides no other.
    let others = waiting.map(|number| number.saturating_sub(holding.hidden.len() as u64));
    let reason = match &others {
        Ok(number) => not_searched(*number, holding),
        Err(why) => format!("not searched, and how many there are could not be read: {why}"),
    };
    findings.gaps.push(Gap {
        is_failure: others.is_err(),
        ..Gap::unrecorded(Place::DeadLetters, reason)
    });
    let letters = Letters {
        found: Vec::new(),
        leaving: Vec::new(),
        seen: holding.total(),
        rest: Rest::NotSearched(others),
    };
    with_held(LettersAnswer { findings, letters }, key, held, holding)
}

fn not_searched(number: u64, holding: &Holding) -> String {
    let other = if holding.total() > 0 { "other " } else { "" };
    if number == 0 {
        return format!(
            "not searched: by the queue's approximate count there are no {other}dead letters"
        );
    }
    let leaving = match holding.leaving.len() as u64 {
        0 => String::new(),
        leaving => format!(
            ", of which up to {} {} being redriven or deleted,",
            leaving,
            is_or_are(leaving)
        ),
    };
    let letters = in_words(number, &format!("{other}dead letter"));
    format!(
        "not searched: a search receives the {letters} that the queue has by its approximate count{leaving} which \
         hides them from others for a while and counts as a receive of each"
    )
}

fn add_held(holding: &Holding, findings: &mut Findings) {
    let extent = match holding.total() {
        0 => return,
        1 => "the one that the console holds".to_owned(),
        total => format!("the {total} that the console holds"),
    };
    findings.searched(Place::DeadLetters, extent);
}

/// Adds what of the event the caller holds: a search does not see that, but for messages whose visibility timeouts
/// ended meanwhile. What the caller is redriving or deleting is not there for certain, whoever saw it.
fn with_held(
    mut answer: LettersAnswer,
    key: &EventKey,
    held: &[DeadLetter],
    holding: &Holding,
) -> LettersAnswer {
    let LettersAnswer { findings, letters } = &mut answer;
    for message in held.iter().filter(|message| is_of(key, message)) {
        let is_it = |letter: &Letter| letter.message_id == message.message_id;
        if !letters.found.iter().any(is_it) {
            add_facts(message, findings);
            letters.found.push(letter(message));
        }
    }
    let all = std::mem::take(&mut letters.found);
    for letter in all {
        match holding.leaving.get(&letter.message_id) {
            Some(leaving) => {
                findings.facts.push(leaving_fact(&letter, *leaving));
                letters.leaving.push((letter, *leaving));
            }
            None => letters.found.push(letter),
        }
    }
    answer
}

fn leaving_fact(letter: &Letter, leaving: Leaving) -> TraceFact {
    let (hop, what) = match leaving {
        Leaving::Redriven => (Hop::Redriven, "redriven"),
        Leaving::Deleted => (Hop::Deleted, "deleted"),
    };
    TraceFact {
        at: None,
        hop,
        standing: Standing::Neutral,
        text: format!(
            "dead letter {} is being {what} by this console, and may have left the queue",
            letter.message_id
        ),
        read_from: Place::DeadLetters,
        reference: Some(letter.message_id.clone()),
    }
}

/// A search that is under way.
pub(super) struct Searching {
    task: JoinHandle<LettersAnswer>,
    _ended: DropGuard,
}

impl Searching {
    /// Begins to search the queue. A task of its own: where the caller gives up, it is cancelled and still releases
    /// what it received.
    pub(super) fn begin(
        pipeline: &Pipeline,
        key: &EventKey,
        holding: &Holding,
        cancel: &CancellationToken,
    ) -> Self {
        let (pipeline, key, cancel) = (pipeline.clone(), key.clone(), cancel.child_token());
        let holding = holding.clone();
        let ended = cancel.clone().drop_guard();
        let task = tokio::spawn(async move {
            let received = receive_all(&pipeline, &key, &holding, cancel).await;
            received.unwrap_or_else(|error| failed(error.to_string()))
        });
        Self {
            task,
            _ended: ended,
        }
    }

    /// What it found, with what of it the caller holds.
    pub(super) async fn found(
        &mut self,
        key: &EventKey,
        held: &[DeadLetter],
        holding: &Holding,
    ) -> LettersAnswer {
        let found = (&mut self.task).await;
        let answer = found.unwrap_or_else(|error| failed(error.to_string()));
        with_held(answer, key, held, holding)
    }

    /// Waits until everything is released. It was cancelled.
    pub(super) async fn released(&mut self) {
        if !self.task.is_finished() {
            // A defect of the search is of no interest any more.
            let _ = (&mut self.task).await;
        }
    }
}

fn failed(why: String) -> LettersAnswer {
    let mut findings = Findings::default();
    findings
        .gaps
        .push(Gap::failed(Place::DeadLetters, why.clone()));
    let letters = Letters {
        found: Vec::new(),
        leaving: Vec::new(),
        seen: 0,
        rest: Rest::Failed(why),
    };
    LettersAnswer { findings, letters }
}

async fn receive_all(
    pipeline: &Pipeline,
    key: &EventKey,
    holding: &Holding,
    cancel: CancellationToken,
) -> Result<LettersAnswer, OperationError> {
    let options = WalkOptions::of(VISIBILITY_TIMEOUT, Some(MESSAGES_MAX));
    let unheard = Box::new(|_| {});
    let begun = Walk::begin(
        pipeline,
        Selection::default(),
        options,
        cancel.clone(),
        unheard,
    );
    let mut walk = begun.await?;
    let (mut found, mut received) = (Vec::new(), HashSet::new());
    let ended = tokio::select! {
        ended = pass(&mut walk, key, &mut found, &mut received) => ended.map(|()| true),
        () = tokio::time::sleep(SEARCH_LIMIT) => Ok(false),
    };
    let in_flight = walk.leases.in_flight_elsewhere();
    let elsewhere = holding.in_flight_elsewhere(in_flight, &received);
    let hidden = walk.leases.release_all().await;
    let is_complete = ended? && walk.truncation().is_none();
    let mut findings = Findings::default();
    let extent = format!("{} received and released", received.len());
    findings.searched(Place::DeadLetters, extent);
    add_held(holding, &mut findings);
    if !is_complete {
        let reason = format!(
            "more are there than were seen: at most {}, within {} s",
            MESSAGES_MAX,
            SEARCH_LIMIT.as_secs()
        );
        findings
            .gaps
            .push(Gap::unrecorded(Place::DeadLetters, reason));
    }
    if elsewhere > 0 {
        let reason = elsewhere_in_words(elsewhere, holding);
        findings
            .gaps
            .push(Gap::unrecorded(Place::DeadLetters, reason));
    }
    if let Some(error) = walk.ledger_error.take().filter(|_| pipeline.has_ledger()) {
        let reason = format!("whether they would be stored now: {error}");
        findings.gaps.push(Gap::failed(Place::DeadLetters, reason));
    }
    findings.gaps.extend(hidden_gap(hidden));
    for message in &found {
        add_facts(message, &mut findings);
    }
    let letters = Letters {
        found: found.iter().map(letter).collect(),
        leaving: Vec::new(),
        seen: received.len() + holding.not_in(&received),
        rest: if is_complete && elsewhere == 0 {
            Rest::Nothing
        } else {
            Rest::Unseen
        },
    };
    Ok(LettersAnswer { findings, letters })
}

fn elsewhere_in_words(elsewhere: usize, holding: &Holding) -> String {
    let whose = match holding.leaving.len() {
        0 => "others",
        _ => "others, or being redriven or deleted,",
    };
    format!("{} received by {whose} could not be seen", elsewhere)
}

/// Receives until there are no more, and keeps those of the event.
async fn pass(
    walk: &mut Walk,
    key: &EventKey,
    found: &mut Vec<DeadLetter>,
    received: &mut HashSet<String>,
) -> Result<(), OperationError> {
    while let Some(messages) = walk.next().await? {
        received.extend(messages.iter().map(|message| message.message_id.clone()));
        found.extend(messages.into_iter().filter(|message| is_of(key, message)));
    }
    Ok(())
}

fn hidden_gap(hidden: Hidden) -> Option<Gap> {
    let until = hidden.until.filter(|_| hidden.messages_max > 0)?;
    let reason = format!(
        "up to {} of them could not be released, and stay hidden from others until {}",
        hidden.messages_max,
        moment(until)
    );
    Some(Gap::failed(Place::DeadLetters, reason))
}

fn is_of(key: &EventKey, message: &DeadLetter) -> bool {
    let identity = &message.identity;
    identity.source.as_ref() == Some(&key.source) && identity.id.as_ref() == Some(&key.id)
}

fn letter(message: &DeadLetter) -> Letter {
    Letter {
        message_id: message.message_id.clone(),
        sent_at: message.sent_at,
        is_moved: is_moved(message),
        reason: why(message),
        verdict: message.verdict,
        request_id: message
            .reason
            .as_ref()
            .filter(|reason| is_of_ingest(reason))
            .and_then(|reason| reason.request_id.clone()),
    }
}

/// Whether SQS moved it and kept the time of its first send: a FIFO queue gives it another one, and what the ingest
/// refuses it sends itself.
fn is_moved(message: &DeadLetter) -> bool {
    message.reason.is_none() && message.group_id.is_none()
}

/// `missing-attribute: "time" is required`
fn why(message: &DeadLetter) -> String {
    match (message.reason.as_deref(), message.failure.as_deref()) {
        (Some(Reason { code, message, .. }), _) => format!("{code}: {message}"),
        (None, Some(failure)) => format!("{}: {}", failure.code, failure.detail),
        (None, None) => "no reason is recorded".to_owned(),
    }
}

/// What of the envelope and of the event is shown.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Timestamp")]
    timestamp: DateTime<Utc>,
    #[serde(rename = "MessageId")]
    message_id: Option<String>,
}

#[derive(Deserialize)]
struct Timed {
    time: DateTime<Utc>,
}

/// What a dead letter says about its way.
fn add_facts(message: &DeadLetter, findings: &mut Findings) {
    let mut add = |at, hop, standing, text| {
        findings.facts.push(TraceFact {
            at,
            hop,
            standing,
            text,
            read_from: Place::DeadLetters,
            reference: Some(message.message_id.clone()),
        });
    };
    if let Ok(body) = message.body.text() {
        let text = unwrap_envelope(&body);
        if let Ok(event) = serde_json::from_str::<Timed>(&text) {
            let what = "the time of the event".to_owned();
            add(Some(event.time), Hop::Occurred, Standing::Neutral, what);
        }
        let envelope = serde_json::from_str::<Envelope>(&body).ok();
        if let Some(envelope) = envelope.filter(|_| *text != *body) {
            let id = envelope.message_id.unwrap_or_default();
            let what = format!("SNS took it, as message {id}, by its envelope");
            let at = Some(envelope.timestamp);
            add(at, Hop::Published, Standing::Good, what);
        }
    }
    if is_moved(message) {
        let text = "first sent to a queue, this one or the source queue: SQS keeps that time when it moves a message";
        let at = Some(message.sent_at);
        add(at, Hop::Queued, Standing::Neutral, text.to_owned());
    }
    let (standing, text) = attempts(message);
    add(None, Hop::Attempted, standing, text);
    let at = (!is_moved(message)).then_some(message.sent_at);
    add(at, Hop::Dead, Standing::Bad, death(message));
    if let Some(at) = message.first_received_at {
        let text = "first received as a dead letter".to_owned();
        add(Some(at), Hop::Dead, Standing::Neutral, text);
    }
}

/// Without a reason it may have been sent to this queue alone, by whomever: then the ingest never had it.
fn attempts(message: &DeadLetter) -> (Standing, String) {
    let Some(reason) = &message.reason else {
        let text = "not known: the redrive policy moved it after its retries, or it was sent to the dead-letter queue \
                    itself and the ingest never received it";
        return (Standing::Doubtful, text.to_owned());
    };
    if !is_of_ingest(reason) {
        let text = "not known: the ingest has no such reason; SNS names one where it could not deliver a message, and \
                    then the ingest never received it";
        return (Standing::Doubtful, text.to_owned());
    }
    let request = reason.request_id.as_deref();
    let request = request.map_or_else(String::new, |id| format!(" (request {id})"));
    let text =
        format!("the ingest refused it{request}; how often it was received before is not recorded");
    (Standing::Bad, text)
}

/// Whether the ingest gave it: SNS names a reason in the same attributes where it could not deliver a message (Amazon
/// SNS developer guide, "Amazon SNS dead-letter queues").
fn is_of_ingest(reason: &Reason) -> bool {
    reason.code.parse::<FailureCode>().is_ok()
}

fn death(message: &DeadLetter) -> String {
    let moved = match is_moved(message) {
        true => "; whether and when SQS moved it is not recorded",
        false => "",
    };
    format!(
        "dead letter {}: {}{moved}; received {} since, mostly by this console; SQS deletes it at {}",
        message.message_id,
        why(message),
        in_words(u64::from(message.receive_count), "time"),
        moment(message.expires_at)
    )
}

#[cfg(test)]
mod tests;
