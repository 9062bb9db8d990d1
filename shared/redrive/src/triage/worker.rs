//! The process in which jq programs run: this program again, started by
//! [`Interpreter`](super::Interpreter).
//!
//! Invariant: a worker has no environment, no terminal and no files but its pipes; it has limits of
//! memory, stack and processor time, and it ends as soon as its host has closed its input.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, setsid};
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::Serialize;

use super::frame::{self, Assignment, READY, Task};
use super::limits::{EVENT_TIME_MAX, MEMORY_BYTES_MAX, STACK_BYTES_MAX};
use super::program::{Compiled, RunError};

/// Address space beyond memory and stack: the program itself, its libraries, gaps.
const ADDRESS_BYTES_MORE: usize = 2 * 1024 * 1024 * 1024;
/// The variable that makes a process a worker.
const ASKED: &str = "REDRIVE_JQ_WORKER";
/// No answer waits longer, also while a program takes its time on the next event.
const FLUSHED_EVERY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// How this program is started so that it reaches [`enter_if_asked`].
static ENTRY: OnceLock<&'static [&'static str]> = OnceLock::new();

/// Makes this program one that can run jq programs; called first in `main`. In a process that was
/// started to run one it never returns.
pub fn enter_if_asked() {
    enter_if_asked_by(&[]);
}

/// [`enter_if_asked`] for a program that reaches it only with arguments, such as one test of a test
/// binary.
pub fn enter_if_asked_by(arguments: &'static [&'static str]) {
    if std::env::var_os(ASKED).is_some() {
        let code = match serve() {
            Ok(()) => 0,
            Err(error) => {
                let _ = writeln!(io::stderr(), "jq worker: {error}");
                1
            }
        };
        std::process::exit(code);
    }
    let _ = ENTRY.set(arguments);
}

/// How a worker of this program is started: the executable, its arguments and its environment.
/// `None` where `main` does not call [`enter_if_asked`].
pub(super) fn command() -> Option<io::Result<(PathBuf, Vec<OsString>, &'static str)>> {
    let arguments = ENTRY.get()?;
    // Stays what it is when the file is replaced by a newer version.
    let path = match cfg!(target_os = "linux") {
        true => Ok(PathBuf::from("/proc/self/exe")),
        false => std::env::current_exe(),
    };
    Some(path.map(|path| (path, arguments.iter().map(OsString::from).collect(), ASKED)))
}

fn serve() -> io::Result<()> {
    // Fails for the leader of a group, which has no terminal that it could lose.
    let _ = setsid();
    limit(Resource::Core, 0)?;
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let host = input.try_clone()?;
    let output = Arc::new(Mutex::new(BufWriter::new(output)));
    let answers = Arc::clone(&output);
    let mut input = BufReader::with_capacity(64 * 1024, input);
    let assignment = frame::read(&mut input)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let assignment: Assignment = serde_json::from_slice(&assignment)?;
    let compile = |text: &str| Compiled::of(text).map_err(io::Error::other);
    let program = compile(&assignment.program)?;
    // What a program that changes nothing writes shows a change apart from another layout.
    let identity = compile(".")?;
    confine()?;
    // What is wrong with a program is its answer.
    std::panic::set_hook(Box::new(|_| {}));
    let is_careful = assignment.is_careful;
    let work = move || {
        let ended = match assignment.task {
            Task::Select => answer_all(input, &answers, is_careful, |body| program.selects(body)),
            Task::Patch => {
                let work = |body: &str| change(&program, &identity, body);
                answer_all(input, &answers, is_careful, work)
            }
        };
        std::process::exit(i32::from(ended.is_err()));
    };
    let thread = thread::Builder::new().name("jq".to_owned());
    thread.stack_size(STACK_BYTES_MAX).spawn(work)?;
    // Also while a program runs: the host ends the worker by closing its input, or by ending.
    let mut input = [PollFd::new(&host, PollFlags::empty())];
    loop {
        match poll(&mut input, Some(&FLUSHED_EVERY)) {
            Ok(0) => locked(&output).flush()?,
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The new body, or `None` where only the layout would differ.
fn change(program: &Compiled, identity: &Compiled, body: &str) -> Result<Option<String>, RunError> {
    let new_body = program.patch(body)?;
    let is_same = identity.patch(body).as_ref() == Ok(&new_body);
    Ok((!is_same).then_some(new_body))
}

/// Answers each event. Answers wait while there are more events, unless the worker is careful.
fn answer_all<T: Serialize>(
    mut input: BufReader<File>,
    output: &Mutex<BufWriter<File>>,
    is_careful: bool,
    work: impl Fn(&str) -> Result<T, RunError>,
) -> io::Result<()> {
    locked(output).write_all(READY)?;
    locked(output).flush()?;
    while let Some(body) = frame::read(&mut input)? {
        limit_time()?;
        let answer = catch_unwind(AssertUnwindSafe(|| match str::from_utf8(&body) {
            Ok(body) => work(body),
            Err(_) => Err(RunError::NotJson),
        }));
        let failed = |_| Err(RunError::Failed("the interpreter fails on it".to_owned()));
        let answer = serde_json::to_vec(&answer.unwrap_or_else(failed))?;
        let mut output = locked(output);
        frame::write(&mut *output, &answer)?;
        if is_careful || input.buffer().is_empty() {
            output.flush()?;
        }
    }
    Ok(())
}

fn locked(output: &Mutex<BufWriter<File>>) -> MutexGuard<'_, BufWriter<File>> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}

/// No files, no other programs, and so much memory.
fn confine() -> io::Result<()> {
    let memory = MEMORY_BYTES_MAX + STACK_BYTES_MAX;
    limit(Resource::Data, memory as u64)?;
    // Where `Data` does not count what is mapped.
    limit(Resource::As, (memory + ADDRESS_BYTES_MORE) as u64)?;
    limit(Resource::Fsize, 0)?;
    // Standard input is open, and `poll` takes as many as may be.
    limit(Resource::Nofile, 1)
}

/// Sets the time of the processor for the next event.
fn limit_time() -> io::Result<()> {
    let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec;
    let limit_secs = u64::try_from(used).unwrap_or(0) + EVENT_TIME_MAX.as_secs() + 1;
    let maximum = getrlimit(Resource::Cpu).maximum;
    let current = Some(maximum.map_or(limit_secs, |maximum| maximum.min(limit_secs)));
    Ok(setrlimit(Resource::Cpu, Rlimit { current, maximum })?)
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let before = getrlimit(resource).maximum;
    let most = Some(before.map_or(most, |before| before.min(most)));
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    Ok(setrlimit(resource, limit)?)
}
