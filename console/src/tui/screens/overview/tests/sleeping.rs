//! A pipeline on AWS whose database pauses: what the console reads by itself, and what it shows meanwhile.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use super::stage::{Pipeline, history, points, queue, row};
use crate::tui::fault::Fault;
use crate::tui::message::Msg;
use crate::tui::request::Request;
use crate::tui::testing::{Harness, environment, now};
use pipeline::environment::Environment;
use pipeline::model::{History, Point, ReadPath};

fn pilot() -> Environment {
    Environment {
        name: "pilot".into(),
        endpoint_url: None,
        database_url: None,
        database_pauses: true,
        ..environment()
    }
}

fn start() -> Harness {
    Harness::new(pilot(), now(), 160, 45)
}

/// The same with a database that never pauses.
fn awake() -> Harness {
    let environment = Environment {
        database_pauses: false,
        ..pilot()
    };
    Harness::new(environment, now(), 160, 45)
}

/// A pipeline that has stored nothing for an hour.
fn idle() -> Pipeline {
    let mut history = history(0.0);
    if let Some(ingest) = &mut history.ingest {
        ingest.stored = points(|_| 0.0);
    }
    Pipeline {
        source: Ok(queue("events-queue", 0, 0, None)),
        dead: Ok(queue("events-dead-letters", 3, 0, None)),
        history: Ok(history),
        ..Pipeline::healthy()
    }
}

/// The same after something was stored in the minute before `at`.
fn stored_before(at: DateTime<Utc>) -> Pipeline {
    let mut pipeline = idle();
    if let Ok(History {
        ingest: Some(ingest),
        ..
    }) = &mut pipeline.history
    {
        ingest.stored.push(Point {
            at: at - Duration::seconds(60),
            value: 40.0,
        });
    }
    pipeline
}

/// What an untouched hour requests, by kind.
fn requests_of_an_hour(harness: &mut Harness, pipeline: &Pipeline) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    let begin = harness.now;
    for half_seconds in 1..=7_200 {
        harness.now = begin + Duration::milliseconds(500 * half_seconds);
        harness.tick();
        for request in std::mem::take(&mut harness.requests) {
            let text = format!("{request:?}");
            let kind = text.split('(').next().unwrap().to_owned();
            *counts.entry(kind).or_default() += 1;
            let reply = pipeline.answer(request, harness.now, 0);
            harness.send(Msg::Reply(Box::new(reply)));
        }
    }
    counts
}

#[test]
fn untouched_hour_reads_no_database_and_few_metrics() {
    let counts = requests_of_an_hour(&mut start(), &idle());
    // terraform/README.md computes what an open console costs from these.
    let expected = [
        ("ApiHealth", 20),
        ("Changes", 60),
        ("Deployment", 1),
        ("ErrorBudgets", 1),
        ("History", 20),
        ("Queue", 220),
        ("RaisedAlarms", 20),
    ];
    let expected = expected.map(|(kind, count)| (kind.to_owned(), count));
    assert_eq!(counts, BTreeMap::from(expected));
}

#[test]
fn untouched_hour_of_a_busy_pipeline_reads_the_totals_as_seldom_as_the_metrics() {
    let mut harness = start();
    let busy = Pipeline {
        history: Ok(history(0.0)),
        ..Pipeline::healthy()
    };
    let counts = requests_of_an_hour(&mut harness, &busy);
    let totals = counts.get("Totals").copied().unwrap_or_default();
    assert!((1..=20).contains(&totals), "{counts:?}");
}

#[test]
fn database_that_may_sleep_is_neither_missing_nor_failing() {
    let mut harness = start();
    idle().serve(&mut harness, now(), 0);
    let text = harness.text();
    assert!(text.contains("may be paused"), "{text}");
    assert!(text.contains("^r wakes and reads it"), "{text}");
    assert!(!text.contains("connecting"), "{text}");
    assert!(!text.contains("no data yet"), "{text}");
}

/// Its rate is of the metrics, and its rows of the last answer.
#[test]
fn rate_that_has_its_time_has_no_age_beside_it() {
    let mut harness = Harness::new(pilot(), now(), 110, 45);
    idle().serve(&mut harness, now(), 0);
    harness.refresh();
    idle().serve(&mut harness, now(), 0);
    let at = now() + Duration::seconds(60);
    let failing = Pipeline {
        totals: Err(Fault::new("count the records: no answer in time")),
        ..stored_before(at)
    };
    failing.serve(&mut harness, at, 0);
    failing.serve(&mut harness, at + Duration::seconds(1), 0);
    let row = row(&harness, "database");
    assert!(row.contains("1 min to 11:07:40"), "{row}");
    assert!(row.contains("1,204,553 rows as of 1 min ago"), "{row}");
    assert_eq!(row.matches("as of").count(), 1, "{row}");
}

