//! `.ci/deploy store` and `fetch`: how a plan gets from the job that shows it to the one that applies it.
//!
//! A program in the place of the AWS CLI keeps the bucket in a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;
use tempfile::TempDir;

use crate::scripts::{refused, said, script, with_program};

/// `aws s3 cp --only-show-errors FROM TO`.
const AWS: &str = r#"#!/usr/bin/env bash
set -euo pipefail
[ "$1 $2 $3" = "s3 cp --only-show-errors" ]
from=${4/#s3:\/\//$BUCKETS/} to=${5/#s3:\/\//$BUCKETS/}
mkdir -p "$(dirname "$to")"
cp "$from" "$to"
"#;

/// A machine with a plan in `plan`, and a folder of Terraform called `pilot`.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn with_plan(plan: &str) -> Result<Self, Failed> {
        let machine = Self {
            folder: tempfile::tempdir()?,
        };
        for name in ["plan", "pilot", "programs"] {
            fs::create_dir(machine.at(name))?;
        }
        fs::write(machine.at("plan/plan.tfplan"), plan)?;
        let program = machine.at("programs/aws");
        fs::write(&program, AWS)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(machine)
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn deploy(&self, task: &str, out: &str) -> Command {
        let mut command = script("deploy");
        command.arg(task).args([self.at("pilot"), self.at(out)]);
        command.env("STATE_BUCKET", "acme-terraform");
        command.env("BUCKETS", self.at("buckets"));
        command.env_remove("GITHUB_OUTPUT").env_remove("STATE_NAME");
        with_program(&mut command, &self.at("programs"));
        command
    }

    /// Where the bucket keeps a plan.
    fn kept(&self, sum: &str) -> std::path::PathBuf {
        let name = format!("buckets/acme-terraform/plans/pilot/{sum}.tfplan");
        self.at(&name)
    }
}

/// The sum that a job hands to the next one.
fn sum(said: &str) -> Result<&str, Failed> {
    let sum = said.trim().strip_prefix("plan=");
    sum.ok_or_else(|| format!("no sum: {said}").into())
}

pub(crate) async fn plan_comes_back() -> Result<(), Failed> {
    let machine = Machine::with_plan("what was shown")?;
    let output = machine.at("output");
    let mut storing = machine.deploy("store", "plan");
    let said_so = said(storing.env("GITHUB_OUTPUT", &output))?;
    let sum = sum(&said_so)?;
    assert!(machine.kept(sum).is_file(), "{sum}");
    // As the outputs of a step are written.
    assert_eq!(fs::read_to_string(&output)?, format!("plan={sum}\n"));

    said(machine.deploy("fetch", "other").env("PLAN_SHA256", sum))?;
    let fetched = fs::read_to_string(machine.at("other/plan.tfplan"))?;
    assert_eq!(fetched, "what was shown");
    Ok(())
}

/// Whoever may plan can write to the bucket, so its content is no proof.
pub(crate) async fn exchanged_plan_is_refused() -> Result<(), Failed> {
    let machine = Machine::with_plan("what was shown")?;
    let said_so = said(&mut machine.deploy("store", "plan"))?;
    let sum = sum(&said_so)?;
    fs::write(machine.kept(sum), "something else")?;
    let mut fetching = machine.deploy("fetch", "other");
    let (code, told) = refused(fetching.env("PLAN_SHA256", sum))?;
    assert_eq!(code, 1);
    assert!(told.contains("is not the plan that was shown"), "{told}");
    assert!(!exists(&machine.at("other/plan.tfplan")));
    Ok(())
}

pub(crate) async fn plan_without_a_sum_is_refused() -> Result<(), Failed> {
    let machine = Machine::with_plan("what was shown")?;
    said(&mut machine.deploy("store", "plan"))?;
    for sum in ["", "../pilot.tfstate", "0123"] {
        let mut fetching = machine.deploy("fetch", "other");
        let (code, told) = refused(fetching.env("PLAN_SHA256", sum))?;
        assert_eq!(code, 1, "{sum}");
        assert!(told.contains("PLAN_SHA256 is not"), "{told}");
    }
    let mut nowhere = machine.deploy("store", "plan");
    let (code, told) = refused(nowhere.env_remove("STATE_BUCKET"))?;
    assert_eq!(code, 1);
    assert!(told.contains("STATE_BUCKET is not set"), "{told}");
    Ok(())
}

fn exists(path: &Path) -> bool {
    path.try_exists().unwrap()
}
