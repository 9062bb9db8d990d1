//! The journal of one redrive: a file that only grows.
//!
//! Invariant: an append that returned is on the disk; after an append that failed the journal
//! accepts no more. At most one process has a journal open for writing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use chrono::Utc;
use uuid::Uuid;

use super::frame::{
    FrameToWrite, Frames, PlannedToWrite, SCHEMA_VERSION, SCHEMA_VERSION_WITH_RECEIVES, encode,
    last_summary, megabytes,
};
use super::unread::unread;
use crate::error::RedriveError;
use crate::limits::{FRAME_BYTES_MAX, LOCK_ATTEMPTS_MAX, LOCK_WAIT, SUMMARY_BYTES_MAX};
use crate::plan::Plan;
use crate::state::fact::Fact;
use crate::state::{State, Summary};
use pipeline::environment::Folders;
use pipeline::sync_names;

/// Where the bytes of a journal go: a file, or in tests one that fails.
pub trait Storage: Send {
    /// Appends bytes; returns when they are on the disk.
    ///
    /// # Errors
    /// When they may not be.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Storage for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.sync_data()
    }
}

/// A journal that this process writes.
pub struct Journal {
    storage: Box<dyn Storage>,
    sequence: u64,
    is_broken: bool,
    path: PathBuf,
}

impl Journal {
    /// The folder of this user's journals.
    ///
    /// # Errors
    /// When there is no home folder.
    pub fn folder_of_user() -> Result<PathBuf, RedriveError> {
        Ok(Folders::of_user()?.redrives())
    }

    /// Where the journal of a redrive is, in a folder.
    #[must_use]
    pub fn path_in(folder: &Path, id: Uuid) -> PathBuf {
        folder.join(format!("{id}.journal"))
    }

    /// Begins the journal of a plan in a folder, which is made if it is missing.
    ///
    /// # Errors
    /// When there is a journal of this plan already, or when it cannot be written.
    pub fn create(
        folder: &Path,
        plan: impl Into<Arc<Plan>>,
    ) -> Result<(Self, State), RedriveError> {
        Self::create_with(folder, plan, |file| Box::new(file))
    }

    /// Like [`Self::create`], with other storage around its file, such as one that fails in a test.
    ///
    /// # Errors
    /// Like [`Self::create`].
    pub fn create_with(
        folder: &Path,
        plan: impl Into<Arc<Plan>>,
        storage: impl FnOnce(File) -> Box<dyn Storage>,
    ) -> Result<(Self, State), RedriveError> {
        let plan = plan.into();
        plan.check()?;
        let header = header(&plan, FRAME_BYTES_MAX)?;
        let path = Self::path_in(folder, plan.id);
        let failed = RedriveError::file("begin journal", &path);
        fs::create_dir_all(folder).map_err(&failed)?;
        let file = begin(&path)?;
        let mut journal = Self {
            storage: storage(file),
            sequence: 1,
            is_broken: false,
            path: path.clone(),
        };
        let written = journal.storage.append(&header);
        written.map_err(|error| journal.stopped(&error))?;
        sync_names(folder).map_err(&failed)?;
        Ok((journal, State::new(plan)))
    }

    /// Opens a journal to continue it. A frame that a crash cut short is removed.
    ///
    /// # Errors
    /// When another process runs it, when it is damaged, or when it cannot be read and written.
    pub fn open(path: &Path) -> Result<(Self, State), RedriveError> {
        let failed = RedriveError::file("open journal", path);
        let mut file = options().open(path).map_err(&failed)?;
        lock(&file, path)?;
        let read = read(&file, path)?;
        if read.is_torn {
            file.set_len(read.good_bytes).map_err(&failed)?;
            file.sync_data().map_err(&failed)?;
        }
        file.seek(SeekFrom::Start(read.good_bytes))
            .map_err(&failed)?;
        let journal = Self {
            storage: Box::new(file),
            sequence: read.sequence,
            is_broken: false,
            path: path.to_owned(),
        };
        Ok((journal, read.state))
    }

