//! The pages: what each asks for, what can be selected there, and where that leads.

use super::*;

#[test]
fn page_asks_for_what_it_shows_while_it_is_shown() {
    let kinds = |harness: &Harness| -> Vec<String> {
        let kinds = harness.requests.iter().map(|request| {
            let text = format!("{request:?}");
            text.split('(').next().unwrap().to_owned()
        });
        kinds.collect()
    };
    let mut harness = served(&Pipeline::healthy(), 160, 45);
    let mut asked = Vec::new();
    for _ in 0..6 {
        harness.code(KeyCode::Tab);
        asked.push(kinds(&harness));
        answer_all(&Pipeline::healthy(), &mut harness);
    }
    let expected: [&[&str]; 6] = [
        &[],
        &["LongHistory"],
        &["LongHistory"],
        &["LongHistory", "Storage"],
        &["AlarmStates"],
        &[],
    ];
    assert_eq!(asked, expected);
    harness.chord(KeyCode::BackTab, crossterm::event::KeyModifiers::SHIFT);
    harness.pass(15);
    assert!(kinds(&harness).contains(&"AlarmStates".to_owned()));
    assert!(!kinds(&harness).contains(&"Storage".to_owned()));
}

#[test]
fn paused_database_is_not_woken_by_a_page_but_by_a_key() {
    let mut harness = chart_harness(ChartState::DatabaseAsleep, 80, 24);
    let is_storage = |request: &Request| matches!(request, Request::Storage(_));
    assert!(row(&harness, "partitions").contains("^r reads the partitions"));
    harness.pass(4_000);
    assert!(!harness.requests.iter().any(is_storage));
    harness.refresh();
    assert!(harness.requests.iter().any(is_storage));
}

#[test]
fn every_number_leads_to_what_explains_it() {
    let opened = |downs: usize| {
        let mut harness = served(&Pipeline::healthy(), 80, 24);
        for _ in 0..downs {
            harness.code(KeyCode::Down);
        }
        harness.code(KeyCode::Enter);
        let first = harness.screen_text().lines().nth(1).unwrap().to_owned();
        (harness.model.screen, first)
    };
    for (downs, screen, page) in [
        (1, ScreenId::Overview, " Charts 2/6"),
        (4, ScreenId::Overview, " Functions 3/6"),
        (7, ScreenId::Overview, " API 4/6"),
    ] {
        let (shown, first) = opened(downs);
        assert_eq!(shown, screen);
        assert!(first.contains(page), "{downs}: {first}");
    }
    assert_eq!(opened(2).0, ScreenId::Queue);
    assert_eq!(opened(3).0, ScreenId::DeadLetters);
    assert_eq!(opened(6).0, ScreenId::Records);
    // Of the charts the third are the dead letters.
    let mut harness = chart_harness(ChartState::ChartsPage, 80, 24);
    harness.keys("jj");
    assert!(row(&harness, "▸ Dead letters").starts_with("─ ▸"));
    harness.code(KeyCode::Enter);
    assert_eq!(harness.model.screen, ScreenId::DeadLetters);
    let mut harness = chart_harness(ChartState::Database, 80, 24);
    harness.code(KeyCode::Enter);
    assert_eq!(harness.model.screen, ScreenId::Records);
}

#[test]
fn click_selects_a_hop_and_a_second_one_opens_it() {
    for (size, place) in [((80, 24), (20, 7)), ((160, 45), (40, 11))] {
        let mut harness = served(&Pipeline::healthy(), size.0, size.1);
        harness.click(place.0, place.1);
        assert_eq!(harness.model.screen, ScreenId::Overview);
        harness.click(place.0, place.1);
        assert_eq!(
            harness.model.screen,
            ScreenId::DeadLetters,
            "{}",
            harness.text()
        );
    }
}

#[test]
fn alarm_leads_to_its_runbook_and_one_without_to_lint() {
    let mut harness = chart_harness(ChartState::Alarms, 80, 24);
    assert!(row(&harness, "events-slo-freshness-fast").contains("notifies nobody"));
    harness.code(KeyCode::Enter);
    assert_eq!(harness.model.screen, ScreenId::Lint);
    let mut harness = chart_harness(ChartState::Alarms, 80, 24);
    harness.code(KeyCode::Up);
    harness.code(KeyCode::Enter);
    assert_eq!(harness.copied, ["terraform/OPERATIONS.md#dead-letters"]);
}

#[test]
fn raised_alarm_whose_actions_are_disabled_is_counted_as_silenced() {
    let mut harness = chart_harness(ChartState::Alarms, 160, 45);
    assert!(!harness.text().contains("silenced"));
    let mut states = stage::alarm_states();
    for alarm in &mut states {
        alarm.silenced = alarm.name.ends_with("dead-letters") || alarm.name.ends_with("lost");
    }
    let pipeline = Pipeline {
        alarm_states: Ok(states),
        ..Pipeline::healthy()
    };
    harness.pass(15);
    answer_all(&pipeline, &mut harness);
    let text = harness.text();
    assert!(
        text.contains("2 raised of 10, 1 of the raised silenced"),
        "{text}"
    );
    let told = "silenced: its actions are disabled";
    assert!(
        row(&harness, "events-dead-letters").contains(told),
        "{text}"
    );
    assert!(row(&harness, "events-lost").contains(told), "{text}");
}

#[test]
fn selection_stays_on_its_alarm_when_others_come() {
    let mut harness = chart_harness(ChartState::Alarms, 80, 24);
    let mut more = stage::alarm_states();
    let mut another = more[0].clone();
    another.name = "events-api-5xx-new".to_owned();
    more.insert(0, another);
    let pipeline = Pipeline {
        alarm_states: Ok(more),
        ..Pipeline::healthy()
    };
    harness.pass(15);
    answer_all(&pipeline, &mut harness);
    let text = harness.text();
    assert!(text.contains("─ events-slo-freshness-fast ─"), "{text}");
}

#[test]
fn escape_leads_from_a_page_to_the_first() {
    let mut harness = chart_harness(ChartState::Api, 80, 24);
    harness.code(KeyCode::Esc);
    assert!(harness.text().contains("Attention"));
}
