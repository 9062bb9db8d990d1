//! Runs a jq program over the events of messages, in a process of its own.
//!
//! Invariant: each message gets exactly one answer, in their order. A program that reaches a limit
//! costs the message on which it did so, and ends its worker, never this process; a worker does not
//! outlive its [`Interpreter`].

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::frame::{self, Assignment, READY, Task};
use super::limits::ANSWER_TIME_MAX;
use super::program::{Limit, Program, RunError};
use super::worker;
use pipeline::Body;

/// Limit of the start of a worker, until it is ready.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Limit of what is still to be read of a worker that has ended.
const END_LIMIT: Duration = Duration::from_secs(2);
/// What is read of a worker before it is ready, in bytes.
const PREAMBLE_BYTES_MAX: usize = 4 * 1024;
/// What is read of the last words of a worker, in bytes.
const LAST_WORDS_BYTES_MAX: u64 = 4 * 1024;
/// Events that are sent to a worker together.
const BATCH_EVENTS_MAX: usize = 256;
/// Bytes of events that are sent together, unless one alone has more.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Workers that a program may end; on the remaining messages it is not run.
const ENDED_MAX: usize = 2;
/// Signal for too much processor time (POSIX `SIGXCPU`).
const SIGNAL_TIME: i32 = 24;

/// Why a program cannot be run at all.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// A defect of the program that uses this crate.
    #[error("jq programs cannot run here: `main` has to begin with `triage::enter_if_asked()`")]
    NoEntry,
    /// The worker cannot be started.
    #[error("start the process for the jq program: {0}")]
    Start(#[source] io::Error),
    /// The limit for all messages together was reached.
    #[error("the program takes more than {} s", .0.as_secs())]
    TooSlow(Duration),
    /// A defect of this crate.
    #[error("the process for the jq program sent an answer that is not valid: {0}")]
    Answer(#[source] io::Error),
    /// A task of this process failed.
    #[error("the task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// A program and the worker that runs it, which is started when it is needed.
///
/// ```
/// use redrive::triage::{Interpreter, InterpreterError, Program};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let program = Program::compile(".type == \"flight.delayed\"").unwrap();
/// let answers = Interpreter::selecting(&program).run(vec!["{}".into()]).await;
/// // The `main` of this example does not call `enter_if_asked`.
/// assert!(matches!(answers, Err(InterpreterError::NoEntry)));
/// # }
/// ```
#[derive(Debug)]
pub struct Interpreter<T> {
    assignment: Assignment,
    worker: Option<Worker>,
    /// Workers that the program has ended.
    ended: usize,
    answer: PhantomData<fn() -> T>,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    errors: ChildStderr,
}

/// Events that are sent together.
struct Batch {
    frames: Vec<u8>,
    /// Where each frame begins.
    offsets: Vec<usize>,
    /// By message: its frame, or why there is none.
    frame_of: Vec<Result<(), RunError>>,
}

/// How the answers to a batch ended.
enum BatchEnd {
    /// They are all there.
    Answered,
    /// The worker has ended.
    Exited,
    /// The next one did not come in time.
    Late,
}

impl Interpreter<bool> {
    /// Whether the program's first result on an event is neither `false` nor `null`. A body in an
    /// SNS envelope is looked into.
    #[must_use]
    pub fn selecting(program: &Program) -> Self {
        Self::new(Task::Select, program)
    }
}

impl Interpreter<Option<String>> {
    /// The event as the program changes it: compact JSON, members in their order, numbers that
    /// were not touched as they were written. Out of an SNS envelope comes the bare event. `None`
    /// where the event stays as it is but for its layout.
    #[must_use]
    pub fn patching(program: &Program) -> Self {
        Self::new(Task::Patch, program)
    }
}

impl<T: DeserializeOwned> Interpreter<T> {
    fn new(task: Task, program: &Program) -> Self {
        let program = program.text().to_owned();
        Self {
            assignment: Assignment {
                task,
                is_careful: false,
                program,
            },
            worker: None,
            ended: 0,
            answer: PhantomData,
        }
    }

    /// The answer of the program for each body.
    ///
    /// # Errors
    /// When no worker can be started. What goes wrong with one message is an answer.
    pub async fn run(
        &mut self,
        bodies: Vec<Body>,
    ) -> Result<Vec<Result<T, RunError>>, InterpreterError> {
        let mut answers = Vec::with_capacity(bodies.len());
        let mut bodies = bodies.into_iter().peekable();
        while bodies.peek().is_some() {
            let mut batch_bodies = Vec::new();
            let mut bytes = 0;
            while let Some(body) = bodies.next_if(|body| {
                let is_small = bytes + body.bytes() <= BATCH_BYTES_MAX;
                batch_bodies.is_empty() || (batch_bodies.len() < BATCH_EVENTS_MAX && is_small)
            }) {
                bytes += body.bytes();
                batch_bodies.push(body);
            }
            // Bodies may be in a file.
            let batch = tokio::task::spawn_blocking(move || Batch::of(&batch_bodies)).await?;
            self.run_batch(batch, &mut answers).await?;
        }
        Ok(answers)
    }

    async fn run_batch(
        &mut self,
        batch: Batch,
        answers: &mut Vec<Result<T, RunError>>,
    ) -> Result<(), InterpreterError> {
        let mut given = Vec::with_capacity(batch.offsets.len());
        while given.len() < batch.offsets.len() {
            if self.ended >= ENDED_MAX {
                given.push(Err(RunError::NotRun(ENDED_MAX)));
                continue;
            }
            // Taken out: where this future is dropped half way, the worker ends with it.
            let mut worker = match self.worker.take() {
                Some(worker) => worker,
                None => Worker::start(&self.assignment).await?,
            };
            match worker.answer(&batch, &mut given).await? {
                None => self.worker = Some(worker),
                // It may have ended on a later event; what takes its time is the one without answer.
                Some(Limit::Memory | Limit::Stack | Limit::Unknown)
                    if !self.assignment.is_careful =>
                {
                    self.assignment.is_careful = true;
                }
                Some(limit) => {
                    self.ended += 1;
                    given.push(Err(RunError::Limit(limit)));
                }
            }
        }
        let mut given = given.into_iter();
        answers.extend(batch.frame_of.into_iter().map(|frame| {
            frame.and_then(|()| given.next().unwrap_or(Err(RunError::NotRun(ENDED_MAX))))
        }));
        Ok(())
    }
}

impl Batch {
    fn of(bodies: &[Body]) -> Self {
        let mut batch = Self {
            frames: Vec::new(),
            offsets: Vec::new(),
            frame_of: Vec::new(),
        };
        for body in bodies {
            let offset = batch.frames.len();
            let framed = body.text().map_err(RunError::from).and_then(|text| {
                frame::append(&mut batch.frames, text.as_bytes())
                    .map_err(|error| RunError::NoBody(error.to_string()))
            });
            if framed.is_ok() {
                batch.offsets.push(offset);
            }
            batch.frame_of.push(framed);
        }
        batch
    }
}

impl Worker {
    async fn start(assignment: &Assignment) -> Result<Self, InterpreterError> {
        let command = worker::command().ok_or(InterpreterError::NoEntry)?;
        let (program, arguments, asked) = command.map_err(InterpreterError::Start)?;
        let mut child = Command::new(program)
            .arg0("redrive-jq-worker")
            .args(arguments)
            .env_clear()
            .env(asked, "1")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(InterpreterError::Start)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(InterpreterError::Start(io::ErrorKind::BrokenPipe.into()));
        };
        let mut worker = Self {
            child,
            input,
            output: BufReader::with_capacity(64 * 1024, output),
            errors,
        };
        let begun = timeout(START_LIMIT, worker.begin(assignment)).await;
        match begun.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(()) => Ok(worker),
            Err(error) => {
                let error = format!("{error} {}", worker.last_words().await);
                Err(InterpreterError::Start(io::Error::other(error)))
            }
        }
    }

    /// Sends what is to be done, and waits until it is ready.
    async fn begin(&mut self, assignment: &Assignment) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, &serde_json::to_vec(assignment)?)?;
        self.input.write_all(&bytes).await?;
        let mut seen = Vec::new();
        while !seen.ends_with(READY) {
            seen.push(self.output.read_u8().await?);
            if seen.len() > PREAMBLE_BYTES_MAX {
                return Err(io::Error::other("it does not begin as a worker does"));
            }
        }
        Ok(())
    }

    /// Adds the answers that are still to be given. If the worker ends, they end before the message
    /// on which it did, and the limit is returned.
    async fn answer<T: DeserializeOwned>(
        &mut self,
        batch: &Batch,
        given: &mut Vec<Result<T, RunError>>,
    ) -> Result<Option<Limit>, InterpreterError> {
        let first = batch.offsets.get(given.len()).copied().unwrap_or_default();
        let frames = batch.frames.get(first..).unwrap_or_default();
        let Self { input, output, .. } = self;
        let read = async {
            while given.len() < batch.offsets.len() {
                match timeout(ANSWER_TIME_MAX, frame::next(output)).await {
                    Ok(Ok(bytes)) => {
                        let answer = serde_json::from_slice(&bytes).map_err(io::Error::other);
                        given.push(answer.map_err(InterpreterError::Answer)?);
                    }
                    Ok(Err(_)) => return Ok(BatchEnd::Exited),
                    Err(_) => return Ok(BatchEnd::Late),
                }
            }
            Ok::<_, InterpreterError>(BatchEnd::Answered)
        };
        // A worker that ended takes no more; its answers show it.
        let write = async {
            let _ = input.write_all(frames).await;
            std::future::pending::<Infallible>().await
        };
        let end = tokio::select! {
            end = read => end?,
            never = write => match never {},
        };
        match end {
            BatchEnd::Answered => Ok(None),
            BatchEnd::Exited => Ok(Some(self.limit_reached().await)),
            BatchEnd::Late => Ok(Some(Limit::Time)),
        }
    }

    /// Which limit ended the worker: by its signal, and by the last words of Rust's runtime, which
    /// ends for want of memory and of stack with the same one.
    async fn limit_reached(&mut self) -> Limit {
        let words = self.last_words().await;
        let status = timeout(END_LIMIT, self.child.wait()).await;
        let signal = status
            .ok()
            .and_then(Result::ok)
            .and_then(|status| status.signal());
        if signal == Some(SIGNAL_TIME) {
            Limit::Time
        } else if words.contains("memory allocation of") {
            Limit::Memory
        } else if words.contains("overflowed its stack") {
            Limit::Stack
        } else {
            Limit::Unknown
        }
    }

    async fn last_words(&mut self) -> String {
        let mut words = Vec::new();
        let mut errors = (&mut self.errors).take(LAST_WORDS_BYTES_MAX);
        let _ = timeout(END_LIMIT, errors.read_to_end(&mut words)).await;
        String::from_utf8_lossy(&words).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::worker_entry;

    const EVENT: &str = r#"{"type":"flight.delayed","data":{"minutes":35}}"#;

    fn interpreter(program: &str) -> Interpreter<bool> {
        worker_entry();
        Interpreter::selecting(&Program::compile(program).unwrap())
    }

    fn bodies(bodies: &[&str]) -> Vec<Body> {
        bodies.iter().map(|body| Body::from(*body)).collect()
    }

    /// What the program does on an event that it can do, one that it cannot, and one more.
    async fn answers(program: &str) -> Vec<Result<bool, RunError>> {
        let events = [EVENT, r#"{"hurts":true}"#, EVENT];
        let answers = interpreter(program).run(bodies(&events)).await;
        answers.unwrap()
    }

    #[tokio::test]
    async fn program_that_reaches_a_limit_costs_one_message_and_names_the_limit() {
        for (program, limit, text) in [
            ("def f: [f]; f", Limit::Stack, "more than 32 MB of stack"),
            (
                "[range(1e9) | 1000000 * \"a\"]",
                Limit::Memory,
                "more than 256 MB of memory",
            ),
            (
                "\"a\" * 1000000000",
                Limit::Memory,
                "more than 256 MB of memory",
            ),
            (
                "last(range(1e15))",
                Limit::Time,
                "more than 2 s for one message",
            ),
        ] {
            let answers = answers(&format!("if .hurts then {program} else . end")).await;
            let refused = Err(RunError::Limit(limit));
            assert_eq!(answers, [Ok(true), refused, Ok(true)], "{program}");
            let text = format!("the program needed {text}");
            assert_eq!(RunError::Limit(limit).to_string(), text);
        }
    }

    #[tokio::test]
    async fn program_that_always_reaches_a_limit_is_not_run_on_and_on() {
        let mut interpreter = interpreter("def f: [f]; f");
        for round in 0..2 {
            let answers = interpreter.run(bodies(&[EVENT; 10])).await.unwrap();
            let limited = Err(RunError::Limit(Limit::Stack));
            let stopped = Err(RunError::NotRun(ENDED_MAX));
            for (index, answer) in answers.iter().enumerate() {
                let is_first = round == 0 && index < ENDED_MAX;
                let expected = if is_first { &limited } else { &stopped };
                assert_eq!(answer, expected, "{round} {index}");
            }
        }
    }

    #[tokio::test]
    async fn event_of_any_depth_gets_an_answer() {
        let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let (some, many) = (deep(1_000), deep(500_000));
        let events = bodies(&[&some, &many, "[[", EVENT]);
        let answers = interpreter(".").run(events).await.unwrap();
        assert_eq!(answers[0], Ok(true));
        assert_eq!(answers[1], Err(RunError::Limit(Limit::Stack)));
        assert_eq!(answers[2], Err(RunError::NotJson));
        assert_eq!(answers[3], Ok(true));
    }

    #[tokio::test]
    async fn worker_is_used_again_and_ends_with_its_interpreter() {
        let mut interpreter = interpreter(".type == \"flight.delayed\"");
        let mut ids = Vec::new();
        for _ in 0..2 {
            let answers = interpreter.run(bodies(&[EVENT; 300])).await.unwrap();
            assert_eq!(answers.len(), 300);
            assert!(answers.iter().all(|answer| *answer == Ok(true)));
            ids.push(interpreter.worker.as_ref().unwrap().child.id().unwrap());
        }
        assert_eq!(ids[0], ids[1]);
        let Worker {
            mut child, input, ..
        } = interpreter.worker.take().unwrap();
        drop(input);
        assert!(child.wait().await.unwrap().success());
    }

    #[tokio::test]
    async fn worker_ends_with_its_input_also_while_a_program_runs() {
        let program = Program::compile("last(range(1e15))").unwrap();
        worker_entry();
        let assignment = Interpreter::selecting(&program).assignment;
        let mut worker = Worker::start(&assignment).await.unwrap();
        let batch = Batch::of(&bodies(&[EVENT]));
        worker.input.write_all(&batch.frames).await.unwrap();
        drop(worker.input);
        assert!(worker.child.wait().await.unwrap().success());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn worker_has_no_environment_no_terminal_and_few_rights() {
        let mut interpreter = interpreter(".");
        interpreter.run(bodies(&[EVENT])).await.unwrap();
        let id = interpreter.worker.as_ref().unwrap().child.id().unwrap();
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{id}/{name}")).unwrap();
        assert_eq!(read("environ"), "REDRIVE_JQ_WORKER=1\0");
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split(' ').collect();
        assert_eq!(fields[5], "0", "no controlling terminal");
        assert_eq!(fields[4], id.to_string(), "a session of its own");
        let limits = read("limits");
        for (name, most) in [
            ("core file size", " 0 "),
            ("open files", " 1 "),
            ("Max file size", " 0 "),
        ] {
            let line = limits.lines().find(|line| line.contains(name)).unwrap();
            assert!(line.contains(most), "{line}");
        }
    }
}
