//! The raised alarms of `status`, as CloudWatch has them.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::operation::put_metric_alarm::builders::PutMetricAlarmFluentBuilder;
use aws_sdk_cloudwatch::types::{ComparisonOperator, StateValue, Statistic};
use serde_json::{Value, json};

use super::denying_service::DenyingService;
use crate::pipeline::deployed;
use crate::support::configuration;
use crate::support::program::Program;

/// Nobody else has alarms of this name.
const TOPIC: &str = "topic-of-the-alarms-test";

/// An alarm on any value of a metric above 0, to be completed and sent.
pub(crate) fn above_zero(
    cloudwatch: &Client,
    name: &str,
    (namespace, metric): (&str, &str),
    action: Option<&str>,
) -> PutMetricAlarmFluentBuilder {
    cloudwatch
        .put_metric_alarm()
        .alarm_name(name)
        .namespace(namespace)
        .metric_name(metric)
        .statistic(Statistic::Maximum)
        .period(60)
        .evaluation_periods(1)
        .threshold(0.0)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .set_alarm_actions(action.map(|action| vec![action.to_owned()]))
}

pub(crate) async fn set_state(cloudwatch: &Client, name: &str, state: StateValue, reason: &str) {
    let request = cloudwatch.set_alarm_state().alarm_name(name);
    let request = request.state_value(state).state_reason(reason);
    request.send().await.unwrap();
}

async fn raise(cloudwatch: &Client, name: &str, action: Option<&str>) {
    let text = "Messages wait. What to do: https://runbooks.example/#oldest-message";
    let alarm = above_zero(cloudwatch, name, ("OpsConsole/Nothing", "nothing"), action);
    alarm.alarm_description(text).send().await.unwrap();
    set_state(cloudwatch, name, StateValue::Alarm, "901 s").await;
}

#[test]
fn status_shows_raised_alarms_of_this_pipeline_with_their_runbooks() {
    let turn = deployed();
    let program = Program::new();
    let text = configuration::by_api(&turn.endpoints, "");
    let topic = format!("arn:aws:sns:us-east-1:000000000000:{TOPIC}");
    program.configure(&text.replace(&turn.endpoints.topic_arn, &topic));
    assert_eq!(program.json_ok(&["status"])["alarms"], json!([]));
    let shown = program.run(&["status"]).stdout;
    assert!(shown.contains("alarms        none raised"), "{shown}");

    let own = format!("{TOPIC}-oldest-message");
    let window = format!("{TOPIC}-slo-freshness-1h-long");
    let foreign = "other-oldest-message".to_owned();
    // Of another pipeline, whose name begins with that of this one.
    let pilot = format!("{TOPIC}-pilot-oldest-message");
    let silenced = format!("{TOPIC}-lost");
    let names = [&own, &window, &foreign, &pilot, &silenced].map(String::clone);
    let config = devstack::sdk_config(&turn.endpoints.endpoint_url);
    let cloudwatch = Client::new(&config);
    turn.runtime.block_on(async {
        raise(&cloudwatch, &own, Some(&topic)).await;
        raise(&cloudwatch, &window, None).await;
        raise(&cloudwatch, &foreign, Some(&topic)).await;
        raise(&cloudwatch, &pilot, Some(&topic)).await;
        raise(&cloudwatch, &silenced, Some(&topic)).await;
        let disable = cloudwatch.disable_alarm_actions().alarm_names(&silenced);
        disable.send().await.unwrap();
    });
    let status = program.json_ok(&["status"]);
    let shown = program.run(&["status"]).stdout;
    let delete = cloudwatch
        .delete_alarms()
        .set_alarm_names(Some(names.into()));
    turn.runtime.block_on(delete.send()).unwrap();

    let alarms = status["alarms"].as_array().unwrap();
    let [disabled, alarm] = alarms.as_slice() else {
        panic!("{status:#}");
    };
    assert_eq!(
        (&disabled["name"], &disabled["silenced"]),
        (&json!(silenced), &json!(true))
    );
    assert_eq!(alarm["silenced"], false);
    assert!(shown.contains("2 raised, 1 silenced"), "{shown}");
    assert_eq!(alarm["name"], own.as_str());
    assert_eq!(alarm["reason"], "901 s");
    assert_eq!(
        alarm["what_to_do"],
        "https://runbooks.example/#oldest-message"
    );
    assert!(
        shown.contains("what to do: https://runbooks.example/#oldest-message"),
        "{shown}"
    );
}

#[test]
fn alarms_of_which_there_are_always_more_are_unknown() {
    let service = DenyingService::start();
    service.answer_with_endless_alarms();
    let (code, status) = service.program.json(&["status"]);
    assert_ne!(code, 0, "{status:#}");
    assert_eq!(status["alarms"], Value::Null, "{status:#}");
    let errors = status["errors"].as_array().unwrap();
    let error = errors.iter().find(|error| error["part"] == "alarms");
    let told = error.unwrap()["error"].as_str().unwrap();
    assert!(told.contains("more than 5 pages of alarms"), "{told}");
}

#[test]
fn alarms_that_may_not_be_read_are_unknown_and_named() {
    let service = DenyingService::start();
    service.deny("DescribeAlarms");
    let (code, status) = service.program.json(&["status"]);
    assert_eq!(code, 1, "{status:#}");
    assert_eq!(status["alarms"], Value::Null, "{status:#}");
    let errors = status["errors"].as_array().unwrap();
    let error = errors.iter().find(|error| error["part"] == "alarms");
    let error = error.unwrap();
    let (told, hint) = (&error["error"], &error["hint"]);
    assert!(told.as_str().unwrap().contains("list the raised alarms"));
    assert!(hint.as_str().unwrap().contains("permission is missing"));
}
