//! Messages are received, kept and released.

use super::fixtures::*;
use super::*;
use crate::tui::limits::MESSAGES_RECEIVED_MAX;

#[test]
fn entering_receives_and_leaving_releases_everything() {
    let mut harness = received(messages());
    assert_eq!(harness.ids().len(), 37);
    harness.press('1');
    assert_eq!(harness.count(&RELEASE), 1);
    assert_eq!(harness.ids(), Vec::<String>::new());
}

#[test]
fn leaving_ends_a_receive_and_its_answer_changes_nothing() {
    let mut harness = open(80, 24, environment());
    harness.press('1');
    assert_eq!(harness.count(&RELEASE), 1);
    harness.answer_messages(messages());
    assert_eq!(harness.ids(), Vec::<String>::new());
    assert_eq!(harness.screen().lease.first_hidden_until, None);
}

#[test]
fn answer_to_an_older_question_changes_nothing_and_the_newer_one_counts() {
    let mut harness = open(80, 24, environment());
    let (_, first) = harness.take_last(&RECEIVE);
    harness.keys("12");
    harness.answer_messages(messages().split_off(30));
    let received = ReceivedMessages {
        messages: messages(),
        ledger_error: None,
        is_truncated: false,
    };
    harness.reply(first, Ok(with_times(received, &[])));
    assert_eq!(harness.ids().len(), 7);
}

#[test]
fn looking_again_merges_by_message_id_and_the_newest_receive_wins() {
    let mut harness = received(messages());
    harness.keys("jj ");
    let selected = harness.screen().selected.clone();
    let mut again = messages().split_off(20);
    for message in &mut again {
        message.receive_count += 1;
    }
    let counts: u32 = again.iter().map(|message| message.receive_count).sum();
    again.push(message(99, Duration::hours(400), &body_without_time(99)));
    harness.refresh();
    harness.answer_messages(again);
    assert_eq!(harness.ids().len(), 38);
    let newest = harness.screen().messages.iter().skip(21);
    assert_eq!(
        newest.map(|message| message.receive_count).sum::<u32>(),
        counts
    );
    assert_eq!(harness.screen().marks.len(), 1);
    // The new message is the oldest of all; the selection stays on its message.
    assert_eq!(harness.screen().selected, selected);
    assert_eq!(harness.screen().message_list.selected, 4);
}

#[test]
fn lost_messages_that_do_not_come_again_are_dropped() {
    let mut harness = received(messages());
    let ids = harness.ids();
    harness.refresh();
    let received = ReceivedMessages {
        messages: messages().split_off(35),
        ..ReceivedMessages::default()
    };
    let lost: Vec<_> = ids.iter().skip(2).map(String::as_str).collect();
    let (_, to) = harness.take_last(&RECEIVE);
    harness.reply(to, Ok(with_times(received, &lost)));
    assert_eq!(harness.ids(), [&ids[..2], &ids[35..]].concat());
    assert!(harness.screen().lease.lost.is_empty());
}

#[test]
fn refreshing_twice_is_requested_once() {
    let mut harness = open(80, 24, environment());
    harness.refresh();
    harness.refresh();
    assert_eq!(harness.count(&RECEIVE), 1);
}

/// What an extension left: when the first message ends, so many lost, and why if it failed.
fn times(harness: &Harness, secs: i64, lost: usize, failure: Option<&str>) -> LeaseTimes {
    LeaseTimes {
        first_hidden_until: Some(harness.now + Duration::seconds(secs)),
        lost: harness.ids().into_iter().take(lost).collect(),
        failure: failure.map(str::to_owned),
        ..LeaseTimes::default()
    }
}

#[test]
fn visibility_is_extended_when_less_than_half_is_left() {
    let mut harness = received(messages());
    harness.pass(149);
    assert_eq!(harness.count(&EXTEND), 0);
    harness.pass(2);
    harness.pass(1);
    assert_eq!(harness.count(&EXTEND), 1);
    let extended = times(&harness, 299, 0, None);
    harness.answer(&EXTEND, Ok(extended));
    harness.pass(60);
    assert_eq!(harness.count(&EXTEND), 0);
}

#[test]
fn failed_extension_is_shown_and_tried_again() {
    let mut harness = received(messages());
    harness.pass(151);
    harness.answer(&EXTEND, Err(fault()));
    harness.pass(5);
    assert_eq!(harness.count(&EXTEND), 0);
    let failing = "timeout could not be extended";
    assert!(harness.screen_text().contains(failing));
    harness.pass(5);
    // SQS refuses three; of others there is no answer, and they are requested again.
    let extended = times(&harness, 140, 3, Some("no answer"));
    harness.answer(&EXTEND, Ok(extended));
    let lost = "3 messages no longer held: gone, received by others, or visible";
    let text = harness.screen_text();
    assert!(text.contains(lost) && text.contains(failing), "{text}");
    harness.pass(10);
    let extended = times(&harness, 300, 0, None);
    harness.answer(&EXTEND, Ok(extended));
    let text = harness.screen_text();
    assert!(text.contains(lost) && !text.contains(failing), "{text}");
}

/// Another consumer deleted or purged them; their hiding goes on only by the clock.
#[test]
fn queue_with_fewer_messages_than_were_received_is_named() {
    let mut harness = received(messages());
    let fewer = "37 received, the queue has about 2";
    harness.answer_depth(2);
    assert!(
        !harness.screen_text().contains(fewer),
        "it was counted before the messages came"
    );
    harness.pass(30);
    harness.answer_depth(37);
    assert!(harness.screen_text().contains("37 received, hidden"));
    harness.pass(30);
    harness.answer_depth(2);
    let text = harness.screen_text();
    assert!(text.contains(fewer), "{text}");
}

