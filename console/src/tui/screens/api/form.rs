//! What is typed for one operation. Invariant: a value stays while other operations are looked at.

use std::collections::BTreeMap;

use pipeline::api_document::ApiOperation;

use crate::tui::list::ListState;

/// The name of the row that has the body.
pub(super) const BODY: &str = "body";

#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    /// By the names of the parameters.
    pub(super) values: BTreeMap<String, String>,
    pub(super) body: String,
    pub(super) list: ListState,
}

impl Form {
    /// Nothing is typed yet; the body is the example of the document.
    pub(super) fn of(operation: &ApiOperation) -> Self {
        let body = operation.body.as_ref();
        Self {
            values: BTreeMap::new(),
            body: body.map(|body| body.example.clone()).unwrap_or_default(),
            list: ListState::default(),
        }
    }

    pub(super) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// What is wrong with the value of a row.
    pub(super) fn error(&self, operation: &ApiOperation, name: &str) -> Option<String> {
        if let Some(parameter) = operation.parameter(name) {
            return parameter.check(self.value(name)).err();
        }
        let body = operation.body.as_ref().filter(|_| name == BODY)?;
        body.check(&self.body).err().map(|(text, _)| text)
    }
}

/// The rows of the form: the parameters, then the body.
pub(super) fn rows(operation: &ApiOperation) -> Vec<&str> {
    let names = operation.parameters.iter().map(|one| &*one.name);
    names.chain(operation.body.as_ref().map(|_| BODY)).collect()
}
