//! The keys by which the console knows the alarms of a pipeline are those that Terraform writes behind its name.

use std::collections::BTreeSet;
use std::fs;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};
use libtest_mimic::Failed;
use pipeline::ALARM_KEYS;

use super::rendered::{evaluated, module, rules_in_a_folder};
use crate::scripts::checkout;

const QUESTION: &str = "jsonencode(concat(keys(local.alarms), keys(local.slo_alarms)))\n";

/// Of `alarms.tf` and `slo.tf`, with the functions and the database that a pipeline has.
pub(super) async fn agree() -> Result<(), Failed> {
    let mut notifying = Vec::new();
    let folder = rules_in_a_folder()?;
    for file in ["alarms.tf", "slo.tf"] {
        let mut body = parsed(&fs::read_to_string(module().join(file))?)?;
        let alarms = body.get_blocks("resource").filter(notifies);
        notifying.extend(alarms.map(of_what));
        body.remove_blocks("resource");
        fs::write(folder.path().join(file), body.to_string())?;
    }
    // No other alarm notifies, and both are named by their keys.
    assert_eq!(
        notifying,
        [
            (
                "\"${var.name}-${each.key}\"".to_owned(),
                "local.alarms".to_owned()
            ),
            (
                "\"${var.name}-${each.key}\"".to_owned(),
                "var.slo_alarms_enabled ? local.slo_alarms : {}".to_owned()
            ),
        ]
    );
    let json = evaluated(folder.path(), &functions()?, QUESTION).await?;
    let keys: BTreeSet<String> = serde_json::from_str(&json)?;
    let known: BTreeSet<String> = ALARM_KEYS.map(str::to_owned).into();
    assert_eq!(keys, known);
    Ok(())
}

fn parsed(text: &str) -> Result<Body, Failed> {
    text.parse().map_err(|error| format!("{error}").into())
}

fn notifies(block: &&Block) -> bool {
    block.body.has_attribute("alarm_actions")
}

/// The name, and for what there is one each.
fn of_what(block: &Block) -> (String, String) {
    let text = |name| {
        let attribute = block.body.get_attribute(name).unwrap();
        attribute.value.to_string().trim().to_owned()
    };
    (text("alarm_name"), text("for_each"))
}

/// Those that `terraform/main.tf` hands to the module.
fn functions() -> Result<String, Failed> {
    let body = parsed(&fs::read_to_string(checkout().join("terraform/main.tf"))?)?;
    let mut modules = body.get_blocks("module");
    let module = modules.find(|block| block.has_labels(&["observability"]));
    let functions = module.and_then(|block| block.body.get_attribute("functions"));
    let Some(Expression::Object(functions)) = functions.map(|attribute| &attribute.value) else {
        return Err("functions is no object".into());
    };
    let names = functions.into_iter().map(|(name, _)| name.as_ident());
    let names: Option<Vec<String>> = names
        .map(|name| name.map(|name| format!("{}=\"events-test\"", name.as_str())))
        .collect();
    Ok(format!("{{{}}}", names.ok_or("no name")?.join(",")))
}
