//! Where one event is: every hop of its way that is on record, in the order of time.
//!
//! Invariant: each fact names where it was read, and what was not read is named with its reason, never silently
//! absent. The parts are read at once, each within its limit; none changes anything, and only the search of the dead
//! letters receives messages, where it was asked for.
//!
//! A new place is a file here that returns `Findings`, and a part of `read`.

mod audit;
mod conclusion;
mod evidence;
mod fact;
mod journals;
mod letters;
mod logs;
mod order;
mod stored;
mod within;
mod words;

use std::time::Duration;

use chrono::{DateTime, Utc};
use event::EventKey;
use pipeline::Pipeline;
use pipeline::environment::Folders;
use pipeline::model::{DeadLetter, QueueDepth, QueueRole, QueueSnapshot};
use pipeline::text::{in_words, is_or_are, messages_in_words};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use self::audit::AuditAnswer;
use self::conclusion::conclude;
use self::evidence::{Evidence, Known, Ledger};
use self::fact::{Findings, Unread};
use self::journals::{JournalAnswer, Sought};
use self::letters::{LettersAnswer, Searching};
use self::stored::StoredAnswer;
use self::within::within;

pub use self::conclusion::{Conclusion, TraceState};
pub use self::evidence::Leaving;
pub use self::fact::{Gap, Hop, Place, Search, Standing, TraceFact};
pub use self::letters::Holding;

/// Limit of the state of one queue.
const QUEUE_LIMIT: Duration = Duration::from_secs(10);
/// Limit of the files of this machine, beyond the limits that they keep themselves: a disk may hang.
const FILES_LIMIT: Duration = Duration::from_secs(15);

/// What is traced.
#[derive(Clone, Debug)]
pub struct TraceRequest {
    /// The event.
    pub key: EventKey,
    /// Whether the dead letters are received to search them.
    pub search_dead_letters: bool,
    /// Dead letters of the event that the caller has received and not released.
    pub held: Vec<DeadLetter>,
    /// Which it has of all events.
    pub holding: Holding,
}

/// All that is known of one event. The JSON fields are published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventTrace {
    /// Name of the environment.
    pub environment: String,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// When it was traced.
    pub traced_at: DateTime<Utc>,
    /// Where it is.
    pub conclusion: Conclusion,
    /// The time line, the oldest first.
    pub facts: Vec<TraceFact>,
    /// What is not known.
    pub unknown: Vec<Gap>,
    /// What was searched.
    pub searched: Vec<Search>,
}

/// Traces one event; `None` where `cancel` was cancelled before its end. Dead letters that it received are released
/// then too.
pub async fn trace(
    pipeline: &Pipeline,
    folders: &Folders,
    request: &TraceRequest,
    cancel: &CancellationToken,
) -> Option<EventTrace> {
    let begin = || Searching::begin(pipeline, &request.key, &request.holding, cancel);
    let mut searching = request.search_dead_letters.then(begin);
    let read = tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        read = read(pipeline, folders, request, searching.as_mut()) => Some(read),
    };
    match (read, searching) {
        (Some(read), _) => Some(read.put_together(pipeline, request)),
        (None, Some(mut searching)) => {
            searching.released().await;
            None
        }
        (None, None) => None,
    }
}

/// Everything that was read.
struct Read {
    stored: StoredAnswer,
    queue: Result<QueueSnapshot, String>,
    /// When it answered.
    queue_at: DateTime<Utc>,
    letters: LettersAnswer,
    journals: JournalAnswer,
    audit: AuditAnswer,
    logs: Findings,
}

