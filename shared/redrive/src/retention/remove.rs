//! Removes one item.
//!
//! Invariant: an item goes as it was decided about, or stays whole: a file that changed since, that
//! another process has locked, or that is no regular file any more stops the removal before it
//! begins.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::{StateFile, StateItem};
use crate::error::RedriveError;

/// Removes the files of an item, the journal of a redrive last.
///
/// # Errors
/// When a file may not or cannot be removed. Only the second leaves a part of the item behind.
pub fn remove(item: &StateItem) -> Result<(), RedriveError> {
    // The locks are kept until all files are gone.
    let _locked: Vec<File> = item.files.iter().map(lock).collect::<Result<_, _>>()?;
    for file in &item.files {
        fs::remove_file(&file.path).map_err(RedriveError::file("remove", &file.path))?;
    }
    Ok(())
}

/// Locks a file that is as it was found.
pub(super) fn lock(expected: &StateFile) -> Result<File, RedriveError> {
    let path = expected.path.as_path();
    let failed = RedriveError::file("remove", path);
    let changed = || failed(io::Error::other("it was changed meanwhile"));
    if !is_as_found(expected, path).map_err(&failed)? {
        return Err(changed());
    }
    let file = File::open(path).map_err(&failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(failed(io::Error::other("another process uses it")));
        }
        Err(TryLockError::Error(cause)) => return Err(failed(cause)),
    }
    // Between the look and the lock somebody may have written.
    if is_as_found(expected, path).map_err(&failed)? {
        Ok(file)
    } else {
        Err(changed())
    }
}

