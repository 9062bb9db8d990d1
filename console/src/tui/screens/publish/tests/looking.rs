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
