//! The API on a real PostgreSQL, called over HTTP.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::HashSet;
use std::time::Duration;

use api::{ProblemKind, ROUTES, router};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use devstack::TestDatabase;
use event::{Event, parse_event};
use serde_json::{Value, json};
use store::write_batch;
use tower::ServiceExt as _;

const NOON: &str = "2026-11-24T12:00:00Z";
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn call(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: to_bytes(body, BODY_BYTES_MAX).await.unwrap(),
    }
}

async fn get(router: &Router, path: &str) -> Answer {
    let request = Request::get(path).body(Body::empty()).unwrap();
    call(router, request).await
}

async fn get_with(router: &Router, path: &str, name: &str, value: &str) -> Answer {
    let request = Request::get(path).header(name, value);
    call(router, request.body(Body::empty()).unwrap()).await
}

/// A database with `count` events, one a minute, of two types.
async fn filled(count: i64) -> (TestDatabase, Router) {
    let database = TestDatabase::create().await.unwrap();
    store::migrate(database.pool()).await.unwrap();
    let noon: DateTime<Utc> = NOON.parse().unwrap();
    let bodies: Vec<String> = (0..count)
        .map(|number| {
            let kind = if number % 3 == 0 {
                "order+placed"
            } else {
                "order.shipped"
            };
            json!({
                "specversion": "1.0", "id": format!("id-{number}"), "source": "/shop",
                "type": kind, "subject": format!("order/{}", number % 5),
                "time": (noon + TimeDelta::minutes(number)).to_rfc3339(), "data": {"n": number},
            })
            .to_string()
        })
        .collect();
    let events: Vec<Event<'_>> = bodies
        .iter()
        .map(|body| parse_event(body).unwrap())
        .collect();
    write_batch(database.pool(), &events).await.unwrap();
    let router = router(database.pool().clone());
    (database, router)
}

#[tokio::test]
async fn all_records_are_found_page_by_page() {
    let (_database, router) = filled(53).await;
    for order in ["asc", "desc"] {
        let mut path = format!("/v1/records?limit=10&order={order}");
        let mut seen = Vec::new();
        let mut times = Vec::new();
        for _ in 0..20 {
            let answer = get(&router, &path).await;
            assert_eq!(answer.status, StatusCode::OK);
            let page = answer.json();
            for item in page["items"].as_array().unwrap() {
                seen.push(item["record_id"].as_i64().unwrap());
                times.push(item["occurred_at"].as_str().unwrap().to_owned());
            }
            match page["next_cursor"].as_str() {
                // The cursor contains the order.
                Some(cursor) => path = format!("/v1/records?limit=10&cursor={cursor}"),
                None => break,
            }
        }
        let distinct: HashSet<i64> = seen.iter().copied().collect();
        assert_eq!((seen.len(), distinct.len()), (53, 53), "{order}");
        assert!(times.is_sorted_by(|a, b| if order == "asc" { a < b } else { a > b }));
    }
}

#[tokio::test]
async fn record_has_the_published_fields() {
    let (_database, router) = filled(1).await;
    let page = get(&router, "/v1/records").await.json();
    assert_eq!(page["next_cursor"], Value::Null);
    let item = &page["items"][0];
    assert_eq!(item["source"], "/shop");
    assert_eq!(item["id"], "id-0");
    assert_eq!(item["type"], "order+placed");
    assert_eq!(item["subject"], "order/0");
    assert_eq!(item["occurred_at"], NOON);
    assert!(
        item["ingested_at"]
            .as_str()
            .unwrap()
            .parse::<DateTime<Utc>>()
            .is_ok()
    );
    assert_eq!(item["payload"]["data"], json!({"n": 0}));
    let path = format!("/v1/records/{}", item["record_id"]);
    assert_eq!(&get(&router, &path).await.json(), item);
}

