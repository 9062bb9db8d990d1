//! The plan itself: which messages go where, in which order, changed how.
//!
//! Invariant: a [`Plan`] that was read or frozen was checked against every rule here.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use event::Verdict;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::RedriveError;
use crate::limits::PLAN_ENTRIES_MAX;
use crate::message::body_sha256;
use pipeline::Pipeline;
use pipeline::model::QueueRole;

/// Version of the plan's form that this program writes and reads.
pub const PLAN_SCHEMA_VERSION: u32 = 1;

/// A frozen list of messages with everything that decides how they are moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Form of this plan, [`PLAN_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Identity of the redrive; sorts by time.
    pub id: Uuid,
    /// When the plan was made.
    pub created_at: DateTime<Utc>,
    /// Name of the environment it was made for.
    pub environment: String,
    /// Where the messages are.
    pub dead_letter_queue: PlannedQueue,
    /// Where they go.
    pub destination: PlannedQueue,
    /// The messages, in the order in which they go.
    pub entries: Vec<PlanEntry>,
    /// Messages that were selected and left out.
    pub skipped: Vec<Skipped>,
    /// Messages per second at most; absent for as fast as SQS accepts them.
    pub rate_per_sec: Option<f64>,
    /// How many messages were sent when each canary step ends, ascending. After a step the redrive
    /// continues only when the step's events were proved. Empty for no canary.
    pub canary_steps: Vec<usize>,
}

/// A queue of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedQueue {
    /// The last part of its URL.
    pub name: String,
    /// Its URL.
    pub url: String,
}

/// One message of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanEntry {
    /// SQS message id in the dead-letter queue.
    pub message_id: String,
    /// Verdict of what is sent, when the plan was made.
    pub verdict: Verdict,
    /// SHA-256 of the body in the queue, in lower-case hex.
    pub body_sha256: String,
    /// How often it had been received.
    pub receive_count: u32,
    /// `MessageGroupId` of a FIFO queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// What is sent instead of the body, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
}

/// A change of one body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The body in the queue.
    pub old_body: String,
    /// The body that is sent.
    pub new_body: String,
}

/// A message that was selected and left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// SQS message id.
    pub message_id: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why it was left out.
    pub reason: String,
}

/// What the operator decides beside the messages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanOptions {
    /// See [`Plan::skipped`].
    pub skipped: Vec<Skipped>,
    /// See [`Plan::rate_per_sec`].
    pub rate_per_sec: Option<f64>,
    /// See [`Plan::canary_steps`].
    pub canary_steps: Vec<usize>,
}

impl Plan {
    /// Reads the text of a plan file.
    ///
    /// # Errors
    /// When it is no plan, is of another schema version, or breaks a rule.
    pub fn parse(text: &str) -> Result<Self, RedriveError> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let no_plan = |error: serde_json::Error| RedriveError::plan(format!("not a plan: {error}"));
        let version: Version = serde_json::from_str(text).map_err(no_plan)?;
        check_version(version.schema_version)?;
        let plan: Self = serde_json::from_str(text).map_err(no_plan)?;
        plan.check()?;
        Ok(plan)
    }

    /// Checks the rules that every plan keeps.
    ///
    /// # Errors
    /// Names the first rule that is broken.
    pub fn check(&self) -> Result<(), RedriveError> {
        check_version(self.schema_version)?;
        if self.entries.len() > PLAN_ENTRIES_MAX {
            return Err(RedriveError::plan(format!(
                "{} messages are more than one plan can have ({PLAN_ENTRIES_MAX})",
                self.entries.len()
            )));
        }
        if self.dead_letter_queue.url == self.destination.url {
            return Err(RedriveError::plan(format!(
                "dead-letter queue and destination are the same: {}",
                self.destination.url
            )));
        }
        if let Some(rate) = self.rate_per_sec
            && !(rate.is_finite() && rate > 0.0)
        {
            return Err(RedriveError::plan(format!(
                "rate_per_sec is {rate}; it must be above 0"
            )));
        }
        let mut before = 0;
        for step in &self.canary_steps {
            if *step <= before {
                return Err(RedriveError::plan(format!(
                    "canary_steps must ascend from 1: {step} follows {before}"
                )));
            }
            before = *step;
        }
        self.check_entries()
    }

    fn check_entries(&self) -> Result<(), RedriveError> {
        let mut seen = HashSet::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let fault = |what: &str| {
                RedriveError::plan(format!("entries[{index}] ({}): {what}", entry.message_id))
            };
            if entry.message_id.is_empty() {
                return Err(fault("message_id is empty"));
            }
            if !seen.insert(entry.message_id.as_str()) {
                return Err(fault("the same message_id occurs twice"));
            }
            let is_digest = entry.body_sha256.len() == 64
                && entry
                    .body_sha256
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if !is_digest {
                return Err(fault("body_sha256 is not 64 lower-case hex digits"));
            }
            if let Some(edit) = &entry.edit
                && body_sha256(&edit.old_body) != entry.body_sha256
            {
                return Err(fault("edit.old_body does not match body_sha256"));
            }
        }
        Ok(())
    }

    /// Whether it is for the messages of this environment's dead-letter queue. Another demo has the
    /// same name and other queues.
    #[must_use]
    pub fn is_of(&self, environment: &str, dead_letter_queue_url: &str) -> bool {
        self.environment == environment && self.dead_letter_queue.url == dead_letter_queue_url
    }

    /// Checks that the plan was made for this environment as it is now.
    ///
    /// # Errors
    /// Names what is different.
    pub fn check_pipeline(&self, pipeline: &Pipeline) -> Result<(), RedriveError> {
        let environment = pipeline.environment();
        if self.environment != environment.name {
            return Err(RedriveError::plan(format!(
                "made for environment {:?}, not for {:?}",
                self.environment, environment.name
            )));
        }
        for (planned, role) in [
            (&self.dead_letter_queue, QueueRole::DeadLetter),
            (&self.destination, QueueRole::Source),
        ] {
            if planned.url != pipeline.queue_url(role) {
                return Err(RedriveError::plan(format!(
                    "made for queue {}, but environment {:?} has {}",
                    planned.url,
                    environment.name,
                    pipeline.queue_url(role)
                )));
            }
        }
        Ok(())
    }

    /// Whether the destination keeps the order of its message groups.
    pub(crate) fn is_fifo(&self) -> bool {
        self.destination.name.ends_with(".fifo")
    }

    /// The indexes at which the steps end: the canary steps that cut the plan, then all of it.
    pub(crate) fn step_ends(&self) -> Vec<usize> {
        let total = self.entries.len();
        self.canary_steps
            .iter()
            .copied()
            .filter(|end| *end < total)
            .chain(std::iter::once(total))
            .collect()
    }
}

