//! Charts: their ranges, what is asked for them and when, the cursor.

mod pages;

use ratatui::layout::Rect;

use super::stage::long;
use super::*;
use crate::tui::chart_range::ChartRange;
use crate::tui::plot::Mark;
use crate::tui::request::HistoryAsked;
use crate::tui::testing::trimmed;
use crate::tui::theme::Theme;
use crossterm::event::{MouseButton, MouseEventKind};
use pipeline::long_history::HistoryPart;

fn is_long(request: &Request) -> bool {
    matches!(request, Request::LongHistory(..))
}

fn asked(harness: &Harness) -> Vec<HistoryAsked> {
    let asked = harness.requests.iter().filter_map(|request| match request {
        Request::LongHistory(asked, _) => Some(*asked),
        _ => None,
    });
    asked.collect()
}

fn answer_long(pipeline: &Pipeline, harness: &mut Harness) {
    let position = harness.requests.iter().position(is_long).unwrap();
    let request = harness.requests.remove(position);
    let reply = pipeline.answer(request, harness.now, 0);
    harness.send(Msg::Reply(Box::new(reply)));
}

fn changes() -> Vec<Mark> {
    let mark = |minutes, sign, text: &str| Mark {
        at: now() - Duration::minutes(minutes),
        sign,
        text: text.to_owned(),
    };
    vec![
        mark(300, 'D', "deletion, 4 messages by ana"),
        mark(24, 'R', "redrive, 29 messages by ana"),
    ]
}

fn with_changes() -> Pipeline {
    Pipeline {
        changes: changes(),
        ..Pipeline::healthy()
    }
}

/// Every state of the charts.
#[derive(Clone, Copy, Debug, PartialEq, strum::VariantArray)]
enum ChartState {
    ChartsPage,
    FiveMinutes,
    SixHoursLoading,
    SixHours,
    SixHoursFailed,
    SixHoursStale,
    Week,
    Cursor,
    CursorOnChange,
    CursorInGap,
    ChartsPageNoColour,
    AboveLimits,
    ChartsHistoryFails,
    Functions,
    FunctionsLoading,
    FunctionsFailed,
    FunctionsUnnamed,
    FunctionsNoMetrics,
    Api,
    Database,
    DatabaseAsleep,
    DatabaseFailed,
    Alarms,
    AlarmsNoColour,
    AlarmsLoading,
    AlarmsNone,
    AlarmsFailed,
    AlarmsStale,
    HopSelected,
}

/// A queue in which messages have waited.
fn late() -> Pipeline {
    let mut pipeline = with_changes();
    if let Ok(history) = &mut pipeline.history {
        for (minute, point) in (0..).zip(&mut history.oldest_age_secs) {
            point.value = f64::from((minute * minute) % 500);
        }
        history.depth.drain(25..35);
    }
    pipeline
}