async fn read(
    pipeline: &Pipeline,
    folders: &Folders,
    request: &TraceRequest,
    searching: Option<&mut Searching>,
) -> Read {
    let key = &request.key;
    // The journals name the messages that they left out, and not their events.
    let letters_then_journals = async {
        let letters = match searching {
            Some(searching) => {
                let (held, holding) = (&request.held, &request.holding);
                searching.found(key, held, holding).await
            }
            None => {
                let depth = pipeline.queue_depth(QueueRole::DeadLetter);
                let waiting = within(QUEUE_LIMIT, depth).await.map(QueueDepth::total);
                letters::held(key, &request.held, &request.holding, waiting)
            }
        };
        let files = Files::of(pipeline, folders, key, letters.message_ids());
        let journals = files.read(|folders, sought| journals::search(&folders.redrives(), sought));
        let refusals = letters.refusals();
        let logs = Box::pin(logs::of_requests(pipeline, &refusals));
        let (journals, logs) = tokio::join!(journals, logs);
        (letters, journals, logs)
    };
    let stored_then_its_batch = async {
        let stored = stored::look_up(pipeline, key).await;
        let logs = match stored.ledger {
            Ledger::Record { ingested_at, .. } => logs::of_record(pipeline, ingested_at).await,
            Ledger::Gone(_) | Ledger::Never | Ledger::Unknown(_) => Findings::default(),
        };
        (stored, logs)
    };
    let files = Files::of(pipeline, folders, key, Vec::new());
    let audit = files.read(|folders, sought| audit::search(folders.state(), sought));
    // The futures of the AWS clients are large.
    let queue = async {
        let queue = within(QUEUE_LIMIT, pipeline.queue_state(QueueRole::Source)).await;
        (queue, Utc::now())
    };
    let ((stored, mut logs), (queue, queue_at), (letters, journals, of_requests), audit) = tokio::join!(
        Box::pin(stored_then_its_batch),
        Box::pin(queue),
        Box::pin(letters_then_journals),
        audit,
    );
    let journals = journals.unwrap_or_else(JournalAnswer::unread);
    let audit = audit.unwrap_or_else(AuditAnswer::unread);
    logs.append(of_requests);
    Read {
        stored,
        queue,
        queue_at,
        letters,
        journals,
        audit,
        logs,
    }
}

/// What a search of this machine's files needs, for a thread of its own.
struct Files {
    folders: Folders,
    key: EventKey,
    message_ids: Vec<String>,
    environment: String,
    dead_letter_queue_url: String,
}

impl Files {
    fn of(
        pipeline: &Pipeline,
        folders: &Folders,
        key: &EventKey,
        message_ids: Vec<String>,
    ) -> Self {
        Self {
            folders: folders.clone(),
            key: key.clone(),
            message_ids,
            environment: pipeline.environment().name.clone(),
            dead_letter_queue_url: pipeline.queue_url(QueueRole::DeadLetter).to_owned(),
        }
    }

    /// Reads them; an error says why there is no answer.
    async fn read<T: Send + 'static>(
        self,
        search: impl FnOnce(&Folders, &Sought<'_>) -> T + Send + 'static,
    ) -> Result<T, String> {
        let searching = tokio::task::spawn_blocking(move || {
            let sought = Sought {
                key: &self.key,
                message_ids: &self.message_ids,
                environment: &self.environment,
                dead_letter_queue_url: &self.dead_letter_queue_url,
            };
            search(&self.folders, &sought)
        });
        match tokio::time::timeout(FILES_LIMIT, searching).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("not read within {} s", FILES_LIMIT.as_secs())),
        }
    }
}

impl Read {
    fn put_together(self, pipeline: &Pipeline, request: &TraceRequest) -> EventTrace {
        let traced_at = Utc::now();
        let mut findings = self.stored.findings;
        findings.append(self.letters.findings);
        findings.append(self.journals.findings);
        findings.append(self.audit.findings);
        let are_logs_read = !(self.logs.searches.is_empty() && self.logs.gaps.is_empty());
        findings.append(self.logs);
        let unread = unread(&mut findings);
        let mut replaced = self.journals.replaced;
        replaced.extend(self.audit.replaced);
        let mut known = self.journals.known;
        known.extend(self.audit.known);
        known.extend(named(&findings.facts));
        let has_record = matches!(self.stored.ledger, Ledger::Record { .. });
        add_queue(&self.queue, self.queue_at, has_record, &mut findings);
        let evidence = Evidence {
            ledger: self.stored.ledger,
            letters: self.letters.letters,
            queue: self.queue.map(|queue| queue.depth.total()),
            known,
            replaced,
            unread,
        };
        let (facts, left_out) = order::ordered(findings.facts);
        if left_out > 0 {
            let number = left_out as u64;
            let (older, are) = (in_words(number, "older fact"), is_or_are(number));
            let reason = format!("{older} {are} left out of the time line");
            findings.gaps.push(Gap::unrecorded(Place::Journals, reason));
        }
        findings.gaps.extend(unrecorded(&facts, are_logs_read));
        let environment = pipeline.environment().name.clone();
        EventTrace {
            conclusion: conclude(&evidence, &environment),
            environment,
            source: request.key.source.clone(),
            id: request.key.id.clone(),
            traced_at,
            facts,
            unknown: findings.gaps,
            searched: findings.searches,
        }
    }
}

/// What of this machine's files was not read: what stays so comes before what a second trace may read.
fn unread(findings: &mut Findings) -> Option<Unread> {
    let unread = std::mem::take(&mut findings.unread);
    unread.into_iter().max_by_key(|unread| unread.cause)
}