fn is_as_found(expected: &StateFile, path: &Path) -> io::Result<bool> {
    let folder_is_link = match path.parent() {
        Some(folder) => folder.symlink_metadata()?.is_symlink(),
        None => false,
    };
    let found = path.symlink_metadata()?;
    Ok(!folder_is_link
        && found.is_file()
        && found.len() == expected.bytes
        && DateTime::<Utc>::from(found.modified()?) == expected.changed_at)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;
    use crate::journal::{ControlFile, ControlRequest, Journal, plan_file};
    use crate::message::Original;
    use crate::plan::example as plan;
    use crate::retention::{ItemKind, Standing, find};
    use crate::state::fact::{Confirmed, Ending, Fact, Intended};
    use pipeline::environment::Folders;

    struct Place {
        folders: Folders,
        folder: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let folders = Folders::at(folder.path().join("config"), folder.path().join("state"));
            for folder in [folders.redrives(), folders.exports()] {
                fs::create_dir_all(folder).unwrap();
            }
            Self { folders, folder }
        }

        fn find(&self) -> Vec<StateItem> {
            find(&self.folders, Utc::now()).unwrap()
        }

        fn standings(&self) -> Vec<(ItemKind, Standing)> {
            let items = self.find().into_iter();
            items.map(|item| (item.kind, item.standing)).collect()
        }

        fn only(&self) -> StateItem {
            let items = self.find();
            let [item] = items.as_slice() else {
                panic!("{items:?}");
            };
            item.clone()
        }

        /// A redrive of one message with its plan and a control file, moved or not.
        fn redrive(&self, is_moved: bool) -> PathBuf {
            let plan = plan(1);
            plan_file::write_in(&self.folders.redrives(), &plan).unwrap();
            let (mut journal, _) = Journal::create(&self.folders.redrives(), plan.clone()).unwrap();
            if is_moved {
                journal.append(&moved()).unwrap();
            }
            let path = journal.path().to_owned();
            let control_file = ControlFile::beside(&path);
            control_file.send(ControlRequest::Pause).unwrap();
            path
        }

        fn write(&self, name: &str, age_hours: i64) -> PathBuf {
            let path = self.folder.path().join("state").join(name);
            fs::write(&path, "x").unwrap();
            let changed_at: DateTime<Utc> = Utc::now() - TimeDelta::hours(age_hours);
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(changed_at.into()).unwrap();
            path
        }
    }

    /// The facts of a redrive that moved its only message.
    fn moved() -> Vec<Fact> {
        let original = Original {
            body: "body 0".to_owned(),
            attributes: BTreeMap::new(),
            group_id: None,
            trace_header: None,
        };
        let intended = Intended {
            index: 0,
            receipt_handle: Some("r".to_owned()),
            original,
        };
        let confirmed = Confirmed {
            index: 0,
            sent_message_id: "s".to_owned(),
        };
        vec![
            Fact::Intended {
                messages: vec![intended],
            },
            Fact::Confirmed {
                messages: vec![confirmed],
            },
            Fact::Deleted { indexes: vec![0] },
            Fact::Ended {
                how: Ending::Finished,
                looked_up: None,
                unreleased: Vec::new(),
            },
        ]
    }

    #[test]
    fn finished_redrive_goes_with_its_plan_and_control_files() {
        let place = Place::new();
        place.redrive(true);
        let item = place.only();
        assert_eq!(
            (item.kind, &item.standing),
            (ItemKind::Redrive, &Standing::Finished)
        );
        assert_eq!(item.files.len(), 3);
        assert!(item.bytes() > 0);
        remove(&item).unwrap();
        assert_eq!(place.find(), []);
        let left = fs::read_dir(place.folders.redrives()).unwrap().count();
        assert_eq!(left, 0);
    }

    #[test]
    fn what_is_left_to_do_is_named() {
        let place = Place::new();
        place.redrive(false);
        let unfinished = |reason: &str| Standing::Unfinished(reason.to_owned());
        let stopped = unfinished("1 of 1 message not moved");
        assert_eq!(place.standings(), [(ItemKind::Redrive, stopped.clone())]);

        let plan = plan(2);
        plan_file::write_in(&place.folders.redrives(), &plan).unwrap();
        assert_eq!(
            place.standings(),
            [
                (ItemKind::Plan, Standing::Planned),
                (ItemKind::Redrive, stopped)
            ]
        );
        let (journal, _) = Journal::create(&place.folders.redrives(), plan.clone()).unwrap();
        let running = (ItemKind::Redrive, unfinished("it runs in another process"));
        assert!(place.standings().contains(&running));
        drop(journal);
        fs::write(
            place
                .folders
                .redrives()
                .join(format!("{}.journal", Uuid::now_v7())),
            "x\n",
        )
        .unwrap();
        let damaged = place.find().into_iter().filter(|item| {
            matches!(&item.standing, Standing::Unfinished(reason) if reason.contains("damaged"))
        });
        assert_eq!(damaged.count(), 1, "what cannot be read is not judged");
    }

    #[test]
    fn exports_and_files_without_a_writer_are_finished() {
        let place = Place::new();
        let id = Uuid::now_v7();
        place.write(&format!("exports/events.dead.{id}.jsonl"), 0);
        place.write("exports/.tmpAb12Cd", 25);
        place.write("redrives/.tmpAb12Ce", 23);
        let standings = place.standings();
        assert_eq!(standings[0], (ItemKind::Export, Standing::Finished));
        assert_eq!(standings[1], (ItemKind::Temporary, Standing::Finished));
        assert!(matches!(standings[2].1, Standing::Unfinished(_)));
        assert_eq!(standings.len(), 3);
    }

    #[test]
    fn names_that_are_not_ours_are_not_found() {
        let place = Place::new();
        let id = Uuid::now_v7();
        for name in [
            "redrives/notes.txt".to_owned(),
            format!("redrives/{id}"),
            format!("redrives/{id}.journal.bak"),
            format!("redrives/{}.journal", id.simple()),
            format!("redrives/{}.plan.json", id.to_string().to_uppercase()),
            "redrives/mine.journal".to_owned(),
            format!("exports/.{id}.jsonl"),
            format!("exports/queue.{id}.json"),
            "exports/queue.jsonl".to_owned(),
            "exports/.tmp12345".to_owned(),
            "exports/.tmp-12345".to_owned(),
            format!("{id}.journal"),
        ] {
            place.write(&name, 1_000);
        }
        fs::create_dir(place.folders.redrives().join(format!("{id}.plan.json"))).unwrap();
        assert_eq!(place.find(), []);
    }

    #[cfg(unix)]
    #[test]
    fn symbolic_links_are_neither_found_nor_followed() {
        use std::os::unix::fs::symlink;
        let place = Place::new();
        let precious = place.folder.path().join("precious");
        fs::write(&precious, "x").unwrap();
        let link = place
            .folders
            .redrives()
            .join(format!("{}.journal", Uuid::now_v7()));
        symlink(&precious, &link).unwrap();
        assert_eq!(place.find(), []);

        // The file is exchanged for a link, or its folder is, after it was found.
        let export = place.write(&format!("exports/q.{}.jsonl", Uuid::now_v7()), 0);
        let item = place.only();
        fs::rename(&export, &precious).unwrap();
        symlink(&precious, &export).unwrap();
        assert!(remove(&item).is_err());
        fs::rename(&precious, &export).unwrap();
        let elsewhere = place.folder.path().join("elsewhere");
        fs::rename(place.folders.exports(), &elsewhere).unwrap();
        symlink(&elsewhere, place.folders.exports()).unwrap();
        assert!(remove(&item).is_err());
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
        let error = find(&place.folders, Utc::now()).unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
    }

    #[test]
    fn item_that_is_used_or_changed_since_stays_whole() {
        let place = Place::new();
        let path = place.redrive(true);
        let item = place.only();
        let (mut journal, _) = Journal::open(&path).unwrap();
        let error = remove(&item).unwrap_err().to_string();
        assert!(error.contains("another process uses it"), "{error}");
        let paused = Fact::Paused {
            why: "look".to_owned(),
        };
        journal.append(&[paused]).unwrap();
        drop(journal);
        let error = remove(&item).unwrap_err().to_string();
        assert!(error.contains("changed meanwhile"), "{error}");
        assert_eq!(place.only().files.len(), 3);
    }
}
