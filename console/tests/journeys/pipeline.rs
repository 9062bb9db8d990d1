//! What a person does on a bad day, with the real program on the real pipeline: see a dead
//! message's reason, publish an event, see its record, leave, and find the terminal as it was.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::pty::Session;

const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
/// Limit of one step. Generous: the machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);

/// Publishes bytes that the ingest will refuse.
fn publish_raw(configuration: &str, body: &str) {
    let mut child = Command::new(PROGRAM)
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .args([
            "--config",
            configuration,
            "--env",
            "test",
            "publish",
            "--raw",
            "-",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(body.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_day_ends_well() {
    let stack = crate::support::stack::start().await;
    let folder = tempfile::tempdir().unwrap();
    let configuration = crate::support::configuration::of(stack.endpoints(), folder.path());
    let configuration = configuration.to_str().unwrap().to_owned();
    let journey = tokio::task::spawn_blocking(move || walk(&configuration));
    journey.await.unwrap();
    stack.stop().await.unwrap();
}

fn walk(configuration: &str) {
    publish_raw(
        configuration,
        r#"{"specversion":"1.0","id":"bad-1","source":"/apps/crew","type":"flight.delayed","data":{"flight":"LA601"}}"#,
    );
    let arguments = ["--config", configuration, "--env", "test"];
    let mut session = Session::start(Path::new(PROGRAM), &arguments, &[], (160, 45));

    // The dead letter is announced, and its reason is two keys away.
    session.wait_for("1 dead letter", LIMIT);
    session.press("2");
    session.wait_for("missing-attribute", LIMIT);
    session.wait_for("\"time\" is required", LIMIT);

    // Publish, and follow that one event to the API.
    session.press("4");
    session.wait_for("would be stored, unless", LIMIT);
    session.press("s");
    let screen = session.wait("the record to be readable", LIMIT, |screen| {
        screen.contains("readable") && screen.contains("200")
    });
    assert!(screen.contains("stored"), "{screen}");

    // It is among the records.
    session.press("5");
    session.wait("the record in the list", LIMIT, |screen| {
        screen.contains("Records")
            && screen.contains("record_id")
            && screen.contains("flight.departed")
    });

    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
    assert!(session.is_cooked(), "the line discipline is as before");
    assert!(
        session.output().contains("\u{1b}[?1049l"),
        "the alternate screen is left"
    );
}
