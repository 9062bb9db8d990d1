//! What is said of an event that was not found: only what was looked at.

use super::*;

#[test]
fn search_that_received_not_all_dead_letters_says_by_when_it_looked() {
    let mut harness = harness_in(State::SearchTruncated, 160, 45);
    let text = harness.text();
    assert!(text.contains("not found by 11:06:41 UTC"), "{text}");
    let among = "not among the 1,000 dead letters received by 11:06:41 UTC";
    assert!(text.contains(among), "{text}");
    assert!(text.contains("2 shows the dead letters"), "{text}");
    assert!(!text.contains("not there by"), "{text}");
    assert!(!text.contains("does the ingest keep up"), "{text}");
    let hidden = "from others until 11:07:11 UTC";
    let words = |harness: &Harness| {
        let text = harness.text();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(words(&harness).contains(hidden), "{text}");
    harness.at(70_000).tick();
    assert!(
        !words(&harness).contains("from others"),
        "{}",
        harness.text()
    );
    assert_eq!(harness.count(&TRACE), 0, "no further look receives more");
}

/// The database did not answer for most of the minute in which the event was looked for.
#[test]
fn time_in_which_no_look_up_is_answered_is_not_counted_to_a_limit() {
    let fails = || Err(refused("look the event up"));
    let mut harness = with_text(VALID, 160, 45).sent();
    harness.at(1_100).answer(&TRACE, fails());
    for second in [30, 58] {
        harness.at(second * 1_000).tick();
        harness.at(second * 1_000 + 100).answer(&TRACE, fails());
    }
    harness.at(62_000).tick();
    harness.at(62_100).answer(&TRACE, Ok(TraceState::Pending));
    let text = harness.text();
    assert!(text.contains("waiting for 1 min 1 s"), "{text}");
    harness.at(119_000).tick();
    let text = harness.text();
    assert!(text.contains("not there by 11:07:42 UTC"), "{text}");
    assert!(text.contains("it may still wait in the queue"), "{text}");
    let mut harness = with_text(VALID, 160, 45).sent();
    harness.at(1_100).answer(&TRACE, fails());
    for minute in 1..20 {
        harness.at(minute * 50_000).tick();
        if harness.count(&TRACE) > 0 {
            harness.answer(&TRACE, fails());
        }
    }
    let text = harness.text();
    assert!(text.contains("could not be looked up"), "{text}");
}

#[test]
fn event_that_cannot_be_looked_up_is_not_known_and_not_absent() {
    let fails = || Err(refused("look the event up"));
    let mut harness = with_text(VALID, 160, 45).sent();
    harness.at(1_100).answer(&TRACE, fails());
    harness.at(4_100).tick();
    let text = harness.text();
    assert!(
        text.contains("not known for 3 s: looking it up fails"),
        "{text}"
    );
    assert!(!text.contains("waiting for"), "{text}");
    harness.at(70_000).tick();
    let text = harness.text();
    assert!(
        text.contains("not known: it could not be looked up"),
        "{text}"
    );
    assert!(!text.contains("not there by"), "{text}");
    harness.resize(80, 24);
    let text = harness.text();
    assert!(text.contains("look the event up at"), "why: {text}");
    let mut harness = with_text(VALID, 160, 45)
        .sent()
        .traced(TraceState::Pending, 1_100);
    harness.at(1_500).tick();
    harness.at(1_600).answer(&TRACE, fails());
    harness.at(70_000).tick();
    let text = harness.text();
    let seen = "not there by 11:06:41 UTC; not seen since";
    assert!(text.contains(seen), "{text}");
}

/// The search ends a minute after the send, and the last look may be older.
#[test]
fn event_that_no_look_up_was_answered_for_is_not_known_and_a_look_has_its_own_time() {
    let mut harness = with_text(VALID, 160, 45).sent();
    harness.at(70_000).tick();
    let text = harness.text();
    assert!(
        text.contains("not known: no look-up was answered"),
        "{text}"
    );
    assert!(!text.contains("was erased"), "{text}");
    let mut harness = with_text(VALID, 160, 45)
        .sent()
        .traced(TraceState::Pending, 1_100);
    harness.at(3_000).tick();
    assert_eq!(harness.count(&TRACE), 1, "it has no answer");
    harness.at(70_000).tick();
    let text = harness.text();
    assert!(text.contains("not there by 11:06:41 UTC"), "{text}");
    assert!(!text.contains("in 0 s"), "{text}");
}

#[test]
fn send_without_an_answer_may_have_happened_when_its_key_was_pressed() {
    let fault = |may_have_happened| Fault {
        may_have_happened,
        ..refused("publish to \"events\"")
    };
    let failed = |may_have_happened| {
        let mut harness = with_text(VALID, 160, 45);
        harness.at(900).press('s');
        let answer = Err(fault(may_have_happened));
        harness.at(6_100).answer(&PUBLISH, answer);
        harness
    };
    let mut unknown = failed(true);
    let text = unknown.text();
    for expected in [
        "may be published: not confirmed",
        "T looks for what became of it",
        "may have been sent at 11:06:40 UTC",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    unknown.at(7_000).press('s');
    let text = unknown.text();
    assert!(text.contains("may have been sent from here"), "{text}");
    let text = failed(false).text();
    assert!(text.contains("not published"), "{text}");
    assert!(!text.contains("may be"), "{text}");
    assert!(!text.contains("T looks"), "{text}");
}

#[test]
fn later_send_without_an_answer_hides_no_confirmed_one() {
    let mut harness = with_text(VALID, 80, 24).sent();
    let before = harness.text();
    let sent = before
        .lines()
        .find(|line| line.contains("sent at"))
        .unwrap();
    harness.at(61_000).press('s');
    harness.at(61_010).press('y');
    let fault = Fault {
        may_have_happened: true,
        ..Fault::new("publish: no answer")
    };
    harness.at(62_000).answer(&PUBLISH, Err(fault));
    let text = harness.text();
    assert!(text.contains(sent.trim_end()), "{sent}: {text}");
    assert!(!text.contains("may have been sent"), "{text}");
    harness.at(63_000).press('s');
    let text = harness.text();
    assert!(
        text.contains("already sent from here: it may be a duplicate"),
        "{text}"
    );
}

/// A search hides all dead letters from others: that is seldom, and shown.
#[test]
fn valid_event_is_searched_among_the_dead_letters_in_turns_and_what_that_hides_is_shown() {
    let mut harness = with_text(VALID, 160, 45).sent();
    let mut searched = Vec::new();
    for second in 2..60 {
        harness.at(second * 1_000).tick();
        if harness.count(&TRACE) > 0 {
            let (sought, to) = harness.take_last(&TRACE);
            searched.push((second, sought.searches_dead_letters));
            harness.reply(to, Ok(TraceState::Pending));
        }
    }
    let searches = searched.iter().filter(|(_, is_searched)| *is_searched);
    let searches: Vec<i64> = searches.map(|(second, _)| *second).collect();
    assert!(
        !searches.is_empty() && searches.len() * 2 < searched.len(),
        "{searched:?}"
    );
    assert!(
        searches.iter().all(|second| (second - 4) % 20 < 6),
        "{searches:?}"
    );
    assert!(
        searched
            .iter()
            .any(|(second, is_searched)| *second > 40 && *is_searched)
    );

    let hides = TraceState::Searched {
        messages: 113,
        hidden_until: at(34_000),
    };
    let mut harness = with_text(VALID, 160, 45).sent().traced(hides, 4_000);
    let words = |harness: &Harness| {
        let text = harness.text();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let text = "not among the 113 dead letters received to look for it";
    assert!(words(&harness).contains(text), "{}", harness.text());
    harness.at(9_000).tick();
    harness.at(9_100).answer(&TRACE, Ok(TraceState::Pending));
    assert!(words(&harness).contains(text), "they are hidden still");
    harness.at(35_000).tick();
    assert!(!words(&harness).contains(text), "{}", harness.text());
}
