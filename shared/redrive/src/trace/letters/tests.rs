use std::collections::BTreeMap;
use std::sync::Arc;

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
        reason: reason.map(Arc::new),
        replaces: None,
        verdict: Verdict::Ready,
        failure: None,
        identity: peek_identity(body),
        stored_as: None,
        judged_at: at(60),
    }
}

fn key() -> EventKey {
    EventKey {
        source: "/s".to_owned(),
        id: "1".to_owned(),
    }
}

const BODY: &str = r#"{"source":"/s","id":"1","time":"2026-11-18T11:00:00Z"}"#;

/// Ids `m1` and so on.
fn ids(numbers: std::ops::RangeInclusive<usize>) -> HashSet<String> {
    numbers.map(|number| format!("m{number}")).collect()
}

/// So many, of which the last are being redriven.
fn holding(total: usize, leaving: usize) -> Holding {
    let leaving_ids = ids(total - leaving + 1..=total).into_iter();
    Holding {
        hidden: ids(1..=total - leaving),
        leaving: leaving_ids.map(|id| (id, Leaving::Redriven)).collect(),
    }
}

fn hops(messages: &[DeadLetter]) -> Vec<(Hop, bool)> {
    let findings = held(&key(), messages, &holding(messages.len(), 0), Ok(3)).findings;
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
fn letter_without_a_reason_of_the_ingest_is_not_said_to_have_been_received_by_it() {
    let attempt = |code: Option<&str>| {
        let reason = code.map(|code| Reason {
            code: code.to_owned(),
            message: String::new(),
            request_id: Some("r1".to_owned()),
        });
        let message = message(BODY, reason);
        let answer = held(&key(), &[message], &holding(1, 0), Ok(1));
        let requests = answer.refusals().len();
        let mut facts = answer.findings.facts.into_iter();
        let fact = facts.find(|fact| fact.hop == Hop::Attempted).unwrap();
        (fact.standing, fact.text, requests)
    };
    let (standing, text, requests) = attempt(Some("missing-attribute"));
    assert_eq!((standing, requests), (Standing::Bad, 1));
    assert!(
        text.starts_with("the ingest refused it (request r1)"),
        "{text}"
    );
    for code in [None, Some("AccessDenied")] {
        let (standing, text, requests) = attempt(code);
        assert_eq!((standing, requests), (Standing::Doubtful, 0), "{text}");
        assert!(text.starts_with("not known: "), "{text}");
        assert!(text.contains("the ingest never received it"), "{text}");
    }
    assert_eq!(why(&message(BODY, None)), "no reason is recorded");
}

#[test]
fn request_that_refused_a_letter_is_known_with_its_time() {
    let reason = Reason {
        code: "missing-attribute".to_owned(),
        message: String::new(),
        request_id: Some("r1".to_owned()),
    };
    let letters = [message(BODY, Some(reason)), message(BODY, None)];
    let answer = held(&key(), &letters, &holding(2, 0), Ok(2));
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

fn reasons(answer: &LettersAnswer) -> Vec<(&str, bool)> {
    let gaps = answer.findings.gaps.iter();
    gaps.map(|gap| (gap.reason.as_str(), gap.is_failure))
        .collect()
}

#[test]
fn letters_that_are_held_are_found_and_the_others_are_named_as_not_searched() {
    let found = held(&key(), &[message(BODY, None)], &holding(1, 0), Ok(3));
    assert_eq!(found.letters.found.len(), 1);
    assert!(
        reasons(&found)[0]
            .0
            .contains("receives the 2 other dead letters that")
    );
    let others = [message(r#"{"source":"/s","id":"2"}"#, None)];
    let not_searched = held(&key(), &others, &Holding::default(), Ok(1));
    assert!(not_searched.letters.found.is_empty());
    assert_eq!(not_searched.letters.rest, Rest::NotSearched(Ok(1)));
    let (reason, is_failure) = reasons(&not_searched)[0];
    assert!(
        reason.contains("receives the 1 dead letter that") && !is_failure,
        "{reason}"
    );
    let unread = held(
        &key(),
        &[],
        &Holding::default(),
        Err("no answer".to_owned()),
    );
    assert!(reasons(&unread)[0].1);
}

fn extents(answer: &LettersAnswer) -> Vec<&str> {
    let searches = answer.findings.searches.iter();
    searches.map(|search| search.extent.as_str()).collect()
}

#[test]
fn letters_that_are_held_are_seen_and_a_count_does_not_show_that_there_are_no_others() {
    // 12 is less than what is held: others purged these, and the 12 are new.
    for waiting in [37, 12] {
        let all = held(&key(), &[], &holding(37, 0), Ok(waiting));
        assert_eq!(
            (all.letters.seen, &all.letters.rest),
            (37, &Rest::NotSearched(Ok(0)))
        );
        let reason =
            "not searched: by the queue's approximate count there are no other dead letters";
        assert_eq!(reasons(&all), [(reason, false)]);
        assert_eq!(extents(&all), ["the 37 that the console holds"]);
    }
    let some = held(&key(), &[], &holding(37, 0), Ok(49));
    assert_eq!(some.letters.rest, Rest::NotSearched(Ok(12)));
    assert!(reasons(&some)[0].0.contains("the 12 other dead letters"));
    let one = held(&key(), &[], &holding(1, 0), Ok(1));
    assert_eq!(extents(&one), ["the one that the console holds"]);
}

#[test]
fn letters_that_are_being_redriven_or_deleted_hide_no_other() {
    // Ten of those that are held left the queue, where two others are.
    let answer = held(&key(), &[], &holding(37, 12), Ok(29));
    assert_eq!(answer.letters.rest, Rest::NotSearched(Ok(4)));
    let (reason, _) = reasons(&answer)[0];
    let expected = "the 4 other dead letters that the queue has by its approximate count, of which up to 12 are being \
                    redriven or deleted, which";
    assert!(reason.contains(expected), "{reason}");
    assert_eq!(extents(&answer), ["the 37 that the console holds"]);
    let words = elsewhere_in_words(4, &holding(37, 12));
    assert_eq!(
        words,
        "4 received by others, or being redriven or deleted, could not be seen"
    );
    assert_eq!(
        elsewhere_in_words(4, &holding(37, 0)),
        "4 received by others could not be seen"
    );
}

fn found_by_a_search(found: &[DeadLetter]) -> LettersAnswer {
    let mut findings = Findings::default();
    for message in found {
        add_facts(message, &mut findings);
    }
    let letters = Letters {
        found: found.iter().map(letter).collect(),
        leaving: Vec::new(),
        seen: 3,
        rest: Rest::Nothing,
    };
    LettersAnswer { findings, letters }
}

#[test]
fn letter_that_is_held_and_was_received_again_is_one() {
    let (mine, held) = ([message(BODY, None)], holding(1, 0));
    let again = with_held(found_by_a_search(&mine), &key(), &mine, &held);
    assert_eq!(again.message_ids(), ["m1"]);
    let once = found_by_a_search(&mine).findings.facts;
    assert_eq!(again.findings.facts, once, "its facts too");
    let hidden = with_held(found_by_a_search(&[]), &key(), &mine, &held);
    assert_eq!(hidden.message_ids(), ["m1"]);
    assert_eq!(hidden.findings.facts, once);
}

#[test]
fn letter_that_is_being_redriven_or_deleted_is_not_there_whoever_saw_it() {
    let mine = [message(BODY, None)];
    for (what, hop) in [
        (Leaving::Redriven, Hop::Redriven),
        (Leaving::Deleted, Hop::Deleted),
    ] {
        let leaving = Holding {
            leaving: HashMap::from([("m1".to_owned(), what)]),
            ..Holding::default()
        };
        for answer in [
            held(&key(), &mine, &leaving, Ok(1)),
            with_held(found_by_a_search(&[]), &key(), &mine, &leaving),
            with_held(found_by_a_search(&mine), &key(), &mine, &leaving),
            with_held(failed("no answer".to_owned()), &key(), &mine, &leaving),
        ] {
            assert!(answer.letters.found.is_empty());
            assert_eq!(answer.letters.leaving, [(letter(&mine[0]), what)]);
            assert_eq!(
                answer.message_ids(),
                ["m1"],
                "the journals are searched for it"
            );
            let mut facts = answer.findings.facts.iter();
            let fact = facts.find(|fact| fact.hop == hop).unwrap();
            assert!(
                fact.text
                    .contains("by this console, and may have left the queue")
            );
        }
    }
}

#[test]
fn letter_that_is_held_is_found_also_where_the_search_failed() {
    let mine = [message(BODY, None)];
    let answer = with_held(
        failed("no answer".to_owned()),
        &key(),
        &mine,
        &holding(1, 0),
    );
    assert_eq!(answer.letters.found.len(), 1);
}

#[test]
fn messages_in_flight_are_the_callers_only_where_its_visibility_timeouts_last() {
    let held = holding(3, 0);
    let elsewhere = |in_flight, received| held.in_flight_elsewhere(in_flight, &received);
    assert_eq!(elsewhere(3, HashSet::new()), 0);
    assert_eq!(elsewhere(5, ids(4..=9)), 2, "two are with others");
    assert_eq!(elsewhere(2, ids(4..=9)), 0);
    // Its visibility timeouts ended: the search received its three, and others have three.
    assert_eq!(elsewhere(3, ids(1..=3)), 3);
    assert_eq!(elsewhere(2, ids(1..=1)), 2, "its others may be anybody's");
    assert_eq!(held.not_in(&ids(2..=9)), 1);
    assert_eq!(
        holding(3, 2).not_in(&ids(3..=9)),
        2,
        "what is leaving was looked at too"
    );
}
