//! The document as a whole.

use super::operation::ApiOperation;
use super::read;
use crate::api_call::ApiMethod;

/// The document of the API of this release, as the handlers generate it; a test of the API compares it.
const OF_THIS_RELEASE: &str = include_str!("openapi.json");

/// What an API offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiDocument {
    /// Its operations: those of one tag beside each other.
    pub operations: Vec<ApiOperation>,
    /// How many operations were left out, because they are not known to read alone.
    pub left_out: usize,
}

impl ApiDocument {
    /// Reads a document (OpenAPI 3).
    ///
    /// # Errors
    /// Why it is none, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self {
            operations: read::operations(text)?,
            left_out: 0,
        })
    }

    /// The one of this release.
    #[must_use]
    pub fn of_this_release() -> Self {
        Self::parse(OF_THIS_RELEASE).unwrap_or_default()
    }

    /// Without each POST that this release does not have: nothing says of another one that it changes nothing.
    #[must_use]
    pub fn known_to_read(mut self) -> Self {
        let known = Self::of_this_release();
        let all = self.operations.len();
        self.operations
            .retain(|one| one.method == ApiMethod::Get || known.operation(&one.key()).is_some());
        self.left_out += all - self.operations.len();
        self
    }

    /// The operation of a method and a path.
    #[must_use]
    pub fn operation(&self, key: &str) -> Option<&ApiOperation> {
        self.operations.iter().find(|one| one.key() == key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{NextPage, ParameterPlace, ValueKind};
    use super::*;

    fn operation(key: &str) -> ApiOperation {
        let document = ApiDocument::of_this_release();
        document.operation(key).unwrap().clone()
    }

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter().copied();
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn every_operation_of_this_release_is_read_with_its_parameters() {
        let document = ApiDocument::of_this_release();
        let read: Vec<String> = document
            .operations
            .iter()
            .map(|one| {
                let names: Vec<&str> = one.parameters.iter().map(|one| &*one.name).collect();
                format!("{}: {}", one.key(), names.join(" "))
            })
            .collect();
        assert_eq!(
            read,
            [
                "GET /v1/feed: after limit fields",
                "GET /v1/records: source id type subject from to order limit cursor fields Accept",
                "POST /v1/records/lookup: ",
                "GET /v1/records/{record_id}: record_id fields If-None-Match",
                "GET /v1/stats: from to bucket group_by fill_gaps",
                "GET /v1/summary: ",
                "GET /v1/types: ",
                "GET /docs: ",
                "GET /docs/viewer.js: ",
                "GET /health: deep",
                "GET /openapi.json: ",
            ]
        );
        // None that the document has is missing.
        let all: serde_json::Value = serde_json::from_str(OF_THIS_RELEASE).unwrap();
        let paths = all["paths"].as_object().unwrap().values();
        let of_all: usize = paths.map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!(document.operations.len(), of_all);
    }

    #[test]
    fn parameter_has_what_the_document_says_of_it() {
        let records = operation("GET /v1/records");
        let limit = records.parameter("limit").unwrap();
        assert_eq!(limit.place, ParameterPlace::Query);
        assert_eq!(limit.in_words(), "integer, 1 to 500, by default 50");
        assert_eq!(limit.example.as_deref(), Some("2"));
        let words = |name| records.parameter(name).unwrap().in_words();
        assert_eq!(words("source"), "text");
        assert_eq!(words("from"), "time (RFC 3339)");
        assert_eq!(words("order"), "asc or desc");
        assert_eq!(words("cursor"), "text of 40 characters");
        assert!(words("fields").starts_with("list of record_id,source,"));
        assert_eq!(
            words("Accept"),
            "application/json or application/x-ndjson, by default application/json"
        );
        let record = operation("GET /v1/records/{record_id}");
        let id = record.parameter("record_id").unwrap();
        assert_eq!(id.place, ParameterPlace::Path);
        assert_eq!(id.in_words(), "integer, required");
        let match_none = record.parameter("If-None-Match").unwrap();
        assert_eq!(match_none.place, ParameterPlace::Header);
        let health = operation("GET /health");
        assert_eq!(health.parameters[0].kind, ValueKind::Boolean);
        let meaning = &records.answers[&400];
        assert!(meaning.starts_with("invalid parameter:"), "{meaning}");
    }

    #[test]
    fn call_has_each_value_in_its_place_and_is_refused_while_one_is_wrong() {
        let record = operation("GET /v1/records/{record_id}");
        let given = [
            ("record_id", "17"),
            ("fields", "id,type"),
            ("If-None-Match", "\"abc\""),
        ];
        let call = record.call(&values(&given), "").unwrap();
        assert_eq!(call.target, "/v1/records/17?fields=id%2Ctype");
        let header = ("If-None-Match".to_owned(), "\"abc\"".to_owned());
        assert_eq!((call.headers, call.body), (vec![header], None));

        let records = operation("GET /v1/records");
        let given = [("type", "a b&c=/ü"), ("limit", ""), ("order", "asc")];
        let call = records.call(&values(&given), "").unwrap();
        assert_eq!(
            call.target,
            "/v1/records?type=a%20b%26c%3D%2F%C3%BC&order=asc"
        );
        let wrong = [("limit", "501"), ("order", "up"), ("id", "b2c7")];
        let errors = records.call(&values(&wrong), "").unwrap_err();
        let names: Vec<&str> = errors.iter().map(|error| &*error.name).collect();
        assert_eq!(names, ["order", "limit"]);
        let errors = record.call(&values(&[]), "").unwrap_err();
        assert_eq!(errors[0].text, "is required");
    }

    #[test]
    fn example_of_the_body_can_be_sent_and_an_unknown_member_cannot() {
        let lookup = operation("POST /v1/records/lookup");
        let example = lookup.body.clone().unwrap().example;
        let call = lookup.call(&values(&[]), &example).unwrap();
        assert_eq!(call.body.as_deref(), Some(&*example));
        assert!(example.contains("\n"), "it is laid out: {example}");
        let errors = lookup.call(&values(&[]), r#"{"ids": []}"#).unwrap_err();
        assert_eq!(errors[0].name, "body");
    }

    #[test]
    fn next_page_is_read_from_json_and_from_the_last_line() {
        let records = operation("GET /v1/records");
        let next = |parameter: &str, value: &str| {
            Some(NextPage {
                parameter: parameter.to_owned(),
                value: value.to_owned(),
            })
        };
        let page = |body: &str| records.next_page(body);
        assert_eq!(
            page(r#"{"items":[],"next_cursor":"Ag=="}"#),
            next("cursor", "Ag==")
        );
        assert_eq!(page(r#"{"items":[],"next_cursor":null}"#), None);
        let lines = "{\"record_id\":1}\n{\"next_cursor\":\"Ag==\"}\n";
        assert_eq!(page(lines), next("cursor", "Ag=="));
        assert_eq!(page("{\"record_id\":1}\n"), None, "it was cut");
        assert_eq!(page("<html>"), None);
        let feed = operation("GET /v1/feed");
        let more = r#"{"has_more":true,"next_after":1204554}"#;
        assert_eq!(feed.next_page(more), next("after", "1204554"));
        let last = r#"{"has_more":false,"next_after":1204554}"#;
        assert_eq!(feed.next_page(last), None);
    }

    #[test]
    fn post_that_this_release_does_not_know_is_left_out() {
        let text = r##"{"openapi": "3.1.0", "paths": {
            "/v1/records/lookup": {"post": {}},
            "/v1/records": {"post": {}, "get": {}, "delete": {}, "put": {}},
            "/v2/new": {"get": {"parameters": [
                {"name": "Authorization", "in": "header"},
                {"name": "session", "in": "cookie"},
                {"$ref": "#/components/parameters/Size"}
            ]}}
        }, "components": {"parameters": {"Size":
            {"name": "size", "in": "query", "schema": {"$ref": "#/components/schemas/Size"}}
        }, "schemas": {"Size": {"type": ["null", "integer"], "maximum": 9}}}}"##;
        let document = ApiDocument::parse(text).unwrap().known_to_read();
        let keys: Vec<String> = document.operations.iter().map(ApiOperation::key).collect();
        assert_eq!(
            keys,
            ["GET /v1/records", "POST /v1/records/lookup", "GET /v2/new"]
        );
        assert_eq!(document.left_out, 1);
        // A token is not typed into a form, and a cookie is not sent; references are followed.
        let names = &document.operations[2].parameters;
        assert_eq!(names.len(), 1);
        assert!(names[0].check("10").unwrap_err().contains("more than 9"));
    }

    #[test]
    fn what_is_no_document_is_told() {
        for (text, expected) in [
            ("<html>", "no JSON"),
            ("{}", "no OpenAPI"),
            (r#"{"openapi": "3.1.0"}"#, "no paths"),
        ] {
            let said = ApiDocument::parse(text).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
        let mut paths = serde_json::Map::new();
        for number in 0..201 {
            paths.insert(format!("/{number}"), serde_json::json!({"get": {}}));
        }
        let text = serde_json::json!({"openapi": "3.1.0", "paths": paths}).to_string();
        assert!(
            ApiDocument::parse(&text)
                .unwrap_err()
                .contains("more than 200")
        );
    }
}
