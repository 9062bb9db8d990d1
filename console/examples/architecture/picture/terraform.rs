//! What Terraform's files say: resources and module calls by folder, and the values that environments set.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use hcl_edit::expr::{Expression, Object, TraversalOperator};
use hcl_edit::structure::{Block, Body};
use hcl_edit::template::Element;

/// A value as far as it can be known without Terraform.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
    /// A variable without a default: somebody gives it when they apply.
    Given,
}

/// All `.tf` files below a folder, by the folder in which they are; the folder itself has the empty name.
#[derive(Debug)]
pub(crate) struct Terraform {
    folders: BTreeMap<String, Body>,
}

impl Terraform {
    /// Reads the folder `terraform` of a checkout.
    ///
    /// # Errors
    /// A file that cannot be read or is no HCL.
    pub(crate) fn read(top: &Path) -> Result<Self, String> {
        let mut folders = BTreeMap::new();
        collect(top, String::new(), &mut folders)?;
        Ok(Self { folders })
    }

    /// Folders with files of Terraform.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        self.folders.keys().map(String::as_str)
    }

    /// `KIND.NAME` of each resource and `module.NAME` of each call of a module in a folder.
    pub(crate) fn addresses(&self, folder: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let Some(body) = self.folders.get(folder) else {
            return found;
        };
        for block in body.blocks() {
            let labels: Vec<&str> = block.labels.iter().map(|label| label.as_str()).collect();
            match (block.ident.as_str(), labels.as_slice()) {
                ("resource", [kind, name]) => found.insert(format!("{kind}.{name}")),
                ("module", [name]) => found.insert(format!("module.{name}")),
                _ => false,
            };
        }
        found
    }

    fn block(&self, folder: &str, kind: &'static str, name: &str) -> Option<&Block> {
        let mut blocks = self.folders.get(folder)?.get_blocks(kind);
        blocks.find(|block| {
            block
                .labels
                .first()
                .is_some_and(|label| label.as_str() == name)
        })
    }

    /// The expression of a local value.
    pub(crate) fn local(&self, folder: &str, name: &str) -> Option<&Expression> {
        let mut blocks = self.folders.get(folder)?.get_blocks("locals");
        blocks.find_map(|block| Some(&block.body.get_attribute(name)?.value))
    }

    /// The default of a variable of a folder.
    ///
    /// # Errors
    /// There is no such variable, or its default is no constant.
    pub(crate) fn default(&self, folder: &str, name: &str) -> Result<Value, String> {
        let block = self
            .block(folder, "variable", name)
            .ok_or_else(|| format!("{folder} has no variable {name}"))?;
        match block.body.get_attribute("default") {
            Some(default) => self.constant(folder, &default.value),
            None => Ok(Value::Given),
        }
    }

    /// A variable of the root module as an environment sets it, or by its default: `network.nat` is the attribute of
    /// an object.
    ///
    /// # Errors
    /// There is no such variable or attribute, or its value is no constant.
    pub(crate) fn setting(&self, environment: &str, path: &str) -> Result<Value, String> {
        let folder = format!("environments/{environment}");
        let (name, attribute) = match path.split_once('.') {
            Some((name, attribute)) => (name, Some(attribute)),
            None => (path, None),
        };
        let call = self
            .block(&folder, "module", "pipeline")
            .ok_or_else(|| format!("{folder} does not call the module `pipeline`"))?;
        let value = match call.body.get_attribute(name) {
            Some(argument) => self.constant(&folder, &argument.value)?,
            None => self.default("", name)?,
        };
        let Some(attribute) = attribute else {
            return Ok(value);
        };
        match value {
            Value::Object(mut fields) => match fields.remove(attribute) {
                Some(value) => Ok(value),
                None => self.optional(name, attribute),
            },
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Given => Err(format!("{name} of {folder} is no object")),
        }
    }

    /// The default in `optional(TYPE, DEFAULT)` of an attribute.
    fn optional(&self, name: &str, attribute: &str) -> Result<Value, String> {
        let missing = || format!("variable {name} of the root module has no {attribute}");
        let block = self.block("", "variable", name).ok_or_else(missing)?;
        let kind = block.body.get_attribute("type").ok_or_else(missing)?;
        let fields = object(&kind.value).ok_or_else(missing)?;
        let mut fields = fields.iter();
        let (_, value) = fields
            .find(|(key, _)| key.as_ident().is_some_and(|key| key.as_str() == attribute))
            .ok_or_else(missing)?;
        let call = value.expr().as_func_call().ok_or_else(missing)?;
        match call.args.get(1) {
            Some(default) => self.constant("", default),
            None => Ok(Value::Null),
        }
    }

    fn constant(&self, folder: &str, expression: &Expression) -> Result<Value, String> {
        let unknown = || format!("{folder}: {} is no constant", line(expression));
        if expression.is_null() {
            return Ok(Value::Null);
        }
        if let Some(value) = expression.as_bool() {
            return Ok(Value::Bool(value));
        }
        if let Some(value) = expression.as_number() {
            return value.as_f64().map(Value::Number).ok_or_else(unknown);
        }
        if let Some(value) = expression.as_str() {
            return Ok(Value::Text(value.to_owned()));
        }
        if let Some(array) = expression.as_array() {
            let values = array.iter().map(|value| self.constant(folder, value));
            return Ok(Value::List(values.collect::<Result<_, _>>()?));
        }
        if let Some(object) = expression.as_object() {
            let mut fields = BTreeMap::new();
            for (key, value) in object {
                let key = key.as_ident().ok_or_else(unknown)?;
                fields.insert(
                    key.as_str().to_owned(),
                    self.constant(folder, value.expr())?,
                );
            }
            return Ok(Value::Object(fields));
        }
        if let Some(name) = variable(expression) {
            return self.default(folder, name);
        }
        let template = expression.as_string_template().ok_or_else(unknown)?;
        let mut text = String::new();
        for element in template {
            match element {
                Element::Literal(literal) => text.push_str(literal.as_str()),
                Element::Interpolation(inner) => match self.constant(folder, &inner.expr)? {
                    Value::Text(value) => text.push_str(&value),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::List(_)
                    | Value::Object(_)
                    | Value::Given => return Err(unknown()),
                },
                Element::Directive(_) => return Err(unknown()),
            }
        }
        Ok(Value::Text(text))
    }
}

