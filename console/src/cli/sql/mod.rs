//! `sql`: one read-only question to the database.
//!
//! Invariant: no row is changed; an answer that is not whole says so; text of the database cannot control the terminal.

pub(crate) mod arguments;
mod history;

use std::io::Read as _;
use std::time::Instant;

use chrono::Utc;
use pipeline::environment::Folders;
use pipeline::{Cut, QuestionLimits, SqlAnswer};
use serde::Serialize;
use serde_json::value::RawValue;

use self::arguments::SqlArguments;
use self::history::Asked;
use super::table::{Align, Keep, Table, moment};
use super::{CommandError, Exit, Interrupt, Output, Session};
use crate::sql_value::{is_number, shown};
use crate::text::in_words;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of a question.
const SQL_BYTES_MAX: u64 = 64 * 1024;
/// What a signal is answered with.
const STOPPING: &str = "interrupted: the database is told to end the question";

#[derive(Serialize)]
struct Answer<'a> {
    columns: &'a [String],
    rows: &'a [Vec<Box<RawValue>>],
    is_cut: bool,
    elapsed_ms: u64,
}

/// Asks, or lists what was asked.
pub(super) async fn run(
    session: &Session,
    asked: SqlArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let output = session.output;
    let sql = question(asked.sql.as_deref().unwrap_or_default())?;
    if !asked.no_history {
        let asked = Asked {
            at: Utc::now(),
            environment: session.pipeline.environment().name.clone(),
            sql: sql.clone(),
        };
        if let Err(error) = history::keep(&Folders::of_user()?, asked) {
            output.note(&format!("not kept in the history: {error}"));
        }
    }
    let limits = QuestionLimits {
        rows: asked.limit as usize,
        bytes: ANSWER_BYTES_MAX,
        time: asked.timeout,
    };
    let begun = Instant::now();
    let cancel = interrupt.cancellation();
    let asking = session.pipeline.ask_sql(&sql, limits, &cancel);
    let answer = interrupt.cancels(output, STOPPING, asking).await?;
    let Some(answer) = answer else {
        return Err(CommandError::Interrupted);
    };
    let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    show(&answer, elapsed_ms, output)
}

/// Lists the questions that were asked; needs no environment.
pub(super) fn list(folders: &Folders, output: Output) -> Result<Exit, CommandError> {
    let questions = history::read(folders)
        .map_err(|error| CommandError::Failed(format!("read the history: {error}")))?;
    if output.is_json() {
        output.json(&questions)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        ("ASKED AT", Align::Left, Keep::Always),
        ("ENVIRONMENT", Align::Left, Keep::Drop(1)),
        ("SQL", Align::Left, Keep::Always),
    ]);
    for question in &questions {
        table.row([&moment(question.at), &question.environment, &question.sql]);
    }
    output.table(&table)?;
    if questions.is_empty() {
        output.note("no question was asked yet");
    }
    Ok(Exit::Done)
}

/// The question; `-` stands for standard input.
fn question(given: &str) -> Result<String, CommandError> {
    let mut sql = given.to_owned();
    if given == "-" {
        sql.clear();
        let input = std::io::stdin().lock();
        input
            .take(SQL_BYTES_MAX + 1)
            .read_to_string(&mut sql)
            .map_err(|cause| CommandError::File {
                operation: "read standard input".to_owned(),
                cause,
            })?;
    }
    if sql.trim().is_empty() {
        return Err(CommandError::Usage("SQL: there is no question".to_owned()));
    }
    if sql.len() as u64 > SQL_BYTES_MAX {
        let text = format!("SQL: longer than {SQL_BYTES_MAX} bytes");
        return Err(CommandError::Usage(text));
    }
    Ok(sql)
}

fn show(answer: &SqlAnswer, elapsed_ms: u64, output: Output) -> Result<Exit, CommandError> {
    if output.is_json() {
        output.json(&Answer {
            columns: &answer.columns,
            rows: &answer.rows,
            is_cut: answer.cut.is_some(),
            elapsed_ms,
        })?;
    } else {
        output.table(&table(answer))?;
        let rows = in_words(answer.rows.len() as u64, "row");
        output.note(&format!("{rows} in {elapsed_ms} ms"));
    }
    match answer.cut {
        None => {}
        Some(Cut::Rows) => output.note(
            "there are more rows: --limit shows up to 10000; count or group them in the question",
        ),
        Some(Cut::Bytes) => {
            output.note("cut at 8 MiB: choose columns, or ask for fewer rows");
        }
    }
    Ok(Exit::Done)
}

fn table(answer: &SqlAnswer) -> Table {
    let mut table = Table::new(&[]);
    for (number, column) in answer.columns.iter().enumerate() {
        let mut values = answer.rows.iter().filter_map(|row| row.get(number));
        let align = match values.all(|value| is_number(value)) {
            true => Align::Right,
            false => Align::Left,
        };
        table.column(column, align, Keep::Cut);
    }
    for row in &answer.rows {
        let cells: Vec<String> = row.iter().map(|value| shown(value)).collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        table.row_of(&cells);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_texts_without_quotes_and_numbers_at_their_right_ends() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let answer = SqlAnswer {
            columns: vec!["type".into(), "n".into(), "x\u{1b}[2J".into()],
            rows: vec![
                vec![raw("\"a.b\""), raw("1204"), raw("{\"y\": 1.50}")],
                vec![raw("\"\\u001b[2J\""), raw("7"), raw("null")],
            ],
            cut: None,
        };
        let text = table(&answer).render(None).text;
        let expected = "\
type          n  x\\u001b[2J
a.b        1204  {\"y\": 1.50}
\\u001b[2J     7  -
";
        assert_eq!(text, expected);
    }

    #[test]
    fn question_is_not_empty_and_not_too_long() {
        assert_eq!(question("select 1").unwrap(), "select 1");
        assert!(question(" ").is_err());
        assert!(question(&"x".repeat(65 * 1024)).is_err());
    }
}