#[test]
fn totals_are_read_by_a_key_and_after_something_was_stored() {
    let mut harness = start();
    let is_totals = |request: &Request| matches!(request, Request::Totals(_));
    idle().serve(&mut harness, now(), 0);
    harness.refresh();
    assert!(harness.requests.iter().any(is_totals), "a key reads them");
    idle().serve(&mut harness, now(), 0);
    for minute in 1..=5 {
        harness.now = now() + Duration::minutes(minute);
        harness.tick();
        assert!(!harness.requests.iter().any(is_totals), "minute {minute}");
        let at = harness.now;
        idle().serve(&mut harness, at, 0);
    }
    let text = harness.text();
    assert!(
        text.contains("stored 1,204,553"),
        "nothing was stored since: {text}"
    );
    assert!(!text.contains("no answer since"), "{text}");
    let at = now() + Duration::minutes(7);
    stored_before(at).serve(&mut harness, at, 0);
    harness.pass(1);
    assert!(harness.requests.iter().any(is_totals), "its totals changed");
}

#[test]
fn database_that_resumes_is_a_state_and_after_a_minute_a_failure() {
    let mut harness = start();
    let fault = Fault::new("count the records: the database does not answer".to_owned());
    let away = Pipeline {
        totals: Err(fault),
        ..idle()
    };
    away.serve(&mut harness, now(), 0);
    harness.refresh();
    for secs in [1, 6, 11, 16] {
        away.serve(&mut harness, now() + Duration::seconds(secs), 0);
    }
    let text = harness.text();
    assert!(text.contains("resuming for 15 s"), "{text}");
    assert!(
        !text.contains("unreachable") && !text.contains("failing"),
        "{text}"
    );
    for secs in (20..=75).step_by(5) {
        away.serve(&mut harness, now() + Duration::seconds(secs), 0);
    }
    let text = harness.text();
    assert!(!text.contains("resuming"), "{text}");
    assert!(text.contains("the database does not answer"), "{text}");
}

#[test]
fn database_that_came_back_is_read() {
    let mut harness = start();
    let away = Pipeline {
        totals: Err(Fault::new("away".to_owned())),
        ..idle()
    };
    away.serve(&mut harness, now(), 0);
    harness.refresh();
    away.serve(&mut harness, now() + Duration::seconds(1), 0);
    idle().serve(&mut harness, now() + Duration::seconds(7), 0);
    let text = harness.text();
    assert!(text.contains("stored 1,204,553"), "{text}");
    assert!(!text.contains("resuming"), "{text}");
}

/// Messages that wait, and dead letters.
fn waiting() -> Pipeline {
    let mut pipeline = idle();
    pipeline.source = Ok(queue("events-queue", 9, 0, None));
    if let Ok(history) = &mut pipeline.history {
        history.oldest_age_secs = points(|_| 95.0);
        history.dead_letter_age_secs = points(|_| 7_200.0);
    }
    pipeline
}

#[test]
fn age_does_not_outlive_the_messages_that_had_it() {
    let mut harness = start();
    let mut pipeline = waiting();
    pipeline.serve(&mut harness, now(), 0);
    let waited = "the oldest message had waited";
    assert!(harness.text().contains(waited), "{}", harness.text());
    for (secs, visible) in [(10, 0), (20, 9)] {
        pipeline.source = Ok(queue("events-queue", visible, 0, None));
        pipeline.serve(&mut harness, now() + Duration::seconds(secs), 0);
    }
    let text = harness.text();
    assert!(!text.contains(waited), "{text}");
    assert!(text.contains("oldest ≤ 10 s at 11:07:00"), "{text}");
}

