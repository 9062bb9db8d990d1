//! `trace` on the whole pipeline: where an event is, what is known of its way, and what is not.

use serde_json::{Value, json};

use crate::pipeline::{Turn, deployed};
use crate::support::configuration;
use crate::support::harness::LIMIT;
use crate::support::program::Program;

const SOURCE: &str = "/trace/it's%20a+test";
/// Nothing listens there.
const NO_DATABASE: &str = "database_url = \"postgres://nobody@127.0.0.1:1/events\"\n";

fn event(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": SOURCE, "type": "trace.tested",
        "time": "2026-01-31T12:00:00Z", "data": {"title": "\u{1b}[2J"},
    })
}

/// Publishes the event, which is stored.
fn store(turn: &Turn, id: &str) {
    let file = turn.program.write("trace.json", event(id).to_string());
    turn.json(&["publish", file.to_str().unwrap()]);
    let list = ["records", "list", "--source", SOURCE, "--id", id];
    turn.program.json_until(&list, LIMIT, |page| {
        !page["items"].as_array().unwrap().is_empty()
    });
}

/// Publishes the event without its time, which the ingest refuses; returns the id of its dead letter.
fn kill(turn: &Turn, id: &str) -> String {
    let mut dead = event(id);
    dead.as_object_mut().unwrap().remove("time");
    let file = turn.program.write("trace.json", dead.to_string());
    turn.json(&["publish", "--raw", file.to_str().unwrap()]);
    // Another test may have left a message with the same id.
    let is_it =
        |letter: &&Value| letter["event"]["id"] == id && letter["event"]["source"] == SOURCE;
    let letters = turn.program.json_until(&["dlq", "list"], LIMIT, |letters| {
        letters
            .as_array()
            .unwrap()
            .iter()
            .any(|letter| is_it(&letter))
    });
    let letter = letters.as_array().unwrap().iter().find(is_it).unwrap();
    letter["message_id"].as_str().unwrap().to_owned()
}

fn state(traced: &Value) -> &str {
    traced["conclusion"]["state"].as_str().unwrap()
}

/// The facts of a hop.
fn facts(traced: &Value, hop: &str) -> Vec<Value> {
    let facts = traced["facts"].as_array().unwrap().iter();
    facts.filter(|fact| fact["hop"] == hop).cloned().collect()
}

/// The places of which something could not be read.
fn unread(traced: &Value) -> Vec<&str> {
    let gaps = traced["unknown"].as_array().unwrap().iter();
    let failed = gaps.filter(|gap| gap["is_failure"] == true);
    failed.map(|gap| gap["place"].as_str().unwrap()).collect()
}

