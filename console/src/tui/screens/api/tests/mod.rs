//! Every state of the screen as pictures, and how it behaves.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyModifiers};
use pipeline::api_document::ApiDocument;
use pipeline::environment::{Authorization, Environment};
use pipeline::model::ApiAnswer;
use strum::VariantArray;

use crate::tui::fault::Fault;
use crate::tui::message::Msg;
use crate::tui::testing::{
    API_CALL, API_DOCUMENT, Harness, assert_pictures, draw_at_every_size, environment, now,
    production,
};

/// Every state that the screen can be seen in.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
enum State {
    Loading,
    Ready,
    OwnDocument,
    StaleDocument,
    Form,
    TypingWrong,
    Invalid,
    Calling,
    Answered,
    WithHeaders,
    WithoutBody,
    Problem,
    RefusedByGateway,
    NoAnswer,
    Cut,
    Lines,
    AskingHowOften,
    Repeating,
    Repeated,
    EditingBody,
    BodyWrong,
    History,
    Curl,
    Production,
    HostileTexts,
    NoColour,
}

const RECORDS: &str = r#"{"items":[{"record_id":1204554,"source":"/shop","id":"b2c7","type":"order.placed","subject":"order/17","occurred_at":"2026-11-24T12:00:00Z","ingested_at":"2026-11-24T12:00:00.180411Z","payload":{"data":{"total":12.50}}}],"next_cursor":"AgEABkRVZ8rQAAAAAAAAEmEK2X0Q0n3o9mQ3c1aB"}"#;
const PROBLEM: &str = r#"{"type":"/docs#invalid-parameter","title":"invalid parameter","status":400,"detail":"not a whole number","parameter":"limit"}"#;

fn answer(status: u16, kind: &str, body: &str) -> ApiAnswer {
    let headers = [
        ("content-type", kind),
        ("cache-control", "no-cache"),
        ("x-request-id", "287313c0-6b5d-4e17-844d-4ef12672c596"),
    ];
    ApiAnswer {
        status,
        latency: Duration::from_micros(12_340),
        content_type: Some(kind.to_owned()),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body: body.to_owned(),
        is_cut: false,
    }
}

fn records() -> ApiAnswer {
    answer(200, "application/json", RECORDS)
}

fn refused() -> Fault {
    Fault {
        message: "read the document of the API at http://127.0.0.1:4566: connection refused"
            .to_owned(),
        hint: Some("check that http://127.0.0.1:4566 is running".to_owned()),
        is_unreachable: true,
        ..Fault::default()
    }
}

fn documented(harness: &mut Harness) {
    let document = Box::new(ApiDocument::of_this_release());
    harness.answer(&API_DOCUMENT, Ok(document));
}

fn answered(harness: &mut Harness, answer: ApiAnswer) {
    harness.answer(&API_CALL, Ok(Some(Box::new(answer))));
}

/// The screen with the document of the deployed API.
fn open(width: u16, height: u16) -> Harness {
    let mut harness = Harness::on('0', width, height);
    documented(&mut harness);
    harness
}

/// The second operation, whose form has a limit.
fn list_of_records(harness: &mut Harness) {
    harness.press('j');
    harness.code(KeyCode::Enter);
    for _ in 0..7 {
        harness.press('j');
    }
}

fn typed(harness: &mut Harness, text: &str) {
    harness.code(KeyCode::Enter);
    harness.keys(text);
}

/// The operation that takes a body.
fn lookup(harness: &mut Harness) {
    harness.keys("jj");
    harness.code(KeyCode::Enter);
}

fn sent(harness: &mut Harness, answer: ApiAnswer) {
    list_of_records(harness);
    typed(harness, "2");
    harness.code(KeyCode::Enter);
    harness.press('s');
    answered(harness, answer);
}

