//! `.ci/deploy` where many systems use one folder, with a Terraform that notes what it is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

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

pub(crate) async fn one_folder() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let top = folder.path();
    let terraform = top.join("bin/terraform");
    for name in ["bin", "system"] {
        fs::create_dir(top.join(name))?;
    }
    fs::write(&terraform, TERRAFORM)?;
    fs::set_permissions(&terraform, fs::Permissions::from_mode(0o755))?;
    let path = std::env::var("PATH").unwrap_or_default();
    for system in ["orders", "payments", "orders"] {
        let mut plan = at(&checkout().join(".ci/deploy"));
        plan.args(["plan", "system", "out"])
            .current_dir(top)
            .env("PATH", format!("{}:{path}", top.join("bin").display()))
            .env("STATE_BUCKET", "states")
            .env("STATE_NAME", system)
            .env("AWS_REGION", "us-east-1");
        let (_, told) = refused(&mut plan)?;
        let expected = format!("planned on {system}.tfstate");
        assert!(told.contains(&expected), "{told}");
    }
    Ok(())
}
