//! The server's log under the settings of the deployed database: no data of an event is in it, whatever fails and
//! however slow it is.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use devstack::{Durability, Postgres, PostgresOptions};
use event::{Bucket, Event, EventKey, GroupBy, RecordId, RecordQuery, StatsQuery};
use hcl_edit::structure::{Block, Body};
use store::{
    Columns, ConnectSettings, PartitionPlan, PartitionWidth, PgPool, PublicationName,
    QuestionLimits, Replacement, Shares, StoreError, connect, create_partitions,
    delete_expired_records, drop_partitions, erase_records, migrate, write_batch,
};

use crate::events::{at, event_from, with_json};

/// In every text of every event, and in every filter.
const MARKER: &str = "m4rk3r";
const DATABASE: &str = "log";
const NOON: &str = "2026-11-24T12:00:00Z";
/// Logs every statement as a slow one.
const ALL_ARE_SLOW: &str = "log_min_duration_statement=0";

/// Settings of the parameter group, from Terraform's file.
fn deployed_settings() -> Vec<String> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../terraform/modules/database/main.tf"
    );
    let body: Body = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let is_group = |block: &&Block| {
        let labels = block.labels.iter().map(|label| label.as_str());
        labels.eq(["aws_rds_cluster_parameter_group", "this"])
    };
    let group = body.get_blocks("resource").find(is_group).unwrap();
    let text = |parameter: &Block, key: &str| {
        let found = parameter.body.get_attribute(key).unwrap();
        found.value.as_str().unwrap().to_owned()
    };
    let parameters = group.body.get_blocks("parameter");
    parameters
        .map(|block| format!("{}={}", text(block, "name"), text(block, "value")))
        .collect()
}

/// Which statements are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Succeeding,
    Failing,
}

/// The log of a server with the settings of the deployment and these on top, after its statements.
async fn log_with(more: &[&str], sent: &[Sent]) -> String {
    let mut settings = deployed_settings();
    settings.extend(more.iter().map(|setting| (*setting).to_owned()));
    let server = Postgres::start(PostgresOptions {
        durability: Durability::None,
        settings,
        ..PostgresOptions::default()
    })
    .await
    .unwrap();
    server.create_database(DATABASE).await.unwrap();
    let pool = connect(&ConnectSettings::new(server.url(DATABASE), "test"))
        .await
        .unwrap();
    migrate(&pool).await.unwrap();
    if sent.contains(&Sent::Succeeding) {
        succeed(&pool).await;
    }
    if sent.contains(&Sent::Failing) {
        fail(&pool, &server.url(DATABASE)).await;
    }
    store::disconnect(pool).await;
    let log = server.log().unwrap();
    server.stop().await.unwrap();
    log
}

fn marked(text: &str) -> String {
    format!("{MARKER}-{text}")
}

fn marked_event(id: &str, time: DateTime<Utc>) -> Event<'static> {
    let mut event = event_from(&marked("source"), &marked(id), &marked("type"), time);
    event.subject = Some(marked("subject").into());
    event
}

/// Sends every statement of the store once, with the marker wherever it takes a text.
async fn succeed(pool: &PgPool) {
    let noon = at(NOON);
    let plan = PartitionPlan {
        width: PartitionWidth::Day,
        ahead: 2,
        keep: Some(3),
    };
    create_partitions(pool, &plan, noon).await.unwrap();
    let old = noon - TimeDelta::days(30);
    let batch = [
        marked_event("a", noon),
        marked_event("b", noon),
        marked_event("old", old),
    ];
    write_batch(pool, &batch).await.unwrap();
    write_batch(pool, &batch).await.unwrap();
    read(pool, &batch).await;
    assert!(store::has_records(pool).await.unwrap());
    store::permit_replacements(pool, false).await.unwrap();
    let wanted = Replacement {
        event: &marked_event("corrected", noon),
        replaces: RecordId(1),
    };
    store::replace_records(pool, &[wanted]).await.unwrap();
    let record = store::list_records(pool, &by_id("a")).await.unwrap();
    let position = (noon, record.items[0].record_id);
    store::erasure_rights(pool).await.unwrap();
    let partitions = store::partitions_of(pool, &[noon]).await.unwrap();
    let names = [partitions[0].name.clone()];
    let named = store::partitions_named(pool, &names).await.unwrap();
    assert_eq!(named.len(), 1);
    assert_eq!(erase_records(pool, &[position]).await.unwrap(), [position]);
    store::vacuum_erased(pool, &partitions[0].name, true)
        .await
        .unwrap();
    store::vacuum_statistics(pool).await.unwrap();
    store::fold_counts(pool, noon).await.unwrap();
    drop_partitions(pool, &plan, noon).await.unwrap();
    assert_eq!(delete_expired_records(pool, &plan, noon).await.unwrap(), 1);
    store::keep_partitions(pool, &plan, noon).await.unwrap();
    store::upkeep(pool, &plan, noon, Shares::DAILY)
        .await
        .whole()
        .unwrap();
    // Without logical replication it is refused after its first statement.
    let name = PublicationName::new("warehouse").unwrap();
    store::publish_records(pool, &name).await.unwrap_err();
}

