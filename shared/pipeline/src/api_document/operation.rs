//! One operation: the call that its parameters make, and the page that follows an answer. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;

use super::body::ApiBody;
use super::parameter::{ApiParameter, ParameterPlace};
use crate::api_call::{ApiCall, ApiMethod};

/// What a URL has as it is (RFC 3986, 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The name of the body among what is typed.
const BODY: &str = "body";

/// An operation of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiOperation {
    /// The method.
    pub method: ApiMethod,
    /// The path, with names in braces.
    pub path: String,
    /// What it does, in one sentence.
    pub summary: String,
    /// What else is to be known.
    pub description: String,
    /// What it takes, in the order of the document.
    pub parameters: Vec<ApiParameter>,
    /// The JSON that it takes.
    pub body: Option<ApiBody>,
    /// What each status means that it can answer with.
    pub answers: BTreeMap<u16, String>,
}

/// What is wrong with one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The parameter, or `body`.
    pub name: String,
    /// What is wrong, in words.
    pub text: String,
}

/// What leads to the next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPage {
    /// The parameter that takes the value.
    pub parameter: String,
    /// Where the next page begins.
    pub value: String,
}

impl ApiOperation {
    /// Method and path, by which it is found again.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The parameter of a name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&ApiParameter> {
        self.parameters.iter().find(|one| one.name == name)
    }

    /// The call with these values by the names of the parameters; an empty one is left out.
    ///
    /// # Errors
    /// What is wrong with each of them: nothing that the API would refuse is sent.
    pub fn call(
        &self,
        values: &BTreeMap<String, String>,
        body: &str,
    ) -> Result<ApiCall, Vec<InputError>> {
        let value = |name: &str| values.get(name).map_or("", String::as_str);
        let mut errors: Vec<InputError> = Vec::new();
        for parameter in &self.parameters {
            if let Err(text) = parameter.check(value(&parameter.name)) {
                let name = parameter.name.clone();
                errors.push(InputError { name, text });
            }
        }
        if let Some(Err((text, _))) = self.body.as_ref().map(|form| form.check(body)) {
            let name = BODY.to_owned();
            errors.push(InputError { name, text });
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut target = self.path.clone();
        let (mut query, mut headers) = (Vec::new(), Vec::new());
        for parameter in &self.parameters {
            let (name, value) = (&parameter.name, value(&parameter.name));
            match parameter.place {
                _ if value.is_empty() => {}
                ParameterPlace::Path => {
                    target = target.replace(&format!("{{{name}}}"), &encoded(value));
                }
                ParameterPlace::Query => {
                    query.push(format!("{}={}", encoded(name), encoded(value)));
                }
                ParameterPlace::Header => headers.push((name.clone(), value.to_owned())),
            }
        }
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        Ok(ApiCall {
            method: self.method,
            target,
            headers,
            body: self.body.as_ref().map(|_| body.to_owned()),
        })
    }

    /// Where the page after this answer begins: the member `next_NAME` of its JSON, or of the last of its lines, for
    /// the parameter NAME. `None` on the last page.
    #[must_use]
    pub fn next_page(&self, body: &str) -> Option<NextPage> {
        let members = |text| serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(text).ok();
        let members = members(body).or_else(|| members(body.trim_end().rsplit('\n').next()?))?;
        let has_more = members.get("has_more").map(|value| value.get());
        if has_more == Some("false") {
            return None;
        }
        let in_query = |one: &&ApiParameter| one.place == ParameterPlace::Query;
        self.parameters.iter().filter(in_query).find_map(|one| {
            let value = members.get(format!("next_{}", one.name).as_str())?.get();
            let value = match serde_json::from_str::<String>(value) {
                Ok(text) => text,
                Err(_) => value.parse::<i64>().ok()?.to_string(),
            };
            Some(NextPage {
                parameter: one.name.clone(),
                value,
            })
        })
    }
}

/// As a URL has it; commas, which separate the items of a list, are encoded as any other.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}
