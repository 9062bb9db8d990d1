//! Back to the source queue: what was agreed to, what runs, what it did.
//!
//! Invariant: only letters that the question named are sent, and one redrive runs at a time.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use event::Verdict;

use super::{DeadLetters, Pane};
use crate::tui::format::{count, visible};
use crate::tui::keymap::{Action, Binding};
use crate::tui::message::{Answer, Reply, Request, RequestId, Tone};
use crate::tui::turn::Turn;
use crate::world::observed::{DeadLetter, RedriveOutcome, RedriveReport};

/// Letters that the operator is asked about, frozen when the question was put.
#[derive(Debug)]
pub(super) struct Plan {
    /// Where they come from, in words.
    pub(super) scope: String,
    /// Message id and verdict of each.
    pub(super) letters: Vec<(String, Verdict)>,
    /// Whether those that are not ready are sent too.
    pub(super) includes_all: bool,
}

impl Plan {
    /// How many have this verdict.
    pub(super) fn with(&self, verdict: Verdict) -> usize {
        self.letters.iter().filter(|(_, of)| *of == verdict).count()
    }

    /// Whether letters with this verdict are sent.
    pub(super) fn sends(&self, verdict: Verdict) -> bool {
        self.includes_all || verdict == Verdict::Ready
    }

    /// How many are left out unless all are meant.
    pub(super) fn skipped(&self) -> usize {
        self.letters.len() - self.with(Verdict::Ready)
    }

    /// How many are sent.
    pub(super) fn sent(&self) -> usize {
        self.letters
            .iter()
            .filter(|(_, verdict)| self.sends(*verdict))
            .count()
    }
}

/// A redrive under way.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) request: RequestId,
    pub(super) since: DateTime<Utc>,
    pub(super) done: usize,
    /// The letters, with what the question said of them.
    letters: HashMap<String, Verdict>,
}

impl Run {
    pub(super) fn total(&self) -> usize {
        self.letters.len()
    }

    /// How many of those that moved the ingest will refuse again.
    fn futile(&self, report: &RedriveReport) -> usize {
        report
            .outcomes
            .iter()
            .filter(|(id, outcome)| {
                *outcome == RedriveOutcome::Moved
                    && matches!(
                        self.letters.get(id),
                        Some(Verdict::StillInvalid | Verdict::Unreadable)
                    )
            })
            .count()
    }

    pub(super) fn includes(&self, message_id: &str) -> bool {
        self.letters.contains_key(message_id)
    }
}

/// What a redrive did, counted.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) at: DateTime<Utc>,
    pub(super) tone: Tone,
    pub(super) text: String,
}

/// What happened to a letter that did not simply leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// It stands in both queues.
    SentNotDeleted(String),
    /// It stays here.
    NotSent(String),
    /// No answer came to its send; it stays here too.
    Unknown(String),
    /// The redrive ended without a word on it.
    Untold(String),
}

impl Note {
    /// In words.
    pub(super) fn text(&self) -> String {
        match self {
            Self::SentNotDeleted(error) => format!(
                "sent, but the delete failed: it is in both queues; the ledger makes the second a \
                 duplicate · {error}"
            ),
            Self::NotSent(error) => format!("not sent: {error}"),
            Self::Unknown(error) => format!(
                "may have been sent, no answer came; it stays here too, and the ledger makes a \
                 second arrival a duplicate · {error}"
            ),
            Self::Untold(error) => format!("nobody knows whether it was sent: {error}"),
        }
    }
}

impl DeadLetters {
    /// How many letters of the redrive under way have an outcome, and how many there are.
    #[must_use]
    pub fn redrive_progress(&self) -> Option<(usize, usize)> {
        self.run.as_ref().map(|run| (run.done, run.total()))
    }

    /// Puts the question for the marked letters, else the group, else the selected letter.
    pub(super) fn ask_to_redrive(&mut self, turn: &mut Turn<'_>) {
        if self.is_read_only {
            turn.say(
                Tone::Warning,
                format!("{} is read-only: nothing is redriven", self.environment),
            );
            return;
        }
        if let Some(run) = &self.run {
            turn.say(
                Tone::Warning,
                format!("a redrive runs: {} of {} done", run.done, run.total()),
            );
            return;
        }
        let named = |letter: &DeadLetter| (letter.message_id.clone(), letter.verdict);
        let (scope, letters): (String, Vec<_>) = if !self.marks.is_empty() {
            let marked = self
                .letters
                .iter()
                .filter(|l| self.marks.contains(&l.message_id));
            ("the marked letters".to_owned(), marked.map(named).collect())
        } else if self.focus == Pane::Groups && !self.is_detail_open {
            let scope = self.listed_group().map_or_else(
                || "all letters that are held".to_owned(),
                |group| format!("the group {}", group.key.title()),
            );
            let listed = self
                .listed
                .iter()
                .filter_map(|position| self.letters.get(*position));
            (scope, listed.map(named).collect())
        } else {
            (
                "the selected letter".to_owned(),
                self.selected_letter().map(named).into_iter().collect(),
            )
        };
        if letters.is_empty() {
            turn.say(Tone::Muted, "no letter to redrive");
            return;
        }
        self.plan = Some(Plan {
            scope,
            letters,
            includes_all: false,
        });
    }

