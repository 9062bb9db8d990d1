//! `account` on a pipeline of its own, with a fault at one hop after the other.
//!
//! Invariant: a fault has a time of its own, which begins and ends in quiet, so that each difference is exact.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::configuration::NOBODY;
use crate::support::harness::LIMIT;
use crate::support::program::Program;
use crate::support::queues::Queues;
use crate::support::{configuration, machine, stack};

/// Two periods of the emulator's metrics without traffic.
const QUIET: Duration = Duration::from_secs(26);
const TOPIC: usize = 0;
const QUEUE: usize = 1;
const DEAD_LETTERS: usize = 3;

struct Pipeline {
    runtime: tokio::runtime::Runtime,
    stack: devstack::Stack,
    queues: Queues,
    program: Program,
}

impl Pipeline {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let stack = runtime.block_on(stack::start());
        let endpoints = stack.endpoints().clone();
        let program = Program::new();
        let folder = program.configure("").parent().unwrap().to_owned();
        configuration::of(&endpoints, &folder);
        Self {
            queues: Queues::of(stack::connect(&endpoints).environment()),
            runtime,
            stack,
            program,
        }
    }

    fn wait(&self, time: Duration) {
        self.runtime
            .block_on(async { tokio::time::sleep(time).await });
    }

    fn publish(&self, events: u32, name: &str) {
        let lines: String = (0..events)
            .map(|number| {
                let event = json!({
                    "specversion": "1.0", "id": format!("{name}-{number}"), "source": "/account",
                    "type": "account", "time": "2026-11-24T12:00:00Z",
                });
                format!("{event}\n")
            })
            .collect();
        let file = self.program.write("events.jsonl", lines);
        self.program.json_ok(&["publish", file.to_str().unwrap()]);
    }

    /// Does something to a pipeline that is quiet before and after, and returns the hops of that time as soon as
    /// `is_there`.
    fn hops_after(&self, work: impl FnOnce(), is_there: impl Fn(&Value) -> bool) -> Value {
        self.wait(QUIET);
        let begun = Instant::now();
        work();
        self.wait(QUIET);
        let deadline = Instant::now() + LIMIT;
        loop {
            // The period before the work is quiet, and the shortest time is a minute.
            let since = (begun.elapsed().as_secs() + 10).max(60);
            let (_, account) = self
                .program
                .json(&["account", "--since", &format!("{since}s")]);
            if is_there(&account["hops"]) && is_exact(&account["hops"]) {
                return account["hops"].clone();
            }
            assert!(Instant::now() < deadline, "{account:#}");
            self.wait(Duration::from_secs(2));
        }
    }

    fn send_directly(&self, bodies: &[String], delay_secs: i32) {
        self.runtime.block_on(async {
            for body in bodies {
                self.queues
                    .sqs
                    .send_message()
                    .queue_url(&self.stack.endpoints().queue_url)
                    .message_body(body)
                    .delay_seconds(delay_secs)
                    .send()
                    .await
                    .unwrap();
            }
        });
    }

    fn purge(&self, queue_url: &str) {
        self.runtime.block_on(async {
            let purge = self.queues.sqs.purge_queue().queue_url(queue_url);
            purge.send().await.unwrap();
        });
    }
}

/// Whether the first and the last period were quiet.
fn is_exact(hops: &Value) -> bool {
    let mut hops = hops.as_array().unwrap().iter();
    hops.all(|hop| hop["uncertainty"] == 0)
}

/// States and differences; 0 of what is unknown.
fn states(hops: &Value) -> Vec<(&str, i64)> {
    let hops = hops.as_array().unwrap().iter();
    hops.map(|hop| {
        (
            hop["state"].as_str().unwrap(),
            hop["difference"].as_i64().unwrap_or_default(),
        )
    })
    .collect()
}

#[test]
fn time_that_is_too_short_is_refused_before_any_call() {
    let program = Program::new();
    program.configure(&configuration::environment_at("pilot", NOBODY, ""));
    let answer = program.run(&["account", "--since", "59s"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.stderr.contains("at least 60 s"), "{answer:?}");
    let answer = program.run(&["account", "--since", "60s"]);
    assert_eq!(answer.code, 3, "nobody answers: {answer:?}");
}

#[test]
fn fault_is_named_at_its_hop_with_its_number() {
    let alone = machine::alone();
    let pipeline = Pipeline::start();
    // From here on it waits for quiet periods, beside which other tests can run.
    drop(alone);
    let endpoints = pipeline.stack.endpoints().clone();

    let came = |hop: usize, number: u64| move |hops: &Value| hops[hop]["came"] == number;
    let hops = pipeline.hops_after(|| pipeline.publish(40, "right"), came(2, 40));
    assert_eq!(states(&hops), [("balanced", 0); 4], "{hops:#}");

    // Sent past the topic, and purged before they were received.
    let hops = pipeline.hops_after(
        || {
            pipeline.send_directly(&vec!["{}".to_owned(); 7], 60);
            pipeline.purge(&endpoints.queue_url);
        },
        |hops| hops[TOPIC]["left"] == 7,
    );
    let seen = states(&hops);
    assert_eq!(
        (seen[TOPIC], seen[QUEUE]),
        (("doubled", -7), ("missing", 7)),
        "{hops:#}"
    );

    // Dead letters of the ingest that were purged.
    let hops = pipeline.hops_after(
        || {
            pipeline.send_directly(&vec!["not json".to_owned(); 3], 0);
            let status = ["status"];
            pipeline.program.json_until(&status, LIMIT, |status| {
                status["dead_letters"]["visible"] == 3
            });
            pipeline.purge(&endpoints.dead_letter_queue_url);
        },
        |hops| hops[DEAD_LETTERS]["came"] == 3,
    );
    assert_eq!(states(&hops)[DEAD_LETTERS], ("missing", 3), "{hops:#}");
    let (code, _) = pipeline.program.json(&["account", "--since", "90s"]);
    assert_eq!(code, 1);
}
