use std::collections::BTreeMap;

use event::RecordId;

use super::*;
use crate::message::{Original, body_sha256};
use crate::plan::{Edit, Replaces, Skipped, example};
use crate::state::fact::{Confirmed, Proof, Proved};

const BODY: &str = r#"{"source":"/s","id":"a/1"}"#;

fn key() -> EventKey {
    EventKey {
        source: "/s".to_owned(),
        id: "a/1".to_owned(),
    }
}

fn sought<'a>(key: &'a EventKey, message_ids: &'a [String]) -> Sought<'a> {
    Sought {
        key,
        message_ids,
        environment: "example",
        dead_letter_queue_url: "http://h/d",
    }
}

fn searched(folder: &Path, message_ids: &[String]) -> JournalAnswer {
    search(folder, &sought(&key(), message_ids))
}

/// What they prove, without the times.
fn known(answer: &JournalAnswer) -> Vec<&Known> {
    answer.known.iter().map(|(_, known)| known).collect()
}

fn causes(answer: &JournalAnswer) -> Vec<UnreadCause> {
    let unread = answer.findings.unread.iter();
    unread.map(|unread| unread.cause).collect()
}

fn texts(answer: &JournalAnswer) -> Vec<&str> {
    let facts = answer.findings.facts.iter();
    facts.map(|fact| fact.text.as_str()).collect()
}

fn intended(index: usize, body: &str) -> Fact {
    let failure = Attribute::Text {
        data_type: "String".to_owned(),
        text: "missing-attribute".to_owned(),
    };
    let original = Original {
        body: body.to_owned(),
        attributes: BTreeMap::from([(ERROR_CODE_ATTRIBUTE.to_owned(), failure)]),
        group_id: None,
        trace_header: None,
    };
    let message = Intended {
        index,
        receipt_handle: None,
        original,
    };
    Fact::Intended {
        messages: vec![message],
    }
}

fn confirmed(index: usize) -> Fact {
    let sent_message_id = "sent".to_owned();
    Fact::Confirmed {
        messages: vec![Confirmed {
            index,
            sent_message_id,
        }],
    }
}

#[test]
fn record_that_a_message_of_the_event_was_to_replace_is_known() {
    let mut plan = example(2);
    plan.entries[1].replaces = Some(Replaces {
        identity: "0f9e2f0a-0000-4000-8000-000000000000".to_owned(),
        record_id: RecordId(17),
        old_sha256: event::stored_sha256("{}"),
        new_sha256: event::stored_sha256(BODY),
    });
    let replaced = |message: &str| {
        let ids = [message.to_owned()];
        Reading::new(&plan, &sought(&key(), &ids)).replaced
    };
    assert_eq!(replaced(&plan.entries[1].message_id), [RecordId(17)]);
    assert!(replaced(&plan.entries[0].message_id).is_empty());
}

#[test]
fn redrive_that_moved_the_event_is_found_by_its_body_with_its_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = example(3);
    plan.entries[1].body_sha256 = body_sha256(BODY);
    let name = format!("redrive {}", plan.id);
    let (mut journal, _) = Journal::create(folder.path(), plan).unwrap();
    let proved = |index| Proved {
        index,
        proof: Proof::Stored {
            record_id: RecordId(17),
        },
    };
    let facts = [
        intended(0, "{}"),
        intended(1, BODY),
        confirmed(0),
        confirmed(1),
    ];
    journal.append(&facts).unwrap();
    let sent = searched(folder.path(), &[]);
    assert_eq!(known(&sent), [&Known::Sent], "no journal has its outcome");
    let rest = [
        Fact::Deleted {
            indexes: vec![0, 1],
        },
        Fact::Proved {
            messages: vec![proved(0), proved(1)],
        },
    ];
    journal.append(&rest).unwrap();
    let answer = searched(folder.path(), &[]);
    let expected = [
        format!("planned by {name} as ready, message m1"),
        format!("dead letter m1 before {name}: missing-attribute: no detail is recorded"),
        format!("sent to q by {name}, as message sent"),
        format!("{name} deleted the dead letter that it had sent"),
        format!("{name} saw it stored, as record 17"),
    ];
    assert_eq!(texts(&answer), expected);
    let outcome = Known::Settled(format!("{name} saw it stored, as record 17"));
    assert_eq!(known(&answer), [&outcome]);
    assert!(answer.findings.gaps.is_empty());
    let untimed = answer
        .findings
        .facts
        .iter()
        .filter(|fact| fact.at.is_none());
    assert_eq!(untimed.count(), 1, "the journal has not when it died");
    assert!(
        answer.findings.searches[0]
            .extent
            .starts_with("1 of 1 journal of")
    );
}

#[test]
fn edits_names_and_what_was_left_out_are_found_and_other_environments_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = example(2);
    let old_body = r#"{"source":"/s","id":"wrong"}"#.to_owned();
    plan.entries[0].body_sha256 = body_sha256(&old_body);
    plan.entries[0].edit = Some(Edit {
        old_body,
        new_body: BODY.to_owned(),
    });
    plan.skipped.push(Skipped {
        message_id: "m9".to_owned(),
        verdict: event::Verdict::StillInvalid,
        reason: "it is still-invalid".to_owned(),
    });
    let mut other = plan.clone();
    other.id = uuid::Uuid::now_v7();
    other.environment = "other".to_owned();
    drop(Journal::create(folder.path(), other).unwrap());
    let name = format!("redrive {}", plan.id);
    let (mut journal, _) = Journal::create(folder.path(), plan).unwrap();
    journal.append(&[intended(1, "{}")]).unwrap();
    let answer = searched(folder.path(), &["m9".to_owned(), "m1".to_owned()]);
    let identity = "with an edited body that changes its identity from /s / wrong to /s / a/1";
    let expected = [
        format!("planned by {name} as ready, message m0, {identity}"),
        format!("planned by {name} as ready, message m1"),
        format!("left out of {name}: it is still-invalid"),
        format!("dead letter m1 before {name}: missing-attribute: no detail is recorded"),
        format!("{name} was about to send it, and no answer is on record"),
    ];
    assert_eq!(texts(&answer), expected);
    assert_eq!(known(&answer), [&Known::PerhapsSent]);
}

