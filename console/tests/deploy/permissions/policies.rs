//! The policies as Terraform renders them, in runs of `terraform test` with a mocked provider.

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Failed;
use serde_json::Value;
use tokio::sync::OnceCell;

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

/// The documents of the policies of one run, by address.
pub(super) type Documents = BTreeMap<String, String>;

/// The documents of each run by its name. Terraform runs once for all tests.
pub(super) async fn rendered() -> Result<&'static BTreeMap<String, Documents>, Failed> {
    static RENDERED: OnceCell<BTreeMap<String, Documents>> = OnceCell::const_new();
    RENDERED.get_or_try_init(render).await
}

async fn render() -> Result<BTreeMap<String, Documents>, Failed> {
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
        let mut found = Documents::new();
        collect(&message["test_state"]["root_module"], &mut found);
        runs.insert(name.to_owned(), found);
    }
    Ok(runs)
}

/// The policy of each program.
pub(super) fn of_programs(documents: &Documents) -> Result<Policies, Failed> {
    let mut policies = Policies::new();
    for program in Program::ALL {
        let policy = documents.get(program.policy_address());
        let policy = policy.ok_or_else(|| format!("no policy of {program:?}"))?;
        policies.insert(program, read(policy)?);
    }
    Ok(policies)
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

/// A right that is allowed with a condition has it behind its resource.
pub(super) fn read(policy: &str) -> Result<Policy, Failed> {
    let document: Value = serde_json::from_str(policy)?;
    let mut policy = Policy::default();
    for statement in document["Statement"].as_array().into_iter().flatten() {
        let effect = text(&statement["Effect"])?;
        let rights = match effect {
            "Allow" => &mut policy.allowed,
            "Deny" => &mut policy.denied,
            _ => return Err(format!("not understood: {statement}").into()),
        };
        for action in list(&statement["Action"])? {
            for resource in list(&statement["Resource"])? {
                let resource = match &statement["Condition"] {
                    condition if effect == "Allow" && !condition.is_null() => {
                        format!("{resource} if {condition}")
                    }
                    _ => resource.to_owned(),
                };
                rights.insert((action.to_owned(), resource));
            }
        }
    }
    Ok(policy)
}

/// A list, or one value in the place of one.
fn list(value: &Value) -> Result<Vec<&str>, Failed> {
    match value.as_array() {
        Some(values) => values.iter().map(text).collect(),
        None => Ok(vec![text(value)?]),
    }
}

/// An upper limit: the statements of a boundary.
pub(super) struct Boundary {
    statements: Vec<(BTreeSet<String>, Vec<String>)>,
}

impl Boundary {
    /// Reads a document. Its conditions are about keys and tags, which no policy here names; they are checked where
    /// they are written, by `terraform/tests/bootstrap.tftest.hcl`.
    pub(super) fn read(document: &str) -> Result<Self, Failed> {
        let document: Value = serde_json::from_str(document)?;
        let mut statements = Vec::new();
        for statement in document["Statement"].as_array().into_iter().flatten() {
            assert_eq!(statement["Effect"], "Allow", "{statement}");
            let owned = |value| -> Result<Vec<String>, Failed> {
                Ok(list(value)?.into_iter().map(str::to_owned).collect())
            };
            let actions = owned(&statement["Action"])?.into_iter().collect();
            statements.push((actions, owned(&statement["Resource"])?));
        }
        Ok(Self { statements })
    }

    pub(super) fn takes(&self, (action, resource): &Right) -> bool {
        self.statements.iter().any(|(actions, resources)| {
            let is_within = |pattern: &String| matches(pattern, resource);
            let is_allowed = |pattern: &String| matches(pattern, action);
            actions.iter().any(is_allowed) && resources.iter().any(is_within)
        })
    }

    /// Its actions, as they are written.
    pub(super) fn actions(&self) -> BTreeSet<String> {
        let all = self.statements.iter().flat_map(|(actions, _)| actions);
        all.cloned().collect()
    }
}

/// Whether a pattern of IAM takes a text: `*` stands for any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, pattern)) = pattern.split_once('*') else {
        return pattern == text;
    };
    text.strip_prefix(first).is_some_and(|text| {
        let rest_matches = |at| text.get(at..).is_some_and(|text| matches(pattern, text));
        (0..=text.len()).any(rest_matches)
    })
}

fn text(value: &Value) -> Result<&str, Failed> {
    value
        .as_str()
        .ok_or_else(|| format!("no text: {value}").into())
}
