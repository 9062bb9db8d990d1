//! What needs attention, and notices.

use super::stage::{points, stuck};
use super::*;
use crate::tui::testing::environment;
use pipeline::environment::Environment;

#[test]
fn ingest_is_not_stuck_that_stored_after_its_newest_batches() {
    let stuck_batches = |newest| Pipeline {
        history: Ok(stuck()),
        newest: Duration::seconds(newest),
        ..Pipeline::healthy()
    };
    // The metrics have nothing stored in the last minute.
    let text = served(&stuck_batches(70), 160, 45).text();
    assert!(text.contains("the ingest stores nothing"), "{text}");
    assert!(text.contains("stores nothing   "), "{text}");
    let text = served(&stuck_batches(50), 160, 45).text();
    assert!(!text.contains("stores nothing"), "{text}");
}

#[test]
fn queue_that_falls_again_does_not_grow_and_one_that_stands_does_not_drain() {
    let depths = |depths: [u64; 8]| {
        let mut harness = start(160, 45);
        for (look, visible) in (0..).zip(depths) {
            let source = Ok(queue("events-queue", visible, 160, Some(1)));
            let pipeline = Pipeline {
                source,
                ..Pipeline::healthy()
            };
            let at = now() + Duration::seconds(5 * look - 35);
            pipeline.serve(&mut harness, at, 0);
        }
        harness.text()
    };
    let rises = depths([0, 30, 60, 90, 120, 150, 180, 210]);
    assert!(rises.contains("events-queue grows"), "{rises}");
    let falls = depths([0, 0, 0, 100, 500, 400, 300, 315]);
    assert!(!falls.contains("events-queue grows"), "{falls}");
    let stands = depths([900, 900, 900, 900, 900, 900, 900, 900]);
    assert!(!stands.contains("empty in"), "{stands}");
}

#[test]
fn queue_that_falls_drains_whatever_the_rates_of_an_earlier_minute_were() {
    let depths = |depths: [u64; 3]| {
        let mut harness = start(160, 45);
        for (look, visible) in (0..).zip(depths) {
            let mut pipeline = Pipeline {
                source: Ok(queue("events-queue", visible, 0, Some(90))),
                ..Pipeline::healthy()
            };
            if let Ok(history) = &mut pipeline.history {
                history.sent = points(|_| 1_200.0);
                history.deleted = points(|_| 900.0);
            }
            pipeline.serve(&mut harness, now() + Duration::seconds(5 * look - 10), 0);
        }
        harness.text()
    };
    let falls = depths([1_000, 800, 600]);
    assert!(falls.contains("drains in about 15 s"), "{falls}");
    assert!(falls.contains("empty in 15 s"), "{falls}");
    let rises = depths([600, 800, 1_000]);
    assert!(rises.contains("the queue does not drain"), "{rises}");
}

/// The database is dead: what leaves the queue is moved to the dead-letter queue after its retries.
#[test]
fn queue_whose_messages_become_dead_letters_does_not_drain() {
    let shown = |dead: [u64; 3]| {
        let mut harness = start(160, 45);
        for (look, (visible, dead)) in (0..).zip([3_960, 4_040, 3_855].into_iter().zip(dead)) {
            let mut pipeline = Pipeline {
                source: Ok(queue("events-queue", visible, 0, Some(200))),
                dead: Ok(queue("events-dead-letters", dead, 0, None)),
                ..Pipeline::healthy()
            };
            if let Ok(history) = &mut pipeline.history {
                history.sent = points(|_| 1_200.0);
                history.deleted = points(|_| 900.0);
            }
            pipeline.serve(&mut harness, now() + Duration::seconds(5 * look - 10), 0);
        }
        harness.text()
    };
    let moved = shown([684, 684, 844]);
    assert!(moved.contains("the queue does not drain"), "{moved}");
    assert!(!moved.contains("empty in"), "{moved}");
    let completed = shown([684, 684, 684]);
    assert!(completed.contains("empty in 6 min"), "{completed}");
}

