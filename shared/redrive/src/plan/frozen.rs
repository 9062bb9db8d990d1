//! The plan itself: which messages go where, in which order, changed how.
//!
//! Invariant: a [`Plan`] that was read or frozen was checked against every rule here.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use event::Verdict;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::kind::{Kind, Replay};
use super::replacement::{Replacement, Replaces};
use crate::error::RedriveError;
use crate::limits::{BATCH_BYTES_MAX, PLAN_ENTRIES_MAX};
use crate::message::body_sha256;
use pipeline::model::QueueRole;
use pipeline::{PUBLISH_BATCH_BYTES_MAX, Pipeline};

/// Version of the form of a plan that redrives dead letters.
pub const PLAN_SCHEMA_VERSION: u32 = 1;
/// Version of the form of a plan that replays records: an earlier program refuses it.
pub const REPLAY_SCHEMA_VERSION: u32 = 2;
/// Version of the form of a replay that replaces records: an earlier program refuses it.
pub const REPLACE_SCHEMA_VERSION: u32 = 3;

/// A frozen list of messages with everything that decides how they are moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Form of this plan: [`PLAN_SCHEMA_VERSION`], [`REPLAY_SCHEMA_VERSION`] or [`REPLACE_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Identity of the redrive; sorts by time.
    pub id: Uuid,
    /// When the plan was made.
    pub created_at: DateTime<Utc>,
    /// Name of the environment it was made for.
    pub environment: String,
    /// Where the messages of a redrive are, and where events that fail again arrive.
    pub dead_letter_queue: PlannedPlace,
    /// Where the messages go: the source queue, or the topic.
    pub destination: PlannedPlace,
    /// What is replayed; absent where dead letters are redriven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
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

/// A queue or a topic of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedPlace {
    /// The last part of its URL.
    pub name: String,
    /// Its URL; of a topic its ARN.
    pub url: String,
}

/// One message of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanEntry {
    /// SQS message id in the dead-letter queue; in a replay the name of the record that was read.
    pub message_id: String,
    /// Verdict of what is sent, when the plan was made.
    pub verdict: Verdict,
    /// SHA-256 of the body in the queue, or of the event that was read, in lower-case hex.
    pub body_sha256: String,
    /// How often it had been received; 0 in a replay.
    pub receive_count: u32,
    /// `MessageGroupId` of a FIFO queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// What is sent instead of the body, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
    /// The record that it replaces, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaces>,
}

