//! jq programs and paths that hurt: the refusal names the limit, and what is not ours stays as it is.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::harness::{Harness, valid};

#[test]
fn program_that_would_end_the_process_costs_its_messages_and_names_the_limit() {
    let harness = Harness::start();
    harness.add_dead_letters(&[valid("1"), valid("2"), "no json".to_owned()]);
    for (program, limit) in [
        (
            "def f: [f]; f",
            "the program needed more than 32 MB of stack",
        ),
        (
            "[range(1e9) | 1000000 * \"a\"]",
            "the program needed more than 256 MB of memory",
        ),
        (
            "last(range(1e15))",
            "the program needed more than 2 s for one message",
        ),
    ] {
        let program = format!("if .id == \"1\" then {program} else true end");
        let listed = ["dlq", "list", "--where", &program, "--output", "json"];
        let answer = harness.program.run(&listed);
        let messages = answer.json();
        assert_eq!(answer.code, 0, "{answer:?}");
        assert_eq!(messages.as_array().unwrap().len(), 1, "{messages}");
        assert_eq!(messages[0]["event"]["id"], "2", "{messages}");
        assert!(answer.stderr.contains(limit), "{answer:?}");
        assert_eq!(harness.depth(), (3, 0), "nothing stays hidden");
    }
    let patch = [
        "redrive",
        "plan",
        "--all",
        "--out",
        "-",
        "--patch",
        "if .id == \"1\" then def f: [f]; f end",
    ];
    let (code, plan) = harness.program.json(&patch);
    assert_eq!(code, 1, "a patch that failed is no success");
    assert_eq!(plan["entries"].as_array().unwrap().len(), 1, "{plan}");
    let reasons = plan["skipped"].to_string();
    assert!(reasons.contains("more than 32 MB of stack"), "{reasons}");
}

#[test]
fn file_behind_a_link_is_neither_overwritten_nor_shown() {
    let harness = Harness::start();
    harness.add_dead_letters(&[valid("1")]);
    let program = &harness.program;
    let foreign = program.write("foreign", "{\"secret\": hunter2}");
    symlink(&foreign, program.home().join("link")).unwrap();
    symlink(
        program.home().join("nowhere"),
        program.home().join("dangling"),
    )
    .unwrap();
    for link in ["link", "dangling"] {
        for command in [
            vec!["dlq", "export", link],
            vec!["redrive", "plan", "--all", "--out", link],
        ] {
            let answer = program.run(&command);
            assert_eq!(answer.code, 1, "{command:?} {answer:?}");
        }
    }
    assert!(!program.home().join("nowhere").exists());
    for command in [
        vec!["redrive", "show", "link"],
        vec!["redrive", "run", "link", "--yes"],
    ] {
        let answer = program.run(&command);
        assert_ne!(answer.code, 0, "{command:?} {answer:?}");
        let shown = format!("{}{}", answer.stdout, answer.stderr);
        assert!(!shown.contains("hunter2"), "{command:?} {shown}");
    }
    assert_eq!(
        fs::read_to_string(&foreign).unwrap(),
        "{\"secret\": hunter2}"
    );
    assert_eq!(harness.depth(), (1, 0));
}
