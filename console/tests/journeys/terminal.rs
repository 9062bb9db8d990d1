//! The real program in a real terminal, with nothing or worse behind it: it starts, answers keys,
//! and gives the terminal back whatever ends it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::pty::Session;

const LIMIT: Duration = Duration::from_secs(20);
const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
const LEAVE_ALTERNATE_SCREEN: &str = "\u{1b}[?1049l";
/// Exit code of what a signal ended.
const INTERRUPTED: u32 = 130;
/// Exit code of a command line that cannot be executed.
const USAGE: u32 = 2;
/// Synchronised output (mode 2026).
const BEGIN_FRAME: &str = "\u{1b}[?2026h";
const END_FRAME: &str = "\u{1b}[?2026l";
const CLEAR_ALL: &str = "\u{1b}[2J";
const SHOW_CURSOR: &str = "\u{1b}[?25h";

/// A configuration file, and the folder that it lives in.
struct Configuration {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Configuration {
    fn made(make: impl FnOnce(&Path) -> PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = make(folder.path());
        Self {
            _folder: folder,
            path,
        }
    }

    fn console(&self, size: (u16, u16), environment: &[(&str, &str)]) -> Session {
        let path = self.path.to_str().unwrap();
        let program = Path::new(PROGRAM);
        Session::start(
            program,
            &["--config", path, "--env", "test"],
            environment,
            size,
        )
    }
}

/// An address that refuses.
fn nobody() -> Configuration {
    Configuration::made(crate::support::configuration::nobody)
}

/// An address that accepts and never answers.
fn hung() -> (Configuration, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let configuration =
        Configuration::made(|folder| crate::support::configuration::at(&address, folder));
    (configuration, listener)
}

fn assert_restored(session: &Session) {
    let output = session.output();
    assert!(
        output.contains(LEAVE_ALTERNATE_SCREEN),
        "the alternate screen is left"
    );
    let shown = output.rfind(SHOW_CURSOR);
    let hidden = output.rfind("\u{1b}[?25l");
    assert!(shown > hidden, "the cursor is shown");
    assert!(output.contains("\u{1b}[?1000l"), "the mouse is released");
    assert!(session.is_cooked(), "the line discipline is as before");
}

#[test]
fn first_frame_comes_and_every_key_answers_while_everything_hangs() {
    let (configuration, _listener) = hung();
    let mut session = configuration.console((80, 24), &[]);
    session.wait_for("Attention", LIMIT);
    session.press("?");
    session.wait_for("Keys on Overview", LIMIT);
    session.press("\u{1b}");
    session.wait("the help to close", LIMIT, |screen| {
        !screen.contains("Keys on")
    });
    session.press("5");
    session.wait_for("─ Records", LIMIT);
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
    assert_restored(&session);
}

#[test]
fn refused_connections_are_explained_with_their_address() {
    let configuration = nobody();
    let mut session = configuration.console((160, 45), &[]);
    let screen = session.wait_for("unreachable", LIMIT);
    assert!(screen.contains("127.0.0.1"), "{screen}");
    assert!(screen.contains("refused"), "{screen}");
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
}

#[test]
fn every_signal_gives_the_terminal_back() {
    for signal in ["TERM", "INT", "HUP", "QUIT"] {
        let configuration = nobody();
        let mut session = configuration.console((80, 24), &[]);
        session.wait_for("Attention", LIMIT);
        let status = std::process::Command::new("kill")
            .args(["-s", signal, &session.process_id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
        assert_eq!(session.wait_for_exit(LIMIT).exit_code(), INTERRUPTED);
        assert_restored(&session);
    }
}

#[test]
fn control_c_gives_the_terminal_back() {
    let configuration = nobody();
    let mut session = configuration.console((80, 24), &[]);
    session.wait_for("Attention", LIMIT);
    session.press("\u{3}");
    assert!(session.wait_for_exit(LIMIT).success());
    assert_restored(&session);
}

#[test]
fn a_terminal_that_is_gone_ends_the_program() {
    let configuration = nobody();
    let mut session = crate::support::pty::Unwatched::start(
        Path::new(PROGRAM),
        &[
            "--config",
            configuration.path.to_str().unwrap(),
            "--env",
            "test",
        ],
    );
    session.read_until("Attention");
    let mut program = session.close_terminal();
    crate::support::pty::wait_for_exit(program.as_mut(), LIMIT);
}

/// Nobody reads what the console writes, so it hangs in a write, and a signal comes.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_takes_no_output_does_not_keep_the_program() {
    let configuration = nobody();
    let path = configuration.path.to_str().unwrap();
    let mut session = crate::support::pty::Unwatched::start(
        Path::new(PROGRAM),
        &["--config", path, "--env", "test"],
    );
    session.read_until("Attention");
    session.fill_with("?\u{1b}", LIMIT);
    session.signal("TERM");
    assert!(!session.wait_for_exit(LIMIT).success());
}

#[test]
fn every_size_is_survived() {
    let configuration = nobody();
    let mut session = configuration.console((80, 24), &[]);
    session.wait_for("Attention", LIMIT);
    for size in [(1, 1), (40, 10), (300, 100), (2, 40), (200, 2), (80, 24)] {
        session.resize(size);
    }
    session.press("?");
    session.wait_for("Keys on Overview", LIMIT);
    session.press("\u{3}");
    assert!(session.wait_for_exit(LIMIT).success());
}

/// The parameters of each SGR sequence (ECMA-48, 8.3.117) that was written.
fn select_graphic_rendition(output: &str) -> Vec<Vec<u16>> {
    output
        .split("\u{1b}[")
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
            let (codes, rest) = rest.split_at(end);
            rest.starts_with('m').then(|| {
                codes
                    .split([';', ':'])
                    .filter_map(|code| code.parse().ok())
                    .collect()
            })
        })
        .collect()
}