/// They may be processed slowly, or wait for their visibility timeout: neither the cause nor an end is known.
#[test]
fn queue_whose_messages_stand_in_flight_drains_in_some_time_or_later() {
    let mut harness = start(160, 45);
    for (look, visible) in (0..).zip([9_000, 5_000, 1_000]) {
        let mut pipeline = Pipeline {
            source: Ok(queue("events-queue", visible, 155, Some(90))),
            ..Pipeline::healthy()
        };
        if let Ok(history) = &mut pipeline.history {
            history.sent = points(|_| 540.0);
            history.deleted = points(|_| 1_440.0);
        }
        pipeline.serve(&mut harness, now() + Duration::seconds(5 * look - 10), 0);
    }
    let text = harness.text();
    assert!(
        text.contains("at this rate drains in about 1 min 17 s or later"),
        "{text}"
    );
    assert!(text.contains("empty in 1 min 17 s or later"), "{text}");
    assert!(!text.contains("because some in flight wait"), "{text}");
}

#[test]
fn enter_on_dead_letters_goes_there() {
    let mut harness = harness_in(State::DeadLetters, 80, 24);
    harness.code(KeyCode::Enter);
    assert_eq!(harness.model.screen, ScreenId::DeadLetters);
}

#[test]
fn header_says_when_records_are_read_by_the_api_and_a_broken_tunnel_is_told() {
    let why = "the tunnel is broken: aws ended with exit status: 254: TargetNotConnected";
    let pipeline = Pipeline {
        read_path: ReadPath::Api,
        tunnel_fault: Some(why.to_owned()),
        ..Pipeline::healthy()
    };
    let harness = served(&pipeline, 160, 45);
    let header = row(&harness, "opsconsole");
    assert!(header.contains("stored 1,204,794 by API"), "{header}");
    let finding = row(&harness, "TargetNotConnected");
    assert!(finding.contains("records are read by the API"), "{finding}");
    let direct = served(&Pipeline::healthy(), 160, 45);
    assert!(!row(&direct, "opsconsole").contains("by API"));
}

#[test]
fn fault_of_a_tunnel_has_its_time_where_nothing_answers_since() {
    let broken = Pipeline {
        read_path: ReadPath::Api,
        tunnel_fault: Some("the tunnel is broken: TargetNotConnected".to_owned()),
        ..Pipeline::healthy()
    };
    let mut harness = served(&broken, 160, 45);
    let at = "TargetNotConnected · at 11:06:40";
    assert!(row(&harness, "TargetNotConnected").contains(at));
    let silent = Pipeline {
        totals: Pipeline::unreachable().totals,
        ..Pipeline::healthy()
    };
    silent.serve(&mut harness, now() + Duration::seconds(11), 0);
    let finding = row(&harness, "TargetNotConnected");
    assert!(finding.contains(at), "{finding}");
}

#[test]
fn api_that_answers_its_health_check_is_not_to_be_started() {
    let environment = Environment {
        database_url: None,
        ..environment()
    };
    let advice = |is_unreachable, api: Result<u16, Fault>| {
        let records = Fault {
            message: "count the records at http://127.0.0.1:1: no answer in time".to_owned(),
            hint: Some("check that http://127.0.0.1:1 is running and can be reached".to_owned()),
            is_unreachable,
            ..Fault::default()
        };
        let pipeline = Pipeline {
            totals: Err(records),
            api,
            ..Pipeline::healthy()
        };
        let mut harness = Harness::new(environment.clone(), now(), 220, 45);
        pipeline.serve(&mut harness, now(), 0);
        row(&harness, "records by the API")
    };
    let healthy = advice(true, Ok(200));
    let told = "the API answered GET /health at 11:06:40: check its database and its time limit";
    assert!(healthy.contains(told), "{healthy}");
    let away = Fault::new("GET /health: connection refused");
    for finding in [
        advice(true, Err(away)),
        advice(true, Ok(503)),
        advice(false, Ok(200)),
    ] {
        assert!(
            finding.contains("is running and can be reached"),
            "{finding}"
        );
    }
}

#[test]
fn findings_that_are_not_listed_are_counted() {
    let mut harness = harness_in(State::Unreachable, 80, 24);
    let pipeline = Pipeline {
        dead: Ok(queue("events-dead-letters", 8, 0, Some(8))),
        source: Ok(queue("events-queue", 12, 5, Some(400))),
        ..Pipeline::unreachable()
    };
    pipeline.serve(&mut harness, now() + Duration::seconds(10), 0);
    Pipeline::unreachable().serve(&mut harness, now() + Duration::seconds(20), 0);
    let text = harness.text();
    assert!(text.contains("Attention · 6 of 7 · "), "{text}");
}

