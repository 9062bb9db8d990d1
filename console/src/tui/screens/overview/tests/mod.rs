//! Every state of the overview, of the frame around it and of what lies over it, as pictures.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test is about the variants that it names"
)]

mod stage;

use chrono::Duration;
use crossterm::event::KeyCode;

use strum::VariantArray as _;

use self::stage::{Pipeline, State, busy, harness_in, history, queue, row, served, start};
use crate::tui::effect::Effect;
use crate::tui::fault::Fault;
use crate::tui::keymap::KeyContext;
use crate::tui::message::Msg;
use crate::tui::outbox::Notice;
use crate::tui::request::{Reply, ReplyTo, Request, RequestId};
use crate::tui::screen_id::ScreenId;
use crate::tui::testing::{Harness, assert_pictures, draw_at_every_size, now, numbers};
use crate::tui::theme::Tone;
use crate::tui::update::update;

/// Seconds after which an answer is late.
const LATE_SECS: i64 = 7;

#[test]
fn every_state_looks_as_reviewed() {
    assert_pictures("overview", State::VARIANTS, harness_in);
}

#[test]
fn every_size_is_drawn() {
    let fullest = [State::IngestFailing];
    draw_at_every_size(State::VARIANTS, &fullest, harness_in);
}

#[test]
fn a_request_under_way_is_not_sent_again() {
    let mut harness = start(80, 24);
    harness.tick();
    assert_eq!(harness.requests.len(), 5);
    harness.pass(60);
    assert_eq!(harness.requests.len(), 5);
}

#[test]
fn a_reply_to_nobody_changes_nothing() {
    let mut harness = served(&Pipeline::healthy(), 80, 24);
    let before = harness.picture();
    let late = ReplyTo::new(RequestId(9_999), Reply::Totals);
    harness.reply(late, Err(Fault::new("late")));
    assert_eq!(harness.picture(), before);
}

#[test]
fn enter_on_dead_letters_goes_there() {
    let mut harness = harness_in(State::DeadLetters, 80, 24);
    harness.code(KeyCode::Enter);
    assert_eq!(harness.model.screen, ScreenId::DeadLetters);
}

#[test]
fn quit_answers_while_everything_hangs() {
    let mut harness = harness_in(State::Connecting, 80, 24);
    let key = Msg::Key(KeyCode::Char('q').into());
    let effects = update(&mut harness.model, now(), key);
    assert!(matches!(effects[..], [Effect::Quit]));
}

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
    let newest = |points: &mut Vec<pipeline::model::Point>| {
        points.drain(..points.len() - 1);
    };
    newest(&mut whole.sent);
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
/// its period, the batches since they were read.
fn assert_flows_are_old(harness: &Harness, rate_age: &str, read_age: &str) {
    let hops = [
        ("SNS topic", rate_age),
        ("ingest ƒ", rate_age),
        ("per minute", read_age),
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
    assert_flows_are_old(&harness, "as of 1 min ago", "as of 22 s ago");
    // It is given up.
    let mut failing = harness_in(State::HistoryFails, 80, 24);
    assert_flows_are_old(&failing, "as of 1 min ago", "as of 20 s ago");
    failing.pass(600);
    assert_flows_are_old(&failing, "as of 11 min ago", "as of 10 min ago");
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
        rates.contains("○ 50.0/s in") && rates.contains("○ 51.3/s out"),
        "{rates}"
    );
    assert!(
        harness.text().contains("as of 10 s ago"),
        "{}",
        harness.text()
    );
    // How fast they became more is known of that time alone.
    harness.pass(180);
    let finding = row(&harness, "37 dead letters");
    assert!(finding.contains("37 more in 59 min"), "{finding}");
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
    assert!(finding.contains("8 more in 59 min"), "{finding}");
}

