//! The error budgets on the overview: what is known of them, and how often they are read.

use chrono::Duration;
use crossterm::event::KeyCode;

use super::stage::{Pipeline, State, budget, harness_in, row, served, spent_budgets, start};
use crate::tui::fault::Fault;
use crate::tui::request::Request;
use crate::tui::testing::{Harness, environment, now};
use pipeline::environment::Environment;
use pipeline::slo::Objective;

#[test]
fn budget_with_the_least_left_comes_first_and_what_is_unknown_last() {
    for (width, height) in [(80, 24), (160, 45)] {
        let line = row(
            &harness_in(State::BudgetSpent, width, height),
            "✖ api-availability",
        );
        let order = [
            "api-availability none (12 min over)",
            "api-latency 36 min (8.4 %)",
        ];
        let places: Vec<Option<usize>> = order.iter().map(|part| line.find(part)).collect();
        assert!(
            places.is_sorted() && places.contains(&line.find(order[0])),
            "{line}"
        );
        assert!(line.contains("✖ api-availability"), "{line}");
    }
    let wide = row(
        &harness_in(State::BudgetSpent, 160, 45),
        "✖ api-availability",
    );
    assert!(
        wide.contains("freshness 431 min (99 %)  durability –"),
        "{wide}"
    );
}

#[test]
fn budgets_without_metrics_are_not_shown() {
    for state in [State::Healthy, State::Connecting, State::Unreachable] {
        let text = harness_in(state, 160, 45).text();
        assert!(!text.contains("budget"), "{text}");
    }
}

#[test]
fn spent_budget_is_a_finding() {
    let text = harness_in(State::BudgetSpent, 160, 45).text();
    assert!(
        text.contains(
            "the error budget of api-availability is spent: none (12 min over) in 30 days"
        ),
        "{text}"
    );
    assert!(text.contains("slo-api-availability"), "{text}");
}

#[test]
fn budget_of_few_events_comes_last_and_says_why_it_is_not_known() {
    let mut few = budget(Objective::Freshness, None);
    (few.events, few.bad_events) = (Some(99), Some(99));
    let pipeline = Pipeline {
        budgets: Ok(vec![few.clone(), budget(Objective::Durability, Some(99.9))]),
        ..Pipeline::healthy()
    };
    let harness = served(&pipeline, 160, 45);
    let line = row(&harness, "durability 43 min (99 %)");
    let rest = line.trim_end();
    assert!(
        rest.ends_with("freshness – (99 are too few events)"),
        "{line}"
    );
    assert!(!harness.text().contains("is spent"), "{}", harness.text());
    let alone = Pipeline {
        budgets: Ok(vec![few]),
        ..Pipeline::healthy()
    };
    let text = served(&alone, 160, 45).text();
    assert!(!text.contains("budget"), "{text}");
}

#[test]
fn budgets_that_were_read_long_ago_have_their_time() {
    let on_aws = Environment {
        endpoint_url: None,
        ..environment()
    };
    let known = Pipeline {
        budgets: Ok(spent_budgets()),
        ..Pipeline::healthy()
    };
    let mut harness = Harness::new(on_aws, now(), 160, 45);
    known.serve(&mut harness, now(), 0);
    let spent = "12 min over) in 30 days";
    assert!(!row(&harness, "✖ api-availability").contains("at 11:06:40"));
    assert!(!row(&harness, spent).contains("as of"));
    known.serve(&mut harness, now() + Duration::seconds(10), 0);
    assert!(row(&harness, "✖ api-availability").contains("at 11:06:40"));
    assert!(row(&harness, spent).contains("as of 10 s ago"));
    known.serve(&mut harness, now() + Duration::seconds(840), 0);
    assert!(row(&harness, "✖ api-availability").contains("at 11:06:40"));
    assert!(row(&harness, spent).contains("as of 14 min ago"));
    let is_there = |harness: &Harness| harness.text().contains("Error budgets");
    for _ in 0..9 {
        if !is_there(&harness) {
            harness.code(KeyCode::Tab);
        }
    }
    let title = row(&harness, "Error budgets");
    assert!(title.contains("at 11:06:40"), "{title}");
}

#[test]
fn budgets_that_cannot_be_read_are_told_and_the_last_ones_stay() {
    let known = Pipeline {
        budgets: Ok(spent_budgets()),
        ..Pipeline::healthy()
    };
    let mut harness = served(&known, 160, 45);
    let denied = Pipeline {
        budgets: Err(Fault::new("read metrics: denied")),
        ..Pipeline::healthy()
    };
    denied.serve(&mut harness, now() + Duration::seconds(61), 0);
    let text = harness.text();
    assert!(
        text.contains("error budgets: read metrics: denied"),
        "{text}"
    );
    assert!(
        row(&harness, "✖ api-availability").contains("12 min over"),
        "{text}"
    );
}

#[test]
fn budgets_are_read_every_quarter_of_an_hour_where_calls_are_billed_and_by_a_key() {
    let on_aws = Environment {
        endpoint_url: None,
        ..environment()
    };
    let mut harness = Harness::new(on_aws, now(), 160, 45);
    let asks = |harness: &Harness| {
        let is_budgets = |request: &&Request| matches!(request, Request::ErrorBudgets(_));
        harness.requests.iter().filter(is_budgets).count()
    };
    let mut minutes = Vec::new();
    for minute in 0..=30 {
        harness.now = now() + Duration::minutes(minute);
        // Somebody uses the console.
        harness.press('?');
        harness.press('?');
        harness.tick();
        if asks(&harness) > 0 {
            minutes.push(minute);
        }
        let at = harness.now;
        Pipeline::healthy().serve(&mut harness, at, 0);
    }
    assert_eq!(minutes, [0, 15, 30]);
    harness.refresh();
    assert_eq!(asks(&harness), 1);
}

#[test]
fn new_console_asks_for_the_budgets_after_the_rest() {
    let mut harness = start(80, 24);
    harness.tick();
    let is_budgets = |request: &Request| matches!(request, Request::ErrorBudgets(_));
    let is_of_charts =
        |request: &Request| matches!(request, Request::Changes(_) | Request::Deployment(_));
    let mut others = harness
        .requests
        .iter()
        .filter(|request| !is_of_charts(request));
    let last = others.next_back().unwrap();
    assert!(is_budgets(last), "{last:?}");
}
