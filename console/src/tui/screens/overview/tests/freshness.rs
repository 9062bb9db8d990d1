//! How old the numbers of the overview are, and what is green.

use pipeline::environment::Environment;
use pipeline::model::{History, Point};

use super::*;
use crate::tui::testing::environment;

#[test]
fn every_hop_shows_how_old_its_numbers_are_and_why() {
    let hops = [
        "SNS topic",
        "SQS queue",
        "DLQ  ",
        "ingest",
        "database",
        "api",
    ];
    let stale = harness_in(State::Stale, 80, 24);
    for hop in hops {
        let row = row(&stale, hop);
        // The period of a rate had ended before it was read.
        let minutes = if matches!(hop, "SNS topic" | "ingest") {
            2
        } else {
            1
        };
        let expected = format!("as of {minutes} min ago  no answer since");
        assert!(row.contains(&expected), "{row}");
        assert!(row.contains('○'), "what is old is grey: {row}");
    }
    let failing = harness_in(State::HistoryFails, 80, 24);
    for hop in ["SNS topic", "ingest"] {
        let row = row(&failing, hop);
        assert!(row.contains("as of 1 min ago  connection refused"), "{row}");
    }
    assert!(!row(&failing, "SQS queue").contains("as of"));
}

#[test]
fn ingest_is_not_green_on_numbers_from_before_its_database_failed() {
    let mut harness = harness_in(State::PartlyUnreachable, 80, 24);
    for hop in ["ingest ƒ", "per minute"] {
        let row = row(&harness, hop);
        assert!(row.contains("○") && row.contains("the database"), "{row}");
    }
    assert!(row(&harness, "SNS topic").contains("●"));
    // It may be that this console alone cannot reach the database.
    let mut history = history(0.0);
    let newest = history.deleted.last_mut().unwrap();
    newest.at = now() + Duration::seconds(60);
    history.deleted[58].at = now();
    let pipeline = Pipeline {
        totals: Pipeline::unreachable().totals,
        history: Ok(history),
        ..Pipeline::healthy()
    };
    pipeline.serve(&mut harness, now() + Duration::seconds(120), 0);
    assert!(row(&harness, "ingest ƒ").contains("●"));
}

#[test]
fn nothing_is_green_in_a_pipeline_that_has_stopped() {
    let mut harness = served(&Pipeline::healthy(), 80, 24);
    let failure = "keep PostgreSQL running: signal: 9 (SIGKILL)".to_owned();
    harness.send(Msg::PipelineFailed(failure));
    for hop in [
        "SNS topic",
        "SQS queue",
        "ingest ƒ",
        "per minute",
        "database",
        "api ƒ",
    ] {
        let row = row(&harness, hop);
        assert!(row.contains('○') && row.contains("as of"), "{row}");
    }
}

#[test]
fn first_period_of_a_metric_is_no_rate() {
    let mut whole = history(0.0);
    let newest = |points: &mut Vec<Point>| {
        points.drain(..points.len() - 1);
    };
    newest(&mut whole.published);
    let after_a_gap = &mut whole.deleted;
    after_a_gap.remove(after_a_gap.len() - 3);
    let pipeline = Pipeline {
        history: Ok(whole),
        ..Pipeline::healthy()
    };
    let harness = served(&pipeline, 80, 24);
    for hop in ["SNS topic", "ingest ƒ"] {
        let row = row(&harness, hop);
        assert!(row.contains("○ – "), "{row}");
    }
}

/// Asserts that the hops that CloudWatch knows are grey and show how old they are: a rate since the end of
/// its period, the batches since the end of the last of them.
fn assert_flows_are_old(harness: &Harness, rate_age: &str, batches_age: &str) {
    let hops = [
        ("SNS topic", rate_age),
        ("ingest ƒ", rate_age),
        ("per minute", batches_age),
    ];
    for (hop, age) in hops {
        let row = row(harness, hop);
        let is_grey = row.contains('○') && !row.contains('●');
        assert!(is_grey && row.contains(age), "{row}");
    }
}