fn chart_harness(state: ChartState, width: u16, height: u16) -> Harness {
    let pipeline = with_changes();
    let mut harness = served(&pipeline, width, height);
    let ranged = |harness: &mut Harness, key| {
        harness.press(key);
        answer_long(&pipeline, harness);
    };
    match state {
        ChartState::ChartsPage => harness.code(KeyCode::Tab),
        ChartState::FiveMinutes => harness.press('m'),
        ChartState::SixHoursLoading => harness.press('H'),
        ChartState::SixHours => {
            harness.code(KeyCode::Tab);
            ranged(&mut harness, 'H');
        }
        ChartState::SixHoursFailed => {
            harness.press('H');
            answer_long(&Pipeline::unreachable(), &mut harness);
        }
        ChartState::SixHoursStale => {
            ranged(&mut harness, 'H');
            harness.pass(90);
        }
        ChartState::Week => ranged(&mut harness, 'w'),
        ChartState::Cursor => {
            for _ in 0..9 {
                harness.code(KeyCode::Left);
            }
        }
        ChartState::CursorOnChange => {
            let area = row_of(&harness, 'R');
            harness.click(area.x, area.y);
        }
        ChartState::CursorInGap => {
            ranged(&mut harness, 'd');
            let columns = width.saturating_sub(GUTTER);
            let gap = 37 * ChartRange::Day.period_secs(columns);
            let right = u32::from(columns) * gap / 86_400;
            let x = u32::from(width).saturating_sub(right);
            harness.click(u16::try_from(x).unwrap(), height.saturating_sub(5));
        }
        ChartState::ChartsPageNoColour => {
            harness.code(KeyCode::Tab);
            harness.code(KeyCode::Left);
            harness.model.theme = Theme { has_colour: false };
        }
        ChartState::AboveLimits => {
            harness = served(&late(), width, height);
            harness.code(KeyCode::Tab);
        }
        ChartState::ChartsHistoryFails => {
            harness = harness_in(State::HistoryFails, width, height);
            harness.code(KeyCode::Tab);
        }
        ChartState::HopSelected => {
            harness.code(KeyCode::Down);
            harness.code(KeyCode::Down);
        }
        ChartState::Functions
        | ChartState::FunctionsLoading
        | ChartState::FunctionsFailed
        | ChartState::FunctionsUnnamed
        | ChartState::FunctionsNoMetrics => {
            if state == ChartState::FunctionsUnnamed {
                harness.model.environment.ingest_function = None;
            }
            tabs(&mut harness, 2);
            match state {
                ChartState::FunctionsFailed => answer_all(&Pipeline::unreachable(), &mut harness),
                ChartState::FunctionsNoMetrics | ChartState::FunctionsUnnamed => {
                    let nothing = Pipeline {
                        long: |_| Ok(pipeline::long_history::LongHistory::default()),
                        ..Pipeline::healthy()
                    };
                    answer_all(&nothing, &mut harness);
                }
                ChartState::FunctionsLoading => harness.pass(3),
                _ => answer_all(&pipeline, &mut harness),
            }
        }
        ChartState::Api => {
            tabs(&mut harness, 3);
            answer_all(&pipeline, &mut harness);
        }
        ChartState::Database | ChartState::DatabaseAsleep | ChartState::DatabaseFailed => {
            harness.model.environment.database_pauses = state == ChartState::DatabaseAsleep;
            harness.model.environment.database_cluster = Some("events".to_owned());
            tabs(&mut harness, 4);
            if state == ChartState::DatabaseFailed {
                answer_all(&Pipeline::unreachable(), &mut harness);
            } else {
                answer_all(&pipeline, &mut harness);
            }
        }
        ChartState::Alarms
        | ChartState::AlarmsNoColour
        | ChartState::AlarmsLoading
        | ChartState::AlarmsNone
        | ChartState::AlarmsFailed
        | ChartState::AlarmsStale => alarms_in(state, &mut harness),
    }
    harness
}

fn alarms_in(state: ChartState, harness: &mut Harness) {
    tabs(harness, 5);
    match state {
        ChartState::AlarmsLoading => harness.pass(3),
        ChartState::AlarmsFailed => answer_all(&Pipeline::unreachable(), harness),
        ChartState::AlarmsNone => {
            let none = Pipeline {
                alarm_states: Ok(Vec::new()),
                ..Pipeline::healthy()
            };
            answer_all(&none, harness);
        }
        _ => {
            answer_all(&Pipeline::healthy(), harness);
            harness.code(KeyCode::Down);
        }
    }
    match state {
        ChartState::AlarmsStale => harness.pass(90),
        ChartState::AlarmsNoColour => harness.model.theme = Theme { has_colour: false },
        _ => {}
    }
}

fn tabs(harness: &mut Harness, number: usize) {
    for _ in 0..number {
        harness.code(KeyCode::Tab);
    }
}

fn answer_all(pipeline: &Pipeline, harness: &mut Harness) {
    for request in std::mem::take(&mut harness.requests) {
        let reply = pipeline.answer(request, harness.now, 0);
        harness.send(Msg::Reply(Box::new(reply)));
    }
}

const GUTTER: u16 = 8;

