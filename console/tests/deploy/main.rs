//! The deployment: Terraform's modules are checked, and applied to the emulator with the real functions.
//!
//! Where a program is missing, what needs it is counted as ignored and said so: never as passed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod permissions;
mod pipeline;
#[expect(dead_code, reason = "a part of it is used here")]
#[path = "../support/program.rs"]
mod program;
mod readmes;
#[expect(dead_code, reason = "the tests of the delivery use the rest")]
#[path = "../support/scripts.rs"]
mod scripts;
mod slo;
mod terraform;

use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed};
use scripts::{checkout, runs, said, script, trial};
use serde_json::Value;
use terraform::{Modules, failure};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let terraform = runs("terraform", &["version"]);
    let provider = terraform.clone().and_then(|()| provider_can_be_had());
    let checkov = runs("checkov", &["--version"]);
    let nothing = Ok(());
    let mut trials = vec![
        trial(
            "every_call_is_in_the_table",
            &nothing,
            permissions::every_call_is_in_the_table,
        ),
        trial(
            "every_source_belongs_to_a_program",
            &nothing,
            permissions::every_source_belongs_to_a_program,
        ),
        trial(
            "call_is_found_also_in_a_macro_and_not_in_a_test",
            &nothing,
            permissions::call_is_found_also_in_a_macro_and_not_in_a_test,
        ),
        trial(
            "policies_allow_what_is_called_and_nothing_else",
            &provider,
            permissions::policies_allow_what_is_called_and_nothing_else,
        ),
        trial(
            "boundaries_take_every_policy_of_the_modules",
            &provider,
            permissions::boundaries_take_every_policy_of_the_modules,
        ),
        trial(
            "boundaries_take_nothing_of_another_pipeline",
            &provider,
            permissions::boundaries_take_nothing_of_another_pipeline,
        ),
        trial(
            "every_resource_has_the_actions_that_it_takes",
            &nothing,
            permissions::every_resource_has_its_actions,
        ),
        trial(
            "roles_that_deploy_may_do_what_terraform_does",
            &provider,
            permissions::roles_that_deploy_may_do_what_terraform_does,
        ),
        trial("terraform_is_formatted", &terraform, formatted),
        trial("modules_pass_their_tests", &provider, tested),
        trial(
            "module_readmes_are_current",
            &Ok(()),
            readmes::readmes_are_current,
        ),
        trial(
            "rehearsal_takes_as_long_as_its_steps",
            &Ok(()),
            readmes::rehearsal_takes_as_long_as_its_steps,
        ),
        trial(
            "locked_provider_is_the_same_everywhere",
            &Ok(()),
            terraform::locks,
        ),
        trial(
            "connections_are_those_of_the_functions",
            &Ok(()),
            terraform::connections,
        ),
        trial("security_scan_finds_nothing", &checkov, scanned),
        trial(
            "applied_pipeline_stores_500_of_500_and_is_destroyed_to_nothing",
            &provider,
            pipeline::applied,
        ),
    ];
    trials.extend(slo::trials(&terraform));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Whether the provider can be downloaded or is in a mirror: asked without our modules, so that a fault
/// of theirs is no reason to skip.
fn provider_can_be_had() -> Result<(), String> {
    let look = || {
        let folder = tempfile::tempdir()?;
        let versions = checkout().join("terraform/versions.tf");
        std::fs::copy(versions, folder.path().join("versions.tf"))?;
        let output = Command::new("terraform")
            .args(["init", "-no-color"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()?;
        std::io::Result::Ok((output.status.success(), output.stderr))
    };
    match look() {
        Ok((true, _)) => Ok(()),
        Ok((false, said)) => Err(format!(
            "the AWS provider cannot be had: {}",
            String::from_utf8_lossy(&said).trim()
        )),
        Err(error) => Err(format!("terraform cannot be run: {error}")),
    }
}

async fn formatted() -> Result<(), Failed> {
    let modules = Modules::copied()?;
    let terraform = modules.at("");
    terraform.run(&["fmt", "-check", "-recursive"]).await?;
    Ok(())
}

/// Formats, every environment with its locked provider, and the modules' tests with a mocked one: no account, no
/// emulator.
async fn tested() -> Result<(), Failed> {
    let said = said(&mut script("terraform"))?;
    if said.contains(" 0 failed") && !said.contains(" 0 passed") {
        Ok(())
    } else {
        Err(said.into())
    }
}

/// Without its downloads. What it must not complain of is answered beside the resource.
async fn scanned() -> Result<(), Failed> {
    let modules = Modules::copied()?;
    let arguments = [
        "--directory",
        "terraform",
        "--framework",
        "terraform",
        "--skip-download",
        "--download-external-modules",
        "false",
        "--compact",
        "--output",
        "json",
    ];
    let output = tokio::process::Command::new("checkov")
        .args(arguments)
        .current_dir(modules.parent())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let report: Value =
        serde_json::from_slice(&output.stdout).map_err(|_| failure(&["checkov"], &output))?;
    let summary = &report["summary"];
    // Nothing found in nothing would be no success.
    let is_clean = output.status.success()
        && summary["failed"] == 0
        && summary["parsing_errors"] == 0
        && summary["passed"].as_u64() > Some(0);
    if is_clean {
        Ok(())
    } else {
        Err(format!("{:#}", report["results"]["failed_checks"]).into())
    }
}
