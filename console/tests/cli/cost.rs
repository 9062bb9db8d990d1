//! `cost` on metrics of known hours.

use serde_json::Value;

use crate::metrics_of_the_past::put;
use crate::pipeline::deployed;
use crate::support::configuration;
use crate::support::program::Program;

const CLUSTER: &str = "events-of-the-cost-test";

const HOURS_AGO: [u64; 3] = [4, 3, 2];

fn line<'a>(estimate: &'a Value, service: &str) -> &'a Value {
    let lines = estimate["lines"].as_array().unwrap();
    lines
        .iter()
        .find(|line| line["service"] == service)
        .unwrap()
}

#[test]
fn month_is_estimated_from_metrics_and_what_has_none_is_unknown() {
    let turn = deployed();
    let topic = turn.endpoints.topic_arn.rsplit(':').next().unwrap();
    let published = ("NumberOfMessagesPublished", "TopicName", topic);
    // So many that what other tests published does not count. The first period may not be whole, and is left out.
    put(&turn, "AWS/SNS", published, HOURS_AGO, [9e8, 4e8, 2e8]);
    let capacity = ("ServerlessDatabaseCapacity", "DBClusterIdentifier", CLUSTER);
    put(&turn, "AWS/RDS", capacity, HOURS_AGO, [8.0, 0.5, 0.0]);
    let program = Program::new();
    let more = format!(
        "database_cluster = \"{CLUSTER}\"\ndatabase_instances = 2\ningest_memory_mib = 1024\n"
    );
    program.configure(&configuration::by_api(&turn.endpoints, &more));

    let estimate = program.json_ok(&["cost"]);
    let number = |value: &Value| value.as_f64().unwrap();
    let hours = number(&estimate["observed_hours"]);
    assert!((3.0..=4.1).contains(&hours), "{estimate}");
    let a_month = 6e8 * 730.0 / hours;
    let counted = number(&line(&estimate, "SNS")["quantity_per_month"]);
    assert!((counted / a_month - 1.0).abs() < 1e-3, "{estimate}");
    // The metric is the mean of the instances.
    assert_eq!(line(&estimate, "Aurora")["quantity_per_month"], 365.0);
    let lines = estimate["lines"].as_array().unwrap();
    let is_at_memory = |line: &Value| line["note"] == "at 1024 MiB";
    assert!(lines.iter().any(is_at_memory), "{estimate}");
    assert_eq!(line(&estimate, "API Gateway")["usd_per_month"], Value::Null);
    assert_eq!(estimate["usd_per_idle_month"], 0.0);
    let known: f64 = estimate["lines"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| line["usd_per_month"].as_f64())
        .sum();
    assert!((number(&estimate["usd_per_month"]) - known).abs() < 1e-9);

    let text = program.run(&["cost"]).stdout;
    assert!(
        text.contains("API Gateway") && text.contains("unknown"),
        "{text}"
    );
    assert!(text.contains("list prices of November 2026"), "{text}");
    assert!(text.contains("not included: storage and I/O"), "{text}");
}
