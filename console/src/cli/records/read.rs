//! Reads one record.

use event::{Record, RecordId};

use crate::cli::Session;
use crate::cli::exit::CommandError;

/// Reads a record that has to be there.
pub(super) async fn read(session: &Session, record_id: RecordId) -> Result<Record, CommandError> {
    let record = session.pipeline.get_record(record_id).await?;
    record.ok_or_else(|| CommandError::Failed(format!("there is no record {record_id}")))
}
