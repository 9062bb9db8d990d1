//! The limit: COPY of encoded rows, one commit per batch.
//!
//! Invariant: rows are encoded before the clock starts, in PostgreSQL's binary format, so that the
//! server need not parse text, and digested there too. The records are not counted: the rollup is off.

use std::time::Instant;

use chrono::{DateTime, Utc};
use sqlx::types::Uuid;
use sqlx::{Connection as _, PgConnection};

use crate::events::{Event, Load};
use crate::server::Database;

/// Signature, flags and length of the extension (PostgreSQL manual, "COPY", Binary Format).
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: &[u8] = &[0xff, 0xff];
/// Epoch of PostgreSQL's timestamps.
const EPOCH: &str = "2000-01-01T00:00:00Z";

const INTO_RECORDS: &str = "copy records (record_id, source, id, type, subject, occurred_at, \
                            payload) from stdin (format binary)";
const INTO_LEDGER: &str =
    "copy event_identities (identity, record_id, occurred_at) from stdin (format binary)";

/// The target of the COPY.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    /// The partitioned table with its indexes.
    Records,
    /// The table and the ledger with its indexes, in one transaction.
    RecordsAndLedger,
}

/// An encoded batch.
struct Encoded {
    records: Vec<u8>,
    ledger: Vec<u8>,
}

/// Copies the measured batches and returns the seconds. Calls `ready` after the encoding and the
/// warm-up.
pub(crate) async fn copy(
    database: &Database,
    load: &Load,
    tables: Tables,
    ready: impl FnOnce(),
) -> f64 {
    database.stop_counting().await;
    let mut connection = database.connect().await;
    let mut record_id = 0;
    let mut batches = Vec::new();
    for batch in &load.batches {
        let identities = identities(&mut connection, batch).await;
        batches.push(encode(batch, &identities, record_id));
        record_id += i64::try_from(batch.len()).unwrap();
    }
    let warm_up = batches.remove(0);
    send(&mut connection, &warm_up, tables).await;
    ready();
    let begun = Instant::now();
    for batch in &batches {
        send(&mut connection, batch, tables).await;
    }
    let secs = begun.elapsed().as_secs_f64();
    connection.close().await.unwrap();
    secs
}

async fn send(connection: &mut PgConnection, batch: &Encoded, tables: Tables) {
    match tables {
        Tables::Records => send_one(connection, INTO_RECORDS, &batch.records).await,
        Tables::RecordsAndLedger => {
            let mut transaction = connection.begin().await.unwrap();
            send_one(&mut transaction, INTO_LEDGER, &batch.ledger).await;
            send_one(&mut transaction, INTO_RECORDS, &batch.records).await;
            transaction.commit().await.unwrap();
        }
    }
}

async fn send_one(connection: &mut PgConnection, statement: &str, rows: &[u8]) {
    let mut copy = connection.copy_in_raw(statement).await.unwrap();
    copy.send(rows).await.unwrap();
    copy.finish().await.unwrap();
}

async fn identities(connection: &mut PgConnection, batch: &[Event]) -> Vec<Uuid> {
    let sources: Vec<&str> = batch.iter().map(|event| event.source.as_str()).collect();
    let ids: Vec<&str> = batch.iter().map(|event| event.id.as_str()).collect();
    sqlx::query_scalar(
        "select event_identity(source, id)
         from unnest($1::text[], $2::text[]) with ordinality as keys (source, id, position)
         order by position",
    )
    .bind(&sources)
    .bind(&ids)
    .fetch_all(connection)
    .await
    .unwrap()
}

fn encode(batch: &[Event], identities: &[Uuid], first_id: i64) -> Encoded {
    let epoch: DateTime<Utc> = EPOCH.parse().unwrap();
    let mut encoded = Encoded {
        records: HEADER.to_vec(),
        ledger: HEADER.to_vec(),
    };
    for ((event, identity), record_id) in batch.iter().zip(identities).zip(first_id..) {
        let record_id = record_id.to_be_bytes();
        let micros = (event.time - epoch).num_microseconds().unwrap();
        let time = micros.to_be_bytes();
        // jsonb in binary format is a version and the text.
        let payload = [&[1], event.body.as_bytes()].concat();
        row(
            &mut encoded.records,
            &[
                &record_id,
                event.source.as_bytes(),
                event.id.as_bytes(),
                event.event_type.as_bytes(),
                event.subject.as_bytes(),
                &time,
                &payload,
            ],
        );
        row(
            &mut encoded.ledger,
            &[identity.as_bytes(), &record_id, &time],
        );
    }
    encoded.records.extend_from_slice(TRAILER);
    encoded.ledger.extend_from_slice(TRAILER);
    encoded
}

fn row(bytes: &mut Vec<u8>, fields: &[&[u8]]) {
    bytes.extend(i16::try_from(fields.len()).unwrap().to_be_bytes());
    for field in fields {
        bytes.extend(i32::try_from(field.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(field);
    }
}
