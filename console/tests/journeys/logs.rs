//! What an operator does who is asked why an event is missing: finds the line of its failure, opens it, goes to the dead
//! letter of its request, and traces the event.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::pty::Session;

const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
/// Limit of one step. Generous: the machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn line_of_a_failure_leads_to_its_dead_letter_and_its_trace() {
    let stack = crate::support::stack::start().await;
    let folder = tempfile::tempdir().unwrap();
    let configuration = crate::support::configuration::of(stack.endpoints(), folder.path());
    let configuration = configuration.to_str().unwrap().to_owned();
    let event = folder.path().join("event.json");
    let text =
        r#"{"specversion":"1.0","id":"lost-1","source":"/apps/crew","type":"flight.delayed"}"#;
    std::fs::write(&event, text).unwrap();
    let journey = tokio::task::spawn_blocking(move || walk(&configuration, &event));
    journey.await.unwrap();
    stack.stop().await.unwrap();
}

fn walk(configuration: &str, event: &Path) {
    let arguments = ["--config", configuration, "--env", "test"];
    let mut publish = Command::new(PROGRAM);
    publish.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    let publish = publish.args(arguments).args(["publish", "--raw"]);
    assert!(publish.arg(event).output().unwrap().status.success());

    let mut session = Session::start(Path::new(PROGRAM), &arguments, &[], (160, 45));
    session.wait_for("Attention", LIMIT);
    session.press("7");
    session.press("l");
    session.wait("the line of the failure", LIMIT, |screen| {
        screen.contains("level=warn") && screen.contains("failed_missing-attribute=1")
    });
    // Its JSON is folded out beside it.
    session.wait_for("\"dead_lettered\": 1", LIMIT);
    // The lines of its invocation, and back.
    session.press("i");
    session.wait("the lines of its request", LIMIT, |screen| {
        screen.contains("─ Request") && screen.contains("REPORT RequestId")
    });
    session.press("\u{1b}");
    session.wait_for("paused at", LIMIT);
    session.press("d");
    session.wait_for("1 found", LIMIT);
    session.wait_for("\"time\" is required", LIMIT);
    // Its log lines are one key away as well.
    session.press("L");
    session.wait("the lines of its request again", LIMIT, |screen| {
        screen.contains("─ Request") && screen.contains("batch handled")
    });
    session.press("2");
    session.wait_for("\"time\" is required", LIMIT);
    session.press("T");
    session.wait("its trace with the log lines", LIMIT, |screen| {
        let of_it = screen.contains("─ Trace") && screen.contains("/apps/crew / lost-1");
        of_it && screen.contains("logged about its batch")
    });
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
}
