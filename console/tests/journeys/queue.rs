//! What an operator does who asks "what waits there?": reads the price, agrees to it, looks at the messages, and leaves
//! them to the ingest.

use std::path::Path;
use std::time::{Duration, Instant};

use pipeline::model::QueueRole;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::pty::Session;
use crate::support::queues::Queues;
use crate::support::source_queue::let_ingest_read;

const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
/// Limit of one step. Generous: the machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);
const MESSAGES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn queue_is_peeked_and_released() {
    let stack = crate::support::stack::start().await;
    let pipeline = crate::support::stack::connect(stack.endpoints());
    let_ingest_read(stack.endpoints(), false).await;
    let never = CancellationToken::new();
    for number in 0..MESSAGES {
        let event = json!({
            "specversion": "1.0",
            "id": format!("waits-{number}"),
            "source": "/journey/queue",
            "type": "journey.waited",
            "time": "2026-01-31T12:00:00Z",
        });
        let body = event.to_string();
        let published = pipeline.publish_one(&body, Value::Null, &never).await;
        published.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let configuration = crate::support::configuration::of(stack.endpoints(), folder.path());
    let configuration = configuration.to_str().unwrap().to_owned();
    let state = folder.path().to_str().unwrap().to_owned();
    let journey = tokio::task::spawn_blocking(move || walk(&configuration, &state));
    journey.await.unwrap();

    // The ingest has them all, once, and none is a dead letter.
    let queues = Queues::of(pipeline.environment());
    assert_eq!(queues.depth(QueueRole::Source).await, (MESSAGES, 0));
    let_ingest_read(stack.endpoints(), true).await;
    let deadline = Instant::now() + LIMIT;
    while queues.count(QueueRole::Source).await > 0 {
        assert!(Instant::now() < deadline, "they still wait");
    }
    assert_eq!(
        pipeline.record_totals().await.unwrap().total,
        MESSAGES as u64
    );
    assert_eq!(queues.count(QueueRole::DeadLetter).await, 0);
    stack.stop().await.unwrap();
}

fn walk(configuration: &str, state: &str) {
    let arguments = ["--config", configuration, "--env", "test"];
    let environment = [("XDG_STATE_HOME", state)];
    let mut session = Session::start(Path::new(PROGRAM), &arguments, &environment, (160, 45));
    session.wait_for("Attention", LIMIT);
    session.press("Q");
    session.wait_for(
        "one that was received 2 times before has 3 of 3 then",
        LIMIT,
    );
    // Nothing happens without the answer.
    session.press("p");
    session.wait_for("Receive up to 10 messages of test?", LIMIT);
    session.press("\u{1b}");
    session.wait_for("nothing was received", LIMIT);
    session.press("p");
    session.wait_for("Receive up to 10 messages of test?", LIMIT);
    session.press("y");
    session.wait_for("3 messages released at", LIMIT);
    for expected in ["1 of 3", "valid", "journey.waited", "\"/journey/queue\""] {
        // A frame may have come in part.
        session.wait_for(expected, LIMIT);
    }
    // A second look brings them to their limit, and a third one is refused.
    session.press("p");
    session.wait_for("Receive up to 10 messages of test?", LIMIT);
    session.press("y");
    session.wait_for("2 of 3 receives: the next receive that fails", LIMIT);
    session.wait_for("no peek: the peek at", LIMIT);
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
    assert!(session.is_cooked(), "the line discipline is as before");
}
