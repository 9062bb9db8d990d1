//! A redrive of a group of dead letters, with the real program on the real pipeline: see why it
//! failed, patch it, look at its plan, send it behind a canary, and see every event stored.

use std::path::Path;
use std::time::Duration;

use aws_sdk_sqs::Client;
use pipeline::audit::AuditLog;
use pipeline::model::QueueRole;

use crate::support::proxy::{self, Fault};
use crate::support::pty::Session;
use crate::support::queues::Queues;
use crate::support::{configuration, machine, stack};

const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
/// Limit of one step. Generous: the machine may be busy.
const LIMIT: Duration = Duration::from_secs(90);
const MESSAGES: usize = 14;

#[tokio::test(flavor = "multi_thread")]
async fn group_is_patched_redriven_behind_a_canary_and_all_stored() {
    let _machine = machine::alone();
    let stack = stack::start().await;
    let folder = tempfile::tempdir().unwrap();
    let endpoints = stack.endpoints();
    let configuration = configuration::of(endpoints, folder.path());
    let configuration = configuration.to_str().unwrap().to_owned();
    let sqs = Client::new(&devstack::sdk_config(&endpoints.endpoint_url));
    for number in 0..MESSAGES {
        let body = format!(
            r#"{{"specversion":"1.0","id":"back-{number}","source":"/apps/crew","type":"flight.delayed","data":{{"flight":"LA601","reported":"2026-01-31T12:00:00Z"}}}}"#
        );
        sqs.send_message()
            .queue_url(&endpoints.queue_url)
            .message_body(body)
            .send()
            .await
            .unwrap();
    }
    let journey = tokio::task::spawn_blocking(move || walk(&configuration));
    journey.await.unwrap();
    stack.stop().await.unwrap();
}