fn drive(state: State, width: u16, height: u16) -> Harness {
    let mut harness = match state {
        State::Loading | State::OwnDocument | State::HostileTexts => {
            Harness::on('0', width, height)
        }
        State::Production => {
            let mut harness = Harness::new(production(), now(), width, height);
            harness.press('0');
            documented(&mut harness);
            harness
        }
        State::Curl => {
            let environment = Environment {
                api_auth: Authorization::Iam,
                profile: Some("operator".to_owned()),
                ..environment()
            };
            let mut harness = Harness::new(environment, now(), width, height);
            harness.press('0');
            documented(&mut harness);
            harness
        }
        State::Ready
        | State::StaleDocument
        | State::Form
        | State::TypingWrong
        | State::Invalid
        | State::Calling
        | State::Answered
        | State::WithHeaders
        | State::WithoutBody
        | State::Problem
        | State::RefusedByGateway
        | State::NoAnswer
        | State::Cut
        | State::Lines
        | State::AskingHowOften
        | State::Repeating
        | State::Repeated
        | State::EditingBody
        | State::BodyWrong
        | State::History
        | State::NoColour => open(width, height),
    };
    match state {
        State::Loading => harness.pass(3),
        State::Ready | State::Production => {}
        State::OwnDocument => harness.answer(&API_DOCUMENT, Err(refused())),
        State::StaleDocument => {
            harness.pass(600);
            harness.refresh();
            harness.answer(&API_DOCUMENT, Err(refused()));
        }
        State::Form => list_of_records(&mut harness),
        State::TypingWrong => {
            list_of_records(&mut harness);
            typed(&mut harness, "501");
        }
        State::Invalid => {
            list_of_records(&mut harness);
            typed(&mut harness, "501");
            harness.code(KeyCode::Enter);
            harness.press('k');
            typed(&mut harness, "up");
            harness.code(KeyCode::Enter);
            harness.press('s');
        }
        State::Calling => {
            list_of_records(&mut harness);
            harness.press('s');
            harness.pass(2);
        }
        State::Answered => sent(&mut harness, records()),
        State::WithHeaders => {
            sent(&mut harness, records());
            harness.press('H');
        }
        State::WithoutBody => sent(&mut harness, answer(304, "application/json", "")),
        State::Problem => sent(
            &mut harness,
            answer(400, "application/problem+json", PROBLEM),
        ),
        State::RefusedByGateway => {
            let body = r#"{"message":"Forbidden"}"#;
            sent(&mut harness, answer(403, "application/json", body));
        }
        State::NoAnswer => {
            list_of_records(&mut harness);
            harness.press('s');
            harness.answer(&API_CALL, Err(refused()));
        }
        State::Cut => {
            let mut cut = records();
            cut.is_cut = true;
            cut.body.truncate(200);
            sent(&mut harness, cut);
        }
        State::Lines => {
            let lines = "{\"record_id\":1}\n{\"record_id\":2}\n{\"next_cursor\":null}\n";
            sent(&mut harness, answer(200, "application/x-ndjson", lines));
        }
        State::AskingHowOften => {
            harness.keys("r1");
        }
        State::Repeating => {
            list_of_records(&mut harness);
            harness.press('r');
            harness.code(KeyCode::Enter);
            answered(&mut harness, records());
        }
        State::Repeated => repeated(&mut harness),
        State::EditingBody => {
            lookup(&mut harness);
            harness.press('e');
        }
        State::BodyWrong => {
            lookup(&mut harness);
            harness.press('e');
            harness.press('x');
        }
        State::History => {
            sent(&mut harness, records());
            harness.press('s');
            harness.answer(&API_CALL, Err(refused()));
            repeated(&mut harness);
            harness.press('h');
        }
        State::Curl => {
            list_of_records(&mut harness);
            harness.press('c');
        }
        State::HostileTexts => hostile(&mut harness),
        State::NoColour => {
            harness.model.theme.has_colour = false;
            sent(
                &mut harness,
                answer(400, "application/problem+json", PROBLEM),
            );
        }
    }
    harness
}

/// Two calls of the selected operation, one of which fails.
fn repeated(harness: &mut Harness) {
    harness.press('r');
    harness.code(KeyCode::Backspace);
    harness.code(KeyCode::Backspace);
    harness.press('2');
    harness.code(KeyCode::Enter);
    answered(harness, records());
    let mut slow = answer(503, "application/problem+json", "{}");
    slow.latency = Duration::from_millis(900);
    slow.headers
        .push(("retry-after".to_owned(), "5".to_owned()));
    answered(harness, slow);
}

