//! One marked event through every hop of the pipeline: topic, ingest, API.
//!
//! Invariant: a probe publishes exactly one event, by the permit of every publication, and only where it can be looked
//! up afterwards. Every hop has a limit of its own, and every time says by which clock it is: how long a hop took is
//! measured by the clock of this machine that never jumps; when the record was written is the database's word.

mod clock;
mod event;
mod follow;
mod look_ups;
mod millis;
mod ring;
mod seen;

pub use self::clock::DatabaseClock;
pub use self::event::{PROBE_SUBJECT, PROBE_TYPE, probe_source};
pub use self::follow::ProbeSettings;
pub use self::ring::{MeasureSummary, ProbeRing, ProbeSummary, percentile};
pub use self::seen::{
    FailureReason, Measure, Probe, ProbeFailure, ProbeHop, PublishedHop, ReadableHop, StoredHop,
};