fn walk(configuration: &str) {
    let arguments = ["--config", configuration, "--env", "test"];
    let mut session = Session::start(Path::new(PROGRAM), &arguments, &[], (160, 45));
    session.wait_for("14 dead letters", LIMIT);
    session.press("2");
    session.wait_for("missing-attribute /time", LIMIT);
    session.wait_for("14 received", LIMIT);

    // Search, then patch the whole group; the difference of each message can be read before.
    session.press("/.data.flight == \"LA601\"\r");
    session.wait_for("14 found", LIMIT);
    session.press("\tjp");
    session.wait_for("runs on each of 14 messages", LIMIT);
    session.press(".time = .data.reported\r");
    session.wait_for("14 become ready", LIMIT);
    session.wait_for("+   \"time\": \"2026-01-31T12:00:00Z\"", LIMIT);
    session.press("y");
    session.wait_for("14 edited, 14 of them ready", LIMIT);

    // The group's plan: all are ready, and a dry run confirms it.
    session.press("r");
    session.wait_for("14 of them edited", LIMIT);
    session.wait_for("dry run done: 14 would be sent", LIMIT);
    session.wait_for("first 1, then up to 10, then all 14", LIMIT);

    // Slow enough to be paused; then the console is closed in its middle.
    session.press("---------\r");
    session.wait_for("Running redrive", LIMIT);
    session.wait_for("at most 1.0/s", LIMIT);
    session.press(" ");
    session.wait_for("paused by you", LIMIT);
    session.press("q");
    session.wait_for("The redrive is paused", LIMIT);
    session.press("y");
    assert!(session.wait_for_exit(LIMIT).success());
    assert!(
        session.output().contains("cancelled: "),
        "what is left is reported"
    );

    // The history has it when the console is opened again; it continues from there, faster.
    let mut session = Session::start(Path::new(PROGRAM), &arguments, &[], (160, 45));
    session.press("3");
    session.wait_for("cancelled: the rest was not sent", LIMIT);
    session.press("r");
    session.wait_for("at most 1.0/s", LIMIT);
    session.press("+");
    session.wait_for("at most 2.0/s", LIMIT);
    session.press("+++++");
    let screen = session.wait("all events stored", LIMIT, |screen| {
        screen.contains("14 of 14 sent") && screen.contains("14 stored")
    });
    assert!(screen.contains("finished"), "{screen}");
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
    assert!(session.is_cooked(), "the line discipline is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn own_editor_gets_the_terminal_and_returns_it() {
    let _machine = machine::shared();
    let queues = Queues::start().await;
    let body =
        r#"{"specversion":"1.0","id":"own-1","source":"/apps/crew","type":"flight.delayed"}"#;
    queues.add_dead_letters(&[body.to_owned()], &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let text = configuration::without_api("test", queues.endpoint_url(), queues.urls(), "");
    let configuration = configuration::write(folder.path(), &text);
    let editor = folder.path().join("editor.sh");
    let script = r#"trap 'printf "still mine"' INT
printf "the terminal is mine"
until read -r line; do :; done
sed -i 's/"type"/"time": "2026-01-31T12:00:00Z", "type"/' "$1"
"#;
    std::fs::write(&editor, script).unwrap();
    let editor = format!("sh {}", editor.display());
    let configuration = configuration.to_str().unwrap().to_owned();
    let walk = tokio::task::spawn_blocking(move || {
        let arguments = ["--config", &configuration, "--env", "test"];
        let variables = [("VISUAL", editor.as_str())];
        let mut session = Session::start(Path::new(PROGRAM), &arguments, &variables, (80, 24));
        session.press("2");
        session.wait_for("1 received", LIMIT);
        session.press("E");
        session.wait_for("the terminal is mine", LIMIT);
        assert!(session.is_cooked(), "the editor has an ordinary terminal");
        // An interrupt is the editor's, which ignores it; the console stays.
        session.press("\u{3}");
        session.wait_for("still mine", LIMIT);
        session.press("q\n");
        session.wait_for("edited: ready", LIMIT);
        session.press("\r");
        session.wait_for("2026-01-31T12:00:00Z", LIMIT);
        session.press("q");
        session.wait_for("The edits of 1 message are not sent", LIMIT);
        session.press("y");
        assert!(session.wait_for_exit(LIMIT).success());
        assert!(session.is_cooked());
    });
    walk.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn quitting_ends_a_deletion_with_its_audit_entry_and_releases_the_rest() {
    let _machine = machine::shared();
    let queues = Queues::start().await;
    let bodies: Vec<String> = (0..300).map(|number| format!("body {number}")).collect();
    queues.add_dead_letters(&bodies, &[]).await;
    // Deletes stop after the third batch, until the console is being left.
    let endpoint = queues.endpoint_url();
    let batches = 3..usize::MAX;
    let mut proxy = proxy::start(endpoint, "DeleteMessageBatch", Fault::KeepAnswer, batches).await;
    let folder = tempfile::tempdir().unwrap();
    let text = configuration::without_api("test", &proxy.url, queues.urls(), "");
    let configuration = configuration::write(folder.path(), &text);
    let configuration = configuration.to_str().unwrap().to_owned();
    let state = folder.path().join("state");
    let console = tokio::task::spawn_blocking({
        let state = state.to_str().unwrap().to_owned();
        move || {
            let arguments = ["--config", &configuration, "--env", "test"];
            let variables = [("XDG_STATE_HOME", state.as_str())];
            let mut session = Session::start(Path::new(PROGRAM), &arguments, &variables, (160, 45));
            session.press("2");
            session.wait_for("300 received", LIMIT);
            // All but one.
            session.press("ag Ddead-letters\r");
            session.wait_for("deleting: 0 of 299 tried", LIMIT);
            session
        }
    });
    let mut session = console.await.unwrap();
    proxy.wait_until_kept().await;
    let session = tokio::task::spawn_blocking(move || {
        session.press("R");
        session.wait_for("299 received", LIMIT);
        session.press("q");
        session.wait_for("A deletion is running: 0 of 299 done", LIMIT);
        session.press("y");
        session.wait_for("finishing the deletion: 0 of 299 done", LIMIT);
        session
    });
    let mut session = session.await.unwrap();
    let released = async { while queues.depth(QueueRole::DeadLetter).await.0 == 0 {} };
    tokio::time::timeout(LIMIT, released).await.unwrap();
    let visible = queues.depth(QueueRole::DeadLetter).await.0;
    assert_eq!(visible, 1, "R releases nothing that is being deleted");
    proxy.open();
    let status = tokio::task::spawn_blocking(move || session.wait_for_exit(LIMIT));
    assert!(status.await.unwrap().success());
    let audit = AuditLog::in_folder(&state.join("opsconsole"))
        .read()
        .unwrap();
    let ending = audit.entries[0].ending.as_ref().unwrap();
    let deleted = usize::try_from(ending.counts["deleted"]).unwrap();
    assert!(ending.counts["left"] > 0, "{ending:?}");
    assert_eq!(ending.error.as_deref(), Some("interrupted"));
    assert_eq!(
        queues.depth(QueueRole::DeadLetter).await,
        (300 - deleted, 0)
    );
}