#[tokio::test]
async fn filters_are_exact_and_combine() {
    let (_database, router) = filled(30).await;
    for (query, count) in [
        ("type=order%2Bplaced", 10),
        ("type=order", 0),
        ("subject=order/1", 6),
        ("source=/shop&limit=500", 30),
        ("id=id-7", 1),
        ("id=id-7&source=/nowhere", 0),
        ("from=2026-11-24T12:10:00Z&to=2026-11-24T12:20:00Z", 10),
        (
            "from=2026-11-24T14:10:00%2B02:00&to=2026-11-24T12:20:00Z&type=order%2Bplaced",
            3,
        ),
    ] {
        let answer = get(&router, &format!("/v1/records?{query}")).await;
        let items = answer.json()["items"].as_array().map(Vec::len);
        assert_eq!(items, Some(count), "{query}");
    }
}

#[tokio::test]
async fn invalid_parameter_is_a_problem_that_names_it() {
    let (_database, router) = filled(3).await;
    let cursor = get(&router, "/v1/records?limit=1").await.json()["next_cursor"].clone();
    let other_order = format!("/v1/records?order=asc&cursor={}", cursor.as_str().unwrap());
    for (path, parameter) in [
        ("/v1/records?limit=0", "limit"),
        ("/v1/records?limit=501", "limit"),
        ("/v1/records?limit=ten", "limit"),
        ("/v1/records?limit=-1", "limit"),
        ("/v1/records?from=yesterday", "from"),
        ("/v1/records?to=2026-11-24", "to"),
        (
            "/v1/records?from=2026-11-25T00:00:00Z&to=2026-11-24T00:00:00Z",
            "to",
        ),
        ("/v1/records?order=up", "order"),
        ("/v1/records?cursor=abc", "cursor"),
        (&other_order, "cursor"),
        ("/v1/records?tpye=x", "tpye"),
        ("/v1/records?type=a&type=b", "type"),
        ("/v1/records?type=", "type"),
        ("/v1/records?type=%00", "type"),
        ("/v1/records/1?verbose=1", "verbose"),
        ("/v1/records/first", "record_id"),
        ("/v1/stats?bucket=week", "bucket"),
        ("/v1/stats?group_by=subject", "group_by"),
        (
            "/v1/stats?bucket=minute&from=2020-01-01T00:00:00Z",
            "bucket",
        ),
        ("/v1/types?x=1", "x"),
        ("/health?x=1", "x"),
        ("/docs?x=1", "x"),
    ] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        let problem = answer.json();
        assert_eq!(problem["parameter"], parameter, "{path}: {problem}");
        assert_eq!(problem["status"], 400);
        assert_eq!(problem["type"], "/docs#invalid-parameter");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn unknown_paths_records_and_methods_are_problems() {
    let (_database, router) = filled(1).await;
    for path in ["/v1/records/999999", "/v1/record", "/", "/v2/records"] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(answer.json()["type"], "/docs#not-found");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let request = Request::builder().method(method).uri("/v1/records");
        let answer = call(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        assert_eq!(answer.json()["type"], "/docs#method-not-allowed");
    }
    let request = Request::head("/v1/records").body(Body::empty()).unwrap();
    let answer = call(&router, request).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn record_is_sent_once_to_a_client_that_keeps_it() {
    let (_database, router) = filled(1).await;
    let page = get(&router, "/v1/records").await.json();
    let path = format!("/v1/records/{}", page["items"][0]["record_id"]);
    let first = get(&router, &path).await;
    let tag = first.header("etag").unwrap();
    assert!(first.header("cache-control").unwrap().contains("immutable"));
    let again = get_with(&router, &path, "if-none-match", tag).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert!(again.body.is_empty());
    assert_eq!(again.header("etag"), Some(tag));
    let other = get_with(&router, &path, "if-none-match", "\"other\"").await;
    assert_eq!(other.status, StatusCode::OK);
}

#[tokio::test]
async fn answer_is_compressed_on_request_only() {
    let (_database, router) = filled(20).await;
    let plain = get(&router, "/v1/records").await;
    assert_eq!(plain.header("content-encoding"), None);
    let packed = get_with(&router, "/v1/records", "accept-encoding", "gzip").await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.starts_with(&[0x1f, 0x8b]));
    assert!(packed.body.len() < plain.body.len() / 2);
    let packed = get_with(&router, "/v1/records", "accept-encoding", "br").await;
    assert_eq!(packed.header("content-encoding"), Some("br"));
}

#[tokio::test]
async fn statistics_and_types_are_counted() {
    let (_database, router) = filled(90).await;
    let range = "from=2026-11-24T12:00:00Z&to=2026-11-24T14:00:00Z";
    let stats = get(&router, &format!("/v1/stats?{range}")).await.json();
    assert_eq!(
        stats,
        json!({
            "from": NOON, "to": "2026-11-24T14:00:00Z", "bucket": "hour", "group_by": "type",
            "items": [
                {"bucket_start": NOON, "group": "order+placed", "count": 20},
                {"bucket_start": NOON, "group": "order.shipped", "count": 40},
                {"bucket_start": "2026-11-24T13:00:00Z", "group": "order+placed", "count": 10},
                {"bucket_start": "2026-11-24T13:00:00Z", "group": "order.shipped", "count": 20},
            ],
        })
    );
    let types = get(&router, "/v1/types").await.json();
    assert_eq!(types["items"][0]["type"], "order.shipped");
    assert_eq!(types["items"][0]["count"], 60);
    assert_eq!(types["items"][0]["count_is_minimum"], false);
}

#[tokio::test]
async fn unavailable_database_is_reported_without_details() {
    let pool = store::connect_lazy(&store::ConnectSettings {
        acquire_timeout: Duration::from_millis(100),
        // Nothing listens on port 1.
        ..store::ConnectSettings::new("postgres://me:s3cret@127.0.0.1:1/away", "test")
    })
    .unwrap();
    let router = router(pool);
    for path in [
        "/health",
        "/v1/records",
        "/v1/records/1",
        "/v1/stats",
        "/v1/types",
    ] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.header("retry-after"), Some("5"));
        let problem = answer.json().to_string();
        for inside in ["s3cret", "127.0.0.1", "sqlx", "pool"] {
            assert!(!problem.contains(inside), "{problem}");
        }
    }
    // Paths that need no database still work.
    assert_eq!(get(&router, "/docs").await.status, StatusCode::OK);
}