fn hostile(harness: &mut Harness) {
    let text = "\u{1b}[2J\u{7}\u{202e}日本語 without an end ".repeat(20);
    let mut document = ApiDocument::of_this_release();
    for operation in &mut document.operations {
        operation.summary.clone_from(&text);
        operation.description.clone_from(&text);
        operation.answers.insert(400, text.clone());
        for parameter in &mut operation.parameters {
            parameter.description.clone_from(&text);
            parameter.example = Some(text.clone());
            parameter.default = Some(text.clone());
        }
    }
    harness.answer(&API_DOCUMENT, Ok(Box::new(document)));
    let problem = serde_json::json!({"title": text, "detail": text, "parameter": text});
    let mut answer = answer(400, "application/problem+json", &problem.to_string());
    answer.headers.push(("x-evil".to_owned(), text.clone()));
    sent(harness, answer);
    harness.press('H');
}

#[test]
fn every_state_looks_as_reviewed() {
    assert_pictures("api", State::VARIANTS, drive);
}

#[test]
fn every_state_is_drawn_at_every_size() {
    let fullest = [State::Invalid, State::Repeated, State::HostileTexts];
    draw_at_every_size(State::VARIANTS, &fullest, drive);
}

#[test]
fn document_is_read_once_and_again_by_a_key_and_the_own_one_stands_in_for_it() {
    let mut harness = Harness::on('0', 160, 45);
    let screen = harness.screen_text();
    assert!(screen.contains("of this release") && screen.contains("/v1/records"));
    harness.answer(&API_DOCUMENT, Err(refused()));
    harness.press('1');
    harness.press('0');
    harness.pass(3_600);
    assert_eq!(harness.count(&API_DOCUMENT), 0, "it is read by a key alone");
    harness.refresh();
    documented(&mut harness);
    assert!(harness.screen_text().contains("of the deployed API"));
}

#[test]
fn selection_stays_on_its_operation_when_the_document_comes() {
    let mut harness = Harness::on('0', 160, 45);
    harness.keys("jjj");
    assert!(
        harness
            .screen_text()
            .contains("▸ GET  /v1/records/{record_id}")
    );
    let mut document = ApiDocument::of_this_release();
    document.operations.remove(0);
    harness.answer(&API_DOCUMENT, Ok(Box::new(document)));
    assert!(
        harness
            .screen_text()
            .contains("▸ GET  /v1/records/{record_id}")
    );
}

#[test]
fn value_is_judged_at_each_key_and_nothing_is_sent_while_it_is_wrong() {
    let mut harness = open(160, 45);
    list_of_records(&mut harness);
    typed(&mut harness, "50");
    assert!(!harness.screen_text().contains("is more than 500"));
    harness.press('1');
    assert!(harness.screen_text().contains("✖ is more than 500"));
    harness.code(KeyCode::Enter);
    harness.press('s');
    assert_eq!(harness.count(&API_CALL), 0);
    assert!(
        harness
            .notice()
            .contains("nothing was sent: limit is more than 500")
    );
    // It can be mended where it is.
    harness.code(KeyCode::Enter);
    harness.code(KeyCode::Backspace);
    harness.code(KeyCode::Enter);
    harness.press('s');
    let (call, _) = harness.take(&API_CALL);
    assert_eq!(call.target, "/v1/records?limit=50");
}

#[test]
fn line_that_is_closed_keeps_the_value() {
    let mut harness = open(160, 45);
    list_of_records(&mut harness);
    typed(&mut harness, "7");
    harness.code(KeyCode::Esc);
    harness.press('s');
    let (call, _) = harness.take(&API_CALL);
    assert_eq!(call.target, "/v1/records", "it was not set");
}