/// A journal with these facts, of a plan of one message; the last line is damaged.
fn damaged_at_the_end(folder: &Path, facts: &[Fact]) -> String {
    let plan = example(1);
    let name = format!("redrive {}", plan.id);
    let (mut journal, _) = Journal::create(folder, plan).unwrap();
    journal.append(facts).unwrap();
    let mut bytes = std::fs::read(journal.path()).unwrap();
    let last = bytes.iter().rposition(|byte| *byte == b'}').unwrap();
    bytes[last] = b']';
    std::fs::write(journal.path(), bytes).unwrap();
    name
}

#[test]
fn facts_before_the_damage_of_a_journal_are_kept_and_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let facts = [
        intended(0, BODY),
        confirmed(0),
        Fact::Deleted { indexes: vec![0] },
    ];
    let name = damaged_at_the_end(folder.path(), &facts);
    let answer = searched(folder.path(), &[]);
    let expected = [
        format!("planned by {name} as ready, message m0"),
        format!("dead letter m0 before {name}: missing-attribute: no detail is recorded"),
        format!("sent to q by {name}, as message sent"),
    ];
    assert_eq!(texts(&answer), expected);
    assert_eq!(known(&answer), [&Known::Sent]);
    assert_eq!(causes(&answer), [UnreadCause::File]);
    let gap = &answer.findings.gaps[0];
    assert!(gap.is_failure && gap.reason.contains("damaged"), "{gap:?}");
}

#[test]
fn answer_that_may_be_in_a_part_that_was_not_read_is_not_called_missing() {
    let folder = tempfile::tempdir().unwrap();
    let name = damaged_at_the_end(folder.path(), &[intended(0, BODY), confirmed(0)]);
    let begun = [
        format!("planned by {name} as ready, message m0"),
        format!("dead letter m0 before {name}: missing-attribute: no detail is recorded"),
    ];
    let answer = searched(folder.path(), &[]);
    assert_eq!(texts(&answer), begun);
    assert_eq!(known(&answer), [&Known::PerhapsSent]);

    let (mut journal, _) = Journal::create(folder.path(), example(1)).unwrap();
    journal.append(&[intended(0, BODY), confirmed(0)]).unwrap();
    let (key, mut answer) = (key(), JournalAnswer::default());
    let is_over = Instant::now();
    let is_whole = search_one(journal.path(), &sought(&key, &[]), is_over, &mut answer);
    assert!(!is_whole.unwrap(), "the time is over after one fact");
    assert_eq!(texts(&answer).len(), 2, "{answer:?}");
    assert_eq!(known(&answer), [&Known::PerhapsSent]);
}

#[test]
fn send_without_an_answer_is_none_that_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::create(folder.path(), example(1)).unwrap();
    let messages = vec![MessageCause {
        index: 0,
        cause: "no answer within 10 s".to_owned(),
        is_final: false,
    }];
    journal
        .append(&[intended(0, BODY), Fact::Unanswered { messages }])
        .unwrap();
    assert_eq!(known(&searched(folder.path(), &[])), [&Known::PerhapsSent]);
}

#[test]
fn journals_that_the_time_was_not_enough_for_are_not_read_and_are_not_called_older() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let (mut journal, _) = Journal::create(folder.path(), example(1)).unwrap();
        journal.append(&[intended(0, BODY), confirmed(0)]).unwrap();
    }
    let key = key();
    let answer = search_until(folder.path(), &sought(&key, &[]), Instant::now());
    assert_eq!(causes(&answer), [UnreadCause::Time]);
    let gap = &answer.findings.gaps[0];
    assert!(gap.is_failure);
    assert_eq!(
        gap.reason,
        "2 journals were not searched to the end within 10 s"
    );
}

#[test]
fn damaged_journal_is_named_and_hides_no_other_and_old_ones_beyond_the_limit_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::create(folder.path(), example(1)).unwrap();
    journal.append(&[intended(0, BODY), confirmed(0)]).unwrap();
    let whole = std::fs::read_to_string(journal.path()).unwrap();
    let damaged = Journal::path_in(folder.path(), uuid::Uuid::max());
    std::fs::write(&damaged, whole.replacen("{", "[", 1)).unwrap();
    let answer = searched(folder.path(), &[]);
    assert_eq!(texts(&answer).len(), 3);
    let gap = &answer.findings.gaps[0];
    assert!(gap.is_failure && gap.reason.contains("damaged"), "{gap:?}");

    for _ in 0..JOURNALS_MAX {
        drop(Journal::create(folder.path(), example(1)).unwrap());
    }
    std::fs::remove_file(damaged).unwrap();
    let answer = searched(folder.path(), &[]);
    assert!(texts(&answer).is_empty());
    let gap = &answer.findings.gaps[0];
    assert!(
        gap.reason
            .starts_with("1 older journal was not searched: at most 200"),
        "{gap:?}"
    );
    assert!(
        !gap.is_failure && causes(&answer).is_empty(),
        "it is beyond what is kept"
    );
}
