//! The redrives and saved plans of this machine at a glance, as completions of a command line need them.
//!
//! Invariant: nothing fails, and no file is read as a whole: of a journal its last frame at most.

use std::fs;
use std::path::Path;

use uuid::Uuid;

use crate::journal::{Journal, plan_file};
use crate::state::Summary;

/// A redrive whose journal is on this machine.
#[derive(Clone, Debug)]
pub struct Glance {
    /// Its id.
    pub id: Uuid,
    /// Whether a process runs it.
    pub is_running: bool,
    /// How it ended; `None` where it did not, and where that cannot be read.
    pub summary: Option<Summary>,
}

/// The newest redrives of a folder, the newest first; none where it cannot be read.
#[must_use]
pub fn newest(folder: &Path, redrives_max: usize) -> Vec<Glance> {
    let journals = Journal::list(folder).unwrap_or_default();
    let newest = journals.into_iter().take(redrives_max);
    newest
        .map(|(id, path)| Glance {
            id,
            is_running: Journal::is_running(&path).unwrap_or(false),
            summary: Journal::read_summary(&path).ok().flatten(),
        })
        .collect()
}

/// The ids of the plans that are saved in a folder, the newest first; none where it cannot be read.
#[must_use]
pub fn saved_plans(folder: &Path) -> Vec<Uuid> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let ids = names.filter_map(|name| plan_file::id_of(&name.path()));
    let mut ids: Vec<Uuid> = ids.collect();
    // Ids sort by time.
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::example;

    #[test]
    fn newest_redrives_and_plans_come_first_and_damage_hides_none() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let ids: Vec<Uuid> = (0..3)
            .map(|_| {
                let plan = example(1);
                plan_file::write_in(folder, &plan).unwrap();
                drop(Journal::create(folder, plan.clone()).unwrap());
                plan.id
            })
            .collect();
        fs::write(Journal::path_in(folder, ids[1]), "damaged").unwrap();
        fs::write(folder.join("notes.plan.json"), "{}").unwrap();
        let found: Vec<Uuid> = newest(folder, 2).iter().map(|one| one.id).collect();
        assert_eq!(found, [ids[2], ids[1]]);
        assert!(newest(folder, 9).iter().all(|one| one.summary.is_none()));
        assert_eq!(saved_plans(folder), [ids[2], ids[1], ids[0]]);
        assert!(newest(&folder.join("missing"), 9).is_empty());
        assert!(saved_plans(&folder.join("missing")).is_empty());
    }

    #[test]
    fn redrive_that_runs_is_told_from_one_that_was_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::create(folder.path(), example(1)).unwrap();
        let is_running = || newest(folder.path(), 1).iter().any(|one| one.is_running);
        assert!(is_running());
        drop(journal);
        assert!(!is_running());
    }
}