#[test]
fn one_call_is_under_way_at_a_time_and_a_cancelled_one_changes_nothing() {
    let mut harness = open(160, 45);
    harness.keys("ss");
    assert_eq!(harness.count(&API_CALL), 1);
    let (_, to) = harness.take(&API_CALL);
    let id = to.id();
    harness.code(KeyCode::Esc);
    assert_eq!(harness.cancelled, [id]);
    harness.reply(to, Ok(Some(Box::new(records()))));
    assert!(harness.screen_text().contains("nothing was sent yet"));
    // Another one can be sent at once.
    harness.press('s');
    answered(&mut harness, records());
    assert!(harness.screen_text().contains("● 200 OK"));
}

#[test]
fn problem_shows_its_title_its_detail_and_the_next_step() {
    let harness = drive(State::Problem, 160, 45);
    let screen = harness.screen_text();
    for expected in [
        "▲ 400 Bad Request",
        "invalid parameter: not a whole number",
        "change limit and send it again",
    ] {
        assert!(screen.contains(expected), "{expected}: {screen}");
    }
    let harness = drive(State::RefusedByGateway, 160, 45);
    assert!(harness.screen_text().contains("`opsconsole env check`"));
}

#[test]
fn call_is_repeated_one_after_the_other_and_summed_up() {
    let mut harness = open(160, 45);
    harness.press('r');
    harness.code(KeyCode::Enter);
    for number in 1..=10 {
        assert_eq!(harness.count(&API_CALL), 1, "call {number}");
        let mut answer = records();
        answer.latency = Duration::from_millis(number * 10);
        answered(&mut harness, answer);
    }
    assert_eq!(harness.count(&API_CALL), 0);
    let screen = harness.screen_text();
    for expected in [
        "10 of 10 calls · 200 × 10",
        "min 10 ms · p50 50 ms · p95 100 ms · p99 100 ms · max 100 ms",
    ] {
        assert!(screen.contains(expected), "{expected}: {screen}");
    }
    // One line of the history for all of them.
    harness.press('h');
    let screen = harness.screen_text();
    assert!(
        screen.contains("1 call ") && screen.contains("× 10"),
        "{screen}"
    );
}

#[test]
fn series_ends_with_a_key_and_with_the_first_call_that_has_no_answer() {
    let mut harness = open(160, 45);
    harness.press('r');
    harness.code(KeyCode::Enter);
    answered(&mut harness, records());
    harness.answer(&API_CALL, Err(refused()));
    assert_eq!(harness.count(&API_CALL), 0);
    let screen = harness.screen_text();
    assert!(
        screen.contains("1 without an answer · ended before"),
        "{screen}"
    );

    harness.press('r');
    harness.code(KeyCode::Enter);
    answered(&mut harness, records());
    let (_, to) = harness.take(&API_CALL);
    harness.code(KeyCode::Esc);
    harness.reply(to, Ok(None));
    assert_eq!(harness.count(&API_CALL), 0);
    let screen = harness.screen_text();
    assert!(screen.contains("1 of 10 calls"), "{screen}");
    assert!(
        screen.contains("ended before: it was cancelled"),
        "{screen}"
    );
}

#[test]
fn number_of_repetitions_is_bounded() {
    let mut harness = open(160, 45);
    harness.keys("r1");
    assert!(harness.screen_text().contains("is no number from 1 to 100"));
    harness.code(KeyCode::Enter);
    assert_eq!(harness.count(&API_CALL), 0, "101 calls");
}

#[test]
fn next_page_is_filled_in_and_sent() {
    let mut harness = open(160, 45);
    sent(&mut harness, records());
    harness.press('n');
    let (call, to) = harness.take(&API_CALL);
    let cursor = "AgEABkRVZ8rQAAAAAAAAEmEK2X0Q0n3o9mQ3c1aB";
    assert_eq!(call.target, format!("/v1/records?limit=2&cursor={cursor}"));
    let last = answer(
        200,
        "application/json",
        r#"{"items":[],"next_cursor":null}"#,
    );
    harness.reply(to, Ok(Some(Box::new(last))));
    assert!(
        harness.screen_text().contains("cursor  AgEABkRVZ8rQ"),
        "it is in the form"
    );
    harness.press('n');
    assert_eq!(harness.count(&API_CALL), 0);
    assert_eq!(harness.notice(), "this answer has no next page");
}

