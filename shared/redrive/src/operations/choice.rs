//! Which of some messages a plan sends, and why it leaves out the others.
//!
//! Invariant: of messages whose events have one identity, the first and its copies go; no option sends
//! another one.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use event::{EventKey, Failure, NamedRecord, PartialIdentity, Verdict};

use super::correct::Correction;
use super::judge::Edited;
use crate::error::RedriveError;
use crate::identity::{Claim, Claims, SentEvent, stored_reason, taken_reason};
use crate::plan::{Edit, PlanEntry, Replaces, Skipped};
use pipeline::model::DeadLetter;
use pipeline::{Body, named_record};

/// What has to be known of a message, wherever it comes from.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) message_id: &'a str,
    pub(super) body: &'a Body,
    pub(super) verdict: Verdict,
    /// Why the validator refuses it now.
    pub(super) failure: Option<&'a Failure>,
    pub(super) identity: &'a PartialIdentity,
    pub(super) receive_count: u32,
    pub(super) group_id: Option<&'a String>,
    /// What its attributes name, if it replaces a record.
    pub(super) named: Option<NamedRecord>,
}

impl<'a> From<&'a DeadLetter> for Subject<'a> {
    fn from(message: &'a DeadLetter) -> Self {
        Self {
            message_id: &message.message_id,
            body: &message.body,
            verdict: message.verdict,
            failure: message.failure.as_deref(),
            identity: &message.identity,
            receive_count: message.receive_count,
            group_id: message.group_id.as_ref(),
            named: named_record(&message.attributes),
        }
    }
}

/// A message that may be sent.
pub(super) struct Candidate<'a> {
    pub(super) message: Subject<'a>,
    pub(super) edited: Option<Edited>,
    /// Why it is left out before anything else is asked, such as a program that failed on it.
    pub(super) left_out: Option<String>,
    /// What it does to the record of its identity, where records are replaced.
    pub(super) correction: Option<Correction>,
}

/// Which messages are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// Those whose event would be stored now.
    Ready,
    /// All.
    All,
    /// Those that the ingest accepts: a replay sends stored events on purpose.
    Valid,
}

impl Meant {
    fn includes(self, verdict: Verdict) -> bool {
        match self {
            Self::All => true,
            Self::Ready => verdict == Verdict::Ready,
            Self::Valid => matches!(verdict, Verdict::Ready | Verdict::AlreadyStored),
        }
    }
}

/// What was decided about candidates.
#[derive(Default)]
pub(super) struct Choice {
    pub(super) entries: Vec<PlanEntry>,
    pub(super) skipped: Vec<Skipped>,
    /// How many were skipped because their events would be lost.
    pub(super) would_be_lost: usize,
    /// How many of the entries have the event of an entry before them.
    pub(super) copies: usize,
}

impl Candidate<'_> {
    fn replaces(&self) -> Option<&Replaces> {
        match &self.correction {
            Some(Correction::Replaces(replaces)) => Some(replaces),
            Some(Correction::Refused(_)) | None => None,
        }
    }

    /// Whether its event becomes a record.
    fn is_to_be_stored(&self) -> bool {
        self.verdict() == Verdict::Ready || self.replaces().is_some()
    }

    fn verdict(&self) -> Verdict {
        let edited = self.edited.as_ref();
        edited.map_or(self.message.verdict, |edited| edited.verdict)
    }

    fn body(&self) -> &Body {
        let edited = self.edited.as_ref();
        edited.map_or(self.message.body, |edited| &edited.new_body)
    }

    fn key(&self) -> Option<EventKey> {
        let edited = self.edited.as_ref();
        let identity = edited.map_or(self.message.identity, |edited| &edited.identity);
        Some(EventKey {
            source: identity.source.clone()?,
            id: identity.id.clone()?,
        })
    }

    fn event(&self) -> Result<Option<SentEvent>, RedriveError> {
        let (original, sent) = (self.message.body.text(), self.body().text());
        Ok(SentEvent::of(
            &original.map_err(unread)?,
            &sent.map_err(unread)?,
            self.message.named,
        ))
    }

    /// Why it is left out whatever the others are.
    fn skip_reason(&self, meant: Meant) -> Option<String> {
        let verdict = self.verdict();
        if self.left_out.is_some() {
            return self.left_out.clone();
        }
        if meant.includes(verdict) {
            return None;
        }
        Some(skip_reason(verdict, self.refusal(), self.edited.is_some()))
    }

    /// Why the ingest would not store it.
    fn refusal(&self) -> Option<&Failure> {
        let edited = self.edited.as_ref();
        edited.map_or(self.message.failure, |edited| edited.failure.as_ref())
    }

    /// Why it is left out even where all are meant: the ingest would drop its event, and it would come
    /// back neither as a record nor as a dead letter.
    fn loss(&self) -> Result<Option<String>, RedriveError> {
        let verdict = self.verdict();
        match &self.correction {
            Some(Correction::Refused(why)) => return Ok(Some(why.clone())),
            Some(Correction::Replaces(_)) => return Ok(None),
            None => {}
        }
        // One that replaces a record comes back as a dead letter, or the record has its text.
        let is_ordinary = |edited: &Edited| edited.replaces.is_none();
        if verdict == Verdict::AlreadyStored && self.edited.as_ref().is_some_and(is_ordinary) {
            return Ok(self.key().map(|key| stored_reason(&key)));
        }
        // Valid, and yet not stored: behind the retention horizon.
        let is_of_event = |failure: &&Failure| failure.code.is_of_event();
        if verdict == Verdict::StillInvalid && self.event()?.is_some() {
            let failure = self.refusal().filter(is_of_event);
            return Ok(failure.map(|failure| failure.detail.clone()));
        }
        Ok(None)
    }
}

