//! The OpenAPI document: it describes what the API does.

use api::{ProblemKind, router};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use boon::{Compiler, Draft, Schemas};
use serde_json::{Map, Value, json};

use crate::support::{Answer, call, filled, get, get_with};

/// Where the validator finds the schema; nothing is fetched.
const SCHEMA: &str = "http://document/schema.json";
const METHODS: [&str; 3] = ["get", "post", "head"];

/// The document, whose objects are closed here: a field that is not described is a fault.
struct Document {
    root: Value,
    closed: Value,
}

/// One operation of the document.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    content: &'a Value,
}

impl Document {
    async fn of(router: &Router) -> Self {
        let answer = get(router, "/openapi.json").await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let root = answer.json();
        let mut closed = root["components"]["schemas"].clone();
        close(&mut closed);
        Self { root, closed }
    }

    fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.root["paths"].as_object().unwrap();
        let all: Vec<Operation<'_>> = paths
            .iter()
            .flat_map(|(path, item)| {
                METHODS.into_iter().filter_map(move |method| {
                    item.get(method).map(|content| Operation {
                        method,
                        path,
                        content,
                    })
                })
            })
            .collect();
        assert!(all.len() >= 10);
        all
    }

    /// Follows a reference to a response.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(target) => self.root.pointer(&target[1..]).unwrap(),
            None => value,
        }
    }

    fn faults(&self, schema: &Value, instance: &Value) -> Vec<String> {
        let mut schema = schema.clone();
        close(&mut schema);
        schema["components"] = json!({"schemas": self.closed});
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.add_resource(SCHEMA, schema).unwrap();
        let schema = compiler.compile(SCHEMA, &mut schemas).unwrap();
        let fault = schemas.validate(instance, schema).err();
        fault.iter().map(|fault| format!("{fault:#}")).collect()
    }

    /// Checks that an answer is described: its status, content type, body and headers.
    fn check(&self, operation: &Operation<'_>, answer: &Answer) {
        let name = format!("{} {}: {}", operation.method, operation.path, answer.status);
        let described = &operation.content["responses"][answer.status.as_str()];
        assert!(described.is_object(), "{name} is not described");
        let described = self.resolved(described);
        for header in described["headers"].as_object().into_iter().flatten() {
            assert!(
                answer.header(header.0).is_some(),
                "{name} has no {}",
                header.0
            );
        }
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        let Some(content) = described["content"].as_object() else {
            assert!(answer.body.is_empty(), "{name}");
            return;
        };
        let schema = &content
            .get(kind)
            .unwrap_or_else(|| panic!("{name}: {kind}"))["schema"];
        if kind.ends_with("/json") || kind.ends_with("+json") {
            let faults = self.faults(schema, &answer.json());
            assert!(faults.is_empty(), "{name}: {faults:#?}");
        }
    }
}

/// Forbids fields that are not described.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") {
                members.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl Operation<'_> {
    /// The request that the examples of the parameters and of the body make.
    fn example(&self) -> Request<Body> {
        let mut path = self.path.to_owned();
        let mut query = Vec::new();
        for parameter in self.content["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let example = &parameter["example"];
            if example.is_null() {
                continue;
            }
            let text = |value: &Value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            };
            let value = match example.as_array() {
                Some(list) => {
                    assert_eq!(parameter["explode"], false, "{name}");
                    list.iter().map(text).collect::<Vec<_>>().join(",")
                }
                None => text(example),
            };
            match parameter["in"].as_str().unwrap() {
                "path" => path = path.replace(&format!("{{{name}}}"), &value),
                "query" => query.push(format!("{name}={value}")),
                other => panic!("{other}"),
            }
        }
        assert!(!path.contains('{'), "{path} has no example");
        let body = &self.content["requestBody"]["content"]["application/json"]["examples"]["example"]
            ["value"];
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        Request::builder()
            .method(Method::from_bytes(self.method.to_uppercase().as_bytes()).unwrap())
            .uri(format!("{path}?{}", query.join("&")))
            .body(body)
            .unwrap()
    }
}

#[tokio::test]
async fn example_requests_are_answered_as_described() {
    let (_database, router) = filled(3).await;
    let document = Document::of(&router).await;
    assert_eq!(document.root["openapi"], "3.1.0");
    for operation in document.operations() {
        let answer = call(&router, operation.example()).await;
        let name = format!("{} {}", operation.method, operation.path);
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        document.check(&operation, &answer);
    }
}

#[tokio::test]
async fn example_answers_have_the_described_form() {
    let (_database, router) = filled(0).await;
    let document = Document::of(&router).await;
    let mut count = 0;
    for operation in document.operations() {
        let responses = operation.content["responses"].as_object().unwrap();
        let bodies = responses
            .values()
            .chain([&operation.content["requestBody"]]);
        for content in bodies.filter_map(|body| body["content"].as_object()) {
            for described in content.values() {
                // The viewer of the page would not show it.
                assert!(described.get("example").is_none(), "{}", operation.path);
                let examples = described["examples"].as_object().into_iter().flatten();
                for (_, example) in examples {
                    let faults = document.faults(&described["schema"], &example["value"]);
                    assert!(faults.is_empty(), "{}: {faults:#?}", operation.path);
                    count += 1;
                }
            }
        }
    }
    assert!(count >= 7, "{count} examples");
}