fn by_id(id: &str) -> RecordQuery {
    RecordQuery {
        id: Some(marked(id)),
        ..RecordQuery::default()
    }
}

async fn read(pool: &PgPool, batch: &[Event<'_>]) {
    let keys: Vec<EventKey> = batch.iter().map(Event::key).collect();
    let query = |change: fn(&mut RecordQuery)| {
        let mut query = RecordQuery::default();
        change(&mut query);
        query
    };
    for query in [
        by_id("a"),
        query(|query| query.source = Some(marked("source"))),
        query(|query| query.event_type = Some(marked("type"))),
        query(|query| query.subject = Some(marked("subject"))),
        query(|query| {
            query.source = Some(marked("source"));
            query.event_type = Some(marked("type"));
            query.subject = Some(marked("subject"));
        }),
    ] {
        let page = store::list_records(pool, &query).await.unwrap();
        assert!(!page.items.is_empty(), "{query:?}");
        store::list_rows(pool, &query, Columns::All).await.unwrap();
    }
    for group_by in [GroupBy::Type, GroupBy::Source] {
        let query = StatsQuery {
            from: at(NOON) - TimeDelta::hours(1),
            to: at(NOON) + TimeDelta::hours(1),
            bucket: Bucket::Minute,
            group_by,
        };
        store::stats(pool, &query).await.unwrap();
    }
    store::get_record(pool, RecordId(1)).await.unwrap();
    store::get_row(pool, RecordId(1), Columns::All)
        .await
        .unwrap();
    store::types(pool).await.unwrap();
    store::summary(pool).await.unwrap();
    store::partition_sizes(pool).await.unwrap();
    store::retention_horizon(pool).await.unwrap();
    store::inspect(pool).await.unwrap();
    store::database_created_at(pool).await.unwrap();
    store::arrival_watermark(pool).await.unwrap();
    store::records_after(pool, RecordId(0), 10).await.unwrap();
    store::rows_after(pool, RecordId(0), 10, Columns::All)
        .await
        .unwrap();
    assert_eq!(store::stored_keys(pool, &keys).await.unwrap().len(), 3);
    store::look_up_keys(pool, &keys).await.unwrap();
    store::stored_events(pool, &keys).await.unwrap();
    store::stored_texts(pool, &keys).await.unwrap();
    store::ping(pool).await.unwrap();
    // Its text is the operator's own, and is in a log of slow statements.
    let time = Duration::from_secs(10);
    let question = store::begin_question(pool, time).await.unwrap();
    let backend = question.backend();
    let limits = QuestionLimits {
        rows: 10,
        bytes: 10_000,
        time,
    };
    let all = "select source, id, payload from records";
    assert_eq!(question.ask(all, limits).await.unwrap().rows.len(), 3);
    store::cancel_question(pool, backend).await.unwrap();
}

/// Writes that the database refuses, each for another reason, and statements that it ends.
async fn fail(pool: &PgPool, url: &str) {
    let noon = at(NOON);
    let refused = async |event: Event<'static>| -> StoreError {
        write_batch(pool, &[event]).await.unwrap_err()
    };
    for json in [
        r#"{"m4rk3r":"\u0000"}"#,
        r#"{"m4rk3r":"\ud800"}"#,
        r#"{"m4rk3r":1e400000}"#,
        r#"{"m4rk3r"#,
        "m4rk3r",
    ] {
        let error = refused(with_json(marked_event("json", noon), json)).await;
        assert!(error.is_event_fault(), "{json}: {error}");
    }
    // Longer than an entry of an index, and not compressible.
    let digits = (0..4_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_string());
    let mut long = marked_event("long", noon);
    long.subject = Some(marked(&digits.collect::<String>()).into());
    assert!(refused(long).await.is_event_fault());
    sqlx::query("alter table records add constraint no_poison check (type !~ 'type$') not valid")
        .execute(pool)
        .await
        .unwrap();
    let error = refused(marked_event("check", noon)).await;
    assert!(error.to_string().contains("no_poison"), "{error}");
    // The sequence is behind the data, as after a logical restore.
    sqlx::query("alter table records drop constraint no_poison")
        .execute(pool)
        .await
        .unwrap();
    write_batch(pool, &[marked_event("kept", noon)])
        .await
        .unwrap();
    sqlx::query("select setval('event_keys_record_id_seq', 1, false)")
        .execute(pool)
        .await
        .unwrap();
    let mut unique = 0;
    for number in 0..10 {
        let written = write_batch(pool, &[marked_event(&format!("again-{number}"), noon)]).await;
        unique += usize::from(written.is_err());
    }
    assert!(unique > 0);
    end_by_limits(pool, url).await;
}

