//! What an operator does who asks "what do others get from the API?": chooses an operation, mends what is wrong, reads
//! the answer and the page after it, measures it, and takes it along for curl.

use std::path::Path;
use std::time::Duration;

use crate::support::pty::Session;

const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
/// Limit of one step. Generous: the machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn records_are_listed_by_a_form_paged_measured_and_taken_along_for_curl() {
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
    // Three records: each probe leaves one.
    session.press("8p");
    session.wait_for("1 probe, 0 failed", LIMIT);
    session.press("p");
    session.wait_for("2 probes, 0 failed", LIMIT);
    session.press("p");
    session.wait_for("3 probes, 0 failed", LIMIT);

    session.press("0");
    session.wait_for("of the deployed API", LIMIT);
    // The list of records, and its limit.
    session.press("j\r");
    session.wait_for("GET /v1/records · not signed", LIMIT);
    session.press("jjjjjjj\r");
    session.press("501");
    session.wait_for("✖ is more than 500", LIMIT);
    session.press("\rs");
    session.wait_for("nothing was sent: limit is more than 500", LIMIT);
    session.press("\r\u{15}1\r");
    session.press("s");
    let screen = session.wait_for("● 200 OK", LIMIT);
    assert!(screen.contains("\"record_id\""), "{screen}");
    session.wait_for("n sends it with cursor", LIMIT);
    session.press("n");
    session.wait("the next page", LIMIT, |screen| {
        screen.contains("limit=1&cursor=") && screen.contains("● 200 OK")
    });
    session.press("r");
    session.wait_for("send it so often", LIMIT);
    session.press("\u{15}5\r");
    let screen = session.wait_for("5 of 5 calls · 200 × 5", LIMIT);
    for expected in ["min ", "p50 ", "p95 ", "p99 ", "max "] {
        assert!(screen.contains(expected), "{expected}: {screen}");
    }
    session.press("c");
    let screen = session.wait_for("copied the curl command", LIMIT);
    assert!(screen.contains("curl --globoff --include"), "{screen}");
    // The clipboard of the terminal (OSC 52).
    assert!(session.output().contains("\u{1b}]52;c;"));
    session.press("\u{1b}");
    session.wait("the dialog is closed", LIMIT, |screen| {
        !screen.contains("The same call by curl")
    });
    session.press("h");
    let screen = session.wait_for("3 calls", LIMIT);
    assert!(screen.contains("× 5"), "{screen}");
    session.press("\u{1b}");
    // A key right behind it would be one with Alt.
    session.wait("the history is closed", LIMIT, |screen| {
        screen.contains("─ Answer") && !screen.contains("3 calls")
    });
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
    assert!(session.is_cooked(), "the line discipline is as before");
}
