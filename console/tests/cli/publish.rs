//! `publish` where SNS does not answer.

use serde_json::json;

use crate::support::harness::{Harness, numbered};
use crate::support::program::Answer;
use crate::support::proxy::Fault;
use crate::support::signals::signal;

/// As a path of requests to SNS begins.
const SNS: &str = "api/sns";

#[test]
fn what_a_signal_cuts_off_was_not_confirmed_and_may_be_published() {
    let harness = Harness::start();
    let file = harness.program.write("events", numbered(1).concat());
    let arguments = ["publish", "--raw", file.to_str().unwrap()];
    for is_json in [true, false] {
        let mut proxy = harness.proxy(SNS, Fault::KeepRequest, 0..usize::MAX);
        let output: &[&str] = if is_json { &["--output", "json"] } else { &[] };
        let child = harness.program.spawn(&[&arguments[..], output].concat());
        harness.runtime.block_on(proxy.wait_until_kept());
        signal(child.id(), "INT");
        let answer = Answer::of_child(child);
        assert_eq!(answer.code, 130, "{answer:?}");
        if is_json {
            let report = answer.json();
            assert_eq!(
                (
                    &report["published"],
                    &report["failed"],
                    &report["unconfirmed"]
                ),
                (&json!(0), &json!(1), &json!(1)),
                "{report}"
            );
        } else {
            let expected = "published 0, failed 1, of these 1 may be published\n";
            assert_eq!(answer.stdout, expected, "{answer:?}");
        }
    }
}