    /// Reads a journal without opening it for writing; its redrive may be running.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub fn read(path: &Path) -> Result<State, RedriveError> {
        let file = File::open(path).map_err(RedriveError::file("read journal", path))?;
        Ok(read(&file, path)?.state)
    }

    /// Whether a process has the journal open for writing: its redrive runs.
    ///
    /// # Errors
    /// When the journal cannot be looked at.
    pub fn is_running(path: &Path) -> Result<bool, RedriveError> {
        let failed = RedriveError::file("look at journal", path);
        let file = File::open(path).map_err(&failed)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    /// The journals in a folder, the newest first: their names sort by time.
    ///
    /// # Errors
    /// When the folder cannot be read. One that does not exist is empty.
    pub fn list(folder: &Path) -> Result<Vec<(Uuid, PathBuf)>, RedriveError> {
        let failed = RedriveError::file("list journals in", folder);
        let names = match fs::read_dir(folder) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut journals = Vec::new();
        for name in names {
            let path = name.map_err(&failed)?.path();
            let id = path.file_stem().and_then(|stem| stem.to_str());
            if path.extension().is_some_and(|end| end == "journal")
                && let Some(Ok(id)) = id.map(str::parse)
            {
                journals.push((id, path));
            }
        }
        journals.sort_unstable_by(|a, b| b.cmp(a));
        Ok(journals)
    }

    /// The path of its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends facts; they are on the disk when this returns.
    ///
    /// # Errors
    /// When they may not be on the disk; the journal accepts no more then.
    pub fn append(&mut self, facts: &[Fact]) -> Result<(), RedriveError> {
        self.append_with(facts, None)
    }

    /// Like [`Self::append`]; the last frame has the summary of the redrive too.
    pub(super) fn append_with(
        &mut self,
        facts: &[Fact],
        summary: Option<&Summary>,
    ) -> Result<(), RedriveError> {
        if self.is_broken {
            return Err(RedriveError::Stopped("an earlier write failed".to_owned()));
        }
        let written = self.write(facts, summary);
        self.is_broken = written.is_err();
        written.map_err(|error| self.stopped(&error))
    }

    fn write(&mut self, facts: &[Fact], summary: Option<&Summary>) -> io::Result<()> {
        let at = Utc::now();
        let mut bytes = Vec::new();
        for (number, fact) in facts.iter().enumerate() {
            let frame = FrameToWrite {
                sequence: self.sequence,
                at,
                fact,
                summary: summary.filter(|_| number + 1 == facts.len()),
            };
            bytes.extend(encode(&frame, FRAME_BYTES_MAX)?);
            self.sequence += 1;
        }
        self.storage.append(&bytes)
    }

    fn stopped(&self, error: &io::Error) -> RedriveError {
        RedriveError::Stopped(format!("{}: {error}", self.path.display()))
    }

    /// What the journal of an ended redrive has in its last frame, without reading the others.
    /// `None` where it has no such frame, as while the redrive runs and after a crash.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read_summary(path: &Path) -> Result<Option<Summary>, RedriveError> {
        let failed = RedriveError::file("read journal", path);
        let mut file = File::open(path).map_err(&failed)?;
        let length = file.metadata().map_err(&failed)?.len();
        let begin = length.saturating_sub(SUMMARY_BYTES_MAX);
        let mut last = Vec::new();
        file.seek(SeekFrom::Start(begin))
            .and_then(|_| file.take(SUMMARY_BYTES_MAX).read_to_end(&mut last))
            .map_err(&failed)?;
        Ok(last_summary(&last))
    }
}

/// The first line of a journal. A plan that is too large for one is refused with what helps.
fn header(plan: &Plan, bytes_max: usize) -> Result<Vec<u8>, RedriveError> {
    let frame = FrameToWrite {
        sequence: 0,
        at: Utc::now(),
        fact: &PlannedToWrite {
            schema_version: SCHEMA_VERSION,
            plan,
        },
        summary: None,
    };
    encode(&frame, bytes_max).map_err(|error| {
        let edited = plan.entries.iter().filter(|entry| entry.edit.is_some());
        RedriveError::plan(format!(
            "its journal would have the bodies of {} edits before and after, which do not fit \
             ({error}; limit {}): plan fewer messages at once",
            edited.count(),
            megabytes(bytes_max)
        ))
    })
}

