//! The changes of the pipeline that the audit log of this machine has, as marks of the charts.

use chrono::{Duration, Utc};

use super::redrives::blocking;
use crate::tui::fault::Fault;
use crate::tui::format::{counted, visible};
use crate::tui::plot::Mark;
use pipeline::Pipeline;
use pipeline::audit::{AuditEntry, AuditLog, Operation};
use pipeline::environment::Folders;

/// Changes that are shown at most, the newest.
const CHANGES_MAX: usize = 300;
/// The longest time of a chart, and its columns.
const KEPT: Duration = Duration::days(8);

/// The changes of the last days, oldest first.
pub(super) async fn read(pipeline: &Pipeline) -> Result<Vec<Mark>, Fault> {
    let name = pipeline.environment().name.clone();
    let since = Utc::now() - KEPT;
    let read = move || {
        let folders = Folders::of_user().map_err(|error| error.to_string())?;
        let log = AuditLog::in_folder(folders.state());
        let trail = log.read_last(CHANGES_MAX, |change| change.environment == name);
        let entries = trail.map_err(|error| error.to_string())?.entries;
        let marks = entries.iter().filter(|entry| entry.begun_at >= since);
        Ok::<_, String>(marks.filter_map(mark).collect())
    };
    blocking(read).await?.map_err(Fault::new)
}

/// `None` for what neither sends nor removes a message.
fn mark(entry: &AuditEntry) -> Option<Mark> {
    let (sign, name) = match entry.change.operation {
        Operation::Publish => ('P', "publication"),
        Operation::Redrive => ('R', "redrive"),
        Operation::Replay => ('R', "replay"),
        Operation::Replace => ('R', "replacement"),
        Operation::MoveTask => ('R', "native redrive"),
        Operation::Delete => ('D', "deletion"),
        Operation::Purge => ('D', "purge"),
        Operation::Erase => ('D', "erasure"),
        // It leaves the messages as they are, but for their receive counts.
        Operation::Peek | Operation::Tidy => return None,
    };
    let user = entry.change.user.as_deref().map(visible);
    let by = user.map_or_else(String::new, |user| format!(" by {user}"));
    let planned = counted(entry.change.planned, "message");
    Some(Mark {
        at: entry.begun_at,
        sign,
        text: format!("{name}, {planned}{by}"),
    })
}

#[cfg(test)]
mod tests {
    use pipeline::audit::Change;

    use super::*;

    fn entry(operation: Operation) -> AuditEntry {
        AuditEntry {
            id: uuid::Uuid::nil(),
            begun_at: chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
            change: Change {
                operation,
                environment: "demo".to_owned(),
                is_production: false,
                target: "events".to_owned(),
                caller: None,
                user: Some("ana".to_owned()),
                reason: None,
                planned: 29,
                details: serde_json::Value::Null,
            },
            ended_at: None,
            ending: None,
        }
    }

    #[test]
    fn change_of_the_pipeline_is_marked_and_one_of_this_machine_is_not() {
        let redrive = mark(&entry(Operation::Redrive)).unwrap();
        assert_eq!(redrive.sign, 'R');
        assert_eq!(redrive.text, "redrive, 29 messages by ana");
        assert_eq!(mark(&entry(Operation::Purge)).unwrap().sign, 'D');
        for unmarked in [Operation::Peek, Operation::Tidy] {
            assert_eq!(mark(&entry(unmarked)), None);
        }
    }
}
