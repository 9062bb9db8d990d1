//! What an operator does who asks "does it flow, and how fast?": probes once, then on and on, reads the way of one, and
//! leaves while another one is under way.

use std::path::Path;
use std::time::Duration;

use crate::support::pty::Session;

const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
/// Limit of one step. Generous: the machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn pipeline_is_probed_once_and_on_and_on_and_the_console_ends_while_one_is_under_way() {
    let stack = crate::support::stack::start().await;
    let folder = tempfile::tempdir().unwrap();
    let configuration = crate::support::configuration::of(stack.endpoints(), folder.path());
    let configuration = configuration.to_str().unwrap().to_owned();
    let journey = tokio::task::spawn_blocking(move || walk(&configuration));
    journey.await.unwrap();
    stack.stop().await.unwrap();
}

fn walk(configuration: &str) {
    let arguments = ["--config", configuration, "--env", "test"];
    let mut session = Session::start(Path::new(PROGRAM), &arguments, &[], (160, 45));
    session.wait_for("Attention", LIMIT);
    session.press("8");
    session.wait_for("nothing is published without a key", LIMIT);
    session.press("p");
    let screen = session.wait_for("1 probe, 0 failed", LIMIT);
    for expected in [
        "█",
        "none failed",
        "until the last hop",
        "the database's clock is ",
    ] {
        assert!(screen.contains(expected), "{expected}: {screen}");
    }
    // The shortest interval, and then one after the other.
    session.press("++s");
    session.wait_for("every 5 s", LIMIT);
    session.wait_for("3 probes, 0 failed", LIMIT);
    session.press("T");
    session.wait("the way of the newest probe", LIMIT, |screen| {
        screen.contains("opsconsole/probe/test / ") && screen.contains("stored as record")
    });
    // esc
    session.press("\u{1b}");
    session.wait_for("probing for", LIMIT);
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
    assert!(session.is_cooked(), "the line discipline is as before");
}
