//! A replacement is applied to the very record that it names, whole, once, or not at all.

use chrono::TimeDelta;
use event::{Event, EventKey, RecordId, stored_sha256};
use store::{
    PartitionPlan, PartitionWidth, PgPool, Replaced, Replacement, Stale, StoreError, Written,
    arrival_watermark, create_partitions, erase_records, fold_counts, get_record, records_after,
    replace_records, stored_keys, stored_texts, write_batch,
};

use crate::arrivals::wait_until_blocked;
use crate::events::{at, count, event, event_from, migrated};
use crate::rollup::assert_counts_fit;

const NOON: &str = "2026-11-24T12:00:00Z";
const PLAN: PartitionPlan = PartitionPlan {
    width: PartitionWidth::Day,
    ahead: 1,
    keep: None,
};

/// An event of `/tests` whose text has a word.
fn with_word(id: &str, word: &str) -> Event<'static> {
    let json = serde_json::json!({
        "specversion": "1.0", "id": id, "source": "/tests", "type": "t", "time": NOON,
        "data": {"word": word},
    });
    event::parse_event(&json.to_string()).unwrap().into_owned()
}

async fn stored(pool: &PgPool, event: &Event<'_>) -> RecordId {
    let written = write_batch(pool, std::slice::from_ref(event))
        .await
        .unwrap();
    let [Written::Stored(record_id)] = written[..] else {
        panic!("{written:?}");
    };
    record_id
}

async fn replaced(pool: &PgPool, event: &Event<'_>, replaces: RecordId) -> Replaced {
    let one = [Replacement { event, replaces }];
    replace_records(pool, &one).await.unwrap()[0]
}