/// The file of a new journal, empty and locked. One that has no plan yet is used again: nothing was
/// sent under it.
fn begin(path: &Path) -> Result<File, RedriveError> {
    let failed = RedriveError::file("begin journal", path);
    match options().create_new(true).open(path) {
        Ok(file) => {
            lock(&file, path)?;
            return Ok(file);
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let mut file = options().open(path).map_err(&failed)?;
    lock(&file, path)?;
    match read(&file, path) {
        Ok(_) => Err(RedriveError::Begun(path.to_owned())),
        Err(RedriveError::Empty(_)) => {
            file.set_len(0)
                .and_then(|()| file.rewind())
                .map_err(failed)?;
            Ok(file)
        }
        Err(error) => Err(error),
    }
}

/// The content of a file.
struct Read {
    state: State,
    sequence: u64,
    good_bytes: u64,
    is_torn: bool,
}

fn read(file: &File, path: &Path) -> Result<Read, RedriveError> {
    let damaged = |offset, detail: String| RedriveError::Damaged {
        path: path.to_owned(),
        offset,
        detail,
    };
    let newer = |detail| RedriveError::Newer {
        path: path.to_owned(),
        detail,
    };
    let unread = unread(path);
    let mut frames = Frames::new(BufReader::new(file));
    let Some(header) = frames.next_frame().map_err(&unread)? else {
        return Err(RedriveError::Empty(path.to_owned()));
    };
    let Fact::Planned {
        schema_version,
        plan,
    } = header.fact
    else {
        return Err(damaged(0, "the first frame is no plan".to_owned()));
    };
    if schema_version > SCHEMA_VERSION {
        let detail = format!(
            "schema version {schema_version}; this one reads versions up to {SCHEMA_VERSION}"
        );
        return Err(newer(detail));
    }
    plan.check()?;
    let mut state = State::new(*plan);
    if schema_version < SCHEMA_VERSION_WITH_RECEIVES {
        state = state.without_receives();
    }
    loop {
        let offset = frames.good_bytes();
        let Some(frame) = frames.next_frame().map_err(&unread)? else {
            break;
        };
        state
            .apply(&frame.fact)
            .map_err(|error| damaged(offset, error.to_string()))?;
    }
    Ok(Read {
        state,
        sequence: frames.sequence(),
        good_bytes: frames.good_bytes(),
        is_torn: frames.is_torn(),
    })
}

/// For this user alone: the journal contains the bodies of events.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// The kernel drops the lock with the process, however that ends.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing can be waited for: the kernel reports no unlocking to those who only try"
)]
fn lock(file: &File, path: &Path) -> Result<(), RedriveError> {
    for _ in 0..LOCK_ATTEMPTS_MAX {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            // It may be for a moment: others look whether it runs, and a process that is being started
            // has the files of its parent until it runs its own program.
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_WAIT),
            Err(TryLockError::Error(cause)) => {
                return Err(RedriveError::file("lock journal", path)(cause));
            }
        }
    }
    Err(RedriveError::InUse(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::example;
    use crate::state::fact::MessageCause;

    fn not_tried(index: usize) -> Fact {
        Fact::NotTried {
            messages: vec![MessageCause::passing(index, "because")],
        }
    }

    #[test]
    fn torn_end_is_cut_and_the_journal_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::create(folder.path(), example(3)).unwrap();
        let path = journal.path().to_owned();
        journal.append(&[not_tried(0)]).unwrap();
        journal.append(&[not_tried(1)]).unwrap();
        drop(journal);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
        let (mut journal, state) = Journal::open(&path).unwrap();
        assert_eq!(state.counts().not_sent, 1);
        journal.append(&[not_tried(2)]).unwrap();
        drop(journal);
        let state = Journal::read(&path).unwrap();
        assert_eq!((state.counts().waiting, state.counts().not_sent), (1, 2));
    }

    #[test]
    fn damage_names_its_offset_and_cuts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::create(folder.path(), example(1)).unwrap();
        let path = journal.path().to_owned();
        let begin = fs::metadata(&path).unwrap().len();
        journal.append(&[not_tried(0)]).unwrap();
        drop(journal);
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 5;
        bytes[last] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = Journal::open(&path).map(|_| ()).unwrap_err();
        assert!(
            matches!(error, RedriveError::Damaged { offset, .. } if offset == begin),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn second_process_and_second_begin_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let plan = example(1);
        let (journal, _) = Journal::create(folder.path(), plan.clone()).unwrap();
        let path = journal.path().to_owned();
        let error = Journal::open(&path).map(|_| ()).unwrap_err();
        assert!(matches!(error, RedriveError::InUse(_)), "{error}");
        assert!(Journal::is_running(&path).unwrap());
        let again = || Journal::create(folder.path(), plan.clone()).map(|_| ());
        assert!(matches!(again(), Err(RedriveError::InUse(_))));
        Journal::read(&path).unwrap();
        drop(journal);
        assert!(!Journal::is_running(&path).unwrap());
        assert_eq!(
            Journal::list(folder.path()).unwrap(),
            [(plan.id, path.clone())]
        );
        assert!(matches!(again(), Err(RedriveError::Begun(_))));
        Journal::open(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn journal_without_its_plan_says_so_and_is_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let plan = example(1);
        let (journal, _) = Journal::create(folder.path(), plan.clone()).unwrap();
        let path = journal.path().to_owned();
        drop(journal);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..40]).unwrap();
        let error = Journal::open(&path).map(|_| ()).unwrap_err();
        assert!(matches!(error, RedriveError::Empty(_)), "{error}");
        drop(Journal::create(folder.path(), plan.clone()).unwrap());
        assert_eq!(**Journal::read(&path).unwrap().plan(), plan);
    }

    #[test]
    fn journal_of_a_newer_version_is_not_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::create(folder.path(), example(1)).unwrap();
        let path = journal.path().to_owned();
        journal.append(&[not_tried(0)]).unwrap();
        drop(journal);
        let whole = fs::read_to_string(&path).unwrap();
        let line = |json: &str| {
            format!(
                "{:08x} {:08x} {json}\n",
                json.len(),
                crc32fast::hash(json.as_bytes())
            )
        };
        let [header, fact] = whole.lines().collect::<Vec<_>>()[..] else {
            panic!("{whole}")
        };
        let later =
            header
                .split_at(18)
                .1
                .replacen("\"schema_version\":2", "\"schema_version\":9", 1);
        let unknown = fact.split_at(18).1.replace("not_tried", "sent_by_pigeon");
        for text in [line(&later), format!("{header}\n{}", line(&unknown))] {
            fs::write(&path, text).unwrap();
            let error = Journal::read(&path).unwrap_err();
            assert!(matches!(error, RedriveError::Newer { .. }), "{error}");
            assert!(error.to_string().contains("newer version"), "{error}");
        }
    }

    #[test]
    fn lock_that_is_only_looked_at_is_waited_for_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::create(folder.path(), example(1)).unwrap();
        let path = journal.path().to_owned();
        drop(journal);
        let other = File::open(&path).unwrap();
        other.lock_shared().unwrap();
        let error = Journal::open(&path).map(|_| ()).unwrap_err();
        assert!(matches!(error, RedriveError::InUse(_)), "{error}");
        drop(other);
        Journal::open(&path).unwrap();
    }

    #[test]
    fn plan_that_does_not_fit_into_a_journal_is_refused_with_what_helps() {
        let plan = example(3);
        let length = header(&plan, FRAME_BYTES_MAX).unwrap().len();
        let error = header(&plan, length / 2).unwrap_err();
        assert!(matches!(error, RedriveError::Plan(_)), "{error}");
        assert!(error.to_string().contains("plan fewer messages"), "{error}");
        assert!(!error.to_string().contains("  "), "{error}");
    }

    #[test]
    fn journal_of_version_1_has_no_receives_and_one_of_now_has_them() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
        let old = Path::new(folder).join("journal-1.journal");
        assert!(!Journal::read(&old).unwrap().has_receives());
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::create(folder.path(), example(1)).unwrap();
        assert!(Journal::read(journal.path()).unwrap().has_receives());
    }
}
