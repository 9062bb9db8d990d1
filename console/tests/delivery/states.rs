//! `.ci/deploy` where many systems use one folder, with a Terraform that notes what it is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;

use crate::scripts::{at, checkout, refused};

/// Refuses, as Terraform does, another state in a folder without being told to leave the one before.
const TERRAFORM: &str = r#"#!/bin/sh
folder=${1#-chdir=}
case "$*" in
*" init "*)
    key=$(echo "$*" | sed 's/.*-backend-config=key=\([^ ]*\).*/\1/')
    case "$*" in
    *" -reconfigure"*) ;;
    *) [ ! -e "$folder/key" ] || [ "$(cat "$folder/key")" = "$key" ] || { echo "Backend configuration changed" >&2; exit 1; } ;;
    esac
    echo "$key" >"$folder/key"
    ;;
*) echo "planned on $(cat "$folder/key")" >&2; exit 1 ;;
esac
"#;

/// Shows of which state the folder is that it is to import.
const CONSOLE: &str = r#"#!/bin/sh
echo "imports $(cat "$3/key")" >&2
exit 1
"#;

/// The programs that stand for Terraform and the console, and a folder of a system.
fn folders() -> Result<tempfile::TempDir, Failed> {
    let folder = tempfile::tempdir()?;
    let top = folder.path();
    for name in ["bin", "system"] {
        fs::create_dir(top.join(name))?;
    }
    for (name, text) in [("terraform", TERRAFORM), ("opsconsole", CONSOLE)] {
        let program = top.join("bin").join(name);
        fs::write(&program, text)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    }
    Ok(folder)
}

fn deploy(top: &Path, arguments: &[&str], system: &str) -> Command {
    let mut command = at(&checkout().join(".ci/deploy"));
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .args(arguments)
        .current_dir(top)
        .env("PATH", format!("{}:{path}", top.join("bin").display()))
        .env("STATE_BUCKET", "states")
        .env("STATE_NAME", system)
        .env("AWS_REGION", "us-east-1")
        .env_remove("CONSOLE");
    command
}

pub(crate) async fn one_folder() -> Result<(), Failed> {
    let folder = folders()?;
    for system in ["orders", "payments", "orders"] {
        let mut plan = deploy(folder.path(), &["plan", "system", "out"], system);
        let (_, told) = refused(&mut plan)?;
        let expected = format!("planned on {system}.tfstate");
        assert!(told.contains(&expected), "{told}");
    }
    Ok(())
}

/// It runs in a job of its own, whose checkout no apply has initialised.
pub(crate) async fn smoke() -> Result<(), Failed> {
    let folder = folders()?;
    let (_, told) = refused(&mut deploy(
        folder.path(),
        &["smoke", "system", "3"],
        "orders",
    ))?;
    assert!(told.contains("imports orders.tfstate"), "{told}");
    Ok(())
}
