//! The rule about receive counts and the words of the price.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::bounds::requests_max;
use super::*;
use crate::model::QueueDepth;

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap()
}

fn price(max_receive_count: Option<u64>, earlier: Option<EarlierPeek>) -> PeekPrice {
    PeekPrice {
        queue: "events-queue".to_owned(),
        depth: QueueDepth {
            visible: 1_204,
            in_flight: 3,
            delayed: 0,
        },
        visibility_timeout_secs: 60,
        max_receive_count,
        earlier,
        asked_at: at(0),
    }
}

/// A message in a queue with `max`: how often it is given to the ingest, all of whose tries fail, before it is moved.
fn tries_left(mut receive_count: u64, max: u64) -> u64 {
    let mut tries = 0;
    // SQS moves it at the receive that would raise its count above the limit.
    while receive_count < max {
        receive_count += 1;
        tries += 1;
    }
    tries
}

proptest! {
    #[test]
    fn message_is_at_its_limit_where_the_next_failure_is_its_last(count in 1_u32..40, max in 1_u64..40) {
        let tries = tries_left(u64::from(count), max);
        let expected = match tries {
            0 => Standing::Spent,
            1 => Standing::LastTry,
            _ => Standing::Free,
        };
        prop_assert_eq!(standing(count, Some(max)), expected);
        let sentence = limit_sentence(count, Some(max));
        prop_assert_eq!(sentence.is_some(), tries < 2);
        let is_right = |text: &String| text.starts_with(&format!("{count} of {max} receives: the next receive"));
        prop_assert!(sentence.iter().all(is_right), "{sentence:?}");
    }

    #[test]
    fn queue_is_refused_where_a_new_message_would_be_at_its_limit(max in 1_u64..1_000) {
        let is_refused = price(Some(max), None).refusal().is_some();
        prop_assert_eq!(is_refused, standing(1, Some(max)).is_at_limit());
    }
}

#[test]
fn limit_says_whether_the_ingest_gets_the_message_once_more() {
    let last = limit_sentence(4, Some(5)).unwrap();
    assert_eq!(
        last,
        "4 of 5 receives: the next receive that fails moves it to the dead-letter queue"
    );
    let spent = limit_sentence(5, Some(5)).unwrap();
    assert!(spent.contains("the ingest does not get it"), "{spent}");
    assert_eq!(limit_sentence(3, Some(5)), None);
    assert_eq!(limit_sentence(1_000, None), None);
}

#[test]
fn price_names_counts_limit_time_and_requests() {
    let sentences = price(Some(5), None).sentences(10);
    let text = sentences.join("\n");
    for expected in [
        "events-queue has about 1,204 messages that wait and 3 received by others.",
        "Receiving up to 10 messages adds 1 to the receive count of each",
        "maxReceiveCount is 5: one that was received 4 times before has 5 of 5 then, and the next receive by the ingest \
         moves it to the dead-letter queue",
        "one that was received 5 times before is moved by the peek itself",
        "nobody knows it before",
        "Once one has 4 of 5, no more are received.",
        "after 30 s at the latest",
        "up to 6 requests to SQS, each billed",
        "neither the oldest nor a fair sample",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert_eq!(requests_max(10), 6);
    assert_eq!(requests_max(50), 18);
    let one = price(None, None).sentences(1).join("\n");
    assert!(one.contains("up to 1 message adds"), "{one}");
    assert!(one.contains("no receive count moves a message"), "{one}");
    let mut empty = price(Some(5), None);
    empty.depth.visible = 0;
    let text = empty.sentences(10).join("\n");
    assert!(
        text.contains("where the ingest is faster than the peek, nothing comes"),
        "{text}"
    );
}

#[test]
fn small_limit_is_refused_with_what_to_do() {
    for max in [1, 2] {
        let refusal = price(Some(max), None).refusal().unwrap();
        let text = refusal.to_string();
        assert!(
            text.contains(&format!("maxReceiveCount is {max}")),
            "{text}"
        );
        assert!(refusal.hint().contains("at least 3"), "{}", refusal.hint());
    }
    assert_eq!(price(Some(3), None).refusal(), None);
    assert_eq!(price(None, None).refusal(), None);
}

#[test]
fn peek_is_refused_while_the_last_one_could_have_left_messages_at_their_limit() {
    let after = |minutes: i64, visibility_timeout_secs: u64| {
        let earlier = EarlierPeek {
            at: at(0) - TimeDelta::minutes(minutes),
            at_limit: Some(2),
        };
        PeekPrice {
            visibility_timeout_secs,
            ..price(Some(5), Some(earlier))
        }
    };
    let refusal = after(14, 60).refusal().unwrap();
    assert!(
        refusal
            .to_string()
            .contains("met 2 messages at their limit"),
        "{refusal}"
    );
    assert_eq!(after(15, 60).refusal(), None);
    assert!(
        after(15, 600).refusal().is_some(),
        "two visibility timeouts"
    );
    assert_eq!(after(20, 600).refusal(), None);
    let said = |minutes| after(minutes, 60).sentences(1).join("\n");
    assert!(
        said(15).contains("a peek met 2 messages at their limit"),
        "{}",
        said(15)
    );
    assert!(!said(24 * 60).contains("a peek met"));
    let unknown = EarlierPeek {
        at: at(0) - TimeDelta::minutes(1),
        at_limit: None,
    };
    let unknown = price(Some(5), Some(unknown));
    let refusal = unknown.refusal().unwrap().to_string();
    assert!(refusal.contains("has no end in the audit log"), "{refusal}");
}
