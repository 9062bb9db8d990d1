//! Every state of the screen as pictures, and how it behaves.

use std::sync::Arc;

use chrono::TimeDelta;
use crossterm::event::KeyCode;
use event::{Failure, FailureCode, PartialIdentity};
use pipeline::Hidden;
use pipeline::model::QueueDepth;
use pipeline::queue_peek::{EarlierPeek, Peek, PeekEnd, PeekPrice, PeekedMessage};
use strum::VariantArray;

use crate::tui::effect::Effect;
use crate::tui::fault::Fault;
use crate::tui::keymap::KeyContext;
use crate::tui::request::Request;
use crate::tui::screen_id::ScreenId;
use crate::tui::testing::{
    Harness, PEEK, PEEK_PRICE, RELEASE_PEEKED, TIME_LINE, assert_pictures, draw_at_every_size, now,
    production, read_only, trimmed,
};
use crate::tui::update::leave;

/// Every state that the screen can be seen in.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
enum State {
    Loading,
    Priced,
    Question,
    QuestionInProduction,
    Receiving,
    Ready,
    Detail,
    Empty,
    AtLimit,
    Refused,
    RefusedAgain,
    NotReleased,
    Releasing,
    Failed,
    FailedWithPrevious,
    PriceFailed,
    HostileTexts,
    NoColour,
}

fn price(max_receive_count: u64, earlier: Option<EarlierPeek>) -> PeekPrice {
    PeekPrice {
        queue: "events-queue".to_owned(),
        depth: QueueDepth {
            visible: 1_204,
            in_flight: 3,
            delayed: 0,
        },
        visibility_timeout_secs: 60,
        max_receive_count: Some(max_receive_count),
        earlier,
        asked_at: now(),
    }
}

fn message(number: u32, receive_count: u32, failure: Option<Failure>) -> PeekedMessage {
    let known = |text: String| Some(text);
    let time = match failure {
        Some(_) => "times",
        None => "time",
    };
    let body = format!(
        r#"{{"specversion":"1.0","id":"5b0cf6c{number}","source":"/ops/flights","type":"flight.delayed","{time}":"2026-11-18T12:26:40Z","data":{{"minutes":{number}}}}}"#
    );
    PeekedMessage {
        message_id: format!("3c4f0c1e-8a52-4d3c-9d0e-{number:012}"),
        sent_at: now() - TimeDelta::seconds(i64::from(60 - number)),
        first_received_at: Some(now() - TimeDelta::seconds(1)),
        receive_count,
        body: body.into(),
        identity: PartialIdentity {
            source: known("/ops/flights".to_owned()),
            id: known(format!("5b0cf6c{number}")),
            event_type: known("flight.delayed".to_owned()),
        },
        failure: failure.map(Arc::new),
        hidden_until: None,
    }
}

fn missing_time() -> Failure {
    Failure::at(
        FailureCode::MissingAttribute,
        "\"time\" is required",
        "/time",
    )
}

/// Three messages, one of which is not valid.
fn peek() -> Peek {
    Peek {
        queue: "events-queue".to_owned(),
        max_receive_count: Some(5),
        messages: vec![
            message(1, 1, None),
            message(2, 2, Some(missing_time())),
            message(3, 1, None),
        ],
        end: PeekEnd::Empty,
        ended_at: now(),
        released_at: Some(now()),
        hidden: Hidden::default(),
        audit_error: None,
    }
}

fn at_limit() -> Peek {
    let mut peek = peek();
    peek.messages.push(message(4, 4, None));
    peek.messages.push(message(5, 5, None));
    peek.end = PeekEnd::AtLimit;
    peek
}

/// Two of the messages could not be released.
fn not_released() -> Peek {
    let until = now() + TimeDelta::seconds(30);
    let mut peek = peek();
    for message in peek.messages.iter_mut().take(2) {
        message.hidden_until = Some(until);
    }
    peek.hidden = Hidden {
        messages_max: 2,
        until: Some(until),
    };
    peek
}

fn fault() -> Fault {
    Fault {
        message: "receive messages from \"events-queue\" at 127.0.0.1:4566: connection refused (after 3.0 s)"
            .to_owned(),
        hint: Some("check that 127.0.0.1:4566 is running and can be reached".to_owned()),
        is_unreachable: true,
        ..Fault::default()
    }
}

