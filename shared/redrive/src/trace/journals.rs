//! What the journals of this machine have of one event.
//!
//! Invariant: local files are read and nobody is asked; the newest first, within limits that are part of the answer.
//! A journal that cannot be read hides no other, and is named.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use event::{ERROR_CODE_ATTRIBUTE, ERROR_MESSAGE_ATTRIBUTE, EventKey, RecordId, peek_identity};
use pipeline::text::{in_words, was_or_were};

use super::evidence::Known;
use super::fact::{Findings, Gap, Hop, Place, Standing, TraceFact, UnreadCause};
use super::words::{edit_in_words, moment, proof_in_words};
use crate::error::RedriveError;
use crate::journal::{Clue, Facts, Journal, MoveTaskRecord};
use crate::message::Attribute;
use crate::plan::{Kind, Plan};
use crate::state::fact::{Fact, Intended, MessageCause};

/// Journals that are searched.
const JOURNALS_MAX: usize = 200;
/// How long the search may take; checked between two lines.
const WITHIN: Duration = Duration::from_secs(10);

/// What is looked for, and where it counts.
pub(super) struct Sought<'a> {
    pub(super) key: &'a EventKey,
    /// SQS message ids of dead letters that have the event.
    pub(super) message_ids: &'a [String],
    pub(super) environment: &'a str,
    pub(super) dead_letter_queue_url: &'a str,
}

/// What they have.
#[derive(Debug, Default)]
pub(super) struct JournalAnswer {
    pub(super) findings: Findings,
    /// What became of each message of the event that was to be sent.
    pub(super) known: Vec<(DateTime<Utc>, Known)>,
    /// Records that messages of the event were planned to replace.
    pub(super) replaced: Vec<RecordId>,
}

impl JournalAnswer {
    /// There is none.
    pub(super) fn unread(why: String) -> Self {
        let mut answer = Self::default();
        let findings = &mut answer.findings;
        findings.not_read(Place::Journals, UnreadCause::Time, why);
        answer
    }
}

impl JournalAnswer {
    fn failed(&mut self, error: &RedriveError) {
        let cause = if matches!(error, RedriveError::Newer { .. }) {
            UnreadCause::Newer
        } else {
            UnreadCause::File
        };
        let findings = &mut self.findings;
        findings.not_read(Place::Journals, cause, error.to_string());
    }
}

impl Sought<'_> {
    pub(super) fn is_event_of(&self, body: &str) -> bool {
        let identity = peek_identity(body);
        identity.source.as_ref() == Some(&self.key.source)
            && identity.id.as_ref() == Some(&self.key.id)
    }

    pub(super) fn clue(&self) -> Clue {
        let ids = self.message_ids.iter().map(String::as_str);
        Clue::of(ids.chain([self.key.id.as_str()]))
    }
}

/// Searches the journals of a folder.
pub(super) fn search(folder: &Path, sought: &Sought<'_>) -> JournalAnswer {
    search_until(folder, sought, Instant::now() + WITHIN)
}