#[tokio::test]
async fn problems_are_described() {
    let (_database, router) = filled(1).await;
    let document = Document::of(&router).await;
    for operation in document.operations() {
        let path = operation.path.replace("{record_id}", "1");
        let ask = async |path: &str, name: &str, value: &str| {
            let method = operation.method.to_uppercase();
            let request = Request::builder().method(method.as_str()).uri(path);
            let request = request.header(name, value).body(Body::empty()).unwrap();
            document.check(&operation, &call(&router, request).await);
        };
        ask(&format!("{path}?unknown=1"), "accept", "*/*").await;
        ask(&format!("{path}?{}", "x".repeat(9_000)), "accept", "*/*").await;
        ask(&path, "x-large", &"x".repeat(17_000)).await;
    }
    let one = document
        .operations()
        .into_iter()
        .find(|operation| operation.path == "/v1/records/{record_id}")
        .unwrap();
    document.check(&one, &get(&router, "/v1/records/99").await);
    let first = get(&router, "/v1/records/1").await;
    let tag = first.header("etag").unwrap();
    let again = get_with(&router, "/v1/records/1", "if-none-match", tag).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    document.check(&one, &again);

    let away = store::connect_lazy(&store::ConnectSettings {
        acquire_timeout: std::time::Duration::from_millis(100),
        // Nothing listens on port 1.
        ..store::ConnectSettings::new("postgres://127.0.0.1:1/away", "test")
    });
    let away = router_of(away.unwrap());
    document.check(&one, &get(&away, "/v1/records/1").await);
    let empty = devstack::TestDatabase::create().await.unwrap();
    let without_schema = router_of(empty.pool().clone());
    document.check(&one, &get(&without_schema, "/v1/records/1").await);
}

fn router_of(pool: store::PgPool) -> Router {
    router(pool)
}

/// The gateway passes on what it has a route for.
#[tokio::test]
async fn gateway_has_a_route_for_each_operation() {
    let (_database, router) = filled(0).await;
    let document = Document::of(&router).await;
    let module = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../terraform/modules/api/main.tf"
    );
    let module = std::fs::read_to_string(module).unwrap();
    for (method, list) in [("get", "reads = ["), ("post", "lookups = [")] {
        let (_, rest) = module.split_once(list).unwrap();
        let (list, _) = rest.split_once(']').unwrap();
        let mut routed: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
        routed.sort_unstable();
        let operations = document.operations();
        let described = operations.iter().filter(|one| one.method == method);
        let described: Vec<&str> = described.map(|one| one.path).collect();
        assert_eq!(routed, described);
    }
}

/// The console has the document with it, for an API that does not show its own.
#[tokio::test]
async fn document_of_the_console_is_this_one() {
    let (_database, router) = filled(0).await;
    let document = Document::of(&router).await;
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/pipeline/src/api_document/openapi.json"
    );
    let mut text = serde_json::to_string_pretty(&document.root).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(
        kept == text,
        "{path} is not what the handlers generate: UPDATE_OPENAPI=1 writes it again"
    );
}

#[tokio::test]
async fn references_inside_the_document_resolve() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(reference(members));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    fn reference(members: &Map<String, Value>) -> Option<String> {
        members
            .get("$ref")
            .and_then(Value::as_str)
            .map(str::to_owned)
    }
    let (_database, router) = filled(0).await;
    let document = Document::of(&router).await.root;
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}

#[tokio::test]
async fn page_explains_each_problem_and_loads_only_from_here() {
    let (_database, router) = filled(0).await;
    let page = get(&router, "/docs").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    for kind in ProblemKind::ALL {
        assert!(
            text.contains(&format!("id=\"{}\"", kind.anchor())),
            "{kind:?}"
        );
    }
    assert!(!text.contains("<!--"), "the problems are filled in");
    assert!(text.contains("<code>Retry-After</code>") && !text.contains('`'));
    // Without it a browser asks for /favicon.ico, which the policy forbids.
    assert!(text.contains("<link rel=\"icon\" href=\"data:,\">"));
    // Addresses are relative, so that the page works under every stage.
    let addresses: Vec<&str> = ["src=\"", "href=\"", "spec-url=\""]
        .into_iter()
        .flat_map(|attribute| text.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|address| !address.starts_with("data:"))
        .collect();
    assert_eq!(
        addresses,
        ["docs/viewer.js", "openapi.json", "openapi.json"]
    );
    for address in addresses {
        let answer = get(&router, &format!("/{address}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{address}");
    }
}

#[tokio::test]
async fn viewer_is_the_same_packed_and_not() {
    let (_database, router) = filled(0).await;
    let plain = get(&router, "/docs/viewer.js").await;
    assert_eq!(plain.header("content-encoding"), None);
    let text = String::from_utf8(plain.body.to_vec()).unwrap();
    assert!(text.contains("rapi-doc"));
    let packed = get_with(&router, "/docs/viewer.js", "accept-encoding", "br, gzip").await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.starts_with(&[0x1f, 0x8b]));
    assert!(packed.body.len() < 230_000);
}