/// The question was answered with yes.
fn asked(harness: &mut Harness) {
    harness.press('p');
    harness.answer(&PEEK_PRICE, Ok(price(5, None)));
    harness.press('y');
}

fn peeked(harness: &mut Harness, peek: Peek) {
    asked(harness);
    harness.answer(&PEEK, Ok(peek));
    harness.answer(&PEEK_PRICE, Ok(price(5, None)));
}

fn drive(state: State, width: u16, height: u16) -> Harness {
    let environment = match state {
        State::QuestionInProduction => production(),
        State::Loading
        | State::Priced
        | State::Question
        | State::Receiving
        | State::Ready
        | State::Detail
        | State::Empty
        | State::AtLimit
        | State::Refused
        | State::RefusedAgain
        | State::NotReleased
        | State::Releasing
        | State::Failed
        | State::FailedWithPrevious
        | State::PriceFailed
        | State::HostileTexts
        | State::NoColour => crate::tui::testing::environment(),
    };
    let mut harness = Harness::new(environment, now(), width, height);
    harness.model.theme.has_colour = state != State::NoColour;
    harness.press('Q');
    let priced = |harness: &mut Harness, price| harness.answer(&PEEK_PRICE, Ok(price));
    match state {
        State::Loading => {}
        State::PriceFailed => harness.answer(&PEEK_PRICE, Err(fault())),
        State::Refused => priced(&mut harness, price(2, None)),
        State::RefusedAgain => {
            let earlier = EarlierPeek {
                at: now() - TimeDelta::minutes(3),
                at_limit: Some(2),
            };
            priced(&mut harness, price(5, Some(earlier)));
        }
        State::Priced => priced(&mut harness, price(5, None)),
        State::Question | State::QuestionInProduction => {
            priced(&mut harness, price(5, None));
            harness.press('p');
            priced(&mut harness, price(5, None));
        }
        State::Receiving => {
            asked(&mut harness);
            harness.pass(2);
        }
        State::Ready | State::NoColour => {
            peeked(&mut harness, peek());
            harness.press('j');
        }
        State::Detail => {
            peeked(&mut harness, peek());
            harness.press('j');
            harness.code(KeyCode::Enter);
        }
        State::Empty => peeked(
            &mut harness,
            Peek {
                messages: Vec::new(),
                ..peek()
            },
        ),
        State::AtLimit => {
            peeked(&mut harness, at_limit());
            harness.press('G');
        }
        State::NotReleased => {
            peeked(&mut harness, not_released());
            harness.pass(2);
        }
        State::Releasing => {
            peeked(&mut harness, not_released());
            harness.press('R');
        }
        State::Failed => {
            asked(&mut harness);
            harness.answer(&PEEK, Err(fault()));
        }
        State::FailedWithPrevious => {
            peeked(&mut harness, peek());
            asked(&mut harness);
            harness.answer(&PEEK, Err(fault()));
        }
        State::HostileTexts => {
            let hostile = "\u{1b}[2J\u{202e}日本語 without an end ".repeat(20);
            let mut peek = peek();
            let first = &mut peek.messages[0];
            first.body = hostile.clone().into();
            first.message_id.clone_from(&hostile);
            first.identity.source = Some(hostile.clone());
            first.identity.id = None;
            first.failure = Some(Arc::new(Failure::new(FailureCode::NotJson, hostile)));
            peeked(&mut harness, peek);
        }
    }
    harness
}

#[test]
fn every_state_looks_as_reviewed() {
    assert_pictures("queue", State::VARIANTS, drive);
}

#[test]
fn wide_terminal_looks_as_reviewed() {
    let text = drive(State::AtLimit, 220, 60).text();
    insta::assert_snapshot!("AtLimit_220x60", trimmed(&text));
}

#[test]
fn every_state_can_be_drawn_at_every_size() {
    let fullest = [State::Question, State::AtLimit, State::NotReleased];
    draw_at_every_size(State::VARIANTS, &fullest, drive);
}