/// Statements that end at the time limit and at the limit of a lock.
async fn end_by_limits(pool: &PgPool, url: &str) {
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("lock table records in access exclusive mode")
        .execute(&mut *holder)
        .await
        .unwrap();
    for limit in ["statement_timeout", "lock_timeout"] {
        let limited = format!("{url}&options[{limit}]=100");
        let pool = connect(&ConnectSettings {
            statement_timeout: None,
            ..ConnectSettings::new(limited, "test")
        })
        .await
        .unwrap();
        let event = marked_event(limit, at(NOON));
        write_batch(&pool, &[event]).await.unwrap_err();
        let query = RecordQuery {
            event_type: Some(marked("type")),
            ..RecordQuery::default()
        };
        store::list_records(&pool, &query).await.unwrap_err();
    }
    holder.rollback().await.unwrap();
}

/// The first of them.
fn lines_with_marker(log: &str) -> String {
    let lines = log.lines().filter(|line| line.contains(MARKER));
    lines.take(5).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn no_data_of_an_event_is_logged_with_the_settings_of_the_deployment() {
    let log = log_with(&[ALL_ARE_SLOW], &[Sent::Succeeding, Sent::Failing]).await;
    assert!(!log.contains(MARKER), "{}", lines_with_marker(&log));
    // It has the statements and the errors themselves.
    for expected in [
        "duration: ",
        "insert into records",
        "violates check constraint",
        "invalid input syntax for type json",
        "duplicate key value",
        "canceling statement due to statement timeout",
        "canceling statement due to lock timeout",
    ] {
        assert!(log.contains(expected), "{expected} is not in the log");
    }
}

/// The terse errors and the length of parameters keep something out; the length of parameters in errors is
/// PostgreSQL's default, and is set so that it stays.
#[tokio::test]
async fn without_one_of_the_settings_data_is_logged() {
    let verbose = "log_error_verbosity=default";
    let failing = log_with(&[verbose], &[Sent::Failing]).await;
    assert!(failing.contains(MARKER), "an error quotes the row");
    let slow = [ALL_ARE_SLOW, verbose];
    let succeeding = log_with(&slow, &[Sent::Succeeding]).await;
    assert!(
        !succeeding.contains(MARKER),
        "{}",
        lines_with_marker(&succeeding)
    );
    let with_parameters = [ALL_ARE_SLOW, verbose, "log_parameter_max_length=-1"];
    let succeeding = log_with(&with_parameters, &[Sent::Succeeding]).await;
    assert!(
        succeeding.contains(MARKER),
        "parameters of a slow statement"
    );
}

#[test]
fn every_function_that_sends_a_statement_is_called_here() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut functions = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = std::fs::read_to_string(path).unwrap();
            let names = text.split("\npub async fn ").skip(1);
            let end = |rest: &str| rest.find(['(', '<']).unwrap();
            functions.extend(names.map(|rest| rest.split_at(end(rest)).0.to_owned()));
        }
    }
    assert!(functions.contains("write_batch"), "{functions:?}");
    let called = |name: &&String| include_str!("log.rs").contains(&format!("{name}("));
    let uncalled: Vec<_> = functions.iter().filter(|name| !called(name)).collect();
    assert_eq!(uncalled, [""; 0]);
}
