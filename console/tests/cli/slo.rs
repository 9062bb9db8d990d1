//! The error budgets of `status`, on metrics of known periods.

use serde_json::{Value, json};

use crate::metrics_of_the_past::put;
use crate::pipeline::deployed;
use crate::support::configuration;
use crate::support::program::Program;

/// Nobody else sends metrics of these.
const INGEST: &str = "ingest-of-the-slo-test";
const TOPIC: &str = "topic-of-the-slo-test";
const HOURS_AGO: [u64; 2] = [20, 40];

fn budget<'a>(status: &'a Value, objective: &str) -> &'a Value {
    let budgets = status["slo"].as_array().unwrap();
    budgets
        .iter()
        .find(|budget| budget["objective"] == objective)
        .unwrap()
}

#[test]
fn status_shows_what_is_left_of_each_budget_and_nothing_where_nothing_is_known() {
    let turn = deployed();
    let program = Program::new();
    let more = format!("ingest_function = \"{INGEST}\"\n");
    let text = configuration::by_api(&turn.endpoints, &more);
    let topic = format!("arn:aws:sns:us-east-1:000000000000:{TOPIC}");
    program.configure(&text.replace(&turn.endpoints.topic_arn, &topic));

    let status = program.json_ok(&["status"]);
    for objective in ["freshness", "durability", "api-availability", "api-latency"] {
        let budget = budget(&status, objective);
        assert_eq!(budget["events"], Value::Null, "{budget}");
        assert_eq!(budget["budget_left_percent"], Value::Null, "{budget}");
        assert_eq!(budget["budget_left_minutes"], Value::Null, "{budget}");
    }
    let text = program.run(&["status"]).stdout;
    assert!(
        text.contains("error budget  freshness         – of"),
        "{text}"
    );
    assert!(!text.contains("100 %)"), "{text}");

    let ingest = [
        ("stored", [4e8, 6e8]),
        ("late", [1e6, 1.5e6]),
        ("duplicates", [1e6, 2e6]),
        ("expired", [0.0, 0.0]),
        ("dead_lettered", [1e6, 0.0]),
    ];
    for (metric, values) in ingest {
        let metric = (metric, "FunctionName", INGEST);
        put(&turn, "OpsConsole/Ingest", metric, HOURS_AGO, values);
    }
    // So many that what waits in the shared queues does not count.
    let published = [4e8 + 2e6 + 5e5, 6e8 + 2e6 + 5.1e5];
    let metric = ("NumberOfMessagesPublished", "TopicName", TOPIC);
    put(&turn, "AWS/SNS", metric, HOURS_AGO, published);

    let status = program.json_ok(&["status"]);
    assert_eq!(
        budget(&status, "freshness"),
        &json!({
            "objective": "freshness", "objective_percent": 99.0, "window_days": 30,
            "events": 1_000_000_000, "bad_events": 2_500_000,
            "budget_left_percent": 75.0, "budget_left_minutes": 324.0,
        })
    );
    // Of the million that the objective allows.
    let durability = budget(&status, "durability");
    assert_eq!(durability["events"], 1_005_010_000);
    let missing = durability["bad_events"].as_u64().unwrap();
    assert!((1_009_000..=1_010_000).contains(&missing), "{durability}");
    let left = durability["budget_left_percent"].as_f64().unwrap();
    assert!((-1.0..0.0).contains(&left), "{durability}");
    assert_eq!(budget(&status, "api-latency")["events"], Value::Null);

    let text = program.run(&["status"]).stdout;
    for line in [
        "error budget  freshness         324 min (75 %) of 30 days at 99 % stored within 60 s",
        "              durability        none (1 min over) of 30 days at 99.9 % none missing",
        "              api-availability  – of 30 days at 99.9 % no 5xx",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