#[test]
fn rates_are_not_green_while_their_source_is_frozen() {
    let mut harness = served(&Pipeline::healthy(), 80, 24);
    // The history is requested again, and nothing answers.
    harness.pass(10);
    harness.pass(LATE_SECS);
    assert_flows_are_old(&harness, "as of 1 min ago", "as of 2 min ago");
    // It is given up.
    let mut failing = harness_in(State::HistoryFails, 80, 24);
    assert_flows_are_old(&failing, "as of 1 min ago", "as of 2 min ago");
    failing.pass(600);
    assert_flows_are_old(&failing, "as of 11 min ago", "as of 12 min ago");
}

#[test]
fn what_an_unreachable_queue_held_is_shown_with_its_time() {
    let mut harness = harness_in(State::DeadLetters, 160, 45);
    let unreachable = Pipeline::unreachable();
    let pipeline = Pipeline {
        source: unreachable.source,
        dead: unreachable.dead,
        ..Pipeline::healthy()
    };
    pipeline.serve(&mut harness, now() + Duration::seconds(5), 0);
    let finding = row(&harness, "37 dead letters");
    assert!(finding.contains("as of 5 s ago"), "{finding}");
    // The history was read before the queue failed.
    let rates = row(&harness, "/s in");
    assert!(
        rates.contains("○ 48.0/s in") && rates.contains("○ 51.3/s out"),
        "{rates}"
    );
    assert!(
        harness.text().contains("as of 2 min ago"),
        "{}",
        harness.text()
    );
    // How fast they became more is known of that time alone.
    harness.pass(180);
    let finding = row(&harness, "37 dead letters");
    assert!(finding.contains("about 36 more than at 10:07"), "{finding}");
}

#[test]
fn rate_of_records_falls_soon_after_the_last_record() {
    let mut harness = start(80, 24);
    for look in 0..12 {
        let at = now() + Duration::seconds(5 * look);
        let more = u64::try_from(look.min(6)).unwrap() * 100;
        Pipeline::healthy().serve(&mut harness, at, more);
    }
    let row = row(&harness, "database");
    assert!(row.contains("+0.0 rows/s"), "{row}");
}

#[test]
fn rates_of_an_old_period_are_not_green_in_a_fresh_answer() {
    let mut history = history(0.0);
    for points in [&mut history.published, &mut history.deleted] {
        points.truncate(56);
    }
    let history = Ok(history);
    let pipeline = Pipeline {
        history,
        ..Pipeline::healthy()
    };
    let harness = served(&pipeline, 80, 24);
    for hop in ["SNS topic", "ingest ƒ"] {
        let row = row(&harness, hop);
        assert!(
            row.contains('○') && row.contains("as of 4 min ago"),
            "{row}"
        );
    }
}

#[test]
fn header_shows_a_number_only_with_its_own_time() {
    let mut harness = served(&Pipeline::healthy(), 160, 45);
    // The queues hang, the rest answers.
    for secs in [5, 10, 15, 20] {
        harness.now = now() + Duration::seconds(secs);
        harness.tick();
        for request in std::mem::take(&mut harness.requests) {
            if !matches!(request, Request::Queue(..)) {
                let reply = Pipeline::healthy().answer(request, harness.now, 0);
                harness.send(Msg::Reply(Box::new(reply)));
            }
        }
    }
    let text = harness.text();
    let header = text.lines().next().unwrap();
    assert!(
        header.contains("depth –") && header.contains("DLQ –"),
        "{header}"
    );
    assert!(header.contains("stored 1,204,553"), "{header}");
}

