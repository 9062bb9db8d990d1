//! The process in which jq programs run: this program again, started by
//! [`Interpreter`](super::Interpreter).
//!
//! Invariant: a worker has no environment, no terminal and no files but its pipes; it has limits of
//! memory, stack and processor time, and it ends as soon as its host has closed its input.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, setsid};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::frame::{self, Assignment, READY, Task};
use super::limits::{EVENT_TIME_MAX, MEMORY_BYTES_MAX, STACK_BYTES_MAX};
use super::program::{Compiled, RunError};

/// Address space beyond memory and stack: the program itself, its libraries, gaps.
const ADDRESS_BYTES_MORE: usize = 2 * 1024 * 1024 * 1024;
/// The variable that makes a process a worker.
const ASKED: &str = "REDRIVE_JQ_WORKER";
/// Exit code after a panic.
const PANICKED: i32 = 101;

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
    let mut input = BufReader::with_capacity(64 * 1024, input);
    let assignment = frame::read(&mut input)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let assignment: Assignment = serde_json::from_slice(&assignment)?;
    let compile = |text: &str| Compiled::of(text).map_err(io::Error::other);
    let program = compile(&assignment.program)?;
    // What a program that changes nothing writes shows a change apart from another layout.
    let identity = compile(".")?;
    confine()?;
    let work = move || {
        let answer_all = AssertUnwindSafe(|| match assignment.task {
            Task::Select => answer_all(input, output, |body| program.selects(body)),
            Task::Patch => answer_all(input, output, |body| change(&program, &identity, body)),
        });
        std::process::exit(match catch_unwind(answer_all) {
            Ok(Ok(())) => 0,
            Ok(Err(_)) => 1,
            Err(_) => PANICKED,
        });
    };
    let thread = thread::Builder::new().name("jq".to_owned());
    thread.stack_size(STACK_BYTES_MAX).spawn(work)?;
    // Also while a program runs: the host ends the worker by closing its input, or by ending.
    let mut input = [PollFd::new(&host, PollFlags::empty())];
    loop {
        match poll(&mut input, None) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
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

/// Answers each event as soon as it can: where this process ends, the host knows on which one.
fn answer_all<T: Serialize>(
    mut input: BufReader<File>,
    mut output: File,
    work: impl Fn(&str) -> Result<T, RunError>,
) -> io::Result<()> {
    output.write_all(READY)?;
    while let Some(body) = frame::read(&mut input)? {
        limit_time()?;
        let answer = match str::from_utf8(&body) {
            Ok(body) => work(body),
            Err(_) => Err(RunError::NotJson),
        };
        frame::write(&mut output, &serde_json::to_vec(&answer)?)?;
    }
    Ok(())
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
