use pipeline::audit::Change;
use serde_json::json;

use super::*;

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap()
}

struct Log {
    folder: tempfile::TempDir,
    log: AuditLog,
}

impl Log {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        Self { folder, log }
    }

    fn add(&self, secs: i64, operation: Operation, details: Value, count: Option<&str>) {
        let counts = count.map(|name| vec![name]).unwrap_or_default();
        self.add_counted(secs, operation, details, &counts);
    }

    /// Without counts it has no end.
    fn add_counted(&self, secs: i64, operation: Operation, details: Value, counts: &[&str]) {
        let change = Change {
            operation,
            environment: "example".to_owned(),
            is_production: false,
            target: "events".to_owned(),
            caller: None,
            user: Some("ana".to_owned()),
            reason: (operation == Operation::Publish).then(|| "why".to_owned()),
            planned: 1,
            details,
        };
        let id = self.log.begin(change, at(secs)).unwrap();
        if !counts.is_empty() {
            let counts = counts.iter().map(|name| ((*name).to_owned(), 1));
            let ending = Ending {
                counts: counts.collect(),
                error: None,
            };
            self.log.end(id, ending, at(secs)).unwrap();
        }
    }

    /// Writes what is no line of this version's log behind what is there.
    fn write(&self, text: &str) {
        use std::io::Write as _;
        let file = std::fs::OpenOptions::new()
            .append(true)
            .open(self.log.path());
        let mut file = file.unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn search(&self, environment: &str) -> AuditAnswer {
        search(self.folder.path(), &sought(&key(), environment))
    }
}

fn key() -> EventKey {
    EventKey {
        source: "/s".to_owned(),
        id: "1".to_owned(),
    }
}

fn sought<'a>(key: &'a EventKey, environment: &'a str) -> Sought<'a> {
    Sought {
        key,
        message_ids: &[],
        environment,
        dead_letter_queue_url: "http://h/d",
    }
}

fn gaps(answer: &AuditAnswer) -> Vec<&str> {
    let gaps = answer.findings.gaps.iter();
    gaps.map(|gap| gap.reason.as_str()).collect()
}

fn causes(answer: &AuditAnswer) -> Vec<UnreadCause> {
    let unread = answer.findings.unread.iter();
    unread.map(|unread| unread.cause).collect()
}

fn deleted(secs: i64, file: &Path, is_certain: bool) -> (DateTime<Utc>, Known) {
    let file = file.display().to_string();
    (at(secs), Known::Deleted { file, is_certain })
}

#[test]
fn newest_copies_are_searched_first_and_those_beyond_the_time_are_counted_as_such() {
    let log = Log::new();
    let copies = ["older.jsonl", "newer.jsonl"].map(|name| log.folder.path().join(name));
    for (secs, copy) in (1..).zip(&copies) {
        let details = json!({ "export": copy });
        log.add(secs, Operation::Delete, details, Some("deleted"));
    }
    let mut looked = Vec::new();
    // The time is over after the first.
    let mut look = |copy: &Path| {
        looked.push(copy.to_owned());
        match looked.len() {
            1 => Look::Found,
            _ => Look::Late,
        }
    };
    let key = key();
    let answer = search_with(log.folder.path(), &sought(&key, "example"), &mut look);
    let [older, newer] = copies;
    assert_eq!(answer.known, [deleted(2, &newer, true)]);
    assert_eq!(looked, [newer, older]);
    let late =
        "the copy of what was deleted was not searched within 5 s: 1 deletion from this machine";
    assert_eq!(gaps(&answer), [late]);
    assert_eq!(causes(&answer), [UnreadCause::Time]);
    assert!(answer.findings.gaps[0].is_failure);
}

#[test]
fn copy_that_cannot_be_read_may_have_the_event_and_one_that_is_gone_has_nothing() {
    let log = Log::new();
    let copies = ["unreadable", "gone"].map(|name| log.folder.path().join(name));
    // A folder can be opened and not read.
    std::fs::create_dir(&copies[0]).unwrap();
    for copy in &copies {
        log.add(1, Operation::Delete, json!({ "export": copy }), None);
    }
    let answer = log.search("example");
    let expected = [
        "deletions from this machine that have no copy, or whose copy is there no more: 1",
        "the copy of what was deleted could not be read: 1 deletion from this machine",
    ];
    assert_eq!(gaps(&answer), expected);
    assert_eq!(causes(&answer), [UnreadCause::File]);
}

