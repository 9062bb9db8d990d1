//! Drives the real program in a pseudo-terminal: wait for a text, press a key, wait again.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::sys::termios::LocalFlags;
use portable_pty::{
    Child, CommandBuilder, ExitStatus, MasterPty, PtyPair, PtySize, native_pty_system,
};

use super::signals::signal;

/// Where programs under test keep their state.
fn state_folder() -> std::path::PathBuf {
    std::env::temp_dir().join("opsconsole-tests-state")
}

/// What the reader has seen so far.
struct Seen {
    parser: vt100::Parser,
    /// All bytes: what was written, not only what is visible.
    bytes: Vec<u8>,
    /// When, since the start, how many bytes had been written.
    arrivals: Vec<(Duration, usize)>,
    is_closed: bool,
}

/// Around a frame that a terminal shows at once (synchronised output, mode 2026).
const FRAME_BEGIN: &[u8] = b"\x1b[?2026h";
const FRAME_END: &[u8] = b"\x1b[?2026l";
/// More than a frame has.
const FRAME_BYTES_MAX: usize = 256 * 1_024;
/// Limit of the rest of a frame that has begun; a program that ends leaves one without its end.
const FRAME_WITHIN: Duration = Duration::from_secs(1);

impl Seen {
    /// Whether no frame is written in part: a terminal does not show one before its end.
    fn is_whole(&self) -> bool {
        let begin = self.bytes.len().saturating_sub(FRAME_BYTES_MAX);
        let newest = self.bytes.get(begin..).unwrap_or_default();
        let last = |part: &[u8]| newest.windows(part.len()).rposition(|it| it == part);
        last(FRAME_BEGIN) <= last(FRAME_END)
    }
}

/// A program in a terminal.
pub(crate) struct Session {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    started: Instant,
}