/// Decides about each candidate. Those that go have identities of their own, or equal events.
pub(super) fn choose(candidates: Vec<Candidate<'_>>, meant: Meant) -> Result<Choice, RedriveError> {
    let shared = shared_keys(&candidates);
    let mut claims = Claims::default();
    let mut places: HashMap<usize, String> = HashMap::new();
    let mut choice = Choice::default();
    for (index, candidate) in candidates.into_iter().enumerate() {
        let message_id = candidate.message.message_id;
        let mut reason = candidate.loss()?;
        let mut is_lost = reason.is_some();
        if !is_lost {
            reason = candidate.skip_reason(meant);
        }
        let is_shared = candidate.key().is_some_and(|key| shared.contains(&key));
        if reason.is_none()
            && is_shared
            && candidate.is_to_be_stored()
            && let Some(event) = candidate.event()?
        {
            match claims.claim(index, &event) {
                Claim::Own => drop(places.insert(index, message_id.to_owned())),
                Claim::Copy(holder) if candidate.replaces().is_some() => {
                    let holder = places.get(&holder).map_or("", String::as_str);
                    reason = Some(format!("the plan has the same event as {holder}"));
                }
                Claim::Copy(_) => choice.copies += 1,
                Claim::Taken(holder) => {
                    let holder = places.get(&holder).map_or("", String::as_str);
                    reason = Some(taken_reason(&event.key, holder));
                    is_lost = true;
                }
            }
        }
        choice.would_be_lost += usize::from(is_lost);
        match reason {
            Some(reason) => choice.skipped.push(Skipped {
                message_id: message_id.to_owned(),
                verdict: candidate.verdict(),
                reason,
            }),
            None => choice.entries.push(entry(candidate)?),
        }
    }
    Ok(choice)
}

/// Identities that several candidates have: only their bodies have to be read.
fn shared_keys(candidates: &[Candidate<'_>]) -> HashSet<EventKey> {
    let mut seen = HashSet::new();
    let is_stored = |candidate: &&Candidate<'_>| candidate.is_to_be_stored();
    let stored = candidates.iter().filter(is_stored);
    let keys = stored.filter_map(Candidate::key);
    keys.filter(|key| !seen.insert(key.clone())).collect()
}

/// Why a message is left out that would not be stored: `it is still-invalid after the patch: …`.
#[must_use]
pub fn skip_reason(verdict: Verdict, failure: Option<&Failure>, is_edited: bool) -> String {
    let when = if is_edited { " after the patch" } else { "" };
    let why = failure.map_or_else(String::new, |failure| match &failure.pointer {
        Some(pointer) => format!(": {} (at {pointer})", failure.detail),
        None => format!(": {}", failure.detail),
    });
    format!("it is {verdict}{when}{why}")
}

/// The plan has the bodies themselves: it is a file that can be reviewed.
fn entry(candidate: Candidate<'_>) -> Result<PlanEntry, RedriveError> {
    let verdict = candidate.verdict();
    let replaces = candidate.replaces().cloned();
    let Candidate {
        message, edited, ..
    } = candidate;
    let text = |body: Body| body.text().map(Cow::into_owned).map_err(unread);
    let edit = edited.map(|edited| {
        Ok::<_, RedriveError>(Edit {
            old_body: text(edited.old_body)?,
            new_body: text(edited.new_body)?,
        })
    });
    Ok(PlanEntry {
        message_id: message.message_id.to_owned(),
        verdict,
        body_sha256: message.body.sha256(),
        receive_count: message.receive_count,
        group_id: message.group_id.cloned(),
        edit: edit.transpose()?,
        replaces,
    })
}

pub(super) fn unread(error: impl std::fmt::Display) -> RedriveError {
    RedriveError::plan(format!("an edited message: {error}"))
}
