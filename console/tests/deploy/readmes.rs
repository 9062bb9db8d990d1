//! The inputs and outputs in the README of each module, made from its `variables.tf` and `outputs.tf`.
//!
//! `.ci/module-readmes` writes them; the test fails where they are not current.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use hcl_edit::expr::{Expression, FuncCall, Object};
use hcl_edit::structure::{Block, Body};
use libtest_mimic::Failed;

use crate::scripts::checkout;

/// Folders below `terraform` with a README that has the tables.
const MODULES: [&str; 10] = [
    "bootstrap",
    "modules/api",
    "modules/database",
    "modules/function",
    "modules/key",
    "modules/messaging",
    "modules/network",
    "modules/observability",
    "modules/warehouse",
    // The root module: its README is the one of the deployment, so the tables are in a file of their own.
    "VARIABLES.md",
];
const BEGIN: &str = "<!-- The rest is written by .ci/module-readmes -->";
const UPDATE: &str = "UPDATE_MODULE_READMES";

/// The minutes of its steps add up to what the rehearsal says that it takes.
pub(crate) async fn rehearsal_takes_as_long_as_its_steps() -> Result<(), Failed> {
    let text = fs::read_to_string(checkout().join("terraform/REHEARSAL.md"))?;
    let minutes = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        cells.next()?.parse::<u32>().ok()?;
        cells.next()?.parse::<u32>().ok()
    };
    let steps: Vec<u32> = text.lines().filter_map(minutes).collect();
    assert!(steps.len() > 20, "the check sees only {steps:?}");
    let told = format!("takes {} minutes", steps.iter().sum::<u32>());
    assert!(text.contains(&told), "{told}");
    Ok(())
}

pub(crate) async fn readmes_are_current() -> Result<(), Failed> {
    let top = checkout().join("terraform");
    let mut seen = fs::read_dir(top.join("modules"))?.count();
    for module in MODULES {
        let (folder, readme) = match module.strip_suffix(".md") {
            Some(_) => (top.clone(), top.join(module)),
            None => (top.join(module), top.join(module).join("README.md")),
        };
        seen -= usize::from(module.starts_with("modules/"));
        let written = fs::read_to_string(&readme).unwrap_or_default();
        let own = written.split(BEGIN).next().unwrap_or_default();
        assert!(own.starts_with("# "), "{module} has no README");
        let current = format!("{own}{BEGIN}\n{}", tables(&folder)?);
        if std::env::var_os(UPDATE).is_some() {
            fs::write(&readme, current)?;
        } else {
            assert_eq!(written, current, "{module}: run .ci/module-readmes");
        }
    }
    assert_eq!(seen, 0, "a module is not listed");
    Ok(())
}

fn tables(folder: &Path) -> Result<String, Failed> {
    let mut text =
        String::from("\n## Inputs\n\n| input | type | default | meaning |\n|---|---|---|---|\n");
    for (name, block) in blocks(folder, "variables.tf", "variable")? {
        let value = |key| {
            block
                .body
                .get_attribute(key)
                .map(|attribute| &attribute.value)
        };
        let kind = value("type").ok_or_else(|| format!("{name} has no type"))?;
        let default = value("default").map_or_else(|| "required".to_owned(), code);
        let meaning = description(&block)?;
        writeln!(
            text,
            "| `{name}` | {} | {default} | {meaning} |",
            kind_of(kind)
        )?;
        for (attribute, kind, default) in attributes(kind) {
            let default = default.unwrap_or_else(|| "required".to_owned());
            writeln!(text, "| `{name}.{attribute}` | {kind} | {default} | |")?;
        }
    }
    text.push_str("\n## Outputs\n\n| output | meaning |\n|---|---|\n");
    for (name, block) in blocks(folder, "outputs.tf", "output")? {
        writeln!(text, "| `{name}` | {} |", description(&block)?)?;
    }
    Ok(text)
}

/// The blocks of one kind with their names, in the order of the file.
fn blocks(folder: &Path, file: &str, kind: &str) -> Result<Vec<(String, Block)>, Failed> {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let body: Body = text
        .parse()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let found = body.get_blocks(kind).filter_map(|block| {
        let name = block.labels.first()?.as_str().to_owned();
        Some((name, block.clone()))
    });
    Ok(found.collect())
}

fn description(block: &Block) -> Result<String, Failed> {
    match block
        .body
        .get_attribute("description")
        .map(|attribute| &attribute.value)
    {
        Some(Expression::String(text)) => Ok(text.as_str().replace('|', "\\|")),
        _ => Err(format!("{:?} has no description", block.labels).into()),
    }
}

/// An expression in one line.
fn line(expression: &Expression) -> String {
    let text = expression.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn code(expression: &Expression) -> String {
    format!("`{}`", line(expression))
}

fn call(expression: &Expression) -> Option<&FuncCall> {
    expression.as_func_call()
}

/// The object of `object({…})`, also within a collection or an `optional`.
fn object(expression: &Expression) -> Option<&Object> {
    let first = call(expression)?.args.get(0)?;
    first.as_object().or_else(|| object(first))
}

/// A type by its name; the attributes of an object have lines of their own.
fn kind_of(expression: &Expression) -> String {
    let Some(call) = call(expression) else {
        return line(expression);
    };
    let name = call.name.name.as_str();
    match call.args.get(0) {
        Some(first) if name == "optional" => kind_of(first),
        Some(first) if name != "object" => format!("{name}({})", kind_of(first)),
        _ => name.to_owned(),
    }
}

/// Name, type and default of each attribute of an object, those of objects in it too.
fn attributes(expression: &Expression) -> Vec<(String, String, Option<String>)> {
    let mut found = Vec::new();
    for (key, value) in object(expression).into_iter().flatten() {
        let Some(name) = key.as_ident() else { continue };
        let name = name.as_str();
        let value = value.expr();
        let default = call(value)
            .filter(|call| call.name.name.as_str() == "optional")
            .map(|call| call.args.get(1).map_or_else(|| "`null`".to_owned(), code));
        found.push((name.to_owned(), kind_of(value), default));
        for (inner, kind, default) in attributes(value) {
            found.push((format!("{name}.{inner}"), kind, default));
        }
    }
    found
}