#[test]
fn stored_event_has_its_record_its_partition_and_the_answer_of_the_api() {
    let turn = deployed();
    store(&turn, "stored");
    let (code, traced) = turn.program.json(&["trace", SOURCE, "stored"]);
    assert_eq!((code, state(&traced)), (0, "stored"), "{traced}");
    let record = &facts(&traced, "stored")[0];
    let text = record["text"].as_str().unwrap();
    assert!(text.contains(", in partition records"), "{text}");
    assert_eq!(record["read_from"], "records");
    let readable = facts(&traced, "readable")[0]["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(readable.contains("status 200"), "{readable}");
    let occurred = &facts(&traced, "occurred")[0];
    assert_eq!(occurred["at"], "2026-01-31T12:00:00Z");
    assert_eq!(unread(&traced), [""; 0], "{traced}");
    // Nothing that is known is silently absent: the publication of a file is not on record by its events.
    let unknown = traced["unknown"].to_string();
    assert!(unknown.contains("publications of files"), "{unknown}");
    let shown = turn.run(&["trace", SOURCE, "stored"]);
    assert!(shown.stdout.contains("stored as record"), "{shown:?}");
    assert!(!shown.stdout.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn dead_event_is_found_where_the_dead_letters_are_searched_and_all_are_released() {
    let turn = deployed();
    let message_id = kill(&turn, "dead");
    let (code, traced) = turn.program.json(&["trace", SOURCE, "dead"]);
    assert_eq!((code, state(&traced)), (1, "not-seen"), "{traced}");
    let next_step = traced["conclusion"]["next_step"].as_str().unwrap();
    assert!(next_step.contains("--search-dead-letters"), "{next_step}");
    let unknown = traced["unknown"].to_string();
    assert!(
        unknown.contains("not searched: a search receives"),
        "{unknown}"
    );
    let (before, _) = turn.depth();

    let search = ["trace", SOURCE, "dead", "--search-dead-letters"];
    let (code, traced) = turn.program.json(&search);
    assert_eq!((code, state(&traced)), (1, "dead"), "{traced}");
    let text = traced["conclusion"]["text"].as_str().unwrap();
    assert!(text.contains("missing-attribute: "), "{text}");
    assert!(text.contains("would refuse it again"), "{text}");
    let next_step = traced["conclusion"]["next_step"].as_str().unwrap();
    assert!(next_step.contains(&message_id), "{next_step}");
    let dead = &facts(&traced, "dead")[0];
    assert_eq!(dead["reference"], message_id.as_str());
    assert!(!facts(&traced, "attempted").is_empty(), "{traced}");
    assert_eq!(turn.depth(), (before, 0), "all are released");
}

/// Traces until what was logged is there: CloudWatch takes lines in a moment later.
fn traced_with_logs(program: &Program, arguments: &[&str]) -> Vec<Value> {
    let deadline = std::time::Instant::now() + LIMIT;
    loop {
        let (_, traced) = program.json(arguments);
        let facts = traced["facts"].as_array().unwrap().iter();
        let logged: Vec<Value> = facts
            .filter(|fact| fact["read_from"] == "logs")
            .cloned()
            .collect();
        if logged
            .iter()
            .any(|fact| fact["text"].to_string().contains("batch handled"))
        {
            return logged;
        }
        assert!(std::time::Instant::now() < deadline, "{traced}");
    }
}

#[test]
fn log_lines_of_the_request_that_refused_the_event_are_on_its_time_line() {
    let turn = deployed();
    let message_id = kill(&turn, "logged");
    let letter = turn.json(&["dlq", "show", &message_id]);
    let logged = traced_with_logs(
        &turn.program,
        &["trace", SOURCE, "logged", "--search-dead-letters"],
    );
    for fact in &logged {
        assert_eq!(fact["hop"], "attempted", "{fact}");
        assert_eq!(fact["reference"], letter["reason"]["request_id"], "{fact}");
    }
    let refused = logged.iter().map(|fact| fact["text"].to_string());
    let refused = refused.collect::<String>();
    assert!(refused.contains("failed_missing-attribute="), "{refused}");
}

#[test]
fn batch_that_was_handled_when_an_event_was_stored_is_named_when_no_other_can_come() {
    let turn = deployed();
    store(&turn, "logged-batch");
    let trace = ["trace", SOURCE, "logged-batch"];
    let (_, traced) = turn.program.json(&trace);
    let unknown = traced["unknown"].to_string();
    assert!(
        unknown.contains("which invocation stored it: the line of a batch"),
        "{unknown}"
    );
    // An ingest that may run for a second has ended soon.
    let program = Program::new();
    let folder = program.configure("");
    let file = configuration::of(&turn.endpoints, folder.parent().unwrap());
    let mut text = std::fs::read_to_string(&file).unwrap();
    text += "function_timeout_secs = 1\n";
    std::fs::write(&file, text).unwrap();
    let logged = traced_with_logs(&program, &trace);
    assert_eq!(logged.len(), 1, "{logged:?}");
    let text = logged[0]["text"].as_str().unwrap();
    assert!(
        text.starts_with("the only batch found that was being handled"),
        "{text}"
    );
    assert!(logged[0]["reference"].is_string());
}

#[test]
fn event_that_was_mended_and_redriven_has_the_redrive_on_its_time_line() {
    let turn = deployed();
    let message_id = kill(&turn, "redriven");
    let patch = r#".time = "2026-01-31T12:00:00Z""#;
    let redrive = [
        "redrive",
        "run",
        &message_id,
        "--patch",
        patch,
        "--yes",
        "--reason",
        "forgot",
    ];
    let report = turn.json(&redrive);
    assert_eq!(report["stored"], 1, "{report}");
    let (code, traced) = turn.program.json(&["trace", SOURCE, "redriven"]);
    assert_eq!((code, state(&traced)), (0, "stored"), "{traced}");
    let one = |hop: &str, place: &str| {
        let mut facts = facts(&traced, hop).into_iter();
        let fact = facts.find(|fact| fact["read_from"] == place);
        let fact = fact.unwrap_or_else(|| panic!("{hop} from {place}: {traced}"));
        (
            fact["text"].as_str().unwrap().to_owned(),
            fact["reference"].clone(),
        )
    };
    let (planned, id) = one("edited", "journals");
    assert!(planned.contains("with an edited body"), "{planned}");
    assert_eq!(id, report["id"]);
    let died = one("dead", "journals").0;
    assert!(
        died.contains(&message_id) && died.contains("missing-attribute: "),
        "{died}"
    );
    assert!(one("redriven", "journals").0.starts_with("sent to "));
    assert!(
        one("verdict", "journals")
            .0
            .contains("saw it stored, as record")
    );
    assert!(one("edited", "audit-log").0.contains("reason: forgot"));
    // Its hops are in the order of their times, whose clocks are those of one machine here.
    let facts = traced["facts"].as_array().unwrap();
    let times: Vec<_> = facts
        .iter()
        .filter_map(|fact| fact["at"].as_str())
        .collect();
    let times: Vec<chrono::DateTime<chrono::Utc>> =
        times.iter().map(|time| time.parse().unwrap()).collect();
    assert!(times.is_sorted(), "{traced}");
}

#[test]
fn unknown_event_is_seen_nowhere_and_what_was_searched_is_listed() {
    let turn = deployed();
    let (code, traced) = turn.program.json(&["trace", SOURCE, "never"]);
    assert_eq!((code, state(&traced)), (1, "not-seen"), "{traced}");
    let searched = traced["searched"].as_array().unwrap().iter();
    let places: Vec<_> = searched.map(|search| &search["place"]).collect();
    for place in ["records", "queue", "journals", "audit-log"] {
        assert!(
            places.iter().any(|other| *other == place),
            "{place}: {traced}"
        );
    }
    assert!(facts(&traced, "stored").is_empty());
}

#[test]
fn unknown_event_is_not_called_unseen_where_a_journal_that_may_have_it_is_damaged() {
    let turn = deployed();
    let program = Program::new();
    let file = program.configure("");
    configuration::of(&turn.endpoints, file.parent().unwrap());
    let (code, traced) = program.json(&["trace", SOURCE, "in-a-journal"]);
    assert_eq!((code, state(&traced)), (1, "not-seen"), "{traced}");
    let journal = format!("state/opsconsole/redrives/{}.journal", uuid::Uuid::now_v7());
    program.write(&journal, "no frame of in-a-journal\n");
    let (code, traced) = program.json(&["trace", SOURCE, "in-a-journal"]);
    assert_eq!((code, state(&traced)), (3, "unknown"), "{traced}");
    assert_eq!(unread(&traced), ["journals"], "{traced}");
    let text = traced["conclusion"]["text"].as_str().unwrap();
    let expected = "not all that this machine did is known: journal: ";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn event_is_traced_by_the_api_and_undetermined_without_both() {
    let turn = deployed();
    store(&turn, "by-api");
    let by_api = Program::new();
    by_api.configure(&configuration::by_api(&turn.endpoints, NO_DATABASE));
    let (code, traced) = by_api.json(&["trace", SOURCE, "by-api"]);
    assert_eq!((code, state(&traced)), (0, "stored"), "{traced}");

    let away = Program::new();
    let text = configuration::by_api(&turn.endpoints, NO_DATABASE);
    away.configure(&text.replace(&turn.endpoints.api_url, configuration::NOBODY));
    let (code, traced) = away.json(&["trace", SOURCE, "by-api"]);
    assert_eq!((code, state(&traced)), (3, "unknown"), "{traced}");
    assert_eq!(unread(&traced), ["records"], "{traced}");
    let text = traced["conclusion"]["text"].as_str().unwrap();
    assert!(text.contains("could not be read: "), "{text}");
    assert!(!text.contains("stored as record"), "{text}");
}

#[test]
fn event_without_a_name_is_wrong_usage() {
    let program = Program::new();
    for arguments in [
        &["trace", SOURCE][..],
        &["trace", "", "id"],
        &["trace", SOURCE, ""],
    ] {
        let answer = program.run(arguments);
        assert_eq!(answer.code, 2, "{arguments:?}: {answer:?}");
    }
}
