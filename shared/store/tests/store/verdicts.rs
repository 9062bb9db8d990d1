//! The validator against a real PostgreSQL, on generated texts; hundreds per round trip.
//!
//! `PROPTEST_CASES` is the number of rounds, each of [`TEXTS_PER_ROUND`] texts.

use std::cell::Cell;

use event::{Event, FailureCode, first_refusal, parse_body, parse_event, stored_text};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use store::{PgPool, Written, write_batch};

use crate::events::migrated;
use crate::hostile::{event_text, text};

const ROUNDS: u32 = 40;
const TEXTS_PER_ROUND: usize = 300;

/// Returns for each text whether `jsonb` accepts it.
const IS_JSONB: &str = "
create function is_jsonb(texts text[]) returns boolean[] language plpgsql as $$
declare
    answers boolean[] := '{}';
    one text;
begin
    foreach one in array texts loop
        begin
            perform one::jsonb;
            answers := answers || true;
        exception when data_exception or program_limit_exceeded or statement_too_complex then
            answers := answers || false;
        end;
    end loop;
    return answers;
end $$";

/// `None` where a limit of our own, stricter than the database's, decides.
fn is_accepted(json: &str) -> Option<bool> {
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok();
    match first_refusal(json) {
        Some(failure) if failure.code == FailureCode::TooLarge => None,
        refusal => Some(is_json && refusal.is_none()),
    }
}

async fn are_jsonb(pool: &PgPool, texts: &[&str]) -> Vec<bool> {
    sqlx::query_scalar("select is_jsonb($1)")
        .bind(texts)
        .fetch_one(pool)
        .await
        .unwrap()
}

/// The texts of records, with those that are computed for their events without a database.
async fn payload_texts(pool: &PgPool, stored: &[(i64, &Event<'_>)]) -> Vec<(String, String)> {
    let record_ids: Vec<i64> = stored.iter().map(|(record_id, _)| *record_id).collect();
    let texts: Vec<String> = sqlx::query_scalar(
        "select payload::text from unnest($1::bigint[]) with ordinality as r (record_id, place)
         join records using (record_id) order by place",
    )
    .bind(record_ids)
    .fetch_all(pool)
    .await
    .unwrap();
    assert_eq!(texts.len(), stored.len());
    let computed = stored.iter().map(|(_, event)| stored_text(&event.json));
    texts.into_iter().zip(computed).collect()
}

/// Ids of the records that differ from their event.
async fn different_records(pool: &PgPool, stored: &[(i64, &Event<'_>)]) -> Vec<i64> {
    let text = |of: fn(&Event<'_>) -> Option<String>| -> Vec<Option<String>> {
        stored.iter().map(|(_, event)| of(event)).collect()
    };
    let times: Vec<_> = stored.iter().map(|(_, event)| event.time).collect();
    let record_ids: Vec<i64> = stored.iter().map(|(record_id, _)| *record_id).collect();
    sqlx::query_scalar(
        "select record_id
         from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[],
                     $6::timestamptz[], $7::text[])
             as expected (record_id, source, id, type, subject, occurred_at, payload)
         left join records using (record_id)
         where (records.source, records.id, records.type, records.subject, records.occurred_at,
                records.payload)
             is distinct from (expected.source, expected.id, expected.type, expected.subject,
                               expected.occurred_at, expected.payload::jsonb)",
    )
    .bind(record_ids)
    .bind(text(|event| Some(event.source.to_string())))
    .bind(text(|event| Some(event.id.to_string())))
    .bind(text(|event| Some(event.event_type.to_string())))
    .bind(text(|event| event.subject.as_deref().map(str::to_owned)))
    .bind(times)
    .bind(text(|event| Some(event.json.to_string())))
    .fetch_all(pool)
    .await
    .unwrap()
}

fn run<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
    check: impl Fn(&[T]) -> Result<(), TestCaseError>,
) {
    let rounds = std::env::var("PROPTEST_CASES").ok();
    let mut runner = TestRunner::new(Config {
        cases: rounds.and_then(|text| text.parse().ok()).unwrap_or(ROUNDS),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    });
    let texts = prop::collection::vec(strategy, TEXTS_PER_ROUND);
    runner.run(&texts, |texts| check(&texts)).unwrap();
}

#[test]
fn text_is_accepted_exactly_when_jsonb_accepts_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(devstack::TestDatabase::create()).unwrap();
    runtime
        .block_on(sqlx::query(IS_JSONB).execute(database.pool()))
        .unwrap();
    run(text(), |texts| {
        // PostgreSQL accepts no text with the character NUL, in any type.
        let (judged, ours): (Vec<&str>, Vec<bool>) = texts
            .iter()
            .filter(|text| !text.contains('\0'))
            .filter_map(|text| Some((text.as_str(), is_accepted(text)?)))
            .unzip();
        let theirs = runtime.block_on(are_jsonb(database.pool(), &judged));
        prop_assert_eq!(theirs.len(), ours.len());
        for ((text, ours), theirs) in judged.iter().zip(ours).zip(theirs) {
            prop_assert_eq!(ours, theirs, "{:?}: ours, PostgreSQL's", text);
        }
        Ok(())
    });
}

#[test]
fn event_that_is_accepted_is_stored_as_it_is_and_one_refused_for_the_database_is_not() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(migrated());
    let pool = database.pool();
    runtime
        .block_on(sqlx::query(IS_JSONB).execute(pool))
        .unwrap();
    let (stored_count, refused_count) = (Cell::new(0), Cell::new(0));
    run(event_text(), |texts| {
        let mut events: Vec<Event<'_>> = Vec::new();
        let mut refused: Vec<&str> = Vec::new();
        for text in texts {
            prop_assert_eq!(parse_body(text), parse_event(text));
            match parse_event(text) {
                Ok(event) => events.push(event),
                Err(failure) if failure.code == FailureCode::RefusedByDatabase => {
                    refused.push(text)
                }
                Err(_) => {}
            }
        }
        let answers = runtime.block_on(are_jsonb(pool, &refused));
        prop_assert!(
            answers.iter().all(|is_taken| !is_taken),
            "{:?} {:?}",
            refused,
            answers
        );
        let written = runtime.block_on(write_batch(pool, &events));
        let written = written.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let stored: Vec<(i64, &Event<'_>)> = written
            .iter()
            .zip(&events)
            .filter_map(|(written, event)| match written {
                Written::Stored(record_id) => Some((record_id.0, event)),
                Written::Duplicate | Written::Expired => None,
            })
            .collect();
        let different = runtime.block_on(different_records(pool, &stored));
        prop_assert!(different.is_empty(), "{:?} of {:?}", different, stored);
        for (theirs, ours) in runtime.block_on(payload_texts(pool, &stored)) {
            prop_assert_eq!(theirs, ours, "PostgreSQL's text, ours");
        }
        stored_count.set(stored_count.get() + stored.len());
        refused_count.set(refused_count.get() + refused.len());
        Ok(())
    });
    assert!(stored_count.get() > 0 && refused_count.get() > 0);
}