/// The database fails, and a minute later everything else.
#[test]
fn header_of_a_pipeline_that_stopped_has_no_number_from_before_an_earlier_outage() {
    let mut harness = served(&Pipeline::healthy(), 160, 45);
    let without_database = Pipeline {
        totals: Pipeline::unreachable().totals,
        ..Pipeline::healthy()
    };
    for secs in (5..=60).step_by(5) {
        without_database.serve(&mut harness, now() + Duration::seconds(secs), 0);
    }
    Pipeline::unreachable().serve(&mut harness, now() + Duration::seconds(65), 0);
    let header = row(&harness, "opsconsole");
    let shown = ["depth 12", "DLQ 0", "stored –", "stale, as of 11:07:40 UTC"];
    for shown in shown {
        assert!(header.contains(shown), "{shown}: {header}");
    }
    // All at once: each is of the last moment.
    let mut harness = served(&Pipeline::healthy(), 160, 45);
    Pipeline::unreachable().serve(&mut harness, now() + Duration::seconds(65), 0);
    let header = row(&harness, "opsconsole");
    assert!(header.contains("stored 1,204,794"), "{header}");
    assert!(header.contains("stale, as of 11:06:40 UTC"), "{header}");
}

#[test]
fn outcomes_per_minute_have_their_age_when_no_newer_metric_comes() {
    let mut history = history(0.0);
    if let Some(ingest) = &mut history.ingest {
        for line in [
            &mut ingest.stored,
            &mut ingest.duplicates,
            &mut ingest.expired,
            &mut ingest.retried,
        ] {
            // Six minutes ago: the hour ended at `now`, and the window of three minutes reaches there.
            line.retain(|point| point.at <= now() - Duration::minutes(3));
        }
        ingest.stored.push(Point {
            at: now() - Duration::minutes(2),
            value: 10.0,
        });
    }
    history.period_secs = 10;
    let pipeline = Pipeline {
        history: Ok(history),
        ..Pipeline::healthy()
    };
    let row = row(&served(&pipeline, 160, 45), "per minute");
    assert!(
        row.contains("as of") && row.contains("no newer metric"),
        "{row}"
    );
}

#[test]
fn ingest_is_not_doubted_because_no_database_is_configured() {
    let totals = |is_not_configured| {
        let pipeline = Pipeline {
            totals: Err(Fault {
                is_not_configured,
                ..Fault::new("count the records".to_owned())
            }),
            ..Pipeline::healthy()
        };
        row(&served(&pipeline, 160, 45), "per minute")
    };
    let absent = totals(true);
    assert!(absent.contains("● stored 2,890"), "{absent}");
    assert!(!absent.contains("does not answer"), "{absent}");
    let failed = totals(false);
    assert!(failed.contains("the database does not answer"), "{failed}");
}

#[test]
fn staleness_moves_on_the_screen_by_itself() {
    let mut harness = harness_in(State::Healthy, 80, 24);
    assert_eq!(
        harness.model.visible_wait_secs(),
        0,
        "nothing is drawn while all is fresh"
    );
    harness.at(90_000).tick();
    let before = harness.model.visible_wait_secs();
    harness.at(91_000).tick();
    assert_ne!(harness.model.visible_wait_secs(), before);
}

#[test]
fn newest_record_has_no_age_beside_a_stale_number() {
    let fresh = row(&harness_in(State::Healthy, 160, 45), "newest");
    assert!(fresh.contains("newest 1 s before 11:06:40"), "{fresh}");
    let stale = harness_in(State::PartlyUnreachable, 160, 45).text();
    assert!(!stale.contains("newest 1 s"), "{stale}");
}

#[test]
fn nothing_is_healthy_before_everything_was_seen() {
    let pending = harness_in(State::HistoryUnseen, 80, 24).text();
    assert!(pending.contains("connecting"), "{pending}");
    assert!(pending.contains("no data yet: the history"), "{pending}");
    let empty = harness_in(State::NoMetrics, 80, 24).text();
    assert!(!empty.contains("healthy"), "{empty}");
    assert!(!empty.contains("every part was checked"), "{empty}");
    for unknown in [
        "the rate of the topic",
        "the rate into the queue",
        "the rate out of it",
        "the age of the oldest message",
    ] {
        let words = empty.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(unknown), "{unknown}\n{empty}");
    }
}

#[test]
fn error_of_the_history_ends_with_the_outage() {
    let mut harness = harness_in(State::HistoryFails, 80, 24);
    assert!(harness.text().contains("history: read metrics"));
    Pipeline::healthy().serve(&mut harness, now() + Duration::seconds(20), 900);
    let text = harness.text();
    assert!(!text.contains("read metrics"), "{text}");
    assert!(text.contains("healthy"), "{text}");
}

