//! What an operator does who asks whether anything is set up wrong: sees the fault, copies the fix, mends it, and checks
//! again.

use std::path::Path;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use tokio::runtime::Handle;

use crate::support::pty::Session;

const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
/// Limit of one step. Generous: the machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn fault_of_the_set_up_is_seen_mended_and_gone() {
    let stack = crate::support::stack::start().await;
    let folder = tempfile::tempdir().unwrap();
    let configuration = crate::support::configuration::of(stack.endpoints(), folder.path());
    let configuration = configuration.to_str().unwrap().to_owned();
    let sqs = aws_sdk_sqs::Client::new(&stack.endpoints().sdk_config());
    let queue_url = stack.endpoints().queue_url.clone();
    let runtime = Handle::current();
    let journey = tokio::task::spawn_blocking(move || {
        let set = |secs: &str| {
            let request = sqs.set_queue_attributes().queue_url(&queue_url);
            let request = request.attributes(QueueAttributeName::VisibilityTimeout, secs);
            runtime.block_on(request.send()).unwrap();
        };
        walk(&configuration, set);
    });
    journey.await.unwrap();
    stack.stop().await.unwrap();
}

fn walk(configuration: &str, set_visibility: impl Fn(&str)) {
    let arguments = ["--config", configuration, "--env", "test"];
    // A stack that was just started is sound: notes alone, and nothing that could not be read.
    let mut lint = std::process::Command::new(PROGRAM);
    lint.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    let sound = lint.args(arguments).arg("lint").output().unwrap();
    let text = String::from_utf8_lossy(&sound.stdout).into_owned();
    assert!(sound.status.success(), "{text}");

    set_visibility("30");
    let mut session = Session::start(Path::new(PROGRAM), &arguments, &[], (160, 45));
    session.wait_for("Attention", LIMIT);
    session.press("6");
    session.wait_for("visibility timeout 30 s, function timeout 10 s", LIMIT);
    // The command is wrapped.
    session.wait_for("set-queue-attributes --queue-url", LIMIT);
    session.press("y");
    session.wait_for("copied the fix", LIMIT);

    set_visibility("61");
    // ^r
    session.press("\u{12}");
    session.wait("the finding to be gone", LIMIT, |screen| {
        screen.contains("passed") && !screen.contains("visibility timeout 30 s")
    });
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
}
