//! Handler of `/v1/records/lookup`.
//!
//! Invariant: what is asked of the ledger is bounded by [`IDENTITIES_MAX`].

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use chrono::{DateTime, Utc};
use event::{EventKey, StoredEvent};
use serde::{Deserialize, Serialize};
use store::{Reader, StoredEvents, stored_events, stored_texts};
use utoipa::ToSchema;

use crate::answer::{REVALIDATE, json, limited};
use crate::parameters::{NoParameters, Query};
use crate::problem::{Problem, ProblemKind};
use crate::responses::{Always, OrTooLarge};

/// The path, whose method is not that of the others.
pub(crate) const PATH: &str = "/v1/records/lookup";

/// Most events of one look-up.
pub const IDENTITIES_MAX: usize = 500;

/// The events to look up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lookup {
    /// Identities of events.
    #[schema(max_items = 500)]
    identities: Vec<EventKey>,
    /// Whether each answer has the digest of the record's payload, which is then read.
    #[serde(default)]
    #[schema(default = false)]
    payload_sha256: bool,
}

/// The events that are known.
#[derive(Serialize, ToSchema)]
pub(crate) struct Found {
    /// In the order of the request, each once. An event that was never stored is left out.
    items: Vec<StoredEvent>,
    /// An event that occurred before it is not stored when it arrives; `null` while everything is kept.
    #[schema(required)]
    retention_horizon: Option<DateTime<Utc>>,
}

/// Look up which events are stored.
///
/// Up to 500 identities: for each that is known, the record and since when it is stored. With `payload_sha256` also
/// the SHA-256 of the text of its payload, as PostgreSQL writes it: two records with equal digests have equal payloads.
#[utoipa::path(
    post,
    path = "/v1/records/lookup",
    operation_id = "lookUpRecords",
    tag = "records",
    request_body(content = Lookup, content_type = "application/json",
        example = json!({"identities": [{"source": "/shop", "id": "b2c7"}]})),
    responses(
        (status = 200, description = "The events that are known.", body = Found,
         headers(("cache-control" = String, description = "`no-cache`.")),
         example = json!({"items": [{
            "source": "/shop", "id": "b2c7", "record_id": 1204554,
            "occurred_at": "2026-11-24T12:00:00Z", "ingested_at": "2026-11-24T12:00:00.180411Z",
         }], "retention_horizon": null})),
        OrTooLarge,
        Always,
    ),
)]
pub(crate) async fn look_up(
    State(reader): State<Reader>,
    Query(NoParameters {}): Query<NoParameters>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body =
        body.map_err(|rejection| Problem::new(ProblemKind::BodyTooLarge, rejection.body_text()))?;
    let Lookup {
        identities,
        payload_sha256,
    } = read(&body)?;
    let StoredEvents {
        items,
        retention_horizon,
    } = match payload_sha256 {
        false => limited(stored_events(&reader, &identities)).await?,
        true => limited(stored_texts(&reader, &identities)).await?,
    };
    let found = Found {
        items,
        retention_horizon,
    };
    Ok(json(&found, REVALIDATE))
}

fn read(body: &[u8]) -> Result<Lookup, Problem> {
    let lookup: Lookup = serde_json::from_slice(body).map_err(|error| {
        let form = r#"{"identities": [{"source": "…", "id": "…"}]}"#;
        Problem::parameter("body", format!("not JSON of the form {form}: {error}"))
    })?;
    if lookup.identities.len() > IDENTITIES_MAX {
        let count = lookup.identities.len();
        return Err(Problem::parameter(
            "/identities",
            format!("{count} identities; one request takes at most {IDENTITIES_MAX}"),
        ));
    }
    for (position, key) in lookup.identities.iter().enumerate() {
        for (name, value) in [("source", &key.source), ("id", &key.id)] {
            // PostgreSQL cannot store this character, so nothing can match.
            if value.contains('\0') {
                return Err(Problem::parameter(
                    format!("/identities/{position}/{name}"),
                    "must not contain U+0000",
                ));
            }
        }
    }
    Ok(lookup)
}
