use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use futures::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const QUICK: Limits = Limits {
    open: Duration::from_secs(30),
    first_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(2),
    restarts_max: 3,
    steady: Duration::from_secs(3_600),
};
/// Long enough for everything, so that a test that waits for it fails clearly.
const LIMIT: Duration = Duration::from_secs(30);

fn start_with(script: &str, limits: Limits) -> Tunnel {
    let text = format!("sh -c {} sh {{local_port}}", shell_words::quote(script));
    let command = TunnelCommand::parse(&text).unwrap();
    Tunnel::start(command, "db.example", 5432, limits).unwrap()
}

fn start(script: &str) -> Tunnel {
    start_with(script, QUICK)
}

async fn until(tunnel: &Tunnel, is_it: impl Fn(&State) -> bool) -> State {
    let mut state = tunnel.state.clone();
    let found = timeout(LIMIT, state.wait_for(is_it)).await;
    found.unwrap().unwrap().clone()
}

/// A folder in which the runs of a command say that they run and with which port, and the test says which is to end.
struct Runs {
    folder: tempfile::TempDir,
    listeners: BTreeMap<usize, TcpListener>,
}

impl Runs {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            listeners: BTreeMap::new(),
        }
    }

    /// A command that notes its port in a file of its run, and runs until the file `end` of its run is there.
    fn script(&self) -> String {
        format!(
            "cd {}; n=1; while ! mkdir run$n 2>/dev/null; do n=$((n + 1)); done; \
             echo $1 >run$n/new; mv run$n/new run$n/port; \
             until [ -e run$n/end ]; do sleep 0.02; done",
            self.folder.path().display()
        )
    }

    fn path(&self, run: usize, name: &str) -> PathBuf {
        self.folder.path().join(format!("run{run}")).join(name)
    }

    fn count(&self) -> usize {
        (1..).take_while(|run| self.path(*run, "").exists()).count()
    }

    /// Waits until this run is there, and listens at its port.
    async fn listen(&mut self, run: usize) {
        let port = async {
            loop {
                if let Ok(port) = fs::read_to_string(self.path(run, "port")) {
                    return port;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        let port: u16 = timeout(LIMIT, port).await.unwrap().trim().parse().unwrap();
        let listener = TcpListener::bind(entrance(port)).await.unwrap();
        self.listeners.insert(run, listener);
    }

    /// Ends this run, whose port no longer answers.
    fn end(&mut self, run: usize) {
        self.listeners.remove(&run);
        fs::write(self.path(run, "end"), "").unwrap();
    }
}

/// Sends a word through the socket of the tunnel and reads it at the port of this run.
async fn send_through(tunnel: &Tunnel, runs: &Runs, run: usize) {
    let socket = tunnel.socket_folder().join(".s.PGSQL.5432");
    let mut near = UnixStream::connect(socket).await.unwrap();
    near.write_all(b"word").await.unwrap();
    near.shutdown().await.unwrap();
    let read = async {
        loop {
            let (mut far, _) = runs.listeners[&run].accept().await.unwrap();
            let mut text = String::new();
            far.read_to_string(&mut text).await.unwrap();
            // The connections that found out whether the port answers are empty.
            if !text.is_empty() {
                return text;
            }
        }
    };
    assert_eq!(timeout(LIMIT, read).await.unwrap(), "word");
}

#[tokio::test]
async fn tunnel_whose_first_command_opened_nothing_works_with_the_second() {
    let limits = Limits {
        open: Duration::from_millis(300),
        restarts_max: 1_000,
        ..QUICK
    };
    let mut runs = Runs::new();
    let tunnel = start_with(&runs.script(), limits);
    until(&tunnel, |state| matches!(state, State::Broken(_))).await;
    // A run that is too slow for the limit as well is followed by another.
    let mut run = 2;
    loop {
        runs.listen(run).await;
        let state = until(&tunnel, |state| {
            matches!(state, State::Open(_) | State::Broken(_))
        });
        if matches!(state.await, State::Open(_)) {
            break;
        }
        run += 1;
    }
    send_through(&tunnel, &runs, run).await;
}

#[tokio::test]
async fn tunnel_that_ended_after_a_steady_session_is_opened_by_the_next_need_alone() {
    let limits = Limits {
        steady: Duration::ZERO,
        ..QUICK
    };
    let mut runs = Runs::new();
    let tunnel = start_with(&runs.script(), limits);
    for run in 1..=5 {
        // More often than the command may be started in a row: what was steady counts anew.
        runs.listen(run).await;
        tunnel.opened(LIMIT).await.unwrap();
        send_through(&tunnel, &runs, run).await;
        runs.end(run);
        until(&tunnel, |state| *state == State::Ended).await;
        assert_eq!(tunnel.fault(), None, "a session that was not used ends");
        assert!(!tunnel.is_open());
        assert_eq!(runs.count(), run);
        tunnel.need();
    }
}

#[tokio::test]
async fn session_that_soon_ended_is_opened_after_its_wait_by_the_next_need_alone() {
    let mut runs = Runs::new();
    let tunnel = start(&runs.script());
    runs.listen(1).await;
    tunnel.opened(LIMIT).await.unwrap();
    runs.end(1);
    until(&tunnel, |state| matches!(state, State::Broken(_))).await;
    until(&tunnel, |state| *state == State::Ended).await;
    assert_eq!(runs.count(), 1);
    tunnel.need();
    runs.listen(2).await;
    tunnel.opened(LIMIT).await.unwrap();
}

#[tokio::test]
async fn need_of_an_open_tunnel_does_not_open_it_again_after_its_end() {
    let limits = Limits {
        steady: Duration::ZERO,
        ..QUICK
    };
    let mut runs = Runs::new();
    let tunnel = start_with(&runs.script(), limits);
    // While it is being opened, and while it is open.
    tunnel.need();
    runs.listen(1).await;
    tunnel.opened(LIMIT).await.unwrap();
    tunnel.need();
    runs.end(1);
    until(&tunnel, |state| *state == State::Ended).await;
    // The task that would start it has had its turns.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        (tunnel.state.borrow().clone(), runs.count()),
        (State::Ended, 1)
    );
}

#[tokio::test]
async fn connection_that_cannot_be_accepted_does_not_end_the_forwarding() {
    let listener = TcpListener::bind(entrance(0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (_sender, state) = watched::channel(State::Open(port));
    let (mut near, far) = UnixStream::pair().unwrap();
    let too_many = io::Error::from(io::ErrorKind::QuotaExceeded);
    let accepted = stream::iter([Err(too_many), Ok(far)]).chain(stream::pending());
    let forwarding = forward(accepted, state);
    let passing = async {
        near.write_all(b"word").await.unwrap();
        let (mut end, _) = listener.accept().await.unwrap();
        let mut word = [0; 4];
        end.read_exact(&mut word).await.unwrap();
        word
    };
    let passed = async {
        tokio::select! {
            word = passing => Some(word),
            () = forwarding => None,
        }
    };
    assert_eq!(timeout(LIMIT, passed).await.unwrap(), Some(*b"word"));
}

#[tokio::test]
async fn command_that_ends_is_started_again_a_bounded_number_of_times() {
    let folder = tempfile::tempdir().unwrap();
    let starts = folder.path().join("starts");
    let tunnel = start(&format!(
        "echo one >>{}; echo 'An error occurred (TargetNotConnected)' >&2; exit 254",
        starts.display()
    ));
    let state = until(&tunnel, |state| matches!(state, State::GivenUp(_))).await;
    let starts = fs::read_to_string(starts).unwrap();
    assert_eq!(starts.lines().count(), 1 + QUICK.restarts_max);
    let State::GivenUp(why) = state else {
        unreachable!("it was waited for");
    };
    assert_eq!(
        why,
        "sh ended with exit status: 254: An error occurred (TargetNotConnected)"
    );
    let error = tunnel.opened(LIMIT).await.unwrap_err();
    assert!(error.contains("TargetNotConnected"), "{error}");
    assert!(!tunnel.is_open());
}

#[tokio::test]
async fn program_that_does_not_exist_is_named() {
    let command = TunnelCommand::parse("no-such-program {local_port}").unwrap();
    let tunnel = Tunnel::start(command, "db.example", 5432, QUICK).unwrap();
    let error = tunnel.opened(LIMIT).await.unwrap_err();
    assert!(error.contains("no-such-program"), "{error}");
}

#[tokio::test]
async fn wait_for_a_command_that_opens_nothing_has_a_limit() {
    let tunnel = start("exec sleep 600");
    let error = tunnel.opened(Duration::from_millis(50)).await.unwrap_err();
    assert!(error.contains("not open"), "{error}");
}