#[test]
fn nothing_is_received_before_the_price_was_read_and_agreed_to() {
    let mut harness = Harness::on('Q', 160, 45);
    harness.answer(&PEEK_PRICE, Ok(price(5, None)));
    // A price that was read before is not the price of now.
    harness.press('p');
    assert_eq!(harness.count(&PEEK_PRICE), 1);
    harness.press('y');
    assert_eq!(harness.count(&PEEK), 0, "the question is not there yet");
    harness.press('p');
    harness.answer(&PEEK_PRICE, Ok(price(5, None)));
    assert_eq!(harness.model.key_context(), KeyContext::Confirm);
    let text = harness.text();
    assert!(text.contains("nothing takes that back"), "{text}");
    harness.code(KeyCode::Esc);
    assert_eq!(harness.notice(), "nothing was received");
    assert_eq!(harness.count(&PEEK), 0);
    asked(&mut harness);
    let (messages_max, _) = harness.take(&PEEK);
    assert_eq!(messages_max, 10);
    harness.press('p');
    assert_eq!(harness.notice(), "a peek is under way");
}

#[test]
fn refused_peek_asks_no_question_and_says_what_to_do() {
    for state in [State::Refused, State::RefusedAgain] {
        let mut harness = drive(state, 160, 45);
        harness.press('p');
        let (_, to) = harness.take(&PEEK_PRICE);
        let refused = harness.model.screens.queue.price.value().unwrap().clone();
        harness.reply(to, Ok(refused));
        harness.press('y');
        assert_eq!(harness.count(&PEEK), 0, "{state:?}");
        let text = harness.text();
        assert!(text.contains("opsconsole trace SOURCE ID"), "{text}");
    }
}

#[test]
fn price_that_cannot_be_read_opens_no_question() {
    let mut harness = drive(State::Priced, 160, 45);
    harness.press('p');
    harness.answer(&PEEK_PRICE, Err(fault()));
    harness.press('y');
    assert_eq!(harness.count(&PEEK), 0);
    assert!(harness.text().contains("connection refused"));
}

#[test]
fn read_only_environment_is_not_peeked() {
    let mut harness = Harness::new(read_only(), now(), 160, 45);
    harness.press('Q');
    harness.answer(&PEEK_PRICE, Ok(price(5, None)));
    harness.press('p');
    assert_eq!(harness.count(&PEEK_PRICE), 0);
    assert!(
        harness.notice().contains("read-only"),
        "{}",
        harness.notice()
    );
}

#[test]
fn number_of_messages_is_chosen_within_bounds() {
    let mut harness = drive(State::Priced, 160, 45);
    harness.keys("+++++");
    asked(&mut harness);
    assert_eq!(harness.take(&PEEK).0, 50);
    let mut harness = drive(State::Priced, 160, 45);
    harness.keys("-----");
    asked(&mut harness);
    assert_eq!(harness.take(&PEEK).0, 1);
}

#[test]
fn message_that_was_not_released_counts_down_and_a_key_releases_it() {
    let mut harness = drive(State::NotReleased, 240, 45);
    let text = harness.text();
    assert!(text.contains("up to 2 messages received until"), "{text}");
    assert!(text.contains("for 28 s: R releases them"), "{text}");
    harness.pass(10);
    let text = harness.text();
    assert!(text.contains("for 18 s"), "{text}");
    harness.press('R');
    harness.press('R');
    assert_eq!(harness.count(&RELEASE_PEEKED), 1);
    harness.answer(&RELEASE_PEEKED, Ok(Hidden::default()));
    let text = harness.text();
    assert!(text.contains("3 messages released at"), "{text}");
    assert!(!text.contains("hidden from the ingest until"), "{text}");
    harness.press('R');
    assert_eq!(harness.notice(), "all messages are released");
}

#[test]
fn key_that_is_pressed_before_the_question_is_not_its_answer() {
    let mut harness = drive(State::Ready, 160, 45);
    harness.keys("pk");
    harness.answer(&PEEK_PRICE, Ok(price(5, None)));
    assert_eq!(
        harness.model.key_context(),
        KeyContext::Screen(ScreenId::Queue)
    );
    harness.press('y');
    assert_eq!((harness.count(&PEEK), harness.copied.len()), (0, 1));
}

