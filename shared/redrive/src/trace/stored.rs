//! What the ledger, the records and the API have of one event.
//!
//! Invariant: nothing is changed and no message is received. What did not answer is unknown.

use std::time::Duration;

use chrono::Utc;
use event::{EventKey, Record, RecordId};
use pipeline::text::latency;
use pipeline::{Pipeline, PipelineError};

use super::evidence::Ledger;
use super::fact::{Findings, Gap, Hop, Place, Standing, TraceFact};
use super::within::within;

/// Limit of the ledger and of its record: two ways, and a tunnel that is opened.
const RECORD_LIMIT: Duration = Duration::from_secs(40);
/// Limit of what is asked about a record that is known.
const DETAIL_LIMIT: Duration = Duration::from_secs(20);
/// Reads of a record whose identity is in the ledger: meanwhile a correction may have taken its place.
const READS_MAX: usize = 2;

/// What they have.
pub(super) struct StoredAnswer {
    pub(super) findings: Findings,
    pub(super) ledger: Ledger,
}

/// An event in the ledger.
enum Known {
    Record(Box<Record>),
    Gone(RecordId),
    Never,
}

/// Looks the event up.
pub(super) async fn look_up(pipeline: &Pipeline, key: &EventKey) -> StoredAnswer {
    let mut findings = Findings::default();
    let ledger = match within(RECORD_LIMIT, find(pipeline, key)).await {
        Err(why) => {
            findings.gaps.push(Gap::failed(Place::Records, why.clone()));
            Ledger::Unknown(why)
        }
        Ok(known) => {
            findings.searched(Place::Records, "the ledger, by source and id");
            match known {
                Known::Never => Ledger::Never,
                Known::Gone(record_id) => {
                    findings.facts.push(gone_fact(record_id));
                    Ledger::Gone(record_id)
                }
                Known::Record(record) => {
                    details(pipeline, &record, &mut findings).await;
                    Ledger::Record {
                        record_id: record.record_id,
                        ingested_at: record.ingested_at,
                    }
                }
            }
        }
    };
    if !matches!(ledger, Ledger::Record { .. }) {
        let reason = "not asked: it reads records by their ids, and the ledger gave none";
        findings.gaps.push(Gap::unrecorded(Place::Api, reason));
    }
    StoredAnswer { findings, ledger }
}

async fn find(pipeline: &Pipeline, key: &EventKey) -> Result<Known, PipelineError> {
    let mut known = Known::Never;
    for _ in 0..READS_MAX {
        let stored = pipeline.stored_keys(std::slice::from_ref(key)).await?;
        let Some(found) = stored.get(key) else {
            return Ok(Known::Never);
        };
        match pipeline.get_record(found.record_id).await? {
            Some(record) => return Ok(Known::Record(Box::new(record))),
            None => known = Known::Gone(found.record_id),
        }
    }
    Ok(known)
}

/// What is asked about a record: its partition, and the API.
async fn details(pipeline: &Pipeline, record: &Record, findings: &mut Findings) {
    let partition = within(DETAIL_LIMIT, pipeline.partition_of(record.occurred_at));
    let (partition, readable) = tokio::join!(partition, readable(pipeline, record.record_id));
    let partition = match partition {
        Ok(Some(name)) => format!(", in partition {name}"),
        Ok(None) => {
            let reason = "the partition of the record is not among those that are listed";
            findings.gaps.push(Gap::unrecorded(Place::Records, reason));
            String::new()
        }
        Err(why) => {
            let reason = format!("the partition of the record: {why}");
            findings.gaps.push(Gap::failed(Place::Records, reason));
            String::new()
        }
    };
    findings.facts.push(TraceFact {
        at: Some(record.occurred_at),
        hop: Hop::Occurred,
        standing: Standing::Neutral,
        text: format!("the time of the event, of type {}", record.event_type),
        read_from: Place::Records,
        reference: None,
    });
    findings.facts.push(TraceFact {
        at: Some(record.ingested_at),
        hop: Hop::Stored,
        standing: Standing::Good,
        text: format!("stored as record {}{partition}", record.record_id),
        read_from: Place::Records,
        reference: Some(record.record_id.to_string()),
    });
    match readable {
        Ok(fact) => findings.facts.push(fact),
        Err(gap) => findings.gaps.push(gap),
    }
}

/// What the API answers for a record.
async fn readable(pipeline: &Pipeline, record_id: RecordId) -> Result<TraceFact, Gap> {
    if pipeline.environment().api_url.is_none() {
        return Err(Gap::unrecorded(Place::Api, "this environment has no API"));
    }
    let path = format!("/v1/records/{record_id}");
    let answer = within(DETAIL_LIMIT, pipeline.api_get(&path)).await;
    let answer = answer.map_err(|why| Gap::failed(Place::Api, why))?;
    Ok(TraceFact {
        at: Some(Utc::now()),
        hop: Hop::Readable,
        standing: match answer.status {
            200 => Standing::Good,
            _ => Standing::Bad,
        },
        text: format!(
            "GET {path}: status {} in {}",
            answer.status,
            latency(answer.latency)
        ),
        read_from: Place::Api,
        reference: Some(record_id.to_string()),
    })
}

fn gone_fact(record_id: RecordId) -> TraceFact {
    TraceFact {
        at: None,
        hop: Hop::Stored,
        standing: Standing::Doubtful,
        text: format!(
            "the ledger knows it, as record {record_id}; when it was stored went with the record"
        ),
        read_from: Place::Records,
        reference: Some(record_id.to_string()),
    }
}