/// Everything that a failed replacement must leave as it is.
async fn snapshot(pool: &PgPool) -> String {
    sqlx::query_scalar(
        "select concat(
             (select jsonb_agg(r order by record_id) from records as r),
             (select jsonb_agg(k order by record_id) from event_identities as k),
             (select jsonb_agg(c order by hour, type, source, slot) from event_counts as c))",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Rows that have a text, in any table or partition of the schema `public`.
async fn rows_with(pool: &PgPool, text: &str) -> i64 {
    let tables: Vec<String> = sqlx::query_scalar(
        "select oid::regclass::text from pg_class
         where relnamespace = 'public'::regnamespace and relkind = 'r'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(tables.len() > 3, "{tables:?}");
    let mut found = 0;
    for table in tables {
        let statement =
            format!("select count(*) from {table} as t where position($1 in t::text) > 0");
        let rows: i64 = sqlx::query_scalar(&statement)
            .bind(text)
            .fetch_one(pool)
            .await
            .unwrap();
        found += rows;
    }
    found
}

#[tokio::test]
async fn old_record_leaves_records_counts_and_ledger_and_the_new_one_is_there() {
    let database = migrated().await;
    let pool = database.pool();
    create_partitions(pool, &PLAN, at(NOON)).await.unwrap();
    let old = event_from("/a", "1", "wrong.type-q7Zx", at(NOON));
    let other = event_from("/a", "2", "other", at(NOON));
    let first = stored(pool, &old).await;
    stored(pool, &other).await;
    assert!(rows_with(pool, "q7Zx").await >= 1);
    // Another type, and a time in another partition.
    let new = event_from("/a", "1", "right", at(NOON) + TimeDelta::days(1));
    let Replaced::Stored(record_id) = replaced(pool, &new, first).await else {
        panic!("it is the stored one");
    };
    assert!(record_id > first);
    assert_eq!(get_record(pool, first).await.unwrap(), None);
    let record = get_record(pool, record_id).await.unwrap().unwrap();
    assert_eq!(
        (&*record.event_type, record.occurred_at),
        ("right", new.time)
    );
    let keys = stored_keys(pool, &[new.key()]).await.unwrap();
    let known = keys[&new.key()];
    assert_eq!((known.record_id, known.occurred_at), (record_id, new.time));
    assert_eq!(count(pool, "records").await, 2);
    assert_eq!(count(pool, "event_identities").await, 2);
    assert_counts_fit(pool).await;
    // The count of the old type is a row that is empty, until it is folded.
    let left: i64 =
        sqlx::query_scalar("select count(*) from records where type = 'wrong.type-q7Zx'")
            .fetch_one(pool)
            .await
            .unwrap();
    assert_eq!(left, 0);
    fold_counts(pool, at(NOON) + TimeDelta::days(3))
        .await
        .unwrap();
    assert_eq!(rows_with(pool, "q7Zx").await, 0);
    // A reader of the arrivals gets it as the newest.
    let feed = records_after(pool, first, 10).await.unwrap();
    let ids: Vec<RecordId> = feed.items.iter().map(|record| record.record_id).collect();
    assert_eq!(ids.last(), Some(&record_id));
}

#[tokio::test]
async fn replacement_that_is_delivered_again_is_a_duplicate_and_changes_nothing() {
    let database = migrated().await;
    let pool = database.pool();
    let first = stored(pool, &with_word("1", "old")).await;
    let new = with_word("1", "new");
    assert!(matches!(
        replaced(pool, &new, first).await,
        Replaced::Stored(_)
    ));
    let before = snapshot(pool).await;
    for _ in 0..3 {
        assert_eq!(replaced(pool, &new, first).await, Replaced::Duplicate);
    }
    // The ordinary event with this identity is one as well.
    let written = write_batch(pool, &[with_word("1", "old")]).await.unwrap();
    assert_eq!(written, [Written::Duplicate]);
    assert_eq!(snapshot(pool).await, before);
}

#[tokio::test]
async fn text_is_the_same_only_with_the_same_digits_whatever_its_layout() {
    let database = migrated().await;
    let pool = database.pool();
    let json = |data: &str| {
        let text = format!(
            r#"{{"specversion":"1.0","id":"1","source":"/tests","type":"t","time":"{NOON}","data":{data}}}"#
        );
        event::parse_event(&text).unwrap().into_owned()
    };
    let first = stored(pool, &json(r#"{"a":1.5,"bb":[1,2]}"#)).await;
    let before = snapshot(pool).await;
    let same = json(r#"{ "bb" : [ 1 , 2 ], "a" : 1.5 }"#);
    assert_eq!(replaced(pool, &same, first).await, Replaced::Duplicate);
    assert_eq!(snapshot(pool).await, before);
    let digits = json(r#"{"a":1.50,"bb":[1,2]}"#);
    let outcome = replaced(pool, &digits, first).await;
    assert!(matches!(outcome, Replaced::Stored(_)), "{outcome:?}");
}

#[tokio::test]
async fn stale_replacement_changes_nothing_and_says_what_is_stored() {
    let database = migrated().await;
    let pool = database.pool();
    let first = stored(pool, &with_word("1", "a")).await;
    let Replaced::Stored(second) = replaced(pool, &with_word("1", "b"), first).await else {
        panic!("it is the stored one");
    };
    let erased = stored(pool, &with_word("2", "erased-q7Zx")).await;
    erase_records(pool, &[(at(NOON), erased)]).await.unwrap();
    let kept = stored(pool, &with_word("3", "c")).await;
    let before = snapshot(pool).await;
    for (id, replaces, expected) in [
        ("1", first, Stale::Other(second)),
        ("1", RecordId(i64::MAX), Stale::Other(second)),
        // The record of another identity.
        ("1", kept, Stale::Other(second)),
        ("2", erased, Stale::Gone),
        ("2", first, Stale::Gone),
        ("never", first, Stale::Unknown),
    ] {
        let outcome = replaced(pool, &with_word(id, "new"), replaces).await;
        assert_eq!(outcome, Replaced::Stale(expected), "{id} {replaces}");
    }
    assert_eq!(snapshot(pool).await, before);
    // What was erased is not brought back by its own text either.
    let outcome = replaced(pool, &with_word("2", "erased-q7Zx"), erased).await;
    assert_eq!(outcome, Replaced::Stale(Stale::Gone));
    assert_eq!(rows_with(pool, "q7Zx").await, 0);
}

#[tokio::test]
async fn nothing_behind_the_retention_horizon_is_replaced_or_brought_back() {
    let database = migrated().await;
    let pool = database.pool();
    let early = event("1", "t", at(NOON));
    let first = stored(pool, &early).await;
    let second = stored(pool, &event("2", "t", at(NOON) + TimeDelta::days(2))).await;
    sqlx::query("update retention set horizon = $1")
        .bind(at(NOON) + TimeDelta::days(1))
        .execute(pool)
        .await
        .unwrap();
    let before = snapshot(pool).await;
    let later = at(NOON) + TimeDelta::days(2);
    for (event, replaces, expected) in [
        (event("1", "new", at(NOON)), first, Replaced::Expired),
        (event("2", "new", at(NOON)), second, Replaced::Expired),
        (
            event("1", "new", later),
            first,
            Replaced::Stale(Stale::Gone),
        ),
    ] {
        assert_eq!(replaced(pool, &event, replaces).await, expected);
    }
    assert_eq!(snapshot(pool).await, before);
    let outcome = replaced(pool, &event("2", "new", later), second).await;
    assert!(matches!(outcome, Replaced::Stored(_)), "{outcome:?}");
}

#[tokio::test]
async fn batch_has_an_outcome_for_each_and_one_that_is_refused_costs_them_all() {
    let database = migrated().await;
    let pool = database.pool();
    sqlx::query(
        "alter table records add constraint no_poison check (payload ->> 'type' <> 'poison')",
    )
    .execute(pool)
    .await
    .unwrap();
    let ids = ["a", "b", "c"];
    let mut first = Vec::new();
    for id in ids {
        first.push(stored(pool, &with_word(id, "old")).await);
    }
    let new = ["c", "a", "b", "d"].map(|id| with_word(id, "new"));
    let wanted = [first[2], first[0], first[0], first[0]];
    let batch: Vec<Replacement<'_>> = new
        .iter()
        .zip(wanted)
        .map(|(event, replaces)| Replacement { event, replaces })
        .collect();
    let poison = event("b", "poison", at(NOON));
    let before = snapshot(pool).await;
    let bad = Replacement {
        event: &poison,
        replaces: first[1],
    };
    let refused = replace_records(pool, &[batch[0], bad]).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::EventRefused { .. }),
        "{refused}"
    );
    assert_eq!(snapshot(pool).await, before);
    let outcomes = replace_records(pool, &batch).await.unwrap();
    let [
        Replaced::Stored(c),
        Replaced::Stored(a),
        Replaced::Stale(Stale::Other(b)),
        Replaced::Stale(Stale::Unknown),
    ] = outcomes[..]
    else {
        panic!("{outcomes:?}");
    };
    assert_eq!(b, first[1]);
    for (id, record_id) in [("a", a), ("b", b), ("c", c)] {
        let record = get_record(pool, record_id).await.unwrap().unwrap();
        assert_eq!(record.id, id);
    }
    assert_counts_fit(pool).await;
    assert!(replace_records(pool, &[]).await.unwrap().is_empty());
    // The caller has to send each identity once.
    let twice = replace_records(pool, &[batch[0], batch[0]])
        .await
        .unwrap_err();
    assert!(matches!(twice, StoreError::Other { .. }), "{twice}");
}

#[tokio::test]
async fn of_two_replacements_of_one_record_at_once_the_first_is_applied() {
    let database = migrated().await;
    let pool = database.pool();
    let first = stored(pool, &with_word("1", "old")).await;
    // Both wait for the row of the ledger.
    let mut blocker = pool.begin().await.unwrap();
    sqlx::query("select from event_identities where record_id = $1 for update")
        .bind(first.0)
        .execute(&mut *blocker)
        .await
        .unwrap();
    let replacing = |word: &'static str| {
        let pool = pool.clone();
        tokio::spawn(async move { replaced(&pool, &with_word("1", word), first).await })
    };
    let both = [replacing("left"), replacing("right")];
    wait_until_blocked(pool, 2).await;
    blocker.rollback().await.unwrap();
    let mut outcomes = Vec::new();
    for one in both {
        outcomes.push(one.await.unwrap());
    }
    let winners = outcomes.iter().filter_map(|outcome| match outcome {
        Replaced::Stored(record_id) => Some(*record_id),
        Replaced::Duplicate | Replaced::Expired | Replaced::Stale(_) => None,
    });
    let winners: Vec<RecordId> = winners.collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert!(outcomes.contains(&Replaced::Stale(Stale::Other(winners[0]))));
    assert_eq!(count(pool, "records").await, 1);
    assert_counts_fit(pool).await;
}

/// A reader of the arrivals that went on would miss the new record.
#[tokio::test]
async fn feed_stops_before_a_replacement_that_is_open() {
    let database = migrated().await;
    let pool = database.pool();
    let first = stored(pool, &with_word("1", "old")).await;
    let before = arrival_watermark(pool).await.unwrap();
    // It has taken its record id when it counts.
    let mut blocker = pool.begin().await.unwrap();
    sqlx::query("lock table event_counts in exclusive mode")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let replacing = {
        let pool = pool.clone();
        tokio::spawn(async move { replaced(&pool, &with_word("1", "new"), first).await })
    };
    wait_until_blocked(pool, 1).await;
    assert!(arrival_watermark(pool).await.unwrap() <= before);
    blocker.rollback().await.unwrap();
    let outcome = replacing.await.unwrap();
    let watermark = arrival_watermark(pool).await.unwrap();
    assert_eq!(outcome, Replaced::Stored(watermark));
}

#[tokio::test]
async fn replacement_that_meets_an_erasure_does_not_bring_the_record_back() {
    let database = migrated().await;
    let pool = database.pool();
    let first = stored(pool, &with_word("1", "old")).await;
    let mut erasing = pool.begin().await.unwrap();
    sqlx::query("delete from records where record_id = $1")
        .bind(first.0)
        .execute(&mut *erasing)
        .await
        .unwrap();
    let replacing = {
        let pool = pool.clone();
        tokio::spawn(async move { replaced(&pool, &with_word("1", "new"), first).await })
    };
    wait_until_blocked(pool, 1).await;
    erasing.commit().await.unwrap();
    assert_eq!(replacing.await.unwrap(), Replaced::Stale(Stale::Gone));
    assert_eq!(count(pool, "records").await, 0);
    assert_eq!(count(pool, "event_identities").await, 1);
    assert_counts_fit(pool).await;
}

/// Writes, replacements and the folding of counts, at once: nobody gets a deadlock.
#[tokio::test(flavor = "multi_thread")]
async fn replacements_and_all_other_writers_wait_for_each_other_in_one_order() {
    const ROUNDS: usize = 60;
    const IDS: usize = 12;
    let database = migrated().await;
    let pool = database.pool();
    // Hours that are over, so that they are folded.
    let of = |number: usize, hour: usize| {
        event_from(
            &format!("/{}", number % 3),
            &number.to_string(),
            &format!("t{}", hour % 2),
            at(NOON) + TimeDelta::hours(i64::try_from(hour % 4).unwrap()),
        )
    };
    let events: Vec<_> = (0..IDS).map(|number| of(number, number)).collect();
    write_batch(pool, &events).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..3 {
        let pool = pool.clone();
        tasks.spawn(async move {
            for round in 0..ROUNDS {
                let events: Vec<_> = (0..IDS).map(|number| of(number, round + task)).collect();
                let keys: Vec<EventKey> = events.iter().map(Event::key).collect();
                let known = stored_keys(&pool, &keys).await.unwrap();
                let mut batch: Vec<_> = events
                    .iter()
                    .map(|event| Replacement {
                        event,
                        replaces: known[&event.key()].record_id,
                    })
                    .collect();
                if task == 1 {
                    batch.reverse();
                }
                replace_records(&pool, &batch).await.unwrap();
            }
        });
        let pool = database.pool().clone();
        tasks.spawn(async move {
            for round in 0..ROUNDS {
                let fresh = (0..IDS).map(|number| of(1_000 + IDS * round + number, number + task));
                let mut events: Vec<_> = fresh.collect();
                events.extend((0..IDS).map(|number| of(number, round)));
                write_batch(&pool, &events).await.unwrap();
            }
        });
    }
    let folding = database.pool().clone();
    tasks.spawn(async move {
        for _ in 0..ROUNDS {
            fold_counts(&folding, at(NOON) + TimeDelta::days(1))
                .await
                .unwrap();
        }
    });
    let creating = database.pool().clone();
    tasks.spawn(async move {
        let days = PartitionPlan {
            width: PartitionWidth::Day,
            ahead: 1,
            keep: None,
        };
        for round in 0..10 {
            let day = at(NOON) + TimeDelta::days(10 + 2 * round);
            create_partitions(&creating, &days, day).await.unwrap();
        }
    });
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert_counts_fit(pool).await;
    let records = count(pool, "records").await;
    assert_eq!(records, i64::try_from(IDS * (ROUNDS + 1)).unwrap());
}

#[tokio::test]
async fn look_up_of_texts_has_their_digests_and_none_of_what_is_gone() {
    let database = migrated().await;
    let pool = database.pool();
    let (kept, gone) = (with_word("1", "é\n\u{1}"), with_word("2", "gone"));
    stored(pool, &kept).await;
    let erased = stored(pool, &gone).await;
    erase_records(pool, &[(at(NOON), erased)]).await.unwrap();
    let unknown = with_word("3", "never").key();
    let found = stored_texts(pool, &[kept.key(), gone.key(), unknown])
        .await
        .unwrap();
    let digests: Vec<_> = found
        .items
        .iter()
        .map(|item| (item.id.as_str(), item.payload_sha256.clone()))
        .collect();
    assert_eq!(
        digests,
        [("1", Some(stored_sha256(&kept.json))), ("2", None)]
    );
}

#[tokio::test]
async fn replacement_of_far_records_locks_the_partitions_of_their_weeks() {
    let database = migrated().await;
    let pool = database.pool();
    let days = PartitionPlan {
        width: PartitionWidth::Day,
        ahead: 100,
        keep: None,
    };
    create_partitions(pool, &days, at(NOON)).await.unwrap();
    let last_day = at(NOON) + TimeDelta::days(98);
    let (first, last) = (event("first", "t", at(NOON)), event("last", "t", last_day));
    let ids = [stored(pool, &first).await.0, stored(pool, &last).await.0];
    let mut transaction = pool.begin().await.unwrap();
    let outcomes: Vec<String> = sqlx::query_scalar(
        "select outcome from replace_records(
             $1, $2, array['/tests', '/tests'], array['first', 'last'], array['t', 't'], array[null, null]::text[],
             array['{\"new\":1}', '{\"new\":1}'], 1
         )",
    )
    .bind(ids)
    .bind([at(NOON), last_day])
    .fetch_all(&mut *transaction)
    .await
    .unwrap();
    assert_eq!(outcomes, ["replaced", "replaced"]);
    let locked: i64 = sqlx::query_scalar(
        "select count(distinct relation) from pg_locks join pg_class on pg_class.oid = relation
         where pid = pg_backend_pid() and relkind = 'r' and relname like 'records_%'",
    )
    .fetch_one(&mut *transaction)
    .await
    .unwrap();
    assert!(locked <= 2 * 8, "{locked} partitions of 100");
}

/// The ledger and the records are read in two statements, and the replacement is committed between them.
#[tokio::test(flavor = "multi_thread")]
async fn look_up_during_a_replacement_has_a_record_with_its_text() {
    let database = migrated().await;
    let pool = database.pool();
    let (old, new) = (with_word("1", "old"), with_word("1", "new"));
    stored(pool, &old).await;
    let mut other = pool.begin().await.unwrap();
    for statement in [
        "lock table records in access exclusive mode",
        "with gone as (delete from records where id = '1' returning *)
         insert into records (record_id, source, id, type, subject, occurred_at, payload)
         select record_id + 7, source, id, type, subject, occurred_at,
             jsonb_set(payload, '{data,word}', '\"new\"')
         from gone",
        "update event_identities set record_id = record_id + 7",
    ] {
        sqlx::query(statement).execute(&mut *other).await.unwrap();
    }
    let (reader, key) = (pool.clone(), old.key());
    let reading = tokio::spawn(async move { stored_texts(&reader, &[key]).await.unwrap() });
    wait_until_blocked(pool, 1).await;
    other.commit().await.unwrap();
    let found = reading.await.unwrap().items;
    let texts = [&old, &new].map(|event| Some(stored_sha256(&event.json)));
    assert!(texts.contains(&found[0].payload_sha256), "{found:?}");
    assert!(found[0].ingested_at.is_some(), "{found:?}");
}