#[test]
fn call_of_the_history_fills_the_form_again() {
    let mut harness = open(160, 45);
    sent(&mut harness, records());
    harness.keys("x");
    harness.code(KeyCode::Esc);
    harness.press('g');
    harness.press('s');
    answered(&mut harness, answer(200, "application/json", "{}"));
    // The older one of two.
    harness.keys("hj");
    harness.code(KeyCode::Enter);
    harness.press('s');
    let (call, _) = harness.take(&API_CALL);
    assert_eq!(call.target, "/v1/records?limit=2");
}

#[test]
fn history_is_bounded() {
    let mut harness = open(160, 60);
    for _ in 0..60 {
        harness.press('s');
        answered(&mut harness, records());
    }
    harness.press('h');
    assert!(harness.screen_text().contains("50 calls"));
}

#[test]
fn body_is_judged_while_it_is_written_and_sent_as_it_is() {
    let mut harness = open(160, 45);
    lookup(&mut harness);
    harness.press('e');
    assert!(harness.screen_text().contains("can be sent"));
    harness.press('x');
    assert!(harness.screen_text().contains("is no JSON object"));
    harness.ctrl('s');
    assert_eq!(harness.count(&API_CALL), 0);
    assert!(harness.notice().contains("nothing was sent: body"));
    harness.press('e');
    harness.code(KeyCode::Delete);
    harness.chord(KeyCode::Char('u'), KeyModifiers::CONTROL);
    harness.code(KeyCode::Esc);
    // The operator's own editor has the same text.
    harness.press('E');
    let body = r#"{"identities": [{"source": "/shop", "id": "b2c7"}]}"#;
    assert_eq!(harness.editors.len(), 1);
    harness.send(Msg::EditorEnded(Ok(body.to_owned())));
    harness.press('s');
    let (call, _) = harness.take(&API_CALL);
    assert_eq!(
        (&*call.target, call.body.as_deref()),
        ("/v1/records/lookup", Some(body))
    );
}

#[test]
fn curl_command_is_copied_without_a_secret() {
    let harness = drive(State::Curl, 160, 45);
    let copied = harness.copied.first().unwrap();
    assert!(
        copied.contains("--aws-sigv4 aws:amz:us-east-1:execute-api"),
        "{copied}"
    );
    assert!(copied.contains("$AWS_SECRET_ACCESS_KEY"), "{copied}");
    assert!(
        copied.ends_with("http://127.0.0.1:4566/api/v1/records"),
        "{copied}"
    );
    let screen = harness.screen_text();
    assert!(screen.contains("signed (IAM)"), "{screen}");
    assert!(
        screen.contains("--profile operator --format env"),
        "{screen}"
    );
}

#[test]
fn texts_of_the_document_and_of_the_api_control_nothing() {
    for size in [(80, 24), (160, 45), (220, 60)] {
        let harness = drive(State::HostileTexts, size.0, size.1);
        let screen = harness.text();
        let controls = |c: char| c != '\n' && event::is_deceptive(c);
        assert!(!screen.chars().any(controls), "{size:?}: {screen:?}");
        assert!(screen.contains("␛[2J"), "{size:?}: {screen}");
    }
}

#[test]
fn click_selects_and_a_second_one_goes_on() {
    let mut harness = open(160, 45);
    let line = |harness: &Harness, text: &str| {
        let screen = harness.text();
        let row = screen.lines().position(|line| line.contains(text)).unwrap();
        u16::try_from(row).unwrap()
    };
    let row = line(&harness, "GET  /v1/stats");
    harness.click(10, row);
    assert!(harness.screen_text().contains("▸ GET  /v1/stats"));
    let row = line(&harness, "fill_gaps");
    harness.click(70, row);
    harness.click(70, row);
    harness.keys("yes");
    assert!(harness.screen_text().contains("neither true nor false"));
}