/// Where a mark stands on the axis.
fn row_of(harness: &Harness, sign: char) -> Rect {
    let text = harness.text();
    let (y, line) = (0..)
        .zip(text.lines())
        .find(|(_, line)| line.contains("UTC └"))
        .unwrap_or_else(|| panic!("no axis\n{text}"));
    let x = line.chars().skip(8).position(|c| c == sign);
    let x = x.unwrap_or_else(|| panic!("no {sign} on {line}")) + 8;
    Rect::new(u16::try_from(x).unwrap(), y, 1, 1)
}

#[test]
fn charts_look_as_reviewed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        for state in ChartState::VARIANTS {
            for (width, height) in [(80, 24), (120, 36), (160, 45), (220, 60)] {
                let text = chart_harness(*state, width, height).screen_text();
                let name = format!("{state:?}_{width}x{height}");
                insta::assert_snapshot!(name, trimmed(&text));
            }
        }
        for state in [
            ChartState::SixHoursLoading,
            ChartState::ChartsPageNoColour,
            ChartState::Alarms,
            ChartState::AlarmsNoColour,
            ChartState::HopSelected,
        ] {
            let picture = chart_harness(state, 160, 45).screen_picture();
            insta::assert_debug_snapshot!(format!("{state:?}_styled"), picture);
        }
    });
}

#[test]
fn every_size_of_charts_is_drawn() {
    let fullest = [ChartState::Cursor, ChartState::AboveLimits];
    draw_at_every_size(ChartState::VARIANTS, &fullest, |state, width, height| {
        chart_harness(state, width, height)
    });
}

#[test]
fn charts_use_every_row_and_column_of_their_page() {
    for (width, height) in [(80, 24), (120, 36), (160, 45), (220, 60)] {
        let text = chart_harness(ChartState::ChartsPage, width, height).text();
        let lines: Vec<&str> = text.lines().collect();
        let axis = lines
            .iter()
            .position(|line| line.contains("UTC └"))
            .unwrap();
        assert_eq!(
            axis,
            usize::from(height) - 3,
            "above notice and keys\n{text}"
        );
        let charts = lines.iter().filter(|line| line.starts_with("─ ")).count();
        assert_eq!(charts, 5, "{text}");
        let filled = lines
            .iter()
            .any(|line| line.matches('█').count() > usize::from(width) / 2);
        assert!(filled, "{text}");
        let axes = lines.iter().filter(|line| line.contains("UTC └")).count();
        assert_eq!(axes, 1, "one axis for all: {text}");
    }
}

#[test]
fn long_range_is_asked_for_when_it_is_chosen_and_again_when_a_period_has_ended() {
    let pipeline = Pipeline::healthy();
    let mut harness = served(&pipeline, 160, 45);
    assert_eq!(asked(&harness), [], "the last hour is read anyway");
    harness.press('m');
    assert_eq!(asked(&harness), [], "and has these five minutes");
    harness.press('H');
    let expected = HistoryAsked {
        part: HistoryPart::Hops,
        window: std::time::Duration::from_secs(21_600),
        period_secs: ChartRange::Hours6.period_secs(152),
    };
    assert_eq!(asked(&harness), [expected]);
    harness.press('H');
    harness.pass(5);
    assert_eq!(asked(&harness), [expected], "not twice at once");
    answer_long(&pipeline, &mut harness);
    let begin = harness.now;
    for secs in (1..i64::from(expected.period_secs)).step_by(7) {
        pipeline.serve(&mut harness, begin + Duration::seconds(secs), 0);
        harness.requests.clear();
    }
    harness.now = begin + Duration::seconds(expected.period_secs.into());
    harness.tick();
    assert_eq!(asked(&harness).len(), 1, "one of its periods has ended");
}

#[test]
fn long_range_is_asked_once_in_a_period() {
    let pipeline = Pipeline::healthy();
    let mut harness = served(&pipeline, 160, 45);
    harness.press('d');
    let mut times = Vec::new();
    let begin = harness.now;
    for half_secs in 0..7_200 {
        harness.now = begin + Duration::milliseconds(500 * half_secs);
        harness.tick();
        for request in std::mem::take(&mut harness.requests) {
            if is_long(&request) {
                times.push((harness.now - begin).num_seconds());
            }
            let reply = pipeline.answer(request, harness.now, 0);
            harness.send(Msg::Reply(Box::new(reply)));
        }
    }
    assert_eq!(ChartRange::Day.period_secs(152), 600);
    assert_eq!(times, [0, 600, 1_200, 1_800, 2_400, 3_000]);
}

