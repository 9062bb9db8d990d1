//! The console where only the signed API can be reached: it shows what it shows with a database.

use chrono::{TimeDelta, Utc};
use event::{Bucket, Cursor, EventKey, GroupBy, Order, RecordId, RecordQuery, StatsQuery};
use pipeline::Pipeline;
use pipeline::environment::Environment;
use pipeline::model::ReadPath;
use serde_json::json;

use crate::pipeline::{Turn, deployed};
use crate::support::configuration;
use crate::support::harness::LIMIT;
use crate::support::program::Program;

/// Nothing listens there.
const NO_DATABASE: &str = "database_url = \"postgres://nobody@127.0.0.1:1/events\"\n";

/// A source with everything that a query escapes.
const SOURCE: &str = "/by/a+b&c=d/%41/~";

fn event(id: &str) -> String {
    json!({
        "specversion": "1.0", "id": id, "source": SOURCE, "type": "by.api",
        "time": "2026-01-31T12:00:00.123456Z", "data": {"amount": 12.50, "title": "\u{f1} \"q\""},
    })
    .to_string()
}

fn key(id: &str) -> EventKey {
    EventKey {
        source: SOURCE.to_owned(),
        id: id.to_owned(),
    }
}

/// The program that knows the pipeline's signed API, and its database only by `more`.
pub(crate) fn program(turn: &Turn, more: &str) -> Program {
    let program = Program::new();
    program.configure(&configuration::by_api(&turn.endpoints, more));
    program
}

/// Publishes events and waits until they are stored.
fn publish(turn: &Turn, ids: &[&str]) {
    for id in ids {
        let file = turn.program.write("by-api.json", event(id));
        turn.json(&["publish", file.to_str().unwrap()]);
    }
    let list = ["records", "list", "--source", SOURCE];
    turn.program.json_until(&list, LIMIT, |page| {
        let stored = page["items"].as_array().unwrap();
        let is_stored = |id: &&str| stored.iter().any(|record| record["id"] == **id);
        ids.iter().all(is_stored)
    });
}

#[test]
fn records_are_the_same_with_and_without_a_database() {
    let turn = deployed();
    publish(&turn, &["a", "b", "c"]);
    let by_api = program(&turn, "");
    let both = |arguments: &[&str]| {
        let (direct, by_api) = (turn.json(arguments), by_api.json_ok(arguments));
        assert_eq!(direct, by_api, "{arguments:?}");
        direct
    };
    let list = ["records", "list", "--source", SOURCE, "--limit", "2"];
    let first = both(&list);
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = both(&[&list[..], &["--cursor", cursor]].concat());
    assert!(!second["items"].as_array().unwrap().is_empty());
    let oldest = ["--order", "asc", "--to", "2026-02-01T00:00:00Z"];
    both(&[&["records", "list", "--type", "by.api"], &oldest[..]].concat());
    let from = ["--from", "2026-01-31T12:00:00.123456Z"];
    both(&[&["records", "list", "--id", "b"], &from[..]].concat());
    let record_id = second["items"][0]["record_id"].to_string();
    both(&["records", "get", &record_id]);
    for program in [&turn.program, &by_api] {
        let altered = program.run(&["records", "list", "--cursor", cursor]);
        assert_eq!(altered.code, 2, "{altered:?}");
        assert!(altered.stderr.contains("other filters"), "{altered:?}");
        let missing = program.run(&["records", "get", "999999999"]);
        assert_eq!(missing.code, 1, "{missing:?}");
        let expected = "there is no record 999999999";
        assert!(missing.stderr.contains(expected), "{missing:?}");
    }
    let (direct, status) = (turn.json(&["status"]), by_api.json_ok(&["status"]));
    let reads = (&direct["reads"], &status["reads"]);
    assert_eq!(reads, (&json!("database"), &json!("api")));
    assert_eq!(direct["records"], status["records"]);
    let errors = status["errors"].as_array().unwrap().iter();
    let parts: Vec<_> = errors.map(|error| &error["part"]).collect();
    assert_eq!(parts, ["ingest"], "the function is not configured here");
    let shown = by_api.run(&["status"]);
    assert!(shown.stdout.contains("read by the API"), "{shown:?}");
}

#[test]
fn redrive_is_judged_and_proved_without_a_database() {
    let turn = deployed();
    let by_api = program(&turn, "");
    let verdict = |message_id: &str| {
        let messages = by_api.json_ok(&["dlq", "list"]);
        let mut messages = messages.as_array().unwrap().clone().into_iter();
        let is_it = |message: &serde_json::Value| message["message_id"] == message_id;
        messages.find(is_it).unwrap()
    };
    let ready = turn.add_dead_letter(&event("redriven"), Some("by-api"));
    assert_eq!(verdict(&ready)["verdict"], "ready");
    let report = by_api.json_ok(&["redrive", "run", "--code", "by-api", "--yes"]);
    let counts = (&report["moved"], &report["stored"]);
    assert_eq!(counts, (&json!(1), &json!(1)), "{report}");
    let again = turn.add_dead_letter(&event("redriven"), Some("by-api"));
    let stored = verdict(&again);
    assert_eq!(stored["verdict"], "already-stored");
    let list = ["records", "list", "--source", SOURCE, "--id", "redriven"];
    let page = turn.json(&list);
    assert_eq!(stored["stored_as"], page["items"][0]["record_id"]);
}

