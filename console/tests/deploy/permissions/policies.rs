//! The policies as Terraform renders them, in runs of `terraform test` with a mocked provider.

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Failed;
use serde_json::Value;

use super::needs::Program;
use crate::terraform::Modules;

const FILE: &str = "tests/policies.tftest.hcl";

/// Action and resource.
pub(super) type Right = (String, String);

/// The statements of one policy.
#[derive(Debug, Default)]
pub(super) struct Policy {
    pub(super) allowed: BTreeSet<Right>,
    pub(super) denied: BTreeSet<Right>,
}

/// The policies of one run by program.
pub(super) type Policies = BTreeMap<Program, Policy>;

/// The policies of each run by its name.
pub(super) async fn rendered() -> Result<BTreeMap<String, Policies>, Failed> {
    let modules = Modules::copied()?;
    let terraform = modules.at("");
    terraform
        .run(&["init", "-no-color", "-backend=false"])
        .await?;
    let filter = format!("-filter={FILE}");
    let said = terraform
        .run(&["test", "-json", "-verbose", &filter])
        .await?;
    let mut runs = BTreeMap::new();
    for line in said.lines() {
        let message: Value = serde_json::from_str(line)?;
        if message["type"] != "test_state" {
            continue;
        }
        let name = text(&message["@testrun"])?;
        let mut found = BTreeMap::new();
        collect(&message["test_state"]["root_module"], &mut found);
        let mut policies = Policies::new();
        for program in Program::ALL {
            let policy = found.get(program.policy_address());
            let policy = policy.ok_or_else(|| format!("{name}: no policy of {program:?}"))?;
            policies.insert(program, read(policy)?);
        }
        runs.insert(name.to_owned(), policies);
    }
    Ok(runs)
}

/// The policies of a module and its children by address.
fn collect(module: &Value, found: &mut BTreeMap<String, String>) {
    for resource in module["resources"].as_array().into_iter().flatten() {
        let address = resource["address"].as_str();
        if let Some((address, policy)) = address.zip(resource["values"]["policy"].as_str()) {
            found.insert(address.to_owned(), policy.to_owned());
        }
    }
    for child in module["child_modules"].as_array().into_iter().flatten() {
        collect(child, found);
    }
}

fn read(policy: &str) -> Result<Policy, Failed> {
    let document: Value = serde_json::from_str(policy)?;
    let mut policy = Policy::default();
    for statement in document["Statement"].as_array().into_iter().flatten() {
        let rights = match text(&statement["Effect"])? {
            "Allow" if statement["Condition"].is_null() => &mut policy.allowed,
            "Deny" => &mut policy.denied,
            _ => return Err(format!("not understood: {statement}").into()),
        };
        for action in list(&statement["Action"])? {
            for resource in list(&statement["Resource"])? {
                rights.insert((action.to_owned(), resource.to_owned()));
            }
        }
    }
    Ok(policy)
}

fn list(value: &Value) -> Result<Vec<&str>, Failed> {
    let values = value
        .as_array()
        .ok_or_else(|| format!("no list: {value}"))?;
    values.iter().map(text).collect()
}

fn text(value: &Value) -> Result<&str, Failed> {
    value
        .as_str()
        .ok_or_else(|| format!("no text: {value}").into())
}
