//! A redrive without its messages, as lists show it.
//!
//! Invariant: everything here comes from the facts of the journal, which repeats it
//! in its last frame, so its JSON form is published: old journals must stay readable.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::fact::Ending;
use super::replay::State;
use crate::plan::Kind;

/// A redrive without its messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the environment.
    pub environment: String,
    /// URL of the environment's dead-letter queue.
    pub dead_letter_queue_url: String,
    /// When the plan was made.
    pub created_at: DateTime<Utc>,
    /// Whether messages were moved, or records published again.
    #[serde(default, skip_serializing_if = "Kind::is_redrive")]
    pub kind: Kind,
    /// Messages of the plan.
    pub planned: usize,
    /// Messages that the plan left out.
    pub skipped: usize,
    /// Messages that are sent with another body.
    pub edited: usize,
    /// See [`crate::Plan::canary_steps`].
    pub canary_steps: Vec<usize>,
    /// Messages by phase.
    pub counts: Counts,
    /// Messages that replace a record, by the plan, or by their own attribute as far as they were read; `None` in a
    /// journal of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<usize>,
    /// How it ended; `None` while it runs and after a crash.
    pub ending: Option<Ending>,
}

impl Summary {
    /// Of a state.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let plan = state.plan();
        Self {
            environment: plan.environment.clone(),
            dead_letter_queue_url: plan.dead_letter_queue.url.clone(),
            created_at: plan.created_at,
            kind: plan.kind(),
            planned: plan.entries.len(),
            skipped: plan.skipped.len(),
            edited: plan
                .entries
                .iter()
                .filter(|entry| entry.edit.is_some())
                .count(),
            canary_steps: plan.canary_steps.clone(),
            counts: state.counts(),
            replaces: Some(replacing(state)),
            ending: state.ending(),
        }
    }

    /// Whether it is about this environment's dead-letter queue. Another demo has the same name and
    /// other queues.
    #[must_use]
    pub fn is_of(&self, environment: &str, dead_letter_queue_url: &str) -> bool {
        self.environment == environment && self.dead_letter_queue_url == dead_letter_queue_url
    }
}

fn replacing(state: &State) -> usize {
    let messages = state.plan().entries.iter().zip(state.messages());
    let replacing = messages.filter(|(entry, message)| {
        let event = message.event.as_ref();
        entry.replaces.is_some() || event.is_some_and(|event| event.replaced_record().is_some())
    });
    replacing.count()
}