#[test]
fn failed_peek_names_what_its_unanswered_receives_hide() {
    let mut harness = drive(State::Priced, 160, 45);
    asked(&mut harness);
    harness.answer(&PEEK, Err(fault()));
    let until = Some(now() + TimeDelta::seconds(30));
    let hidden = Hidden {
        messages_max: 10,
        until,
    };
    harness.answer(&RELEASE_PEEKED, Ok(hidden));
    let text = harness.text();
    assert!(text.contains("up to 10 messages received until"), "{text}");
}

#[test]
fn older_peek_is_not_released_again_by_a_later_one() {
    let mut harness = drive(State::Ready, 160, 45);
    let before = harness.text();
    let released = "3 messages released at 11:06:40 UTC";
    assert!(before.contains(released), "{before}");
    asked(&mut harness);
    harness.pass(20);
    harness.press('1');
    harness.answer(&RELEASE_PEEKED, Ok(Hidden::default()));
    harness.answer(&PEEK, Err(fault()));
    harness.press('Q');
    let text = harness.text();
    assert!(
        text.contains(released) && text.contains("as of 11:06:40"),
        "{text}"
    );
}

#[test]
fn number_under_way_is_that_which_was_asked_for() {
    let mut harness = drive(State::Priced, 160, 45);
    harness.keys("+++++");
    asked(&mut harness);
    harness.keys("-----");
    assert_eq!(harness.model.screens.queue.hidden_messages(), 50);
}

#[test]
fn production_that_was_not_confirmed_is_not_asked() {
    let mut harness = drive(State::Priced, 160, 45);
    harness.model.change_refusal = Some("start with --confirm".to_owned());
    harness.press('p');
    assert!(
        harness.notice().contains("start with --confirm"),
        "{}",
        harness.notice()
    );
    assert_eq!(harness.count(&PEEK_PRICE), 0);
}

#[test]
fn end_of_the_visibility_timeout_ends_the_countdown() {
    let mut harness = drive(State::NotReleased, 160, 45);
    harness.pass(40);
    let text = harness.text();
    assert!(!text.contains("R releases them"), "{text}");
    harness.press('1');
    assert_eq!(harness.count(&RELEASE_PEEKED), 0);
}

#[test]
fn leaving_releases_what_is_received_or_left_and_nothing_else() {
    for (state, expected) in [
        (State::Ready, 0),
        (State::Receiving, 1),
        (State::NotReleased, 1),
    ] {
        let mut harness = drive(state, 160, 45);
        harness.press('1');
        assert_eq!(harness.count(&RELEASE_PEEKED), expected, "{state:?}");
        // The same when the console is left from there.
        let mut harness = drive(state, 160, 45);
        let effects = leave(&mut harness.model, harness.now);
        let is_release =
            |effect: &&Effect| matches!(effect, Effect::Request(Request::ReleasePeeked(_)));
        assert_eq!(
            effects.iter().filter(is_release).count(),
            expected,
            "{state:?}"
        );
    }
}

#[test]
fn failed_release_is_reported_on_any_screen() {
    let mut harness = drive(State::Receiving, 160, 45);
    harness.press('1');
    harness.answer(&PEEK, Ok(not_released()));
    let notice = harness.notice().to_owned();
    assert!(
        notice.starts_with("up to 2 messages not released · hidden from the ingest until"),
        "{notice}"
    );
    harness.answer(&RELEASE_PEEKED, Err(fault()));
    assert!(
        harness.notice().starts_with("not released: "),
        "{}",
        harness.notice()
    );
}

#[test]
fn selected_message_is_copied_and_traced() {
    let mut harness = drive(State::Ready, 160, 45);
    harness.press('y');
    assert!(
        harness.copied[0].contains("5b0cf6c2"),
        "{:?}",
        harness.copied
    );
    harness.press('T');
    let (request, _) = harness.take(&TIME_LINE);
    assert_eq!(request.key.id, "5b0cf6c2");
}

#[test]
fn detail_scrolls_and_says_the_limit() {
    let mut harness = drive(State::AtLimit, 80, 14);
    harness.code(KeyCode::Enter);
    let text = harness.text();
    assert!(text.contains("5 of 5 receives: the next receive"), "{text}");
    let before = harness.text();
    harness.keys("JJJJ");
    assert_ne!(harness.text(), before);
    harness.code(KeyCode::Esc);
    assert!(harness.text().contains("verdict"), "the list again");
}