fn search_until(folder: &Path, sought: &Sought<'_>, until: Instant) -> JournalAnswer {
    let mut answer = JournalAnswer::default();
    let journals = match Journal::list(folder) {
        Ok(journals) => journals,
        Err(error) => {
            answer.failed(&error);
            return answer;
        }
    };
    let clue = sought.clue();
    let (total, wanted) = (journals.len(), journals.len().min(JOURNALS_MAX));
    let mut searched = 0;
    for (_, path) in journals.iter().take(wanted) {
        let read = match clue.may_be_in_file(path, until) {
            Ok(Some(true)) => search_one(path, sought, until, &mut answer),
            Ok(Some(false)) => Ok(true),
            Ok(None) => Ok(false),
            Err(cause) => Err(RedriveError::file("read journal", path)(cause)),
        };
        match read {
            // Nothing was sent under an empty one.
            Ok(true) | Err(RedriveError::Empty(_)) => {}
            Ok(false) => break,
            Err(error) => answer.failed(&error),
        }
        searched += 1;
    }
    let extent = format!(
        "{searched} of {} of redrives and replays on this machine, the newest first",
        in_words(total as u64, "journal")
    );
    answer.findings.searched(Place::Journals, extent);
    if searched < wanted {
        let reason = format!(
            "{} {} not searched to the end within {} s",
            in_words((wanted - searched) as u64, "journal"),
            was_or_were((wanted - searched) as u64),
            WITHIN.as_secs()
        );
        let findings = &mut answer.findings;
        findings.not_read(Place::Journals, UnreadCause::Time, reason);
    }
    if wanted < total {
        let older = (total - wanted) as u64;
        let reason = format!(
            "{} {} not searched: at most {JOURNALS_MAX}",
            in_words(older, "older journal"),
            was_or_were(older)
        );
        let gap = Gap::unrecorded(Place::Journals, reason);
        answer.findings.gaps.push(gap);
    }
    answer
        .findings
        .gaps
        .extend(move_tasks(folder, sought.environment));
    answer
}

/// SQS moves whole queues by itself, and says nothing about single messages.
fn move_tasks(folder: &Path, environment: &str) -> Option<Gap> {
    let tasks = MoveTaskRecord::list(folder, environment).ok()?;
    let last = tasks.first()?;
    let reason = format!(
        "{} of {} {} started from this machine, the last at {}: SQS does not say which messages it moved",
        in_words(tasks.len() as u64, "native move task"),
        if tasks.len() == 1 {
            "a whole queue"
        } else {
            "whole queues"
        },
        was_or_were(tasks.len() as u64),
        moment(last.asked_at)
    );
    Some(Gap::unrecorded(Place::Journals, reason))
}

/// Adds what one journal has, of a damaged one what is before the damage. Returns whether the time was enough for it.
fn search_one(
    path: &Path,
    sought: &Sought<'_>,
    until: Instant,
    answer: &mut JournalAnswer,
) -> Result<bool, RedriveError> {
    let mut facts = Facts::open(path)?;
    if !facts
        .plan
        .is_of(sought.environment, sought.dead_letter_queue_url)
    {
        return Ok(true);
    }
    let mut reading = Reading::new(&facts.plan, sought);
    let ended = loop {
        match facts.next() {
            Ok(Some((at, fact))) => reading.apply(at, &fact, &facts.plan, sought),
            Ok(None) => break Ok(true),
            Err(error) => break Err(error),
        }
        if Instant::now() >= until {
            break Ok(false);
        }
    };
    // An outcome may be in a part that was not read.
    if matches!(ended, Ok(true)) {
        reading.end();
    }
    answer.known.extend(reading.known());
    answer.replaced.append(&mut reading.replaced);
    answer.findings.facts.append(&mut reading.facts);
    ended
}

/// Where a message of the event stands.
#[derive(Clone, Debug)]
enum Step {
    Waiting,
    /// A send was begun. The answer may be in a part that was not read.
    Intended(DateTime<Utc>),
    /// No answer came.
    Unanswered(DateTime<Utc>),
    Sent(DateTime<Utc>),
    Settled(DateTime<Utc>, String),
}

/// One journal while it is read.
struct Reading {
    /// `redrive 0199…`
    name: String,
    reference: String,
    destination: String,
    kind: Kind,
    messages: BTreeMap<usize, Step>,
    facts: Vec<TraceFact>,
    replaced: Vec<RecordId>,
}

