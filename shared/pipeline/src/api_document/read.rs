//! Reads the document (OpenAPI 3.1). Pure; invariant: bounded, and only what can be sent is read.

use std::collections::{BTreeMap, HashSet};

use reqwest::header::HeaderName;
use serde_json::{Map, Value};

use super::body::ApiBody;
use super::operation::ApiOperation;
use super::parameter::{ApiParameter, ParameterPlace, ValueKind};
use crate::api_call::ApiMethod;

/// Most operations, and most parameters of one.
const OPERATIONS_MAX: usize = 200;
const PARAMETERS_MAX: usize = 50;
/// Most choices of one value.
const CHOICES_MAX: usize = 100;
/// Most characters of a name, and of a text that explains.
const NAME_CHARS_MAX: usize = 200;
const TEXT_CHARS_MAX: usize = 2_000;
/// Headers that a parameter cannot name (OpenAPI 3.1, "Parameter Object"), and those that belong to the connection.
const HEADERS_OF_OTHERS: [&str; 6] = [
    "accept",
    "authorization",
    "content-length",
    "content-type",
    "host",
    "x-amz-security-token",
];

/// The operations, those of one tag beside each other in the order of the tags.
pub(super) fn operations(text: &str) -> Result<Vec<ApiOperation>, String> {
    let root: Value =
        serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let version = root.get("openapi").and_then(Value::as_str);
    if !version.is_some_and(|version| version.starts_with("3.")) {
        return Err("it is no OpenAPI document of version 3".to_owned());
    }
    let paths = root.get("paths").and_then(Value::as_object);
    let paths = paths.ok_or_else(|| "it has no paths".to_owned())?;
    let reader = Reader { root: &root };
    let tags = reader.tags();
    let mut found = Vec::new();
    for (path, item) in paths.iter().filter(|(path, _)| is_name(path)) {
        for method in ApiMethod::ALL {
            let name = method.as_str().to_ascii_lowercase();
            let Some(operation) = item.get(&name).and_then(Value::as_object) else {
                continue;
            };
            if found.len() == OPERATIONS_MAX {
                return Err(format!("it has more than {OPERATIONS_MAX} operations"));
            }
            let tag = operation.get("tags").and_then(|tags| tags.get(0));
            let tag = tag.and_then(Value::as_str).unwrap_or_default();
            let place = tags.iter().position(|one| *one == tag);
            found.push((
                place.unwrap_or(tags.len()),
                reader.operation(method, path, item, operation),
            ));
        }
    }
    found.sort_by_key(|(place, _)| *place);
    Ok(found.into_iter().map(|(_, operation)| operation).collect())
}

struct Reader<'a> {
    root: &'a Value,
}

