//! The command that exports what the list shows. Pure; a shell takes each of its words for one word.

use chrono::{DateTime, SecondsFormat, Utc};
use event::RecordQuery;
use ratatui::text::Line;

use crate::text::shell_word;
use crate::tui::dialog::{COLUMNS, Dialog};
use crate::tui::format::visible;
use crate::tui::lines::{hanging, wrapped};
use crate::tui::theme::{Theme, Tone};

/// A command, and what it does otherwise than the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExportCommand {
    pub(super) text: String,
    remarks: Vec<String>,
}

/// The command for the filter of a list, as it was reckoned last.
pub(super) fn export_command(environment: &str, query: &RecordQuery) -> ExportCommand {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    // An export wants a beginning.
    let from = query.from.unwrap_or(DateTime::UNIX_EPOCH);
    let mut words = vec![
        "opsconsole".to_owned(),
        "--env".to_owned(),
        environment.to_owned(),
        "export".to_owned(),
        "--from".to_owned(),
        time(from),
    ];
    for (option, value) in [
        ("--to", query.to.map(time)),
        ("--type", query.event_type.clone()),
        ("--source", query.source.clone()),
        ("--into", Some("records-export".to_owned())),
    ] {
        words.extend(
            value
                .into_iter()
                .flat_map(|value| [option.to_owned(), value]),
        );
    }
    let words: Vec<_> = words.iter().map(|text| shell_word(text)).collect();
    let wider = [("subject", &query.subject), ("id", &query.id)];
    let wider = wider.iter().filter_map(|(name, value)| {
        let value = visible(value.as_deref()?);
        Some(format!(
            "an export has no {name}: that of all records of this time, type and source is written, not of {value} alone"
        ))
    });
    ExportCommand {
        text: words.join(" "),
        remarks: wider.collect(),
    }
}

impl ExportCommand {
    pub(super) fn dialog(&self, theme: Theme) -> Dialog {
        let columns = usize::from(COLUMNS).saturating_sub(4);
        let command = wrapped(&visible(&self.text), columns);
        let command = command.into_iter();
        let mut lines: Vec<Line<'static>> = command
            .map(|line| Line::styled(format!(" {line}"), theme.key()))
            .collect();
        lines.push(Line::default());
        for remark in &self.remarks {
            lines.extend(hanging(Tone::Warning, remark, theme, columns));
        }
        lines.push(Line::styled(
            " writes Parquet files into that folder; --format csv or jsonl, s3://BUCKET",
            theme.muted(),
        ));
        lines.push(Line::raw(" y copies the command · esc closes"));
        Dialog {
            title: "Export of this filter".to_owned(),
            lines,
            is_danger: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Arguments;

    #[test]
    fn command_is_one_that_the_command_line_takes() {
        let query = RecordQuery {
            from: Some("2026-11-24T10:00:00.123456Z".parse().unwrap()),
            to: Some("2026-11-24T11:00:00Z".parse().unwrap()),
            event_type: Some("it's; rm -rf $HOME".to_owned()),
            source: Some("/ops/flights".to_owned()),
            ..RecordQuery::default()
        };
        for query in [query, RecordQuery::default()] {
            let command = export_command("demo", &query);
            let words = shell_words::split(&command.text).unwrap();
            let arguments = Arguments::try_parse_from(&words).unwrap();
            let Some(crate::cli::Command::Export(asked)) = arguments.command else {
                unreachable!();
            };
            assert_eq!(asked.from, Some(query.from.unwrap_or_default()));
            assert_eq!((asked.to, asked.source), (query.to, query.source));
            assert_eq!(asked.types.first(), query.event_type.as_ref());
            assert!(command.remarks.is_empty());
        }
    }

    #[test]
    fn what_an_export_cannot_select_is_told() {
        let query = RecordQuery {
            subject: Some("LA601".to_owned()),
            ..RecordQuery::default()
        };
        let command = export_command("demo", &query);
        assert!(command.remarks[0].starts_with("an export has no subject"));
        assert!(!command.text.contains("LA601"));
    }
}