/// The folders that hold modules and configurations; tests of Terraform are none.
fn collect(
    folder: &Path,
    name: String,
    folders: &mut BTreeMap<String, Body>,
) -> Result<(), String> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut body = Body::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let file = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_left_out = file.starts_with('.') || (name.is_empty() && file == "tests");
            if !is_left_out {
                let inner = if name.is_empty() {
                    file
                } else {
                    format!("{name}/{file}")
                };
                collect(&path, inner, folders)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "tf") {
            let text = fs::read_to_string(&path).map_err(failed)?;
            let parsed: Body = text
                .parse()
                .map_err(|error| format!("{}: {error}", path.display()))?;
            for structure in parsed {
                body.push(structure);
            }
        }
    }
    if !body.is_empty() {
        folders.insert(name, body);
    }
    Ok(())
}

/// The name in `var.NAME`.
fn variable(expression: &Expression) -> Option<&str> {
    let traversal = expression.as_traversal()?;
    let is_variable = traversal.expr.as_variable()?.as_str() == "var";
    let mut operators = traversal.operators.iter();
    match (operators.next()?.value(), operators.next()) {
        (TraversalOperator::GetAttr(name), None) if is_variable => Some(name.as_str()),
        _ => None,
    }
}

/// The object of `object({…})`, also within `optional`.
fn object(expression: &Expression) -> Option<&Object> {
    let first = expression.as_func_call()?.args.get(0)?;
    first.as_object().or_else(|| object(first))
}

/// An expression in one line.
fn line(expression: &Expression) -> String {
    let text = expression.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
