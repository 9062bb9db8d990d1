//! A console on a demo that another process runs, when that demo ends.

use std::path::Path;
use std::time::Duration;

use pipeline::environment::{Environment, EnvironmentClaim};

use crate::support::pty::Session;

const LIMIT: Duration = Duration::from_secs(30);
const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");

#[tokio::test(flavor = "multi_thread")]
async fn end_of_the_demo_is_shown_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let environments = home.path().join("state/opsconsole/environments");
    let mut claim = EnvironmentClaim::take("demo", &environments).await.unwrap();
    let demo = Environment {
        name: "demo".to_owned(),
        ..Environment::example()
    };
    claim.publish(&demo).unwrap();
    let folder = |name: &str| home.path().join(name).display().to_string();
    let mut session = Session::start(
        Path::new(PROGRAM),
        &["--env", "demo", "--read-only"],
        &[
            ("XDG_STATE_HOME", &folder("state")),
            ("XDG_CONFIG_HOME", &folder("config")),
        ],
        (160, 40),
    );
    let screen = session.wait_for("Attention", LIMIT);
    assert!(!screen.contains("has stopped"), "{screen}");
    claim.release();
    let screen = session.wait_for("this pipeline is not whole: its demo was stopped", LIMIT);
    assert!(screen.contains("`cargo demo`"), "{screen}");
    session.press("\u{3}");
    assert!(session.wait_for_exit(LIMIT).success());
}