#[tokio::test]
async fn missing_schema_is_an_internal_problem_without_details() {
    let database = TestDatabase::create().await.unwrap();
    let router = router(database.pool().clone());
    assert_eq!(get(&router, "/health").await.status, StatusCode::OK);
    let answer = get(&router, "/v1/records").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let problem = answer.json();
    assert_eq!(problem["type"], "/docs#internal");
    assert!(!problem.to_string().contains("relation"), "{problem}");
}

#[tokio::test]
async fn every_route_is_routed_and_documented_with_its_parameters() {
    let (_database, router) = filled(1).await;
    let openapi = get(&router, "/openapi.json").await;
    assert_eq!(openapi.header("content-type"), Some("application/json"));
    let openapi = openapi.json();
    let docs = get(&router, "/docs").await;
    assert!(
        docs.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let docs = String::from_utf8(docs.body.to_vec()).unwrap();
    assert!(!docs.contains("src="), "self-contained");

    let documented: HashSet<&str> = openapi["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let routed: HashSet<&str> = ROUTES.iter().map(|(path, _)| *path).collect();
    assert_eq!(documented, routed);
    for (path, parameters) in ROUTES {
        let listed: Vec<&str> = openapi["paths"][path]["get"]["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(listed, parameters, "{path}");
        assert!(docs.contains(&format!("<code>{path}</code>")), "{path}");
        for parameter in parameters {
            assert!(
                docs.contains(&format!("<code>{parameter}</code>")),
                "{parameter}"
            );
        }
        let answer = get(&router, &path.replace("{record_id}", "1")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    for kind in ProblemKind::ALL {
        assert!(
            docs.contains(&format!("id=\"{}\"", kind.anchor())),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn references_inside_the_openapi_document_resolve() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(target) if name == "$ref" => found.push(target.clone()),
                        Value::String(_)
                        | Value::Null
                        | Value::Bool(_)
                        | Value::Number(_)
                        | Value::Array(_)
                        | Value::Object(_) => references(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let (_database, router) = filled(0).await;
    let openapi = get(&router, "/openapi.json").await.json();
    let mut found = Vec::new();
    references(&openapi, &mut found);
    assert!(!found.is_empty());
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(openapi.pointer(pointer).is_some(), "{target}");
    }
}