#[test]
fn unreachable_database_leaves_the_api() {
    let turn = deployed();
    publish(&turn, &["d"]);
    let away = program(&turn, NO_DATABASE);
    let list = ["records", "list", "--source", SOURCE, "--id", "d"];
    assert_eq!(away.json_ok(&list), turn.json(&list));
    assert_eq!(away.json_ok(&["status"])["reads"], "api");
}

#[test]
fn every_read_has_the_same_answer_on_both_ways() {
    let turn = deployed();
    publish(&turn, &["e", "f", "g"]);
    let direct = turn.pipeline();
    let by_api = Pipeline::connect(&Environment {
        database_url: None,
        ..direct.environment().clone()
    })
    .unwrap();
    assert_eq!(direct.read_path(), Some(ReadPath::Database));
    assert_eq!(by_api.read_path(), Some(ReadPath::Api));
    let stats = StatsQuery {
        from: "2026-01-31T00:00:00Z".parse().unwrap(),
        to: "2026-02-01T00:00:00Z".parse().unwrap(),
        bucket: Bucket::Minute,
        group_by: GroupBy::Source,
    };
    let unknown = (0..1_200).map(|number| key(&format!("never-{number}")));
    let mut keys: Vec<EventKey> = unknown.collect();
    keys.insert(700, key("e"));
    turn.runtime.block_on(async {
        let all = RecordQuery::default();
        let page = direct.list_records(&all).await.unwrap();
        assert_eq!(page, by_api.list_records(&all).await.unwrap());
        pages_upwards_are_those_downwards(direct).await;
        pages_upwards_are_those_downwards(&by_api).await;
        let id = page.items[0].record_id;
        let record = direct.get_record(id).await.unwrap();
        assert!(record.is_some());
        assert_eq!(record, by_api.get_record(id).await.unwrap());
        assert_eq!(by_api.get_record(RecordId(-1)).await.unwrap(), None);
        let types = direct.type_counts().await.unwrap();
        assert!(types.iter().any(|one| one.event_type == "by.api"));
        assert_eq!(types, by_api.type_counts().await.unwrap());
        let at = stats.to;
        let names = direct.record_names(at).await.unwrap();
        assert!(names.types.iter().any(|(name, _)| name == "by.api"));
        assert!(names.sources.iter().any(|(name, _)| name == SOURCE));
        assert_eq!(names.missing, None);
        assert_eq!(names, by_api.record_names(at).await.unwrap());
        let counts = direct.stats(&stats).await.unwrap();
        assert!(counts.iter().any(|one| one.group == SOURCE));
        assert_eq!(counts, by_api.stats(&stats).await.unwrap());
        let found = direct.stored_keys(&keys).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found, by_api.stored_keys(&keys).await.unwrap());
        let (one, other) = tokio::join!(direct.record_totals(), by_api.record_totals());
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.total, other.total);
        assert_eq!(one.last_ingested_at, other.last_ingested_at);
        assert!((Utc::now() - other.database_now).abs() < TimeDelta::minutes(5));
    });
}

/// The page above a record is read in the other order, from that record.
async fn pages_upwards_are_those_downwards(pipeline: &Pipeline) {
    let mut query = RecordQuery {
        limit: 2,
        source: Some(SOURCE.to_owned()),
        ..RecordQuery::default()
    };
    let first = pipeline.list_records(&query).await.unwrap();
    query.cursor = first.next_cursor;
    let second = pipeline.list_records(&query).await.unwrap();
    let top = &second.items[0];
    let upwards = RecordQuery {
        order: Order::Asc,
        cursor: Some(Cursor {
            order: Order::Asc,
            occurred_at: top.occurred_at,
            record_id: top.record_id,
        }),
        ..query
    };
    let mut above = pipeline.list_records(&upwards).await.unwrap();
    assert_eq!(above.next_cursor, None, "that is the top");
    above.items.reverse();
    assert_eq!(above.items, first.items);
}

#[test]
fn refusal_by_the_gateway_is_shown_with_its_status() {
    let turn = deployed();
    let elsewhere = format!("{}/_aws/execute-api/nowhere", turn.endpoints.endpoint_url);
    let text =
        configuration::by_api(&turn.endpoints, "").replace(&turn.endpoints.api_url, &elsewhere);
    let program = Program::new();
    program.configure(&text);
    let answer = program.run(&["records", "list"]);
    assert_ne!(answer.code, 0, "{answer:?}");
    assert!(answer.stderr.contains("list records at"), "{answer:?}");
    assert!(answer.stderr.contains("status 4"), "{answer:?}");
}
