//! The manual pages, written by the real program.

use std::process::Command;

use crate::support::program::Program;

#[test]
fn manual_pages_are_written_and_a_formatter_has_no_complaint() {
    let program = Program::new();
    let folder = program.home().join("share/man1");
    let written = program.json_ok(&["man", "--into", folder.to_str().unwrap()]);
    let pages: Vec<&str> = written["pages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|page| page.as_str().unwrap())
        .collect();
    for page in [
        "opsconsole.1",
        "opsconsole-dlq.1",
        "opsconsole-redrive-native-start.1",
    ] {
        assert!(pages.contains(&page), "{pages:?}");
    }
    // Not on every machine; the sections are checked by reading too.
    if Command::new("groff").arg("--version").output().is_err() {
        return;
    }
    for page in pages {
        let mut groff = Command::new("groff");
        groff
            .args(["-Kutf8", "-mandoc", "-Tutf8", "-ww", "-P-cbou"])
            .arg(folder.join(page));
        let formatted = groff.output().unwrap();
        let complaints = String::from_utf8(formatted.stderr).unwrap();
        assert!(formatted.status.success(), "{page}: {complaints}");
        assert_eq!(complaints, "", "{page}");
        let text = String::from_utf8(formatted.stdout).unwrap();
        let head = text.lines().next().unwrap();
        // There is no room for it beside a long name.
        let has_manual = head.contains("opsconsole manual");
        assert!(has_manual || page != "opsconsole.1", "{text}");
        let foot = text.lines().rfind(|line| !line.is_empty()).unwrap();
        assert!(
            foot.starts_with(concat!("opsconsole ", env!("CARGO_PKG_VERSION"))),
            "{text}"
        );
    }
}

#[test]
fn folder_that_cannot_be_written_is_named() {
    let program = Program::new();
    let file = program.write("file", "");
    let answer = program.run(&["man", "--into", file.to_str().unwrap()]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.contains("write manual page"), "{answer:?}");
    assert!(answer.stderr.contains("file"), "{answer:?}");
}