impl Reading {
    fn new(plan: &Plan, sought: &Sought<'_>) -> Self {
        let (kind, word) = match plan.kind() {
            Kind::Redrive => (Kind::Redrive, "redrive"),
            Kind::Replay => (Kind::Replay, "replay"),
        };
        let mut reading = Self {
            name: format!("{word} {}", plan.id),
            reference: plan.id.to_string(),
            destination: plan.destination.name.clone(),
            kind,
            messages: BTreeMap::new(),
            facts: Vec::new(),
            replaced: Vec::new(),
        };
        let named: HashSet<&str> = sought.message_ids.iter().map(String::as_str).collect();
        for (index, entry) in plan.entries.iter().enumerate() {
            let edit = entry.edit.as_ref();
            let is_edited = edit.is_some_and(|edit| {
                sought.is_event_of(&edit.old_body) || sought.is_event_of(&edit.new_body)
            });
            if is_edited || named.contains(entry.message_id.as_str()) {
                reading.plan(index, plan);
            }
        }
        for skipped in &plan.skipped {
            if named.contains(skipped.message_id.as_str()) {
                let text = format!("left out of {}: {}", reading.name, skipped.reason);
                let at = Some(plan.created_at);
                reading.add(at, Hop::Planned, Standing::Doubtful, text);
            }
        }
        reading
    }

    fn add(&mut self, at: Option<DateTime<Utc>>, hop: Hop, standing: Standing, text: String) {
        self.facts.push(TraceFact {
            at,
            hop,
            standing,
            text,
            read_from: Place::Journals,
            reference: Some(self.reference.clone()),
        });
    }

    /// A message of the plan is one of the event.
    fn plan(&mut self, index: usize, plan: &Plan) {
        let Some(entry) = plan.entries.get(index) else {
            return;
        };
        if self.messages.insert(index, Step::Waiting).is_some() {
            return;
        }
        let verdict = entry.verdict.as_str();
        let body = match &entry.edit {
            None => String::new(),
            Some(edit) => edit_in_words(&edit.old_body, &edit.new_body),
        };
        let replaces = entry.replaces.as_ref().map(|replaces| replaces.record_id);
        self.replaced.extend(replaces);
        let replaces = replaces.map_or_else(String::new, |id| format!(", to replace record {id}"));
        let text = format!(
            "planned by {} as {verdict}, message {}{body}{replaces}",
            self.name, entry.message_id
        );
        let hop = if entry.edit.is_some() {
            Hop::Edited
        } else {
            Hop::Planned
        };
        self.add(Some(plan.created_at), hop, Standing::Neutral, text);
    }

    fn apply(&mut self, at: DateTime<Utc>, fact: &Fact, plan: &Plan, sought: &Sought<'_>) {
        match fact {
            Fact::Intended { messages } => self.intended(at, messages, plan, sought),
            Fact::Confirmed { messages } => {
                for message in messages {
                    if self.set(message.index, Step::Sent(at)) {
                        let verb = match self.kind {
                            Kind::Redrive => "sent",
                            Kind::Replay => "published",
                        };
                        let text = format!(
                            "{verb} to {} by {}, as message {}",
                            self.destination, self.name, message.sent_message_id
                        );
                        self.add(Some(at), Hop::Redriven, Standing::Good, text);
                    }
                }
            }
            Fact::Refused { messages } => self.not_sent(at, messages, "refused"),
            Fact::NotTried { messages } => self.not_sent(at, messages, "not sent"),
            Fact::Unanswered { messages } => {
                for message in messages {
                    if self.set(message.index, Step::Unanswered(at)) {
                        let text =
                            format!("may have been sent by {}: {}", self.name, message.cause);
                        self.add(Some(at), Hop::Redriven, Standing::Doubtful, text);
                    }
                }
            }
            Fact::FoundStored { messages } => {
                for message in messages {
                    let text = format!(
                        "{} found it in the ledger, as record {}",
                        self.name, message.record_id
                    );
                    if self.set(message.index, Step::Settled(at, text.clone())) {
                        self.add(Some(at), Hop::Verdict, Standing::Good, text);
                    }
                }
            }
            Fact::Deleted { indexes } => {
                let is_any = indexes
                    .iter()
                    .any(|index| self.messages.contains_key(index));
                if is_any {
                    let text = format!("{} deleted the dead letter that it had sent", self.name);
                    self.add(Some(at), Hop::Deleted, Standing::Neutral, text);
                }
            }
            Fact::NotDeleted { messages } => {
                for message in messages {
                    if self.messages.contains_key(&message.index) {
                        let text = format!(
                            "{} sent it and could not delete the dead letter: {}",
                            self.name, message.cause
                        );
                        self.add(Some(at), Hop::Deleted, Standing::Doubtful, text);
                    }
                }
            }
            Fact::Proved { messages } => {
                for message in messages {
                    let (standing, text) = proof_in_words(&message.proof, &self.name);
                    if self.set(message.index, Step::Settled(at, text.clone())) {
                        self.add(Some(at), Hop::Verdict, standing, text);
                    }
                }
            }
            Fact::Planned { .. }
            | Fact::Received { .. }
            | Fact::Paused { .. }
            | Fact::Ended { .. } => {}
        }
    }

