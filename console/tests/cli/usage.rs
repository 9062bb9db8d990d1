//! The program without a pipeline: help, usage errors, and services that do not answer.

use std::io::Read as _;
use std::net::TcpListener;

use crate::support::configuration::{NOBODY, environment_at};
use crate::support::program::Program;

/// What `demo` answers without a terminal: what to add, or how to get the demo.
const DEMO_REFUSED: &str = if cfg!(feature = "demo") {
    "--headless"
} else {
    "built without the demo: run `cargo demo` in a checkout"
};

fn help(arguments: &[&str]) -> String {
    let answer = Program::new().run(arguments);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.stderr, "");
    answer.stdout
}

/// The commands that a help text lists, without `help` itself.
fn listed(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn help_of_every_command_is_as_reviewed() {
    let mut commands = vec![Vec::new()];
    while let Some(command) = commands.pop() {
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        let text = help(&[arguments.as_slice(), &["--help"]].concat());
        for name in listed(&text) {
            commands.push([command.as_slice(), &[name]].concat());
        }
        let name = if command.is_empty() {
            "opsconsole".to_owned()
        } else {
            command.join("_")
        };
        insta::assert_snapshot!(format!("help_{name}"), text);
    }
}

#[test]
fn wrong_usage_exits_with_2_and_shows_what_is_wrong() {
    let program = Program::new();
    for (arguments, expected) in [
        (vec!["nonsense"], "unrecognized subcommand"),
        (vec!["records", "list", "--limit", "0"], "--limit"),
        (
            vec!["records", "list", "--from", "tomorrow"],
            "neither a time like 2026-11-24, 2026-11-24T06:30Z or full RFC 3339, today or \
             yesterday, nor a span back from now like 90s, 30m, 1h30m, 2d or 1w",
        ),
        (
            vec!["records", "list", "flight.delayed since=soon"],
            "since=soon is no time; write 2h (back from now), today",
        ),
        (
            vec!["records", "list", "since=1h until=2h"],
            "nothing lies between",
        ),
        (
            vec!["records", "list", "--column", "data.flight"],
            "does not begin with /; write /data/flight",
        ),
        (
            vec!["records", "get", "abc"],
            "a record id is a whole number",
        ),
        (
            vec!["publish", "x", "--count", "-1"],
            "-1 is not in 1..=1000000",
        ),
        (vec!["publish", "x", "--rate", "-1"], "not between"),
        (
            vec!["dlq", "list", "--limit", "-1"],
            "-1 is not in 1..=10000",
        ),
        (vec!["api", "get", "health"], "starts with \"/\""),
        (
            vec!["api", "get", "/health", "--repeat", "101"],
            "101 is not in 1..=100",
        ),
        (
            vec!["api", "get", "/health", "--repeat", "2", "--curl"],
            "cannot be used with",
        ),
        (vec!["dlq", "redrive"], "required"),
        (
            vec!["dlq", "list", "--where", ".data |"],
            "at the end of the program",
        ),
        (
            vec!["redrive", "run", "--all", "--patch", ".data | foo"],
            "unknown filter at \"foo\"",
        ),
        (
            vec!["redrive", "run", "--all", "--canary", "10,1"],
            "ascending",
        ),
        (
            vec!["redrive", "pause", "no-id"],
            "`opsconsole redrive list`",
        ),
        (
            vec!["redrive", "native", "start", "--rate", "501"],
            "501 is not in 1..=500",
        ),
        (vec!["status"], "cargo demo"),
        (
            vec!["--env", "nowhere", "status"],
            "no environment \"nowhere\"",
        ),
        (vec!["--config", "missing.toml", "status"], "missing.toml"),
        (vec!["demo"], DEMO_REFUSED),
    ] {
        let answer = program.run(&arguments);
        assert_eq!(answer.code, 2, "{arguments:?}: {answer:?}");
        assert!(
            answer.stderr.contains(expected),
            "{arguments:?}: {answer:?}"
        );
        assert_eq!(answer.stdout, "");
    }
}

#[test]
fn wrong_configuration_names_file_and_key() {
    let program = Program::new();
    program.configure(&environment_at("pilot", NOBODY, "oops = 1"));
    let answer = program.run(&["status"]);
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("config.toml: line "), "{answer:?}");
    assert!(answer.stderr.contains("oops"), "{answer:?}");
}