#[test]
fn each_page_asks_for_its_own_metrics_and_nothing_that_it_has_is_asked_for_again() {
    let pipeline = Pipeline::healthy();
    let mut harness = served(&pipeline, 160, 45);
    let mut parts = Vec::new();
    let mut look = |harness: &mut Harness| {
        parts.push(
            asked(harness)
                .iter()
                .map(|asked| asked.part)
                .collect::<Vec<_>>(),
        );
        answer_all(&pipeline, harness);
    };
    harness.press('d');
    for _ in 0..4 {
        look(&mut harness);
        harness.code(KeyCode::Tab);
    }
    look(&mut harness);
    // All of it is there, also what another range or page showed meanwhile.
    for key in ['H', 'd'] {
        harness.press(key);
        look(&mut harness);
    }
    tabs(&mut harness, 4);
    look(&mut harness);
    use HistoryPart::{Api, Database, Function, Hops};
    let expected: [&[HistoryPart]; 8] = [
        &[Hops],
        &[],
        &[Function],
        &[Api],
        &[Database],
        &[Database],
        &[],
        &[],
    ];
    assert_eq!(parts, expected);
}

#[test]
fn key_that_reads_again_asks_nothing_twice_at_once() {
    let mut harness = served(&Pipeline::healthy(), 160, 45);
    harness.press('H');
    harness.refresh();
    harness.refresh();
    assert_eq!(asked(&harness).len(), 1);
    answer_long(&Pipeline::healthy(), &mut harness);
    harness.refresh();
    assert_eq!(asked(&harness).len(), 1, "what is there is read again");
}

#[test]
fn failure_of_one_page_says_nothing_of_another() {
    let failing = Pipeline {
        long: |_| Err(Fault::new("read metrics: refused")),
        ..Pipeline::healthy()
    };
    let mut harness = chart_harness(ChartState::Api, 160, 45);
    harness.chord(KeyCode::BackTab, crossterm::event::KeyModifiers::SHIFT);
    for secs in (0..=60).step_by(10) {
        failing.serve(&mut harness, now() + Duration::seconds(secs), 0);
    }
    assert!(row(&harness, "5m ").contains("was not read"));
    // What was read of the other page is to be read again, and nothing has failed there.
    harness.code(KeyCode::Tab);
    assert_eq!(asked(&harness).len(), 1);
    let bar = row(&harness, "5m ");
    assert!(!bar.contains("read at"), "{bar}");
}

#[test]
fn nothing_is_asked_for_charts_while_another_screen_is_shown() {
    let pipeline = Pipeline::healthy();
    let mut harness = served(&pipeline, 160, 45);
    harness.press('H');
    answer_long(&pipeline, &mut harness);
    harness.press('5');
    harness.pass(4_000);
    assert_eq!(asked(&harness), []);
    let is_change = |request: &Request| matches!(request, Request::Changes(_));
    assert!(!harness.requests.iter().any(is_change));
    harness.press('1');
    assert_eq!(asked(&harness).len(), 1);
}

