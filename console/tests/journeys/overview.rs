//! What an operator does who asks "what did this number do this morning?": chooses a range, points at a moment, reads
//! its values, and goes on to what explains them.

use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};
use devstack::Endpoints;

use crate::support::pty::Session;

const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
/// Limit of one step. Generous: the machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);
/// A depth that this stack does not reach by itself.
const DEPTH: f64 = 777.0;
const MINUTE: u64 = 60;

/// Messages that waited from four to two hours ago.
async fn put_backlog(endpoints: &Endpoints) {
    let queue = endpoints.queue_url.rsplit('/').next().unwrap();
    let dimension = Dimension::builder().name("QueueName").value(queue).build();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let data = (120..240).step_by(2).map(|minutes| {
        let at = DateTime::from_secs(i64::try_from(now - minutes * MINUTE).unwrap());
        MetricDatum::builder()
            .metric_name("ApproximateNumberOfMessagesVisible")
            .dimensions(dimension.clone())
            .timestamp(at)
            .value(DEPTH)
            .build()
    });
    let client = aws_sdk_cloudwatch::Client::new(&endpoints.sdk_config());
    let request = client.put_metric_data().namespace("AWS/SQS");
    let request = request.set_metric_data(Some(data.collect()));
    request.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn moment_of_the_past_is_found_and_read() {
    let stack = crate::support::stack::start().await;
    put_backlog(stack.endpoints()).await;
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
    session.wait_for("─ Queue depth", LIMIT);
    session.press("H");
    session.wait("the six hours", LIMIT, |screen| {
        screen.contains('█') && !screen.contains("reading 6h")
    });
    // The mouse points at the middle: three hours ago.
    let screen = session.wait_for("UTC └", LIMIT);
    let axis = screen
        .lines()
        .position(|line| line.contains("UTC └"))
        .unwrap();
    session.press(&format!("\u{1b}[<0;84;{axis}M\u{1b}[<0;84;{axis}m"));
    session.wait_for("depth 777", LIMIT);
    // To the left there are earlier moments with the same depth.
    session.press("\u{1b}[D");
    session.wait_for("depth 777", LIMIT);
    session.press("\u{1b}");
    session.wait("the cursor to be gone", LIMIT, |screen| {
        !screen.contains("depth 777")
    });

    // What does not fit has pages, and what explains a number is behind the enter key.
    session.press("\t");
    session.wait_for("─ Lag", LIMIT);
    session.press("\t");
    session.wait_for("▸ Invocations", LIMIT);
    session.press("\t\t");
    session.wait_for(" on disk", LIMIT);
    session.press("\r");
    session.wait_for("─ Records", LIMIT);
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());
}