#[test]
fn trend_of_dead_letters_is_over_the_time_that_the_history_covers() {
    let dead = Ok(queue("events-dead-letters", 8, 0, Some(8)));
    let mut history = history(0.0);
    history.dead_letters.drain(..58);
    let pipeline = Pipeline {
        dead,
        history: Ok(history),
        ..Pipeline::healthy()
    };
    let finding = row(&served(&pipeline, 160, 45), "8 dead letters");
    assert!(finding.contains("8 more in 1 min"), "{finding}");
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
    assert_eq!(seen, [5, 6, 7, 8, 9, 10]);
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
    for points in [&mut history.sent, &mut history.deleted] {
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
fn every_number_is_drawn_whole_or_not_at_all() {
    let mut harness = busy(300, 100);
    let mut whole = numbers(&harness.text());
    harness.resize(119, 100);
    whole.extend(numbers(&harness.text()));
    for width in (1..=130).chain([160, 200]) {
        for height in [10, 24] {
            harness.resize(width, height);
            let text = harness.text();
            // Neither the keys of the bottom line nor how many parts a line leaves out.
            let (body, _) = text.rsplit_once('\n').unwrap();
            let parts = body.split('…');
            let parts = parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
            let shown = numbers(&parts.collect::<Vec<_>>().join("…")).into_iter();
            let cut: Vec<_> = shown.filter(|number| !whole.contains(number)).collect();
            assert!(cut.is_empty(), "{cut:?} at {width}x{height}\n{text}");
        }
    }
}

#[test]
fn a_number_has_one_value_on_the_screen() {
    for height in [20, 45] {
        for width in [80, 160] {
            let text = busy(width, height).text();
            for (name, value) in [("depth ", "48,211"), ("DLQ ", "853"), ("max ", "1.1 s")] {
                for place in text.split(name).skip(1) {
                    let shown = place.trim_start_matches(['●', '▲', '✖', '○', ' ']);
                    let is_number = shown.starts_with(|c: char| c.is_ascii_digit());
                    assert!(!is_number || shown.starts_with(value), "{name}{shown}");
                }
            }
        }
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
    assert!(fresh.contains("newest 1 s ago"), "{fresh}");
    let stale = harness_in(State::PartlyUnreachable, 160, 45).text();
    assert!(!stale.contains("newest 1 s ago"), "{stale}");
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
fn nothing_is_healthy_before_everything_was_seen() {
    let pending = harness_in(State::HistoryUnseen, 80, 24).text();
    assert!(pending.contains("connecting"), "{pending}");
    assert!(pending.contains("no data yet: the history"), "{pending}");
    let empty = harness_in(State::NoMetrics, 80, 24).text();
    assert!(!empty.contains("healthy"), "{empty}");
    assert!(!empty.contains("every part was checked"), "{empty}");
    for unknown in [
        "the rate in",
        "the rate out",
        "the age of the oldest message",
    ] {
        let words = empty.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(unknown), "{unknown}\n{empty}");
    }
}

#[test]
fn rates_agree_wherever_they_are_shown() {
    let seen = harness_in(State::Healthy, 80, 24).text();
    assert!(
        seen.contains("in 50.0/s") && seen.contains("50.0/s in"),
        "{seen}"
    );
    let unknown = harness_in(State::NoMetrics, 80, 24).text();
    assert!(
        unknown.contains("– in ") && unknown.contains("in – "),
        "{unknown}"
    );
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
fn every_screen_can_be_found_from_the_bottom_line() {
    for &screen in ScreenId::ALL {
        let mut harness = harness_in(State::Healthy, 80, 24);
        harness.press(screen.number());
        let line = harness.text().lines().last().unwrap().to_owned();
        let here = format!("{} {}", screen.number(), screen.title());
        for part in [here.as_str(), "1-5 screens", "? help"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        harness.resize(160, 45);
        let line = harness.text().lines().last().unwrap().to_owned();
        for &other in ScreenId::ALL {
            assert!(line.contains(other.title()), "{line}");
        }
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
fn palette_finds_what_belongs_to_another_screen() {
    let chosen = |typed: &str| {
        let mut harness = harness_in(State::Healthy, 80, 24);
        for character in typed.chars() {
            harness.press(character);
        }
        harness.code(KeyCode::Enter);
        let notice = harness
            .model
            .notice
            .as_ref()
            .map(|notice| notice.text.clone());
        (
            harness.model.screen,
            harness.model.key_context(),
            notice.unwrap_or_default(),
        )
    };
    let (screen, context, _) = chosen(":filter");
    assert_eq!((screen, context), (ScreenId::Records, KeyContext::Input));
    // What acts on what is seen is only shown.
    let (screen, context, notice) = chosen(":redrive");
    assert_eq!(screen, ScreenId::DeadLetters);
    assert_eq!(context, KeyContext::Screen(ScreenId::DeadLetters));
    assert_eq!(notice, "redrive is key r here");
    let (screen, _, notice) = chosen(":send");
    assert_eq!(screen, ScreenId::Publish);
    assert_eq!(notice, "send is key s here");
}

#[test]
fn absent_metrics_of_the_ingest_are_shown_as_absent_and_why() {
    let line = |state| row(&harness_in(state, 80, 24), "per minute");
    let healthy = line(State::Healthy);
    assert!(healthy.contains("stored 2,890"), "{healthy}");
    assert!(healthy.contains("duplicates 3  failed 0"), "{healthy}");
    for (state, shown) in [
        (State::NoMetrics, "no metrics"),
        (State::IngestUnnamed, "ingest_function is not set"),
        (State::IngestSilent, "no batch"),
        (State::HistoryUnseen, "not seen yet"),
    ] {
        let line = line(state);
        assert!(line.contains(shown) && !line.contains(" 0"), "{line}");
        let ingest = row(&harness_in(state, 80, 24), "ingest ƒ");
        assert!(!ingest.contains("lag"), "{ingest}");
    }
}

#[test]
fn failures_are_shown_by_code_most_frequent_first_and_what_is_cut_is_marked() {
    let wide = row(&harness_in(State::IngestFailing, 160, 45), "per minute");
    let order = [
        "retry 12",
        "missing-attribute 31",
        "refused-by-database 2",
        "unsupported-specversion 1",
        "not-json 0.4",
    ];
    let places: Vec<Option<usize>> = order.iter().map(|part| wide.find(part)).collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{wide}"
    );
    let narrow = row(&harness_in(State::IngestFailing, 80, 24), "per minute");
    assert!(
        narrow.contains("▲ failed 34"),
        "not a warning of what is stored: {narrow}"
    );
    assert!(
        narrow.contains("missing-attribute 31") && narrow.contains("…5 more"),
        "{narrow}"
    );
}