#[test]
fn lines_that_cannot_be_read_are_named_and_those_that_were_cut_off_began_nothing() {
    let log = Log::new();
    log.add(1, Operation::Erase, json!({}), None);
    log.write(r#"{"schema":1,"id":"#);
    log.add(2, Operation::Erase, json!({}), None);
    let answer = log.search("example");
    assert_eq!((answer.findings.gaps.len(), causes(&answer)), (1, vec![]));
    log.write("damaged\n");
    let answer = log.search("example");
    assert_eq!(causes(&answer), [UnreadCause::AuditLog]);
    let text = &answer.findings.unread[0].text;
    let expected = "audit log: 1 line could not be read: damaged, or written by a newer version";
    assert_eq!(text, expected);
}

#[test]
fn deletion_is_certain_only_where_its_end_says_that_all_were_deleted() {
    let log = Log::new();
    let copy = log.folder.path().join("copy.jsonl");
    let body = r#"{"source":"/s","id":"1"}"#;
    std::fs::write(&copy, json!({ "body": body }).to_string()).unwrap();
    let details = json!({ "export": copy });
    log.add(1, Operation::Delete, details.clone(), None);
    log.add(2, Operation::Delete, details.clone(), Some("failed"));
    log.add(3, Operation::Purge, details.clone(), None);
    log.add(4, Operation::Purge, details.clone(), Some("exported"));
    log.add(5, Operation::Delete, details, Some("deleted"));
    let mut known = log.search("example").known;
    known.reverse();
    // All of the second were refused.
    let expected = [(1, false), (3, false), (4, true), (5, true)];
    assert_eq!(
        known,
        expected.map(|(secs, is_certain)| deleted(secs, &copy, is_certain))
    );
}

#[test]
fn publication_that_was_not_confirmed_may_have_been_taken() {
    for (counts, expected) in [
        (vec![], Some(Known::PerhapsSent)),
        (vec!["unknown"], Some(Known::PerhapsSent)),
        (vec!["failed", "unconfirmed"], Some(Known::PerhapsSent)),
        (vec!["failed"], None),
        (vec!["published"], Some(Known::Sent)),
    ] {
        let log = Log::new();
        let details = json!({ "event": { "source": "/s", "id": "1" } });
        log.add_counted(1, Operation::Publish, details, &counts);
        let known = log.search("example").known;
        let known: Vec<_> = known.into_iter().map(|(_, known)| known).collect();
        assert_eq!(known, Vec::from_iter(expected), "{counts:?}");
    }
}

#[test]
fn copy_that_the_time_is_not_enough_for_is_told_apart_from_one_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.jsonl");
    let body = r#"{"source":"/s","id":"1"}"#;
    std::fs::write(&copy, json!({ "body": body }).to_string()).unwrap();
    let (key, now) = (key(), Instant::now());
    let later = now + Duration::from_secs(3_600);
    let sought = sought(&key, "example");
    assert_eq!(look_for(&copy, &sought, now), Look::Late);
    assert_eq!(look_for(&copy, &sought, later), Look::Found);
    let nowhere = folder.path().join("nowhere.jsonl");
    assert_eq!(look_for(&nowhere, &sought, now), Look::Gone);
    let unreadable = folder.path();
    assert_eq!(look_for(unreadable, &sought, later), Look::Unreadable);
}

#[test]
fn publications_edits_corrections_and_deletions_of_the_event_are_found() {
    let log = Log::new();
    let copy = log.folder.path().join("copy.jsonl");
    let body = r#"{"source":"/s","id":"1"}"#;
    std::fs::write(&copy, json!({ "body": body }).to_string()).unwrap();
    let identity = ledger_identity(&EventKey {
        source: "/s".to_owned(),
        id: "1".to_owned(),
    });
    let publish = |id: &str| json!({ "event": { "source": "/s", "id": id } });
    log.add(1, Operation::Publish, publish("1"), Some("published"));
    log.add(2, Operation::Publish, publish("2"), Some("published"));
    log.add(3, Operation::Publish, publish("1"), Some("failed"));
    let edits = json!({ "edits": [{ "before": "{}", "after": body }] });
    log.add(4, Operation::Redrive, edits, None);
    let replacements = json!({ "replacements": [{ "identity": identity, "record_id": 7 }] });
    log.add(5, Operation::Replace, replacements, None);
    log.add(
        6,
        Operation::Delete,
        json!({ "export": copy }),
        Some("deleted"),
    );
    let answer = log.search("example");
    let facts = answer.findings.facts.iter();
    let found: Vec<_> = facts.map(|fact| (fact.hop, fact.text.as_str())).collect();
    let deletion = format!(
        "among 1 dead letter of a deletion by ana: all were deleted; the copy is in {}",
        copy.display()
    );
    let expected = [
        (
            Hop::Published,
            "published to events by ana: SNS confirmed it (reason: why)",
        ),
        (
            Hop::Published,
            "published to events by ana: SNS did not take it (reason: why)",
        ),
        (
            Hop::Edited,
            "redrive begun by ana with an edited body of it",
        ),
        (Hop::Replaced, "a correction of record 7 was begun by ana"),
        (Hop::Deleted, deletion.as_str()),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        answer.known,
        [deleted(6, &copy, true), (at(1), Known::Sent)]
    );
    assert_eq!(answer.replaced, [RecordId(7)]);
    assert!(
        answer.findings.gaps.is_empty(),
        "{:?}",
        answer.findings.gaps
    );
    assert!(log.search("other").findings.facts.is_empty());
}

#[test]
fn changes_that_do_not_say_what_they_were_about_are_counted() {
    let log = Log::new();
    log.add(1, Operation::Publish, json!({ "file": "a.json" }), None);
    log.add(2, Operation::Erase, json!({ "sha256": "d" }), None);
    log.add(3, Operation::Delete, json!({ "export": null }), None);
    log.add(
        4,
        Operation::Purge,
        json!({ "export": "/nowhere/a.jsonl" }),
        None,
    );
    log.add(5, Operation::Redrive, json!({ "erased": true }), None);
    let answer = log.search("example");
    assert!(answer.findings.facts.is_empty());
    let expected = [
        "publications of files from this machine, whose events the log does not list: 1",
        "erasures from this machine, of which the log has a digest and no identity: 1",
        "deletions from this machine that have no copy, or whose copy is there no more: 2",
        "changes from this machine whose details were too long or were erased: 1",
    ];
    assert_eq!(gaps(&answer), expected);
}