    fn intended(
        &mut self,
        at: DateTime<Utc>,
        messages: &[Intended],
        plan: &Plan,
        sought: &Sought<'_>,
    ) {
        for message in messages {
            if !self.messages.contains_key(&message.index)
                && sought.is_event_of(&message.original.body)
            {
                self.plan(message.index, plan);
            }
            if self.set(message.index, Step::Intended(at)) {
                self.died(message, plan);
            }
        }
    }

    /// Why the message was a dead letter, once; when it became one is not in the journal.
    fn died(&mut self, message: &Intended, plan: &Plan) {
        let attributes = &message.original.attributes;
        let text = |name| match attributes.get(name) {
            Some(Attribute::Text { text, .. }) => Some(text.as_str()),
            Some(Attribute::Binary { .. }) | None => None,
        };
        let (Some(code), Some(entry)) =
            (text(ERROR_CODE_ATTRIBUTE), plan.entries.get(message.index))
        else {
            return;
        };
        let detail = text(ERROR_MESSAGE_ATTRIBUTE).unwrap_or("no detail is recorded");
        let text = format!(
            "dead letter {} before {}: {code}: {detail}",
            entry.message_id, self.name
        );
        // A message that was refused is tried again.
        if self.facts.iter().all(|fact| fact.text != text) {
            self.add(None, Hop::Dead, Standing::Bad, text);
        }
    }

    /// Takes over where a message is; returns whether it is one of the event.
    fn set(&mut self, index: usize, step: Step) -> bool {
        let message = self.messages.get_mut(&index);
        message.map(|known| *known = step).is_some()
    }

    fn not_sent(&mut self, at: DateTime<Utc>, messages: &[MessageCause], what: &str) {
        for message in messages {
            if self.set(message.index, Step::Waiting) {
                let text = format!("{what} by {}: {}", self.name, message.cause);
                self.add(Some(at), Hop::Redriven, Standing::Bad, text);
            }
        }
    }

    /// What was begun and has no outcome.
    fn end(&mut self) {
        let begun = self.messages.values().filter_map(|step| match step {
            Step::Intended(at) => Some(*at),
            Step::Waiting | Step::Unanswered(_) | Step::Sent(_) | Step::Settled(..) => None,
        });
        for at in begun.collect::<Vec<_>>() {
            let text = format!(
                "{} was about to send it, and no answer is on record",
                self.name
            );
            self.add(Some(at), Hop::Redriven, Standing::Doubtful, text);
        }
    }

    /// What the part that was read proves of each message.
    fn known(&self) -> impl Iterator<Item = (DateTime<Utc>, Known)> {
        self.messages.values().filter_map(|step| match step {
            Step::Waiting => None,
            Step::Intended(at) | Step::Unanswered(at) => Some((*at, Known::PerhapsSent)),
            Step::Sent(at) => Some((*at, Known::Sent)),
            Step::Settled(at, text) => Some((*at, Known::Settled(text.clone()))),
        })
    }
}

#[cfg(test)]
mod tests;
