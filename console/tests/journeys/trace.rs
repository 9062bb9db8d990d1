//! What an operator does who is asked "where is my event?": finds the record, reads its way, and goes back.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::pty::Session;

const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
/// Limit of one step. Generous: the machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn event_of_a_record_is_traced_and_the_list_is_there_again() {
    let stack = crate::support::stack::start().await;
    let folder = tempfile::tempdir().unwrap();
    let configuration = crate::support::configuration::of(stack.endpoints(), folder.path());
    let configuration = configuration.to_str().unwrap().to_owned();
    let event = folder.path().join("event.json");
    let text = r#"{"specversion":"1.0","id":"traced-1","source":"/apps/crew","type":"flight.delayed","time":"2026-01-31T12:00:00Z"}"#;
    std::fs::write(&event, text).unwrap();
    let journey = tokio::task::spawn_blocking(move || walk(&configuration, &event));
    journey.await.unwrap();
    stack.stop().await.unwrap();
}

fn walk(configuration: &str, event: &Path) {
    let arguments = ["--config", configuration, "--env", "test"];
    let mut publish = Command::new(PROGRAM);
    publish.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    let published = publish.args(arguments).arg("publish").arg(event).output();
    assert!(published.unwrap().status.success());

    let mut session = Session::start(Path::new(PROGRAM), &arguments, &[], (160, 45));
    // The ingest may be slow.
    session.wait_for("stored 1", LIMIT);
    session.press("5");
    session.wait_for("record_id", LIMIT);
    session.press("T");
    let screen = session.wait("the time line", LIMIT, |screen| {
        screen.contains("stored as record") && screen.contains("status 200")
    });
    for expected in [
        "/apps/crew / traced-1",
        "in partition records",
        "for batches that were being handled when it was stored",
    ] {
        assert!(screen.contains(expected), "{expected}: {screen}");
    }
    // esc
    session.press("\u{1b}");
    session.wait("the list again", LIMIT, |screen| {
        screen.contains("─ Records") && !screen.contains("─ Trace")
    });
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
}