#[test]
fn no_more_dead_letters_came_than_there_are() {
    let dead = Ok(queue("events-dead-letters", 8, 0, Some(8)));
    let pipeline = Pipeline {
        dead,
        history: Ok(history(9.0)),
        ..Pipeline::healthy()
    };
    let finding = row(&served(&pipeline, 160, 45), "8 dead letters");
    assert!(finding.contains("about 8 more than at 10:07"), "{finding}");
}

#[test]
fn trend_of_dead_letters_is_over_the_time_that_the_history_covers() {
    let dead = Ok(queue("events-dead-letters", 8, 0, Some(8)));
    let mut history = history(0.0);
    history.dead_letters.drain(..57);
    let pipeline = Pipeline {
        dead,
        history: Ok(history),
        ..Pipeline::healthy()
    };
    let finding = row(&served(&pipeline, 160, 45), "8 dead letters");
    assert!(finding.contains("about 8 more than at 11:04"), "{finding}");
}

#[test]
fn queue_that_has_stopped_growing_does_not_grow() {
    let mut harness = start(80, 24);
    let mut seen = Vec::new();
    for look in 0..20 {
        let pipeline = Pipeline {
            source: Ok(queue("events-queue", 30 * look.min(8), 5, Some(1))),
            ..Pipeline::healthy()
        };
        let at = now() + Duration::seconds(5 * i64::try_from(look).unwrap());
        pipeline.serve(&mut harness, at, 0);
        if row(&harness, "SQS queue").contains("grows") {
            seen.push(look);
        }
    }
    // One sample like the last one is no standstill: bursts have it too.
    assert_eq!(seen, [5, 6, 7, 8, 9]);
}

#[test]
fn empty_queue_has_no_oldest_message_and_nothing_to_attend_to() {
    let source = Ok(queue("events-queue", 0, 0, Some(150)));
    let pipeline = Pipeline {
        source,
        ..Pipeline::healthy()
    };
    let harness = served(&pipeline, 80, 24);
    let row = row(&harness, "SQS queue");
    assert!(
        row.contains("● depth 0") && !row.contains("oldest"),
        "{row}"
    );
    assert!(harness.text().contains("healthy"), "{}", harness.text());
    let wide = served(&pipeline, 160, 45).text();
    assert!(!wide.contains('▲'), "{wide}");
}

#[test]
fn growing_queue_is_shown_before_its_oldest_message_is_old() {
    let text = harness_in(State::Growing, 80, 24).text();
    assert!(
        text.contains("events-queue grows: 5 → 215 messages in 35 s, +6.0/s"),
        "{text}"
    );
    assert!(text.contains("attention"), "{text}");
    assert!(row(&harness_in(State::Growing, 80, 24), "SQS queue").contains("grows +6.0/s"));
}

#[test]
fn burst_that_passes_is_no_growth() {
    let mut harness = start(80, 24);
    for (look, visible) in [0, 0, 90, 12, 0, 40, 0, 3].into_iter().enumerate() {
        let pipeline = Pipeline {
            source: Ok(queue("events-queue", visible, 5, Some(1))),
            ..Pipeline::healthy()
        };
        let at = now() + Duration::seconds(5 * i64::try_from(look).unwrap());
        pipeline.serve(&mut harness, at, 0);
    }
    assert!(harness.text().contains("healthy"), "{}", harness.text());
}

/// A queue with five messages in flight at every sample of a minute, while this was deleted in the
/// last complete period.
fn in_flight(deleted: f64) -> String {
    let mut harness = start(80, 24);
    for look in 0..28 {
        let at = now() + Duration::seconds(5 * look);
        let mut history = history(0.0);
        for (point, minute) in history.deleted.iter_mut().rev().zip(0..) {
            point.at = at - Duration::seconds(60 + 60 * minute);
            point.value = deleted;
        }
        let pipeline = Pipeline {
            source: Ok(queue("events-queue", 0, 5, Some(30))),
            history: Ok(history),
            ..Pipeline::healthy()
        };
        pipeline.serve(&mut harness, at, 0);
    }
    harness.text()
}

#[test]
fn messages_in_flight_that_nobody_finishes_are_reported() {
    let stuck = in_flight(0.0);
    let notice = "5 in flight in events-queue and none deleted for 2 min 15 s";
    assert!(stuck.contains(notice), "{stuck}");
    let busy = in_flight(60.0);
    assert!(busy.contains("healthy"), "{busy}");
}

