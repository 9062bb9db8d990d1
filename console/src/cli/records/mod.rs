//! `records`: lists, shows and compares stored events.
//!
//! Invariant: the JSON is the same as that of the HTTP API.

pub(crate) mod arguments;
mod diff;
pub(crate) mod filters;
mod read;

use event::{Cursor, Record, RecordId, RecordPage, RecordQuery};

use self::arguments::{Column, Filter, RecordsCommand, RecordsListArguments, parsed};
use self::read::read;
use super::table::{Align, Keep, Table, moment};
use super::values::seen;
use super::{CommandError, Exit, Session};
use crate::pointer::{self, Cell, POINTERS_MAX, Pointer};
use pipeline::environment::Folders;
use pipeline::{printable, printable_lines};
use redrive::triage;

pub(super) async fn run(session: &Session, command: RecordsCommand) -> Result<Exit, CommandError> {
    match command {
        RecordsCommand::List(filters) => list(session, filters).await,
        RecordsCommand::Get { record_id } => get(session, RecordId(record_id)).await,
        RecordsCommand::Diff { from, to } => diff::run(session, RecordId(from), RecordId(to)).await,
        RecordsCommand::Filters(command) => {
            filters::run(&Folders::of_user()?, command, session.output)
        }
    }
}

async fn list(session: &Session, asked: RecordsListArguments) -> Result<Exit, CommandError> {
    let (cursor, mut columns) = (asked.cursor.clone(), pointers(&asked.columns)?);
    let filter = match &asked.filter {
        None => RecordQuery::default(),
        Some(Filter::Query(query)) => (**query).clone(),
        Some(Filter::Saved(name)) => {
            let saved = filters::named(&Folders::of_user()?, name)?;
            if columns.is_empty() {
                let saved = pointer::parse(&saved.columns.join(" "));
                columns = saved.map_err(|error| unusable(name, &error.to_string()))?;
            }
            parsed(&saved.filter).map_err(|error| unusable(name, &error))?
        }
    };
    let mut query = query(asked, filter)?;
    query.cursor = cursor
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
    for pointer in &columns {
        table.column(&pointer.to_string(), Align::Left, Keep::Cut);
    }
    for record in &page.items {
        let record_id = record.record_id.to_string();
        let occurred_at = moment(record.occurred_at);
        let payload = record.payload.get();
        let cells: Vec<String> = columns.iter().map(|it| cell(it.read(payload))).collect();
        let mut row = vec![
            record_id.as_str(),
            &occurred_at,
            &record.event_type,
            &record.source,
            &record.id,
            record.subject.as_deref().unwrap_or("-"),
        ];
        row.extend(cells.iter().map(String::as_str));
        table.row_of(&row);
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

/// The filter, with what the options add to it.
fn query(asked: RecordsListArguments, filter: RecordQuery) -> Result<RecordQuery, CommandError> {
    Ok(RecordQuery {
        source: one_of("--source", asked.source, filter.source)?,
        id: one_of("--id", asked.id, filter.id)?,
        event_type: one_of("--type", asked.event_type, filter.event_type)?,
        subject: one_of("--subject", asked.subject, filter.subject)?,
        from: one_of("--from", asked.from, filter.from)?,
        to: one_of("--to", asked.to, filter.to)?,
        order: asked.order.unwrap_or(filter.order),
        limit: asked.limit,
        cursor: None,
    })
}

/// A saved filter that was written by something else.
fn unusable(name: &str, why: &str) -> CommandError {
    CommandError::Usage(format!("@{name}: {why}"))
}

/// What is set once: by an option or by the filter.
fn one_of<T>(option: &str, given: Option<T>, filter: Option<T>) -> Result<Option<T>, CommandError> {
    match (given, filter) {
        (Some(_), Some(_)) => Err(CommandError::Usage(format!(
            "{option} and the filter set the same; keep one"
        ))),
        (given, filter) => Ok(given.or(filter)),
    }
}

fn pointers(columns: &[Column]) -> Result<Vec<Pointer>, CommandError> {
    if columns.len() > POINTERS_MAX {
        return Err(CommandError::Usage(format!(
            "--column: {POINTERS_MAX} at most; leave one out"
        )));
    }
    Ok(columns.iter().map(|column| column.0.clone()).collect())
}

fn cell(cell: Cell) -> String {
    match cell {
        Cell::Absent => "-".to_owned(),
        Cell::Number(text) | Cell::Text(text) => text,
    }
}

async fn get(session: &Session, record_id: RecordId) -> Result<Exit, CommandError> {
    let record = read(session, record_id).await?;
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use event::Order;

    use super::super::arguments::{Arguments, Command};
    use super::*;

    /// What the options make of the filter.
    fn query_of(words: &[&str]) -> Result<RecordQuery, CommandError> {
        let asked = asked(words);
        let filter = match &asked.filter {
            Some(Filter::Query(query)) => (**query).clone(),
            Some(Filter::Saved(_)) | None => RecordQuery::default(),
        };
        query(asked, filter)
    }

    fn asked(words: &[&str]) -> RecordsListArguments {
        let line = ["opsconsole", "records", "list"].iter().chain(words);
        let arguments = Arguments::try_parse_from(line).unwrap();
        let Some(Command::Records(RecordsCommand::List(list))) = arguments.command else {
            unreachable!();
        };
        list
    }

    #[test]
    fn options_add_to_the_filter_of_the_screen() {
        let words = [
            "a.b source=/x order=asc until=today",
            "--subject",
            "s",
            "--from",
            "2026-01-31",
        ];
        let query = query_of(&words).unwrap();
        assert_eq!(query.event_type.as_deref(), Some("a.b"));
        assert_eq!(query.source.as_deref(), Some("/x"));
        assert_eq!(query.subject.as_deref(), Some("s"));
        assert_eq!(query.order, Order::Asc);
        assert_eq!(query.from, Some("2026-01-31T00:00:00Z".parse().unwrap()));
        assert!(query.to.is_some());
        let with_order = query_of(&["order=asc", "--order", "desc"]).unwrap();
        assert_eq!(with_order.order, Order::Desc);
    }

    #[test]
    fn what_is_set_twice_is_refused() {
        for words in [
            ["type=a", "--type", "b"],
            ["source=a", "--source", "b"],
            ["today", "--since", "1h"],
            ["until=1h", "--to", "today"],
        ] {
            let error = query_of(&words).unwrap_err().to_string();
            let expected = "and the filter set the same; keep one";
            assert!(error.contains(expected), "{words:?}: {error}");
        }
        let many = ["--column", "/a"].repeat(POINTERS_MAX + 1);
        assert!(pointers(&asked(&many).columns).is_err());
    }
}