#[test]
fn old_range_stays_dimmed_with_a_word_while_another_is_read() {
    let mut harness = chart_harness(ChartState::SixHoursLoading, 160, 45);
    let axis = |harness: &Harness| row(harness, "UTC └");
    let hour = axis(&served(&with_changes(), 160, 45));
    assert_eq!(axis(&harness), hour);
    assert!(row(&harness, "5m ").contains("reading 6h"));
    let is_dim = |harness: &Harness| {
        let picture = harness.picture();
        let filled = picture.content.iter().filter(|cell| cell.symbol() == "█");
        let dim: Vec<_> = filled
            .map(|cell| cell.modifier.contains(ratatui::style::Modifier::DIM))
            .collect();
        assert!(!dim.is_empty());
        dim.iter().all(|is_dim| *is_dim)
    };
    assert!(is_dim(&harness));
    answer_long(&with_changes(), &mut harness);
    assert_ne!(axis(&harness), hour);
    assert!(!is_dim(&harness) && !row(&harness, "5m ").contains("reading"));
    // A late answer of a range that is not chosen any more.
    harness.press('d');
    let late = harness.requests.iter().position(is_long).unwrap();
    let late = harness.requests.remove(late);
    harness.press('w');
    let before = axis(&harness);
    let reply = with_changes().answer(late, harness.now, 0);
    harness.send(Msg::Reply(Box::new(reply)));
    assert_eq!(axis(&harness), before);
}

#[test]
fn range_that_could_not_be_read_leaves_the_old_one_and_is_tried_again() {
    let mut harness = chart_harness(ChartState::SixHoursFailed, 160, 45);
    let bar = row(&harness, "5m ");
    assert!(bar.contains("✖ 6h was not read  ^r again"), "{bar}");
    assert!(harness.text().contains('█'));
    harness.pass(5);
    assert_eq!(asked(&harness).len(), 0);
    harness.refresh();
    assert_eq!(asked(&harness).len(), 1);
}

#[test]
fn range_that_cannot_be_read_again_says_of_when_it_is() {
    let mut harness = chart_harness(ChartState::SixHours, 160, 45);
    assert!(!row(&harness, "5m ").contains("read at"));
    let period_secs = asked_period(&harness);
    harness.pass(period_secs);
    answer_long(&Pipeline::unreachable(), &mut harness);
    let bar = row(&harness, "5m ");
    assert!(bar.contains("▲ read at 11:06:40 UTC  ^r again"), "{bar}");
    assert!(harness.text().contains('█'));
}

fn asked_period(harness: &Harness) -> i64 {
    let columns = harness.model.area.width - GUTTER;
    ChartRange::Hours6.period_secs(columns).into()
}

#[test]
fn cursor_shows_its_moment_and_every_value_until_escape() {
    let mut harness = served(&with_changes(), 160, 45);
    assert!(row(&harness, "─ Queue depth").contains("depth 12"));
    harness.code(KeyCode::Left);
    let newest = row(&harness, "UTC └");
    assert!(newest.contains(" 11:06:"), "{newest}");
    let hour_column = std::time::Duration::from_secs(3_600).as_millis() / 152;
    let moves = 35 * 60_000 / hour_column;
    for _ in 0..moves {
        harness.code(KeyCode::Left);
    }
    let text = harness.text();
    assert!(text.contains(" 10:3"), "{text}");
    assert!(
        row(&harness, "─ Queue depth").contains("depth 60"),
        "{text}"
    );
    assert!(
        row(&harness, "─ In and out").contains("in 4")
            || row(&harness, "─ In and out").contains("in 5")
    );
    let lines: Vec<&str> = text.lines().collect();
    let axis = lines
        .iter()
        .position(|line| line.contains("UTC └"))
        .unwrap();
    let column = |line: &str| line.chars().skip(9).position(|c| c == '│').map(|x| x + 9);
    let columns: Vec<_> = lines[axis - 3..axis]
        .iter()
        .map(|line| column(line))
        .collect();
    assert!(
        columns[0].is_some() && columns.iter().all(|x| *x == columns[0]),
        "{text}"
    );
    harness.code(KeyCode::Esc);
    assert_eq!(
        row(&harness, "─ Queue depth"),
        row(&served(&with_changes(), 160, 45), "─ Queue depth")
    );
}

