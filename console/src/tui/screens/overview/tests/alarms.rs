//! The raised alarms on the overview: their runbooks, how old they are, and how often they are read.

use chrono::Duration;

use super::stage::{Pipeline, served};
use crate::tui::fault::Fault;
use crate::tui::request::Request;
use crate::tui::testing::{Harness, environment, now};
use pipeline::RaisedAlarm;
use pipeline::environment::Environment;

fn alarm(name: &str) -> RaisedAlarm {
    RaisedAlarm {
        name: format!("events-{name}"),
        since: Some(now() - Duration::minutes(12)),
        reason: "Threshold Crossed: 1 datapoint".to_owned(),
        what_to_do: Some(format!("https://runbooks.example/#{name}")),
        silenced: false,
    }
}

fn with(alarms: Vec<RaisedAlarm>) -> Pipeline {
    Pipeline {
        alarms: Ok(alarms),
        ..Pipeline::healthy()
    }
}

#[test]
fn raised_alarm_is_a_finding_with_its_runbook() {
    let text = served(&Pipeline::healthy(), 160, 45).text();
    assert!(!text.contains("alarm"), "{text}");
    let text = served(&with(vec![alarm("oldest-message")]), 160, 45).text();
    let finding = "alarm events-oldest-message for 12 min: Threshold Crossed: 1 datapoint";
    assert!(text.contains(finding), "{text}");
    let place = "what to do: https://runbooks.example/#oldest-message";
    assert!(text.contains(place), "{text}");
    assert!(!text.contains("· as of"), "{text}");
    assert!(text.contains("attention"), "{text}");
}

#[test]
fn raised_alarm_whose_actions_are_disabled_is_shown_as_silenced() {
    let silenced = RaisedAlarm {
        silenced: true,
        ..alarm("lost")
    };
    let text = served(&with(vec![silenced, alarm("undelivered")]), 160, 45).text();
    let row = |name: &str| text.lines().find(|line| line.contains(name)).unwrap();
    let told = "for 12 min, silenced: its actions are disabled: Threshold";
    assert!(row("events-lost").contains(told), "{text}");
    assert!(!row("events-undelivered").contains("silenced"), "{text}");
}

/// CloudWatch's reasons are long, and the runbook stands behind them.
#[test]
fn long_reason_leaves_room_for_the_runbook() {
    let mut long = alarm("lost");
    long.reason = "Threshold Crossed: ".to_owned() + &"datapoint ".repeat(30);
    let text = served(&with(vec![long]), 160, 45).text();
    let row = text.lines().find(|line| line.contains("alarm events-lost"));
    let row = row.unwrap();
    assert!(row.contains("…"), "{row}");
    assert!(
        row.contains("what to do: https://runbooks.example/#lost"),
        "{row}"
    );
}

#[test]
fn alarms_beyond_those_that_are_named_are_counted() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let text = served(&with(names.map(alarm).to_vec()), 160, 60).text();
    assert!(!text.contains("alarm events-f"), "{text}");
    assert!(text.contains("2 more alarms are raised"), "{text}");
}

#[test]
fn alarms_that_cannot_be_read_are_not_taken_for_none() {
    let mut harness = served(&with(vec![alarm("lost")]), 160, 45);
    let denied = Pipeline {
        alarms: Err(Fault::new("list the raised alarms: denied")),
        ..Pipeline::healthy()
    };
    denied.serve(&mut harness, now() + Duration::seconds(61), 0);
    let text = harness.text();
    assert!(
        text.contains("alarms: list the raised alarms: denied"),
        "{text}"
    );
    // The last answer stays, with its age.
    let row = text.lines().find(|line| line.contains("alarm events-lost"));
    assert!(row.is_some_and(|row| row.contains("as of 1 min")), "{text}");
    let never = served(&denied, 160, 45).text();
    assert!(never.contains("never seen"), "{never}");
    assert!(!never.contains("healthy"), "{never}");
}

#[test]
fn alarms_are_read_once_a_minute_where_calls_are_counted_and_by_a_key() {
    let on_aws = Environment {
        endpoint_url: None,
        ..environment()
    };
    let mut harness = Harness::new(on_aws, now(), 160, 45);
    let asks = |harness: &Harness| {
        let is_alarms = |request: &&Request| matches!(request, Request::RaisedAlarms(_));
        harness.requests.iter().filter(is_alarms).count()
    };
    for denied in [false, true] {
        let begin = harness.now;
        let mut asked = 0;
        for half_minutes in 1..=20 {
            harness.now = begin + Duration::seconds(30 * half_minutes);
            // Somebody uses the console.
            harness.press('?');
            harness.press('?');
            harness.tick();
            asked += asks(&harness);
            let mut pipeline = Pipeline::healthy();
            if denied {
                pipeline.alarms = Err(Fault::new("list the raised alarms: denied"));
            }
            let at = harness.now;
            pipeline.serve(&mut harness, at, 0);
        }
        assert_eq!(asked, 10, "denied: {denied}");
    }
    harness.refresh();
    assert_eq!(asks(&harness), 1);
}

#[test]
fn failure_of_the_alarms_has_its_time_and_that_of_the_next_read() {
    let on_aws = Environment {
        endpoint_url: None,
        ..environment()
    };
    let mut harness = Harness::new(on_aws, now(), 160, 45);
    with(Vec::new()).serve(&mut harness, now(), 0);
    let denied = Pipeline {
        alarms: Err(Fault::new("list the raised alarms: denied")),
        ..Pipeline::healthy()
    };
    denied.serve(&mut harness, now() + Duration::seconds(60), 0);
    let text = harness.text();
    let times = "denied · at 11:07:40, asked again at 11:08:40 · last seen";
    assert!(text.contains(times), "{text}");
    harness.now = now() + Duration::seconds(120);
    harness.tick();
    let text = harness.text();
    let times = "denied · at 11:07:40, asked again now · last seen";
    assert!(text.contains(times), "{text}");
}
