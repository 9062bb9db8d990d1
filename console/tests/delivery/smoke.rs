//! `.ci/deploy-smoke` with a console that answers as it is told. With the real one it runs on a deployed pipeline, in
//! the tests of the deployment.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use libtest_mimic::Failed;

use crate::scripts::{refused, said, script};

/// Answers `publish` with `$published`, and the reads with `$answer1`, `$answer2` and so on, the last one again and
/// again. It writes what it was asked to `asked`.
const CONSOLE: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >>asked
case "$*" in
*publish*) printf '{"published": %s, "failed": 0, "errors": []}' "$(cat published)" ;;
*)
    number=$(($(cat number) + 1))
    [ -e "answer$number" ] || number=$((number - 1))
    echo "$number" >number
    cat "answer$number"
    ;;
esac
"#;

struct Console {
    folder: tempfile::TempDir,
}

impl Console {
    fn new(published: u32, answers: &[&str]) -> Result<Self, Failed> {
        let console = Self {
            folder: tempfile::tempdir()?,
        };
        let file = |name: &str| console.folder.path().join(name);
        fs::write(file("opsconsole"), CONSOLE)?;
        fs::set_permissions(file("opsconsole"), fs::Permissions::from_mode(0o755))?;
        fs::write(file("published"), published.to_string())?;
        fs::write(file("number"), "0")?;
        for (index, answer) in answers.iter().enumerate() {
            fs::write(file(&format!("answer{}", index + 1)), answer)?;
        }
        Ok(console)
    }

    /// The smoke test of three events.
    fn smoke(&self, limit_secs: &str) -> Command {
        let mut command = script("deploy-smoke");
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(["pilot", "3"])
            .env("PATH", format!("{}:{path}", self.folder.path().display()))
            .env("SMOKE_LIMIT_SECS", limit_secs);
        command
    }

    fn asked(&self) -> Result<String, Failed> {
        Ok(fs::read_to_string(self.folder.path().join("asked"))?)
    }
}

const ALL: &str = r#"{"status": 200, "body": {"items": [{"id": "2"}, {"id": "1"}, {"id": "0"}]}}"#;
const SOME: &str = r#"{"status": 200, "body": {"items": [{"id": "1"}]}}"#;
const FORBIDDEN: &str = r#"{"status": 403, "body": {"message": "Forbidden"}}"#;
const RESUMING: &str = r#"{"status": 503, "body": {"title": "the database resumes"}}"#;

pub(crate) async fn all_come() -> Result<(), Failed> {
    let console = Console::new(3, &[ALL])?;
    let text = said(&mut console.smoke("60"))?;
    assert!(text.starts_with("smoke: 3 of 3 events"), "{text}");
    let asked = console.asked()?;
    let asked: Vec<&str> = asked.lines().collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    // Production asks for both.
    assert!(asked[0].contains("--confirm pilot --reason "), "{asked:?}");
    assert!(
        asked[1].contains("api get /v1/records?source=/deploy-smoke/"),
        "{asked:?}"
    );
    Ok(())
}

pub(crate) async fn resuming() -> Result<(), Failed> {
    let console = Console::new(3, &[RESUMING, ALL])?;
    said(&mut console.smoke("600"))?;
    assert_eq!(console.asked()?.lines().count(), 3);
    Ok(())
}

pub(crate) async fn some_are_missing() -> Result<(), Failed> {
    let (code, text) = refused(&mut Console::new(3, &[SOME])?.smoke("0"))?;
    assert_eq!(code, 1);
    assert!(
        text.contains("2 of 3 events were not read back in 0 s (last status 200)"),
        "{text}"
    );
    let (_, text) = refused(&mut Console::new(3, &[RESUMING])?.smoke("0"))?;
    assert!(text.contains("3 of 3 events"), "{text}");
    assert!(text.contains("last status 503"), "{text}");
    Ok(())
}

/// The first time, the role to apply has no right to the API yet: waiting does not help.
pub(crate) async fn not_permitted() -> Result<(), Failed> {
    let console = Console::new(3, &[FORBIDDEN, ALL])?;
    let (code, text) = refused(&mut console.smoke("600"))?;
    assert_eq!(code, 1);
    assert!(text.contains("403") && text.contains("api_id"), "{text}");
    Ok(())
}

pub(crate) async fn not_published() -> Result<(), Failed> {
    let console = Console::new(2, &[ALL])?;
    let (code, text) = refused(&mut console.smoke("60"))?;
    assert_eq!(code, 1);
    assert!(text.contains("published 2 of 3"), "{text}");
    assert_eq!(console.asked()?.lines().count(), 1, "it reads nothing then");
    Ok(())
}