#[test]
fn mouse_sets_the_cursor_drags_it_and_chooses_ranges_and_pages() {
    let mut harness = served(&with_changes(), 160, 45);
    harness.click(60, 30);
    let clicked = row(&harness, "UTC └");
    harness.mouse(MouseEventKind::Drag(MouseButton::Left), 90, 31);
    let dragged = row(&harness, "UTC └");
    assert_ne!(clicked, dragged);
    let bar = row(&harness, "5m ");
    let x = |what: &str| {
        let (before, _) = bar.split_once(what).unwrap();
        u16::try_from(before.chars().count()).unwrap()
    };
    harness.click(x("6h"), 1);
    assert_eq!(asked(&harness).len(), 1);
    harness.click(x("Charts"), 1);
    assert!(row(&harness, "─ Dead letters").starts_with("─ Dead letters"));
    assert!(!harness.text().contains("Attention"));
}

#[test]
fn cursor_stays_at_its_moment_while_time_passes() {
    let pipeline = with_changes();
    let mut harness = served(&pipeline, 160, 45);
    harness.press('m');
    for _ in 0..30 {
        harness.code(KeyCode::Left);
    }
    let moment = |harness: &Harness| {
        let axis = row(harness, "UTC └");
        let at = axis.find(" 11:0").unwrap();
        axis.get(at..at + 9).unwrap().to_owned()
    };
    let before = moment(&harness);
    for step in 1..6 {
        pipeline.serve(&mut harness, now() + Duration::seconds(5 * step), 0);
        assert_eq!(moment(&harness), before);
    }
    pipeline.serve(&mut harness, now() + Duration::seconds(600), 0);
    let text = harness.text();
    assert!(!text.contains(&before), "it has left the window: {text}");
}

#[test]
fn newest_minutes_are_the_samples_of_the_console() {
    let mut harness = start(160, 45);
    for step in 0..40 {
        let source = Ok(queue("events-queue", 100 + step, 0, Some(1)));
        let pipeline = Pipeline {
            source,
            ..Pipeline::healthy()
        };
        let at = now() + Duration::seconds(5 * i64::try_from(step).unwrap());
        pipeline.serve(&mut harness, at, 0);
    }
    harness.press('m');
    harness.code(KeyCode::Left);
    assert!(row(&harness, "─ Queue depth").contains("depth 139"));
    for _ in 0..10 {
        harness.code(KeyCode::Left);
    }
    let title = row(&harness, "─ Queue depth");
    assert!(title.contains("depth 13"), "{title}");
    // Before the first sample there is what CloudWatch had.
    for _ in 0..105 {
        harness.code(KeyCode::Left);
    }
    let title = row(&harness, "─ Queue depth");
    assert!(
        title.contains("depth 12 ") || title.contains("depth – "),
        "{title}"
    );
}

#[test]
fn known_changes_are_marked_on_the_axis_and_the_deployment_too() {
    let harness = served(&with_changes(), 160, 45);
    let axis = row(&harness, "UTC └");
    assert!(
        axis.contains('R') && axis.contains('F') && !axis.contains('D'),
        "{axis}"
    );
    let on_change = chart_harness(ChartState::CursorOnChange, 160, 45);
    let axis = row(&on_change, "UTC └");
    assert!(axis.contains("redrive, 29 messages by ana"), "{axis}");
}

#[test]
fn charts_are_computed_again_only_when_data_or_size_change() {
    let pipeline = with_changes();
    let mut harness = served(&pipeline, 160, 45);
    let computed = |harness: &Harness| harness.model.screens.overview.charts.computed();
    let before = computed(&harness);
    for _ in 0..20 {
        harness.pass(1);
        harness.code(KeyCode::Left);
        harness.picture();
    }
    harness.press('?');
    assert_eq!(computed(&harness), before);
    harness.resize(120, 36);
    assert_eq!(computed(&harness), before + 1);
    pipeline.serve(&mut harness, now() + Duration::seconds(60), 0);
    assert!(computed(&harness) > before + 1);
}

#[test]
fn range_of_the_stage_has_a_gap() {
    let points = long(600).hops.depth;
    let is_gap = |pair: &[pipeline::model::Point]| pair[1].at - pair[0].at > Duration::seconds(600);
    assert!(points.windows(2).any(is_gap));
    let harness = chart_harness(ChartState::CursorInGap, 160, 45);
    let title = row(&harness, "─ Queue depth");
    assert!(title.contains("depth –"), "{title}");
}
