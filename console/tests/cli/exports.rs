//! `export` of records by the real program.

use std::fs;

use crate::replay::with_database;

#[test]
fn export_of_another_version_is_refused_and_not_said_to_continue() {
    let (_runtime, _database, program) = with_database();
    let export = [
        "export",
        "--from",
        "2026-03-01",
        "--to",
        "2026-03-02",
        "--into",
        "out",
    ];
    program.json_ok(&export);
    let path = program.home().join("out/_opsconsole_export.json");
    let written = fs::read_to_string(&path).unwrap();
    for (version, expected) in [
        (
            "1",
            "export into another target, everything or a range of time",
        ),
        ("99", "use that version, or another target"),
    ] {
        let other = written.replace("\"version\": 2", &format!("\"version\": {version}"));
        assert_ne!(other, written);
        fs::write(&path, other).unwrap();
        let answer = program.run(&export);
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.stderr.contains(expected), "{answer:?}");
        assert!(!answer.stderr.contains("to continue it"), "{answer:?}");
    }
}