/// The history with periods of 10 seconds.
fn in_short_periods() -> History {
    let mut history = history(0.0);
    history.period_secs = 10;
    let move_points = |points: &mut Vec<Point>| {
        for point in points {
            point.at = now() - (now() - point.at) / 6;
        }
    };
    move_points(&mut history.deleted);
    if let Some(ingest) = &mut history.ingest {
        for points in [
            &mut ingest.stored,
            &mut ingest.duplicates,
            &mut ingest.expired,
            &mut ingest.retried,
            &mut ingest.lag_p50_ms,
            &mut ingest.lag_max_ms,
        ] {
            move_points(points);
        }
    }
    history
}

#[test]
fn lag_is_not_that_of_an_older_period_than_it_names() {
    let mut history = in_short_periods();
    if let Some(ingest) = &mut history.ingest {
        ingest.lag_p50_ms[55].value = 90_000.0;
        ingest.lag_max_ms[55].value = 133_800.0;
    }
    let pipeline = Pipeline {
        history: Ok(history),
        ..Pipeline::healthy()
    };
    let ingest = row(&served(&pipeline, 80, 24), "ingest ƒ");
    assert!(
        ingest.contains("10 s to 11:06:30  lag p50 196 ms to 11:06:20"),
        "{ingest}"
    );
    let text = served(&pipeline, 160, 45).text();
    for part in [
        "10 s to 11:06:30",
        "lag p50 196 ms to 11:06:20",
        "lag max 950 ms",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn records_that_the_api_does_not_count_are_no_failure_of_the_database() {
    let by_api = Environment {
        database_url: None,
        ..environment()
    };
    let mut harness = Harness::new(by_api, now(), 160, 45);
    Pipeline::healthy().serve(&mut harness, now(), 0);
    let pipeline = Pipeline {
        totals: Pipeline::unreachable().totals,
        ..Pipeline::healthy()
    };
    pipeline.serve(&mut harness, now() + Duration::seconds(5), 0);
    let text = harness.text();
    assert!(!text.contains("the database does not answer"), "{text}");
    assert!(!text.contains("database: count records"), "{text}");
    assert!(text.contains("records by the API: count records"), "{text}");
    let not_counted = "the API did not count records";
    assert_eq!(text.matches(not_counted).count(), 2, "{text}");
}

#[test]
fn metric_that_was_not_asked_for_is_not_said_to_be_missing() {
    let on_aws = Environment {
        endpoint_url: None,
        ..environment()
    };
    // Nobody has used the console for an hour, so it asks seldom.
    let mut harness = Harness::new(on_aws, now() - Duration::hours(1), 160, 45);
    Pipeline::healthy().serve(&mut harness, now(), 0);
    harness.now = now() + Duration::seconds(290);
    harness.tick();
    let batches = row(&harness, "per minute");
    assert!(
        batches.contains("as of 5 min ago  not asked since"),
        "{batches}"
    );
}

#[test]
fn rate_is_not_known_while_rows_are_removed() {
    let mut harness = served(&Pipeline::healthy(), 160, 45);
    assert!(
        harness.text().contains("+48.2 rows/s"),
        "{}",
        harness.text()
    );
    let erased = Pipeline {
        totals: Ok(1_203_748),
        ..Pipeline::healthy()
    };
    erased.serve(&mut harness, now() + Duration::seconds(5), 0);
    let text = harness.text();
    assert!(
        text.contains("– rows/s") && !text.contains("+0.0"),
        "{text}"
    );
    assert!(text.contains("rows were removed"), "{text}");
    // They are more than at the first of the samples again.
    erased.serve(&mut harness, now() + Duration::seconds(10), 99_000);
    let text = harness.text();
    assert!(text.contains("– rows/s"), "{text}");
    erased.serve(&mut harness, now() + Duration::seconds(15), 99_050);
    assert!(!harness.text().contains("– rows/s"), "{}", harness.text());
}