impl PlannedQueue {
    /// A queue of the environment as it is now.
    #[must_use]
    pub fn of(pipeline: &Pipeline, role: QueueRole) -> Self {
        Self {
            name: pipeline.queue_name(role).to_owned(),
            url: pipeline.queue_url(role).to_owned(),
        }
    }
}

impl PlanEntry {
    /// Whether its event is to be stored. The ledger had that of a message that was planned as
    /// `already-stored` and not edited: it is sent to be dropped as the duplicate that it is.
    pub(crate) fn is_to_be_stored(&self) -> bool {
        self.verdict != Verdict::AlreadyStored || self.edit.is_some()
    }

    /// What is sent for a message with this body.
    pub(crate) fn sent_body<'a>(&'a self, body: &'a str) -> &'a str {
        self.edit.as_ref().map_or(body, |edit| &edit.new_body)
    }
}

fn check_version(version: u32) -> Result<(), RedriveError> {
    if version == PLAN_SCHEMA_VERSION {
        return Ok(());
    }
    Err(RedriveError::plan(format!(
        "schema version {version}; this opsconsole reads {PLAN_SCHEMA_VERSION}"
    )))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn plan(count: usize) -> Plan {
        Plan {
            schema_version: PLAN_SCHEMA_VERSION,
            id: Uuid::now_v7(),
            created_at: Utc::now(),
            environment: "example".to_owned(),
            dead_letter_queue: PlannedQueue {
                name: "d".to_owned(),
                url: "http://h/d".to_owned(),
            },
            destination: PlannedQueue {
                name: "q".to_owned(),
                url: "http://h/q".to_owned(),
            },
            entries: (0..count)
                .map(|number| PlanEntry {
                    message_id: format!("m{number}"),
                    verdict: Verdict::Ready,
                    body_sha256: body_sha256(&format!("body {number}")),
                    receive_count: 1,
                    group_id: None,
                    edit: None,
                })
                .collect(),
            skipped: Vec::new(),
            rate_per_sec: None,
            canary_steps: Vec::new(),
        }
    }

    #[test]
    fn broken_rules_are_named() {
        type Spoil = fn(&mut Plan);
        let cases: [(Spoil, &str); 7] = [
            (|plan| plan.schema_version = 9, "schema version 9"),
            (|plan| plan.rate_per_sec = Some(0.0), "rate_per_sec"),
            (|plan| plan.canary_steps = vec![10, 10], "canary_steps"),
            (
                |plan| plan.entries[1].message_id = "m0".to_owned(),
                "entries[1] (m0)",
            ),
            (
                |plan| plan.entries[0].body_sha256 = "xyz".to_owned(),
                "body_sha256",
            ),
            (
                |plan| {
                    plan.entries[0].edit = Some(Edit {
                        old_body: "other".to_owned(),
                        new_body: "new".to_owned(),
                    });
                },
                "old_body",
            ),
            (
                |plan| plan.destination = plan.dead_letter_queue.clone(),
                "the same",
            ),
        ];
        for (spoil, expected) in cases {
            let mut spoilt = plan(2);
            spoil(&mut spoilt);
            let text = serde_json::to_string(&spoilt).unwrap();
            let error = Plan::parse(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let error = Plan::parse("{\"schema_version\":1}").unwrap_err();
        assert!(error.to_string().contains("not a plan"), "{error}");
    }

    #[test]
    fn steps_end_with_the_whole_plan() {
        let mut plan = plan(12);
        plan.canary_steps = vec![1, 10, 100];
        assert_eq!(plan.step_ends(), [1, 10, 12]);
    }
}