#[test]
fn extension_that_reaches_no_message_is_no_extension() {
    let mut harness = received(messages());
    harness.pass(151);
    let none = LeaseTimes {
        first_hidden_until: None,
        ..times(&harness, 0, 37, None)
    };
    harness.answer(&EXTEND, Ok(none));
    let text = harness.screen_text();
    assert!(
        text.contains("37 received, gone or visible to other consumers"),
        "{text}"
    );
    assert!(text.contains("37 messages no longer held: gone"), "{text}");
    harness.pass(20);
    assert_eq!(harness.count(&EXTEND), 0);
}

#[test]
fn messages_whose_extension_is_not_answered_are_not_shown_as_hidden() {
    let mut harness = received(messages());
    harness.pass(301);
    let text = harness.screen_text();
    assert!(
        text.contains("some visible to other consumers since 12:08 UTC"),
        "{text}"
    );
}

#[test]
fn receive_without_an_answer_is_shown_until_its_messages_are_visible() {
    let mut harness = open(160, 45, environment());
    let (_, to) = harness.take_last(&RECEIVE);
    let mut received = with_times(ReceivedMessages::default(), &[]);
    received.leases.unanswered = Hidden {
        messages_max: 10,
        until: Some(harness.now + Duration::seconds(300)),
    };
    harness.reply(to, Ok(received));
    let text = harness.screen_text();
    assert!(
        text.contains("up to 10 messages may stay hidden until 12:08 UTC"),
        "{text}"
    );
    harness.press('R');
    harness.pass(299);
    assert!(
        harness
            .screen_text()
            .contains("up to 10 messages may stay hidden")
    );
    harness.pass(1);
    assert!(!harness.screen_text().contains("may stay hidden"));
}

#[test]
fn messages_judged_without_the_ledger_keep_the_warning() {
    let mut harness = open(160, 45, environment());
    let error = Some("connection refused".to_owned());
    harness.answer_received(ReceivedMessages {
        messages: messages(),
        ledger_error: error,
        is_truncated: false,
    });
    harness.refresh();
    harness.answer_messages(vec![message(99, Duration::hours(1), &valid_body(99))]);
    assert!(harness.screen_text().contains("ledger not reachable"));
    harness.press('R');
    harness.refresh();
    harness.answer_messages(messages());
    assert!(!harness.screen_text().contains("ledger not reachable"));
}

#[test]
fn no_more_messages_are_received_than_allowed() {
    let many = (0..MESSAGES_RECEIVED_MAX)
        .map(|n| message(n, Duration::hours(1), "{}"))
        .collect();
    let mut harness = received(many);
    harness.refresh();
    assert_eq!(harness.count(&RECEIVE), 0);
    assert!(harness.notice().contains("100,000 messages received"));
}

#[test]
fn the_rest_is_received_page_by_page_while_somebody_looks() {
    let page = |messages: Vec<DeadLetter>, is_truncated| ReceivedMessages {
        messages,
        ledger_error: None,
        is_truncated,
    };
    let mut harness = open(160, 45, environment());
    harness.answer_received(page(messages(), true));
    assert_eq!(harness.count(&RECEIVE), 1);
    // A message that comes again is listed once.
    let again = vec![
        message(3, Duration::hours(1), "{}"),
        message(900, Duration::hours(1), "{}"),
    ];
    harness.answer_received(page(again, true));
    assert_eq!(harness.screen().messages.len(), 38);
    assert_eq!(harness.count(&RECEIVE), 1);
    harness.press('1');
    harness.answer_received(page(vec![message(901, Duration::hours(1), "{}")], true));
    assert_eq!(harness.count(&RECEIVE), 0);
    assert_eq!(harness.count(&RELEASE), 1);
    assert_eq!(harness.ids(), Vec::<String>::new());
}

#[test]
fn nothing_is_extended_for_a_screen_that_is_not_shown() {
    let mut harness = received(messages());
    harness.press('1');
    harness.pass(200);
    assert_eq!(harness.count(&EXTEND), 0);
}

#[test]
fn release_stays_on_the_screen_and_enter_receives_again() {
    let mut harness = received(messages());
    harness.press('R');
    assert_eq!(harness.count(&RELEASE), 1);
    let text = harness.screen_text();
    assert!(text.contains("37 messages are being released"), "{text}");
    harness.answer(&RELEASE, Ok(Hidden::default()));
    assert!(harness.screen_text().contains("37 messages released"));
    harness.press('1');
    assert_eq!(harness.count(&RELEASE), 0);
    harness.press('2');
    assert_eq!(harness.count(&RECEIVE), 1);
    harness.answer_messages(messages());
    harness.press('R');
    harness.code(KeyCode::Enter);
    assert_eq!(harness.count(&RECEIVE), 1);
}

#[test]
fn messages_that_were_purged_meanwhile_are_not_shown_as_released() {
    let mut harness = received(messages());
    harness.press('R');
    let hidden = Hidden {
        messages_max: 30,
        until: Some(now() + Duration::seconds(300)),
    };
    harness.answer(&RELEASE, Ok(hidden));
    let text = harness.screen_text();
    assert!(text.contains("7 of 37 messages released"), "{text}");
    assert!(!text.contains("37 messages released at"), "{text}");

    let mut harness = received(messages());
    harness.press('R');
    harness.answer(&RELEASE, Err(fault()));
    let text = harness.screen_text();
    assert!(text.contains("37 messages perhaps not released"), "{text}");
}

#[test]
fn failed_release_is_shown_even_on_another_screen() {
    let mut harness = received(messages());
    harness.press('1');
    let (_, to) = harness.take_last(&RELEASE);
    harness.reply(to, Err(fault()));
    assert!(
        harness.notice().contains("not released"),
        "{}",
        harness.notice()
    );
}