/// A change of one body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The body before.
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
        if !(PLAN_SCHEMA_VERSION..=REPLACE_SCHEMA_VERSION).contains(&version.schema_version) {
            return Err(unknown_version(version.schema_version));
        }
        let plan: Self = serde_json::from_str(text).map_err(no_plan)?;
        plan.check()?;
        Ok(plan)
    }

    /// Checks the rules that every plan keeps.
    ///
    /// # Errors
    /// Names the first rule that is broken.
    pub fn check(&self) -> Result<(), RedriveError> {
        let version = match (&self.replay, self.replacement()) {
            (None, _) => PLAN_SCHEMA_VERSION,
            (Some(_), None) => REPLAY_SCHEMA_VERSION,
            (Some(_), Some(_)) => REPLACE_SCHEMA_VERSION,
        };
        if self.schema_version != version {
            return Err(unknown_version(self.schema_version));
        }
        if self.kind() == Kind::Replay && self.is_fifo() {
            return Err(RedriveError::plan(format!(
                "{:?} is a FIFO topic: it needs the message group of each event, which no record has",
                self.destination.name
            )));
        }
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
        let replacing = self.entries.iter().filter(|entry| entry.replaces.is_some());
        let (planned, found) = (self.replacement().unwrap_or_default(), replacing.count());
        if planned.replaces != found {
            return Err(RedriveError::plan(format!(
                "replay.replacement.replaces is {}, and the plan has {found} of them",
                planned.replaces
            )));
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

    /// What it does.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.replay {
            None => Kind::Redrive,
            Some(_) => Kind::Replay,
        }
    }

    /// See [`Replay::expected_duplicates`]; `None` for a redrive.
    #[must_use]
    pub fn expected_duplicates(&self) -> Option<usize> {
        let replay = self.replay.as_ref()?;
        Some(replay.expected_duplicates)
    }

    /// What it does to stored records; `None` where it leaves them as they are.
    #[must_use]
    pub fn replacement(&self) -> Option<Replacement> {
        self.replay.as_ref()?.replacement
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
        let dead_letter_queue = PlannedPlace::queue(pipeline, QueueRole::DeadLetter);
        let destination = PlannedPlace::destination(pipeline, self.kind());
        for (planned, now) in [
            (&self.dead_letter_queue, dead_letter_queue),
            (&self.destination, destination),
        ] {
            if planned.url != now.url {
                return Err(RedriveError::plan(format!(
                    "made for {}, but environment {:?} has {}",
                    planned.url, environment.name, now.url
                )));
            }
        }
        Ok(())
    }

    /// Whether the destination keeps the order of its message groups.
    pub(crate) fn is_fifo(&self) -> bool {
        self.destination.name.ends_with(".fifo")
    }

    /// Bytes of all messages of one call at most.
    pub(crate) fn batch_bytes_max(&self) -> usize {
        match self.kind() {
            Kind::Redrive => BATCH_BYTES_MAX,
            Kind::Replay => PUBLISH_BATCH_BYTES_MAX,
        }
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

impl PlannedPlace {
    /// A queue of the environment as it is now.
    #[must_use]
    pub fn queue(pipeline: &Pipeline, role: QueueRole) -> Self {
        Self {
            name: pipeline.queue_name(role).to_owned(),
            url: pipeline.queue_url(role).to_owned(),
        }
    }

    /// Where the messages of a plan go.
    #[must_use]
    pub fn destination(pipeline: &Pipeline, kind: Kind) -> Self {
        match kind {
            Kind::Redrive => Self::queue(pipeline, QueueRole::Source),
            Kind::Replay => Self {
                name: pipeline.topic_name().to_owned(),
                url: pipeline.environment().topic_arn.clone(),
            },
        }
    }
}

impl PlanEntry {
    /// Whether its event is to be stored. The ledger had that of a message that was planned as
    /// `already-stored` and not edited: it is sent to be dropped as the duplicate that it is.
    pub(crate) fn is_to_be_stored(&self) -> bool {
        self.verdict != Verdict::AlreadyStored || self.edit.is_some() || self.replaces.is_some()
    }

    /// Bytes of the message attributes that the plan adds.
    pub(crate) fn added_bytes(&self) -> usize {
        self.replaces.as_ref().map_or(0, Replaces::attribute_bytes)
    }

    /// What is sent for a message with this body.
    pub(crate) fn sent_body<'a>(&'a self, body: &'a str) -> &'a str {
        self.edit.as_ref().map_or(body, |edit| &edit.new_body)
    }
}

fn unknown_version(version: u32) -> RedriveError {
    RedriveError::plan(format!(
        "schema version {version}; this opsconsole reads {PLAN_SCHEMA_VERSION} for a redrive, \
         {REPLAY_SCHEMA_VERSION} for a replay and {REPLACE_SCHEMA_VERSION} for one that replaces records"
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use event::RecordId;
    use export::ReadRequest;

    use super::*;

    pub(crate) fn plan(count: usize) -> Plan {
        Plan {
            schema_version: PLAN_SCHEMA_VERSION,
            id: Uuid::now_v7(),
            created_at: Utc::now(),
            environment: "example".to_owned(),
            dead_letter_queue: PlannedPlace {
                name: "d".to_owned(),
                url: "http://h/d".to_owned(),
            },
            destination: PlannedPlace {
                name: "q".to_owned(),
                url: "http://h/q".to_owned(),
            },
            replay: None,
            entries: (0..count)
                .map(|number| PlanEntry {
                    message_id: format!("m{number}"),
                    verdict: Verdict::Ready,
                    body_sha256: body_sha256(&format!("body {number}")),
                    receive_count: 1,
                    group_id: None,
                    edit: None,
                    replaces: None,
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

    pub(crate) fn replay(count: usize) -> Plan {
        let mut plan = plan(count);
        plan.schema_version = REPLAY_SCHEMA_VERSION;
        plan.destination = PlannedPlace {
            name: "events".to_owned(),
            url: "arn:aws:sns:eu-central-1:000000000000:events".to_owned(),
        };
        plan.replay = Some(Replay {
            read: ReadRequest::default(),
            expected_duplicates: 0,
            replacement: None,
        });
        plan
    }

    #[test]
    fn plan_that_replaces_has_its_own_version_and_the_number_of_its_records() {
        let replacing = || {
            let mut plan = replay(2);
            plan.schema_version = REPLACE_SCHEMA_VERSION;
            if let Some(replay) = &mut plan.replay {
                replay.replacement = Some(Replacement {
                    replaces: 1,
                    same_text: 7,
                    not_stored: 1,
                });
            }
            plan.entries[1].replaces = Some(Replaces {
                identity: "0f9e2f0a-0000-4000-8000-000000000000".to_owned(),
                record_id: RecordId(17),
                old_sha256: event::stored_sha256("{}"),
                new_sha256: event::stored_sha256("[]"),
            });
            plan
        };
        let plan = replacing();
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(Plan::parse(&text).unwrap(), plan);
        assert!(plan.entries[1].is_to_be_stored());
        let error = |spoil: fn(&mut Plan)| {
            let mut spoilt = replacing();
            spoil(&mut spoilt);
            spoilt.check().unwrap_err().to_string()
        };
        let version = error(|plan| plan.schema_version = REPLAY_SCHEMA_VERSION);
        assert!(version.contains("schema version 2"), "{version}");
        let number = error(|plan| plan.entries[1].replaces = None);
        assert!(
            number.contains("replaces is 1, and the plan has 0"),
            "{number}"
        );
        let hidden = error(|plan| {
            plan.schema_version = REPLAY_SCHEMA_VERSION;
            if let Some(replay) = &mut plan.replay {
                replay.replacement = None;
            }
        });
        assert!(hidden.contains("replaces is 0, and 1 messages"), "{hidden}");
    }

    #[test]
    fn replay_has_its_own_version_and_no_fifo_topic() {
        let plan = replay(2);
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(Plan::parse(&text).unwrap(), plan);
        let error = |spoil: fn(&mut Plan)| {
            let mut spoilt = replay(2);
            spoil(&mut spoilt);
            spoilt.check().unwrap_err().to_string()
        };
        let fifo = error(|plan| plan.destination.name.push_str(".fifo"));
        assert!(fifo.contains("FIFO topic"), "{fifo}");
        for version in [
            error(|plan| plan.schema_version = PLAN_SCHEMA_VERSION),
            error(|plan| plan.replay = None),
        ] {
            assert!(version.contains("schema version"), "{version}");
        }
    }

    #[test]
    fn steps_end_with_the_whole_plan() {
        let mut plan = plan(12);
        plan.canary_steps = vec![1, 10, 100];
        assert_eq!(plan.step_ends(), [1, 10, 12]);
    }
}