/// The newest fact by which this machine's files know the event.
fn named(facts: &[TraceFact]) -> Option<(DateTime<Utc>, Known)> {
    let is_local = |fact: &&TraceFact| matches!(fact.read_from, Place::Journals | Place::AuditLog);
    let newest = facts
        .iter()
        .filter(is_local)
        .filter(|fact| fact.at.is_some());
    let newest = newest.max_by_key(|fact| fact.at)?;
    Some((newest.at?, Known::Named(newest.text.clone())))
}

/// The source queue as it is: where there is no record, the event may be in it.
fn add_queue(
    queue: &Result<QueueSnapshot, String>,
    now: DateTime<Utc>,
    has_record: bool,
    findings: &mut Findings,
) {
    let queue = match queue {
        Ok(queue) => queue,
        Err(why) => {
            findings.gaps.push(Gap::failed(Place::Queue, why.clone()));
            return;
        }
    };
    let (depth, name) = (queue.depth, &queue.settings.name);
    let text = format!(
        "{} in {name}: {} visible, {} in flight, {} delayed",
        messages_in_words(depth.total()),
        depth.visible,
        depth.in_flight,
        depth.delayed
    );
    let extent = "its depth alone: SQS shows no single message without receiving it";
    findings.searched(Place::Queue, extent);
    if !has_record {
        findings.facts.push(TraceFact {
            at: Some(now),
            hop: Hop::Waiting,
            standing: Standing::Neutral,
            text,
            read_from: Place::Queue,
            reference: None,
        });
    }
}

/// Hops of which nothing that was read has a fact, because nobody records them or because they are not read.
fn unrecorded(facts: &[TraceFact], are_logs_read: bool) -> Vec<Gap> {
    let has = |hop| facts.iter().any(|fact| fact.hop == hop);
    let published = (
        Place::AuditLog,
        "who published it and when: SNS keeps no record, and this machine's audit log names no publication of it",
    );
    let queued = (
        Place::Queue,
        "when it came into the queue, and how often it was received: SQS shows that of a received message alone",
    );
    let logs = (
        Place::Logs,
        "the log lines of its invocations: no request is known, because the ingest logs no ids of events or messages; a \
         dead letter names the request that refused it",
    );
    let gaps = [
        (!has(Hop::Published)).then_some(published),
        (!has(Hop::Queued)).then_some(queued),
        (!are_logs_read).then_some(logs),
    ];
    let gaps = gaps.into_iter().flatten();
    gaps.map(|(place, reason)| Gap::unrecorded(place, reason))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::fact::UnreadCause;
    use super::*;

    #[test]
    fn hops_without_a_fact_are_named() {
        let places = |facts: &[TraceFact], are_logs_read| {
            let gaps = unrecorded(facts, are_logs_read).into_iter();
            gaps.map(|gap| gap.place).collect::<Vec<_>>()
        };
        let all = [Place::AuditLog, Place::Queue, Place::Logs];
        assert_eq!(places(&[], false), all);
        let published = TraceFact {
            at: None,
            hop: Hop::Published,
            standing: Standing::Good,
            text: String::new(),
            read_from: Place::AuditLog,
            reference: None,
        };
        assert_eq!(places(&[published], true), [Place::Queue]);
    }

    #[test]
    fn newest_fact_of_this_machines_files_names_the_event() {
        let fact = |secs: Option<i64>, read_from, text: &str| TraceFact {
            at: secs.map(|secs| DateTime::from_timestamp(secs, 0).unwrap()),
            hop: Hop::Planned,
            standing: Standing::Neutral,
            text: text.to_owned(),
            read_from,
            reference: None,
        };
        let facts = [
            fact(Some(1), Place::AuditLog, "older"),
            fact(Some(2), Place::Journals, "newer"),
            fact(None, Place::Journals, "without a time"),
            fact(Some(3), Place::Queue, "of another place"),
        ];
        let name = Known::Named("newer".to_owned());
        assert_eq!(named(&facts).map(|(_, known)| known), Some(name));
        assert_eq!(named(&facts[2..]), None);
    }

    #[test]
    fn what_stays_unread_comes_before_what_a_second_trace_may_read() {
        let mut findings = Findings::default();
        findings.not_read(Place::Journals, UnreadCause::Time, "late");
        findings.not_read(Place::Journals, UnreadCause::File, "damaged");
        findings.not_read(Place::AuditLog, UnreadCause::AuditLog, "1 line");
        let text = unread(&mut findings).unwrap().text;
        assert_eq!(
            (text.as_str(), findings.gaps.len()),
            ("journal: damaged", 3)
        );
    }
}