#[test]
fn age_of_a_backlog_that_is_gone_needs_no_attention() {
    let mut harness = start();
    let mut pipeline = waiting();
    if let Ok(history) = &mut pipeline.history {
        history.deleted = points(|_| 1_200.0);
    }
    let waited = "the oldest message had waited";
    let mut shown = |visible, secs| {
        pipeline.source = Ok(queue("events-queue", visible, 0, None));
        pipeline.serve(&mut harness, now() + Duration::seconds(secs), 0);
        harness.text()
    };
    let before = shown(9, 0);
    assert!(before.contains(waited), "no backlog was seen: {before}");
    let backlog = shown(700, 10);
    assert!(backlog.contains(waited), "{backlog}");
    let gone = shown(3, 20);
    assert!(!gone.contains(waited), "{gone}");
    assert!(
        gone.contains("oldest ≤ 155 s"),
        "still true of its time: {gone}"
    );
    assert!(gone.contains("● depth 3"), "{gone}");
}

#[test]
fn age_and_expiry_are_not_those_of_a_dead_letter_that_may_be_gone() {
    let mut harness = start();
    let mut pipeline = waiting();
    pipeline.serve(&mut harness, now(), 0);
    assert!(row(&harness, "3 dead letters in").contains("oldest up to 2 h"));
    pipeline.dead = Ok(queue("events-dead-letters", 2, 0, None));
    pipeline.serve(&mut harness, now() + Duration::seconds(10), 0);
    let dead_letters = row(&harness, "DLQ ▲ 2");
    let left = "first expires in 9 d 21 h or later";
    assert!(dead_letters.contains(left), "{dead_letters}");
    let finding = row(&harness, "2 dead letters in");
    assert!(!finding.contains("oldest"), "{finding}");
}

#[test]
fn messages_that_pass_are_no_queue_that_drains() {
    let mut harness = start();
    // 15 leave in a second.
    let mut pipeline = waiting();
    if let Ok(history) = &mut pipeline.history {
        history.oldest_age_secs = points(|_| 24.0);
        history.sent = points(|_| 890.0);
        history.deleted = points(|_| 900.0);
    }
    let mut shown = |depths: [u64; 3]| {
        for (look, visible) in (0..).zip(depths) {
            pipeline.source = Ok(queue("events-queue", visible, 0, None));
            let at = harness.now + Duration::seconds(if look == 0 { 60 } else { 10 });
            pipeline.serve(&mut harness, at, 0);
        }
        harness.text()
    };
    let passing = shown([5, 4, 3]);
    assert!(!passing.contains("empty in"), "{passing}");
    let waits = shown([500, 400, 300]);
    assert!(waits.contains("empty in"), "{waits}");
}

#[test]
fn ages_come_with_the_history() {
    let mut harness = start();
    let pipeline = waiting();
    pipeline.serve(&mut harness, now(), 0);
    pipeline.serve(&mut harness, now() + Duration::seconds(10), 0);
    let text = harness.text();
    assert!(
        text.contains("the oldest message had waited for up to 2 min 35 s at 11:06:40"),
        "{text}"
    );
    let dead_letters = row(&harness, "DLQ ▲ 3");
    assert!(
        dead_letters.contains("oldest ≤ 2 h 1 min at 11:06:40"),
        "{text}"
    );
    // What is left of the retention goes on with the time.
    assert!(
        dead_letters.contains("first expires in 9 d 21 h to 13 d 21 h"),
        "{text}"
    );
}

#[test]
fn database_that_stored_something_lately_does_not_resume_but_fails() {
    let mut harness = start();
    let mut pipeline = stored_before(now());
    pipeline.serve(&mut harness, now() - Duration::seconds(10), 0);
    pipeline.serve(&mut harness, now(), 0);
    // Of the topic, the ingest and the database.
    let text = harness.text();
    assert_eq!(text.matches("1 min to 11:05:40").count(), 3, "{text}");
    pipeline.totals = Err(Fault::new("no answer in time"));
    harness.ctrl('r');
    pipeline.serve(&mut harness, now() + Duration::seconds(60), 0);
    let text = harness.text();
    assert!(!text.contains("resuming"), "{text}");
    assert!(
        text.contains("records by the API: no answer in time"),
        "{text}"
    );
}

#[test]
fn pipeline_whose_database_was_never_read_is_only_partly_seen() {
    let mut harness = start();
    let mut pipeline = idle();
    pipeline.dead = Ok(queue("events-dead-letters", 0, 0, None));
    pipeline.serve(&mut harness, now(), 0);
    let text = harness.text();
    assert!(text.contains("○ partly seen"), "{text}");
    let note = "no findings so far; the database was not read, because that would wake it";
    assert!(text.contains(note), "{text}");
}