impl<'a> Reader<'a> {
    fn tags(&self) -> Vec<&'a str> {
        let tags = self.root.get("tags").and_then(Value::as_array);
        let names = tags.into_iter().flatten();
        let names = names.filter_map(|tag| tag.get("name")?.as_str());
        names.take(OPERATIONS_MAX).collect()
    }

    fn operation(
        &self,
        method: ApiMethod,
        path: &str,
        item: &'a Value,
        operation: &'a Map<String, Value>,
    ) -> ApiOperation {
        let of_path = item.get("parameters").and_then(Value::as_array);
        let own = operation.get("parameters").and_then(Value::as_array);
        // One of the operation comes before one of the path with the same name.
        let all = own.into_iter().chain(of_path).flatten();
        let mut names = HashSet::new();
        let mut parameters: Vec<ApiParameter> = all
            .filter_map(|one| self.parameter(self.resolved(one)))
            .filter(|one| names.insert(one.name.clone()))
            .take(PARAMETERS_MAX)
            .collect();
        let answers = operation.get("responses").and_then(Value::as_object);
        if let Some(form) = answers.and_then(|answers| self.forms(answers)) {
            parameters.push(form);
        }
        let body = operation.get("requestBody");
        ApiOperation {
            method,
            path: path.to_owned(),
            summary: text_of(operation.get("summary")),
            description: text_of(operation.get("description")),
            parameters,
            body: body.and_then(|body| self.body(self.resolved(body))),
            answers: answers
                .map(|answers| self.answers(answers))
                .unwrap_or_default(),
        }
    }

    /// What a reference inside of the document leads to; one leads to no other.
    fn resolved(&self, value: &'a Value) -> &'a Value {
        let target = value.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| target.strip_prefix('#'));
        let found = target.and_then(|pointer| self.root.pointer(pointer));
        found.unwrap_or(value)
    }

    fn parameter(&self, value: &'a Value) -> Option<ApiParameter> {
        let name = value.get("name")?.as_str().filter(|name| is_name(name))?;
        let place = match value.get("in")?.as_str()? {
            "path" => ParameterPlace::Path,
            "query" => ParameterPlace::Query,
            "header" if is_free_header(name) => ParameterPlace::Header,
            _ => return None,
        };
        let schema = self.resolved(value.get("schema").unwrap_or(&Value::Null));
        let is_required = value.get("required").and_then(Value::as_bool);
        Some(ApiParameter {
            name: name.to_owned(),
            place,
            description: text_of(value.get("description")),
            is_required: is_required.unwrap_or(false) || place == ParameterPlace::Path,
            kind: self.kind(schema),
            default: schema.get("default").and_then(written),
            example: value.get("example").and_then(written),
        })
    }

    fn kind(&self, schema: &'a Value) -> ValueKind {
        let choices = choices(schema);
        if !choices.is_empty() {
            return ValueKind::Choice(choices);
        }
        let number = |name: &str| schema.get(name).and_then(Value::as_i64);
        let size = |name: &str| schema.get(name).and_then(Value::as_u64);
        match type_of(schema) {
            Some("integer") => ValueKind::Integer {
                min: number("minimum"),
                max: number("maximum"),
            },
            Some("boolean") => ValueKind::Boolean,
            Some("array") => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                ValueKind::List(self::choices(self.resolved(items)))
            }
            _ if schema.get("format").and_then(Value::as_str) == Some("date-time") => {
                ValueKind::Time
            }
            _ => ValueKind::Text {
                chars_min: size("minLength"),
                chars_max: size("maxLength"),
            },
        }
    }

    /// The forms of the answer that can be asked for, where there are several.
    fn forms(&self, answers: &'a Map<String, Value>) -> Option<ApiParameter> {
        let content = self.resolved(answers.get("200")?).get("content")?;
        let mut forms: Vec<String> = content.as_object()?.keys().cloned().collect();
        forms.retain(|form| is_name(form));
        // JSON is what is sent where nothing is asked for.
        forms.sort_by_key(|form| form != "application/json");
        (forms.len() > 1).then(|| ApiParameter {
            name: "Accept".to_owned(),
            place: ParameterPlace::Header,
            description: "The form of the answer.".to_owned(),
            is_required: false,
            default: forms.first().cloned(),
            kind: ValueKind::Choice(forms),
            example: None,
        })
    }

    fn body(&self, body: &'a Value) -> Option<ApiBody> {
        let content = body.get("content")?.get("application/json")?;
        let schema = self.resolved(content.get("schema").unwrap_or(&Value::Null));
        let named = content.get("examples").and_then(Value::as_object);
        let named = named.and_then(|examples| examples.values().next()?.get("value"));
        let example = named.or_else(|| content.get("example"));
        let example = example.and_then(|example| serde_json::to_string_pretty(example).ok());
        let required = schema.get("required").and_then(Value::as_array);
        let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let known = schema.get("properties").and_then(Value::as_object);
        Some(ApiBody {
            example: example.unwrap_or_else(|| "{}".to_owned()),
            required: required.into_iter().flatten().filter_map(written).collect(),
            known: known
                .filter(|_| is_closed)
                .map(|members| members.keys().cloned().collect()),
        })
    }

    fn answers(&self, answers: &'a Map<String, Value>) -> BTreeMap<u16, String> {
        let answers = answers.iter().filter_map(|(status, answer)| {
            let text = self.resolved(answer).get("description");
            Some((status.parse().ok()?, text_of(text)))
        });
        answers.collect()
    }
}

/// `string` of `["string", "null"]`.
fn type_of(schema: &Value) -> Option<&str> {
    let kind = schema.get("type")?;
    let several = || {
        let mut kinds = kind.as_array()?.iter().filter_map(Value::as_str);
        kinds.find(|kind| *kind != "null")
    };
    kind.as_str().or_else(several)
}

fn choices(schema: &Value) -> Vec<String> {
    let choices = schema.get("enum").and_then(Value::as_array);
    let choices = choices.into_iter().flatten().filter_map(written);
    choices.take(CHOICES_MAX).collect()
}

/// A value as one types it; a list is separated by commas.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(written).collect();
            Some(items?.join(","))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// A text of several lines is one paragraph each.
fn text_of(value: Option<&Value>) -> String {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    let paragraphs = text.split("\n\n").map(|one| one.replace('\n', " "));
    let text: Vec<_> = paragraphs.collect();
    text.join("\n").chars().take(TEXT_CHARS_MAX).collect()
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.chars().any(char::is_control)
}

fn is_free_header(name: &str) -> bool {
    let is_of_others = HEADERS_OF_OTHERS
        .iter()
        .any(|other| other.eq_ignore_ascii_case(name));
    !is_of_others && HeaderName::from_bytes(name.as_bytes()).is_ok()
}