#[test]
fn unreachable_pipeline_exits_with_3_and_unknown_is_null() {
    let program = Program::new();
    program.configure(&environment_at(
        "away",
        NOBODY,
        "database_url = \"postgres://nobody@127.0.0.1:1/events\"",
    ));
    let (code, status) = program.json(&["status"]);
    assert_eq!(code, 3);
    for part in ["queue", "dead_letters", "records", "api"] {
        assert!(status[part].is_null(), "{status}");
        let errors = status["errors"].as_array().unwrap();
        let error = errors.iter().find(|error| error["part"] == part).unwrap();
        let error = error["error"].as_str().unwrap();
        assert!(error.contains("127.0.0.1:1"), "{error}");
        assert!(error.contains("connection refused (after"), "{error}");
    }
    let queue = &status["errors"][0]["error"];
    assert!(
        queue
            .as_str()
            .unwrap()
            .contains("connection refused (after"),
        "{queue}"
    );
    for arguments in [
        vec!["dlq", "list"],
        vec!["dlq", "group"],
        vec!["dlq", "export", "messages.jsonl"],
        vec!["records", "list"],
        vec!["api", "get", "/health"],
        vec!["api", "get", "/health", "--repeat", "3"],
    ] {
        let answer = program.run(&arguments);
        assert_eq!(answer.code, 3, "{arguments:?}: {answer:?}");
    }
}

#[test]
fn records_without_an_api_and_a_database_show_what_is_missing() {
    let program = Program::new();
    let api = format!("api_url = \"{NOBODY}\"\n");
    program.configure(&environment_at("bare", NOBODY, "").replace(&api, ""));
    let answer = program.run(&["records", "list"]);
    assert_eq!(answer.code, 1);
    assert!(
        answer.stderr.contains("add api_url or database_url"),
        "{answer:?}"
    );
}

#[test]
fn production_and_read_only_refuse_writes_before_any_question() {
    let program = Program::new();
    program.configure(&environment_at("live", NOBODY, "production = true"));
    let event = program.write("event.json", "{}");
    let event = event.to_str().unwrap();
    let answer = program.run(&["publish", event]);
    assert_eq!(answer.code, 1);
    assert!(answer.stderr.contains("--confirm live"), "{answer:?}");
    let answer = program.run(&["dlq", "redrive", "--all", "--yes", "--confirm", "other"]);
    assert_eq!(answer.code, 1);
    let answer = program.run(&["publish", event, "--confirm", "live"]);
    assert_eq!(answer.code, 1);
    assert!(answer.stderr.contains("--reason TEXT"), "{answer:?}");
    let answer = program.run(&["--read-only", "--confirm", "live", "publish", event]);
    assert_eq!(answer.code, 1);
    assert!(answer.stderr.contains("read-only"), "{answer:?}");
}

#[test]
fn invalid_events_are_reported_and_nothing_is_published() {
    let program = Program::new();
    program.configure(&environment_at("away", NOBODY, ""));
    let file = program.write("events.jsonl", "{\"specversion\":\"1.0\"}\n{\"a\":\n");
    let (code, report) = program.json(&["publish", file.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert_eq!(report["published"], 0);
    assert_eq!(report["failed"], 2);
    assert_eq!(report["errors"][0]["line"], 1);
    assert_eq!(report["errors"][0]["code"], "missing-attribute");
    assert_eq!(report["errors"][0]["pointer"], "/id");
    assert_eq!(report["errors"][1]["line"], 2);
    assert_eq!(report["errors"][1]["code"], "not-json");
}

#[test]
fn publish_without_an_answer_may_have_happened() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // Takes every request and hangs up.
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.read(&mut [0; 65_536]);
        }
    });
    let program = Program::new();
    program.configure(&environment_at("unanswered", &address, ""));
    let file = program.write("event", "{}");
    let (code, report) = program.json(&["publish", "--raw", file.to_str().unwrap()]);
    assert_eq!(code, 3, "{report}");
    assert_eq!(
        (&report["published"], &report["failed"]),
        (&0.into(), &1.into())
    );
    let error = &report["errors"][0];
    assert_eq!(error["code"], "unknown");
    assert!(
        error["detail"]
            .as_str()
            .unwrap()
            .contains("it may have been published"),
        "{error}"
    );
    // Nobody listens there: then it was certainly not published.
    program.configure(&environment_at("away", NOBODY, ""));
    let (code, report) = program.json(&["publish", "--raw", file.to_str().unwrap()]);
    assert_eq!(code, 3, "{report}");
    assert!(report["errors"][0]["code"].is_null(), "{report}");
}

#[test]
fn invalid_utf8_is_refused_with_its_offset() {
    let program = Program::new();
    program.configure(&environment_at("away", NOBODY, ""));
    let file = program.write("garbage", b"ab\xff\xfe\x1b[2J");
    let answer = program.run(&["publish", "--raw", file.to_str().unwrap()]);
    assert_eq!(answer.code, 1);
    assert!(answer.stderr.contains("offset 2"), "{answer:?}");
}

#[test]
fn completions_are_for_this_program() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(help(&["completions", shell]).contains("opsconsole"));
    }
}

#[test]
fn closed_standard_output_ends_quietly() {
    let program = Program::new();
    let mut child = program.spawn(&["completions", "bash"]);
    drop(child.stdout.take());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(stderr, "");
}
