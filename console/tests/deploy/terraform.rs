//! Terraform on a copy of the checkout's modules, so that no file is left in the checkout.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;
use libtest_mimic::Failed;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::scripts::checkout;

/// The emulator's queues alone take a minute.
const LIMIT: Duration = Duration::from_secs(900);

/// The folder `terraform` and what it reads beside itself, in a folder of their own.
pub(crate) struct Modules {
    folder: tempfile::TempDir,
}

impl Modules {
    pub(crate) fn copied() -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        for name in ["terraform", "migrations"] {
            copy(&checkout().join(name), &folder.path().join(name))?;
        }
        Ok(Self { folder })
    }

    /// The folder that holds `terraform`.
    pub(crate) fn parent(&self) -> &Path {
        self.folder.path()
    }

    /// A folder below `terraform`; the empty name is that folder itself.
    pub(crate) fn at(&self, name: &str) -> Terraform {
        Terraform {
            folder: self.folder.path().join("terraform").join(name),
            variables: Vec::new(),
        }
    }
}

/// Copies a folder without what Terraform keeps there.
fn copy(from: &Path, to: &Path) -> Result<(), Failed> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_kept = name != ".terraform" && !name.to_string_lossy().contains("tfstate");
        if !is_kept {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(name))?;
        } else {
            std::fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// Terraform in one folder.
pub(crate) struct Terraform {
    pub(crate) folder: PathBuf,
    /// Values of variables.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Terraform {
    /// Runs a command that must succeed; returns its output.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<String, Failed> {
        let output = self.output(arguments).await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(failure(arguments, &output))
    }

    /// Runs a command; returns its output and how it ended.
    pub(crate) async fn output(&self, arguments: &[&str]) -> Result<Output, Failed> {
        let mut command = Command::new("terraform");
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1");
        for (name, value) in &self.variables {
            command.env(format!("TF_VAR_{name}"), value);
        }
        Ok(timeout(LIMIT, command.output())
            .await
            .map_err(|_| format!("terraform {}: not done in time", arguments.join(" ")))??)
    }

    /// Addresses of what a new plan would change, with their types.
    pub(crate) async fn changes(&self) -> Result<Vec<(String, String)>, Failed> {
        let plan = [
            "plan",
            "-no-color",
            "-detailed-exitcode",
            "-out=second.tfplan",
        ];
        let output = self.output(&plan).await?;
        match output.status.code() {
            Some(0) => return Ok(Vec::new()),
            Some(2) => {}
            _ => return Err(failure(&plan, &output)),
        }
        let shown = self.run(&["show", "-json", "second.tfplan"]).await?;
        let shown: Value = serde_json::from_str(&shown)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(shown["resource_changes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|resource| resource["change"]["actions"] != serde_json::json!(["no-op"]))
            .map(|resource| (text(&resource["address"]), text(&resource["type"])))
            .collect())
    }
}

pub(crate) fn failure(arguments: &[&str], output: &Output) -> Failed {
    format!(
        "{} ended with {}:\n{}{}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    )
    .into()
}

/// One version and its checksums for every platform: `zh:` is what the registry signs.
pub(crate) async fn locks() -> Result<(), Failed> {
    const PLATFORMS: usize = 15;
    let mut locks = Vec::new();
    for folder in ["bootstrap", "environments/pilot", "environments/production"] {
        let path = checkout().join("terraform").join(folder);
        let text = std::fs::read_to_string(path.join(".terraform.lock.hcl"))?;
        assert_eq!(text.matches("\"zh:").count(), PLATFORMS, "{folder}");
        assert!(text.contains("\"h1:"), "{folder}");
        assert!(text.contains("constraints = \">= 5.100.0, < 7.0.0\""));
        locks.push(text);
    }
    locks.dedup();
    assert_eq!(locks.len(), 1, "the lock files differ");
    Ok(())
}

/// The numbers by which Terraform bounds the connections are the constants of the code.
pub(crate) async fn connections() -> Result<(), Failed> {
    let limits = std::fs::read_to_string(checkout().join("terraform/limits.tf"))?;
    let limits: Body = limits.parse().map_err(|error| format!("{error}"))?;
    let locals = limits.get_blocks("locals").next().ok_or("no locals")?;
    let declared = locals.body.get_attribute("connections_per_instance");
    let Some(Expression::Object(declared)) = declared.map(|attribute| &attribute.value) else {
        return Err("connections_per_instance is no object".into());
    };
    let mut seen = 0;
    for (function, connections) in declared {
        let function = function.as_ident().ok_or("no name")?.as_str();
        let connections = connections.expr().to_string();
        let constant = format!("const CONNECTIONS_MAX: u32 = {};", connections.trim());
        let folder = checkout().join("lambdas").join(function).join("src");
        let is_there = std::fs::read_dir(folder)?.any(|entry| {
            let text = entry.and_then(|entry| std::fs::read_to_string(entry.path()));
            text.is_ok_and(|text| text.contains(&constant))
        });
        assert!(is_there, "{function}: there is no `{constant}` in its code");
        seen += 1;
    }
    assert_eq!(seen, 3);
    Ok(())
}