#[test]
fn attention_is_read_in_full_on_a_very_small_terminal() {
    for state in [State::ApiDown, State::DeadLetters, State::PartlyUnreachable] {
        let text = harness_in(state, 40, 10).text();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let end = match state {
            State::ApiDown => "usual cause: its database",
            State::DeadLetters => "key 2 shows why they failed",
            _ => "is the demo still running?",
        };
        assert!(words.contains(end), "{state:?}\n{text}");
    }
}

#[test]
fn selected_finding_stays_in_sight_on_a_very_small_terminal() {
    let mut harness = harness_in(State::Unreachable, 40, 10);
    for part in [
        "source queue",
        "dead-letter queue",
        "database",
        "API",
        "history",
    ] {
        let text = harness.text();
        let line = text.lines().find(|line| line.starts_with('▸')).unwrap();
        assert!(line.contains(part), "{part}\n{text}");
        harness.code(KeyCode::Down);
    }
}

#[test]
fn notice_hides_nothing_and_stays_on_its_screen() {
    let mut harness = harness_in(State::Notice, 80, 24);
    let shown = harness.text();
    let notice = shown.lines().nth(22).unwrap().to_owned();
    assert!(
        notice.starts_with(" ✖ usual cause: its database"),
        "{notice}"
    );
    harness.model.notice = None;
    let without = harness.text();
    let others = |text: &str| {
        let lines = text.lines().enumerate().filter(|(row, _)| *row != 22);
        lines.map(|(_, line)| line.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(others(&shown), others(&without), "nothing moves");
    harness.code(KeyCode::Enter);
    assert!(harness.model.notice.is_some());
    harness.press('5');
    assert_eq!(harness.model.notice, None);
}

#[test]
fn notices_are_read_again_after_they_are_gone() {
    let mut harness = harness_in(State::Notice, 80, 24);
    harness.pass(60);
    assert_eq!(harness.model.notice, None);
    harness.press('!');
    let text = harness.text();
    assert!(
        text.contains("Notices") && text.contains("✖ 11:06:40"),
        "{text}"
    );
    assert!(text.contains("usual cause: its database"), "{text}");
    harness.code(KeyCode::Esc);
    assert!(!harness.text().contains("Notices"));
    for character in ":notices".chars() {
        harness.press(character);
    }
    harness.code(KeyCode::Enter);
    assert!(harness.text().contains("Notices, UTC"));
}

#[test]
fn long_notice_is_cut_and_read_in_full_in_the_list() {
    for (width, height) in [(40, 10), (80, 24)] {
        let mut harness = harness_in(State::Healthy, width, height);
        let text = "not released: release messages at http://127.0.0.1:4566/000000000000/events: \
                    connection refused";
        let notice = Notice {
            text: text.to_owned(),
            tone: Tone::Bad,
            until: now() + Duration::seconds(8),
        };
        harness.model.notices.keep(notice.clone(), now());
        harness.model.notice = Some(notice);
        let text = harness.text();
        assert!(
            text.contains("✖ not released") && text.contains("! shows all"),
            "{text}"
        );
        harness.press('!');
        let text = harness.text();
        assert!(text.contains("refused"), "{text}");
    }
}

#[test]
fn part_that_the_environment_does_not_have_is_no_failure() {
    let absent = || Fault {
        is_not_configured: true,
        ..Fault::new("get \"/health\": no API in environment \"demo\"")
    };
    let pipeline = Pipeline {
        api: Err(absent()),
        ..Pipeline::healthy()
    };
    for (width, height) in [(160, 45), (80, 24)] {
        let text = served(&pipeline, width, height).text();
        for expected in ["● healthy", "not configured"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        for wrong in ["failing", "never seen", "no API"] {
            assert!(!text.contains(wrong), "{wrong}: {text}");
        }
    }
    let pipeline = Pipeline {
        api: Err(absent()),
        ..Pipeline::unreachable()
    };
    let text = served(&pipeline, 160, 45).text();
    assert!(text.contains("✖ unreachable"), "{text}");
}

#[test]
fn time_of_the_numbers_is_no_clock_at_any_width() {
    for width in 60..=160 {
        let text = served(&Pipeline::healthy(), width, 24).text();
        let header = text.lines().next().unwrap_or_default();
        let is_said = header.contains("as of 11:06:40") || !header.contains("11:06:40");
        assert!(is_said, "{width}: {header}");
    }
}
