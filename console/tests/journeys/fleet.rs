//! What an operator of several environments does: sees which one is bad, and goes there.

use std::path::Path;
use std::time::Duration;

use crate::support::configuration::{NOBODY, environment_at};
use crate::support::pty::Session;

const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
/// Limit of one step. Generous: the machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn bad_environment_is_seen_among_all_and_opened() {
    let stack = crate::support::stack::start().await;
    let folder = tempfile::tempdir().unwrap();
    let configuration = crate::support::configuration::of(stack.endpoints(), folder.path());
    // The same pipeline by another name, and one that nobody can reach.
    let text = std::fs::read_to_string(&configuration).unwrap();
    let other = text.replace("[environments.test]", "[environments.other]");
    let gone = environment_at("gone", NOBODY, "");
    std::fs::write(&configuration, format!("{text}{other}{gone}")).unwrap();
    let configuration = configuration.to_str().unwrap().to_owned();
    let journey = tokio::task::spawn_blocking(move || walk(&configuration));
    journey.await.unwrap();
    stack.stop().await.unwrap();
}

fn walk(configuration: &str) {
    let arguments = ["--config", configuration, "--env", "test"];
    let mut session = Session::start(Path::new(PROGRAM), &arguments, &[], (160, 45));
    session.wait_for("Attention", LIMIT);
    session.press("9");
    let screen = session.wait_for("3 environments", LIMIT);
    let row = |name: &str| {
        let mut lines = screen.lines();
        lines.find(|line| line.contains(name)).unwrap_or_default()
    };
    assert!(row("▸ gone").contains("unreachable"), "{screen}");
    for name in ["other", "test"] {
        assert!(!row(name).contains("unreachable"), "{name}: {screen}");
    }
    // The worst stands first; the next one is `other` or `test`.
    session.press("j");
    session.wait("another row is selected", LIMIT, |screen| {
        !screen.contains("▸ gone")
    });
    if session.screen().contents().contains("▸ test") {
        session.press("j");
        session.wait_for("▸ other", LIMIT);
    }
    session.press("\r");
    session.wait("the other environment is shown", LIMIT, |screen| {
        let header = screen.lines().next().unwrap_or_default();
        header.contains("other") && screen.contains("Attention")
    });
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
    assert!(session.is_cooked(), "the line discipline is as before");
}