#[test]
fn ages_go_on_between_two_answers() {
    let mut harness = start();
    idle().serve(&mut harness, now(), 0);
    let before = harness.model.visible_wait_secs();
    harness.now += Duration::seconds(1);
    harness.tick();
    assert_ne!(harness.model.visible_wait_secs(), before);
}

#[test]
fn newest_record_has_its_time_where_the_totals_are_older_than_a_moment() {
    let mut harness = awake();
    idle().serve(&mut harness, now(), 0);
    let newest = |harness: &Harness| row(harness, "newest ");
    assert!(newest(&harness).contains("newest 1 s before 11:"));
    harness.now = now() + Duration::seconds(9);
    harness.tick();
    assert!(newest(&harness).contains("newest 1 s before"));
    assert!(row(&harness, " rows at ").contains("1,204,553 rows at 11:06:40"));
}

#[test]
fn rate_of_records_that_are_seldom_counted_has_its_time() {
    let mut harness = awake();
    idle().serve(&mut harness, now(), 0);
    idle().serve(&mut harness, now() + Duration::seconds(60), 600);
    let text = harness.text();
    assert!(text.contains("+10.0 rows/s"), "{text}");
    assert!(text.contains("1 min to 11:07:40"), "{text}");
}

#[test]
fn part_that_failed_is_read_again_as_soon_as_the_queues() {
    let mut harness = awake();
    let mut pipeline = idle();
    let healthy = idle();
    pipeline.api = Err(Fault::new("no answer in time"));
    pipeline.totals = Err(Fault::new("no answer in time"));
    pipeline.serve(&mut harness, now(), 0);
    assert!(harness.text().contains("no answer in time"));
    healthy.serve(&mut harness, now() + Duration::seconds(11), 0);
    let text = harness.text();
    assert!(!text.contains("no answer in time"), "{text}");
}

/// It is asked once a minute, and once in five while nobody uses the console.
#[test]
fn health_of_an_api_that_is_asked_seldom_has_its_time() {
    let mut harness = awake();
    let pipeline = Pipeline {
        api: Ok(503),
        ..idle()
    };
    pipeline.serve(&mut harness, now(), 0);
    let text = harness.text();
    assert!(!text.contains("GET /health at"), "{text}");
    assert!(!text.contains("with 503 · as of"), "{text}");
    harness.now = now() + Duration::seconds(50);
    harness.tick();
    let text = harness.text();
    assert!(text.contains("GET /health at 11:06:40"), "{text}");
    harness.now = now() + Duration::seconds(90);
    harness.tick();
    let text = harness.text();
    assert!(text.contains("with 503 · as of 1 min 30 s ago"), "{text}");
}

#[test]
fn failure_of_what_is_asked_seldom_has_its_time() {
    let mut harness = awake();
    Pipeline::healthy().serve(&mut harness, now(), 0);
    let failing = Pipeline {
        source: Err(Fault::new("read the queue: no answer")),
        read_path: ReadPath::Api,
        tunnel_fault: Some("the tunnel is broken: TargetNotConnected".to_owned()),
        ..Pipeline::healthy()
    };
    failing.serve(&mut harness, now() + Duration::seconds(60), 0);
    let finding = row(&harness, "source queue:");
    let times = "no answer · at 11:07:40, asked again at 11:07:50 · last seen";
    assert!(finding.contains(times), "{finding}");
    let finding = row(&harness, "TargetNotConnected");
    assert!(
        finding.contains("TargetNotConnected · at 11:07:40"),
        "{finding}"
    );
    let mut pauses = start();
    stored_before(now()).serve(&mut pauses, now(), 0);
    let failing = Pipeline {
        totals: Err(Fault::new("count the records: no answer")),
        ..stored_before(now() + Duration::seconds(60))
    };
    failing.serve(&mut pauses, now() + Duration::seconds(60), 0);
    let finding = row(&pauses, "count the records");
    assert!(
        finding.contains("no answer · at 11:07:40 · never seen"),
        "{finding}"
    );
}

#[test]
fn number_of_the_header_that_is_read_less_often_has_a_time_of_its_own() {
    let mut harness = awake();
    for secs in [0, 10, 20, 30] {
        Pipeline::healthy().serve(&mut harness, now() + Duration::seconds(secs), 0);
    }
    let header = row(&harness, "opsconsole");
    for expected in ["stored 1,204,553 at 11:06:40", "as of 11:07:10 UTC"] {
        assert!(header.contains(expected), "{expected}: {header}");
    }
}
