//! `dlq group`: why messages died, and how many of each.
//!
//! Invariant: the JSON fields are published; they keep their names and their meaning. Every
//! selected message is in exactly one group.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::cli::selection::FilterArguments;
use crate::cli::table::{Align, Keep, Table, time_delta};
use crate::cli::walk::{self, nothing_remark};
use crate::cli::{CommandError, Exit, Interrupt, Session};
use redrive::operations::{Selection, Walk, WalkOptions};
use redrive::triage::{Group, Groups};

#[derive(Serialize)]
struct GroupJson<'a> {
    cause: &'a str,
    place: Option<&'a str>,
    detail: Option<&'a str>,
    #[serde(rename = "letters")]
    messages: usize,
    verdicts: BTreeMap<&'static str, usize>,
    first_sent_at: DateTime<Utc>,
    last_sent_at: DateTime<Utc>,
    first_expires_at: DateTime<Utc>,
    sent_last_hour: usize,
    sent_hour_before: usize,
    example_message_id: &'a str,
}

pub(crate) async fn run(
    session: &Session,
    filter: FilterArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let selection = Selection::from(filter);
    let now = Utc::now();
    let work = async |walk: &mut Walk| {
        let mut groups = Groups::new(now);
        while let Some(messages) = walk.next().await? {
            for message in &messages {
                groups.add(message);
            }
        }
        Ok(groups.into_sorted())
    };
    let options = WalkOptions::default();
    let (groups, walk) =
        walk::through(session, selection, options, "looking", interrupt, work).await?;
    if session.output.is_json() {
        let groups: Vec<GroupJson<'_>> = groups.iter().map(GroupJson::from).collect();
        session.output.json(&groups)?;
    } else if groups.is_empty() && walk.selection.is_all() {
        session.output.note("no dead letters");
    } else if groups.is_empty() {
        nothing_remark(session, &walk.selection);
    } else {
        session.output.table(&table(&groups, now))?;
    }
    walk::remarks(session, &walk);
    Ok(walk::exit(session, &walk))
}

impl<'a> From<&'a Group> for GroupJson<'a> {
    fn from(group: &'a Group) -> Self {
        let verdicts = group.verdicts.iter();
        Self {
            cause: &group.key.cause,
            place: group.key.place.as_deref(),
            detail: group.key.detail.as_deref(),
            messages: group.messages,
            verdicts: verdicts
                .map(|(verdict, count)| (verdict.as_str(), *count))
                .collect(),
            first_sent_at: group.first_sent_at,
            last_sent_at: group.last_sent_at,
            first_expires_at: group.first_expires_at,
            sent_last_hour: group.sent_last_hour,
            sent_hour_before: group.sent_hour_before,
            example_message_id: &group.example,
        }
    }
}

/// The groups for people.
fn table(groups: &[Group], now: DateTime<Utc>) -> Table {
    let mut table = Table::new(&[
        ("MESSAGES", Align::Right, Keep::Always),
        ("CAUSE", Align::Left, Keep::Always),
        ("WHERE OR WHAT", Align::Left, Keep::Cut),
        ("VERDICTS", Align::Left, Keep::Cut),
        ("LAST HOUR", Align::Right, Keep::Drop(1)),
        ("HOUR BEFORE", Align::Right, Keep::Drop(2)),
        ("OLDEST", Align::Right, Keep::Drop(4)),
        ("NEWEST", Align::Right, Keep::Drop(5)),
        ("EXPIRES IN", Align::Right, Keep::Drop(3)),
    ]);
    for group in groups {
        let verdicts: Vec<String> = group
            .verdicts
            .iter()
            .map(|(verdict, count)| format!("{count} {verdict}"))
            .collect();
        let place = group.key.place.as_deref().or(group.key.detail.as_deref());
        table.row([
            &group.messages.to_string(),
            &group.key.cause,
            place.unwrap_or("-"),
            &verdicts.join(", "),
            &group.sent_last_hour.to_string(),
            &group.sent_hour_before.to_string(),
            &time_delta(now - group.first_sent_at),
            &time_delta(now - group.last_sent_at),
            &time_delta(group.first_expires_at - now),
        ]);
    }
    table
}
