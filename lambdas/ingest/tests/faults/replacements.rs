//! Messages that replace records: among others, twice, too late, not permitted, under faults.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use ingest::{Deps, Outcome};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::database_proxy::Fault;
use crate::fixture::{Fixture, LIMIT, deliver_only};
use crate::messages::{Given, envelope, good, good_with, invalid, numbered, poison};

const CASES: u32 = 24;
/// Ids of the model.
const IDS: u8 = 4;

fn naming(record_id: i64) -> Value {
    json!({"OpsConsole.Replaces": {"dataType": "String", "stringValue": record_id.to_string()}})
}

fn replacing(id: impl ToString, word: &str, record_id: i64) -> Given {
    good_with(id, &json!({"word": word})).with_attributes(naming(record_id))
}

impl Fixture {
    /// The record of each identity, with the word in its text; `None` where there is no record.
    async fn words(&self) -> BTreeMap<String, (i64, Option<String>)> {
        let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(
            "select n.id, k.record_id, r.payload -> 'data' ->> 'word'
             from unnest($1::text[]) as n (id)
             join event_identities as k on k.identity = event_identity('/tests', n.id)
             left join records as r using (record_id, occurred_at)",
        )
        .bind((0..IDS).map(|id| id.to_string()).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await
        .unwrap();
        rows.into_iter()
            .map(|(id, record_id, word)| (id, (record_id, word)))
            .collect()
    }

    async fn record_id(&self, id: &str) -> i64 {
        sqlx::query_scalar(
            "select record_id from event_identities where identity = event_identity('/tests', $1)",
        )
        .bind(id)
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    async fn assert_counts_fit(&self) {
        let (raw, kept): (i64, i64) = sqlx::query_as(
            "select (select count(*) from records),
                 (select coalesce(sum(events), 0)::bigint from event_counts)",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap();
        assert_eq!(raw, kept);
    }

    async fn codes(&self) -> Vec<String> {
        let dead_letters = self.dead_letters().await;
        let messages = dead_letters.values().flatten();
        let codes = messages.map(|message| {
            let attributes = message.message_attributes().unwrap();
            attributes["ErrorCode"].string_value().unwrap().to_owned()
        });
        codes.collect()
    }
}

fn counts(outcome: &Outcome) -> [usize; 4] {
    [
        outcome.stored,
        outcome.replaced,
        outcome.duplicates,
        outcome.dead_lettered,
    ]
}

#[tokio::test]
async fn message_replaces_the_record_that_it_names_and_costs_its_neighbours_nothing() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    let first = numbered(["0", "1", "2"].map(|id| good_with(id, &json!({"word": "old"}))));
    deliver_only(&first, &deps, LIMIT).await;
    let before = fixture.words().await;
    let given = numbered([
        good("fresh"),
        replacing("0", "new", before["0"].0),
        invalid("x"),
        replacing("1", "old", before["1"].0),
        good("0"),
        replacing("never", "new", before["2"].0),
        good_with("poison-p", &json!({})).with_attributes(naming(before["2"].0)),
    ]);
    let delivery = deliver_only(&given, &deps, LIMIT).await;
    // The event that PostgreSQL would refuse has no record to replace, so it is never written.
    assert_eq!(
        counts(&delivery.outcome),
        [2, 1, 2, 3],
        "{:?}",
        delivery.outcome
    );
    let after = fixture.words().await;
    assert_eq!(after["0"].1.as_deref(), Some("new"));
    assert!(after["0"].0 > before["0"].0);
    assert_eq!((&after["1"], &after["2"]), (&before["1"], &before["2"]));
    let again = deliver_only(&given, &deps, LIMIT).await;
    assert_eq!(counts(&again.outcome), [0, 0, 4, 3], "{:?}", again.outcome);
    assert_eq!(fixture.words().await, after);
    fixture.assert_counts_fit().await;
}

#[tokio::test]
async fn replacement_that_postgresql_refuses_leaves_its_record_and_its_neighbours_are_applied() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    fixture
        .execute(
            "alter table records add constraint no_bad_word
             check (payload -> 'data' ->> 'word' is distinct from 'bad')",
        )
        .await;
    let first = numbered((0..40).map(|id| good_with(id, &json!({"word": "old"}))));
    deliver_only(&first, &deps, LIMIT).await;
    let mut given = Vec::new();
    for id in 0..40 {
        let word = if id % 13 == 3 { "bad" } else { "new" };
        let record_id = fixture.record_id(&id.to_string()).await;
        given.push(replacing(id, word, record_id));
    }
    let given = numbered(given);
    let delivery = deliver_only(&given, &deps, LIMIT).await;
    assert_eq!(counts(&delivery.outcome), [37, 37, 0, 3]);
    let words: Vec<(String, i64)> = sqlx::query_as(
        "select payload -> 'data' ->> 'word', count(*) from records group by 1 order by 1",
    )
    .fetch_all(&fixture.pool)
    .await
    .unwrap();
    assert_eq!(words, [("new".to_owned(), 37), ("old".to_owned(), 3)]);
    assert_eq!(fixture.codes().await, ["refused-by-database"; 3]);
    fixture.assert_counts_fit().await;
}

#[tokio::test]
async fn setting_that_is_off_makes_a_dead_letter_that_names_it_and_nothing_is_replaced() {
    let fixture = Fixture::open().await;
    let off = Deps {
        replacements_allowed: false,
        ..fixture.deps().await
    };
    let first = numbered([good_with("0", &json!({"word": "old"}))]);
    deliver_only(&first, &off, LIMIT).await;
    let before = fixture.words().await;
    let mut enveloped = envelope("0");
    let mut body: Value = serde_json::from_str(&enveloped.body).unwrap();
    body["MessageAttributes"] =
        json!({"OpsConsole.Replaces": {"Type": "String", "Value": before["0"].0.to_string()}});
    enveloped.body = body.to_string();
    let given = numbered([
        replacing("0", "new", before["0"].0),
        enveloped,
        good("1"),
        replacing("2", "new", 7),
    ]);
    let delivery = deliver_only(&given, &off, LIMIT).await;
    assert_eq!(counts(&delivery.outcome), [1, 0, 0, 3]);
    assert_eq!(fixture.words().await["0"], before["0"]);
    assert_eq!(fixture.codes().await, ["replacement-not-permitted"; 3]);
    for message in fixture.dead_letters().await.values().flatten() {
        let attributes = message.message_attributes().unwrap();
        let reason = attributes["ErrorMessage"].string_value().unwrap();
        assert!(reason.contains("REPLACEMENTS_ALLOWED"), "{reason}");
    }
    // A dead letter that is redriven once it is on does what it was sent for.
    let letters = fixture.dead_letters().await;
    let attributes = letters[&given[0].body][0].message_attributes().unwrap();
    let kept = attributes["OpsConsole.Replaces"].string_value();
    assert_eq!(kept, Some(&*before["0"].0.to_string()));
    let on = fixture.deps().await;
    let delivery = deliver_only(&given[..2], &on, LIMIT).await;
    assert_eq!(counts(&delivery.outcome), [1, 1, 0, 1]);
    assert_eq!(fixture.words().await["0"].1.as_deref(), Some("new"));
}

/// An ordinary batch is the one statement that it was, with the setting as without it.
#[tokio::test]
async fn batch_without_a_replacement_does_not_use_the_function_of_the_database() {
    let fixture = Fixture::open().await;
    let deps = fixture.deps().await;
    fixture.execute("drop function replace_records").await;
    let given = numbered([good("0"), good("1"), good("0"), poison("x"), invalid("y")]);
    let delivery = deliver_only(&given, &deps, LIMIT).await;
    assert_eq!(counts(&delivery.outcome), [2, 0, 1, 2]);
    // With one, it needs the function, and the others of its batch do not.
    let given = numbered([good("2"), replacing("0", "new", 1)]);
    let delivery = deliver_only(&given, &deps, Duration::from_secs(2)).await;
    assert_eq!(counts(&delivery.outcome), [1, 0, 0, 0]);
    assert_eq!(delivery.outcome.retried, 1);
}

/// Which record a message names.
#[derive(Clone, Copy, Debug)]
enum Target {
    Stored,
    /// The one before, or of another identity.
    Other,
    Never,
}

#[derive(Clone, Debug)]
enum Sent {
    Event(u8, u8),
    Replacement(u8, u8, Target),
    Invalid,
}

#[derive(Clone, Debug)]
enum Step {
    /// The messages, and what happens to the connection meanwhile.
    Deliver(Vec<Sent>, Vec<Fault>),
    /// The messages of the last delivery.
    Redeliver,
    Erase(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let target = prop_oneof![
        4 => Just(Target::Stored),
        1 => Just(Target::Other),
        1 => Just(Target::Never),
    ];
    let sent = prop_oneof![
        3 => (0..IDS, 0..3_u8).prop_map(|(id, word)| Sent::Event(id, word)),
        5 => (0..IDS, 0..3_u8, target).prop_map(|(id, word, to)| Sent::Replacement(id, word, to)),
        1 => Just(Sent::Invalid),
    ];
    let fault = prop_oneof![
        Just(Fault::CutBefore),
        Just(Fault::CutCommitted),
        Just(Fault::CutInAnswer),
    ];
    let faults = prop_oneof![
        3 => Just(Vec::new()),
        1 => prop::collection::vec(fault, 1..3),
    ];
    prop_oneof![
        5 => (prop::collection::vec(sent, 0..14), faults)
            .prop_map(|(sent, faults)| Step::Deliver(sent, faults)),
        2 => Just(Step::Redeliver),
        1 => (0..IDS).prop_map(Step::Erase),
    ]
}

/// A message with the record that it names.
type Named = (Sent, i64);

type Words = BTreeMap<String, (i64, Option<String>)>;

fn given((sent, record_id): &Named) -> Given {
    match sent {
        Sent::Event(id, word) => good_with(id, &json!({"word": word.to_string()})),
        Sent::Replacement(id, word, _) => replacing(id, &word.to_string(), *record_id),
        Sent::Invalid => invalid("z"),
    }
}

/// What must be stored after a delivery, and its counts, by the rules alone.
fn expected(words: &mut Words, messages: &[Named]) -> [usize; 4] {
    let [mut stored, mut replaced, mut duplicates, mut dead] = [0; 4];
    // No record has these ids.
    let mut new_ids = (1..).map(|number: i64| -number);
    for (sent, _) in messages {
        let Sent::Event(id, word) = sent else {
            continue;
        };
        match words.entry(id.to_string()) {
            Entry::Occupied(_) => duplicates += 1,
            Entry::Vacant(place) => {
                place.insert((new_ids.next().unwrap(), Some(word.to_string())));
                stored += 1;
            }
        }
    }
    for (sent, names) in messages {
        let (id, word) = match sent {
            Sent::Replacement(id, word, _) => (id.to_string(), word.to_string()),
            Sent::Invalid => {
                dead += 1;
                continue;
            }
            Sent::Event(..) => continue,
        };
        match words.get_mut(&id) {
            Some((_, Some(known))) if *known == word => duplicates += 1,
            Some((record_id, Some(known))) if record_id == names => {
                (*record_id, *known) = (new_ids.next().unwrap(), word);
                replaced += 1;
            }
            Some(_) | None => dead += 1,
        }
    }
    [stored + replaced, replaced, duplicates, dead]
}

fn texts(words: &Words) -> BTreeMap<&str, Option<&str>> {
    let texts = words.iter();
    texts
        .map(|(id, (_, word))| (id.as_str(), word.as_deref()))
        .collect()
}

async fn take(fixture: &Fixture, step: Step, last: &mut Vec<Named>) {
    let mut words = fixture.words().await;
    let faults = match step {
        Step::Erase(id) => {
            let erasing = sqlx::query("delete from records where id = $1").bind(id.to_string());
            erasing.execute(&fixture.pool).await.unwrap();
            fixture.assert_counts_fit().await;
            return;
        }
        Step::Redeliver => Vec::new(),
        Step::Deliver(sent, faults) => {
            let name = |sent: Sent| {
                let named = match &sent {
                    Sent::Replacement(id, _, Target::Stored) => {
                        words.get(&id.to_string()).map(|(record_id, _)| *record_id)
                    }
                    Sent::Replacement(id, _, Target::Other) => words
                        .get(&id.to_string())
                        .map(|(record_id, _)| record_id - 1),
                    Sent::Replacement(_, _, Target::Never) | Sent::Event(..) | Sent::Invalid => {
                        None
                    }
                };
                (sent, named.filter(|id| *id > 0).unwrap_or(i64::MAX))
            };
            *last = sent.into_iter().map(name).collect();
            faults
        }
    };
    let counted = expected(&mut words, last);
    let messages = numbered(last.iter().map(given));
    let proxy = fixture.proxy().await;
    let is_faulty = !faults.is_empty();
    proxy.fail_next(faults);
    let deps = fixture.deps_over(proxy.url.clone()).await;
    let outcome = deliver_only(&messages, &deps, LIMIT).await.outcome;
    assert_eq!(outcome.retried, 0, "{outcome:?}");
    let actual = counts(&outcome);
    if is_faulty {
        // What was committed before the answer was lost is a duplicate to the next attempt.
        let sums = |[stored, _, duplicates, dead]: [usize; 4]| [stored + duplicates, dead];
        assert_eq!(sums(actual), sums(counted), "{messages:?}");
    } else {
        assert_eq!(actual, counted, "{messages:?}");
    }
    let after = fixture.words().await;
    assert_eq!(texts(&after), texts(&words), "{messages:?}");
    fixture.assert_counts_fit().await;
}

#[test]
fn every_batch_ends_as_the_rules_say_and_every_count_adds_up() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = ProptestConfig {
        cases: CASES,
        // A case that fails may fail by the moment: it is shown as it was.
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..7), |steps| {
            runtime.block_on(async {
                let fixture = Fixture::open().await;
                let mut last = Vec::new();
                for step in steps {
                    take(&fixture, step, &mut last).await;
                }
                let stale = fixture.codes().await;
                let known = ["replacement-stale", "not-json"];
                assert!(
                    stale.iter().all(|code| known.contains(&code.as_str())),
                    "{stale:?}"
                );
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn two_replacements_of_one_record_in_two_invocations_at_once_change_it_once() {
    let fixture = Fixture::open().await;
    let (one, other) = (fixture.deps().await, fixture.deps().await);
    let first = numbered([good_with("0", &json!({"word": "old"}))]);
    deliver_only(&first, &one, LIMIT).await;
    let (record_id, _) = fixture.words().await["0"];
    let [left, right] = ["left", "right"].map(|word| numbered([replacing("0", word, record_id)]));
    let mut blocker = fixture.pool.begin().await.unwrap();
    sqlx::query("select from event_identities where record_id = $1 for update")
        .bind(record_id)
        .execute(&mut *blocker)
        .await
        .unwrap();
    let release = async {
        fixture.wait_until_blocked().await;
        blocker.rollback().await.unwrap();
    };
    let (left, right, ()) = tokio::join!(
        deliver_only(&left, &one, LIMIT),
        deliver_only(&right, &other, LIMIT),
        release
    );
    let sum = |of: fn(&Outcome) -> usize| of(&left.outcome) + of(&right.outcome);
    assert_eq!(sum(|outcome| outcome.replaced), 1);
    assert_eq!(sum(|outcome| outcome.dead_lettered), 1);
    assert_eq!(fixture.codes().await, ["replacement-stale"]);
    fixture.assert_counts_fit().await;
}
