//! The roles that deploy: what Terraform calls for each resource of the modules is compared with their rendered
//! policies. Conditions are left out: `terraform/tests/bootstrap.tftest.hcl` has them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use libtest_mimic::Failed;

use super::compare;
use super::managed::{Managed, NETWORK, NOT_BY_THE_ROLES, SERVICES};
use super::policies::{Boundary, Documents, rendered};
use crate::scripts::checkout;

fn managed() -> impl Iterator<Item = &'static Managed> {
    SERVICES.iter().chain(NETWORK)
}

/// The types of resources and data sources of the root module and its modules.
fn kinds() -> Result<BTreeSet<String>, Failed> {
    let mut kinds = BTreeSet::new();
    let top = checkout().join("terraform");
    kinds_in(&top, &mut kinds)?;
    for module in fs::read_dir(top.join("modules"))? {
        kinds_in(&module?.path(), &mut kinds)?;
    }
    Ok(kinds)
}

fn kinds_in(folder: &Path, kinds: &mut BTreeSet<String>) -> Result<(), Failed> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "tf") {
            continue;
        }
        for line in fs::read_to_string(path)?.lines() {
            let declared = ["resource \"", "data \""].map(|start| line.strip_prefix(start));
            let name = declared.into_iter().flatten().next();
            let name = name.and_then(|rest| Some(rest.split_once('"')?.0.to_owned()));
            // A region is known without a call.
            kinds.extend(name.filter(|name| name != "aws_region"));
        }
    }
    Ok(())
}

pub(crate) async fn every_resource_has_its_actions() -> Result<(), Failed> {
    let declared = kinds()?;
    assert!(declared.len() > 40, "the check sees only {declared:?}");
    let others = NOT_BY_THE_ROLES.iter().map(|(kind, _)| *kind);
    let known = managed().map(|managed| managed.kind).chain(others);
    let known = known.map(str::to_owned).collect();
    compare("types of resources", &declared, &known)
}

/// The policies of a role together.
fn policies(documents: &Documents, addresses: &[&str]) -> Result<Vec<Boundary>, Failed> {
    let read = |address: &&str| {
        let document = documents.get(&format!("{address}[\"test\"]"));
        Boundary::read(document.ok_or_else(|| format!("no {address}"))?)
    };
    addresses.iter().map(read).collect()
}

type Missing = BTreeSet<(&'static str, &'static str, &'static str)>;

fn missing(role: &[Boundary], actions: impl Fn(&Managed) -> Vec<&'static str>) -> Missing {
    let mut missing = BTreeSet::new();
    for managed in managed() {
        for action in actions(managed) {
            let right = (action.to_owned(), managed.on.to_owned());
            if !role.iter().any(|policy| policy.takes(&right)) {
                missing.insert((managed.kind, action, managed.on));
            }
        }
    }
    missing
}

pub(crate) async fn roles_that_deploy_may_do_what_terraform_does() -> Result<(), Failed> {
    let rendered = rendered().await?;
    let documents = rendered.get("boundaries").ok_or("no run of bootstrap")?;
    let plan = policies(documents, &["aws_iam_role_policy.plan"])?;
    let lacking = missing(&plan, |managed| managed.reads.to_vec());
    compare("what a plan lacks", &BTreeSet::new(), &lacking)?;
    let of_apply = [
        "aws_iam_role_policy.apply_read",
        "aws_iam_policy.apply",
        "aws_iam_policy.apply_network",
    ];
    let all = |managed: &Managed| [managed.reads, managed.writes].concat();
    let lacking = missing(&policies(documents, &of_apply)?, all);
    compare("what an apply lacks", &BTreeSet::new(), &lacking)?;
    // The check sees a right that is not there: a plan may write nothing.
    let lacking = missing(&plan, |managed| managed.writes.to_vec());
    let unsubscribe = ("aws_sns_topic_subscription", "sns:Unsubscribe", "*");
    assert!(lacking.contains(&unsubscribe), "{lacking:?}");
    Ok(())
}
