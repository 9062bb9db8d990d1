//! The confirmation on a terminal.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::without_a_database;
use crate::support::harness::{LIMIT, valid};
use crate::support::pty::Session as Terminal;

#[test]
fn number_is_typed_on_a_terminal_and_the_audit_log_loses_details_alone() {
    let harness = without_a_database();
    let program = &harness.program;
    let file = program.write(
        "copies.jsonl",
        format!("{}\n", json!({"body": valid("a-secret")})),
    );
    // An earlier entry with the text.
    harness.add_dead_letters(&[valid("a-secret")]);
    let delete = [
        "dlq",
        "delete",
        "--where",
        ".id == \"a-secret\"",
        "--no-export",
        "--yes",
    ];
    program.json_ok(&[&delete[..], &["--confirm-queue", "dead-letters"]].concat());
    let home = program.home().to_owned();
    let ask = |typed: &str| {
        let line = "erase --containing a-secret --local --also copies.jsonl";
        let arguments: Vec<&str> = line.split(' ').collect();
        let (config, state) = (home.join("config"), home.join("state"));
        let also = file.to_str().unwrap().to_owned();
        let arguments: Vec<&str> = arguments
            .into_iter()
            .map(|argument| {
                if argument == "copies.jsonl" {
                    also.as_str()
                } else {
                    argument
                }
            })
            .collect();
        let temporary = home.join("temporary");
        let mut terminal = Terminal::start(
            Path::new(env!("CARGO_BIN_EXE_opsconsole")),
            &arguments,
            &[
                ("XDG_CONFIG_HOME", config.to_str().unwrap()),
                ("XDG_STATE_HOME", state.to_str().unwrap()),
                ("TMPDIR", temporary.to_str().unwrap()),
            ],
            (160, 40),
        );
        let asked = terminal.wait_for("Type 2 to erase", LIMIT);
        terminal.press(typed);
        let exit = terminal.wait_for_exit(LIMIT);
        (asked, exit.exit_code())
    };
    let (asked, code) = ask("y\r");
    assert!(asked.contains("audit-log"), "{asked}");
    assert_eq!((code, file.exists()), (1, true));
    let (_, code) = ask("2\r");
    assert_eq!(code, 0);
    assert!(!file.exists(), "it had no other line");
    let log = fs::read_to_string(program.home().join("state/opsconsole/audit.jsonl")).unwrap();
    assert!(!log.contains("a-secret"), "{log}");
    let (_, trail) = program.json(&["audit"]);
    let entries = trail["entries"].as_array().unwrap();
    let operations: Vec<&Value> = entries.iter().map(|entry| &entry["operation"]).collect();
    assert_eq!(operations, ["delete", "erase"]);
    assert_eq!(entries[0]["details"], json!({"erased": true}), "{trail}");
    assert_eq!(entries[0]["ending"]["counts"]["deleted"], 1, "{trail}");
}
