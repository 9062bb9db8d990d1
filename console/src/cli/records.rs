//! `records list` and `records get`.
//!
//! Invariant: the JSON is the same as that of the HTTP API.

use event::{Cursor, Record, RecordId, RecordPage, RecordQuery};

use super::table::{Align, Keep, Table, moment};
use super::values::seen;
use super::{CommandError, Exit, RecordsCommand, RecordsListArguments, Session};
use pipeline::{printable, printable_lines};
use redrive::triage;

pub(super) async fn run(session: &Session, command: RecordsCommand) -> Result<Exit, CommandError> {
    match command {
        RecordsCommand::List(filters) => list(session, filters).await,
        RecordsCommand::Get { record_id } => get(session, RecordId(record_id)).await,
    }
}

async fn list(session: &Session, filters: RecordsListArguments) -> Result<Exit, CommandError> {
    let mut query = RecordQuery {
        source: filters.source,
        id: filters.id,
        event_type: filters.event_type,
        subject: filters.subject,
        from: filters.from,
        to: filters.to,
        order: filters.order,
        limit: filters.limit,
        cursor: None,
    };
    query.cursor = filters
        .cursor
        .map(|text| Cursor::decode(&text, &query))
        .transpose()
        .map_err(|error| CommandError::Usage(format!("--cursor: {error}")))?;
    query
        .validate()
        .map_err(|error| CommandError::Usage(format!("--{error}")))?;
    let page = session.pipeline.list_records(&query).await?;
    seen::remember(page.items.iter().map(|record| &*record.event_type));
    let page = RecordPage::new(page, &query);
    if session.output.is_json() {
        session.output.json(&page)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        ("RECORD", Align::Right, Keep::Always),
        ("OCCURRED AT", Align::Left, Keep::Always),
        ("TYPE", Align::Left, Keep::Cut),
        ("SOURCE", Align::Left, Keep::Drop(1)),
        ("ID", Align::Left, Keep::Drop(3)),
        ("SUBJECT", Align::Left, Keep::Drop(2)),
    ]);
    for record in &page.items {
        table.row([
            &record.record_id.to_string(),
            &moment(record.occurred_at),
            &record.event_type,
            &record.source,
            &record.id,
            record.subject.as_deref().unwrap_or("-"),
        ]);
    }
    session.output.table(&table)?;
    if page.items.is_empty() {
        session.output.note("no records match");
    }
    if let Some(cursor) = page.next_cursor {
        session.output.note(&format!("more: --cursor {cursor}"));
    }
    Ok(Exit::Done)
}

async fn get(session: &Session, record_id: RecordId) -> Result<Exit, CommandError> {
    let Some(record) = session.pipeline.get_record(record_id).await? else {
        return Err(CommandError::Failed(format!(
            "there is no record {record_id}"
        )));
    };
    if session.output.is_json() {
        session.output.json(&record)?;
    } else {
        session.output.text(&form(&record))?;
    }
    Ok(Exit::Done)
}

fn form(record: &Record) -> String {
    let payload = record.payload.get();
    let payload = triage::pretty(payload).unwrap_or_else(|| payload.to_owned());
    let lines = [
        ("record", record.record_id.to_string()),
        ("type", record.event_type.clone()),
        ("source", record.source.clone()),
        ("id", record.id.clone()),
        (
            "subject",
            record.subject.clone().unwrap_or_else(|| "-".to_owned()),
        ),
        ("occurred at", record.occurred_at.to_rfc3339()),
        ("ingested at", record.ingested_at.to_rfc3339()),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        text.push_str(&format!("{name:<14}{}\n", printable(&value)));
    }
    text.push_str(&printable_lines(&payload));
    text.push('\n');
    text
}