    /// What a key of the question does now; `None` where it does nothing.
    #[must_use]
    pub fn question_hint(&self, binding: &Binding) -> Option<&'static str> {
        let plan = self.plan.as_ref()?;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other keys always do the same"
        )]
        match binding.action {
            Action::Confirm => (plan.sent() > 0).then_some("send"),
            Action::IncludeSkipped if plan.skipped() == 0 => None,
            Action::IncludeSkipped if plan.includes_all => Some("only the ready"),
            _ => Some(binding.label),
        }
    }

    /// The operator answers the question.
    pub(super) fn answer_question(&mut self, action: Action, turn: &mut Turn<'_>) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "only the keys of a question count"
        )]
        match action {
            Action::Back => {
                self.plan = None;
                turn.say(Tone::Muted, "nothing was sent");
            }
            Action::IncludeSkipped => {
                if let Some(plan) = self.plan.as_mut().filter(|plan| plan.skipped() > 0) {
                    plan.includes_all = !plan.includes_all;
                }
            }
            Action::Confirm => self.start(turn),
            _ => {}
        }
    }

    fn start(&mut self, turn: &mut Turn<'_>) {
        let Some(plan) = &self.plan else { return };
        let agreed: HashSet<&str> = plan
            .letters
            .iter()
            .filter(|(_, verdict)| plan.sends(*verdict))
            .map(|(id, _)| id.as_str())
            .collect();
        if agreed.is_empty() {
            turn.say(
                Tone::Warning,
                "none of them is ready: f sends them all the same",
            );
            return;
        }
        let letters: Vec<_> = self
            .letters
            .iter()
            .filter(|letter| agreed.contains(letter.message_id.as_str()))
            .cloned()
            .collect();
        self.plan = None;
        if letters.is_empty() {
            turn.say(Tone::Warning, "none of them is held any more");
            return;
        }
        let ids: HashMap<_, _> = letters
            .iter()
            .map(|letter| (letter.message_id.clone(), letter.verdict))
            .collect();
        for id in ids.keys() {
            self.notes.remove(id);
        }
        let request = turn.ask(Request::Redrive(letters));
        self.report = None;
        self.run = Some(Run {
            request,
            since: turn.now,
            done: 0,
            letters: ids,
        });
        self.reveal(turn.body);
    }

    pub(super) fn redrive_ended(&mut self, reply: Reply, turn: &mut Turn<'_>) {
        let Some(run) = self.run.take_if(|run| run.request == reply.id) else {
            return;
        };
        let (report, failure) = match reply.result {
            Ok(Answer::Redriven(report)) => (report, None),
            Ok(_) => (
                RedriveReport::default(),
                Some("another answer came".to_owned()),
            ),
            Err(fault) => (RedriveReport::default(), Some(visible(&fault.message))),
        };
        let moved = self.apply(&run, &report, failure.as_deref());
        let (tone, text) = in_words(&run, &report, failure.as_deref());
        turn.say(tone, text.clone());
        self.report = Some(Report {
            at: turn.now,
            tone,
            text,
        });
        self.letters
            .retain(|letter| !moved.contains(&letter.message_id));
        // What was acted on is not acted on again by the next key.
        self.marks.retain(|id| !run.includes(id));
        if self.is_shown {
            self.regroup(turn.body);
        } else {
            self.give_back(turn);
        }
    }

    /// Writes down what became of each letter; gives those that left.
    fn apply(
        &mut self,
        run: &Run,
        report: &RedriveReport,
        failure: Option<&str>,
    ) -> HashSet<String> {
        let mut moved = HashSet::new();
        let mut untold: HashSet<&String> = run.letters.keys().collect();
        for (id, outcome) in &report.outcomes {
            untold.remove(id);
            match outcome {
                RedriveOutcome::Moved => {
                    moved.insert(id.clone());
                }
                RedriveOutcome::SentNotDeleted(error) => {
                    self.notes
                        .insert(id.clone(), Note::SentNotDeleted(error.clone()));
                }
                RedriveOutcome::NotSent(error) => {
                    self.notes.insert(id.clone(), Note::NotSent(error.clone()));
                }
                RedriveOutcome::Unknown(error) => {
                    self.notes.insert(id.clone(), Note::Unknown(error.clone()));
                }
            }
        }
        let why = failure.unwrap_or("the redrive ended without a word on it");
        for id in untold {
            self.notes.insert(id.clone(), Note::Untold(why.to_owned()));
        }
        moved
    }
}

fn in_words(run: &Run, report: &RedriveReport, failure: Option<&str>) -> (Tone, String) {
    if let Some(failure) = failure {
        let text = format!(
            "redrive of {} failed: {failure} · some may have been sent, ^r looks again",
            DeadLetters::letters_in_words(run.total())
        );
        return (Tone::Bad, text);
    }
    let moved = report.moved();
    let untold = run.total().saturating_sub(report.outcomes.len());
    let futile = run.futile(report);
    let others = [
        (report.sent_not_deleted(), "in both queues"),
        (report.not_sent(), "not sent"),
        (report.unknown() + untold, "unknown"),
        (futile, "will be refused again"),
    ];
    let mut text = format!(
        "redriven: {} of {} moved",
        count(moved as u64),
        count(run.total() as u64)
    );
    for (number, what) in others.into_iter().filter(|(number, _)| *number > 0) {
        text.push_str(&format!(" · {} {what}", count(number as u64)));
    }
    (
        if moved == run.total() && futile == 0 {
            Tone::Good
        } else {
            Tone::Warning
        },
        text,
    )
}