const fn is_colour(code: u16) -> bool {
    matches!(code, 30..=38 | 40..=48 | 90..=97 | 100..=107)
}

#[test]
fn colour_is_sent_where_nothing_speaks_against_it() {
    let configuration = nobody();
    let mut session = configuration.console((80, 24), &[]);
    session.wait_for("unreachable", LIMIT);
    session.press("q");
    session.wait_for_exit(LIMIT);
    let output = session.output();
    let codes = select_graphic_rendition(&output);
    assert!(
        codes.iter().flatten().any(|code| is_colour(*code)),
        "the check sees no colours"
    );
}

#[test]
fn no_colour_is_sent_where_none_is_wanted() {
    let configuration = nobody();
    let mut session = configuration.console((80, 24), &[("NO_COLOR", "1")]);
    session.wait_for("unreachable", LIMIT);
    session.press("q");
    session.wait_for_exit(LIMIT);
    let output = session.output();
    let coloured: Vec<_> = select_graphic_rendition(&output)
        .into_iter()
        .filter(|codes| codes.iter().any(|code| is_colour(*code)))
        .collect();
    assert!(coloured.is_empty(), "{coloured:?}");
}

#[test]
fn terminal_without_a_cursor_is_refused_with_the_commands_that_do_the_same() {
    let configuration = nobody();
    let mut session = configuration.console((80, 24), &[("TERM", "dumb")]);
    assert_eq!(session.wait_for_exit(LIMIT).exit_code(), USAGE);
    let output = session.output();
    assert!(output.contains("dlq list"), "{output}");
    assert!(!output.contains('\u{1b}'), "{output:?}");
}

#[test]
fn every_frame_is_shown_in_one_piece() {
    let configuration = nobody();
    let mut session = configuration.console((80, 24), &[]);
    session.wait_for("unreachable", LIMIT);
    session.press("?");
    session.wait_for("Keys on Overview", LIMIT);
    session.resize((100, 30));
    session.press("\u{1b}");
    session.wait("the help to close", LIMIT, |screen| {
        !screen.contains("Keys on")
    });
    session.press("q");
    session.wait_for_exit(LIMIT);
    let output = session.output();
    let mut outside = String::new();
    let mut frames = output.split(BEGIN_FRAME);
    // The screen was just entered and is cleared once: there is nothing on it that could flicker.
    outside.push_str(&frames.next().unwrap().replacen(CLEAR_ALL, "", 1));
    let (mut drawn, mut count) = (String::new(), 0);
    for part in frames {
        // Two beginnings without an end between them are one frame: the clearing of a new size and what
        // is drawn on it.
        match part.split_once(END_FRAME) {
            Some((frame, after)) => {
                drawn.push_str(frame);
                outside.push_str(after);
                count += 1;
            }
            None => drawn.push_str(part),
        }
    }
    assert!(count >= 4, "{count} frames");
    assert!(drawn.contains("Attention") && drawn.contains("Keys on Overview"));
    assert!(
        drawn.contains(CLEAR_ALL),
        "the new size is cleared in its frame"
    );
    for painted in ["Attention", "Keys on", "\u{1b}[1;1H", CLEAR_ALL] {
        assert!(!outside.contains(painted), "{painted:?} in {outside:?}");
    }
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let configuration = nobody();
    let output = std::process::Command::new(PROGRAM)
        .args([
            "--config",
            configuration.path.to_str().unwrap(),
            "--env",
            "test",
        ])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("--help"), "{text}");
}