impl Session {
    /// Starts `program` in a terminal of that size. Only the given environment is added.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        (width, height): (u16, u16),
    ) -> Self {
        let size = PtySize {
            rows: height,
            cols: width,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        // Not the state of whoever runs the tests.
        command.env("XDG_STATE_HOME", state_folder());
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let seen = Arc::new((
            Mutex::new(Seen {
                parser: vt100::Parser::new(height, width, 0),
                bytes: Vec::new(),
                arrivals: Vec::new(),
                is_closed: false,
            }),
            Condvar::new(),
        ));
        let shared = Arc::clone(&seen);
        let started = Instant::now();
        // Ends with the program: the read fails when the other side is closed.
        std::thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            loop {
                let read = reader.read(&mut buffer).unwrap_or(0);
                let (lock, changed) = &*shared;
                let mut seen = lock.lock().unwrap();
                if read == 0 {
                    seen.is_closed = true;
                    changed.notify_all();
                    return;
                }
                seen.parser.process(&buffer[..read]);
                seen.bytes.extend_from_slice(&buffer[..read]);
                let arrival = (started.elapsed(), seen.bytes.len());
                seen.arrivals.push(arrival);
                changed.notify_all();
            }
        });
        Self {
            master: pair.master,
            writer,
            child,
            seen,
            started,
        }
    }

    /// Waits until the screen satisfies `condition`; panics with the screen after `limit`.
    pub(crate) fn wait(
        &self,
        what: &str,
        limit: Duration,
        condition: impl Fn(&str) -> bool,
    ) -> String {
        let deadline = Instant::now() + limit;
        let (lock, changed) = &*self.seen;
        let mut seen = lock.lock().unwrap();
        loop {
            let text = seen.parser.screen().contents();
            if condition(&text) {
                return text;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !seen.is_closed,
                "waited {limit:?} for {what}; the screen shows\n{text}"
            );
            seen = changed.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits until the screen shows `text`.
    pub(crate) fn wait_for(&self, text: &str, limit: Duration) -> String {
        self.wait(&format!("{text:?}"), limit, |screen| screen.contains(text))
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Changes the size of the terminal.
    pub(crate) fn resize(&mut self, (width, height): (u16, u16)) {
        let size = PtySize {
            rows: height,
            cols: width,
            pixel_width: 0,
            pixel_height: 0,
        };
        self.seen
            .0
            .lock()
            .unwrap()
            .parser
            .screen_mut()
            .set_size(height, width);
        self.master.resize(size).unwrap();
    }

    /// The screen now, or with the rest of the frame that is being written.
    pub(crate) fn screen(&self) -> vt100::Screen {
        let (lock, changed) = &*self.seen;
        let is_partial = |seen: &mut Seen| !seen.is_whole() && !seen.is_closed;
        let seen = lock.lock().unwrap();
        let waited = changed.wait_timeout_while(seen, FRAME_WITHIN, is_partial);
        waited.unwrap().0.parser.screen().clone()
    }

    /// Number of bytes written so far.
    pub(crate) fn bytes_written(&self) -> usize {
        self.seen.0.lock().unwrap().bytes.len()
    }

    /// Everything that was written, with its escape sequences.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.seen.0.lock().unwrap().bytes).into_owned()
    }

    /// Everything that was written, in the parts in which it arrived, with the time since the start.
    pub(crate) fn written(&self) -> Vec<(Duration, Vec<u8>)> {
        let seen = self.seen.0.lock().unwrap();
        let mut begin = 0;
        let mut parts = Vec::with_capacity(seen.arrivals.len());
        for (at, end) in &seen.arrivals {
            parts.push((*at, seen.bytes[begin..*end].to_vec()));
            begin = *end;
        }
        parts
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits for the end of the program, and tells whether it came.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> bool {
        let (lock, changed) = &*self.seen;
        let seen = lock.lock().unwrap();
        let waited = changed.wait_timeout_while(seen, limit, |seen| !seen.is_closed);
        waited.unwrap().0.is_closed
    }

    /// Process id of the program.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Whether lines are edited and echoed again, as a shell expects.
    pub(crate) fn is_cooked(&self) -> bool {
        let termios = self.master.get_termios().unwrap();
        termios
            .local_flags
            .contains(LocalFlags::ICANON | LocalFlags::ECHO)
    }

    /// Waits for the end of the program and of what it wrote.
    pub(crate) fn wait_for_exit(&mut self, limit: Duration) -> ExitStatus {
        let status = wait_for_exit(self.child.as_mut(), limit);
        let (lock, changed) = &*self.seen;
        let (seen, _) = changed
            .wait_timeout_while(lock.lock().unwrap(), limit, |seen| !seen.is_closed)
            .unwrap();
        assert!(seen.is_closed, "the terminal is still open after {limit:?}");
        drop(seen);
        status
    }
}

/// Waits for the end of a program; panics after `limit`.
pub(crate) fn wait_for_exit(
    program: &mut (dyn Child + Send + Sync),
    limit: Duration,
) -> ExitStatus {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = program.try_wait().unwrap() {
            return status;
        }
        assert!(
            Instant::now() < deadline,
            "the program still runs after {limit:?}"
        );
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// A program whose terminal nobody reads in the background, so that the terminal can be closed.
pub(crate) struct Unwatched {
    pair: PtyPair,
    reader: Box<dyn Read + Send>,
    child: Box<dyn Child + Send + Sync>,
}

impl Unwatched {
    /// Starts `program`.
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Self {
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        let reader = pair.master.try_clone_reader().unwrap();
        Self {
            pair,
            reader,
            child,
        }
    }

    /// Reads until `text` was written.
    pub(crate) fn read_until(&mut self, text: &str) {
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&seen).contains(text) {
            let read = self.reader.read(&mut buffer).unwrap();
            assert!(read > 0, "the program ended before it showed {text:?}");
            seen.extend_from_slice(&buffer[..read]);
        }
    }

    /// Types `keys` again and again until the program waits in a write that nobody reads.
    #[cfg(target_os = "linux")]
    pub(crate) fn fill_with(&mut self, keys: &str, limit: Duration) {
        let tasks = format!("/proc/{}/task", self.child.process_id().unwrap());
        // A thread that runs shows no number of a call.
        let write = format!("{} ", nix::libc::SYS_write);
        let is_blocked = || {
            let mut tasks = std::fs::read_dir(&tasks).unwrap().flatten();
            tasks.any(|task| {
                std::fs::read_to_string(task.path().join("syscall"))
                    .is_ok_and(|call| call.starts_with(&write))
            })
        };
        let mut writer = self.pair.master.take_writer().unwrap();
        let deadline = Instant::now() + limit;
        while !is_blocked() {
            assert!(Instant::now() < deadline, "the program still writes");
            writer.write_all(keys.as_bytes()).unwrap();
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.process_id().unwrap(), name);
    }

    /// Waits for the end of the program.
    pub(crate) fn wait_for_exit(&mut self, limit: Duration) -> ExitStatus {
        wait_for_exit(self.child.as_mut(), limit)
    }

    /// The terminal goes away, as when its window is closed.
    pub(crate) fn close_terminal(self) -> Box<dyn Child + Send + Sync> {
        drop(self.reader);
        drop(self.pair);
        self.child
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
