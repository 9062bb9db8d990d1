use std::collections::BTreeMap;

use event::{Verdict, peek_identity};

use super::*;

fn message(body: &str, reason: Option<Reason>) -> DeadLetter {
    let at = |secs: i64| DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap();
    DeadLetter {
        message_id: "m1".to_owned(),
        receipt_handle: String::new(),
        body: body.into(),
        attributes: BTreeMap::new(),
        sent_at: at(0),
        first_received_at: Some(at(60)),
        receive_count: 4,
        expires_at: at(3_600),
        hidden_until: at(90),
        group_id: None,
        trace_header: None,
        reason,
        replaces: None,
        verdict: Verdict::Ready,
        failure: None,
        identity: peek_identity(body),
        stored_as: None,
    }
}

fn key() -> EventKey {
    EventKey {
        source: "/s".to_owned(),
        id: "1".to_owned(),
    }
}

const BODY: &str = r#"{"source":"/s","id":"1","time":"2026-11-18T11:00:00Z"}"#;

const fn holding(total: usize, leaving: usize) -> Holding {
    Holding { total, leaving }
}

fn hops(messages: &[DeadLetter]) -> Vec<(Hop, bool)> {
    let findings = held(&key(), messages, holding(messages.len(), 0), Ok(3)).findings;
    let facts = findings.facts.iter();
    facts.map(|fact| (fact.hop, fact.at.is_some())).collect()
}

#[test]
fn time_of_a_moved_message_is_that_of_its_first_send_and_of_a_refused_one_that_of_its_death() {
    let moved = [
        (Hop::Occurred, true),
        (Hop::Queued, true),
        (Hop::Attempted, false),
        (Hop::Dead, false),
        (Hop::Dead, true),
    ];
    assert_eq!(hops(&[message(BODY, None)]), moved);
    let reason = Reason {
        code: "missing-attribute".to_owned(),
        message: "\"time\" is required".to_owned(),
        request_id: Some("r1".to_owned()),
    };
    let refused = [
        (Hop::Occurred, true),
        (Hop::Attempted, false),
        (Hop::Dead, true),
        (Hop::Dead, true),
    ];
    assert_eq!(hops(&[message(BODY, Some(reason))]), refused);
}

#[test]
fn request_that_refused_a_letter_is_known_with_its_time() {
    let reason = Reason {
        code: "missing-attribute".to_owned(),
        message: String::new(),
        request_id: Some("r1".to_owned()),
    };
    let letters = [message(BODY, Some(reason)), message(BODY, None)];
    let answer = held(&key(), &letters, holding(2, 0), Ok(2));
    let refusals = answer.refusals();
    let known = refusals.iter().map(|one| (one.request_id.as_str(), one.at));
    assert_eq!(known.collect::<Vec<_>>(), [("r1", letters[0].sent_at)]);
}

#[test]
fn envelope_says_when_sns_took_it() {
    let body = serde_json::json!({
        "Type": "Notification", "TopicArn": "arn:aws:sns:r:1:t", "MessageId": "n1",
        "Timestamp": "2026-11-18T11:00:01.000Z", "Message": BODY,
    });
    let hops = hops(&[message(&body.to_string(), None)]);
    assert!(hops.contains(&(Hop::Published, true)), "{hops:?}");
}

#[test]
fn letters_that_are_held_are_found_and_the_others_are_named_as_not_searched() {
    let found = held(&key(), &[message(BODY, None)], holding(1, 0), Ok(3));
    assert_eq!(found.letters.found().len(), 1);
    assert!(found.findings.gaps.is_empty());
    let others = [message(r#"{"source":"/s","id":"2"}"#, None)];
    let not_searched = held(&key(), &others, Holding::default(), Ok(3));
    assert_eq!(not_searched.letters, Letters::NotSearched(Ok(3)));
    let gap = &not_searched.findings.gaps[0];
    assert!(gap.reason.contains("receives the 3 dead letters") && !gap.is_failure);
    let unread = held(&key(), &[], Holding::default(), Err("no answer".to_owned()));
    assert!(unread.findings.gaps[0].is_failure);
    assert!(
        held(&key(), &[], Holding::default(), Ok(0))
            .findings
            .gaps
            .is_empty()
    );
}

fn extents(answer: &LettersAnswer) -> Vec<&str> {
    let searches = answer.findings.searches.iter();
    searches.map(|search| search.extent.as_str()).collect()
}

#[test]
fn letters_of_other_events_that_are_held_count_as_searched() {
    let all = held(&key(), &[], holding(37, 0), Ok(37));
    let seen = Letters::Searched {
        found: Vec::new(),
        seen: 37,
        is_complete: true,
    };
    assert_eq!(all.letters, seen);
    assert!(all.findings.gaps.is_empty(), "{:?}", all.findings.gaps);
    assert_eq!(extents(&all), ["the 37 that the console holds"]);

    let some = held(&key(), &[], holding(37, 0), Ok(49));
    assert_eq!(some.letters, Letters::NotSearched(Ok(12)));
    assert_eq!(extents(&some), ["the 37 that the console holds"]);
    let reason = &some.findings.gaps[0].reason;
    assert!(reason.contains("the 12 other dead letters"), "{reason}");
}

#[test]
fn letters_that_are_being_redriven_or_deleted_hide_no_other() {
    // Ten of those that are held left the queue, where two others are.
    let answer = held(&key(), &[], holding(37, 12), Ok(29));
    assert_eq!(answer.letters, Letters::NotSearched(Ok(4)));
    let reason = &answer.findings.gaps[0].reason;
    let expected =
        "the 4 other dead letters that are there (of which up to 12 are being redriven or deleted)";
    assert!(reason.contains(expected), "{reason}");
    assert_eq!(extents(&answer), ["the 37 that the console holds"]);
    let words = elsewhere_in_words(4, holding(37, 12));
    assert_eq!(
        words,
        "4 received by others, or being redriven or deleted, could not be seen"
    );
    assert_eq!(
        elsewhere_in_words(4, holding(37, 0)),
        "4 received by others could not be seen"
    );
}

#[test]
fn letter_that_is_held_and_was_received_again_is_one() {
    let searched = |found: &[DeadLetter]| {
        let mut findings = Findings::default();
        for message in found {
            add_facts(message, &mut findings);
        }
        let letters = Letters::Searched {
            found: found.iter().map(letter).collect(),
            seen: 3,
            is_complete: true,
        };
        LettersAnswer { findings, letters }
    };
    let mine = [message(BODY, None)];
    let again = with_held(searched(&mine), &key(), &mine);
    assert_eq!(again.message_ids(), ["m1"]);
    let once = searched(&mine).findings.facts;
    assert_eq!(again.findings.facts, once, "its facts too");
    let hidden = with_held(searched(&[]), &key(), &mine);
    assert_eq!(hidden.message_ids(), ["m1"]);
    assert_eq!(hidden.findings.facts, once);
}
