//! A replay that was killed, continued in the console: it is among the redrives, and is resumed, sped up and
//! brought to its end there.

use std::path::Path;
use std::time::Duration;

use store::PgPool;

use crate::support::program::Program;
use crate::support::pty::Session;
use crate::support::{configuration, machine, stack};

const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
/// Limit of one step. Generous: the machine may be busy.
const LIMIT: Duration = Duration::from_secs(90);
const EVENTS: usize = 30;

#[tokio::test(flavor = "multi_thread")]
async fn killed_replay_is_resumed_in_the_console_and_every_event_is_stored() {
    let _machine = machine::alone();
    let stack = stack::start().await;
    let endpoints = stack.endpoints();
    let pool = PgPool::connect(&endpoints.database_url).await.unwrap();
    let bodies: Vec<String> = (0..EVENTS)
        .map(|number| {
            format!(
                r#"{{"specversion":"1.0","id":"{number}","source":"/apps/crew","type":"flight.delayed","time":"2026-03-01T12:00:00Z"}}"#
            )
        })
        .collect();
    let events: Vec<_> = bodies
        .iter()
        .map(|body| event::parse_event(body).unwrap())
        .collect();
    store::write_batch(&pool, &events).await.unwrap();
    let program = Program::new();
    let folder = program.configure("").parent().unwrap().to_owned();
    let configuration = configuration::of(endpoints, &folder);
    let configuration = configuration.to_str().unwrap().to_owned();
    let journey = tokio::task::spawn_blocking(move || walk(&program, &configuration));
    journey.await.unwrap();
    let count = store::summary(&pool).await.unwrap().total;
    assert_eq!(count, 2 * EVENTS as i64, "each once more, under its new id");
    stack.stop().await.unwrap();
}

fn walk(program: &Program, configuration: &str) {
    let patch = r#".id += "-again""#;
    let replay = [
        "replay",
        "--from",
        "2026-03-01",
        "--to",
        "2026-03-02",
        "--patch",
        patch,
    ];
    let slowly = ["--rate", "2", "--yes"];
    let mut replay = program.spawn(&[&replay[..], &slowly[..]].concat());
    program.json_until(&["redrive", "list"], LIMIT, |listed| {
        let moved = listed
            .pointer("/0/counts/moved")
            .and_then(|moved| moved.as_u64());
        moved.is_some_and(|moved| moved > 0)
    });
    replay.kill().unwrap();
    replay.wait().unwrap();

    let state = program.home().join("state");
    let variables = [("XDG_STATE_HOME", state.to_str().unwrap())];
    let arguments = ["--config", configuration, "--env", "test"];
    let mut session = Session::start(Path::new(PROGRAM), &arguments, &variables, (160, 45));
    session.press("3");
    session.wait_for("interrupted: its process ended before it finished", LIMIT);
    session.wait_for("records through the topic", LIMIT);
    session.press("r");
    session.wait_for("at most 2.0/s", LIMIT);
    session.press(" ");
    session.wait_for("paused by you", LIMIT);
    session.press(" +++++++");
    let screen = session.wait("all events stored", LIMIT, |screen| {
        screen.contains("replay: 30 of 30 sent") && screen.contains("30 stored")
    });
    assert!(screen.contains("finished"), "{screen}");
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
}
